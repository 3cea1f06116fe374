"""Titles, rows, scale bars and colour bars of a panel."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from .._types import Floats
from ..errors import SignalError
from ..extras import require
from .reduction import Rows, labelled, pathway
from .style import INK, MISSING, Axes, escaped, nice, number, quantity, shortened

_TITLE_SIZES = (8.0, 7.0, 6.0)  # points
_BESIDE_IN = 1.15  # for the labels left of a panel, and its scale right of it
_LEGEND = 6.5  # points
_HANDLE_IN = 0.3  # for the line before each name of a legend, and the gap behind it


def put_title(
    ax: Axes, text: str, legend: Sequence[tuple[str, str]] = (), width_in: float = 7.0
) -> None:
    """The title on the left, and (name, colour) right of it, or below it where there is no room."""
    title = shortened(text, 60)
    room = width_in - _BESIDE_IN
    size = next((s for s in _TITLE_SIZES if _width([title], s) <= room), _TITLE_SIZES[-1])
    entry = max((_width([name], _LEGEND, "normal") for name, _ in legend), default=0) + _HANDLE_IN
    beside = _width([title], size) + entry * len(legend) <= room
    columns = len(legend) if beside else max(int(room / entry), 1)
    lines = 0 if beside else math.ceil(len(legend) / columns)
    ax.set_title(
        title,
        loc="left",
        pad=4 + 1.6 * _LEGEND * lines,
        fontweight="bold",
        fontsize=size,
        parse_math=False,
    )
    if not legend:
        return
    line = require("matplotlib.lines", "plot").Line2D
    ax.legend(
        [line([], [], color=colour, lw=2) for _, colour in legend],
        [escaped(name, None) for name, _ in legend],
        loc="lower right",
        bbox_to_anchor=(1, 1),
        ncols=columns,
        frameon=False,
        borderaxespad=0.2,
        borderpad=0,
        handlelength=1.0,
        columnspacing=1.4,
    )


def put_pathways(
    axes: Sequence[Axes], pathways: Sequence[Mapping[str, str]], width_in: float
) -> None:
    """Titles "E → I" that fit into so many inches: smaller, or on two lines, or shortened."""
    titles, size = _fitted(pathways, width_in)
    for ax, text in zip(axes, titles, strict=True):
        ax.set_title(text, loc="left", fontweight="bold", fontsize=size, pad=4, parse_math=False)


def _fitted(pathways: Sequence[Mapping[str, str]], width_in: float) -> tuple[list[str], float]:
    for gap in (" ", "\n"):
        titles = [pathway(populations, gap) for populations in pathways]
        for size in _TITLE_SIZES:
            if _width(titles, size) <= width_in:
                return titles, size
    for most in range(40, 4, -1):
        titles = [pathway(populations, "\n", most) for populations in pathways]
        if _width(titles, _TITLE_SIZES[-1]) <= width_in:
            break
    return titles, _TITLE_SIZES[-1]


def _width(titles: Iterable[str], size: float, weight: str = "bold") -> float:
    """Width (inches) of the longest line in letters of this size (points)."""
    font = require("matplotlib.font_manager", "plot").FontProperties(weight=weight, size=size)
    measure = require("matplotlib.textpath", "plot").text_to_path.get_text_width_height_descent
    lines = [line for text in titles for line in text.split("\n")]
    return max(measure(line, font, ismath=False)[0] for line in lines) / 72


def mark_rows(ax: Axes, missing: Sequence[str]) -> None:
    """Grey behind the rows that are not finite, or not all of the time, and a word why."""
    for row, what in enumerate(missing):
        if not what:
            continue
        ax.axhspan(
            row - 0.45, row + 0.45, facecolor="0.93", edgecolor="0.8", hatch="////", lw=0, zorder=0,
            gid=f"not-finite-{row}",
        )  # fmt: skip
        ax.text(
            0.01, row, what, transform=ax.get_yaxis_transform(), va="center", fontsize=6.5,
            gid="not-finite", bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.5},
        )  # fmt: skip


def mark_image(ax: Axes, missing: Sequence[str]) -> None:
    """A word on channels that an image shows in grey."""
    bad = sum(bool(what) for what in missing)
    if bad:
        text = f"grey: not finite ({bad} of {len(missing)} channels)"
        ax.set_title(text, loc="right", fontsize=6.5, pad=4)


def label_rows(ax: Axes, rows: Rows, height_in: float) -> None:
    """As many labels as `height_in` has room for."""
    shown = labelled(rows.order.size, min(max(int(height_in / 0.2), 2), 13))
    ax.set_yticks(shown, [escaped(rows.labels[i]) for i in shown])
    ax.tick_params(left=False)
    ax.spines["left"].set_visible(False)
    ax.set_ylabel(rows.title)


def fit_rows(axes: Iterable[Axes], count: int) -> None:
    """Limits that hold every row, and every trace that reaches beyond the first or last."""
    axes = list(axes)
    drawn = np.concatenate([line.get_ydata() for ax in axes for line in ax.lines])
    margin = 0.15
    for ax in axes:
        ax.set_ylim(
            min(-0.5, np.nanmin(drawn, initial=0) - margin),
            max(count - 0.5, np.nanmax(drawn, initial=0) + margin),
        )


def limits(x: Floats, *, from_zero: bool = False) -> tuple[float, float]:
    low, high = float(x[0]), float(x[-1])
    if from_zero:
        low = min(low, 0.0)
    if not high > low:
        return low - 0.5, high + 0.5
    return low, high


def scale_bar(ax: Axes, scale: float, unit: str, *, upright: bool = False) -> None:
    """A bar right of the traces, as long as its label says; none where there is nothing to scale.

    `scale` is the signal from one row to the next.
    """
    if not scale > 0:
        return
    size = nice(scale)
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
        quantity(size, unit),
        va="center",
        rotation=90 if upright else 0,
        parse_math=False,
        transform=edge + shift(0.13, 0, inch),
        gid="scale-bar-label",
    )
    ax.set_ylim(bottom, top)


def checked_limit(limit: float | None, values: Floats) -> float:
    """The value of the darkest colours: a positive number, or the largest of the values."""
    if limit is None:
        return float(np.max(np.abs(values), where=np.isfinite(values), initial=0.0)) or 1.0
    if not isinstance(limit, int | float) or not 0 < limit < np.inf:
        raise SignalError(f"limit must be a positive number, found {limit!r}: limit=0.1")
    return float(limit)


def colour_bar(axes: Sequence[Axes], image: Any, values: Floats, label: str) -> Any:
    """A bar beside the panels, with zero and a round number; arrows where values lie beyond it."""
    limit = image.norm.vmax
    low, high = np.nanmin(values, initial=0.0), np.nanmax(values, initial=0.0)
    beyond = (bool(low < -limit * (1 + 1e-9)), bool(high > limit * (1 + 1e-9)))
    extend = {(False, False): "neither", (True, False): "min", (False, True): "max"}.get(
        beyond, "both"
    )
    bar = axes[0].figure.colorbar(image, ax=[*axes], pad=0.01, aspect=30, extend=extend)
    bar.outline.set_visible(False)
    bar.set_label(escaped(label))
    tick = nice(limit)
    bar.set_ticks([-tick, 0, tick], labels=[f"−{number(tick)}", "0", number(tick)])
    return bar


def diverging(limit: float) -> dict[str, Any]:
    """Colours from -limit (blue) to limit (red), with white for zero, as options of a drawing."""
    colours = require("matplotlib", "plot").colormaps["RdBu_r"].with_extremes(bad=MISSING)
    norm = require("matplotlib.colors", "plot").Normalize(-limit or -1.0, limit or 1.0)
    return {"cmap": colours, "norm": norm}


def draw_traces(ax: Axes, x: Floats, values: Floats, scale: float, colour: str) -> None:
    """A line per row, in units of rows: `scale` is the signal from one row to the next."""
    dot: dict[str, Any] = {"marker": "o", "markersize": 3, "clip_on": False} if x.size == 1 else {}
    for row, trace in enumerate(values / (scale or 1.0)):
        ax.plot(x, row + trace, color=colour, gid=f"trace-{row}", **dot)


def draw_image(ax: Axes, x: Floats, values: Floats, limit: float) -> None:
    half = (x[-1] - x[0]) / (x.size - 1) / 2 if x.size > 1 else 0.5
    extent = (x[0] - half, x[-1] + half, -0.5, len(values) - 0.5)
    ax.imshow(
        values, extent=extent, origin="lower", aspect="auto", interpolation="nearest",
        **diverging(limit),
    )  # fmt: skip
    ax.set_ylim(-0.5, len(values) - 0.5)
