"""The LFP's kernels of a synapse of 1 mV, computed with LFPykernels."""

import hashlib
import os
from pathlib import Path

os.environ.setdefault("NEURON_MODULE_OPTIONS", "-nogui")  # no warning about a missing display

import lfpykernels
import numpy as np
import parameters as p
import scipy.stats as st

from nestlfp import KernelSet
from nestlfp.sources import mechanisms
from nestlfp.sources.layers import synapse_positions
from nestlfp.sources.lfpykernels import compute


def cached_kernels(path: Path) -> KernelSet:
    """Kernels from a file, computed and written there unless it has those of these cells."""
    sources = sorted([*p.HERE.glob("cells/*.hoc"), p.HERE / "kernels.py", p.HERE / "parameters.py"])
    digest = hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()
    if path.exists():
        found = KernelSet.load(path)
        if found.provenance.get("sources") == digest:
            return found
    found = compute_kernels({"sources": digest})
    path.parent.mkdir(parents=True, exist_ok=True)
    found.save(path, overwrite=True)
    return found


def compute_kernels(provenance: dict[str, str]) -> KernelSet:
    """LFP (mV) per presynaptic spike, at J = 1 mV and g = 1, at the network's resolution.

    Only excitatory cells have synapses far enough from each other to matter: those of inhibitory
    cells give 0.01 µV at most, and are left out.
    """
    mechanisms.load()
    probe = lfpykernels.GaussCylinderPotential(
        None, z=p.CONTACTS_Z, sigma=p.SIGMA, R=p.COLUMN["radius"], sigma_z=p.COLUMN["scale"]
    )
    found = compute(
        {"E": approximation()},
        [probe],
        dt=p.CELL_DT,
        Vrest=p.PASSIVE["e_pas"],
        t_X=100.0,
        tau=p.TAU,
        g_eff=False,
        depths="LFPykernels",  # as spectra.nc of examples/parameter_estimation
        provenance=provenance,
    )
    return found.resample(p.DT)


def approximation() -> lfpykernels.KernelApprox:
    """One cell that stands for the excitatory population, and how the network drives it."""
    return lfpykernels.KernelApprox(
        X=list(p.POPULATIONS),
        Y="E",
        N_X=np.array([p.SIZES[pre] for pre in p.POPULATIONS]),
        N_Y=p.SIZES["E"],
        C_YX=np.array([p.INDEGREES[pre] / p.SIZES[pre] for pre in p.POPULATIONS]),
        cellParameters=cell(),
        populationParameters=p.COLUMN,
        multapseFunction=st.norm,  # of 1, 2, ... synapses: 1
        multapseParameters=[{"loc": 1.0, "scale": 0.01}] * 2,
        delayFunction=st.norm,
        delayParameters=[{"loc": p.DELAY, "scale": 0.01}] * 2,
        synapseParameters=[
            # As near to an alpha function as a difference of exponentials comes.
            {"syntype": "Exp2SynI", "weight": p.PEAK[pre], "tau1": 0.9999 * p.TAU_SYN,
             "tau2": p.TAU_SYN, "e": 0.0}
            for pre in p.POPULATIONS
        ],
        # LFPykernels widens layers by the spread of the cells' depths. That could be allowed for,
        # and would change kernels by 0.4 %; spectra.nc of examples/parameter_estimation is without.
        synapsePositionArguments=[
            synapse_positions(
                cell(), p.LAYERS, p.SHARES[pre], depth=p.COLUMN["loc"], section=["apic", "dend"]
            )
            for pre in p.POPULATIONS
        ],
        conductance_based=False,
    )  # fmt: skip


def cell() -> dict:
    """Arguments of LFPy.TemplateCell."""
    return {
        "morphology": str(p.HERE / "cells" / "E.hoc"),
        "templatefile": str(p.HERE / "cells" / "Template.hoc"),
        "templatename": "Sticks",
        "v_init": p.PASSIVE["e_pas"],
        "Ra": p.RESISTANCE,
        "cm": p.CAPACITANCE,
        "passive": True,
        "passive_parameters": p.PASSIVE,
        "nsegs_method": "lambda_f",
        "lambda_f": 100.0,
    }
