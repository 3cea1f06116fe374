"""Each neuron's own kernel while the network runs, against numpy.convolve neuron by neuron."""

import numpy as np
import pytest
import xarray as xr
from scipy import sparse

import nestlfp
from nestlfp import KernelSet, NetworkError, NeuronKernels
from networks import (
    assert_refused,
    events,
    exponential_kernels,
    installed,
    random_network,
    replayed,
    reset,
    streamed_network,
)

DT = 0.1
SIZES = {"E": 40, "I": 10}
DURATION = 252.0


def single_kernels(first_lag=1, seed=1):
    """Kernels of the random network's neurons, which differ in everything."""
    rng = np.random.default_rng(seed)
    lag = np.arange(1, 41) * DT
    found = {}
    for name, n in SIZES.items():
        tau = rng.uniform(0.5, 2.0, (n, 1, 1))
        found[name] = {
            "LFP": rng.normal(1.0, 0.6, (n, 3, 1)) * lag / tau * np.exp(1 - lag / tau),
            "CDM": rng.normal(100.0, 60.0, (n, 1, 1)) * np.exp(-lag / tau),
        }
    return found, {"dt": DT, "units": {"LFP": "mV", "CDM": "nA µm"}, "first_lag": first_lag * DT}


def with_modes(left_out=1e-3, **options):
    single, labels = single_kernels(**options)
    return NeuronKernels.from_arrays(single, left_out=left_out, **labels)


def summed(kernels, trains, n, signal="LFP", weights=None, delays=None):
    """numpy.convolve of each neuron's spikes with its own kernel, at the steps 1 ... n."""
    out = 0.0
    for name, neurons in trains.items():
        own = kernels.single(name)[signal].values
        for i, times in neurons.items():
            lag = (delays or {}).get(name, np.zeros(len(own)))[i]
            at = np.rint((np.asarray(times) + lag) / DT).astype(int)
            at += kernels.modes.first_lag_steps
            counts = np.bincount(at[at <= n], minlength=n + 1).astype(float)
            counts *= (weights or {}).get(name, np.ones(len(own)))[i]
            out = out + np.array([np.convolve(counts, h)[: n + 1] for h in own[i]])
    return out[:, 1:]


def trains_of(network, found=None):
    """Spike times of each neuron, by population and number."""
    times, senders = events(network) if found is None else found
    return {
        name: {i: times[senders == node] for i, node in enumerate(nodes.tolist())}
        for name, nodes in network.populations.items()
    }


def assert_same(signals, kernels, trains, duration=DURATION, rtol=1e-12, **options):
    at = np.rint(signals["time"].values / DT).astype(int)
    assert at.size > 0
    for name in signals.data_vars:
        expected = summed(kernels, trains, round(duration / DT), name, **options)
        scale = max(np.abs(expected).max(), 1e-300)
        assert np.abs(signals[name].values - expected[:, at - 1]).max() <= rtol * scale


def numbered(trains):
    """As NeuronKernels.convolve takes them."""
    return {
        name: (
            np.concatenate([[], *neurons.values()]),
            np.repeat(list(neurons), [len(times) for times in neurons.values()]),
        )
        for name, neurons in trains.items()
    }


# ---------------------------------------------------------------------- a network, undisturbed
@pytest.mark.parametrize("threads", [1, 2, 4])
def test_recorded_undisturbed(nest, threads):
    kernels = with_modes()
    assert max(map(len, kernels.populations.values())) > 3
    reset(nest, threads=threads)
    alone = random_network(nest)
    delays = nest.min_delay, nest.max_delay
    nest.Simulate(DURATION)
    without = events(alone)
    assert without[0].size > 200

    reset(nest, threads=threads)
    bank = installed(kernels)
    network = random_network(nest)
    recorder = nestlfp.FieldRecorder(bank, network.populations, interval=DT)
    nestlfp.simulate(DURATION, progress=False)
    assert (nest.min_delay, nest.max_delay) == delays
    found = events(network)
    for a, b in zip(found, without, strict=True):
        np.testing.assert_array_equal(a, b)
    trains = trains_of(network, found)
    signals = recorder.signals()
    assert_same(signals, kernels, trains)
    offline = kernels.convolve(numbered(trains), DURATION)
    for name in signals.data_vars:
        values = offline[name].values[:, : signals.sizes["time"]]
        difference = np.abs(signals[name].values - values).max()
        assert difference <= 1e-12 * np.abs(values).max()
    assert {name: ids.size for name, ids in recorder.populations.items()} == SIZES


