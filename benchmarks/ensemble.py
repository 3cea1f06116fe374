"""Where the time of a run of an ensemble goes, what recording adds to it, and what memory it needs.

    python benchmarks/ensemble.py [--rounds 12] [--runs 300]

The runs are those of examples/parameter_estimation: a process that starts, a network of 3125
neurons, 1650 ms, LFP and rates read and turned into spectra. In each round there is one run with
recorders, one without, and one with ten times as many, which tells what they add to simulating,
0.1 s of 5, from what the machine adds; all in fresh processes, as nestlfp.ensemble.run makes
them, one after the other. Processor time is that of the run's process, from its first moment. The
module is in the cache, and what is imported once for all processes is not counted.

Then many small runs, one after the other in one process, as a cluster's workers have them, and in
fresh processes: the memory of the one that stays.

Writes out/benchmarks/ensemble.json.
"""

import json
import os
import shutil
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from importlib import import_module
from multiprocessing import get_context
from pathlib import Path

from nestlfp.errors import tell_plainly

tell_plainly()
os.environ.setdefault("PYNEST_QUIET", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import numpy as np
import usage

import nestlfp
from nestlfp import ensemble
from nestlfp.ensemble.processes import FreshProcesses

ROOT = Path(__file__).parents[1]
OUT = Path("out/benchmarks")
KERNELS = OUT / "ensemble_kernels.nc"
SMALL = {"E": 100, "I": 25}
RECORDERS = {"without": 0, "with": 1, "with ten": 10}
# Modules of the examples are imported by name: other examples have modules of the same names.
sys.path[:0] = [str(ROOT / "examples" / name) for name in ("parameter_estimation", "brunel")]


def timed_run(
    recorders: int, seed: int, sizes: dict[str, int], duration: float
) -> dict[str, float]:
    """One run, and its processor time."""
    spent, last = {"start": time.process_time()}, time.process_time()

    def lap(what: str) -> None:
        nonlocal last
        now = time.process_time()
        spent[what], last = now - last, now

    import nest

    network, p = import_module("network"), import_module("parameters")
    nest.verbosity = nest.VerbosityLevel.ERROR
    lap("import NEST")
    network.reset(seed)
    point = p.Point(2.25, 5.25, 0.175)
    recordings = []
    if recorders:
        simulation, recording = import_module("simulation"), import_module("recording")
        rates = recording.filtered(recording.rate_kernels(sizes))
        kernels = nestlfp.KernelSet.load(KERNELS), rates
        lap("import and load kernels")
        recordings = [
            recording.Recording(*kernels, method="auto", by="pre") for _ in range(recorders)
        ]
        lap("install")
    neurons = network.build(point, seed, sizes)
    lap("build")
    for each in recordings:
        each.start(neurons)
    lap("connect recorders")
    if recorders:
        nestlfp.simulate(duration, progress=False)
    else:
        nest.Simulate(duration)
    lap("simulate")
    for each in recordings:
        simulation.features(each.signals(), point, (duration - simulation.ONSET - 50.0,))
    lap("read and spectra")
    return spent


def throughput(rounds: int) -> dict:
    """Runs with and without recorders, in turns."""
    sizes = import_module("simulation").SIZES
    found: dict[str, list[dict[str, float]]] = {name: [] for name in RECORDERS}
    with FreshProcesses(1) as pool:
        for number in range(rounds):
            for name in list(RECORDERS)[:: 1 if number % 2 else -1]:
                run = pool.submit(timed_run, RECORDERS[name], number + 1, sizes, 1650.0).result()
                found[name].append(run)
            took = (f"{name} {sum(found[name][-1].values()):.2f} s" for name in RECORDERS)
            print(f"round {number + 1}: {', '.join(took)}", flush=True)
    median = {
        name: {what: float(np.median([run[what] for run in runs])) for what in runs[0]}
        for name, runs in found.items()
    }
    without = sum(median["without"].values())
    own = ("import and load kernels", "install", "connect recorders", "read and spectra")
    around = sum(median["with"][what] for what in own) - sum(
        median["without"].get(what, 0.0) for what in own
    )
    simulating = [
        (ten["simulate"] - bare["simulate"]) / RECORDERS["with ten"]
        for ten, bare in zip(found["with ten"], found["without"], strict=True)
    ]
    result: dict = {
        "runs": found,
        "median_s": median,
        "added_around_simulating_s": around,
        "added_to_simulating_s": float(np.median(simulating)),
        "added_to_simulating_s_interval": usage.interval_of_median(simulating),
        "ratio": 1 + (around + float(np.median(simulating))) / without,
        "ratio_interval": [
            1 + (around + bound) / without for bound in usage.interval_of_median(simulating)
        ],
        "ratio_of_totals": usage.interval_of_median(
            [
                sum(one.values()) / sum(other.values())
                for one, other in zip(found["with"], found["without"], strict=True)
            ]
        ),
    }
    for what, seconds in median["with"].items():
        print(
            f"{what:24} {seconds:7.3f} s, without recorder {median['without'].get(what, 0):7.3f} s"
        )
    low, high = result["ratio_interval"]
    print(
        f"recording adds {around:.3f} s around the simulation and "
        f"{result['added_to_simulating_s']:.3f} s to it: × {result['ratio']:.4f} "
        f"(95 %: {low:.4f} … {high:.4f})"
    )
    return result


# ---------------------------------------------------------------------- memory
def small_run(number: int, seed: int) -> dict[str, float]:
    """A network of 125 neurons for 560 ms, and the memory (MB) of the process afterwards."""
    timed_run(1, seed, SMALL, 560.0)
    return {"resident_mb": usage.resident_mb(), "process": os.getpid()}


def memory(runs: int) -> dict:
    """Memory along many runs: of one process that makes them all, and of one that makes none."""
    found = {}
    numbers = {"number": np.arange(runs)}
    for how in ("one process", "fresh processes"):
        store = OUT / "ensemble.zarr"
        shutil.rmtree(store, ignore_errors=True)
        here, own = [usage.resident_mb()], how == "fresh processes"
        with ProcessPoolExecutor(1, get_context("spawn")) as pool:
            for part in range(10):  # the same call goes on, with a few more runs each time
                some = {"number": numbers["number"][: runs * (part + 1) // 10]}
                data = ensemble.run(
                    small_run, some, store, workers=1, executor=None if own else pool
                )
                here.append(usage.resident_mb())
        worker, processes = data["resident_mb"].values, data["process"].values
        shutil.rmtree(store)
        early, late = worker[runs // 10 : runs // 5], worker[-runs // 10 :]
        found[how] = {
            "worker_mb": worker.tolist(),
            "this_process_mb": here,
            "worker_growth_mb": float(np.median(late) - np.median(early)),
            "processes": int(np.unique(processes).size),
        }
        print(
            f"{how}: {runs} runs in {found[how]['processes']} processes; a worker's memory grew by "
            f"{found[how]['worker_growth_mb']:.1f} MB after the first tenth, this process's from "
            f"{here[1]:.0f} to {here[-1]:.0f} MB"
        )
    return found


def main() -> None:
    parser = usage.parser(__doc__)
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--runs", type=int, default=300)
    options = parser.parse_args()
    OUT.mkdir(parents=True, exist_ok=True)
    if not KERNELS.exists():
        kernels = import_module("kernels").compute_kernels({})
        import_module("recording").filtered(kernels).save(KERNELS)
    with FreshProcesses(1) as pool:  # the module, if it is not in the cache
        pool.submit(timed_run, 1, 1, SMALL, 560.0).result()
    report = {"throughput": throughput(options.rounds), "memory": memory(options.runs)}
    (OUT / "ensemble.json").write_text(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
