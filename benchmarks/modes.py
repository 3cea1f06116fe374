"""What it takes to give each of 80 000 neurons a kernel of its own: 32 modes, so many connections.

    python benchmarks/modes.py

Writes out/benchmarks/modes.json: seconds that ``FieldRecorder(...)`` takes with all weights, and
with a tenth of them (sparse), wall and processor time; memory of a connection, from the difference
of the two, beside that of the network's own ``static_synapse``, found alike; and how long
`nestlfp.out_strengths` takes to read a million connections. Medians; each run has a process of its
own.
"""

import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

from nestlfp.errors import tell_plainly

tell_plainly()
os.environ.setdefault("PYNEST_QUIET", "1")

import nest
import numpy as np
import usage
from scipy import sparse

import nestlfp

SIZES = {"E": 64_000, "I": 16_000}
SYNAPSES = 1_000_000  # to be read
OUT = Path("out/benchmarks/modes.json")


def modes(number: int) -> nestlfp.NeuronKernels:
    """So many modes of each population, two channels, 30 taps; weights come with the recorder."""
    names = {name: [f"{name}/{k}" for k in range(number)] for name in SIZES}
    rng = np.random.default_rng(1)
    kernels = nestlfp.KernelSet.from_arrays(
        {"LFP": rng.normal(size=(1, 2 * number, 2, 30))},
        pre=[mode for own in names.values() for mode in own],
        post=["all"],
        dt=0.1,
        units={"LFP": "mV"},
    )
    return nestlfp.NeuronKernels(kernels, names)


def wired(number: int, share: float, n_vps: int) -> dict[str, float]:
    """What a recorder takes whose neurons have this share of their weights."""
    rng = np.random.default_rng(2)
    weights = {
        name: sparse.random_array((n, number), density=share, rng=rng, format="csr")
        for name, n in SIZES.items()
    }
    nest.ResetKernel()
    nest.set(total_num_virtual_procs=n_vps)
    bank = nestlfp.FilterBank(modes(number))
    nestlfp.install(bank)
    populations = {name: nest.Create("parrot_neuron", n) for name, n in SIZES.items()}
    generator = nest.Create("spike_generator")
    nest.Connect(generator, populations["E"][:1], syn_spec={"delay": 1.5})
    before, connections = usage.resident_mb(), nest.num_connections
    start, start_cpu = time.perf_counter(), time.process_time()
    inputs = nestlfp.Inputs(populations, weights=weights)
    recorder = nestlfp.FieldRecorder(bank, inputs, interval=0.1)
    took = {"wall_s": time.perf_counter() - start, "cpu_s": time.process_time() - start_cpu}
    made = nest.num_connections - connections
    nest.Simulate(1.5)  # NEST's tables of connections are made then
    del recorder
    return {**took, "connections": made, "mb": usage.resident_mb() - before}


def synapses_of_nest(number: int, n_vps: int) -> dict[str, float]:
    """Memory of so many connections of each neuron to others, for comparison."""
    nest.ResetKernel()
    nest.set(total_num_virtual_procs=n_vps)
    neurons = nest.Create("parrot_neuron", sum(SIZES.values()))
    generator = nest.Create("spike_generator")
    nest.Connect(generator, neurons[:1], syn_spec={"delay": 1.5})
    before, connections = usage.resident_mb(), nest.num_connections
    rule = {"rule": "fixed_outdegree", "outdegree": number}
    nest.Connect(neurons, neurons, rule, {"weight": 1.0, "delay": 1.5})
    made = nest.num_connections - connections
    nest.Simulate(1.5)
    return {"connections": made, "mb": usage.resident_mb() - before}


def strengths_read() -> dict[str, float]:
    """Seconds and memory of reading a million connections."""
    nest.ResetKernel()
    neurons = nest.Create("iaf_psc_exp", 10_000)
    rule = {"rule": "fixed_indegree", "indegree": SYNAPSES // 10_000}
    nest.Connect(neurons, neurons, rule, {"weight": nest.random.uniform(1.0, 2.0)})
    nest.Simulate(1.0)
    before = usage.resident_mb()
    start = time.perf_counter()
    nestlfp.out_strengths({"E": neurons})
    took = time.perf_counter() - start
    return {
        "connections": SYNAPSES,
        "wall_s": took,
        "memory_grown_mb": usage.resident_mb() - before,
    }


def alone(call: str, repeats: int = 1) -> dict[str, float]:
    """Medians of what a call of this module returns in processes of their own."""
    folder = str(Path(__file__).parent)
    code = f"import sys; sys.path.insert(0, {folder!r}); import json, modes; " + (
        f"modes.nest.verbosity = modes.nest.VerbosityLevel.ERROR; print(json.dumps(modes.{call}))"
    )
    found = []
    for _ in range(repeats):
        done = subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.PIPE)
        found.append(json.loads(done.stdout.splitlines()[-1]))
    return {what: statistics.median(run[what] for run in found) for what in found[0]}


def bytes_each(many: dict[str, float], few: dict[str, float]) -> float:
    """Memory of a connection, without what is there for any number of them."""
    more = many["connections"] - few["connections"]
    return (many["mb"] - few["mb"]) * 2**20 / more


def main() -> None:
    """Measure, print and write."""
    parser = usage.parser(__doc__)
    parser.add_argument("--modes", type=int, default=32, help="of each population; default: 32")
    parser.add_argument("--processes", type=int, default=2, help="virtual; default: 2")
    parser.add_argument("--repeats", type=int, default=3, help="default: 3")
    given = parser.parse_args()
    number, n_vps, repeats = given.modes, given.processes, given.repeats
    dense, few = (alone(f"wired({number}, {share}, {n_vps})", repeats) for share in (1.0, 0.1))
    own, fewer = (alone(f"synapses_of_nest({n}, {n_vps})") for n in (number, max(1, number // 10)))
    report = {
        "neurons": sum(SIZES.values()),
        **vars(given),
        "all_weights": dense,
        "a_tenth": few,
        "bytes_of_a_connection": bytes_each(dense, few),
        "bytes_of_a_static_synapse": bytes_each(own, fewer),
        "out_strengths": alone("strengths_read()"),
    }
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
