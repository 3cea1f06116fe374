"""Times of spikes on the kernels' grid."""

from __future__ import annotations

import numpy as np

from .._types import Floats, Ints
from ..errors import ActivityError
from ..grid import GRID_TOLERANCE

_GRIDS = (1.0, 0.5, 0.25, 0.2, 0.125, 0.1, 0.0625, 0.05, 0.03125, 0.025, 0.02, 0.01)  # ms


def steps_of(times: Floats, dt: float, *, where: str, rounding: bool, printed: float) -> Ints:
    """Steps of spikes; an error that says what would help where times are between steps.

    Parameters
    ----------
    times : ndarray
        In ms.
    dt : float
        Of the kernels (ms).
    where : str
        For the error.
    rounding : bool
        Take each to the nearest step.
    printed : float
        By how much times (ms) may be off because they were printed with few digits.
    """
    if not times.size:
        return np.zeros(0, np.int64)
    if times.min() < 0:
        raise ActivityError(f"{where}: times must not be negative, found {times.min():g} ms")
    if times.max() / dt >= 2**53:
        raise ActivityError(
            f"{where}: {times.max():g} ms is too late to be counted in steps of {dt:g} ms"
        )
    off = _off(times, dt, printed)
    if off.any() and not rounding:
        grid = next((each for each in _GRIDS if not _off(times, each, printed).any()), None)
        remedy = "--round (rounding=True) takes each to the nearest step"
        if grid is not None:
            remedy = (
                f"they are multiples of {grid:g} ms: kernels for these are "
                f"KernelSet.resample({grid:g}); or {remedy}"
            )
        raise ActivityError(
            f"{where}: times must be multiples of the kernels' dt = {dt:g} ms, found "
            f"{times[off][0]:.9g} ms; {remedy}"
        )
    return np.rint(times / dt).astype(np.int64)


def _off(times: Floats, dt: float, printed: float) -> np.ndarray:
    exact = times / dt
    # Digits that were not printed may not hide a step.
    tolerance = np.maximum(GRID_TOLERANCE, 1e-12 * exact)
    if printed < 0.1 * dt:
        tolerance = np.maximum(tolerance, printed / dt)
    return np.asarray(np.abs(exact - np.rint(exact)) > tolerance)
