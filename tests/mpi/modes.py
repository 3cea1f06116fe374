"""Out-strengths and modes in several processes: modes.py OUT THREADS [THREADS ...].

Rank 0 writes OUT/modes_<ranks>x<threads>.npz with what depends on nothing but their product.
"""

import sys
from pathlib import Path

import nest
import numpy as np
from mpi4py import MPI

import nestlfp
from nests import quieten
from networks import events, exponential_kernels, installed, random_network

DURATION = 252.0
WORLD = MPI.COMM_WORLD
KERNELS = exponential_kernels()


def run(threads, with_recorder):
    """Spikes of all ranks, and what a recorder with a weight for each neuron and target found."""
    nest.ResetKernel()
    nest.set(resolution=0.1, local_num_threads=threads, rng_seed=7)
    apart = nestlfp.NeuronKernels.by_pathway(KERNELS)
    bank = installed(apart) if with_recorder else None
    network = random_network(nest)
    strengths, recorder = {}, None
    if bank:
        strengths = nestlfp.out_strengths(network.populations, by="post")
        assert all(
            np.array_equal(mine, theirs)
            for name, mine in strengths.items()
            for theirs in WORLD.allgather(mine.values)
        )
        recorder = nestlfp.FieldRecorder(
            bank, nestlfp.Inputs(network.populations, weights=strengths), interval=0.1
        )
    nest.Simulate(DURATION)
    parts = WORLD.allgather(events(network))
    times, senders = (np.concatenate(column) for column in zip(*parts, strict=True))
    order = np.lexsort((senders, times))
    times, senders = times[order], senders[order]
    if recorder is None:
        return {"without": np.array([times, senders])}
    signals = recorder.signals()
    known = nestlfp.NeuronKernels(
        apart.modes, apart.populations, {name: found.values for name, found in strengths.items()}
    )
    spikes = {}
    for name, nodes in network.populations.items():
        own = np.isin(senders, nodes.tolist())
        spikes[name] = times[own], senders[own] - nodes[0].global_id
    expected = known.convolve(spikes, DURATION)["LFP"].values[:, : signals.sizes["time"]]
    difference = np.abs(signals["LFP"].values - expected).max()
    assert difference <= 1e-12 * np.abs(expected).max(), difference
    return {
        "spikes": np.array([times, senders]),
        "lfp": signals["LFP"].values,
        "strengths": np.concatenate([found.values for found in strengths.values()]),
    }


def main(out, *all_threads):
    quieten(nest)
    for threads in map(int, all_threads):
        found = run(threads, with_recorder=False) | run(threads, with_recorder=True)
        if WORLD.rank == 0:
            np.savez(Path(out) / f"modes_{WORLD.size}x{threads}.npz", **found)


main(*sys.argv[1:])
