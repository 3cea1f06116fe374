"""Streaming to disk: the store is always whole, the network undisturbed, and nothing is lost."""

import contextlib
import io
import os
import random
import resource
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import nestlfp
from nestlfp.errors import StreamError
from nestlfp.signals import load
from nestlfp.signals.stream import ZarrStream
from networks import (
    assert_signal_is_convolution,
    bank_of,
    events,
    exponential_kernels,
    installed,
    random_network,
    reset,
    streamed_network,
)

# The networks are so small that their kernels are much faster than their samples.
pytestmark = pytest.mark.filterwarnings("ignore:samples every")


def simulate(t, to=None, chunk=20.0, **options):
    nestlfp.simulate(t, to=to, chunk=chunk, progress=False, **options)


def opened(store):
    """What is in the store, as anybody opens it."""
    with xr.open_zarr(store, chunks=None) as dataset:
        return dataset.load()


def spikes_of(network):
    return network.spikes(events(network))


@pytest.fixture
def store(tmp_path):
    return tmp_path / "signals.zarr"


# ---------------------------------------------------------------------- what is written
def test_chunks_reach_the_store_and_the_callback(nest, store):
    reset(nest, threads=2)
    plain = random_network(nest)
    nest.Simulate(95.0)
    without = events(plain)

    recorder, network = streamed_network(nest)
    chunks = []

    def look(signals):
        chunks.append(signals)
        # It can be opened while the simulation runs, and has all chunks so far.
        assert opened(store).identical(xr.concat(chunks, "time", data_vars="minimal"))
        assert recorder._samples.collect() < 40  # what waits in memory: less than a chunk

    simulate(95.0, store, on_chunk=look)
    np.testing.assert_array_equal(events(network), without)
    assert [chunk.sizes["time"] for chunk in chunks[:-1]] == [40] * 4
    signals = recorder.signals()
    assert signals.sizes["time"] > 185
    assert opened(store).identical(signals)
    assert signals["LFP"].attrs["units"] == "mV"
    kernels = recorder.bank.kernels
    assert_signal_is_convolution(signals, kernels, spikes_of(network), 95.0)


def test_callback_without_a_store(nest):
    recorder, _ = streamed_network(nest)
    simulate(10.0, on_chunk=lambda _: None)
    chunks = []
    simulate(50.0, on_chunk=chunks.append)
    assert recorder.signals().isel(time=slice(-115, None)).sizes["time"] == 115
    assert chunks[-1]["time"][-1] == recorder.signals()["time"][-1]
    assert sum(chunk.sizes["time"] for chunk in chunks) > 95


@pytest.mark.parametrize("by", [("pre",), ("post", "pre")])
def test_labels_in_the_store(nest, store, by):
    kernels = exponential_kernels(leads=(3, 7), signals=("LFP", "CDM"))
    labelled = kernels.dataset.assign_coords(CDM_channel=["x", "µ / ☃"])
    recorder, _ = streamed_network(nest, kernels=nestlfp.KernelSet(labelled), by=by)
    simulate(30.0, store)
    simulate(30.0, store, append=True)
    signals = opened(store)
    assert signals.identical(recorder.signals())
    assert signals["CDM_channel"].values.tolist() == ["x", "µ / ☃"]
    assert signals["CDM"].dims == (*sorted(by), "CDM_channel", "time")
    assert signals["LFP"].sizes == {**dict.fromkeys(by, 2), "LFP_channel": 2, "time": 118}


def test_samples_from_before_are_written_too(nest, store):
    recorder, network = streamed_network(nest)
    nest.Simulate(33.0)
    simulate(30.0, store)
    simulate(40.0, store.with_name("more.zarr"))
    nest.Simulate(7.0)  # stays in memory
    signals = recorder.signals()
    assert_signal_is_convolution(signals, recorder.bank.kernels, spikes_of(network), 110.0)
    assert signals.sizes["time"] > 210
    assert np.all(np.diff(signals["time"]) == 0.5)
    assert opened(store)["time"][0] == 0.5
    assert opened(store).sizes["time"] < 126


