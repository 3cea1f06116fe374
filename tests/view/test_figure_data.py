"""What figures show, against independent calculations."""

import numpy as np
import pytest
from scipy.signal import welch
from served import noise

from nestlfp.errors import SignalError
from nestlfp.plotting.reduction import MAX_TRACES
from nestlfp.view.figure_data import Signal, dipole_moment, rates, rounded_up
from nestlfp.view.panel import window_of
from nestlfp.view.window import Binned


def binned(values, x=None):
    """Bins of a sample each."""
    x = np.arange(values.shape[1], dtype=float) if x is None else x
    return Binned(x, values, values, values)


# ---------------------------------------------------------------------- current source density
def test_rows_of_the_csd():
    """Beside the contact that they belong to, whatever the order of channels."""
    signals = noise(20)
    signal = Signal(signals, "LFP", 0.3)
    values = signals["LFP"].values
    image = signal.csd(binned(signal.with_csd(values)))
    z = signals["LFP_z"].values
    for label, row in zip(image.labels, image.values, strict=True):
        (i,) = np.flatnonzero(z == float(label))
        # Channels go down: those before and after are 100 µm above and below.
        expected = -0.3 * (values[i - 1] - 2 * values[i] + values[i + 1]) / 100**2 * 1e6
        np.testing.assert_allclose(row, expected - expected.mean(), rtol=1e-9, atol=1e-12)
    assert image.labels == ["100", "200", "300"]
    assert image.limit >= np.abs(image.values).max()


# ---------------------------------------------------------------------- traces and images
def test_traces_are_by_depth_and_about_their_mean():
    signals = noise(50)
    signal = Signal(signals, "LFP", 0.3)
    values = signals["LFP"].values + np.arange(5)[:, None]
    shown = signal.traces(binned(values), signal.chosen([]))
    assert shown.labels == ["0", "100", "200", "300", "400"]
    expected = (values - values.mean(axis=1, keepdims=True))[::-1]  # the lowest first
    np.testing.assert_allclose(shown.values, expected, atol=1e-12)
    assert 0.8 * np.ptp(expected, axis=1).max() <= shown.spacing <= 1.6 * np.ptp(expected)
    image = signal.image(binned(values), signal.chosen([]))
    np.testing.assert_allclose(image.values, expected, atol=1e-12)


def test_channels_that_are_chosen():
    signal = Signal(noise(5), "LFP", 0.3)
    assert signal.names == ["400 µm", "300 µm", "200 µm", "100 µm", "0 µm"]
    assert list(signal.chosen(["300 µm", "0 µm"])) == [4, 1]
    assert list(signal.chosen(["of another store"])) == [4, 3, 2, 1, 0]
    assert signal.traces(binned(np.zeros((5, 4))), signal.chosen(["300 µm"])).labels == ["300"]


def test_many_channels():
    signals = noise(5, channels=100)
    signal = Signal(signals, "LFP", 0.3)
    values = binned(signals["LFP"].values)
    assert len(signal.traces(values, signal.chosen([])).values) == MAX_TRACES
    assert len(signal.image(values, signal.chosen([])).values) == 100


def test_bins_are_drawn_with_their_extremes():
    signal = Signal(noise(5, channels=1), "LFP", 0.3)
    x, low, high = np.array([1.0, 2.0]), np.array([[-3.0, -1.0]]), np.array([[1.0, 5.0]])
    shown = Binned(x, low, high, np.zeros((1, 2)))
    lines = signal.traces(shown, signal.chosen([]))
    np.testing.assert_array_equal(lines.x, [1, 1, 2, 2])
    np.testing.assert_array_equal(lines.values, [[-3, 1, -1, 5]])
    np.testing.assert_array_equal(signal.image(shown, signal.chosen([])).values, [[-3, 5]])


