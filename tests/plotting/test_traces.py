"""Signals by depth: that figures show the data, at the scale that they say."""

import numpy as np
import pytest
import xarray as xr
from drawn import RNG, amount, dataset, in_units, labels, legend, scale_bars, traces

from nestlfp import plotting
from nestlfp.errors import SignalError
from nestlfp.plotting.reduction import ENVELOPE_BINS, MAX_TRACES


def test_traces_are_ordered_by_depth_and_to_scale():
    values = RNG.normal(size=(4, 50)) * [[1], [2], [3], [0.1]]
    (ax,) = plotting.signals(dataset(values, z=[0, -200, 300, 100])).axes
    assert labels(ax) == ["−200", "0", "100", "300"]
    assert ax.get_ylabel() == "z (µm)"
    assert list(ax.get_yticks()) == [0, 1, 2, 3]
    centred = values - values.mean(axis=1, keepdims=True)
    np.testing.assert_allclose(in_units(ax), centred[[1, 0, 3, 2]], rtol=1e-9)
    assert scale_bars(ax)[0][1].endswith("V")
    assert ax.get_title(loc="left") == "LFP minus mean"
    assert ax.get_xlabel() == "time (ms)"
    np.testing.assert_allclose(ax.lines[0].get_xdata(), np.arange(1, 51) * 0.5)
    assert ax.get_xlim() == (0.5, 25.0)


@pytest.mark.parametrize("size", [1e-12, 3.3e-5, 0.07, 1.0, 45.0, 1e7])
def test_scale_bar_is_a_round_number_of_about_a_row(size):
    (ax,) = plotting.signals(dataset(size * RNG.normal(size=(3, 50)), unit="nA µm")).axes
    ((rows, text),) = scale_bars(ax)
    assert 0.3 < rows <= 1.0
    number, unit = amount(text)
    assert unit == "nA µm"
    assert float(f"{number:.12e}".split("e")[0]) in (1, 2, 5)


def test_all_traces_are_inside_the_panel():
    values = np.zeros((3, 20))
    values[0, 5], values[2, 5] = -5, 5  # c0 is on top, c2 at the bottom
    values[0, 7], values[2, 7] = 5, -5
    (ax,) = plotting.signals(dataset(values)).axes
    low, high = ax.get_ylim()
    assert low < min(map(np.min, traces(ax)))
    assert high > max(map(np.max, traces(ax)))
    # The largest trace takes a row and a quarter, whichever way its peaks point.
    for signal in ([0, 0, 0, 8.0], [0, 0, 0, -8.0], [0, 0, 4.0, -4.0]):
        (ax,) = plotting.signals(dataset([signal, np.zeros(4)])).axes
        assert np.ptp(traces(ax), axis=1).max() == pytest.approx(1.25)


def test_channels_without_depth_are_drawn_from_the_top():
    (ax,) = plotting.signals(dataset([[0, 1], [0, 2], [0, 3]])).axes
    assert labels(ax) == ["c2", "c1", "c0"]
    assert ax.get_ylabel() == "channel"
    np.testing.assert_allclose(np.ptp(in_units(ax), axis=1), [3, 2, 1])
    # A flat grid of contacts has depths, but they order nothing.
    (ax,) = plotting.signals(dataset([[0, 1], [0, 2]], z=[5, 5])).axes
    assert labels(ax) == ["c1", "c0"]


def test_depth_is_counted_downwards_where_no_contact_is_above_zero():
    (ax,) = plotting.signals(dataset(np.eye(3), z=[0, -200, -1500])).axes
    assert labels(ax) == ["1500", "200", "0"]
    assert ax.get_ylabel() == "depth below\nz = 0 (µm)"
    (ax,) = plotting.signals(dataset(np.eye(3), z=[1, -200, -1500])).axes
    assert labels(ax) == ["−1500", "−200", "1"]
    assert ax.get_ylabel() == "z (µm)"


