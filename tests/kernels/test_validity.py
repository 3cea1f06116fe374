"""R² of population kernels and modes, against sums by numpy.convolve over single neurons."""

import numpy as np
import pytest
import xarray as xr

import nestlfp
from nestlfp import KernelError, NeuronKernels, validity
from nestlfp.kernels.neurons.single_neurons import datasets
from nestlfp.kernels.neurons.validity import Validity

DT = 0.5
SIZES = {"E": 30, "I": 12}
LAGS = 24


def singles(spread=0.6, seed=1):
    """Kernels of single neurons, (neuron, channel, lag): of other size and time course each."""
    rng = np.random.default_rng(seed)
    lag = np.arange(1, LAGS + 1) * DT
    found = {}
    for name, n in SIZES.items():
        tau = rng.uniform(1.0, 3.0, (n, 1, 1))
        size = rng.normal(1.0, spread, (n, 3, 1))
        found[name] = {"LFP": size * lag / tau * np.exp(-lag / tau), "CDM": 100 * size[:, :1] * lag}
    return found


def spikes(duration, correlated, seed=2):
    """Times (ms) and neurons; correlated ones follow a common, slow rate."""
    rng = np.random.default_rng(seed)
    n = round(duration / DT)
    common = np.repeat(rng.gamma(0.5, 2.0, n // 20 + 1), 20)[:n] if correlated else np.ones(n)
    found = {}
    for name, size in SIZES.items():
        rate = {"E": 0.01, "I": 0.03}[name]  # a step
        counts = rng.poisson(rate * common[:, None] * np.ones(size))
        at, neurons = np.nonzero(counts)
        times = counts[at, neurons]
        found[name] = (np.repeat((at + 1) * DT, times), np.repeat(neurons, times))
    return found


def convolved(arrays, activity, duration, mean=False):
    """The signals (channel, step) of each neuron's kernel, or of the mean kernel."""
    n = round(duration / DT)
    total = 0.0
    for name, signals in arrays.items():
        h = np.concatenate([signals["LFP"], signals["CDM"]], axis=1)
        h = np.broadcast_to(h.mean(axis=0), h.shape) if mean else h
        times, neurons = activity[name]
        at = np.rint(times / DT).astype(int)
        for neuron in range(len(h)):
            counts = np.bincount(at[neurons == neuron], minlength=n + 1)
            made = [np.convolve(counts, row)[:n] for row in h[neuron]]
            total = total + np.array(made)
    return total[:, LAGS:]


def flat(dataset):
    return np.concatenate([array.values for array in dataset.data_vars.values()])


def made(arrays, **options):
    units = {"LFP": "mV", "CDM": "nA µm"}
    return NeuronKernels.from_arrays(arrays, dt=DT, units=units, **options)


def as_datasets(arrays):
    return datasets(
        arrays,
        dt=DT,
        units={"LFP": "mV", "CDM": "nA µm"},
        first_lag=None,
        channels=None,
        positions=None,
    )


@pytest.mark.parametrize("correlated", [False, True])
@pytest.mark.parametrize("whole", [False, True])
def test_recorded_spikes(correlated, whole):
    """From kernels themselves and from modes; what correlations add is found."""
    arrays, duration = singles(), 6000.0
    activity = spikes(duration, correlated)
    full = convolved(arrays, activity, duration)
    missed = full - convolved(arrays, activity, duration, mean=True)
    expected = 1 - (missed**2).mean(axis=1) / full.var(axis=1)
    kernels = as_datasets(arrays) if whole else made(arrays, left_out=1e-6)
    found = validity(kernels, spikes=activity, duration=duration)
    np.testing.assert_allclose(flat(found.recorded), expected, atol=1e-3)
    independent = flat(found.independent)
    if correlated:  # the mean grows, what is missed does not as much
        assert np.all(expected > independent + 0.05)
    else:
        np.testing.assert_allclose(expected, independent, atol=0.03)
    assert "these spikes" in str(found)


def test_the_formula():
    """That of docs/validation.md, with rates that differ between neurons too."""
    arrays = singles()
    rng = np.random.default_rng(1)
    for rates in (
        {"E": 2.0, "I": 5.0},
        {"E": rng.uniform(0, 4, 30), "I": rng.uniform(1, 9, 12)},
    ):
        whole = missed = 0.0
        for name, signals in arrays.items():
            h = np.concatenate([signals["LFP"], signals["CDM"]], axis=1)
            rate = np.broadcast_to(rates[name], len(h))
            whole = whole + np.einsum("n,ncl->c", rate, h**2)
            missed = missed + np.einsum("n,ncl->c", rate, (h - h.mean(axis=0)) ** 2)
        found = validity(as_datasets(arrays), rates=rates)
        np.testing.assert_allclose(flat(found.independent), 1 - missed / whole, rtol=1e-10)
        through = validity(made(arrays, left_out=1e-6, rates=rates), rates=rates)
        np.testing.assert_allclose(flat(through.independent), 1 - missed / whole, atol=2e-3)


def test_modes_that_reach_a_target():
    arrays = singles()
    found = validity(as_datasets(arrays), targets=(0.9, 0.99, 0.999))
    counts = found.modes
    assert [sum(counts[t].values()) for t in (0.9, 0.99, 0.999)] == sorted(
        sum(each.values()) for each in counts.values()
    )
    for target, count in counts.items():
        kernels = made(arrays, modes=count)
        worst = max(float(array.max()) for array in kernels.left_out().data_vars.values())
        assert worst <= 1.05 * (1 - target)
    fewer = {name: max(1, n - 1) for name, n in counts[0.999].items()}
    worst = made(arrays, modes=fewer).left_out()
    assert max(float(array.max()) for array in worst.data_vars.values()) > 1e-3
    duration = 6000.0
    recorded = validity(
        as_datasets(arrays), spikes=spikes(duration, False), duration=duration
    ).recorded_modes
    assert set(recorded) == {0.99, 0.999}
    for target, r2 in recorded.items():
        assert flat(r2).min() > 1 - 2 * (1 - target)  # a prediction of a variance that is found


def test_advice():
    alike = as_datasets(singles(spread=0.0))
    same = {
        name: {
            signal: np.repeat(array.values[:1], SIZES[name], axis=0)
            for signal, array in each.data_vars.items()
        }
        for name, each in alike.items()
    }
    assert validity(as_datasets(same)).advice.startswith("Use population kernels: ")
    found = validity(as_datasets(singles()))
    assert found.advice.startswith("Use modes: ")
    assert "for R² ≥ 0.99, " in found.advice
    rng = np.random.default_rng(1)
    noise = {name: {"LFP": rng.normal(size=(n, 4, 60))} for name, n in SIZES.items()}
    units = {"LFP": "mV"}
    kernels = NeuronKernels.from_arrays(noise, dt=DT, units=units, left_out=1e-4)
    assert validity(kernels, most=20).advice.startswith("Use neither: ")
    lines = str(found).splitlines()
    assert lines[0].startswith("R² of population kernels")
    assert lines[-1] == found.advice


def test_one_neuron_and_none():
    arrays = singles()
    arrays = {name: {s: a[:1] for s, a in each.items()} for name, each in arrays.items()}
    found = validity(as_datasets(arrays))
    np.testing.assert_allclose(flat(found.independent), 1.0, rtol=1e-12)
    kernels = NeuronKernels.from_arrays(
        {"E": {"LFP": np.ones((3, 1, 1))}, "I": {"LFP": np.ones((0, 1, 1))}},
        dt=DT,
        units={"LFP": "mV"},
        modes=1,
    )
    np.testing.assert_allclose(validity(kernels).independent["LFP"], 1.0)


def test_what_does_not_fit(hagen):
    kernels = made(singles(), left_out=1e-3)
    activity = spikes(500.0, False)
    for options, match in (
        ({"spikes": activity}, "must be given together"),
        ({"duration": 10.0}, "must be given together"),
        ({"spikes": activity, "duration": 20.0}, "4 times the kernels' 12 ms"),
        ({"spikes": {}, "duration": 500.0}, "no neuron spikes"),
        ({"spikes": {"X": ([], [])}, "duration": 500.0}, "no neuron spikes|unknown"),
        ({"spikes": [1], "duration": 500.0}, "spikes must be a dict"),
        ({"rates": {"E": 1.0}}, "missing"),
        ({"rates": {"E": 1.0, "I": -1.0}}, "not negative"),
        ({"rates": {"E": 1.0, "I": [1.0, 2.0]}}, "one for each of 12"),
        ({"rates": {"E": 1.0, "I": 1.0, "X": 1.0}}, r"\['X'\]"),
        ({"rates": {"E": 0.0, "I": 0.0}}, "no neuron spikes"),
        ({"targets": (1.0,)}, "between 0 and 1"),
        ({"targets": ()}, "between 0 and 1"),
    ):
        with pytest.raises(KernelError, match=match):
            validity(kernels, **options)
    with pytest.raises(KernelError, match="weights of 'E' are not known"):
        validity(nestlfp.NeuronKernels.by_pathway(hagen))


def of_two_sizes(r2):
    """Kernels of 20 neurons, half of them larger: what population kernels reach is known."""
    apart = np.sqrt(1 / r2 - 1)  # R² = 1 - the variance of sizes / the mean of their squares
    sizes = np.repeat([1 - apart, 1 + apart], 10)[:, None, None]
    course = np.exp(-np.arange(LAGS) / 5.0)
    return NeuronKernels.from_arrays(
        {"E": {"LFP": sizes * course}}, dt=DT, units={"LFP": "mV"}, modes=1
    )


@pytest.mark.parametrize(
    ("r2", "targets", "enough"),
    [
        (0.995, (0.99, 0.999), True),  # between the two: the first decides
        (0.9901, (0.99, 0.999), True),
        (0.9899, (0.99, 0.999), False),
        (0.985, (0.99, 0.999), False),
        (0.985, (0.999, 0.98), True),  # in any order
        (0.995, (0.999,), False),
        (0.6, (0.5,), True),
        (0.4, (0.5,), False),
    ],
)
def test_population_kernels_do_from_the_first_target_on(r2, targets, enough):
    found = validity(of_two_sizes(r2), targets=targets)
    np.testing.assert_allclose(found.independent["LFP"], r2, rtol=1e-6)
    assert found.advice.startswith("Use population kernels: " if enough else "Use modes: ")


@pytest.mark.parametrize("recorded", [False, True])
def test_the_lowest_channel_decides(recorded):
    """For the recorded spikes where there are any; a channel just at the target reaches it."""

    def of(*values):
        return xr.Dataset({"LFP": ("LFP_channel", list(values))}, {"LFP_channel": [0, 1]})

    modes = {0.99: {"E": 2}, 0.999: None}
    for values, start in (
        ((1.0, 0.99), "Use population kernels: "),
        ((1.0, 0.98999), "Use modes: 2 modes"),
    ):
        r2 = (of(0.5, 0.5), of(*values)) if recorded else (of(*values), None)
        advice = Validity(*r2, modes, {}).advice
        assert advice.startswith(start)
        assert "the lowest at LFP 1" in advice
