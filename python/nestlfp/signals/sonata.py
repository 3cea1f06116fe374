"""Signals as SONATA's extracellular report, which bmtk and other tools of SONATA read."""

from __future__ import annotations

import io
import math
import os
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from ..errors import SignalError
from ..kernels.files import brief, checked_path, write_hdf5
from ..kernels.names import AXES, channel_dim
from .layout import checked, sampling_interval

_MAGIC, _VERSION = np.uint32(0x0A7A), np.array([0, 1], np.uint32)


def to_sonata(
    dataset: xr.Dataset,
    path: str | os.PathLike[str],
    *,
    signal: str | None = None,
    electrodes: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
) -> None:
    """Write a signal as SONATA's extracellular report, such as bmtk's ``ecp.h5``.

    Parameters
    ----------
    dataset : xarray.Dataset
        Signals, as `FieldRecorder.signals` and `KernelSet.convolve` return them.
    path : path
        The file, mostly ``ecp.h5``. It has ``/ecp/data`` of shape (sample, channel), as bmtk
        writes it, with the signal's unit; ``/ecp/channel_id``, which counts the channels from 0;
        and ``/ecp/time``: start, stop and step in ms, where stop is one step after the last sample.
    signal : str, optional
        Which of the signals. Default: the only one.
    electrodes : path, optional
        Write the positions of the contacts (µm) to this table as well. The format has no place for
        them; bmtk keeps them in such a table, ``electrode_positions`` in its configuration, with
        the columns ``channel``, ``x_pos``, ``y_pos`` and ``z_pos``.
    overwrite : bool
        Replace existing files.

    Raises
    ------
    SignalError
        If a file exists already or cannot be written; if there are several signals and none is
        chosen; if contributions are kept apart; if samples are not equally spaced; if positions
        are asked for and are not known.

    Examples
    --------
    >>> nestlfp.signals.to_sonata(recorder.signals(), "ecp.h5")  # doctest: +SKIP
    """
    target = checked_path(path, SignalError)
    array = one_signal(dataset, signal)
    step = sampling_interval(dataset)
    start, n = float(dataset["time"].values[0]), dataset.sizes["time"]
    table = None if electrodes is None else checked_path(electrodes, SignalError)
    positions = None if table is None else contact_table(array)
    for place in (target, table):
        if place is not None and place.exists() and not overwrite:
            raise SignalError(f"{str(place)!r} exists: choose another name, or say overwrite=True")

    def write(file: io.FileIO) -> None:
        import h5py

        with h5py.File(file, "w") as opened:
            opened.attrs.update({"magic": _MAGIC, "version": _VERSION})
            ecp = opened.create_group("ecp")
            ecp.create_dataset("data", data=array.values.T)
            ecp["data"].attrs["units"] = array.attrs["units"]
            ecp.create_dataset("time", data=[start, _stop(start, step, n), step])
            ecp["time"].attrs["units"] = "ms"
            ecp.create_dataset("channel_id", data=np.arange(array.shape[0]))

    try:
        write_hdf5(target, write)
        if positions is not None:
            positions.to_csv(table, sep=" ", index=False)
    except OSError as error:
        raise SignalError(f"cannot write signals to {str(target)!r}: {brief(error)}") from error


def one_signal(dataset: xr.Dataset, signal: str | None) -> xr.DataArray:
    """The array (channel, time) that a report can hold, or a `SignalError`."""
    checked(dataset)
    names = [str(name) for name in dataset.data_vars]
    if signal is None and len(names) > 1:
        raise SignalError(
            f"a file of SONATA holds one signal, and there are {names}: choose one, such as "
            f"signal={names[0]!r}"
        )
    name = names[0] if signal is None else signal
    if name not in names:
        raise SignalError(f"there is no signal {name!r}: there are {names}")
    array = dataset[name]
    if apart := list(array.dims[:-2]):
        raise SignalError(
            f"a file of SONATA holds one signal, and {name!r} is kept apart by {apart}: choose "
            f"one contribution, signals.sel({apart[0]}={str(array[apart[0]].values[0])!r}), or add "
            f"them, signals.sum({apart!r}, keep_attrs=True)"
        )
    return array


def contact_table(array: xr.DataArray) -> pd.DataFrame:
    """Positions of the contacts as bmtk's table has them, or a `SignalError`."""
    missing = [axis for axis in AXES if f"{array.name}_{axis}" not in array.coords]
    if missing:
        raise SignalError(
            f"the positions of the contacts of {array.name!r} are not known, {missing[0]} is "
            "missing: leave out electrodes, or give positions with KernelSet.from_arrays(..., "
            "positions=...)"
        )
    count = array.sizes[channel_dim(str(array.name))]
    columns: dict[str, Any] = {"channel": np.arange(count)}
    columns |= {f"{axis}_pos": array[f"{array.name}_{axis}"].values for axis in AXES}
    return pd.DataFrame(columns)


def _stop(start: float, step: float, n: int) -> float:
    """Where ``numpy.arange(start, stop, step)``, by which readers make the times, has n of them."""
    stop = start + n * step
    while math.ceil((stop - start) / step) > n:  # a rounding error beyond the next sample
        stop = math.nextafter(stop, start)
    return stop
