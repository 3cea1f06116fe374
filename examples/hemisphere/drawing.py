"""The figure: activity on the cortex, maps of EEG and MEG, all channels, and spectra."""

from typing import Any

import numpy as np
import scipy.sparse as sp
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

import nestlfp.plotting
from nestlfp.signals import spectrum
from nestlfp.sources.cortex import Patches

SHOWN = (5.0, 12.0, 20.0, 30.0, 45.0)  # ms after a pulse
QUIET = -15.0  # ms: until then no neuron of the thalamus has spiked
BEFORE = 5.0  # ms in which spikes are counted, up to the time that is shown
SMOOTHED = 60  # times, so that one sees into the sulci
COLOURS = {"EEG": "#2f6fab", "MEG": "#7a4b9c"}
CORTEX = np.array([0.85, 0.85, 0.85])


def draw(
    patches: Patches, signals: xr.Dataset, evoked: xr.Dataset, rates: xr.DataArray, onset: float
) -> Figure:
    """The figure.

    Parameters
    ----------
    patches : Patches
    signals, evoked : xarray.Dataset
        EEG (µV) and MEG (fT), all the time (ms) and averaged around the pulses.
    rates : xarray.DataArray, dims (patch, time)
        Spikes/s of excitatory neurons around the pulses.
    onset : float
        Of the first pulse (ms).
    """
    figure = Figure(figsize=(11, 10.5), layout="constrained")
    parts: Any = figure.subfigures(4, 1, height_ratios=(1.9, 1.1, 1.1, 1.4))
    cortex, eeg, meg, traces = parts
    _activity(cortex, patches, rates)
    for part, name in ((eeg, "EEG"), (meg, "MEG")):
        nestlfp.plotting.topomap(evoked, SHOWN, signal=name, centre=False, figure=part)
    axes = traces.subplots(1, 3)
    for ax, name in zip(axes, ("EEG", "MEG"), strict=False):
        _butterfly(ax, evoked[name])
    _spectra(axes[2], signals, onset)
    return figure


def _activity(figure: Figure, patches: Patches, rates: xr.DataArray) -> None:
    """The hemisphere from outside and from the midline: spikes of the last `BEFORE` ms."""
    axes = figure.subplots(2, len(SHOWN))
    before = rates.sel(time=slice(None, QUIET)).mean("time")
    norm = LogNorm(1.0, 30.0)
    vertices = _smoothed(patches)
    for column, time in zip(axes.T, SHOWN, strict=True):
        now = rates.sel(time=slice(time - BEFORE, time)).mean("time")
        relative = (now / before.clip(min=1e-3)).clip(1.0, 30.0)
        for ax, view in zip(column, (-1.0, 1.0), strict=True):
            image = _surface(ax, patches, vertices, view, relative.values, norm)
        column[0].set_title(f"{time:g} ms", fontsize=10)
    label = f"spikes of {BEFORE:g} ms, over those before the pulse"
    figure.colorbar(image, ax=axes, label=label, aspect=20)


def _smoothed(patches: Patches) -> np.ndarray:
    """Vertices, each several times put amid its neighbours."""
    vertices = patches.surface.vertices
    pairs, _ = patches.surface.edges
    n = len(vertices)
    neighbours = sp.csr_array((np.ones(len(pairs)), pairs.T), shape=(n, n))
    neighbours = neighbours + neighbours.T
    count = neighbours.sum(axis=1)[:, None]
    for _ in range(SMOOTHED):
        vertices = 0.5 * vertices + 0.5 * (neighbours @ vertices) / count
    return vertices


def _surface(
    ax: Axes, patches: Patches, vertices: np.ndarray, side: float, values: np.ndarray, norm: LogNorm
) -> PolyCollection:
    """The surface seen along x, those of its triangles that face us."""
    corners = vertices[patches.surface.faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    towards = side * normals[:, 0]
    seen = np.flatnonzero(towards > 0)
    seen = seen[np.argsort(side * corners[seen, :, 0].mean(axis=1))]
    # Which patch a triangle belongs to, if all of its vertices do.
    member = (patches.shares > 0).toarray()[:, patches.surface.faces[seen]].all(axis=2)
    light = (0.55 + 0.45 * towards[seen])[:, None]
    colours = np.repeat(CORTEX[None], len(seen), axis=0)
    image = PolyCollection(
        [*np.stack([side * corners[seen, :, 1], corners[seen, :, 2]], axis=2) / 1e3],
        cmap="inferno_r",
        norm=norm,
        edgecolors="face",
        linewidths=0.1,
        rasterized=True,
    )
    shades = image.cmap(norm(values))[:, :3]
    for own, shade in zip(member, shades, strict=True):
        colours[own] = shade
    image.set_facecolor(np.clip(light * colours, 0.0, 1.0))
    ax.add_collection(image)
    ax.set_aspect("equal")
    ax.autoscale_view()
    ax.axis("off")
    return image


def _butterfly(ax: Axes, evoked: xr.DataArray) -> None:
    ax.plot(evoked["time"], evoked.T, color=COLOURS[str(evoked.name)], linewidth=0.5, alpha=0.7)
    ax.axvline(0.0, color="black", linewidth=0.6, linestyle=":")
    for time in SHOWN:
        ax.plot(time, 1.0, "v", color="black", markersize=3, transform=ax.get_xaxis_transform())
    ax.set(
        xlabel="time after the pulse (ms)",
        ylabel=f"{evoked.name} ({evoked.attrs['units']})",
        xlim=(float(evoked["time"][0]), float(evoked["time"][-1])),
    )
    ax.spines[["top", "right"]].set_visible(False)


def _spectra(ax: Axes, signals: xr.Dataset, onset: float) -> None:
    """Median and quartiles of channels."""
    for name, colour in COLOURS.items():
        found = spectrum(signals[name], segment=200.0, start=onset)
        found = found.sel(frequency=slice(5.0, 300.0))
        low, middle, high = np.quantile(found, [0.25, 0.5, 0.75], axis=0)
        ax.fill_between(found["frequency"], low, high, color=colour, alpha=0.2, linewidth=0)
        ax.loglog(
            found["frequency"], middle, color=colour, label=f"{name} ({found.attrs['units']})"
        )
    ax.set(xlabel="frequency (Hz)", ylabel="power of a channel")
    ax.legend(frameon=False, fontsize=8)
    ax.spines[["top", "right"]].set_visible(False)
