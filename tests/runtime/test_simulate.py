"""simulate: how long, how complete, to which stores, and what stops it."""

import contextlib
import io
import warnings

import numpy as np
import pytest
import xarray as xr

import nestlfp
from nestlfp.runtime.simulate import complete_stop
from networks import (
    Network,
    assert_refused,
    assert_signal_is_convolution,
    events,
    exponential_kernels,
    installed,
    random_network,
    reset,
    streamed_network,
)

KERNELS = exponential_kernels()
pytestmark = pytest.mark.filterwarnings("ignore:samples every")


def simulate(t, **options):
    nestlfp.simulate(t, progress=False, **options)


def opened(store):
    with xr.open_zarr(store, chunks=None) as dataset:
        return dataset.load()


# ---------------------------------------------------------------------- how long
@pytest.mark.parametrize(
    "t", [-1.0, 0.05, float("nan"), float("inf"), "long", "5", None, [5.0], [1.0, 2.0], 1j, {}]
)
def test_times_that_are_none(nest, t):
    streamed_network(nest)
    assert_refused(nest, "t must be a multiple", lambda: simulate(t))
    for chunk in (t, 0.0):
        assert_refused(
            nest,
            "chunk must be a positive multiple",
            lambda chunk=chunk: simulate(1.0, chunk=chunk, on_chunk=print),
        )
    assert nest.biological_time == 0


class Terminal(io.StringIO):
    """A terminal that keeps what is written to it."""

    def isatty(self):
        return True


def test_times_of_any_kind_on_a_terminal(nest):
    streamed_network(nest)
    with contextlib.redirect_stderr(Terminal()):
        for t in (0, 0.0, np.int64(7), np.float32(0.5), 3):
            nestlfp.simulate(t)
    assert nest.biological_time == 10.5


# ---------------------------------------------------------------------- all samples
@pytest.mark.parametrize("leads", [(1, 1), (20, 20), (-6, 2)])
@pytest.mark.parametrize("interval", [0.1, 1.0, 1.7])
def test_complete_runs_have_every_sample(nest, leads, interval):
    kernels = exponential_kernels(leads=leads)
    reset(nest, threads=2)
    bank = installed(kernels)
    network = random_network(nest)
    recorder = nestlfp.FieldRecorder(bank, network.populations, interval=interval)
    stops = []
    for t in (50.0, 33.3):
        stop = nest.biological_time + t
        simulate(t, complete=True)
        signals = recorder.signals()
        n = int(stop / interval + 1e-9)
        assert signals.sizes["time"] >= n
        np.testing.assert_allclose(signals["time"][:n], interval * np.arange(1, n + 1))
        later = nest.biological_time - stop
        assert 0 < later <= 2 * 0.7 + recorder.latency + 1e-9
        stops.append(nest.biological_time)
    spikes = network.spikes(events(network))
    assert_signal_is_convolution(signals, kernels, spikes, stops[-1])
    reset(nest, threads=2)
    alone = random_network(nest)
    nest.Simulate(stops[-1])
    np.testing.assert_array_equal(events(alone), events(network))  # ended with whole slices


def test_complete_stop_is_the_first_that_will_do():
    assert complete_stop(100, [], 7) == 100
    assert complete_stop(100, [98], 7) == 105
    assert complete_stop(100, [99], 7) == 112
    assert complete_stop(100, [10, 99, 98], 7) == 112
    assert complete_stop(100, [10], 7) == 100


def test_complete_runs_in_a_store(nest, tmp_path):
    recorder, _ = streamed_network(nest)
    simulate(100.0, to=tmp_path / "a.zarr", chunk=10.0, complete=True)
    assert opened(tmp_path / "a.zarr").sizes["time"] >= 200
    assert opened(tmp_path / "a.zarr").identical(recorder.signals())


# ---------------------------------------------------------------------- several recorders
def two_recorders(nest, *, interval=0.5, names=("LFP", "CDM"), **options):
    """Recorders of two signals of one network, the second one later by four times the lead."""
    reset(nest, threads=2)
    banks = [
        installed(exponential_kernels(leads=leads, signals=(name,)))
        for name, leads in zip(names, [(1, 1), (-6, 2)], strict=True)
    ]
    network = random_network(nest)
    recorders = [
        nestlfp.FieldRecorder(bank, network.populations, interval=each, name=name)
        for bank, each, name in zip(banks, (0.5, interval), ("a", "b"), strict=True)
    ]
    return recorders, network