@pytest.mark.parametrize(
    ("name", "unit", "z"),
    [("EEG", "µV", [8e3, 9e3]), ("flux", "fT", [8e3, 9e3]), ("scalp", "mV", [8e4, 9e4])],
)
def test_sensors_of_a_head_have_their_names(name, unit, z):
    signals = dataset(RNG.normal(size=(2, 20)), z=z, unit=unit, name=name)
    (ax,) = plotting.signals(signals).axes
    assert labels(ax) == ["c1", "c0"]
    assert ax.get_ylabel() == "sensor"


def test_channels_without_a_signal_are_counted():
    values = RNG.normal(size=(8, 20))
    values[2:7] = 0.0
    (ax,) = plotting.signals(dataset(values, z=np.arange(8) * 100)).axes
    assert labels(ax) == ["0", "100", "700"]
    assert ax.get_title(loc="left") == "LFP minus mean (5 channels: zero)"
    both = xr.concat(
        [dataset(values), dataset(values[::-1])], "pre", coords="minimal", compat="equals"
    )
    both["LFP"].attrs["units"] = "mV"
    (ax,) = plotting.signals(both.assign_coords(pre=["E", "I"])).axes
    assert labels(ax) == ["c7", "c6", "c1", "c0"]


def test_contacts_of_unknown_depth_come_last():
    (ax,) = plotting.signals(dataset(np.eye(4), z=[np.nan, 10, np.nan, 20])).axes
    assert labels(ax) == ["c2", "c0", "10", "20"]


def test_zero_components_are_left_out_or_flat_and_need_no_scale(hagen):
    signals = hagen.convolve({"I": [1.0]}, 20.0)
    (ax,) = plotting.signals(signals, signals="CDM").axes
    assert labels(ax) == ["z"]
    assert ax.get_title(loc="left") == "CDM minus mean (x, y: zero)"
    (ax,) = plotting.signals(signals, signals="CDM", zeros=True).axes
    assert labels(ax) == ["z", "y", "x"]
    assert ax.get_ylabel() == "component"
    assert ax.get_title(loc="left") == "CDM minus mean"
    z, y, x = in_units(ax, "nA µm")
    assert np.ptp(z) > 1000
    assert not np.any(y)
    assert not np.any(x)
    (ax,) = plotting.signals(dataset(np.zeros((3, 5)))).axes
    assert scale_bars(ax) == []
    assert len(traces(ax)) == 3


def test_one_panel_for_each_signal_on_one_time_axis(hagen):
    signals = hagen.convolve({"I": [1.0]}, 20.0)
    figure = plotting.signals(signals)
    assert [ax.get_title(loc="left") for ax in figure.axes] == [
        "LFP minus mean",
        "CDM minus mean (x, y: zero)",
    ]
    assert [len(traces(ax)) for ax in figure.axes] == [13, 1]
    assert [ax.get_xlabel() for ax in figure.axes] == ["", "time (ms)"]
    assert [amount(scale_bars(ax)[0][1])[1] for ax in figure.axes] == ["µV", "nA µm"]
    figure = plotting.signals(signals, signals=["CDM", "LFP"])
    assert [ax.get_title(loc="left")[:3] for ax in figure.axes] == ["CDM", "LFP"]
    with pytest.raises(SignalError, match=r"\['EEG'\] not among \['LFP', 'CDM'\]"):
        plotting.signals(signals, signals=["LFP", "EEG"])


def test_time_window():
    values = dataset(RNG.normal(size=(2, 100)))
    (ax,) = plotting.signals(values, time=(10, 20)).axes
    assert ax.get_xlim() == (10.0, 20.0)
    part = values["LFP"].values[:, 19:40]
    np.testing.assert_allclose(in_units(ax)[1], part[0] - part[0].mean())
    with pytest.raises(SignalError, match=r"between 60 and 70 ms: the signals have 0.5 … 50 ms"):
        plotting.signals(values, time=(60, 70))
    with pytest.raises(SignalError, match="no samples"):
        plotting.signals(values.isel(time=slice(0)))


def test_one_sample_and_one_channel(tmp_path):
    for values in ([[3.0]], [[1.0, 2.0]]):
        figure = plotting.signals(dataset(values, z=[100]))
        assert len(traces(figure.axes[0])) == 1
        assert labels(figure.axes[0]) == ["100"]
        plotting.save(figure, tmp_path / "one.png", overwrite=True)


