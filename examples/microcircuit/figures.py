"""Figures of the microcircuit, after Hagen et al. 2016: raster, LFP by depth, spectra, CSD, shares.

Depth runs downwards from the surface, as in the cortex; grey lines are boundaries of layers.
"""

from pathlib import Path
from typing import Any

import checks
import circuit as c
import matplotlib as mpl
import numpy as np
import published
import xarray as xr
from anatomy import PRE
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, SymLogNorm
from matplotlib.figure import Figure
from network_in_nest import Choice

import nestlfp
import nestlfp.plotting
from nestlfp.plotting.style import INK, PALETTE, colours_of, new_figure, nice, style

COLORS = colours_of(PRE)  # the thalamus, and shades of two colours: a layer is lighter or darker
SHOWN = 200.0  # ms
RASTER_MOST = 1500  # neurons; one in so many is drawn where there are more
SPECTRUM_CONTACTS = (0, 3, 7, 11, 13)  # channels 1, 4, 8, 12 and 14
FREQUENCIES = (3.9, 400.0)  # Hz
Look = dict[str, Any]
"""Options of a line."""
CELLS: Look = {"color": "0.65", "lw": 1.6}
KERNELS: Look = {"color": INK, "lw": 0.7}
OTHER = PALETTE[0]


def draw(
    choice: Choice,
    kernels: nestlfp.KernelSet,
    spikes: checks.Spikes,
    signals: xr.Dataset,
    out: Path,
) -> None:
    """All figures, into files."""
    figures = {
        "signals": overview(choice, spikes, signals),
        "sources": sources(choice, kernels, spikes, signals),
        "kernels": all_kernels(kernels),
    }
    if not choice.modified:
        figures["published"] = beside_published(kernels, choice.scale)
    for name, figure in figures.items():
        nestlfp.plotting.save(figure, out / f"{name}.png", overwrite=True)


# ---------------------------------------------------------------------- spikes, LFP, spectra
def overview(choice: Choice, spikes: checks.Spikes, signals: xr.Dataset) -> Figure:
    """Raster, LFP by depth, and spectra of rates and LFP."""
    with style():
        figure = new_figure(7.1, 5.8)
        grid = figure.add_gridspec(2, 3, width_ratios=[1.15, 1.35, 1.2])
        window = shown(choice, signals)
        _raster(figure.add_subplot(grid[0, 0]), choice, spikes, window)
        traces = [{"color": INK, "lw": 0.6}]
        _traces(figure.add_subplot(grid[:, 1]), [checks.whole(signals, "LFP")], window, traces)
        if checks.long_enough(choice):
            power = checks.lfp_spectrum(signals)
            _rate_spectra(figure.add_subplot(grid[1, 0]), choice, spikes)
            _spectrum_by_depth(figure.add_subplot(grid[0, 2]), power)
            _spectra(figure.add_subplot(grid[1, 2]), power)
        what = f"scale {choice.scale:g}, {choice.network} network"
        stimulus = {"none": "no stimulus", "pulse": "thalamic pulses", "ac": "thalamus at 15 Hz"}
        figure.suptitle(f"Cortical microcircuit: {what}, {stimulus[choice.stimulus]}")
    return figure


def shown(choice: Choice, signals: xr.Dataset) -> tuple[float, float]:
    """The last part of the signals (ms), or that around the last thalamic pulse."""
    stop = float(signals["time"][-1])
    if choice.stimulus == "pulse" and choice.pulses():
        stop = min(stop, choice.pulses()[-1] + 0.75 * SHOWN)
    return max(0.0, stop - SHOWN), stop


