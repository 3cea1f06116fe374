"""Kernels from LFPykernels: its dictionaries, and whole sets computed with the real thing."""

import copy
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.integrate import quad

from nestlfp import KernelError, KernelSet
from nestlfp.errors import MissingExtraError
from nestlfp.sources import layers, mechanisms
from nestlfp.sources import lfpykernels as source

pytestmark = pytest.mark.compile

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "two_population"
POTENTIAL, DIPOLE = "GaussCylinderPotential", "KernelApproxCurrentDipoleMoment"
PATHWAYS = ("E:E", "E:I", "I:E", "I:I")


def dictionary(n_lags=20, channels=4, pathways=PATHWAYS):
    """Kernels dt ... tau, zero for a few steps as they are where synapses have delays."""
    rng = np.random.default_rng(1)

    def kernel(n):
        values = rng.normal(size=(n, n_lags)) * np.exp(-np.arange(n_lags) / 5)
        values[:, :3] = 0
        return values

    return {key: {POTENTIAL: kernel(channels), DIPOLE: kernel(3)} for key in pathways}


def symmetric(H_YX):
    """The form -tau ... tau of kernels dt ... tau."""
    return {
        key: {
            probe: np.pad(values, [(0, 0), (values.shape[1] + 1, 0)])
            for probe, values in probes.items()
        }
        for key, probes in H_YX.items()
    }


def with_one(key, probe, values):
    H_YX = dictionary()
    H_YX[key][probe] = values
    return H_YX


class FakeProbe:
    """A probe that only has contacts."""

    def __init__(self, **contacts):
        vars(self).update(contacts)


# ---------------------------------------------------------------------- dictionaries
def test_signals_units_and_channels():
    H_YX = dictionary()
    kernels = KernelSet.from_lfpykernels(H_YX, dt=0.25)
    assert kernels.signals == ("LFP", "CDM")
    assert (kernels.pre, kernels.post) == (("E", "I"), ("E", "I"))
    assert kernels["LFP"].attrs["units"] == "mV"
    assert kernels["CDM"].attrs["units"] == "nA µm"
    assert kernels["CDM"]["CDM_channel"].values.tolist() == ["x", "y", "z"]
    np.testing.assert_array_equal(kernels.dataset["lag"], np.arange(1, 21) * 0.25)
    assert kernels.provenance["tool"] == "LFPykernels"
    for key, probes in H_YX.items():
        post, pre = key.split(":")
        found = kernels.dataset.sel(post=post, pre=pre)
        np.testing.assert_array_equal(found["LFP"], probes[POTENTIAL])
        np.testing.assert_array_equal(found["CDM"], probes[DIPOLE])


@pytest.mark.parametrize("fir", [None, False])
@pytest.mark.parametrize("n_lags", [20, 21])
def test_symmetric_form_is_the_same(n_lags, fir):
    H_YX = dictionary(n_lags)
    plain = KernelSet.from_lfpykernels(H_YX, dt=0.5)
    kernels = KernelSet.from_lfpykernels(symmetric(H_YX), dt=0.5, fir=fir)
    assert kernels.dataset.equals(plain.dataset)


def test_late_kernels_are_not_taken_for_the_symmetric_form_when_said():
    H_YX = symmetric(dictionary())
    kernels = KernelSet.from_lfpykernels(H_YX, dt=0.5, fir=True)
    assert kernels.n_lags == 41
    np.testing.assert_array_equal(kernels["LFP"].sel(post="E", pre="I"), H_YX["E:I"][POTENTIAL])


def test_form_that_cannot_be_told_is_an_error():
    late = {
        key: {probe: values[:, 1:] for probe, values in probes.items()}
        for key, probes in symmetric(dictionary()).items()
    }
    with pytest.raises(KernelError, match=r"of 40 lags the first 20 are \(nearly\) zero: say fir="):
        KernelSet.from_lfpykernels(late, dt=0.5)
    noisy = symmetric(dictionary())
    noisy["E:I"][POTENTIAL][0, 2] = 1e-9
    with pytest.raises(KernelError, match="say fir=True"):
        KernelSet.from_lfpykernels(noisy, dt=0.5)
    with pytest.raises(KernelError, match=f"{POTENTIAL} is not zero at lags up to 0"):
        KernelSet.from_lfpykernels(noisy, dt=0.5, fir=False)
    with pytest.raises(KernelError, match="must be an odd number of at least 3, found 20"):
        KernelSet.from_lfpykernels(dictionary(), dt=0.5, fir=False)


