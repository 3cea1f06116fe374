"""Power by time and frequency."""

import numpy as np
import pytest
import scipy.signal
import xarray as xr
from drawn import RNG, dataset
from matplotlib.collections import QuadMesh

from nestlfp import plotting
from nestlfp.errors import SignalError
from nestlfp.signals import spectrogram, spectrum


def changing():
    """20 Hz in the first second, 80 Hz in the second; the second channel has twice as much."""
    t = np.arange(1.0, 2001.0)
    wave = np.sin(2e-3 * np.pi * np.where(t <= 1000, 20.0, 80.0) * t)
    return dataset(np.outer([1.0, 2.0], wave) + 1e-3 * RNG.normal(size=(2, 2000)), dt=1.0)


def test_its_mean_over_time_is_the_spectrum():
    signals = dataset(RNG.normal(size=(2, 1000)), dt=1.0)
    options = {"segment": 100.0, "overlap": 0.5, "detrend": "linear", "start": 101.0}
    found = spectrogram(signals, **options)["LFP"]
    np.testing.assert_allclose(found.mean("time"), spectrum(signals, **options)["LFP"])
    assert found.attrs["units"] == "mV²/Hz"


def test_power_is_at_its_time():
    """By hand: the spectrum of one segment alone."""
    signals = changing()
    found = spectrogram(signals["LFP"], segment=200.0, overlap=0.75)
    assert found["time"].values[:2].tolist() == [100.5, 150.5]
    piece = signals["LFP"].values[:, 50:250]
    frequency, density = scipy.signal.welch(piece, 1000.0, "hann", 200)
    np.testing.assert_allclose(found.isel(time=1), density)
    np.testing.assert_allclose(found["frequency"], frequency)


def drawn(ax):
    (image,) = [one for one in ax.collections if isinstance(one, QuadMesh)]
    return image


def test_the_figure_shows_it():
    signals = changing()
    ax, bar = plotting.spectrogram(signals, highest=150.0).axes
    expected = spectrogram(signals)["LFP"].mean("LFP_channel").sel(frequency=slice(1, 150))
    np.testing.assert_allclose(drawn(ax).get_array(), expected)
    assert ax.get_title(loc="left") == "LFP, mean over channels"
    assert bar.get_ylabel() == "power (mV²/Hz)"
    assert bar._colorbar.extend == "min"
    low, high = drawn(ax).get_clim()
    assert high == pytest.approx(float(expected.max()))
    assert high / low == pytest.approx(1000)
    ax = plotting.spectrogram(signals, channel="c1").axes[0]
    assert ax.get_title(loc="left") == "LFP, channel c1"
    one = spectrogram(signals)["LFP"].sel(LFP_channel="c1").isel(frequency=slice(1, None))
    np.testing.assert_allclose(drawn(ax).get_array(), one)


def test_contributions_are_added_before_the_power():
    one = changing()
    both = xr.concat([one, -one], "pre", coords="minimal", compat="equals")
    both["LFP"].attrs["units"] = "mV"
    both = both.assign_coords(pre=["E", "I"])
    ax = plotting.spectrogram(both).axes[0]  # they cancel
    assert not drawn(ax).get_array().any()


def test_what_has_no_spectrogram():
    for match, options in (
        ("shorter than a segment", {"segment": 5000.0}),
        (r"channel must be one of \['c0', 'c1'\], of one signal, found 'c7'", {"channel": "c7"}),
        ("no frequency up to 3 Hz: frequencies are 5 Hz apart", {"highest": 3.0}),
        ("not among", {"signals": "EEG"}),
    ):
        with pytest.raises(SignalError, match=match):
            plotting.spectrogram(changing(), **options)