def test_progress_bar(nest, store):
    streamed_network(nest)
    with contextlib.redirect_stderr(Terminal()) as shown:
        nestlfp.simulate(40.0, to=store, chunk=10.0)
    assert "40/40 ms" in shown.getvalue()
    assert "real-time factor" in shown.getvalue()
    with contextlib.redirect_stderr(Terminal()) as shown:
        nestlfp.simulate(40.0, progress=False)
    assert shown.getvalue() == ""


class Terminal(io.StringIO):
    """A terminal that keeps what is written to it."""

    def isatty(self):
        return True


def test_numbers_of_samples_are_exact_after_hours(store):
    times = (36_000_000 * 7 + np.arange(50)) * 3 * 0.1
    long = xr.Dataset(
        {"LFP": (("LFP_channel", "time"), np.ones((1, 50)))},
        {"LFP_channel": [0], "time": times},
        {
            "interval_ms": 3 * 0.1,
            "resolution_ms": 0.1,
            "kernels": "k",
            "format": "nestlfp-signals-1",
        },
    )
    empty = long.isel(time=slice(0))
    with ZarrStream(store, empty, 36_000_000 * 7, 10) as stream:
        stream.write(long.isel(time=slice(30)))
    with ZarrStream(store, empty, 36_000_000 * 7 + 20, 10, append=True) as stream:
        stream.write(long.isel(time=slice(20, None)))
    assert opened(store).identical(long)


# ---------------------------------------------------------------------- stores that exist
def test_a_store_is_kept_unless_told_otherwise(nest, store):
    recorder, _ = streamed_network(nest)
    simulate(30.0, store)
    before = opened(store)
    with pytest.raises(StreamError, match="overwrite=True replaces it, append=True continues it"):
        simulate(30.0, store)
    with pytest.raises(StreamError, match="exclude each other"):
        simulate(30.0, store, overwrite=True, append=True)
    assert nest.biological_time == 30.0
    assert opened(store).identical(before)
    simulate(30.0, store, append=True)
    assert opened(store).identical(recorder.signals())
    before = recorder.signals()
    with pytest.raises(StreamError, match="which are nowhere else: overwrite=True would delete"):
        simulate(40.0, store, overwrite=True)
    assert nest.biological_time == 60.0
    assert recorder.signals().identical(before)
    recorder, _ = streamed_network(nest)  # a new network
    simulate(40.0, store, overwrite=True)
    assert opened(store).identical(recorder.signals())
    assert not list(store.parent.glob(".*"))


def test_a_run_that_is_repeated_goes_on_where_the_store_ends(nest, store):
    streamed_network(nest)
    simulate(57.0, store)
    recorder, network = streamed_network(nest)
    # Does not reach the end of the store, and ends at a multiple of the network's min_delay.
    simulate(28.0, store, append=True)
    assert recorder.signals().sizes["time"] < 56
    simulate(72.0, store, append=True)
    signals = opened(store)
    assert signals.identical(recorder.signals())
    assert_signal_is_convolution(signals, recorder.bank.kernels, spikes_of(network), 100.0)

    streamed_network(nest, seed=8)
    with pytest.raises(StreamError, match="is that of another run"):
        simulate(100.0, store, append=True)
    assert opened(store).identical(signals)


