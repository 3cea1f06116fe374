"""Power spectra, against scipy and against what is known."""

import numpy as np
import pytest
import scipy.signal
import xarray as xr
from typer.testing import CliRunner

from nestlfp import plotting
from nestlfp.cli import app
from nestlfp.errors import SignalError
from nestlfp.signals import band_power, save, spectrum

RNG = np.random.default_rng(3)


def noise(n=4000, interval=0.5, channels=3, units="mV"):
    """White noise of 1 mV, with a sine of 100 Hz and amplitude 2 in the second channel."""
    time = interval * np.arange(1, n + 1)
    values = RNG.normal(size=(channels, n))
    values[1] += 2.0 * np.sin(2 * np.pi * 0.1 * time)
    return xr.Dataset(
        {"LFP": (("LFP_channel", "time"), values, {"units": units})},
        {
            "time": ("time", time, {"units": "ms"}),
            "LFP_channel": list("abc"),
            "LFP_z": ("LFP_channel", [10.0, 20.0, 30.0]),
        },
        {"format": "nestlfp-signals-1", "kernels": "abc"},
    )


def huge():
    """Noise whose squares are larger than the largest number."""
    dataset = noise()
    return dataset.assign(LFP=dataset["LFP"].copy(data=1e300 * dataset["LFP"].values))


def test_it_is_scipys():
    found = spectrum(noise_ := noise(), segment=200.0, overlap=0.25, window="blackman")
    frequency, density = scipy.signal.welch(
        noise_["LFP"].values, 2000.0, "blackman", nperseg=400, noverlap=100
    )
    np.testing.assert_array_equal(found["frequency"], frequency)
    np.testing.assert_allclose(found["LFP"], density, rtol=1e-12)
    assert found["LFP"].dims == ("LFP_channel", "frequency")
    assert found["LFP"].attrs["units"] == "mV²/Hz"
    assert found["frequency"].attrs["units"] == "Hz"
    assert found["LFP_z"].values.tolist() == [10.0, 20.0, 30.0]
    assert found.attrs == {"kernels": "abc"}
    one = spectrum(noise_["LFP"], segment=200.0, overlap=0.25, window="blackman")
    xr.testing.assert_identical(one, found["LFP"])
    assert noise_.attrs["format"]  # what was given is as it was


def test_a_sine_has_half_its_amplitude_squared():
    dataset = noise()
    power = band_power(dataset, 90, 110, segment=500.0)
    white = 20 / 1000  # noise of variance 1 mV² up to 1000 Hz
    np.testing.assert_allclose(power["LFP"], [white, 2 + white, white], rtol=0.5, atol=0.01)
    assert abs(power["LFP"].values[1] - 2 - white) < 0.1
    assert power["LFP"].attrs["units"] == "mV²"
    assert spectrum(dataset)["LFP"][1].idxmax("frequency") == 100.0
    xr.testing.assert_identical(band_power(dataset["LFP"], 90, 110), power["LFP"])


def test_all_bands_together_are_the_variance():
    dataset = noise()
    whole = band_power(dataset, 0, 1000.5, segment=2000.0, overlap=0.0, window="boxcar")["LFP"]
    np.testing.assert_allclose(whole, dataset["LFP"].var("time"), rtol=1e-9)
    low, high = (band_power(dataset, *band, segment=100.0) for band in ((0, 300), (300, 1001)))
    xr.testing.assert_allclose(low + high, band_power(dataset, 0, 1001, segment=100.0))


def test_part_of_the_time():
    dataset = noise()
    later = dataset.isel(time=slice(1999, 3000))
    chosen = spectrum(dataset, segment=100.0, start=1000.0, stop=1500.0)
    xr.testing.assert_identical(chosen, spectrum(later, segment=100.0))


def test_contributions_that_are_kept_apart(hagen):
    apart = hagen.convolve({"E": [1.0], "I": [5.0]}, 100.0, by=("post", "pre"))
    found = spectrum(apart, segment=50.0, detrend=False)
    assert found["LFP"].dims == ("post", "pre", "LFP_channel", "frequency")
    assert found["CDM"].attrs["units"] == "nA² µm²/Hz"


@pytest.mark.parametrize(
    ("unit", "squared"),
    [("µV", "µV²/Hz"), ("V/m", "V²/m²/Hz"), ("1", "1/Hz"), ("A m^-2", "(A m^-2)²/Hz")],
)
def test_units(unit, squared):
    assert spectrum(noise(units=unit))["LFP"].attrs["units"] == squared


