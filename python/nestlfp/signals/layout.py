"""The layout of signals: dimensions, coordinates and attributes.

A set of signals is a plain `xarray.Dataset` with one variable per signal, of dimensions
``([post,] [pre,] <signal>_channel, time)``, its unit in the attribute ``units``, contact
positions as coordinates ``<signal>_x``, ``_y``, ``_z`` (µm) and ``time`` in ms.
"""

from __future__ import annotations

from collections.abc import Iterator
from numbers import Real

import numpy as np
import xarray as xr

from .._types import Floats
from ..errors import SignalError
from ..kernels.names import AXES, channel_dim, check_labels, check_signal_names

FORMAT = "nestlfp-signals-1"
PATHWAY_DIMS = ("post", "pre")


def checked(dataset: xr.Dataset) -> xr.Dataset:
    """`dataset` if it has the layout of signals.

    Raises
    ------
    SignalError
        If names, dimensions, units, positions or times are missing or wrong.
    """
    if not isinstance(dataset, xr.Dataset):
        raise SignalError(
            "signals must be an xarray.Dataset, as recorder.signals() and KernelSet.convolve "
            f"return, found {type(dataset).__name__}"
        )
    if not dataset.data_vars:
        raise SignalError("no signals in the dataset")
    check_signal_names(dataset.data_vars, SignalError)
    _check_time(dataset)
    for name, array in dataset.data_vars.items():
        last = (channel_dim(str(name)), "time")
        if array.dims[-2:] != last or not set(array.dims[:-2]) <= set(PATHWAY_DIMS):
            raise SignalError(
                f"signal {name!r} must have dimensions ([post,] [pre,] {last[0]}, time), "
                f"found {array.dims}"
            )
        if last[0] in dataset.coords and dataset[last[0]].dims != last[:1]:
            raise SignalError(
                f"the coordinate {last[0]!r} must lie along the dimension of its name, found "
                f"{dataset[last[0]].dims}"
            )
        if not isinstance(array.attrs.get("units"), str):
            raise SignalError(
                f"signal {name!r} has no unit: its attribute 'units' must be text such as 'mV', "
                f"found {array.attrs.get('units')!r}"
            )
        if array.dtype.kind not in "fiu":
            raise SignalError(f"signal {name!r} must hold real numbers, found {array.dtype}")
        for dim in array.dims[:-1]:
            if dim in array.coords:
                check_labels(array[dim].values, f"{dim!r}", SignalError)
        for axis in AXES:
            position = array.coords.get(f"{name}_{axis}", array["time"])
            if position.dtype.kind not in "fiu":
                raise SignalError(
                    f"the coordinate '{name}_{axis}' must be in µm, found {position.dtype}"
                )
    return dataset


def _check_time(dataset: xr.Dataset) -> None:
    if "time" not in dataset.coords or dataset["time"].dims != ("time",):
        raise SignalError("signals need the coordinate 'time' in ms")
    for name, coordinate in dataset.coords.items():
        if name != "time" and "time" in coordinate.dims:
            raise SignalError(
                f"{name!r} varies with time, but is no signal: xarray makes a coordinate of what "
                "is named after a dimension; choose another name"
            )
    time = dataset["time"]
    if time.dtype.kind not in "fiu":
        raise SignalError(f"the coordinate 'time' must be in ms, found {time.dtype}")
    if not np.isfinite(time.values).all():
        raise SignalError("the coordinate 'time' has times that are not finite")
    interval = dataset.attrs.get("interval_ms", 1.0)
    if (
        isinstance(interval, bool)
        or not isinstance(interval, Real)
        or not 0 < float(interval) < np.inf
    ):
        raise SignalError(
            f"the attribute 'interval_ms' must be a positive number, found {interval!r}"
        )


def describe(dataset: xr.Dataset) -> str:
    """What is in the dataset, a line per signal."""
    time = checked(dataset)["time"].values
    span = f", {time[0]:g} … {time[-1]:g} ms" if time.size else ""
    lines = [f"Signals: {time.size} samples{span}"]
    for name, array in dataset.data_vars.items():
        unit = array.attrs["units"]
        line = f"  {name}: {array.sizes[channel_dim(str(name))]} channels, {unit}"
        if array.size:
            line += f"; largest s.d. {_largest_deviation(array):.3g} {unit}"
        apart = [f"{dim} {', '.join(map(str, array[dim].values))}" for dim in array.dims[:-2]]
        lines.append(line + "".join(f"; apart by {text}" for text in apart))
    return "\n".join(lines)


def _largest_deviation(array: xr.DataArray) -> float:
    """The largest standard deviation of a channel; of values, too, whose squares overflow."""
    peak = float(np.abs(array).max())
    scale = peak if 0 < peak < np.inf else 1.0
    with np.errstate(invalid="ignore"):  # of values that are not finite
        return scale * float((array / scale).std("time").max())


def pathways(array: xr.DataArray) -> Iterator[tuple[dict[str, str], xr.DataArray]]:
    """Each contribution that is kept apart: its populations and its (channel, time) array.

    A signal summed over all populations gives one, with no populations named.
    """
    dims = array.dims[:-2]
    for index in np.ndindex(*(array.sizes[dim] for dim in dims)):
        part = array[index]
        yield {str(dim): str(part[dim].item()) for dim in dims}, part


def added_up(array: xr.DataArray) -> xr.DataArray:
    """A signal (channel, time), summed over the populations that are kept apart."""
    return array.sum([*array.dims[:-2]], skipna=False, keep_attrs=True)


def sampling_interval(dataset: xr.Dataset | xr.DataArray) -> float:
    """Distance of two samples (ms), or a `SignalError` where it is not the same everywhere."""
    time = dataset["time"].values
    if time.size < 2:
        if time.size == 1 and "interval_ms" in dataset.attrs:
            return float(dataset.attrs["interval_ms"])
        raise SignalError(f"{time.size} samples have no sampling rate: at least 2 are needed")
    interval = float(f"{(time[-1] - time[0]) / (time.size - 1):.12g}")
    if not interval > 0 or np.any(np.abs(np.diff(time) - interval) > 1e-3 * interval):
        raise SignalError("the samples are not equally spaced in time")
    return interval


def vectors(array: xr.DataArray, name: str) -> Floats:
    """The coordinates ``<name>_x``, ``_y``, ``_z`` of a signal's channels, shape (channel, 3).

    With the signal's own name these are positions (µm). What is not known is NaN.
    """
    unknown = np.full(array.shape[-2], np.nan)
    found: Floats = np.transpose([array.coords.get(f"{name}_{axis}", unknown) for axis in AXES])
    return found.astype(float)


def with_text_as_str(dataset: xr.Dataset) -> xr.Dataset:
    """The dataset with labels as ``str``, NumPy's text of fixed width, which all files keep."""
    text = {
        name: (values.dims, np.array(values.values.tolist(), dtype=str), values.attrs)
        for name, values in dataset.coords.items()
        if values.dtype.kind in "TO"
    }
    return dataset.assign_coords(text)
