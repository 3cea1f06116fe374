"""Named patches of a cortical surface."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike
from scipy.sparse.csgraph import dijkstra
from scipy.spatial import KDTree
from scipy.spatial.distance import cdist

from ..._types import Floats, Ints
from ...errors import KernelError
from ...geometry import positions
from ...kernels import check_name
from ...kernels.checks import positive
from .surface import Surface

_FARTHEST_UM = 20e3  # of a centre from the surface


@dataclass(frozen=True, eq=False)
class Patches:
    """Named patches of a cortical surface: `around` centres, or `labelled`.

    Parameters
    ----------
    surface : Surface
    names : tuple of str
    shares : sparse array, shape (patch, vertex)
        The part of each vertex's area that belongs to each patch, from 0 to 1.
    """

    surface: Surface
    names: tuple[str, ...]
    shares: sp.csr_array

    def __repr__(self) -> str:
        found = ", ".join(
            f"{name} ({area:.0f} mm²)" for name, area in zip(self.names, self.areas, strict=True)
        )
        return f"Patches: {found}"

    @classmethod
    def around(
        cls, surface: Surface, centres: Mapping[str, ArrayLike], area: float | None = None
    ) -> Patches:
        """Patches around centres; a vertex belongs to the nearest, along the edges of triangles.

        Parameters
        ----------
        surface : Surface
        centres : dict of str to array, shape (3,)
            Name and place (µm) of each patch. The vertex nearest to it is in the middle.
        area : float, optional
            Of each patch (mm²). Default: patches go on until they meet.

        Raises
        ------
        KernelError
            If a centre is more than 20 mm from the surface, two of them are at the same vertex, or
            a patch meets others before it has the area.

        Examples
        --------
        >>> from nestlfp.sources import cortex
        >>> surface = cortex.fsaverage("left")  # doctest: +SKIP
        >>> cortex.Patches.around(surface, {"V1": [-10e3, -90e3, 2e3]}, 400.0)  # doctest: +SKIP
        Patches: V1 (400 mm²)
        """
        names = _names(centres)
        wanted = np.inf if area is None else positive(area, "the area of patches", " of mm²")
        at = _nearest_vertices(surface, names, [centres[name] for name in names])
        pairs, lengths = surface.edges
        n = len(surface.vertices)
        distance, _, nearest = dijkstra(
            sp.csr_array((lengths, pairs.T), shape=(n, n)),
            directed=False,
            indices=at,
            min_only=True,
            return_predecessors=True,
        )
        rows = []
        for name, vertex in zip(names, at, strict=True):
            own = np.flatnonzero(nearest == vertex)
            own = own[np.argsort(distance[own], kind="stable")]
            areas = surface.areas[own]
            covered = np.cumsum(areas)
            if area is not None and covered[-1] < area:
                raise KernelError(
                    f"patch {name!r} has {covered[-1]:.0f} mm² when it meets other patches, found "
                    f"area={area:g}: give a smaller area, or centres that are farther apart"
                )
            inside = covered - areas < wanted
            # The last vertex belongs to the patch in part.
            part = np.minimum(1.0, (wanted - covered + areas)[inside] / areas[inside])
            rows.append((own[inside], part))
        return cls(surface, names, _shares(rows, n))

    @classmethod
    def labelled(cls, surface: Surface, labels: Mapping[str, ArrayLike]) -> Patches:
        """Patches that are given by their vertices.

        Parameters
        ----------
        surface : Surface
        labels : dict of str to array of int
            Vertices of each patch, as `annotation` reads them.

        Raises
        ------
        KernelError
            If a patch has no vertices, one that is not there, or one that another patch has.
        """
        names, n = _names(labels), len(surface.vertices)
        owners = np.full(n, -1)
        rows = []
        for i, name in enumerate(names):
            vertices = np.unique(np.asarray(labels[name]))
            if not vertices.size or vertices.dtype.kind not in "iu":
                raise KernelError(
                    f"patch {name!r} needs numbers of vertices, found {vertices.size} of type "
                    f"{vertices.dtype}"
                )
            if vertices[0] < 0 or vertices[-1] >= n:
                raise KernelError(
                    f"patch {name!r} has vertices {vertices[0]} to {vertices[-1]}, and the surface "
                    f"has 0 to {n - 1}"
                )
            taken = vertices[owners[vertices] >= 0]
            if taken.size:
                raise KernelError(
                    f"vertex {taken[0]} is in patches {names[owners[taken[0]]]!r} and {name!r}"
                )
            owners[vertices] = i
            rows.append((vertices, np.ones(len(vertices))))
        return cls(surface, names, _shares(rows, n))

    @property
    def areas(self) -> Floats:
        """Area of each patch (mm²), shape (patch,), before the surface was scaled."""
        return self.shares @ self.surface.areas

    @property
    def centres(self) -> Floats:
        """Mean position of each patch (µm), shape (patch, 3); of a bent patch it is beside it."""
        return self._mean(self.surface.areas[:, None] * self.surface.vertices)

    @property
    def axes(self) -> Floats:
        """Mean normal of each patch, shape (patch, 3).

        Its length is the part of the patch's dipole that is left: 1 for a flat one, 0 where the
        walls of a sulcus cancel.
        """
        return self._mean(self.surface.area_vectors)

    @property
    def distances(self) -> Floats:
        """Distances of patches (µm), shape (patch, patch), before the surface was scaled.

        Straight from centre to centre: shorter than the way of an axon.
        """
        return cdist(self.centres, self.centres) / self.surface.scale

    def members(self, name: str) -> tuple[Ints, Floats]:
        """Vertices of a patch, and which part of each belongs to it.

        Raises
        ------
        KernelError
            If there is no such patch.
        """
        if name not in self.names:
            raise KernelError(f"no patch {name!r}: there are {[*self.names]}")
        i = self.names.index(name)
        own = slice(*self.shares.indptr[i : i + 2])
        return self.shares.indices[own], self.shares.data[own]

    def inside(
        self, radius: float, *, centre: ArrayLike | None = None, margin: float = 1000.0
    ) -> Patches:
        """The patches on the surface in a spherical head; see `Surface.inside`."""
        return replace(self, surface=self.surface.inside(radius, centre=centre, margin=margin))

    def _mean(self, values: Floats) -> Floats:
        """Values times area of vertices, as their mean over each patch."""
        return (self.shares @ values) / self.areas[:, None]


def _names(given: Mapping[str, Any]) -> tuple[str, ...]:
    if not isinstance(given, Mapping) or not given:
        raise KernelError(f"patches must be a dict with an entry for each, found {given!r}")
    return tuple(check_name(name, "a patch") for name in given)


def _nearest_vertices(surface: Surface, names: tuple[str, ...], centres: list[Any]) -> Ints:
    """The vertex nearest to each centre, no two the same."""
    away, at = KDTree(surface.vertices).query(positions(centres, "the centres of patches"))
    for i, name in enumerate(names):
        if away[i] > _FARTHEST_UM:
            raise KernelError(
                f"the centre of patch {name!r} is {away[i] / 1e3:.0f} mm from the surface: give it "
                "in µm, in the frame of the surface"
            )
        same = np.flatnonzero(at[:i] == at[i])
        if same.size:
            raise KernelError(
                f"the centres of patches {names[same[0]]!r} and {name!r} are at the same vertex, "
                f"{at[i]}"
            )
    return np.asarray(at)


def _shares(rows: list[tuple[Ints, Floats]], n: int) -> sp.csr_array:
    """Vertices and parts of each patch as a matrix."""
    starts = np.cumsum([0, *(len(vertices) for vertices, _ in rows)])
    vertices, parts = (np.concatenate(found) for found in zip(*rows, strict=True))
    return sp.csr_array((parts, vertices, starts), shape=(len(rows), n))