def test_positions_from_probes_and_by_hand():
    H_YX = dictionary()
    z = np.array([300.0, 200.0, 100.0, 0.0])
    kind = type(POTENTIAL, (FakeProbe,), {})
    for kernels in (
        KernelSet.from_lfpykernels(H_YX, dt=0.5, probes=[kind(z=z)]),
        KernelSet.from_lfpykernels(H_YX, dt=0.5, positions={"LFP": z}),
    ):
        np.testing.assert_array_equal(kernels["LFP"]["LFP_z"], z)
        np.testing.assert_array_equal(kernels["LFP"]["LFP_x"], 0)
        assert kernels["LFP"]["LFP_z"].attrs["units"] == "µm"
        assert "CDM_z" not in kernels.dataset.coords

    xyz = np.column_stack([z + 1, z + 2, z])
    for options in (
        {"probes": [kind(x=xyz[:, 0], y=xyz[:, 1], z=z)]},
        {"positions": {"LFP": xyz}},
        {"positions": {"LFP": xyz}, "probes": [kind(z=z + 5)]},
    ):
        kernels = KernelSet.from_lfpykernels(H_YX, dt=0.5, **options)
        np.testing.assert_array_equal(kernels["LFP"]["LFP_y"], z + 2)
        np.testing.assert_array_equal(kernels["LFP"]["LFP_z"], z)


def test_slices_of_current_source_density():
    H_YX = {"E:E": {"LaminarCurrentSourceDensity": np.ones((2, 5))}}
    edges = np.array([[-50.0, 50.0], [-150.0, -50.0]])
    kind = type("LaminarCurrentSourceDensity", (FakeProbe,), {})
    kernels = KernelSet.from_lfpykernels(H_YX, dt=0.5, probes=[kind(z=edges)])
    assert kernels.signals == ("CSD",)
    assert kernels["CSD"].attrs["units"] == "nA/µm³"
    np.testing.assert_array_equal(kernels["CSD"]["CSD_z"], [0.0, -100.0])


def test_renamed_and_unknown_probes():
    H_YX = {"E:E": {POTENTIAL: np.ones((2, 5)), "Magnetometer": np.ones((1, 5))}}
    kernels = KernelSet.from_lfpykernels(
        H_YX,
        dt=0.5,
        names={POTENTIAL: "LFP_deep", "Magnetometer": "MEG"},
        units={"MEG": "fT"},
        positions={"LFP_deep": [0.0, 1.0]},
        provenance={"version": "mine"},
    )
    assert kernels.signals == ("LFP_deep", "MEG")
    assert [kernels[s].attrs["units"] for s in kernels.signals] == ["mV", "fT"]
    assert kernels.provenance == {"tool": "LFPykernels", "version": "mine"}


@pytest.mark.parametrize("name", ["L2/3 E", "{{ 1 + 1 }}", "\"; rm -rf '", "Ünïcode", "E_ex,1"])
def test_odd_population_names_are_data(name, tmp_path):
    kernels = KernelSet.from_lfpykernels(dictionary(pathways=[f"{name}:{name}"]), dt=0.5)
    assert kernels.pre == kernels.post == (name,)
    kernels.save(tmp_path / "kernels.nc")
    assert KernelSet.load(tmp_path / "kernels.nc").pre == (name,)


@pytest.mark.parametrize("key", ["EI", "E:I:X", ":I", "E: ", "", ("E", "I"), 3])
def test_keys_that_are_no_pathways(key):
    with pytest.raises(KernelError, match="keys must be pathways 'POST:PRE' such as 'E:I', found"):
        KernelSet.from_lfpykernels({key: {POTENTIAL: np.ones((2, 5))}}, dt=0.5)


