"""One number to act on: a weighted sum of channels, through a causal filter, as kernels again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any

import numpy as np
import xarray as xr

from .._types import Floats
from ..errors import KernelError
from .checks import dt_ms, first_lag_steps, positive, provenance, real
from .courses import along_lags
from .names import channel_dim, check_known
from .sampling import MOST_LAGS
from .strengths import strength_coordinates

Band = tuple[float | None, float | None]


def read_out(
    dataset: xr.Dataset,
    weights: Any,
    *,
    band: Band | None,
    order: int,
    cut: float,
    name: str,
) -> xr.Dataset:
    """Kernels of a single channel; see `KernelSet.readout`."""
    dt, cut = dt_ms(dataset), positive(cut, "cut")
    values, unit = _weighted_sum(dataset, weights)
    facts: dict[str, Any] = {"weights": _plain(weights), "band_Hz": band}
    if band is not None:
        sos = butterworth(band, order, dt)
        values, gone = _filtered(values, sos, cut, f"the band {band} Hz at dt = {dt:g} ms")
        # Behind this lag nothing drives the filter: it rings.
        last = first_lag_steps(dataset) + dataset.sizes["lag"] - 1
        facts |= {"order": order, "cut": cut, "cut_off": gone, "driven_to_ms": last * dt}
    lags = (first_lag_steps(dataset) + np.arange(values.shape[-1])) * dt
    made = {**provenance(dataset), "readout": facts}
    return xr.Dataset(
        {name: (("post", "pre", channel_dim(name), "lag"), values[:, :, None], {"units": unit})},
        coords={
            "post": dataset["post"],
            "pre": dataset["pre"],
            **strength_coordinates(dataset),
            channel_dim(name): [0],
            "lag": ("lag", lags, {"units": "ms", "dt_ms": dt}),
        },
        attrs={"provenance": json.dumps(made)},
    )


def _weighted_sum(dataset: xr.Dataset, weights: Any) -> tuple[Floats, str]:
    """Kernels (post, pre, lag) of the sum, and their unit."""
    if not isinstance(weights, Mapping) or not weights:
        raise KernelError(
            "weights must name signals, channels and a weight for each channel, such as "
            f"{{'LFP': {{3: 1.0, 4: -1.0}}}}, or one channel, {{'LFP': 3}}; found {weights!r}"
        )
    check_known(weights, [str(key) for key in dataset.data_vars], "weights")
    units = {str(dataset[signal].attrs["units"]) for signal in weights}
    if len(units) > 1:
        raise KernelError(
            f"signals of one readout must have one unit, found {', '.join(sorted(units))}"
        )
    total: Floats = np.zeros(())
    for signal, given in weights.items():
        array, dim = dataset[signal], channel_dim(signal)
        labels = array[dim].values.tolist()
        of_channels = given if isinstance(given, Mapping) else {given: 1.0}
        for label, weight in of_channels.items():
            if label not in labels:
                raise KernelError(f"{signal!r} has no channel {label!r}: they are {labels}")
            factor = real(weight, f"the weight of channel {label!r} of {signal!r}")
            if factor.ndim or not np.isfinite(factor):
                raise KernelError(f"weights must be finite numbers, found {weight!r}")
            total = total + float(factor) * array.values[:, :, labels.index(label)]
    total = along_lags(dataset, total)
    if not total.any():
        raise KernelError(f"the readout's kernels are all zero: weights are {_plain(weights)}")
    return total, units.pop()


def butterworth(band: Any, order: Any, dt: float, output: str = "sos") -> Any:
    """The filter as SciPy has it, as second-order sections or so, or a `KernelError`."""
    from scipy.signal import butter  # takes half a second to import

    nyquist = 500.0 / dt
    example = "(13, 30) passes what is between, (None, 100) what is below, (1, None) what is above"
    if not isinstance(band, tuple | list) or len(band) != 2 or band[0] is band[1] is None:
        raise KernelError(f"band must be two frequencies (Hz): {example}; found {band!r}")
    for edge in band:
        number = isinstance(edge, Real) and not isinstance(edge, bool)
        if edge is not None and not (number and 0 < edge < nyquist):
            raise KernelError(
                f"the band must lie between 0 and the Nyquist frequency of {nyquist:g} Hz, found "
                f"{band!r}: {example}"
            )
    low, high = band
    if low is not None and high is not None and low >= high:
        raise KernelError(f"the band must go from a lower to a higher frequency, found {band!r}")
    if not isinstance(order, Integral) or isinstance(order, bool) or not 1 <= int(order) <= 20:
        raise KernelError(f"order must be a whole number from 1 to 20, found {order!r}")
    kind = "lowpass" if low is None else "highpass" if high is None else "bandpass"
    edges = high if low is None else low if high is None else (low, high)
    return butter(order, edges, btype=kind, output=output, fs=1000.0 / dt)


def _filtered(values: Floats, sos: Floats, cut: float, what: str) -> tuple[Floats, float]:
    """What is left of the filter's response when its tail is cut, and how much the tail had.

    The sum of absolute values of what is cut, relative to the largest value, is below
    `cut`: this many times its largest response to one spike the readout can be wrong for each
    spike per step, at most.
    """
    from scipy.signal import sosfilt  # takes half a second to import

    n = 2 * values.shape[-1]
    while True:
        n *= 2
        if n > 4 * MOST_LAGS:
            raise KernelError(
                f"{what} with cut={cut:g} needs more than {MOST_LAGS} lags: narrow "
                "bands and low frequencies ring for long. Use a wider one, a lower order or a "
                "larger cut"
            )
        response = sosfilt(sos, np.pad(values, [(0, 0), (0, 0), (0, n - values.shape[-1])]))
        if not np.all(np.isfinite(response)):
            raise KernelError(f"{what} makes a filter that is not stable: use a lower order")
        peak = float(np.abs(response).max())
        # What a lag and all after it sum to, of the population where that is most.
        rest = np.cumsum(np.abs(response)[..., ::-1], axis=-1)[..., ::-1].max(axis=(0, 1))
        if rest[n // 2] <= 0.1 * cut * peak:
            break
    n_kept = int(np.argmax(rest <= cut * peak))
    if n_kept > MOST_LAGS:
        raise KernelError(f"{what} needs {n_kept} lags, more than {MOST_LAGS}")
    return response[..., :n_kept], float(rest[n_kept] / peak)


def _plain(weights: Mapping[Any, Any]) -> dict[str, Any]:
    """Weights as JSON has them."""
    return {
        str(signal): {str(label): float(weight) for label, weight in given.items()}
        if isinstance(given, Mapping)
        else {str(given): 1.0}
        for signal, given in weights.items()
    }
