"""Kernels that are weights of time courses do what the same kernels at every lag do."""

import numpy as np
import pytest
from scipy import sparse

import nestlfp
from nestlfp import KernelError, KernelSet, NeuronKernels
from nestlfp.filters.coefficients import Coefficients
from nestlfp.state_space import Factors, impulse_responses, separate

PRE = [f"p{i}" for i in range(40)]
LAGS = 50


def arrays(seed=1):
    """Weights (post, pre, channel, course) and courses, of which half start later."""
    random = np.random.default_rng(seed)
    courses = random.standard_normal((6, LAGS)) * np.exp(-np.arange(LAGS) / 10)
    courses[:3, :4] = courses[3:, :7] = courses[:, 45:] = 0.0
    weights = random.standard_normal((2, len(PRE), 3, 6))
    weights[:, :20, :, :3] = weights[:, 20:, :, 3:] = 0.0
    return weights, courses


def both(signal="CDM", seed=1):
    """The same kernels as weights of courses, and at every lag."""
    weights, courses = arrays(seed)
    labels = dict(pre=PRE, post=["E", "I"], dt=0.1, units={signal: "nA µm"})
    places = {signal: 100.0 * np.arange(9).reshape(3, 3) ** 2}
    found = KernelSet.from_arrays({signal: weights}, courses=courses, positions=places, **labels)
    dense = KernelSet.from_arrays({signal: weights @ courses}, positions=places, **labels)
    assert found.stored.sizes["course"] == 6
    return found, dense


def same(found, expected):
    """To rounding, everywhere; labels and units exactly."""
    assert set(found.coords) == set(expected.coords)
    for name, array in expected.data_vars.items():
        assert found[name].dims == array.dims
        assert found[name].attrs == array.attrs
        peak = np.abs(array.values).max()
        np.testing.assert_allclose(found[name].values, array.values, rtol=0, atol=1e-12 * peak)
        for dim in array.dims:
            np.testing.assert_array_equal(found[dim].values, array[dim].values)


def projected(kernels):
    from lfpykit.eegmegcalc import InfiniteVolumeConductor

    contacts = np.array([[0.0, 0.0, 900.0], [300.0, 0.0, 1000.0], [-500.0, 400.0, 800.0]])
    model = InfiniteVolumeConductor(sigma=0.3)
    return kernels.project(model, contacts=contacts, dipole_positions=[0.0, 0.0, 0.0])


VERBS = {
    "whole": lambda kernels: kernels,
    "select": lambda kernels: kernels.select(pre=["p30", "p3"], post="I", signals="CDM"),
    "total": lambda kernels: kernels.total("all"),
    "scale": lambda kernels: kernels.scale({"p3": 2.0, ("p4", "I"): -3.0}),
    "resample": lambda kernels: kernels.resample(0.2),
    "resample, pchip": lambda kernels: kernels.resample(0.05, method="pchip"),
    "lowpass": lambda kernels: kernels.lowpass(0.5),
    "mean": lambda kernels: kernels.lowpass(0.5, method="mean"),
    "readout": lambda kernels: kernels.readout({"CDM": {0: 1.0, 2: -1.0}}),
    "band": lambda kernels: kernels.readout({"CDM": 1}, band=(None, 200.0)),
    "project": projected,
}


@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_is_that_of_the_kernels_at_every_lag(verb):
    found, dense = map(VERBS[verb], both())
    same(found.dataset, dense.dataset)
    assert found.n_lags == dense.n_lags
    assert found.first_lag_steps == dense.first_lag_steps


@pytest.mark.parametrize("by", [(), "pre", "post", ("pre", "post")], ids=str)
def test_signals_are_those_of_the_kernels_at_every_lag(by):
    found, dense = both()
    random = np.random.default_rng(2)
    spikes = {name: np.round(random.integers(1, 300, 5) * 0.1, 1) for name in PRE[::3]}
    same(found.convolve(spikes, 30.0, by=by), dense.convolve(spikes, 30.0, by=by))
    rates = {"p1": np.linspace(0, 10, 100), "p30": 5.0}
    sizes = {"p1": 10, "p30": 20}
    same(
        found.convolve(rates=rates, sizes=sizes, by=by),
        dense.convolve(rates=rates, sizes=sizes, by=by),
    )
    same(found.poisson({"p1": 100.0}), dense.poisson({"p1": 100.0}))


