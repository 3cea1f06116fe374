"""Kernels of single neurons as modes and weights, against each neuron's own kernel."""

import numpy as np
import pytest
import xarray as xr
from scipy import sparse

import nestlfp
from nestlfp import KernelError, KernelSet, NeuronKernels

DT = 0.1
LAGS = np.arange(1, 61) * DT
UNITS = {"LFP": "mV", "CDM": "nA µm"}
LABELS = {"dt": DT, "units": UNITS}


def kernels_of(n, sign=1.0, seed=0):
    """Kernels that differ in size at each channel, and in time course."""
    rng = np.random.default_rng(seed)
    tau = rng.uniform(0.8, 2.5, (n, 1, 1))
    course = sign * LAGS / tau * np.exp(1 - LAGS / tau)
    lfp = rng.normal(1.0, 0.5, (n, 4, 1)) * course * 1e-3
    cdm = rng.normal(1.0, 0.3, (n, 2, 1)) * course * 1e3
    cdm[:, 0] *= 1e-15  # across the cells: rounding
    return {"LFP": lfp, "CDM": cdm}


SINGLE = {"E": kernels_of(30), "I": kernels_of(400, -3.0, 1)}
RATES = {"E": 2.0, "I": np.random.default_rng(5).uniform(0.0, 8.0, 400)}


def missed(kernels, single=SINGLE, rates=RATES, signal="LFP"):
    """Left out, and all: sums over neurons and lags of squares, times rates."""
    left = whole = 0.0
    for name, signals in single.items():
        h, found = signals[signal], kernels.single(name)[signal].values
        rate = np.broadcast_to(rates[name], len(h)).reshape(-1, 1, 1)
        left = left + (rate * (h - found) ** 2).sum(axis=(0, 2))
        whole = whole + (rate * h**2).sum(axis=(0, 2))
    return left, whole


@pytest.mark.slow
@pytest.mark.parametrize("left_out", [0.1, 1e-2, 1e-4, 1e-8])
def test_what_is_left_out_is_told_beforehand(left_out):
    kernels = NeuronKernels.from_arrays(SINGLE, left_out=left_out, rates=RATES, **LABELS)
    for signal, used in (("LFP", slice(None)), ("CDM", [1])):
        left, whole = missed(kernels, signal=signal)
        told = kernels.left_out()[signal].values
        np.testing.assert_allclose(told[used], (left / whole)[used], rtol=1e-6)
        assert told.max() <= left_out
    np.testing.assert_allclose(
        kernels.variance()["LFP"].values, np.array([whole_of(kernels), left_of(kernels)]) * 1e-4
    )
    fewer = {name: len(modes) - 1 for name, modes in kernels.populations.items()}
    for name in SINGLE:  # no mode is superfluous
        one_less = {**{x: n + 1 for x, n in fewer.items()}, name: max(1, fewer[name])}
        if one_less[name] == fewer[name]:
            found = NeuronKernels.from_arrays(SINGLE, modes=one_less, rates=RATES, **LABELS)
            assert max(float(v.max()) for v in found.left_out().values()) > left_out / 3


def left_of(kernels):
    return missed(kernels)[0]


def whole_of(kernels):
    return missed(kernels)[1]


def test_variance_is_that_of_poisson_spikes():
    """Offline, with the kernels themselves, and with what the modes leave out."""
    kernels = NeuronKernels.from_arrays(SINGLE, modes=2, **LABELS)
    rng = np.random.default_rng(3)
    n, rates = 20_000, {"E": 20.0, "I": 5.0}
    trains = {}
    for name, rate in rates.items():
        size = len(SINGLE[name]["LFP"])
        count = rng.poisson(rate * size * n * DT / 1000)
        trains[name] = rng.integers(1, n + 1, count) * DT, rng.integers(0, size, count)
    whole = {
        name: NeuronKernels.from_arrays({name: own}, left_out=1e-12, **LABELS)
        for name, own in SINGLE.items()
    }
    true = sum(whole[x].convolve({x: trains[x]}, n * DT)["LFP"].values for x in SINGLE)
    left = true - kernels.convolve(trains, n * DT)["LFP"].values
    expected = kernels.variance(rates)["LFP"]
    for found, which in ((true, "signal"), (left, "left out")):
        np.testing.assert_allclose(found.var(axis=1), expected.sel(of=which), rtol=0.15)


