"""Figures of signals and kernels.

Traces are stacked by depth, the highest contact on top, with one scale bar for all of them. More
than `MAX_TRACES` channels are drawn as an image, since lines that close hide each other; where
contributions of populations are kept apart, whose colours an image cannot show, evenly chosen
channels are drawn as lines instead. Samples closer together than a pixel are drawn as the
envelope of their smallest and largest values, so that no peak is lost and files stay small.

The functions return a `matplotlib.figure.Figure` that does not belong to pyplot; hand one in with
``figure=plt.figure()`` to see it in a window.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..errors import SignalError
from ..extras import require
from ..kernels import KernelSet, channel_dim
from ..signals.layout import checked, pathways

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

    Canvas = Figure | SubFigure

MAX_TRACES = 32
ENVELOPE_BINS = 2000
LONG = 2 * ENVELOPE_BINS  # samples from which on the envelope is drawn
# Okabe and Ito's colours, which colour-blind readers can tell apart, without the faint yellow.
PALETTE = ("#D55E00", "#0072B2", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
INK = "#222222"
_STYLE = {
    "text.usetex": False,  # names of populations are no TeX
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.labelsize": 9,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "legend.fontsize": 8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.linewidth": 0.8,
    "lines.linewidth": 0.8,
    "figure.facecolor": "white",
    "axes.facecolor": "white",
}
_WIDTH_IN = 8.5


# ---------------------------------------------------------------------- the two figures
def signals(
    dataset: xr.Dataset,
    *,
    signals: Iterable[str] | str | None = None,
    time: tuple[float, float] | None = None,
    spikes: Mapping[str, Any] | None = None,
    sizes: Mapping[str, int] | None = None,
    max_neurons: int = 200,
    figure: Canvas | None = None,
) -> Canvas:
    """Signals by depth, above each other, with the spikes that made them.

    Parameters
    ----------
    dataset : xarray.Dataset
        Signals, as `FieldRecorder.signals` and `KernelSet.convolve` return them. Contributions
        that are kept apart by pre- or postsynaptic population are drawn in colours.
    signals : sequence of str, optional
        Which signals to draw. Default: all.
    time : (start, stop), optional
        What part of the time to draw (ms). Default: all of it.
    spikes : dict, optional
        For each population ``(times, senders)``, a dictionary with these two as NEST's recorders
        have, or the times alone (ms). With senders its spikes are drawn as a raster, without as a
        histogram.
    sizes : dict of str to int, optional
        Number of neurons of each population, for the rate of a neuron in the legend. Without it
        the legend gives the rate of the population: silent neurons leave no trace in the spikes.
    max_neurons : int, optional
        How many neurons of a population the raster shows, chosen evenly among the active ones.
    figure : matplotlib Figure or SubFigure, optional
        Where to draw; best one with ``layout="constrained"``. Default: a new figure.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    SignalError
        If a signal is unknown, or no sample lies in `time`.
    MissingExtraError
        If matplotlib is not installed.

    Notes
    -----
    Each trace is drawn about its own mean; the scale bar holds for all traces of its panel.

    Examples
    --------
    >>> figure = plotting.signals(recorder.signals(), time=(500, 1000))    # doctest: +SKIP
    >>> plotting.save(figure, "signals.png")                               # doctest: +SKIP
    """
    chosen = _part(checked(dataset), signals, time)
    x = chosen["time"].values
    panels = [_panel(str(name), array, centre=True) for name, array in chosen.data_vars.items()]
    bands = _bands(spikes or {}, sizes or {}, _window(x), max_neurons)
    with _style():
        colours = _colours([*(band.name for band in bands), *_contributions(panels)])
        heights = [1.5] * bool(bands) + [panel.height_in for panel in panels]
        figure = figure or _new_figure(_WIDTH_IN, sum(heights) + 0.4 * len(heights) + 0.3)
        axes = list(
            figure.subplots(len(heights), sharex=True, squeeze=False, height_ratios=heights)[:, 0]
        )
        for ax in axes[:-1]:
            ax.tick_params(bottom=False)
            ax.spines["bottom"].set_visible(False)
        if bands:
            _draw_bands(axes[0], bands, _window(x), colours)
        for ax, panel in zip(axes[-len(panels) :], panels, strict=True):
            _draw_panel(ax, panel, colours)
        axes[-1].set_xlabel("time (ms)")
        axes[-1].set_xlim(*_limits(x))
        figure.align_ylabels(axes)
    return figure


def kernels(
    kernelset: KernelSet,
    *,
    signals: Iterable[str] | str | None = None,
    shared_scale: bool = False,
    figure: Canvas | None = None,
) -> Canvas:
    """Kernels by pathway, titled "E → I" from the presynaptic to the postsynaptic population.

    Up to six pathways stand side by side. More of them form a grid with a column for each
    presynaptic and a row for each postsynaptic population.

    Parameters
    ----------
    kernelset : KernelSet
    signals : sequence of str, optional
        Which signals to draw. Default: all.
    shared_scale : bool, optional
        Draw all pathways of a signal to one scale, so that their sizes compare. By default each
        has its own scale bar, since kernels of different pathways differ by orders of magnitude.
    figure : matplotlib Figure or SubFigure, optional
        Where to draw; best one with ``layout="constrained"``. Default: a new figure.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    SignalError
        If a signal is unknown.
    MissingExtraError
        If matplotlib is not installed.
    """
    dataset = kernelset.dataset[_known(signals, kernelset.signals)]
    panels = [_panel(str(name), array, centre=False) for name, array in dataset.data_vars.items()]
    shape = (len(kernelset.post), len(kernelset.pre))
    if shape[0] * shape[1] <= 6:
        shape = (1, shape[0] * shape[1])
    heights = [min(panel.height_in, 9.0 / shape[0]) for panel in panels for _ in range(shape[0])]
    with _style():
        width = min(max(1.5 * shape[1] + 1.0, _WIDTH_IN), 16.0)
        figure = figure or _new_figure(width, sum(heights) + 0.4 * len(heights) + 0.4)
        grid = figure.subplots(
            len(heights), shape[1], sharex=True, sharey="row", squeeze=False, height_ratios=heights
        )
        for k, panel in enumerate(panels):
            axes = grid[k * shape[0] : (k + 1) * shape[0]]
            _draw_pathways(axes, panel, shared_scale)
            for ax in axes.ravel():
                _label_rows(ax, panel.rows, heights[k * shape[0]])
                ax.set_ylabel("")
            for ax in axes[:, 0]:
                ax.set_ylabel(f"{panel.name}\n{panel.rows.title}")
        for ax in grid[-1]:
            ax.set_xlabel("lag (ms)")
        grid[0, 0].set_xlim(*_limits(dataset["lag"].values, from_zero=True))
        figure.align_ylabels(grid[:, 0])
    return figure


def singular_values(
    channels: NDArray[np.float64],
    lags: Mapping[str, NDArray[np.float64]],
    *,
    figure: Canvas | None = None,
) -> Canvas:
    """How fast kernels become redundant, across channels and in time.

    Parameters
    ----------
    channels : array
        Singular values across the channels, each scaled to its own peak.
    lags : dict of str to array
        Leading Hankel singular values in time of each presynaptic population.
    figure : matplotlib Figure or SubFigure, optional
        Where to draw. Default: a new figure.

    Returns
    -------
    matplotlib.figure.Figure
    """
    with _style():
        figure = figure or _new_figure(_WIDTH_IN, 3.0)
        across, in_time = figure.subplots(1, 2, sharey=True)
        across.plot(np.arange(1, channels.size + 1), channels, "o-", color=INK, markersize=3)
        for (name, values), colour in zip(lags.items(), cycle(PALETTE), strict=False):
            n = np.arange(1, values.size + 1)
            label = _escaped(name)
            in_time.plot(n, values, "o-", color=colour, markersize=3, label=label)
        across.set_yscale("log")
        across.set_ylim(1e-13, 2)
        across.set_xlabel("latents")
        in_time.set_xlabel("states of a population")
        across.set_ylabel("singular value / largest")
        in_time.legend(frameon=False, ncols=1 + len(lags) // 7)
    return figure


def save(figure: Canvas, path: str | os.PathLike[str], *, dpi: float = 200) -> None:
    """Write a figure to a file, in the format that the path's suffix names.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
    path : path
        ``.png``, ``.pdf``, ``.svg`` or what else matplotlib knows.
    dpi : float, optional
        Pixels per inch of what is not drawn as lines.

    Raises
    ------
    SignalError
        If matplotlib does not know the format, or the file cannot be written.
    """
    canvas = figure.figure.canvas
    known = canvas.get_supported_filetypes()
    suffix = Path(path).suffix.removeprefix(".").lower()
    if suffix not in known:
        raise SignalError(
            f"cannot tell the format of figure {os.fspath(path)!r}: its suffix must be one of "
            + ", ".join(f".{name}" for name in sorted(known))
        )
    try:
        with _style():
            canvas.figure.savefig(path, dpi=dpi)
    except OSError as error:
        raise SignalError(f"cannot write figure {os.fspath(path)!r}: {error}") from error


# ---------------------------------------------------------------------- what to draw
@dataclass(frozen=True)
class _Rows:
    """The order in which channels are stacked, from the bottom up."""

    order: NDArray[np.int64]
    labels: list[str]
    title: str


@dataclass(frozen=True)
class _Panel:
    """One signal, ready to be drawn: a ``(channel, sample)`` array per pathway, rows from below."""

    name: str
    unit: str
    rows: _Rows
    x: NDArray[np.float64]
    parts: list[tuple[dict[str, str], NDArray[np.float64]]]
    as_image: bool
    height_in: float

    @property
    def scale(self) -> float:
        """The signal from one row to the next: the largest trace reaches a bit beyond its row."""
        return 0.8 * _largest_finite(
            values.max(axis=-1, initial=0) - values.min(axis=-1, initial=0)
            for _, values in self.parts
        )

    @property
    def peak(self) -> float:
        """The largest distance from zero."""
        return _largest_finite(np.abs(values) for _, values in self.parts)


def _panel(name: str, array: xr.DataArray, *, centre: bool) -> _Panel:
    rows = _stacking(name, array)
    apart = array.dims[:-2]
    # Kernels have a plot for each pathway; signals that are kept apart share one.
    as_image = rows.order.size > MAX_TRACES and (not apart or not centre)
    if not as_image:
        rows = _thinned(rows)
    x = array[array.dims[-1]].values.astype(float)
    parts = [
        (populations, _reduced(part.values[rows.order].astype(float), as_image, centre))
        for populations, part in pathways(array)
    ]
    if x.size > LONG:
        x = np.repeat(x[_pieces(x.size)], 1 if as_image else 2)
    height = 3.2 if as_image else min(max(0.32 * rows.order.size, 0.8), 4.5)
    return _Panel(name, array.attrs["units"], rows, x, parts, as_image, height)


def _reduced(values: NDArray[np.float64], as_image: bool, centre: bool) -> NDArray[np.float64]:
    """Many samples as the smallest and largest value of each of `ENVELOPE_BINS` pieces.

    An image, which has one colour for a piece, takes the value farther from zero.
    """
    mean = values.mean(axis=-1, keepdims=True) if centre else 0.0
    if values.shape[-1] <= LONG:
        return values - mean
    starts = _pieces(values.shape[-1])
    low = np.minimum.reduceat(values, starts, axis=-1) - mean
    high = np.maximum.reduceat(values, starts, axis=-1) - mean
    if as_image:
        return np.where(high >= -low, high, low)
    return np.stack([low, high], axis=-1).reshape(len(values), -1)


def _pieces(count: int) -> NDArray[np.int64]:
    return np.linspace(0, count, ENVELOPE_BINS, endpoint=False).astype(np.int64)


def _stacking(name: str, array: xr.DataArray) -> _Rows:
    """Channels by depth where their depths differ, otherwise the first one on top."""
    labels = [str(label) for label in array[channel_dim(name)].values]
    unknown = np.full(len(labels), np.nan)
    z = np.asarray(array.coords.get(f"{name}_z", unknown), dtype=float)
    known = np.isfinite(z)
    if not known.any() or (len(labels) > 1 and np.ptp(z[known]) == 0):
        title = "component" if set(labels) <= {"x", "y", "z"} else "channel"
        return _Rows(np.arange(len(labels))[::-1], labels[::-1], title)
    # Channels of one depth keep their order from the top; those of unknown depth come last.
    order = np.lexsort((-np.arange(len(labels)), np.where(known, z, -np.inf)))
    return _Rows(
        order,
        [f"{z[i]:g}".replace("-", "−") if known[i] else labels[i] for i in order],
        "depth z (µm)",
    )


def _thinned(rows: _Rows) -> _Rows:
    chosen = _evenly(rows.order.size, MAX_TRACES)
    return _Rows(rows.order[chosen], [rows.labels[i] for i in chosen], rows.title)


def _evenly(count: int, most: int) -> NDArray[np.int64]:
    """Indices of at most `most` of `count` things, the first and the last among them."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(np.int64))


