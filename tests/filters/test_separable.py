"""Many ports that share a few time courses: found offline, and run in NEST."""

import pickle

import numpy as np
import pytest
from scipy import sparse

import nestlfp
from nestlfp import NeuronKernels
from nestlfp.state_space import impulse_responses, separate
from nestlfp.testing import assert_convolution, convolved
from networks import bank_of, exponential_kernels, installed, replayed, reset

TOLERANCE = 1e-6
DT = 0.1


def courses(n, taps):
    """Postsynaptic time courses, cut off where they are not small: (course, tap)."""
    t = np.arange(1, taps + 1) * DT
    rise, decay = np.linspace(0.3, 2, n)[:, None], np.linspace(4, 15, n)[:, None]
    return (np.exp(-t / decay) - np.exp(-t / rise)) * np.cos(t / 10 * np.arange(n)[:, None])


def sheet(ports, channels, taps, n=3, seed=1):
    """Kernels (port, channel, tap) of sources and contacts in a plane."""
    random = np.random.default_rng(seed)
    distance = np.abs(random.uniform(0, 3, (ports, 1)) - random.uniform(0, 3, channels))
    sizes = 1 / (0.1 + distance[:, :, None] ** np.linspace(1, 2, n))
    return sizes * (-1.0) ** np.arange(n) @ courses(n, taps)


def kernel_set(h, first_lag=0.1, names=None):
    return nestlfp.KernelSet.from_arrays(
        {"LFP": np.asarray(h)[None]},
        pre=names or [f"p{i}" for i in range(len(h))],
        post=["all"],
        dt=DT,
        units={"LFP": "mV"},
        first_lag=first_lag,
    )


def separable_bank(kernels, tolerance=TOLERANCE, **options):
    return bank_of(kernels, "separable", tolerance=tolerance, **options)


def started(h, leads, n):
    """The same kernels (port, channel, tap), port p's from tap leads[p] on, n taps in all."""
    moved = np.zeros((*h.shape[:2], n))
    for p, lead in enumerate(leads):
        moved[p, :, lead : lead + h.shape[2]] = h[p]
    return moved


def shapes():
    """Kernels (port, channel, tap) by name."""
    many = sheet(30, 6, 200)
    silent, tiny, sizes = many.copy(), many.copy(), many.copy()
    silent[[0, 7]] = 0
    silent[:, 2] = 0
    tiny[::2] *= 1e-9
    sizes *= (10.0 ** np.arange(-6, 6, 2))[:, None]  # V, mV and µV side by side
    fading = many * np.exp(-np.arange(200) / 8)
    fading[::3, :, 190:] = 0
    one = courses(1, 200)[None]
    rare = many.copy()
    rare[3, 1] += 0.01 * np.exp(-np.arange(200) / 3)
    return {
        "many": many,
        "one port": many[:1],
        "one channel": many[:, :1],
        "one port, one channel": one,
        "one lag": many[:, :, 5:6],
        "one number": np.full((1, 1, 1), -2.0),
        "two lags": many[:, :, 5:7],
        "one course": sheet(30, 6, 200, n=1),
        "zero ports and a zero channel": silent,
        "very small kernels beside others": tiny,
        "channels of very different size": sizes,
        "some end before others": fading,
        "a course of a single kernel": rare,
        "five courses": sheet(40, 8, 300, n=5),
        "equal poles": np.arange(1, 201) * np.exp(-np.arange(200) / 20) * many[:, :, :1],
    }


SHAPES = shapes()


