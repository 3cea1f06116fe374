"""The network in NEST."""

import nest
import numpy as np
import parameters as p

Nodes = dict[str, nest.NodeCollection]
"""By population."""


def reset(seed: int, threads: int = 1) -> None:
    """An empty kernel; install modules after it and build the network then."""
    nest.ResetKernel()
    nest.set(resolution=p.DT, local_num_threads=threads, rng_seed=seed)


def build(point: p.Point, seed: int, sizes: dict[str, int] | None = None) -> Nodes:
    """Neurons, which are returned, synapses and external input.

    With fewer neurons in-degrees stay as they are, and so do the mean and the variance of what a
    neuron receives; but more of it is shared with other neurons.
    """
    sizes = p.SIZES if sizes is None else sizes
    rng = np.random.default_rng(seed)
    neurons = {name: nest.Create("iaf_psc_delta", n, p.NEURON) for name, n in sizes.items()}
    for name, n in sizes.items():
        neurons[name].V_m = rng.uniform(0.0, p.NEURON["V_th"], n)
    generator = nest.Create("poisson_generator", params={"rate": point.external_rate})
    everyone = neurons["E"] + neurons["I"]
    weights = {"E": point.J, "I": -point.g * point.J}
    for name, population in neurons.items():
        rule = {"rule": "fixed_indegree", "indegree": p.INDEGREES[name]}
        nest.Connect(population, everyone, rule, {"weight": weights[name], "delay": p.DELAY})
    nest.Connect(generator, everyone, syn_spec={"weight": point.J, "delay": p.DELAY})
    return neurons


def record_spikes(neurons: Nodes) -> Nodes:
    """A spike recorder for each population."""
    recorders = {}
    for name, population in neurons.items():
        recorders[name] = nest.Create("spike_recorder")
        nest.Connect(population, recorders[name], syn_spec={"delay": p.DELAY})
    return recorders


def spikes(recorders: Nodes) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Each population's spikes as (times (ms), senders)."""
    found = {name: recorder.get("events") for name, recorder in recorders.items()}
    return {name: (events["times"], events["senders"]) for name, events in found.items()}