def test_what_neurons_do_together_is_exact():
    for modes in (1, 3):
        kernels = NeuronKernels.from_arrays(SINGLE, modes=modes, rates=RATES, **LABELS)
        for name, signals in SINGLE.items():
            rates = np.broadcast_to(RATES[name], len(signals["LFP"]))
            difference = kernels.single(name)["LFP"].values - signals["LFP"]
            assert np.abs(np.average(difference, axis=0, weights=rates)).max() < 1e-17
            weights = kernels.weights[name].toarray()
            mean = np.average(weights, axis=0, weights=rates)
            np.testing.assert_allclose(mean, [1.0, 0.0, 0.0][:modes], atol=1e-12)


def test_either_gram_matrix():
    """More neurons than channels and lags, or fewer: the same modes."""
    many = {"E": {name: np.concatenate([a] * 20) for name, a in SINGLE["E"].items()}}
    few = {"E": SINGLE["E"]}
    assert len(many["E"]["LFP"]) > 6 * LAGS.size > len(few["E"]["LFP"])
    a, b = (NeuronKernels.from_arrays(s, modes=4, **LABELS) for s in (many, few))
    np.testing.assert_allclose(
        a.single("E", range(30))["LFP"].values, b.single("E")["LFP"].values, atol=1e-12
    )
    np.testing.assert_allclose(a.left_out()["LFP"].values, b.left_out()["LFP"].values, rtol=1e-8)


def test_convolution_is_that_of_each_neurons_kernel():
    kernels = NeuronKernels.from_arrays(SINGLE, left_out=1e-3, first_lag=-0.5, **LABELS)
    rng = np.random.default_rng(2)
    n = 400
    trains = {}
    expected = np.zeros((4, n + 200))
    for name in SINGLE:
        own = kernels.single(name)["LFP"].values
        steps, neurons = rng.integers(0, n + 50, 60), rng.integers(0, len(own), 60)
        steps[:2] = n  # in the last step
        trains[name] = steps * DT, neurons
        for step, neuron in zip(steps, neurons, strict=True):
            if step <= n:
                start = step - 5
                tail = own[neuron][:, max(0, -start) :]
                expected[:, max(0, start) : max(0, start) + tail.shape[1]] += tail
    found = kernels.convolve(trains, n * DT)["LFP"].values
    assert np.abs(found - expected[:, 1 : n + 1]).max() < 1e-12 * np.abs(expected).max()
    apart = kernels.convolve(trains, n * DT, by=["pre", "post"])["LFP"]
    assert apart.dims == ("post", "pre", "LFP_channel", "time")
    assert apart["pre"].values.tolist() == ["E", "I"]
    np.testing.assert_allclose(apart.sum(["post", "pre"]).values, found, atol=1e-15)


def test_lags_that_nobody_uses_stay_empty():
    """They decide which delays a recorder's connections have."""
    late = {"E": {name: array.copy() for name, array in SINGLE["E"].items()}}
    for array in late["E"].values():
        array[..., :7] = 0.0
        array[..., -4:] = 0.0
    kernels = NeuronKernels.from_arrays(late, modes=9, **LABELS)
    for array in kernels.modes.dataset.data_vars.values():
        assert np.flatnonzero(array.values.any(axis=(0, 1, 2))).tolist() == list(range(7, 56))


# ---------------------------------------------------------------------- awkward kernels
def test_one_neuron_one_lag_one_channel():
    kernels = NeuronKernels.from_arrays(
        {"E": {"LFP": [[[2.0]]]}}, dt=DT, units={"LFP": "mV"}, left_out=1e-6
    )
    assert kernels.populations == {"E": ("E/0",)}
    assert kernels.single("E")["LFP"].values.tolist() == [[[2.0]]]
    assert kernels.left_out()["LFP"].item() < 1e-15
    assert kernels.convolve({"E": ([0.1], [0])}, 0.3)["LFP"].values.tolist() == [[0.0, 2.0, 0.0]]


