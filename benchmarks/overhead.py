"""What recording adds to whole simulations: nestlfp, a spike recorder and the published design.

A network is built once, and the process forked: each copy adds a recorder, or none. The copies then
simulate in turns, short pieces forwards and backwards through their order, each asleep while
another runs on the same core, so that a machine that gets faster or slower does so for all of them.
Measured are the calls of nest.Run alone: processor time (user and system) and wall time. One such
round gives each recorder one ratio to the runs without, of which there are two; rounds are repeated
from the fork on. The recorder "nothing" is one of these two compared with the other: what the
comparison is worth. With "state-space × 10" ten recorders listen at once, so that what one costs
stands out of the noise.

A network's speed depends on the pages of memory that it happens to get, by 5 % and more from copy
to copy, which rounds have to average out. With --huge-pages less is left to chance; root has to
reserve them first (sysctl vm.nr_hugepages=9500, of 2 MB) and can give them back afterwards. Added
memory then counts such pages: measure it without them.
Writes out/benchmarks/overhead.json and .png; networks that are there already stay in both.

    python benchmarks/overhead.py [--rounds 20] [--huge-pages] [--variants ...] [networks ...]
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import usage

from nestlfp.errors import tell_plainly

tell_plainly()
os.environ.setdefault("PYNEST_QUIET", "1")
HUGE_PAGES = {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=2"}

ROOT = Path(__file__).parents[1]
OUT = ROOT / "out" / "benchmarks"
TEN = "state-space × 10"
BARE = ("without", "nothing")
VARIANTS = ("state-space", TEN, "fir", "spike recorder", "published design")
ONSET = 50.0
"""Simulated before measuring starts (ms): caches, and the network's own start."""


