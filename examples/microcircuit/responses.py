"""The kernels of the microcircuit: sixteen cell types, nine presynaptic populations.

Kernels of the full network are computed once and kept in the user's cache folder. Those of a
smaller network are smaller by the square root of its scale: each neuron makes `scale` times as
many synapses, which are stronger by 1 / sqrt(scale).
"""

import hashlib
import os
from importlib.metadata import version
from pathlib import Path
from typing import Literal

os.environ.setdefault("NEURON_MODULE_OPTIONS", "-nogui")  # no warning about a missing display

import circuit as c
import lfpykernels
import lfpykit
import numpy as np
import scipy.stats as st
from anatomy import PRE, SYNAPSES_BY_LAYER, SYNAPSES_BY_TYPE
from lfpykit.eegmegcalc import FourSphereVolumeConductor
from platformdirs import user_cache_path

from nestlfp import KernelSet, cells
from nestlfp.sources import mechanisms
from nestlfp.sources.layers import synapse_positions
from nestlfp.sources.lfpykernels import CellType, compute

OCCURRENCE = {  # population: cell type and its part of all neurons of the cortex (%)
    "L23E": {"p23": 26.0},
    "L23I": {"b23": 3.1, "nb23": 4.2},
    "L4E": {"p4": 9.2, "ss4(L23)": 9.2, "ss4(L4)": 9.2},
    "L4I": {"b4": 5.4, "nb4": 1.5},
    "L5E": {"p5(L23)": 4.8, "p5(L56)": 1.3},
    "L5I": {"b5": 0.6, "nb5": 0.8},
    "L6E": {"p6(L4)": 13.6, "p6(L56)": 4.5},
    "L6I": {"b6": 2.0, "nb6": 2.0},
}
CELLS = {  # cell type: its name in nestlfp.cells, where that is another
    "b23": "i23",
    "nb23": "i23",
    "ss4(L23)": "ss4",
    "ss4(L4)": "ss4",
    "b4": "i4",
    "nb4": "i4",
    "p5(L23)": "p5_L23",
    "p5(L56)": "p5_L56",
    "b5": "i5",
    "nb5": "i5",
    "p6(L4)": "p6_L4",
    "p6(L56)": "p6_L56",
    "b6": "i6",
    "nb6": "i6",
}
UNKNOWN = {("L5I", "L4E")}
"""Pathways of which the anatomy has no entry; Hagen et al. leave them out too (0.3 synapses)."""
TAU = 50.0  # ms, the last lag: 0.03 % of the peak are left there
LFPYKERNELS_DT = 2**-4  # ms
Depths = int | Literal["LFPykernels"]
V_REST = cells.PASSIVE["v_init"]
BRAIN_RADIUS = 79_000.0  # µm, of the four-sphere head, whose scalp ends at 90 000
SCALP_RADIUS = 90_000.0


def microcircuit_kernels(
    scale: float = 1.0,
    modified: bool = False,
    *,
    depths: Depths = "LFPykernels",
    processes: int | None = None,
) -> KernelSet:
    """LFP, CSD, current dipole moment and EEG by pathway, for the network in NEST.

    From the cache folder, where they are computed when they are asked for the first time; `depths`
    as of `nestlfp.sources.lfpykernels.compute`.
    """
    kernels = full_size_kernels(c.CONTACTS_Z, depths=depths, processes=processes).resample(c.DT)
    kernels = kernels.scale({pre: float(np.sqrt(scale)) for pre in PRE})
    return with_eeg(kernels.scale(c.MODIFIED_WEIGHTS) if modified else kernels)


def full_size_kernels(
    contacts: np.ndarray, *, depths: Depths = "LFPykernels", processes: int | None = None
) -> KernelSet:
    """LFP, CSD and current dipole moment at LFPykernels' step, from the cache or computed."""
    path = cached(f"microcircuit_{len(contacts)}_{depths}", contacts)
    if not path.exists():
        kernels = compute_kernels(contacts, depths=depths, processes=processes)
        path.parent.mkdir(parents=True, exist_ok=True)
        kernels.save(path, overwrite=True)
    return KernelSet.load(path)


def with_eeg(kernels: KernelSet) -> KernelSet:
    """The same with the EEG at one contact on the scalp above; each population's dipole at its
    somata, the cortex at the surface of the brain."""
    head = FourSphereVolumeConductor(np.array([[0.0, 0.0, SCALP_RADIUS]]))
    place = {post: [0.0, 0.0, BRAIN_RADIUS + c.soma_depth(post)] for post in c.POPULATIONS}
    return kernels.project(head, to="EEG", dipole_positions=place, axes="outward", unit="µV")


def cached(name: str, contacts: np.ndarray) -> Path:
    """Where the kernels are kept that these files and contacts make."""
    library = Path(cells.__file__).parent
    files = [c.HERE / file for file in ("anatomy.py", "circuit.py", "responses.py")]
    files += [library / "library.py", *sorted(library.glob("hoc/*.hoc")), *mechanisms.own()]
    key = hashlib.sha256(b"".join(file.read_bytes() for file in files))
    key.update(np.asarray(contacts, dtype=float).tobytes())
    key.update("".join(version(tool) for tool in ("LFPykernels", "LFPy", "neuron")).encode())
    return user_cache_path("nestlfp") / "kernels" / f"{name}_{key.hexdigest()[:16]}.nc"


