"""Kernels of neurons have the verbs of kernels of populations: the same for each neuron alone."""

import inspect

import numpy as np
import pytest
from scipy import sparse

from nestlfp import KernelError, KernelSet, NeuronKernels

DT = 0.1
SIZES = {"E": 6, "I": 4}
LABELS = {
    "dt": DT,
    "units": {"LFP": "mV", "CDM": "nA µm"},
    "first_lag": -0.3,
    "channels": {"CDM": ["x", "y", "z"]},
    "positions": {"LFP": np.arange(6.0).reshape(2, 3) * 100.0},
}
SHAPES = {"LFP": (2, 12), "CDM": (3, 12)}
SEEDS = [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (1, 2))]


def rates_of(seed):
    """Spikes/s of each neuron."""
    rng = np.random.default_rng([seed, 1])
    return {name: rng.uniform(0.0, 8.0, n) for name, n in SIZES.items()}


def measured(seed, modes=3):
    """Modes of random kernels, with all that is known of these; neurons spike unlike."""
    rng = np.random.default_rng(seed)
    single = {
        name: {signal: rng.normal(1.0, 1.0, (n, *shape)) for signal, shape in SHAPES.items()}
        for name, n in SIZES.items()
    }
    return NeuronKernels.from_arrays(single, modes=modes, rates=rates_of(seed), **LABELS)


def made(seed):
    """Random modes through two postsynaptic populations, in turns of two populations."""
    rng = np.random.default_rng(seed)
    modes = KernelSet.from_arrays(
        {signal: rng.normal(size=(2, 5, *shape)) for signal, shape in SHAPES.items()},
        pre=list("abcde"), post=["P", "Q"], **LABELS,
    )  # fmt: skip
    weights = {name: rng.normal(size=(n, 2 + (name == "E"))) for name, n in SIZES.items()}
    weights["I"] = sparse.csr_array(weights["I"] * (weights["I"] > 0))
    return NeuronKernels(modes, {"E": ["a", "c", "e"], "I": ["b", "d"]}, weights)


def arrays_of(kernels):
    """Each neuron's own kernel, by population: arrays of shape (post, neuron, channel, lag)."""
    return {
        signal: np.concatenate(
            [
                np.einsum(
                    "nk,ykcl->yncl",
                    kernels.weights[x].toarray(),
                    kernels.modes[signal].sel(pre=list(modes)).values,
                )
                for x, modes in kernels.populations.items()
            ],
            axis=1,
        )
        for signal in kernels.signals
    }


def of_neurons(kernels):
    """Each neuron as a presynaptic population of its own, and the names by population."""
    names = {x: [f"{x}{k}" for k in range(kernels.weights[x].shape[0])] for x in kernels.pre}
    every = [name for own in names.values() for name in own]
    return KernelSet.from_arrays(arrays_of(kernels), pre=every, post=kernels.post, **LABELS), names


def head():
    from lfpykit.eegmegcalc import FourSphereVolumeConductor

    return FourSphereVolumeConductor(np.array([[0.0, 0.0, 90000.0], [1000.0, 0.0, 89990.0]]))


