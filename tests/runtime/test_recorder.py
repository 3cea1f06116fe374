"""Online signals against np.convolve on recorded spikes, and the network left as it was."""

import re
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import nestlfp
from nestlfp.runtime.simulate import pieces
from nestlfp.runtime.timing import schedule
from networks import (
    assert_refused,
    assert_signal_is_convolution,
    convolved,
    events,
    exponential_kernels,
    installed,
    random_network,
    recorded_undisturbed,
    replayed,
    reset,
)

THREADS = [1, 2, 4]


# ---------------------------------------------------------------------- a random network
@pytest.mark.parametrize("threads", THREADS)
@pytest.mark.parametrize("dt", [0.1, 2**-4])
@pytest.mark.parametrize("interval_steps", [1, 16])
def test_network_undisturbed_and_signal_exact(nest, hagen, threads, dt, interval_steps):
    kernels = hagen.resample(dt)
    duration = round(252.0 / dt) * dt
    min_delay = 11 * dt  # does not divide the duration
    signals, spikes = recorded_undisturbed(
        nest,
        kernels,
        threads=threads,
        duration=duration,
        min_delay=min_delay,
        interval=interval_steps * dt,
    )
    for signal in kernels.signals:
        assert_signal_is_convolution(signals, kernels, spikes, duration, signal)
    assert signals.sizes["time"] >= (duration - 3 * min_delay) / (interval_steps * dt) - 1
    assert signals["LFP"].attrs["units"] == "mV"
    np.testing.assert_array_equal(signals["LFP_z"], hagen.dataset["LFP_z"])


@pytest.mark.parametrize("threads", THREADS)
def test_signal_does_not_depend_on_threads(nest, hagen, threads):
    kernels = hagen.resample(0.1)
    trains = [np.arange(2.0 + k, 90.0, 3.1 + k / 7).round(1) for k in range(5)]
    out = []
    for n in (1, threads):
        reset(nest, threads=n)
        bank = installed(kernels)
        parrots = replayed(nest, trains)
        recorder = nestlfp.FieldRecorder(bank, {"E": parrots[:3], "I": parrots[3:]}, interval=0.1)
        nest.Simulate(100.0)
        out.append(recorder.signals()["LFP"].values)
    np.testing.assert_allclose(out[1], out[0], rtol=0, atol=1e-12 * np.abs(out[0]).max())


# ---------------------------------------------------------------------- awkward inputs
def replay(nest, kernels, trains, *, threads=1, duration=20.0, delay=1.0, interval=None, **options):
    """Record spikes at the times of `trains` ({population: [train, ...]}), replayed by parrots."""
    reset(nest, threads=threads, dt=kernels.dt)
    bank = installed(kernels, **options)
    populations = {
        name: replayed(nest, [np.asarray(t) - delay for t in some], delay) if some else None
        for name, some in trains.items()
    }
    recorder = nestlfp.FieldRecorder(
        bank,
        nestlfp.Inputs(populations, unconnected=not any(trains.values())),
        interval=interval or kernels.dt,
    )
    before = nest.min_delay, nest.max_delay
    nest.Simulate(duration)
    assert (nest.min_delay, nest.max_delay) == before
    return recorder


def flat(trains):
    return {name: np.concatenate([[], *some]) for name, some in trains.items()}


@pytest.mark.parametrize("threads", THREADS)
@pytest.mark.parametrize(
    ("case", "trains"),
    [
        ("one neuron each", {"E": [[3.0, 3.1, 9.0]], "I": [[4.0]]}),
        ("coinciding spikes", {"E": [[3.0], [3.0], [3.0]], "I": [[3.0], [3.0]]}),
        ("no spikes", {"E": [[]], "I": [[]]}),
        ("an empty population", {"E": [[2.5, 7.0], [2.6]], "I": []}),
        ("a spike in the last step", {"E": [[20.0]], "I": [[19.9, 20.0]]}),
    ],
)
def test_awkward_spikes(nest, threads, case, trains):
    kernels = exponential_kernels()
    recorder = replay(nest, kernels, trains, threads=threads)
    signals = recorder.signals()
    assert_signal_is_convolution(signals, kernels, flat(trains), 20.0)
    if case == "no spikes":
        assert np.all(signals["LFP"].values == 0)
    if case == "a spike in the last step":  # and it is there when the run goes on
        nest.Simulate(5.0)
        assert_signal_is_convolution(recorder.signals(), kernels, flat(trains), 25.0)
        assert np.abs(recorder.signals()["LFP"].values).max() > 0.5


