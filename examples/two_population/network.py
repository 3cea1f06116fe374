"""The two populations as point neurons in NEST."""

import nest
import numpy as np
import parameters as p

Nodes = dict[str, nest.NodeCollection]
"""By population."""


def reset(threads: int, seed: int) -> None:
    """An empty kernel; install modules after it and build the network then."""
    nest.ResetKernel()
    nest.set(
        # NEST's default of 1000 tics per ms cannot represent 2**-4 ms.
        tics_per_ms=16000,
        resolution=p.DT,
        total_num_virtual_procs=threads,  # of all processes together
        rng_seed=seed,
    )


def build() -> Nodes:
    """Neurons, which are returned, synapses and external input."""
    neurons = {
        name: nest.Create("iaf_psc_exp", p.SIZES[name], params=p.NEURON[name])
        for name in p.POPULATIONS
    }
    for pre in p.POPULATIONS:
        for post in p.POPULATIONS:
            nest.Connect(
                neurons[pre],
                neurons[post],
                {"rule": "pairwise_bernoulli", "p": p.NETWORK_CONNECTION_PROBABILITY},
                {"weight": weight(pre, post), "delay": delay(pre, post)},
            )
    for name, population in neurons.items():
        rate = p.EXTERNAL_RATE * p.EXTERNAL_SYNAPSES[name]
        generator = nest.Create("poisson_generator", params={"rate": rate})
        synapse = {"weight": p.EXTERNAL_WEIGHT, "delay": shortest_delay()}
        nest.Connect(generator, population, syn_spec=synapse)
    return neurons


def record_spikes(neurons: Nodes) -> Nodes:
    """A spike recorder for each population."""
    recorders = {}
    for name, population in neurons.items():
        recorders[name] = nest.Create("spike_recorder")
        nest.Connect(population, recorders[name], syn_spec={"delay": shortest_delay()})
    return recorders


def shortest_delay() -> float:
    """A delay (ms) for devices, that the network has already.

    Another would change the network: how often threads communicate, and with that the random
    numbers, follows the shortest delay.
    """
    return nest.min_delay


def weight(pre: str, post: str) -> nest.Parameter:
    """Weights (pA), normal, redrawn where the sign would change."""
    mean = p.NETWORK_WEIGHT[pre, post]
    low, high = (0.0, np.inf) if mean > 0 else (-np.inf, 0.0)
    drawn = nest.random.normal(mean=mean, std=abs(mean) * p.NETWORK_WEIGHT_SPREAD)
    return nest.math.redraw(drawn, min=low, max=high)


def delay(pre: str, post: str) -> nest.Parameter:
    """Delays (ms), normal, redrawn where too short."""
    mean = p.NETWORK_DELAY[pre, post]
    drawn = nest.random.normal(mean=mean, std=mean * p.NETWORK_DELAY_SPREAD)
    return nest.math.redraw(drawn, min=p.SHORTEST_DELAY, max=np.inf)


def spikes(recorders: Nodes) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Spikes in this process, each population as (times (ms), senders)."""
    found = {}
    for name, recorder in recorders.items():
        events = recorder.get("events")
        found[name] = (np.asarray(events["times"]), np.asarray(events["senders"]))
    return found