def test_what_does_not_continue_a_store_is_refused(nest, store):
    kernels = exponential_kernels()
    streamed_network(nest)
    simulate(30.0, store)
    before = opened(store)

    def refused(match, **options):
        recorder, _ = streamed_network(nest, **options)
        with pytest.raises(StreamError, match=match):
            simulate(30.0, store, append=True)
        assert nest.biological_time == 0
        return recorder

    refused("its kernels is", kernels=kernels.scale({"E": 2.0}))
    refused("its interval_ms is 0.5, this recorder's 1", interval=1.0)
    moved = nestlfp.KernelSet(kernels.dataset.assign_coords(LFP_channel=[0, 2]))
    refused("its kernels is", kernels=moved)
    streamed_network(nest)
    simulate(40.0, store.with_name("other.zarr"))
    with pytest.raises(StreamError, match=r"from 0.5 to 28.5 ms, this run's next sample is at 39"):
        simulate(10.0, store, append=True)
    assert nest.biological_time == 40.0
    assert opened(store).identical(before)


@pytest.mark.parametrize("what", ["file", "folder", "zarr", "damaged"])
def test_what_is_no_store_of_signals_is_never_deleted(nest, store, what):
    if what == "file":
        store.write_text("mine")
    elif what == "zarr":
        xr.Dataset({"a": ("x", [1.0])}).to_zarr(store)
    else:
        store.mkdir()
        (store / ("notes.txt" if what == "folder" else ".zmetadata")).write_text("mine")
    before = sorted(store.rglob("*"))
    streamed_network(nest)
    for options in ({"overwrite": True}, {"append": True}, {}):
        with pytest.raises(StreamError, match=r"cannot be read|is no store of signals"):
            simulate(10.0, store, **options)
    assert sorted(store.rglob("*")) == before
    assert nest.biological_time == 0


def test_an_empty_folder_will_do(nest, store):
    store.mkdir()
    recorder, _ = streamed_network(nest)
    simulate(10.0, store)
    assert opened(store).identical(recorder.signals())


def test_append_wants_the_same_weights_and_delays(nest, store):
    def recorder_with(**options):
        reset(nest, threads=2)
        bank = installed(exponential_kernels())
        network = random_network(nest)
        inputs = nestlfp.Inputs(network.populations, **options)
        nestlfp.FieldRecorder(bank, inputs, interval=0.5)

    recorder_with(weights={"I": np.arange(10.0)})
    simulate(30.0, store)
    for match, different in (
        ("its weights is", {"weights": {"I": np.arange(10.0)[::-1]}}),
        ("its weights is", {}),
        ("its delays is", {"weights": {"I": np.arange(10.0)}, "delays": {"E": np.full(40, 0.3)}}),
    ):
        recorder_with(**different)
        with pytest.raises(StreamError, match=match):
            simulate(10.0, store, append=True)
        assert nest.biological_time == 0
    recorder_with(weights={"I": np.arange(10.0)})
    simulate(60.0, store, append=True)
    assert load(store).sizes["time"] > 100


def test_append_wants_the_same_method_and_tolerance(nest, store):
    recorder, _ = streamed_network(nest)
    loose, tight, fir = (
        bank_of(exponential_kernels(), method)
        for method in (nestlfp.StateSpace(1e-3), nestlfp.StateSpace(1e-6), "fir")
    )

    def empty(bank):
        nothing = bank.labelled(np.zeros((bank.filter.n_outputs, 0)), np.zeros(0))
        return nothing.assign_attrs(recorder.signals().attrs | bank.provenance)

    template = empty(fir)
    assert template.attrs["method_options"] == "FIR()"
    ZarrStream(store, empty(loose), 1, 10).close()
    with pytest.raises(StreamError, match="its method is 'state-space', this recorder's 'fir'"):
        ZarrStream(store, template, 1, 10, append=True)
    with pytest.raises(StreamError, match=r"its method_options is .*=0\.001, .*tolerance=1e-06"):
        ZarrStream(store, empty(tight), 1, 10, append=True)
    ZarrStream(store, empty(loose), 1, 10, append=True).close()


@pytest.mark.parametrize("name", ["x.nc", "x", "x.zarr.old"])
def test_a_name_that_no_reader_would_take(nest, tmp_path, name):
    streamed_network(nest)
    with pytest.raises(StreamError, match=r"must end in '\.zarr', found '.*" + name):
        simulate(10.0, tmp_path / name)
    assert nest.biological_time == 0
    assert list(tmp_path.iterdir()) == []


