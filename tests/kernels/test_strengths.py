"""What a spike brings goes with its kernels through every verb, and into no signal."""

import numpy as np
import pytest
import xarray as xr
from scipy import sparse

from nestlfp import FilterBank, KernelSet, NeuronKernels
from nestlfp.kernels.strengths import CHARGE, CONDUCTANCE, UNITS, strengths, with_strengths

DT = 0.1
CHARGES = {("E", "E"): 200.0, ("E", "I"): 50.0, ("I", "E"): -400.0, ("I", "I"): 0.0}
CONDUCTANCES = {("E", "I"): 7.0}


def plain():
    values = np.random.default_rng(1).normal(size=(2, 2, 3, 12))
    return KernelSet.from_arrays(
        {"LFP": values, "CDM": values},
        pre=["E", "I"], post=["E", "I"], dt=DT, units={"LFP": "mV", "CDM": "nA µm"},
        channels={"CDM": ["x", "y", "z"]}, positions={"LFP": np.arange(9.0).reshape(3, 3) * 100.0},
    )  # fmt: skip


def knowing():
    return KernelSet(with_strengths(plain().dataset, CHARGES, CONDUCTANCES))


def known(kernels):
    dataset = kernels.modes.dataset if isinstance(kernels, NeuronKernels) else kernels.dataset
    for name, unit in UNITS.items():
        if name in dataset.coords:
            assert dataset[name].attrs == {"units": unit}
    return strengths(dataset, CHARGE), strengths(dataset, CONDUCTANCE)


def head():
    from lfpykit.eegmegcalc import FourSphereVolumeConductor

    return FourSphereVolumeConductor(np.array([[0.0, 0.0, 90000.0]]))


KEPT = {
    "selected": lambda k: k.select(signals="LFP"),
    "resampled": lambda k: k.resample(0.05),
    "low-passed": lambda k: k.lowpass(0.5),
    "running mean": lambda k: k.lowpass(0.3, method="mean"),
    "readout": lambda k: k.readout({"LFP": {0: 2.0, 1: -1.0}}),
    "band": lambda k: k.readout({"LFP": 0}, band=(50, 400), order=1),
    "EEG": lambda k: k.project(head(), dipole_positions=[0.0, 0.0, 78000.0], axes="outward"),
}


@pytest.mark.parametrize("verb", KEPT)
def test_kept_where_kernels_are_of_the_same_spike(verb):
    assert known(KEPT[verb](knowing())) == (CHARGES, CONDUCTANCES)
    assert known(KEPT[verb](plain())) == ({}, {})


@pytest.mark.parametrize("verb", KEPT)
def test_kept_by_neurons_too(verb):
    kernels = NeuronKernels(knowing(), {"E": ["E"], "I": ["I"]})
    assert known(KEPT[verb](kernels)) == (CHARGES, CONDUCTANCES)


def test_part_of_the_populations():
    part = knowing().select(pre="I", post=["I", "E"])
    assert known(part) == ({("I", "E"): -400.0, ("I", "I"): 0.0}, {})


def test_scaled_as_kernels_are():
    twice = knowing().scale({"E": 2.0, ("E", "I"): 3.0})
    expected = {**CHARGES, ("E", "E"): 400.0, ("E", "I"): 300.0}
    assert known(twice) == (expected, {("E", "I"): 42.0})
    neurons = NeuronKernels(knowing(), {"E": ["E"], "I": ["I"]})
    assert known(neurons.scale({"E": 2.0, ("E", "I"): 3.0})) == known(twice)


def test_not_known_of_all_postsynaptic_populations_together():
    assert known(knowing().total()) == ({}, {})
    assert not set(UNITS) & set(knowing().total().dataset.variables)


def test_a_mode_for_each_pathway():
    pathways = NeuronKernels.by_pathway(knowing(), "E")
    charges, conductances = known(pathways)
    assert charges == {
        ("E/E", "E"): 200.0, ("E/E", "I"): 0.0, ("E/I", "E"): 0.0, ("E/I", "I"): 50.0,
        ("I", "E"): -400.0, ("I", "I"): 0.0,
    }  # fmt: skip
    assert conductances == {("E/E", "I"): 0.0, ("E/I", "E"): 0.0, ("E/I", "I"): 7.0}
    assert known(pathways.mean()) == (CHARGES, CONDUCTANCES)
    weights = {"E": sparse.csr_array(np.array([[1.0, 3.0], [2.0, 0.0]]))}
    weighted = NeuronKernels(pathways.modes, pathways.populations, weights).mean()
    expected = {**CHARGES, ("E", "E"): 300.0, ("E", "I"): 75.0}
    assert known(weighted) == (expected, {("E", "I"): 10.5})


def test_beside_kernels_that_know_nothing():
    other = KernelSet(plain().dataset.assign_coords(pre=["A", "B"]))
    neurons = NeuronKernels(other, {"A": ["A"], "B": ["B"]})
    assert known(neurons.join(knowing())) == (CHARGES, CONDUCTANCES)
    joined = NeuronKernels(knowing(), {"E": ["E"], "I": ["I"]}).join(other)
    assert known(joined) == known(joined.mean()) == (CHARGES, CONDUCTANCES)


def test_files(tmp_path):
    knowing().save(tmp_path / "kernels.nc")
    assert KernelSet.load(tmp_path / "kernels.nc").dataset.identical(knowing().dataset)
    neurons = NeuronKernels.by_pathway(knowing())
    neurons.save(tmp_path / "neurons.nc")
    assert known(NeuronKernels.load(tmp_path / "neurons.nc")) == known(neurons)


def test_signals_are_the_same_without():
    assert knowing().fingerprint == plain().fingerprint
    assert repr(knowing()) == repr(plain())
    spikes, rates = {"E": [0.3], "I": [0.7]}, {"E": 8.0, "I": 4.0}
    for by in ((), "post", ("pre", "post")):
        asked, expected = (k.convolve(spikes, 5.0, by=by) for k in (knowing(), plain()))
        assert asked.identical(expected)
        banks = [FilterBank(k, by=by) for k in (knowing(), plain())]
        outputs = np.ones((banks[0].filter.n_outputs, 2)), np.array([1.0, 2.0])
        xr.testing.assert_identical(*(bank.labelled(*outputs) for bank in banks))
        xr.testing.assert_identical(*(bank.error for bank in banks))
    assert knowing().poisson(rates).identical(plain().poisson(rates))
    pathways = [NeuronKernels.by_pathway(k) for k in (knowing(), plain())]
    assert pathways[0].fingerprint == pathways[1].fingerprint
    spikes = {"E": ([0.3], [2])}
    weights = {x: np.ones((4, 2)) for x in "EI"}
    known_weights = [NeuronKernels(k.modes, k.populations, weights) for k in pathways]
    xr.testing.assert_identical(*(k.convolve(spikes, 5.0, by="pre") for k in known_weights))
    xr.testing.assert_identical(*(k.single("E") for k in known_weights))