def _largest_finite(arrays: Iterable[NDArray[np.float64]]) -> float:
    return max(float(np.max(a, where=np.isfinite(a), initial=0)) for a in arrays)


def _known(names: Iterable[str] | str | None, available: Sequence[str]) -> list[str]:
    wanted = [names] if isinstance(names, str) else list(available if names is None else names)
    unknown = [name for name in wanted if name not in available]
    if unknown or not wanted:
        raise SignalError(f"signals {unknown} not among {list(available)}")
    return wanted


def _part(
    dataset: xr.Dataset, names: Iterable[str] | str | None, time: tuple[float, float] | None
) -> xr.Dataset:
    part = dataset[_known(names, [str(name) for name in dataset.data_vars])]
    t = part["time"].values
    start, stop = (-np.inf, np.inf) if time is None else time
    inside = np.flatnonzero((t >= start) & (t <= stop))
    if inside.size == 0:
        there = f"{t[0]:g} … {t[-1]:g} ms" if t.size else "no samples"
        raise SignalError(f"no samples between {start:g} and {stop:g} ms: the signals have {there}")
    return part.isel(time=slice(inside[0], inside[-1] + 1))


def _window(t: NDArray[Any]) -> tuple[float, float]:
    """The time that the samples stand for: each is the end of a step."""
    step = (t[-1] - t[0]) / (t.size - 1) if t.size > 1 else 0.0
    return float(t[0] - step), float(t[-1])


