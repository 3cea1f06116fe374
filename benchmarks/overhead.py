"""What recording adds to whole simulations: nestlfp, a spike recorder and the published design.

A pair is two processes that hold the same network, built afresh, one with and one without the
recorder. They simulate it in turns, piece by piece, so that both meet the same other load of the
machine. Measured are the calls of nest.Simulate alone: processor time (user and system) and wall
time. The recorder "nothing" compares the network with itself: what the comparison is worth.
Writes out/benchmarks/overhead.json and overhead.png.

    python benchmarks/overhead.py [--pairs 5] [--pieces 4] [--piece 100] [--threads 1]
                                  [--variants ...] [networks ...]
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import sys
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

os.environ.setdefault("PYNEST_QUIET", "1")  # for this process and those it starts

ROOT = Path(__file__).parents[1]
OUT = ROOT / "out" / "benchmarks"
VARIANTS = ("nothing", "state-space", "fir", "spike recorder", "published design")
ONSET = 100.0
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
def work(pipe: Connection, network: str, variant: str | None, threads: int) -> None:
    """Build a network, then simulate a piece at each request and tell what it took."""
    import nest

    import nestlfp

    nest.verbosity = nest.VerbosityLevel.ERROR
    build, dt = NETWORKS[network]
    nest.ResetKernel()
    tics = 16000 if dt == 2**-4 else 1000
    nest.set(tics_per_ms=tics, resolution=dt, local_num_threads=threads, rng_seed=12)
    kernels, bank = kernel_set(dt), None
    if variant in ("state-space", "fir"):
        bank = nestlfp.install(kernels, method=variant)
    elif variant == "published design":
        import rivals

        rivals.install(nest, kernels.n_lags)
    neurons = build(nest)
    before = resident()
    if bank is not None:
        nestlfp.FieldRecorder(bank, neurons, interval=1.0)
    elif variant == "spike recorder":
        with_spike_recorder(nest, neurons)
    elif variant == "published design":
        with_published_design(nest, neurons, dt)
    nest.Simulate(ONSET)
    pipe.send({"added_mb": resident() - before})
    while (piece := pipe.recv()) is not None:
        spikes = int(nest.local_spike_counter)
        wall, processor = time.perf_counter(), os.times()
        nest.Simulate(piece)
        after = os.times()
        pipe.send(
            {
                "wall_s": time.perf_counter() - wall,
                "processor_s": after.user + after.system - processor.user - processor.system,
                "spikes": int(nest.local_spike_counter) - spikes,
                "resident_mb": resident(),
            }
        )


def resident() -> float:
    """Memory of this process (MB)."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


class Worker:
    """A process with a network."""

    def __init__(self, network: str, variant: str | None, threads: int) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=work, args=(theirs, network, variant, threads))
        self.process.start()
        theirs.close()
        self.added_mb = self.pipe.recv()["added_mb"]

    def simulate(self, piece: float) -> dict[str, float]:
        """Simulate a piece (ms)."""
        self.pipe.send(piece)
        found: dict[str, float] = self.pipe.recv()
        return found

    def stop(self) -> None:
        """End the process."""
        self.pipe.send(None)
        self.process.join()


def one_pair(
    network: str, variant: str, first: bool, options: argparse.Namespace
) -> dict[str, Any]:
    """Fresh networks with and without a recorder, simulated in turns; `first`: with it first."""
    names = (variant, None) if first else (None, variant)
    workers = {name: Worker(network, name, options.threads) for name in names}
    runs: dict[str | None, list[dict[str, float]]] = {name: [] for name in names}
    for piece in range(options.pieces):
        for name in names if piece % 2 == 0 else reversed(names):
            runs[name].append(workers[name].simulate(options.piece))
    for worker in workers.values():
        worker.stop()
    found: dict[str, Any] = {"added_mb": workers[variant].added_mb - workers[None].added_mb}
    for what in ("processor", "wall"):
        with_, without = (sum(r[f"{what}_s"] for r in runs[name]) for name in (variant, None))
        found[f"{what}_ratio"] = with_ / without
        found[f"{what}_factor"] = with_ / (options.pieces * options.piece / 1000)
    found["spikes"] = [sum(r["spikes"] for r in runs[name]) for name in (variant, None)]
    return found


def measure(network: str, options: argparse.Namespace) -> dict[str, Any]:
    """All variants in one network."""
    results = {}
    for variant in options.variants:
        pairs = [one_pair(network, variant, i % 2 == 1, options) for i in range(options.pairs)]
        result: dict[str, Any] = {"pairs": pairs}
        for what in (
            "processor_ratio",
            "wall_ratio",
            "processor_factor",
            "wall_factor",
            "added_mb",
        ):
            values = [pair[what] for pair in pairs]
            result[what] = float(np.median(values))
            result[f"{what}_range"] = [min(values), max(values)]
        results[variant] = result
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
    return results


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
    parser.add_argument("--pieces", type=int, default=4, help="of each network of a pair")
    parser.add_argument("--piece", type=float, default=100.0, help="ms")
    parser.add_argument("--threads", type=int, default=1)
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
