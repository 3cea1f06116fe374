"""Maps of the scalp: what is drawn where, and what cannot be drawn."""

import sys

import numpy as np
import pytest
import xarray as xr

from nestlfp.errors import MissingExtraError, SignalError
from nestlfp.geometry import electrodes
from nestlfp.plotting import topomap
from nestlfp.plotting.topomap import flattened

RISING = [1.0, 2.0, -4.0]


def signals(name="EEG", unit="µV", copies=1):
    """A bump around C4, whose size changes with time: `RISING`."""
    places = electrodes("easycap-M1")
    where = np.repeat([*places.values()], copies, axis=0)
    distance = np.linalg.norm(where - places["C4"], axis=1)
    values = np.outer(np.exp(-((distance / 30e3) ** 2)), RISING)
    dim = f"{name}_channel"
    coords = {f"{name}_{axis}": (dim, where[:, i]) for i, axis in enumerate("xyz")}
    return xr.Dataset(
        {name: ((dim, "time"), values, {"units": unit})},
        {dim: range(len(where)), "time": [1.0, 2.0, 3.0], **coords},
    )


@pytest.mark.parametrize("by", ["nestlfp", "mne"])
def test_the_map_has_the_signal_where_its_electrodes_are(by):
    figure = topomap(signals(), [2.2, 3.0], by=by, centre=False)
    (first, second), bar = figure.axes[:2], figure.axes[2]
    assert (first.get_title(), second.get_title()) == ("2 ms", "3 ms")
    assert bar.get_ylabel() == "EEG (µV)"
    for ax, value in ((first, 2.0), (second, -4.0)):
        (image,) = ax.images
        assert image.get_clim() == (-4.0, 4.0)
        drawn = np.asarray(image.get_array())
        row, column = np.unravel_index(np.nanargmax(np.abs(drawn)), drawn.shape)
        assert drawn[row, column] == pytest.approx(value, rel=0.05)
        left, right, bottom, top = image.get_extent()
        there = left + (right - left) * column / drawn.shape[1]
        up = bottom + (top - bottom) * row / drawn.shape[0]
        # C4 is 46° to the right of Cz, and the circle has an angle of 90° at its edge.
        radius = 0.09 if by == "mne" else 1.0  # MNE's is in metres
        assert there / radius == pytest.approx(46 / 90, abs=0.05)
        assert abs(up) / radius < 0.05
        assert image.cmap.name == "RdBu_r"


def test_maps_of_magnetometers_at_one_time():
    figure = topomap(signals("MEG", "fT"), 1.0, signal="MEG", by="mne", contours=0)
    assert figure.axes[-1].get_ylabel() == "MEG minus mean (fT)"


@pytest.mark.parametrize("by", ["nestlfp", "mne"])
def test_means_are_taken_off(by):
    """A constant offset, however large, is not in the map, and the label says so."""
    offset = signals()
    offset["EEG"] = offset["EEG"] - 100.0
    one, other = (topomap(each, [1.0, 3.0], by=by) for each in (signals(), offset))
    assert one.axes[2].get_ylabel() == other.axes[2].get_ylabel() == "EEG minus mean (µV)"
    for ax, same in zip(one.axes[:2], other.axes[:2], strict=True):
        drawn, expected = (np.ma.filled(a.images[0].get_array(), 0.0) for a in (ax, same))
        np.testing.assert_allclose(np.nan_to_num(drawn), np.nan_to_num(expected), atol=1e-9)


def test_a_single_sample_keeps_its_values():
    single = topomap(signals().isel(time=[2]), 3.0)
    assert single.axes[1].get_ylabel() == "EEG (µV)"
    assert single.axes[0].images[0].get_clim() == (-4.0, 4.0)


def test_a_spline_goes_through_the_sensors():
    """Against a plane, which it must be, and each sensor's own value."""
    dataset = signals()
    places = np.stack([dataset[f"EEG_{axis}"].values for axis in "xyz"], axis=1)
    flat = flattened(places)
    angle = np.degrees(np.arccos(places[:, 2] / np.linalg.norm(places, axis=1)))
    np.testing.assert_allclose(np.linalg.norm(flat, axis=1), angle / 90, atol=1e-9)
    plane = 3.0 * flat[:, 0] - flat[:, 1]
    dataset["EEG"] = (("EEG_channel", "time"), np.outer(plane, [1.0, 1, 1]), {"units": "µV"})
    ax = topomap(dataset, 1.0, centre=False).axes[0]
    (sensors,) = [line for line in ax.lines if line.get_gid() == "sensors"]
    np.testing.assert_allclose(np.column_stack(sensors.get_data()), flat)
    (image,) = ax.images
    drawn = np.ma.masked_invalid(image.get_array())
    left, right, bottom, top = image.get_extent()
    x, y = np.linspace(left, right, drawn.shape[1]), np.linspace(bottom, top, drawn.shape[0])
    expected = (3.0 * x - y[:, None]).clip(plane.min(), plane.max())
    assert np.abs(drawn - expected).max() < 1e-6
    assert 0.6 < 1 - drawn.mask.mean() < 0.9  # nothing is drawn where there are no sensors


def test_values_beyond_the_colours_are_announced():
    bar = topomap(signals(), 3.0, limit=2.0).axes[-1]
    assert bar._colorbar.extend == "min"
    assert topomap(signals(), 3.0).axes[-1]._colorbar.extend == "neither"


def test_what_has_no_map():
    def refused(match, dataset, times=1.0, **options):
        with pytest.raises(SignalError, match=match):
            topomap(dataset, times, **options)

    refused(r"times must lie between 1 and 3 ms, found \[5\.5\]", signals(), 5.5)
    refused(r"times must lie between", signals(), [])
    refused(r"MEG", signals(), signal="MEG")
    refused(r"'EEG' has no positions of channels", signals().drop_vars("EEG_z"))
    refused(
        r"at the same place, as x, y and z of one sensor: .*slice\(2, None, 3\)", signals(copies=3)
    )
    refused("by must be one of", signals(), by="eye")
    refused(r"\['contours'\] are options of MNE: by='mne'", signals(), contours=3)
    refused("limit must be a positive number, found -1", signals(), limit=-1)
    refused("4 sensors or more", signals().isel(EEG_channel=slice(3)))
    midline = abs(signals()["EEG_x"]).values < 1.0
    refused("not on one line, found 1", signals().isel(EEG_channel=midline))
    gap = signals()
    gap["EEG"][3, 0] = np.nan
    refused("'EEG' is not finite", gap)
    topomap(signals(copies=3).isel(EEG_channel=slice(2, None, 3)), 1.0)


def test_maps_need_mne(monkeypatch):
    drawn = signals()
    monkeypatch.setitem(sys.modules, "mne", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'nestlfp\[mne\]'"):
        topomap(drawn, 1.0, by="mne")
    topomap(drawn, 1.0)