WEIGHTS = {"LFP": {0: 1.0, 1: -2.0}}
# Each takes kernels, and for a population the names that stand for it there.
VERBS = {
    "nothing": lambda k, of: k.select(),
    "a signal": lambda k, of: k.select(signals="CDM"),
    "signals in another order": lambda k, of: k.select(signals=["CDM", "LFP"]),
    "a population": lambda k, of: k.select(pre=of["I"]),
    "populations in another order": lambda k, of: k.select(pre=[*of["I"], *of["E"]]),
    "a postsynaptic population": lambda k, of: k.select(post=k.post[-1:]),
    "scaled": lambda k, of: k.scale(dict.fromkeys(of["E"], -2.5)),
    "scaled by pathway": lambda k, of: k.scale(
        {(x, k.post[0]): 0.5 for x in of["I"]} | dict.fromkeys(of["I"], 3.0)
    ),
    "total": lambda k, of: k.total("everybody"),
    "finer": lambda k, of: k.resample(0.05),
    "coarser": lambda k, of: k.resample(0.2, method="linear"),
    "low-passed": lambda k, of: k.lowpass(0.5),
    "running mean": lambda k, of: k.lowpass(0.3, method="mean"),
    "every step": lambda k, of: k.lowpass(DT),
    "difference": lambda k, of: k.readout(WEIGHTS, name="difference"),
    "band": lambda k, of: k.readout(WEIGHTS, band=(50, 400), order=1),
    "EEG": lambda k, of: k.project(
        head(), dipole_positions=[0.0, 0.0, 78000.0], axes=[0.0, 1.0, 1.0], unit="µV"
    ),
}
NOT_KNOWN = {"low-passed", "running mean", "difference", "band", "EEG"}


def assert_same(found, expected):
    """Arrays of shape (..., lag), of which one may end earlier, where hardly anything is left."""
    n = min(found.shape[-1], expected.shape[-1])
    peak = np.abs(expected).max()
    np.testing.assert_allclose(found[..., :n], expected[..., :n], rtol=0, atol=1e-11 * peak)
    for rest in (found[..., n:], expected[..., n:]):
        assert np.abs(rest).max(initial=0.0) < 1e-7 * peak


@pytest.mark.parametrize("make", [measured, made])
@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("seed", SEEDS)
def test_the_same_for_each_neuron_alone(verb, make, seed):
    kernels = make(seed)
    each, names = of_neurons(kernels)
    found = VERBS[verb](kernels, {x: [x] for x in SIZES})
    expected = VERBS[verb](each, names)
    assert isinstance(found, NeuronKernels)
    assert (found.signals, found.post, found.dt) == (expected.signals, expected.post, expected.dt)
    assert found.first_lag_steps == expected.first_lag_steps
    assert [n for x in found.pre for n in names[x]] == list(expected.pre)
    again = arrays_of(found)
    for signal in found.signals:
        assert_same(again[signal], expected[signal].values)
        assert found.modes[signal].attrs == expected[signal].attrs
        coords = [c for c in expected[signal].coords if c not in ("pre", "lag")]
        for coord in coords:
            np.testing.assert_array_equal(found.modes[signal][coord], expected[signal][coord])
        for x in found.pre:
            own = expected[signal].sel(pre=names[x]).sum("post").values
            assert_same(found.single(x)[signal].values, own)


@pytest.mark.slow
@pytest.mark.parametrize("make", [measured, made])
@pytest.mark.parametrize("verb", VERBS)
def test_means_are_changed_alike(verb, make, tmp_path):
    kernels, of = make(7), {x: [x] for x in SIZES}
    changed = VERBS[verb](kernels, of)
    found, expected = changed.mean(), VERBS[verb](kernels.mean(), of)
    assert (found.pre, found.post) == (expected.pre, expected.post)
    for signal in expected.signals:
        assert_same(found[signal].values, expected[signal].values)
    changed.save(tmp_path / "kernels.nc")
    loaded = NeuronKernels.load(tmp_path / "kernels.nc")
    assert loaded.mean().fingerprint == found.fingerprint
    assert repr(loaded) == repr(changed)


@pytest.mark.slow
@pytest.mark.parametrize("verb", [v for v in VERBS if v not in ("finer", "coarser")])
def test_what_is_left_out_is_right_or_not_known(verb):
    (kernels, exact), rates = (measured(3, modes=n) for n in (2, 30)), rates_of(3)
    changed, whole = (VERBS[verb](each, {x: [x] for x in SIZES}) for each in (kernels, exact))
    if verb in NOT_KNOWN:
        with pytest.raises(KernelError, match="is not known"):
            changed.left_out()
        return
    for signal in changed.signals:
        expected = np.zeros((2, SHAPES[signal][0]))
        for x in changed.pre:
            h, found = (each.single(x)[signal].values for each in (whole, changed))
            both = np.stack([h, h - found]) ** 2
            expected += np.einsum("n,oncl->oc", rates[x], both)
        np.testing.assert_allclose(changed.variance()[signal], expected * DT / 1000, rtol=1e-9)


