"""What a turn of a loop in Python costs, beside the simulation itself.

A network is simulated in one call, in turns of nest.Simulate, in turns of nest.Simulate after which
the recorder's signals are asked for (without the last samples, which NEST withholds), and by
nestlfp.loop, which hands out all of them. Simulations take turns, each of the same length, so that
a machine that gets slower does so for all.
Writes out/benchmarks/loop.json.

    python benchmarks/loop.py [--neurons 1000 12500 80000] [--every 5] [--duration 500] [--rounds 5]
"""

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import usage

from nestlfp.errors import tell_plainly

tell_plainly()
os.environ.setdefault("PYNEST_QUIET", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
OUT = Path(__file__).parents[1] / "out" / "benchmarks"
SYNAPSES = 100  # of each neuron
DELAY = 1.0  # ms


def network(nest: Any, n: int) -> dict[str, Any]:
    """Neurons that spike at some 10/s, sparsely connected."""
    neurons = {
        "E": nest.Create("iaf_psc_delta", n * 4 // 5),
        "I": nest.Create("iaf_psc_delta", n // 5),
    }
    everyone = neurons["E"] + neurons["I"]
    noise = nest.Create("poisson_generator", params={"rate": 8000.0})
    nest.Connect(noise, everyone, syn_spec={"weight": 0.2, "delay": DELAY})
    for name, indegree, weight in (("E", SYNAPSES * 4 // 5, 0.1), ("I", SYNAPSES // 5, -0.6)):
        rule = {"rule": "fixed_indegree", "indegree": indegree}
        nest.Connect(neurons[name], everyone, rule, {"weight": weight, "delay": DELAY})
    return neurons


def measure(n: int, options: Any) -> dict[str, Any]:
    """Milliseconds of each turn that are not simulation, for n neurons."""
    import nest
    from configurations import CONFIGURATIONS, DT, kernel_set

    import nestlfp

    nest.verbosity = nest.VerbosityLevel.ERROR
    nest.ResetKernel()
    nest.set(resolution=0.1, local_num_threads=options.threads, rng_seed=1)
    kernels = kernel_set(CONFIGURATIONS["A"](), DT, pre=("E", "I")).resample(0.1)
    nestlfp.install(kernels)
    recorder = nestlfp.FieldRecorder(kernels, network(nest, n), interval=1.0)
    nest.Simulate(100.0)
    turns = round(options.duration / options.every)

    def in_turns(after: Callable[[], Any]) -> None:
        for _ in range(turns):
            nest.Simulate(options.every)
            after()

    variants: dict[str, Callable[[], Any]] = {
        "one call": lambda: nest.Simulate(options.duration),
        "turns": lambda: in_turns(lambda: None),
        "turns with signals": lambda: in_turns(recorder.signals),
        "nestlfp.loop": lambda: list(
            nestlfp.loop(options.duration, every=options.every, progress=False)
        ),
    }
    seconds: dict[str, list[float]] = {name: [] for name in variants}
    for number in range(options.rounds):
        for name in list(variants)[:: -1 if number % 2 else 1]:
            start = time.perf_counter()
            variants[name]()
            seconds[name].append(time.perf_counter() - start)
    one = np.array(seconds["one call"])
    result: dict[str, Any] = {
        "neurons": n,
        "seconds": seconds,
        "simulation_ms": float(np.median(one)) * 1e3 / turns,
    }
    for name in list(variants)[1:]:
        more = ((np.array(seconds[name]) - one) * 1e3 / turns).tolist()
        result[name] = {
            "ms_per_turn": float(np.median(more)),
            "interval": usage.interval_of_median(more),
        }
    others = list(variants)[1:]
    added = ", ".join(f"{name} {result[name]['ms_per_turn']:+.2f} ms" for name in others)
    print(
        f"{n} neurons: {options.every:g} ms take {result['simulation_ms']:.1f} ms; {added}",
        flush=True,
    )
    return result


def main() -> None:
    """Measure, print, write."""
    parser = usage.parser(__doc__)
    parser.add_argument("--neurons", type=int, nargs="+", default=[1000, 12_500, 80_000])
    parser.add_argument("--every", type=float, default=5.0, help="length of a turn (ms)")
    parser.add_argument("--duration", type=float, default=500.0, help="of each simulation (ms)")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    results = [measure(n, options) for n in options.neurons]
    OUT.mkdir(parents=True, exist_ok=True)
    path = OUT / "loop.json"
    path.write_text(json.dumps({**vars(options), "results": results}, indent=1), encoding="utf-8")
    print(f"wrote {path}")


if __name__ == "__main__":
    main()
