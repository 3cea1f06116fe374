"""What a script does to connections of its neurons, which NEST lists with the recorder's."""

import contextlib

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import nestlfp
from networks import (
    assert_signal_is_convolution,
    events,
    exponential_kernels,
    installed,
    random_network,
    replayed,
    reset,
)

KERNELS = exponential_kernels()
pytestmark = pytest.mark.filterwarnings("ignore:samples every", "ignore:.*deprecated")

NUMBERS = {"weight": [0.0, 0.3, -2.0, 1e6], "delay": [0.8, 1.7, 2.7]}


def set_attribute(nest, connections, what, value):
    setattr(connections, what, value)


def set_each(nest, connections, what, value):
    setattr(connections, what, [value] * len(connections))


def set_by_dict(nest, connections, what, value):
    connections.set({what: value})


def set_status(nest, connections, what, value):
    nest.SetStatus(connections, what, value)


def scale(nest, connections, what, value):
    """What a script reads stays a number that it can scale."""
    now = np.atleast_1d(connections.weight)
    connections.weight = list(0.5 * now)


def disconnect(nest, connections, *_):
    """NEST 3.10 stops at what leads to devices, and at a second connection of two neurons."""
    with contextlib.suppress(nest.NESTError):
        connections.disconnect()


WAYS = [set_attribute, set_each, set_by_dict, set_status, scale]


def chosen(nest, network, which):
    """Connections as a script finds them; all of them are the recorder's as well."""
    E, I = network.populations["E"], network.populations["I"]  # noqa: E741
    return {
        "of E": lambda: nest.GetConnections(E),
        "of some": lambda: nest.GetConnections(E[3:9]),
        "of I": lambda: nest.GetConnections(source=I),
        "all": nest.GetConnections,
        "ours": lambda: nest.GetConnections(E, synapse_model="nestlfp_synapse"),
    }[which]()


def recorded(nest, threads, seed=7):
    reset(nest, threads=threads, seed=seed)
    bank = installed(KERNELS)
    network = random_network(nest)
    return network, nestlfp.FieldRecorder(bank, network.populations, interval=0.1)


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("what", list(NUMBERS))
def test_weights_and_delays_of_the_recorder_stay(nest, threads, way, what):
    network, recorder = recorded(nest, threads)
    nest.Simulate(35.0)
    E = network.populations["E"]
    before = nest.GetConnections(E, synapse_model="nestlfp_synapse").get(["weight", "delay"])
    way(nest, nest.GetConnections(E), what, NUMBERS[what][-1])
    after = nest.GetConnections(E, synapse_model="nestlfp_synapse").get(["weight", "delay"])
    assert before == after
    nest.Simulate(35.0)
    spikes = network.spikes(events(network))
    assert spikes["E"].size > 20
    assert_signal_is_convolution(recorder.signals(), KERNELS, spikes, 70.0)


def test_values_of_another_kind_are_still_errors(nest):
    network, _ = recorded(nest, 1)
    ours = nest.GetConnections(network.populations["E"], synapse_model="nestlfp_synapse")
    for wrong in ({"weight": [[1.0]]}, {"weigth": 1.0}):
        with pytest.raises(nest.NESTError):
            ours[0].set(wrong)


