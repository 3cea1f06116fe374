"""What recording an array of electrodes adds to the simulation of a sheet of tissue.

The network of examples/sheet, 20 000 neurons with 1000 synapses each, and 100 electrodes at which
every neuron has a kernel of its own. Measured as benchmarks/overhead.py does: copies of one
process, with and without a recorder, simulate short pieces in turns on one core. "recorder × 4" has
four at once, so that what one costs stands out of the noise. The kernels are computed first, and
how long that and the filter take, and how much memory. Writes out/benchmarks/sheet.json.

    python benchmarks/sheet.py [--rounds 8] [--neurons 20000]
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import usage

from nestlfp.errors import tell_plainly

tell_plainly()
os.environ.setdefault("PYNEST_QUIET", "1")

import overhead

ROOT = Path(__file__).parents[1]
OUT = ROOT / "out" / "benchmarks"
PIECE = 3.0  # ms
INTERVAL = 0.5  # ms, of samples


def peak_mb() -> float:
    """The most memory that this process had so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0


def measure(neurons: int, rounds: int, turns: int) -> dict[str, Any]:
    """Ratios of processor time to the network without recorder."""
    sys.path.insert(0, str(ROOT / "examples" / "sheet"))
    import nest
    import tissue as t

    import nestlfp
    from nestlfp.sources import sheets

    nest.verbosity = nest.VerbosityLevel.ERROR
    tissue = t.Tissue(sizes={"E": neurons * 4 // 5, "I": neurons // 5})
    contacts = t.array(tissue.width, 10)
    patches = t.patches(tissue, contacts, progress=False)
    base, costs = peak_mb(), {}
    started = time.process_time()
    kernels = t.kernels(patches, tissue, contacts)
    costs["kernels_s"] = time.process_time() - started
    t.reset(tissue, threads=1)  # a process that has threads cannot be forked

    def designed() -> nestlfp.FilterBank:
        method = nestlfp.Separable(t.FILTER)
        return nestlfp.FilterBank(kernels, method=method, interval=INTERVAL)

    with TemporaryDirectory() as empty:
        usual = os.environ.get("NESTLFP_CACHE")
        os.environ["NESTLFP_CACHE"] = empty
        for name in ("filter_s", "filter_from_cache_s"):
            started = time.process_time()
            bank = designed()
            costs[name] = time.process_time() - started
        del os.environ["NESTLFP_CACHE"]
        if usual is not None:
            os.environ["NESTLFP_CACHE"] = usual
    costs["peak_above_base_MB"] = peak_mb() - base
    print(", ".join(f"{name} {value:.1f}" for name, value in costs.items()), flush=True)
    nestlfp.install(bank)
    nodes = t.build(tissue)
    synapses = nest.num_connections
    weights = sheets.weights(kernels, t.positions(nodes))
    inputs = nestlfp.Inputs(nodes, weights=weights)

    def record(times: int) -> None:
        for _ in range(times):
            nestlfp.FieldRecorder(bank, inputs)

    recorders = {
        "without": lambda: None,
        "nothing": lambda: None,
        "recorder": lambda: record(1),
        "recorder × 4": lambda: record(4),
    }
    runs = overhead.in_turns(nest, "sheet", recorders, PIECE, rounds, turns)
    found = {
        name: overhead.compared("sheet", name, runs, PIECE * turns) for name in [*recorders][1:]
    }
    per_neuron = int(np.mean([np.diff(w.indptr).mean() for w in weights.values()]))
    return {
        "neurons": neurons,
        "synapses": synapses,
        "weights_per_neuron": per_neuron,
        "modes": {name: len(modes) for name, modes in kernels.populations.items()},
        "filter": str(bank.filter),
        **costs,
        "results": found,
    }


def main() -> None:
    """Measure, print, write."""
    parser = usage.parser(__doc__)
    parser.add_argument("--neurons", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--turns", type=int, default=10, help="pieces of each copy in a round")
    options = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):  # not on macOS
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    OUT.mkdir(parents=True, exist_ok=True)
    started = time.perf_counter()
    found = {**vars(options), **measure(options.neurons, options.rounds, options.turns)}
    path = OUT / "sheet.json"
    path.write_text(json.dumps(found, indent=1), encoding="utf-8")
    print(f"{found['filter']}; {time.perf_counter() - started:.0f} s in all; wrote {path}")


if __name__ == "__main__":
    main()
