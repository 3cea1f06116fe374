"""Where patches and neurons are, along both axes of a sheet, and how far from each other.

Patches have their middles in a regular lattice. Neurons are looked at in one that is twice as fine:
at the middles of patches, half way between them, and at the edges of a sheet that has some.
"""

from __future__ import annotations

from itertools import product
from typing import NamedTuple

import numpy as np

from ..._types import Floats, Ints
from .profiles import Profile
from .tissue import Sheet


class Places(NamedTuple):
    """Every second place of neurons along both axes.

    Attributes
    ----------
    at : tuple of slice
        Which ones, along x and y.
    offset : tuple of float
        How far they are from the middles of patches, 0 or 0.5 of the distance of two patches.
    """

    at: tuple[slice, slice]
    offset: tuple[float, float]


_MIDDLES, _BETWEEN = (slice(1, None, 2), 0.0), (slice(0, None, 2), 0.5)


class Lattice:
    """Patches of a sheet, which are not farther from each other than `spacing` (µm)."""

    def __init__(self, sheet: Sheet, spacing: float) -> None:
        self.sheet = sheet
        self.counts: Ints = np.ceil(sheet.extent / spacing).astype(int)
        self.spacing: Floats = sheet.extent / self.counts
        self.shape = tuple(2 * n + (0 if sheet.periodic else 1) for n in self.counts)
        self.middles = Places((_MIDDLES[0], _MIDDLES[0]), (0.0, 0.0))
        self.all = [
            Places((x, y), (a, b))
            for (x, a), (y, b) in product((_MIDDLES, _BETWEEN), (_MIDDLES, _BETWEEN))
        ]

    def patches(self) -> Floats:
        """Middles of patches relative to the sheet's corner (µm), (patch, patch, axis)."""
        along = [(np.arange(n) + 0.5) * d for n, d in zip(self.counts, self.spacing, strict=True)]
        return np.stack(np.meshgrid(*along, indexing="ij"), axis=-1)

    def neurons(self, axis: int) -> tuple[Floats, Floats]:
        """Places of neurons along an axis (µm), and the share of the sheet that each stands for."""
        share = np.ones(self.shape[axis])
        if not self.sheet.periodic:
            share[[0, -1]] = 0.5
        return np.arange(share.size) * self.spacing[axis] / 2, share / share.sum()

    def away(self, offset: tuple[float, float], reach: float) -> Floats:
        """Distances of a neuron from the patches around it (µm), up to the reach along an axis.

        In a periodic sheet they are those of the nearest copies, as of NEST's ``edge_wrap``, with
        the neuron itself first.
        """
        steps = []
        for n, d, part in zip(self.counts, self.spacing, offset, strict=True):
            if self.sheet.periodic:
                steps.append(((np.arange(n) - part + n / 2) % n - n / 2) * d)
            else:
                most = self._steps(reach, d)
                steps.append((np.arange(-most + (part > 0), most + 1) - part) * d)
        return np.asarray(np.hypot(steps[0][:, None], steps[1]))

    def furthest(self, reach: float) -> float:
        """The largest of these distances, for any offset (µm)."""
        along = np.array([self._steps(reach, d) * d for d in self.spacing])
        return float(
            np.hypot(*(np.minimum(along, self.sheet.extent / 2) if self.sheet.periodic else along))
        )

    def inside(self, offset: tuple[float, float], reach: float) -> tuple[slice, slice]:
        """Where in the full convolution of `away` with the patches the neurons of a sheet are."""
        found = []
        for n, d, part in zip(self.counts, self.spacing, offset, strict=True):
            first = 0 if self.sheet.periodic else self._steps(reach, d) - (part > 0)
            more = part > 0 and not self.sheet.periodic
            found.append(slice(first, first + n + more))
        return found[0], found[1]

    def share(self, profile: Profile, offset: tuple[float, float]) -> tuple[Floats, Floats]:
        """Share of a neuron's targets in each of the patches around it, and their distances."""
        away = self.away(offset, profile.reach)
        share = np.where(away <= self.furthest(profile.reach), profile.density(away), 0.0)
        return share / share.sum(), away

    @staticmethod
    def _steps(reach: float, spacing: float) -> int:
        return max(1, int(np.ceil(reach / spacing)))