@pytest.mark.parametrize("silent", [{"LFP": np.ones((5, 1, 3))}, {"LFP": np.zeros((5, 1, 3))}])
def test_populations_that_are_silent_or_without_kernels(silent):
    single = {"E": {"LFP": np.arange(12.0).reshape(4, 1, 3)}, "S": silent}
    kernels = NeuronKernels.from_arrays(
        single, dt=DT, units={"LFP": "mV"}, left_out=1e-9, rates={"E": 1.0, "S": 0.0}
    )
    assert kernels.populations["S"] == ("S/0",)
    np.testing.assert_allclose(kernels.single("S")["LFP"].values, silent["LFP"], atol=1e-12)
    np.testing.assert_allclose(kernels.single("E")["LFP"].values, single["E"]["LFP"], atol=1e-9)


def test_a_population_without_neurons():
    single = {"E": {"LFP": np.ones((4, 1, 3))}, "none": {"LFP": np.zeros((0, 1, 3))}}
    kernels = NeuronKernels.from_arrays(single, dt=DT, units={"LFP": "mV"}, left_out=1e-6)
    assert kernels.weights["none"].shape == (0, 1)
    assert kernels.left_out()["LFP"].item() < 1e-12


def test_kernels_that_cancel_in_their_mean():
    h = np.random.default_rng(1).normal(size=(20, 2, 10))
    single = {"E": {"LFP": np.concatenate([h, -h])}}
    kernels = NeuronKernels.from_arrays(single, dt=DT, units={"LFP": "mV"}, left_out=1e-9)
    assert len(kernels.populations["E"]) <= 21
    np.testing.assert_allclose(kernels.single("E")["LFP"].values, single["E"]["LFP"], atol=1e-3)


def test_more_modes_than_there_are():
    few = {"E": {name: array[:3] for name, array in SINGLE["E"].items()}}
    kernels = NeuronKernels.from_arrays(few, modes=30, **LABELS)
    assert len(kernels.populations["E"]) <= 4
    np.testing.assert_allclose(kernels.single("E")["LFP"].values, few["E"]["LFP"], atol=1e-12)


# ---------------------------------------------------------------------- sparse weights
def test_small_weights_are_dropped_and_counted():
    whole = NeuronKernels.from_arrays(SINGLE, left_out=1e-3, **LABELS)
    few = whole.sparse(1e-3)
    dense = sum(weights.nnz for weights in whole.weights.values())
    assert 0 < sum(weights.nnz for weights in few.weights.values()) < 0.9 * dense
    rates = {"E": 1.0, "I": 1.0}
    left, of_all = missed(few, rates=rates)
    told = few.left_out()["LFP"].values
    np.testing.assert_allclose(told, left / of_all, rtol=0.2)
    assert np.all(told <= whole.left_out()["LFP"].values + 1e-3)
    same = whole.sparse(1e-30)
    assert sum(weights.nnz for weights in same.weights.values()) == dense
    # Without what is known of single neurons it is relative to the modes' own variance.
    bare = NeuronKernels(whole.modes, whole.populations, whole.weights).sparse(1e-3)
    difference = bare.single("I")["LFP"].values - whole.single("I")["LFP"].values
    assert np.abs(difference).max() > 0
    with pytest.raises(KernelError, match="is not known: that takes the kernels of single"):
        bare.left_out()


def test_weights_may_be_sparse():
    modes = KernelSet.from_arrays(
        {"LFP": np.eye(3).reshape(1, 3, 1, 3)}, pre=["a", "b", "c"], post="all", dt=DT,
        units={"LFP": "mV"},
    )  # fmt: skip
    weights = sparse.coo_array(([1.0, 2.0, 0.0, 3.0], ([0, 0, 2, 3], [0, 0, 1, 1])), (4, 2))
    kernels = NeuronKernels(modes, {"E": ["a", "b"], "I": ["c"]}, {"E": weights})
    assert kernels.weights["E"].nnz == 2
    assert kernels.single("E")["LFP"].values[:, 0].tolist() == [
        [3.0, 0.0, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, 0.0], [0.0, 3.0, 0.0]
    ]  # fmt: skip
    signal = kernels.convolve({"I": ([0.1, 0.1], [0, 7])}, 0.5)["LFP"].values
    assert signal.tolist() == [[0.0, 0.0, 0.0, 2.0, 0.0]]