@pytest.mark.parametrize("threads", THREADS)
@pytest.mark.parametrize(
    ("case", "shape"),
    [
        ("one tap", {"leads": (1, 1), "lengths": (1, 1)}),
        ("one channel", {"channels": 1, "lengths": (25, 25)}),
        ("one tap, one channel, one population", {
            "leads": (1,), "lengths": (1,), "channels": 1, "pre": ("E",), "post": ("E",)}),
        ("leading zeros shorter than min_delay", {"leads": (3, 7)}),
        ("leading zeros as long as min_delay", {"leads": (10, 10)}),
        ("leading zeros longer than max_delay", {"leads": (25, 42)}),
        ("one shorter, one longer", {"leads": (2, 40), "lengths": (20, 9)}),
        ("a lag of zero", {"leads": (0, 4)}),
        ("lags before the spike", {"leads": (-6, 2)}),
    ],
)  # fmt: skip
def test_awkward_kernels(nest, threads, case, shape):
    kernels = exponential_kernels(**shape)
    trains = {"E": [[2.0, 2.1, 8.0], [2.1]], "I": [[5.0], [5.3, 14.9]]}
    trains = {name: trains[name] for name in kernels.pre}
    recorder = replay(nest, kernels, trains, threads=threads)
    assert_signal_is_convolution(recorder.signals(), kernels, flat(trains), 20.0)


def test_a_population_without_kernels(nest):
    kernels = exponential_kernels(leads=(4, 4)).scale({"I": 0.0})
    trains = {"E": [[2.0, 8.0]], "I": [[5.0]]}
    recorder = replay(nest, kernels, trains)
    assert_signal_is_convolution(recorder.signals(), kernels, flat(trains), 20.0)


def test_several_simulate_calls(nest):
    kernels = exponential_kernels()
    trains = {"E": [[2.0, 8.0, 19.9]], "I": [[5.0, 33.0]]}
    recorder = replay(nest, kernels, trains, duration=7.3)
    for duration in (12.6, 3.1, 17.0):
        length = recorder.signals().sizes["time"]
        nest.Simulate(duration)
        signals = recorder.signals()
        assert signals.sizes["time"] > length
    assert_signal_is_convolution(signals, kernels, flat(trains), 40.0)


def test_reset_kernel_and_a_second_run(nest):
    kernels = exponential_kernels()
    trains = {"E": [[2.0, 8.0]], "I": [[5.0]]}
    first = replay(nest, kernels, trains).signals()
    second = replay(nest, kernels, trains).signals()  # resets and installs again
    assert second.identical(first)


@pytest.mark.parametrize("threads", [1, 2])
def test_two_recorders_in_one_network(nest, threads):
    a = exponential_kernels(leads=(3, 7))
    b = a.scale({"E": 2.0, "I": -1.0})  # same sizes, hence the same model
    reset(nest, threads=threads)
    banks = [installed(a), installed(b), installed(a, by="pre")]
    trains = {"E": [[2.0, 8.0]], "I": [[5.0]]}
    populations = {
        name: replayed(nest, [np.array(t) - 1 for t in some]) for name, some in trains.items()
    }
    recorders = [nestlfp.FieldRecorder(bank, populations, interval=0.1) for bank in banks]
    nest.Simulate(20.0)
    assert_signal_is_convolution(recorders[0].signals(), a, flat(trains), 20.0)
    assert_signal_is_convolution(recorders[1].signals(), b, flat(trains), 20.0)
    apart = recorders[2].signals()["LFP"]
    assert apart.dims == ("pre", "LFP_channel", "time")
    np.testing.assert_allclose(apart.sum("pre"), recorders[0].signals()["LFP"], atol=1e-12)