# ---------------------------------------------------------------------- spikes
@dataclass(frozen=True)
class _Band:
    """The spikes of one population within the window; `row` is None where senders are unknown."""

    name: str
    times: NDArray[np.float64]
    row: NDArray[np.int64] | None
    n_rows: int
    rate: str


def _bands(
    spikes: Mapping[str, Any], sizes: Mapping[str, int], window: tuple[float, float], most: int
) -> list[_Band]:
    return [
        _band(name, *_times_and_senders(name, given), sizes.get(name), window, most)
        for name, given in spikes.items()
    ]


def _band(
    name: str,
    times: NDArray[np.float64],
    senders: NDArray[Any] | None,
    size: int | None,
    window: tuple[float, float],
    most: int,
) -> _Band:
    inside = (times > window[0]) & (times <= window[1])
    rate = _rate(int(inside.sum()), window[1] - window[0], size)
    if senders is None:
        return _Band(name, times[inside], None, 1, rate)
    neurons = np.unique(senders[inside])
    shown = neurons[_evenly(neurons.size, most)] if neurons.size else neurons
    drawn = inside & np.isin(senders, shown)
    row = np.searchsorted(shown, senders[drawn])
    return _Band(name, times[drawn], row, max(shown.size, 1), rate)


def _times_and_senders(name: str, given: Any) -> tuple[NDArray[np.float64], NDArray[Any] | None]:
    senders: Any = None
    if isinstance(given, Mapping):
        times, senders = given["times"], given["senders"]
    elif isinstance(given, tuple) and len(given) == 2 and np.ndim(given[0]) == 1:
        times, senders = given
    else:
        times = given
    at = np.ravel(np.asarray(times, dtype=float))
    if senders is None:
        return at, None
    by = np.ravel(np.asarray(senders))
    if by.size != at.size:
        raise SignalError(f"spikes of {name!r}: {at.size} times but {by.size} senders")
    return at, by