# ---------------------------------------------------------------------- offline
@pytest.mark.slow
@pytest.mark.parametrize("tolerance", [1e-3, 1e-6, 1e-8])
@pytest.mark.parametrize("name", SHAPES)
def test_the_certified_error_is_that_of_the_responses(name, tolerance):
    h = SHAPES[name]
    found = separate(h, tolerance)
    taps = h.shape[2]
    assert np.all(found.courses.leads == 0)
    assert np.all(found.courses.taps == taps)
    made = impulse_responses(found.courses, 5 * taps)[:, 0]
    given = np.pad(h, ((0, 0), (0, 0), (0, 4 * taps)))
    peak = np.abs(h).max(axis=(0, 2))
    difference = np.abs(np.einsum("pmc,mt->pct", found.weights, made) - given)
    difference /= np.where(peak > 0, peak, 1)[:, None]
    error, bound = difference.max(axis=(0, 2)), difference.sum(axis=2).max(axis=0)
    assert found.error.max() <= tolerance
    assert np.all(error <= found.error * (1 + 1e-6) + 1e-14)
    assert np.all(bound <= found.bound * (1 + 1e-6) + 1e-12)
    # Not a mere bound: within a factor of what happens, up to what is spared after the end.
    assert np.all(found.error <= 1.5 * error + 0.1 * tolerance)


def test_as_few_courses_as_there_are():
    for n in (1, 2, 5):
        assert separate(sheet(40, 8, 300, n=n), 1e-8).weights.shape == (40, n, 8)
    assert separate(sheet(40, 8, 300, n=5), 1e-1).weights.shape[1] < 5


def test_tails_are_spared_where_nothing_is_left_of_them():
    cut = separate(sheet(20, 4, 200), TOLERANCE).courses
    faded = separate(sheet(20, 4, 200) * np.exp(-np.arange(200) / 8), TOLERANCE).courses
    assert cut.truncated
    assert not faded.truncated


def test_white_noise_is_refused():
    noise = np.random.default_rng(1).standard_normal((20, 3, 200))
    with pytest.raises(nestlfp.ToleranceError, match="time courses of 32 or less") as caught:
        separable_bank(kernel_set(noise))
    assert TOLERANCE < caught.value.smallest_error < 2
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


@pytest.mark.slow
def test_a_step_is_refused_with_its_smallest_error():
    h = sheet(20, 3, 200)
    h[::2, :, 100:] = 0
    with pytest.raises(nestlfp.ToleranceError, match="separable filter") as caught:
        separable_bank(kernel_set(h))
    assert TOLERANCE < caught.value.smallest_error < 1


@pytest.mark.parametrize("by", ["pre", ("pre", "post")])
def test_populations_apart_are_refused(by):
    with pytest.raises(nestlfp.KernelError, match="cannot keep them apart"):
        separable_bank(kernel_set(sheet(20, 3, 50)), by=by)


# ---------------------------------------------------------------------- the choice
def test_auto_takes_it_for_many_ports():
    many = bank_of(kernel_set(sheet(80, 20, 300)), "auto")
    assert many.filter.method == "separable"
    assert "'fir' would take" in repr(many)
    assert "state-space" not in repr(many)
    assert many.filter.options == nestlfp.Separable(TOLERANCE)
    fewer = bank_of(kernel_set(sheet(30, 5, 300)), "auto")
    assert {"separable", "state-space"} > {fewer.filter.method}
    assert "'separable'" in repr(fewer)
    assert "'state-space'" in repr(fewer)
    few = bank_of(kernel_set(sheet(16, 5, 300)), "auto")
    assert few.filter.method == "state-space"
    assert "separable" not in repr(few)