@pytest.mark.parametrize("by", ["pre", "post", ("pre", "post")])
def test_contributions_apart(nest, by):
    kernels = exponential_kernels(leads=(3, 7), signals=("LFP", "CDM"))
    trains = {"E": [[2.0, 8.0]], "I": [[5.0]]}
    signals = replay(nest, kernels, trains, by=by).signals()
    offline = kernels.convolve(flat(trains), 20.0, by=by)
    assert signals["CDM"].dims == offline["CDM"].dims
    n = signals.sizes["time"]
    for name in ("LFP", "CDM"):
        expected = offline[name].isel(time=slice(0, n))
        np.testing.assert_allclose(
            signals[name], expected, atol=1e-12 * float(np.abs(expected).max())
        )


@pytest.mark.parametrize("threads", [1, 3])
def test_generators_stand_for_populations(nest, threads):
    kernels = exponential_kernels(leads=(3, 7))
    reset(nest, threads=threads)
    bank = installed(kernels)
    spikes = nest.Create("spike_generator", 2)
    spikes[0].spike_times = [2.0, 8.0]
    spikes[1].spike_times = [2.0, 3.0]
    recorder = nestlfp.FieldRecorder(
        bank, nestlfp.Inputs({"E": spikes, "I": None}, unconnected=True), interval=0.1
    )
    nest.Simulate(50.0)
    trains = {"E": [2.0, 2.0, 3.0, 8.0]}
    assert_signal_is_convolution(recorder.signals(), kernels, trains, 50.0)


def test_parrots_behind_generators_leave_the_network_alone(nest, hagen):
    kernels = hagen.resample(0.1)
    trains = []
    for record in (False, True):
        reset(nest, threads=2)
        bank = installed(kernels) if record else None
        network = random_network(nest)
        thalamus = nest.Create("parrot_neuron", 3)
        source = nest.Create("poisson_generator", params={"rate": 100.0})
        nest.Connect(source, thalamus, syn_spec={"delay": 0.7})
        if record:
            nestlfp.FieldRecorder(bank, {"E": thalamus, "I": network.populations["I"]})
        nest.Simulate(120.0)
        trains.append(events(network))
    np.testing.assert_array_equal(trains[0], trains[1])


@pytest.mark.parametrize("threads", [1, 3])
def test_weights_and_delays_of_single_neurons(nest, threads):
    kernels = exponential_kernels(leads=(20, 20))
    reset(nest, threads=threads)
    nest.set(min_delay=0.5, max_delay=3.0)
    bank = installed(kernels)
    parrots = replayed(nest, [[2.0], [3.0], [4.0]])
    recorder = nestlfp.FieldRecorder(
        bank,
        nestlfp.Inputs(
            {"E": parrots, "I": None},
            weights={"E": [1.0, -0.5, 2.0]},
            delays={"E": [0.0, 0.51, 1.2]},
        ),
        interval=0.1,
    )
    nest.Simulate(20.0)
    expected = sum(
        w * convolved(kernels, "LFP", {"E": [t]}, 200)
        for w, t in ((1.0, 3.0), (-0.5, 4.5), (2.0, 6.2))
    )
    values = recorder.signals()["LFP"].values
    np.testing.assert_allclose(values, expected[:, : values.shape[1]], atol=1e-12)


@pytest.mark.parametrize("n_vps", [2, 64])
def test_one_connect_call_for_each_population(nest, monkeypatch, n_vps):
    nest.ResetKernel()
    nest.set(total_num_virtual_procs=n_vps)
    bank = installed(exponential_kernels(leads=(20, 20)))
    parrots = replayed(nest, [[2.0], [3.0], [4.0]])
    calls = []
    connect = nest.Connect
    counted = lambda *a, **k: (calls.append(a), connect(*a, **k))  # noqa: E731
    monkeypatch.setitem(vars(nest), "Connect", counted)  # as a module, it cannot be set
    nestlfp.FieldRecorder(bank, {"E": parrots[:2], "I": parrots[2:]}, interval=0.1)
    assert len(calls) == 3  # the multimeter, E and I, whatever the number of virtual processes


