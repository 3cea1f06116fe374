"""Signals: what a recorder or an offline convolution returned, kept in files and handed on.

A set of signals is a plain `xarray.Dataset` with one variable per signal, of dimensions
``([post,] [pre,] <signal>_channel, time)``, its unit in the attribute ``units``, contact
positions as coordinates ``<signal>_x``, ``_y``, ``_z`` (µm) and ``time`` in ms.
"""

from __future__ import annotations

import os
import re
import shutil
import uuid
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from ..errors import SignalError
from ..extras import require
from ..kernels import AXES, channel_dim

if TYPE_CHECKING:
    import neo
    import pynwb

FORMAT = "nestlfp-signals-1"
PATHWAY_DIMS = ("post", "pre")
_PREFIXES = {"f": 1e-15, "p": 1e-12, "n": 1e-9, "u": 1e-6, "m": 1e-3, "k": 1e3}


# ---------------------------------------------------------------------- what signals look like
def checked(dataset: xr.Dataset) -> xr.Dataset:
    """`dataset` if it has the layout of signals.

    Raises
    ------
    SignalError
        If dimensions, units or times are missing or wrong.
    """
    if not isinstance(dataset, xr.Dataset):
        raise SignalError(
            "signals must be an xarray.Dataset, as recorder.signals() and KernelSet.convolve "
            f"return, found {type(dataset).__name__}"
        )
    if not dataset.data_vars:
        raise SignalError("no signals in the dataset")
    if "time" not in dataset.coords:
        raise SignalError("signals need the coordinate 'time' in ms")
    for name, array in dataset.data_vars.items():
        last = (channel_dim(str(name)), "time")
        if array.dims[-2:] != last or not set(array.dims[:-2]) <= set(PATHWAY_DIMS):
            raise SignalError(
                f"signal {name!r} must have dimensions ([post,] [pre,] {last[0]}, time), "
                f"found {array.dims}"
            )
        if not isinstance(array.attrs.get("units"), str):
            raise SignalError(f"signal {name!r} has no unit: set its attribute 'units'")
        if array.dtype.kind not in "fiu":
            raise SignalError(f"signal {name!r} must hold real numbers, found {array.dtype}")
    return dataset


def describe(dataset: xr.Dataset) -> str:
    """What is in the dataset, a line per signal."""
    time = checked(dataset)["time"].values
    span = f", {time[0]:g} … {time[-1]:g} ms" if time.size else ""
    lines = [f"Signals: {time.size} samples{span}"]
    for name, array in dataset.data_vars.items():
        unit = array.attrs["units"]
        line = f"  {name}: {array.sizes[channel_dim(str(name))]} channels, {unit}"
        if array.size:
            line += f"; largest s.d. {float(array.std('time').max()):.3g} {unit}"
        apart = [f"{dim} {', '.join(map(str, array[dim].values))}" for dim in array.dims[:-2]]
        lines.append(line + "".join(f"; apart by {text}" for text in apart))
    return "\n".join(lines)


def pathways(array: xr.DataArray) -> Iterator[tuple[dict[str, str], xr.DataArray]]:
    """Each contribution that is kept apart: its populations and its (channel, time) array.

    A signal summed over all populations gives one, with no populations named.
    """
    dims = array.dims[:-2]
    for index in np.ndindex(*(array.sizes[dim] for dim in dims)):
        part = array[index]
        yield {str(dim): str(part[dim].item()) for dim in dims}, part


def sampling_interval(dataset: xr.Dataset) -> float:
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


