"""Stores that are no longer those that a recorder's signals were written to."""

import shutil

import pytest
import xarray as xr

import nestlfp
from nestlfp.errors import SignalError, StreamError
from nestlfp.signals import load, save
from networks import exponential_kernels, installed, random_network, reset, streamed_network

# The networks are so small that their kernels are much faster than their samples.
pytestmark = pytest.mark.filterwarnings("ignore:samples every")


def simulate(t, to, **options):
    nestlfp.simulate(t, to=to, chunk=20.0, progress=False, **options)


def two_recorders(nest, **options):
    """Recorders A and B of the same signals; these options are B's."""
    reset(nest, threads=2)
    bank = installed(exponential_kernels())
    populations = random_network(nest).populations
    a = nestlfp.FieldRecorder(bank, populations, interval=0.5, name="A")
    b = nestlfp.FieldRecorder(bank, populations, interval=0.5, name="B", **options)
    return a, b


@pytest.mark.parametrize("weights", [None, {"E": 5.0, "I": 5.0}])
def test_signals_of_another_recorder_are_not_taken_for_ones_own(nest, tmp_path, weights):
    a, b = two_recorders(nest, weights=weights)
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
        save(whole, store)
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
