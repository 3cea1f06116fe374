"""Intervals of samples, the low-pass filter that goes with them, and the warning without it."""

import warnings

import numpy as np
import pytest
from scipy.signal import decimate

import nestlfp
from nestlfp.filters.coefficients import Coefficients
from networks import exponential_kernels, installed, replayed, reset, streamed_network

KERNELS = exponential_kernels()


def recorded(nest, interval, **options):
    recorder, _ = streamed_network(nest, interval=interval, **options)
    nestlfp.simulate(200.0, progress=False)
    return recorder.signals()


@pytest.mark.filterwarnings("ignore:samples every")
@pytest.mark.parametrize("interval", [0.3, 1.0, 1.7])
def test_interval_is_any_multiple_of_the_resolution(nest, interval):
    every = round(interval / 0.1)
    full, sparse = recorded(nest, 0.1), recorded(nest, interval)
    np.testing.assert_allclose(sparse["time"], full["time"][every - 1 :: every], rtol=1e-12)
    np.testing.assert_array_equal(sparse["LFP"], full["LFP"][:, every - 1 :: every])


def test_antialiased_signal_is_the_decimated_one(nest):
    full = recorded(nest, 0.1)
    low = recorded(nest, None, interval_of_bank=1.0)
    # Sample 0 is at time 0, before the first one that is recorded.
    rate = np.pad(full["LFP"].values, ((0, 0), (1, 0)))
    expected = decimate(rate, 10, ftype="fir", zero_phase=True)[:, 1:]
    n = low.sizes["time"]
    np.testing.assert_array_equal(low["time"], np.arange(1.0, n + 1))
    assert 180 < n <= 190
    error = np.abs(low["LFP"].values - expected[:, :n])[:, 10:-10].max()
    assert error <= 1e-12 * np.abs(expected).max()


def test_lowpass_filters_the_kernels_in_place():
    low = KERNELS.lowpass(1.0)
    assert low.first_lag_steps == KERNELS.first_lag_steps - 100
    assert low.n_lags == KERNELS.n_lags + 200
    # What lasts is kept: the filter's gain at frequency 0 is 1.
    np.testing.assert_allclose(low["LFP"].sum("lag"), KERNELS["LFP"].sum("lag"), rtol=1e-12)
    spikes = {"E": [20.0, 31.7], "I": [22.2]}
    full = KERNELS.convolve(spikes, 60.0)["LFP"].values
    expected = decimate(np.pad(full, ((0, 0), (1, 0))), 10, ftype="fir", zero_phase=True)
    found = low.convolve(spikes, 60.0)["LFP"].values[:, 9::10]
    np.testing.assert_allclose(found, expected[:, 1:], atol=1e-12 * np.abs(expected).max())
    assert KERNELS.lowpass(0.1) is KERNELS
    for interval in (0.25, 0.0, -1.0, float("nan")):
        with pytest.raises(nestlfp.KernelError, match="interval must be"):
            KERNELS.lowpass(interval)


def test_interval_of_the_bank(nest):
    with pytest.raises(nestlfp.KernelError, match="needs to know the interval"):
        nestlfp.FilterBank(KERNELS, antialias=True)
    reset(nest)
    banks = [
        installed(KERNELS, interval=0.5),
        installed(KERNELS, interval=1.0, antialias=True),
    ]
    populations = {"E": replayed(nest, [[2.0]]), "I": None}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert nestlfp.FieldRecorder(banks[0], populations).interval == 0.5
        assert nestlfp.FieldRecorder(banks[0], populations, interval=0.2).interval == 0.2
    with pytest.raises(nestlfp.NetworkError, match=r"interval of 1 ms, found 0.5 ms: FilterBank"):
        nestlfp.FieldRecorder(banks[1], populations, interval=0.5)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # filtered, so nothing to warn of
        assert nestlfp.FieldRecorder(banks[1], populations).interval == 1.0


def test_warning_of_aliasing(nest, hagen):
    reset(nest)
    bank = installed(KERNELS)
    populations = {"E": replayed(nest, [[2.0]]), "I": None}
    with pytest.warns(UserWarning, match="samples every 1 ms") as told:
        nestlfp.FieldRecorder(bank, populations, interval=1.0)
    (warning,) = told
    assert "faster than 500 Hz, where a kernel of 'E' has 27 % of the" in str(warning.message)
    assert "FieldRecorder(..., interval=1, antialias=True)" in str(warning.message)
    assert warning.filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        nestlfp.FieldRecorder(bank, populations, interval=0.1)


def two_signals(sizes):
    """A fast signal and a slow one, each of this size in one channel: 0.9 and 0.1 kHz."""
    t = np.arange(2000) * 0.1
    fast, slow = (np.sin(2 * np.pi * khz * t) * np.hanning(2000) for khz in (0.9, 0.1))
    return nestlfp.KernelSet.from_arrays(
        {"LFP": sizes[0] * fast[None, None, None], "CDM": sizes[1] * slow[None, None, None]},
        pre=["E"],
        post=["E"],
        dt=0.1,
        units={"LFP": "mV", "CDM": "nA µm"},
    )


@pytest.mark.parametrize("sizes", [(1.0, 1.0), (1e-6, 1e6), (1e6, 1e-6)])
def test_each_channel_has_a_measure_of_its_own(nest, sizes):
    """Signals have other units: how large the numbers of another channel are says nothing."""
    kernels = two_signals(sizes)
    np.testing.assert_allclose(Coefficients(kernels).energy_above_nyquist(10), 1.0, atol=1e-6)
    slow = kernels.select(signals=["CDM"])
    np.testing.assert_allclose(Coefficients(slow).energy_above_nyquist(10), 0.0, atol=1e-6)
    reset(nest)
    bank = installed(kernels)
    with pytest.warns(UserWarning, match="a kernel of 'E' has 1e\\+02 % of the energy"):
        nestlfp.FieldRecorder(bank, {"E": replayed(nest, [[2.0]])}, interval=1.0)


def test_energy_above_the_nyquist_frequency(hagen):
    t = np.arange(2000) * 0.1
    waves = np.sin(2 * np.pi * np.array([[0.1], [0.9]]) * t) * np.hanning(2000)  # kHz
    kernels = nestlfp.KernelSet.from_arrays(
        {"LFP": waves[None, :, None]}, pre=["slow", "fast"], post=["p"], dt=0.1, units={"LFP": "mV"}
    )
    shares = Coefficients(kernels).energy_above_nyquist(10)  # 0.5 kHz
    np.testing.assert_allclose(shares, [0.0, 1.0], atol=1e-6)
    assert Coefficients(hagen).energy_above_nyquist(1).max() == 0
    waves[1] *= 1e-3  # fast, but nothing beside the other
    faint = nestlfp.KernelSet.from_arrays(
        {"LFP": waves[None, :, None]}, pre=["slow", "fast"], post=["p"], dt=0.1, units={"LFP": "mV"}
    )
    np.testing.assert_allclose(Coefficients(faint).energy_above_nyquist(10), 0, atol=2e-6)
