"""Time in whole steps: every time that enters NEST or a kernel lies on a grid."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from ._types import Floats, Ints
from .errors import NestLFPError

GRID_TOLERANCE = 1e-6
"""How far, in steps, a time may be from the grid it should lie on."""

Rounding = bool | Literal["nearest", "up"]
"""What becomes of spikes between steps: False is an error, True is "nearest"."""
ROUNDING = (
    "rounding='up' puts each into the step at whose end it is, as NEST does with precise spikes "
    "(of models such as iaf_psc_exp_ps); rounding='nearest' into the nearest step"
)


def spike_steps(
    time_ms: ArrayLike, dt_ms: float, what: str, error: type[NestLFPError], rounding: Rounding
) -> Ints:
    """Steps of spikes from 0 on; NEST's precise ones are between steps."""
    check_rounding(rounding, error)
    times = np.asarray(time_ms)
    if times.dtype.kind == "f" and np.isfinite(times).all():
        exact = times.astype(float) / dt_ms
        off = off_grid(exact)
        if off.any() and rounding is False:
            raise error(
                f"{what} must be whole multiples of dt = {dt_ms:g} ms, found "
                f"{times[off].flat[0]:.9g} ms. {ROUNDING}"
            )
        if off.any():
            time_ms = rounded(exact, off, rounding) * dt_ms
    found = steps(time_ms, dt_ms, what, error)
    if found.size and times.min() < -GRID_TOLERANCE * dt_ms:
        raise error(f"{what} must not be negative, found {times.min():g} ms")
    return found


def check_rounding(rounding: Any, error: type[NestLFPError]) -> None:
    """Raise an error where `rounding` is no way of `rounded`."""
    if not any(rounding is each for each in (True, False)) and rounding not in ("nearest", "up"):
        raise error(f"rounding must be 'up', 'nearest' or False, found {rounding!r}")


def rounded(exact: Floats, off: Any, rounding: Rounding) -> Floats:
    """Whole steps of times given in steps; those that are `off` the grid go up, if asked to."""
    whole = np.rint(exact)
    return np.asarray(np.where(off, np.ceil(exact), whole) if rounding == "up" else whole)


def off_grid(exact: Floats, uncertain: float = 0.0) -> np.ndarray:
    """Which times, given in steps, are between steps by more than they are `uncertain`."""
    # An absolute tolerance in steps would reject late times for their rounding alone.
    allowed = np.maximum(max(GRID_TOLERANCE, uncertain), 1e-12 * np.abs(exact))
    return np.asarray(np.abs(exact - np.rint(exact)) > allowed)


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
        off |= off_grid(exact)
    if np.any(off):
        found = times[off].flat[0]
        raise error(f"{what} must be whole multiples of dt = {dt_ms:g} ms, found {found} ms")
    return whole.astype(np.int64)


def at_least_a_step(time_ms: Any, dt_ms: float, what: str, error: type[NestLFPError]) -> int:
    """As `step`, of a time that is no shorter than one."""
    found = step(time_ms, dt_ms, what, error)
    if found < 1:
        raise error(f"{what} must be at least dt = {dt_ms:g} ms, found {time_ms}")
    return found


def step_or_none(time_ms: Any, dt_ms: float, lowest: int = 1) -> int | None:
    """As `step`, but None of what is none, or is less than so many."""
    try:
        found = step(time_ms, dt_ms, "", NestLFPError)
    except NestLFPError:
        return None
    return found if found >= lowest else None


def step(time_ms: Any, dt_ms: float, what: str, error: type[NestLFPError]) -> int:
    """A single time as a whole number of steps, or an `error` that says why it is none."""
    found = steps(time_ms, dt_ms, what, error)
    if found.ndim:
        raise error(f"{what} must be a single number of ms, found {time_ms!r}")
    return int(found)
