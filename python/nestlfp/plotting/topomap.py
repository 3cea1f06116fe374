"""Maps of the scalp: EEG and MEG at some times."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from .._types import Floats
from ..errors import SignalError
from ..extras import require
from ..kernels.names import channel_dim
from ..signals.layout import vectors
from ..signals.mne import to_mne
from .axes import checked_limit, colour_bar, diverging
from .reduction import at_times
from .style import INK, Axes, Canvas, new_figure, style, width_in

_PANEL_MM, _BAR_MM = 42.0, 22.0
_WIDEST = 180.0  # mm
_FEWEST = 4  # sensors that a surface can be laid through
_POINTS = 128  # of the map, across
_BEYOND = 1.05  # the map's edge, in parts of what the sensors span
_DRAWERS = ("nestlfp", "mne")


def topomap(
    dataset: xr.Dataset,
    times: ArrayLike,
    *,
    signal: str = "EEG",
    by: str = "nestlfp",
    centre: bool = True,
    limit: float | None = None,
    width: float | None = None,
    figure: Canvas | None = None,
    **options: Any,
) -> Canvas:
    """Maps of the scalp at some times, one beside the other, with the same colours.

    White is zero, red positive, blue negative. Dots are sensors, and the nose is on top.

    Parameters
    ----------
    dataset : xarray.Dataset
        Signals, as `FieldRecorder.signals` and `KernelSet.convolve` return them.
    times : float or array
        When (ms); the sample nearest to each is drawn.
    signal : str
        Potentials on the scalp, or magnetic flux densities (T, fT) above it, whose channels have
        positions (µm) around the head's centre: x to the right, y to the nose, z up.
    by : {"nestlfp", "mne"}
        What draws. "mne" is `mne.viz.plot_topomap`, whose map reaches to the head's edge. Without
        it the map ends at the outermost sensors: nothing is known beyond.
    centre : bool, optional
        Take each channel's mean over all times of the dataset off, and say so; not where it has a
        single time.
    limit : float, optional
        The value of the darkest colours, in the signal's unit. Arrows at the colour bar say that
        there are values beyond it. Default: the largest value.
    width : float, optional
        Of the figure (mm), such as 85 for a column of a journal. Default: 42 for each map and 22
        for the colour bar, at most 180.
    figure : matplotlib Figure or SubFigure, optional
        Where to draw; best one with ``layout="constrained"``. Default: a new figure.
    **options
        As for `mne.viz.plot_topomap`, with ``by="mne"``: names, contours, ... The circle is the
        head: of the mean distance of channels from the origin, unless ``sphere`` says else.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    SignalError
        If there is no such signal, its channels have no positions or share them, it has no sample
        at a time, or its sensors are too few or on one line.
    MissingExtraError
        If matplotlib is not installed, or mne where it is to draw.

    Notes
    -----
    A sensor's distance from the middle of the map is its angle from the z-axis, and the circle
    stands for 90°. Between sensors the map is a thin-plate spline, which goes through their values
    (`scipy.interpolate.RBFInterpolator`).
    """
    shown, label = at_times(dataset, signal, times, centre)
    shown = shown.transpose("time", ...)
    if by not in _DRAWERS:
        raise SignalError(f"by must be one of {list(_DRAWERS)}, found {by!r}")
    if options and by != "mne":
        raise SignalError(f"{sorted(options)} are options of MNE: by='mne' lets it draw")
    places = _places(dataset[signal], signal)
    if not np.isfinite(shown.values).all():
        found = shown["time"].values.tolist()
        raise SignalError(f"{signal!r} is not finite at these times: {found}")
    limit = checked_limit(limit, shown.values)
    if by == "mne":
        draw = _by_mne(dataset, signal, places, limit, options)
    else:
        draw = _by_scipy(flattened(places), signal, limit)
    with style():
        usual = min(_PANEL_MM * len(shown) + _BAR_MM, _WIDEST)
        across = width_in(figure, width, usual)
        panel = (across - _BAR_MM / 25.4) / len(shown)
        figure = figure or new_figure(across, panel + 0.3)
        axes = figure.subplots(1, len(shown), squeeze=False)[0]
        for ax, values in zip(axes, shown, strict=True):
            image = draw(ax, values.values)
            ax.set_title(f"{float(values['time']):g} ms")
        colour_bar(axes, image, shown.values, label)
    return figure


def flattened(places: Floats) -> Floats:
    """Where sensors are on the map, shape (sensor, 2): their angle from z, in parts of 90°.

    Parameters
    ----------
    places : array, shape (sensor, 3)
        Around the head's centre.
    """
    across = np.hypot(places[:, 0], places[:, 1])
    angle = np.arctan2(across, places[:, 2]) / (np.pi / 2)
    return places[:, :2] * (angle / np.where(across > 0, across, 1.0))[:, None]


def _by_mne(
    dataset: xr.Dataset, signal: str, places: Floats, limit: float, options: dict[str, Any]
) -> Callable[[Axes, Floats], Any]:
    mne = require("mne", "mne")
    info = to_mne(dataset[[signal]].isel(time=slice(2))).info
    options = {
        "sphere": (0.0, 0.0, 0.0, float(np.linalg.norm(places, axis=1).mean()) * 1e-6),
        "vlim": (-limit, limit),
        "cmap": "RdBu_r",  # MNE takes another where all values have one sign
        **options,
    }

    def draw(ax: Axes, values: Floats) -> Any:
        return mne.viz.plot_topomap(values, info, axes=ax, show=False, **options)[0]

    return draw


def _by_scipy(flat: Floats, signal: str, limit: float) -> Callable[[Axes, Floats], Any]:
    """Draws a thin-plate spline through the sensors, as far as they reach."""
    from scipy.interpolate import RBFInterpolator
    from scipy.spatial import Delaunay

    middle = flat.mean(axis=0)
    if len(flat) < _FEWEST or np.linalg.svd(flat - middle, compute_uv=False)[1] < 1e-6:
        raise SignalError(
            f"a map needs {_FEWEST} sensors or more that are not on one line, found {len(flat)} of "
            f"{signal!r}"
        )
    around = middle + _BEYOND * (flat - middle)
    x, y = np.linspace(around.min(axis=0), around.max(axis=0), _POINTS).T
    points = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
    inside = Delaunay(around).find_simplex(points) >= 0

    def draw(ax: Axes, values: Floats) -> Any:
        surface = np.full(len(points), np.nan)
        surface[inside] = RBFInterpolator(flat, values)(points[inside])
        within = surface.clip(values.min(), values.max()).reshape(_POINTS, _POINTS)
        image = ax.imshow(
            within, extent=(*x[[0, -1]], *y[[0, -1]]), origin="lower", interpolation="bilinear",
            **diverging(limit),
        )  # fmt: skip
        image.set_cmap(image.cmap.with_extremes(bad="none"))
        ax.contour(x, y, within, 5, colors=INK, linewidths=0.3)
        ax.plot(*flat.T, ".", color=INK, ms=2, gid="sensors")
        _draw_head(ax, float(np.abs(flat).max()))
        return image

    return draw


def _draw_head(ax: Axes, reach: float) -> None:
    """A circle at 90°, nose and ears, from above."""
    angle = np.linspace(0, 2 * np.pi, 181)
    ax.plot(np.cos(angle), np.sin(angle), color=INK, lw=0.7)
    ax.plot([-0.15, 0, 0.15], [0.99, 1.15, 0.99], color=INK, lw=0.7)
    for side in (-1, 1):
        ear = side * (0.99 + 0.08 * np.cos(angle[:91] - np.pi / 2))
        ax.plot(ear, 0.2 * np.sin(angle[:91] - np.pi / 2), color=INK, lw=0.7)
    edge = max(reach, 1.17) * 1.02
    ax.set(xlim=(-edge, edge), ylim=(-edge, edge), aspect="equal")
    ax.set_axis_off()


def _places(array: xr.DataArray, signal: str) -> Floats:
    """Positions of channels (µm), of which no two are the same."""
    found = vectors(array, signal)
    if not np.isfinite(found).all():
        raise SignalError(f"{signal!r} has no positions of channels: {signal}_x, _y, _z")
    if len(np.unique(found, axis=0)) < len(found):
        example = f"signals.isel({channel_dim(signal)}=slice(2, None, 3))"
        raise SignalError(
            f"several channels of {signal!r} are at the same place, as x, y and z of one sensor: "
            f"choose one of each, such as {example}"
        )
    return found
