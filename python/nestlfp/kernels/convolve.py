"""The signal of recorded spikes, offline: the sum that everything online is tested against."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

import numpy as np
import xarray as xr

from .._types import Floats
from ..errors import KernelError
from ..grid import GRID_TOLERANCE, Rounding, spike_steps, step
from .checks import dt_ms, first_lag_steps, real
from .courses import COURSES, has_courses, multiplied
from .names import by_dims, check_known
from .strengths import labels_of_signals

_BLOCK = 2**24
"""Values that are in memory at a time, beside the signals."""
# Processor time (ns), for 1 to 384 channels, 4 to 800 lags and 2000 to 20 000 steps: of the direct
# sum for each step with spikes, and each of its terms; of the FFT for each value that it makes.
_NS_EACH_STEP, _NS_EACH_TERM, _NS_BY_FFT = 2000.0, 1.5, 15.0
_NS_IN_MATRIX = 0.1  # a term of a product of matrices, roughly


def of_rates(
    dataset: xr.Dataset, rates: Any, sizes: Any, duration: float | None, by: str | Iterable[str]
) -> xr.Dataset:
    """Signals of firing rates; see `KernelSet.convolve`."""
    keep, dt = by_dims(by), dt_ms(dataset)
    pre = [str(name) for name in dataset["pre"].values]
    for what, given in (("rates", rates), ("sizes", sizes)):
        if not isinstance(given, Mapping):
            raise KernelError(
                f"{what} must be a dict with those of each presynaptic population, found {given!r}"
            )
        check_known(given, pre, what)
    if unsized := [name for name in rates if name not in sizes]:
        raise KernelError(f"sizes must have the number of neurons of {unsized}")
    found = {name: _on_grid(given, dt, f"rates of {name!r}") for name, given in rates.items()}
    ends = {values.size for values in found.values() if values.size > 1}
    if duration is not None:
        ends |= {step(duration, dt, "duration", KernelError)}
    if len(ends) != 1 or min(ends) < 1:
        raise KernelError(
            "rates must have as many values for each population, one for each dt = "
            f"{dt:g} ms of the duration, found {', '.join(map(str, sorted(ends))) or 'none'}"
        )
    counts = np.zeros((len(pre), ends.pop() + 1))
    for name, values in found.items():
        n = real(sizes[name], f"the size of {name!r}")
        if n.ndim or not np.isfinite(n) or n < 0:
            raise KernelError(f"the size of {name!r} must be a number of neurons, found {n}")
        counts[pre.index(name), 1:] = values * float(n) * dt / 1000.0
    return of_counts(dataset, counts, keep)


def _on_grid(given: Any, dt: float, what: str) -> Floats:
    """Rates at the steps 1, 2, ...; those with times are interpolated between them, 0 before."""
    values = np.atleast_1d(real(given, what))
    if values.ndim != 1 or not values.size or not np.all(np.isfinite(values)):
        raise KernelError(f"{what} must be one list of finite spikes/s, found {values.shape}")
    if not (isinstance(given, xr.DataArray) and "time" in given.coords and given.ndim):
        return values
    times = real(given["time"].values, f"times of {what}")
    if (unit := given["time"].attrs.get("units", "ms")) != "ms":
        raise KernelError(f"times of {what} must be in ms, found the attribute units = {unit!r}")
    if not np.all(np.isfinite(times)) or np.any(np.diff(times) <= 0):
        raise KernelError(f"times of {what} must be finite and increase")
    n = int(np.floor(times[-1] / dt + GRID_TOLERANCE))
    at = np.arange(1, n + 1)
    found = np.interp(at * dt, times, values)
    return np.where(at < times[0] / dt - GRID_TOLERANCE, 0.0, found)


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
    if "pre" in keep:
        dataset = multiplied(dataset)
    courses = dataset[COURSES].values if has_courses(dataset) else None
    times = ("time", np.arange(1, n + 1) * dt, {"units": "ms"})
    out = labels_of_signals(dataset, keep).assign_coords(time=times)
    for name, array in dataset.data_vars.items():
        kernel = array if "post" in keep else array.sum("post", keep_attrs=True)
        if courses is None:
            signal = _sums(kernel.values, counts, first, apart="pre" in keep)
        else:
            signal = _sums_of_courses(kernel.values, courses, counts, first)
        dims = [dim for dim in kernel.dims[:-1] if dim != "pre" or "pre" in keep]
        out[name] = xr.DataArray(signal, dims=[*dims, "time"], attrs=kernel.attrs)
    return out


def _sums(kernels: Floats, counts: Floats, first: int, *, apart: bool) -> Floats:
    """Sums over lags of kernels (..., pre, channel, lag), at the steps 1 ... n, in blocks."""
    n = counts.shape[1] - 1
    shape = [*kernels.shape[:-1], n] if apart else [*kernels.shape[:-3], kernels.shape[-2], n]
    sums = np.zeros(shape)
    width = n + kernels.shape[-1]
    block = max(1, _BLOCK // (width * int(np.prod(kernels.shape[:-3]))))
    # full[k] belongs to step k + first; the signal is wanted at steps 1 ... n.
    skip, start = max(0, 1 - first), max(0, first - 1)
    for p, nu in enumerate(counts):
        mine = sums[..., p, :, :] if apart else sums
        for channels in (slice(c, c + block) for c in range(0, kernels.shape[-2], block)):
            kernel = kernels[..., p, channels, :]
            if not nu.any() or not kernel.any():
                continue
            part = full_sums(nu, kernel)[..., skip : skip + max(0, n - start)]
            mine[..., channels, start : start + part.shape[-1]] += part
    return sums


def _sums_of_courses(weights: Floats, courses: Floats, counts: Floats, first: int) -> Floats:
    """The same of weights (..., pre, channel, course), channel by channel.

    A channel's courses are convolved with what populations together give each of them; or
    populations' kernels are made, where this is less work, of few populations or long signals.
    """
    by_channel = np.moveaxis(weights, -3, -1)  # (..., channel, course, pre)
    n_courses, n_pre = by_channel.shape[-2:]
    n, n_lags = counts.shape[1], courses.shape[1]
    by_fft = _NS_BY_FFT * (n + n_lags)
    each_course = n_courses * (_NS_IN_MATRIX * n_pre * n + by_fft)
    each_pre = n_pre * (_NS_IN_MATRIX * n_courses * n_lags + by_fft)
    sums = np.zeros([*by_channel.shape[:-2], n - 1])
    for at in np.ndindex(sums.shape[:-1]):
        if each_course < each_pre:
            kernels, driven = courses, by_channel[at] @ counts
        else:
            kernels, driven = by_channel[at].T @ courses, counts
        sums[at] = _sums(kernels[:, None], driven, first, apart=False)[0]
    return sums


def full_sums(nu: Floats, kernel: Floats) -> Floats:
    """Sums of all counts (step,) and all lags of a kernel (..., lag), as `numpy.convolve` makes.

    Directly where few steps have spikes, else by FFT (overlap-add), whichever takes less time by
    what was measured. They differ by rounding, 1e-15 of the largest value.
    """
    spiking = np.flatnonzero(nu)
    rows, lags = kernel[..., 0].size, kernel.shape[-1]
    direct = spiking.size * (_NS_EACH_STEP + _NS_EACH_TERM * rows * lags)
    if direct >= _NS_BY_FFT * rows * (nu.size + lags):
        from scipy.signal import oaconvolve  # takes half a second to import

        alike = nu.reshape((1,) * (kernel.ndim - 1) + (-1,))  # its FFT serves all channels
        return np.asarray(oaconvolve(alike, kernel, axes=-1))
    full = np.zeros((*kernel.shape[:-1], nu.size + lags - 1))
    for at in spiking.tolist():
        full[..., at : at + lags] += nu[at] * kernel
    return full


def counted(dataset: xr.Dataset, spike_times: Any, n: int, rounding: Rounding) -> Floats:
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
        what = f"spike times of {name!r}"
        times = np.atleast_1d(real(spike_times.get(name, ()), what))
        if times.ndim != 1:
            raise KernelError(
                f"{what} must be one list, of all its neurons together, found shape {times.shape}"
            )
        at = spike_steps(times, dt_ms(dataset), what, KernelError, rounding)
        counts[i] = np.bincount(at[at <= n], minlength=n + 1)
    return counts
