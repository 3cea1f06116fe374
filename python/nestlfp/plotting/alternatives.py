"""How much the size of a signal rests on what was assumed."""

from __future__ import annotations

from itertools import cycle

import numpy as np
import xarray as xr

from ..errors import SignalError
from ..kernels.names import channel_dim
from .reduction import depth_axis
from .style import INK, PALETTE, Canvas, escaped, new_figure, style, width_in

_WIDTH, _HEIGHT_IN = 150.0, 3.3  # mm, inches
_BESIDE_FROM_IN = 5.0  # wide enough for the legend beside it


def alternatives(
    found: xr.DataArray, *, width: float | None = None, figure: Canvas | None = None
) -> Canvas:
    """The size of the LFP by depth, for the choice that was made and for others.

    Parameters
    ----------
    found : xarray.DataArray
        What `nestlfp.sources.network.alternatives` returns.
    width : float, optional
        Of the figure (mm), such as 85 for a column of a journal. Default: 150.
    figure : matplotlib Figure or SubFigure, optional
        Where to draw; best one with ``layout="constrained"``. Default: a new figure.

    Returns
    -------
    matplotlib.figure.Figure
        A line for each choice, the first of them, which was made, in black and wide.

    Raises
    ------
    SignalError
        If the array is another one.
    MissingExtraError
        If matplotlib is not installed.
    """
    if not isinstance(found, xr.DataArray) or found.dims != ("choice", channel_dim("LFP")):
        what = found.dims if isinstance(found, xr.DataArray) else type(found).__name__
        raise SignalError(
            "expected what nestlfp.sources.network.alternatives returns, an array of (choice, "
            f"LFP_channel), found {what}"
        )
    z = found["LFP_z"].values
    order = np.argsort(z)
    lines = [(INK, "-", 2.5), *((c, dash, 1.2) for dash in ("-", "--", ":") for c in PALETTE[2:])]
    title, text_of = depth_axis(z)
    with style():
        across = width_in(figure, width, _WIDTH)
        figure = figure or new_figure(across, _HEIGHT_IN)
        ax = figure.subplots()
        for n, (choice, line) in enumerate(zip(found["choice"].values, cycle(lines), strict=False)):
            colour, dash, points = line
            ax.plot(
                found.values[n, order],
                z[order],
                dash,
                marker="o",
                markersize=3,
                color=colour,
                linewidth=points,
                zorder=2 if n else 3,
                clip_on=False,
                label=escaped(str(choice)),
            )
        ax.set(
            xlabel=f"s.d. of the LFP of independent spikes ({escaped(found.attrs['units'])})",
            ylabel=title,
        )
        ax.set_xlim(left=0)
        ax.yaxis.set_major_formatter(lambda at, _: text_of(at))
        beside = across > _BESIDE_FROM_IN
        figure.legend(
            loc="outside right center" if beside else "outside lower center", frameon=False
        )
    return figure