# ---------------------------------------------------------------------- files
def save(dataset: xr.Dataset, path: str | os.PathLike[str]) -> None:
    """Write signals to a netCDF-4 file, or to a Zarr folder where the path ends in ``.zarr``.

    Parameters
    ----------
    dataset : xarray.Dataset
        Signals, as `FieldRecorder.signals` and `KernelSet.convolve` return them.
    path : path
        An existing file, or an existing Zarr folder, is replaced whole once the new one is
        complete.

    Raises
    ------
    SignalError
        If the dataset does not have the layout of signals, or cannot be written.
    MissingExtraError
        If the path ends in ``.zarr`` and zarr is not installed.
    """
    target = Path(path)
    partial = target.with_name(f".{target.name}.{os.getpid()}.part")
    ready = checked(dataset).assign_attrs(format=FORMAT).drop_encoding()
    write = _write_zarr if target.suffix == ".zarr" else _write_netcdf
    try:
        write(ready, partial, target)
    except (OSError, TypeError) as error:  # TypeError: an attribute that no file can hold
        raise SignalError(f"cannot write signals to {str(target)!r}: {error}") from error
    finally:
        _remove(partial)


def load(path: str | os.PathLike[str]) -> xr.Dataset:
    """Read what `save` wrote.

    A netCDF file is read whole; values in a Zarr folder are read when they are used.

    Raises
    ------
    SignalError
        If there is no such file, or it is no file of signals.
    """
    dataset = _open(path)
    found = dataset.attrs.get("format")
    if found != FORMAT:
        dataset.close()
        raise SignalError(
            f"{os.fspath(path)!r} is no signals file of nestlfp: its attribute 'format' is "
            f"{found!r}, expected {FORMAT!r}; signals are written by nestlfp.signals.save"
        )
    if not _is_zarr(path):
        with dataset:
            dataset.load()
    return checked(_with_text_as(str, dataset))


def file_format(path: str | os.PathLike[str]) -> str | None:
    """What kind of file this says it is: its attribute ``format``, such as `FORMAT`.

    Raises
    ------
    SignalError
        If there is no such file, or it is neither a netCDF-4 file nor a Zarr folder.
    """
    with _open(path) as dataset:
        found = dataset.attrs.get("format")
    return None if found is None else str(found)


def _is_zarr(path: str | os.PathLike[str]) -> bool:
    return Path(path).suffix == ".zarr"


def _open(path: str | os.PathLike[str]) -> xr.Dataset:
    name = os.fspath(path)
    if not os.path.exists(name):
        raise SignalError(f"no file {name!r}")
    if os.path.isdir(name) != _is_zarr(name):
        raise SignalError(f"{name!r} is neither a netCDF-4 file nor a folder that ends in '.zarr'")
    if _is_zarr(name):
        require("zarr", "stream")
        options: dict[str, Any] = {"engine": "zarr", "consolidated": False, "chunks": None}
    else:
        options = {"engine": "h5netcdf"}
    try:
        return xr.open_dataset(name, **options)
    except Exception as error:  # h5py, zarr and xarray raise many kinds on a broken file
        kind = "Zarr folder" if _is_zarr(name) else "netCDF-4 file"
        raise SignalError(f"{name!r} cannot be read as a {kind}: {error}") from error


def _write_netcdf(dataset: xr.Dataset, partial: Path, target: Path) -> None:
    dataset.to_netcdf(partial, engine="h5netcdf")
    os.replace(partial, target)


def _write_zarr(dataset: xr.Dataset, partial: Path, target: Path) -> None:
    require("zarr", "stream")
    # Never delete what is no Zarr folder, whatever its name.
    if target.exists() and not any((target / f).is_file() for f in ("zarr.json", ".zgroup")):
        raise FileExistsError("it exists and is no Zarr folder")
    if not target.parent.is_dir():
        raise FileNotFoundError(f"no folder {str(target.parent)!r}")
    # Zarr has no specification of text of fixed width, only of text.
    _with_text_as(object, dataset).to_zarr(partial, mode="w", consolidated=False)
    _remove(target)
    os.replace(partial, target)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _with_text_as(dtype: type, dataset: xr.Dataset) -> xr.Dataset:
    """The dataset with names as ``str`` (NumPy's text of fixed width) or as ``object``."""
    text: dict[Any, Any] = {
        name: (values.dims, np.array(values.values.tolist(), dtype=dtype), values.attrs)
        for name, values in dataset.coords.items()
        if values.dtype.kind in "UTO"
    }
    return dataset.assign_coords(text)


