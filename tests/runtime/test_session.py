"""The recorder beside whatever else a user does to NEST: defaults, clocks, later connections."""

import numpy as np
import pytest

import nestlfp
from nests import asserts, set_verbosity, verbosity
from networks import (
    assert_refused,
    assert_signal_is_convolution,
    events,
    exponential_kernels,
    installed,
    random_network,
    replayed,
    reset,
    streamed_network,
)

KERNELS = exponential_kernels()
pytestmark = pytest.mark.filterwarnings("ignore:samples every")


# ---------------------------------------------------------------------- later connections
def sparse_network(nest):
    """Few connections of many neurons: NEST's table of sources changes with every new one."""
    nodes = nest.Create("iaf_psc_exp", 200)
    noise = nest.Create("poisson_generator", params={"rate": 11000.0})
    spikes = nest.Create("spike_recorder")
    nest.Connect(noise, nodes, syn_spec={"weight": 33.0, "delay": 0.7})
    rule = {"rule": "fixed_indegree", "indegree": 3}
    weight = nest.random.normal(60.0, 20.0)
    nest.Connect(nodes, nodes, rule, {"weight": weight, "delay": nest.random.uniform(0.7, 2.7)})
    nest.Connect(nodes, spikes, syn_spec={"delay": 0.7})
    return nodes, spikes


def run_sparse(nest, threads, between=lambda nodes: None, moments=(30.0,)):
    """Spikes of the network if something is done at some moments of its run; what was returned."""
    reset(nest, threads=threads)
    bank = installed(KERNELS)
    nodes, spikes = sparse_network(nest)
    done = []
    for moment in (*moments, 120.0):
        nest.Simulate(moment - nest.biological_time)
        if moment < 120.0:
            done.append(between((bank, nodes)))
    found = spikes.events
    order = np.lexsort((found["senders"], found["times"]))
    return found["times"][order], found["senders"][order], done


def record(there):
    bank, nodes = there
    return nestlfp.FieldRecorder(bank, {"E": nodes[:150], "I": nodes[150:]}, interval=0.1)


@pytest.mark.parametrize("threads", [1, 2, 4])
def test_recorders_made_later_leave_the_network_alone(nest, threads):
    """Two of them, at two moments, while spikes are under way; they do not disturb each other."""
    moments = (30.0, 61.3)
    times, senders, _ = run_sparse(nest, threads, moments=moments)
    found = run_sparse(nest, threads, record, moments)
    np.testing.assert_array_equal(found[0], times)
    np.testing.assert_array_equal(found[1], senders)
    spikes = {"E": times[senders <= 150], "I": times[senders > 150]}
    first, second = (recorder.signals() for recorder in found[2])
    late = first.sel(time=slice(61.25 + 4.0, None)), second.sel(time=slice(61.25 + 4.0, None))
    for signals in late:  # when the kernels of what came before a recorder have ended
        assert_signal_is_convolution(signals, KERNELS, spikes, 120.0)
    early = {name: some[some > 29.95] for name, some in spikes.items()}
    early = first.sel(time=slice(34.0, None)), spikes
    assert_signal_is_convolution(*early[:1], KERNELS, early[1], 120.0)


def test_why_they_have_a_synapse_model_of_their_own(nest):
    """NEST misroutes spikes under way if their synapse model gets new connections.

    Where this fails NEST has mended it, and `Session.synapse` can be simplified.
    """

    def connect(there):
        _, nodes = there
        parrots = nest.Create("parrot_neuron", 2)
        nest.Connect(nodes, parrots[:1], syn_spec={"delay": 1.0})

    plain, disturbed = run_sparse(nest, 2), run_sparse(nest, 2, connect)
    assert list(plain[0]) != list(disturbed[0])


