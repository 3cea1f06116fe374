"""Stores that are no longer those that a recorder's signals were written to."""

import re
import shutil

import pytest
import xarray as xr

import nestlfp
from nestlfp.errors import SignalError, StreamError
from nestlfp.signals import load, save
from networks import (
    assert_signal_is_convolution,
    events,
    exponential_kernels,
    installed,
    random_network,
    reset,
    streamed_network,
)

# The networks are so small that their kernels are much faster than their samples.
pytestmark = pytest.mark.filterwarnings("ignore:samples every")


def simulate(t, to, **options):
    nestlfp.simulate(t, to=to, chunk=20.0, progress=False, **options)


def two_recorders(nest, weights=None):
    """Recorders A and B of the same signals; these weights are B's."""
    reset(nest, threads=2)
    bank = installed(exponential_kernels())
    populations = random_network(nest).populations
    a = nestlfp.FieldRecorder(bank, populations, interval=0.5, name="A")
    inputs = nestlfp.Inputs(populations, weights=weights)
    b = nestlfp.FieldRecorder(bank, inputs, interval=0.5, name="B")
    return a, b


@pytest.mark.parametrize("weights", [None, {"E": 5.0, "I": 5.0}])
def test_signals_of_another_recorder_are_not_taken_for_ones_own(nest, tmp_path, weights):
    a, b = two_recorders(nest, weights)
    store = tmp_path / "x.zarr"
    simulate(60.0, {"A": store})
    simulate(1.0, {"B": store}, overwrite=True)
    with pytest.raises(SignalError, match="was replaced since this recorder's signals were"):
        a.signals()
    assert b.signals().sizes["time"] > 118
    xr.testing.assert_identical(load(store).load(), b.signals().load())


@pytest.mark.parametrize("how", ["removed", "emptied", "saved"])
def test_samples_that_are_gone_are_missed(nest, tmp_path, how):
    recorder, _ = streamed_network(nest)
    store = tmp_path / "x.zarr"
    simulate(30.0, store)
    whole = recorder.signals().load()
    if how == "saved":
        save(whole, store, overwrite=True)
    else:
        shutil.rmtree(store)
        with pytest.raises(SignalError, match="cannot be read"):
            recorder.signals()
    if how == "emptied":
        store.mkdir()
    simulate(20.0, store, append=True)
    with pytest.raises(SignalError, match="was replaced since"):
        recorder.signals()


def test_a_store_that_was_moved_away_and_back_is_the_same(nest, tmp_path):
    recorder, _ = streamed_network(nest)
    store = tmp_path / "x.zarr"
    simulate(30.0, store)
    shutil.copytree(store, tmp_path / "backup.zarr")
    shutil.rmtree(store)
    (tmp_path / "backup.zarr").rename(store)
    simulate(20.0, store, append=True)
    assert recorder.signals().sizes["time"] > 96
    assert load(store).load().identical(recorder.signals().load())


def lose(how, store):
    """What may happen to a store while a simulation writes to it."""
    if how == "renamed":
        store.rename(store.with_name("renamed.zarr"))
    elif how == "its folder renamed":
        store.parent.rename(store.parent.with_name("elsewhere"))
    else:
        shutil.rmtree(store)
    if how == "replaced":
        save(exponential_kernels().convolve({"E": [1.0]}, 5.0), store.with_name("other.zarr"))
        store.with_name("other.zarr").rename(store)


WAYS = ["renamed", "its folder renamed", "deleted", "replaced"]


@pytest.mark.parametrize("call", ["simulate", "run"])
@pytest.mark.parametrize("how", WAYS)
def test_a_store_that_is_lost_while_signals_are_written_to_it(nest, tmp_path, how, call):
    recorder, network = streamed_network(nest)
    store = tmp_path / "folder" / "x.zarr"
    simulate(20.0, store)
    happens = iter([lambda: lose(how, store)])

    def go_on():
        if call == "simulate":
            simulate(200.0, store, append=True, on_chunk=lambda _: next(happens)())
        options = {"to": store, "append": True, "chunk": 20.0, "progress": False}
        for _ in nestlfp.loop(200.0, every=21.0, **options):
            if nest.biological_time > 60.0:
                next(happens)()

    with pytest.raises(StreamError, match="was renamed, deleted or replaced while") as error:
        go_on()
    first = float(re.search(r"Those from ([\d.]+) ms on are still in memory", str(error.value))[1])
    assert first > 20.0
    if how != "replaced":
        assert not store.exists()  # no stub
    with pytest.warns(UserWarning, match=rf"begin at {first:g} ms.*'{store}', which was"):
        left = recorder.signals().load()
    assert left["time"][0] == first
    spikes = network.spikes(events(network))
    assert_signal_is_convolution(left, recorder.bank.kernels, spikes, nest.biological_time)
    simulate(0.0, tmp_path / "rest.zarr")
    rest = load(tmp_path / "rest.zarr").load()
    assert rest.identical(left)
    simulate(20.0, tmp_path / "rest.zarr", append=True)
    with pytest.warns(UserWarning, match="begin at"):
        assert recorder.signals().identical(load(tmp_path / "rest.zarr").load())
    if how == "renamed":  # and back
        store.with_name("renamed.zarr").rename(store)
        assert recorder.signals()["time"][0] == 0.5


def test_a_store_of_several_recorders_that_is_lost(nest, tmp_path):
    reset(nest)
    banks = [installed(exponential_kernels(signals=(name,))) for name in ("LFP", "EEG")]
    populations = random_network(nest).populations
    recorders = [nestlfp.FieldRecorder(bank, populations, interval=0.5) for bank in banks]
    store = tmp_path / "x.zarr"
    with pytest.raises(StreamError, match="was renamed, deleted or replaced while"):
        simulate(100.0, store, on_chunk=lambda _: lose("deleted", store))
    for recorder in recorders:
        with pytest.warns(UserWarning, match=r"begin at 20\.5 ms"):
            assert recorder.signals()["time"][0] == 20.5


def test_what_is_left_after_a_store_was_deleted_can_be_written(nest, tmp_path):
    recorder, _ = streamed_network(nest)
    simulate(30.0, tmp_path / "x.zarr")
    shutil.rmtree(tmp_path / "x.zarr")
    nest.Simulate(20.0)
    with pytest.raises(SignalError, match=r"nestlfp\.simulate\(0, to='another\.zarr'\) writes the"):
        recorder.signals()
    simulate(0.0, tmp_path / "another.zarr")
    assert load(tmp_path / "another.zarr").sizes["time"] > 38


@pytest.mark.parametrize("outer_first", [True, False])
def test_a_store_inside_another(nest, tmp_path, outer_first):
    two_recorders(nest)
    places = {"A": tmp_path / "n.zarr", "B": tmp_path / "n.zarr" / "sub" / "m.zarr"}
    with pytest.raises(StreamError, match="a store cannot be inside another"):
        simulate(1.0, places if outer_first else dict(reversed(places.items())))
    assert nest.biological_time == 0
    assert not places["B"].exists()


def test_saving_inside_a_store(tmp_path):
    signals = exponential_kernels().convolve({"E": [1.0]}, 5.0)
    save(signals, tmp_path / "n.zarr")
    with pytest.raises(SignalError, match="a store cannot be inside another"):
        save(signals, tmp_path / "n.zarr" / "m.zarr")
    assert load(tmp_path / "n.zarr").load()["LFP"].equals(signals["LFP"])