def _raster(ax: Axes, choice: Choice, spikes: checks.Spikes, window: tuple[float, float]) -> None:
    """One row for each neuron, from the thalamus up; only some of the neurons of large networks."""
    names = ["TC"] if choice.stimulus != "none" else []
    names += list(c.POPULATIONS)
    total = sum(choice.size(name) for name in names)
    every = max(1, round(total / RASTER_MOST))
    row, ticks = 0, []
    for name in reversed(names):
        times, senders = spikes[name]
        inside = (times > window[0]) & (times <= window[1])
        shown = choice.size(name) // every or 1
        if inside.any():
            neuron = senders[inside] - senders.min()
            some = neuron % every == 0
            rows = row + neuron[some] // every
            ax.plot(times[inside][some], rows, ".", ms=1.2, mew=0, color=COLORS[name])
        ticks.append((row + shown / 2, name))
        row += shown
        ax.axhline(row, color="0.85", lw=0.5)
    ax.set_yticks([at for at, _ in ticks], [name for _, name in ticks])
    ax.tick_params(axis="y", length=0)
    ax.set(xlim=window, ylim=(0, row), xlabel="time (ms)")
    some_of = "" if every == 1 else f", one neuron in {every}"
    ax.set_title(f"Spikes{some_of}", loc="left")


def _traces(
    ax: Axes, lfps: list[xr.DataArray], window: tuple[float, float], styles: list[Look]
) -> None:
    """The LFP at each contact, drawn at its depth; of several calculations on top of each other."""
    parts = [(lfp - lfp.mean("time")).sel(time=slice(*window)) for lfp in lfps]
    largest = max(float(np.abs(part).max()) for part in parts) or 1.0
    bar = nice(largest)
    gain = 150.0 / largest  # µm
    for part, look in zip(parts, styles, strict=True):
        for i, z in enumerate(part["LFP_z"].values):
            ax.plot(part["time"], z + gain * part.values[i], **look)
    _mark_layers(ax)
    right = window[1] + 0.1 * (window[1] - window[0])
    ax.plot([right, right], [-bar * gain, 0.0], color=INK, lw=2, clip_on=False)
    ax.text(right, -bar * gain / 2, f" {bar * 1e3:g} µV", fontsize=6.5, va="center", clip_on=False)
    ax.set(xlim=window, ylim=(-1660, 160), xlabel="time (ms)")
    _count_downwards(ax)
    ax.set_title("LFP, minus mean", loc="left")


def _rate_spectra(ax: Axes, choice: Choice, spikes: checks.Spikes) -> None:
    """Power of the populations' rates, of spikes counted in bins of 1 ms."""
    edges = np.arange(0.0, choice.duration + 1.0)
    for name in c.POPULATIONS:
        counts, _ = np.histogram(spikes[name][0], edges)
        rate = xr.DataArray(
            1e3 * counts[None] / choice.size(name),
            dims=("rate_channel", "time"),
            coords={"time": edges[1:]},
            name="rate",
            attrs={"units": "Hz"},
        )
        power = nestlfp.signals.spectrum(
            rate, segment=checks.SPECTRUM_SEGMENT, start=checks.SPECTRUM_FROM
        )[0].sel(frequency=slice(*FREQUENCIES))
        style = "-" if name.endswith("E") else "--"
        ax.loglog(power["frequency"], power, style, color=COLORS[name], label=name)
    ax.set(xlim=FREQUENCIES, xlabel="frequency (Hz)", ylabel="power ((spikes/s)²/Hz)")
    ax.set_title("Rates", loc="left")
    _legend_below(ax, 4)


def _spectrum_by_depth(ax: Axes, power: xr.DataArray) -> None:
    part = power.sel(frequency=slice(*FREQUENCIES))
    high = float(part.max())
    image = ax.pcolormesh(
        part["frequency"],
        part["LFP_z"],
        part.values,
        norm=LogNorm(high * 1e-3, high),
        cmap="viridis",
        shading="nearest",
        rasterized=True,
    )
    _mark_layers(ax, "white")
    ax.set(xscale="log", xlabel="frequency (Hz)", xlim=FREQUENCIES)
    _count_downwards(ax)
    ax.set_title("LFP: power by depth", loc="left")
    ax.figure.colorbar(image, ax=ax, label="mV²/Hz", aspect=30, pad=0.07)


def _spectra(ax: Axes, power: xr.DataArray) -> None:
    part = power.sel(frequency=slice(*FREQUENCIES))
    shades = mpl.colormaps["viridis"](np.linspace(0.0, 0.85, len(SPECTRUM_CONTACTS)))
    for channel, shade in zip(SPECTRUM_CONTACTS, shades, strict=True):
        label = f"{0.0 - part['LFP_z'].values[channel]:g}"
        ax.loglog(part["frequency"], part[channel], color=shade, label=label)
    ax.axvspan(*checks.BAND, color="0.93", zorder=0)
    ax.set(xlim=FREQUENCIES, xlabel="frequency (Hz)", ylabel="power (mV²/Hz)")
    ax.set_title("LFP at five depths (µm)", loc="left")
    _legend_below(ax, 5)