def test_wrong_types():
    for time in (10, (10,), ("a", "b"), (None, None)):
        with pytest.raises(SignalError, match=r"time must be \(start, stop\) in ms, found"):
            plotting.signals(dataset([[1, 2]]), time=time)
    with pytest.raises(SignalError, match="signals must be a list of names, found 7"):
        plotting.signals(dataset([[1, 2]]), signals=7)


def test_not_signals():
    with pytest.raises(SignalError, match=r"xarray\.Dataset"):
        plotting.signals(dataset([[1, 2]])["LFP"])


# ---------------------------------------------------------------------- many channels, long signals
def test_many_channels_are_an_image_ordered_by_depth():
    values = RNG.normal(size=(40, 30))
    z = RNG.permutation(40) * 25.0
    figure = plotting.signals(dataset(values, z=z))
    ax, bar = figure.axes
    (image,) = ax.images
    expected = (values - values.mean(axis=1, keepdims=True))[np.argsort(z)]
    np.testing.assert_allclose(image.get_array(), expected)
    assert image.origin == "lower"
    low, high = image.get_clim()
    assert low == -high == -np.abs(expected).max()
    assert list(image.get_extent()) == [0.25, 15.25, -0.5, 39.5]
    assert (labels(ax)[0], labels(ax)[-1]) == ("0", "975")
    assert len(labels(ax)) <= 13
    assert bar.get_ylabel() == "mV"
    assert ax.get_title(loc="left") == "LFP minus mean"
    assert traces(ax) == []


def test_many_channels_kept_apart_are_thinned_traces():
    one = dataset(RNG.normal(size=(384, 20)), z=np.arange(384) * 10)
    both = xr.concat([one, 2 * one], "pre", coords="minimal", compat="equals")
    both = both.assign_coords(pre=["E", "I"])
    both["LFP"].attrs["units"] = "mV"
    (ax,) = plotting.signals(both).axes
    assert len(traces(ax)) == 2 * MAX_TRACES
    assert legend(ax) == ["E", "I"]
    assert (labels(ax)[0], labels(ax)[-1]) == ("0", "3830")


def test_long_signals_are_drawn_as_envelope(tmp_path):
    values = 0.1 * RNG.normal(size=(2, 300_000))
    values[0, 123_456] = 7.0
    values[1, 200_000] = -5.0
    figure = plotting.signals(dataset(values))
    (ax,) = figure.axes
    bottom, top = in_units(ax)
    assert len(top) == 2 * ENVELOPE_BINS == len(ax.lines[0].get_xdata())
    np.testing.assert_allclose([top.max(), bottom.min()], [7.0, -5.0], atol=1e-3)
    at = ax.lines[1].get_xdata()[np.argmax(top)]
    assert abs(at - 123_457 * 0.5) < 2 * 150_000 / ENVELOPE_BINS
    plotting.save(figure, tmp_path / "long.svg")
    assert (tmp_path / "long.svg").stat().st_size < 500_000


def test_long_images_keep_their_peaks():
    values = 0.1 * RNG.normal(size=(40, 50_000))
    values[3, 20_000] = -9.0
    ax = plotting.signals(dataset(values)).axes[0]
    shown = ax.images[0].get_array()
    assert shown.shape == (40, ENVELOPE_BINS)
    assert shown[39 - 3].min() == pytest.approx(-9.0, abs=1e-2)


# ---------------------------------------------------------------------- contributions kept apart
def test_contributions_are_told_apart_by_colour(hagen):
    spikes = {"E": [1.0], "I": [2.0]}
    for by, names in (
        ("pre", ["E", "I"]),
        ("post", ["→ E", "→ I"]),
        (("pre", "post"), ["E → E", "I → E", "E → I", "I → I"]),
    ):
        ax = plotting.signals(hagen.convolve(spikes, 20.0, by=by)).axes[0]
        assert legend(ax) == names
        assert len(traces(ax)) == 13 * len(names)
        drawn = [line.get_color() for line in ax.lines if line.get_gid() == "trace-0"]
        assert len(set(drawn)) == len(names)
        keys = [line.get_color() for line in ax.get_legend().get_lines()]
        assert drawn == keys
        assert len(scale_bars(ax)) == 1