def test_one_channel_and_one_sample():
    signals = noise(1, channels=1, z=False)
    signal = Signal(signals, "LFP", 0.3)
    assert signal.no_csd
    values = signals["LFP"].values
    np.testing.assert_array_equal(signal.with_csd(values), values)
    assert signal.traces(binned(values), signal.chosen([])).values.tolist() == [[0.0]]
    assert signal.image(binned(values), signal.chosen([])).limit == 1.0
    with pytest.raises(SignalError, match="too few"):
        signal.spectrum(np.ones((2, 1)), signal.chosen([]))


def test_channels_of_the_same_name():
    signals = noise(3, channels=3, z=False).assign_coords(LFP_channel=["a", "a", "b"])
    assert Signal(signals, "LFP", 0.3).names == ["a (number 0)", "a (number 1)", "b"]


def test_the_dipole_moment_is_found_by_its_components_and_unit():
    signals = noise(3)
    assert dipole_moment(signals) == "CDM"
    assert dipole_moment(signals[["LFP"]]) is None
    signals["CDM"].attrs["units"] = "fT"
    assert dipole_moment(signals) is None
    assert rates(signals) is None
    signals["LFP"].attrs["units"] = "spikes/s"
    assert rates(signals) == "LFP"


def test_an_onset_does_not_set_the_colours():
    values = np.sin(np.arange(500) / 3) * np.ones((5, 1))
    values[:, :20] = 40.0
    signal = Signal(noise(5), "LFP", 0.3)
    image = signal.image(binned(values), signal.chosen([]))
    assert 2 < image.limit <= 15
    assert image.clipped == (False, True)
    calm = signal.image(binned(values[:, 20:]), signal.chosen([]))
    assert calm.limit in {1.0, 1.5}
    assert calm.clipped == (False, False)
    values[:] = 0.0
    values[2, [7, 300]] = 3.0, -3.0  # nothing but two peaks
    alone = signal.image(binned(values), signal.chosen([]))
    assert (alone.limit, alone.clipped) == (3.0, (False, False))


# ---------------------------------------------------------------------- spectra
def test_spectrum_is_welchs():
    signals = noise(3000)
    signal = Signal(signals, "LFP", 0.3)
    samples = np.vstack([signals["time"].values, signals["LFP"].values])
    shown = signal.spectrum(samples, signal.chosen([]))
    frequency, power = welch(signals["LFP"].values[::-1], 1000.0, nperseg=500)
    np.testing.assert_allclose(shown.frequency, frequency[1:])
    np.testing.assert_allclose(shown.power, power[:, 1:], rtol=1e-12)
    assert (shown.unit, shown.seconds, shown.segment) == ("mV²/Hz", 3.0, 500.0)
    short = signal.spectrum(samples[:, :80], signal.chosen([]))
    assert short.segment == pytest.approx(80.0)


def test_spectrum_of_what_is_not_finite():
    signal = Signal(noise(3), "LFP", 0.3)
    samples = np.vstack([np.arange(100.0), np.full((5, 100), np.nan)])
    with pytest.raises(SignalError, match="not finite"):
        signal.spectrum(samples, signal.chosen([]))


# ---------------------------------------------------------------------- scales and windows
def test_round_numbers():
    rng = np.random.default_rng(1)
    for value in 10 ** rng.uniform(-12, 12, 200):
        assert value <= rounded_up(value) <= 1.67 * value
    assert rounded_up(0.0) == rounded_up(np.inf) == rounded_up(np.nan) == 1.0


@pytest.mark.parametrize(
    ("there", "stop", "expected"),
    [
        (1, None, range(1)),
        (50, None, range(50)),
        (300, None, range(200, 300)),
        (300, 150.0, range(50, 150)),
        (300, 20.0, range(100)),
        (300, 1e9, range(200, 300)),
        (50, 20.0, range(50)),
    ],
)
def test_windows_of_100_samples(there, stop, expected):
    samples, interval = window_of(there, (1.0, float(there)), stop, 100.0)
    assert samples == expected
    assert interval == 1.0