def spectra(power: xr.DataArray) -> Figure:
    """Spectra at five contacts: each run, and their mean.

    Parameters
    ----------
    power : xarray.DataArray, dims (seed, LFP_channel, frequency)
        In mV²/Hz.
    """
    with style():
        figure = new_figure(7.1, 2.2)
        axes = figure.subplots(1, len(SPECTRUM_CONTACTS), sharey=True)
        for ax, contact in zip(axes, SPECTRUM_CONTACTS, strict=True):
            part = power[:, contact]
            ax.axvspan(*checks.BAND, color="0.93", zorder=0)
            for each in part:
                ax.loglog(part["frequency"], each, color="0.65", lw=0.6)
            ax.loglog(part["frequency"], part.mean("seed"), color=INK, lw=1.2)
            ax.set(xlim=FREQUENCIES, xlabel="frequency (Hz)")
            ax.set_title(f"at {0.0 - part['LFP_z'].item():g} µm", loc="left")
        axes[0].set_ylabel("power (mV²/Hz)")
        figure.suptitle(f"LFP: {power.sizes['seed']} runs (grey) and their mean")
    return figure


# ---------------------------------------------------------------------- where the LFP comes from
def sources(
    choice: Choice, kernels: nestlfp.KernelSet, spikes: checks.Spikes, signals: xr.Dataset
) -> Figure:
    """CSD and LFP as images, EEG, and what each presynaptic population adds."""
    with style():
        figure = new_figure(7.1, 4.8)
        grid = figure.add_gridspec(3, 2, width_ratios=[1.5, 1], height_ratios=[1.2, 1.2, 0.8])
        window = shown(choice, signals)
        for row, (name, factor, unit) in enumerate(
            (("LFP", 1e3, "µV"), ("CSD", 1e6, "µA/mm³"))  # from mV and nA/µm³
        ):
            _image(figure.add_subplot(grid[row, 0]), signals, name, factor, unit, window)
        ax = figure.add_subplot(grid[2, 0])
        eeg = checks.whole(signals, "EEG").sel(time=slice(*window))[0]
        ax.plot(eeg["time"], eeg - eeg.mean(), color=INK)
        ax.set(xlim=window, xlabel="time (ms)", ylabel="EEG (µV)")
        ax.set_title("EEG above, minus mean", loc="left")
        _shares(figure.add_subplot(grid[:, 1]), choice, kernels, spikes, signals)
    return figure


def _image(
    ax: Axes,
    signals: xr.Dataset,
    name: str,
    factor: float,
    unit: str,
    window: tuple[float, float],
) -> None:
    array = factor * checks.whole(signals, name)
    part = array.sel(time=slice(*window)) - array.mean("time")
    limit = float(np.quantile(np.abs(part.values), 0.995)) or 1.0
    image = ax.pcolormesh(
        part["time"],
        part[f"{name}_z"],
        part.values,
        cmap="RdBu_r",
        vmin=-limit,
        vmax=limit,
        shading="nearest",
        rasterized=True,
    )
    _mark_layers(ax)
    ax.set(xlim=window)
    _count_downwards(ax)
    ax.set_title(f"{name}, minus mean", loc="left")
    ax.figure.colorbar(image, ax=ax, label=unit, aspect=25, pad=0.05, extend="both")


