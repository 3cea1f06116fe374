"""The small network with the conductances of `examples/two_population` on its cells.

A spike reaches as many cells as in `small_network`, five times over: with a connection probability
of 0.5 a cell has the inhibitory synapses of the published description (250 of 256), at about its
rates. Excitatory ones are half as many, and external synapses fire as much faster as brings the
mean excitatory conductance to the published one.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import LFPy
import lfpykernels
import nest
import numpy as np
import small_network as net
from lfpykernels.kernel_approximator import integrate_beta

from nestlfp import KernelSet
from nestlfp.sources import hybrid, mechanisms
from nestlfp.sources._operating_point import mean_potential
from nestlfp.sources.lfpykernels import compute

p, published = net.p, net.published

CONNECTION_PROBABILITY = 0.5
# Point neurons: five times the connections, each weaker by the square root of that.
WEIGHT = {pathway: weight / np.sqrt(5.0) for pathway, weight in net.WEIGHT.items()}
EXTERNAL_RATE = {"E": 17400.0, "I": 6200.0}  # spikes/s
EXTERNAL = "external"  # the population that stands for the external synapses' sources

KINDS = ("LFPykernels", "by depth", "own potential")


def run(sizes: Mapping[str, int], seed: int, duration: float) -> hybrid.Network:
    """The network of point neurons, after so long (ms)."""
    net.reset(seed)
    built = net.build(
        sizes, CONNECTION_PROBABILITY, lambda pre, post: WEIGHT[pre, post], EXTERNAL_RATE
    )
    nest.Simulate(duration)
    return hybrid.Network.from_nest(built.neurons, built.recorders)


# ---------------------------------------------------------------------- what is described
def describe(
    sizes: Mapping[str, int], rates: Mapping[str, float], strength: float
) -> dict[str, lfpykernels.KernelApprox]:
    """Each population as LFPykernels takes it: this network, at the rates that it has.

    All conductances, those of external synapses included, are `strength` times the published.
    """
    found = {}
    for post in p.POPULATIONS:
        approx = published.approximation(post)
        wanted = excitation(approx)
        approx.N_X = np.array([sizes[pre] for pre in p.POPULATIONS])
        approx.N_Y = sizes[post]
        approx.C_YX = np.full(len(p.POPULATIONS), CONNECTION_PROBABILITY)
        approx.nu_X = dict(rates)
        approx.nu_ext *= 1 + (wanted - excitation(approx)) / external_conductance(approx)
        approx.synapseParameters = [
            {**synapse, "weight": strength * synapse["weight"]}
            for synapse in approx.synapseParameters
        ]
        external = approx.extSynapseParameters
        approx.extSynapseParameters = {**external, "weight": strength * external["weight"]}
        found[post] = approx
    return found


def external_conductance(approx: lfpykernels.KernelApprox) -> float:
    """Mean conductance of a cell's external synapses (µS)."""
    return approx.n_ext * open_on_average(approx.extSynapseParameters, approx.nu_ext)


def network_conductances(approx: lfpykernels.KernelApprox) -> list[float]:
    """Mean conductance of a cell's synapses from each presynaptic population (µS)."""
    return [
        approx.C_YX[i]
        * approx.N_X[i]
        * approx._get_multapsedist(i).mean()
        * open_on_average(approx.synapseParameters[i], approx.nu_X[pre])
        for i, pre in enumerate(approx.X)
    ]


def open_on_average(synapse: Mapping, rate: float) -> float:
    """Mean conductance of a synapse (µS) that is activated at a rate (spikes/s)."""
    return synapse["weight"] * integrate_beta(synapse["tau1"], synapse["tau2"]) * rate * 1e-3


def excitation(approx: lfpykernels.KernelApprox) -> float:
    """Mean conductance of all synapses with the reversal potential of external ones (µS)."""
    reversals = [synapse["e"] for synapse in approx.synapseParameters]
    same = np.equal(reversals, approx.extSynapseParameters["e"])
    return external_conductance(approx) + float(np.dot(network_conductances(approx), same))


