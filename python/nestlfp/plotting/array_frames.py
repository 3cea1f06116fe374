"""An array of electrodes, seen from above at some times."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from .._types import Floats
from ..errors import SignalError
from ..extras import require
from ..kernels.names import channel_dim
from ..signals.layout import vectors
from .axes import checked_limit, colour_bar, diverging
from .reduction import at_times, on_a_head
from .style import INK, WIDTH, Canvas, new_figure, style, width_in

_NARROWEST_IN = 0.85  # of a frame
_BESIDE_IN = 1.0  # for the labels and the colour bar


def array_frames(
    dataset: xr.Dataset,
    times: ArrayLike,
    *,
    signal: str = "LFP",
    centre: bool = True,
    limit: float | None = None,
    width: float | None = None,
    figure: Canvas | None = None,
) -> Canvas:
    """The signal at the electrodes of an array, a frame for each time.

    Each electrode is a square in the colour of its value, as wide as the distance to its nearest
    neighbour, with a dot in the middle: nothing is interpolated. White is zero, red positive, blue
    negative.

    Parameters
    ----------
    dataset : xarray.Dataset
        Signals, as `FieldRecorder.signals` and `KernelSet.convolve` return them. Contributions that
        are kept apart by population are added up.
    times : float or array
        When (ms); the sample nearest to each is drawn.
    signal : str
        Whose electrodes have different places x and y (µm).
    centre : bool, optional
        Take each channel's mean over all times of the dataset off, and say so; not where it has a
        single time.
    limit : float, optional
        The value of the darkest colours, in the signal's unit. Arrows at the colour bar say that
        there are values beyond it. Default: the largest value of all frames.
    width : float, optional
        Of the figure (mm), such as 85 for a column of a journal. Default: 180.
    figure : matplotlib Figure or SubFigure, optional
        Where to draw; best one with ``layout="constrained"``. Default: a new figure.

    Returns
    -------
    matplotlib.figure.Figure
        Its first axes are the frames, in mm.

    Raises
    ------
    SignalError
        If there is no such signal, its channels have no places or share them, or it has no sample
        at a time.
    MissingExtraError
        If matplotlib is not installed.
    """
    from scipy.spatial import cKDTree

    shown, label = at_times(dataset, signal, times, centre)
    count = shown.sizes["time"]
    where = vectors(dataset[signal], signal)[:, :2] / 1000.0
    if on_a_head(signal, dataset[signal]) or not np.isfinite(where).all():
        raise SignalError(
            f"{signal!r} is not of an array of electrodes with places {signal}_x and {signal}_y "
            "(µm); for sensors of a head there is nestlfp.plotting.topomap"
        )
    if len(where) < 2 or len(np.unique(where, axis=0)) < len(where):
        raise SignalError(
            f"electrodes of {signal!r} must be at different places x and y, found {len(where)} at "
            f"{len(np.unique(where, axis=0))}: choose those of one depth, such as "
            f"signals.isel({channel_dim(signal)}=slice(0, 100))"
        )
    limit = checked_limit(limit, shown.values)
    nearest, _ = cKDTree(where).query(where, k=2)
    spacing = float(np.median(nearest[:, 1]))  # mm, from an electrode to its neighbour
    low, high = where.min(axis=0) - spacing / 2, where.max(axis=0) + spacing / 2
    with style():
        across = width_in(figure, width, WIDTH)
        columns = min(max(int((across - _BESIDE_IN) / _NARROWEST_IN), 1), count)
        rows = -(-count // columns)
        columns = -(-count // rows)
        tall = (across - _BESIDE_IN) / columns * float((high - low)[1] / (high - low)[0])
        figure = figure or new_figure(across, (tall + 0.2) * rows + 0.3)
        axes = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
        frames = axes.ravel().tolist()
        for spare in frames[count:]:
            spare.remove()
        frames = frames[:count]
        for ax, time, values in zip(frames, shown["time"].values, shown.values.T, strict=True):
            squares = _squares(where, spacing)
            squares.set(array=values, **diverging(limit))
            ax.add_collection(squares)
            ax.plot(*where.T, ".", color=INK, ms=0.8, gid="electrodes")
            ax.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]), aspect="equal")
            ax.set_title(f"{time:g} ms", pad=3, fontsize=7)
            ax.tick_params(length=1.5)
        frames[columns * (rows - 1)].set(xlabel="x (mm)", ylabel="y (mm)")
        colour_bar(frames, squares, shown.values, label)
    return figure


def _squares(where: Floats, side: float) -> Any:
    """A square around each electrode."""
    corners = side / 2 * np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]])
    return require("matplotlib.collections", "plot").PolyCollection(
        where[:, None] + corners, edgecolors="face", linewidths=0.2
    )
