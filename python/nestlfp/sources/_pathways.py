"""The kernels of one cell, for all presynaptic populations, by LFPykernels."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .._types import Floats
from ..errors import KernelError
from ..extras import require
from ._charge import charge_taken
from ._disc import POLYNOMIAL, disc_potential, is_disc
from ._mixture import Part

EXTRA = "lfpykernels"

_MOVED = {"PointSourcePotential", "LineSourcePotential"}
"""Probes that LFPykernels moves to random places: their matrix is never twice the same."""


@dataclass(frozen=True)
class Job:
    """A cell and its probes; `share` is the weight of its kernels."""

    part: Part
    share: float
    probes: Sequence[Any]
    Vrest: Any
    options: Mapping[str, Any]


@dataclass(frozen=True)
class Found:
    """Kernels of a cell by presynaptic population, then by probe class.

    Pathways without connections are missing. Kernels are no numbers where the cell has no membrane
    for the synapses. `charge` is the part of the synapses' charge that the cell took, and `soma`
    the largest deviation of the somatic potential after the spike (mV), NaN where the cell has no
    soma; both by presynaptic population.
    """

    kernels: dict[str, dict[str, Floats]]
    charge: dict[str, float]
    soma: dict[str, float]


def kernels_of(job: Job) -> Found:
    """Kernels of one cell for each presynaptic population that is connected to it."""
    approx = job.part.approx
    check_mechanisms(approx)
    probes = [_remembering(probe) for probe in job.probes]
    kernels, charge, soma = {}, {}, {}
    for pre, synapse, connected in zip(
        approx.X, approx.synapseParameters, np.asarray(approx.C_YX), strict=True
    ):
        if not connected:
            continue
        options = job.options
        charge[str(pre)] = charge_taken(
            synapse, options["dt"], options["tau"], twin=approx.conductance_based
        )
        kernels[str(pre)] = _get_kernel(
            approx, job.part.name, pre, probes=probes, Vrest=job.Vrest, **options
        )
        soma[str(pre)] = _somatic_peak(approx.cell, options["t_X"])
        approx.cell = None  # or its sections stay in NEURON
    return Found(kernels, charge, soma)


def load(mechanisms: str | Callable[[], None] | None) -> None:
    """Load the mechanisms into NEURON, in this process."""
    neuron = require("neuron", EXTRA)
    if callable(mechanisms):
        mechanisms()
    elif mechanisms is not None:
        neuron.load_mechanisms(mechanisms, warn_if_already_loaded=False)


def check_mechanisms(approx: Any) -> None:
    """LFPy would only say that NEURON has no such attribute."""
    neuron = require("neuron", EXTRA)
    for parameters in approx.synapseParameters:
        syntype = parameters["syntype"]
        mechanism = f"{syntype}I" if approx.conductance_based else syntype
        if hasattr(neuron.h, mechanism):
            continue
        twin = f", the current-based twin that LFPykernels needs of {syntype}"
        raise KernelError(
            f"NEURON has no mechanism {mechanism!r}{twin if approx.conductance_based else ''}: "
            "load it with nestlfp.sources.mechanisms.load(), which brings Exp2SynI and ExpSynI, "
            "or compile your own with mechanisms.load(folder); what loads it in each process is "
            "mechanisms="
        )


def _get_kernel(approx: Any, post: str, pre: str, **options: Any) -> dict[str, Floats]:
    try:
        with np.errstate(invalid="ignore"):  # 0 / 0 where synapses have no place on the cell
            return dict(approx.get_kernel(X=pre, fir=True, **options))
    except KernelError as error:  # of delays of ours
        raise KernelError(f"{pre} -> {post}: {error}") from None
    except Exception as error:  # assertions, plain Exceptions and NEURON's own alike
        _check_potentials(options["Vrest"], getattr(approx, "cell", None), post)
        raise KernelError(f"LFPykernels failed for {pre} -> {post}: {error}") from error


def _check_potentials(given: Any, cell: Any, post: str) -> None:
    """LFPykernels would only raise its own assertion."""
    if isinstance(given, list) and cell is not None and len(given) != cell.totnsegs:
        raise KernelError(
            f"Vrest has {len(given)} potentials for {post}, whose cell has {cell.totnsegs} "
            "compartments: one for each is needed, or a single one for all"
        )


def _somatic_peak(cell: Any, t_X: float) -> float:
    """The largest deviation of the somatic potential from that at t_X (mV), with its sign."""
    if not cell.nsomasec:
        return float("nan")
    after = cell.somav[cell.tvec >= t_X]
    deviation = after - after[0]
    return float(deviation[np.abs(deviation).argmax()])


def _remembering(given: Any) -> Any:
    """The probe, that calculates its matrix once for a cell and not for each pathway again."""
    probe = copy.copy(given)
    if type(probe).__name__ in _MOVED or not hasattr(probe, "get_transformation_matrix"):
        return probe
    known: dict[bytes, Floats] = {}

    def get_transformation_matrix() -> Floats:
        cell = probe.cell
        shape = b"".join(np.asarray(getattr(cell, part)).tobytes() for part in "xyzd")
        if shape not in known:
            known.clear()
            known[shape] = _matrix(probe)
        return known[shape].copy()

    probe.get_transformation_matrix = get_transformation_matrix
    return probe


def _matrix(probe: Any) -> Floats:
    """The probe's matrix; LFPykernels' discs of current without numerical integration.

    `GaussCylinderPotential` integrates for each contact and segment, which takes longer than all
    the rest, and knows of a segment its depth alone.
    """
    if not is_disc(probe):
        return np.asarray(type(probe).get_transformation_matrix(probe))
    depths, segments = np.unique(np.mean(probe.cell.z, axis=-1), return_inverse=True)
    polynomial = getattr(probe, POLYNOMIAL, (1.0,))
    rows = [
        disc_potential(z - depths, probe.R, probe.sigma, probe.sigma_z, polynomial) for z in probe.z
    ]
    return np.array(rows)[:, segments]
