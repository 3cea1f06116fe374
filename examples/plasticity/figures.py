"""The figure: weights, rates and LFP of a network that learns."""

from typing import Any

import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.signal import welch

from nestlfp.plotting.style import INK, PALETTE, colours_of, new_figure, style

KINDS = colours_of(["E", "I"])
COLOURS = {"fixed": PALETTE[2], "LFP": INK}
NAMES = {"LFP": "follows the weights", "fixed": "weights of the start"}
TRACE = 300.0  # ms
WINDOW = 2000.0  # ms, of spectra
WIDTH_IN = 7.1


def draw(found: xr.Dataset, powers: dict[str, xr.DataArray], shown: int) -> Figure:
    """Time courses on the left; on the right the LFP at the start and at the end.

    Parameters
    ----------
    found : xarray.Dataset
        What `run.simulate` returns.
    powers : dict of str to xarray.DataArray
        Variance of both signals over time (mV²).
    shown : int
        The contact.
    """
    with style():
        figure = new_figure(WIDTH_IN, 4.6)
        parts: Any = figure.subfigures(1, 2, width_ratios=(5, 4))
        courses = _courses(parts[0], found, powers)
        signals = _signals(parts[1], found, shown)
        for letter, ax in zip("abcdef", [*courses, *signals], strict=True):
            ax.set_title(letter, loc="left", weight="bold")
    return figure


def _courses(part: Any, found: xr.Dataset, powers: dict[str, xr.DataArray]) -> list[Axes]:
    """Weights, rates and power over time."""
    axes = list(part.subplots(3, 1, sharex=True))
    weights, rates, variances = axes
    weights.plot(found["reading"] * 1e-3, -found["weight"], color=KINDS["I"])
    weights.set(ylabel="inhibition of E\n(−pA a synapse)", ylim=(0, None))
    for name, rate in zip(found["population"].values, found["rate"].values, strict=True):
        rates.plot(found["bin"] * 1e-3, rate, color=KINDS[name], label=name)
    rates.set(ylabel="rate\n(spikes/s)", ylim=(0, None))
    rates.legend(frameon=False, ncols=2)
    for name, values in powers.items():
        times = values["time_bins"].values.astype(float) * 1e-3
        variances.semilogy(times, values, color=COLOURS[name], label=NAMES[name])
    end = float(found["LFP"]["time"][-1]) * 1e-3
    variances.set(ylabel="variance of the\nLFP (mV²)", xlabel="time (s)", xlim=(0, end))
    variances.legend(frameon=False)
    part.align_ylabels(axes)
    return axes


def _signals(part: Any, found: xr.Dataset, shown: int) -> list[Axes]:
    """The LFP at the start and at the end, and its spectra."""
    early, late, spectra = part.subplots(3, 1, height_ratios=(1, 1, 2))
    last = float(found["LFP"]["time"][-1])
    for ax, start, when in ((early, 500.0, "start"), (late, last - TRACE, "end")):
        for name, colour in COLOURS.items():
            trace = found[name].isel(LFP_channel=shown).sel(time=slice(start, start + TRACE))
            ax.plot(trace["time"] - start, trace, color=colour, linewidth=0.8)
        ax.set(xlim=(0, TRACE), ylim=(0, None), ylabel="LFP (mV)")
        ax.set_title(f"at the {when}")
    early.tick_params(labelbottom=False)
    late.set(xlabel="time (ms)", ylim=early.get_ylim())
    for start, line, when in ((0.0, ":", "start"), (last - WINDOW, "-", "end")):
        for name, colour in COLOURS.items():
            lfp = found[name].isel(LFP_channel=shown).sel(time=slice(start, start + WINDOW))
            frequency, density = welch(lfp.values, 1000.0, nperseg=500)
            spectra.loglog(frequency[1:], density[1:], line, color=colour, linewidth=0.8)
        spectra.plot([], [], line, color="gray", label=f"at the {when}")
    spectra.set(xlim=(2, 300), xlabel="frequency (Hz)", ylabel="power (mV²/Hz)")
    spectra.legend(frameon=False)
    part.align_ylabels([early, late, spectra])
    return [early, late, spectra]
