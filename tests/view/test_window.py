"""Parts of stores, and bins of samples, against what is read whole."""

import tracemalloc

import numpy as np
import pytest
from served import noise, written

from nestlfp.errors import SignalError
from nestlfp.signals import load, save
from nestlfp.signals.stores import Committed
from nestlfp.view.window import _KEPT, BINS, Bins, Source


def plain(values, start, stop, width):
    """Smallest, largest and mean of the bins that `start` to `stop` touch."""
    bins = [values[:, i : i + width] for i in range(start // width * width, stop, width)]
    bins[-1] = values[:, stop - (stop - 1) % width - 1 : stop]
    return [np.stack([f(part, axis=1) for part in bins], 1) for f in (np.min, np.max, np.mean)]


def assert_binned(found, values, time, start, stop, length):
    width = -(-length // BINS)
    low, high, mean = plain(values, start, stop, width)
    np.testing.assert_array_equal(found.low, low)
    np.testing.assert_array_equal(found.high, high)
    np.testing.assert_allclose(found.mean, mean, rtol=1e-9, atol=1e-12)
    first, last, _ = plain(time[None], start, stop, width)
    np.testing.assert_array_equal(found.x, (first + last)[0] / 2)


def test_parts_are_what_is_in_the_store(tmp_path):
    written(tmp_path / "x.zarr", 350, by=("pre",)).close()
    whole = load(tmp_path / "x.zarr").load()
    store = Committed.read(tmp_path / "x.zarr")
    assert len(store) == 350
    for part in (slice(0, 0), slice(0, 1), slice(90, 310), slice(0, 350)):
        assert store.part(part).load().equals(whole.isel(time=part))


def test_only_the_window_is_read(tmp_path):
    """Of 50 chunks the last two, and not even the times of the others."""
    written(tmp_path / "x.zarr", 500, chunk=10).close()
    for name in ("LFP", "CDM", "time"):
        for number in range(1, 48):  # the first tells when the store begins
            file = tmp_path / "x.zarr" / name / (f"{number}" if name == "time" else f"0.{number}")
            assert file.exists()
            file.write_bytes(b"damaged")
    store = Committed.read(tmp_path / "x.zarr")
    expected = noise(500).isel(time=slice(480, 500))
    np.testing.assert_array_equal(store.part(slice(480, 500))["LFP"], expected["LFP"])
    with pytest.raises(SignalError, match="it is damaged"):
        store.part(slice(470, 490))["LFP"].load()
    with pytest.raises(SignalError, match="it is damaged"):
        store.part(slice(470, 490))


@pytest.mark.slow
def test_bins_of_a_store_that_grows(tmp_path):
    """Whatever was looked at before; the last bin is not complete most of the time."""
    whole = noise(30_000, channels=3)
    values, time = whole["LFP"].values, whole["time"].values
    stream = written(tmp_path / "x.zarr", 0, chunk=700, channels=3)
    rng = np.random.default_rng(3)
    bins = None
    for end in range(700, 30_001, 2100):
        for at in range(max(end - 2100, 0), end, 700):
            stream.write(whole.isel(time=slice(at, at + 700)))
        store = Committed.read(tmp_path / "x.zarr")
        there = len(store)
        bins = bins or Bins(Source(store, "LFP", {}), lambda rows: rows)
        bins.source.store = store
        for length in (400, 2500, 2500, 25_000):
            stop = there if rng.random() < 0.7 else int(rng.integers(1, there + 1))
            start = max(stop - length, 0)
            found = bins.read(start, stop, length)
            assert_binned(found, values, time, start, stop, length)
    stream.close()


def test_bins_of_what_is_made_of_the_values(tmp_path):
    written(tmp_path / "x.zarr", 4000, chunk=1000).close()
    store = Committed.read(tmp_path / "x.zarr")
    bins = Bins(Source(store, "LFP", {}), lambda rows: np.diff(rows, axis=0))
    whole = load(tmp_path / "x.zarr").load()
    made = np.diff(whole["LFP"].values, axis=0)
    assert_binned(bins.read(5, 3999, 3994), made, whole["time"].values, 5, 3999, 3994)


@pytest.mark.parametrize("chosen", [{}, {"pre": "I"}, {"post": "E"}, {"pre": "E", "post": "I"}])
def test_contributions_are_added_up_or_chosen(tmp_path, chosen):
    written(tmp_path / "x.zarr", 50, by=("pre", "post")).close()
    array = load(tmp_path / "x.zarr")["LFP"].load().sel(chosen)
    found = Source(Committed.read(tmp_path / "x.zarr"), "LFP", chosen).read(10, 50)
    rest = [dim for dim in ("pre", "post") if dim not in chosen]
    np.testing.assert_allclose(found[1:], array.sum(rest)[:, 10:50], rtol=1e-12)
    np.testing.assert_array_equal(found[0], array["time"].values[10:50])


def test_what_is_not_finite_is_missing(tmp_path):
    signals = noise(3000)
    signals["LFP"][0, 10] = np.nan
    signals["LFP"][1, 20] = np.inf
    save(signals, tmp_path / "x.zarr")
    source = Source(Committed.read(tmp_path / "x.zarr"), "LFP", {})
    found = Bins(source, lambda rows: rows).read(0, 3000, 3000)
    assert np.isfinite(found.low).all()
    width = -(-3000 // BINS)
    assert np.isnan(found.mean[[0, 1], [10 // width, 20 // width]]).all()


@pytest.mark.slow
def test_memory_does_not_depend_on_the_window(tmp_path):
    """48 MB of values are read in pieces; what is kept is bounded."""
    written(tmp_path / "x.zarr", 60_000, chunk=2000, channels=100).close()

    def memory(window):
        """What is kept of a window, and the most there was at a time (MB)."""
        source = Source(Committed.read(tmp_path / "x.zarr"), "LFP", {})
        bins = Bins(source, lambda rows: rows)
        tracemalloc.start()
        bins.read(0, window, window)
        for stop in range(30_000, 60_000, 5000):
            source.read(stop - 10_000, stop)
        found = [n / 2**20 for n in tracemalloc.get_traced_memory()]
        tracemalloc.stop()
        return found

    memory(20_000)  # what is imported late is no memory of a window
    (_, short), (kept, most) = memory(20_000), memory(60_000)
    assert kept < 2 * _KEPT * 8 / 2**20
    assert most < short + 15  # the windows differ by 32 MB
