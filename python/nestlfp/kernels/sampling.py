"""Kernels at other lags: resampled, and low-pass filtered for slow sampling."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import xarray as xr

from .._types import Floats
from ..errors import KernelError
from ..grid import GRID_TOLERANCE, at_least_a_step
from .checks import dt_ms, first_lag_steps, positive_ms

MOST_LAGS = 1_000_000
"""A second at NEST's finest resolution. A dt in the wrong unit would fill the memory."""

_METHODS = ("cubic", "linear", "pchip")


def resampled(dataset: xr.Dataset, dt: float, method: str) -> xr.Dataset:
    """Kernels at another distance of lags; see `KernelSet.resample`."""
    dt, old = positive_ms(dt, "dt"), dt_ms(dataset)
    if method not in _METHODS:
        raise KernelError(f"method must be one of {list(_METHODS)}, found {method!r}")
    if np.isclose(dt, old, rtol=1e-12, atol=0):
        return dataset
    from scipy import interpolate  # takes as long to import as NEST, and most scripts need it not

    first = first_lag_steps(dataset)
    # One lag before the first, where the kernel is zero, anchors the interpolation.
    knots = (first - 1 + np.arange(dataset.sizes["lag"] + 2)) * old
    lowest = np.floor(knots[0] / dt + GRID_TOLERANCE) + 1
    if first >= 0:
        lowest = max(lowest, 0)
    highest = np.floor(knots[-2] / dt + GRID_TOLERANCE)
    if highest < lowest:
        raise KernelError(f"no lag is left at dt = {dt:g} ms: the kernels end at {knots[-2]:g} ms")
    _check_count(highest - lowest + 1, f"dt = {dt:g} ms")
    new = np.arange(lowest, highest + 1) * dt

    def at_new_lags(values: Floats) -> Any:
        padded = np.pad(values, [(0, 0)] * 3 + [(1, 1)])
        if method == "linear":
            return interpolate.make_interp_spline(knots, padded, k=1, axis=-1)(new)
        kind = interpolate.CubicSpline if method == "cubic" else interpolate.PchipInterpolator
        # The kernel need not reach zero right after its last lag.
        return kind(knots[:-1], padded[..., :-1], axis=-1)(new)

    return _with_lags(dataset, at_new_lags, new, dt)


def lowpassed(dataset: xr.Dataset, interval: float, method: str) -> xr.Dataset:
    """Kernels for slow sampling; see `KernelSet.lowpass`."""
    dt = dt_ms(dataset)
    q = at_least_a_step(interval, dt, "interval", KernelError)
    if method not in ("fir", "mean"):
        raise KernelError(f"method must be 'fir' or 'mean', found {method!r}")
    if q == 1:
        return dataset
    from scipy.signal import firwin  # takes half a second to import, and most scripts need it not

    mean = method == "mean"
    lead, width = (0, q) if mean else (10 * q, 20 * q + 1)
    count = dataset.sizes["lag"] + width - 1
    _check_count(count, f"interval = {interval:g} ms")
    if mean:
        taps = np.full(width, 1.0 / width)
    else:  # the cutoff is a share of the Nyquist frequency
        taps = np.asarray(firwin(width, 1 / q, window="hamming"))
    lags = (first_lag_steps(dataset) - lead + np.arange(count)) * dt
    # Not by FFT, whose rounding would leave no kernel's leading zeros zero.
    return _with_lags(
        dataset, lambda values: np.apply_along_axis(np.convolve, -1, values, taps), lags, dt
    )


def _check_count(count: float, what: str) -> None:
    if count > MOST_LAGS:
        raise KernelError(
            f"{what} would make kernels of {count:.3g} lags, more than {MOST_LAGS}: is it in ms?"
        )


def _with_lags(
    dataset: xr.Dataset, change: Callable[[Floats], Any], lags: Any, dt: float
) -> xr.Dataset:
    """The dataset with every signal's values changed along the lags."""
    changed = {
        str(name): (array.dims, change(array.values), array.attrs)
        for name, array in dataset.data_vars.items()
    }
    lag = ("lag", lags, {"units": "ms", "dt_ms": dt})
    return dataset.drop_vars([*changed, "lag"]).assign(changed).assign_coords(lag=lag)