def _shares(
    ax: Axes,
    choice: Choice,
    kernels: nestlfp.KernelSet,
    spikes: checks.Spikes,
    signals: xr.Dataset,
) -> None:
    """Standard deviation by depth of the LFP, and of what each presynaptic population adds."""
    if "pre" in signals["LFP"].dims:
        parts = signals["LFP"]
    else:  # the same, offline
        times = {name: found for name, (found, _) in spikes.items()}
        lfp = kernels.select(signals="LFP")
        parts = lfp.convolve(times, choice.duration, by="pre")["LFP"]
    after = slice(min(checks.SPECTRUM_FROM, choice.duration / 2), None)
    spread = 1e3 * parts.sel(time=after).std("time")
    for name in PRE:
        one = spread.sel(pre=name)
        if float(one.max()) > 0:
            style = "--" if name.endswith("I") else "-"
            ax.plot(one, parts["LFP_z"], style, color=COLORS[name], lw=0.9, label=name)
    whole = 1e3 * checks.whole(signals, "LFP").sel(time=after).std("time")
    ax.plot(whole, parts["LFP_z"], color=INK, lw=1.6, label="all together")
    _mark_layers(ax)
    ax.set(xlabel="standard deviation of the LFP (µV)")
    _count_downwards(ax)
    ax.set_xlim(left=0)
    ax.set_title("LFP of each presynaptic population", loc="left")
    _legend_below(ax, 3, at=-0.07)


# ---------------------------------------------------------------------- cell by cell
COMPARED_CONTACTS = (8, 11)  # in layers 4 and 5


def cell_by_cell(choice: Choice, lfp: xr.DataArray, report: dict[str, Any]) -> Figure:
    """The LFP of all cells and that of kernels: traces, spectra, and how well they agree by depth.

    Parameters
    ----------
    choice : Choice
    lfp : xarray.DataArray, dims (by, LFP_channel, time)
        "cells" and each set of kernels, in mV.
    report : dict
        For each set of kernels its agreement with the cells at each contact.
    """
    first, second = (name for name in lfp["by"].values.tolist() if name != "cells")
    looks: dict[str, Look] = {"cells": CELLS, first: {"color": OTHER, "lw": 0.7}, second: KERNELS}
    with style():
        figure = new_figure(7.1, 4.6)
        grid = figure.add_gridspec(2, 3, width_ratios=[1.5, 1, 1])
        stop = float(lfp["time"][-1])
        ax = figure.add_subplot(grid[:, 0])
        shown = {name: look for name, look in looks.items() if name != first}
        _traces(ax, [lfp.sel(by=name) for name in shown], (stop - SHOWN, stop), [*shown.values()])
        depth, other = (figure.add_subplot(grid[0, column]) for column in (1, 2))
        spread = 1e3 * lfp.std("time")
        for name, look in looks.items():
            depth.plot(spread.sel(by=name), c.CONTACTS_Z, label=name, **look)
            if name in report:
                other.plot([row["r2"] for row in report[name]["LFP"]], c.CONTACTS_Z, **look)
        depth.set(xlabel="standard deviation (µV)")
        depth.set_xlim(left=0)
        other.set(xlabel="R²", xlim=(max(-0.5, other.get_xlim()[0]), 1))
        for each in (depth, other):
            _mark_layers(each)
            _count_downwards(each)
        other.set_ylabel("")
        for column, contact in enumerate(COMPARED_CONTACTS, 1):
            ax = figure.add_subplot(grid[1, column])
            for name, look in looks.items():
                power = nestlfp.signals.spectrum(
                    lfp.sel(by=name).drop_vars("by"), segment=checks.SPECTRUM_SEGMENT
                )[contact].sel(frequency=slice(*FREQUENCIES))
                ax.loglog(power["frequency"], power, **look)
            ax.set(xlim=FREQUENCIES, xlabel="frequency (Hz)")
            ax.set_title(f"at {0.0 - lfp['LFP_z'].values[contact]:g} µm", loc="left")
            if column == 1:
                ax.set_ylabel("power (mV²/Hz)")
        figure.suptitle(f"Cell by cell and by kernels: scale {choice.scale:g}")
        handles, labels = depth.get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False)
    return figure