# ---------------------------------------------------------------------- other ways to make them
def test_pathways():
    rng = np.random.default_rng(4)
    kernels = KernelSet.from_arrays(
        {"LFP": rng.normal(size=(2, 2, 3, 5)), "CDM": rng.normal(size=(2, 2, 1, 5))},
        pre=["E", "I"], post=["P", "Q"], positions={"LFP": np.zeros((3, 3))}, **LABELS,
    )  # fmt: skip
    apart = NeuronKernels.by_pathway(kernels, pre="I")
    assert apart.populations == {"E": ("E",), "I": ("I/P", "I/Q")}
    assert apart.modes.post == ("P", "Q")
    for by in ((), "pre", ["post", "pre"]):
        trains = {"E": [0.2, 0.7], "I": [0.3]}
        numbered = {name: (times, np.arange(len(times))) for name, times in trains.items()}
        a, b = apart.convolve(numbered, 2.0, by=by), kernels.convolve(trains, 2.0, by=by)
        for name in kernels.signals:
            assert a[name].dims == b[name].dims
            np.testing.assert_allclose(a[name].values, b[name].values, atol=1e-14)
    weighted = NeuronKernels(apart.modes, apart.populations, {"I": [[2.0, 0.0], [1.0, 3.0]]})
    np.testing.assert_allclose(
        weighted.single("I")["LFP"].values,
        np.einsum("ny,yct->nct", [[2.0, 0.0], [1.0, 3.0]], kernels["LFP"].values[:, 1]),
    )


def test_populations_with_and_without_modes():
    kernels = NeuronKernels.from_arrays({"E": SINGLE["E"]}, modes=2, **LABELS)
    other = KernelSet.from_arrays(
        {"LFP": np.ones((2, 1, 4, 60)), "CDM": np.ones((2, 1, 2, 60))},
        pre="I", post=["E", "I"], **LABELS,
    )  # fmt: skip
    both = kernels.join(other.total())
    assert both.populations == {"E": ("E/0", "E/1"), "I": ("I",)}
    assert both.modes["LFP"].sel(pre="I").values.max() == 2.0
    with pytest.raises(KernelError, match=r"kernels.total\(\) makes one of the latter"):
        kernels.join(other)
    with pytest.raises(KernelError, match=r"populations that both kernels have: \['E'\]"):
        kernels.join(kernels)


def test_resampled():
    kernels = NeuronKernels.from_arrays(SINGLE, modes=3, **LABELS)
    finer = kernels.resample(0.05)
    assert finer.modes.dt == 0.05
    np.testing.assert_allclose(finer.left_out()["LFP"], kernels.left_out()["LFP"], rtol=1e-12)
    np.testing.assert_allclose(finer.variance()["LFP"], kernels.variance()["LFP"], rtol=1e-12)


# ---------------------------------------------------------------------- files
def test_files(tmp_path):
    names = {'L2/3 "E" µ': SINGLE["E"], "I": SINGLE["I"]}
    whole = NeuronKernels.from_arrays(
        names, modes={"I": 3, "L2/3 \"E\" µ": 2}, provenance={"tool": "test"},
        positions={"LFP": np.arange(12.0).reshape(4, 3)}, channels={"CDM": ["x", "z"]}, **LABELS,
    )  # fmt: skip
    silent = KernelSet.from_arrays(
        {"LFP": np.ones((1, 1, 4, 60)), "CDM": np.ones((1, 1, 2, 60))}, pre="S", post="all",
        positions={"LFP": np.arange(12.0).reshape(4, 3)}, channels={"CDM": ["x", "z"]}, **LABELS,
    )  # fmt: skip
    empty = NeuronKernels(silent, {"S": ["S"]}, {"S": np.zeros((7, 1))})
    for kernels in (whole, whole.join(silent), whole.sparse(1e-3), empty):
        kernels.save(tmp_path / "k.nc", overwrite=True)
        found = NeuronKernels.load(tmp_path / "k.nc")
        assert found.populations == kernels.populations
        assert found.modes.dataset.identical(kernels.modes.dataset)
        assert found.modes.fingerprint == kernels.modes.fingerprint
        assert set(found.weights) == set(kernels.weights)
        for name, weights in kernels.weights.items():
            assert found.weights[name].shape == weights.shape
            np.testing.assert_array_equal(found.weights[name].toarray(), weights.toarray())
        if kernels is whole:
            assert found.left_out().identical(whole.left_out())
            assert found.variance({"I": 2.0, 'L2/3 "E" µ': 1.0}).identical(
                whole.variance({"I": 2.0, 'L2/3 "E" µ': 1.0})
            )
            assert repr(found) == repr(whole)
    with pytest.raises(KernelError, match=r"NeuronKernels.load reads it"):
        KernelSet.load(tmp_path / "k.nc")
    silent.save(tmp_path / "k.nc", overwrite=True)
    with pytest.raises(KernelError, match=r"KernelSet.load reads it"):
        NeuronKernels.load(tmp_path / "k.nc")


