"""Where things are: electrode contacts, population cylinders, morphologies. All in µm.

`positions` turns what a user has (an array, or a `Probe` of probeinterface) into checked
positions; `with_geometry` lets a `KernelSet` know the populations it was made for, so that they
can be drawn and contacts inside them recognised.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ._types import Floats
from .errors import KernelError
from .kernels import KernelSet, check_name
from .kernels.checks import real
from .kernels.positions import (
    GEOMETRY,
    SEVERAL_UM,
    Cylinder,
    Geometry,
    cells,
    check_micrometres,
    check_no_group,
    check_together,
    contact_labels,
    contact_positions,
    is_probe,
    position,
    positions,
)

__all__ = [
    "SEVERAL_UM",
    "Cylinder",
    "Geometry",
    "cell_segments",
    "cells",
    "check_micrometres",
    "check_no_group",
    "check_together",
    "contact_labels",
    "contact_positions",
    "geometry_of",
    "is_probe",
    "position",
    "positions",
    "with_geometry",
]


def with_geometry(
    kernels: KernelSet,
    cylinders: Mapping[str, Cylinder | Mapping[str, float]],
    segments: Mapping[str, ArrayLike] | None = None,
) -> KernelSet:
    """The same kernels, knowing where their populations are.

    Parameters
    ----------
    kernels : KernelSet
    cylinders : dict of str to Cylinder or dict
        Cylinder of each population, or the keywords of one (``radius``, ``bottom``, ``top``).
    segments : dict of str to array, shape (n, 7), optional
        A cell of each population; see `Geometry` and `cell_segments`.

    Raises
    ------
    KernelError
        If a population is in neither ``kernels.post`` nor ``kernels.pre``, or a shape is wrong.
    """
    known = {*kernels.post, *kernels.pre}
    for name in [*cylinders, *(segments or {})]:
        if check_name(name, "a population") not in known:
            raise KernelError(f"population {name!r} is not among the kernels' {sorted(known)}")
    made = {name: _cylinder(name, given) for name, given in cylinders.items()}
    cells = {name: _segments(name, given) for name, given in (segments or {}).items()}
    unplaced = sorted(set(cells) - set(made))
    if unplaced:
        raise KernelError(f"populations {unplaced} have a morphology but no cylinder")
    text = Geometry(made, cells).to_json()
    return KernelSet(kernels.dataset.assign_attrs({GEOMETRY: text}))


def geometry_of(kernels: KernelSet) -> Geometry | None:
    """Where the kernels' populations are in space, or None."""
    return Geometry.of(kernels.dataset)


def cell_segments(cell: Any) -> Floats:
    """Segments of an LFPy cell, relative to its soma, for `with_geometry`.

    Parameters
    ----------
    cell : LFPy.Cell
        Or anything with ``x``, ``y``, ``z`` of shape (n, 2) and ``d`` of shape (n,) in µm,
        whose first segment is the soma.

    Returns
    -------
    array, shape (n, 7)
    """
    ends = np.stack([np.asarray(getattr(cell, axis), dtype=float) for axis in "xyz"], axis=-1)
    ends = ends - ends[0].mean(axis=0)
    return np.column_stack([ends[:, 0], ends[:, 1], np.asarray(cell.d, dtype=float)])


def _cylinder(name: str, given: Cylinder | Mapping[str, float]) -> Cylinder:
    if isinstance(given, Cylinder):
        return given
    try:
        return Cylinder(**{key: float(value) for key, value in given.items()})
    except (TypeError, AttributeError, ValueError) as error:
        if isinstance(error, KernelError):
            raise
        raise KernelError(
            f"the cylinder of {name!r} needs radius, bottom and top (µm), and may have x and y; "
            f"found {given!r}"
        ) from error


def _segments(name: str, given: ArrayLike) -> Floats:
    found = real(given, f"segments of {name!r}")
    if found.ndim != 2 or found.shape[1] != 7 or not np.all(np.isfinite(found)):
        raise KernelError(
            f"segments of {name!r} must be finite and have shape (n, 7): start x, y, z, end x, y, "
            f"z and diameter (µm); found shape {found.shape}"
        )
    check_micrometres(found[:, :6], f"the segments of {name!r}")
    return found
