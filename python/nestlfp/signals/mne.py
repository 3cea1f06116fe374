"""Signals in the terms of MNE-Python: EEG, MEG and intracranial potentials."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from .._types import Floats
from ..errors import SignalError
from ..extras import require
from ..kernels.names import channel_dim
from ..kernels.projection import rotation_from_z
from ..units import TESLA, VOLTS, ascii_unit
from .layout import (
    PATHWAY_DIMS,
    checked,
    sampling_interval,
    vectors,
)

if TYPE_CHECKING:
    import mne

POTENTIALS = ("eeg", "ecog", "seeg", "dbs")
_FACTORS = {**dict.fromkeys(POTENTIALS, VOLTS), "mag": TESLA}
_AS_IT_IS = "misc"
_BETWEEN = 1e-3  # of a sampling interval, that the first sample may lie beside MNE's clock


def to_mne(dataset: xr.Dataset, *, types: Mapping[str, str] | None = None) -> mne.io.RawArray:
    """Signals as MNE's `Raw`, for its filters, epochs, maps of the scalp and files.

    Parameters
    ----------
    dataset : xarray.Dataset
        Signals, as `FieldRecorder.signals` and `KernelSet.convolve` return them.
    types : dict of str to str, optional
        MNE's type of a signal's channels: "eeg", "ecog", "seeg" or "dbs" of potentials, "mag" of
        magnetic flux densities, and "misc" of all, which keeps numbers in the unit that they have.
        Default: potentials are "eeg", those whose name starts with LFP "seeg" and with ECoG "ecog";
        what is in T, or fT and the like, is "mag".

    Returns
    -------
    mne.io.RawArray
        In V and T. Channels have their labels as names where these are text that no other channel
        has, such as "Cz", otherwise with the signal's name before: "LFP 3". Positions (m) are those
        of the signals, whose origin and axes MNE takes as those of its head: of potentials in the
        montage, of magnetometers in ``info["chs"][i]["loc"]``, with the direction that they
        measure if the signals tell it (`KernelSet.project`). ``first_time`` is the time of the
        first sample, where MNE's own clock, ``times``, starts at 0.

    Raises
    ------
    SignalError
        If samples are not equally spaced or not at multiples of their distance, contributions of
        populations are kept apart, or a signal's unit is not that of its type. Current dipole
        moments and source densities have no type but "misc".
    MissingExtraError
        If mne is not installed.

    Notes
    -----
    LFP contacts are given in the frame of the tissue, EEG and MEG in that of the head. Signals with
    both go into one `Raw`, but into one map only after the contacts have been moved, such as by
    ``signals.assign_coords(LFP_z=signals.LFP_z + 75e3)``.

    MNE's files have 4 bytes a number, unless ``raw.save("eeg_raw.fif", fmt="double")`` says else.

    Examples
    --------
    >>> import numpy as np, nestlfp
    >>> kernels = nestlfp.KernelSet.from_arrays(
    ...     {"EEG": np.array([[[[3.0], [-1.0]]]])}, pre=["E"], post=["E"], dt=1.0,
    ...     units={"EEG": "µV"}, channels={"EEG": ["Cz", "Oz"]},
    ... )
    >>> raw = nestlfp.signals.to_mne(kernels.convolve({"E": [2.0]}, duration=3.0))
    >>> raw.ch_names, raw.info["sfreq"], raw.first_time
    (['Cz', 'Oz'], 1000.0, 0.001)
    >>> raw.get_data("Cz", units="uV").round(9).tolist()
    [[0.0, 0.0, 3.0]]
    """
    time = checked(dataset)["time"].values
    interval = sampling_interval(dataset)
    given = types or {}
    _check(dataset, given)
    names = _channel_names(dataset)
    kinds, values = {}, []
    for name, array in dataset.data_vars.items():
        unit = array.attrs["units"]
        kinds[name] = given.get(str(name)) or _usual_type(str(name), unit)
        values.append(_factor(str(name), unit, kinds[name]) * array.values)
    first = _first_sample(float(time[0]), interval)
    mne = require("mne", "mne")
    info = mne.create_info(
        [channel for own in names.values() for channel in own],
        1000.0 / interval,
        [kinds[name] for name, own in names.items() for _ in own],
    )
    if "kernels" in dataset.attrs:  # their fingerprint
        info["description"] = f"nestlfp, kernels {dataset.attrs['kernels']}"
    raw = mne.io.RawArray(np.concatenate(values), info, first_samp=first, verbose="error")
    places = {name: vectors(array, str(name)) * 1e-6 for name, array in dataset.data_vars.items()}
    contacts = {
        channel: place
        for name, own in names.items()
        if kinds[name] in POTENTIALS
        for channel, place in zip(own, places[name], strict=True)
        if np.isfinite(place).all()
    }
    if contacts:
        montage = mne.channels.make_dig_montage(contacts, coord_frame="head")
        raw.set_montage(montage, on_missing="ignore", verbose="error")
    for name, own in names.items():
        if kinds[name] == "mag":
            normals = vectors(dataset[name], f"{name}_normal")
            _place_magnetometers(raw.info, own, places[name], normals)
    return raw


def _check(dataset: xr.Dataset, types: Mapping[str, str]) -> None:
    """Whether these are types of signals that MNE has a place for."""
    unknown = [name for name in types if name not in dataset.data_vars]
    if unknown:
        raise SignalError(f"types for unknown signals {unknown}: there are {[*dataset.data_vars]}")
    for name, array in dataset.data_vars.items():
        apart = [dim for dim in PATHWAY_DIMS if dim in array.dims]
        if apart:
            raise SignalError(
                f"{name!r} has contributions of populations, which MNE has no place for: add them "
                f"up, signals.sum({apart}, keep_attrs=True), or choose one, such as "
                f"signals.sel({apart[0]}={str(array[apart[0]].values[0])!r})"
            )


def _channel_names(dataset: xr.Dataset) -> dict[Any, list[str]]:
    """By signal: the labels, after the signal's name where they are numbers or another's too."""
    labels = {name: dataset[channel_dim(str(name))].values.tolist() for name in dataset.data_vars}
    every = [label for own in labels.values() for label in own]
    found = {}
    for name, own in labels.items():
        unique = all(isinstance(label, str) and every.count(label) == 1 for label in own)
        found[name] = own if unique else [f"{name} {label}" for label in own]
    return found


def _usual_type(name: str, unit: str) -> str:
    if ascii_unit(unit) in TESLA:
        return "mag"
    for begins, kind in (("LFP", "seeg"), ("ECOG", "ecog")):
        if name.upper().startswith(begins):
            return kind
    return "eeg"


def _factor(name: str, unit: str, kind: str) -> float:
    """From the signal's unit to MNE's for channels of this type."""
    if kind == _AS_IT_IS:
        return 1.0
    if kind not in _FACTORS:
        raise SignalError(
            f"MNE's type of {name!r} must be one of {[*_FACTORS, _AS_IT_IS]}, found {kind!r}"
        )
    if ascii_unit(unit) in _FACTORS[kind]:
        return _FACTORS[kind][ascii_unit(unit)]
    hint = (
        "as a flux density it would be in T: kernels.project(..., unit='T')"
        if ascii_unit(unit) == "nA/um"
        else f"leave it out, signals.drop_vars({name!r})"
    )
    raise SignalError(
        f"{name!r} is in {unit}, and channels of MNE's type {kind!r} are in "
        f"{'T' if kind == 'mag' else 'V'}: {hint}, or keep its numbers as they are, "
        f"to_mne(signals, types={{{name!r}: {_AS_IT_IS!r}}})"
    )


def _first_sample(first: float, interval: float) -> int:
    """Number of the first sample on MNE's clock, which counts samples from time 0."""
    count = round(first / interval)
    if abs(first / interval - count) > _BETWEEN:
        raise SignalError(
            f"the first sample is at {first:g} ms, between the multiples of {interval:g} ms that "
            "MNE counts in: say what it is to be called, such as "
            f"signals.assign_coords(time=signals.time - {first - count * interval:g})"
        )
    return count


def _place_magnetometers(info: Any, channels: list[str], places: Floats, normals: Floats) -> None:
    """Points (m) that measure the field along their normals; MNE has the latter as their z axis."""
    constants = require("mne.io.constants", "mne").FIFF
    info["dev_head_t"] = require("mne", "mne").transforms.Transform("meg", "head")
    for name, place, normal in zip(channels, places, normals, strict=True):
        channel = info["chs"][info["ch_names"].index(name)]
        channel["coil_type"] = constants.FIFFV_COIL_POINT_MAGNETOMETER
        channel["loc"][:3] = place
        if np.isfinite(normal).all():
            channel["loc"][3:] = rotation_from_z(normal).T.ravel()