# ------------------------------------------------------------------------------------- networks
def brunel(nest: Any, size: int = 12_500) -> dict[str, Any]:
    """Brunel's network (2000, J Comput Neurosci 8: 183-208), asynchronous irregular."""
    sizes, delay, weight, g, eta = {"E": size * 4 // 5, "I": size // 5}, 1.5, 0.1, 5.0, 2.0
    parameters = {
        "C_m": 1.0, "tau_m": 20.0, "t_ref": 2.0, "E_L": 0.0, "V_reset": 10.0, "V_m": 0.0,
        "V_th": 20.0,
    }  # fmt: skip
    neurons = {
        name: nest.Create("iaf_psc_delta", n, params=parameters) for name, n in sizes.items()
    }
    threshold = parameters["V_th"] / (weight * parameters["tau_m"])  # spikes/ms of a neuron
    rate = 1000 * eta * threshold
    noise = nest.Create("poisson_generator", params={"rate": rate})
    everyone = neurons["E"] + neurons["I"]
    nest.Connect(noise, everyone, syn_spec={"weight": weight, "delay": delay})
    for name, j in (("E", weight), ("I", -g * weight)):
        rule = {"rule": "fixed_indegree", "indegree": sizes[name] // 10}
        nest.Connect(neurons[name], everyone, rule, {"weight": j, "delay": delay})
    return neurons


def two_population(nest: Any) -> dict[str, Any]:
    """The network of examples/two_population, without its spike recorders."""
    sys.path.insert(0, str(ROOT / "examples" / "two_population"))
    import network

    found: dict[str, Any] = network.build()
    return found


def microcircuit(nest: Any) -> dict[str, Any]:
    """A fifth of the network of examples/microcircuit, without its spike recorders."""
    import network_in_nest

    choice = network_in_nest.Choice(scale=0.2)
    neurons, _, _ = network_in_nest.build(choice)
    network_in_nest.drive(choice, neurons)
    # In the order of the kernels.
    return {name: neurons[name] for name in network_in_nest.PRE}


@dataclass(frozen=True)
class Case:
    """A network: how it is built, its resolution and the length of a piece (ms).

    Of `configurations` it has these kernels, for presynaptic populations called so, and of the
    published design's nodes as many for each as there are postsynaptic populations.
    """

    build: Callable[[Any], dict[str, Any]]
    dt: float
    piece: float
    kernels: str = "A"
    pre: tuple[str, ...] = ("E", "I")
    post: int = 2


NETWORKS = {
    "Brunel": Case(brunel, 0.1, 3.0),
    "two populations": Case(two_population, 2**-4, 5.0),
    "microcircuit": Case(
        microcircuit,
        0.1,
        1.0,
        "B",
        ("TC", "L23E", "L23I", "L4E", "L4I", "L5E", "L5I", "L6E", "L6I"),
        8,
    ),
}
USUAL = ("Brunel", "two populations")
"""Those that are measured where none is named: the microcircuit needs a GB and an hour."""


# ------------------------------------------------------------------------------------ recorders
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


def serve(nest: Any, record: Callable[[], None], piece: float, pipe: Any) -> None:
    """The life of a copy: a piece is simulated whenever the parent asks for one."""
    record()
    nest.Prepare()
    nest.Run(ONSET)
    pipe.send(None)
    while pipe.recv():
        wall, processor = time.perf_counter(), time.process_time()
        nest.Run(piece)
        pipe.send((time.process_time() - processor, time.perf_counter() - wall))
    used = resident()
    nest.Cleanup()
    pipe.send((used, nest.biological_time, nest.local_spike_counter))


class Copy:
    """A copy of this process and its network, which adds a recorder and waits for commands."""

    def __init__(self, nest: Any, record: Callable[[], None], piece: float) -> None:
        context = multiprocessing.get_context("fork")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(
            target=serve, args=(nest, record, piece, theirs), daemon=True
        )
        self._process.start()
        theirs.close()
        self._hear()
        self.processor_s = self.wall_s = 0.0

    def _hear(self) -> Any:
        try:
            return self._pipe.recv()
        except EOFError:
            self._process.join()
            raise SystemExit(f"a run ended with {self._process.exitcode}: see above") from None

    def run(self) -> None:
        """Simulate one piece."""
        self._pipe.send(True)
        processor, wall = self._hear()
        self.processor_s += processor
        self.wall_s += wall

    def end(self) -> dict[str, float]:
        """What all pieces took together, memory, and number of spikes."""
        self._pipe.send(False)
        private, simulated, spikes = self._hear()
        self._process.join()
        return {
            "processor_s": self.processor_s,
            "wall_s": self.wall_s,
            "private_mb": private,
            "simulated_ms": simulated,
            "spikes": spikes,
        }


def measure(network: str, options: argparse.Namespace) -> dict[str, Any]:
    """All variants in one network."""
    import nest
    import rivals
    from configurations import CONFIGURATIONS, DT, kernel_set

    import nestlfp

    nest.verbosity = nest.VerbosityLevel.ERROR
    case = NETWORKS[network]
    dt, piece = case.dt, case.piece
    nest.ResetKernel()
    # One thread: a process that has threads cannot be forked.
    nest.set(tics_per_ms=16000 if dt == 2**-4 else 1000, resolution=dt, rng_seed=12)
    step = DT if case.kernels == "A" else 0.1
    kernels = kernel_set(CONFIGURATIONS[case.kernels](), step, pre=case.pre).resample(dt)
    h = kernels["signal"].values[0]
    banks = {
        method: nestlfp.FilterBank(kernels, method=method) for method in ("state-space", "fir")
    }
    for bank in banks.values():
        nestlfp.install(bank)
    rivals.install(nest, kernels.n_lags)
    neurons = case.build(nest)

    def listen(method: str, times: int = 1) -> None:
        for _ in range(times):
            nestlfp.FieldRecorder(banks[method], neurons, interval=1.0)

    recorders: dict[str, Callable[[], Any]] = {
        "without": lambda: None,
        "nothing": lambda: None,
        "spike recorder": lambda: with_spike_recorder(nest, neurons),
        "published design": lambda: rivals.record(nest, neurons.values(), h, case.post, dt),
        "state-space": lambda: listen("state-space"),
        TEN: lambda: listen("state-space", 10),
        "fir": lambda: listen("fir"),
    }

    names = [*BARE, *options.variants]
    runs: dict[str, list[dict[str, float]]] = {name: [] for name in names}
    for number in range(options.rounds):
        order = names[number % len(names) :] + names[: number % len(names)]
        copies = {name: Copy(nest, recorders[name], piece) for name in order}
        for _ in range(options.turns):
            for name in order:
                copies[name].run()
            order.reverse()
        for name, copy in copies.items():
            runs[name].append(copy.end())
        values = (f"{name} × {ratios(runs, name, 'processor_s')[-1]:.3f}" for name in names[1:])
        print(f"{network}, round {number + 1}: processor time {', '.join(values)}", flush=True)
    simulated = piece * options.turns
    return {name: compared(network, name, runs, simulated) for name in names[1:]}


def ratios(runs: dict[str, list[dict[str, float]]], variant: str, what: str) -> list[float]:
    """Of each round: with this recorder / without."""
    bare = BARE[:1] if variant in BARE else BARE
    return [
        run[what] / float(np.mean([runs[name][number][what] for name in bare]))
        for number, run in enumerate(runs[variant])
    ]


def compared(
    network: str, variant: str, runs: dict[str, list[dict[str, float]]], simulated: float
) -> dict[str, Any]:
    """Medians over rounds of `simulated` ms, and how far they can be trusted."""
    pairs = list(zip(runs[variant], runs["without"], strict=True))
    values = {f"{what}_ratio": ratios(runs, variant, f"{what}_s") for what in ("processor", "wall")}
    values["real_time_factor"] = [a["wall_s"] / (simulated / 1000) for a, _ in pairs]
    values["added_mb"] = [a["private_mb"] - b["private_mb"] for a, b in pairs]
    result: dict[str, Any] = {"pairs": pairs}
    result["same_spikes"] = all(a["spikes"] == b["spikes"] for a, b in pairs)
    for what, found in values.items():
        result[what] = float(np.median(found))
        result[f"{what}_range"] = [min(found), max(found)]
        result[f"{what}_interval"] = usage.interval_of_median(found)
    times = [
        "{} time × {:.3f} (95 %: {:.3f} … {:.3f}, rounds {:.3f} … {:.3f})".format(
            what,
            *(result[f"{what}_ratio"], *result[f"{what}_ratio_interval"]),
            *result[f"{what}_ratio_range"],
        )
        for what in ("processor", "wall")
    ]
    print(
        f"{network}, {variant:16}: {', '.join(times)}, real-time factor "
        f"{result['real_time_factor']:.1f}, {result['added_mb']:+.1f} MB, "
        f"{'as many' if result['same_spikes'] else 'OTHER'} spikes",
        flush=True,
    )
    return result


def figure(results: dict[str, Any]) -> Any:
    """Medians with their 95 % intervals."""
    from nestlfp.plotting.style import INK, new_figure, style

    with style():
        fig = new_figure(3.6 * len(results), 2.1)
        axes = fig.subplots(1, len(results), squeeze=False, sharex=True, sharey=True)
        for ax, (network, variants) in zip(axes[0], results.items(), strict=True):
            at = np.arange(len(variants))[::-1]
            middle = np.array([v["processor_ratio"] for v in variants.values()])
            low, high = np.array([v["processor_ratio_interval"] for v in variants.values()]).T
            error = [middle - low, high - middle]
            ax.errorbar(middle, at, xerr=error, fmt="o", color=INK, ms=3, lw=1)
            ax.axvline(1, color="0.6", lw=0.6, zorder=0)
            ax.set_yticks(at, list(variants))
            ax.set(title=network, xlabel="processor time, with / without")
    return fig


def main() -> None:
    """Measure, print, write."""
    parser = usage.parser(__doc__)
    parser.add_argument(
        "networks", nargs="*", help=f"some of {', '.join(NETWORKS)}; default: {', '.join(USUAL)}"
    )
    parser.add_argument("--variants", nargs="+", default=VARIANTS, choices=VARIANTS)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--turns", type=int, default=40, help="pieces of each copy in a round")
    parser.add_argument("--huge-pages", action="store_true", help="needs reserved ones")
    options = parser.parse_args()
    if unknown := set(options.networks) - set(NETWORKS):
        parser.error(f"no network {sorted(unknown)}: it should be of {sorted(NETWORKS)}")
    if options.huge_pages and not HUGE_PAGES.items() <= os.environ.items():
        # The C library reads this when a process starts.
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, **HUGE_PAGES})
    if hasattr(os, "sched_setaffinity"):  # not on macOS
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    OUT.mkdir(parents=True, exist_ok=True)
    path = OUT / "overhead.json"
    results = json.loads(path.read_text(encoding="utf-8"))["results"] if path.exists() else {}
    for network in options.networks or USUAL:
        results[network] = measure(network, options)
        report = {**vars(options), "results": results}
        path.write_text(json.dumps(report, indent=1), encoding="utf-8")
    from nestlfp.plotting import save

    ordered = {name: results[name] for name in NETWORKS if name in results}
    save(figure(ordered), path.with_suffix(".png"), overwrite=True)
    print(f"wrote {path} and {path.with_suffix('.png')}")


if __name__ == "__main__":
    main()
