"""Spikes that NEST recorded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .._types import Floats, Ints
from ..errors import NetworkError
from ..trains import check_events
from .simulator import Simulator


def recorded_spikes(
    spikes: Any, ids: Mapping[str, Ints], sim: Simulator
) -> dict[str, tuple[Floats, Ints]]:
    """Times (ms) and neurons of each population's spikes.

    Parameters
    ----------
    spikes : dict of str to nest.NodeCollection, list of such, or dict
        For each population its spike recorder, several, or a recorder's ``events``.
    ids : dict of str to ndarray of int
        Node ids of each population, in the order that neurons are numbered by.
    sim : Simulator

    Raises
    ------
    NetworkError
        If what is given holds no spikes, or spikes of other neurons.
    """
    if spikes is None:
        return {}
    if not isinstance(spikes, Mapping) or {"senders", "times"} <= set(spikes):
        raise NetworkError(
            f"spikes must be a dict such as {{{next(iter(ids))!r}: spike_recorder}}, with a "
            f"recorder of each population or its events, found {brief(spikes)}"
        )
    recorded = {}
    for name, recorder in spikes.items():
        if name not in ids:
            raise NetworkError(f"spikes of {name!r}, which is not among {list(ids)}")
        senders, times = events_of(recorder, name, sim)
        recorded[name] = (times, index_of(senders, ids[name], name))
    return recorded


def events_of(recorder: Any, name: str, sim: Simulator) -> tuple[Ints, Floats]:
    """Senders and times (ms) of a spike recorder, of several, or of a dictionary of events."""
    senders, times = [np.zeros(0, int)], [np.zeros(0)]
    for part in [recorder] if isinstance(recorder, Mapping) else _read(recorder, name, sim):
        if not {"senders", "times"} <= set(part):
            raise NetworkError(_wanted(name, part))
        check_events(part, name, NetworkError, steps=True)
        nodes, at = np.atleast_1d(part["senders"]), np.atleast_1d(part["times"])
        if nodes.shape != at.shape:
            raise NetworkError(
                f"spikes of {name!r} need a sender for each time, found {nodes.size} senders and "
                f"{at.size} times"
            )
        senders.append(nodes.astype(int))
        # Of time_in_steps; NEST puts a spike into its step, whatever the offset before its end.
        factor = sim.resolution if "offsets" in part else 1.0
        times.append(at.astype(float) * factor)
    return np.concatenate(senders), np.concatenate(times)


def _read(recorders: Any, name: str, sim: Simulator) -> list[Mapping[str, Any]]:
    """The events that recorders hold in memory."""
    if not (sim.are_nodes(recorders) or isinstance(recorders, list | tuple)) or not len(recorders):
        raise NetworkError(_wanted(name, recorders))
    found: list[Mapping[str, Any]] = []
    for each in recorders:
        if not sim.are_nodes(each):
            raise NetworkError(_wanted(name, recorders))
        try:
            held = [node.get() for node in each] if len(each) > 1 else [each.get()]
        except (sim.error, ValueError) as error:
            raise NetworkError(f"spikes of {name!r} cannot be read: {error}") from None
        for status in held:
            if "events" not in status:
                where = status.get("record_to", "memory")
                raise NetworkError(
                    _wanted(name, recorders)
                    if where == "memory"
                    else f"the recorder of {name!r} records to {where!r}: with "
                    "record_to='memory' its spikes can be read"
                )
            found.append(status["events"])
    return found


def _wanted(name: str, given: Any) -> str:
    return (
        f"spikes of {name!r} must be its spike recorder, {{{name!r}: spike_recorder}}, a list of "
        "several, or a dict with senders (node ids) and times (ms), "
        f"{{{name!r}: spike_recorder.events}}, found {brief(given)}"
    )


def brief(given: Any) -> str:
    """What was given, for a message."""
    text = " ".join(str(given).split())
    return f"{text[:80]} ({type(given).__name__})"


def index_of(nodes: ArrayLike, ids: Ints, name: str) -> Ints:
    """Index of node ids within the ids of a population."""
    nodes = np.atleast_1d(np.asarray(nodes, dtype=int))
    order = np.argsort(ids)
    found = order[np.minimum(np.searchsorted(ids, nodes, sorter=order), len(ids) - 1)]
    unknown = np.unique(nodes[ids[found] != nodes])
    if unknown.size:
        raise NetworkError(
            f"spikes of unknown neurons: nodes {unknown[:5].tolist()} are not of "
            f"population {name!r}"
        )
    return found