def test_recorder_made_between_two_runs(nest):
    kernels = exponential_kernels(leads=(12, 15))
    reset(nest)
    bank = installed(kernels)
    parrots = replayed(nest, [[1.0, 12.0, 15.0]])
    nest.Simulate(10.0)
    recorder = nestlfp.FieldRecorder(bank, {"E": parrots, "I": None}, interval=0.1)
    nest.Simulate(20.0)
    signals = recorder.signals()
    assert signals.time.values[0] == pytest.approx(10.1)
    assert_signal_is_convolution(signals, kernels, {"E": [13.0, 16.0]}, 30.0)


# ---------------------------------------------------------------------- pure parts
@given(
    st.lists(st.integers(-30, 120), min_size=1, max_size=5),
    st.integers(1, 40),
    st.integers(0, 60),
)
def test_schedule_brings_every_tap_to_its_time(leads, min_delay, spread):
    first = np.array(leads)
    max_hold = first - min(1, first.min())  # what FIRFilter's ring provides at least
    plan = schedule(
        [str(lead) for lead in leads],
        first,
        [np.zeros(2, dtype=np.int64)] * len(leads),
        min_delay,
        min_delay + spread,
        max_hold,
    )
    assert plan.shift >= 0
    for p, delays in enumerate(plan.delays):
        assert np.all((delays >= min_delay) & (delays <= min_delay + spread))
        assert np.all(delays + plan.hold[p] == first[p] + plan.shift)
    if first.min() >= min_delay:
        assert plan.shift == 0


@given(st.integers(0, 500), st.integers(1, 5000), st.integers(1, 60), st.integers(1, 300))
def test_pieces_are_cut_at_multiples_of_min_delay(start, length, min_delay, wanted):
    found = pieces(start, start + length, min_delay, wanted)
    ends = start + np.cumsum(found)
    assert ends[-1] == start + length
    assert min(found) > 0
    assert np.all(ends[:-1] % min_delay == 0)


def test_simulate_without_a_recorder_is_simulate(nest):
    trains = []
    for run in (nest.Simulate, lambda t: nestlfp.simulate(t, progress=False)):
        reset(nest, threads=2)
        network = random_network(nest, min_delay=0.7)
        run(100.0)
        run(52.0)
        trains.append(events(network))
    np.testing.assert_array_equal(trains[0], trains[1])


# ---------------------------------------------------------------------- bad input
@pytest.fixture
def small(nest):
    """A bank and a network that fit each other."""
    reset(nest)
    bank = installed(exponential_kernels())
    return bank, replayed(nest, [[1.0], [2.0]])


@pytest.mark.parametrize(
    ("populations", "match"),
    [
        (lambda n: {"E": n}, r"missing \['I'\]"),
        (lambda n: {"E": n, "I": None, "X": None}, r"unknown \['X'\]"),
        (lambda n: {"E": n, "I": n[:1]}, "overlap: node 1 is in both"),
        (lambda n: {"E": [5000], "I": None}, "5000 … 5000, NEST has 1 …"),
        (lambda n: {"E": [1, 1], "I": None}, "same node more than once"),
        (lambda n: {"E": "neurons", "I": None}, "must be a nest.NodeCollection, a list of such"),
        (lambda n: n, "must be a dict such as"),
    ],
)
def test_wrong_populations(nest, small, populations, match):
    bank, parrots = small
    assert_refused(nest, match, lambda: nestlfp.FieldRecorder(bank, populations(parrots)))


def test_population_of_devices(nest, small):
    bank, _ = small
    recorders = nest.Create("spike_recorder", 2)
    assert_refused(
        nest,
        r"found \['spike_recorder'\]: there are recorders among them, which send no spikes",
        lambda: nestlfp.FieldRecorder(bank, {"E": recorders, "I": None}),
    )


