"""A left hemisphere of 32 microcircuits: where they are, how they are coupled, how they are seen.

Each patch of cortex has the microcircuit of Potjans and Diesmann (`examples/microcircuit`), made
smaller, and a bundle of axons from outside, which end as those of the thalamus do. In V1 they come
from the thalamus. In all other patches they are axons of pyramidal cells in layer 2/3 of other
patches, the more the nearer these are: the exponential distance rule.
"""

import sys
from functools import cache
from pathlib import Path
from typing import Any

import nest
import numpy as np
from lfpykit.eegmegcalc import FourSphereVolumeConductor, SphericallySymmetricVolCondMEG

sys.path.append(str(Path(__file__).resolve().parents[1] / "microcircuit"))

import circuit as c
import network_in_nest as net
import responses

from nestlfp import KernelSet, geometry
from nestlfp.sources import cortex

# Centres of patches in the frame of fsaverage (mm), spread evenly over the hemisphere. Names say
# roughly where they are; this is no parcellation.
CENTRES = {
    "V1": (-9, -91, 4), "LO": (-31, -90, -5), "V3A": (-32, -78, 24), "POS": (-9, -66, 22),
    "IPS": (-18, -66, 46), "FG": (-43, -64, -12), "LG": (-18, -63, -6), "MTG": (-57, -48, 2),
    "SMG": (-52, -43, 29), "SPL": (-21, -41, 61), "RSC": (-15, -38, -6), "PHG": (-35, -35, -19),
    "PCC": (-8, -33, 42), "STG": (-56, -19, -5), "A1": (-39, -15, 10), "MTL": (-21, -13, -26),
    "M1": (-42, -13, 49), "SMA": (-15, -12, 64), "ITG": (-49, -11, -33), "S1": (-57, -10, 24),
    "MCC": (-6, 3, 40), "INS": (-38, 7, -12), "TP": (-34, 11, -32), "FEF": (-30, 15, 45),
    "IFG": (-48, 18, 10), "mOFC": (-12, 25, -18), "SFG": (-12, 30, 52), "ACC": (-8, 34, 20),
    "DLPFC": (-25, 39, 28), "VLPFC": (-39, 42, -4), "vmPFC": (-8, 51, -12), "FP": (-15, 59, 16),
}  # fmt: skip
DRIVEN = "V1"  # by the thalamus
AREA = 100.0  # mm², of each patch
BRAIN = 79e3  # µm, radius of the innermost sphere of LFPykit's head
HELMET = 115e3  # µm, of magnetometers
MAGNETOMETERS = 102
ELECTRODES = "biosemi64"

# Weights fall with the distance as exp(-0.19 d/mm) in the macaque (Ercsey-Ravasz et al. 2013,
# Neuron 80: 184). It is not scaled to the larger brain of humans.
DISTANCE_RULE = 0.19  # 1/mm
SPEED = 3.0  # mm/ms, of axons
AXONS = 6000  # from other patches, into a patch of full size; the thalamus has 902
FROM = "L23E"  # whose axons leave a patch
SYNAPSE = "static_synapse"
SPIKING, JITTER = 0.15, 3.0  # part of the thalamus that spikes in a pulse, and s.d. (ms) of when
FIRST_PULSE, EVERY = 400.0, 250.0  # ms


def patches() -> cortex.Patches:
    """The patches, in the frame of fsaverage."""
    centres = {name: 1e3 * np.array(place) for name, place in CENTRES.items()}
    return cortex.Patches.around(cortex.fsaverage("left"), centres, AREA)


# ---------------------------------------------------------------------- sensors and kernels
def helmet() -> np.ndarray:
    """Places of magnetometers (µm): a spiral over the upper part of a sphere."""
    n = np.arange(MAGNETOMETERS) + 0.5
    up = 1.0 - 1.3 * n / MAGNETOMETERS
    angle = np.pi * (1.0 + np.sqrt(5.0)) * n
    across = np.sqrt(1.0 - up**2)
    return HELMET * np.stack([across * np.cos(angle), across * np.sin(angle), up], axis=1)


def models() -> dict[str, Any]:
    """The head with 64 electrodes, and the sphere with 102 magnetometers."""
    places = np.array([*geometry.electrodes(ELECTRODES).values()])
    return {
        "EEG": FourSphereVolumeConductor(places),
        "MEG": SphericallySymmetricVolCondMEG(helmet()),
    }


