"""Power spectra of signals."""

from __future__ import annotations

import contextlib
import re
from typing import Any, TypeVar

import numpy as np
import xarray as xr

from ..errors import SignalError
from .layout import checked, sampling_interval

Signals = TypeVar("Signals", xr.Dataset, xr.DataArray)


def spectrum(
    signals: Signals,
    *,
    segment: float = 500.0,
    overlap: float = 0.5,
    window: str = "hann",
    detrend: str | bool = "constant",
    start: float | None = None,
    stop: float | None = None,
) -> Signals:
    """Power spectral density of signals, by Welch's method.

    Parameters
    ----------
    signals : xarray.Dataset or xarray.DataArray
        Signals, as `FieldRecorder.signals` and `KernelSet.convolve` return them, or one of them.
    segment : float, optional
        Length of the segments whose spectra are averaged (ms). Frequencies are 1000 / segment Hz
        apart.
    overlap : float, optional
        Part of a segment that it shares with the next, from 0 to less than 1.
    window : str, optional
        Name of the window, as `scipy.signal.get_window` takes it.
    detrend : {"constant", "linear", False}, optional
        What is taken off each segment first.
    start, stop : float, optional
        The part of the time that counts (ms), such as without the network's onset. Default: all.

    Returns
    -------
    xarray.Dataset or xarray.DataArray
        As `signals`, with the dimensions ``([post,] [pre,] <signal>_channel, frequency)``, the
        coordinate ``frequency`` (Hz) and units such as ``"mV²/Hz"``. One-sided: the sum over
        frequencies, times their distance, is the variance.

    Raises
    ------
    SignalError
        If the signals are shorter than a segment, not finite or not equally spaced, or if an
        option is none.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> from nestlfp.signals import band_power, spectrum
    >>> time = np.arange(1.0, 10_001.0)
    >>> lfp = xr.DataArray(
    ...     np.sin(2 * np.pi * 0.040 * time)[None],
    ...     dims=("LFP_channel", "time"), coords={"time": time}, name="LFP", attrs={"units": "mV"},
    ... )
    >>> density = spectrum(lfp)
    >>> density.dims, density.attrs["units"]
    (('LFP_channel', 'frequency'), 'mV²/Hz')
    >>> density.idxmax("frequency").item()
    40.0
    >>> round(band_power(lfp, 30, 50).item(), 3)
    0.5
    """
    return _of_each(
        signals, by_time=False, segment=segment, overlap=overlap, window=window, detrend=detrend,
        start=start, stop=stop,
    )  # fmt: skip


def spectrogram(
    signals: Signals,
    *,
    segment: float = 200.0,
    overlap: float = 0.9,
    window: str = "hann",
    detrend: str | bool = "constant",
    start: float | None = None,
    stop: float | None = None,
) -> Signals:
    """Power spectral density of signals by time: of each segment by itself.

    Parameters
    ----------
    signals : xarray.Dataset or xarray.DataArray
        Signals, as `FieldRecorder.signals` and `KernelSet.convolve` return them, or one of them.
    segment, overlap, window, detrend, start, stop : optional
        As for `spectrum`. A short segment tells times apart, a long one frequencies.

    Returns
    -------
    xarray.Dataset or xarray.DataArray
        As `signals`, with the dimensions ``([post,] [pre,] <signal>_channel, frequency, time)`` and
        units such as ``"mV²/Hz"``. The time is that of the middle of a segment (ms). The mean over
        the time is what `spectrum` gives with the same options.

    Raises
    ------
    SignalError
        As `spectrum`.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> from nestlfp.signals import spectrogram
    >>> time = np.arange(1.0, 2001.0)
    >>> frequency = np.where(time <= 1000.0, 20.0, 80.0)
    >>> lfp = xr.DataArray(
    ...     np.sin(2e-3 * np.pi * frequency * time)[None],
    ...     dims=("LFP_channel", "time"), coords={"time": time}, name="LFP", attrs={"units": "mV"},
    ... )
    >>> power = spectrogram(lfp)
    >>> power.dims
    ('LFP_channel', 'frequency', 'time')
    >>> power[0].idxmax("frequency").sel(time=[500, 1500], method="nearest").values
    array([20., 80.])
    """
    return _of_each(
        signals, by_time=True, segment=segment, overlap=overlap, window=window, detrend=detrend,
        start=start, stop=stop,
    )  # fmt: skip


def _of_each(signals: Signals, **options: Any) -> Signals:
    """Spectra of signals, or of one of them."""
    if not isinstance(signals, xr.DataArray):
        return _spectra(checked(signals), **options)
    name = "signal" if signals.name is None else str(signals.name)
    return _spectra(checked(signals.to_dataset(name=name)), **options)[name].rename(signals.name)


