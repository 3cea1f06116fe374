"""State-space nodes in NEST against the convolution of recorded spikes."""

import json

import numpy as np
import pytest

import nestlfp
from mpirun import environment, mpirun
from nestlfp.build import cmake
from nestlfp.nodes.bank import FilterBank
from networks import (
    bank_of,
    convolved,
    exponential_kernels,
    installed,
    recorded_undisturbed,
    replayed,
    reset,
)

TOLERANCE = 1e-6
THREADS = [1, 2, 4]
LAG = np.arange(500) * 0.1


def kernel_set(h, first_lag=0.1):
    """Kernels (pre, channel, tap) at 0.1 ms."""
    names = ["E", "I"][: len(h)]
    return nestlfp.KernelSet.from_arrays(
        {"LFP": np.asarray(h)[None]},
        pre=names,
        post=["all"],
        dt=0.1,
        units={"LFP": "mV"},
        first_lag=first_lag,
    )


def double_exponential(rise, decay, delay):
    t = LAG - delay
    return np.where(t > 0, np.exp(-t / decay) - np.exp(-t / rise), 0.0)


def zoo():
    """Kernels (pre, channel, tap) by name: most with two populations, three channels, 500 taps."""
    mix = np.array([[1.0, 0.3, -0.2], [0.4, -1.0, 0.5], [-0.7, 0.2, 1.0]])
    exponential, slower = np.exp(-LAG / 8), np.exp(-LAG / 15)
    alpha = LAG / 5 * np.exp(1 - LAG / 5)
    gauss, narrow = (np.exp(-((LAG - 10) ** 2) / (2 * w**2)) for w in (2.0, 1.5))
    ringing = [np.exp(-LAG / tau) * np.sin(f * LAG) for tau, f in ((10, 1.0), (6, 2.0), (8, 0.3))]
    synapse = [double_exponential(r, d, 2.0) for r, d in ((1, 5), (0.5, 8), (2, 11))]
    later = [double_exponential(r, d, 7.3) for r, d in ((1, 4), (0.5, 8), (3, 7))]
    slow = [np.exp(-LAG / tau) for tau in (40, 90, 200)]
    return {
        "exponentials and alpha functions": [
            mix @ [exponential, slower, alpha],
            mix @ [slower, alpha, alpha],
        ],
        "double exponentials with delays": [mix @ synapse, -2 * mix @ later],
        "Gaussians": [mix @ [gauss, narrow, gauss], mix @ [narrow, gauss, 0 * LAG]],
        "damped oscillations": [mix @ ringing, mix[::-1] @ ringing],
        "cut off at a large value": [mix @ slow, 0.3 * mix[::-1] @ slow],
        "one tap": [[[2.0], [-3.0], [1.0]], [[0.5], [1.0], [0.0]]],
        "one channel": [[alpha], [exponential]],
        "one population": [mix @ [exponential, slower, alpha]],
        "identical channels, and one that is zero": [
            [alpha, alpha, 0 * LAG],
            [slower, slower, 0 * LAG],
        ],
        "one number": [[[2.0]]],
    }


ZOO = zoo()


def random_trains(n, duration, seed=5, rate=0.05):
    """Spike times (ms, one decimal) of n neurons."""
    random = np.random.default_rng(seed)
    steps = round(duration * 10)
    return [np.flatnonzero(random.random(steps) < rate * 0.1)[1:] / 10 for _ in range(n)]


def record(nest, kernels, trains, *, threads=1, duration=150.0, interval=0.1, **options):
    """Record the spikes of `trains` ({population: [train, ...]}), replayed by parrots."""
    reset(nest, threads=threads, dt=kernels.dt)
    options = {"method": "state-space", "tolerance": TOLERANCE, **options}
    bank = installed(kernels, **options)
    assert bank.filter.method == "state-space"
    populations = {
        name: replayed(nest, [train[train > 1.0] - 1.0 for train in map(np.asarray, some)])
        for name, some in trains.items()
    }
    recorder = nestlfp.FieldRecorder(bank, populations, interval=interval)
    before = nest.min_delay, nest.max_delay
    nest.Simulate(duration)
    assert (nest.min_delay, nest.max_delay) == before
    return recorder