@pytest.mark.parametrize("dense", [True, False], ids=["kernels", "weights of courses"])
def test_filters_are_kept(tmp_path, monkeypatch, dense):
    monkeypatch.setenv("NESTLFP_CACHE", str(tmp_path))
    lag = np.arange(1, 200)
    courses = np.stack([np.exp(-lag / 30), np.exp(-lag / 12)])
    weights = np.random.default_rng(1).standard_normal((1, 20, 3, 2))
    kernels = nestlfp.KernelSet.from_arrays(
        {"LFP": weights @ courses if dense else weights},
        courses=None if dense else courses,
        pre=[f"p{i}" for i in range(20)], post="all", dt=0.1, units={"LFP": "mV"},
    )  # fmt: skip
    first = bank_of(kernels, method="separable", tolerance=1e-6)
    (file,) = (tmp_path / "realizations").iterdir()
    with monkeypatch.context() as patch:
        patch.setattr("nestlfp.state_space.separate", None)
        again = bank_of(kernels, method="separable", tolerance=1e-6)
    hold = np.zeros(20, dtype=int)
    one, other = (bank.filter.parameters(24, hold, 1, 0) for bank in (first, again))
    assert one.keys() == other.keys()
    for name, value in one.items():
        np.testing.assert_array_equal(value, other[name])
    np.testing.assert_array_equal(first.filter.error, again.filter.error)
    file.write_bytes(file.read_bytes()[:100])  # a file that was cut short is made anew
    assert bank_of(kernels, method="separable", tolerance=1e-6).filter.error.max() <= 1e-6
    assert file.stat().st_size > 100


def test_a_failure_is_kept_with_its_message(tmp_path, monkeypatch):
    monkeypatch.setenv("NESTLFP_CACHE", str(tmp_path))
    noise = nestlfp.KernelSet.from_arrays(
        {"LFP": np.random.default_rng(1).standard_normal((1, 20, 3, 200))},
        pre=[f"p{i}" for i in range(20)], post="all", dt=0.1, units={"LFP": "mV"},
    )  # fmt: skip
    with pytest.raises(nestlfp.ToleranceError) as first:
        bank_of(noise, method="separable")
    monkeypatch.setattr("nestlfp.state_space.separate", None)
    with pytest.raises(nestlfp.ToleranceError) as second:
        bank_of(noise, method="separable")
    assert str(second.value) == str(first.value)


def test_auto_falls_back():
    noise = kernel_set(np.random.default_rng(1).standard_normal((70, 2, 80)))
    bank = bank_of(noise, "auto")
    assert bank.filter.method == "fir"
    assert "no separable filter" in repr(bank)
    apart = bank_of(kernel_set(sheet(20, 2, 80)), "auto", by="pre")
    assert apart.filter.method != "separable"


def test_what_a_bank_says():
    bank = separable_bank(kernel_set(sheet(40, 8, 300)), tolerance=1e-4)
    assert "3 time courses" in repr(bank)
    assert bank.provenance["method"] == "separable"
    assert bank.provenance["method_options"] == "Separable(tolerance=0.0001)"
    assert 0 < float(bank.error["LFP"].max()) <= 1e-4
    assert bank.filter.microseconds(1) > bank.filter.microseconds(10)


# ---------------------------------------------------------------------- in NEST
def record(nest, kernels, trains, *, threads=1, runs=(60.0, 0.1, 39.9), interval=DT, **options):
    """Signals of parrots that replay trains of spike times, one for each population."""
    reset(nest, threads=threads)
    if options.get("antialias"):
        options["interval"] = interval
    bank = installed(kernels, method="separable", **options)
    parrots = replayed(nest, [np.round(np.asarray(train) - 1.0, 1) for train in trains])
    populations = {name: parrots[i] for i, name in enumerate(bank.populations)}
    recorder = nestlfp.FieldRecorder(bank, populations, interval=interval)
    for duration in runs:
        nest.Simulate(duration)
    return recorder


def random_trains(n, steps, rate=0.02, seed=3):
    random = np.random.default_rng(seed)
    trains = [np.flatnonzero(random.random(steps) < rate) for _ in range(n)]
    return [train[train > 11] / 10 for train in trains]


@pytest.mark.parametrize("interval", [0.1, 1.0])
@pytest.mark.parametrize("threads", [1, 2])
def test_a_hundred_ports(nest, threads, interval):
    kernels = kernel_set(sheet(100, 20, 300))
    trains = random_trains(100, 1000)
    trains[0] = np.append(trains[0], 100.0)  # in the last step
    trains[1] = np.append(trains[1], 99.0)  # heard in the last step, at a delay of 1 ms
    recorder = record(nest, kernels, trains, threads=threads, interval=interval)
    signals = recorder.signals()
    assert signals.sizes["time"] >= 98 / interval
    spikes = dict(zip(kernels.pre, trains, strict=True))
    assert_convolution(signals, kernels, spikes, rtol=10 * TOLERANCE)
    offline = kernels.convolve(spikes, 100.0)["LFP"].sel(time=signals.time, method="nearest")
    assert np.abs(signals["LFP"] - offline.values).max() <= 10 * TOLERANCE * np.abs(offline).max()