def operating_point(
    approx: lfpykernels.KernelApprox, depths: int = net.DEPTHS
) -> tuple[np.ndarray, float]:
    """Mean potential of each segment (mV) over all depths, and mean conductance over leak."""
    cell = LFPy.TemplateCell(**approx.cellParameters, delete_sections=True)
    leak = 0.01 * np.dot([s.g_pas for section in cell.allseclist for s in section], cell.area)  # µS
    evenly = external_conductance(approx) * cell.area / cell.area.sum()
    by_source = network_conductances(approx)
    nodes, shares = np.polynomial.hermite_e.hermegauss(depths)
    column, potential = approx.populationParameters, np.zeros(cell.totnsegs)
    for node, share in zip(nodes, shares / shares.sum(), strict=True):
        cell.set_pos(z=column["loc"] + column["scale"] * node)
        conductances = [(evenly, approx.extSynapseParameters["e"])]
        for g, synapse, where in zip(
            by_source, approx.synapseParameters, approx.synapsePositionArguments, strict=True
        ):
            placed = approx.get_rand_idx_area_and_distribution_prob(cell, **where)
            conductances.append((g * placed, synapse["e"]))
        potential += share * mean_potential(cell, conductances)
    return potential, float((evenly.sum() + sum(by_source)) / leak)


# ---------------------------------------------------------------------- kernels
def kernels(
    described: Mapping[str, lfpykernels.KernelApprox], depths: int = net.DEPTHS
) -> dict[str, KernelSet]:
    """Kernels in LFPykernels' own way, averaged over depths, and around the cells' potential."""
    mechanisms.load()
    own = {post: operating_point(approx, depths)[0] for post, approx in described.items()}
    ways: dict[str, dict[str, Any]] = {
        "LFPykernels": {"depths": "LFPykernels", "Vrest": p.V_REST},
        "by depth": {"depths": depths, "Vrest": p.V_REST},
        "own potential": {"depths": depths, "Vrest": own},
    }
    return {
        kind: compute(
            described,
            published.probes(),
            dt=p.DT,
            t_X=net.TAU,
            tau=net.TAU,
            g_eff=True,
            **ways[kind],
        )
        for kind in KINDS
    }


# ---------------------------------------------------------------------- the full calculation
def cells(described: Mapping[str, lfpykernels.KernelApprox]) -> dict[str, hybrid.Population]:
    """The cells with their synapses, external ones included, as conductances."""
    found = {}
    for post, approx in described.items():
        weights = {pre: WEIGHT[pre, post] for pre in p.POPULATIONS}
        population = hybrid.Population.from_lfpykernels(approx, weights)
        external = approx.extSynapseParameters
        evenly = hybrid.Synapses(
            external["tau1"],
            external["tau2"],
            reversal=external["e"],
            nS_per_weight=1e3 * external["weight"],
        )
        found[post] = replace(population, synapses={**population.synapses, EXTERNAL: evenly})
    return found


def with_external_input(
    network: hybrid.Network,
    described: Mapping[str, lfpykernels.KernelApprox],
    seed: int,
    duration: float,
) -> hybrid.Network:
    """The network with a source, which fires as a Poisson process, for each external synapse."""
    rng = np.random.default_rng(seed)
    steps = round(duration / network.dt)
    connections, times, senders = dict(network.connections), [], []
    first = 0  # source of the population's synapses
    for post, approx in described.items():
        sources = first + np.arange(network.sizes[post] * approx.n_ext)
        ones = np.ones(sources.size)
        connections[EXTERNAL, post] = hybrid.Connections(
            sources, (sources - first) // approx.n_ext, ones, network.dt * ones
        )
        number = rng.poisson(approx.nu_ext * duration * 1e-3, size=sources.size)
        senders.append(np.repeat(sources, number))
        times.append(network.dt * rng.integers(1, steps, size=number.sum()))
        first += sources.size
    return replace(
        network,
        sizes={**network.sizes, EXTERNAL: first},
        connections=connections,
        spikes={**network.spikes, EXTERNAL: (np.concatenate(times), np.concatenate(senders))},
        rounding=False,
    )
