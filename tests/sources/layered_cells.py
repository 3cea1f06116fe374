"""Populations with synapses in layers, on cells of the library."""

import lfpykernels
import numpy as np
import scipy.stats as st

from nestlfp import cells
from nestlfp.sources.layers import synapse_positions

LAYERS = {"upper": (0.0, -80.0), "middle": (-580.0, -80.0), "lower": (-580.0, -900.0)}
COLUMN = {"radius": 500.0, "loc": -330.0, "scale": 14.0}
SIZES = {"E": 400, "I": 100}  # presynaptic
N_Y = 300
C_YX = (0.1, 0.2)
WEIGHT = {"E": 0.08, "I": -0.3}  # nA
TAU_SYN = 0.5  # ms
SHARES = {"E": {"upper": 0.3, "middle": 0.7}, "I": {"middle": 1.0}}
CONTACTS = np.array([0.0, -200.0, -330.0, -600.0])


def cell(name="p23"):
    """Arguments of LFPy.TemplateCell."""
    return dict(cells.cell(name).parameters)


def approximation(name="p23", shares=SHARES, **changes):
    """A population of cells of one type."""
    given = {
        "X": list(SIZES),
        "Y": "Y",
        "N_X": np.array(list(SIZES.values())),
        "N_Y": N_Y,
        "C_YX": np.array(C_YX),
        "cellParameters": cell(name),
        "populationParameters": COLUMN,
        "multapseFunction": st.norm,
        "multapseParameters": [{"loc": 1.0, "scale": 0.01}] * 2,
        "delayFunction": st.truncnorm,
        "delayParameters": [{"a": -1.9, "b": np.inf, "loc": 1.5, "scale": 0.75}] * 2,
        "synapseParameters": [
            {"syntype": "ExpSynI", "tau": TAU_SYN, "weight": weight} for weight in WEIGHT.values()
        ],
        "synapsePositionArguments": [
            synapse_positions(
                cell(name), LAYERS, shares[pre], depth=COLUMN["loc"], section=["apic", "dend"],
                spread=COLUMN["scale"], name=name,
            )
            for pre in SIZES
        ],
        "conductance_based": False,
    }  # fmt: skip
    return lfpykernels.KernelApprox(**(given | changes))


def probes():
    return [
        lfpykernels.GaussCylinderPotential(
            None, z=CONTACTS, sigma=0.3, R=COLUMN["radius"], sigma_z=COLUMN["scale"]
        ),
        lfpykernels.KernelApproxCurrentDipoleMoment(None),
    ]
