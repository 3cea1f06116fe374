"""NEST's own reader of SONATA, where NEST was built with HDF5: the same spikes, signals right."""

import numpy as np
import pytest
import sonata_files

import nestlfp
from networks import Network, assert_signal_is_convolution, events, exponential_kernels, reset

KERNELS = exponential_kernels(
    leads=(3, 12, 5), lengths=(30, 30, 20), pre=("e", "i", "thalamus"), post=("e", "i")
)


def simulated(nest, config, kernels=None):
    """The network with a spike recorder, and a recorder of signals if there are kernels."""
    reset(nest, threads=2)
    sonata = nest.SonataNetwork(config)
    if kernels is not None:
        nestlfp.install(kernels)
    found = sonata.BuildNetwork()
    e = [*range(15), *range(25, 50)]  # SONATA's node ids are places in NEST's collections
    populations = {
        "e": found["cortex"][e],
        "i": found["cortex"][15:25],
        "thalamus": found["thalamus"],
    }
    spikes = nest.Create("spike_recorder")
    for nodes in found.values():
        nest.Connect(nodes, spikes, syn_spec={"delay": 0.4})
    recorder = None
    if kernels is not None:
        recorder = nestlfp.FieldRecorder(kernels, populations, interval=KERNELS.dt)
    sonata.Simulate()
    return Network(populations, spikes), recorder


def test_populations_by_their_names(nest, tmp_path):
    if not nest.build_info["have_hdf5"]:
        pytest.skip("this NEST was built without HDF5")
    config = sonata_files.write(tmp_path)
    alone = events(simulated(nest, config)[0])
    network, recorder = simulated(nest, config, KERNELS)
    times, senders = events(network)
    np.testing.assert_array_equal(times, alone[0])
    np.testing.assert_array_equal(senders, alone[1])
    spikes = network.spikes((times, senders))
    assert min(map(len, spikes.values())) > 20
    assert_signal_is_convolution(recorder.signals(), KERNELS, spikes, sonata_files.DURATION)