@pytest.mark.parametrize("name", SHAPES)
def test_kernels_of_every_shape(nest, name):
    """With silent times between spikes that are longer than the kernels."""
    kernels = kernel_set(SHAPES[name])
    trains = random_trains(len(kernels.pre), 1000, rate=0.002)
    trains[-1] = [2.0, 2.1, 30.0, 75.5]
    signals = record(nest, kernels, trains).signals()
    assert_convolution(
        signals, kernels, dict(zip(kernels.pre, trains, strict=True)), rtol=10 * TOLERANCE
    )


@pytest.mark.parametrize("leads", [(0, 0, 0), (9, 12, 10), (0, 45, 12), (60, 0, 130)])
@pytest.mark.parametrize("first_lag", [0.1, 1.0, 4.0])
def test_kernels_that_start_anywhere(nest, leads, first_lag):
    """The network's longest delay is 1 ms, so that the node holds spikes back."""
    h = started(sheet(3, 2, 150), leads, 290)
    kernels = kernel_set(h, first_lag)
    trains = [[2.0, 8.0, 41.3], [2.0, 2.1], [5.3, 14.9]]
    recorder = record(nest, kernels, trains)
    assert recorder.bank.error["LFP"].max() <= TOLERANCE
    assert_convolution(
        recorder.signals(),
        kernels,
        dict(zip(kernels.pre, trains, strict=True)),
        rtol=10 * TOLERANCE,
    )


def test_courses_that_start_anywhere(nest):
    """Kernels that are weights of courses, of which each population has others."""
    h = started(sheet(3, 2, 150), (0, 45, 12), 290)
    kernels = kernel_set(h, 1.0)
    weights = np.eye(6).reshape(1, 3, 2, 6)
    of_courses = nestlfp.KernelSet.from_arrays(
        {"LFP": weights}, courses=h.reshape(6, -1), pre=kernels.pre, post=kernels.post,
        dt=kernels.dt, first_lag=1.0, units={"LFP": "mV"},
    )  # fmt: skip
    trains = [[2.0, 8.0, 41.3], [2.0, 2.1], [5.3, 14.9]]
    recorder = record(nest, of_courses, trains)
    assert_convolution(
        recorder.signals(),
        kernels,
        dict(zip(kernels.pre, trains, strict=True)),
        rtol=10 * TOLERANCE,
    )


def test_postsynaptic_populations_apart(nest):
    kernels = exponential_kernels(leads=(3, 3), lengths=(60, 60), signals=("LFP", "CDM"))
    trains = [[2.0, 8.0], [5.0]]
    recorder = record(nest, kernels, trains, by="post")
    signals = recorder.signals()
    spikes = dict(zip(kernels.pre, trains, strict=True))
    offline = kernels.convolve(spikes, 100.0, by="post")
    for name in kernels.signals:
        assert signals[name].dims == offline[name].dims
        expected = offline[name].isel(time=slice(0, signals.sizes["time"]))
        difference = float(np.abs(signals[name] - expected).max())
        assert difference <= 10 * TOLERANCE * float(np.abs(expected).max())