def _rate(count: int, duration_ms: float, size: int | None) -> str:
    if duration_ms <= 0:
        return f"{count} spikes"
    per_second = 1000.0 * count / duration_ms
    if size:
        return f"{per_second / size:.3g} spikes/s per neuron"
    return f"{_number(float(f'{per_second:.3g}'))} spikes/s in all"


def _draw_bands(
    ax: Axes, bands: Sequence[_Band], window: tuple[float, float], colours: Mapping[str, str]
) -> None:
    """A raster, or a histogram, for each population; the first one on top."""
    height, step = 100.0, 108.0
    bases = [step * k for k in reversed(range(len(bands)))]
    for base, band in zip(bases, bands, strict=True):
        colour = colours[band.name]
        if band.row is None:
            counts, edges = np.histogram(band.times, bins=200, range=_limits(np.array(window)))
            y = base + height * counts / max(counts.max(initial=0), 1)
            ax.stairs(y, edges, baseline=base, fill=True, color=colour, gid=f"spikes-{band.name}")
        else:
            # From the first neuron at the top of its band to the last at the bottom.
            y = base + height * (1 - (band.row + 0.5) / band.n_rows)
            size = min(max(80 / (len(bands) * band.n_rows), 2.0), 6.0)
            style: dict[str, Any] = {"marker": "|", "markersize": size, "markeredgewidth": 0.7}
            style |= {"gid": f"spikes-{band.name}", "rasterized": True}
            ax.plot(band.times, y, ls="", color=colour, **style)
    ax.set_yticks([base + height / 2 for base in bases], [_escaped(band.name) for band in bands])
    ax.tick_params(left=False)
    ax.spines["left"].set_visible(False)
    ax.set_ylim(-2, step * len(bands))
    _title(ax, "spikes", {f"{band.name}: {band.rate}": colours[band.name] for band in bands})


