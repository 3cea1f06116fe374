"""A picture of multicompartment cells, side by side and to scale."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from .. import cells as library
from .._types import Floats
from ..errors import KernelError
from ..extras import require
from .style import EXCITATORY, INHIBITORY, INK, Canvas, escaped, new_figure, nice, style, width_in

_COLOURS = {"pyramidal": EXCITATORY, "stellate": "#E69F00", "interneuron": INHIBITORY}
_HEIGHT_IN, _NARROWEST_IN = 3.0, 1.5
_AXIS_IN = 0.6  # left of the cells
_LETTER_IN = 0.058  # width of a letter of a name
_LONGEST_NAME = 16
_THINNEST = 0.5  # points; many dendrites are thinner to scale


def cells(
    given: Iterable[Any] | None = None,
    *,
    width: float | None = None,
    figure: Canvas | None = None,
) -> Canvas:
    """Cells from the side, one beside the other, their somata at one height.

    Parameters
    ----------
    given : sequence, optional
        What `nestlfp.cells.cell` takes: names of the library, morphology files, arguments of
        LFPy's ``TemplateCell``, or a `Cell`; one of these may be given alone. Default: the library.
    width : float, optional
        Of the figure (mm), such as 85 for a column of a journal. Default: what the cells need, at
        most 180.
    figure : matplotlib Figure or SubFigure, optional
        Where to draw; best one with ``layout="constrained"``. Default: a new figure.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    KernelError
        If something is no cell, or LFPy cannot make it.
    MissingExtraError
        If matplotlib or LFPy is not installed.

    Notes
    -----
    All cells share one scale (µm), z up. Dendrites have their thickness, and half a point where
    that is less. The cells are made in this process, where NEURON's cells of before are deleted.
    """
    if given is None:
        given = library.names()
    elif isinstance(given, str | os.PathLike | Mapping | library.Cell):
        given = [given]
    chosen = [library.cell(one) for one in given]
    if not chosen:
        raise KernelError("there is no cell to draw")
    require("matplotlib", "plot")
    collections = require("matplotlib.collections", "plot")
    drawn = [_segments(one) for one in chosen]
    names = [escaped(one.name, _LONGEST_NAME) for one in chosen]
    low = min(segments[:, [1, 3]].min() for segments, _ in drawn)
    high = max(segments[:, [1, 3]].max() for segments, _ in drawn)
    margin = 0.06 * (high - low)
    bottom, bar_at, top = low - 1.8 * margin, high + 1.2 * margin, high + 1.6 * margin
    wide = np.array([np.ptp(segments[:, [0, 2]]) + margin for segments, _ in drawn])
    most = width_in(figure, width) - _AXIS_IN
    um_per_in, slots = _scale(wide, names, top - bottom, most)
    right = slots.sum()
    with style():
        across, height = float(right) / um_per_in, float(top - bottom) / um_per_in
        figure = figure or new_figure((most if width else across) + _AXIS_IN, height + 0.4)
        ax = figure.subplots()
        ax.axhline(0.0, color=INK, lw=0.5, ls=(0, (1, 4)), zorder=0)
        for one, name, middle, (segments, diameters) in zip(
            chosen, names, np.cumsum(slots) - slots / 2, drawn, strict=True
        ):
            centre = (segments[:, [0, 2]].min() + segments[:, [0, 2]].max()) / 2
            ax.add_collection(
                collections.LineCollection(
                    segments.reshape(-1, 2, 2) + np.array([middle - centre, 0.0]),
                    linewidths=np.maximum(diameters * 72 / um_per_in, _THINNEST),
                    colors=_COLOURS.get(one.kind, INK),
                )
            )
            ax.text(middle, low - 0.5 * margin, name, ha="center", va="top", fontsize=6.5)
        bar = nice((high - low) / 6)
        ax.plot([right - bar, right], [bar_at, bar_at], color=INK, lw=2, solid_capstyle="butt")
        ax.text(right - bar, bar_at, f"{bar:g} µm ", ha="right", va="center", fontsize=6.5)
        for kind in dict.fromkeys(one.kind for one in chosen if one.kind):
            ax.plot([], [], color=_COLOURS[kind], lw=2, label=kind)
        if ax.get_legend_handles_labels()[0]:
            ax.legend(loc="lower left", bbox_to_anchor=(0, 0.98), frameon=False, ncols=3)
        ax.set(
            xlim=(0, right),
            ylim=(bottom, top),
            aspect="equal",
            xticks=[],
            ylabel="z from the soma's centre (µm)",
        )
        ax.spines["bottom"].set_visible(False)
    return figure


def _scale(wide: Floats, names: list[str], height: float, most: float) -> tuple[float, Floats]:
    """How many µm an inch has, in a row of at most so many inches, and each cell's width (µm).

    A cell has its name under it, which may be wider.
    """
    written = np.array([(len(name) + 1) * _LETTER_IN for name in names])
    written *= max(1.0, _NARROWEST_IN / written.sum())
    um_per_in = height / _HEIGHT_IN
    um_per_in = max(um_per_in, np.maximum(wide, written * um_per_in).sum() / most)
    return um_per_in, np.maximum(wide, written * um_per_in)


def _segments(cell: library.Cell) -> tuple[Floats, Floats]:
    """Ends (x, z, x, z) of a cell's segments relative to its soma, and their diameters (µm)."""
    made = cell.made()
    ends = np.stack([made.x[:, 0], made.z[:, 0], made.x[:, -1], made.z[:, -1]], axis=-1)
    return ends, np.reshape(made.d, (len(ends), -1)).mean(axis=-1)
