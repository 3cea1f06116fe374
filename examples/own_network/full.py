"""The full calculation: each neuron's cell with its synapses, simulated by LFPy.

It shares nothing with `nestlfp.sources.network`: connections and spikes come from NEST as they are,
synapses are drawn from the placement's rule as it is written here, and potentials are LFPykit's.
Currents into passive cells add up, so that the response to one spike of each neuron is enough, with
other places of cells and synapses for each seed. Conductances are replayed, spike by spike, with
all synapses of a cell at once; its currents do not depend on where it stands, so that one
simulation serves all seeds, which have the same synapses.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from multiprocessing import get_context
from typing import Any

os.environ.setdefault("NEURON_MODULE_OPTIONS", "-nogui")

import LFPy
import lfpykit
import numpy as np

from nestlfp import cells
from nestlfp.sources import mechanisms

Floats = np.ndarray
PER_STEP = 2  # steps of the cells in one of NEST
CONDUCTIVITY = 0.3  # S/m
SPREAD = 25.0  # µm, of the somata's depths
LASTS = 60.0  # ms, the response to one spike
_ALPHA = 0.999  # a difference of exponentials with these time constants is an alpha function


@dataclass(frozen=True)
class Kind:
    """Synapses of one presynaptic population: `reversal` (mV) makes them conductances."""

    shape: str
    tau: float
    excitatory: bool
    reversal: float | None = None


@dataclass(frozen=True)
class Replayed:
    """One neuron's cell, and what arrives at it.

    `arrivals` has presynaptic population, peak (pA or nS), source and arrival times (ms) of each
    connection; `external` rate (spikes/s), peak (nS) and kind of the Poisson input.
    """

    post: str
    index: int
    cell: str
    rest: float
    arrivals: list[tuple[str, float, int, Floats]]
    external: tuple[float, float, str] | None = None


def made(name: str, rest: float, dt: float, duration: float) -> Any:
    """A cell of the library, with its soma at the origin."""
    parameters = {**cells.cell(name).parameters, "v_init": rest, "dt": dt, "tstop": duration}
    parameters["passive_parameters"] = {**parameters["passive_parameters"], "e_pas": rest}
    parameters["delete_sections"] = True
    mechanisms.load()
    return LFPy.TemplateCell(**parameters)


def allowed(cell: Any, excitatory: bool) -> Floats:
    """Probability of each segment: excitation on dendrites off the soma, inhibition near it."""
    z = cell.z.mean(axis=-1)
    dendrite = np.ones(cell.totnsegs, dtype=bool)
    dendrite[cell.get_idx("soma")] = False
    here = dendrite & (np.abs(z) >= 50.0) if excitatory else np.abs(z) <= 100.0
    area = np.where(here, cell.area, 0.0)
    return np.asarray(area / area.sum())


def synapse(cell: Any, kind: Kind, peak: float, segment: int, times: Floats) -> None:
    """A synapse (pA or nS) that is activated at these times (ms)."""
    suffix = "I" if kind.reversal is None else ""
    courses: dict[str, Any] = {"syntype": f"ExpSyn{suffix}", "tau": kind.tau}
    if kind.shape == "alpha":
        courses = {"syntype": f"Exp2Syn{suffix}", "tau1": _ALPHA * kind.tau, "tau2": kind.tau}
    else:
        # NEURON sees an exponential at the ends of its steps only: its sum, not its integral.
        peak *= kind.tau / cell.dt * np.expm1(cell.dt / kind.tau)
    if kind.reversal is not None:
        courses["e"] = kind.reversal
    LFPy.Synapse(cell, idx=segment, weight=1e-3 * peak, **courses).set_spike_times(times)


def open_steadily(cell: Any, kind: Kind, conductances: Floats) -> None:
    """A constant conductance of each segment (nS), beside its leak."""
    segments = [segment for section in cell.allseclist for segment in section]
    for segment, g in zip(segments, 0.1 * conductances / cell.area, strict=True):  # S/cm²
        total = segment.g_pas + g
        segment.e_pas = (segment.g_pas * segment.e_pas + g * kind.reversal) / total
        segment.g_pas = total


def segments_of(cell: Any, task: Replayed, kinds: Mapping[str, Kind], seed: int) -> list[int]:
    """The segment of each connection."""
    rng = np.random.default_rng([seed, ord(task.post), task.index])
    chance = {name: allowed(cell, kind.excitatory) for name, kind in kinds.items()}
    return [int(rng.choice(cell.totnsegs, p=chance[name])) for name, *_ in task.arrivals]


def currents(
    task: Replayed,
    kinds: Mapping[str, Kind],
    dt: float,
    duration: float,
    seed: int,
    poisson: bool = False,
) -> tuple[Any, Floats]:
    """The cell and its transmembrane currents (nA) at NEST's steps, shape (segments, steps).

    The external input, if there is some, is its mean conductance, or spikes of a Poisson process.
    """
    cell = made(task.cell, task.rest, dt / PER_STEP, duration)
    segments = segments_of(cell, task, kinds, seed)
    for (name, peak, _, times), segment in zip(task.arrivals, segments, strict=True):
        if times.size:
            synapse(cell, kinds[name], peak, segment, times)
    if task.external is not None:
        rate, peak, name = task.external
        rng = np.random.default_rng([seed, ord(task.post), task.index, 1])
        chances = allowed(cell, kinds[name].excitatory)
        if not poisson:
            open_steadily(cell, kinds[name], 1e-3 * rate * peak * kinds[name].tau * chances)
        for segment, chance in enumerate(chances if poisson else ()):
            times = rng.uniform(0.0, duration, rng.poisson(1e-3 * rate * chance * duration))
            if times.size:
                synapse(cell, kinds[name], peak, segment, np.sort(times))
    cell.simulate(rec_imem=True)
    return cell, cell.imem[:, PER_STEP::PER_STEP]


def mapping(cell: Any, contacts: Floats, radius: float, seed: list[int]) -> Floats:
    """Potentials (mV) of currents (nA), of a cell that stands somewhere in the column."""
    rng = np.random.default_rng(seed)
    while True:
        away, angle, turned = radius * np.sqrt(rng.uniform()), *rng.uniform(0, 2 * np.pi, 2)
        x = cell.x * np.cos(turned) - cell.y * np.sin(turned) + away * np.cos(angle)
        y = cell.x * np.sin(turned) + cell.y * np.cos(turned) + away * np.sin(angle)
        z = cell.z + rng.normal(0.0, SPREAD)
        middle = np.stack([x.mean(axis=-1), y.mean(axis=-1), z.mean(axis=-1)])
        apart = np.sqrt(
            middle[0] ** 2 + middle[1] ** 2 + (middle[2] - contacts[:, np.newaxis]) ** 2
        )
        if (apart > cell.d / 2).all():  # no contact inside the cell
            break
    stands = lfpykit.CellGeometry(x=x, y=y, z=z, d=cell.d)
    zero = np.zeros(contacts.size)
    probe = lfpykit.LineSourcePotential(stands, x=zero, y=zero, z=contacts, sigma=CONDUCTIVITY)
    return np.asarray(probe.get_transformation_matrix())


# ---------------------------------------------------------------------- all cells
@dataclass(frozen=True)
class Work:
    """What all cells share."""

    kinds: Mapping[str, Kind]
    dt: float
    duration: float
    contacts: Floats
    radius: float
    seeds: range
    poisson: bool = False


def potentials(work: Work, tasks: list[Replayed], processes: int = 2) -> Floats:
    """Potentials of replayed cells (mV), shape (seeds of places, contacts, steps)."""
    return np.asarray(sum(_in_pool(_potential, work, tasks, 10, processes)))


def single_kernels(
    work: Work, tasks: list[Replayed], processes: int = 2
) -> dict[str, dict[int, Floats]]:
    """Response to a spike of each neuron, by population: seeds, contacts, lags.

    Of currents alone: what connections bring adds up.
    """
    found: dict[str, dict[int, Floats]] = {name: {} for name in work.kinds}
    for part in _in_pool(_responses, work, tasks, 60, processes):
        for name, of_source in part.items():
            for source, response in of_source.items():
                found[name][source] = found[name].get(source, 0.0) + response
    return found


def superposed(
    single: dict[str, dict[int, Floats]],
    spikes: dict[str, tuple[Floats, Floats]],
    dt: float,
    duration: float,
) -> Floats:
    """Potentials of recorded spikes (mV), from the response to one of each neuron."""
    steps = round(duration / dt)
    shape = next(iter(single["E"].values())).shape
    total = np.zeros((*shape[:2], steps))
    for name, by_source in single.items():
        times, index = spikes[name]
        for source, response in by_source.items():
            for first in np.rint(times[index == source] / dt).astype(int):
                last = min(steps, first + response.shape[-1])
                total[..., first:last] += response[..., : last - first]
    return total


def _in_pool(
    function: Any, work: Work, tasks: list[Replayed], each: int, processes: int
) -> Iterator[Any]:
    chunks = [(work, tasks[first : first + each]) for first in range(0, len(tasks), each)]
    with get_context("spawn").Pool(processes) as pool:
        yield from pool.starmap(function, chunks, chunksize=1)


def _potential(work: Work, tasks: list[Replayed]) -> Floats:
    total: Any = 0.0
    for task in tasks:
        cell, imem = currents(task, work.kinds, work.dt, work.duration, work.seeds[0], work.poisson)
        total = total + _mapped(work, task, cell) @ imem
    return np.asarray(total)


def _mapped(work: Work, task: Replayed, cell: Any) -> Floats:
    return np.stack(
        [
            mapping(cell, work.contacts, work.radius, [seed, ord(task.post), task.index, 2])
            for seed in work.seeds
        ]
    )


def _responses(work: Work, tasks: list[Replayed]) -> dict[str, dict[int, Floats]]:
    found: dict[str, dict[int, Floats]] = {name: {} for name in work.kinds}
    for task in tasks:
        cell = made(task.cell, task.rest, work.dt / PER_STEP, 1.0)
        mapped = _mapped(work, task, cell)
        for number, seed in enumerate(work.seeds):
            segments = segments_of(cell, task, work.kinds, seed)
            for (name, peak, source, delay), segment in zip(task.arrivals, segments, strict=True):
                impulse = _impulse(task.cell, task.rest, work.kinds[name], segment, work.dt)
                if source not in found[name]:
                    shape = (*mapped.shape[:2], impulse.shape[1])
                    found[name][source] = np.zeros(shape, dtype=np.float32)
                late = round(float(delay[0]) / work.dt)
                late_by = impulse[:, : impulse.shape[1] - late]
                found[name][source][number, :, late:] += peak * (mapped[number] @ late_by)
    return found


@lru_cache(maxsize=1000)
def _impulse(name: str, rest: float, kind: Kind, segment: int, dt: float) -> Floats:
    """Transmembrane currents (nA) after one activation of 1 pA at time 0."""
    cell = made(name, rest, dt / PER_STEP, LASTS)
    synapse(cell, kind, 1.0, segment, np.array([0.0]))
    cell.simulate(rec_imem=True)
    return cell.imem[:, PER_STEP::PER_STEP].astype(np.float32)
