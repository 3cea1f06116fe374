"""The package microcircuit, Potjans and Diesmann's network: the same spikes, signals right."""

import microcircuit
import numpy as np
import pytest
from microcircuit.network_params import default_net_dict
from microcircuit.sim_params import default_sim_dict
from microcircuit.stimulus_params import default_stim_dict

import nestlfp
from networks import Network, assert_signal_is_convolution, events, exponential_kernels

NAMES = [str(name) for name in default_net_dict["populations"]]
KERNELS = exponential_kernels(leads=[1, 4] * 4, lengths=[30] * 8, pre=NAMES)


def simulated(nest, folder, kernels=None):
    """The package's network, at a fiftieth of its size, with a recorder if there are kernels."""
    settings = {
        "data_path": f"{folder}/",
        "local_num_threads": 2,
        "print_time": False,
        "rec_dev": [],
        "sim_resolution": KERNELS.dt,
    }
    scale = {"N_scaling": 0.02, "K_scaling": 0.1, "bg_input_type": "poisson"}
    network = microcircuit.Network(
        {**default_sim_dict, **settings}, {**default_net_dict, **scale}, default_stim_dict
    )
    if kernels is not None:
        nestlfp.install(kernels)
    network.create()
    network.connect()
    populations = dict(zip(default_net_dict["populations"], network.pops, strict=True))
    spikes = nest.Create("spike_recorder")
    for nodes in network.pops:
        nest.Connect(nodes, spikes)
    recorder = None
    if kernels is not None:
        recorder = nestlfp.FieldRecorder(kernels, populations, interval=KERNELS.dt)
    for t in (60.0, 40.0):
        network.simulate(t)
    return Network(populations, spikes), recorder


def test_populations_by_their_names(nest, tmp_path):
    times_alone, senders_alone = events(simulated(nest, tmp_path)[0])
    network, recorder = simulated(nest, tmp_path, KERNELS)
    times, senders = events(network)
    np.testing.assert_array_equal(times, times_alone)
    np.testing.assert_array_equal(senders, senders_alone)
    spikes = network.spikes((times, senders))
    assert list(spikes) == ["L23E", "L23I", "L4E", "L4I", "L5E", "L5I", "L6E", "L6I"]
    assert times.size > 100
    assert_signal_is_convolution(recorder.signals(), KERNELS, spikes, 100.0)


def test_install_comes_after_the_network(nest, tmp_path):
    nestlfp.install(KERNELS)
    network = microcircuit.Network(
        {**default_sim_dict, "data_path": f"{tmp_path}/"}, default_net_dict, default_stim_dict
    )
    assert network.sim_dict["sim_resolution"] == KERNELS.dt
    with pytest.raises(nestlfp.NetworkError, match=r"microcircuit's Network\(\) calls"):
        nestlfp.FieldRecorder(KERNELS, dict.fromkeys(NAMES))
