"""Signals in the terms of Neurodata Without Borders."""

from __future__ import annotations

import json
import uuid
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from ..extras import require
from ..kernels.names import AXES, channel_dim
from .layout import ascii_unit, checked, pathways, sampling_interval

if TYPE_CHECKING:
    import pynwb

_VOLTS = {"V": 1.0, "mV": 1e-3, "uV": 1e-6, "nV": 1e-9}


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
        `ElectricalSeries` in a container ``LFP``, with their contacts as electrodes, whose
        positions are ``rel_x``, ``rel_y``, ``rel_z`` (µm); all else as `TimeSeries`. Contributions
        that are kept apart are series of their own, such as ``LFP_from_E_to_I``. ``notes`` has the
        dataset's attributes as JSON: the kernels' fingerprint and provenance, NEST's version.

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
        notes=json.dumps(dataset.attrs, default=_plain, ensure_ascii=False),
    )
    module = nwb.create_processing_module("ecephys", "Signals that nestlfp computed from spikes")
    volts_of = {
        name: _VOLTS.get(ascii_unit(array.attrs["units"]))
        for name, array in dataset.data_vars.items()
    }
    potentials: Any = None
    if any(volts_of.values()):
        # A signal that is no potential may have the container's name.
        taken = "LFP" in volts_of and volts_of["LFP"] is None
        potentials = pynwb.ecephys.LFP(name="potentials" if taken else "LFP")
        module.add(potentials)
    for name, array in dataset.data_vars.items():
        volts = volts_of[name]
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
                potentials.add_electrical_series(
                    kind(electrodes=electrodes, conversion=volts, **series)
                )
    return nwb


def _plain(value: Any) -> Any:
    """An attribute in terms of JSON."""
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else str(value)


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