# ---------------------------------------------------------------------- Neo
def to_neo(dataset: xr.Dataset) -> neo.Block:
    """Signals as Neo objects, for Elephant and for Neo's file formats.

    Parameters
    ----------
    dataset : xarray.Dataset
        Signals, as `FieldRecorder.signals` and `KernelSet.convolve` return them.

    Returns
    -------
    neo.Block
        One segment with one `neo.AnalogSignal` per signal. Columns are the channels, one set of
        channels after another for contributions that are kept apart. Array annotations:
        ``channel``, contact positions ``x``, ``y``, ``z`` (µm), and ``post`` and ``pre`` where
        these are kept apart.

    Raises
    ------
    MissingExtraError
        If neo is not installed.
    SignalError
        If samples are not equally spaced, or a unit is not known to `quantities`.
    """
    neo = require("neo", "neo")
    pq = require("quantities", "neo")
    time = checked(dataset)["time"].values
    interval = sampling_interval(dataset)
    segment = neo.Segment(name="nestlfp")
    for name, array in dataset.data_vars.items():
        parts = list(pathways(array))
        segment.analogsignals.append(
            neo.AnalogSignal(
                np.concatenate([part.values for _, part in parts]).T,
                units=_quantity(array.attrs["units"], pq),
                sampling_rate=1000.0 / interval * pq.Hz,
                t_start=float(time[0]) * pq.ms,
                name=str(name),
                array_annotations=_array_annotations(str(name), parts, pq),
            )
        )
    block = neo.Block(name="nestlfp")
    block.segments.append(segment)
    return block


def _array_annotations(
    name: str, parts: list[tuple[dict[str, str], xr.DataArray]], pq: Any
) -> dict[str, Any]:
    first = parts[0][1]
    labels = [str(label) for label in first[channel_dim(name)].values]
    found: dict[str, Any] = {"channel": np.array(labels * len(parts))}
    for axis in AXES:
        if f"{name}_{axis}" in first.coords:
            found[axis] = np.tile(first[f"{name}_{axis}"].values, len(parts)) * pq.um
    for dim in first.coords.keys() & set(PATHWAY_DIMS):
        found[str(dim)] = np.repeat(
            [populations[str(dim)] for populations, _ in parts], len(labels)
        )
    return found


def _quantity(unit: str, pq: Any) -> Any:
    """A unit such as ``"nA µm"`` or ``"V/m"`` in the terms of `quantities`.

    `quantities` evaluates a text as Python; a unit is data, so its factors are looked up.
    """
    result = pq.dimensionless
    for sign, symbol, power in re.findall(r"([/*·\s]*)([^\W\d]+)\^?(-?\d+)?|\S", _ascii(unit)):
        factor = _unit_factor(symbol, pq)
        if factor is None:
            raise SignalError(f"quantities knows no unit {unit!r}: Neo needs one it knows")
        exponent = int(power or 1) * (-1 if "/" in sign else 1)
        result = result * factor**exponent
    return result


def _ascii(unit: str) -> str:
    return unit.replace("µ", "u").replace("μ", "u")


def _unit_factor(symbol: str, pq: Any) -> Any:
    """The unit of this symbol, with an SI prefix that `quantities` may not have, or None."""
    found = getattr(pq, symbol, None)
    if isinstance(found, pq.UnitQuantity):
        return found
    base = getattr(pq, symbol[1:], None) if symbol else None
    if isinstance(base, pq.UnitQuantity) and symbol[0] in _PREFIXES:
        return pq.UnitQuantity(symbol, _PREFIXES[symbol[0]] * base, symbol=symbol)
    return None


