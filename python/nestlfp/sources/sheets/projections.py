"""Kernels of a population's neurons in every place of a sheet: convolutions in the plane."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

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


class Population:
    """Kernels of a presynaptic population's neurons at the places of a lattice.

    Targets have the same profile around every neuron, so that the sum over them is a convolution in
    the plane, of the profile with what contacts see of the patches.

    Attributes
    ----------
    courses : ndarray, shape (course, lag)
        Orthonormal time courses.
    blurred : ndarray, shape (contact,)
        A bound of the mean sum over lags of the square of what the patches' width makes wrong.
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
        tables = {post: Table(patches, post, pre) for post in patches.post}
        tables = {post: table for post, table in tables.items() if len(table.courses)}
        if not tables:
            raise KernelError(f"the kernels of {pre!r} are all zero: leave this population out")
        self._sheet, self._rule, self._step = sheet, rule, step
        self.spread = min(profiles[post].spread for post in tables)
        self.width = next(iter(tables.values())).width
        check_narrow(_WIDER * self.width, self.spread, self.width)
        self._lattice = Lattice(sheet, _PATCHES * self.width)
        narrow = {post: profiles[post].narrowed(self.width) for post in tables}
        seen = {post: self._seen(contacts, table) for post, table in tables.items()}
        self.courses, parts = _common(
            [
                (
                    table.courses,
                    np.sqrt(np.mean(seen[post] ** 2, axis=(0, 1, 2))),
                    self._delays(narrow[post]),
                )
                for post, table in tables.items()
            ]
        )
        size = len(contacts), len(self.courses)
        factors = np.zeros((size[0], *self._lattice.shape, size[1]), np.float32)
        for post, part in zip(tables, parts, strict=True):
            self._add(factors, self._lattice.all, narrow[post], seen[post], part)
        # What patches of a width make wrong grows with its square, so that patches which are wider
        # by the root of 2, these once more blurred, differ from these by what these make wrong.
        middles = self._lattice.middles
        alone = Places((slice(None), slice(None)), middles.offset)
        difference = -factors[(slice(None), *middles.at)]
        for post, part in zip(tables, parts, strict=True):
            wider = profiles[post].narrowed(_WIDER * self.width)
            blurred = self._seen(contacts, tables[post].blurred())
            self._add(difference, [alone], wider, blurred, part)
        self.blurred = _BOUND * np.array([np.mean(np.sum(each**2, -1)) for each in difference])
        self._factors = factors

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

    def _add(
        self,
        out: Any,
        where: Sequence[Places],
        profile: Profile,
        seen: Floats,
        part: Floats,
    ) -> None:
        """Add the sum over targets to `out` at some places, (contact, place, place, course).

        `seen` has shape (patch, patch, contact, course); `part` has the common courses in each
        delayed one's place, (delay, course, common).
        """
        if self._rule == "indegree":
            seen = seen / self._inside(profile, self._lattice.middles)[..., None, None]
        shape = self._shape(profile)
        targets, share = [], []
        for places in where:
            around = self._around(profile, places.offset)
            each = scipy.fft.rfft2(around, shape)
            targets.append(np.tensordot(part[: len(around)], each, (0, 0)))
            share.append(self._inside(profile, places) if self._rule == "outdegree" else 1.0)
        for contact in range(seen.shape[2]):  # one by one, to save memory
            at = scipy.fft.rfft2(np.moveaxis(seen[:, :, contact], -1, 0), shape)
            for places, each, inside in zip(where, targets, share, strict=True):
                x, y = self._lattice.inside(places.offset, profile.reach)
                sums = scipy.fft.irfft2(np.einsum("mrxy,mxy->rxy", each, at), shape)[:, x, y]
                out[(contact, *places.at)] += np.moveaxis(sums / inside, 0, -1)

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
    def fitted(self, grid: Grid) -> tuple[Floats, Floats]:
        """The nearest kernels that a grid can make.

        Returns
        -------
        fitted : ndarray, shape (function, contact, course)
            Factors of `courses` for each function of the grid.
        energy : ndarray, shape (2, contact)
            Mean sum over lags of the squared kernel, and of what the grid leaves out of it.
        """
        (to_x, from_x), (to_y, from_y) = (self._basis(grid, axis) for axis in (0, 1))
        shares = np.multiply.outer(*(self._lattice.neurons(axis)[1] for axis in (0, 1)))
        fitted = np.empty((grid.size, len(self._factors), len(self.courses)))
        energy = np.empty((2, len(self._factors)))
        for contact, stored in enumerate(self._factors):  # one by one, to save memory
            exact = stored.astype(float)
            there = to_y @ np.tensordot(to_x, exact, (1, 0))
            made = np.tensordot(from_x, from_y @ there, (1, 0))
            fitted[:, contact] = made.reshape(grid.size, -1)
            whole = np.sum(shares * np.einsum("xyr,xyr->xy", exact, exact))
            energy[:, contact] = whole, max(whole - np.sum(there**2), 0.0)
        return fitted, energy

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
    return courses, [whole @ courses.T for whole in delayed]