# ---------------------------------------------------------------------- one writer at a time
def test_a_store_has_one_writer(nest, store):
    process = start(store, "1000000", "10")
    wait(store.exists, process)
    streamed_network(nest)
    for options in ({}, {"append": True}, {"overwrite": True}):
        with pytest.raises(StreamError, match="is being written by another simulation"):
            simulate(10.0, store, **options)
    assert nest.biological_time == 0
    with pytest.raises(nestlfp.signals.SignalError, match="is being written by another"):
        nestlfp.signals.save(load(store), store, overwrite=True)
    process.kill()
    process.communicate()
    simulate(10.0, store, append=True)  # repeats the other's beginning
    assert load(store).sizes["time"] >= 18


def test_two_recorders_of_a_process_do_not_share_a_store(nest, store):
    recorder, _ = streamed_network(nest)
    empty = recorder._samples.waiting(0, 0)

    def other(_):
        with pytest.raises(StreamError, match="is being written by another simulation"):
            ZarrStream(store, empty, 1, 10, overwrite=True)
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        simulate(50.0, store, on_chunk=other)
    simulate(50.0, store, append=True)  # the first has let it go
    assert load(store).identical(recorder.signals())
    assert not list(store.parent.glob(".*"))


# ---------------------------------------------------------------------- disks that fail
def test_a_place_that_cannot_be_written(nest, tmp_path):
    (tmp_path / "file").write_text("")
    streamed_network(nest)
    with pytest.raises(StreamError, match="cannot write signals to"):
        simulate(10.0, tmp_path / "file" / "signals.zarr")
    assert nest.biological_time == 0  # found out before anything was simulated


@pytest.mark.skipif(sys.platform != "linux", reason="needs RLIMIT_FSIZE")
def test_a_full_disk(nest, store):
    recorder, network = streamed_network(nest, interval=0.1)
    simulate(40.0, store)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))  # chunks are larger
    try:
        with pytest.raises(StreamError, match="the network is still in memory"):
            simulate(40.0, store, append=True)
        assert 380 < opened(store).sizes["time"] < 400  # up to the last chunk
        assert recorder.signals().sizes["time"] > 580  # and the rest is here
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    simulate(30.0, store.with_name("more.zarr"))
    simulate(30.0, store.with_name("more.zarr"), append=True)
    parts = [opened(store), opened(store.with_name("more.zarr"))]
    signals = recorder.signals()
    assert signals.equals(xr.concat(parts, "time", data_vars="minimal"))
    duration = nest.biological_time
    assert signals.sizes["time"] > 10 * duration - 20
    assert_signal_is_convolution(signals, recorder.bank.kernels, spikes_of(network), duration)


# ---------------------------------------------------------------------- stopping
@pytest.mark.parametrize("streamed", [False, True])
def test_callback_that_stops(nest, store, streamed):
    recorder, _ = streamed_network(nest)
    seen = []

    def third(signals):
        seen.append(signals)
        return len(seen) == 3

    simulate(1000.0, store if streamed else None, chunk=10.0, on_chunk=third)
    assert len(seen) == 3
    assert 30.0 <= nest.biological_time < 42.0
    assert recorder.signals().sizes["time"] >= 60
    if streamed:
        assert opened(store).identical(recorder.signals())


def test_callback_that_raises(nest, store):
    recorder, network = streamed_network(nest)

    def fails(_):
        raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="mine"):
        simulate(100.0, store, on_chunk=fails)
    assert opened(store).sizes["time"] == 40
    simulate(30.0, store, append=True)
    signals = recorder.signals()
    assert opened(store).identical(signals)
    duration = nest.biological_time
    assert_signal_is_convolution(signals, recorder.bank.kernels, spikes_of(network), duration)


