"""The signal of recorded spikes, offline: the sum that everything online is tested against."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

import numpy as np
import xarray as xr
from scipy.signal import oaconvolve

from .._types import Floats, Ints
from ..errors import KernelError
from ..grid import step, steps
from .checks import dt_ms, first_lag_steps, real
from .names import by_dims, check_known


def convolved(
    dataset: xr.Dataset, spike_times: Mapping[str, Any], duration: float, by: str | Iterable[str]
) -> xr.Dataset:
    """Signals at the times dt, 2 dt, ..., `duration`; see `KernelSet.convolve`."""
    keep, dt = by_dims(by), dt_ms(dataset)
    n = step(duration, dt, "duration", KernelError)
    if n < 1:
        raise KernelError(f"duration must be at least dt = {dt:g} ms, found {duration}")
    return of_counts(dataset, _counts(dataset, spike_times, n), keep)


def of_counts(dataset: xr.Dataset, counts: Floats, keep: Collection[str]) -> xr.Dataset:
    """Signals at the steps 1 ... n from the number of spikes in the steps 0 ... n.

    Parameters
    ----------
    dataset : xarray.Dataset
        Kernels.
    counts : ndarray, shape (pre, n + 1)
        Of each presynaptic population; a spike may count as any number.
    keep : collection of {"post", "pre"}
        Dimensions that are not summed over.
    """
    n, dt = counts.shape[1] - 1, dt_ms(dataset)
    first = first_lag_steps(dataset)
    summed_over = {"pre", "post"} - set(keep)
    out = dataset.drop_vars([*dataset.data_vars, "lag", *summed_over])
    out = out.assign_coords(time=("time", np.arange(1, n + 1) * dt, {"units": "ms"}))
    for name, array in dataset.data_vars.items():
        kernel = array if "post" in keep else array.sum("post", keep_attrs=True)
        nu = np.broadcast_to(counts[:, np.newaxis], (*kernel.shape[:-1], n + 1))
        full = oaconvolve(nu, kernel.values, axes=-1)
        # full[k] belongs to step k + first; the signal is wanted at steps 1 ... n.
        lo = 1 - first
        before, after = max(0, -lo), max(0, n + lo - full.shape[-1])
        values = np.pad(full, [(0, 0)] * (full.ndim - 1) + [(before, after)])
        values = values[..., max(0, lo) : max(0, lo) + n]
        signal = xr.DataArray(values, dims=(*kernel.dims[:-1], "time"), attrs=kernel.attrs)
        out[name] = signal if "pre" in keep else signal.sum("pre", keep_attrs=True)
    return out


def _counts(dataset: xr.Dataset, spike_times: Mapping[str, Any], n: int) -> Floats:
    """Number of spikes of each presynaptic population in the steps 0 ... n."""
    pre = dataset["pre"].values.tolist()
    if not isinstance(spike_times, Mapping):
        raise KernelError(
            "spike_times must be a dict with the spike times of each presynaptic population, "
            f"found {type(spike_times).__name__}"
        )
    check_known(spike_times, pre, "pre")
    counts = np.zeros((len(pre), n + 1))
    for i, name in enumerate(pre):
        at = _spike_steps(name, spike_times.get(name, ()), dt_ms(dataset))
        counts[i] = np.bincount(at[at <= n], minlength=n + 1)
    return counts


def _spike_steps(name: str, times: Any, dt: float) -> Ints:
    what = f"spike times of {name!r}"
    found = np.atleast_1d(real(times, what))
    if found.ndim != 1:
        raise KernelError(
            f"{what} must be one list, of all its neurons together, found shape {found.shape}"
        )
    at = steps(found, dt, what, KernelError)
    if np.any(at < 0):
        raise KernelError(f"{what} must not be negative, found {found.min():g} ms")
    return at
