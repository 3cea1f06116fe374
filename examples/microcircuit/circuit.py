"""The numbers of the microcircuit: neurons, synapses, rates and layers.

Potjans and Diesmann 2014 (Cereb Cortex 24(3): 785), with the values of NEST's own example
(`INM-6/microcircuit-PD14-model`); geometry as in Hagen et al. 2016 (Cereb Cortex 26(12): 4461).
Tables of anatomy are in `anatomy.py`, the network in NEST in `network_in_nest.py`.
"""

from pathlib import Path

import numpy as np
from anatomy import CONNECTION_PROBABILITY, PRE

HERE = Path(__file__).resolve().parent

DT = 0.1  # ms
SIZES = {
    "L23E": 20683,
    "L23I": 5834,
    "L4E": 21915,
    "L4I": 5479,
    "L5E": 4850,
    "L5I": 1065,
    "L6E": 14395,
    "L6I": 2948,
}
N_TC = 902
POPULATIONS = tuple(SIZES)
EXTERNAL_IN_DEGREE = dict(
    zip(POPULATIONS, (1600, 1500, 2100, 1900, 2000, 1900, 2900, 2100), strict=True)
)
EXTERNAL_RATE = 8.0  # spikes/s
# Of the full network, in one run of NEST's example over 4 threads; also what smaller networks'
# input is made up for.
RATES = dict(
    zip(POPULATIONS, (0.903, 2.965, 4.414, 5.876, 7.569, 8.633, 1.105, 7.829), strict=True)
)
INITIAL_POTENTIAL = {  # mean and standard deviation (mV)
    "L23E": (-68.28, 5.36),
    "L23I": (-63.16, 4.57),
    "L4E": (-63.33, 4.74),
    "L4I": (-63.45, 4.94),
    "L5E": (-63.11, 4.94),
    "L5I": (-61.66, 4.55),
    "L6E": (-66.72, 5.46),
    "L6I": (-61.43, 4.48),
}
TAU_SYN = 0.5  # ms
NEURON = {
    "C_m": 250.0,
    "tau_m": 10.0,
    "tau_syn_ex": TAU_SYN,
    "tau_syn_in": TAU_SYN,
    "t_ref": 2.0,
    "E_L": -65.0,
    "V_reset": -65.0,
    "V_th": -50.0,
}
EPSP = 0.15  # mV
RELATIVE_INHIBITION = -4.0
WEIGHT_SPREAD = 0.1  # of the mean
DELAY = {"E": 1.5, "I": 0.75}  # ms, mean, of excitatory and inhibitory neurons
DELAY_SPREAD = 0.5  # of the mean

# The network that most figures of Hagen et al. 2016 are made with.
MODIFIED_WEIGHTS = {("L4I", "L4E"): 1.125}  # (pre, post): factor
MODIFIED_WEIGHT_SPREAD = 3.0  # of the mean, log-normal

LAYERS = {  # µm
    "L1": (0.0, -81.6),
    "L2/3": (-81.6, -587.1),
    "L4": (-587.1, -922.2),
    "L5": (-922.2, -1170.0),
    "L6": (-1170.0, -1491.7),
}
RADIUS = float(np.sqrt(1000.0**2 / np.pi))  # µm, of the column under 1 mm²
SOMA_SPREAD = 50.0 / np.sqrt(12.0)  # µm: uniform within ±25 µm
CONTACTS_Z = np.linspace(0.0, -1500.0, 16)  # µm
SIGMA = 0.3  # S/m


def layer_of(population: str) -> str:
    """Name of the layer that a population's somata are in."""
    layer = population[:-1]
    return "L2/3" if layer == "L23" else layer


def soma_depth(population: str) -> float:
    """Depth z of the somata (µm): the middle of their layer."""
    return float(np.mean(LAYERS[layer_of(population)]))


def size(population: str) -> int:
    """Neurons of a population of the full network, the thalamus included."""
    return N_TC if population == "TC" else SIZES[population]


def kind(population: str) -> str:
    """``"E"`` or ``"I"``; the thalamus excites."""
    return "I" if population.endswith("I") else "E"


def synapses(pre: str, post: str, scale: float = 1.0) -> int:
    """Number of synapses between two populations of the network of this scale.

    Neurons scale with `scale`, synapses with its square; the thalamus keeps its size, and its
    synapses scale as their targets do.
    """
    c = CONNECTION_PROBABILITY[post][PRE.index(pre)]
    pairs = size(pre) * SIZES[post]
    full = np.log(1.0 - c) / np.log(1.0 - 1.0 / pairs)  # as NEST's example rounds it
    return round(full * (scale if pre == "TC" else scale**2))


def pA_per_mV() -> float:
    """Peak of a postsynaptic current (pA) for a postsynaptic potential with a peak of 1 mV."""
    tau_m, tau_s = NEURON["tau_m"], TAU_SYN
    ratio = tau_m / tau_s
    q = ratio ** (1.0 / (tau_s - tau_m))
    rise = tau_m * tau_s / (tau_s - tau_m) * (q**tau_m - q**tau_s)
    return NEURON["C_m"] / rise


def weight(pre: str, post: str) -> float:
    """Mean weight in the full network (pA)."""
    excitatory = EPSP * pA_per_mV()
    if kind(pre) == "I":
        return RELATIVE_INHIBITION * excitatory
    return 2.0 * excitatory if (pre, post) == ("L4E", "L23E") else excitatory
