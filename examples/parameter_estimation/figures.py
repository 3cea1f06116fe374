"""What estimators see, how well they do, and what they leave open."""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from simulation import RANGES

from data import PARAMETERS
from nestlfp.plotting.style import INK, PALETTE, new_figure, style

LABELS = {"eta": "η", "g": "g", "J": "J (mV)"}
COLOURS = dict(zip(PARAMETERS, PALETTE, strict=False))
GROUPS = 5  # of runs, by the value of a parameter


def spectra(runs: xr.Dataset) -> Figure:
    """The uppermost channel's mean spectrum, of runs grouped by each parameter."""
    import matplotlib

    shades = matplotlib.colormaps["viridis"](np.linspace(0, 0.9, GROUPS))
    density = runs["LFP"].isel(LFP_channel=0, frequency=slice(1, None))
    level = density.copy(data=10 * np.log10(density.values))
    with style():
        figure = new_figure(8.5, 2.8)
        axes = figure.subplots(1, len(PARAMETERS), sharey=True)
        for ax, name in zip(axes, PARAMETERS, strict=True):
            edges = np.linspace(*RANGES[name], GROUPS + 1)
            group = np.clip(np.searchsorted(edges, runs[name].values) - 1, 0, GROUPS - 1)
            for k, shade in enumerate(shades):
                part = level.isel(run=np.flatnonzero(group == k))
                label = f"{edges[k]:.3g} to {edges[k + 1]:.3g}"
                ax.plot(level["frequency"], part.mean("run"), color=shade, label=label)
            ax.set(xscale="log", xlabel="frequency (Hz)", title=f"by {LABELS[name]}")
            ax.legend(frameon=False, loc="lower left")
        axes[0].set_ylabel("LFP at z = 0\n(dB re 1 mV²/Hz)")
    return figure


def predicted(predictions: dict[str, np.ndarray], true: np.ndarray) -> Figure:
    """Estimates of the test runs against what they were made with: a row for each estimator."""
    with style():
        figure = new_figure(7.5, 2.4 * len(predictions) + 0.2)
        axes = figure.subplots(len(predictions), len(PARAMETERS), squeeze=False)
        for row, (estimator, found) in zip(axes, predictions.items(), strict=True):
            for k, (ax, name) in enumerate(zip(row, PARAMETERS, strict=True)):
                low, high = RANGES[name]
                scaled = [low + (high - low) * values[:, k] for values in (true, found)]
                ax.plot([low, high], [low, high], color="0.7", lw=0.8)
                ax.plot(*scaled, ".", ms=3, mew=0, color=COLOURS[name])
                ax.set(xlabel=f"true {LABELS[name]}", ylabel=f"estimated {LABELS[name]}")
                ax.set_aspect("equal", "box")
            row[0].set_title(estimator, loc="left")
    return figure


def errors(report: dict[str, Any]) -> Figure:
    """Standard deviation of the error by number of runs, length of signal, and what is seen.

    Lengths are left out where there is one.
    """
    lengths = {float(key): _sd(found) for key, found in report["length_ms"].items()}
    label = "s.d. of the error (% of the cube's range)"
    with style():
        figure = new_figure(7.1, 2.6)
        widths = [1.0, 1.0, 1.6] if len(lengths) > 1 else [1.0, 1.6]
        first, *second, third = figure.subplots(1, len(widths), width_ratios=widths)
        curve = report["learning_curve"]
        _lines(first, [row["runs"] for row in curve], [row["sd"] for row in curve])
        first.set(xscale="log", xlabel="runs learned from", ylabel=label.replace(" (", "\n("))
        counts = [row["runs"] for row in curve]
        first.set_xticks(counts, [f"{n}" for n in counts])
        first.minorticks_off()
        first.set_ylim(0, None)
        first.legend([LABELS[name].split()[0] for name in PARAMETERS], frameon=False)
        for ax in second:
            _lines(ax, list(lengths), list(lengths.values()))
            ax.set(xlabel="length of signal (ms)", ylim=(0, None))
        seen = report["seen"]
        for k, name in enumerate(PARAMETERS):
            values = [_sd(found)[k] for found in seen.values()]
            third.barh(np.arange(len(seen)) + 0.25 * (k - 1), values, 0.22, color=COLOURS[name])
        third.set_yticks(range(len(seen)), list(seen))
        third.invert_yaxis()
        third.set_xlabel(label)
    return figure


