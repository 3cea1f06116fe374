"""Maps of the scalp: what is drawn where, and what cannot be drawn."""

import sys

import numpy as np
import pytest
import xarray as xr

from nestlfp.errors import MissingExtraError, SignalError
from nestlfp.geometry import electrodes
from nestlfp.plotting import topomap

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


def test_the_map_has_the_signal_where_its_electrodes_are():
    figure = topomap(signals(), [2.2, 3.0])
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
        # C4 is 46° to the right of Cz, and MNE's circle has an angle of 90° at its edge.
        assert there == pytest.approx(0.09 * 46 / 90, abs=0.005)
        assert abs(up) < 0.005


def test_maps_of_magnetometers_at_one_time():
    figure = topomap(signals("MEG", "fT"), 1.0, signal="MEG", contours=0)
    assert figure.axes[-1].get_ylabel() == "MEG (fT)"


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
    topomap(signals(copies=3).isel(EEG_channel=slice(2, None, 3)), 1.0)


def test_maps_need_mne(monkeypatch):
    drawn = signals()
    monkeypatch.setitem(sys.modules, "mne", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'nestlfp\[mne\]'"):
        topomap(drawn, 1.0)
