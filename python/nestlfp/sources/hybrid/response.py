"""The signal of one cell, from the spikes that arrive at its synapses.

A cell's synapses, its position and its transmembrane currents come from LFPy. ``"simulate"``
is the plain way: a simulation in NEURON of each cell with all its synapses, for each row of
activity. ``"superpose"`` makes use of the cells being linear: one simulation for each kind of
synapse and segment gives the currents after a single activation, and all else is a sum of these.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple
from zlib import crc32

import numpy as np

from ..._types import Floats
from ...errors import NetworkError
from ...extras import require
from .._charge import charge_taken
from ..lfpykernels import EXTRA
from .cells import Population, Synapses, build
from .network import Network
from .probes import transformation

METHODS = ("simulate", "superpose")
_FORGOTTEN = 20  # time constants after which nothing is left of an activation: exp(-20) = 2e-9
_AT_REST = 1e-9  # nA
_SUMMING = {"Exp2Syn", "ExpSyn", "Exp2SynI", "ExpSynI"}
"""Mechanisms of which one stands for many equal ones at one place: activations add up in it."""


@dataclass(frozen=True)
class Task:
    """What every process needs to know.

    Parameters
    ----------
    network : Network
    populations : dict of str to Population
        Those that have cells.
    probes : tuple of LFPykit models
    contacts : array, shape (contacts, 3)
        Of all probes together (µm); no cell may contain one.
    trains : dict of str to dict of int to list of (int, array)
        For each neuron of a population the rows of activity in which it spikes, by number, and its
        spike times there (ms). So a cell meets only the rows in which its own sources spike.
    n_steps : int
        Length of the signals, in steps.
    method : {"simulate", "superpose"}
    seed : int
    correct_charge : bool
        Whether synapses pass the charge that they have with infinitely short steps.
    """

    network: Network
    populations: Mapping[str, Population]
    probes: Sequence[Any]
    contacts: Floats
    trains: Mapping[str, Mapping[int, list[tuple[int, Floats]]]]
    n_steps: int
    method: str
    seed: int
    correct_charge: bool

    def random(self, *names: str, index: int) -> np.random.Generator:
        """Random numbers of one cell, whatever is drawn for others."""
        return np.random.default_rng([self.seed, *(crc32(n.encode()) for n in names), index])


class Event(NamedTuple):
    """Activations of one synapse."""

    kind: Synapses
    segment: int
    peak: float  # nA, or µS of a conductance
    arrivals: Floats  # ms


def cell_response(
    task: Task, post: str, index: int, impulses: dict[tuple[Any, ...], Floats]
) -> Iterator[tuple[int, Floats]]:
    """Response (channels, steps) of one cell to each row of activity that reaches it."""
    cell = build(task.populations[post], task.network.dt, task.n_steps)
    task.populations[post].place(cell, index, task.contacts, task.random(post, index=index))
    events = _events(task, post, index, cell)
    mapping = np.vstack([transformation(probe, cell) for probe in task.probes])
    if task.method == "simulate":
        for row in sorted(events):
            yield row, mapping @ _currents(task, post, events[row], task.n_steps)
        return
    mapped: dict[tuple[Any, ...], Floats] = {}
    for row in sorted(events):
        total = np.zeros((len(mapping), task.n_steps))
        for event in events[row]:
            key = (post, event.kind.mechanism, event.kind.tau1, event.kind.tau2, event.segment)
            if key not in impulses:
                impulses[key] = _impulse(task, post, event)
            if key not in mapped:
                mapped[key] = mapping @ impulses[key]
            _superpose(total, event, mapped[key], task.network.dt)
        yield row, total


def _events(task: Task, post: str, index: int, cell: Any) -> dict[int, list[Event]]:
    """What happens at the cell's synapses in each row of activity."""
    events: dict[int, list[Event]] = defaultdict(list)
    for (pre, onto), connections in task.network.connections.items():
        sources, weights, delays = connections.onto(index)
        if onto != post or not sources.size:
            continue
        kind = task.populations[post].synapses[pre]
        rng = task.random(post, pre, index=index)
        numbers = kind.draw_numbers(len(sources), rng)
        segments = kind.draw_segments(cell, numbers.sum(), rng)
        places = np.split(segments, np.cumsum(numbers)[:-1])
        peaks = kind.peaks(weights)
        if task.correct_charge:
            lasts = _FORGOTTEN * kind.tau2
            peaks = peaks / charge_taken(kind.parameters, task.network.dt, lasts, twin=False)
        for source, peak, delay, on in zip(sources.tolist(), peaks, delays, places, strict=True):
            for row, times in task.trains[pre].get(source, ()):
                events[row] += [Event(kind, s, peak, times + delay) for s in on.tolist()]
    return events


def _currents(task: Task, post: str, events: Sequence[Event], n_steps: int) -> Floats:
    """Transmembrane currents (nA) at the steps 1, 2, ..., shape (segments, steps)."""
    lfpy = require("LFPy", EXTRA)
    cell = build(task.populations[post], task.network.dt, n_steps)
    for kind, segment, peak, arrivals in _summed(events):
        synapse = lfpy.Synapse(cell, idx=segment, weight=peak, **kind.parameters)
        synapse.set_spike_times(arrivals)
    cell.simulate(rec_imem=True)
    if np.abs(cell.imem[:, 0]).max() > _AT_REST:
        raise NetworkError(f"cells of {post!r} do not start at rest: v_init must be their e_pas")
    return np.asarray(cell.imem[:, 1 : n_steps + 1])


def _summed(events: Sequence[Event]) -> list[Event]:
    """The events, with equal synapses on a segment as one, which saves NEURON most of its work."""
    together: dict[tuple[Any, ...], list[Event]] = defaultdict(list)
    for number, event in enumerate(events):
        apart = None if event.kind.mechanism in _SUMMING else number
        together[id(event.kind), event.segment, event.peak, apart].append(event)
    return [
        equal[0]._replace(arrivals=np.concatenate([event.arrivals for event in equal]))
        for equal in together.values()
    ]


def _impulse(task: Task, post: str, event: Event) -> Floats:
    """Transmembrane currents after one activation at time 0 with a peak of 1 nA."""
    cell = build(task.populations[post], task.network.dt, 1)
    try:
        membrane = [1e-3 * seg.cm / seg.pas.g for sec in cell.allseclist for seg in sec]
    except AttributeError as error:
        raise NetworkError(f"cells of {post!r} are not passive: {error}") from error
    lasts = _FORGOTTEN * max(*membrane, event.kind.tau2)
    n_steps = min(task.n_steps, int(np.ceil(lasts / task.network.dt)))
    return _currents(task, post, [event._replace(peak=1.0, arrivals=np.zeros(1))], n_steps)


def _superpose(total: Floats, event: Event, response: Floats, dt: float) -> None:
    """Add the response (channels, lags 1, 2, ...) to each activation of a synapse."""
    n_steps = total.shape[1]
    for first in np.rint(event.arrivals / dt).astype(int).tolist():
        last = min(n_steps, first + response.shape[1])
        if first < last:
            total[:, first:last] += event.peak * response[:, : last - first]
