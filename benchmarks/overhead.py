"""What recording adds to whole simulations: nestlfp, a spike recorder and the published design.

A network is built once, and the process forked for each run: the copy adds a recorder, or none, and
simulates. So all runs start from the same network at the same places in memory; processes that
build their own differ by more than a recorder costs. Runs take turns, in rounds whose order
rotates; a round gives one pair of each recorder with the run without. Measured is the call of
nest.Simulate alone: processor time (user and system) and wall time. The recorder "nothing" compares
the network with itself: what the comparison is worth. Writes out/benchmarks/overhead.json and .png.

    python benchmarks/overhead.py [--pairs 5] [--piece 200] [--variants ...] [networks ...]
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

os.environ.setdefault("PYNEST_QUIET", "1")  # for this process and those it starts

ROOT = Path(__file__).parents[1]
OUT = ROOT / "out" / "benchmarks"
VARIANTS = ("nothing", "state-space", "fir", "spike recorder", "published design")
ONSET = 50.0
"""Simulated before measuring starts (ms): caches, and the network's own start."""


# ------------------------------------------------------------------------------------- networks
def brunel(nest: Any) -> dict[str, Any]:
    """Brunel's network (2000, J Comput Neurosci 8: 183-208), asynchronous irregular."""
    sizes, delay, weight, g, eta = {"E": 10_000, "I": 2500}, 1.5, 0.1, 5.0, 2.0
    parameters = {
        "C_m": 1.0, "tau_m": 20.0, "t_ref": 2.0, "E_L": 0.0, "V_reset": 10.0, "V_m": 0.0,
        "V_th": 20.0,
    }  # fmt: skip
    neurons = {
        name: nest.Create("iaf_psc_delta", n, params=parameters) for name, n in sizes.items()
    }
    threshold = parameters["V_th"] / (weight * 1000 * parameters["tau_m"])  # spikes/ms a synapse
    rate = 1000 * eta * threshold * 1000
    noise = nest.Create("poisson_generator", params={"rate": rate})
    everyone = neurons["E"] + neurons["I"]
    nest.Connect(noise, everyone, syn_spec={"weight": weight, "delay": delay})
    for name, indegree, j in (("E", 1000, weight), ("I", 250, -g * weight)):
        rule = {"rule": "fixed_indegree", "indegree": indegree}
        nest.Connect(neurons[name], everyone, rule, {"weight": j, "delay": delay})
    return neurons


def two_population(nest: Any) -> dict[str, Any]:
    """The network of examples/two_population, without its spike recorders."""
    sys.path.insert(0, str(ROOT / "examples" / "two_population"))
    import network

    found: dict[str, Any] = network.build().neurons
    return found


NETWORKS = {"Brunel": (brunel, 0.1), "two populations": (two_population, 2**-4)}


# ------------------------------------------------------------------------------------ recorders
def kernel_set(dt: float) -> Any:
    """The kernels of the two-population network at this resolution: 16 channels."""
    from configurations import DT, two_populations

    import nestlfp

    h = two_populations()
    kernels = nestlfp.KernelSet.from_arrays(
        {"signal": h[None]}, pre=["E", "I"], post=["all"], dt=DT, units={"signal": "1"}
    )
    return kernels.resample(dt)


def with_published_design(nest: Any, neurons: dict[str, Any], dt: float) -> None:
    """A node for each channel and pathway, connected with the delay dt, sampled every ms."""
    import rivals

    multimeter = nest.Create("multimeter", params={"interval": 1.0, "record_from": ["y"]})
    for name, kernels in zip("EI", kernel_set(dt)["signal"].values[0], strict=True):
        for _ in neurons:  # postsynaptic populations
            nodes = rivals.create(nest, kernels)
            nest.Connect(neurons[name], nodes, syn_spec={"delay": dt})
            nest.Connect(multimeter, nodes, syn_spec={"delay": dt})


def with_spike_recorder(nest: Any, neurons: dict[str, Any]) -> None:
    """All spikes kept in memory, to be convolved later."""
    recorder = nest.Create("spike_recorder")
    for population in neurons.values():
        nest.Connect(population, recorder, syn_spec={"delay": nest.min_delay})


# ------------------------------------------------------------------------------------ processes
def resident() -> float:
    """Memory of this process that it does not share with its parent (MB)."""
    rollup = Path("/proc/self/smaps_rollup").read_text(encoding="ascii").splitlines()
    return sum(int(line.split()[1]) for line in rollup if line.startswith("Private")) / 1e3


def simulate(nest: Any, piece: float) -> dict[str, float]:
    """Simulate, and tell what it took."""
    wall, before = time.perf_counter(), os.times()
    nest.Simulate(piece)
    after = os.times()
    return {
        "wall_s": time.perf_counter() - wall,
        "processor_s": after.user + after.system - before.user - before.system,
        "spikes": int(nest.local_spike_counter),
        "private_mb": resident(),
    }


