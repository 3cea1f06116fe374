"""Close a loop through a trigger: trigger.py OUT THREADS [THREADS ...].

Rank 0 writes OUT/trigger_<ranks>x<threads>.npz for test_mpi.py to compare: the spikes of a network
that nobody hears, of one with a trigger that has no targets, and of one that it excites.
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
READOUT = exponential_kernels().readout({"LFP": {0: 1.0, 1: -0.25}})


def all_events(network):
    parts = WORLD.allgather(events(network))
    times, senders = (np.concatenate(column) for column in zip(*parts, strict=True))
    order = np.lexsort((senders, times))
    return np.array([times[order], senders[order]])


def simulated(threads, weight):
    """Spikes, times and readout of the trigger; without one where the weight is None."""
    nest.ResetKernel()
    nest.set(resolution=0.1, local_num_threads=threads, rng_seed=7)
    bank = installed(READOUT) if weight is not None else None
    network = random_network(nest)
    if bank is None:
        nest.Simulate(DURATION)
        return all_events(network), None, None
    trigger = nestlfp.Trigger(bank, network.populations, threshold=3.0, interval=0.5)
    if weight:
        everyone = network.populations["E"] + network.populations["I"]
        nest.Connect(trigger.node, everyone, syn_spec={"weight": weight, "delay": 0.7})
    nest.Simulate(DURATION)
    return all_events(network), trigger.times(), trigger.readout().values


def main(out, *all_threads):
    for threads in map(int, all_threads):
        without, _, _ = simulated(threads, None)
        heard, times, readout = simulated(threads, 0.0)
        closed, closed_times, _ = simulated(threads, 200.0)
        if WORLD.rank == 0:
            np.savez(
                Path(out) / f"trigger_{WORLD.size}x{threads}.npz",
                without=without,
                heard=heard,
                times=times,
                readout=readout,
                closed=closed,
                closed_times=closed_times,
            )


main(*sys.argv[1:])
