"""Kernels of a population's neurons in every place of a sheet: convolutions in the plane."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
import scipy.fft

from ..._types import Floats
from ...errors import KernelError
from ...kernels import KernelSet
from ...kernels.checks import positive
from .lattice import Lattice, Places
from .patches import Table
from .profiles import Profile, check_narrow
from .tissue import Grid, Sheet

Rule = Literal["bernoulli", "outdegree", "indegree"]

_PATCHES = 1.25  # patch widths from one patch to the next: their sum is flat to 1e-5
_WIDER = float(np.sqrt(2.0))
_BOUND = 3.0  # of squares: where a width blurs much, wider patches do not differ by all of it
_NEGLIGIBLE = 3e-4  # of the largest time course: what is not kept of the others
_VALUES = 2**20  # that are in memory at a time, in each of a few arrays


class _Pathway(NamedTuple):
    """What a spike does through populations whose neurons have one profile around it.

    Attributes
    ----------
    profile : Profile
    targets : dict of (float, float) to ndarray of complex, shape (delay, frequency, frequency)
        Transform of a neuron's targets by the time they get a spike, for each offset of `Places`.
    seen : ndarray of complex, shape (frequency, frequency, course, contact)
        Transform of what contacts see of the patches.
    part : ndarray, shape (delay, course, common)
        What each course is, if it comes so late, in those that all pathways share.
    """

    profile: Profile
    targets: dict[tuple[float, float], Any]
    seen: Any
    part: Floats


class Population:
    """Kernels of a presynaptic population's neurons at the places of a lattice.

    Targets have the same profile around every neuron, so that the sum over them is a convolution in
    the plane, of the profile with what contacts see of the patches.

    Attributes
    ----------
    courses : ndarray, shape (course, lag)
        Orthonormal time courses.
    width : float
        Of the patches (µm).
    spread : float
        Of the narrowest profile (µm).
    """

    def __init__(
        self,
        patches: KernelSet,
        sheet: Sheet,
        contacts: Floats,
        pre: str,
        profiles: Mapping[str, Profile],
        rule: Rule,
        speed: float | None,
    ) -> None:
        step = None if speed is None else positive(speed, f"speed of {pre!r} (µm/ms)") * patches.dt
        own = {post: profiles[post] for post in patches.post}
        tables = [(profile, Table(patches, posts, pre)) for profile, posts in _alike(own)]
        tables = [(profile, table) for profile, table in tables if len(table.courses)]
        if not tables:
            raise KernelError(f"the kernels of {pre!r} are all zero: leave this population out")
        self._sheet, self._rule, self._step = sheet, rule, step
        self.spread = min(profile.spread for profile, _ in tables)
        self.width = tables[0][1].width
        check_narrow(_WIDER * self.width, self.spread, self.width)
        self._lattice = Lattice(sheet, _PATCHES * self.width)
        seen = [self._seen(contacts, table) for _, table in tables]
        narrow = [profile.narrowed(self.width) for profile, _ in tables]
        self.courses, parts = _common(
            [
                (table.courses, np.sqrt(np.mean(each**2, axis=(0, 1, 2))), self._delays(profile))
                for (_, table), each, profile in zip(tables, seen, narrow, strict=True)
            ]
        )
        self._pathways = [
            self._pathway(*each, self._lattice.all)
            for each in zip(narrow, seen, parts, strict=True)
        ]
        self._wide = list(zip(tables, parts, strict=True))
        self._contacts = contacts

    def _wider(self) -> list[_Pathway]:
        """The same of wider patches.

        What patches of a width make wrong grows with its square, so that patches which are wider by
        the root of 2, these once more blurred, differ from these by what these make wrong.
        """
        found = []
        for (profile, table), part in self._wide:
            wider = profile.narrowed(_WIDER * self.width)
            seen = self._seen(self._contacts, table.blurred())
            found.append(self._pathway(wider, seen, part, [self._lattice.middles]))
        return found

    def _seen(self, contacts: Floats, table: Table) -> Floats:
        """Factors of a pathway's courses, (patch, patch, contact, course)."""
        centers = self._lattice.patches()[:, :, None]
        level = table.level(contacts[:, 2])
        found: Floats = np.zeros(())
        for copy in self._sheet.copies:
            at = contacts[:, :2] - self._sheet.corner - copy
            found = found + table.factors(np.linalg.norm(centers - at, axis=-1), level)
        return found

    def _delays(self, profile: Profile) -> int:
        """Number of delays (steps) of spikes to a neuron's targets."""
        if self._step is None:
            return 1
        return int(self._lattice.furthest(profile.reach) / self._step) + 2

    def _around(self, profile: Profile, offset: tuple[float, float]) -> Floats:
        """Share of a neuron's targets in the patches around it, (delay, patch, patch)."""
        share, away = self._lattice.share(profile, offset)
        late = np.zeros_like(away) if self._step is None else away / self._step
        whole = np.floor(late).astype(int)
        delays = np.arange(self._delays(profile))[:, None, None]
        # A delay between two steps counts for both.
        before, after = whole == delays, whole == delays - 1
        return share * np.where(before, 1 - late % 1, np.where(after, late % 1, 0.0))

    def _pathway(
        self, profile: Profile, seen: Floats, part: Floats, where: Sequence[Places]
    ) -> _Pathway:
        """Of neurons in these places; `seen` has shape (patch, patch, contact, course)."""
        if self._rule == "indegree":
            seen = seen / self._inside(profile, self._lattice.middles)[..., None, None]
        shape = self._shape(profile)
        targets = {
            places.offset: scipy.fft.rfft2(self._around(profile, places.offset), shape)
            for places in where
        }
        found = scipy.fft.rfft2(seen.swapaxes(2, 3), shape, axes=(0, 1))
        return _Pathway(profile, targets, found, part)

    def _sums(
        self, pathways: Sequence[_Pathway], places: Places, some: slice, contacts: slice
    ) -> Floats:
        """Sums over targets: factors of some courses, (place, place, course, contact)."""
        total: Floats = np.zeros(())
        for profile, targets, seen, part in pathways:
            around = targets[places.offset]
            own = part[: len(around), :, some].reshape(len(around), -1)
            # Times a real matrix: real and imaginary parts are numbers beside each other.
            numbers = around.view(float).reshape(len(around), -1)
            found = (own.T @ numbers).view(complex).reshape(part.shape[1], -1, *around.shape[1:])
            each = np.matmul(found.transpose(2, 3, 1, 0), seen[..., contacts])
            x, y = self._lattice.inside(places.offset, profile.reach)
            sums = scipy.fft.irfft2(each, self._shape(profile), axes=(0, 1))[x, y]
            if self._rule == "outdegree":
                sums = sums / self._inside(profile, places)[..., None, None]
            total = total + sums
        return total

    def _inside(self, profile: Profile, places: Places) -> Floats:
        """How much of the profile around each place is in the sheet, (place, place).

        Targets at x see sources at y as these see them: profiles are symmetric.
        """
        if self._sheet.periodic:
            return np.ones((1, 1))
        share, _ = self._lattice.share(profile, places.offset)
        shape = self._shape(profile)
        ones = scipy.fft.rfft2(np.ones(self._lattice.counts), shape)
        found = scipy.fft.irfft2(scipy.fft.rfft2(share, shape) * ones, shape)
        return np.asarray(found[self._lattice.inside(places.offset, profile.reach)])

    def _shape(self, profile: Profile) -> tuple[int, ...]:
        """Of a transform in which the sheet's sides do not meet, unless it is periodic."""
        if self._sheet.periodic:
            return tuple(self._lattice.counts)
        size = np.array(self._lattice.away((0.0, 0.0), profile.reach).shape)
        return tuple(scipy.fft.next_fast_len(int(n)) for n in self._lattice.counts + size - 1)

    # ------------------------------------------------------------------ on a grid
    def fitted(self, grids: Sequence[Grid], contacts: slice, out: Floats | None = None) -> Floats:
        """How near to the kernels those come that grids can make.

        Parameters
        ----------
        grids : sequence of Grid
        contacts : slice
            Which ones.
        out : ndarray, shape (function, contact, course), optional
            For the nearest kernels of a single grid: factors of `courses` for each function of it.

        Returns
        -------
        ndarray, shape (3, grid, contact)
            Mean sum over lags of the squared kernel, of what the grid leaves out of it, and a bound
            of that of what the patches' width makes wrong; this is 0 without `out`.
        """
        bases = [[self._basis(grid, axis) for axis in (0, 1)] for grid in grids]
        share_x, share_y = (self._lattice.neurons(axis)[1] for axis in (0, 1))
        n = len(range(*contacts.indices(len(self._contacts))))
        whole, blurred = np.zeros((2, n))
        wider = self._wider() if out is not None else []  # not kept: it is large
        kept = np.zeros((len(grids), n))
        block = max(1, _VALUES // (n * int(np.prod(self._shape(self._pathways[0].profile)))))
        for first in range(0, len(self.courses), block):
            some = slice(first, first + block)
            there: list[Any] = [0.0] * len(grids)
            for places in self._lattice.all:
                x, y = places.at
                exact = self._sums(self._pathways, places, some, contacts)
                whole += np.einsum("x,y,xyrc,xyrc->c", share_x[x], share_y[y], exact, exact)
                for i, ((to_x, _), (to_y, _)) in enumerate(bases):
                    along_x = np.tensordot(to_x[:, x], exact, (1, 0))
                    there[i] = there[i] + np.tensordot(along_x, to_y[:, y], (1, 1))
                if wider and places == self._lattice.middles:
                    exact -= self._sums(wider, places, some, contacts)
                    square = np.einsum("xyrc,xyrc->c", exact, exact)
                    blurred += _BOUND * square / exact[..., 0, 0].size
            kept += [np.einsum("xrcy,xrcy->c", each, each) for each in there]
            if out is not None:
                ((_, from_x), (_, from_y)), each = bases[0], there[0]
                made = np.tensordot(np.tensordot(from_x, each, (1, 0)), from_y, (3, 1))
                out[..., some] = made.transpose(0, 3, 2, 1).reshape(*out.shape[:2], -1)
        left_out = np.maximum(whole - kept, 0.0)
        return np.stack([np.broadcast_to(each, kept.shape) for each in (whole, left_out, blurred)])

    def _basis(self, grid: Grid, axis: int) -> tuple[Floats, Floats]:
        """From values at the lattice's places to orthonormal functions, and to splines from these.

        Shapes (function, place) and (spline, function).
        """
        places, share = self._lattice.neurons(axis)
        root = np.sqrt(share)
        left, size, right = np.linalg.svd(
            grid.along(axis, places).toarray() * root[:, None], full_matrices=False
        )
        used = size > 1e-12 * size[0]
        return left[:, used].T * root, right[used].T / size[used]

    def resolves(self, grid: Grid) -> bool:
        """Whether there are enough patches to estimate what the grid leaves out."""
        counts = zip(grid.counts, self._lattice.counts, strict=True)
        return all(4 * n <= 3 * m for n, m in counts)


def _alike(profiles: Mapping[str, Profile]) -> list[tuple[Profile, list[str]]]:
    """Each profile, and the postsynaptic populations that have it: their kernels can be added."""
    found: list[tuple[Profile, list[str]]] = []
    for post, profile in profiles.items():
        own = next((posts for known, posts in found if known == profile), None)
        if own is None:
            found.append((profile, [post]))
        else:
            own.append(post)
    return found


def _common(given: Sequence[tuple[Floats, Floats, int]]) -> tuple[Floats, list[Floats]]:
    """Few courses for all pathways and delays, and what each is in these.

    `given` has courses, their sizes and the number of delays of each pathway. Returns orthonormal
    courses (common, lag), and for each pathway an array (delay, course, common).
    """
    most = max(delays for *_, delays in given)
    longest = given[0][0].shape[1] + most - 1
    delayed = []
    for courses, _, delays in given:
        whole = np.zeros((delays, len(courses), longest))
        for late in range(delays):
            whole[late, :, late : late + courses.shape[1]] = courses
        delayed.append(whole)
    gram = sum(
        np.einsum("dmi,m,dmj->ij", whole, size**2, whole, optimize=True)
        for whole, (_, size, _) in zip(delayed, given, strict=True)
    )
    values, vectors = np.linalg.eigh(gram)
    keep = values > _NEGLIGIBLE**2 * values[-1]
    courses = vectors[:, keep].T[::-1]
    # Rounding must not start a kernel before its first spike can arrive.
    courses = courses * np.any([whole.any(axis=(0, 1)) for whole in delayed], axis=0)
    return courses, [whole @ courses.T for whole in delayed]