def spikes_of(trains):
    return {name: np.concatenate([t for t in some]) for name, some in trains.items()}


def errors(signals, kernels, spikes, duration, signal="LFP"):
    """Error of each sample relative to the channel's largest signal, (channel, time)."""
    reference = convolved(kernels, signal, spikes, round(duration / kernels.dt))
    at = np.rint(signals.time.values / kernels.dt).astype(int)
    assert at.size > 0
    peak = np.abs(reference).max(axis=1, keepdims=True)
    difference = np.abs(signals[signal].values - reference[:, at - 1])
    return difference / np.where(peak > 0, peak, 1.0)


# ---------------------------------------------------------------------- kernels of every kind
@pytest.mark.parametrize("name", ZOO)
def test_signal_is_the_convolution_to_the_tolerance(nest, name):
    kernels = kernel_set(ZOO[name])
    trains = {"E": random_trains(5, 150.0, 1), "I": random_trains(4, 150.0, 2)}
    trains = {population: trains[population] for population in kernels.pre}
    recorder = record(nest, kernels, trains, threads=2)
    assert float(recorder.bank.error["LFP"].max()) <= TOLERANCE
    error = errors(recorder.signals(), kernels, spikes_of(trains), 150.0)
    assert error.max() <= 10 * TOLERANCE


@pytest.mark.parametrize("tolerance", [1e-3, 1e-8])
def test_tolerances(nest, tolerance):
    kernels = kernel_set([[LAG * np.exp(-LAG / 5)]])  # two equal poles
    trains = {"E": random_trains(5, 150.0)}
    recorder = record(nest, kernels, trains, tolerance=tolerance)
    error = errors(recorder.signals(), kernels, spikes_of(trains), 150.0)
    assert error.max() <= 10 * tolerance


# ---------------------------------------------------------------------- a random network
@pytest.mark.parametrize("threads", THREADS)
@pytest.mark.parametrize("interval_steps", [1, 16])
def test_network_undisturbed_and_signal_within_tolerance(nest, hagen, threads, interval_steps):
    dt, duration = hagen.dt, 252.0
    signals, spikes = recorded_undisturbed(
        nest,
        hagen,
        threads=threads,
        duration=duration,
        min_delay=11 * dt,
        interval=interval_steps * dt,
        method="state-space",
        tolerance=TOLERANCE,
    )
    for signal in hagen.signals:
        assert errors(signals, hagen, spikes, duration, signal).max() <= 10 * TOLERANCE
    assert signals.attrs["method"] == "state-space"


# ---------------------------------------------------------------------- time
@pytest.mark.parametrize("interval", [0.1, 0.7, 1.0, 30.0])
@pytest.mark.parametrize("started", [0.0, 10.0, 13.3])
def test_samples_at_any_interval_of_recorders_made_at_any_time(nest, interval, started):
    kernels = exponential_kernels(leads=(3, 7), lengths=(30, 25))
    reset(nest)
    bank = installed(kernels, method="state-space", tolerance=TOLERANCE)
    trains = [np.array([1.0, 20.0, 20.1, 33.3]), np.array([7.0, 23.4, 38.1])]
    parrots = replayed(nest, trains)
    if started:
        nest.Simulate(started)
    recorder = nestlfp.FieldRecorder(bank, {"E": parrots[:1], "I": parrots[1:]}, interval=interval)
    for duration in (31.4, 8.3, 30.0):
        nest.Simulate(duration)
    heard = [train[train + 1.0 > started] + 1.0 for train in trains]
    spikes = {"E": heard[0], "I": heard[1]}
    error = errors(recorder.signals(), kernels, spikes, 83.0)
    assert error.shape[1] >= (69.7 - 2.0) / interval - 1
    assert error.max() <= 10 * TOLERANCE


@pytest.mark.parametrize("leads", [(3, 7), (10, 10), (25, 42), (2, 40), (0, 4), (-6, 2)])
@pytest.mark.parametrize("threads", [1, 3])
def test_kernels_that_start_anywhere(nest, leads, threads):
    kernels = exponential_kernels(leads=leads)
    trains = {"E": [[2.0, 2.1, 8.0], [2.1]], "I": [[5.0], [5.3, 14.9]]}
    recorder = record(nest, kernels, trains, threads=threads, duration=20.0)
    error = errors(recorder.signals(), kernels, spikes_of(trains), 20.0)
    assert error.max() <= 10 * TOLERANCE