# ---------------------------------------------------------------------- kernels
def all_kernels(kernels: nestlfp.KernelSet) -> Figure:
    """The LFP after one spike of each presynaptic population, and its peak by depth."""
    h = 1e3 * kernels["LFP"].sum("post")
    largest = float(np.abs(h).max())
    norm = SymLogNorm(largest / 100, vmin=-largest, vmax=largest)
    with style():
        figure = new_figure(7.1, 4.6)
        axes = figure.subplots(2, 5, sharey=True)
        for ax, pre in zip(axes.ravel(), PRE, strict=False):
            part = h.sel(pre=pre, lag=slice(0, 20))
            image = ax.pcolormesh(
                part["lag"], part["LFP_z"], part.values, norm=norm, cmap="RdBu_r",
                shading="nearest", rasterized=True,
            )  # fmt: skip
            _mark_layers(ax, inside=True)
            peak = part.values.ravel()[np.abs(part.values).argmax()]
            ax.set_title(f"{pre}: peak {peak:+.2g} µV".replace("-", "−"), loc="left", fontsize=7)
            ax.set_xlabel("lag (ms)")
        bar = figure.colorbar(image, ax=axes, label="µV per spike", aspect=40, pad=0.01)
        ticks = [sign * tick for tick in (0.1, 1.0) for sign in (-1, 1)]
        bar.set_ticks(
            [*ticks, 0.0], labels=[f"{tick:g}".replace("-", "−") for tick in [*ticks, 0.0]]
        )
        bar.ax.minorticks_off()
        ax = axes.ravel()[-1]
        for pre in PRE:
            line = "--" if pre.endswith("I") else "-"
            ax.plot(peaks(h.sel(pre=pre)), h["LFP_z"], line, color=COLORS[pre], lw=1.0, label=pre)
        _mark_layers(ax)
        ax.axvline(0, color="0.6", lw=0.6)
        ax.set_xlabel("peak (µV per spike)")
        figure.legend(loc="outside lower center", ncols=len(PRE), frameon=False)
        for ax in axes[:, 0]:
            _count_downwards(ax)
    return figure


def beside_published(kernels: nestlfp.KernelSet, scale: float) -> Figure:
    """Peaks by depth at full size, of the cells of this example and of the published ones."""
    h = 1e3 / np.sqrt(scale) * kernels["LFP"].sum("post")
    with style():
        figure = new_figure(7.1, 4.6)
        axes = figure.subplots(2, 5, sharey=True)
        for ax, pre in zip(axes.ravel(), PRE, strict=False):
            ax.plot(published.PEAKS[pre], c.CONTACTS_Z, **CELLS, label="cells of Hagen et al.")
            ax.plot(peaks(h.sel(pre=pre)), c.CONTACTS_Z, **KERNELS, label="cells of this example")
            _mark_layers(ax, names=pre in ("L4I", PRE[-1]))  # the last of each row
            ax.axvline(0, color="0.6", lw=0.6)
            ax.set_title(pre, loc="left")
            ax.set_xlabel("peak (µV per spike)")
            ax.locator_params(axis="x", nbins=3)
        last = axes.ravel()[-1]
        last.set_axis_off()
        last.legend(*axes[0, 0].get_legend_handles_labels(), loc="center", frameon=False)
        for ax in axes[:, 0]:
            _count_downwards(ax)
    return figure


def peaks(responses: xr.DataArray) -> np.ndarray:
    """The largest value over lags at each contact, with its sign."""
    values = responses.values
    return values[np.arange(len(values)), np.abs(values).argmax(axis=1)]


def _legend_below(ax: Axes, columns: int, at: float = -0.15) -> None:
    ax.legend(
        loc="upper center", bbox_to_anchor=(0.5, at),
        ncols=columns, frameon=False, handlelength=1.2, columnspacing=1.0, handletextpad=0.4,
    )  # fmt: skip


def _count_downwards(ax: Axes) -> None:
    """Depth from the surface, which is at z = 0."""
    ax.set_ylabel("depth (µm)")
    ax.yaxis.set_major_formatter(lambda z, _: f"{0.0 - z:g}")


def _mark_layers(ax: Axes, color: str = "0.6", *, inside: bool = False, names: bool = True) -> None:
    """Boundaries of layers; their names right of the panel, or at its right edge, or not."""
    for name, (top, bottom) in c.LAYERS.items():
        ax.axhline(bottom, color=color, lw=0.7, ls=":")
        if name == "L1":
            ax.axhline(top, color=color, lw=0.7, ls=":")
        if not names:
            continue
        ax.text(
            0.985 if inside else 1.008, (top + bottom) / 2, name, fontsize=6, va="center",
            ha="right" if inside else "left", transform=ax.get_yaxis_transform(), color="0.35",
        )  # fmt: skip
