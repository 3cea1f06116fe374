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
