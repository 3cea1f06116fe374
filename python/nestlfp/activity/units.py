"""Spikes by neuron: units of Neurodata Without Borders, spike trains of Neo."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import ActivityError
from ..extras import require
from ..kernels.files import brief
from .portion import Asked, Portion, numbers

_WAY_OUT = (
    "Spikes that Python has, say from pickle.load, scipy.io.loadmat or pandas, are written by  "
    "np.savez('spikes.npz', times=times, senders=senders)  or, with an array of times (ms) for "
    "each population,  np.savez('spikes.npz', E=times_E, I=times_I)"
)


def read_nwb(path: Path, asked: Asked) -> Iterator[Portion]:
    """The table of units, unit by unit; times are in s, as NWB says."""
    pynwb = require("pynwb", "nwb")
    try:
        file = pynwb.NWBHDF5IO(str(path), "r")
        content = file.read()
    except Exception as error:  # h5py, hdmf and pynwb raise many kinds
        raise ActivityError(f"{str(path)!r} is no NWB file: {brief(error)}") from None
    with file:
        units = content.units
        if units is None or "spike_times" not in units.colnames:
            others = [*content.acquisition, *content.stimulus, *content.processing]
            raise ActivityError(
                f"{str(path)!r} has no table of units with spike_times, found {others or 'nothing'}"
            )
        factor = asked.factor_of("s", repr(str(path)))
        labels = _labels(units, asked, path)
        place: Counter[str | None] = Counter()
        for i in range(len(units)):
            label = None if labels is None else str(labels[i])
            where = f"spike times of unit {i} in {str(path)!r}"
            times = numbers(units.get_unit_spike_times(i), where) * factor
            yield _of_unit(label, times, place)


def _labels(units: Any, asked: Asked, path: Path) -> Any:
    if asked.column in units.colnames:
        return units[asked.column].data[:]
    if asked.column != Asked.column:
        raise ActivityError(
            f"the units in {str(path)!r} have no column {asked.column!r}, they have "
            f"{list(units.colnames)}"
        )
    return None


def read_neo(path: Path, asked: Asked) -> Iterator[Portion]:
    """Spike trains of any file that Neo reads, which it reads whole.

    Python's pickle, of which Neo reads files too, runs what is in them: only of those you trust.
    """
    neo = require("neo", "neo")
    try:
        blocks = neo.io.get_io(str(path)).read()
        if not all(isinstance(block, neo.Block) for block in blocks):
            raise TypeError("it has no Block of Neo")
    except Exception as error:  # each format has its own
        raise ActivityError(
            f"Neo does not read {str(path)!r}: {brief(error).rstrip('.')}. {_WAY_OUT}"
        ) from None
    segments = [segment for block in blocks for segment in block.segments]
    if len(segments) > 1:
        raise ActivityError(
            f"{str(path)!r} has {len(segments)} segments, which may be other trials of the same "
            "time: write a file for each"
        )
    trains = [train for segment in segments for train in segment.spiketrains]
    if not trains:
        kinds = ("analogsignals", "irregularlysampledsignals", "events", "epochs")
        others = [kind for kind in kinds if any(getattr(segment, kind) for segment in segments)]
        raise ActivityError(
            f"{str(path)!r} has no spike trains, Neo finds {', '.join(others) or 'nothing'}"
        )
    asked.factor_of("ms", f"Neo's {str(path)!r}")
    place: Counter[str | None] = Counter()
    for i, train in enumerate(trains):
        label = train.annotations.get(asked.column)
        if label is None and asked.column != Asked.column:
            raise ActivityError(
                f"spike train {i} in {str(path)!r} has no annotation {asked.column!r}, it has "
                f"{list(train.annotations)}"
            )
        times = numbers(train.rescale("ms").magnitude, f"spike train {i} in {str(path)!r}")
        yield _of_unit(None if label is None else str(label), times, place)


def _of_unit(label: str | None, times: Any, place: Counter[str | None]) -> Portion:
    """Spikes of the unit that comes next in its population."""
    ids = np.full(times.size, place[label], dtype=np.int64)
    place[label] += 1
    return Portion(label, times, ids, from_zero=True)
