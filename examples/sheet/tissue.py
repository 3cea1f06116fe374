"""A sheet of tissue: point neurons whose targets are near them, in NEST, and cells for its LFP.

Two populations stand at random in a periodic sheet. The probability of a connection is Gaussian in
the distance, and a spike takes the longer the further it goes. Cells and synapse positions are
those of `examples/two_population`, with current-based synapses. Units are those of the program that
takes a value: NEST has pA, ms, mV, and mm in space; LFPykernels nA; other positions are in µm.
"""

import math
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path

os.environ.setdefault("NEURON_MODULE_OPTIONS", "-nogui")  # no warning about a missing display

import nest
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "two_population"))

import lfpykernels
import parameters as p

import kernels as published
from nestlfp import KernelSet, NeuronKernels
from nestlfp.sources import mechanisms, sheets

POPULATIONS = ("E", "I")
DT = 2**-4  # ms
TAU = 60.0  # ms, the last lag
NEURON = {
    "C_m": 250.0, "tau_m": 10.0, "E_L": -65.0, "V_th": -50.0, "V_reset": -65.0, "t_ref": 2.0,
    "tau_syn_ex": 0.5, "tau_syn_in": 0.5,
}  # fmt: skip
RISE = 0.05  # ms, of synapses on the multicompartment cells; NEST's jump
DELAY = 1.0  # ms, of the synapse itself
SPEED = 300.0  # µm/ms
DEPTH_SPREAD = 40.0  # µm, standard deviation of the cells' depths
SIGMA = p.SIGMA  # S/m
DEPTH = -50.0  # µm, of the electrodes' tips
PATCH = 50.0  # µm
DEPTHS = 7  # of cells, that kernels are averaged over
FILTER = 3e-3  # largest error of the filter at any lag, of a contact's peak


@dataclass(frozen=True)
class Tissue:
    """How large the sheet is, and how it is connected."""

    width: float = 4000.0  # µm
    sizes: dict[str, int] = field(default_factory=lambda: {"E": 16_000, "I": 4_000})
    spread: dict[str, float] = field(default_factory=lambda: {"E": 450.0, "I": 400.0})  # µm
    targets: int = 1000  # of a neuron
    weight: float = 60.0  # pA
    inhibition: float = 8.0  # times as strong
    noise: float = 13_000.0  # spikes/s from outside
    images: int = 1  # copies of the sheet that contacts see to each side
    seed: int = 1

    @property
    def sheet(self) -> sheets.Sheet:
        """The tissue, as sources of kernels see it."""
        return sheets.Sheet(self.width, periodic=True, images=self.images)

    @property
    def profiles(self) -> dict[str, sheets.Gaussian]:
        """Where targets are."""
        return {pre: sheets.Gaussian(spread) for pre, spread in self.spread.items()}

    def out_degree(self, post: str) -> float:
        """Mean number of targets of a neuron."""
        return self.targets * self.sizes[post] / sum(self.sizes.values())

    def peak(self, pre: str, post: str) -> float:
        """Probability of a connection between neurons in the same place."""
        density = self.sizes[post] / self.width**2
        found = self.out_degree(post) / density * self.profiles[pre].density(np.zeros(1))[0]
        if found > 1:
            raise SystemExit(
                f"{pre} to {post}: {self.targets} targets within {self.spread[pre]:g} µm need more "
                f"neurons, the probability would be {found:.2f}"
            )
        return float(found)

    def weights(self, pre: str) -> float:
        """Weight of a synapse (pA)."""
        return self.weight * (1.0 if pre == "E" else -self.inhibition)


# ---------------------------------------------------------------------- in NEST
def reset(tissue: Tissue, threads: int) -> None:
    """An empty kernel; install modules after it and build the network then."""
    nest.ResetKernel()
    nest.set(
        tics_per_ms=16000, resolution=DT, rng_seed=tissue.seed, total_num_virtual_procs=threads
    )


