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
from ...kernels.probes import PREDICTS

Probes = Sequence[Any] | Mapping[str, Any]


def named(probes: Probes) -> dict[str, tuple[Any, str]]:
    """Name of each signal with its probe and unit."""
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
    if name not in PREDICTS:
        raise NetworkError(f"unknown probe {name!r}: known are {sorted(PREDICTS)}")
    return PREDICTS[name]


def contacts(probe: Any) -> Floats | None:
    """Contact positions (µm) of a probe that has some, shape (contacts, 3)."""
    axes = [getattr(probe, axis, None) for axis in "xyz"]
    if axes[2] is None:
        return None
    z = np.atleast_1d(axes[2])
    columns = [np.zeros_like(z) if axis is None else np.atleast_1d(axis) for axis in axes]
    return geometry.positions(np.stack(columns, axis=1), "the contacts")


def channel_count(probe: Any) -> int:
    """Number of channels of the signal that a probe sees."""
    found = contacts(probe)
    if found is not None:
        return len(found)
    if _kind(probe)[1] != "nA µm":
        raise NetworkError(f"{type(probe).__name__} has no contacts at x, y, z: give another probe")
    return len(AXES)


def transformation(probe: Any, cell: Any) -> Floats:
    """Matrix from transmembrane currents (nA) to a probe's signal."""
    probe.cell = cell
    try:
        return np.asarray(probe.get_transformation_matrix())
    finally:
        probe.cell = None
