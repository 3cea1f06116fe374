"""A network that oscillates, as point neurons in NEST.

Brunel's network (2000, J Comput Neurosci 8: 183-208) with fewer neurons and longer delays, in a
state in which excitation and inhibition chase each other round, at a frequency that the delay sets.
"""

import nest
import numpy as np

SIZES = {"E": 1600, "I": 400}
INDEGREES = {"E": 160, "I": 40}
NEURON = {
    "C_m": 1.0, "tau_m": 20.0, "t_ref": 2.0, "E_L": 0.0, "V_reset": 10.0, "V_th": 20.0,
}  # fmt: skip
DT = 0.1  # ms
DELAY = 5.0  # ms, within the network
SHORTEST_DELAY = 0.5  # ms, of external input: what a trigger's latency follows
WEIGHT = 0.25  # mV
INHIBITION = 5.0  # times as strong as excitation
EXTERNAL = 1.5  # times the rate that would bring a neuron to its threshold

Nodes = dict[str, nest.NodeCollection]
"""By population."""


def reset(seed: int, threads: int) -> None:
    """An empty kernel; install modules after it and build the network then."""
    nest.ResetKernel()
    nest.set(resolution=DT, local_num_threads=threads, rng_seed=seed)


def build(seed: int) -> Nodes:
    """Neurons, which are returned, synapses and external input."""
    rng = np.random.default_rng(seed)
    neurons = {name: nest.Create("iaf_psc_delta", n, NEURON) for name, n in SIZES.items()}
    for name, n in SIZES.items():
        neurons[name].V_m = rng.uniform(0.0, NEURON["V_th"], n)
    everyone = neurons["E"] + neurons["I"]
    # Spikes/s of all external synapses of a neuron together.
    rate = 1000.0 * EXTERNAL * NEURON["V_th"] / (WEIGHT * NEURON["tau_m"])
    noise = nest.Create("poisson_generator", params={"rate": rate})
    nest.Connect(noise, everyone, syn_spec={"weight": WEIGHT, "delay": SHORTEST_DELAY})
    for name, weight in (("E", WEIGHT), ("I", -INHIBITION * WEIGHT)):
        rule = {"rule": "fixed_indegree", "indegree": INDEGREES[name]}
        nest.Connect(neurons[name], everyone, rule, {"weight": weight, "delay": DELAY})
    return neurons
