"""The package microcircuit, Potjans and Diesmann's network: the same spikes, signals right."""

import numpy as np
import pytest

import nestlfp
from networks import Network, assert_signal_is_convolution, events, exponential_kernels

NAMES = ["L23E", "L23I", "L4E", "L4I", "L5E", "L5I", "L6E", "L6I"]
KERNELS = exponential_kernels(leads=[1, 4] * 4, lengths=[30] * 8, pre=NAMES)


@pytest.fixture
def network_of(nest, tmp_path):
    """Makes the package's network, at a fiftieth of its size, of changed settings."""
    from microcircuit import Network
    from microcircuit.network_params import default_net_dict
    from microcircuit.sim_params import default_sim_dict
    from microcircuit.stimulus_params import default_stim_dict

    settings = {
        "data_path": f"{tmp_path}/",
        "local_num_threads": 2,
        "print_time": False,
        "rec_dev": [],
        "sim_resolution": KERNELS.dt,
    }
    scale = {"N_scaling": 0.02, "K_scaling": 0.1, "bg_input_type": "poisson"}
    return lambda: Network(
        {**default_sim_dict, **settings}, {**default_net_dict, **scale}, default_stim_dict
    )


def simulated(nest, network, *, recorded):
    """What the network did, and its recorder if there is to be one."""
    if recorded:
        nestlfp.install(KERNELS)
    network.create()
    network.connect()
    populations = dict(zip(network.net_dict["populations"], network.pops, strict=True))
    spikes = nest.Create("spike_recorder")
    for nodes in network.pops:
        nest.Connect(nodes, spikes)
    recorder = None
    if recorded:
        recorder = nestlfp.FieldRecorder(KERNELS, populations, interval=KERNELS.dt)
    for t in (60.0, 40.0):
        network.simulate(t)
    return Network(populations, spikes), recorder


def test_populations_by_their_names(nest, network_of):
    times_alone, senders_alone = events(simulated(nest, network_of(), recorded=False)[0])
    network, recorder = simulated(nest, network_of(), recorded=True)
    times, senders = events(network)
    np.testing.assert_array_equal(times, times_alone)
    np.testing.assert_array_equal(senders, senders_alone)
    spikes = network.spikes((times, senders))
    assert list(spikes) == NAMES
    assert times.size > 100
    assert_signal_is_convolution(recorder.signals(), KERNELS, spikes, 100.0)


def test_install_before_the_network(network_of):
    nestlfp.install(KERNELS)
    network_of()
    with pytest.raises(nestlfp.NetworkError, match=r"microcircuit's Network\(\) calls"):
        nestlfp.FieldRecorder(KERNELS, dict.fromkeys(NAMES))
