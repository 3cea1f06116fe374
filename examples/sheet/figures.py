"""The figure: a wave in the array's LFP, and how alike electrodes are by their distance."""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure

from nestlfp.plotting import array_frames
from nestlfp.plotting.style import INK, PALETTE, new_figure, nice, quantity, style

FRAMES, EVERY = 8, 8  # frames, and samples from one to the next
SHOWN = 250.0  # ms of traces
MEAN = PALETTE[2]


def draw(
    lfp: xr.DataArray,
    contacts: np.ndarray,
    spikes: dict[str, Any],
    positions: dict[str, np.ndarray],
    width: float,
) -> Figure:
    """Frames of the array above; below traces, spectrum, and correlation against distance.

    Parameters
    ----------
    lfp : xarray.DataArray, dims (LFP_channel, time)
        In mV.
    contacts : array, shape (contact, 3)
        In µm, row after row of a square array.
    spikes : dict of str to (times, neurons)
        In ms.
    positions : dict of str to array, shape (neuron, 2)
        In µm.
    width : float
        Of the sheet (µm).
    """
    values = 1000.0 * (lfp - lfp.mean("time"))  # µV
    with style():
        figure = new_figure(7.1, 5.6)
        above, below = figure.subfigures(2, 1, squeeze=False, height_ratios=(1.15, 1))[:, 0]
        _frames(above, values, spikes, positions, width / 2000.0)
        axes = below.subplots(1, 3, width_ratios=(1.5, 1, 1))
        for part, ax in zip((_traces, _spectrum, _alike), axes, strict=True):
            part(ax, values, contacts, width)
    return figure


