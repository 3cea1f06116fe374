"""An array of electrodes from above."""

import numpy as np
import pytest
import xarray as xr
from matplotlib.collections import PolyCollection

from nestlfp.errors import SignalError
from nestlfp.plotting import array_frames


def array(n=3, spacing=400.0):
    """A wave along x at n × n electrodes; times 1 … 20 ms."""
    x, y = np.meshgrid(np.arange(n) * spacing, np.arange(n) * spacing)
    where = {"x": x.ravel(), "y": y.ravel(), "z": np.zeros(n * n)}
    t = np.arange(1.0, 21.0)
    values = np.cos(where["x"][:, None] / 500 - t) + 5.0
    coords = {f"LFP_{axis}": ("LFP_channel", places) for axis, places in where.items()}
    return xr.Dataset(
        {"LFP": (("LFP_channel", "time"), values, {"units": "mV"})},
        {"LFP_channel": range(n * n), "time": t, **coords},
    )


def test_each_electrode_is_a_square_of_its_value():
    signals = array()
    figure = array_frames(signals, [2.2, 7.0])
    first, second, bar = figure.axes
    assert (first.get_title(), second.get_title()) == ("2 ms", "7 ms")
    centred = signals["LFP"] - signals["LFP"].mean("time")
    for ax, time in ((first, 2.0), (second, 7.0)):
        (squares,) = [one for one in ax.collections if isinstance(one, PolyCollection)]
        np.testing.assert_allclose(squares.get_array(), centred.sel(time=time))
        middle = [path.vertices[:4].mean(axis=0) for path in squares.get_paths()]
        np.testing.assert_allclose(middle, np.stack([signals["LFP_x"], signals["LFP_y"]], 1) / 1000)
        assert np.ptp(squares.get_paths()[0].vertices[:, 0]) == pytest.approx(0.4)
        (dots,) = ax.lines
        np.testing.assert_allclose(np.column_stack(dots.get_data()), middle)
        assert ax.get_xlim() == pytest.approx((-0.2, 1.0))
    assert bar.get_ylabel() == "LFP minus mean (mV)"
    assert bar._colorbar.extend == "neither"
    raw = array_frames(signals, 2.0, centre=False)
    assert raw.axes[-1].get_ylabel() == "LFP (mV)"
    assert array_frames(signals, 2.0, centre=False, limit=5.0).axes[-1]._colorbar.extend == "max"


def test_many_frames_fill_rows():
    figure = array_frames(array(), np.arange(1.0, 11.0), width=85)
    frames = figure.axes[:-1]
    assert len(frames) == 10
    columns = {ax.get_subplotspec().colspan.start for ax in frames}
    assert len(columns) == 2
    assert frames[0].get_xlabel() == ""
    assert frames[8].get_xlabel() == "x (mm)"


def test_what_has_no_frames():
    def refused(match, signals, times=1.0, **options):
        with pytest.raises(SignalError, match=match):
            array_frames(signals, times, **options)

    refused(r"times must lie between 1 and 20 ms, found \[30\.0\]", array(), 30.0)
    refused("times must lie between", array(), [])
    refused(
        "found 9 at 1: choose",
        array().assign_coords(
            LFP_x=("LFP_channel", np.zeros(9)), LFP_y=("LFP_channel", np.zeros(9))
        ),
    )
    refused("not of an array of electrodes", array().drop_vars(["LFP_x"]))
    refused(
        "not of an array of electrodes",
        array().assign_coords(LFP_z=("LFP_channel", np.full(9, 9e4))),
    )
    refused("not among", array(), signal="EEG")