def test_a_damaged_file_is_told(tmp_path):
    path = tmp_path / "k.nc"
    kernels = NeuronKernels.from_arrays(SINGLE, modes=2, **LABELS)
    kernels.save(path)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(KernelError, match="it is damaged"):
        NeuronKernels.load(path)


def test_repr_tells_the_error():
    told = repr(NeuronKernels.from_arrays(SINGLE, modes=2, **LABELS))
    assert "E: 2 modes, 30 neurons, 60 weights" in told
    assert "LFP: 4 channels, mV; left out of the variance, if neurons spike independently" in told


# ---------------------------------------------------------------------- bad input
ONE = {"LFP": np.ones((3, 1, 4))}
BAD_SINGLE = {
    "neither": ({}, "either left_out=... or modes=..."),
    "both": ({"left_out": 0.1, "modes": 2}, "either left_out=... or modes=..."),
    "most left out": ({"left_out": 1.5}, "left_out must lie between 0 and 1, found 1.5"),
    "less than nothing left out": ({"left_out": -1.0}, "left_out must be a positive number"),
    "rounding": ({"left_out": 1e-300, "kernels": {"E": SINGLE["E"]}, "units": UNITS},
                 "cannot be met: all modes together leave out"),
    "no modes": ({"modes": 0}, "modes of 'E' must be a whole number from 1 on, found 0"),
    "modes of few": ({"modes": {}}, "modes of 'E' must be a whole number from 1 on, found None"),
    "modes of others": ({"modes": {"E": 1, "X": 1}}, r"modes: \['X'\] not among"),
    "no populations": ({"modes": 1, "kernels": {}}, "kernels must be a dict"),
    "no signals": ({"modes": 1, "kernels": {"E": {}}}, "kernels of 'E' must be a dict"),
    "shape": ({"modes": 1, "kernels": {"E": {"LFP": np.ones((3, 4))}}},
              r"signal 'LFP' of 'E' must have shape \(neuron, channel, lag\), found \(3, 4\)"),
    "not finite": ({"modes": 1, "kernels": {"E": {"LFP": np.full((3, 1, 4), np.nan)}}},
                   "signal 'LFP' must be finite"),
    "channels differ": ({"modes": 1, "kernels": {"E": ONE, "I": {"LFP": np.ones((3, 2, 4))}}},
                        "kernels of 'I' and 'E' must have the same signals, channels"),
    "negative rate": ({"modes": 1, "rates": {"E": -1.0}}, "rates of 'E' must be finite and not"),
    "rates of others": ({"modes": 1, "rates": {"X": 1.0}}, r"rates of unknown populations"),
    "some rates": (
        {"modes": 1, "kernels": {"E": ONE, "I": ONE}, "rates": {"I": 1.0}},
        r"rates must be given for all populations or none, missing \['E'\]",
    ),
    "two rates": ({"modes": 1, "rates": {"E": [1.0, 2.0]}}, "or one for each of 3 neurons"),
    "silence": ({"modes": 1, "rates": {"E": 0.0}}, "no neuron spikes"),
    "provenance": ({"modes": 1, "provenance": {"a": {1}}}, "JSON-compatible"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD_SINGLE)
def test_bad_single_kernels(case):
    given, message = BAD_SINGLE[case]
    options = {"kernels": {"E": ONE}, "units": {"LFP": "mV"}, "dt": DT, **given}
    with pytest.raises(KernelError, match=message):
        NeuronKernels.from_arrays(options.pop("kernels"), **options)


def test_bad_datasets():
    with pytest.raises(KernelError, match=r"must be an xarray\.Dataset with a variable"):
        NeuronKernels.from_single({"E": np.ones((3, 1, 4))}, modes=1)
    wrong = xr.Dataset({"LFP": (("cell", "LFP_channel", "lag"), np.ones((3, 1, 4)))})
    with pytest.raises(KernelError, match=r"must have dimensions \('neuron', 'LFP_channel', 'lag'"):
        NeuronKernels.from_single({"E": wrong}, modes=1)
    lag = ("lag", [0.1, 0.2], {"units": "ms", "dt_ms": 0.1})
    bare = xr.Dataset(
        {"LFP": (("neuron", "LFP_channel", "lag"), np.ones((3, 2, 2)), {"units": "mV"})},
        coords={"lag": lag},
    )
    other = bare.assign(LFP=bare["LFP"].assign_attrs(units="µV"))
    with pytest.raises(KernelError, match="must have the same signals, channels, units"):
        NeuronKernels.from_single({"E": bare, "I": other}, modes=1)
    found = NeuronKernels.from_single({"E": bare}, modes=1)
    assert found.modes["LFP"]["LFP_channel"].values.tolist() == [0, 1]
    with pytest.raises(KernelError, match=r"missing: \['lag'\]"):
        NeuronKernels.from_single({"E": bare.drop_vars("lag")}, modes=1)


MODES = KernelSet.from_arrays(
    {"LFP": np.ones((1, 3, 1, 4))}, pre=["a", "b", "c"], post="all", dt=DT, units={"LFP": "mV"}
)
BAD = {
    "no set": ((np.ones(3), {"E": ["a"]}), "modes must be a KernelSet, found ndarray"),
    "no populations": ((MODES, {}), "populations must be a dict"),
    "mode left": ((MODES, {"E": ["a", "b"]}), "each mode must belong to one population"),
    "mode twice": ((MODES, {"E": ["a", "b"], "I": ["b", "c"]}), "each mode must belong to one"),
    "no mode": ((MODES, {"E": ["a", "b", "c"], "I": []}), "each population have one"),
    "order": ((MODES, {"E": ["b", "a"], "I": ["c"]}), "be in the order of the modes"),
    "unknown weights": ((MODES, {"E": ["a", "b", "c"]}, {"X": [[1.0]]}), r"weights: \['X'\]"),
    "flat weights": ((MODES, {"E": ["a", "b", "c"]}, {"E": [1.0, 2.0, 3.0]}),
                     r"weights of 'E' must have shape \(neuron, mode\) with 3 modes, found \(3,\)"),
    "two modes": ((MODES, {"E": ["a", "b", "c"]}, {"E": np.ones((5, 2))}),
                  r"with 3 modes, found \(5, 2\)"),
    "nan": ((MODES, {"E": ["a", "b", "c"]}, {"E": [[1.0, 2.0, np.nan]]}), "must be finite"),
    "text": ((MODES, {"E": ["a", "b", "c"]}, {"E": [["much"] * 3]}), "must be real numbers"),
    "no dict": ((MODES, {"E": ["a", "b", "c"]}, np.ones((2, 3))), "weights must be a dict"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_bad_modes(case):
    given, message = BAD[case]
    with pytest.raises(KernelError, match=message):
        NeuronKernels(*given)


def test_bad_questions():
    kernels = NeuronKernels.from_arrays({"E": ONE}, units={"LFP": "mV"}, dt=DT, modes=1)
    bare = NeuronKernels(MODES, {"E": ["a", "b", "c"]})
    for call, message in (
        (lambda: kernels.left_out({"X": 1.0}), r"rates: \['X'\]"),
        (lambda: kernels.left_out({}), r"missing \['E'\]"),
        (lambda: kernels.left_out({"E": np.nan}), "must be finite"),
        (lambda: kernels.sparse(0), "left_out must be a positive number"),
        (lambda: bare.sparse(0.1), "weights of 'E' are not known"),
        (lambda: bare.single("E"), "weights of 'E' are not known"),
        (lambda: kernels.single("X"), r"populations: \['X'\]"),
        (lambda: kernels.single("E", [3]), "it has the neurons 0 … 2, found"),
        (lambda: kernels.convolve([1.0], 5.0), "spikes must be a dict"),
        (lambda: kernels.convolve({"X": ([], [])}, 5.0), "spikes of unknown populations"),
        (lambda: kernels.convolve({"E": [1.0]}, 5.0), r"must be \(times, neurons\)"),
        (lambda: kernels.convolve({"E": ([1.0], [0, 1])}, 5.0), "1 spike times, but 2 neurons"),
        (lambda: kernels.convolve({"E": ([1.0], [-1])}, 5.0), "unknown neurons of 'E'"),
        (lambda: kernels.convolve({"E": ([1.0], [1.5])}, 5.0), "unknown neurons of 'E'"),
        (lambda: kernels.convolve({"E": ([-1.0], [1])}, 5.0), "must not be negative"),
        (lambda: kernels.convolve({"E": ([1.03], [1])}, 5.0), "whole multiples of dt"),
        (lambda: kernels.convolve({"E": ([1], [1.0])}, 5.0), "exchange the two arrays"),
        (lambda: kernels.convolve({"E": ([2], [0.1])}, 5.0), "exchange the two arrays"),
        (lambda: kernels.convolve({"E": ([2.0], [0.5])}, 5.0), r"spikes are \(times, neurons\)"),
        (
            lambda: nestlfp.validity(kernels, spikes={"E": ([1], [1.0])}, duration=5.0),
            "exchange the two",
        ),
        (lambda: kernels.convolve({"E": ([1.0], [1])}, 0.0), "duration must be at least dt"),
        (lambda: NeuronKernels.by_pathway(MODES, pre="X"), r"pre: \['X'\]"),
    ):
        with pytest.raises(KernelError, match=message):
            call()
    assert nestlfp.NeuronKernels is NeuronKernels


def test_mean_kernels_are_those_of_populations(hagen):
    """Of single neurons the mean; of pathways, whose weights are not known, the kernels."""
    rng = np.random.default_rng(1)
    single = {"E": rng.normal(size=(7, 2, 9)), "I": rng.normal(size=(1, 2, 9))}
    kernels = nestlfp.NeuronKernels.from_arrays(
        {name: {"LFP": array} for name, array in single.items()},
        dt=0.1,
        units={"LFP": "mV"},
        modes=9,
        provenance={"tool": "none"},
    )
    mean = kernels.mean()
    assert list(mean.pre) == ["E", "I"]
    for i, array in enumerate(single.values()):
        np.testing.assert_allclose(mean["LFP"].values[0, i], array.mean(axis=0), atol=1e-12)
    assert mean.provenance == {"tool": "none"}
    assert mean["LFP"].attrs["units"] == "mV"
    again = nestlfp.NeuronKernels.by_pathway(hagen).mean()
    assert again.fingerprint == hagen.fingerprint


@pytest.mark.slow
@pytest.mark.parametrize("options", [{"modes": 1}, {"modes": 3}, {"left_out": 0.1}])
def test_mean_kernels_do_not_depend_on_rates(tmp_path, options):
    """All neurons count alike in them, whatever the modes were made for, and however few."""
    kernels = NeuronKernels.from_arrays(SINGLE, rates=RATES, **options, **LABELS)
    kernels.save(tmp_path / "kernels.nc")
    other = NeuronKernels.from_arrays({"X": SINGLE["E"]}, modes=1, post="all", **LABELS)
    kept = {
        "itself": kernels,
        "with less weights": kernels.sparse(0.01),
        "from a file": NeuronKernels.load(tmp_path / "kernels.nc"),
        "beside others": kernels.join(other),
        "others beside it": other.join(kernels),
    }
    for how, each in kept.items():
        mean = each.mean()
        for name, signals in SINGLE.items():
            for signal, values in signals.items():
                found = mean[signal].sel(pre=name).values[0]
                np.testing.assert_allclose(
                    found, values.mean(axis=0), atol=1e-9 * np.abs(values).max(), err_msg=how
                )
    assert mean.pre == ("X", "E", "I")
    alike = NeuronKernels.from_arrays(SINGLE, **options, **LABELS)
    assert alike.sparse(0.01).mean().fingerprint == alike.mean().fingerprint
    resampled = kernels.resample(DT / 2).mean()
    assert resampled.fingerprint == kernels.mean().resample(DT / 2).fingerprint


def test_there_is_no_mean_kernel_without_the_weights_it_takes():
    kernels = NeuronKernels.from_arrays(SINGLE, modes=2, **LABELS)
    known = NeuronKernels(kernels.modes, kernels.populations, {"E": kernels.weights["E"]})
    with pytest.raises(KernelError, match=r"weights of 'I' are not known.*no mean kernel"):
        known.mean()
