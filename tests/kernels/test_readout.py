"""A readout's kernels: SciPy's filter of the weighted sum, cut where it says."""

import numpy as np
import pytest
from scipy.signal import butter, sosfilt

import nestlfp
from networks import exponential_kernels

BANDS = {"bandpass": (13.0, 30.0), "lowpass": (None, 100.0), "highpass": (5.0, None)}


@pytest.mark.parametrize("kind", BANDS)
@pytest.mark.parametrize("order", [1, 2, 4])
def test_filtered_signal(kind, order):
    kernels = exponential_kernels()
    rng = np.random.default_rng(1)
    spikes = {name: np.sort(rng.integers(1, 3000, 200)) * 0.1 for name in ("E", "I")}
    lfp = kernels.convolve(spikes, 400.0)["LFP"].values
    edges = [edge for edge in BANDS[kind] if edge is not None]
    sos = butter(order, edges if len(edges) > 1 else edges[0], kind, output="sos", fs=10_000.0)
    expected = sosfilt(sos, 2 * lfp[0] - lfp[1])
    readout = kernels.readout({"LFP": {0: 2.0, 1: -1.0}}, band=BANDS[kind], order=order)
    found = readout.convolve(spikes, 400.0)["readout"].values.squeeze()
    assert np.abs(found - expected).max() <= 1e-9 * np.abs(expected).max()
    assert readout["readout"].attrs["units"] == "mV"
    assert readout.first_lag_steps == kernels.first_lag_steps  # causal: leading zeros stay


@pytest.mark.parametrize("cut", [1e-3, 1e-9])
def test_cut(cut):
    kernels = exponential_kernels()
    readout = kernels.readout({"LFP": 0}, band=(13, 30), cut=cut)
    longer = kernels.readout({"LFP": 0}, band=(13, 30), cut=cut * 1e-4)
    whole = longer["readout"].values
    left = np.abs(whole[..., readout.n_lags :]).sum(axis=-1).max() / np.abs(whole).max()
    told = readout.provenance["readout"]["cut_off"]
    assert left == pytest.approx(told, rel=1e-3)
    assert left <= cut
    # One lag less would have left too much.
    assert np.abs(whole[..., readout.n_lags - 1 :]).sum(axis=-1).max() > cut * np.abs(whole).max()


def test_sum_of_signals_without_filter():
    kernels = exponential_kernels(signals=("LFP", "other"))
    readout = kernels.readout({"LFP": {1: 0.5}, "other": 0}, name="mine")
    expected = 0.5 * kernels["LFP"].values[:, :, 1] + kernels["other"].values[:, :, 0]
    np.testing.assert_array_equal(readout["mine"].values[:, :, 0], expected)
    assert readout.dt == kernels.dt


@pytest.mark.parametrize(
    ("match", "weights", "options"),
    [
        ("no channel 7", {"LFP": {7: 1.0}}, {}),
        ("'CDM'.* not among", {"CDM": 0}, {}),
        ("weights must name signals", {}, {}),
        ("weights must name signals", "LFP", {}),
        ("weights must be finite", {"LFP": {0: np.inf}}, {}),
        ("kernels are all zero", {"LFP": {0: 0.0}}, {}),
        ("Nyquist frequency of 5000 Hz, found", {"LFP": 0}, {"band": (13, 6000)}),
        ("from a lower to a higher frequency", {"LFP": 0}, {"band": (30, 13)}),
        ("band must be two frequencies", {"LFP": 0}, {"band": 30}),
        ("band must be two frequencies", {"LFP": 0}, {"band": (None, None)}),
        ("the band must lie between", {"LFP": 0}, {"band": (0, 30)}),
        ("order must be", {"LFP": 0}, {"band": (13, 30), "order": 0}),
        ("cut must be a positive number", {"LFP": 0}, {"band": (13, 30), "cut": 0}),
        ("more than 1000000 lags", {"LFP": 0}, {"band": (1e-3, 2e-3)}),
        ("name of a signal", {"LFP": 0}, {"name": "my readout"}),
    ],
)
def test_bad_input(match, weights, options):
    with pytest.raises(nestlfp.KernelError, match=match):
        exponential_kernels().readout(weights, **options)


def test_units_that_differ():
    kernels = exponential_kernels(signals=("LFP", "CDM"))
    dataset = kernels.dataset.copy()
    dataset["CDM"] = dataset["CDM"].assign_attrs(units="nA µm")
    with pytest.raises(nestlfp.KernelError, match="must have one unit, found mV, nA µm"):
        nestlfp.KernelSet(dataset).readout({"LFP": 0, "CDM": 0})


def test_poisson_moments():
    """Against long Poisson trains."""
    kernels = exponential_kernels()
    rng = np.random.default_rng(3)
    n = 200_000
    spikes, rates = {}, {"E": 4000.0, "I": 1500.0}
    for name, rate in rates.items():
        counts = rng.poisson(rate * 1e-4, n)
        spikes[name] = np.repeat(np.arange(1, n + 1), counts) * 0.1
    signal = kernels.convolve(spikes, n * 0.1)["LFP"].values[:, 100:]
    found = kernels.poisson(rates)["LFP"]
    np.testing.assert_allclose(found.sel(moment="sd"), signal.std(axis=1), rtol=0.02)
    scale = signal.std(axis=1).max()
    np.testing.assert_allclose(found.sel(moment="mean"), signal.mean(axis=1), atol=0.05 * scale)
    assert found.attrs["units"] == "mV"


@pytest.mark.parametrize(
    ("match", "rates"),
    [("rates must be a dict", 5.0), ("not among", {"X": 1.0}), ("number of spikes", {"E": -1.0})],
)
def test_bad_rates(match, rates):
    with pytest.raises(nestlfp.KernelError, match=match):
        exponential_kernels().poisson(rates)