def test_long_signals_of_few_populations_are_the_same():
    found, dense = (kernels.select(pre=["p1", "p30"]) for kernels in both())
    spikes = {"p1": 0.1 * np.arange(1, 2000, 7), "p30": 0.1 * np.arange(5, 2000)}
    same(
        found.convolve(spikes, 200.0, rounding="nearest"),
        dense.convolve(spikes, 200.0, rounding="nearest"),
    )


def neurons(kernels):
    random = np.random.default_rng(3)
    populations = {"A": PRE[:25], "B": PRE[25:]}
    weights = {
        name: sparse.random_array((7, len(own)), density=0.3, rng=random)
        for name, own in populations.items()
    }
    return NeuronKernels(kernels, populations, weights)


def test_modes_of_neurons_may_be_weights_of_courses():
    found, dense = (neurons(kernels) for kernels in both())
    same(found.single("A"), dense.single("A"))
    same(found.mean().dataset, dense.mean().dataset)
    spikes = {"A": ([1.0, 2.0], [0, 6]), "B": ([3.0], [2])}
    same(found.convolve(spikes, 20.0), dense.convolve(spikes, 20.0))
    same(found.scale({"B": 2.0}).select(pre="B").single("B"), dense.scale({"B": 2.0}).single("B"))
    same(
        found.sparse(0.01).resample(0.2).mean().dataset,
        dense.sparse(0.01).resample(0.2).mean().dataset,
    )
    apart, expected = (NeuronKernels.by_pathway(kernels, pre="p3") for kernels in both())
    same(apart.modes.dataset, expected.modes.dataset)


@pytest.mark.parametrize("seed", [1, 5], ids=["the same courses", "others"])
def test_joined(seed):
    parts = [kernels.select(pre=PRE[:3]) for kernels in both()]
    others = [kernels.select(pre=PRE[30:]) for kernels in both(seed=seed)]
    found, dense = (
        NeuronKernels(one, {name: [name] for name in one.pre}).join(other).modes
        for one, other in zip(parts, others, strict=True)
    )
    same(found.dataset, dense.dataset)
    assert ("course" in found.stored.dims) == (seed == 1)


def test_a_file_holds_weights_and_courses(tmp_path):
    kernels, dense = both()
    kernels.save(tmp_path / "kernels.nc")
    found = KernelSet.load(tmp_path / "kernels.nc")
    assert found.stored.identical(kernels.stored)
    assert found.fingerprint == kernels.fingerprint
    _, courses = arrays()
    courses[2, 20] += 1e-9
    other = KernelSet(kernels.stored.assign_coords(courses=(("course", "lag"), courses)))
    assert other.fingerprint != kernels.fingerprint
    neurons(kernels).save(tmp_path / "neurons.nc")
    same(NeuronKernels.load(tmp_path / "neurons.nc").single("B"), neurons(dense).single("B"))


def test_what_a_set_says_is_short():
    kernels, dense = both()
    assert "pre:  p0, p1, p2, …, p39 (40)\n" in str(kernels)
    assert ", 6 time courses\n" in str(kernels)
    assert str(kernels).replace(", 6 time courses", "") == str(dense)
    many = NeuronKernels(kernels, {name: [name] for name in PRE})
    assert "… and 28 more populations, 40 modes in all" in str(many)
    assert len(str(many).splitlines()) < 20


# ---------------------------------------------------------------------- filters
@pytest.mark.parametrize("by", [(), "post"], ids=str)
def test_coefficients_are_those_of_the_kernels_at_every_lag(by):
    found, dense = (Coefficients(kernels, by) for kernels in both())
    np.testing.assert_array_equal(found.first_lags, dense.first_lags)
    np.testing.assert_array_equal(found.lengths, dense.lengths)
    assert sorted(set(found.first_lags)) == [5, 8]
    assert found.shape == dense.shape == dense.h.shape
    np.testing.assert_allclose(found.h, dense.h, rtol=0, atol=1e-12 * np.abs(dense.h).max())
    np.testing.assert_allclose(
        found.energy_above_nyquist(5), dense.energy_above_nyquist(5), rtol=1e-9
    )


