"""How far signals from kernels are from cells whose synapses are conductances.

    python examples/validation/conductances.py --help

runs a small network in NEST, calculates its LFP and current dipole moment cell by cell, with
conductances, and compares their fluctuations with those from kernels, which linearize: for several
seeds of the network and the cells, and conductances of several strengths. Writes a table, a figure
and a report; `docs/validation.md` says what they show.
"""

import json
import os
import time
from pathlib import Path
from typing import Annotated

from nestlfp.errors import tell_plainly

tell_plainly()
os.environ.setdefault("PYNEST_QUIET", "1")
os.environ.setdefault("NEURON_MODULE_OPTIONS", "-nogui")

import compare
import conducting_cells as cc
import nest
import numpy as np
import pandas as pd
import small_network as net
import typer
import xarray as xr
from matplotlib.figure import Figure
from scipy.signal import correlate

import nestlfp.plotting
from nestlfp.plotting.style import PALETTE, new_figure, style
from nestlfp.sources import hybrid

LONGEST_LAG = 10.0  # ms, of the cross-correlation
MEASURES = {"slope": "slope", "r2": "R²", "correlation": "correlation", "lag_ms": "lag (ms)"}
LABELS = {
    "LFPykernels": "LFPykernels' own way, around −65 mV",
    "by depth": "by depth, around −65 mV",
    "own potential": "by depth, around the cells' own mean potentials",
}

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def main(
    out: Annotated[Path, typer.Option(help="Folder for what is written.")] = Path(
        "out/validation_conductances"
    ),
    duration: Annotated[float, typer.Option(min=100.0, help="Simulated time (ms).")] = 1200.0,
    onset: Annotated[float, typer.Option(min=0.0, help="What is left out of it (ms).")] = 200.0,
    seeds: Annotated[int, typer.Option(min=1, help="Number of seeds: 1, 2, ...")] = 4,
    strength: Annotated[
        list[float] | None,
        typer.Option(help="Factor of all conductances; more than once. Default: 0.2 and 1."),
    ] = None,
    scale: Annotated[float, typer.Option(min=0.01, help="Of the number of neurons.")] = 1.0,
    depths: Annotated[int, typer.Option(min=2, help="Over which kernels are averaged.")] = 15,
    processes: Annotated[int | None, typer.Option(help="Default: one per core.")] = None,
) -> None:
    """Compare signals from kernels with the full calculation with conductances."""
    out.mkdir(parents=True, exist_ok=True)
    nest.verbosity = nest.VerbosityLevel.ERROR
    sizes = {name: round(scale * n) for name, n in net.SIZES.items()}
    rows: list[dict] = []
    report: dict = {
        "published_conductance_over_leak": {
            post: cc.operating_point(net.published.approximation(post))[1]
            for post in net.p.POPULATIONS
        },
        "sizes": sizes,
        "duration_ms": duration,
        "onset_ms": onset,
        "runs": [],
    }
    for seed in range(1, seeds + 1):
        say(f"seed {seed}: running the network")
        network = cc.run(sizes, seed, duration)
        rates = {
            x: float(np.sum(times > onset)) / sizes[x] / (duration - onset) * 1000.0
            for x, (times, _) in network.spikes.items()
        }
        for factor in strength or [0.2, 1.0]:
            described = cc.describe(sizes, rates, factor)
            points = {
                post: cc.operating_point(approx, depths) for post, approx in described.items()
            }
            say(f"strength {factor:g}: calculating its signal cell by cell")
            start = time.perf_counter()
            # Of the first seed once more, with other external spikes: what comes from the network.
            full, *again = (
                hybrid.signals(
                    cc.with_external_input(network, described, external, duration),
                    cc.cells(described), net.probes(), duration, seed=seed, processes=processes,
                )
                for external in ([seed, 1000] if seed == 1 else [seed])
            )  # fmt: skip
            seconds = time.perf_counter() - start
            say("computing kernels")
            found = {
                kind: kernel_set.convolve(
                    {x: times for x, (times, _) in network.spikes.items()}, duration
                )
                for kind, kernel_set in cc.kernels(described, depths).items()
            }
            rows += agreement(full, found, onset, {"seed": seed, "strength": factor})
            report["runs"] += [
                {
                    "seed": seed,
                    "strength": factor,
                    "rates": rates,
                    "external_rate": {post: approx.nu_ext for post, approx in described.items()},
                    "conductance_over_leak": {post: g for post, (_, g) in points.items()},
                    "mean_potential_mV": {
                        post: {"lowest": v.min(), "soma": v[0], "highest": v.max()}
                        for post, (v, _) in points.items()
                    },
                    "shared": [shared(full, other, onset) for other in again],
                    "seconds": seconds,
                }
            ]
        say(f"writing to {out}")  # after each seed: all together take most of an hour
        write(rows, report, out)