@cache
def dipole_kernels(scale: float) -> KernelSet:
    """Kernels of a patch's dipole moment: a spike stands for those of all neurons it represents.

    The microcircuit is the cortex under 1 mm², and all of a patch is taken to do the same. A
    network of a smaller scale has fewer neurons in place of them.
    """
    full = responses.full_size_kernels(c.CONTACTS_Z).select(signals="CDM").resample(c.DT)
    named = full.stored.assign_coords(pre=["axons" if pre == "TC" else pre for pre in full.pre])
    return KernelSet(named).scale(dict.fromkeys(named["pre"].values, AREA / scale))


def kernels(scale: float, found: cortex.Patches) -> KernelSet:
    """EEG and MEG kernels of all populations of all patches."""
    made = cortex.kernels(
        dipole_kernels(scale),
        found.inside(BRAIN),
        models(),
        channels={"EEG": [*geometry.electrodes(ELECTRODES)]},
        normals={"MEG": helmet()},
        units={"EEG": "µV", "MEG": "fT"},
    )
    return made.scale({f"{DRIVEN}/axons": scale})  # the thalamus is all there


# ---------------------------------------------------------------------- the network
def build(choice: net.Choice, found: cortex.Patches) -> net.Nodes:
    """All neurons and their synapses: populations ``"V1/L5E"``, axons ``"V1/axons"``."""
    neurons = {
        f"{patch}/{name}": net.create(choice, name)
        for patch in found.names
        for name in c.POPULATIONS
    }
    for patch in found.names:
        n = c.N_TC if patch == DRIVEN else round(AXONS * choice.scale)
        neurons[f"{patch}/axons"] = nest.Create("parrot_neuron", n)
    for patch in found.names:
        own = {name: neurons[f"{patch}/{name}"] for name in c.POPULATIONS}
        own["TC"] = neurons[f"{patch}/axons"]
        for post in c.POPULATIONS:
            for pre in c.POPULATIONS:
                net.connect(choice, own, pre, post, SYNAPSE)
            # Each axon makes as many synapses as one of the thalamus does.
            as_thalamic = round(AXONS / c.N_TC * choice.scale * choice.synapses("TC", post))
            number = None if patch == DRIVEN else as_thalamic
            net.connect(choice, own, "TC", post, SYNAPSE, number)
    _couple(neurons, found, np.random.default_rng(choice.seed))
    return neurons


def shares(found: cortex.Patches) -> np.ndarray:
    """The part of each patch's axons (row) that comes from each patch (column)."""
    fall = np.exp(-DISTANCE_RULE * found.distances / 1e3)
    np.fill_diagonal(fall, 0.0)
    return fall / fall.sum(axis=1, keepdims=True)


def _couple(neurons: net.Nodes, found: cortex.Patches, rng: np.random.Generator) -> None:
    """Each axon from outside is that of a neuron somewhere else."""
    sources = [np.array(neurons[f"{patch}/{FROM}"].tolist()) for patch in found.names]
    parts = shares(found)
    for i, patch in enumerate(found.names):
        if patch == DRIVEN:
            continue
        axons = np.array(neurons[f"{patch}/axons"].tolist())
        origin = rng.choice(len(sources), len(axons), p=parts[i])
        chosen = np.array([rng.choice(sources[j]) for j in origin])
        delay = np.round(found.distances[i, origin] / 1e3 / SPEED, 1)
        synapse = {"weight": np.ones(len(axons)), "delay": delay}
        nest.Connect(chosen, axons, "one_to_one", synapse)


def drive(choice: net.Choice, neurons: net.Nodes, found: cortex.Patches) -> None:
    """Background input everywhere, and pulses, in which a part of the thalamus spikes once."""
    for patch in found.names:
        own = {name: neurons[f"{patch}/{name}"] for name in c.POPULATIONS}
        net.background(choice, own)
    thalamus = neurons[f"{DRIVEN}/axons"][: round(SPIKING * c.N_TC)]
    late = np.random.default_rng(choice.seed).normal(0.0, JITTER, (len(thalamus), 1))
    times = np.round(np.array(pulses(choice)) + late - net.ONE_STEP, 1)
    generators = nest.Create("spike_generator", len(thalamus))
    generators.set([{"spike_times": each.tolist()} for each in times])
    nest.Connect(generators, thalamus, "one_to_one", {"delay": net.ONE_STEP})


def pulses(choice: net.Choice) -> list[float]:
    """When the thalamus spikes (ms)."""
    return list(np.arange(FIRST_PULSE, choice.duration - EVERY + 1.0, EVERY))
