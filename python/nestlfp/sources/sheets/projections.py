"""Kernels of a population's neurons in every place of a sheet: convolutions in the plane."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
import scipy.fft

from ..._types import Floats
from ...errors import KernelError
from ...kernels import KernelSet
from ...kernels.checks import positive
from .patches import Table
from .profiles import Profile
from .tissue import Grid, Sheet

Rule = Literal["bernoulli", "outdegree", "indegree"]

_PATCHES = 1.25  # patch widths from one patch to the next: their sum is flat to 1e-5
_NEGLIGIBLE = 3e-4  # of the largest time course: what is not kept of the others


class Population:
    """Kernels of a presynaptic population's neurons in the middle of every patch.

    Targets have the same profile around every patch, so that the sum over them is a convolution in
    the plane, of the profile with what contacts see of the patches.

    Attributes
    ----------
    courses : ndarray, shape (course, lag)
        Orthonormal time courses.
    factors : ndarray, shape (patch along x, patch along y, contact, course)
        The kernels, in these.
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
        self._sheet, self._rule = sheet, rule
        self.spread = min(profiles[post].spread for post in tables)
        width = next(iter(tables.values())).width
        self._counts = np.ceil(sheet.extent / (_PATCHES * width)).astype(int)
        around = {post: self._around(profiles[post].narrowed(width), step) for post in tables}
        seen = {post: self._seen(contacts, table) for post, table in tables.items()}
        self.courses, parts = _common(
            [
                (
                    table.courses,
                    np.sqrt(np.mean(seen[post] ** 2, axis=(0, 1, 2))),
                    len(around[post]),
                )
                for post, table in tables.items()
            ]
        )
        self.factors: Floats = np.zeros(())
        for post, part in zip(tables, parts, strict=True):
            self.factors = self.factors + self._convolved(around[post], seen[post], part)

    def centers(self, axis: int) -> Floats:
        """Middles of the patches along an axis, relative to the sheet's corner (µm)."""
        n = self._counts[axis]
        return (np.arange(n) + 0.5) * self._sheet.extent[axis] / n

    def _seen(self, contacts: Floats, table: Table) -> Floats:
        """Factors of a pathway's courses, (patch, patch, contact, course)."""
        x, y = np.meshgrid(self.centers(0), self.centers(1), indexing="ij")
        centers = np.stack([x, y], axis=-1)[:, :, None]
        level = table.level(contacts[:, 2])
        found: Floats = np.zeros(())
        for copy in self._sheet.copies:
            at = contacts[:, :2] - self._sheet.corner - copy
            found = found + table.factors(np.linalg.norm(centers - at, axis=-1), level)
        return found

    def _around(self, profile: Profile, step: float | None) -> Floats:
        """Share of a neuron's targets in the patches around it, for each delay.

        Shape (delay, patch, patch): with the neuron in the middle, or at 0 in a periodic sheet.
        """
        spacing = self._sheet.extent / self._counts
        n = np.ceil(profile.reach / spacing).astype(int)
        x, y = (np.arange(-m, m + 1) * d for m, d in zip(n, spacing, strict=True))
        away = np.hypot(x[:, None], y)
        share = profile.density(away)
        share /= share.sum()
        late = np.zeros_like(away) if step is None else away / step
        whole = np.floor(late).astype(int)
        delays = np.arange(1 if step is None else whole.max() + 2)[:, None, None]
        # A delay between two steps counts for both.
        before, after = whole == delays, whole == delays - 1
        found = share * np.where(before, 1 - late % 1, np.where(after, late % 1, 0.0))
        if not self._sheet.periodic:
            return np.asarray(found)
        wrapped = np.zeros((len(found), *self._counts))
        rows, columns = (np.arange(-m, m + 1) % c for m, c in zip(n, self._counts, strict=True))
        np.add.at(wrapped, np.ix_(np.arange(len(found)), rows, columns), found)
        return wrapped

    def _convolved(self, around: Floats, seen: Floats, part: Floats) -> Floats:
        """Sum over targets; `part` has the common courses in each delayed one's place.

        Shapes (delay, patch, patch), (patch, patch, contact, course) and (delay, course, common).
        """
        inside: Floats = np.ones(())  # how much of the profile around each patch is there
        if self._sheet.periodic:
            shape = tuple(self._counts)
            first = [slice(None)] * 2
        else:
            size = np.array(around.shape[1:])
            shape = tuple(scipy.fft.next_fast_len(int(n)) for n in self._counts + size - 1)
            first = [slice(m // 2, m // 2 + n) for m, n in zip(size, self._counts, strict=True)]
            if self._rule != "bernoulli":
                # Targets at x see sources at y as these see them: profiles are symmetric.
                whole = scipy.fft.rfft2(around.sum(axis=0), shape)
                ones = scipy.fft.rfft2(np.ones(self._counts), shape)
                inside = scipy.fft.irfft2(whole * ones, shape)[tuple(first)][:, :, None, None]
            if self._rule == "indegree":
                seen = seen / inside
        targets = np.tensordot(part, scipy.fft.rfft2(around, shape), (0, 0))
        found = np.empty((*self._counts, seen.shape[2], part.shape[2]))
        for contact in range(seen.shape[2]):  # one by one, to save memory
            at = scipy.fft.rfft2(np.moveaxis(seen[:, :, contact], -1, 0), shape)
            sums = scipy.fft.irfft2(np.einsum("mrxy,mxy->rxy", targets, at), shape)
            found[:, :, contact] = np.moveaxis(sums[:, first[0], first[1]], 0, -1)
        if self._rule == "outdegree":
            found /= inside
        return found

    # ------------------------------------------------------------------ on a grid
    def fitted(self, grid: Grid) -> Floats:
        """Factors of `courses` for each function of the grid, (function, contact, course)."""
        x, y = (np.linalg.pinv(self._along(grid, axis)) for axis in (0, 1))
        found = np.tensordot(x, np.tensordot(y, self.factors, (1, 1)), (1, 1))
        return found.reshape(-1, *found.shape[2:])

    def energy(self, grid: Grid, fitted: Floats) -> Floats:
        """Mean sum over lags of the squared kernel, and of what the grid leaves out of it.

        Shape (2, contact).
        """
        x, y = (self._along(grid, axis) for axis in (0, 1))
        splines = fitted.reshape(*grid.counts, *fitted.shape[1:])
        there = np.tensordot(x, np.tensordot(y, splines, (1, 1)), (1, 1))
        there -= self.factors
        size = len(self.factors) * len(self.factors[0])
        return np.stack([np.einsum("xycr,xycr->c", a, a) / size for a in (self.factors, there)])

    def _along(self, grid: Grid, axis: int) -> Floats:
        found: Floats = grid.along(axis, self.centers(axis)).toarray()
        return found

    def resolves(self, grid: Grid) -> bool:
        """Whether there are patches enough to tell what the grid leaves out."""
        return all(4 * n <= 3 * m for n, m in zip(grid.counts, self._counts, strict=True))


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