@pytest.mark.filterwarnings("error")
def test_what_has_no_spectrum():
    dataset = noise()
    gap = dataset.copy(deep=True)
    gap["LFP"][0, 5] = np.nan
    uneven = dataset.assign_coords(time=dataset["time"].values ** 1.1)
    for match, signals, options in (
        ("shorter than a segment: 100 ms in 200 samples", dataset, {"stop": 100.0}),
        ("shorter than a segment", dataset, {"segment": 2001.0}),
        ("shorter than a segment: 0 ms in 0 samples", dataset, {"start": 9999.0}),
        ("at least 2 samples of 0.5 ms, found 0.6", dataset, {"segment": 0.6}),
        ("at least 2 samples of 0.5 ms, found nan", dataset, {"segment": np.nan}),
        ("'LFP' is not finite", gap, {}),
        ("not equally spaced", uneven, {}),
        ("overlap must lie between 0", dataset, {"overlap": 1.0}),
        ("detrend must be", dataset, {"detrend": "all"}),
        ("no spectrum with these options", dataset, {"window": "glass"}),
        ("must be an xarray.Dataset", 5, {}),
        ("segment must be a number, found '500'", dataset, {"segment": "500"}),
        ("segment must be a number, found None", dataset, {"segment": None}),
        ("overlap must be a number, found 'a'", dataset, {"overlap": "a"}),
        ("start must be a number, found 'a'", dataset, {"start": "a"}),
        ("stop must be a number, found \\[1, 2\\]", dataset, {"stop": [1, 2]}),
        ("no spectrum with these options", dataset, {"window": None}),
        ("no spectrum with these options", dataset, {"window": np.nan}),
        ("detrend must be", dataset, {"detrend": np.array([1, 2])}),
        ("'LFP' is too large for a spectrum", huge(), {}),
    ):
        with pytest.raises(SignalError, match=match):
            spectrum(signals, **options)
    for low, high in (("a", 3), (3, None)):
        with pytest.raises(SignalError, match="must be a number, found"):
            band_power(dataset, low, high)
    for low, high in ((51, 55), (200, 100), (900, 2000), (np.nan, 5)):
        with pytest.raises(SignalError, match="the band from"):
            band_power(dataset, low, high, segment=100.0)


# ---------------------------------------------------------------------- figures
def test_figure_of_channels():
    figure = plotting.spectrum(noise(), start=100.0)
    panel, bar = figure.axes
    assert len(panel.lines) == 3
    assert (panel.get_xscale(), panel.get_yscale()) == ("log", "log")
    assert panel.get_ylabel() == "power (mV²/Hz)"
    assert panel.get_xlim() == (2.0, 1000.0)
    assert bar.get_ylabel() == "z (µm)"
    peak = panel.lines[1].get_xydata()
    assert peak[peak[:, 1].argmax(), 0] == 100.0


@pytest.mark.filterwarnings("error", "ignore::DeprecationWarning")  # of an older matplotlib
def test_figure_of_contributions_and_of_nothing(hagen, tmp_path):
    apart = hagen.convolve({"E": [1.0], "I": [5.0]}, 1000.0, by="pre")
    lfp, cdm = plotting.spectrum(apart).axes
    assert [text.get_text() for text in lfp.get_legend().get_texts()] == ["E", "I"]
    assert cdm.get_title(loc="left") == "CDM, mean over channels"
    silent = hagen.convolve({}, 1000.0).drop_vars(["LFP_x", "LFP_y", "LFP_z"])
    figure = plotting.spectrum(silent, signals="CDM")
    (cdm,) = figure.axes
    assert cdm.get_legend().get_texts()[0].get_text() == "x: no power"
    plotting.save(figure, tmp_path / "silent.png")


def test_command(tmp_path):
    save(noise(), tmp_path / "x.zarr")

    def run(*arguments):
        output = ["-o", str(tmp_path / "x.png"), "--force"]
        return CliRunner().invoke(app, ["plot", str(tmp_path / "x.zarr"), *output, *arguments])

    told = run("--spectrum", "--segment", "100", "--start", "500")
    assert told.exit_code == 0, told.output
    assert (tmp_path / "x.png").read_bytes().startswith(b"\x89PNG")
    told = run("--spectrum", "--segment", "3000")
    assert told.exit_code == 1
    assert told.stderr.startswith("nestlfp: the signals are shorter than a segment")
    save(huge(), tmp_path / "x.zarr", overwrite=True)
    told = run("--spectrum")
    assert told.exit_code == 1
    assert told.stderr.startswith("nestlfp: signal 'LFP' is too large for a spectrum")


def test_a_signal_that_is_called_as_its_axis_would_be():
    array = xr.DataArray(
        np.random.default_rng(1).normal(size=(2, 1000)),
        dims=("frequency_channel", "time"),
        coords={"time": np.arange(1000.0)},
        name="frequency",
        attrs={"units": "mV"},
    )
    for signals in (array, array.to_dataset()):
        for call in (spectrum, lambda signals: band_power(signals, 10.0, 50.0)):
            with pytest.raises(SignalError, match=r"rename\(frequency=\.\.\.\) gives it another"):
                call(signals)
