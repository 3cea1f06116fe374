"""The figure: weights, rates and LFP of a network that learns."""

from typing import Any

import xarray as xr
from matplotlib.figure import Figure
from scipy.signal import welch

COLOURS = {"LFP": "#2f6fab", "fixed": "#c2452d", "E": "black", "I": "#b06000"}
NAMES = {"LFP": "follows the weights", "fixed": "weights of the start"}
TRACE = 300.0  # ms
WINDOW = 2000.0  # ms, of spectra


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
    fig = Figure(figsize=(9, 5.6), layout="constrained")
    halves = fig.add_gridspec(1, 2, width_ratios=(5, 4))
    end = float(found["LFP"]["time"][-1]) * 1e-3
    axes: Any = halves[0].subgridspec(3, 1).subplots(sharex=True)
    axes[0].plot(found["reading"] * 1e-3, -found["weight"], color=COLOURS["I"])
    axes[0].set(ylabel="inhibition of E\n(−pA a synapse)", ylim=(0, None))
    for name, rate in zip(found["population"].values, found["rate"].values, strict=True):
        axes[1].plot(found["bin"] * 1e-3, rate, color=COLOURS[name], label=name)
    axes[1].set(ylabel="rate\n(spikes/s)", ylim=(0, None))
    axes[1].legend(frameon=False, ncols=2)
    for name, values in powers.items():
        times = values["time_bins"].values.astype(float) * 1e-3
        axes[2].semilogy(times, values, color=COLOURS[name], label=NAMES[name])
    axes[2].set(ylabel="variance of the\nLFP (mV²)", xlabel="time (s)", xlim=(0, end))
    axes[2].legend(frameon=False)
    panels = halves[1].subgridspec(3, 1, height_ratios=(1, 1, 2))
    traces = [fig.add_subplot(panels[0])]
    traces.append(fig.add_subplot(panels[1], sharey=traces[0]))
    last = float(found["LFP"]["time"][-1])
    for ax, start, title in (
        (traces[0], 500.0, "at the start"),
        (traces[1], last - TRACE, "at the end"),
    ):
        for name in ("fixed", "LFP"):
            part = found[name].isel(LFP_channel=shown).sel(time=slice(start, start + TRACE))
            ax.plot(part["time"] - start, part, color=COLOURS[name], linewidth=0.9)
        ax.set(xlim=(0, TRACE), ylabel="LFP (mV)")
        ax.set_title(title, fontsize="medium")
    traces[0].tick_params(labelbottom=False)
    traces[1].set_xlabel("time (ms)")
    spectra = fig.add_subplot(panels[2])
    for start, style, when in ((0.0, ":", "start"), (last - WINDOW, "-", "end")):
        for name in ("fixed", "LFP"):
            part = found[name].isel(LFP_channel=shown).sel(time=slice(start, start + WINDOW))
            frequency, density = welch(part.values, 1000.0, nperseg=500)
            label = f"{when}, {NAMES[name]}" if when == "end" else None
            spectra.loglog(
                frequency[1:], density[1:], style, color=COLOURS[name], linewidth=1, label=label
            )
    spectra.plot([], [], ":", color="gray", label="start")
    spectra.set(xlim=(2, 300), xlabel="frequency (Hz)", ylabel="power (mV²/Hz)")
    spectra.legend(frameon=False, fontsize="small")
    for letter, ax in zip("abcdef", [*axes, *traces, spectra], strict=True):
        ax.text(-0.16, 1.0, letter, transform=ax.transAxes, weight="bold", va="bottom")
        ax.spines[["top", "right"]].set_visible(False)
    fig.align_ylabels()
    return fig
