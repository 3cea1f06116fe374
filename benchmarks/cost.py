"""What a step of the filter nodes costs: published design, FIR and state space, side by side.

"one tap" is an exact filter of the same populations and channels with a single tap: what any node
pays for spikes on their way to it, and for its samples.

Measured is the processor time of nest.Simulate on one thread with all filter nodes of one virtual
process, less that of the same simulation without them: nodes, spikes on their way to them and
samples every millisecond. Dense input is a spike of every population in every step, sparse input
one in a hundred steps. Medians of three runs each, of eleven where a step costs so little that the
difference drowns in the rest. Writes out/benchmarks/cost.json and cost.png.

    python benchmarks/cost.py [A B C D]
"""

from __future__ import annotations

import json
import os
import platform
import time
from pathlib import Path
from typing import Any

from nestlfp.errors import tell_plainly

tell_plainly()
os.environ.setdefault("PYNEST_QUIET", "1")

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
import nest
import numpy as np
import rivals
import usage
from configurations import CONFIGURATIONS, DT, kernel_set

import nestlfp

OUT = Path(__file__).parents[1] / "out" / "benchmarks"
NAMES = {
    "A": "two populations",
    "B": "laminar microcircuit",
    "C": "high-density probe",
    "D": "slow kernels",
    "E": "any kernels",
}
DESIGNS: dict[str, nestlfp.FIR | nestlfp.StateSpace | None] = {
    "published": None,
    "fir": nestlfp.FIR(),
    "state-space 1e-6": nestlfp.StateSpace(tolerance=1e-6),
    "state-space 1e-9": nestlfp.StateSpace(tolerance=1e-9),
    "one tap": nestlfp.FIR(),
}
LEFT_OUT = {"E": ("state-space 1e-6", "state-space 1e-9")}
"""Noise has no reduced filter."""
GAPS = {"dense": 1, "sparse": 100}
POST = {"A": 2, "B": 8, "C": 8, "D": 2, "E": 8}
"""Postsynaptic populations: the published design has a node for each of them."""
PUBLISHED_SHARE = {"C": 10, "E": 10}
"""Where the published design is too slow to run whole, one in so many of its nodes is run."""
REPEATS = 3
MORE_REPEATS = 11
MANY_STEPS = 100_000
"""From so many steps a run on, differences are small: more repeats."""
SECONDS = 0.6
"""Aimed-at processor time of one run."""
MOST_STEPS = 480_000