def test_a_filter_of_factors_has_the_error_of_its_responses():
    random = np.random.default_rng(1)
    lag = np.arange(200)
    courses = np.stack([np.exp(-lag / tau) * np.cos(lag / 30) for tau in (40.0, 20.0, 12.0)])
    given = Factors(random.standard_normal((60, 5, 30)), random.standard_normal((30, 3)) @ courses)
    found = separate(given, 1e-5)
    h = np.pad(given.weights @ given.courses, [(0, 0), (0, 0), (0, 1000)])
    made = np.einsum("pmc,mt->pct", found.weights, impulse_responses(found.courses, 1200)[:, 0])
    peak = np.abs(h).max(axis=(0, 2))
    error = np.abs(made - h).max(axis=(0, 2)) / peak
    assert np.all(error <= found.error * (1 + 1e-6))  # beyond the last tap it is a bound
    assert 0.3 * found.error.max() < error.max() <= found.error.max() <= 1e-5
    dense = separate(h[..., :200], 1e-5)
    assert dense.weights.shape == found.weights.shape
    assert dense.courses.order == found.courses.order


def test_a_bank_of_many_areas_needs_no_kernels_at_every_lag():
    """Of 30 patches, each with other populations' courses, times a forward model's weights."""
    random = np.random.default_rng(4)
    lag = np.arange(1, 300)
    courses = np.stack([np.exp(-lag / tau) - np.exp(-lag / 3.0) for tau in (30.0, 50.0, 80.0)])
    model = random.standard_normal((30, 1, 20, 1))
    weights = (model * np.eye(3)[:, None]).reshape(1, 90, 20, 3)
    kernels = KernelSet.from_arrays(
        {"EEG": weights}, courses=courses, pre=[f"area {i}" for i in range(90)], post="all",
        dt=0.1, units={"EEG": "mV"},
    )  # fmt: skip
    bank = nestlfp.FilterBank(kernels, method=nestlfp.Separable(1e-4))
    assert "h" not in vars(bank.filter.coefficients)
    assert bank.error["EEG"].max() <= 1e-4
    assert "area 0, area 1, area 2, …, area 89 (90)" in str(bank)


# ---------------------------------------------------------------------- bad input
BAD = {
    "shape": (dict(courses=np.ones((5, LAGS))), r"courses must have shape \(course, lag\) = \(6, "),
    "list": (dict(courses=np.ones(6)), r"found \(6,\)"),
    "nan": (dict(courses=np.full((6, LAGS), np.nan)), "time courses must be finite.*course 0"),
    "zero": (dict(courses=np.zeros((6, LAGS))), "all time courses are zero"),
    "large": (dict(courses=np.full((6, LAGS), 1e99)), "'LFP' is too large: its weights times"),
    "text": (dict(courses=[["a"] * LAGS] * 6), "time courses must be real numbers"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_courses(case):
    changed, told = BAD[case]
    weights, courses = arrays()
    labels = dict(pre=PRE, post=["E", "I"], dt=0.1, units={"LFP": "mV"})
    with pytest.raises(KernelError, match=told):
        KernelSet.from_arrays({"LFP": 100 * weights}, **{"courses": courses, **changed}, **labels)


def test_a_dataset_of_another_layout_is_refused():
    kernels, _ = both()
    swapped = kernels.stored.assign_coords(courses=(("lag", "course"), arrays()[1].T))
    with pytest.raises(KernelError, match="'courses' must have dimensions"):
        KernelSet(swapped)
    bad = arrays()[0]
    bad[1, 2, 0, 3] = np.inf
    with pytest.raises(KernelError, match="p2 -> I, channel 0, course 3"):
        KernelSet(kernels.stored.assign(CDM=kernels.stored["CDM"].copy(data=bad)))