@pytest.mark.parametrize("by", [("pre",), ("post", "pre")])
def test_contributions_of_populations(nest, by):
    """Along pre are populations, and what several calls of Simulate leave is one signal."""
    kernels = with_modes()
    reset(nest, threads=2)
    bank = installed(kernels, by=by)
    network = random_network(nest)
    recorder = nestlfp.FieldRecorder(bank, network.populations, interval=DT)
    for _ in range(3):
        nest.Simulate(70.0)
    signals = recorder.signals()
    assert signals["LFP"].dims == (*by, "LFP_channel", "time")
    assert signals["pre"].values.tolist() == ["E", "I"]
    trains = trains_of(network)
    for name in SIZES:
        part = signals.sel(pre=name).sum("post") if "post" in by else signals.sel(pre=name)
        assert_same(part, kernels, {name: trains[name]}, 210.0)


def test_reduced_filters(nest):
    kernels = with_modes(1e-2, first_lag=9)
    reset(nest, threads=2)
    bank = installed(kernels, method="state-space", tolerance=1e-7)
    assert "E (" in repr(bank)
    network = random_network(nest)
    recorder = nestlfp.FieldRecorder(bank, network.populations, interval=DT)
    nest.Simulate(DURATION)
    assert_same(recorder.signals(), kernels, trains_of(network), rtol=1e-4)


def test_streamed_and_sampled_slowly(nest, tmp_path):
    kernels = with_modes()
    recorder, network = streamed_network(nest, kernels=kernels, interval=0.5, interval_of_bank=0.5)
    nestlfp.simulate(60.0, to=tmp_path / "s.zarr", chunk=20.0, progress=False)
    signals = recorder.signals()
    low = NeuronKernels(kernels.modes.lowpass(0.5), kernels.populations, kernels.weights)
    n = signals.sizes["time"]
    offline = low.convolve(numbered(trains_of(network)), 60.0)["LFP"][:, 4::5][:, :n]
    difference = np.abs(signals["LFP"].values - offline.values).max()
    assert difference <= 1e-12 * np.abs(offline.values).max()
    # Stores tell recorders with other weights apart, wherever the neurons are.
    digests = set()
    for column in ([1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [2.0, 0.0]):
        reset(nest)
        apart = NeuronKernels.by_pathway(exponential_kernels(pre=("E",), leads=[1], lengths=[9]))
        bank = installed(apart)
        parrots = replayed(nest, [[2.0], [3.0]])
        weights = {"E": sparse.csr_array(np.array([column, [1.0, 1.0]]).T)}
        one = nestlfp.FieldRecorder(
            bank, nestlfp.Inputs({"E": parrots}, weights=weights), interval=DT
        )
        digests.add(one.signals().attrs["weights"])
    assert len(digests) == 4


# ---------------------------------------------------------------------- weights and populations
def test_factors_and_delays_of_neurons_beside_modes(nest):
    kernels = with_modes(first_lag=8)
    rng = np.random.default_rng(3)
    weights = {name: rng.normal(size=n) for name, n in SIZES.items()}
    weights["I"][3] = 0.0
    delays = {name: rng.integers(0, 15, n) * DT for name, n in SIZES.items()}
    reset(nest, threads=2)
    bank = installed(kernels)
    network = random_network(nest)
    recorder = nestlfp.FieldRecorder(
        bank, nestlfp.Inputs(network.populations, weights=weights, delays=delays), interval=DT
    )
    nest.Simulate(DURATION)
    assert_same(recorder.signals(), kernels, trains_of(network), weights=weights, delays=delays)


@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_array, np.ndarray.tolist])
def test_weights_from_the_recorder(nest, kind):
    """Modes are compiled before any neuron exists; weights may come with the neurons."""
    modes = exponential_kernels(pre=("a", "b", "I"), leads=(1, 1, 1), lengths=(9, 30, 20))
    bare = NeuronKernels(modes, {"E": ["a", "b"], "I": ["I"]})
    rng = np.random.default_rng(1)
    weights = rng.normal(size=(40, 2)) * (rng.random((40, 2)) < 0.4)
    reset(nest, threads=2)
    bank = installed(bare)
    network = random_network(nest)
    recorder = nestlfp.FieldRecorder(
        bank, nestlfp.Inputs(network.populations, weights={"E": kind(weights)}), interval=DT
    )
    made = nest.GetConnections(synapse_model="nestlfp_synapse")
    multimeter = 2  # its connections to the nodes, one on each process
    assert len(made) == np.count_nonzero(weights) + SIZES["I"] + multimeter
    nest.Simulate(DURATION)
    known = NeuronKernels(modes, bare.populations, {"E": weights, "I": np.ones((10, 1))})
    assert_same(recorder.signals(), known, trains_of(network))