def _spectra(
    signals: xr.Dataset,
    start: float | None,
    stop: float | None,
    window: str,
    by_time: bool,
    **options: Any,
) -> xr.Dataset:
    from scipy import signal as of_scipy  # takes half a second to import

    interval = sampling_interval(signals)
    time = signals["time"].values
    low = -np.inf if start is None else _number(start, "start")
    high = np.inf if stop is None else _number(stop, "stop")
    part = signals.isel(time=np.flatnonzero((time >= low) & (time <= high)))
    settings = _settings(**options, interval=interval, there=part.sizes["time"])
    found = signals.drop_vars([*signals.data_vars, "time"])
    found.attrs.pop("format", None)
    if "frequency" in part:
        raise SignalError(
            "a signal named 'frequency' has no spectrum, which has an axis of this name: "
            "signals.rename(frequency=...) gives it another"
        )
    for name, array in part.data_vars.items():
        if not np.isfinite(array.values).all():
            raise SignalError(f"signal {name!r} is not finite: it has no spectrum")
        try:
            weights = of_scipy.get_window(window, settings["nperseg"])
            if not np.isfinite(weights).all():
                raise ValueError(f"the window {window!r} is not finite")
            with np.errstate(over="ignore", invalid="ignore"):
                estimate = of_scipy.spectrogram if by_time else of_scipy.welch
                frequency, *_, density = estimate(
                    array.values, 1000.0 / interval, weights, **settings
                )
        except (TypeError, ValueError) as error:
            raise SignalError(f"no spectrum with these options: {error}") from error
        if not np.isfinite(density).all():
            raise SignalError(
                f"signal {name!r} is too large for a spectrum: its power overflows, with values "
                f"up to {np.abs(array.values).max():.3g} {array.attrs['units']}; another unit has "
                "smaller ones"
            )
        units = f"{_squared(array.attrs['units'])}/Hz"
        dims = (*array.dims[:-1], "frequency", *(["time"] if by_time else []))
        found[name] = (dims, density, {**array.attrs, "units": units})
    if by_time:
        first = np.arange(density.shape[-1]) * (settings["nperseg"] - settings["noverlap"])
        middle = part["time"].values[0] + interval * (first + (settings["nperseg"] - 1) / 2)
        found = found.assign_coords(time=("time", middle, part["time"].attrs))
    return found.assign_coords(frequency=("frequency", frequency, {"units": "Hz"}))


def band_power(signals: Signals, low: float, high: float, **options: Any) -> Signals:
    """Power of signals between two frequencies: what they add to the variance.

    Parameters
    ----------
    signals : xarray.Dataset or xarray.DataArray
        Signals, or one of them.
    low, high : float
        The band (Hz), `high` not included.
    **options
        As for `spectrum`.

    Returns
    -------
    xarray.Dataset or xarray.DataArray
        As `signals`, with the dimensions ``([post,] [pre,] <signal>_channel)`` and units such as
        ``"mV²"``.

    Raises
    ------
    SignalError
        As `spectrum`, and if the band has no frequency of the spectrum in it.
    """
    low, high = _number(low, "low"), _number(high, "high")
    density = spectrum(signals, **options)
    frequency = density["frequency"].values
    inside = (frequency >= low) & (frequency < high)
    if not inside.any() or high > frequency[-1] + frequency[1]:
        raise SignalError(
            f"the band from {low:g} to {high:g} Hz must lie between 0 and {frequency[-1]:g} Hz and "
            f"hold a frequency of the spectrum, which are {frequency[1]:g} Hz apart: a longer "
            "segment has more"
        )
    with xr.set_options(keep_attrs=True):
        power = density.isel(frequency=inside).sum("frequency") * frequency[1]
    for array in [power] if isinstance(power, xr.DataArray) else power.data_vars.values():
        array.attrs["units"] = array.attrs["units"].removesuffix("/Hz")
    return power


def _settings(
    segment: float, overlap: float, detrend: str | bool, interval: float, there: int
) -> dict[str, Any]:
    """Options of `scipy.signal.welch`."""
    segment, overlap = _number(segment, "segment"), _number(overlap, "overlap")
    wanted = round(segment / interval) if np.isfinite(segment) else 0
    if wanted < 2:
        raise SignalError(
            f"a segment must have at least 2 samples of {interval:g} ms, found {segment!r} ms"
        )
    if wanted > there:
        raise SignalError(
            f"the signals are shorter than a segment: {there * interval:g} ms in {there} samples, "
            f"of which a segment of {segment:g} ms needs {wanted}; segment=... makes it shorter"
        )
    if not 0 <= overlap < 1:
        raise SignalError(f"overlap must lie between 0 and less than 1, found {overlap!r}")
    if not isinstance(detrend, str | bool) or detrend not in ("constant", "linear", False):
        raise SignalError(f"detrend must be 'constant', 'linear' or False, found {detrend!r}")
    shared = min(round(overlap * wanted), wanted - 1)
    return {"nperseg": wanted, "noverlap": shared, "detrend": detrend}


def _number(value: float, what: str) -> float:
    with contextlib.suppress(TypeError, ValueError, OverflowError):
        if not isinstance(value, str | bytes | bool):
            return float(value)
    raise SignalError(f"{what} must be a number, found {value!r}")


def _squared(unit: str) -> str:
    """ "nA² µm²" of "nA µm"."""
    symbol = r"[^\W\d_]+"
    if unit == "1":
        return unit
    if re.fullmatch(rf"{symbol}([ /*·]{symbol})*", unit):
        return re.sub(f"({symbol})", r"\1²", unit)
    return f"({unit})²"