@pytest.mark.parametrize("threads", [1, 3])
def test_connections_that_are_removed_are_told(nest, threads):
    network, recorder = recorded(nest, threads)
    trigger = nestlfp.Trigger(
        installed(KERNELS.readout({"LFP": 0})),
        network.populations,
        threshold=1.0,
        interval=1.0,
    )
    nest.Simulate(20.0)
    assert recorder.signals().sizes["time"] > 100
    E = network.populations["E"]
    disconnect(nest, nest.GetConnections(E, E))
    assert recorder.signals().sizes["time"] > 100
    nest.GetConnections(E[:4], synapse_model="nestlfp_synapse").disconnect()
    for call in (
        recorder.signals,
        trigger.times,
        trigger.readout,
        lambda: nestlfp.simulate(10.0, progress=False),
        lambda: nestlfp.loop(7.0, every=0.7),
    ):
        with pytest.raises(
            nestlfp.NetworkError, match=r"8 connections were removed.*GetConnections"
        ):
            call()
    assert nest.biological_time == 20.0


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("what", ["weight", "delay"])
def test_connections_of_generators_are_compared(nest, threads, what):
    """NEST wants all of a generator's to be of one synapse model, which is not ours."""
    reset(nest, threads=threads)
    bank = installed(KERNELS)
    generators = nest.Create("spike_generator", 2, params={"spike_times": [2.0, 5.0, 12.0]})
    parrots = nest.Create("parrot_neuron", 2)
    nest.set(min_delay=1.0, max_delay=3.0)
    nest.Connect(generators, parrots)
    recorder = nestlfp.FieldRecorder(bank, {"E": generators, "I": parrots}, interval=0.1)
    nest.Simulate(10.0)
    assert recorder.signals().sizes["time"] > 50
    setattr(nest.GetConnections(generators[0]), what, {"weight": 0.5, "delay": 2.0}[what])
    match = {
        "weight": r"weight of 1 of 2 connections is another, such as 0\.5, which was 1",
        "delay": r"delay \(ms\) of 1 of 2 connections is another, such as 2, which was 1",
    }
    with pytest.raises(nestlfp.NetworkError, match=match[what]):
        recorder.signals()


def test_weights_of_spikes_that_are_set_later(nest):
    """They would scale the kernel, as those that are set before."""
    reset(nest)
    bank = installed(KERNELS)
    generator = nest.Create("spike_generator", params={"spike_times": [1.0, 2.0]})
    nest.Connect(generator, nest.Create("parrot_neuron"))
    recorder = nestlfp.FieldRecorder(bank, {"E": generator, "I": None}, interval=0.1)
    nest.Simulate(10.0)
    generator.set(spike_times=[12.0], spike_weights=[3.0])
    for call in (recorder.signals, lambda: nestlfp.simulate(10.0, progress=False)):
        with pytest.raises(nestlfp.NetworkError, match=r"spike_generator 1 has spike_weights .* 3"):
            call()


def test_connections_that_a_script_adds_are_told(nest):
    network, recorder = recorded(nest, 1)
    E = network.populations["E"]
    nest.Connect(E, E, "one_to_one", {"synapse_model": "nestlfp_synapse", "delay": 1.0})
    with pytest.raises(nestlfp.NetworkError, match="40 connections were added"):
        recorder.signals()


ACTIONS = st.lists(
    st.tuples(
        st.sampled_from([*WAYS, disconnect]),
        st.sampled_from(["of E", "of some", "of I", "all", "ours"]),
        st.sampled_from(list(NUMBERS)),
        st.integers(0, 2),
        st.sampled_from([0.0, 7.0, 11.2]),
    ),
    min_size=1,
    max_size=3,
)


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    derandomize=True,
)
@given(actions=ACTIONS, threads=st.sampled_from([1, 2]))
def test_the_signal_is_right_or_the_recorder_says_so(nest, actions, threads):
    """Whatever a script does to connections by NEST's interface."""
    network, recorder = recorded(nest, threads)
    n = len(nest.GetConnections(synapse_model="nestlfp_synapse"))
    for way, which, what, value, pause in actions:
        nest.Simulate(pause)
        way(nest, chosen(nest, network, which), what, NUMBERS[what][value])
    nest.Simulate(14.0)
    if len(nest.GetConnections(synapse_model="nestlfp_synapse")) < n:
        with pytest.raises(nestlfp.NetworkError, match="connections were removed"):
            recorder.signals()
    else:
        spikes, duration = network.spikes(events(network)), nest.biological_time
        assert_signal_is_convolution(recorder.signals(), KERNELS, spikes, duration)


