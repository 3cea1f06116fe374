"""Kernels of networks in NEST against the full calculation, cell by cell.

    python examples/own_network/run.py --help

runs networks that kernels were not made for, computes kernels of each with
`nestlfp.sources.network`, and compares their signal with that of LFPy's cells with the synapses
themselves (`full.py`). Writes a report and a table; `docs/own_network.md` says what they show.
"""

import json
import os
import time
from pathlib import Path
from typing import Annotated, Any

from nestlfp.errors import tell_plainly

tell_plainly()
os.environ.setdefault("PYNEST_QUIET", "1")

import full
import numpy as np
import typer

ONSET = 300.0  # ms, left out
LAGS = 50  # steps around 0 in which the largest cross-correlation is looked for


app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def main(
    out: Annotated[Path, typer.Option(help="Folder of the report.")] = Path("out/own_network"),
    case: Annotated[list[str] | None, typer.Option(help="Of CASES; default: all.")] = None,
    duration: Annotated[float, typer.Option(min=400.0, help="Simulated time (ms).")] = 2000.0,
    seeds: Annotated[int, typer.Option(min=1, help="Of the cells' places.")] = 4,
    cells: Annotated[int | None, typer.Option(min=1, help="Of each population, for a try.")] = None,
    poisson: Annotated[
        bool, typer.Option(help="External conductances as spikes, which add noise of their own.")
    ] = False,
    processes: Annotated[int, typer.Option(min=1, help="For the cells.")] = 2,
) -> None:
    """Compare signals from kernels with the full calculation."""
    # Processes that calculate cells import this file too: NEURON never meets NEST.
    import nest

    import networks

    nest.verbosity = nest.VerbosityLevel.ERROR
    out.mkdir(parents=True, exist_ok=True)
    for name in case or networks.CASES:
        print(f"== {name}", flush=True)
        found = compared(name, duration, range(1, seeds + 1), cells, poisson, processes)
        print(as_table(found))
        text = json.dumps(found, indent=2, allow_nan=False)
        (out / f"{name.replace(' ', '_')}.json").write_text(text + "\n", encoding="utf-8")


def compared(
    name: str,
    duration: float,
    seeds: range,
    cells: int | None = None,
    poisson: bool = False,
    processes: int = 2,
) -> dict:
    """One network: its kernels' signal beside the full calculation."""
    import networks
    from nestlfp.sources import network

    made = networks.CASES[name]
    ran = networks.run(made, duration, seed=1)
    case = made()
    rates = network.rates(ran.neurons, ran.recorders, start=ONSET)
    description = network.describe(ran.neurons)
    kernels = network.kernels(description, cells=case.cells, rates=rates, progress=False)
    assumed = kernels.provenance["assumed"]
    spikes = ran.spikes()
    convolved = kernels.convolve({x: times for x, (times, _) in spikes.items()}, duration)

    z = kernels["LFP"]["LFP_z"].values
    reversal = case.reversal or {}
    kinds = {
        x: full.Kind(case.shape, case.tau[x], x == "E", reversal.get(x)) for x in networks.SIZES
    }
    work = full.Work(kinds, networks.DT, duration, z, assumed["radius_um"], seeds, poisson)
    start = time.perf_counter()
    best = None
    if case.reversal is None:
        single = full.single_kernels(work, replayed(ran, case, None, cells), processes)
        truth = full.superposed(single, spikes, networks.DT, duration)
        mean = {
            x: dict(zip(of, [np.mean([*of.values()], axis=0)] * len(of), strict=True))
            for x, of in single.items()
        }
        best = full.superposed(mean, spikes, networks.DT, duration)
    else:
        truth = full.potentials(work, replayed(ran, case, spikes, cells), processes)
    took = time.perf_counter() - start
    late = slice(round(ONSET / networks.DT), convolved.sizes["time"])
    predicted = convolved["LFP"].transpose("LFP_channel", "time").values[:, late]
    found = agreement(truth[..., late], predicted)
    if best is not None:
        measured = agreement(truth[..., late], best[..., late])
        found |= {f"{what}_of_measured_kernels": measured[what] for what in ("slope", "r2")}
    return {
        "network": name,
        "model": case.model,
        "cells": case.cells,
        "rates_per_s": rates,
        "assumed": assumed,
        "duration_ms": duration,
        "seconds_of_full_calculation": took,
        "z_um": z.tolist(),
        **found,
    }


