"""The states beside each other, as Fig 5 of the paper."""

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from report import of_all, peaks_of, top
from states import RASTER, STATES, Result

from nestlfp.plotting.style import INK, PALETTE, new_figure, nice, style

WINDOW = (300.0, 500.0)  # ms of spikes and LFP
COLOURS = {"E": PALETTE[0], "I": PALETTE[1]}
RATE, LFP = PALETTE[2], INK


def states(results: dict[str, Result]) -> Figure:
    """Spikes, population rate, LFP, and the spectra of both: a column for each state."""
    with style():
        figure = new_figure(2.3 * len(results) + 0.6, 9.0)
        axes = figure.subplots(
            5, len(results), squeeze=False, sharex="row", height_ratios=[1.4, 0.6, 1.8, 1, 1]
        )
        for column, result in zip(axes.T, results.values(), strict=True):
            point = STATES[result.state].point
            column[0].set_title(
                f"{result.state}: {STATES[result.state].title}\n"
                f"η = {point.eta:g}, g = {point.g:g}, J = {point.J:g} mV"
            )
            _spikes(column[0], result)
            _rate(column[1], result.signals["rate"].sel(rate_channel="all"))
            _lfp(column[2], result.signals["LFP"])
            _spectrum(column[3], of_all(result.spectra["counted"]), RATE)
            _spectrum(column[4], top(result.spectra["counted"]), LFP)
            column[2].set_xlabel("time (ms)")
            column[4].set_xlabel("frequency (Hz)")
        for axis, label in zip(
            axes[:, 0],
            (
                "neuron",
                "rate\n(spikes/s)",
                "LFP at depth z (µm)",
                "rate spectrum\n(dB re 1 s⁻²/Hz)",
                "LFP spectrum, z = 0\n(dB re 1 mV²/Hz)",
            ),
            strict=True,
        ):
            axis.set_ylabel(label)
        figure.align_ylabels(axes[:, 0])
    return figure


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
    axes.set_yticks(-np.arange(len(part)) * step, [f"{z:g}" for z in part["LFP_z"].values])
    bar, beside = nice(step), axes.get_yaxis_transform()
    axes.plot(
        [1.03, 1.03], [-bar, 0.0], transform=beside,
        color=INK, lw=2.5, clip_on=False, solid_capstyle="butt",
    )  # fmt: skip
    axes.text(
        1.06, -bar / 2, f"{bar * 1000:g} µV", transform=beside,
        ha="left", va="center", rotation=90, fontsize=7,
    )  # fmt: skip


def _spectrum(axes: Axes, density: xr.DataArray, colour: str) -> None:
    frequency, level = density["frequency"].values[1:], 10 * np.log10(density.values[1:])
    axes.plot(frequency, level, color=colour)
    for peak in peaks_of(density):
        height = float(10 * np.log10(density.sel(frequency=peak, method="nearest")))
        axes.annotate(
            f"{peak:.0f}", (peak, height), (0, 2), textcoords="offset points",
            ha="center", va="bottom", fontsize=7,
        )  # fmt: skip
    axes.set_xlim(0, frequency[-1])
    axes.margins(y=0.15)
