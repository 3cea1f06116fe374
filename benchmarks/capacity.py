"""What it costs that a model has more ports than a network has populations.

    python benchmarks/capacity.py

measures processor time of a step and memory of a node, with the model that nestlfp takes (2, 4, 8,
16, ... ports) and with one compiled for exactly as many ports as there are populations. Writes
out/benchmarks/capacity.json.
"""

import json
import multiprocessing
import os
import statistics
import time
from pathlib import Path
from typing import Any

from nestlfp.errors import tell_plainly

tell_plainly()
os.environ.setdefault("PYNEST_QUIET", "1")

import nest
import numpy as np
import usage
from configurations import kernel_set

import nestlfp
from nestlfp import FilterBank
from nestlfp.build.modules import compile_module
from nestlfp.nodes.model import Model, create_nodes, model_for
from nestlfp.simulator import Simulator

OUT = Path("out/benchmarks/capacity.json")
DT = 0.1  # ms
# Populations, channels, taps: small nodes, where a port weighs most.
SHAPES = [(1, 1, 50), (1, 16, 800), (3, 4, 200), (5, 1, 50), (5, 16, 800), (6, 64, 1000)]
METHODS = ("fir", "state-space")
STEPS = 200_000
REPEATS = 7


def kernels(populations: int, channels: int, taps: int) -> nestlfp.KernelSet:
    """Kernels of a few time constants."""
    t = np.arange(1, taps + 1, dtype=np.float64) * DT
    tau = 2.0 + np.arange(populations * channels).reshape(populations, channels, 1) % 7
    return kernel_set(t * np.exp(-t / tau), DT, [f"P{p}" for p in range(populations)])


def nodes_of(bank: FilterBank, model: Model, n: int) -> Any:
    """`n` nodes of the model in an empty NEST."""
    nest.ResetKernel()
    nest.set(resolution=DT, min_delay=1.6, max_delay=6.4)
    nest.Install(str(compile_module([model])))
    hold = np.zeros(len(bank.populations), dtype=np.int64)
    parameters = bank.filter.parameters(model.ports, hold, 10, 0)
    return create_nodes(Simulator(), model, n, parameters, bank.filter.grows)


def microseconds(bank: FilterBank, model: Model, steps: int) -> float:
    """Processor time of a step in which each population spikes once in ten."""
    (node,) = nodes_of(bank, model, 1)
    generators = nest.Create("spike_generator", len(bank.populations))
    generators.set({"spike_times": np.arange(1.0, steps * DT)})
    for port, generator in enumerate(generators, start=1):
        nest.Connect(generator, node, syn_spec={"receptor_type": port, "delay": 1.6})
    nest.Simulate(6.4)
    start = time.process_time()
    nest.Simulate(round(steps * DT / 1.6) * 1.6)
    return (time.process_time() - start) / steps * 1e6


def bytes_of(shape: tuple[int, int, int], method: str, ports: int) -> float:
    """Resident memory that a node adds; to be called in a process of its own."""
    bank = FilterBank(kernels(*shape), method=method)
    model = model_for(method, ports)
    n = int(np.clip(2e8 / (8 * np.prod(shape)), 20, 2000))
    hold = np.zeros(len(bank.populations), dtype=np.int64)
    parameters = bank.filter.parameters(ports, hold, 10, 0)
    nodes_of(bank, model, 10)  # whatever is there once
    before = resident()
    create_nodes(Simulator(), model, n, parameters, bank.filter.grows)
    return (resident() - before) / n


def resident() -> float:
    """Resident memory of this process in bytes."""
    pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[1]
    return float(pages) * os.sysconf("SC_PAGE_SIZE")


def measure(shape: tuple[int, int, int], method: str) -> dict[str, Any]:
    """Both models for one shape and method."""
    bank = FilterBank(kernels(*shape), method=method)
    models = {"taken": bank.model, "exact": model_for(method, shape[0])}
    steps = int(np.clip(4e7 / (shape[0] * shape[1] * shape[2]), 5000, STEPS))
    steps = STEPS if method == "state-space" else steps
    runs: dict[str, list[float]] = {name: [] for name in models}
    for _ in range(REPEATS):
        for name, model in models.items():
            runs[name].append(microseconds(bank, model, steps))
    ratios = [a / b for a, b in zip(runs["taken"], runs["exact"], strict=True)]
    context = multiprocessing.get_context("spawn")  # memory that was freed is not taken again
    with context.Pool(1, maxtasksperchild=1) as pool:
        asked = [(shape, method, model.ports) for model in models.values()]
        memory = dict(zip(models, pool.starmap(bytes_of, asked, chunksize=1), strict=True))
    return {
        "shape": shape,
        "method": method,
        "ports": {name: model.ports for name, model in models.items()},
        "us_per_step": {name: statistics.median(values) for name, values in runs.items()},
        "time_ratio": statistics.median(ratios),
        "bytes": memory,
        "memory_ratio": memory["taken"] / memory["exact"],
    }


def main() -> None:
    usage.parser(__doc__).parse_args()
    nest.verbosity = nest.VerbosityLevel.ERROR
    print("populations channels taps  method        ports   µs/step  ratio   kB a node  ratio")
    found = []
    for shape in SHAPES:
        for method in METHODS:
            row = measure(shape, method)
            found.append(row)
            print(
                f"{shape[0]:11} {shape[1]:8} {shape[2]:4}  {method:12} {row['ports']['taken']:2} /"
                f"{row['ports']['exact']:2}  {row['us_per_step']['taken']:8.3f}"
                f"  {row['time_ratio']:5.2f}  {row['bytes']['taken'] / 1e3:10.1f}"
                f"  {row['memory_ratio']:5.2f}",
                flush=True,
            )
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
