"""State-space filters in several processes: state_space.py THREADS.

One rank finds the filter, all receive it; or its error.
"""

import sys

import nest
import numpy as np
import pytest
from mpi4py import MPI

import nestlfp
from nestlfp.filters import state_space
from nests import quieten
from networks import (
    assert_signal_is_convolution,
    events,
    exponential_kernels,
    random_network,
)

WORLD = MPI.COMM_WORLD
KERNELS = exponential_kernels(leads=(3, 7))
METHOD = nestlfp.StateSpace(tolerance=1e-6)

quieten(nest)
nest.ResetKernel()
nest.set(resolution=0.1, local_num_threads=int(sys.argv[1]), rng_seed=7)
if WORLD.rank > 0:
    state_space.realize = None  # must not be called here
noise = np.random.default_rng(1).standard_normal((1, 1, 1, 300))
noise = nestlfp.KernelSet.from_arrays(
    {"LFP": noise}, pre=["E"], post=["E"], dt=0.1, units={"LFP": "mV"}
)
with pytest.raises(nestlfp.KernelError, match="smallest reached"):
    nestlfp.FieldRecorder(noise, {}, method=METHOD)

nestlfp.install(KERNELS, method=METHOD)
network = random_network(nest)
recorder = nestlfp.FieldRecorder(KERNELS, network.populations, interval=0.7, method=METHOD)
nest.Simulate(150.0)
parts = WORLD.allgather(events(network))
times, senders = (np.concatenate(column) for column in zip(*parts, strict=True))
assert times.size > 100
spikes = network.spikes((times, senders))
assert_signal_is_convolution(recorder.signals(), KERNELS, spikes, 150.0, rtol=1e-5)
print("passed", flush=True)
