"""How fast kernels become redundant."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from .._types import Floats
from .style import INK, Canvas, colours_of, escaped, new_figure, style, width_in


def singular_values(
    channels: Floats,
    lags: Mapping[str, Floats],
    *,
    width: float | None = None,
    figure: Canvas | None = None,
) -> Canvas:
    """How fast kernels become redundant, across channels and in time.

    Parameters
    ----------
    channels : array
        Singular values across the channels, each scaled to its own peak.
    lags : dict of str to array
        Leading Hankel singular values in time of each presynaptic population.
    width : float, optional
        Of the figure (mm), such as 85 for a column of a journal. Default: 180.
    figure : matplotlib Figure or SubFigure, optional
        Where to draw. Default: a new figure.

    Returns
    -------
    matplotlib.figure.Figure
    """
    with style():
        figure = figure or new_figure(width_in(figure, width), 2.5)
        across, in_time = figure.subplots(1, 2, sharey=True)
        across.plot(np.arange(1, channels.size + 1), channels, "o-", color=INK, markersize=3)
        colours = colours_of(lags)
        for name, values in lags.items():
            n = np.arange(1, values.size + 1)
            label = escaped(name)
            in_time.plot(n, values, "o-", color=colours[name], markersize=3, label=label)
        across.set_yscale("log")
        across.set_ylim(1e-13, 2)
        across.set_xlabel("latents")
        in_time.set_xlabel("states of a population")
        across.set_ylabel("singular value / largest")
        in_time.legend(frameon=False, ncols=1 + len(lags) // 7)
    return figure