# ---------------------------------------------------------------------- drawing
def _draw_panel(ax: Axes, panel: _Panel, colours: Mapping[str, str]) -> None:
    """One signal, with its scale; contributions of populations above each other in colours."""
    if panel.as_image:
        _draw_image(ax, panel.x, panel.parts[0][1], panel.peak)
        _colour_bar([ax], panel.peak, f"{panel.name} minus mean ({panel.unit})")
    else:
        for populations, values in panel.parts:
            colour = colours.get(_pathway(populations), INK)
            _draw_traces(ax, panel.x, values, panel.scale, colour)
        _fit_rows([ax], panel.rows.order.size)
        _scale_bar(ax, panel.scale, panel.unit)
    _label_rows(ax, panel.rows, panel.height_in)
    _title(ax, panel.name, {name: colours[name] for name in _contributions([panel])})


def _draw_traces(
    ax: Axes, x: NDArray[Any], values: NDArray[np.float64], scale: float, colour: str
) -> None:
    """A line per row, in units of rows: `scale` is the signal from one row to the next."""
    dot: dict[str, Any] = {"marker": "o", "markersize": 3, "clip_on": False} if x.size == 1 else {}
    for row, trace in enumerate(values / (scale or 1.0)):
        ax.plot(x, row + trace, color=colour, gid=f"trace-{row}", **dot)


