"""What it costs to follow plastic synapses: one reading of the strengths.

    python benchmarks/follow.py

Writes out/benchmarks/follow.json: seconds of ``recorder.follow()``, wall and processor time, where
each synapse of a network is read (``neurons=True``), also for each of them, beside NEST's own time
to return them; and in a network of ten million synapses by a sample of its neurons. Medians; each
network has a process of its own, which needs 2 GB.
"""

import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from nestlfp.errors import tell_plainly

tell_plainly()
os.environ.setdefault("PYNEST_QUIET", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # threads that wait must not count as work

import nest
import numpy as np
import usage

import nestlfp

OUT = Path("out/benchmarks/follow.json")
SHARES = {"E": 0.8, "I": 0.2}
AT_ONCE = 1_000  # connections that NEST is asked for: more take longer, each


def kernels() -> nestlfp.KernelSet:
    """Of two populations, two channels, 30 taps."""
    names = list(SHARES)
    values = np.random.default_rng(1).normal(size=(2, 2, 2, 30))
    return nestlfp.KernelSet.from_arrays(
        {"LFP": values}, pre=names, post=names, dt=0.1, units={"LFP": "mV"}
    )


def followed(neurons: int, indegree: int, own: bool, repeats: int) -> dict[str, Any]:
    """Seconds of a reading in a network with STDP of so many neurons."""
    nest.ResetKernel()
    nest.set(local_num_threads=2)
    nestlfp.install()
    populations = {
        name: nest.Create("iaf_psc_exp", int(share * neurons)) for name, share in SHARES.items()
    }
    everyone = populations["E"] + populations["I"]
    for name, share in SHARES.items():
        rule = {"rule": "fixed_indegree", "indegree": int(share * indegree)}
        weight = nest.random.uniform(10.0, 30.0) if name == "E" else -100.0
        synapse = {"weight": weight, "delay": 1.5}
        if name == "E":
            synapse["synapse_model"] = "stdp_synapse"
        nest.Connect(populations[name], everyone, rule, synapse)
    synapses = nest.num_connections
    recorder = nestlfp.FieldRecorder(
        kernels(), populations, plasticity=nestlfp.Plasticity(neurons=own)
    )
    nest.Simulate(10.0)
    wall: list[float] = []
    cpu: list[float] = []
    for _ in range(repeats):
        # Another strength, so that connections are set as well.
        nest.GetConnections(populations["E"][:50], synapse_model="stdp_synapse").weight = (
            20.0 + len(wall)
        )
        start, start_cpu = time.perf_counter(), time.process_time()
        recorder.follow()
        wall.append(time.perf_counter() - start)
        cpu.append(time.process_time() - start_cpu)
    found = {
        "synapses": synapses,
        "connections_of_recorder": len(nest.GetConnections(synapse_model="nestlfp_synapse")),
        "wall_s": statistics.median(wall),
        "cpu_s": statistics.median(cpu),
    }
    if own:
        found["cpu_us_a_synapse"] = 1e6 * found["cpu_s"] / synapses
        found["cpu_us_a_synapse_in_nest"] = 1e6 * seconds_of_nest(everyone) / synapses
        found["ratio"] = found["cpu_us_a_synapse"] / found["cpu_us_a_synapse_in_nest"]
    return found


def seconds_of_nest(neurons: Any) -> float:
    """Processor time in which NEST itself returns sources, targets and weights."""
    connections = nest.GetConnections(neurons, neurons)
    start = time.process_time()
    for first in range(0, len(connections), AT_ONCE):
        connections[first : first + AT_ONCE].get(["source", "target", "weight"])
    return time.process_time() - start


def alone(call: str) -> dict[str, Any]:
    """What a call of this module returns in a process of its own."""
    folder = str(Path(__file__).parent)
    code = (
        f"import sys; sys.path.insert(0, {folder!r}); import json, follow; "
        "follow.nest.verbosity = follow.nest.VerbosityLevel.ERROR; "
        f"print(json.dumps(follow.{call}))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.PIPE)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def main() -> None:
    """Measure, print and write."""
    parser = usage.parser(__doc__)
    parser.add_argument("--repeats", type=int, default=3, help="default: 3")
    repeats = parser.parse_args().repeats
    report = {
        "each_neuron": alone(f"followed(2_000, 500, True, {repeats})"),
        "sample": alone(f"followed(10_000, 1_000, False, {repeats})"),
    }
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