def test_a_population_without_kernels(nest):
    kernels = exponential_kernels(leads=(4, 4)).scale({"I": 0.0})
    trains = {"E": [[2.0, 8.0]], "I": [[5.0]]}
    recorder = record(nest, kernels, trains, duration=20.0)
    error = errors(recorder.signals(), kernels, spikes_of(trains), 20.0)
    assert error.max() <= 10 * TOLERANCE


@pytest.mark.parametrize("by", ["pre", "post", ("pre", "post")])
def test_contributions_apart(nest, by):
    kernels = exponential_kernels(leads=(3, 7), signals=("LFP", "CDM"))
    trains = {"E": [[2.0, 8.0]], "I": [[5.0]]}
    recorder = record(nest, kernels, trains, duration=20.0, by=by)
    offline = kernels.convolve(spikes_of(trains), 20.0, by=by)
    signals = recorder.signals()
    for name in kernels.signals:
        assert signals[name].dims == offline[name].dims
        expected = offline[name].isel(time=slice(0, signals.sizes["time"]))
        difference = float(np.abs(signals[name] - expected).max())
        assert difference <= 10 * TOLERANCE * float(np.abs(expected).max())
    assert recorder.bank.error["CDM"].dims == (
        ("post", "CDM_channel") if "post" in by else ("CDM_channel",)
    )


def test_a_hundred_seconds_do_not_drift(nest):
    kernels = kernel_set(ZOO["Gaussians"])
    reset(nest)
    bank = installed(kernels, method="state-space", tolerance=TOLERANCE)
    noise = nest.Create("poisson_generator", params={"rate": 200.0})
    parrots = nest.Create("parrot_neuron", 4)
    spikes = nest.Create("spike_recorder")
    nest.Connect(noise, parrots)
    nest.Connect(parrots, spikes)
    recorder = nestlfp.FieldRecorder(bank, {"E": parrots[:2], "I": parrots[2:]})
    nest.Simulate(100_000.0)
    times, senders = spikes.events["times"], spikes.events["senders"]
    signals = recorder.signals()["LFP"]
    found = {}
    for second in (0, 99):
        start = max(0, 1000 * second - 100)  # kernels reach back 50 ms
        part = signals.sel(time=slice(1000 * second + 0.5, 1000 * (second + 1) - 5))
        inside = (times > start) & (times <= 1000 * (second + 1))
        trains = {
            name: times[inside & np.isin(senders, nodes.tolist())] - start
            for name, nodes in (("E", parrots[:2]), ("I", parrots[2:]))
        }
        reference = convolved(kernels, "LFP", trains, 10 * (1000 * (second + 1) - start))
        at = np.rint((part.time.values - start) * 10).astype(int)
        found[second] = np.abs(part.values - reference[:, at - 1]).max() / np.abs(reference).max()
    assert max(found.values()) <= 10 * TOLERANCE
    assert found[99] <= 2 * found[0]


# ---------------------------------------------------------------------- the choice
def test_auto_takes_the_cheaper_filter_and_says_so(hagen):
    long = bank_of(hagen, method="auto")
    assert long.filter.method == "state-space"
    assert "chosen by 'auto': 'fir' would take" in repr(long)
    short = bank_of(exponential_kernels(lengths=(1, 1), channels=1), method="auto")
    assert short.filter.method == "fir"
    assert "no reduced filter is cheaper" in repr(short)
    assert long.filter.microseconds(16) < FilterBank(hagen).filter.microseconds(16)


def test_white_noise_falls_back_to_fir_or_is_refused():
    noise = kernel_set(np.random.default_rng(1).standard_normal((2, 3, 400)))
    bank = bank_of(noise, method="auto")
    assert bank.filter.method == "fir"
    assert "no state-space filter of order" in repr(bank)
    with pytest.raises(nestlfp.KernelError, match="smallest reached is 0") as caught:
        bank_of(noise, method="state-space")
    assert TOLERANCE < caught.value.smallest_error < 1.5


