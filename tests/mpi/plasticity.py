"""Follow synapses that change in several processes: plasticity.py OUT THREADS.

The NEST that tests have with MPI knows static synapses alone, so that the script lets those of a
second model learn.
Rank 0 writes OUT/plasticity_<ranks>x<threads>.npz with what depends on nothing but their product.
"""

import sys
from pathlib import Path

import nest
import numpy as np
import pytest
from mpi4py import MPI

import nestlfp
from nests import quieten
from networks import events, exponential_kernels, installed, random_network

TURN = 42.0  # ms
WORLD = MPI.COMM_WORLD
KERNELS = nestlfp.NeuronKernels.by_pathway(exponential_kernels())


def network(threads, *, recorded):
    """E has synapses of a model of their own, which learn; the kernels of a recorder."""
    nest.ResetKernel()
    nest.set(resolution=0.1, local_num_threads=threads, rng_seed=7)
    bank = installed(KERNELS) if recorded else None
    nest.CopyModel("static_synapse", "learning")
    return random_network(nest, stdp={"synapse_model": "learning"}), bank


def run(found, after_learning=lambda: None):
    """Six turns, of which each leaves other weights."""
    E, everyone = found.populations["E"], found.populations["E"] + found.populations["I"]
    for turn in range(6):
        nest.Simulate(TURN)
        nest.GetConnections(E, everyone, "learning").weight = 25.0 + 5.0 * turn
        after_learning()


def spikes_of(found):
    parts = WORLD.allgather(events(found))
    times, senders = (np.concatenate(column) for column in zip(*parts, strict=True))
    order = np.lexsort((senders, times))
    return np.array([times[order], senders[order]])


def main(out, threads):
    quieten(nest)
    threads = int(threads)
    alone, _ = network(threads, recorded=False)
    run(alone)
    result = {"without": spikes_of(alone)}
    for neurons in (False, True):
        found, bank = network(threads, recorded=True)
        plasticity = nestlfp.Plasticity(accuracy=0, neurons=neurons)
        recorder = nestlfp.FieldRecorder(
            bank,
            nestlfp.Inputs(found.populations, synapse_models={"E": "learning"}),
            interval=0.1,
            plasticity=plasticity,
        )
        run(found, recorder.follow)
        kind = "neurons" if neurons else "means"
        result |= {
            f"spikes_{kind}": spikes_of(found),
            f"lfp_{kind}": recorder.signals()["LFP"].values,
            "strengths": recorder.strengths().values,
        }
    if WORLD.size > 1:
        found, bank = network(threads, recorded=True)
        with pytest.raises(nestlfp.NetworkError, match=r"has connections .* 'learning', and with"):
            nestlfp.FieldRecorder(bank, found.populations, plasticity=42.0)
    if WORLD.rank == 0:
        np.savez(Path(out) / f"plasticity_{WORLD.size}x{threads}.npz", **result)


main(*sys.argv[1:])
