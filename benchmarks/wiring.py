"""How long a recorder takes to be wired to 80 000 neurons, at 2 and at 64 virtual processes.

    python benchmarks/wiring.py

Writes out/benchmarks/wiring.json. Times are those of ``FieldRecorder(...)`` as a whole and of its
calls of nest.Connect, wall and processor seconds, the median of five.
"""

import json
import os
import statistics
import time
from pathlib import Path

from nestlfp.errors import tell_plainly

tell_plainly()
os.environ.setdefault("PYNEST_QUIET", "1")

import nest
import numpy as np
import usage

import nestlfp

SIZES = {"E": 64_000, "I": 16_000}
VIRTUAL_PROCESSES = (2, 64)
REPEATS = 5
OUT = Path("out/benchmarks/wiring.json")


def kernels() -> nestlfp.KernelSet:
    """Two populations, two channels, 30 taps."""
    decay = np.exp(-np.arange(30) / 4.0)
    h = decay * np.array([[1.0], [2.0]]) * np.array([1.0, -1.0]).reshape(1, 2, 1, 1)
    return nestlfp.KernelSet.from_arrays(
        {"LFP": h}, pre=list(SIZES), post=["E"], dt=0.1, units={"LFP": "mV"}
    )


def wire(n_vps: int) -> dict[str, float]:
    """Seconds that one recorder takes."""
    nest.ResetKernel()
    nest.set(total_num_virtual_procs=n_vps)
    bank = nestlfp.FilterBank(kernels())
    nestlfp.install(bank)
    populations = {name: nest.Create("parrot_neuron", n) for name, n in SIZES.items()}
    generator = nest.Create("spike_generator")
    nest.Connect(generator, populations["E"][:1], syn_spec={"delay": 1.5})

    spent = {"connect_calls": 0, "connect_s": 0.0}
    connect = nest.Connect

    def timed(*arguments: object, **options: object) -> None:
        start = time.perf_counter()
        connect(*arguments, **options)
        spent["connect_s"] += time.perf_counter() - start
        spent["connect_calls"] += 1

    vars(nest)["Connect"] = timed  # NEST does not let it be set as an attribute
    start, start_cpu = time.perf_counter(), time.process_time()
    nestlfp.FieldRecorder(bank, populations, interval=0.1)
    spent |= {"wall_s": time.perf_counter() - start, "cpu_s": time.process_time() - start_cpu}
    vars(nest)["Connect"] = connect
    return spent


def main() -> None:
    """Measure, print and write."""
    usage.parser(__doc__).parse_args()
    nest.verbosity = nest.VerbosityLevel.ERROR
    wire(2)  # imports and first calls
    report: dict[str, int | dict[str, float]] = {"neurons": sum(SIZES.values())}
    for n_vps in VIRTUAL_PROCESSES:
        runs = [wire(n_vps) for _ in range(REPEATS)]
        found = {what: statistics.median(run[what] for run in runs) for what in runs[0]}
        report[f"{n_vps}_virtual_processes"] = found
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
