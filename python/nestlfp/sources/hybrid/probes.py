"""The models of LFPykit that see the cells: names, units and contacts of their signals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ... import geometry
from ..._types import Floats
from ...errors import NetworkError
from ...kernels import AXES
from ...kernels.names import check_signal_names
from ...kernels.positions import check_no_layouts
from ...kernels.probes import PREDICTS, SOURCE_DENSITY

Probes = Sequence[Any] | Mapping[str, Any]
_VOLUMETRIC = "VolumetricCurrentSourceDensity"
# One cell on the axis, which LFPykernels has for a population, says nothing of bins beside it.
_PREDICTS = {**PREDICTS, _VOLUMETRIC: SOURCE_DENSITY}


def named(probes: Probes) -> dict[str, tuple[Any, str]]:
    """Name of each signal with its probe and unit."""
    check_no_layouts(probes.values() if isinstance(probes, Mapping) else probes)
    if isinstance(probes, Mapping):
        check_signal_names(probes, NetworkError)
        return {name: (probe, _kind(probe)[1]) for name, probe in probes.items()}
    found = {_kind(probe)[0]: (probe, _kind(probe)[1]) for probe in probes}
    if len(found) < len(probes):
        raise NetworkError("several probes of one kind: name them, probes={'LFP_a': ...}")
    return found


def _kind(probe: Any) -> tuple[str, str]:
    """Name and unit of the signal that a model of LFPykit predicts."""
    name = type(probe).__name__
    if name not in _PREDICTS:
        raise NetworkError(f"unknown probe {name!r}: known are {sorted(_PREDICTS)}")
    return _PREDICTS[name]


def contacts(probe: Any) -> Floats | None:
    """Contact positions (µm) of a probe that has some, shape (contacts, 3); middles of volumes."""
    axes = [getattr(probe, axis, None) for axis in "xyz"]
    if axes[2] is None:
        return None
    if _kind(probe) == SOURCE_DENSITY:
        return _middles(probe)
    z = np.atleast_1d(axes[2])
    columns = [np.zeros_like(z) if axis is None else np.atleast_1d(axis) for axis in axes]
    return geometry.positions(np.stack(columns, axis=1), "the contacts")


def bodies(probes: Sequence[Any]) -> Floats:
    """Where no cell may be (µm), shape (contacts, 3): a contact is there, a volume is not."""
    solid = [probe for probe in probes if _kind(probe) != SOURCE_DENSITY]
    places = [where for probe in solid if (where := contacts(probe)) is not None]
    return np.vstack([np.empty((0, 3)), *places])


def _middles(probe: Any) -> Floats:
    """Of the volumes whose CSD a model of LFPykit gives."""
    if type(probe).__name__ == _VOLUMETRIC:
        edges = [np.asarray(getattr(probe, axis), dtype=float) for axis in AXES]
        grid = np.meshgrid(*[(e[1:] + e[:-1]) / 2 for e in edges], indexing="ij")
        return np.stack([axis.ravel() for axis in grid], axis=1)
    z = np.mean(probe.z, axis=1)
    x, y = np.asarray(probe.lateral_offset, dtype=float)
    return np.stack([np.full_like(z, x), np.full_like(z, y), z], axis=1)


def _check_slices(probe: Any, cell: Any) -> None:
    """LFPykit 0.6 loses the current of a segment that goes through a slice and beyond both ends."""
    thinnest = float(np.diff(probe.z, axis=1).min())
    longest = float(np.abs(np.diff(cell.z, axis=1)).max())
    if longest > thinnest:
        raise NetworkError(
            f"slices of the CSD must be at least as thick as segments of the cell are long, "
            f"{longest:.4g} µm in z, found {thinnest:.4g} µm: take thicker slices, or more "
            "segments (nsegs_method, max_nsegs_length)"
        )


def channel_count(probe: Any) -> int:
    """Number of channels of the signal that a probe measures."""
    found = contacts(probe)
    if found is not None:
        return len(found)
    if _kind(probe)[1] != "nA µm":
        raise NetworkError(f"{type(probe).__name__} has no contacts at x, y, z: give another probe")
    return len(AXES)


def transformation(probe: Any, cell: Any) -> Floats:
    """Matrix from transmembrane currents (nA) to a probe's signal."""
    if type(probe).__name__ == "LaminarCurrentSourceDensity":
        _check_slices(probe, cell)
    probe.cell = cell
    try:
        matrix = np.asarray(probe.get_transformation_matrix())
    finally:
        probe.cell = None
    if type(probe).__name__ != _VOLUMETRIC:
        return matrix
    # LFPykit 0.6 gives the current in each bin (nA), in three dimensions.
    volumes = np.einsum("i,j,k->ijk", *(np.diff(getattr(probe, axis)) for axis in AXES))
    return np.reshape(matrix / volumes[..., np.newaxis], (volumes.size, -1))
