"""Record a random network and a few odd ones: record.py OUT THREADS [THREADS ...].

Rank 0 writes OUT/<ranks>x<threads>.npz with spikes, signals and delays, for test_mpi.py to
compare. What can be checked by one run alone is checked here.
"""

import sys
import warnings
from pathlib import Path

import nest
import numpy as np
import xarray as xr
from mpi4py import MPI

import nestlfp
from nestlfp.kernels.strengths import with_strengths
from nests import quieten
from networks import (
    assert_signal_is_convolution,
    convolved,
    events,
    exponential_kernels,
    installed,
    random_network,
)

DURATION = 252.0
WORLD = MPI.COMM_WORLD
PLAIN = exponential_kernels()
# Of another network: to compare them with it is collective, and must leave it as it is.
KERNELS = nestlfp.KernelSet(
    with_strengths(PLAIN.dataset, dict.fromkeys([("E", "I"), ("I", "E")], 1.0), {})
)


def reset(threads):
    nest.ResetKernel()
    nest.set(resolution=0.1, local_num_threads=threads, rng_seed=7)


def all_events(network):
    """Spikes of all ranks, ordered by time, then sender."""
    parts = WORLD.allgather(events(network))
    times, senders = (np.concatenate(column) for column in zip(*parts, strict=True))
    order = np.lexsort((senders, times))
    return times[order], senders[order]


def delays():
    return nest.min_delay, nest.max_delay


def plain(threads):
    reset(threads)
    network = random_network(nest)
    nest.Simulate(DURATION)
    return all_events(network), delays()


def recorded(threads, out):
    reset(threads)
    bank = installed(KERNELS)
    network = random_network(nest)
    recorder = nestlfp.FieldRecorder(bank, network.populations, interval=0.1)
    store = out / f"{WORLD.size}x{threads}.zarr"
    nestlfp.simulate(DURATION, to=store, chunk=50.0, progress=False)
    spikes, signals = all_events(network), recorder.signals()
    assert_signal_is_convolution(signals, KERNELS, network.spikes(spikes), DURATION)
    assert signals.sizes["time"] > (DURATION - 2.0) / 0.1
    assert signals.identical(xr.open_zarr(store, chunks=None))
    assert all(WORLD.allgather(signals.identical(WORLD.bcast(signals.load()))))
    return spikes, delays(), signals["LFP"].values


def few_neurons(threads):
    """Populations smaller than the number of virtual processes; most hold no neuron."""
    reset(threads)
    bank = installed(KERNELS)
    network = random_network(nest, n=(1, 2))
    recorder = nestlfp.FieldRecorder(bank, network.populations, interval=0.1)
    nest.Simulate(60.0)
    assert_signal_is_convolution(
        recorder.signals(), KERNELS, network.spikes(all_events(network)), 60.0
    )


def odd_populations(threads):
    """A generator in place of neurons, which lives everywhere; a population that is missing."""
    reset(threads)
    bank = installed(KERNELS)
    generators = nest.Create("spike_generator", 2)
    generators[0].spike_times = [2.0, 8.0]
    generators[1].spike_times = [2.0, 3.0]
    populations = {"E": generators, "I": nest.NodeCollection([])}
    recorder = nestlfp.FieldRecorder(
        bank, nestlfp.Inputs(populations, unconnected=True), interval=0.1
    )
    nest.Simulate(30.0)
    found = recorder.signals()["LFP"].values
    expected = convolved(KERNELS, "LFP", {"E": [2.0, 2.0, 3.0, 8.0]}, 300)[:, : found.shape[1]]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12 * np.abs(expected).max())


def main(out, *all_threads):
    quieten(nest)
    for i, threads in enumerate(map(int, all_threads)):
        without, range_without = plain(threads)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", nestlfp.KernelsMismatchWarning)
            spikes, range_with, lfp = recorded(threads, Path(out))
        told = [each for each in caught if each.category is nestlfp.KernelsMismatchWarning]
        assert len(told) == (1 if i == WORLD.rank == 0 else 0)
        few_neurons(threads)
        odd_populations(threads)
        if WORLD.rank == 0:
            np.savez(
                Path(out) / f"{WORLD.size}x{threads}.npz",
                without=without,
                spikes=spikes,
                lfp=lfp,
                range_without=range_without,
                range_with=range_with,
            )


main(*sys.argv[1:])
