"""A network on any number of MPI ranks, its LFP streamed to disk.

python simulate.py kernels.nc signals.zarr --duration 100000

Either a balanced random network, whose kernels are those of two populations, E and I, as
examples/two_population makes them; or the cortical microcircuit (--network microcircuit), whose
kernels examples/microcircuit/run.py computes: `kernels.nc` in its folder of results.
"""

import argparse
import os
import sys
from pathlib import Path

from nestlfp.errors import tell_plainly

tell_plainly()
os.environ.setdefault("PYNEST_QUIET", "1")

import nest

import nestlfp

DT = 0.1  # ms
SIZES = {"E": 80_000, "I": 20_000}
IN_DEGREE = {"E": 1000, "I": 250}
WEIGHT = {"E": 20.0, "I": -100.0}  # pA
DELAY = 1.5  # ms
INTERVAL = 1.0  # ms

Nodes = dict[str, nest.NodeCollection]
"""By population."""


def main() -> None:
    """Build the network, simulate it, stream the signals."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kernels", help="file of kernels, as KernelSet.save writes it")
    parser.add_argument("signals", help="Zarr store to make")
    parser.add_argument("--network", choices=("balanced", "microcircuit"), default="balanced")
    parser.add_argument("--duration", type=float, default=1000.0, help="simulated time (ms)")
    parser.add_argument("--scale", type=float, default=1.0, help="size of the network")
    parser.add_argument("--module", help="module that was compiled before, instead of the cache")
    given = parser.parse_args()
    threads = int(os.environ.get("OMP_NUM_THREADS", "1"))

    if hasattr(nest, "VerbosityLevel"):  # from NEST 3.10 on
        nest.verbosity = nest.VerbosityLevel.ERROR
    kernels = nestlfp.KernelSet.load(given.kernels).resample(DT)
    nest.ResetKernel()
    if given.module:
        nest.Install(given.module)
    else:
        nestlfp.install(kernels)
    nest.set(resolution=DT, local_num_threads=threads, rng_seed=1)

    micro = given.network == "microcircuit"
    neurons, models = microcircuit(given.scale) if micro else balanced(given.scale)
    inputs = nestlfp.Inputs(neurons, synapse_models=models)
    # Kernels of short synapses have more than samples of 1 ms can follow.
    nestlfp.FieldRecorder(kernels, inputs, interval=INTERVAL, antialias=micro)
    # A job that is started again does the same once more, and goes on where the store ends.
    nestlfp.simulate(given.duration, to=given.signals, chunk=1000.0, append=True)


def balanced(scale: float) -> tuple[Nodes, dict[str, str]]:
    """A balanced random network, whose synapses are NEST's own."""
    neurons = {name: nest.Create("iaf_psc_exp", round(n * scale)) for name, n in SIZES.items()}
    everyone = neurons["E"] + neurons["I"]
    noise = nest.Create("poisson_generator", params={"rate": 12_000.0})
    nest.Connect(noise, everyone, syn_spec={"weight": 30.0, "delay": DELAY})
    for name, nodes in neurons.items():
        rule = {"rule": "fixed_indegree", "indegree": round(IN_DEGREE[name] * scale) or 1}
        nest.Connect(nodes, everyone, rule, {"weight": WEIGHT[name], "delay": DELAY})
    return neurons, {}


def microcircuit(scale: float) -> tuple[Nodes, dict[str, str]]:
    """The Potjans–Diesmann microcircuit, 77 169 neurons at scale 1, and its synapse models."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "microcircuit"))
    import network_in_nest

    choice = network_in_nest.Choice(scale=scale)
    neurons, _, _ = network_in_nest.build(choice)
    network_in_nest.drive(choice, neurons)
    return neurons, network_in_nest.recorders_models(choice)


if __name__ == "__main__":
    main()