def test_what_to_stream_must_be_clear(nest, store):
    with pytest.raises(
        nestlfp.NetworkError, match=r"make a FieldRecorder first|ResetKernel\(\) was called"
    ):
        simulate(10.0, store)
    recorder, network = streamed_network(nest)
    other = nestlfp.FieldRecorder(recorder.bank, network.populations, interval=1.0)
    with pytest.raises(nestlfp.NetworkError, match="several have a signal 'LFP'"):
        simulate(10.0, store)
    with pytest.raises(nestlfp.NetworkError, match="must be a FieldRecorder, found str"):
        simulate(10.0, store, recorder="other")
    with pytest.raises(nestlfp.NetworkError, match="chunk must be a positive multiple"):
        simulate(10.0, store, recorder=other, chunk=0.0)
    simulate(20.0, store, recorder=other)
    assert opened(store).identical(other.signals())


# ---------------------------------------------------------------------- processes that end
def wait(condition, process):
    """Until it is so, or the process has ended."""
    while not condition():
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.002)


def start(store, duration, chunk):
    """streamed_run.py in a process of its own, when its simulation starts."""
    process = subprocess.Popen(
        [sys.executable, Path(__file__).parents[1] / "streamed_run.py", store, duration, chunk],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_WAIT_POLICY": "passive"},
    )
    while process.stdout.readline() != "started\n":
        assert process.poll() is None, process.stderr.read()
    return process


@pytest.mark.compile
def test_interrupt_ends_at_a_chunk_boundary(store):
    process = start(store, "1000000", "100")
    wait(lambda: store.exists() and opened(store).sizes["time"] >= 400, process)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    (_, stopped, samples), (_, alive) = (line.split() for line in out.splitlines())
    boundary = float(stopped) % 100.1  # the multiple of the network's min_delay of 0.7 ms
    assert min(boundary, 100.1 - boundary) < 1e-6
    assert float(alive) == pytest.approx(float(stopped) + 10.0)
    assert opened(store).sizes["time"] == pytest.approx(int(samples) + 20, abs=2)


def test_kill_at_random_moments(nest, tmp_path):
    """Eight processes are killed. Readers see what is committed at any moment, then and before."""
    chunk = 10.0
    recorder, _ = streamed_network(nest)
    nest.Simulate(3000.0)
    undisturbed = recorder.signals()
    moments = random.Random(3)

    def length(store):
        """Number of samples there, which must be whole chunks of the undisturbed run's."""
        for read in (load, opened):
            found = read(store)
            n = found.sizes["time"]
            assert n % (chunk / 0.5) == 0
            common = min(n, undisturbed.sizes["time"])
            assert found.isel(time=slice(common)).identical(undisturbed.isel(time=slice(common)))
            assert found.attrs == undisturbed.attrs
        return n

    def killed(i):
        store = tmp_path / f"{i}.zarr"
        process = start(store, "1000000", str(chunk))
        wait(store.exists, process)
        end = time.monotonic() + moments.uniform(0.0, 1.5)
        seen = [0]
        while time.monotonic() < end:
            seen.append(length(store))
            time.sleep(0.02)
        process.kill()
        process.communicate()
        seen.append(length(store))
        assert seen == sorted(seen)
        return store, seen

    with ThreadPoolExecutor(2) as pool:
        stores, seen = zip(*pool.map(killed, range(8)), strict=True)
    assert len({each[-1] for each in seen}) > 3, seen
    assert sum(len(set(each)) for each in seen) > 20, seen  # read while chunks came

    for store, options in zip(stores[:2], ({"append": True}, {"overwrite": True}), strict=True):
        assert (tmp_path / f".{store.name}.lock").exists()  # the file, which locks nothing
        recorder, _ = streamed_network(nest)
        simulate(3000.0, store, chunk=500.0, **options)
        n = undisturbed.sizes["time"]
        assert opened(store).isel(time=slice(n)).identical(undisturbed)
        assert recorder.signals().identical(undisturbed)