def test_names_must_be_printable():
    with pytest.raises(KernelError, match="must be printable text on one line"):
        KernelSet.from_lfpykernels({"E\n:I": {POTENTIAL: np.ones((2, 5))}}, dt=0.5)


@pytest.mark.parametrize(
    ("H_YX", "options", "message"),
    [
        ({}, {}, "no kernels in the dictionary"),
        ({"E:E": {}}, {}, "no probe in pathway 'E:E'"),
        (dictionary(pathways=PATHWAYS[:2] + PATHWAYS[3:]), {}, r"missing .* \['I:E'\]"),
        (
            {"E:E": {POTENTIAL: np.ones((2, 5))}, "E:I": {DIPOLE: np.ones((3, 5))}},
            {},
            "'E:E' has .'GaussCylinderPotential'., 'E:I' has .'KernelApproxCurrentDipoleMoment'.",
        ),
        (
            with_one("I:E", POTENTIAL, np.ones((5, 20))),
            {},
            r"GaussCylinderPotential of pathway 'I:E' has shape \(5, 20\), where 'E:E' says \(4, ",
        ),
        (with_one("I:E", DIPOLE, np.ones((3, 21))), {}, r"'I:E' has shape \(3, 21\), .* \(3, 20\)"),
        (with_one("E:I", POTENTIAL, np.ones(20)), {}, r"shape \(channel, lag\), found \(20,\)"),
        (with_one("E:I", POTENTIAL, np.ones((4, 0))), {}, r"\(channel, lag\), found \(4, 0\)"),
        (with_one("E:I", POTENTIAL, [["a"]]), {}, "of pathway 'E:I' must be real numbers"),
        (
            with_one("E:I", POTENTIAL, np.where(np.arange(80).reshape(4, 20) == 43, np.nan, 1.0)),
            {},
            "of pathway 'E:I' is not finite: nan at channel 2, sample 3",
        ),
        ({"E:E": {POTENTIAL: np.zeros((2, 5))}}, {}, "all kernels are zero"),
        ({"E:E": {"Foo": np.ones((2, 5))}}, {}, r"unknown probe 'Foo': say .* names=\{'Foo'"),
        (
            {"E:E": {"Foo": np.ones((2, 5))}},
            {"names": {"Foo": "LFP"}},
            r"signal 'LFP' of the unknown probe 'Foo' has no unit: add it to units=\{",
        ),
        (
            {"E:E": {POTENTIAL: np.ones((2, 5)), "RecExtElectrode": np.ones((2, 5))}},
            {},
            "GaussCylinderPotential and RecExtElectrode would both become signal 'LFP'",
        ),
        ({"E:E": {DIPOLE: np.ones((1, 5))}}, {}, "must have the 3 channels x, y, z, found 1"),
        (dictionary(), {"names": {"Foo": "X"}}, r"names given for \['Foo'\], but the probes are"),
        (dictionary(), {"names": {POTENTIAL: "time"}}, "must not be named 'time'"),
        (dictionary(), {"units": {"EEG": "mV"}}, "units given for unknown signals"),
        (dictionary(), {"positions": {"LFP": [0.0, 1.0]}}, r"shape \(channel, 3\) = \(4, 3\)"),
        (dictionary(), {"positions": {"LFP": ["a"]}}, "positions of 'LFP' must be real numbers"),
        (dictionary(), {"probes": [FakeProbe()]}, "probe 'FakeProbe' is not among the kernels'"),
        (dictionary(), {"dt": 0.0}, "dt must be a positive number of ms, found 0.0"),
        (dictionary(), {"dt": np.nan}, "dt must be a positive number of ms, found nan"),
    ],
)
def test_bad_dictionaries(H_YX, options, message):
    with pytest.raises(KernelError, match=message):
        KernelSet.from_lfpykernels(H_YX, **{"dt": 0.5, **options})


