"""A network whose inhibition learns to balance its excitation, as point neurons in NEST.

The rule is that of Vogels et al. (2011, Science 334: 1569-1573): an inhibitory synapse becomes
stronger where its two neurons spike together, and weaker with each presynaptic spike alone. So a
neuron gets as much inhibition as keeps it at a target rate.
"""

from typing import Any

import nest

SIZES = {"E": 800, "I": 200}
INDEGREES = {"E": 80, "I": 20}
DT = 0.1  # ms
DELAY = 1.5  # ms
WEIGHT = 60.0  # pA, of excitation
INHIBITION = {"E": 2.0, "I": 6.0}  # onto them, times as strong as excitation, at the start
EXTERNAL = 2600.0  # spikes/s
TARGET = 5.0  # spikes/s, of excitatory neurons
TAU = 20.0  # ms, in which spikes count as together
LEARNING: dict[str, Any] = {
    "synapse_model": "vogels_sprekeler_synapse",
    "eta": 0.15,  # pA, for each pair of spikes
    "tau": TAU,
    "alpha": 2 * TARGET * 1e-3 * TAU,
    "Wmax": -30.0 * WEIGHT,
}

Nodes = dict[str, nest.NodeCollection]
"""By population."""


def reset(seed: int, threads: int) -> None:
    """An empty kernel; install modules after it and build the network then."""
    nest.ResetKernel()
    nest.set(resolution=DT, local_num_threads=threads, rng_seed=seed)


def build() -> tuple[Nodes, Nodes]:
    """Neurons, and the spike recorder of each population."""
    neurons = {name: nest.Create("iaf_psc_exp", n) for name, n in SIZES.items()}
    everyone = neurons["E"] + neurons["I"]
    noise = nest.Create("poisson_generator", params={"rate": EXTERNAL})
    nest.Connect(noise, everyone, syn_spec={"weight": WEIGHT, "delay": DELAY})
    rule = {"rule": "fixed_indegree", "indegree": INDEGREES["E"]}
    nest.Connect(neurons["E"], everyone, rule, {"weight": WEIGHT, "delay": DELAY})
    rule = {"rule": "fixed_indegree", "indegree": INDEGREES["I"]}
    for post, times in INHIBITION.items():
        synapse: dict[str, Any] = {"weight": -times * WEIGHT, "delay": DELAY}
        if post == "E":
            synapse |= LEARNING
        nest.Connect(neurons["I"], neurons[post], rule, synapse)
    spikes = {name: nest.Create("spike_recorder") for name in SIZES}
    for name, population in neurons.items():
        nest.Connect(population, spikes[name], syn_spec={"delay": DELAY})
    return neurons, spikes
