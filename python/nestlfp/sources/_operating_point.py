"""The mean potential of a passive cell whose synapses are open all the time, a little."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .._types import Floats
from ..extras import require

_DENSITY = 100.0
"""Conductance of a segment (µS) over its area (µm²), in S/cm²."""

_LONG = 1e9  # ms: a step of NEURON's implicit method after which nothing changes any more


def mean_potential(cell: Any, conductances: Sequence[tuple[Floats, float]]) -> Floats:
    """Steady-state potential of each segment.

    Parameters
    ----------
    cell : LFPy.Cell
        A passive cell. It is as before afterwards.
    conductances : sequence of (array of shape (segments,), float)
        Conductance of each segment (µS) and its reversal potential (mV).

    Returns
    -------
    array, shape (segments,)
        mV.
    """
    h = require("neuron", "lfpykernels").h
    segments = [segment for section in cell.allseclist for segment in section]
    leak = np.array([segment.g_pas for segment in segments])  # S/cm²
    rest = np.array([segment.e_pas for segment in segments])
    total = total_leak(cell, conductances)
    opened = sum(g * reversal for g, reversal in conductances)
    driven = leak * rest + _DENSITY / cell.area * opened
    try:
        for segment, g, e in zip(segments, total, driven / total, strict=True):
            segment.g_pas, segment.e_pas = g, e
        h.cvode.active(0)
        h.finitialize(float(rest.mean()))
        h.dt = _LONG
        for _ in range(3):  # each leaves a part of the rest of C / (g dt)
            h.fadvance()
        return np.array([segment.v for segment in segments])
    finally:
        for segment, g, e in zip(segments, leak, rest, strict=True):
            segment.g_pas, segment.e_pas = g, e


def total_leak(cell: Any, conductances: Sequence[tuple[Floats, float]]) -> Floats:
    """Leak of each segment with the conductances counted to it (S/cm²); see `mean_potential`."""
    leak = np.array([segment.g_pas for section in cell.allseclist for segment in section])
    return np.asarray(leak + _DENSITY / cell.area * sum(g for g, _ in conductances))