# ---------------------------------------------------------------------- the real thing
@pytest.fixture(scope="module")
def example():
    """The example's module, as a script beside it imports it."""
    sys.path.insert(0, str(EXAMPLE))
    try:
        import kernels

        mechanisms.load()
        yield kernels
    finally:
        sys.path.remove(str(EXAMPLE))


@pytest.fixture(scope="module")
def computed(example):
    return example.compute_kernels(progress=False)


@pytest.mark.parametrize(("signal", "probe"), [("LFP", POTENTIAL), ("CDM", DIPOLE)])
def test_example_has_the_published_kernels(computed, signal, probe):
    with np.load(ROOT / "tests" / "data" / "hagen2022_kernels.npz") as published:
        for key in PATHWAYS:
            expected = published[f"{key}|{probe}"]
            post, pre = key.split(":")
            found = computed[signal].sel(post=post, pre=pre).values
            assert np.abs(found - expected).max() <= 1e-4 * np.abs(expected).max(), key


def test_computed_kernels_are_labelled(computed):
    assert computed.signals == ("LFP", "CDM")
    assert [computed[s].attrs["units"] for s in computed.signals] == ["mV", "nA µm"]
    assert (computed.post, computed.pre, computed.dt) == (("E", "I"), ("E", "I"), 2**-4)
    assert (computed.first_lag_steps, computed.n_lags) == (1, 800)
    np.testing.assert_array_equal(computed["LFP"]["LFP_z"], np.linspace(1000.0, -200.0, 13))
    np.testing.assert_array_equal(computed["LFP"]["LFP_x"], 0)


def test_kernels_know_the_conductance_that_a_spike_brings(computed):
    """Neurons reached, synapses on each, peak (nS), and integral of two exponentials (ms)."""
    courses = {
        x: quad(lambda t, a=a, b=b: np.exp(-t / b) - np.exp(-t / a), 0, 300)[0]
        / max(np.exp(-t / b) - np.exp(-t / a) for t in np.arange(0, 5, 1e-4))
        for x, a, b in (("E", 0.2, 1.8), ("I", 0.1, 9.0))
    }
    found = computed.dataset["conductance_per_spike"]
    assert found.dims == ("post", "pre")
    assert found.attrs["units"] == "nS ms"
    assert "charge_per_spike" not in computed.dataset.coords
    for (x, y), synapses, peak in (
        (("E", "E"), 8192 * 0.05 * 2, 0.15),
        (("E", "I"), 1024 * 0.05 * 2, 0.12),
        (("I", "E"), 8192 * 0.05 * 5, 4.5),
        (("I", "I"), 1024 * 0.05 * 5, 2.0),
    ):
        # Numbers of synapses on a neuron are truncated, at 1, which adds up to 0.4 %.
        value = float(found.sel(pre=x, post=y))
        assert value == pytest.approx(synapses * peak * courses[x], rel=5e-3)


def test_provenance_is_complete_and_names_no_folder(computed):
    found = computed.provenance
    text = json.dumps(found, allow_nan=False)
    assert str(ROOT) not in text
    assert "0x" not in text
    assert found["tool"] == "LFPykernels"
    assert set(found["versions"]) == {"LFPykernels", "LFPykit", "LFPy", "neuron"}
    assert found["version"][0].isdigit()
    parameters = found["parameters"]
    assert (parameters["dt_ms"], parameters["tau_ms"], parameters["g_eff"]) == (2**-4, 50.0, True)
    assert parameters["populations"]["E"]["nu_X"] == {"E": 2.3, "I": 4.9}
    assert parameters["populations"]["E"]["cellParameters"]["morphology"]["file"] == "E.hoc"
    assert parameters["probes"][POTENTIAL]["sigma_z"] == 75.0