def _draw_image(ax: Axes, x: NDArray[Any], values: NDArray[np.float64], limit: float) -> None:
    half = (x[-1] - x[0]) / (x.size - 1) / 2 if x.size > 1 else 0.5
    extent = (x[0] - half, x[-1] + half, -0.5, len(values) - 0.5)
    ax.imshow(
        values,
        extent=extent,
        origin="lower",
        aspect="auto",
        interpolation="nearest",
        cmap="RdBu_r",
        vmin=-limit or -1.0,
        vmax=limit or 1.0,
    )
    ax.set_ylim(-0.5, len(values) - 0.5)


def _draw_pathways(axes: NDArray[Any], panel: _Panel, shared_scale: bool) -> None:
    """A plot for each pathway of one signal."""
    plots = axes.ravel().tolist()
    # A pathway with nothing but the rounding errors of the others is drawn flat.
    alone = [panel if shared_scale else replace(panel, parts=[part]) for part in panel.parts]
    peaks = [max(one.peak, 1e-9 * panel.peak) for one in alone]
    scales = [max(one.scale, 1e-9 * panel.scale) for one in alone]
    for ax, (populations, values), peak, scale in zip(
        plots, panel.parts, peaks, scales, strict=True
    ):
        if panel.as_image:
            _draw_image(ax, panel.x, values, peak)
        else:
            _draw_traces(ax, panel.x, values, scale, INK)
        _title(ax, _pathway(populations))
    if not panel.as_image:
        _fit_rows(plots, panel.rows.order.size)
    groups = [plots] if shared_scale else [[ax] for ax in plots]
    for group, peak, scale in zip(groups, peaks, scales, strict=False):
        if panel.as_image:
            _colour_bar(group, peak, panel.unit)
        else:
            _scale_bar(group[-1], scale, panel.unit, upright=True)


# ---------------------------------------------------------------------- axes and labels
def _colours(names: Iterable[str]) -> dict[str, str]:
    """A colour for each name, the same wherever the name comes up in a figure."""
    different = list(dict.fromkeys(names))
    if len(different) <= len(PALETTE):
        return dict(zip(different, PALETTE, strict=False))
    matplotlib = require("matplotlib", "plot")
    shades = matplotlib.colormaps["viridis"](np.linspace(0, 0.85, len(different)))
    return {
        name: matplotlib.colors.to_hex(shade) for name, shade in zip(different, shades, strict=True)
    }


def _contributions(panels: Iterable[_Panel]) -> list[str]:
    """Names of the contributions that are kept apart."""
    return [
        _pathway(populations) for panel in panels for populations, _ in panel.parts if populations
    ]


def _pathway(populations: Mapping[str, str]) -> str:
    """``"E → I"``; what is summed over its targets is plain "E", over its sources "→ I"."""
    if "post" not in populations:
        return populations.get("pre", "")
    return f"{populations.get('pre', '')} → {populations['post']}".strip()