# ---------------------------------------------------------------------- the order of things
@pytest.mark.parametrize(
    "settings_",
    [{"local_num_threads": 3}, {"resolution": 0.1}, {"local_num_threads": 2, "resolution": 0.1}],
)
def test_threads_and_resolution_may_be_set_after_install(nest, settings_):
    nest.ResetKernel()
    bank = installed(KERNELS)
    nest.set(**settings_)
    nest.set(rng_seed=5, **settings_)
    network = random_network(nest)
    recorder = nestlfp.FieldRecorder(bank, network.populations, interval=0.1)
    nest.Simulate(40.0)
    spikes = network.spikes(events(network))
    assert_signal_is_convolution(recorder.signals(), KERNELS, spikes, 40.0)


def test_install_again_when_there_is_a_network(nest):
    """Other kernels of a size that NEST knows, and a recorder of them."""
    reset(nest)
    nestlfp.install(KERNELS)
    parrots = replayed(nest, [[2.0], [3.0]])
    other = exponential_kernels(leads=(3, 5), channels=7)
    bank = installed(other)
    recorder = nestlfp.FieldRecorder(bank, {"E": parrots[:1], "I": parrots[1:]}, interval=0.1)
    nest.Simulate(20.0)
    trains = {"E": [3.0], "I": [4.0]}
    assert_signal_is_convolution(recorder.signals(), other, trains, 20.0)


def test_modules_loaded_by_hand_are_another_life(nest):
    _, recorder = recorded(nest, 1)
    nest.Simulate(5.0)
    (path,) = nest.GetKernelStatus("modules")
    nest.ResetKernel()
    nest.Install(path)
    random_network(nest)
    nest.Simulate(5.0)
    with pytest.raises(nestlfp.NetworkError, match=r"nest.ResetKernel\(\) was called"):
        recorder.signals()


# ---------------------------------------------------------------------- populations
def test_populations_in_lists(nest):
    reset(nest)
    bank = installed(KERNELS)
    parrots = replayed(nest, [[1.0], [2.0], [3.0], [4.0], [5.0], [6.0]])
    nested = [parrots[4:], [parrots[1:2], [[3], parrots[:1]]], np.array([4])]
    recorder = nestlfp.FieldRecorder(
        bank,
        nestlfp.Inputs({"E": nested, "I": []}, weights={"E": [1, 2, 3, 4, 5, 6]}),
        interval=0.1,
    )
    assert recorder.populations["E"].tolist() == [5, 6, 2, 3, 1, 4]
    nest.Simulate(20.0)
    trains = {"E": np.repeat([6.0, 7.0, 3.0, 4.0, 2.0, 5.0], [1, 2, 3, 4, 5, 6])}
    assert_signal_is_convolution(recorder.signals(), KERNELS, trains, 20.0)


@pytest.mark.parametrize(
    ("model", "why"),
    [
        ("poisson_generator", "Put a parrot_neuron between the generator and each neuron"),
        ("astrocyte_lr_1994", "slow currents"),
        ("spike_recorder", "recorders among them"),
        ("volume_transmitter", "devices among them"),
        ("mcculloch_pitts_neuron", "binary neurons"),
        ("lin_rate_ipn", r"KernelSet.convolve\(rates=...\)"),
        ("dc_generator", "generators of currents"),
    ],
)
def test_what_is_wrong_with_other_nodes(nest, model, why):
    reset(nest)
    bank = installed(KERNELS)
    nodes, neurons = nest.Create(model, 2), nest.Create("iaf_psc_exp", 2)
    generator = nest.Create("spike_generator")
    nest.Connect(neurons, neurons)
    with pytest.raises(nestlfp.NetworkError, match=why):
        nestlfp.FieldRecorder(bank, {"E": nodes, "I": neurons})
    with pytest.raises(nestlfp.NetworkError, match=r"neurons and generators are mixed"):
        nestlfp.FieldRecorder(bank, {"E": neurons + generator, "I": None})
