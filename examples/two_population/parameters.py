"""The two-population network of Hagen et al. 2022 (PLoS Comput Biol 18(8): e1010353).

Everything that describes the network stands here: the cells, from which the kernels follow
(`kernels.py`), and the point neurons, which give the spikes (`network.py`). Units are those of
the program that takes a value: NEURON has µS, ms, µm and mV, NEST pA, pF, ms and mV.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import TypedDict

import numpy as np
import scipy.stats as st

HERE = Path(__file__).resolve().parent

POPULATIONS = ("E", "I")
SIZES = {"E": 8192, "I": 1024}
DT = 2**-4  # ms

# ---------------------------------------------------------------------- cells, for the kernels
V_REST = -65.0  # mV
T_SPIKE = 200.0  # ms, when the presynaptic population spikes
TAU = 50.0  # ms, the last lag
CONNECTION_PROBABILITY = 0.05
ASSUMED_RATES = {"E": 2.3, "I": 4.9}  # spikes/s
# The published ion channels of Hay et al. 2011, frozen at rest: what leaks, summed (S/cm²).
LEAK = {"soma": 0.1638e-3, "dend": 0.08111e-3, "apic": 0.08111e-3}

COLUMN = {"radius": 150.0, "loc": 0.0, "scale": 75.0}  # µm: cylinder, mean depth and s.d.
CONTACTS_Z = np.linspace(1000.0, -200.0, 13)  # µm
SIGMA = 0.3  # S/m


class Synapse(TypedDict):
    """Arguments of LFPy for a synapse, but for its weight: times in ms, reversal in mV."""

    syntype: str
    tau1: float
    tau2: float
    e: float


# By presynaptic population.
SYNAPSE: dict[str, Synapse] = {
    "E": {"syntype": "Exp2Syn", "tau1": 0.2, "tau2": 1.8, "e": 0.0},
    "I": {"syntype": "Exp2Syn", "tau1": 0.1, "tau2": 9.0, "e": -80.0},
}
EXTERNAL_SYNAPSE = {"syntype": "Exp2Syn", "weight": 0.0002, "tau1": 0.2, "tau2": 1.8, "e": 0.0}
EXTERNAL_RATE = 40.0  # spikes/s
EXTERNAL_SYNAPSES = {"E": 450, "I": 160}

# By presynaptic and postsynaptic population.
CONDUCTANCE = {  # µS
    ("E", "E"): 0.00015,
    ("E", "I"): 0.00012,
    ("I", "E"): 0.0045,
    ("I", "I"): 0.0020,
}


def truncated_normal(
    loc: float, scale: float, low: float, high: float = np.inf
) -> dict[str, float]:
    """Parameters of scipy.stats.truncnorm on [low, high]."""
    return {"a": (low - loc) / scale, "b": (high - loc) / scale, "loc": loc, "scale": scale}


MULTAPSES = {
    ("E", "E"): truncated_normal(2.0, 0.4, 1, 10),
    ("E", "I"): truncated_normal(2.0, 0.6, 1, 10),
    ("I", "E"): truncated_normal(5.0, 0.9, 1, 10),
    ("I", "I"): truncated_normal(5.0, 1.1, 1, 10),
}
SYNAPTIC_DELAY = {  # ms
    ("E", "E"): truncated_normal(1.5, 0.3, 0.3),
    ("E", "I"): truncated_normal(1.4, 0.4, 0.3),
    # As published: the bound, 0.25 ms, does not follow from this mean as the others do.
    ("I", "E"): {"a": (0.3 - 1.4) / 0.5, "b": np.inf, "loc": 1.3, "scale": 0.5},
    ("I", "I"): truncated_normal(1.2, 0.6, 0.3),
}


class Positions(TypedDict):
    """Arguments of LFPy for where synapses are."""

    section: list[str]
    fun: list[st.rv_continuous]
    funargs: list[dict[str, float]]
    funweights: list[float]


def normal_depths(
    sections: Iterable[str], *weight_mean_sd: tuple[float, float, float]
) -> Positions:
    """Where synapses are: a weighted sum of normal distributions of depth (µm) on `sections`."""
    weights, means, deviations = zip(*weight_mean_sd, strict=True)
    return {
        "section": list(sections),
        "fun": [st.norm] * len(weights),
        "funargs": [dict(loc=m, scale=s) for m, s in zip(means, deviations, strict=True)],
        "funweights": list(weights),
    }


SYNAPSE_POSITIONS = {
    ("E", "E"): normal_depths(("apic", "dend"), (0.5, 0.0, 100.0), (1.0, 500.0, 100.0)),
    ("E", "I"): normal_depths(("apic", "dend"), (1.0, 50.0, 100.0)),
    ("I", "E"): normal_depths(("soma", "apic", "dend"), (1.0, -50.0, 100.0)),
    ("I", "I"): normal_depths(("soma", "apic", "dend"), (1.0, -100.0, 100.0)),
}

# ---------------------------------------------------------------------- point neurons, for NEST
NEURON = {
    post: {
        "C_m": c_m,
        "tau_m": 10.0,
        "E_L": V_REST,
        "V_reset": V_REST,
        "tau_syn_ex": 0.5,
        "tau_syn_in": 0.5,
    }
    for post, c_m in (("E", 269.0), ("I", 100.0))
}
NETWORK_CONNECTION_PROBABILITY = 0.5
NETWORK_WEIGHT = {  # pA, mean; s.d. 10 %
    ("E", "E"): 1.39819177,
    ("E", "I"): 1.87482734,
    ("I", "E"): -19.12938525,
    ("I", "I"): -12.40596036,
}
NETWORK_WEIGHT_SPREAD = 0.1
NETWORK_DELAY = {  # ms, mean; s.d. 50 %
    ("E", "E"): 3.93631828,
    ("E", "I"): 3.55375378,
    ("I", "E"): 2.7270546,
    ("I", "I"): 3.07831483,
}
NETWORK_DELAY_SPREAD = 0.5
SHORTEST_DELAY = 0.3  # ms
EXTERNAL_WEIGHT = 28.16271785  # pA