def _title(ax: Axes, text: str, colours: Mapping[str, str] | None = None) -> None:
    """The title on the left, and names with their colours on the right of the same line."""
    columns = max(min(65 // max((len(name) + 4 for name in colours or {}), default=1), 8), 1)
    lines = math.ceil(len(colours or {}) / columns)
    ax.set_title(
        _shortened(text),
        loc="left",
        pad=4 if lines < 2 else 4 + 12 * lines,
        fontweight="bold",
        fontsize=max(min(10.0, 200 / max(len(text), 1)), 6.0),
        parse_math=False,
    )
    if not colours:
        return
    line = require("matplotlib.lines", "plot").Line2D
    ax.legend(
        [line([], [], color=colour, lw=2) for colour in colours.values()],
        [_escaped(name) for name in colours],
        loc="lower right",
        bbox_to_anchor=(1, 1),
        ncols=columns,
        frameon=False,
        borderaxespad=0.2,
        borderpad=0,
        handlelength=1.0,
        columnspacing=1.4,
    )


def _label_rows(ax: Axes, rows: _Rows, height_in: float) -> None:
    """As many labels as `height_in` has room for."""
    shown = _evenly(rows.order.size, min(max(int(height_in / 0.2), 2), 13))
    ax.set_yticks(shown, [_escaped(rows.labels[i]) for i in shown])
    ax.tick_params(left=False)
    ax.spines["left"].set_visible(False)
    ax.set_ylabel(rows.title)


def _fit_rows(axes: Iterable[Axes], count: int) -> None:
    """Limits that hold every row, and every trace that reaches beyond the first or last."""
    axes = list(axes)
    drawn = np.concatenate([line.get_ydata() for ax in axes for line in ax.lines])
    margin = 0.15
    for ax in axes:
        ax.set_ylim(
            min(-0.5, np.nanmin(drawn, initial=0) - margin),
            max(count - 0.5, np.nanmax(drawn, initial=0) + margin),
        )


def _limits(x: NDArray[Any], *, from_zero: bool = False) -> tuple[float, float]:
    low, high = float(x[0]), float(x[-1])
    if from_zero:
        low = min(low, 0.0)
    if not high > low:
        return low - 0.5, high + 0.5
    return low, high


def _scale_bar(ax: Axes, scale: float, unit: str, *, upright: bool = False) -> None:
    """A bar right of the traces, as long as its label says; none where there is nothing to scale.

    `scale` is the signal from one row to the next.
    """
    if not scale > 0:
        return
    size = _nice(scale)
    bottom, top = ax.get_ylim()
    middle, half = (bottom + top) / 2, size / scale / 2
    shift = require("matplotlib.transforms", "plot").ScaledTranslation
    inch = ax.figure.dpi_scale_trans
    edge = ax.get_yaxis_transform()  # x in parts of the panel's width, y in rows
    ax.plot(
        [1, 1],
        [middle - half, middle + half],
        color=INK,
        lw=2,
        solid_capstyle="butt",
        clip_on=False,
        transform=edge + shift(0.07, 0, inch),
        gid="scale-bar",
    )
    ax.text(
        1,
        middle,
        f"{_number(size)} {unit}",
        va="center",
        rotation=90 if upright else 0,
        parse_math=False,
        transform=edge + shift(0.13, 0, inch),
        gid="scale-bar-label",
    )
    ax.set_ylim(bottom, top)


def _colour_bar(axes: Sequence[Axes], peak: float, label: str) -> None:
    bar = axes[0].figure.colorbar(axes[0].images[0], ax=axes, pad=0.01, aspect=30)
    bar.outline.set_visible(False)
    bar.set_label(_escaped(label))
    tick = _nice(peak or 1.0)
    bar.set_ticks([-tick, 0, tick], labels=[f"−{_number(tick)}", "0", _number(tick)])


def _nice(size: float) -> float:
    """The largest of 1, 2, 5, 10, ... that is not larger than `size`."""
    decade = 10.0 ** math.floor(math.log10(size))
    factor = max(f for f in (0.5, 1.0, 2.0, 5.0) if f <= size / decade * (1 + 1e-9))
    return float(f"{factor * decade:.1g}")


def _number(value: float) -> str:
    """``"0.05"``, ``"20 000"``, ``"2·10⁻⁵"``."""
    if value == 0 or 1e-3 <= abs(value) < 1e5:
        return f"{value:,.15g}".replace(",", "\N{THIN SPACE}")
    mantissa, exponent = f"{value:.15e}".split("e")
    raised = str(int(exponent)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return f"{float(mantissa):g}·10{raised}"


def _shortened(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:39]}…"


def _escaped(text: str) -> str:
    """Text that matplotlib draws as it is, where it cannot be told not to look for formulas."""
    return _shortened(text).replace("$", r"\$")


def _new_figure(width_in: float, height_in: float) -> Figure:
    figure: Figure = require("matplotlib.figure", "plot").Figure(
        figsize=(width_in, height_in), layout="constrained"
    )
    return figure


@contextmanager
def _style() -> Iterator[None]:
    with require("matplotlib", "plot").rc_context(_STYLE):
        yield
