"""What a step of a filter node with hundreds of ports costs, by the number of ports that are hit.

Kernels of a sheet of tissue: point sources and contacts at random places of a plane, and responses
that are a sum of four postsynaptic time courses, each with a decay over distance of its own.
Measured is the processor time of nest.Simulate on one thread with one node, a spike in every step
at some of its ports, and samples every tenth step, less that of the same simulation without the
node. Medians of five runs. Writes out/benchmarks/ports.json.

    python benchmarks/ports.py [--ports 512] [--methods fir,separable]
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

from nestlfp.errors import tell_plainly

tell_plainly()
os.environ.setdefault("PYNEST_QUIET", "1")

import nest
import numpy as np
import usage
from numpy.typing import NDArray

import nestlfp
from nestlfp.simulator import Simulator

OUT = Path(__file__).parents[1] / "out" / "benchmarks"
DT = 0.1
REPEATS = 5
SECONDS = 0.4
"""Aimed-at processor time of one run."""
WARM = 640
"""Steps before time is taken: more than there are taps, so that spikes leave as they come."""


def kernels(ports: int, channels: int, taps: int) -> nestlfp.KernelSet:
    """A sheet of 10 × 10 (mm), its kernels in arbitrary units."""
    random = np.random.default_rng(0)
    t = DT * np.arange(1, taps + 1)
    rise, decay = np.array([[0.5, 5.0], [1.0, 8.0], [2.0, 12.0], [0.7, 20.0]]).T[:, :, None]
    courses = np.exp(-t / decay) - np.exp(-t / rise)
    courses[3] *= np.cos(t / 6)
    source, contact = 10 * random.random((ports, 2)), 10 * random.random((channels, 2))
    square = ((source[:, None] - contact) ** 2).sum(axis=2)
    weights = [(-1) ** m / (0.2 + square / (1 + m)) for m in range(len(courses))]
    return nestlfp.KernelSet.from_arrays(
        {"LFP": (np.stack(weights, axis=2) @ courses)[None]},
        pre=[f"node {p}" for p in range(ports)],
        post=["all"],
        dt=DT,
        units={"LFP": "mV"},
        first_lag=1.0,
    )


def seconds(given: nestlfp.KernelSet, method: str | None, hit: int, steps: int) -> float:
    """Processor time of so many steps, in each of which so many ports have a spike."""
    nest.ResetKernel()
    nest.set(resolution=DT)
    bank = None
    if method is not None:
        bank = nestlfp.FilterBank(given, method=method)
        nestlfp.install(bank)
    nest.set(min_delay=1.0, max_delay=3.0)
    times = DT * np.arange(1, WARM + steps + 1)
    generator = nest.Create("spike_generator", params={"spike_times": times})
    if bank is not None:
        nothing_held: NDArray[np.int64] = np.zeros(len(bank.ports), dtype=np.int64)
        node = bank.create_nodes(Simulator(), bank.model, 1, nothing_held, 10, 0)
        for port in np.linspace(0, len(bank.ports) - 1, hit).astype(int):
            nest.Connect(generator, node, syn_spec={"receptor_type": int(port) + 1, "delay": 1.0})
    nest.Simulate(WARM * DT)
    start = time.process_time()
    nest.Simulate(steps * DT)
    return time.process_time() - start


def microseconds(given: nestlfp.KernelSet, method: str, hit: int) -> dict[str, Any]:
    """Cost of a step (µs): the median and the runs it was taken from."""
    steps = 100
    while (trial := seconds(given, method, hit, steps)) < SECONDS / 4:
        steps = 10 * int(steps * np.clip(SECONDS / max(trial, 1e-6), 2, 20) / 10)
    runs = [
        1e6 * (seconds(given, method, hit, steps) - seconds(given, None, hit, steps)) / steps
        for _ in range(REPEATS)
    ]
    return {"us_per_step": float(np.median(runs)), "runs": runs, "steps": steps}


def main() -> None:
    """Measure, print, write."""
    asked = usage.parser(__doc__)
    asked.add_argument("--ports", type=int, default=512)
    asked.add_argument("--channels", type=int, default=100)
    asked.add_argument("--taps", type=int, default=400)
    asked.add_argument("--hit", default="0,1,10,40", help="Ports with a spike in every step.")
    asked.add_argument("--methods", default="fir,separable")
    options = asked.parse_args()
    nest.verbosity = nest.VerbosityLevel.ERROR
    given = kernels(options.ports, options.channels, options.taps)
    result: dict[str, Any] = {}
    for method in options.methods.split(","):
        start = time.perf_counter()
        filter_ = nestlfp.FilterBank(given, method=method).filter
        result[method] = {
            "filter": str(filter_),
            "error": float(filter_.error.max()),
            "seconds_to_find": time.perf_counter() - start,
        }
        print(method, result[method])
        for hit in map(int, options.hit.split(",")):
            result[method][hit] = microseconds(given, method, hit)
            print(f"{method:12} {hit:4} ports hit: {result[method][hit]['us_per_step']:.2f} µs")
    OUT.mkdir(parents=True, exist_ok=True)
    path = OUT / "ports.json"
    shape = {name: getattr(options, name) for name in ("ports", "channels", "taps")}
    report = {"nest": nest.__version__, **shape, "results": result}
    path.write_text(json.dumps(report, indent=1), encoding="utf-8")
    print(f"wrote {path}")


if __name__ == "__main__":
    main()