@pytest.mark.parametrize("interval", [0.05, 0.0, -1.0, 0.25, float("nan"), "1 ms"])
def test_wrong_interval(nest, small, interval):
    bank, parrots = small
    assert_refused(
        nest,
        "interval must be a multiple of the resolution of 0.1 ms",
        lambda: nestlfp.FieldRecorder(bank, {"E": parrots, "I": None}, interval=interval),
    )


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"weights": {"E": [1.0]}}, r"one value for each of 2 neurons, found shape \(1,\)"),
        ({"weights": {"X": 1.0}}, r"weights: unknown populations \['X'\]"),
        ({"weights": {"E": np.nan}}, "must be finite"),
        ({"synapse_models": {"X": "static_synapse"}}, r"unknown populations \['X'\]: there are \["),
        (
            {"synapse_models": {"E": "nothing"}},
            r"models that NEST has, found \['nothing'\]: copies",
        ),
        (
            {"synapse_models": {"E": "stdp_synapse"}},
            r"static_synapse or copies of it, found \['stdp_synapse'\]",
        ),
        ({"weights": {"E": np.ma.array([1.0, 2.0], mask=[0, 1])}}, "one for each neuron"),
        ({"delays": {"E": 1e308}}, r"delays of 'E' must be times .* found 1e\+308"),
        ({"delays": {"E": 1e14}}, "population 'E' run to 1000000000000001 steps, .* to 10 steps"),
        (
            {"delays": {"E": [0.0, 5.0]}},
            "population 'E' run from 1 to 51 steps, more than the network's delays",
        ),
    ],
)
def test_wrong_weights_delays_and_models(nest, small, options, match):
    bank, parrots = small
    inputs = nestlfp.Inputs({"E": parrots, "I": None}, **options)
    assert_refused(nest, match, lambda: nestlfp.FieldRecorder(bank, inputs))


def test_a_delay_that_makes_another_population_too_late(nest, small):
    bank, parrots = small
    assert_refused(
        nest,
        "lags of population 'I' run to 1 steps, .* since those of 'E' start at -499 steps",
        lambda: nestlfp.FieldRecorder(
            bank, nestlfp.Inputs({"E": parrots[:1], "I": parrots[1:]}, delays={"E": -50.0})
        ),
    )


def test_recorder_before_connections(nest):
    reset(nest)
    bank = installed(exponential_kernels())
    nodes = nest.Create("parrot_neuron", 2)
    assert_refused(
        nest,
        "no connections yet: connect it first",
        lambda: nestlfp.FieldRecorder(bank, {"E": nodes, "I": None}),
    )


def test_recorder_without_install(nest, small):
    bank, _ = small
    reset(nest)  # unloads the module
    parrots = replayed(nest, [[1.0]])
    assert_refused(
        nest,
        r"found none of nestlfp: call nestlfp.install\(\) after nest.ResetKernel",
        lambda: nestlfp.FieldRecorder(bank, {"E": parrots, "I": None}),
    )
    assert_refused(
        nest,
        "expected a KernelSet, found str",
        lambda: nestlfp.FieldRecorder("bank", {"E": parrots, "I": None}),
        nestlfp.KernelError,
    )


@pytest.mark.parametrize(
    ("there", "asked", "line"),
    [
        ({"method": "fir", "ports": 2}, {"method": "state-space"}, 'ports=2, method="state-space"'),
        ({"method": "fir", "ports": 2}, {"pre": "ABC"}, 'ports=3, method="fir"'),
        ({}, {"pre": [f"P{i}" for i in range(17)]}, 'ports=17, method="fir"'),
    ],
)
def test_models_that_are_not_loaded(nest, there, asked, line):
    reset(nest)
    nestlfp.install(**there)
    parrots = replayed(nest, [[1.0]])
    pre = list(asked.get("pre", ("E", "I")))
    asked = {key: value for key, value in asked.items() if key != "pre"}
    kernels = exponential_kernels([1] * len(pre), [9] * len(pre), pre=pre)
    populations = {**dict.fromkeys(pre), pre[0]: parrots}
    assert_refused(
        nest,
        re.escape(f"call nestlfp.install({line}) after nest.ResetKernel"),
        lambda: nestlfp.FieldRecorder(kernels, populations, **asked),
    )