def test_a_population_has_the_same_colour_in_raster_and_traces(hagen):
    spikes = {"I": [2.0, 3.0], "E": [1.0]}
    figure = plotting.signals(hagen.convolve(spikes, 20.0, by="pre"), spikes=spikes)
    colours = [
        dict(zip([t.split(":")[0] for t in legend(ax)], ax.get_legend().get_lines(), strict=True))
        for ax in figure.axes
    ]
    assert colours[0]["E"].get_color() == colours[1]["E"].get_color()
    assert colours[0]["E"].get_color() != colours[0]["I"].get_color()


# ---------------------------------------------------------------------- values that are not finite
def marked(ax):
    """The rows that are marked as not finite, and the words."""
    rows = [p.get_gid() for p in ax.patches if (p.get_gid() or "").startswith("not-finite-")]
    words = [text.get_text() for text in ax.texts if text.get_gid() == "not-finite"]
    return [int(row.removeprefix("not-finite-")) for row in rows], words


def test_channels_that_are_not_finite_are_marked_and_the_others_drawn(tmp_path):
    values = RNG.normal(size=(4, 50)) + 5
    values[1] = np.nan
    values[2, 10:13] = np.inf
    values[2, 20] = -np.inf
    (ax,) = plotting.signals(dataset(values)).axes
    assert marked(ax) == ([1, 2], ["4 of 50 samples not finite", "not finite"])
    drawn = in_units(ax)
    np.testing.assert_allclose(drawn[3], values[0] - values[0].mean())
    finite = np.isfinite(values[2])
    np.testing.assert_allclose(drawn[1][finite], values[2][finite] - values[2][finite].mean())
    assert np.all(np.isnan(drawn[1][~finite]))
    assert np.all(np.isnan(drawn[2]))
    plotting.save(ax.figure, tmp_path / "gaps.png")
    (ax,) = plotting.signals(dataset(values[[0, 3]])).axes
    assert marked(ax) == ([], [])
    (ax,) = plotting.signals(dataset(values[[1]])).axes  # nothing to scale by
    assert marked(ax) == ([0], ["not finite"])


def test_gaps_of_one_contribution_are_marked():
    good, gap = RNG.normal(size=(2, 3, 20))
    gap[0, 5] = np.nan
    both = xr.concat([dataset(good), dataset(gap)], "pre", coords="minimal", compat="equals")
    both["LFP"].attrs["units"] = "mV"
    (ax,) = plotting.signals(both.assign_coords(pre=["E", "I"])).axes
    assert marked(ax) == ([2], ["1 of 20 samples not finite"])


def test_images_show_in_grey_what_is_not_finite():
    values = RNG.normal(size=(40, 30))
    values[3] = np.nan
    values[7, 5] = np.inf
    ax = plotting.signals(dataset(values)).axes[0]
    assert ax.get_title(loc="right") == "grey: not finite (2 of 40 channels)"
    (image,) = ax.images
    shown = np.ma.masked_invalid(image.get_array())
    assert shown.mask.sum() == 31
    assert np.isfinite(image.get_clim()).all()
    grey, white = image.cmap(np.ma.masked_all(1))[0], image.cmap(0.5)
    assert np.abs(grey[:3] - np.array(white[:3])).max() > 0.4


def test_long_signals_with_a_gap_keep_their_other_samples():
    values = np.sin(np.arange(20_000) / 100)[np.newaxis] * np.ones((2, 1))
    values[0, 5_000:9_000] = np.nan
    (ax,) = plotting.signals(dataset(values)).axes
    assert marked(ax)[1] == ["4000 of 20000 samples not finite"]
    top = traces(ax)[1]
    assert 0.19 < np.isnan(top).mean() < 0.21
    np.testing.assert_allclose(np.nanmax(in_units(ax)[1]), 1.0, atol=0.1)
