"""Replaying spikes at the synapses of multicompartment cells, in processes of their own.

The engine of `nestlfp.sources.hybrid`. A `Task` says which neurons spike when, in one or more
rows of activity; `responses` hands out batches of cells to processes and yields, batch by batch
and always in the same order, the summed signal of the cells for each row.

A cell's synapses, its position and its transmembrane currents come from LFPy. ``"simulate"``
is the plain way: a simulation in NEURON of each cell with all its synapses, for each row.
``"superpose"`` makes use of the cells being linear: one simulation for each kind of synapse and
segment gives the currents after a single activation, and all else is a sum of these.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field
from pickle import PicklingError
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple
from zlib import crc32

import numpy as np
from numpy.typing import NDArray
from tqdm.auto import tqdm

from ..errors import NetworkError, ToolchainError
from ..extras import require
from .lfpykernels import EXTRA

if TYPE_CHECKING:
    from .hybrid import Network, Population, Synapses

Floats = NDArray[np.float64]
Batch = tuple[str, range]
METHODS = ("simulate", "superpose")
_CELLS_PER_BATCH = 8  # whatever the number of processes: it sets the order of summation
_ALPHA = 0.9999  # largest tau1 / tau2: beyond it the double exponential is an alpha function
_FORGOTTEN = 20  # time constants after which nothing is left of an activation: exp(-20) = 2e-9
_AT_REST = 1e-9  # nA

# Spike times (ms) of some neurons of some populations: {population: {neuron: times}}.
Row = Mapping[str, Mapping[int, Floats]]


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
    rows : sequence of Row
        Activity whose signals are wanted, each apart.
    n_steps : int
        Length of the signals, in steps.
    method : {"simulate", "superpose"}
    seed : int
    """

    network: Network
    populations: Mapping[str, Population]
    probes: Sequence[Any]
    contacts: Floats
    rows: Sequence[Row]
    n_steps: int
    method: str
    seed: int
    trains: Mapping[str, Mapping[int, list[tuple[int, Floats]]]] = field(init=False)

    def __post_init__(self) -> None:
        # By neuron, so that a cell meets only the rows in which its own sources spike.
        trains: dict[str, dict[int, list[tuple[int, Floats]]]] = {
            name: defaultdict(list) for name in self.network.sizes
        }
        for number, row in enumerate(self.rows):
            for name, neurons in row.items():
                for neuron, times in neurons.items():
                    trains[name][neuron].append((number, times))
        object.__setattr__(self, "trains", trains)
        object.__setattr__(self, "rows", ())

    def random(self, *names: str, index: int) -> np.random.Generator:
        """Random numbers of one cell, whatever is drawn for others."""
        return np.random.default_rng([self.seed, *(crc32(n.encode()) for n in names), index])


class Event(NamedTuple):
    """Activations of one synapse."""

    kind: Synapses
    segment: int
    peak: float  # nA
    arrivals: Floats  # ms


# ---------------------------------------------------------------------- processes
def responses(
    task: Task, processes: int | None, progress: bool
) -> Iterator[tuple[str, dict[int, Floats]]]:
    """Population and, by row, summed signal (channels, steps) of batches of cells."""
    batches = [
        (post, range(first, min(first + _CELLS_PER_BATCH, task.network.sizes[post])))
        for post in task.populations
        for first in range(0, task.network.sizes[post], _CELLS_PER_BATCH)
    ]
    cells = sum(len(indices) for _, indices in batches)
    run = _here if processes == 0 else _in_processes
    with tqdm(total=cells, desc="cells", unit="cell", disable=not progress) as bar:
        for (post, indices), response in zip(batches, run(task, batches, processes), strict=True):
            yield post, response
            bar.update(len(indices))


def _here(task: Task, batches: Sequence[Batch], _: int | None) -> Iterator[dict[int, Floats]]:
    _start(task)
    for post, indices in batches:
        yield _batch_response(post, indices)


