"""The kernels of the two-population network, computed with LFPykernels."""

import os

os.environ.setdefault("NEURON_MODULE_OPTIONS", "-nogui")  # no warning about a missing display

import LFPy
import lfpykernels
import numpy as np
import parameters as p

from nestlfp import KernelSet
from nestlfp.sources import mechanisms
from nestlfp.sources.lfpykernels import compute


def compute_kernels(*, progress: bool = True) -> KernelSet:
    """LFP (mV) and current dipole moment (nA µm) per presynaptic spike, by pathway."""
    mechanisms.load()
    return compute(
        {post: approximation(post) for post in p.POPULATIONS},
        probes(),
        dt=p.DT,
        Vrest=p.V_REST,
        t_X=p.T_SPIKE,
        tau=p.TAU,
        g_eff=True,
        depths="LFPykernels",  # as published
        progress=progress,
    )


def probes() -> list:
    """A laminar electrode through the population's centre, and the population's dipole."""
    return [
        lfpykernels.GaussCylinderPotential(
            None, z=p.CONTACTS_Z, sigma=p.SIGMA, R=p.COLUMN["radius"], sigma_z=p.COLUMN["scale"]
        ),
        lfpykernels.KernelApproxCurrentDipoleMoment(None),
    ]


def approximation(post: str) -> lfpykernels.KernelApprox:
    """One cell that stands for the postsynaptic population, and how the network drives it."""
    pathways = [(pre, post) for pre in p.POPULATIONS]
    return lfpykernels.KernelApprox(
        X=list(p.POPULATIONS),
        Y=post,
        N_X=np.array([p.SIZES[pre] for pre in p.POPULATIONS]),
        N_Y=p.SIZES[post],
        C_YX=np.full(len(pathways), p.CONNECTION_PROBABILITY),
        cellParameters=cell(post),
        populationParameters=p.COLUMN,
        multapseParameters=[p.MULTAPSES[pathway] for pathway in pathways],
        delayParameters=[p.SYNAPTIC_DELAY[pathway] for pathway in pathways],
        synapseParameters=[
            {**p.SYNAPSE[pre], "weight": p.CONDUCTANCE[pre, post]} for pre in p.POPULATIONS
        ],
        synapsePositionArguments=[p.SYNAPSE_POSITIONS[pathway] for pathway in pathways],
        extSynapseParameters=p.EXTERNAL_SYNAPSE,
        nu_ext=p.EXTERNAL_RATE,
        n_ext=p.EXTERNAL_SYNAPSES[post],
        nu_X=p.ASSUMED_RATES,
    )


def cell(post: str) -> dict:
    """Arguments of LFPy.TemplateCell."""
    return {
        "morphology": str(p.HERE / "cells" / f"{post}.hoc"),
        "templatefile": str(p.HERE / "cells" / "BallAndSticks.hoc"),
        "templatename": "BallAndSticks",
        "v_init": p.V_REST,
        "Ra": 100.0,  # Ω cm
        "cm": 1.0,  # µF/cm²
        "passive": True,
        "passive_parameters": {"g_pas": p.LEAK["dend"], "e_pas": p.V_REST},
        "custom_fun": [set_leak],
        "custom_fun_args": [{"leak": p.LEAK}],
    }


def set_leak(cell: LFPy.TemplateCell, leak: dict[str, float]) -> None:
    """Leak conductance by kind of section (S/cm²)."""
    for section in cell.allseclist:
        kind = section.name().rpartition(".")[2].partition("[")[0]
        section.g_pas = leak[kind]