@pytest.mark.parametrize("fir", [True, False])
def test_lfpykernels_own_dictionary_gives_the_computed_kernels(example, computed, fir):
    probes = example.probes()
    approximation = example.approximation("I")
    H_YX = {
        f"I:{pre}": approximation.get_kernel(
            probes, X=pre, dt=2**-4, t_X=200, tau=50, Vrest=-65, fir=fir
        )
        for pre in ("E", "I")
    }
    kernels = KernelSet.from_lfpykernels(H_YX, dt=2**-4, probes=probes)
    found = computed.select(post=["I"])
    for signal in kernels.signals:  # LFPykernels integrates numerically, to 1e-8
        largest = np.abs(kernels[signal]).max()
        np.testing.assert_allclose(found[signal], kernels[signal], rtol=0, atol=1e-8 * largest)
        labels = found[signal].drop_vars("conductance_per_spike").coords
        assert labels.equals(kernels[signal].coords)


def test_computed_current_source_density(example):
    """LFPykit's slices as a probe: currents add up to none, their moment is the dipole moment."""
    import lfpykit

    edges = np.arange(-800.0, 1800.0, 100.0)
    length = np.diff(edges)
    stick = lfpykit.CellGeometry(
        x=np.zeros((1, 2)), y=np.zeros((1, 2)), z=np.array([[0.0, 1e4]]), d=np.ones(1)
    )
    slices = lfpykit.LaminarCurrentSourceDensity(
        stick, z=np.stack([edges[:-1], edges[1:]], axis=1), r=np.full(length.size, 1000.0)
    )
    kernels = source.compute(
        [example.approximation("I")],
        [slices, example.probes()[1]],
        dt=2**-3,
        t_X=50,
        tau=20,
        depths=1,
        progress=False,
    )
    assert kernels["CSD"].attrs["units"] == "nA/µm³"
    middles = kernels["CSD"]["CSD_z"].values
    np.testing.assert_array_equal(middles, edges[:-1] + 50)
    for pre in ("E", "I"):
        density = kernels["CSD"].sel(post="I", pre=pre).values
        currents = density * (np.pi * 1000.0**2 * length)[:, None]  # nA
        moment = kernels["CDM"].sel(post="I", pre=pre, CDM_channel="z").values  # nA µm
        assert np.abs(currents.sum(axis=0)).max() < 1e-9 * np.abs(currents).sum(axis=0).max()
        assert np.abs(middles @ currents - moment).max() < 0.1 * np.abs(moment).max()


