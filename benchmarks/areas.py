"""Memory and time that the kernels and the filter of many areas of cortex take.

Each area has a microcircuit of eight populations, and its dipoles are seen by hundreds of
electrodes: kernels are time courses, which all areas share, times the weights of each area's
forward model. Courses and weights are made up; their numbers are those of a cortex in 34 patches.
Writes out/benchmarks/areas.json.

    python benchmarks/areas.py [--areas 34] [--outputs 370] [--taps 700]
"""

from __future__ import annotations

import json
import os
import resource
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from nestlfp.errors import tell_plainly

tell_plainly()

import numpy as np
import usage

import nestlfp

OUT = Path(__file__).parents[1] / "out" / "benchmarks"
POPULATIONS = 8
DT = 0.1


def peak_mb() -> float:
    """The most memory that this process had so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0


def kernels(areas: int, outputs: int, taps: int) -> nestlfp.KernelSet:
    """A course for each pathway of the microcircuit, and weights for each area and output."""
    random = np.random.default_rng(0)
    lag = DT * np.arange(1, taps + 1)
    n = POPULATIONS**2
    rise, decay = random.uniform(0.5, 2.0, (n, 1)), random.uniform(5.0, 12.0, (n, 1))
    courses = np.exp(-lag / decay) - np.exp(-lag / rise)
    forward = random.standard_normal((areas, POPULATIONS, outputs, POPULATIONS))
    weights = np.zeros((areas, POPULATIONS, outputs, POPULATIONS, POPULATIONS))
    for pre in range(POPULATIONS):
        weights[:, pre, :, pre] = forward[:, pre]
    return nestlfp.KernelSet.from_arrays(
        {"EEG": weights.reshape(1, areas * POPULATIONS, outputs, n)},
        courses=courses,
        pre=[f"{area}/{pre}" for area in range(areas) for pre in range(POPULATIONS)],
        post="all",
        dt=DT,
        units={"EEG": "mV"},
    )


def main() -> None:
    """Measure, print, write."""
    asked = usage.parser(__doc__)
    asked.add_argument("--areas", type=int, default=34)
    asked.add_argument("--outputs", type=int, default=370)
    asked.add_argument("--taps", type=int, default=700)
    asked.add_argument("--tolerance", type=float, default=1e-3)
    options = asked.parse_args()
    base, started = peak_mb(), time.perf_counter()
    given = kernels(options.areas, options.outputs, options.taps)
    made = time.perf_counter()
    with TemporaryDirectory() as cache:  # where nothing was found before
        os.environ["NESTLFP_CACHE"] = cache
        bank = nestlfp.FilterBank(given, method=nestlfp.Separable(options.tolerance))
        found = time.perf_counter()
        nestlfp.FilterBank(given, method=nestlfp.Separable(options.tolerance))
    result = {
        **vars(options),
        "kernels_s": made - started,
        "filter_s": found - made,
        "filter_from_cache_s": time.perf_counter() - found,
        "peak_above_base_MB": peak_mb() - base,
        "filter": str(bank.filter),
        "error": float(bank.filter.error.max()),
    }
    OUT.mkdir(parents=True, exist_ok=True)
    path = OUT / "areas.json"
    path.write_text(json.dumps(result, indent=1), encoding="utf-8")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
