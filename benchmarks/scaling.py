"""What a recorder costs by number of virtual processes, and the model of docs/scaling.md.

    python benchmarks/scaling.py

measures what a step costs on top of the same network without recorder: the exact filter, with a
sample every millisecond. It is processor time, not wall time: on fewer cores than virtual processes
they take turns. The model has constants for kernels that stay in the processor's cache, from small
tables, and for kernels that come from memory in each step, from tables of 100 and 200 MB, as it is
beside a large network. Runs with 1 to 16 virtual processes in one process check it.
Then it prints what the model predicts for large networks. Writes out/benchmarks/scaling.json.

The network is one of spike generators and parrot neurons, so that each step has the same number
of spikes; nothing is random.
"""

import json
import os
import statistics
import time
from pathlib import Path

from nestlfp.errors import tell_plainly

tell_plainly()
os.environ.setdefault("PYNEST_QUIET", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # threads that wait must not count as work

import nest
import numpy as np
import usage

import nestlfp

OUT = Path("out/benchmarks/scaling.json")
VIRTUAL_PROCESSES = (1, 2, 4, 8, 16)
REPEATS = 5
DURATION = 3000.0  # ms
DT = 0.1  # ms
INTERVAL = 1.0  # ms, of samples
MIN_DELAY = 1.5  # ms
# As many steps as this lie between two spikes of a neuron. It has no divisor in common with the
# steps of an interval: spikes fall on all of them in turn, and all parts of a kernel are read.
NEURONS = 97
EVERY = round(INTERVAL / DT)  # steps for a sample
# Populations, channels, taps.
SMALL, LARGE = (2, 16, 250), (8, 16, 1000)
HUGE, TWICE_AS_HUGE = (NEURONS, 128, 1000), (NEURONS, 128, 2000)
PREDICTED = (16, 1000)  # channels, taps

# Networks to predict for: neurons, populations, mean rate (spikes/s of a neuron).
NETWORKS = {
    "Potjans-Diesmann microcircuit": (77_169, 8, 3.0),
    # 8 populations in 32 areas, less the 2 of layer 4 of the area TH, which has none.
    "multi-area model, 32 areas": (4_130_000, 254, 3.0),
}
CORES = (128, 256, 512, 1024, 2048, 4096, 8192, 16384)


def kernels(populations: int, channels: int, taps: int) -> nestlfp.KernelSet:
    """Kernels without zeros: alpha functions of different height."""
    t = np.arange(1, taps + 1) * DT
    height = 1.0 + np.arange(populations * channels).reshape(1, populations, channels, 1)
    names = [f"P{i}" for i in range(populations)]
    return nestlfp.KernelSet.from_arrays(
        {"LFP": height * t * np.exp(-t / 10.0)}, pre=names, post=["P0"], dt=DT, units={"LFP": "mV"}
    )


def work(size: tuple[int, int, int], n_vps: int, spikes: bool, record: bool) -> float:
    """Processor time of a step (µs); in each step one neuron spikes, or none."""
    nest.ResetKernel()
    nest.set(resolution=DT, local_num_threads=n_vps)
    bank = nestlfp.FilterBank(kernels(*size)) if record else None
    if bank:
        nestlfp.install(bank, progress=False)
    neurons = nest.Create("parrot_neuron", NEURONS)
    generators = nest.Create("spike_generator", NEURONS)
    if spikes:
        steps = np.arange(NEURONS, round(DURATION / DT) + 600, NEURONS)
        for i, generator in enumerate(generators):
            generator.spike_times = (steps + i) * DT
    nest.Connect(generators, neurons, "one_to_one", {"delay": MIN_DELAY})
    if bank:
        n = len(bank.populations)
        populations = {name: neurons[i::n] for i, name in enumerate(bank.populations)}
        nestlfp.FieldRecorder(bank, populations, interval=INTERVAL)
    nest.Simulate(50.0)  # what is set up at the first step does not count
    start = time.process_time()
    nest.Simulate(DURATION)
    return (time.process_time() - start) / (DURATION / DT) * 1e6


def added_work(size: tuple[int, int, int], n_vps: int, spikes: bool) -> float:
    """What the recorder adds to a step (µs): the median over pairs with and without it."""
    return statistics.median(
        work(size, n_vps, spikes, record=True) - work(size, n_vps, spikes, record=False)
        for _ in range(REPEATS)
    )


def bytes_per_connection(neurons: int = 100_000, recorders: int = 8) -> float:
    """Memory of a connection from a neuron to its filter node, as this process grows by it."""
    nest.ResetKernel()
    nest.set(resolution=DT, local_num_threads=2)
    bank = nestlfp.FilterBank(kernels(*SMALL))
    nestlfp.install(bank)
    parrots = nest.Create("parrot_neuron", neurons)
    populations = {"P0": parrots[: neurons // 2], "P1": parrots[neurons // 2 :]}
    inputs = nestlfp.Inputs(populations, unconnected=True)
    # The first recorder also pays for what the network and the calls themselves need.
    for i in range(recorders + 1):
        if i == 1:
            before = resident_bytes()
        nestlfp.FieldRecorder(bank, inputs, interval=DT)
        nest.Simulate(DT)  # builds the tables that spikes are sent by
    return (resident_bytes() - before) / neurons / recorders


def resident_bytes() -> float:
    """Memory of this process."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * float(dict(line.split(":", 1) for line in lines)["VmRSS"].split()[0])


def measure() -> dict:
    """Constants, and work by number of virtual processes, measured and by the model."""
    memory = bytes_per_connection()
    quiet = {n: added_work(SMALL, n, spikes=False) for n in VIRTUAL_PROCESSES}
    busy = {n: added_work(SMALL, n, spikes=True) for n in VIRTUAL_PROCESSES}
    first, last = VIRTUAL_PROCESSES[0], VIRTUAL_PROCESSES[-1]
    node = (quiet[last] - quiet[first]) / (last - first)
    near, far = spike_cost(SMALL, LARGE), spike_cost(HUGE, TWICE_AS_HUGE)
    return {
        "us_per_step": {
            n: {
                "no_spike": quiet[n],
                "no_spike_by_the_model": n * node,
                "a_spike": busy[n],
                "a_spike_by_the_model": [
                    n * node + kernel_us(SMALL[1:], *each) for each in (near, far)
                ],
            }
            for n in VIRTUAL_PROCESSES
        },
        "constants": {
            "us_per_step_and_node": node,
            "us_per_spiking_population": [near[0], far[0]],
            "ns_per_channel_and_tap_added": [near[1], far[1]],
            "bytes_per_connection": memory,
        },
    }


def spike_cost(smaller: tuple[int, int, int], larger: tuple[int, int, int]) -> tuple[float, float]:
    """What a step costs for each population that spikes: as such (µs), and a tap (ns)."""
    us = [added_work(size, 1, True) - added_work(size, 1, False) for size in (smaller, larger)]
    added = [channels * taps / EVERY for _, channels, taps in (smaller, larger)]
    tap = (us[1] - us[0]) / (added[1] - added[0])
    return us[0] - tap * added[0], 1000.0 * tap


def kernel_us(size: tuple[int, ...], population: float, tap: float) -> float:
    """To add a kernel of so many channels and taps (µs)."""
    channels, taps = size
    return population + channels * taps / EVERY * tap / 1000.0


def node_mb(populations: int) -> float:
    """Coefficients and the ring of samples to come, as 8-byte numbers."""
    channels, taps = PREDICTED
    return 8 * channels * taps * (populations + 1 / EVERY) / 2**20


def predict(constants: dict) -> list[dict]:
    """For each network and number of virtual processes: what one of them does in a step.

    A population's kernel is added once in a step for all its spikes on a virtual process, so
    that work follows the number of populations of which at least one neuron spikes. Costs are
    those of kernels in the cache, and of kernels in memory.
    """
    kernel = [
        kernel_us(PREDICTED, *each)
        for each in zip(
            constants["us_per_spiking_population"],
            constants["ns_per_channel_and_tap_added"],
            strict=True,
        )
    ]
    rows = []
    for name, (neurons, populations, rate) in NETWORKS.items():
        for n_vps in CORES:
            mean = neurons / n_vps / populations * rate * DT / 1000.0
            spiking = populations * (1.0 - np.exp(-mean))
            step = [constants["us_per_step_and_node"] + spiking * each for each in kernel]
            connections = neurons / n_vps
            rows.append(
                {
                    "network": name,
                    "virtual_processes": n_vps,
                    "spiking_populations_per_step": spiking,
                    "us_per_step": step,
                    "s_per_biological_s": [each / DT / 1000.0 for each in step],
                    "connections_per_vp": connections,
                    "mb_per_vp": node_mb(populations)
                    + connections * constants["bytes_per_connection"] / 2**20,
                }
            )
    return rows


def table(rows: list[dict]) -> str:
    """The prediction as Markdown."""
    head = "| network | virtual processes | µs/step | s per biological s | connections | MB each |"
    lines = [head, "| --- | ---: | ---: | ---: | ---: | ---: |"]
    lines += [
        f"| {r['network']} | {r['virtual_processes']} | {_range(r['us_per_step'], 2)} | "
        f"{_range(r['s_per_biological_s'], 4)} | {r['connections_per_vp']:.0f} | "
        f"{r['mb_per_vp']:.1f} |"
        for r in rows
    ]
    return "\n".join(lines)


def _range(values: list[float], digits: int) -> str:
    return " … ".join(f"{each:.{digits}f}" for each in values)


def main() -> None:
    """Measure, predict, print and write."""
    usage.parser(__doc__).parse_args()
    nest.verbosity = nest.VerbosityLevel.ERROR
    measured = measure()
    rows = predict(measured["constants"])
    report = {"measured": measured, "predicted": rows}
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(measured, indent=2))
    print(table(rows))


if __name__ == "__main__":
    main()
