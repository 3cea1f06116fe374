"""The figure: a wave in the array's LFP, and how alike electrodes are by their distance."""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

FRAMES, EVERY = 8, 8  # frames, and samples from one to the next
SHOWN = 250.0  # ms of traces
BLUE, RED = "#2f6fab", "#c2452d"


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
    fig = Figure(figsize=(11, 5.4), layout="constrained")
    rows = fig.add_gridspec(2, 1, height_ratios=(1, 2))
    frames = rows[0].subgridspec(1, FRAMES, wspace=0.03)
    axes = [fig.add_subplot(frames[k]) for k in range(FRAMES)]
    _frames(axes, values, spikes, positions, width / 2000.0)
    parts = rows[1].subgridspec(1, 3, width_ratios=(1.5, 1, 1))
    for k, part in enumerate((_traces, _spectrum, _alike)):
        ax = fig.add_subplot(parts[k])
        part(ax, values, contacts, width)
        ax.spines[["top", "right"]].set_visible(False)
    return fig


def _frames(
    axes: list[Axes],
    values: xr.DataArray,
    spikes: dict[str, Any],
    positions: dict[str, np.ndarray],
    half: float,
) -> None:
    """The array and the spikes of the millisecond before, around the largest signals."""
    n = round(np.sqrt(len(values)))
    time = values["time"].values
    times = np.concatenate([times for times, _ in spikes.values()])
    where = np.concatenate([positions[name][neuron] for name, (_, neuron) in spikes.items()])
    limit = float(np.percentile(np.abs(values), 99.5))
    middle = int(np.argmax(np.abs(values.values).mean(axis=0)))
    first = int(np.clip(middle - EVERY * (FRAMES // 2), 0, len(time) - EVERY * FRAMES))
    for k, ax in enumerate(axes):
        at = first + k * EVERY
        image = ax.imshow(
            values.values[:, at].reshape(n, n).T,
            origin="lower",
            extent=(-half, half, -half, half),
            cmap="RdBu_r",
            vmin=-limit,
            vmax=limit,
            interpolation="bicubic",
        )
        now = (times > time[at] - 1.0) & (times <= time[at])
        ax.plot(*where[now].T / 1000.0, ".", color="black", markersize=1.2)
        ax.set_title(f"{time[at]:.0f} ms", fontsize=9)
        ax.set(xlim=(-half, half), ylim=(-half, half), xticks=[-half, half])
        ax.set_yticks([-half, half] if k == 0 else [])
        ax.tick_params(labelsize=8)
    axes[0].set(xlabel="x (mm)", ylabel="y (mm)")
    axes[0].figure.colorbar(image, ax=axes, label="LFP (µV)", aspect=10, pad=0.01)


def _traces(ax: Axes, values: xr.DataArray, contacts: np.ndarray, width: float) -> None:
    n = round(np.sqrt(len(values)))
    late = values.sel(time=slice(float(values["time"][-1]) - SHOWN, None))
    row = [i * n + n // 2 for i in range(n)]
    step = 6 * float(values.std())
    for k, channel in enumerate(row):
        ax.plot(late["time"], late[channel] + k * step, color=BLUE, linewidth=0.9)
    ax.set_yticks(np.arange(n) * step, [f"{contacts[c, 0] / 1000.0:.1f}" for c in row])
    ax.set(xlabel="time (ms)", ylabel="x of electrode (mm)", title="electrodes of one row")
    bar = 10.0 ** np.floor(np.log10(step))
    start, low = float(late["time"][0]), -0.9 * step
    ax.plot([start, start], [low, low + bar], color="black", linewidth=2)
    ax.annotate(
        f"{bar:g} µV", (start, low + bar / 2), (5, 0), textcoords="offset points", fontsize=8,
        va="center",
    )  # fmt: skip


def _spectrum(ax: Axes, values: xr.DataArray, contacts: np.ndarray, width: float) -> None:
    from nestlfp.signals import spectrum

    found = spectrum(values.to_dataset(name="LFP"), segment=200.0)["LFP"]
    found = found.sel(frequency=slice(1.0, 250.0))
    ax.semilogy(found["frequency"], found.mean("LFP_channel"), color=BLUE)
    ax.set(xlabel="frequency (Hz)", ylabel="power (µV²/Hz)", title="mean over the array")


def _alike(ax: Axes, values: xr.DataArray, contacts: np.ndarray, width: float) -> None:
    away = np.abs(contacts[:, None, :2] - contacts[None, :, :2])
    away = np.linalg.norm(np.minimum(away, width - away), axis=-1) / 1000.0  # periodic
    pairs = np.triu_indices(len(contacts), 1)
    distance, alike = np.round(away[pairs], 6), np.corrcoef(values)[pairs]
    ax.plot(distance, alike, ".", color="#bbbbbb", markersize=1.5, rasterized=True)
    each, which = np.unique(distance, return_inverse=True)
    means = np.bincount(which, alike) / np.bincount(which)
    ax.plot(each, means, "o-", color=RED, markersize=3, linewidth=1)
    ax.axhline(0, color="black", linewidth=0.6)
    ax.set(
        xlabel="distance of electrodes (mm)", ylabel="correlation", title="pairs, and their mean"
    )
