"""A picture of where things are: contacts, population cylinders, morphologies."""

from __future__ import annotations

import numpy as np

from .._types import Floats
from ..errors import KernelError
from ..extras import require
from ..geometry import Geometry, geometry_of
from ..kernels import AXES, KernelSet, channel_dim
from .style import INK, WIDTH, Axes, Canvas, colours_of, escaped, new_figure, style, width_in

_MARGIN = 0.08  # of the extent, around everything drawn
_TALLEST_IN = 4.5  # of what is seen from the side
_LABELS_IN = 1.0  # beside and below
_MOST_LABELS = 32  # contacts; more stand too close to be named


def probe_and_cells(
    kernels: KernelSet,
    *,
    signal: str | None = None,
    width: float | None = None,
    figure: Canvas | None = None,
) -> Canvas:
    """Contacts, population cylinders and morphologies, from the side and from above.

    Parameters
    ----------
    kernels : KernelSet
        Kernels with contact positions, a geometry (`nestlfp.geometry.with_geometry`), or both.
    signal : str, optional
        Whose contacts to draw. Default: "LFP", or the first signal that has positions.
    width : float, optional
        Of the figure (mm), such as 85 for a column of a journal. Default: what the height asks for,
        at most 180.
    figure : matplotlib Figure or SubFigure, optional
        Where to draw; best one with ``layout="constrained"``. Default: a new figure.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    KernelError
        If the signal is unknown, or the kernels know neither contacts nor populations.
    MissingExtraError
        If matplotlib is not installed.

    Notes
    -----
    Cells stand side by side in their cylinder, so that each can be seen; their real places are
    random. All populations share one scale (µm), z up.
    """
    geometry = geometry_of(kernels) or Geometry({})
    name, contacts, labels = _contacts(kernels, signal)
    if not (geometry.cylinders or contacts.size):
        raise KernelError(
            "these kernels have neither contact positions nor populations: give positions to "
            "the kernels, or use nestlfp.geometry.with_geometry"
        )
    cells = _placed(geometry)
    low, high = _extent(contacts, geometry, cells)
    size = high - low
    require("matplotlib", "plot")
    with style():
        usual = 25.4 * float(
            np.clip(_TALLEST_IN * size[0] / size[2] + _LABELS_IN, 3.3, WIDTH / 25.4)
        )
        across = width_in(figure, width, usual)
        height = min((across - _LABELS_IN) * size[2] / size[0], _TALLEST_IN)
        figure = figure or new_figure(across, height * (1 + size[1] / size[2]) + _LABELS_IN)
        side, top = figure.subplots(2, 1, sharex=True, height_ratios=[size[2], size[1]])
        _draw_populations(side, top, geometry, cells, height * 72 / size[2])
        for ax, vertical in ((side, 2), (top, 1)):
            if contacts.size:
                _draw_contacts(ax, contacts[:, [0, vertical]], f"contacts of {escaped(name)}")
            ax.set(
                xlim=(low[0], high[0]),
                ylim=(low[vertical], high[vertical]),
                aspect="equal",
                ylabel=f"{AXES[vertical]} (µm)",
            )
        _label_contacts(side, contacts, labels)
        side.legend(loc="lower left", bbox_to_anchor=(0, 1), frameon=False, ncols=2, borderpad=0)
        top.set_xlabel("x (µm)")
    return figure


def _contacts(kernels: KernelSet, signal: str | None) -> tuple[str, Floats, list[str]]:
    """Name of the signal, positions (n, 3) and labels of its contacts; none where it has none."""
    if signal is None:
        placed = [name for name in kernels.signals if f"{name}_z" in kernels[name].coords]
        signal = "LFP" if "LFP" in placed else next(iter(placed), None)
    if signal is None:
        return "", np.empty((0, 3)), []
    array = kernels[signal]
    if f"{signal}_z" not in array.coords:
        raise KernelError(f"the contacts of signal {signal!r} have no positions")
    found = np.column_stack([array.coords[f"{signal}_{axis}"].values for axis in AXES])
    known = np.isfinite(found[:, 2])  # where only the depth is known, contacts stand on the axis
    labels = [str(label) for label in array[channel_dim(signal)].values[known]]
    return signal, np.nan_to_num(found[known]), labels


