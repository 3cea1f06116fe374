"""A small network whose signal can be calculated cell by cell.

Cells, column, synapse positions, multapses and delays are those of `examples/two_population`;
synapses are current-based, so that the signal is linear in the spikes, and the connections of
the point neurons in NEST have the probability and delays that the kernels assume.
"""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal, NamedTuple

import lfpykit
import nest
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "two_population"))

import lfpykernels
import parameters as p

import kernels as published
from nestlfp import KernelSet
from nestlfp.sources import hybrid, mechanisms
from nestlfp.sources.lfpykernels import compute

SIZES = {"E": 400, "I": 100}
CONNECTION_PROBABILITY = 0.1
DURATION = 2000.0  # ms
TAU = 100.0  # ms, the last lag of all kernels
DEPTHS = 15  # of cells, for kernels averaged over them
PATHWAYS = [(pre, post) for pre in p.POPULATIONS for post in p.POPULATIONS]

# Point neurons: weights (pA) and Poisson input chosen for a few irregular spikes/s.
WEIGHT = {("E", "E"): 20.0, ("E", "I"): 25.0, ("I", "E"): -200.0, ("I", "I"): -130.0}
WEIGHT_SPREAD = 0.1
EXTERNAL_RATE = {"E": 17000.0, "I": 6000.0}  # spikes/s

# Peak current of one synapse (nA) on the multicompartment cells: the published conductance
# (µS) times the driving force at rest (mV).
CURRENT = {
    (pre, post): p.CONDUCTANCE[pre, post] * (p.SYNAPSE[pre]["e"] - p.V_REST)
    for pre, post in PATHWAYS
}


class Built(NamedTuple):
    """What `build` made in NEST, by population."""

    neurons: dict[str, nest.NodeCollection]
    recorders: dict[str, nest.NodeCollection]

    def spike_times(self) -> dict[str, np.ndarray]:
        """Spike times (ms) of each population, all its neurons together."""
        return {x: np.sort(found.get("events", "times")) for x, found in self.recorders.items()}


def reset(seed: int) -> None:
    """An empty kernel; install modules after it and build the network then."""
    nest.ResetKernel()
    # NEST's default of 1000 tics per ms cannot represent 2**-4 ms. The network is too small to
    # gain from threads, and would be another one with another number of them.
    nest.set(tics_per_ms=16000, resolution=p.DT, rng_seed=seed, local_num_threads=1)


def build(
    sizes: Mapping[str, int] = SIZES,
    probability: float = CONNECTION_PROBABILITY,
    weight: Callable[[str, str], nest.Parameter | float] | None = None,
    external_rate: Mapping[str, float] = EXTERNAL_RATE,
) -> Built:
    """Neurons, synapses, external input and spike recorders; weights (pA) are `weights`."""
    neurons = {x: nest.Create("iaf_psc_exp", n, params=p.NEURON[x]) for x, n in sizes.items()}
    for pre, post in PATHWAYS:
        nest.Connect(
            neurons[pre],
            neurons[post],
            {"rule": "pairwise_bernoulli", "p": probability},
            {"weight": (weight or weights)(pre, post), "delay": delays(pre, post)},
        )
    shortest = {"delay": nest.min_delay}
    recorders = {}
    for x, population in neurons.items():
        generator = nest.Create("poisson_generator", params={"rate": external_rate[x]})
        nest.Connect(generator, population, syn_spec={"weight": p.EXTERNAL_WEIGHT, **shortest})
        recorders[x] = nest.Create("spike_recorder")
        nest.Connect(population, recorders[x], syn_spec=shortest)
    return Built(neurons, recorders)


def weights(pre: str, post: str) -> nest.Parameter:
    """Weights of one sign (pA)."""
    mean = WEIGHT[pre, post]
    drawn = nest.random.normal(mean, WEIGHT_SPREAD * abs(mean))
    low, high = (0.0, 1e6) if mean > 0 else (-1e6, 0.0)
    return nest.math.redraw(drawn, min=low, max=high)


def delays(pre: str, post: str) -> nest.Parameter:
    """Delays (ms) from the distribution that the kernels assume."""
    d = p.SYNAPTIC_DELAY[pre, post]
    low = d["loc"] + d["a"] * d["scale"]
    return nest.math.redraw(nest.random.normal(d["loc"], d["scale"]), min=low, max=1e3)


# ---------------------------------------------------------------------- kernels and cells
def approximation(post: str) -> lfpykernels.KernelApprox:
    """A population, as LFPykernels and through it the hybrid scheme take it."""
    return lfpykernels.KernelApprox(
        X=list(p.POPULATIONS),
        Y=post,
        N_X=np.array([SIZES[pre] for pre in p.POPULATIONS]),
        N_Y=SIZES[post],
        C_YX=np.full(len(p.POPULATIONS), CONNECTION_PROBABILITY),
        cellParameters=published.cell(post),
        populationParameters=p.COLUMN,
        multapseParameters=[p.MULTAPSES[pre, post] for pre in p.POPULATIONS],
        delayParameters=[p.SYNAPTIC_DELAY[pre, post] for pre in p.POPULATIONS],
        synapseParameters=[
            {
                "syntype": "Exp2SynI",
                "weight": CURRENT[pre, post],
                "tau1": p.SYNAPSE[pre]["tau1"],
                "tau2": p.SYNAPSE[pre]["tau2"],
            }
            for pre in p.POPULATIONS
        ],
        synapsePositionArguments=[p.SYNAPSE_POSITIONS[pre, post] for pre in p.POPULATIONS],
        conductance_based=False,
    )


def predicted_kernels(depths: int | Literal["LFPykernels"] = "LFPykernels") -> KernelSet:
    """Kernels of this network by LFPykernels, in its own way or for cells at so many depths."""
    mechanisms.load()
    described = {post: approximation(post) for post in p.POPULATIONS}
    return compute(described, published.probes(), dt=p.DT, tau=TAU, g_eff=False, depths=depths)


def cells() -> dict[str, hybrid.Population]:
    """The multicompartment cells of the hybrid scheme."""
    return {
        post: hybrid.Population.from_lfpykernels(
            approximation(post),
            {pre: WEIGHT[pre, post] for pre in p.POPULATIONS},
            mechanisms=mechanisms.load,
        )
        for post in p.POPULATIONS
    }


def probes() -> list:
    """A laminar electrode on the column's axis, and the dipole."""
    z = p.CONTACTS_Z
    zero = np.zeros_like(z)
    return [
        lfpykit.LineSourcePotential(None, x=zero, y=zero, z=z, sigma=p.SIGMA),
        lfpykit.CurrentDipoleMoment(None),
    ]


def rates(times: dict[str, np.ndarray], duration: float) -> dict[str, float]:
    """Spikes/s of a neuron of each population."""
    return {x: len(found) / SIZES[x] / duration * 1000.0 for x, found in times.items()}