def _in_processes(
    task: Task, batches: Sequence[Batch], processes: int | None
) -> Iterator[dict[int, Floats]]:
    pool = ProcessPoolExecutor(
        processes or os.cpu_count(),
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_start,
        initargs=(task,),
    )
    try:
        yield from _submitted(pool, batches)
    except BrokenProcessPool as error:
        raise NetworkError(
            f"a process that simulates cells ended early ({error}); what it printed tells why"
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _submitted(pool: ProcessPoolExecutor, batches: Sequence[Batch]) -> Iterator[dict[int, Floats]]:
    """Responses to come; this starts the processes and hands them the task."""
    try:
        with _starting_afresh():
            return pool.map(_batch_response, *zip(*batches, strict=True))
    except (PicklingError, AttributeError, TypeError) as error:
        raise NetworkError(
            f"a population or probe cannot be handed to another process ({error}): functions "
            "among the arguments of a cell must be importable from a module"
        ) from error


@contextmanager
def _starting_afresh() -> Iterator[None]:
    """What processes started here find: not the user's script, which they would run again."""
    settings = {"NEURON_MODULE_OPTIONS": "-nogui", "OMP_NUM_THREADS": "1"}
    main, before = sys.modules["__main__"], {name: os.environ.get(name) for name in settings}
    sys.modules["__main__"] = ModuleType("__main__")
    os.environ.update(settings)
    try:
        yield
    finally:
        sys.modules["__main__"] = main
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


class _Here(NamedTuple):
    """What a process knows: its task, and currents it has simulated for it."""

    task: Task
    impulses: dict[tuple[Any, ...], Floats]


_here_and_now: _Here | None = None


def _start(task: Task) -> None:
    global _here_and_now  # noqa: PLW0603 - a process of a pool has no other place for it
    _here_and_now = _Here(task, {})


def _batch_response(post: str, indices: Sequence[int]) -> dict[int, Floats]:
    """Summed response of some cells to each row of activity that reaches them."""
    assert _here_and_now is not None
    task, impulses = _here_and_now
    load_mechanisms(task.populations[post])
    total: dict[int, Floats] = {}
    for index in indices:
        for row, response in _cell_response(task, post, index, impulses):
            if row in total:
                total[row] += response
            else:
                total[row] = response
    return total


# ---------------------------------------------------------------------- one cell
def _cell_response(
    task: Task, post: str, index: int, impulses: dict[tuple[Any, ...], Floats]
) -> Iterator[tuple[int, Floats]]:
    """Response (channels, steps) of one cell to each row of activity that reaches it."""
    cell = build(task.populations[post], task.network.dt, task.n_steps)
    task.populations[post].place(cell, index, task.contacts, task.random(post, index=index))
    events = _events(task, post, index, cell)
    mapping = np.vstack([_transformation(probe, cell) for probe in task.probes])
    if task.method == "simulate":
        for row in sorted(events):
            yield row, mapping @ _currents(task, post, events[row], task.n_steps)
        return
    mapped: dict[tuple[Any, ...], Floats] = {}
    for row in sorted(events):
        total = np.zeros((len(mapping), task.n_steps))
        for event in events[row]:
            key = (post, event.kind.syntype, event.kind.tau1, event.kind.tau2, event.segment)
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
        peaks = weights * kind.nA_per_pA
        for source, peak, delay, on in zip(sources.tolist(), peaks, delays, places, strict=True):
            for row, times in task.trains[pre].get(source, ()):
                events[row] += [Event(kind, s, peak, times + delay) for s in on.tolist()]
    return events


def _currents(task: Task, post: str, events: Sequence[Event], n_steps: int) -> Floats:
    """Transmembrane currents (nA) at the steps 1, 2, ..., shape (segments, steps)."""
    lfpy = require("LFPy", EXTRA)
    cell = build(task.populations[post], task.network.dt, n_steps)
    for kind, segment, peak, arrivals in events:
        synapse = lfpy.Synapse(
            cell,
            idx=segment,
            syntype=kind.syntype,
            weight=peak,
            tau1=min(kind.tau1, _ALPHA * kind.tau2),
            tau2=kind.tau2,
        )
        synapse.set_spike_times(arrivals)
    cell.simulate(rec_imem=True)
    if np.abs(cell.imem[:, 0]).max() > _AT_REST:
        raise NetworkError(f"cells of {post!r} do not start at rest: v_init must be their e_pas")
    return np.asarray(cell.imem[:, 1 : n_steps + 1])


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


# ---------------------------------------------------------------------- LFPy and NEURON
def build(population: Population, dt: float, n_steps: int) -> Any:
    """A cell of LFPy at the origin; it can be simulated once."""
    lfpy = require("LFPy", EXTRA)
    kind = lfpy.TemplateCell if "templatefile" in population.cell else lfpy.Cell
    timing = {"dt": dt, "tstart": 0.0, "tstop": (n_steps + 1) * dt}
    return kind(**{**population.cell, **timing, "delete_sections": True})


def load_mechanisms(population: Population) -> None:
    """Have NEURON know the mechanisms of a population's synapses."""
    neuron, load = require("neuron", EXTRA), population.mechanisms
    wanted = {synapses.syntype for synapses in population.synapses.values()}
    if load is not None and not all(hasattr(neuron.h, name) for name in wanted):
        if callable(load):
            load()
        else:
            # NEURON refuses a library of which it knows a part already; what is missing is said
            # below.
            with contextlib.suppress(RuntimeError):
                neuron.load_mechanisms(load, warn_if_already_loaded=False)
    missing = sorted(name for name in wanted if not hasattr(neuron.h, name))
    if missing:
        raise ToolchainError(
            f"NEURON does not know the mechanisms {missing}: run nrnivmodl in the folder of their "
            ".mod files and give that folder as Population(mechanisms=...), found "
            f"mechanisms={load!r}"
        )


def _transformation(probe: Any, cell: Any) -> Floats:
    """Matrix from transmembrane currents (nA) to a probe's signal."""
    probe.cell = cell
    try:
        return np.asarray(probe.get_transformation_matrix())
    finally:
        probe.cell = None
