"""Describe a network, and record it with kernels of it: describing.py OUT.

Rank 0 writes OUT/<ranks>.npz. The network is connected by neurons one by one, which does not
depend on the number of ranks.
"""

import json
import sys
from pathlib import Path

import nest
import numpy as np
import pytest
from mpi4py import MPI

import nestlfp
from nestlfp.sources import network
from nests import quieten

WORLD = MPI.COMM_WORLD
OUT = Path(sys.argv[1])


def main():
    quieten(nest)
    nest.ResetKernel()
    nest.set(resolution=0.1, total_num_virtual_procs=2, rng_seed=7)
    # What a recorder of these kernels needs has to be there before the first node.
    shape = nestlfp.KernelSet.from_arrays(
        {"CDM": np.ones((1, 2, 3, 4))}, pre=["E", "I"], post=["E"], dt=0.1,
        units={"CDM": "nA µm"}, channels={"CDM": ["x", "y", "z"]},
    )  # fmt: skip
    nestlfp.install(shape)
    E, I = nest.Create("iaf_psc_exp", 20), nest.Create("iaf_psc_exp", 8)  # noqa: E741
    rng = np.random.default_rng(2)
    for pre, post, weight in ((E, E, 30.0), (E, I, 40.0), (I, E, -90.0)):
        for source in pre.tolist():
            targets = np.sort(rng.choice(post.tolist(), 4, replace=False))
            how = {"weight": weight * rng.uniform(0.5, 1.5), "delay": 0.1 * rng.integers(5, 30)}
            nest.Connect(
                nest.NodeCollection([source]), nest.NodeCollection(targets.tolist()), syn_spec=how
            )
    noise = nest.Create("poisson_generator", params={"rate": 8000.0})
    nest.Connect(noise, E + I, syn_spec={"weight": 60.0, "delay": 1.0})
    nodes = {"E": E, "I": I}
    description = network.describe(nodes)
    kernels = network.kernels(
        nodes, cells={"E": "i4", "I": None}, signals="CDM", tau=20.0, progress=False, cache=False,
        placement={"excitatory": network.Placement("dend", [(15.0, np.inf)])},
    )  # fmt: skip
    told = json.dumps(description.to_dict(), sort_keys=True)
    assert len(set(WORLD.allgather(told))) == 1
    assert len(set(WORLD.allgather(kernels.fingerprint))) == 1
    with pytest.raises(nestlfp.KernelError, match="'X'"):
        network.kernels(nodes, cells={"X": "i4"})
    recorder = nestlfp.FieldRecorder(kernels, nodes, interval=1.0)
    nest.Simulate(100.0)
    signals = recorder.signals()
    assert np.abs(signals["CDM"].values).max() > 0
    if WORLD.rank == 0:
        np.savez(
            OUT / f"{WORLD.size}.npz",
            description=told,
            kernels=kernels["CDM"].values,
            signal=signals["CDM"].values,
        )


main()
