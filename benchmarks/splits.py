"""The same network on 64 virtual processes, as 16 × 4, 32 × 2 and 64 × 1 ranks × threads.

    python benchmarks/splits.py [--splits 16x4 32x2 64x1]

with a NEST that has MPI, mpi4py and mpirun. Brunel's network (2000, J Comput Neurosci 8: 183-208),
1250 neurons, runs without and with a recorder, each time in processes of its own, since NEST 3.10
with many ranks gives other spikes after nest.ResetKernel(). Printed are whether the spikes are the
same, how far signals are apart, and the memory of a rank. Times are not measured: here the
processes take turns on a few cores. Writes out/benchmarks/splits.json.
"""

import json
import os
import subprocess
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
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
OUT = Path(__file__).parents[1] / "out" / "benchmarks"
SPLITS = ("16x4", "32x2", "64x1")
SIZES = {"E": 1000, "I": 250}
DURATION = 200.0  # ms
LAUNCH = ["mpirun", "--oversubscribe", "--bind-to", "none", "-n"]


def run(threads: int, record: bool, out: Path) -> None:
    """One run, on all ranks: spikes, the signal and memory into a file."""
    import nest
    from configurations import CONFIGURATIONS, kernel_set
    from mpi4py import MPI

    import nestlfp

    world = MPI.COMM_WORLD
    nest.verbosity = nest.VerbosityLevel.ERROR
    nest.set(resolution=0.1, local_num_threads=threads, rng_seed=12)
    bank = nestlfp.FilterBank(kernel_set(CONFIGURATIONS["A"](), 0.1, ("E", "I")), interval=1.0)
    nestlfp.install(bank, progress=False)
    membrane = {
        "C_m": 1.0, "tau_m": 20.0, "t_ref": 2.0, "E_L": 0.0, "V_reset": 10.0, "V_m": 0.0,
        "V_th": 20.0,
    }  # fmt: skip
    neurons = {name: nest.Create("iaf_psc_delta", n, membrane) for name, n in SIZES.items()}
    everyone = neurons["E"] + neurons["I"]
    noise = nest.Create("poisson_generator", params={"rate": 20_000.0})
    spikes = nest.Create("spike_recorder")
    nest.Connect(noise, everyone, syn_spec={"weight": 0.1, "delay": 1.5})
    for name, indegree, weight in (("E", 100, 0.1), ("I", 25, -0.5)):
        rule = {"rule": "fixed_indegree", "indegree": indegree}
        nest.Connect(neurons[name], everyone, rule, {"weight": weight, "delay": 1.5})
    nest.Connect(everyone, spikes, syn_spec={"delay": 1.5})
    before = usage.resident_mb()
    recorder = nestlfp.FieldRecorder(bank, neurons) if record else None
    nest.Simulate(DURATION)
    added = world.allgather(usage.resident_mb() - before)
    in_all = world.allgather(usage.resident_mb())
    events = world.allgather((spikes.events["times"], spikes.events["senders"]))
    lfp = recorder.signals()["LFP"].values if recorder else np.empty(0)
    if world.rank == 0:
        times, senders = (np.concatenate(column) for column in zip(*events, strict=True))
        order = np.lexsort((senders, times))
        np.savez(
            out, times=times[order], senders=senders[order], lfp=lfp, added=added, in_all=in_all
        )


def launched(split: str, record: bool, folder: Path) -> dict[str, Any]:
    """The file of a run in fresh processes."""
    ranks, threads = split.split("x")
    out = folder / f"{split}_{record}.npz"
    command = [*LAUNCH, ranks, sys.executable, __file__, "--run", threads, str(int(record))]
    subprocess.run([*command, "--out", str(out)], check=True)
    with np.load(out) as file:
        return dict(file)


def main() -> None:
    """Run, compare, print, write."""
    parser = usage.parser(__doc__)
    parser.add_argument("--splits", nargs="+", default=SPLITS, help="ranks x threads")
    parser.add_argument("--run", nargs=2, type=int, help="of a process that mpirun has started")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    if options.run:
        run(options.run[0], bool(options.run[1]), options.out)
        return
    first: dict[str, Any] | None = None
    report = {}
    with TemporaryDirectory() as folder:
        for split in options.splits:
            started = time.perf_counter()
            without, found = (launched(split, record, Path(folder)) for record in (False, True))
            first = first or found
            spikes = [(each["times"], each["senders"]) for each in (without, found, first)]
            same = [bool(np.array_equal(spikes[1], spikes[other])) for other in (0, 2)]
            apart = np.abs(found["lfp"] - first["lfp"]).max() / np.abs(first["lfp"]).max()
            report[split] = {
                "spikes": int(found["times"].size),
                "same_spikes_without_recorder": same[0],
                "same_spikes_as_first_split": same[1],
                "signals_apart_of_peak": float(apart),
                "rank_mb": [float(np.median(each["in_all"])) for each in (without, found)],
                "recorder_mb": float(np.median(found["added"]) - np.median(without["added"])),
            }
            print(f"{split}: {report[split]}, {time.perf_counter() - started:.0f} s", flush=True)
    OUT.mkdir(parents=True, exist_ok=True)
    (OUT / "splits.json").write_text(json.dumps(report, indent=1), encoding="utf-8")
    print(f"wrote {OUT / 'splits.json'}")


if __name__ == "__main__":
    main()
