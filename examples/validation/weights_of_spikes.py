"""The full calculation where each spike has its own weight, connection by connection.

NEST's weight_recorder tells what each spike weighs over each connection. A cell is linear, so that
its signal is a sum over what arrives: the weight times the response of the connection's synapses.
Cells and synapses are those of `nestlfp.sources.hybrid`, which replays spikes of fixed weights.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from typing import Any, NamedTuple

import LFPy
import numpy as np

from nestlfp import KernelSet
from nestlfp.sources import hybrid
from nestlfp.sources.hybrid.cells import build, load_mechanisms
from nestlfp.sources.hybrid.probes import bodies, transformation

Floats = np.ndarray


class Arrivals(NamedTuple):
    """What arrives over the connections of a pathway: an element for each spike.

    `source` and `target` are numbers of neurons in their populations, `weight` NEST's (pA), `step`
    the time at which it arrives.
    """

    source: np.ndarray
    target: np.ndarray
    weight: np.ndarray
    step: np.ndarray


@dataclass(frozen=True)
class Work:
    """What all cells share."""

    cells: Mapping[str, hybrid.Population]
    probes: list[Any]
    arrivals: Mapping[tuple[str, str], Arrivals]
    dt: float
    steps: int
    lags: int
    seed: int


def signals(work: Work, processes: int | None = None) -> Floats:
    """Signals through each pathway, (post, pre, channel, step); of all probes below each other."""
    sizes = dict.fromkeys(work.cells, 0)
    for (_, post), each in work.arrivals.items():
        sizes[post] = max(sizes[post], int(each.target.max(initial=-1)) + 1)
    tasks = [
        (post, range(first, min(first + 10, of)))
        for post, of in sizes.items()
        for first in range(0, of, 10)
    ]
    total: dict[str, Any] = dict.fromkeys(work.cells, 0.0)
    for (post, _), response in zip(tasks, _in_pool(work, tasks, processes), strict=True):
        total[post] = total[post] + response
    return np.array(list(total.values()))


def arrivals(
    pathway: tuple[str, str],
    recorded: Mapping[str, Any],
    first: Mapping[str, int],
    delays: Mapping[tuple[int, int], float],
    dt: float,
) -> Arrivals:
    """What a weight_recorder has of a pathway, from ``events`` and the delay of each connection."""
    pre, post = pathway
    senders, targets = (np.asarray(recorded[key]) for key in ("senders", "targets"))
    late = np.array([delays[pair] for pair in zip(senders.tolist(), targets.tolist(), strict=True)])
    return Arrivals(
        senders - first[pre],
        targets - first[post],
        np.asarray(recorded["weights"]),
        np.rint((np.asarray(recorded["times"]) + late) / dt).astype(int),
    )


def _in_pool(work: Work, tasks: list[Any], processes: int | None) -> Iterator[Floats]:
    """In the same order; with 0 processes in this one."""
    if processes == 0:
        yield from map(partial(_cells, work), tasks)
        return
    with get_context("spawn").Pool(processes) as pool:
        yield from pool.imap(partial(_cells, work), tasks)


def _cells(work: Work, task: tuple[str, range]) -> Floats:
    post, indices = task
    load_mechanisms(work.cells[post])
    return np.asarray(sum(_cell(work, post, index) for index in indices))


def _cell(work: Work, post: str, index: int) -> Floats:
    """The signal of one cell from each presynaptic population, (pre, channel, step)."""
    population = work.cells[post]
    cell = build(population, work.dt, 1)
    place = np.random.default_rng([work.seed, ord(post), index])
    population.place(cell, index, bodies(work.probes), place)
    mapping = np.vstack([transformation(probe, cell) for probe in work.probes])
    names = list(work.cells)
    total = np.zeros((len(names), len(mapping), work.steps))
    # All places are drawn before another cell is made, which takes this one's sections.
    for pre, segments, each, own in list(_connections(work, cell, post, index)):
        currents = sum(_impulse(work, post, pre, segment) for segment in segments)
        response = mapping @ np.asarray(currents)
        peaks = population.synapses[pre].peaks(each.weight[own])
        for step, peak in zip(each.step[own].tolist(), peaks, strict=True):
            last = min(work.steps, step + work.lags)
            if step < last:
                total[names.index(pre), :, step:last] += peak * response[:, : last - step]
    return total


def _connections(
    work: Work, cell: Any, post: str, index: int
) -> Iterator[tuple[str, list[int], Arrivals, np.ndarray]]:
    """Presynaptic population, segments and spikes of each source of a cell."""
    for (pre, onto), each in work.arrivals.items():
        if onto != post:
            continue
        mine = np.flatnonzero(each.target == index)
        kind = work.cells[post].synapses[pre]
        for source in np.unique(each.source[mine]).tolist():
            rng = np.random.default_rng([work.seed, ord(post), index, ord(pre), source])
            segments = kind.draw_segments(cell, int(kind.draw_numbers(1, rng)[0]), rng)
            yield pre, segments.tolist(), each, mine[each.source[mine] == source]


_impulses: dict[tuple[str, str, int], Floats] = {}


def _impulse(work: Work, post: str, pre: str, segment: int) -> Floats:
    """Transmembrane currents (nA) after one activation of a synapse with a peak of 1 nA."""
    key = post, pre, segment
    if key not in _impulses:
        cell = build(work.cells[post], work.dt, work.lags)
        parameters = work.cells[post].synapses[pre].parameters
        synapse = LFPy.Synapse(cell, idx=segment, weight=1.0, **parameters)
        synapse.set_spike_times(np.zeros(1))
        cell.simulate(rec_imem=True)
        _impulses[key] = cell.imem[:, 1 : work.lags + 1]
    return _impulses[key]


def kernels(
    work: Work,
    sizes: Mapping[str, int],
    n_channels: Mapping[str, int],
    labels: Mapping[str, Any],
    processes: int | None = None,
) -> KernelSet:
    """Mean kernels of pathways: one spike of all neurons of a population, at step 0.

    `work` has one arrival for each connection, of the weight that the kernels are to stand for;
    `labels` are arguments of `KernelSet.from_arrays`.
    """
    names = list(work.cells)
    numbers = np.array([sizes[pre] for pre in names]).reshape(-1, 1, 1)
    ends = np.cumsum(list(n_channels.values()))
    parts = np.split(signals(work, processes) / numbers, ends[:-1], axis=2)
    arrays = dict(zip(n_channels, parts, strict=True))
    return KernelSet.from_arrays(arrays, pre=names, post=names, dt=work.dt, **labels)
