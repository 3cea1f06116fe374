"""What the EEG and MEG of a hemisphere add to its simulation: 256 populations, 370 outputs.

The network of examples/hemisphere, 32 microcircuits of eight populations; 64 electrodes, and 102
places at which all three components of the magnetic field are recorded. Measured as
benchmarks/sheet.py does, with the nodes of --copies recorders at work and frozen in turns. Before
that: how long kernels and filter take, and how much memory. Writes out/benchmarks/cortex.json.

    python benchmarks/cortex.py [--turns 16] [--copies 10] [--scale 0.03]
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import usage

from nestlfp.errors import tell_plainly

tell_plainly()
os.environ.setdefault("PYNEST_QUIET", "1")

ROOT = Path(__file__).parents[1]
OUT = ROOT / "out" / "benchmarks"
PIECE = 15.0  # ms: each Simulate prepares all nodes, which would count as delivery
INTERVAL = 1.0  # ms, of samples
TOLERANCE = 1e-3


def measure(scale: float, turns: int, copies: int) -> dict[str, Any]:
    """Costs of kernels and recorder."""
    sys.path.insert(0, str(ROOT / "examples" / "hemisphere"))
    import hemisphere as h
    import nest

    import nestlfp
    from nestlfp.sources import cortex

    nest.verbosity = nest.VerbosityLevel.ERROR
    microcircuit, models = h.dipole_kernels(scale).select(pre=h.c.POPULATIONS), h.models()
    base, costs = usage.peak_mb(), {}
    started = time.perf_counter()
    patches = h.patches()
    kernels = cortex.kernels(microcircuit, patches.inside(h.BRAIN), models, units={"MEG": "fT"})
    costs["kernels_s"] = time.perf_counter() - started
    started = time.perf_counter()
    with usage.empty_cache():
        method = nestlfp.Separable(TOLERANCE)
        bank = nestlfp.FilterBank(kernels, method=method, interval=INTERVAL, antialias=True)
    costs["filter_s"] = time.perf_counter() - started
    costs["peak_above_base_MB"] = usage.peak_mb() - base

    choice = h.net.Choice(scale)
    h.net.reset(choice, threads=1)
    nestlfp.install(bank)
    neurons = h.build(choice, patches)
    h.drive(choice, neurons, patches)
    recorded = {name: neurons[name] for name in kernels.pre}

    synapses = nest.num_connections
    found = usage.shares_of_time(bank, recorded, PIECE, turns, copies)
    return {
        "neurons": sum(map(len, neurons.values())),
        "synapses": synapses,
        "ports": len(kernels.pre),
        "outputs": sum(array.shape[2] for array in kernels.stored.data_vars.values()),
        "filter": str(bank.filter),
        "error": float(bank.filter.error.max()),
        **costs,
        **found,
    }


def main() -> None:
    """Measure, print, write."""
    parser = usage.parser(__doc__)
    parser.add_argument("--scale", type=float, default=0.03, help="of each microcircuit")
    parser.add_argument("--turns", type=int, default=16, help="pieces of each kind")
    parser.add_argument("--copies", type=int, default=10, help="recorders that listen at once")
    options = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):  # not on macOS
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    OUT.mkdir(parents=True, exist_ok=True)
    found = {**vars(options), **measure(options.scale, options.turns, options.copies)}
    path = OUT / "cortex.json"
    path.write_text(json.dumps(found, indent=1), encoding="utf-8")
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