class Simulation:
    """Spikes of every population every `gap` steps, and the filter nodes of one design."""

    def __init__(self, kernels: nestlfp.KernelSet, config: str, design: str | None, gap: int):
        if design == "one tap":
            kernels = kernel_set(
                np.ones((*kernels["signal"].shape[1:3], 1)), kernels.dt, kernels.pre
            )
        self.kernels, self.config, self.design, self.gap = kernels, config, design, gap
        self.bank: nestlfp.FilterBank | None = None

    def build(self, steps: int) -> None:
        """The network, for so many steps."""
        dt = self.kernels.dt
        nest.ResetKernel()
        nest.set(tics_per_ms=16000 if dt == 2**-4 else 1000, resolution=dt)
        if self.design == "published":
            rivals.install(nest, self.kernels.n_lags)
        elif self.design is not None:
            method = DESIGNS[self.design]
            assert method is not None
            self.bank = nestlfp.FilterBank(self.kernels, method=method)
            nestlfp.install(self.bank)
        nest.set(min_delay=16 * dt, max_delay=64 * dt)  # slices of the length of a synaptic delay
        times = dt * np.arange(self.gap, steps, self.gap)
        generators = nest.Create("spike_generator", len(self.kernels.pre))
        generators.set({"spike_times": times})
        if self.design == "published":
            share = PUBLISHED_SHARE.get(self.config, 1)
            h = self.kernels["signal"].values[0, :, ::share]
            rivals.record(nest, generators, h, POST[self.config], 16 * dt)
        elif self.bank is not None:
            populations = {name: generators[i] for i, name in enumerate(self.kernels.pre)}
            inputs = nestlfp.Inputs(populations, unconnected=True)
            nestlfp.FieldRecorder(self.bank, inputs, interval=1.0)

    def seconds(self, steps: int) -> float:
        """Processor time of simulating so many steps."""
        self.build(steps)
        nest.Simulate(64 * self.kernels.dt)  # warm: caches, first slices
        start = time.process_time()
        nest.Simulate((steps // 16) * 16 * self.kernels.dt)
        return time.process_time() - start


def microseconds(kernels: nestlfp.KernelSet, config: str, design: str, gap: int) -> dict[str, Any]:
    """Cost of a step of all nodes (µs): the median and the runs it was taken from."""
    simulation = Simulation(kernels, config, design, gap)
    steps = 160
    while (trial := simulation.seconds(steps)) < SECONDS / 4 and steps < MOST_STEPS:
        steps = min(MOST_STEPS, 16 * int(steps * np.clip(SECONDS / trial, 2, 20) / 16))
    without = Simulation(kernels, config, None, gap)
    repeats = REPEATS if steps < MANY_STEPS else MORE_REPEATS
    runs = [
        1e6 * (simulation.seconds(steps) - without.seconds(steps)) / steps for _ in range(repeats)
    ]
    share = PUBLISHED_SHARE.get(config, 1) if design == "published" else 1
    if share > 1:
        n = kernels["signal"].shape[2]
        scale = n / len(range(0, n, share))
        runs = [scale * run for run in runs]
    found = {
        "us_per_step": float(np.median(runs)),
        "runs": runs,
        "steps": steps,
        "extrapolated": share > 1,
    }
    if simulation.bank is not None:
        found["estimate_us"] = simulation.bank.filter.microseconds(10)
        found["filter"] = str(simulation.bank.filter)
        found["error"] = float(simulation.bank.filter.error.max())
        found["bound"] = float(simulation.bank.filter.bound.max())
    return found


def measure(config: str) -> dict[str, Any]:
    """All designs for one configuration."""
    h = CONFIGURATIONS[config]()
    names = [f"X{p}" for p in range(len(h))]
    kernels = kernel_set(h, DT if config == "A" else 0.1, names)
    result: dict[str, Any] = {
        "name": NAMES[config],
        "populations": h.shape[0],
        "channels": h.shape[1],
        "taps": h.shape[2],
        "published_nodes": h.shape[0] * h.shape[1] * POST[config],
        "designs": {},
    }
    for design in (name for name in DESIGNS if name not in LEFT_OUT.get(config, ())):
        costs = {name: microseconds(kernels, config, design, gap) for name, gap in GAPS.items()}
        result["designs"][design] = costs
        print(config, f"{design:17}", {k: round(v["us_per_step"], 3) for k, v in costs.items()})
    return result


def ratios(result: dict[str, Any]) -> dict[str, dict[str, float]]:
    """How many times cheaper than the published design each other one is."""
    designs = result["designs"]
    return {
        name: {
            design: designs["published"][name]["us_per_step"] / costs[name]["us_per_step"]
            for design, costs in designs.items()
            if design != "published"
        }
        for name in GAPS
    }


def figure(results: dict[str, Any]) -> plt.Figure:
    """Bars of dense input, points of sparse input."""
    fig, ax = plt.subplots(figsize=(8, 4.2), layout="constrained")
    colours = ("#888888", "#d98c3f", "#2f6fab", "#8fbbe0", "#d0d0d0")
    width = 0.17
    for d, (design, colour) in enumerate(zip(DESIGNS, colours, strict=True)):
        has = [i for i, result in enumerate(results.values()) if design in result["designs"]]
        at = np.array(has) + (d - 2) * width
        costs = [list(results.values())[i]["designs"][design] for i in has]
        dense = [cost["dense"]["us_per_step"] for cost in costs]
        sparse = [cost["sparse"]["us_per_step"] for cost in costs]
        bars = ax.bar(at, dense, 0.9 * width, color=colour, label=design)
        ax.plot(at, sparse, "_", color="black", markersize=11, markeredgewidth=2)
        for bar, cost in zip(bars, costs, strict=True):
            value = cost["dense"]["us_per_step"]
            text = f"{value:.2g}" if value < 100 else f"{value:,.0f}"
            mark = "*" if cost["dense"]["extrapolated"] else ""
            top = max(value, cost["sparse"]["us_per_step"])
            ax.annotate(
                text + mark, (bar.get_x() + bar.get_width() / 2, top), (0, 3 + 8 * (d % 2)),
                textcoords="offset points", ha="center", fontsize=7,
            )  # fmt: skip
    ax.plot([], [], "_", color="black", markersize=11, markeredgewidth=2, label="sparse input")
    ax.set_yscale("log")
    ax.set_ylim(
        top=12 * max(r["designs"]["published"]["dense"]["us_per_step"] for r in results.values())
    )
    labels = [
        f"{key}: {r['name']}\n{r['populations']} populations,\n{r['channels']} channels,\n"
        f"{r['taps']:,} taps"
        for key, r in results.items()
    ]
    ax.set_xticks(range(len(results)), labels, fontsize=8)
    ax.set_ylabel("µs per step, all filter nodes of\na virtual process (bars: dense input)")
    ax.legend(ncols=6, fontsize=7.5, frameon=False, loc="upper center")
    ax.spines[["top", "right"]].set_visible(False)
    if any(c["dense"]["extrapolated"] for r in results.values() for c in r["designs"].values()):
        ax.set_title("* extrapolated from a tenth of the nodes", fontsize=8, loc="right")
    return fig


def main() -> None:
    """Measure, print, write."""
    asked = usage.parser(__doc__)
    # Without choices=, which argparse does not let be left out here.
    asked.add_argument("configurations", nargs="*", help="Default: all of them.")
    wanted = asked.parse_args().configurations or sorted(CONFIGURATIONS)
    if unknown := set(wanted) - set(CONFIGURATIONS):
        asked.error(f"no configuration {sorted(unknown)}: it should be of {sorted(CONFIGURATIONS)}")
    nest.verbosity = nest.VerbosityLevel.ERROR
    OUT.mkdir(parents=True, exist_ok=True)
    path = OUT / "cost.json"
    results = {}
    for config in wanted:
        results[config] = result = measure(config)
        result["ratios"] = ratios(result)
        for name, values in result["ratios"].items():
            each = ", ".join(f"{design} {value:,.0f}" for design, value in values.items())
            print(f"{config} {name}: times cheaper than the published design: {each}")
        dense = {name: costs["dense"]["us_per_step"] for name, costs in result["designs"].items()}
        result["over_one_tap"] = {name: cost / dense["one tap"] for name, cost in dense.items()}
        reduced = result["over_one_tap"].get("state-space 1e-6")
        if reduced is not None:
            print(f"{config} dense: state-space 1e-6 takes {reduced:.2f} times as long as one tap")
        if result["designs"]["published"]["dense"]["extrapolated"]:
            print(f"{config}: the published design was extrapolated from a part of its nodes")
    report = {"nest": nest.__version__, "machine": platform.machine(), "results": results}
    path.write_text(json.dumps(report, indent=1), encoding="utf-8")
    figure(results).savefig(path.with_suffix(".png"), dpi=150)
    print(f"wrote {path} and {path.with_suffix('.png')}")


if __name__ == "__main__":
    main()
