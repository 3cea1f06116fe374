"""A loop in Python that changes nothing: loop.py OUT THREADS.

Rank 0 writes OUT/loop_<ranks>x<threads>.npy, the spikes, for test_mpi.py to compare. What each rank
is handed is checked here. A process of its own: with four ranks, NEST 3.10 makes other spikes after
nest.ResetKernel than before, also without nestlfp.
"""

import sys
from pathlib import Path

import nest
import numpy as np
from mpi4py import MPI

import nestlfp
from networks import events, exponential_kernels, installed, random_network

DURATION = 252.0
WORLD = MPI.COMM_WORLD


def main(out, threads):
    nest.set(resolution=0.1, local_num_threads=int(threads), rng_seed=7)
    bank = installed(exponential_kernels())
    network = random_network(nest)
    recorder = nestlfp.FieldRecorder(bank, network.populations, interval=0.1)
    seen = [s["LFP"].values for s in nestlfp.loop(DURATION, every=4.9, progress=False)]
    parts = WORLD.allgather(events(network))
    nest.Simulate(7.0)
    seen = np.concatenate(seen, axis=1)
    whole = recorder.signals()["LFP"].values[:, : seen.shape[1]]
    assert seen.shape[1] == round((DURATION - 0.6) / 0.1)  # kernels start 0.6 ms before min_delay
    assert np.abs(seen - whole).max() <= 1e-14 * np.abs(whole).max()
    times, senders = (np.concatenate(column) for column in zip(*parts, strict=True))
    order = np.lexsort((senders, times))
    if WORLD.rank == 0:
        spikes = np.array([times[order], senders[order]])
        np.save(Path(out) / f"loop_{WORLD.size}x{threads}.npy", spikes)


main(*sys.argv[1:])