def compute_kernels(
    contacts: np.ndarray, *, depths: Depths, processes: int | None = None
) -> KernelSet:
    """Kernels of the full network at contacts with these depths (µm), without the EEG."""
    mechanisms.load()
    spread = c.SOMA_SPREAD if depths == "LFPykernels" else 0.0
    return compute(
        {post: cell_types(post, spread) for post in c.POPULATIONS},
        probes(contacts),
        dt=LFPYKERNELS_DT,
        Vrest=V_REST,
        t_X=TAU,  # the cells start at rest
        tau=TAU,
        g_eff=False,  # synapses are currents
        depths=depths,
        correct_charge=True,
        processes=processes,
        mechanisms=mechanisms.load,
    )


def probes(contacts: np.ndarray) -> list:
    """A laminar electrode in the middle of the column, slices around its contacts, the dipole."""
    half = abs(float(np.diff(contacts)[0])) / 2
    slices = np.column_stack([contacts - half, contacts + half])
    # LFPykit wants a cell when this probe is made; LFPykernels puts its own into it.
    stick = lfpykit.CellGeometry(*np.zeros((2, 1, 2)), z=np.array([[0.0, 1e4]]), d=np.ones(1))
    sources = lfpykit.LaminarCurrentSourceDensity(stick, z=slices, r=np.full(len(slices), c.RADIUS))
    sources.cell = None
    return [
        lfpykernels.GaussCylinderPotential(
            None, z=contacts, sigma=c.SIGMA, R=c.RADIUS, sigma_z=c.SOMA_SPREAD
        ),
        sources,
        lfpykernels.KernelApproxCurrentDipoleMoment(None),
    ]


def cell_types(post: str, spread: float = c.SOMA_SPREAD) -> dict[str, CellType]:
    """The cell types that a population is made of; `spread` as of `positions`."""
    total = sum(OCCURRENCE[post].values())
    return {
        name: CellType(
            approximation(post, name, spread),
            part / total,
            dict(zip(PRE, SYNAPSES_BY_TYPE[name], strict=True)),
        )
        for name, part in OCCURRENCE[post].items()
    }


def approximation(post: str, name: str, spread: float = c.SOMA_SPREAD) -> lfpykernels.KernelApprox:
    """A population as if all of its cells were of this type; `spread` as of `positions`."""
    pathways = [(pre, post) for pre in PRE]
    number = [0 if pathway in UNKNOWN else c.synapses(*pathway) for pathway in pathways]
    pairs = [c.size(pre) * c.SIZES[post] for pre in PRE]
    return lfpykernels.KernelApprox(
        X=list(PRE),
        Y=post,
        N_X=np.array([c.size(pre) for pre in PRE]),
        N_Y=c.SIZES[post],
        C_YX=np.array(number) / np.array(pairs),
        cellParameters=cell(name),
        populationParameters={
            "radius": c.RADIUS,
            "loc": c.soma_depth(post),
            "scale": c.SOMA_SPREAD,
        },
        # Each connection is one synapse: NEST's multapses are connections of their own.
        multapseFunction=st.norm,
        multapseParameters=[{"loc": 1.0, "scale": 0.01}] * len(PRE),
        delayFunction=st.truncnorm,
        delayParameters=[delays(pre) for pre in PRE],
        synapseParameters=[
            {"syntype": "ExpSynI", "tau": c.TAU_SYN, "weight": 1e-3 * c.weight(*pathway)}  # nA
            for pathway in pathways
        ],
        synapsePositionArguments=[positions(post, name, pre, spread) for pre in PRE],
        conductance_based=False,
    )


def cell(name: str) -> dict:
    """Arguments of LFPy.TemplateCell."""
    return dict(cells.cell(CELLS.get(name, name)).parameters)


def positions(post: str, name: str, pre: str, spread: float = c.SOMA_SPREAD) -> dict:
    """Where the synapses of a pathway are: by layer, on dendrites.

    `spread` is that of the cells' depths where LFPykernels adds it to the layers, otherwise 0.
    """
    return synapse_positions(
        cell(name),
        c.LAYERS,
        shares_of_layers(post, name, pre),
        depth=c.soma_depth(post),
        section=["apic", "dend"] if name.startswith("p") else "dend",
        spread=spread,
        name=f"{name}, for synapses from {pre},",
    )


def shares_of_layers(post: str, name: str, pre: str) -> dict[str, float]:
    """Part of the synapses from `pre` on a cell type that lies in each layer."""
    if name not in SYNAPSES_BY_LAYER:
        return {c.layer_of(post): 1.0}
    return {layer: parts[PRE.index(pre)] for layer, parts in SYNAPSES_BY_LAYER[name].items()}


def delays(pre: str) -> dict[str, float]:
    """Parameters of scipy.stats.truncnorm (ms)."""
    mean = c.DELAY[c.kind(pre)]
    spread = c.DELAY_SPREAD * mean
    return {"a": (c.DT - mean) / spread, "b": np.inf, "loc": mean, "scale": spread}
