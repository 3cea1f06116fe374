"""What recording adds to the cortical microcircuit at full size, with as many threads as cores.

Two copies of the network do not fit into memory, and two runs, one after the other, differ by more
than what is to be measured. So one network has all recorders, and simulates short pieces in turns
with the nodes of one of them at work and those of the others frozen, which NEST then passes over:
what differs is what the nodes compute. What is left out is to deliver a spike to them, one
connection of some thousands that each neuron has. "nothing" is all frozen, compared with all
frozen: what the comparison is worth. With --copies 10 ten recorders of a kind are at work at once,
so that what one costs stands out of the noise; ratios are those of all together.
Writes out/benchmarks/full_size.json.

    python benchmarks/full_size.py [--scale 1.0] [--piece 10] [--turns 20] [--copies 1]
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import usage

from nestlfp.errors import tell_plainly

tell_plainly()
ROOT = Path(__file__).parents[1]
OUT = ROOT / "out" / "benchmarks"
sys.path.insert(0, str(ROOT / "examples" / "microcircuit"))
METHODS = ("fir", "state-space")
VARIANTS = ("without", "nothing", *METHODS)
ONSET = 50.0  # ms before measuring starts


def main() -> None:
    """Measure, print, write."""
    parser = usage.parser(__doc__)
    parser.add_argument("--scale", type=float, default=1.0, help="of 77 169 neurons")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--piece", type=float, default=10.0, help="ms simulated at a time")
    parser.add_argument("--turns", type=int, default=20, help="pieces of each variant")
    parser.add_argument("--copies", type=int, default=1, help="recorders that listen at once")
    options = parser.parse_args()

    import memory

    memory.quiet_threads()
    memory.check_memory(options.scale, memory.available_gb())
    import nest
    import network_in_nest as net
    import responses

    import nestlfp

    nest.verbosity = nest.VerbosityLevel.ERROR
    choice = net.Choice(scale=options.scale)
    kernels = responses.microcircuit_kernels(choice.scale, choice.modified)
    net.reset(choice, options.threads)
    banks = {
        method: nestlfp.FilterBank(kernels, method=method, interval=1.0, antialias=True)
        for method in METHODS
    }
    for bank in banks.values():
        nestlfp.install(bank)
    neurons, _, _ = net.build(choice)
    net.drive(choice, neurons)
    inputs = nestlfp.Inputs(neurons, synapse_models=net.recorders_models(choice))
    added: dict[str, list[float]] = {method: [] for method in METHODS}
    for method, bank in banks.items():
        for _ in range(options.copies):
            before = usage.resident_mb()
            nestlfp.FieldRecorder(bank, inputs)
            added[method].append(usage.resident_mb() - before)
    nodes = {method: nest.GetNodes({"model": bank.model.name}) for method, bank in banks.items()}
    nest.Simulate(ONSET)

    runs: dict[str, list[tuple[float, float]]] = {name: [] for name in VARIANTS}
    for turn in range(options.turns):
        order = VARIANTS if turn % 2 else VARIANTS[::-1]
        for name in order:
            for method, its in nodes.items():
                its.frozen = method != name
            wall, processor = time.perf_counter(), time.process_time()
            nest.Simulate(options.piece)
            runs[name].append((time.process_time() - processor, time.perf_counter() - wall))
    results: dict[str, dict[str, Any]] = {}
    for name in VARIANTS[1:]:
        pairs = [np.divide(a, b) for a, b in zip(runs[name], runs["without"], strict=True)]
        ratios = np.array(pairs).T.tolist()  # of processor time, of wall time
        each_step = np.median(np.subtract(runs[name], runs["without"]), axis=0)[0]
        results[name] = {
            "processor_ratio": float(np.median(ratios[0])),
            "processor_ratio_interval": usage.interval_of_median(ratios[0]),
            "wall_ratio": float(np.median(ratios[1])),
            "wall_ratio_interval": usage.interval_of_median(ratios[1]),
            "us_per_node_and_step": 1e6
            * each_step
            / (options.piece / 0.1 * options.threads * options.copies),
            "added_mb": added.get(name, [0.0]),
        }
        print(
            f"{name:12}: processor time × {results[name]['processor_ratio']:.4f} (95 %: "
            "{:.4f} … {:.4f}), wall time × {:.4f}, ".format(
                *results[name]["processor_ratio_interval"], results[name]["wall_ratio"]
            )
            + f"{results[name]['us_per_node_and_step']:.1f} µs a node and step, "
            f"{', '.join(f'{added_mb:+.1f}' for added_mb in results[name]['added_mb'])} MB",
            flush=True,
        )
    seconds = float(np.median([wall for _, wall in runs["without"]])) / options.piece * 1e3
    print(f"without: {seconds:.0f} s per biological second on {options.threads} threads")
    OUT.mkdir(parents=True, exist_ok=True)
    path = OUT / "full_size.json"
    report = {**vars(options), "s_per_biological_s": seconds, "runs": runs, "results": results}
    path.write_text(json.dumps(report, indent=1), encoding="utf-8")
    print(f"wrote {path}")


if __name__ == "__main__":
    main()
