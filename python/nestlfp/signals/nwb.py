"""Signals in the terms of Neurodata Without Borders."""

from __future__ import annotations

import io
import json
import uuid
import warnings
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import xarray as xr

from .._types import Floats
from ..errors import SignalError
from ..extras import require
from ..kernels.files import brief, check_seal, write_hdf5
from ..kernels.names import AXES, channel_dim
from ..units import TESLA, VOLTS, ascii_unit
from .layout import (
    FORMAT,
    checked,
    pathways,
    sampling_interval,
    vectors,
)

if TYPE_CHECKING:
    import pynwb

SUFFIX = ".nwb"
_MODULE = "ecephys"
_LAYOUT = "nestlfp_layout"
"""In the notes of a file, all of the dataset but its values and times, which the series have."""


def to_nwb(
    dataset: xr.Dataset,
    *,
    session_description: str = "Signals that nestlfp computed from spikes",
    identifier: str | None = None,
    session_start_time: datetime | None = None,
    subject: pynwb.file.Subject | None = None,
) -> pynwb.NWBFile:
    """Signals as a file of Neurodata Without Borders, in memory, for more to be added to it.

    `save` writes such a file if the path ends in ``.nwb``.

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
    subject : pynwb.file.Subject, optional
        Whose brain the network stands for. DANDI, and nwbinspector, want one.

    Returns
    -------
    pynwb.NWBFile
        In the processing module ``ecephys``: potentials (unit V, mV, µV or nV) as
        `ElectricalSeries`, with their contacts as electrodes of a device; all else as `TimeSeries`,
        magnetic flux densities in T. Signals whose name starts with LFP are in a container ``LFP``.
        Contributions that are kept apart are series of their own, such as ``LFP_from_E_to_I``.

        Electrodes have the label of the channel, ``channel_name``, and positions (µm). ``rel_x``,
        ``rel_y``, ``rel_z`` are x, y and z. Of a flat probe, whose contacts have one y, they are x,
        z and y: SpikeInterface and others look for the contacts in the plane of the first two.
        Channels of other signals that have positions are in a table, such as ``CSD_channel``.
        ``notes`` has the dataset's attributes as JSON: the kernels' fingerprint and provenance,
        NEST's version; and its layout, by which `load` reads the file.

    Raises
    ------
    MissingExtraError
        If pynwb is not installed.
    SignalError
        If samples are not equally spaced, or the subject is none of pynwb's.
    """
    pynwb = require("pynwb", "nwb")
    if not isinstance(subject, pynwb.file.Subject | None):
        raise SignalError(
            f"subject must be a pynwb.file.Subject, found {type(subject).__name__}: "
            "to_nwb(signals, subject=pynwb.file.Subject(subject_id='1', species='Mus musculus'))"
        )
    time = checked(dataset)["time"].values
    clock = {
        "rate": 1000.0 / sampling_interval(dataset),
        "starting_time": float(time[0]) / 1000.0,
    }
    layout = dataset.isel(time=slice(0)).assign_attrs(format=FORMAT).to_dict()
    notes = {**dataset.attrs, _LAYOUT: layout}
    nwb = pynwb.NWBFile(
        session_description=session_description,
        identifier=identifier or str(uuid.uuid4()),
        session_start_time=session_start_time or datetime.now(timezone.utc),
        notes=json.dumps(notes, default=_plain, ensure_ascii=False),
        subject=subject,
    )
    module = nwb.create_processing_module(_MODULE, "Signals that nestlfp computed from spikes")
    lfp: Any = None
    for name, array in dataset.data_vars.items():
        unit = array.attrs["units"]
        volts, tesla = (family.get(ascii_unit(unit)) for family in (VOLTS, TESLA))
        add, options = module.add, {"unit": unit}
        if volts is not None:
            options = {"electrodes": _electrodes(nwb, str(name), array), "conversion": volts}
        elif f"{name}_x" in array.coords:
            module.add(_channel_table(str(name), array))
        if tesla is not None:
            options = {"unit": "T", "conversion": tesla}
        if volts is not None and str(name).upper().startswith("LFP"):  # which an EEG is not
            if lfp is None:
                # A signal that is no potential may have the container's name.
                taken = "LFP" in dataset and ascii_unit(dataset["LFP"].attrs["units"]) not in VOLTS
                lfp = pynwb.ecephys.LFP(name="potentials" if taken else "LFP")
                module.add(lfp)
            add = lfp.add_electrical_series
        kind = pynwb.TimeSeries if volts is None else pynwb.ecephys.ElectricalSeries
        for populations, part in pathways(array):
            series = kind(
                name=_series_name(str(name), populations),
                description=_series_description(str(name), populations, part),
                data=part.values.T,
                **clock,
                **options,
            )
            add(series)
    return nwb


# ---------------------------------------------------------------------- files
def write_nwb(dataset: xr.Dataset, target: Path) -> None:
    """Write signals to an NWB file; an existing one is replaced whole."""
    pynwb = require("pynwb", "nwb")
    import h5py

    content = to_nwb(dataset)

    def write(file: io.FileIO) -> None:
        with h5py.File(file, "w") as opened, warnings.catch_warnings():
            # An older pynwb wants the file's name to end in .nwb, and sees none.
            warnings.filterwarnings("ignore", message="The file path provided: None")
            with pynwb.NWBHDF5IO(file=opened, mode="w") as nwb:
                nwb.write(content)

    write_hdf5(target, write)


