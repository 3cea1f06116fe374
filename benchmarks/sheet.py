"""What recording an array of electrodes adds to the simulation of a sheet of tissue.

The network of examples/sheet, 20 000 neurons with 1000 synapses each, and 100 electrodes at which
every neuron has a kernel of its own. One network has --copies recorders, and simulates short pieces
in turns with their nodes at work and frozen, which NEST then passes over: the same spikes go to the
same connections, and what differs is what the nodes compute. What it takes to deliver spikes to
them is the difference between frozen nodes and none, before they were made. "nothing" compares
every second piece without a recorder with the others. The kernels are computed first, and how long
that and the filter take, and how much memory. Writes out/benchmarks/sheet.json.

    python benchmarks/sheet.py [--turns 40] [--copies 4] [--neurons 20000]
"""

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import usage

from nestlfp.errors import tell_plainly

tell_plainly()
os.environ.setdefault("PYNEST_QUIET", "1")
ROOT = Path(__file__).parents[1]
OUT = ROOT / "out" / "benchmarks"
PIECE = 3.0  # ms
INTERVAL = 0.5  # ms, of samples


def measure(neurons: int, turns: int, copies: int) -> dict[str, Any]:
    """What kernels, filter and recorder cost."""
    sys.path.insert(0, str(ROOT / "examples" / "sheet"))
    import nest
    import tissue as t

    import nestlfp
    from nestlfp.sources import sheets

    nest.verbosity = nest.VerbosityLevel.ERROR
    tissue = t.Tissue(sizes={"E": neurons * 4 // 5, "I": neurons // 5})
    contacts = t.array(tissue.width, 10)
    patches = t.patches(tissue, contacts, progress=False)
    base, costs = usage.peak_mb(), {}
    started = time.process_time()
    kernels = t.kernels(patches, tissue, contacts)
    costs["kernels_s"] = time.process_time() - started
    t.reset(tissue, threads=1)

    def designed() -> nestlfp.FilterBank:
        method = nestlfp.Separable(t.FILTER)
        return nestlfp.FilterBank(kernels, method=method, interval=INTERVAL)

    with usage.empty_cache():
        for name in ("filter_s", "filter_from_cache_s"):
            started = time.process_time()
            bank = designed()
            costs[name] = time.process_time() - started
    costs["peak_above_base_MB"] = usage.peak_mb() - base
    print(", ".join(f"{name} {value:.1f}" for name, value in costs.items()), flush=True)
    nestlfp.install(bank)
    nodes = t.build(tissue)
    synapses = nest.num_connections
    weights = sheets.weights(kernels, t.positions(nodes))
    inputs = nestlfp.Inputs(nodes, weights=weights)

    found = usage.shares_of_time(bank, inputs, PIECE, turns, copies)
    per_neuron = int(np.mean([np.diff(w.indptr).mean() for w in weights.values()]))
    return {
        "neurons": neurons,
        "synapses": synapses,
        "weights_per_neuron": per_neuron,
        "modes": {name: len(modes) for name, modes in kernels.populations.items()},
        "filter": str(bank.filter),
        **costs,
        **found,
    }


def main() -> None:
    """Measure, print, write."""
    parser = usage.parser(__doc__)
    parser.add_argument("--neurons", type=int, default=20_000)
    parser.add_argument("--turns", type=int, default=40, help="pieces of each kind")
    parser.add_argument("--copies", type=int, default=4, help="recorders that listen at once")
    options = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):  # not on macOS
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    OUT.mkdir(parents=True, exist_ok=True)
    started = time.perf_counter()
    found = {**vars(options), **measure(options.neurons, options.turns, options.copies)}
    path = OUT / "sheet.json"
    path.write_text(json.dumps(found, indent=1), encoding="utf-8")
    print(f"{found['filter']}; {time.perf_counter() - started:.0f} s in all; wrote {path}")


if __name__ == "__main__":
    main()
