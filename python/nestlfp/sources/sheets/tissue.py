"""The sheet itself, and the functions of the position that neurons' kernels are made of."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse
from scipy.interpolate import BSpline

from ..._types import Floats
from ...errors import KernelError
from ...geometry import SEVERAL_UM
from ...kernels.checks import positive, real

_ROUNDING = 1e-6  # of the sheet's size: how far beyond its edge a position may be

Weights = Any
"""A scipy.sparse.csr_array, which has no types."""


@dataclass(frozen=True)
class Sheet:
    """A rectangle of tissue in which neurons of all populations have the same density everywhere.

    Parameters
    ----------
    width, depth : float
        Its extent along x and along y (µm); `depth` is `width` by default.
    x, y : float
        Where its middle is (µm).
    periodic : bool
        Whether connections that leave it at one side come in at the other: ``edge_wrap`` of NEST's
        spatial networks. As there, two neurons have one distance, the shortest one, so that the
        profile of a neuron's targets ends half way around the sheet.
    images : int
        Of a periodic sheet: how many copies of it contacts see to each side. 0 is a single piece
        of tissue whose connections alone are periodic.
    """

    width: float
    depth: float | None = None
    x: float = 0.0
    y: float = 0.0
    periodic: bool = False
    images: int = 1

    def __post_init__(self) -> None:
        if self.depth is None:
            object.__setattr__(self, "depth", self.width)
        for what, length in (("width", self.width), ("depth", self.depth)):
            if not 10 <= positive(length, f"{what} of a sheet (µm)") <= 1e6:
                raise KernelError(
                    f"{what} of a sheet must be a length in µm, found {length:g}: NEST's spatial "
                    "networks are often in mm"
                )
        if not np.all(np.isfinite([self.x, self.y])):
            raise KernelError(f"the middle of a sheet must be finite, found {self.x}, {self.y}")
        if isinstance(self.images, bool) or self.images not in range(10):
            raise KernelError(f"images must be a whole number from 0 to 9, found {self.images!r}")

    @property
    def extent(self) -> Floats:
        """Width and depth (µm)."""
        return np.array([self.width, self.depth], dtype=float)

    @property
    def copies(self) -> list[Floats]:
        """Where the sheet and its copies are, relative to it (µm)."""
        n = self.images if self.periodic else 0
        return [self.extent * (i, j) for i in range(-n, n + 1) for j in range(-n, n + 1)]

    @property
    def corner(self) -> Floats:
        """Its smallest x and y (µm)."""
        return np.array([self.x, self.y]) - self.extent / 2

    def checked(self, positions: ArrayLike, what: str) -> Floats:
        """Positions (x, y) in µm that lie in the sheet, relative to its corner.

        Raises
        ------
        KernelError
            If they are no such positions, or lie outside.
        """
        found = real(positions, what)
        if found.ndim != 2 or found.shape[1] not in {2, 3}:
            raise KernelError(
                f"{what} must have shape (n, 2) or (n, 3), x and y in µm, found {found.shape}"
            )
        inside = found[:, :2] - self.corner
        slack = _ROUNDING * self.extent
        outside = ~np.all((inside >= -slack) & (inside <= self.extent + slack), axis=1)
        if outside.any():
            n = int(outside.argmax())
            raise KernelError(
                f"{what} must lie in the sheet, {self.corner.tolist()} to "
                f"{(self.corner + self.extent).tolist()} µm, found {found[n, :2].tolist()} "
                f"({outside.sum()} of {len(found)} outside)"
            )
        spans = np.ptp(inside, axis=0) if len(inside) else self.extent
        near = 0.01 * self.extent if len(inside) > 100 else SEVERAL_UM
        if spans.any() and np.all(spans < near):
            raise KernelError(
                f"{what} lie within {spans.max():.3g} µm of each other, in a sheet of "
                f"{self.width:g} µm: NEST's spatial networks are often in mm, and these are µm"
            )
        return np.clip(inside, 0.0, self.extent)


@dataclass(frozen=True)
class Grid:
    """Functions of the position in a sheet: products of B-splines on a regular grid.

    A neuron's weights are their values where it stands: `degree` + 1 along each axis that are not
    0, which are positive and add up to 1.

    Parameters
    ----------
    sheet : Sheet
    intervals : tuple of int
        Number of intervals along x and y.
    degree : int
        Of the splines: 1 is linear, with 4 weights for a neuron, 3 cubic, with 16.

    Examples
    --------
    >>> from nestlfp.sources.sheets import Grid, Sheet
    >>> grid = Grid(Sheet(1000.0, periodic=True), (10, 10))
    >>> grid.size
    100
    >>> weights = grid.weights([[20.0, -333.0]])
    >>> weights.shape, weights.nnz, round(float(weights.sum()), 12)
    ((1, 100), 16, 1.0)
    """

    sheet: Sheet
    intervals: tuple[int, int]
    degree: int = 3

    def __post_init__(self) -> None:
        if self.degree not in {1, 2, 3}:
            raise KernelError(f"degree of a grid's splines must be 1, 2 or 3, found {self.degree}")
        least = self.degree + 1 if self.sheet.periodic else 1
        for n in self.intervals:
            if not isinstance(n, int | np.integer) or n < least:
                raise KernelError(
                    f"a grid must have at least {least} intervals along each axis, found "
                    f"{self.intervals}"
                )

    @property
    def counts(self) -> tuple[int, int]:
        """Number of splines along x and y."""
        more = 0 if self.sheet.periodic else self.degree
        return self.intervals[0] + more, self.intervals[1] + more

    @property
    def size(self) -> int:
        """Number of functions."""
        return self.counts[0] * self.counts[1]

    def weights(self, positions: ArrayLike) -> Weights:
        """Values of the functions at positions of neurons.

        Parameters
        ----------
        positions : array, shape (neuron, 2) or (neuron, 3)
            x and y in µm.

        Returns
        -------
        scipy.sparse.csr_array, shape (neuron, function)
        """
        inside = self.sheet.checked(positions, "positions of neurons")
        x, y = (self.along(axis, inside[:, axis]) for axis in (0, 1))
        # Products of each row's values.
        n, each = len(inside), self.degree + 1
        values = x.data.reshape(n, each, 1) * y.data.reshape(n, 1, each)
        columns = x.indices.reshape(n, each, 1) * self.counts[1] + y.indices.reshape(n, 1, each)
        starts = np.arange(n + 1) * each**2
        found = sparse.csr_array((values.ravel(), columns.ravel(), starts), shape=(n, self.size))
        found.sum_duplicates()
        found.eliminate_zeros()
        return found

    def along(self, axis: int, inside: Floats) -> Weights:
        """Values of the splines of one axis, (position, spline), relative to the corner."""
        n, length, k = self.intervals[axis], self.sheet.extent[axis], self.degree
        step = length / n
        if self.sheet.periodic:
            knots = np.arange(-k, n + k + 1) * step
        else:
            knots = np.concatenate([np.zeros(k), np.linspace(0, length, n + 1), np.full(k, length)])
        if not len(inside):  # which BSpline does not take
            return sparse.csr_array((0, self.counts[axis]))
        at = np.clip(inside, 0.0, np.nextafter(length, 0))
        found = BSpline.design_matrix(at, knots, k)
        columns = found.indices % n if self.sheet.periodic else found.indices
        shape = (len(inside), self.counts[axis])
        return sparse.csr_array((found.data, columns, found.indptr), shape=shape)

    def as_json(self) -> dict[str, Any]:
        """The grid in JSON's terms, for `Grid.of`."""
        return {**asdict(self), "intervals": list(map(int, self.intervals))}

    @classmethod
    def of(cls, found: Any) -> Grid:
        """The grid that `as_json` returned, read back."""
        first, second = found["intervals"]
        return cls(Sheet(**found["sheet"]), (first, second), found["degree"])