@pytest.mark.parametrize("method", ["fir", "state-space", "separable", "auto"])
def test_kernels_come_after_the_network(nest, method):
    """One install serves them all: the smallest model that fits is taken."""
    nest.ResetKernel()
    nestlfp.install()
    nest.set(resolution=0.1, local_num_threads=2, rng_seed=7)
    network = random_network(nest)
    few = exponential_kernels(leads=(3, 5), lengths=(40, 40))
    recorder = nestlfp.FieldRecorder(few, network.populations, interval=0.5, method=method)
    many = exponential_kernels([1] * 16, [9] * 16, pre=[f"P{i}" for i in range(16)])
    nodes = dict(zip(many.pre, network.populations["E"], strict=False))
    second = nestlfp.FieldRecorder(many, nodes, interval=0.1)
    nest.Simulate(60.0)
    third = nestlfp.FieldRecorder(few, network.populations, interval=0.1, by="pre")
    nest.Simulate(60.0)
    times, senders = events(network)
    spikes = network.spikes((times, senders))
    rtol = 1e-12 if method == "fir" else 3e-5
    assert_signal_is_convolution(recorder.signals(), few, spikes, 120.0, rtol=rtol)
    of_each = {name: times[senders == node.global_id] for name, node in nodes.items()}
    assert_signal_is_convolution(second.signals(), many, of_each, 120.0)
    assert third.signals()["LFP"].dims == ("pre", "LFP_channel", "time")
    reset(nest, threads=2)
    alone = random_network(nest)
    nest.Simulate(60.0)
    nest.Simulate(60.0)
    np.testing.assert_array_equal(events(alone)[0], times)


def test_a_bank_has_its_own_options(nest, small):
    bank, parrots = small
    for options in ({"method": "fir"}, {"by": "pre"}, {"antialias": True}):
        assert_refused(
            nest,
            f"{next(iter(options))} given beside a FilterBank",
            lambda options=options: nestlfp.FieldRecorder(bank, {"E": parrots}, **options),
            nestlfp.KernelError,
        )


def test_install_after_nodes_exist(nest):
    reset(nest)
    nest.Create("parrot_neuron", 3)
    assert_refused(nest, "there are 3 nodes", lambda: installed(exponential_kernels()))
    for options, line in (
        ({"ports": 17}, r"ports=17"),
        ({"method": nestlfp.Separable()}, r'method="separable"'),
    ):
        assert_refused(
            nest,
            rf"call nestlfp.install\({line}\) after",
            lambda options=options: nestlfp.install(**options),
        )


def test_install_at_another_resolution(nest):
    reset(nest, dt=0.1)
    nestlfp.install(exponential_kernels(dt=0.2))  # the model is the same
    populations = {"E": replayed(nest, [[1.0]]), "I": None}
    for dt, told in (
        (0.2, r"0\.2"),
        (0.1000001, r"0\.1000001"),
        (float(np.float32(0.1)), r"0\.10000000149"),
    ):
        assert_refused(
            nest,
            rf"dt = {told} ms, NEST's resolution is 0\.1 ms: use kernels\.resample\(0\.1\)",
            lambda dt=dt: nestlfp.FieldRecorder(exponential_kernels(dt=dt), populations),
            nestlfp.KernelError,
        )


def test_install_of_something_else(nest):
    with pytest.raises(nestlfp.KernelError, match=r"expected a KernelSet, found dict"):
        nestlfp.install({"E:I": {}})
    with pytest.raises(nestlfp.KernelError, match="method must be one of"):
        nestlfp.install(exponential_kernels(), method="iir")
    for ports in (0, -1, 2.0, True, "two"):
        with pytest.raises(nestlfp.KernelError, match="ports must be a whole number from 1 on"):
            nestlfp.install(ports=ports)
    with pytest.raises(nestlfp.KernelError, match="by must be 'pre', 'post' or both"):
        nestlfp.FilterBank(exponential_kernels(), by="layer")


@pytest.mark.parametrize("t", [-1.0, 0.05, float("nan"), "long"])
def test_simulate_for_no_time(nest, small, t):
    assert_refused(nest, "t must be a multiple", lambda: nestlfp.simulate(t))


def test_no_warnings_in_normal_use(nest):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        replay(nest, exponential_kernels(), {"E": [[2.0]], "I": [[3.0]]}).signals()