def replayed(ran: Any, case: Any, spikes: Any, cells: int | None) -> list[full.Replayed]:
    """What arrives at each cell: recorded spikes, or one at time 0 of each neuron."""
    import networks

    tasks = []
    trains = spikes and {
        pre: [times[index == i] for i in range(networks.SIZES[pre])]
        for pre, (times, index) in spikes.items()
    }
    for post, size in networks.SIZES.items():
        read = {pre: ran.connections(pre, post) for pre in networks.SIZES}
        for target in range(min(size, cells or size)):
            arrivals = []
            for pre, found in read.items():
                for i in np.flatnonzero(found["target"] == target):
                    source = int(found["source"][i])
                    times = trains[pre][source] if trains else np.zeros(1)
                    weight = found["weight"][i]
                    peak = weight if case.reversal is None else abs(weight)
                    arrivals.append((pre, float(peak), source, times + found["delay"][i]))
            rate, weight = case.external[post]
            # What adds up needs no external input: it would add a signal of its own.
            external = None if case.reversal is None else (rate, weight, "E")
            tasks.append(
                full.Replayed(post, target, case.cells[post], networks.REST, arrivals, external)
            )
    return tasks


# ---------------------------------------------------------------------- comparison
def agreement(truth: np.ndarray, predicted: np.ndarray) -> dict:
    """How the fluctuations agree, by contact; the mean over seeds, and between which values."""
    truth = truth - truth.mean(axis=-1, keepdims=True)
    predicted = predicted - predicted.mean(axis=-1, keepdims=True)  # of each seed, or of all
    slope = (truth * predicted).mean(axis=-1) / (predicted**2).mean(axis=-1)
    sd = truth.std(axis=-1).mean(axis=0)
    once = predicted if predicted.ndim == 2 else predicted.mean(axis=0)
    lags = [lag(t, p) for t, p in zip(truth.mean(axis=0), once, strict=True)]
    return {
        "sd_mV": sd.tolist(),
        "sd_of_kernels_mV": once.std(axis=-1).tolist(),
        "slope": slope.mean(axis=0).tolist(),
        "slope_lowest": slope.min(axis=0).tolist(),
        "slope_highest": slope.max(axis=0).tolist(),
        "r2": r2(truth, predicted).mean(axis=0).tolist(),
        "lag_ms": lags,
        "large": (sd >= 0.5 * sd.max()).tolist(),
    }


def lag(truth: np.ndarray, predicted: np.ndarray, dt: float = 0.1) -> float:
    """By how much the full calculation is later (ms), of the largest cross-correlation."""
    inner = slice(LAGS, -LAGS)
    shifts = np.arange(-LAGS, LAGS + 1)
    correlation = np.array([np.roll(truth, -s)[inner] @ predicted[inner] for s in shifts])
    at = int(np.argmax(correlation))
    if not 0 < at < shifts.size - 1:
        return float(shifts[at] * dt)
    before, largest, after = correlation[at - 1 : at + 2]
    return float(dt * (shifts[at] + (before - after) / (2 * (before - 2 * largest + after))))


def r2(truth: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """Part of the fluctuations' variance that is predicted, by seed and contact."""
    return 1 - np.var(truth - predicted, axis=-1) / np.var(truth, axis=-1)


def as_table(found: dict) -> str:
    """The comparison in Markdown, a row for each contact."""
    rows = [
        "| z (µm) | s.d. (µV) | slope | between | slope, measured | R² | R², measured | lag (ms) |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    measured = [
        found.get(f"{what}_of_measured_kernels", [None] * len(found["z_um"]))
        for what in ("slope", "r2")
    ]
    for i, z in enumerate(found["z_um"]):
        slope, r2_of = ("" if each[i] is None else f"{each[i]:.3f}" for each in measured)
        rows.append(
            f"| {z:.0f}{' *' if found['large'][i] else ''} | {1e3 * found['sd_mV'][i]:.3g} "
            f"| {found['slope'][i]:.3f} "
            f"| {found['slope_lowest'][i]:.2f} … {found['slope_highest'][i]:.2f} | {slope} "
            f"| {found['r2'][i]:.3f} | {r2_of} | {found['lag_ms'][i]:.3f} |"
        )
    return "\n".join(rows)


if __name__ == "__main__":
    app()
