"""A network with two synapse models, with and without recorder: two_models.py OUT.

Rank 0 of two processes, or one process with two threads, writes OUT with the spikes of both.
"""

import sys
from pathlib import Path

import nest
import numpy as np
from mpi4py import MPI

import nestlfp
from nests import quieten
from networks import installed

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "examples" / "microcircuit"))

import network_in_nest as net

DURATION = 120.0
WORLD = MPI.COMM_WORLD
LAGS = np.arange(1, 101) * 0.1
KERNELS = nestlfp.KernelSet.from_arrays(
    {"LFP": np.arange(1.0, 10.0).reshape(1, 9, 1, 1) * np.exp(-LAGS / 5)},
    pre=net.PRE,
    post=["all"],
    dt=0.1,
    units={"LFP": "mV"},
)


def run(kernels):
    choice = net.Choice(scale=0.02, duration=DURATION)
    net.reset(choice, threads=2)
    bank = kernels and installed(kernels)
    neurons, _, _ = net.build(choice)
    net.drive(choice, neurons)
    recorders = net.record_spikes(neurons)
    if bank:
        nestlfp.FieldRecorder(
            bank, nestlfp.Inputs(neurons, synapse_models=net.recorders_models(choice))
        )
    nest.Simulate(DURATION)
    parts = WORLD.allgather(net.spikes(recorders))
    times, senders = (
        np.concatenate([part[name][i] for part in parts for name in neurons]) for i in (0, 1)
    )
    order = np.lexsort((senders, times))
    return np.array([times[order], senders[order]])


def main(out):
    quieten(nest)
    net.MOST_CONNECTIONS = 0  # as if NEST could not hold them
    without, recorded = run(None), run(KERNELS)
    assert set(net.recorders_models(net.Choice()).values()) == {"static_synapse", "from_I"}
    if WORLD.rank == 0:
        np.savez(out, without=without, recorded=recorded)


main(sys.argv[1])
