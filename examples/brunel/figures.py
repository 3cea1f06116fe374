"""The states beside each other, as Fig 5 of the paper."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from report import PEAK_TOLERANCE, of_all, peaks_of, top
from states import RASTER, STATES, Result

from nestlfp.plotting.style import INK, PALETTE, colours_of, new_figure, nice, quantity, style

WINDOW = (300.0, 500.0)  # ms of spikes and LFP
WIDTH_IN = 7.1
COLOURS = colours_of(RASTER)
RATE, LFP = PALETTE[2], INK


def activity(results: dict[str, Result]) -> Figure:
    """Spikes, population rate and LFP: a column for each state."""
    with style():
        figure = new_figure(WIDTH_IN, 5.0)
        axes = figure.subplots(
            3, len(results), squeeze=False, sharex=True, height_ratios=[1.4, 0.6, 1.8]
        )
        for column, result in zip(axes.T, results.values(), strict=True):
            _title(column[0], result)
            _spikes(column[0], result)
            _rate(column[1], result.signals["rate"].sel(rate_channel="all"))
            _lfp(column[2], result.signals["LFP"])
            column[2].set_xlabel("time (ms)")
        shown = ", ".join(f"{count} {name}" for name, count in RASTER.items())
        _label(axes, [f"neurons\n({shown})", "rate\n(spikes/s)", "LFP minus mean,\ndepth (µm)"])
    return figure


def spectra(results: dict[str, Result]) -> Figure:
    """Power of the rate and of the LFP: a column for each state, with the peaks it should have."""
    with style():
        figure = new_figure(WIDTH_IN, 3.4)
        axes = figure.subplots(2, len(results), squeeze=False, sharex=True)
        for column, result in zip(axes.T, results.values(), strict=True):
            state = STATES[result.state]
            _title(column[0], result)
            _spectrum(column[0], of_all(result.spectra["counted"]), state.rate_peaks, RATE)
            _spectrum(column[1], top(result.spectra["counted"]), state.lfp_peaks, LFP)
            column[1].set_xlabel("frequency (Hz)")
        _label(axes, ["rate\n(dB re 1 s⁻²/Hz)", "LFP, z = 0\n(dB re 1 mV²/Hz)"])
    return figure


def _title(ax: Axes, result: Result) -> None:
    state = STATES[result.state]
    point = state.point
    ax.set_title(
        f"{result.state}: {state.title}\nη = {point.eta:g}, g = {point.g:g}\nJ = {point.J:g} mV",
        fontsize=7,
    )


def _label(axes: NDArray[Any], labels: list[str]) -> None:
    for ax, label in zip(axes[:, 0], labels, strict=True):
        ax.set_ylabel(label)
    axes[0, 0].figure.align_ylabels(axes[:, 0])


def _spikes(axes: Axes, result: Result) -> None:
    base = 0
    for name, (times, rows) in result.raster.items():
        inside = (times > WINDOW[0]) & (times <= WINDOW[1])
        axes.plot(times[inside], rows[inside] + base, ".", ms=2, mew=0, color=COLOURS[name])
        base += RASTER[name]
    axes.set(xlim=WINDOW, ylim=(-1, base), yticks=[RASTER["E"] / 2, base - RASTER["I"] / 2])
    axes.set_yticklabels(["E", "I"])
    axes.tick_params(labelbottom=False, left=False)


def _rate(axes: Axes, rate: xr.DataArray) -> None:
    part = rate.sel(time=slice(*WINDOW))
    axes.plot(part["time"], part, color=RATE)
    axes.set_ylim(bottom=0)
    axes.tick_params(labelbottom=False)


def _lfp(axes: Axes, lfp: xr.DataArray) -> None:
    part = lfp.sel(time=slice(*WINDOW))
    part = part - part.mean("time")
    step = float(np.abs(part).max()) * 1.3 or 1.0
    for row, trace in enumerate(part.values):
        axes.plot(part["time"], trace - row * step, color=LFP)
    axes.set_yticks(-np.arange(len(part)) * step, [f"{0.0 - z:g}" for z in part["LFP_z"].values])
    bar, beside = nice(step), axes.get_yaxis_transform()
    axes.plot(
        [1.03, 1.03], [-bar, 0.0], transform=beside,
        color=INK, lw=2, clip_on=False, solid_capstyle="butt",
    )  # fmt: skip
    axes.text(
        1.06, -bar / 2, quantity(bar, "mV"), transform=beside,
        ha="left", va="center", rotation=90, fontsize=6.5,
    )  # fmt: skip


def _spectrum(axes: Axes, density: xr.DataArray, expected: Sequence[float], colour: str) -> None:
    """Power, and the frequencies of those peaks that the state should have."""
    frequency, level = density["frequency"].values[1:], 10 * np.log10(density.values[1:])
    axes.plot(frequency, level, color=colour)
    for peak in peaks_of(density):
        if not any(abs(peak - one) <= 2 * PEAK_TOLERANCE for one in expected):
            continue
        height = float(10 * np.log10(density.sel(frequency=peak, method="nearest")))
        axes.annotate(
            f"{peak:.0f}", (peak, height), (0, 2), textcoords="offset points",
            ha="center", va="bottom", fontsize=6,
        )  # fmt: skip
    axes.set_xlim(0, frequency[-1])
    axes.margins(y=0.15)