def test_pathways_scaled_apart_are_not_known():
    two = measured(1)
    modes = two.modes.dataset
    halves = [(modes / 2).assign_coords(post=[name]).assign_attrs(modes.attrs) for name in "PQ"]
    kernels = NeuronKernels(
        KernelSet.from_arrays(
            {x: np.concatenate([half[x].values for half in halves]) for x in two.signals},
            pre=two.modes.pre, post=["P", "Q"], **LABELS,
        ),
        two.populations, two.weights, energy=two.energy,
    )  # fmt: skip
    for known in (kernels.scale({"E": 2.0}), kernels.total(), kernels.select(pre="E")):
        assert known.left_out()
    for unknown in (kernels.scale({("E", "P"): 2.0}), kernels.select(post="P")):
        assert unknown.energy is None


@pytest.mark.parametrize("make", [measured, made])
@pytest.mark.parametrize("seed", SEEDS)
def test_poisson_moments_are_those_of_neurons(make, seed):
    kernels = make(seed)
    each, names = of_neurons(kernels)
    rates = rates_of(seed)
    alone = {n: r for x in SIZES for n, r in zip(names[x], rates[x], strict=True)}
    found, expected = kernels.poisson(rates), each.poisson(alone)
    for signal in kernels.signals:
        assert found[signal].dims == expected[signal].dims
        np.testing.assert_allclose(found[signal], expected[signal], rtol=1e-10, atol=1e-12)
        assert found[signal].attrs["units"] == kernels.modes[signal].attrs["units"]
    together = kernels.poisson({"E": 600.0})
    expected = each.poisson({n: 100.0 for n in names["E"]})
    np.testing.assert_allclose(together["LFP"], expected["LFP"], rtol=1e-10)


def test_poisson_moments_of_populations_are_campbells():
    kernels = made(2).modes
    rates = {"a": 100.0, "d": 7.0}
    h = kernels["LFP"].sum("post").sel(pre=list(rates)).values
    each_step = np.array(list(rates.values())) * 1e-3 * kernels.dt
    mean, sd = kernels.poisson(rates)["LFP"].values.T
    np.testing.assert_allclose(mean, np.einsum("p,pcl->c", each_step, h))
    np.testing.assert_allclose(sd**2, np.einsum("p,pcl->c", each_step, h**2))


def test_poisson_moments_of_one_kernel_are_those_of_populations():
    kernels = made(2).modes
    rates = {"a": 100.0, "d": 7.0}
    apart = NeuronKernels(kernels, {x: [x] for x in kernels.pre})
    np.testing.assert_allclose(apart.poisson(rates)["LFP"], kernels.poisson(rates)["LFP"])
    with pytest.raises(KernelError, match="how many they are is not known"):
        apart.poisson({"a": [1.0, 2.0]})
    with pytest.raises(KernelError, match="the weights of 'E' are not known"):
        NeuronKernels(kernels, {"E": list(kernels.pre)}).poisson({"E": 1.0})


def test_what_a_set_is_asked_for():
    kernels = made(1)
    assert (kernels.pre, kernels.post) == (("E", "I"), ("P", "Q"))
    assert (kernels.dt, kernels.n_lags, kernels.first_lag_steps) == (DT, 12, -3)
    assert kernels.provenance == kernels.modes.provenance == {}


@pytest.mark.parametrize(
    "verb",
    ["select", "scale", "total", "resample", "lowpass", "readout", "project", "save", "convolve"],
)
def test_both_kinds_have_the_same_parameters(verb):
    of_populations, of_neurons = (
        [
            (p.name, p.kind, p.default)
            for p in inspect.signature(getattr(c, verb)).parameters.values()
        ]
        for c in (KernelSet, NeuronKernels)
    )
    assert of_populations == of_neurons