def _placed(geometry: Geometry) -> dict[str, Floats]:
    """Segments of each population's cell, shape (n, 7), moved to its place in the picture.

    Cells stand side by side, as far apart as the wider of two neighbours needs.
    """
    placed, at = {}, 0.0
    for name, segments in geometry.segments.items():
        moved = segments.copy()
        left, right = moved[:, [0, 3]].min(), moved[:, [0, 3]].max()
        moved[:, [0, 3]] += at - left
        moved[:, [2, 5]] += geometry.cylinders[name].center[2]
        at += (right - left) * 1.1
        placed[name] = moved
    middle = np.mean([c.x for c in geometry.cylinders.values()]) if geometry.cylinders else 0.0
    for moved in placed.values():
        moved[:, [0, 3]] += middle - at / 2
    return placed


def _extent(
    contacts: Floats, geometry: Geometry, cells: dict[str, Floats]
) -> tuple[Floats, Floats]:
    """Corners of the box to draw, with a margin, each side at least a tenth of the longest."""
    points = [contacts]
    for c in geometry.cylinders.values():
        points.append(np.array([[c.x - c.radius, c.y - c.radius, c.bottom]]))
        points.append(np.array([[c.x + c.radius, c.y + c.radius, c.top]]))
    for segments in cells.values():
        points += [segments[:, :3], segments[:, 3:6]]
    every = np.concatenate(points)
    low, high = every.min(axis=0), every.max(axis=0)
    longest = max(float(np.max(high - low)), 1.0)
    missing = np.maximum(longest / 4 - (high - low), 0) / 2
    return low - missing - _MARGIN * longest, high + missing + _MARGIN * longest


def _draw_populations(
    side: Axes, top: Axes, geometry: Geometry, cells: dict[str, Floats], points_per_um: float
) -> None:
    """Somata, filled so lightly that others show through, and cells."""
    patches = require("matplotlib.patches", "plot")
    collections = require("matplotlib.collections", "plot")
    colours = colours_of(geometry.cylinders)
    for name, c in geometry.cylinders.items():
        light = {"facecolor": (colours[name], 0.12), "edgecolor": colours[name], "linewidth": 1.0}
        corner, height = (c.x - c.radius, c.bottom), c.top - c.bottom
        label = f"somata of {escaped(name)}"
        side.add_patch(patches.Rectangle(corner, 2 * c.radius, height, label=label, **light))
        top.add_patch(patches.Circle((c.x, c.y), c.radius, **light))
    for name, segments in cells.items():
        lines = np.stack([segments[:, [0, 2]], segments[:, [3, 5]]], axis=1)
        widths = np.maximum(segments[:, 6] * points_per_um, 0.4)
        side.add_collection(
            collections.LineCollection(
                lines, linewidths=widths, colors=colours[name], capstyle="round"
            )
        )


def _draw_contacts(ax: Axes, where: Floats, label: str) -> None:
    size, edge = (4, 0.5) if len(where) <= _MOST_LABELS else (2, 0)
    ax.plot(*where.T, "o", color=INK, ms=size, mec="white", mew=edge, zorder=3, label=label)


def _label_contacts(ax: Axes, contacts: Floats, labels: list[str]) -> None:
    """Names of the contacts beside them, if there is room."""
    for place, label in zip(contacts, labels, strict=True) if len(labels) <= _MOST_LABELS else ():
        ax.annotate(
            escaped(label),
            (place[0], place[2]),
            xytext=(5, 0),
            textcoords="offset points",
            va="center",
            fontsize=6,
        )