def test_connections_of_the_recorder_can_be_told_apart(nest):
    reset(nest, threads=2)
    bank = installed(KERNELS)
    network = random_network(nest)
    own = len(nest.GetConnections(synapse_model="static_synapse"))
    recorder = nestlfp.FieldRecorder(bank, network.populations, interval=0.1)
    E = network.populations["E"]
    assert len(nest.GetConnections(synapse_model="static_synapse")) == own
    assert len(nest.GetConnections(E, synapse_model="nestlfp_synapse")) == len(E)
    nest.GetConnections(E, synapse_model="static_synapse").weight = 0.1
    nest.Simulate(50.0)
    spikes = network.spikes(events(network))
    assert_signal_is_convolution(recorder.signals(), KERNELS, spikes, 50.0)
    # They share one model as long as nothing was simulated between them.
    assert [name for name in nest.synapse_models if "nestlfp" in name] == ["nestlfp_synapse"]


# ---------------------------------------------------------------------- hostile defaults
@pytest.mark.parametrize(
    ("model", "defaults"),
    [
        ("multimeter", {"start": 5.0}),
        ("multimeter", {"stop": 12.0}),
        ("multimeter", {"origin": 7.0, "start": 1.0, "stop": 4.0}),
        ("multimeter", {"time_in_steps": True}),
        ("multimeter", {"record_to": "ascii", "label": "mine"}),
        ("multimeter", {"record_to": "screen"}),
        ("multimeter", {"interval": 3.0, "offset": 0.7, "record_from": ["V_m"]}),
        ("static_synapse", {"weight": 7.0, "delay": 0.3, "receptor_type": 2}),
    ],
)
def test_the_users_defaults(nest, tmp_path, model, defaults):
    reset(nest, threads=2)
    nest.data_path = str(tmp_path)
    bank = installed(KERNELS)
    parrots = replayed(nest, [[1.0, 6.0, 15.0], [2.0, 11.0]])
    nest.SetDefaults(model, defaults)
    before = nest.min_delay, nest.max_delay
    recorder = nestlfp.FieldRecorder(bank, {"E": parrots[:1], "I": parrots[1:]}, interval=0.1)
    assert (nest.min_delay, nest.max_delay) == before
    nest.Simulate(20.0)
    signals = recorder.signals()
    assert signals.sizes["time"] >= 180
    spikes = {"E": [2.0, 7.0, 16.0], "I": [3.0, 12.0]}
    assert_signal_is_convolution(signals, KERNELS, spikes, 20.0)
    nest.data_path = ""


# ---------------------------------------------------------------------- clocks and lives
def skip_where_nest_asserts():
    if asserts():
        pytest.skip("built with assertions, this NEST itself stops neurons that go back in time")


def test_time_that_is_set_back_is_an_error(nest):
    recorder, network = streamed_network(nest)
    nest.Simulate(20.0)
    assert recorder.signals().sizes["time"] > 30
    nest.biological_time = 0.0
    for call in (
        recorder.signals,
        lambda: nestlfp.simulate(10.0, progress=False),
        lambda: nestlfp.FieldRecorder(recorder.bank, network.populations),
    ):
        assert_refused(nest, "nest.biological_time was set", call)

    reset(nest)
    bank = installed(KERNELS)
    parrots = replayed(nest, [[1.0]])
    nest.Simulate(20.0)
    recorder = nestlfp.FieldRecorder(bank, {"E": parrots, "I": None}, interval=0.1)
    nest.biological_time = 0.0
    nest.Simulate(30.0)  # and now it is later than it was
    with pytest.raises(nestlfp.NetworkError, match=r"nest\.biological_time was set"):
        recorder.signals()

    skip_where_nest_asserts()
    recorder, _ = streamed_network(nest)
    nest.Simulate(20.0)
    assert recorder.signals().sizes["time"] > 30
    nest.biological_time = 0.0
    nest.Simulate(30.0)
    with pytest.raises(nestlfp.NetworkError, match="nodes have come to the end of 50 ms"):
        recorder.signals()

    recorder, _ = streamed_network(nest)
    for _ in range(3):
        nest.biological_time = 0.0
        nest.Simulate(100.0)
    for call in (recorder.signals, lambda: nestlfp.simulate(10.0, progress=False)):
        with pytest.raises(nestlfp.NetworkError, match=r"nest\.biological_time was set"):
            call()

    for _ in range(2):  # another life starts at 0, with or without recorders
        reset(nest)
        random_network(nest)
        nestlfp.simulate(10.0, progress=False)