def test_computing_leaves_its_arguments_as_they_are(example, capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    approximation, probes = example.approximation("I"), example.probes()[1:]
    before = dict(vars(approximation))
    sizes = copy.deepcopy([approximation.N_X, approximation.C_YX])
    kernels = source.compute(
        [approximation],
        probes,
        dt=2**-3,
        t_X=50,
        tau=20,
        depths=2,
        names={DIPOLE: "P"},
        progress=True,
    )
    assert kernels.signals == ("P",)
    assert kernels.post == ("I",)
    assert kernels.n_lags == 160
    assert probes[0].cell is None
    assert vars(approximation) == before
    np.testing.assert_array_equal([approximation.N_X, approximation.C_YX], sizes)
    assert "kernels: 100%" in capsys.readouterr().err


def test_kernels_averaged_over_depths_of_the_cells(example):
    """Against cells at 81 depths, each seen by discs that are not blurred, as a plain sum."""
    approximation, probes = example.approximation("I"), example.probes()
    options = {"dt": 2**-3, "t_X": 20, "tau": 20, "progress": False}
    found = source.compute([approximation], probes, depths=9, **options)
    assert found.provenance["parameters"]["depths"] == 9
    assert (probes[0].sigma_z, approximation.populationParameters["scale"]) == (75.0, 75.0)
    places = np.linspace(-5.0, 5.0, 81)  # standard deviations
    shares = np.exp(-(places**2) / 2)
    expected = {signal: 0.0 for signal in found.signals}
    for place, share in zip(places, shares / shares.sum(), strict=True):
        approximation.populationParameters = {"radius": 150.0, "loc": 75.0 * place, "scale": 0.0}
        at = source.compute([approximation], probes, **options)  # nothing to average
        for signal in at.signals:
            expected[signal] = expected[signal] + share * at[signal]
    for signal, below in (("LFP", 5e-3), ("CDM", 1e-4)):
        largest = np.abs(expected[signal]).max(["post", f"{signal}_channel", "lag"])
        off = np.abs(found[signal] - expected[signal]).max(["post", f"{signal}_channel", "lag"])
        assert (off < below * largest).all(), signal


def test_few_depths_are_enough(example):
    approximations = [example.approximation("E"), example.approximation("I")]
    options = {"dt": 2**-3, "t_X": 20, "tau": 20, "progress": False}
    few, many = (
        source.compute(approximations, example.probes(), depths=n, **options) for n in (9, 25)
    )
    largest = np.abs(many["LFP"]).max(["LFP_channel", "lag"])
    assert (np.abs(few["LFP"] - many["LFP"]).max(["LFP_channel", "lag"]) < 3e-4 * largest).all()


def test_cells_that_no_synapse_can_be_on(example):
    """Synapses within 20 µm around the soma, of cells that stand up to 480 µm away."""
    given = example.approximation("I")
    narrow = {"section": "soma", "fun": ["uniform"], "funargs": [{"loc": -20.0, "scale": 40.0}],
              "funweights": [1.0]}  # fmt: skip
    given.synapsePositionArguments = [narrow] * 2
    options = {"dt": 2**-3, "t_X": 20, "tau": 20, "g_eff": False, "progress": False}
    with pytest.raises(
        KernelError, match=r"no finite kernel for E -> I with the soma at .* µm: mos"
    ):
        source.compute([given], example.probes(), **options)
    given.populationParameters = {**given.populationParameters, "scale": 4.0}
    found = source.compute([given], example.probes(), **options)
    assert np.isfinite(found["LFP"]).all()
    given.populationParameters = {**given.populationParameters, "scale": 1.0}
    near = source.compute([given], example.probes(), **options)
    dipole = [float(np.abs(k["CDM"].sel(pre="E")).max()) for k in (found, near)]
    assert dipole[0] == pytest.approx(dipole[1], rel=0.02)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dt": 0.1}, r"power of two, found 0.1 ms, .* at 0.0625 ms and resample\(0.1\)"),
        ({"dt": -1.0}, "dt must be a positive number of ms"),
        ({"tau": 50.01}, "tau must be whole multiples of dt = 0.0625 ms, found 50.01 ms"),
        ({"tau": 0.0}, "tau must be at least dt"),
        ({"t_X": 20.0}, "t_X = 20 ms must not be less than tau = 50 ms"),
        ({"Vrest": {"I": -65.0}}, "Vrest has no potential for population 'E'"),
        ({"names": {"Foo": "LFP"}}, r"names given for \['Foo'\]"),
        ({"depths": 0}, "depths must be an integer of at least 1, or 'LFPykernels', found 0"),
        ({"depths": 2.5}, r"depths must be an integer of at least 1, .* found 2\.5"),
        ({"depths": "one"}, "depths must be an integer of at least 1, .* found 'one'"),
    ],
)
def test_bad_options_of_compute(example, options, message):
    with pytest.raises(KernelError, match=message):
        source.compute(
            {"E": example.approximation("E")}, example.probes(), progress=False, **options
        )


def test_bad_approximations_and_probes(example):
    E, I = example.approximation("E"), example.approximation("I")  # noqa: E741
    probes = example.probes()

    def message(approximations, probes=probes):
        with pytest.raises(KernelError) as caught:
            source.compute(approximations, probes, progress=False)
        return str(caught.value)

    assert "no approximations" in message([])
    assert "must differ from each other, found ['E', 'E']" in message([E, E])
    assert "approximation of 'E' must be a lfpykernels.KernelApprox, found int" in message({"E": 1})
    assert "each of another class, found []" in message([E], [])
    assert "each of another class, found ['Gauss" in message([E], probes[:1] * 2)
    assert "unknown probe 'FakeProbe'" in message([E], [FakeProbe()])

    E_alone = copy.copy(E)
    E_alone.X = ["E"]
    assert "missing for the pathways POST:PRE ['E:I']" in message([I, E_alone])

    no_twin = copy.deepcopy(E)
    no_twin.synapseParameters[1]["syntype"] = "AlphaSynapse"
    found = message([no_twin])
    assert "NEURON has no mechanism 'AlphaSynapseI'" in found
    assert "nestlfp.sources.mechanisms.load()" in found

    broken = copy.deepcopy(E)
    broken.cellParameters["morphology"] = "nowhere.hoc"
    assert "LFPykernels failed for E -> E: non-existent file nowhere.hoc" in message([broken])


