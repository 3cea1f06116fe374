"""The figure: what stimulation at each phase does, and what it looks like."""

from typing import Any

import numpy as np
import scipy.stats as st
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from nestlfp.plotting.style import INK, PALETTE, colours_of, new_figure, style

PULSES = PALETTE[2]
FROM, TO = 1000.0, 1250.0  # ms that are shown
WIDTH_IN = 7.1


def draw(
    delays: np.ndarray, decibels: dict[str, np.ndarray], runs: dict[str, Any], at: dict[str, float]
) -> Figure:
    """Three runs above, spikes, LFP and pulses; below power against the delay.

    Parameters
    ----------
    delays : (n,) array
        From the trigger's spike to the neurons (ms).
    decibels : dict of str to (n, seeds) array
        Power of closed and open loop, relative to the network alone.
    runs : dict of str to Run
        Those that are shown.
    at : dict of str to float
        Delay of the two with stimulation (ms).
    """
    with style():
        figure = new_figure(WIDTH_IN, 5.4)
        rows = figure.add_gridspec(2, 1, height_ratios=(3, 2))
        top = rows[0].subgridspec(2, len(runs), height_ratios=(2, 1), hspace=0.05)
        axes = top.subplots(sharex=True, sharey="row", squeeze=False)
        for (raster, trace), (name, run) in zip(axes.T, runs.items(), strict=True):
            _raster(raster, run.spikes)
            lfp = run.lfp.squeeze(drop=True).sel(time=slice(FROM, TO))
            trace.plot(lfp["time"], lfp, color=INK)
            trace.set_xlabel("time (ms)")
            alone = name == "alone"
            raster.set_title("network alone" if alone else f"{name}: pulse after {at[name]:.1f} ms")
            for pulse in () if alone else run.pulses[(run.pulses >= FROM) & (run.pulses < TO)]:
                for ax in (raster, trace):
                    ax.axvline(pulse, color=PULSES, lw=0.6, zorder=0)
        axes[0, 0].set(xlim=(FROM, TO), ylabel="neurons, every 20th")
        axes[1, 0].set_ylabel("LFP (mV)")
        _power(figure.add_subplot(rows[1]), delays, decibels, at)
    return figure


def _raster(ax: Axes, spikes: dict[str, tuple[np.ndarray, np.ndarray]]) -> None:
    """A row for each neuron, E above I."""
    colours, first, ticks = colours_of(spikes), 0, {}
    for name in reversed(spikes):
        times, senders = spikes[name]
        inside = (times >= FROM) & (times < TO)
        neurons, row = np.unique(senders, return_inverse=True)
        ax.plot(times[inside], first + row[inside], ".", color=colours[name], ms=1.8, mew=0)
        ticks[name] = first + neurons.size / 2
        first += neurons.size
    ax.set_yticks([*ticks.values()], [*ticks])
    ax.tick_params(left=False, bottom=False, labelbottom=False)


def half_widths(values: np.ndarray) -> np.ndarray:
    """Of the 95 % confidence intervals of means over columns (Student's t); 0 for one column."""
    n = values.shape[1]
    if n == 1:
        return np.zeros(len(values))
    return np.asarray(st.t.ppf(0.975, n - 1) * st.sem(values, axis=1))


def _power(
    ax: Axes, delays: np.ndarray, decibels: dict[str, np.ndarray], at: dict[str, float]
) -> None:
    """Means over the realizations, with 95 % confidence intervals."""
    names = {"closed": "closed loop", "open": "open loop, as many pulses at random times"}
    for name, colour, marker in (("closed", INK, "o"), ("open", "0.55", "s")):
        values = decibels[name]
        label = f"{names[name]}: mean of {values.shape[1]} runs, 95 % confidence"
        ax.errorbar(
            delays, values.mean(axis=1), half_widths(values), color=colour, fmt=marker + "-",
            ms=4, capsize=2, elinewidth=0.8, label=label,
        )  # fmt: skip
    for name, delay in at.items():
        ax.axvline(delay, color="0.9", lw=6, zorder=0)
        ax.annotate(
            name, (delay, 1), (0, 2), xycoords=ax.get_xaxis_transform(), textcoords="offset points",
            ha="center", va="bottom", fontsize=6,
        )  # fmt: skip
    ax.axhline(0, color=INK, lw=0.6, ls=":")
    ax.set(
        xlabel="delay from the trigger to the neurons (ms)",
        ylabel="power, 32 to 64 Hz\n(dB, network alone: 0)",
    )
    ax.legend(frameon=False, loc="upper center")