def cell_by_cell(both: xr.DataArray, r2: np.ndarray, depths: np.ndarray) -> Figure:
    """The LFP of all cells and that of kernels: by depth the median contact's, and R² of all.

    Parameters
    ----------
    both : xarray.DataArray, dims (by, LFP_channel, time)
        "cells" and "kernels", in mV, means removed.
    r2, depths : array, shape (LFP_channel,)
        Of each contact, in µm.
    """
    each = np.unique(depths)[::-1]
    with style():
        figure = new_figure(7.1, 2.6)
        traces, scatter = figure.subplots(1, 2, width_ratios=(2.2, 1))
        step = 7 * 1000.0 * float(both.std())
        for row, depth in enumerate(each):
            at = np.flatnonzero(depths == depth)
            median = at[np.argsort(r2[at])[len(at) // 2]]
            for name, colour, width in (("cells", "0.6", 1.6), ("kernels", INK, 0.7)):
                one = 1000.0 * both.sel(by=name)[median]
                traces.plot(one["time"], one - row * step, color=colour, lw=width)
            scatter.plot(
                r2[at], row + np.linspace(-0.25, 0.25, len(at)), "o", color=MEAN, ms=2.5, mew=0
            )
            scatter.plot([np.median(r2[at])] * 2, [row - 0.35, row + 0.35], color=INK, lw=1.2)
        names = [f"{depth:g}".replace("-", "−") for depth in each]
        traces.set_yticks(-np.arange(len(each)) * step, names)
        traces.set(
            xlabel="time (ms)", ylabel="z of contact (µm)",
            title="LFP minus mean, contact of median R² at each depth",
        )  # fmt: skip
        traces.set_ylim(top=1.1 * step)
        traces.legend(["all cells", "kernels"], loc="upper left", frameon=False, ncols=2)
        bar, end = nice(step / 2), float(both["time"][-1]) + 4.0
        traces.plot([end, end], [0.0, bar], color=INK, lw=2, solid_capstyle="butt")
        traces.annotate(
            quantity(bar, "µV"), (end, bar / 2), (4, 0),
            textcoords="offset points", fontsize=6.5, va="center",
        )  # fmt: skip
        scatter.set_yticks(range(len(each)), names)
        scatter.invert_yaxis()
        scatter.set(
            xlim=(min(0.98, r2.min() - 0.002), 1.0), xlabel="R²",
            title=f"{len(r2) // len(each)} contacts a depth; line: median",
        )  # fmt: skip
    return figure


def _frames(
    figure: SubFigure,
    values: xr.DataArray,
    spikes: dict[str, Any],
    positions: dict[str, np.ndarray],
    half: float,
) -> None:
    """The array and the spikes of the millisecond before, around the largest signals."""
    time = values["time"].values
    times = np.concatenate([times for times, _ in spikes.values()])
    where = np.concatenate([positions[name][neuron] for name, (_, neuron) in spikes.items()])
    middle = int(np.argmax(np.abs(values.values).mean(axis=0)))
    first = int(np.clip(middle - EVERY * (FRAMES // 2), 0, len(time) - EVERY * FRAMES))
    shown = time[first : first + EVERY * FRAMES : EVERY]
    array_frames(
        values.assign_attrs(units="µV").to_dataset(name="LFP"),
        shown,
        limit=float(np.percentile(np.abs(values), 99.5)),
        centre=False,  # means are off already
        figure=figure,
    )
    for ax, at in zip(figure.axes, shown, strict=False):
        now = (times > at - 1.0) & (times <= at)
        ax.plot(*where[now].T / 1000.0, ".", color=INK, ms=1.6, mew=0)
        ax.set(xlim=(-half, half), ylim=(-half, half), xticks=[-half, half], yticks=[-half, half])
        ax.set_title(f"{at:.0f} ms", pad=3, fontsize=7)
    figure.axes[-1].set_ylabel("LFP minus mean (µV)")


def _traces(ax: Axes, values: xr.DataArray, contacts: np.ndarray, width: float) -> None:
    n = round(np.sqrt(len(values)))
    late = values.sel(time=slice(float(values["time"][-1]) - SHOWN, None))
    row = [i * n + n // 2 for i in range(n)]
    step = 6 * float(values.std())
    for k, channel in enumerate(row):
        ax.plot(late["time"], late[channel] + k * step, color=INK)
    ax.set_yticks(
        np.arange(n) * step, [f"{contacts[c, 0] / 1000.0:.1f}".replace("-", "−") for c in row]
    )
    ax.set(
        xlabel="time (ms)", ylabel="x of electrode (mm)", title="electrodes of one row, minus mean"
    )
    bar = nice(step)
    start, low = float(late["time"][0]), -0.9 * step
    ax.plot([start, start], [low, low + bar], color=INK, lw=2, solid_capstyle="butt")
    ax.annotate(
        quantity(bar, "µV"), (start, low + bar / 2), (4, 0), textcoords="offset points",
        fontsize=6.5, va="center",
    )  # fmt: skip


def _spectrum(ax: Axes, values: xr.DataArray, contacts: np.ndarray, width: float) -> None:
    from nestlfp.signals import spectrum

    found = spectrum(values.to_dataset(name="LFP"), segment=200.0)["LFP"]
    found = found.sel(frequency=slice(1.0, 250.0))
    ax.semilogy(found["frequency"], found.mean("LFP_channel"), color=INK)
    ax.set(xlabel="frequency (Hz)", ylabel="power (µV²/Hz)", title="mean over the array")


def _alike(ax: Axes, values: xr.DataArray, contacts: np.ndarray, width: float) -> None:
    away = np.abs(contacts[:, None, :2] - contacts[None, :, :2])
    away = np.linalg.norm(np.minimum(away, width - away), axis=-1) / 1000.0  # periodic
    pairs = np.triu_indices(len(contacts), 1)
    distance, alike = np.round(away[pairs], 6), np.corrcoef(values)[pairs]
    ax.plot(distance, alike, ".", color="0.75", ms=1.2, rasterized=True)
    each, which = np.unique(distance, return_inverse=True)
    means = np.bincount(which, alike) / np.bincount(which)
    ax.plot(each, means, "o-", color=MEAN, ms=3, lw=1)
    ax.axhline(0, color=INK, lw=0.6)
    ax.set(
        xlabel="distance of electrodes (mm)", ylabel="correlation", title="pairs, and their mean"
    )