def test_without_weights_each_mode_counts_once(nest):
    kernels = exponential_kernels(signals=("LFP", "CDM"))
    reset(nest)
    bank = installed(NeuronKernels.by_pathway(kernels))
    network = random_network(nest)
    recorder = nestlfp.FieldRecorder(bank, network.populations, interval=DT)
    nest.Simulate(100.0)
    spikes = network.spikes(events(network))
    n = recorder.signals().sizes["time"]
    expected = kernels.convolve(spikes, 100.0)["LFP"].values[:, :n]
    np.testing.assert_allclose(recorder.signals()["LFP"].values, expected, atol=1e-12)


@pytest.mark.parametrize("weights", [np.zeros((2, 2)), [[1.0, 0.0], [2.0, 0.0]]])
def test_modes_that_nobody_uses(nest, weights):
    apart = NeuronKernels.by_pathway(exponential_kernels())
    reset(nest, threads=2)
    bank = installed(apart)
    trains = [[2.0, 7.9], [5.0]]
    parrots = replayed(nest, trains)
    recorder = nestlfp.FieldRecorder(
        bank, nestlfp.Inputs({"E": parrots, "I": None}, weights={"E": weights}), interval=DT
    )
    nest.Simulate(9.0)  # the last spike is in the last step
    nest.Simulate(20.0)
    known = NeuronKernels(
        apart.modes, apart.populations, {"E": weights, "I": sparse.csr_array((0, 2))}
    )
    spikes = {"E": {i: np.array(train) + 1.0 for i, train in enumerate(trains)}}
    assert_same(recorder.signals(), known, spikes, 29.0)


def test_one_neuron_of_one_mode_and_no_spike(nest):
    kernels = NeuronKernels.from_arrays(
        {"E": {"LFP": [[[2.0]]]}}, dt=DT, units={"LFP": "mV"}, modes=1
    )
    reset(nest)
    bank = installed(kernels)
    parrot = replayed(nest, [[2.0]])
    recorder = nestlfp.FieldRecorder(bank, {"E": parrot}, interval=DT)
    nest.Simulate(2.0)
    assert not recorder.signals()["LFP"].values.any()
    nest.Simulate(10.0)
    found = recorder.signals()["LFP"]
    assert found.sel(time=3.1, method="nearest") == 2.0
    assert found.sum() == 2.0


def test_generators(nest):
    apart = NeuronKernels.by_pathway(exponential_kernels())
    reset(nest, threads=3)
    bank = installed(apart)
    spikes = nest.Create("spike_generator", 2)
    spikes[0].spike_times, spikes[1].spike_times = [2.0, 3.0], [2.0]
    weights = np.array([[1.0, 2.0], [-1.0, 0.0]])
    recorder = nestlfp.FieldRecorder(
        bank,
        nestlfp.Inputs({"E": spikes, "I": None}, weights={"E": weights}, unconnected=True),
        interval=DT,
    )
    nest.Simulate(20.0)
    known = NeuronKernels(
        apart.modes, apart.populations, {"E": weights, "I": sparse.csr_array((0, 2))}
    )
    assert_same(recorder.signals(), known, {"E": {0: [2.0, 3.0], 1: [2.0]}}, 20.0)


