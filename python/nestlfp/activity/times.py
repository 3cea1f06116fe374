"""Times of spikes on the kernels' grid."""

from __future__ import annotations

import numpy as np

from .._types import Floats, Ints
from ..errors import ActivityError
from ..grid import Rounding, off_grid, rounded

_GRIDS = (1.0, 0.5, 0.25, 0.2, 0.125, 0.1, 0.0625, 0.05, 0.03125, 0.025, 0.02, 0.01)  # ms


def steps_of(times: Floats, dt: float, *, where: str, rounding: Rounding, printed: float) -> Ints:
    """Steps of spikes; an error that says what would help where times are between steps.

    Parameters
    ----------
    times : ndarray
        In ms.
    dt : float
        Of the kernels (ms).
    where : str
        For the error.
    rounding : {False, True, "nearest", "up"}
        What becomes of times between steps: an error, the nearest step, or the one that ends next.
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
    if off.any() and rounding is False:
        grid = next((each for each in _GRIDS if not _off(times, each, printed).any()), None)
        remedy = (
            "--round-up (rounding='up') puts each into the step at whose end it is, as NEST does "
            "with precise spikes (of models such as iaf_psc_exp_ps); --round (rounding='nearest') "
            "into the nearest step"
        )
        if grid is not None:
            remedy = (
                f"they are multiples of {grid:g} ms: kernels for these are "
                f"KernelSet.resample({grid:g}); or {remedy}"
            )
        raise ActivityError(
            f"{where}: times must be multiples of the kernels' dt = {dt:g} ms, found "
            f"{times[off][0]:.9g} ms; {remedy}"
        )
    return rounded(times / dt, off, rounding).astype(np.int64)


def _off(times: Floats, dt: float, printed: float) -> np.ndarray:
    # Digits that were not printed may not hide a step.
    return off_grid(times / dt, printed / dt if printed < 0.1 * dt else 0.0)
