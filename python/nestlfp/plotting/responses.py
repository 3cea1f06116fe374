"""Kernels by pathway: the response to one spike."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..kernels import KernelSet
from .axes import (
    colour_bar,
    draw_image,
    draw_traces,
    fit_rows,
    label_rows,
    limits,
    put_pathways,
    scale_bar,
)
from .reduction import Panel, known_signals, prepared
from .style import INK, WIDTH, Axes, Canvas, new_figure, style, width_in

_BESIDE_IN = 0.9  # for the labels left of the first plot
_APART_IN = 0.15  # between two titles


def kernels(
    kernelset: KernelSet,
    *,
    signals: Iterable[str] | str | None = None,
    shared_scale: bool = False,
    zeros: bool = False,
    width: float | None = None,
    figure: Canvas | None = None,
) -> Canvas:
    """Kernels by pathway, titled "E → I" from the presynaptic to the postsynaptic population.

    Up to six pathways stand side by side. More of them form a grid with a column for each
    presynaptic and a row for each postsynaptic population. Pathways without a response are empty.

    Parameters
    ----------
    kernelset : KernelSet
    signals : sequence of str, optional
        Which signals to draw. Default: all.
    shared_scale : bool, optional
        Draw all pathways of a signal to one scale, so that their sizes compare. By default each
        has its own scale bar, since kernels of different pathways differ by orders of magnitude.
    zeros : bool, optional
        Draw channels whose kernels are all zero, such as x and y of dipoles along z. Otherwise the
        label of their axis names them.
    width : float, optional
        Of the figure (mm), such as 85 for a column of a journal. Default: 180, more for more than
        six pathways.
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
    dataset = kernelset.dataset[known_signals(signals, kernelset.signals)]
    panels = [
        prepared(str(name), array, centre=False, zeros=zeros)
        for name, array in dataset.data_vars.items()
    ]
    shape = (len(kernelset.post), len(kernelset.pre))
    if shape[0] * shape[1] <= 6:
        shape = (1, shape[0] * shape[1])
    heights = [min(panel.height_in, 9.0 / shape[0]) for panel in panels for _ in range(shape[0])]
    with style():
        across = width_in(figure, width, min(max(30.0 * shape[1], WIDTH), 400.0))
        figure = figure or new_figure(across, sum(heights) + 0.4 * len(heights) + 0.4)
        grid = figure.subplots(
            len(heights), shape[1], sharex=True, sharey="row", squeeze=False, height_ratios=heights
        )
        for k, panel in enumerate(panels):
            axes = grid[k * shape[0] : (k + 1) * shape[0]]
            _draw_pathways(axes, panel, shared_scale)
            for ax in axes.ravel():
                label_rows(ax, panel.rows, heights[k * shape[0]])
                ax.set_ylabel("")
            for ax in axes[:, 0]:
                ax.set_ylabel(f"{panel.title}\n{panel.rows.title}")
        for ax in grid[-1]:
            ax.set_xlabel("lag (ms)")
        grid[0, 0].set_xlim(*limits(dataset["lag"].values, from_zero=True))
        figure.align_ylabels(grid[:, 0])
    return figure


def _draw_pathways(axes: NDArray[Any], panel: Panel, shared_scale: bool) -> None:
    """A plot for each pathway of one signal."""
    plots = axes.ravel().tolist()
    # A pathway with nothing but the rounding errors of the others is drawn flat.
    alone = [panel if shared_scale else replace(panel, parts=[part]) for part in panel.parts]
    peaks = [max(one.peak, 1e-9 * panel.peak) for one in alone]
    scales = [max(one.scale, 1e-9 * panel.scale) for one in alone]
    silent = [not part.any() for _, part in panel.parts]
    for ax, (_, values), peak, scale in zip(plots, panel.parts, peaks, scales, strict=True):
        if panel.as_image:
            draw_image(ax, panel.x, values, peak)
        else:
            draw_traces(ax, panel.x, values, scale, INK)
    figure = plots[0].figure
    pitch = (figure.bbox.width / figure.dpi - _BESIDE_IN) / axes.shape[1]
    put_pathways(plots, [populations for populations, _ in panel.parts], pitch - _APART_IN)
    if not panel.as_image:
        fit_rows(plots, panel.rows.order.size)
    groups = [plots] if shared_scale else [[ax] for ax in plots]
    for group, peak, scale, empty in zip(groups, peaks, scales, silent, strict=False):
        if empty and not shared_scale:
            _mark_silent(group[0])
        elif panel.as_image:
            colour_bar(group, group[0].images[0], np.array([-peak, peak]), panel.unit)
        else:
            scale_bar(group[-1], scale, panel.unit, upright=True)


def _mark_silent(ax: Axes) -> None:
    """Write "none" instead of a scale."""
    for line in list(ax.lines):
        line.remove()
    ax.text(
        0.5, 0.5, "none", transform=ax.transAxes, ha="center", va="center", color="0.6",
        gid="no-response",
    )  # fmt: skip
