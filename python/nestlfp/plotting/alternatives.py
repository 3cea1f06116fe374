"""How much the size of a signal rests on what was assumed."""

from __future__ import annotations

from itertools import cycle

import numpy as np
import xarray as xr

from ..errors import SignalError
from ..kernels.names import channel_dim
from .style import INK, PALETTE, Canvas, escaped, new_figure, style

_SIZE_IN = (6.0, 4.0)


def alternatives(found: xr.DataArray, *, figure: Canvas | None = None) -> Canvas:
    """The size of the LFP by depth, for the choice that was made and for others.

    Parameters
    ----------
    found : xarray.DataArray
        What `nestlfp.sources.network.alternatives` returns.
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
    lines = [(INK, "-", 2.5), *((c, dash, 1.2) for dash in ("-", "--", ":") for c in PALETTE)]
    with style():
        figure = figure or new_figure(*_SIZE_IN)
        ax = figure.subplots()
        for n, (choice, line) in enumerate(zip(found["choice"].values, cycle(lines), strict=False)):
            colour, dash, width = line
            ax.plot(
                found.values[n, order],
                z[order],
                dash,
                marker="o",
                markersize=3,
                color=colour,
                linewidth=width,
                zorder=2 if n else 3,
                clip_on=False,
                label=escaped(str(choice)),
            )
        ax.set(
            xlabel=f"s.d. of the LFP of independent spikes ({escaped(found.attrs['units'])})",
            ylabel="depth z (µm)",
        )
        ax.set_xlim(left=0)
        figure.legend(loc="outside right center", frameon=False)
    return figure
