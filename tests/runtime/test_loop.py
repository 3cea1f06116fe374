"""run: turns see every sample that there can be, and leave the spikes of a single Simulate."""

import numpy as np
import pytest
import xarray as xr

import nestlfp
from networks import (
    assert_refused,
    assert_signal_is_convolution,
    events,
    exponential_kernels,
    installed,
    random_network,
    reset,
)

DURATION = 253.4


def recorded_network(nest, *, threads=2, interval=0.5, leads=(9, 12), seed=7, **options):
    reset(nest, threads=threads, seed=seed)
    bank = installed(exponential_kernels(leads=leads), **options)
    network = random_network(nest)
    return network, nestlfp.FieldRecorder(bank, network.populations, interval=interval)


def joined(parts):
    return xr.concat([part for part in parts if part.sizes["time"]], "time")


@pytest.mark.parametrize("method", ["fir", "state-space"])
@pytest.mark.parametrize("leads", [(9, 12), (1, 3), (40, 9)])
@pytest.mark.parametrize(("interval", "every"), [(0.1, 0.7), (0.5, 4.9), (1.0, 7.0), (10.0, 4.2)])
def test_turns_are_complete(nest, method, leads, interval, every):
    _, recorder = recorded_network(nest, interval=interval, leads=leads, method=method)
    nest.Simulate(7.0)  # what was before the loop is not its own
    parts, ends = [], []
    for signals in nestlfp.loop(DURATION - 7.0, every=every, progress=False):
        parts.append(signals)
        now = nest.biological_time
        ends.append(now)
        late = recorder.latency
        last = np.floor((now - late) / interval + 1e-6) * interval
        if signals.sizes["time"]:
            assert signals.time.values[-1] == pytest.approx(last)
    multiples = np.arange(np.floor(7.0 / every + 1e-6) + 1, DURATION / every - 1e-6) * every
    np.testing.assert_allclose(ends, [*multiples, DURATION])
    turns = joined(parts)
    nest.Simulate(7.0)
    whole = recorder.signals().sel(time=turns.time)
    assert turns.time.values[0] > 7.0 - recorder.latency
    np.testing.assert_allclose(np.diff(turns.time), interval)
    scale = np.abs(whole["LFP"]).max().item()
    np.testing.assert_allclose(turns["LFP"], whole["LFP"], rtol=0, atol=1e-14 * scale)
    assert turns.attrs == whole.attrs


@pytest.mark.parametrize("threads", [1, 4])
def test_spikes_are_those_of_one_simulation(nest, threads):
    reset(nest, threads=threads)
    alone = random_network(nest)
    nest.Simulate(DURATION)
    expected = events(alone)
    network, _ = recorded_network(nest, threads=threads)
    for _ in nestlfp.loop(DURATION, every=4.9, progress=False):
        pass
    for found, reference in zip(events(network), expected, strict=True):
        np.testing.assert_array_equal(found, reference)


def test_devices_change_between_turns(nest):
    network, _ = recorded_network(nest)
    noise = nest.GetNodes({"model": "poisson_generator"})
    for turn, signals in enumerate(nestlfp.loop(280.0, every=7.0, progress=False)):
        assert signals["LFP"].dims == ("LFP_channel", "time")
        noise.rate = 0.0 if turn >= 20 else 11_000.0
    times, _ = events(network)
    assert np.sum(times < 140.0) > 100
    assert np.sum(times > 180.0) < 5


def test_leaving_the_loop(nest, tmp_path):
    """NEST stands where the loop was left, with its samples in the store, and goes on."""
    network, recorder = recorded_network(nest)
    store = tmp_path / "signals.zarr"
    for signals in nestlfp.loop(700.0, every=7.0, to=store, chunk=20.0, progress=False):
        if signals.time.values[-1] >= 70.0:
            break
    assert nest.biological_time == pytest.approx(70.0)
    assert xr.open_zarr(store).time.values[-1] >= 69.0
    nestlfp.simulate(70.0, to=store, append=True, progress=False)
    whole = recorder.signals()
    np.testing.assert_allclose(np.diff(whole.time), 0.5)
    spikes = network.spikes(events(network))
    assert_signal_is_convolution(whole, exponential_kernels(leads=(9, 12)), spikes, 140.0)