@pytest.mark.parametrize("tolerance", [0.0, 1.0, -1e-6, np.nan])
def test_tolerances_that_are_none(tolerance):
    with pytest.raises(nestlfp.KernelError, match="tolerance must lie between 0 and 1"):
        bank_of(exponential_kernels(), method="state-space", tolerance=tolerance)


def test_errors_are_labelled_and_printed(hagen):
    bank = bank_of(hagen, method="state-space", tolerance=1e-5)
    assert bank.error["LFP"].dims == ("LFP_channel",)
    assert 0 < float(bank.error["LFP"].max()) <= 1e-5
    assert float(bank.bound["LFP"].max()) > float(bank.error["LFP"].max())
    assert bank.error["CDM"].sel(CDM_channel="z") <= 1e-5
    np.testing.assert_array_equal(bank.error["LFP_z"], hagen.dataset["LFP_z"])
    told = repr(bank)
    for part in ("E, I", "16 of LFP, CDM", "795 of 0.0625 ms", "order", "latents", "µs"):
        assert part in told
    assert float(FilterBank(hagen).error["LFP"].max()) == 0


def test_exact_channels_are_not_compressed(hagen):
    bank = bank_of(hagen, method="state-space", exact_channels=True)
    assert bank.filter.n_outputs == 16
    assert np.array_equal(bank.filter.expand(np.eye(16)), np.eye(16)[None])


# ---------------------------------------------------------------------- kept on disk
def test_realizations_are_kept(tmp_path, monkeypatch):
    monkeypatch.setenv("NESTLFP_CACHE", str(tmp_path))
    kernels = kernel_set([[LAG * np.exp(-LAG / 5)]])
    first = bank_of(kernels, method="state-space", tolerance=1e-8)
    (file,) = (tmp_path / "realizations").iterdir()
    with monkeypatch.context() as patch:
        patch.setattr("nestlfp.state_space.realize", None)
        again = bank_of(kernels, method="state-space", tolerance=1e-8)
    assert again.model == first.model
    hold = np.zeros(1, dtype=int)
    assert json.dumps(again.filter.parameters(2, hold, 1, 0), default=list) == json.dumps(
        first.filter.parameters(2, hold, 1, 0), default=list
    )
    file.write_bytes(file.read_bytes()[:100])  # a file that was cut short is made anew
    third = bank_of(kernels, method="state-space", tolerance=1e-8)
    assert third.model == first.model
    assert file.stat().st_size > 100


def test_failures_are_kept_too(tmp_path, monkeypatch):
    monkeypatch.setenv("NESTLFP_CACHE", str(tmp_path))
    noise = kernel_set(np.random.default_rng(1).standard_normal((1, 1, 300)))
    with pytest.raises(nestlfp.KernelError) as first:
        bank_of(noise, method="state-space")
    monkeypatch.setattr("nestlfp.state_space.realize", None)
    with pytest.raises(nestlfp.KernelError) as second:
        bank_of(noise, method="state-space")
    assert str(second.value) == str(first.value)


@pytest.mark.compile
@pytest.mark.parametrize("filtered", [[], ["--antialias=1.0"]])
def test_cmake_and_python_agree_on_the_model(tmp_path, hagen, filtered):
    hagen.save(tmp_path / "kernels.nc")
    kernels, output = str(tmp_path / "kernels.nc"), str(tmp_path / "generated")
    options = ["--method=state-space", "--tolerance=1e-4", "--nest-version=3.10.0", *filtered]
    cmake.main(["model", "--kernels", kernels, *options, "--output", output])
    low_pass = {"interval": 1.0, "antialias": True} if filtered else {}
    bank = bank_of(hagen, method="state-space", tolerance=1e-4, **low_pass)
    written = tmp_path / "generated" / f"{bank.model.name}.nestml"
    assert written.read_text(encoding="utf-8") == bank.model.text


@pytest.mark.mpi
@pytest.mark.compile
@pytest.mark.parametrize("ranks", [2, 4])
def test_one_of_several_processes_finds_the_filter(tmp_path, ranks):
    cache = {"NESTLFP_CACHE": str(tmp_path)} if ranks == 2 else {}
    told = mpirun(ranks, "state_space.py", 4 // ranks, env=environment(**cache)).stdout
    assert told.count("passed") == ranks