# ---------------------------------------------------------------------- comparison
def agreement(
    full: xr.Dataset, found: dict[str, xr.Dataset], onset: float, labels: dict
) -> list[dict]:
    """A row for each kind of kernels and channel: how its fluctuations agree with the full ones.

    The slope is that of the regression of the full calculation on the signal from kernels: less
    than 1 where kernels are too large, whatever else there is in the full one. The lag is that of
    the largest cross-correlation, more than 0 where the full calculation is late.
    """
    rows = []
    for kind, signals in found.items():
        for name in compare.SIGNALS:
            wanted = fluctuations(full, name, onset)
            predicted = fluctuations(signals, name, onset)
            for channel, x, y in zip(
                wanted[f"{name}_channel"].values, wanted.values, predicted.values, strict=True
            ):
                rows.append(
                    {
                        **labels,
                        "kernels": kind,
                        "signal": name,
                        "channel": str(channel),
                        "z_um": float(full["LFP_z"].sel(LFP_channel=channel))
                        if name == "LFP"
                        else "",
                        "sd": float(x.std()),
                        "slope": float(np.mean(x * y) / np.mean(y**2)),
                        "r2": float(1 - np.mean((x - y) ** 2) / np.mean(x**2)),
                        "correlation": float(np.corrcoef(x, y)[0, 1]),
                        "lag_ms": lag(x, y),
                    }
                )
    return rows


def fluctuations(signals: xr.Dataset, name: str, onset: float) -> xr.DataArray:
    """The channels that are compared, without onset and mean."""
    found = compare.channels(signals, name).sel(time=slice(onset, None))
    return found - found.mean("time")


def shared(full: xr.Dataset, other: xr.Dataset, onset: float) -> dict[str, list[float]]:
    """Correlation of both by channel: the part of the variance that the network's spikes make."""
    return {
        name: [
            float(np.corrcoef(x, y)[0, 1])
            for x, y in zip(
                fluctuations(full, name, onset).values,
                fluctuations(other, name, onset).values,
                strict=True,
            )
        ]
        for name in compare.SIGNALS
    }


def lag(x: np.ndarray, y: np.ndarray) -> float:
    """How much later x is than y (ms)."""
    longest = round(LONGEST_LAG / net.p.DT)
    middle = len(y) - 1
    near = correlate(x, y, method="fft")[middle - longest : middle + longest + 1]
    return float((np.argmax(near) - longest) * net.p.DT)


def over_seeds(rows: list[dict]) -> list[dict]:
    """Means over seeds, and half the width of their 95 % intervals (Student's t)."""
    keys = ("strength", "kernels", "signal", "channel", "z_um")
    groups: dict[tuple, list[dict]] = {}
    for row in rows:
        groups.setdefault(tuple(row[key] for key in keys), []).append(row)
    summary = []
    for group, own in groups.items():
        line = dict(zip(keys, group, strict=True)) | {"seeds": len(own)}
        for what in ("sd", *MEASURES):
            values = [row[what] for row in own]
            line[what] = float(np.mean(values))
            line[f"{what}_interval"] = compare.half_width(values)
        summary.append(line)
    return summary