def build(tissue: Tissue) -> dict[str, nest.NodeCollection]:
    """Neurons in space, their connections, and noise."""
    mm = tissue.width / 1000.0
    rng = np.random.default_rng(tissue.seed)
    neurons = {}
    for name, n in tissue.sizes.items():
        where = rng.uniform(-mm / 2, mm / 2, (n, 2))
        neurons[name] = nest.Create(
            "iaf_psc_exp",
            n,
            params=NEURON,
            positions=nest.spatial.free(where.tolist(), extent=[mm, mm], edge_wrap=True),
        )
        neurons[name].V_m = nest.random.normal(-58.0, 5.0)
    for pre, sources in neurons.items():
        spread = tissue.spread[pre] / 1000.0
        for post, targets in neurons.items():
            distance = nest.spatial.distance
            rule = {
                "rule": "pairwise_bernoulli",
                "p": tissue.peak(pre, post)
                * nest.spatial_distributions.gaussian(distance, std=spread),
                "mask": {"circular": {"radius": min(4 * spread, mm / 2)}},
            }
            delay = DELAY + distance * 1000.0 / SPEED
            nest.Connect(sources, targets, rule, {"weight": tissue.weights(pre), "delay": delay})
    noise = nest.Create("poisson_generator", params={"rate": tissue.noise})
    for targets in neurons.values():
        nest.Connect(noise, targets, syn_spec={"weight": tissue.weight, "delay": DELAY})
    return neurons


def positions(neurons: dict[str, nest.NodeCollection]) -> dict[str, np.ndarray]:
    """Where each neuron is (µm)."""
    return {name: 1000.0 * np.array(nest.GetPosition(found)) for name, found in neurons.items()}


# ---------------------------------------------------------------------- cells
def approximation(tissue: Tissue, post: str) -> lfpykernels.KernelApprox:
    """A population and its synapses, as LFPykernels takes them."""
    sizes = tissue.sizes
    return lfpykernels.KernelApprox(
        X=list(POPULATIONS),
        Y=post,
        N_X=np.array([sizes[pre] for pre in POPULATIONS]),
        N_Y=sizes[post],
        C_YX=np.array([_probability(tissue, pre, post) for pre in POPULATIONS]),
        cellParameters=published.cell(post),
        populationParameters={"radius": tissue.width / 2, "loc": 0.0, "scale": DEPTH_SPREAD},
        multapseParameters=[{"a": 0.0, "b": 1.0, "loc": 1.0, "scale": 1e-9} for _ in POPULATIONS],
        delayParameters=[{"a": -0.5, "b": 0.5, "loc": DELAY, "scale": DT} for _ in POPULATIONS],
        synapseParameters=[
            {
                "syntype": "Exp2SynI",
                "weight": tissue.weights(pre) / 1000.0,
                "tau1": RISE,
                "tau2": NEURON["tau_syn_ex"],
            }
            for pre in POPULATIONS
        ],
        synapsePositionArguments=[p.SYNAPSE_POSITIONS[pre, post] for pre in POPULATIONS],
        conductance_based=False,
    )


def _probability(tissue: Tissue, pre: str, post: str) -> float:
    """With which LFPykernels finds as many connections: it lets pairs be connected twice."""
    pairs = tissue.sizes[pre] * tissue.sizes[post]
    return -math.expm1(tissue.out_degree(post) * tissue.sizes[pre] * math.log1p(-1 / pairs))


def array(width: float, n: int) -> np.ndarray:
    """Contacts (µm) of a square array over the whole sheet."""
    along = (np.arange(n) - (n - 1) / 2) * width / n
    return np.array([[x, y, DEPTH] for x in along for y in along])


def patches(tissue: Tissue, contacts: np.ndarray, *, progress: bool = True) -> KernelSet:
    """What a spike does through a patch of tissue."""
    mechanisms.load()
    return sheets.patches(
        {post: approximation(tissue, post) for post in POPULATIONS},
        tissue.sheet,
        contacts,
        width=PATCH,
        sigma=SIGMA,
        dt=DT,
        tau=TAU,
        g_eff=False,
        depths=DEPTHS,
        correct_charge=True,
        progress=progress,
    )


def kernels(
    found: KernelSet, tissue: Tissue, contacts: np.ndarray, left_out: float = 1e-3
) -> NeuronKernels:
    """Kernels of neurons at any place."""
    return sheets.kernels(
        found,
        tissue.sheet,
        contacts,
        tissue.profiles,
        speeds=dict.fromkeys(POPULATIONS, SPEED),
        left_out=left_out,
        sizes=tissue.sizes,
    )