def test_all_recorders_go_into_one_store(nest, tmp_path):
    (a, b), network = two_recorders(nest)
    assert a.latency != b.latency  # they do not hand out samples at the same time
    store = tmp_path / "both.zarr"
    chunks = []
    simulate(95.0, to=store, chunk=20.0, on_chunk=chunks.append)
    simulate(30.0, to=store, chunk=20.0, append=True)
    stored = opened(store)
    assert set(stored.data_vars) == {"LFP", "CDM"} == set(chunks[0].data_vars)
    spikes = network.spikes(events(network))
    for recorder in (a, b):
        name = recorder.bank.kernels.signals[0]
        signals = recorder.signals()
        assert list(signals.data_vars) == [name]
        assert signals.attrs["kernels"] == recorder.bank.kernels.fingerprint
        assert signals.attrs["interval_ms"] == 0.5
        assert signals.sizes["time"] >= stored.sizes["time"] > 240
        assert_signal_is_convolution(signals, recorder.bank.kernels, spikes, 125.0, name)
        np.testing.assert_array_equal(signals[name][:, : stored.sizes["time"]], stored[name])


def test_recorders_go_into_stores_of_their_own(nest, tmp_path):
    (a, b), _ = two_recorders(nest, interval=1.0, names=("LFP", "LFP"))
    places = {a: tmp_path / "a.zarr", "b": str(tmp_path / "b.zarr")}
    simulate(55.0, to=places, chunk=20.0)
    simulate(30.0, to=places, chunk=20.0, append=True)
    for recorder, place in zip((a, b), places.values(), strict=True):
        assert opened(place).identical(recorder.signals())
    simulate(10.0, recorder=b, to=tmp_path / "c.zarr")
    assert opened(tmp_path / "c.zarr").attrs["interval_ms"] == 1.0


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"names": ("LFP", "LFP")}, "several have a signal 'LFP'"),
        ({"interval": 1.0}, "their intervals are 0.5, 1 ms"),
    ],
)
def test_recorders_that_do_not_go_together(nest, tmp_path, options, match):
    two_recorders(nest, **options)
    for where in ({"to": tmp_path / "x.zarr"}, {"on_chunk": print}):
        assert_refused(nest, match, lambda where=where: simulate(10.0, **where))
    assert not list(tmp_path.iterdir())


def test_where_they_go_must_be_clear(nest, tmp_path):
    (a, b), network = two_recorders(nest)
    path = tmp_path / "x.zarr"
    for match, options in [
        (r"no recorder 'c'; those with a name are \['a', 'b'\]", {"to": {"c": path}}),
        ("to must be the path of a store", {"to": 3}),
        ("to must be the path of a store", {"to": ""}),
        ("to must be the path of a store", {"to": {"a": None}}),
        ("to must be the path of a store", {"to": "a\0.zarr"}),
        ("must name a recorder, found {}", {"to": {}}),
        ("says which recorders", {"to": {a: path}, "recorder": b}),
        ("recorder must be a FieldRecorder, found str", {"to": path, "recorder": "a"}),
        ("on_chunk must be a function that takes signals, found 5", {"on_chunk": 5}),
        ("are about a store, found no to=", {"append": True}),
        ("are about a store, found no to=", {"overwrite": True, "on_chunk": print}),
        ("on_chunk can see one", {"to": {a: path, b: tmp_path / "y.zarr"}, "on_chunk": print}),
    ]:
        assert_refused(nest, match, lambda options=options: simulate(10.0, **options))
    assert not list(tmp_path.iterdir())
    for name, match in (("a", "the name 'a' already"), ("", "must be a text"), (3, "found 3")):
        assert_refused(
            nest,
            match,
            lambda name=name: nestlfp.FieldRecorder(
                a.bank, network.populations, interval=0.5, name=name
            ),
        )
    simulate(20.0, recorder=a, to=path)
    assert_refused(
        nest, "not streamed, at the same time", lambda: simulate(9.0, to=tmp_path / "y.zarr")
    )
    reset(nest)
    assert_refused(nest, "make a FieldRecorder first", lambda: simulate(10.0, to=path))


# ---------------------------------------------------------------------- what stops a run
@pytest.mark.parametrize(
    ("told", "stops"),
    [
        (True, True),
        (np.True_, True),
        (np.array(True), True),
        (xr.DataArray(True), True),
        (xr.DataArray(False), False),
        (np.array(1), False),
        (xr.DataArray([True]), False),
        (False, False),
        (1, False),
        ("True", False),
        ([[1], [2, 3]], False),
        (np.array([True]), False),
        (xr.Dataset({"a": True}), False),
    ],
)
def test_only_true_stops_a_run(nest, told, stops):
    streamed_network(nest)
    simulate(40.0, on_chunk=lambda _: told, chunk=10.0)
    assert (nest.biological_time < 40.0) == stops