def test_a_trigger_hears_modes(nest):
    """Its readout is that of each neuron's own kernel."""
    apart = NeuronKernels.by_pathway(exponential_kernels(channels=1))
    rng = np.random.default_rng(4)
    weights = {name: rng.uniform(0.0, 2.0, (n, 2)) for name, n in SIZES.items()}
    reset(nest, threads=2)
    bank = installed(apart)
    network = random_network(nest)
    trigger = nestlfp.Trigger(
        bank, nestlfp.Inputs(network.populations, weights=weights), threshold=10.0, interval=DT
    )
    nest.Simulate(DURATION)
    known = NeuronKernels(apart.modes, apart.populations, weights)
    found = trigger.readout().assign_coords(time=trigger.readout()["time"].values - trigger.latency)
    after = found.isel(time=slice(round(trigger.latency / DT), None))
    signals = after.expand_dims("LFP_channel").to_dataset(name="LFP")
    assert_same(signals, known, trains_of(network))
    assert trigger.times().size > 3


# ---------------------------------------------------------------------- bad input
def test_weights_that_do_not_fit(nest):
    reset(nest)
    known = with_modes()
    bare = NeuronKernels(known.modes, known.populations)
    banks = installed(known), installed(bare)
    network = random_network(nest)
    good, few = network.populations, {**network.populations, "E": network.populations["E"][:7]}
    n = len(known.populations["E"])
    ids = np.array(good["E"].tolist())
    labelled = xr.DataArray(
        np.ones((40, n)), dims=("neuron", "post"), coords={"post": [f"p{k}" for k in range(n)]}
    )
    for bank, populations, weights, message in (
        (banks[0], few, None, "population 'E' has 7 neurons, but there are weights of 40"),
        (banks[0], {**good, "E": set(ids.tolist())}, None, "its neurons are a set"),
        (banks[1], good, {"E": np.ones((40, n + 1))}, rf"with {n} modes, found \(40, {n + 1}\)"),
        (banks[1], good, {"E": np.ones((39, n))}, "40 neurons, but there are weights of 39"),
        (banks[1], good, {"E": np.full((40, n), np.nan)}, "weights of 'E' must be finite"),
        (banks[1], good, {"E": [["a"] * n] * 40}, "weights of 'E' must be real numbers"),
        (banks[1], good, {"E": np.ones((40, n, 1))}, r"found \(40, \d+, 1\)"),
        (banks[1], good, {"E": np.ones(39)}, "one value for each of 40 neurons"),
        (banks[1], good, {"E": [[1.0], [1.0, 2.0]]}, "must be a number, or one for each neuron"),
        (banks[1], good, {"X": np.ones((40, n))}, r"unknown populations \['X'\]"),
        (banks[1], good, {"E": labelled}, "by postsynaptic .* its modes are .*by_pathway"),
        (
            banks[1],
            good,
            {"E": labelled.assign_coords(node_id=("neuron", ids[::-1]))},
            "those of other neurons, or of the same in another order",
        ),
    ):
        assert_refused(
            nest,
            message,
            lambda b=bank, p=populations, w=weights: nestlfp.FieldRecorder(
                b, nestlfp.Inputs(p, weights=w)
            ),
        )
    for wrong in (np.ones(3), None):
        assert_refused(
            nest, "expected a KernelSet", lambda w=wrong: nestlfp.FilterBank(w), nestlfp.KernelError
        )


def test_resolution_is_checked_before_anything(nest):
    reset(nest, dt=0.2)
    bank = installed(with_modes().resample(0.2))
    with pytest.raises(nestlfp.KernelError, match=r"kernels.resample\(0.2\)"):
        nestlfp.FieldRecorder(with_modes(), {})
    assert isinstance(bank.kernels, KernelSet)
    assert NetworkError is nestlfp.NetworkError