def test_two_recorders(nest):
    reset(nest)
    banks = [
        installed(exponential_kernels(signals=(name,), leads=leads))
        for name, leads in (("LFP", (9, 12)), ("other", (1, 1)))
    ]
    network = random_network(nest)
    first, second = (nestlfp.FieldRecorder(bank, network.populations) for bank in banks)
    several = {first: "one.zarr", second: "two.zarr"}
    several_stores = lambda: nestlfp.loop(70.0, every=7.0, to=several)  # noqa: E731
    assert_refused(nest, "loop streams to one store", several_stores)
    both = joined(list(nestlfp.loop(70.0, every=7.0, progress=False)))
    assert set(both.data_vars) == {"LFP", "other"}
    one = joined(list(nestlfp.loop(70.0, every=7.0, recorder=first, progress=False)))
    assert set(one.data_vars) == {"LFP"}
    nest.Simulate(7.0)
    for recorder, name in ((first, "LFP"), (second, "other")):
        expected = recorder.signals()[name].sel(time=both.time)
        np.testing.assert_array_equal(both[name], expected)


@pytest.mark.parametrize(
    ("match", "options"),
    [
        ("every must be a multiple of the network's min_delay of 0.7 ms, found 5.0: 4.9 or 5.6 ms",
         {"every": 5.0}),
        ("every must be a positive multiple of the resolution", {"every": 0.0}),
        ("t must be a multiple of the resolution", {"t": 0.05, "every": 7.0}),
        ("overwrite and append are about a store", {"every": 7.0, "append": True}),
        ("recorder must be a FieldRecorder", {"every": 7.0, "recorder": "mine"}),
    ],
)  # fmt: skip
def test_bad_input(nest, match, options):
    recorded_network(nest)
    assert_refused(nest, match, lambda: nestlfp.loop(**{"t": 70.0, **options}))


def test_no_recorder(nest):
    reset(nest)
    random_network(nest)
    assert_refused(nest, "the network has no recorder", lambda: nestlfp.loop(70.0, every=7.0))


def test_reset_within_the_loop(nest):
    recorded_network(nest)
    turns = nestlfp.loop(70.0, every=7.0, progress=False)
    next(turns)
    _, recorder = recorded_network(nest)  # which resets
    with pytest.raises(nestlfp.NetworkError, match=r"nest.ResetKernel\(\) was called"):
        next(turns)
    assert nest.biological_time == 0  # the new network is left alone
    assert recorder.signals().sizes["time"] == 0


def test_time_that_is_set_within_the_loop(nest):
    recorded_network(nest)
    turns = nestlfp.loop(70.0, every=7.0, progress=False)
    next(turns)
    nest.biological_time = 0.0
    with pytest.raises(nestlfp.NetworkError, match=r"nest\.biological_time was set"):
        next(turns)
    assert nest.biological_time == 0


@pytest.mark.parametrize("nested", [10.0, 0.7, 3.4])
@pytest.mark.parametrize("several", [False, True])
def test_a_simulation_within_a_turn(nest, tmp_path, nested, several):
    """Its samples went into a store, and are in the next turn all the same."""
    _, recorder = recorded_network(nest)
    if several:
        reset(nest)
        banks = [installed(exponential_kernels(signals=(name,))) for name in ("LFP", "other")]
        network = random_network(nest)
        recorder, _ = (nestlfp.FieldRecorder(bank, network.populations) for bank in banks)
    parts, store = [], tmp_path / "a.zarr"
    for turn, signals in enumerate(nestlfp.loop(42.0, every=4.9, progress=False)):
        parts.append(signals.load())
        if turn in (1, 3):
            nestlfp.simulate(nested, to=store, chunk=5.0, append=store.exists(), progress=False)
    assert nest.biological_time == pytest.approx(42.0)
    turns = joined(parts)
    nest.Simulate(7.0)
    whole = recorder.signals().sel(time=turns.time)
    np.testing.assert_allclose(np.diff(turns.time), recorder.interval)
    for name in whole:
        scale = np.abs(whole[name]).max().item()
        np.testing.assert_allclose(turns[name], whole[name], rtol=0, atol=1e-14 * scale)