# ---------------------------------------------------------------------- what is written
def figure(summary: list[dict], runs: list[dict]) -> Figure:
    """Slopes and R² by depth, a column for each strength; the dipole moment above."""
    strengths = sorted({row["strength"] for row in summary})
    depths = sorted({row["z_um"] for row in summary if row["signal"] == "LFP"})
    dipole = depths[-1] + 2 * (depths[-1] - depths[-2])
    with style():
        drawn = new_figure(2.7 * len(strengths), 5.6)
        axes = drawn.subplots(2, len(strengths), sharex="row", sharey=True, squeeze=False)
        for what, row_of_axes in zip(("slope", "r2"), axes, strict=True):
            for strength, ax in zip(strengths, row_of_axes, strict=True):
                for i, kind in enumerate(cc.KINDS):
                    own = [r for r in summary if (r["strength"], r["kernels"]) == (strength, kind)]
                    shift = 14.0 * (i - 1)  # µm, so that markers do not hide each other
                    for signal, line in (("LFP", "-"), ("CDM", "none")):
                        part = [r for r in own if r["signal"] == signal]
                        ax.errorbar(
                            [r[what] for r in part],
                            [(r["z_um"] if signal == "LFP" else dipole) + shift for r in part],
                            xerr=[r[f"{what}_interval"] for r in part],
                            fmt="os^"[i], ls=line, ms=3, color=PALETTE[2 + i], capsize=1.5,
                            label=LABELS[kind] if signal == "LFP" else None,
                        )  # fmt: skip
                ax.axvline(1.0, color="0.7", lw=0.8, zorder=0)
                ax.set_xlabel("slope (below 1: kernels are too large)" if what == "slope" else "R²")
                if what == "slope":
                    ratios = [r["conductance_over_leak"] for r in runs if r["strength"] == strength]
                    mean = ", ".join(
                        f"{y} {np.mean([r[y] for r in ratios]):.1f}" for y in ratios[0]
                    )
                    ax.set_title(f"conductances × {strength:g}\n(over leak: {mean})")
            names = [f"{z:g}".replace("-", "−") for z in depths[::2]]
            row_of_axes[0].set_yticks([*depths[::2], dipole], [*names, "CDM"])
            row_of_axes[0].set_ylabel("z of contact (µm)")
        handles, labels = axes[0, 0].get_legend_handles_labels()
        drawn.legend(handles, labels, loc="outside lower center", frameon=False)
    return drawn


def write(rows: list[dict], report: dict, out: Path) -> None:
    """Tables, figure and report of the seeds so far."""
    pd.DataFrame(rows).to_csv(out / "table.csv", index=False, na_rep="nan")
    summary = over_seeds(rows)
    pd.DataFrame(summary).to_csv(out / "summary.csv", index=False, na_rep="nan")
    nestlfp.plotting.save(
        figure(summary, report["runs"]), out / "validation_conductances.png", overwrite=True
    )
    text = json.dumps(report, indent=2, allow_nan=False)
    (out / "report.json").write_text(text + "\n", encoding="utf-8")
    print(as_text(summary), flush=True)


def as_text(summary: list[dict]) -> str:
    """The summary, to read in a terminal."""
    lines = []
    for row in summary:
        where = f"{row['signal']} {row['z_um'] if row['signal'] == 'LFP' else row['channel']}"
        values = [
            f"{label} {row[what]:.3f} ± {row[f'{what}_interval']:.3f}"
            for what, label in MEASURES.items()
        ]
        lines.append(
            f"{row['strength']:4g} {row['kernels']:14}{where:12}{row['sd']:10.4g}  "
            + "  ".join(values)
        )
    return "\n".join(lines)


def say(text: str) -> None:
    print(f"== {text}", flush=True)


if __name__ == "__main__":
    app()
