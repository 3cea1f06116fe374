"""What a script does to connections where the recorder's are of its own synapse model."""

import contextlib

import nest
import numpy as np
import pytest
from mpi4py import MPI

import nestlfp
from nests import quieten
from networks import (
    assert_signal_is_convolution,
    events,
    exponential_kernels,
    installed,
    random_network,
)

WORLD = MPI.COMM_WORLD
KERNELS = exponential_kernels()


def recorded():
    """Threads are set after install."""
    nest.ResetKernel()
    bank = installed(KERNELS)
    nest.set(resolution=0.1, local_num_threads=2, rng_seed=7)
    network = random_network(nest)
    recorder = nestlfp.FieldRecorder(bank, network.populations, interval=0.1)
    nest.Simulate(35.0)
    assert recorder.signals().sizes["time"] > 300
    return network, recorder


def assert_right(network, recorder):
    parts = WORLD.allgather(events(network))
    spikes = tuple(np.concatenate(column) for column in zip(*parts, strict=True))
    assert spikes[0].size > 100
    signals, duration = recorder.signals(), nest.biological_time
    assert_signal_is_convolution(signals, KERNELS, network.spikes(spikes), duration)


def assert_told(match, *calls):
    """Each rank gets the error, whose connections were changed on one of them only."""
    for call in calls:
        with pytest.raises(nestlfp.NetworkError, match=match):
            call()


def main():
    quieten(nest)
    network, recorder = recorded()
    E = network.populations["E"]
    nest.GetConnections(E, E).weight = 1.0  # the network's alone
    nest.Simulate(35.0)
    assert_right(network, recorder)
    nest.Prepare()
    nest.Run(7.0)
    recorder.signals()
    nest.Run(7.0)
    nest.Cleanup()
    assert_right(network, recorder)

    network, recorder = recorded()
    E = network.populations["E"]
    nest.GetConnections(E[:1]).weight = 0.0
    calls = (
        recorder.signals,
        lambda: nestlfp.simulate(7.0, progress=False),
        lambda: nestlfp.loop(7.0, every=0.7, progress=False),
    )
    assert_told("the weight of 1 of", *calls)
    nest.GetConnections(E).weight = 1.0
    nest.Simulate(7.0)

    network, recorder = recorded()
    nest.GetConnections(network.populations["I"]).delay = 1.7
    assert_told(r"the delay \(ms\) of", recorder.signals)

    network, recorder = recorded()
    with contextlib.suppress(nest.NESTError):
        nest.GetConnections(network.populations["I"][:1]).disconnect()
    assert_told("there were", recorder.signals)


main()