def _sd(found: dict[str, Any]) -> list[float]:
    return [found[name]["of_range"]["sd"] for name in PARAMETERS]


def _lines(ax: Axes, x: list[float], rows: list[list[float]]) -> None:
    for k, name in enumerate(PARAMETERS):
        ax.plot(x, [row[k] for row in rows], "o-", ms=4, color=COLOURS[name])


def posteriors(samples: np.ndarray, true: np.ndarray) -> Figure:
    """A corner plot for each of some test runs, whose axes hold the samples and the truth.

    On the diagonal are the parameters alone, below it pairs of them; green is the truth.
    """
    count = len(PARAMETERS)
    with style():
        figure = new_figure(7.1, 2.6)
        for part, drawn, truth in zip(
            figure.subfigures(1, len(samples), squeeze=False)[0], samples, true, strict=True
        ):
            axes = part.subplots(count, count, sharex="col")
            x = [_unscaled(drawn[:, k], k) for k in range(count)]
            here = [_unscaled(truth[k], k) for k in range(count)]
            for i, row in enumerate(axes):
                for j, ax in enumerate(row):
                    _corner(ax, x, here, i, j)
            for k in range(count):
                axes[-1, k].set_xlabel(LABELS[PARAMETERS[k]])
                if k:
                    axes[k, 0].set_ylabel(LABELS[PARAMETERS[k]])
    return figure


def _corner(ax: Axes, x: list[np.ndarray], here: list[float], i: int, j: int) -> None:
    """Row i and column j of a corner plot."""
    if j > i:
        ax.remove()
        return
    ax.set_xlim(_around(x[j], here[j]))
    ax.locator_params(nbins=2)
    ax.tick_params(axis="x", labelrotation=60)
    if i == j:
        ax.hist(x[j], bins=30, color="0.7")
        ax.axvline(here[j], color=PALETTE[2], lw=1.2)
        ax.set_yticks([])
        ax.spines["left"].set_visible(False)
    else:
        ax.plot(x[j], x[i], ".", ms=1, mew=0, alpha=0.4, color=INK)
        ax.plot(here[j], here[i], "+", ms=8, mew=1.5, color=PALETTE[2])
        ax.set_ylim(_around(x[i], here[i]))
        if j:
            ax.tick_params(labelleft=False)


def _around(values: np.ndarray, truth: float) -> tuple[float, float]:
    """From the least to the largest of samples and truth, with a margin."""
    low, high = min(values.min(), truth), max(values.max(), truth)
    margin = 0.08 * (high - low)
    return float(low - margin), float(high + margin)


def _unscaled(values: Any, k: int) -> Any:
    low, high = RANGES[PARAMETERS[k]]
    return low + (high - low) * values


def calibration(ranks: np.ndarray, levels: np.ndarray) -> Figure:
    """Ranks of the truth among the samples, and how often regions of a level hold it."""
    from scipy.stats import binom

    n, bins = len(levels), 10
    with style():
        figure = new_figure(10.0, 2.6)
        axes = figure.subplots(1, len(PARAMETERS) + 1)
        for k, (ax, name) in enumerate(zip(axes, PARAMETERS, strict=False)):
            low, high = binom.ppf([0.025, 0.975], n, 1 / bins)
            ax.axhspan(low, high, color="0.9")
            ax.hist(ranks[:, k], np.linspace(0, 1, bins + 1), color=COLOURS[name], rwidth=0.9)
            ax.set(xlabel="rank of the truth", title=LABELS[name].split()[0], xlim=(0, 1))
        axes[0].set_ylabel(f"test runs (of {n})")
        level = np.linspace(0.01, 0.99, 99)
        last = axes[-1]
        last.fill_between(level, *(binom.ppf(q, n, level) / n for q in (0.025, 0.975)), color="0.9")
        for k, name in enumerate(PARAMETERS):
            inside = np.abs(ranks[:, k] - 0.5) * 2
            last.plot(level, [(inside <= each).mean() for each in level], color=COLOURS[name])
        last.plot(level, [(levels <= each).mean() for each in level], color=INK, label="together")
        last.set(xlabel="level of the region", ylabel="holds the truth", xlim=(0, 1), ylim=(0, 1))
        last.legend(frameon=False, loc="upper left")
        last.set_aspect("equal", "box")
    return figure
