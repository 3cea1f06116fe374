"""Signals as Neo objects."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from .._types import Floats
from ..errors import SignalError
from ..extras import require
from ..kernels.names import AXES, channel_dim
from ..units import ascii_unit
from .csd import contacts_in_line
from .layout import PATHWAY_DIMS, checked, pathways, sampling_interval, vectors

if TYPE_CHECKING:
    import neo

_PREFIXES = {"f": 1e-15, "p": 1e-12, "n": 1e-9, "u": 1e-6, "m": 1e-3, "k": 1e3}


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
        these are kept apart. Annotations of the block: the dataset's attributes, among them the
        kernels' fingerprint and provenance.

        Signals that are not kept apart have the annotation ``coordinates``, which
        ``elephant.current_source_density.estimate_csd`` looks for, shape (channel, dimension). Of
        three or more contacts in a line, at different depths, it is the distance (µm) along it,
        upwards, or downwards where the first channel is the highest; the first contact is as far
        from 0 as from the next. Of other contacts it has those of x, y and z that differ.

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
        where = _coordinates(str(name), array)
        segment.analogsignals.append(
            neo.AnalogSignal(
                np.concatenate([part.values for _, part in parts]).T,
                units=_quantity(array.attrs["units"], pq),
                sampling_rate=1000.0 / interval * pq.Hz,
                t_start=float(time[0]) * pq.ms,
                name=str(name),
                array_annotations=_array_annotations(str(name), parts, pq),
                **({} if where is None else {"coordinates": where * pq.um}),
            )
        )
    block = neo.Block(name="nestlfp")
    block.annotate(**{str(name): value for name, value in dataset.attrs.items()})
    block.segments.append(segment)
    return block


def _coordinates(name: str, array: xr.DataArray) -> Floats | None:
    """Positions (µm) as elephant wants them, shape (channel, dimension), or None.

    Those of a line must increase for its inverse CSD, which z does not from the top downwards; and
    elephant 1.2 integrates wrongly over sources that reach below 0.
    """
    if array.ndim > 2:  # contributions, whose channels are at the same places
        return None
    places = vectors(array, name)
    try:
        order, along = contacts_in_line(places)
    except SignalError:
        differ = places[:, np.ptp(places, axis=0) > 0]
        return differ if differ.size else None
    if order[-1] == 0:  # from the top downwards
        order, along = order[::-1], along[-1] - along[::-1]
    return (along + along[1])[np.argsort(order)][:, np.newaxis]


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
    if unit == "1":
        return result
    plain = ascii_unit(unit).translate(str.maketrans("²³", "23"))
    for sign, symbol, power in re.findall(r"([/*·\s]*)([^\W\d]+)\^?(-?\d+)?|\S", plain):
        factor = _unit_factor(symbol, pq)
        if factor is None:
            raise SignalError(f"quantities has no unit {unit!r}, and Neo needs one of its units")
        exponent = int(power or 1) * (-1 if "/" in sign else 1)
        result = result * factor**exponent
    return result


def _unit_factor(symbol: str, pq: Any) -> Any:
    """The unit of this symbol, with an SI prefix that `quantities` may not have, or None."""
    found = getattr(pq, symbol, None)
    if isinstance(found, pq.UnitQuantity):
        return found
    base = getattr(pq, symbol[1:], None) if symbol else None
    if isinstance(base, pq.UnitQuantity) and symbol[0] in _PREFIXES:
        return pq.UnitQuantity(symbol, _PREFIXES[symbol[0]] * base, symbol=symbol)
    return None
