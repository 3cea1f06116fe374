"""Time in whole steps: every time that enters NEST or a kernel lies on a grid."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ._types import Ints
from .errors import NestLFPError

GRID_TOLERANCE = 1e-6
"""How far, in steps, a time may be from the grid it should lie on."""


def steps(time_ms: ArrayLike, dt_ms: float, what: str, error: type[NestLFPError]) -> Ints:
    """Times as whole numbers of steps, or an `error` that says what is off the grid."""
    try:
        given = np.asarray(time_ms)
        if given.dtype.kind not in "fiuO":  # NumPy makes numbers of text
            raise TypeError
        times = given.astype(float)
    except (TypeError, ValueError):
        raise error(f"{what} must be numbers of ms, found {time_ms!r}") from None
    exact = times / dt_ms
    whole = np.rint(exact)
    off = ~(np.abs(exact) < 2**53)  # not finite, or so late that steps cannot be counted
    with np.errstate(invalid="ignore"):
        # An absolute tolerance in steps would reject late times for their rounding alone.
        off |= np.abs(exact - whole) > np.maximum(GRID_TOLERANCE, 1e-12 * np.abs(exact))
    if np.any(off):
        found = times[off].flat[0]
        raise error(f"{what} must be whole multiples of dt = {dt_ms:g} ms, found {found} ms")
    return whole.astype(np.int64)


def step(time_ms: Any, dt_ms: float, what: str, error: type[NestLFPError]) -> int:
    """A single time as a whole number of steps, or an `error` that says why it is none."""
    found = steps(time_ms, dt_ms, what, error)
    if found.ndim:
        raise error(f"{what} must be a single number of ms, found {time_ms!r}")
    return int(found)
