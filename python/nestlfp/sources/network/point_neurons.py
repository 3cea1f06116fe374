"""What synapses do to the point neurons: mean conductances, mean potential, peak potentials."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from .currents import DELTA, MODELS
from .description import Description, Drive, Pathway, Population, Synapses

_FINE = 200  # steps in the shortest time constant
_LONG = 12  # of the longest time constants


class Mean(NamedTuple):
    """Mean conductance (nS) of a neuron's synapses of one kind."""

    of: Synapses
    conductance: float
    reversal: float


def mean_conductances(
    description: Description, rates: Mapping[str, float], post: str
) -> list[Mean]:
    """Those of a population's neurons at these rates (spikes/s): rate times integral."""
    indegrees: list[tuple[Synapses, float]] = [
        *((p, description.indegree(p)) for p in description.onto(post)),
        *((d, d.indegree) for d in description.drives if d.post == post),
    ]
    found = []
    for synapses, indegree in indegrees:
        wave = synapses.waveform
        if wave is None or wave.reversal is None:
            continue
        read = synapses.rate if isinstance(synapses, Drive) else None
        rate = rates.get(synapses.source, read)
        assert rate is not None, "looked at before"
        found.append(
            Mean(synapses, indegree * rate * 1e-3 * synapses.peak * wave.area, wave.reversal)
        )
    return found


class Membrane(NamedTuple):
    """Of a point neuron: capacitance (pF), leak (nS) and resting potential (mV)."""

    capacitance: float
    leak: float
    rest: float


def membrane(population: Population) -> Membrane | None:
    """The membrane of a population's neurons, where their model is known to have one."""
    model = MODELS.get(population.model)
    names = DELTA.get(population.model, ()) if model is None else model.membrane
    if len(names) < 3:
        return None
    capacitance, second, rest = (float(np.asarray(population.parameters[n])) for n in names)
    return Membrane(capacitance, capacitance / second if names[1] == "tau_m" else second, rest)


def peak_potential(
    description: Description, rates: Mapping[str, float], pathway: Pathway
) -> float | None:
    """Largest postsynaptic potential (mV, with its sign) of a connection, at the point neuron."""
    population = description.populations[pathway.post]
    if population.model in DELTA:
        return pathway.weight
    known, wave = membrane(population), pathway.waveform
    if known is None or wave is None:
        return None
    capacitance, leak, rest = known
    current = pathway.peak  # pA
    if wave.reversal is not None:
        means = mean_conductances(description, rates, pathway.post)
        total = leak + sum(m.conductance for m in means)
        mean = (leak * rest + sum(m.conductance * m.reversal for m in means)) / total
        current, leak = pathway.peak * (wave.reversal - mean), total
    tau = capacitance / leak
    shortest = min(tau, wave.tau, wave.tau_rise or wave.tau)
    t = np.arange(0.0, _LONG * max(tau, wave.tau), shortest / _FINE)
    from scipy.signal import lfilter  # takes half a second to import

    kept, course = np.exp(-t[1] / tau), wave.at(t)  # kept of the potential after a step
    half = t[1] / 2
    potential, _ = lfilter([half, kept * half], [1.0, -kept], course, zi=[-half * course[0]])
    return float(current / capacitance * potential.max())