@pytest.mark.parametrize("later", [5.0, 30.0])
def test_time_that_is_set_back_under_a_trigger(nest, later):
    reset(nest)
    bank = installed(KERNELS.readout({"LFP": 0}))
    network = random_network(nest)
    trigger = nestlfp.Trigger(bank, network.populations, threshold=1.0, interval=1.0)
    nest.Simulate(20.0)
    assert trigger.times().size > 0
    skip_where_nest_asserts()
    nest.biological_time = 0.0
    nest.Simulate(later)
    for call in (trigger.times, trigger.readout):
        with pytest.raises(nestlfp.NetworkError, match=r"nest\.biological_time was set"):
            call()


def test_a_recorder_does_not_outlive_its_network(nest):
    old, _ = streamed_network(nest)
    new, _ = streamed_network(nest)  # of the same model
    nestlfp.simulate(10.0, progress=False)
    assert new.signals().sizes["time"] > 10
    for call in (old.signals, lambda: nestlfp.simulate(1.0, recorder=old, to="x.zarr")):
        with pytest.raises(nestlfp.NetworkError, match=r"nest.ResetKernel\(\) was called"):
            call()
    nest.ResetKernel()
    with pytest.raises(nestlfp.NetworkError, match=r"nest.ResetKernel\(\) was called"):
        new.signals()


def test_nothing_is_made_between_prepare_and_cleanup(nest):
    recorder, network = streamed_network(nest)
    nest.Prepare()
    for call in (
        lambda: nestlfp.FieldRecorder(recorder.bank, network.populations, interval=0.5),
        lambda: installed(KERNELS),
        lambda: nestlfp.simulate(10.0),
    ):
        assert_refused(nest, r"between nest.Prepare\(\) and nest.Cleanup\(\)", call)
    nest.Run(10.0)
    assert recorder.signals().sizes["time"] > 10  # but what is there can be read
    nest.Cleanup()


def test_samples_that_were_cleared_are_an_error(nest):
    recorder, _ = streamed_network(nest)
    nest.Simulate(20.0)
    before = recorder.signals().sizes["time"]
    nest.Simulate(20.0)
    for multimeter in nest.GetNodes({"model": "multimeter"}):
        multimeter.n_events = 0
    nest.Simulate(20.0)
    for _ in range(2):
        with pytest.raises(
            nestlfp.NetworkError,
            match=f"no sample at {(before + 1) * 0.5:g} ms: the recorder's multimeter was cleared",
        ):
            recorder.signals()


# ---------------------------------------------------------------------- install
def test_cheap_checks_come_before_the_search_for_a_filter(nest, monkeypatch):
    reset(nest, dt=0.1)
    monkeypatch.setattr(nestlfp.Auto, "design", lambda *_: pytest.fail("it was looked for"))
    with pytest.raises(nestlfp.KernelError, match=r"NEST's resolution is 0\.1 ms"):
        nestlfp.FieldRecorder(exponential_kernels(dt=0.2), {}, method="auto")


def test_reports_of_nest(nest, capfd):
    """None of its own from nestlfp, whatever the number of pieces; the verbosity stays."""
    streamed_network(nest)
    set_verbosity(nest, "INFO")
    capfd.readouterr()
    nestlfp.simulate(70.0, progress=False)
    with pytest.raises(ZeroDivisionError):
        nestlfp.simulate(70.0, on_chunk=lambda _: 1 / 0, chunk=7.0, progress=False)
    out, err = capfd.readouterr()
    assert len((out + err).splitlines()) == 0, out + err
    assert verbosity(nest) == 10
    set_verbosity(nest, "FATAL")
    nestlfp.simulate(7.0, progress=False)
    assert verbosity(nest) == 40


def test_a_recorder_makes_no_synapse_model_of_a_network_that_is_there(nest):
    """With several ranks NEST makes its tables of connections anew for it."""
    reset(nest)
    bank = installed(exponential_kernels())
    network = random_network(nest)
    before = nest.synapse_models
    nestlfp.FieldRecorder(bank, network.populations)
    assert nest.synapse_models == before
