"""Signals by depth, above each other, with the spikes that made them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import xarray as xr

from .._types import Floats
from ..errors import SignalError
from ..signals.layout import checked
from .axes import (
    colour_bar,
    draw_image,
    draw_traces,
    fit_rows,
    label_rows,
    limits,
    mark_image,
    mark_rows,
    put_title,
    scale_bar,
)
from .reduction import Panel, known_signals, pathway, prepared
from .spikes import bands_of, draw_bands
from .style import INK, Axes, Canvas, colours_of, new_figure, style, width_in

_NAME = 20  # letters of each population in a legend
_UPRIGHT_BELOW_IN = 5.0  # in narrow figures the size of scale bars stands upright


def signals(
    dataset: xr.Dataset,
    *,
    signals: Iterable[str] | str | None = None,
    time: tuple[float, float] | None = None,
    spikes: Mapping[str, Any] | None = None,
    sizes: Mapping[str, int] | None = None,
    max_neurons: int = 200,
    zeros: bool = False,
    width: float | None = None,
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
        How many neurons of a population the raster shows, chosen evenly among the active ones;
        the axis says how many of how many.
    zeros : bool, optional
        Draw channels that are zero all the time, such as x and y of a dipole along z. Otherwise
        the title names them.
    width : float, optional
        Of the figure (mm), such as 85 for a column of a journal. Default: 180.
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
    Each trace is drawn about its own mean; the scale bar holds for all traces of its panel. Where
    no contact lies above z = 0, depth is counted downwards from there. Sensors of EEG and MEG have
    their names.

    Examples
    --------
    >>> figure = plotting.signals(recorder.signals(), time=(500, 1000))    # doctest: +SKIP
    >>> plotting.save(figure, "signals.png")                               # doctest: +SKIP
    """
    chosen = part_of(checked(dataset), signals, time)
    x = chosen["time"].values
    panels = [
        prepared(str(name), array, centre=True, zeros=zeros)
        for name, array in chosen.data_vars.items()
    ]
    across = width_in(figure, width)
    bands = bands_of(spikes or {}, sizes or {}, window(x), max_neurons)
    with style():
        apart = [pathway(p) for panel in panels for p, _ in panel.parts if p]
        colours = colours_of([*(band.name for band in bands), *apart])
        heights = [max(1.2, 0.3 * len(bands))] * bool(bands) + [panel.height_in for panel in panels]
        figure = figure or new_figure(across, sum(heights) + 0.35 * len(heights) + 0.3)
        axes = list(
            figure.subplots(len(heights), sharex=True, squeeze=False, height_ratios=heights)[:, 0]
        )
        for ax in axes[:-1]:
            ax.tick_params(bottom=False)
            ax.spines["bottom"].set_visible(False)
        if bands:
            draw_bands(axes[0], bands, window(x), colours, across)
        for ax, panel in zip(axes[-len(panels) :], panels, strict=True):
            _draw_panel(ax, panel, colours, across)
        axes[-1].set_xlabel("time (ms)")
        axes[-1].set_xlim(*limits(x))
        figure.align_ylabels(axes)
    return figure


def part_of(
    dataset: xr.Dataset, names: Iterable[str] | str | None, time: tuple[float, float] | None
) -> xr.Dataset:
    part = dataset[known_signals(names, [str(name) for name in dataset.data_vars])]
    t = part["time"].values
    try:
        start, stop = map(float, (-np.inf, np.inf) if time is None else time)
    except (TypeError, ValueError):
        raise SignalError(f"time must be (start, stop) in ms, found {time!r}") from None
    inside = np.flatnonzero((t >= start) & (t <= stop))
    if inside.size == 0:
        there = f"{t[0]:g} … {t[-1]:g} ms" if t.size else "no samples"
        raise SignalError(f"no samples between {start:g} and {stop:g} ms: the signals have {there}")
    return part.isel(time=slice(inside[0], inside[-1] + 1))


def window(t: Floats) -> tuple[float, float]:
    """The time that the samples cover: each is the end of a step."""
    step = (t[-1] - t[0]) / (t.size - 1) if t.size > 1 else 0.0
    return float(t[0] - step), float(t[-1])


def _draw_panel(ax: Axes, panel: Panel, colours: Mapping[str, str], across: float) -> None:
    """One signal, with its scale; contributions of populations above each other in colours."""
    if panel.as_image:
        draw_image(ax, panel.x, panel.parts[0][1], panel.peak)
        colour_bar([ax], ax.images[0], panel.parts[0][1], panel.unit)
        mark_image(ax, panel.missing)
    else:
        for populations, values in panel.parts:
            colour = colours.get(pathway(populations), INK)
            draw_traces(ax, panel.x, values, panel.scale, colour)
        fit_rows([ax], panel.rows.order.size)
        scale_bar(ax, panel.scale, panel.unit, upright=across < _UPRIGHT_BELOW_IN)
        mark_rows(ax, panel.missing)
    label_rows(ax, panel.rows, panel.height_in)
    apart = [populations for populations, _ in panel.parts if populations]
    legend = [(pathway(p, most=_NAME), colours[pathway(p)]) for p in apart]
    put_title(ax, panel.title, legend, across)