def without_template(approximation, morphology):
    changed = copy.deepcopy(approximation)
    for key in ("templatefile", "templatename"):
        del changed.cellParameters[key]
    changed.cellParameters["morphology"] = morphology
    return changed


@pytest.mark.parametrize("kind", [str, Path])
def test_a_bare_morphology_needs_no_template(example, tmp_path, kind):
    """As with a template that has the sections of this morphology, and no others."""
    morphology = tmp_path / "cell.swc"
    morphology.write_text(  # a soma and an apical dendrite along z
        "1 1 0 0 -10 10 -1\n2 1 0 0 0 10 1\n3 1 0 0 10 10 2\n4 4 0 0 60 1.5 3\n5 4 0 0 900 1.0 4\n"
    )
    bare = without_template(example.approximation("E"), kind(morphology))
    written = without_template(example.approximation("E"), str(morphology))
    template = tmp_path / "template.hoc"
    template.write_text(
        "begintemplate ByHand\npublic soma, apic, all, somatic, basal, apical, axonal\n"
        "objref all, somatic, basal, apical, axonal\ncreate soma[1], apic[1]\n"
        "proc init() { all = new SectionList() somatic = new SectionList() "
        "basal = new SectionList() apical = new SectionList() axonal = new SectionList() }\n"
        "endtemplate ByHand\n"
    )
    written.cellParameters |= {"templatefile": str(template), "templatename": "ByHand"}
    how = {"dt": 2**-3, "t_X": 20, "tau": 20, "depths": 1, "progress": False}
    found, expected = (source.compute([each], example.probes(), **how) for each in (bare, written))
    assert np.abs(expected["LFP"]).max() > 0
    np.testing.assert_allclose(found["LFP"], expected["LFP"], rtol=1e-9, atol=1e-15)
    area = layers.membrane_areas(bare.cellParameters, {"all": (-200.0, 1000.0)}, depth=0.0)
    other = layers.membrane_areas(written.cellParameters, {"all": (-200.0, 1000.0)}, depth=0.0)
    assert area == other
    assert "templatefile" not in bare.cellParameters


def test_a_morphology_that_needs_a_template(example):
    approximation = without_template(example.approximation("E"), "cells/E.hoc")
    with pytest.raises(KernelError, match=r"cell of 'E' .*E\.hoc', but no template.*templatename"):
        source.compute([approximation], example.probes(), progress=False)


def test_layouts_of_electrodes_are_no_models(example):
    probeinterface = pytest.importorskip("probeinterface")
    layout = probeinterface.generate_linear_probe(4, 100.0)
    group = probeinterface.ProbeGroup()
    group.add_probe(layout)
    for given in (layout, group):
        with pytest.raises(KernelError, match=r"Probe.* says where .*contact_positions\(probe\)"):
            source.compute([example.approximation("E")], [given], progress=False)


def test_contacts_in_mm_are_told_before_cells_are_computed(example):
    import lfpykernels

    probe = lfpykernels.GaussCylinderPotential(
        None, z=np.linspace(1.0, -0.2, 5), sigma=0.3, R=150.0, sigma_z=75.0
    )
    with pytest.raises(KernelError, match="look like millimetres: none exceeds 1 "):
        source.compute([example.approximation("E")], [probe], progress=True)


def test_missing_package_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "lfpykernels", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'nestlfp\[lfpykernels\]'"):
        source.compute({}, [])


def test_why_dt_must_be_a_power_of_two(example):
    """LFPykernels' grid of delays must have a sample at 0; if this fails, the rule can go."""
    approximation = example.approximation("E")
    assert approximation.get_delay("E", 2**-4, 50.0).size == 1601
    assert approximation.get_delay("E", 0.1, 50.0).size == 1000
