"""The figure: what stimulation at each phase does, and what it looks like."""

from typing import Any

import numpy as np
from matplotlib.figure import Figure

COLOURS = {"alone": "#555555", "suppressed": "#2f6fab", "amplified": "#c2452d"}
FROM, TO = 1000.0, 1250.0  # ms that are shown


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
    fig = Figure(figsize=(9, 6.4), layout="constrained")
    rows = fig.add_gridspec(2, 1, height_ratios=(3, 2))
    top = rows[0].subgridspec(2, 3, height_ratios=(2, 1), hspace=0.05)
    lowest = min(float(_shown(run.lfp).min()) for run in runs.values())
    highest = max(float(_shown(run.lfp).max()) for run in runs.values())
    room = 0.05 * (highest - lowest)
    for column, (name, run) in enumerate(runs.items()):
        raster = fig.add_subplot(top[0, column])
        first = 0
        for population, colour in (("E", "black"), ("I", "#b06000")):
            times, senders = run.spikes[population]
            inside = (times >= FROM) & (times < TO)
            _, rank = np.unique(senders, return_inverse=True)
            raster.plot(times[inside], first + rank[inside], ".", color=colour, markersize=1.5)
            first += int(rank.max(initial=0)) + 1
        _mark(raster, run if name != "alone" else None)
        title = "network alone" if name == "alone" else f"{name}: {at[name]:.1f} ms after trigger"
        raster.set_title(title, color=COLOURS[name])
        raster.set(xlim=(FROM, TO), yticks=[])
        raster.tick_params(bottom=False, labelbottom=False)
        trace = fig.add_subplot(top[1, column], sharex=raster)
        lfp = _shown(run.lfp)
        trace.plot(lfp["time"], lfp, color=COLOURS[name], linewidth=1)
        _mark(trace, run if name != "alone" else None)
        trace.set(xlabel="time (ms)", ylim=(lowest - room, highest + room))
        if column == 0:
            raster.set_ylabel("neurons, I above E")
            trace.set_ylabel("LFP (mV)")
        for ax in (raster, trace):
            ax.spines[["top", "right"]].set_visible(False)
    ax = fig.add_subplot(rows[1])
    names = {"closed": "closed loop", "open": "open loop, as many pulses at random times"}
    for name, colour, marker in (("closed", "black", "o"), ("open", "#999999", "s")):
        values = decibels[name]
        ax.plot(delays, values.mean(axis=1), marker + "-", color=colour, label=names[name])
        ax.plot(delays, values, marker, color=colour, markersize=3, alpha=0.4)
    for name, delay in at.items():
        ax.axvline(delay, color=COLOURS[name], linewidth=6, alpha=0.2)
    ax.axhline(0, color="black", linewidth=0.6)
    ax.set(
        xlabel="delay from the trigger to the neurons (ms)",
        ylabel="power of the oscillation\n(dB, network alone: 0)",
    )
    ax.legend(frameon=False)
    ax.spines[["top", "right"]].set_visible(False)
    return fig


def _shown(lfp: Any) -> Any:
    return lfp.squeeze(drop=True).sel(time=slice(FROM, TO))


def _mark(ax: Any, run: Any) -> None:
    """The trigger's spikes."""
    if run is not None:
        for pulse in run.pulses[(run.pulses >= FROM) & (run.pulses < TO)]:
            ax.axvline(pulse, color="#2a9d4a", linewidth=0.8, alpha=0.7)
