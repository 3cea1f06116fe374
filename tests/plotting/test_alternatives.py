"""The figure of how much an LFP rests on what was assumed."""

import numpy as np
import pytest
import xarray as xr

from nestlfp import plotting
from nestlfp.errors import SignalError


def found(choices):
    z = np.arange(200.0, -300.0, -100.0)
    return xr.DataArray(
        np.arange(1.0, choices + 1)[:, None] * np.exp(-((z / 100) ** 2)),
        dims=("choice", "LFP_channel"),
        coords={
            "choice": ["as chosen", *(f"E: p_{n}$" for n in range(1, choices))],
            "LFP_channel": np.arange(z.size),
            "LFP_z": ("LFP_channel", z),
        },
        attrs={"units": "mV"},
    )


def test_a_line_for_each_choice_by_depth():
    drawn = plotting.alternatives(found(12))
    (ax,) = drawn.axes
    values = found(12)
    assert len(ax.lines) == 12
    for line, choice in zip(ax.lines, values.values, strict=True):
        np.testing.assert_array_equal(line.get_xdata(), choice[::-1])
        np.testing.assert_array_equal(line.get_ydata(), values["LFP_z"][::-1])
    styles = {(line.get_color(), line.get_linestyle()) for line in ax.lines}
    assert len(styles) == 12
    assert ax.lines[0].get_linewidth() > ax.lines[1].get_linewidth()
    (legend,) = drawn.legends
    assert [text.get_text() for text in legend.get_texts()][:2] == ["as chosen", r"E: p_1\$"]


def test_the_legend_hides_no_line():
    drawn = plotting.alternatives(found(8))
    drawn.draw_without_rendering()
    legend = drawn.legends[0].get_window_extent()
    assert legend.x0 >= drawn.axes[0].get_window_extent().x1


@pytest.mark.parametrize("other", [found(2).to_dataset(name="sd"), found(2)[0], [1.0]])
def test_something_else_is_refused(other):
    with pytest.raises(SignalError, match=r"network\.alternatives returns"):
        plotting.alternatives(other)
