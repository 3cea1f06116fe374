"""Power spectra of signals."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import xarray as xr

from ..extras import require
from ..kernels.names import channel_dim
from ..signals.layout import checked, pathways
from ..signals.spectrum import spectrum as density_of
from .reduction import MAX_TRACES, depth_axis, evenly, known_signals, on_a_head, pathway
from .style import (
    COLUMN,
    WIDTH,
    Axes,
    Canvas,
    colours_of,
    escaped,
    new_figure,
    style,
    width_in,
)

_NARROWEST_IN, _HEIGHT_IN = 2.5, 2.5  # of a panel


def spectrum(
    dataset: xr.Dataset,
    *,
    signals: Iterable[str] | str | None = None,
    width: float | None = None,
    figure: Canvas | None = None,
    **options: Any,
) -> Canvas:
    """Power spectra of signals, a panel for each signal.

    Channels have the colours of their depth, where they have one. Of contributions that are kept
    apart by population, each is the mean over the channels.

    Parameters
    ----------
    dataset : xarray.Dataset
        Signals, as `FieldRecorder.signals` and `KernelSet.convolve` return them.
    signals : sequence of str, optional
        Which signals to draw. Default: all.
    width : float, optional
        Of the figure (mm), such as 85 for a column of a journal. Default: 85 for one signal, 180
        for several.
    figure : matplotlib Figure or SubFigure, optional
        Where to draw; best one with ``layout="constrained"``. Default: a new figure.
    **options
        As for `nestlfp.signals.spectrum`: segment, overlap, window, detrend, start, stop.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    SignalError
        If a signal is unknown, or has no spectrum, see `nestlfp.signals.spectrum`.
    MissingExtraError
        If matplotlib is not installed.
    """
    names = known_signals(signals, [str(name) for name in checked(dataset).data_vars])
    densities = density_of(dataset[names], **options)
    with style():
        across = width_in(figure, width, WIDTH if len(names) > 1 else COLUMN)
        columns = min(max(int(across / _NARROWEST_IN), 1), len(names))
        rows = -(-len(names) // columns)
        figure = figure or new_figure(across, _HEIGHT_IN * rows)
        axes = figure.subplots(rows, columns, squeeze=False).ravel()
        for spare in axes[len(names) :]:
            spare.remove()
        for ax, name in zip(axes, names, strict=False):
            array = densities[name]
            # A constant has been taken off: there is no power at 0 Hz.
            array = array.isel(frequency=slice(1, None))
            array = array.where(array > 0)  # no logarithm
            (_draw_channels if array.ndim == 2 else _draw_contributions)(ax, name, array)
            ax.set(xscale="log", yscale="log" if array.notnull().any() else "linear")
            ax.set_xlabel("frequency (Hz)")
            ax.set_xlim(*array["frequency"].values[[0, -1]])
            ax.set_ylabel(f"power ({escaped(array.attrs['units'])})")
    return figure


def _draw_channels(ax: Axes, name: str, array: xr.DataArray) -> None:
    """A line for each channel, in the colour of its depth or of its name."""
    count = array.sizes[channel_dim(name)]
    chosen = array[evenly(count, MAX_TRACES)]
    depths = np.asarray(chosen.coords.get(f"{name}_z", np.full(len(chosen), np.nan)), dtype=float)
    by_depth = np.isfinite(depths).all() and np.ptp(depths) > 0 and not on_a_head(name, array)
    labels = [str(label) for label in chosen[channel_dim(name)].values]
    shades = require("matplotlib", "plot").cm.ScalarMappable(cmap="viridis")
    if by_depth:
        shades.set_clim(depths.min(), depths.max())
        colours = list(shades.to_rgba(depths))
    else:
        colours = list(colours_of(labels).values())
    for values, label, colour in zip(chosen.values, labels, colours, strict=True):
        named = escaped(label) if np.isfinite(values).any() else f"{escaped(label)}: no power"
        ax.plot(chosen["frequency"], values, color=colour, label=named)
    if by_depth:
        title, text_of = depth_axis(depths)
        bar = ax.figure.colorbar(
            shades, ax=ax, label=title.replace("\n", " "), aspect=30, pad=0.02,
            format=lambda at, _: text_of(at),
        )  # fmt: skip
        bar.outline.set_visible(False)
    elif 1 < count <= 12:
        ax.legend(frameon=False, ncols=1 + count // 7)
    ax.set_title(name, loc="left", fontweight="bold")


def _draw_contributions(ax: Axes, name: str, array: xr.DataArray) -> None:
    """A line for each pair of populations, or each population: the mean over channels."""
    parts = [(pathway(populations), part) for populations, part in pathways(array)]
    colours = colours_of([label for label, _ in parts])
    for label, part in parts:
        mean = part.mean(channel_dim(name), skipna=True)
        ax.plot(part["frequency"], mean, color=colours[label], label=escaped(label))
    ax.legend(frameon=False, ncols=1 + len(parts) // 7)
    ax.set_title(f"{name}, mean over channels", loc="left", fontweight="bold")
