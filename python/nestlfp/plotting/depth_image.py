"""Signals as colours by depth and time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from .._types import Floats
from ..errors import SignalError
from ..kernels.names import channel_dim
from ..signals.layout import added_up, checked
from .axes import checked_limit, colour_bar, diverging, put_title
from .reduction import (
    DEPTH,
    depth_axis,
    known_signals,
    labelled,
    on_a_head,
    pieces_of,
    shown_by_image,
)
from .style import INK, Canvas, escaped, new_figure, style, width_in
from .traces import part_of

_HEIGHT_IN = 2.2  # of a panel
_MOST_LABELS = 13
_NO_CONTACTS = "0.85"


def depth_image(
    dataset: xr.Dataset,
    *,
    signals: Iterable[str] | str | None = None,
    time: tuple[float, float] | None = None,
    layers: Mapping[str, Sequence[float]] | None = None,
    limit: float | None = None,
    centre: bool = True,
    width: float | None = None,
    figure: Canvas | None = None,
) -> Canvas:
    """LFP or CSD as colours by depth and time, a panel for each signal.

    White is zero, red positive, blue negative: of a CSD, sources are red and sinks are blue. A tick
    stands at each contact. Each contact has a band that reaches halfway to its neighbours: nothing
    is interpolated. All panels reach equally far; where a signal has no contacts its panel is grey.

    Parameters
    ----------
    dataset : xarray.Dataset
        Signals, as `FieldRecorder.signals`, `KernelSet.convolve` and
        `nestlfp.signals.current_source_density` return them. Contributions that are kept apart by
        population are added up.
    signals : sequence of str, optional
        Which signals to draw. Default: all whose contacts have depths.
    time : (start, stop), optional
        What part of the time to draw (ms). Default: all of it.
    layers : dict of str to (float, float), optional
        For each layer the two heights z between which it lies (µm), such as
        ``{"L1": (0, -150), "L2/3": (-150, -600)}``.
    limit : float, optional
        The value of the darkest colours, in the unit of a single signal. Arrows at the colour bar
        say that there are values beyond it. Default: the largest value, so that there are none.
    centre : bool, optional
        Take the mean of each channel off, and say so.
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
        If a signal is unknown, its contacts have no different depths, no sample lies in `time`, or
        a layer or the limit cannot be drawn.
    MissingExtraError
        If matplotlib is not installed.

    Examples
    --------
    >>> import numpy as np, nestlfp
    >>> z = -100.0 * np.arange(4)
    >>> kernels = nestlfp.KernelSet.from_arrays(
    ...     {"LFP": np.array([1.0, 2.0, -3.0, 0.0]).reshape(1, 1, 4, 1)}, pre=["E"], post=["E"],
    ...     dt=1.0, units={"LFP": "mV"}, positions={"LFP": np.stack([0 * z, 0 * z, z], axis=1)},
    ... )
    >>> signals = kernels.convolve({"E": [2.0, 5.0]}, duration=8.0)
    >>> csd = nestlfp.signals.current_source_density(signals)
    >>> figure = nestlfp.plotting.depth_image(csd, layers={"L1": (0, -150)}, width=85)
    >>> figure.axes[0].get_ylabel()
    'depth below z = 0 (µm)'
    """
    there = checked(dataset)
    if signals is None:
        signals = [str(name) for name in there.data_vars if _no_depths(there, str(name)) is None]
        if not signals:
            name = str(next(iter(there.data_vars)))
            raise SignalError(f"no signal has an image by depth: {_no_depths(there, name)}")
    names = known_signals(signals, [str(name) for name in there.data_vars])
    for name in names:
        if why := _no_depths(there, name):
            raise SignalError(f"no image by depth: {why}")
    if limit is not None and len(names) > 1:
        raise SignalError(f"a limit is of one signal, found {names}: signals={names[0]!r}")
    if limit is not None:
        checked_limit(limit, np.empty(0))
    chosen = part_of(there, names, time)
    bounds = _checked_layers(layers or {})
    with style():
        across = width_in(figure, width)
        figure = figure or new_figure(across, (_HEIGHT_IN + 0.3) * len(names) + 0.3)
        axes = figure.subplots(len(names), sharex=True, squeeze=False)[:, 0]
        heights = {name: chosen[f"{name}_z"].values.astype(float) for name in names}
        # A CSD has fewer contacts than its potential: both panels reach equally far.
        ends = np.concatenate([_edges(np.sort(z))[[0, -1]] for z in heights.values()])
        low, high = ends.min(), ends.max()
        for ax, name in zip(axes, names, strict=True):
            array = added_up(chosen[name])
            unit = array.attrs["units"]
            order = np.argsort(heights[name], kind="stable")
            z = heights[name][order]
            values = np.asarray(array.values, dtype=float)[order]
            _draw(ax, chosen["time"].values, z, shown_by_image(values, centre), limit, unit)
            ax.set(ylim=(low, high), facecolor=_NO_CONTACTS)
            _draw_layers(ax, bounds, low, high)
            put_title(ax, f"{name} minus mean" if centre else name, width_in=across)
        axes[-1].set_xlabel("time (ms)")
        figure.align_ylabels(axes)
    return figure


def _no_depths(dataset: xr.Dataset, name: str) -> str | None:
    """Why a signal has no image by depth, if so."""
    array = dataset[name]
    z = np.asarray(array.coords.get(f"{name}_z", np.nan), dtype=float)
    if on_a_head(name, array):
        return f"the channels of {name!r} are sensors of a head; see nestlfp.plotting.topomap"
    if not np.isfinite(z).all():
        return f"{name!r} has channels without a height {name}_z (µm)"
    if z.size < 2 or np.unique(z).size < z.size:
        return (
            f"{name!r} needs contacts at different heights, two or more, found {name}_z = "
            f"{np.array2string(z, threshold=8)}: choose those of one line, such as "
            f"signals.isel({channel_dim(name)}=slice(0, 16))"
        )
    return None


def _checked_layers(layers: Mapping[str, Sequence[float]]) -> dict[str, tuple[float, float]]:
    found = {}
    for name, given in layers.items():
        try:
            one, other = map(float, given)
        except (TypeError, ValueError):
            one = other = np.nan
        if not abs(one - other) > 0:
            raise SignalError(
                f"layer {name!r} must have two different heights z (µm), such as (0, -150), found "
                f"{given!r}"
            )
        found[name] = (max(one, other), min(one, other))
    return found


def _edges(centres: Floats) -> Floats:
    """Halfway between neighbours, and as far beyond the first and the last."""
    if centres.size == 1:
        return centres[0] + np.array([-0.5, 0.5])
    half = np.diff(centres) / 2
    inner = centres[:-1] + half
    return np.concatenate([[centres[0] - half[0]], inner, [centres[-1] + half[-1]]])


def _draw(ax: Any, t: Floats, z: Floats, values: Floats, limit: float | None, unit: str) -> None:
    """Colours, a tick at each contact, and the bar."""
    edges = _edges(t)
    if values.shape[1] < t.size:
        edges = edges[np.append(pieces_of(t.size), t.size)]
    image = ax.pcolormesh(
        edges, _edges(z), np.ma.masked_invalid(values), rasterized=True,
        **diverging(checked_limit(limit, values)),
    )  # fmt: skip
    if not np.isfinite(values).all():
        ax.set_title("grey: not finite", loc="right", fontsize=6.5)
    title, text_of = depth_axis(z)
    shown = labelled(z.size, _MOST_LABELS)
    ax.set_yticks(z[shown], [text_of(z[i]) for i in shown])
    ax.set_yticks(z, minor=True)
    ax.tick_params(which="both", direction="out")
    ax.set_ylabel(title.replace("\n", " ") if title == DEPTH else title)
    colour_bar([ax], image, values, unit)


def _draw_layers(
    ax: Any, layers: Mapping[str, tuple[float, float]], low: float, high: float
) -> None:
    """Dotted boundaries, and names at the right, of what of the layers is in the picture."""
    for name, (top, bottom) in layers.items():
        for at in (top, bottom):
            if low < at < high:
                ax.axhline(at, color=INK, lw=0.6, ls=(0, (1, 2)))
        middle = (min(top, high) + max(bottom, low)) / 2
        if low < middle < high and bottom < high and top > low:
            ax.text(
                0.99, middle, escaped(name), transform=ax.get_yaxis_transform(), ha="right",
                va="center", fontsize=6, color=INK, gid="layer",
                bbox={"facecolor": "white", "alpha": 0.7, "edgecolor": "none", "pad": 0.8},
            )  # fmt: skip