def read_nwb(path: Path) -> xr.Dataset:
    """The signals of a file that `to_nwb` made; of another NWB file a dataset without anything.

    Raises
    ------
    SignalError
        If it is no NWB file or damaged, or lacks a signal that its notes tell of.
    """
    pynwb = require("pynwb", "nwb")
    check_seal(path, SignalError)
    try:
        with pynwb.NWBHDF5IO(str(path), "r") as file:
            content = file.read()
            layout = _layout(content.notes)
            return xr.Dataset() if layout is None else _filled(layout, content)
    except Exception as error:  # h5py, hdmf and pynwb raise many kinds
        raise SignalError(f"{str(path)!r} cannot be read as an NWB file: {brief(error)}") from error


def _layout(notes: str | None) -> xr.Dataset | None:
    """The dataset without samples that the notes of a file tell of, if they do."""
    try:
        found = json.loads(notes or "{}")
    except ValueError:  # of another program
        return None
    ours = isinstance(found, dict) and _LAYOUT in found
    return xr.Dataset.from_dict(found[_LAYOUT]) if ours else None


def _filled(layout: xr.Dataset, nwb: pynwb.NWBFile) -> xr.Dataset:
    """The dataset of this layout with the values and times of a file."""
    there = dict(_series(nwb.processing[_MODULE].data_interfaces))
    variables, times = {}, np.empty(0)
    for name, array in layout.data_vars.items():
        parts = []
        for populations, _ in pathways(array):
            series = there[_series_name(str(name), populations)]
            parts.append(series.data[:].T)
            times = _times(series)
        shape = (*array.shape[:-1], times.size)
        variables[name] = (array.dims, np.reshape(parts, shape), array.attrs)
    coords = layout.coords.to_dataset().drop_vars("time").coords
    time = ("time", times, layout["time"].attrs)
    return xr.Dataset(variables, {**coords, "time": time}, layout.attrs)


def _series(containers: Any) -> Iterator[tuple[str, Any]]:
    """Names and series of a processing module, also of those in the container of LFPs."""
    for name, found in containers.items():
        inner = getattr(found, "electrical_series", None)
        yield from [(name, found)] if inner is None else inner.items()


def _times(series: Any) -> Floats:
    """Times (ms) of a series, to the last digit where they are multiples of their distance."""
    interval = float(f"{1000.0 / series.rate:.12g}")
    first = series.starting_time * 1000.0 / interval
    if abs(round(first) - first) < 1e-6:
        first = round(first)
    times: Floats = (first + np.arange(series.data.shape[0])) * interval
    return times


# ---------------------------------------------------------------------- series
def _plain(value: Any) -> Any:
    """An attribute in terms of JSON."""
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else str(value)


def _electrodes(nwb: pynwb.NWBFile, name: str, array: xr.DataArray) -> Any:
    """The signal's contacts as rows of the file's table of electrodes."""
    device = nwb.devices.get("nestlfp") or nwb.create_device("nestlfp", "simulated contacts")
    group = nwb.create_electrode_group(name, f"contacts of {name}", "simulated", device)
    if nwb.electrodes is None:
        nwb.add_electrode_column("channel_name", "label of the channel")
    before = len(nwb.electrodes)
    labels, places = _labels(name, array), vectors(array, name)
    if len(np.unique(places[:, 1])) == 1:  # a flat probe
        places = places[:, [0, 2, 1]]
    for label, (x, y, z) in zip(labels, places, strict=True):
        nwb.add_electrode(
            rel_x=x, rel_y=y, rel_z=z, location="simulated", group=group, channel_name=label
        )
    return nwb.create_electrode_table_region(
        list(range(before, before + len(labels))), f"contacts of {name}"
    )


def _channel_table(name: str, array: xr.DataArray) -> Any:
    """Labels and positions of the channels of what is no potential."""
    places = dict(zip(AXES, vectors(array, name).T, strict=True))
    texts = {"channel_name": "label of the channel"} | {axis: f"{axis} (µm)" for axis in AXES}
    return require("pynwb.core", "nwb").DynamicTable.from_dataframe(
        pd.DataFrame({"channel_name": _labels(name, array), **places}),
        name=channel_dim(name),
        table_description=f"channels of {name}",
        columns=[{"name": key, "description": text} for key, text in texts.items()],
    )


def _labels(name: str, array: xr.DataArray) -> list[str]:
    return [str(label) for label in array[channel_dim(name)].values]


def _series_name(name: str, populations: dict[str, str]) -> str:
    """A name for NWB, which forbids "/" and ":"; different populations give different names."""
    pre = f"_from_{populations['pre']}" if "pre" in populations else ""
    post = f"_to_{populations['post']}" if "post" in populations else ""
    escaped = (pre + post).replace("%", "%25").replace("/", "%2F").replace(":", "%3A")
    return name + escaped


def _series_description(name: str, populations: dict[str, str], part: xr.DataArray) -> str:
    channels = ", ".join(_labels(name, part))
    words = {"pre": "presynaptic", "post": "postsynaptic"}
    apart = [f"; {words[dim]} population {population}" for dim, population in populations.items()]
    return f"{name}{''.join(apart)}; channels: {channels}"