# ---------------------------------------------------------------------- NWB
def to_nwb(
    dataset: xr.Dataset,
    *,
    session_description: str = "Signals simulated with NEST and nestlfp",
    identifier: str | None = None,
    session_start_time: datetime | None = None,
) -> pynwb.NWBFile:
    """Signals as a file of Neurodata Without Borders, in memory; write it with `pynwb.NWBHDF5IO`.

    Parameters
    ----------
    dataset : xarray.Dataset
        Signals, as `FieldRecorder.signals` and `KernelSet.convolve` return them.
    session_description : str, optional
        What was simulated.
    identifier : str, optional
        Unique name of the file. Default: a random one.
    session_start_time : datetime, optional
        What time 0 of the simulation stands for; NWB wants one. Default: now.

    Returns
    -------
    pynwb.NWBFile
        In the processing module ``ecephys``: potentials (unit V, mV, µV or nV) as
        `ElectricalSeries` with their contacts as electrodes, whose positions are ``rel_x``,
        ``rel_y``, ``rel_z`` (µm); all else as `TimeSeries`. Contributions that are kept apart are
        series of their own, such as ``LFP_from_E_to_I``.

    Raises
    ------
    MissingExtraError
        If pynwb is not installed.
    SignalError
        If samples are not equally spaced.
    """
    pynwb = require("pynwb", "nwb")
    time = checked(dataset)["time"].values
    clock = {
        "rate": 1000.0 / sampling_interval(dataset),
        "starting_time": float(time[0]) / 1000.0,
    }
    nwb = pynwb.NWBFile(
        session_description=session_description,
        identifier=identifier or str(uuid.uuid4()),
        session_start_time=session_start_time or datetime.now(timezone.utc),
    )
    module = nwb.create_processing_module("ecephys", "Signals that nestlfp computed from spikes")
    for name, array in dataset.data_vars.items():
        volts = {"V": 1.0, "mV": 1e-3, "uV": 1e-6, "nV": 1e-9}.get(_ascii(array.attrs["units"]))
        electrodes = None if volts is None else _electrodes(nwb, str(name), array)
        for populations, part in pathways(array):
            series = {
                "name": _series_name(str(name), populations),
                "description": _series_description(str(name), populations, part),
                "data": part.values.T,
                **clock,
            }
            if electrodes is None:
                module.add(pynwb.TimeSeries(unit=array.attrs["units"], **series))
            else:
                kind = pynwb.ecephys.ElectricalSeries
                module.add(kind(electrodes=electrodes, conversion=volts, **series))
    return nwb


def _electrodes(nwb: pynwb.NWBFile, name: str, array: xr.DataArray) -> Any:
    """The signal's contacts as rows of the file's table of electrodes."""
    device = nwb.devices.get("nestlfp") or nwb.create_device("nestlfp", "simulated contacts")
    group = nwb.create_electrode_group(name, f"contacts of {name}", "simulated", device)
    before = 0 if nwb.electrodes is None else len(nwb.electrodes)
    count = array.sizes[channel_dim(name)]
    unknown = np.full(count, np.nan)
    positions = np.transpose([array.coords.get(f"{name}_{axis}", unknown) for axis in AXES])
    for x, y, z in positions.astype(float):
        nwb.add_electrode(rel_x=x, rel_y=y, rel_z=z, location="simulated", group=group)
    return nwb.create_electrode_table_region(
        list(range(before, before + count)), f"contacts of {name}"
    )


def _series_name(name: str, populations: dict[str, str]) -> str:
    """A name for NWB, which forbids "/" and ":"; different populations give different names."""
    pre = f"_from_{populations['pre']}" if "pre" in populations else ""
    post = f"_to_{populations['post']}" if "post" in populations else ""
    escaped = (pre + post).replace("%", "%25").replace("/", "%2F").replace(":", "%3A")
    return name + escaped


def _series_description(name: str, populations: dict[str, str], part: xr.DataArray) -> str:
    channels = ", ".join(map(str, part[channel_dim(name)].values))
    words = {"pre": "presynaptic", "post": "postsynaptic"}
    apart = [f"; {words[dim]} population {population}" for dim, population in populations.items()]
    return f"{name}{''.join(apart)}; channels: {channels}"