def forked(work: Callable[[], dict[str, float]]) -> dict[str, float]:
    """What `work` returns in a copy of this process."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            with os.fdopen(writer, "w") as out:
                json.dump(work(), out)
            status = 0
        finally:
            os._exit(status)
    os.close(writer)
    with os.fdopen(reader) as source:
        told = source.read()
    if os.waitpid(child, 0)[1] != 0:
        raise SystemExit("a run failed: see above")
    found: dict[str, float] = json.loads(told)
    return found


def measure(network: str, options: argparse.Namespace) -> dict[str, Any]:
    """All variants in one network."""
    import nest
    import rivals

    import nestlfp

    nest.verbosity = nest.VerbosityLevel.ERROR
    build, dt = NETWORKS[network]
    nest.ResetKernel()
    # One thread: a process that has threads cannot be forked.
    nest.set(tics_per_ms=16000 if dt == 2**-4 else 1000, resolution=dt, rng_seed=12)
    kernels = kernel_set(dt)
    banks = {method: nestlfp.install(kernels, method=method) for method in ("state-space", "fir")}
    rivals.install(nest, kernels.n_lags)
    neurons = build(nest)

    def run(variant: str | None) -> dict[str, float]:
        if variant in banks:
            nestlfp.FieldRecorder(banks[variant], neurons, interval=1.0)
        elif variant == "spike recorder":
            with_spike_recorder(nest, neurons)
        elif variant == "published design":
            with_published_design(nest, neurons, dt)
        nest.Simulate(ONSET)
        return simulate(nest, options.piece)

    names = [None, *options.variants]
    runs: dict[str | None, list[dict[str, float]]] = {name: [] for name in names}
    for turn in range(options.pairs):
        shift = turn % len(names)
        for name in names[shift:] + names[:shift]:
            runs[name].append(forked(partial(run, name)))
    return {name: compared(network, name, runs, options) for name in options.variants}


def compared(
    network: str,
    variant: str,
    runs: dict[str | None, list[dict[str, float]]],
    options: argparse.Namespace,
) -> dict[str, Any]:
    """Medians and ranges over pairs."""
    pairs = list(zip(runs[variant], runs[None], strict=True))
    values = {
        f"{what}_ratio": [a[f"{what}_s"] / b[f"{what}_s"] for a, b in pairs]
        for what in ("processor", "wall")
    }
    values["wall_factor"] = [a["wall_s"] / (options.piece / 1000) for a, _ in pairs]
    values["added_mb"] = [a["private_mb"] - b["private_mb"] for a, b in pairs]
    result: dict[str, Any] = {"pairs": pairs}
    for what, found in values.items():
        result[what] = float(np.median(found))
        result[f"{what}_range"] = [min(found), max(found)]
    told = [
        "{} time × {:.3f} ({:.3f} … {:.3f})".format(
            what, result[f"{what}_ratio"], *result[f"{what}_ratio_range"]
        )
        for what in ("processor", "wall")
    ]
    print(
        f"{network}, {variant:16}: {', '.join(told)}, real-time factor "
        f"{result['wall_factor']:.1f}, {result['added_mb']:+.1f} MB",
        flush=True,
    )
    return result


def figure(results: dict[str, Any]) -> Any:
    """Medians with the range of pairs."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    fig, axes = plt.subplots(1, len(results), figsize=(8, 2.6), layout="constrained", squeeze=False)
    for ax, (network, variants) in zip(axes[0], results.items(), strict=True):
        at = np.arange(len(variants))[::-1]
        for offset, what, colour in ((0.12, "processor", "#2f6fab"), (-0.12, "wall", "#aaaaaa")):
            middle = np.array([v[f"{what}_ratio"] for v in variants.values()])
            low, high = np.array([v[f"{what}_ratio_range"] for v in variants.values()]).T
            ax.errorbar(
                middle, at + offset, xerr=[middle - low, high - middle], fmt="o", color=colour,
                markersize=4, linewidth=1, label=f"{what} time",
            )  # fmt: skip
        ax.axvline(1, color="black", linewidth=0.6)
        ax.set_yticks(at, list(variants))
        ax.set_title(network, fontsize=9)
        ax.set_xlabel("with / without (median, range of pairs)")
        ax.spines[["top", "right"]].set_visible(False)
    axes[0, 0].legend(fontsize=7, frameon=False)
    return fig


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("networks", nargs="*", help=f"some of {', '.join(NETWORKS)}")
    parser.add_argument("--variants", nargs="+", default=VARIANTS, choices=VARIANTS)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--piece", type=float, default=200.0, help="ms")
    options = parser.parse_args()
    OUT.mkdir(parents=True, exist_ok=True)
    results = {network: measure(network, options) for network in options.networks or NETWORKS}
    path = OUT / "overhead.json"
    told = {**vars(options), "results": results}
    path.write_text(json.dumps(told, indent=1), encoding="utf-8")
    figure(results).savefig(path.with_suffix(".png"), dpi=150)
    print(f"wrote {path} and {path.with_suffix('.png')}")


if __name__ == "__main__":
    main()
