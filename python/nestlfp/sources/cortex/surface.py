"""A cortical surface: triangles, what they cover, and where they point."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..._types import Floats, Ints
from ...errors import KernelError
from ...geometry import position, positions
from ...kernels.checks import positive, real

UNITS = {"µm": 1.0, "um": 1.0, "mm": 1e3, "m": 1e6}
"""What lengths in each are multiplied by."""
MM2 = 1e-6
"""Square millimetres in a square micrometre."""
_EXTENT = (1e3, 1e6)  # µm, of brains: from 1 mm to 1 m


@dataclass(frozen=True, eq=False)
class Surface:
    """A cortical surface of triangles.

    Parameters
    ----------
    vertices : array, shape (n, 3)
        Positions in `unit`.
    faces : array of int, shape (m, 3)
        Vertices of each triangle, counterclockwise as seen from outside of the brain.
    unit : {"µm", "um", "mm", "m"}
        FreeSurfer's files are in mm, and MNE's source spaces in m.
    scale : float
        What lengths were multiplied by, so that the surface fits into a head; see `inside`.

    Attributes
    ----------
    vertices : array, shape (n, 3)
        In µm.

    Raises
    ------
    KernelError
        If shapes are wrong, positions are not finite, the surface is no brain's in this unit,
        a triangle has a vertex that is not there, or a closed surface's triangles point inwards.

    Examples
    --------
    A tetrahedron, which has an edge of 10 mm:

    >>> import numpy as np
    >>> from nestlfp.sources import cortex
    >>> corners = [[5, 5, 5], [-5, -5, 5], [-5, 5, -5], [5, -5, -5]] / np.sqrt(2)
    >>> surface = cortex.Surface(corners, [[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]], unit="mm")
    >>> surface
    Surface of 4 vertices, 173 mm²
    """

    vertices: Floats
    faces: Ints
    unit: str = "µm"
    scale: float = 1.0

    def __post_init__(self) -> None:
        vertices = _checked_vertices(self.vertices, self.unit)
        faces = _checked_faces(self.faces, len(vertices))
        positive(self.scale, "the scale of a surface")
        for name, value in {"vertices": vertices, "faces": faces, "unit": "µm"}.items():
            object.__setattr__(self, name, value)
        if self._closed and np.sum(vertices[faces[:, 0]] * self._face_vectors) < 0:
            raise KernelError(
                "the triangles of the surface point inwards: turn them round, "
                "Surface(vertices, faces[:, ::-1])"
            )

    def __repr__(self) -> str:
        scaled = "" if self.scale == 1 else f", scaled by {self.scale:.3g}"
        return f"Surface of {len(self.vertices)} vertices, {self.areas.sum():.0f} mm²{scaled}"

    @cached_property
    def areas(self) -> Floats:
        """Area that each vertex stands for (mm²), shape (n,): a third of its triangles.

        Of a surface that was scaled it is that before, since the cortex has as many neurons.
        """
        return self._of_vertices(np.linalg.norm(self._face_vectors, axis=1))

    @cached_property
    def area_vectors(self) -> Floats:
        """Area of each vertex times its normal (mm²), shape (n, 3): they add up to a patch's.

        They are no longer than `areas`, and shorter where the surface is bent within a vertex's
        triangles.
        """
        return np.stack([self._of_vertices(along) for along in self._face_vectors.T], axis=1)

    def inside(
        self, radius: float, *, centre: ArrayLike | None = None, margin: float = 1000.0
    ) -> Surface:
        """The surface in a spherical head: moved so that the head's centre is the origin.

        Where it does not fit into the sphere it is made smaller, by the same factor in all
        directions: `scale`. It is not turned.

        Parameters
        ----------
        radius : float
            Of the innermost sphere (µm), such as 79e3 of LFPykit's four-sphere head.
        centre : array, shape (3,), optional
            The head's centre (µm) in the frame of the surface. Default: the middle of the box
            around the surface and its mirror image at x = 0, which is FreeSurfer's midline.
        margin : float
            Distance that the surface keeps from the sphere (µm).

        Raises
        ------
        KernelError
            If radius or margin are no positive numbers of µm.
        """
        room = positive(radius, "the radius of a head", " of µm") - positive(
            margin, "the margin", " of µm"
        )
        if room < _EXTENT[0]:
            raise KernelError(
                f"the surface cannot be inside of a sphere of {radius:g} µm with a margin of "
                f"{margin:g} µm: lengths are in µm, such as inside(79e3)"
            )
        if centre is None:
            both = np.vstack([self.vertices, self.vertices * [-1.0, 1.0, 1.0]])
            origin = (both.min(axis=0) + both.max(axis=0)) / 2
        else:
            origin = position(centre, "the centre of the head")
        moved = self.vertices - origin
        factor = min(1.0, room / float(np.linalg.norm(moved, axis=1).max()))
        return replace(self, vertices=factor * moved, scale=factor * self.scale)

    @property
    def edges(self) -> tuple[Ints, Floats]:
        """Pairs of vertices, shape (edge, 2), and how far apart they are (µm, before scaling)."""
        pairs = np.unique(np.sort(self._directed_edges, axis=1), axis=0)
        ends = self.vertices[pairs]
        return pairs, np.linalg.norm(ends[:, 1] - ends[:, 0], axis=1) / self.scale

    @property
    def _directed_edges(self) -> Ints:
        """Of all triangles, from vertex to vertex."""
        return np.concatenate([self.faces[:, [i, (i + 1) % 3]] for i in range(3)])

    @property
    def _closed(self) -> bool:
        """Whether each edge is one of two triangles, which go along it in opposite directions."""
        edges, n = self._directed_edges, len(self.vertices)
        return np.array_equal(np.unique(edges @ [n, 1]), np.sort(edges @ [1, n]))

    @property
    def _face_vectors(self) -> Floats:
        """Normal of each triangle, as long as its area (mm², before scaling)."""
        a, b, c = (self.vertices[self.faces[:, i]] for i in range(3))
        return np.cross(b - a, c - a) / 2 * MM2 / self.scale**2

    def _of_vertices(self, of_faces: Floats) -> Floats:
        """A third of the values of a vertex's triangles."""
        thirds = np.repeat(of_faces / 3, 3)
        found = np.bincount(self.faces.ravel(), thirds, minlength=len(self.vertices))
        return np.asarray(found, dtype=np.float64)


def _checked_vertices(given: Any, unit: str) -> Floats:
    """Vertices in µm."""
    if unit not in UNITS:
        raise KernelError(f"the unit of a surface must be one of {list(UNITS)}, found {unit!r}")
    found = positions(UNITS[unit] * real(given, "vertices of a surface"), "a surface's vertices")
    extent = float(np.ptp(found, axis=0).max())
    if not _EXTENT[0] <= extent <= _EXTENT[1]:
        raise KernelError(
            f"a surface must be of a brain, and this one extends over {extent / 1e3:g} mm if its "
            f"vertices are in {unit}: say which unit they are in, such as Surface(vertices, "
            "faces, unit='mm')"
        )
    return found


def _checked_faces(given: Any, n: int) -> Ints:
    found = np.asarray(given)
    if found.ndim != 2 or found.shape[1] != 3 or not len(found) or found.dtype.kind not in "iu":
        raise KernelError(
            "faces of a surface must be whole numbers of shape (m, 3), the vertices of each "
            f"triangle; found {found.dtype} of shape {found.shape}"
        )
    if found.min() < 0 or found.max() >= n:
        raise KernelError(
            f"faces of a surface must be vertices from 0 to {n - 1}, found {found.min()} to "
            f"{found.max()}"
        )
    return found.astype(np.int64)