# ---------------------------------------------------------------------- what depends on cuts
def growing_network(nest):
    """Structural plasticity in NEST: 80 neurons whose connections follow their activity."""
    reset(nest)  # NEST allows no threads
    bank = installed(KERNELS)
    nest.structural_plasticity_update_interval = 10.0
    nest.CopyModel("static_synapse", "grown")
    nest.SetDefaults("grown", {"weight": 40.0, "delay": 1.0})
    nest.structural_plasticity_synapses = {
        "grown": {
            "synapse_model": "grown",
            "post_synaptic_element": "Den",
            "pre_synaptic_element": "Axon",
        }
    }
    curve = {"growth_curve": "gaussian", "growth_rate": 0.05, "continuous": False, "eta": 0.0}
    elements = {name: {**curve, "eps": 0.4} for name in ("Den", "Axon")}
    nodes = nest.Create("iaf_psc_exp", 80, {"synaptic_elements": elements})
    noise = nest.Create("poisson_generator", params={"rate": 11000.0})
    spikes = nest.Create("spike_recorder")
    nest.Connect(noise, nodes, syn_spec={"weight": 34.0, "delay": 1.0})
    nest.Connect(nodes, spikes, syn_spec={"delay": 1.0})
    nest.EnableStructuralPlasticity()
    populations = {"E": nodes[:60], "I": nodes[60:]}
    return Network(populations, spikes), nestlfp.FieldRecorder(bank, populations, interval=0.1)


def test_structural_plasticity_is_not_cut(nest, tmp_path):
    network, recorder = growing_network(nest)
    nest.Simulate(200.0)
    expected, connections = events(network), nest.num_connections
    assert connections > 200
    for progress in (True, False):
        network, recorder = growing_network(nest)
        with warnings.catch_warnings(), contextlib.redirect_stderr(Terminal()):
            warnings.simplefilter("error")
            nestlfp.simulate(200.0, progress=progress)
        assert nest.num_connections == connections
        for found, reference in zip(events(network), expected, strict=True):
            np.testing.assert_array_equal(found, reference)
        spikes = network.spikes(events(network))
        assert_signal_is_convolution(recorder.signals(), KERNELS, spikes, 200.0)
    for call, what in (
        (lambda: simulate(20.0, complete=True), "complete=True"),
        (lambda: simulate(20.0, to=tmp_path / "a.zarr"), "handing on chunks"),
        (lambda: simulate(20.0, on_chunk=print), "handing on chunks"),
        (lambda: list(nestlfp.loop(2.0, every=1.0, progress=False)), "each turn"),
    ):
        with pytest.warns(UserWarning, match=f"structural plasticity.*{what} cuts the run"):
            call()


def test_the_spike_counter_of_a_run_in_one_piece(nest):
    reset(nest)
    random_network(nest)
    nest.Simulate(100.0)
    counted = nest.local_spike_counter
    assert counted > 100
    reset(nest)
    random_network(nest)
    simulate(100.0)
    assert nest.local_spike_counter == counted


def test_one_progress_bar(nest, tmp_path, capfd):
    """The user's nest.print_time has a bar for each piece of a run, and is left as it was."""
    streamed_network(nest)
    nest.print_time = True
    with contextlib.redirect_stderr(Terminal()) as shown:
        nestlfp.simulate(100.0)
        nestlfp.simulate(100.0, to=tmp_path / "a.zarr", chunk=10.0)
        list(nestlfp.loop(7.0, every=0.7))
    printed = capfd.readouterr()
    assert "Model time" not in printed.out + printed.err
    assert "100/100 ms" in shown.getvalue()
    simulate(20.0)
    printed = capfd.readouterr()
    assert (printed.out + printed.err).count("[ 100% ]") == 1
    assert nest.print_time


# ---------------------------------------------------------------------- callbacks
@pytest.mark.parametrize("within", [lambda: nestlfp.simulate(7.0, progress=False),
                                    lambda: nestlfp.loop(7.0, every=0.7)])  # fmt: skip
def test_no_other_simulation_in_a_callback(nest, within):
    """The plan of chunks would be of a time that is over, and samples lost."""
    recorder, _ = streamed_network(nest)
    with pytest.raises(nestlfp.NetworkError, match=r"on_chunk .* nestlfp\.loop\(t, every"):
        simulate(40.0, on_chunk=lambda _: within(), chunk=10.0)
    simulate(30.0, on_chunk=lambda _: None, chunk=10.0)  # and it can be simulated on
    np.testing.assert_allclose(np.diff(recorder.signals().time), 0.5)


def test_a_reset_in_a_callback_simulates_nothing(nest):
    streamed_network(nest)
    with pytest.raises(nestlfp.NetworkError, match=r"nest.ResetKernel\(\) was called"):
        simulate(40.0, on_chunk=lambda _: nest.ResetKernel(), chunk=10.0)
    assert nest.biological_time == 0


@pytest.mark.parametrize(
    ("options", "match"),
    [({"recorder": 3}, "must be a FieldRecorder"), ({"chunk": 0.0}, "chunk must be a positive")],
)
def test_options_are_looked_at_without_a_store(nest, options, match):
    streamed_network(nest)
    assert_refused(nest, match, lambda: simulate(10.0, **options))