def test_filtered_against_aliasing(nest):
    kernels = kernel_set(sheet(30, 4, 300) * np.exp(-np.arange(300) / 30))
    trains = random_trains(30, 1000)
    recorder = record(nest, kernels, trains, interval=1.0, antialias=True, tolerance=1e-4)
    assert "time courses" in repr(recorder.bank)
    signals = recorder.signals()
    assert signals.sizes["time"] > 80
    spikes = dict(zip(kernels.pre, trains, strict=True))
    # Filtered kernels hear spikes that come later, too.
    expected = convolved(kernels.lowpass(1.0), "LFP", spikes, 1000)
    at = np.rint(signals.time.values / DT).astype(int)
    difference = np.abs(signals["LFP"].values - expected[:, at - 1]).max()
    assert difference <= 1e-3 * np.abs(expected).max()


def test_neurons_with_sparse_weights(nest):
    """Each neuron is connected to four of 40 nodes of a sheet."""
    random = np.random.default_rng(2)
    names = [f"E/{i}" for i in range(40)]
    modes = kernel_set(sheet(40, 6, 200), names=names)
    columns = np.concatenate([random.choice(40, 4, replace=False) for _ in range(25)])
    weights = sparse.csr_array(
        (random.uniform(-1, 1, 100), (np.repeat(np.arange(25), 4), columns)), (25, 40)
    )
    kernels = NeuronKernels(modes, {"E": names}, {"E": weights})
    trains = random_trains(25, 1000)
    reset(nest, threads=2)
    bank = installed(kernels, method="separable")
    parrots = replayed(nest, [np.round(train - 1.0, 1) for train in trains])
    recorder = nestlfp.FieldRecorder(bank, {"E": parrots}, interval=DT)
    nest.Simulate(100.0)
    signals = recorder.signals()["LFP"]
    neurons = np.repeat(np.arange(25), [len(train) for train in trains])
    spikes = {"E": (np.concatenate(trains), neurons)}
    offline = kernels.convolve(spikes, 100.0)["LFP"].sel(time=signals.time, method="nearest")
    # Weights cancel, errors do not: relative to what a few spikes make.
    assert np.abs(signals - offline.values).max() <= 10 * TOLERANCE * np.abs(modes["LFP"]).max()


def test_ten_seconds_without_a_silent_moment_do_not_drift(nest):
    kernels = kernel_set(sheet(3, 2, 150))
    trains = random_trains(3, 100_000, rate=0.05)
    signals = record(nest, kernels, trains, runs=(10_000.0,)).signals()
    last = signals.isel(time=slice(-2000, None))
    spikes = dict(zip(kernels.pre, trains, strict=True))
    assert_convolution(last, kernels, spikes, rtol=2 * TOLERANCE)


def test_states_are_forgotten_when_nothing_is_under_way(nest):
    kernels = kernel_set(sheet(3, 2, 150))
    recorder = record(nest, kernels, [[2.0], [3.0], []], runs=(40.0,))
    (node,) = nest.GetNodes({"model": recorder.bank.model.name})
    assert node.get("busy")[0] == 0
    for name in ("re", "im", "x", "y", "drives"):
        assert not np.any(node.get(name))


def test_two_recorders_and_a_trigger_share_a_model(nest):
    kernels = kernel_set(sheet(3, 1, 150), first_lag=1.0)
    reset(nest)
    bank = installed(kernels, method="separable")
    parrots = replayed(nest, [[1.0, 1.1, 1.2], [9.0], [20.0]])
    populations = {name: parrots[i] for i, name in enumerate(bank.populations)}
    recorder = nestlfp.FieldRecorder(bank, populations, interval=DT)
    spikes = {"p0": [2.0, 2.1, 2.2], "p1": [10.0], "p2": [21.0]}
    expected = kernels.convolve(spikes, 40.0)["LFP"]
    offline = expected.values[0]
    threshold = 0.6 * offline.max()
    trigger = nestlfp.Trigger(bank, populations, threshold=threshold)
    nest.Simulate(40.0)
    assert_convolution(recorder.signals(), kernels, spikes, rtol=10 * TOLERANCE)
    above = np.flatnonzero((offline[1:] >= threshold) & (offline[:-1] < threshold)) + 1
    assert above.size > 0
    np.testing.assert_allclose(trigger.times(), expected.time.values[above], atol=1e-9)
