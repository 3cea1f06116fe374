"""Brunel's network as Skaar et al. 2020 use it (PLoS Comput Biol 16(3): e1007725).

Two populations of leaky integrate-and-fire neurons with delta synapses (`network.py`), and the
cells that their LFP comes from (`kernels.py`). What the paper's text leaves open follows its
authors' public code (github.com/CINPLA/Skaar_et_al_2020_PLoS_Comput_Biol). Units are those of the
program that takes a value: NEURON has nA, ms, µm and mV, NEST pF, ms and mV.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent

POPULATIONS = ("E", "I")
DT = 0.1  # ms, of the network

# ---------------------------------------------------------------------- point neurons, for NEST
SIZES = {"E": 10_000, "I": 2500}
INDEGREES = {"E": 1000, "I": 250}
NEURON = {
    "tau_m": 20.0,
    "V_th": 20.0,
    "V_reset": 10.0,
    "E_L": 0.0,
    "t_ref": 2.0,
    "C_m": 250.0,  # does not matter: a delta synapse is a jump of the potential
}
DELAY = 1.5  # ms, of all connections


@dataclass(frozen=True)
class Point:
    """A point in the space of the network's parameters."""

    eta: float  # external rate over the rate that takes a neuron to threshold by itself
    g: float  # inhibitory weight over excitatory weight
    J: float  # excitatory weight (mV)

    @property
    def factors(self) -> dict[str, float]:
        """What kernels of J = 1 mV and g = 1 are multiplied by, by presynaptic population."""
        return {"E": self.J, "I": self.g * self.J}

    @property
    def external_rate(self) -> float:
        """Spikes/s that a neuron gets from outside."""
        return 1000.0 * self.eta * NEURON["V_th"] / (self.J * NEURON["tau_m"])


# ---------------------------------------------------------------------- cells, for the kernels
CELL_DT = 2**-4  # ms
TAU = 99.0  # ms, the last lag
COLUMN = {  # µm: 1 mm² of cortex, somas between -450 and -350, as mean and s.d.
    "radius": np.sqrt(1000.0**2 / np.pi),
    "loc": -400.0,
    "scale": 100.0 / np.sqrt(12.0),
}
PASSIVE = {"g_pas": 1.0 / 20_000.0, "e_pas": 0.0}  # S/cm², mV
CAPACITANCE, RESISTANCE = 1.0, 150.0  # µF/cm², Ω cm

LAYERS = {"upper": (-300.0, 0.0), "lower": (-500.0, -300.0)}  # µm
SHARES = {"E": {"upper": 0.5, "lower": 0.5}, "I": {"lower": 1.0}}  # of synapses, by presynaptic

TAU_SYN = 5.0  # ms, of an alpha function
PEAK = {"E": 7.357e-3, "I": -7.357e-3}  # nA, of a synapse of 1 mV: 100 fC

CONTACTS_Z = np.arange(0.0, -600.0, -100.0)  # µm
SIGMA = 0.3  # S/m