def test_rates_make_the_signal_of_the_mean_kernels():
    kernels = measured(1)
    rates, sizes = {"E": [3.0, 1.0, 0.0] * 8, "I": 2.0}, SIZES
    found = kernels.convolve(rates=rates, sizes=sizes, by="pre")
    assert found.identical(kernels.mean().convolve(rates=rates, sizes=sizes, by="pre"))
    assert np.any(found["LFP"])
    with pytest.raises(KernelError, match="not both"):
        kernels.convolve({"E": ([0.1], [0])}, 2.0, rates=rates, sizes=sizes)
    with pytest.raises(KernelError, match="sizes must be a dict"):
        kernels.convolve(rates=rates)
    with pytest.raises(KernelError, match="duration must be given"):
        kernels.convolve(spike_times={"E": ([0.1], [0])})


@pytest.mark.slow
def test_fingerprint_tells_modes_weights_and_populations_apart(tmp_path):
    kernels = made(1)
    modes, populations, weights = kernels.modes, kernels.populations, kernels.weights
    dense = {name: each.toarray() for name, each in weights.items()}
    other = {name: each.copy() for name, each in dense.items()}
    other["E"][0, 0] += 1e-9
    different = [
        kernels,
        measured(1),
        kernels.scale({"E": 2.0}),
        NeuronKernels(modes, populations),
        NeuronKernels(modes, populations, other),
        NeuronKernels(modes, {"F": populations["E"], "I": populations["I"]}),
    ]
    assert len({each.fingerprint for each in different}) == len(different)
    assert NeuronKernels(modes, populations, dense).fingerprint == kernels.fingerprint
    for k, each in enumerate(different):
        each.save(tmp_path / f"{k}.nc")
        assert NeuronKernels.load(tmp_path / f"{k}.nc").fingerprint == each.fingerprint


def test_no_verb_hides_its_parameters():
    for kind in (KernelSet, NeuronKernels):
        for name in vars(kind):
            call = getattr(kind, name)
            if name.startswith("_") or not callable(call):
                continue
            kinds = {p.kind for p in inspect.signature(call).parameters.values()}
            assert not kinds & {inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL}


BAD = {
    "a mode": (lambda k: k.select(pre="E/0"), r"pre: \['E/0'\] not among .*'E', 'I'"),
    "a population twice": (lambda k: k.select(pre=["E", "E"]), r"found twice: \['E'\]"),
    "a signal": (lambda k: k.select(signals="EEG"), r"signals: \['EEG'\] not among"),
    "a target": (lambda k: k.select(post="E"), r"post: \['E'\] not among"),
    "scaling a mode": (lambda k: k.scale({"E/0": 2.0}), r"pre: \['E/0'\] not among"),
    "scaling a pathway": (lambda k: k.scale({("E", "I"): 2.0}), r"post: \['I'\] not among"),
    "a factor": (lambda k: k.scale({"E": np.nan}), "factors must be finite numbers"),
    "an interval": (lambda k: k.lowpass(0.15), "interval"),
    "a channel": (lambda k: k.readout({"LFP": 9}), "has no channel 9"),
    "a conductor": (lambda k: k.project(object()), "object"),
    "rates": (lambda k: k.poisson([1.0]), "rates must be a dict"),
    "unknown rates": (lambda k: k.poisson({"X": 1.0}), r"rates: \['X'\] not among"),
    "rates of others": (lambda k: k.poisson({"E": [1.0]}), "one for each of 6 neurons"),
    "negative rates": (lambda k: k.poisson({"E": -1.0}), "finite and not negative"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input(case):
    ask, message = BAD[case]
    with pytest.raises(KernelError, match=message):
        ask(measured(0))
