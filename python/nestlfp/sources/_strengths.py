"""What a spike brings to a population, by a description that LFPykernels takes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from ..extras import require
from ..kernels.strengths import with_strengths
from ._mixture import Part
from .mechanisms import ALPHA

_CURRENTS = {"ExpSynI": "ExpSyn", "Exp2SynI": "Exp2Syn"}
"""Mechanisms whose weight is a current (nA), and those of the same course whose weight is in µS."""


def with_described_strengths(dataset: xr.Dataset, parts: Sequence[Part]) -> xr.Dataset:
    """Kernels with a spike's charge or conductance, except of unknown mechanisms.

    Parameters
    ----------
    dataset : xarray.Dataset
        Of a `KernelSet`.
    parts : sequence of Part
        The cells of all populations, with the number of synapses that each gets.
    """
    charges: dict[tuple[str, str], float] = {}
    conductances: dict[tuple[str, str], float] = {}
    for part in parts:
        approx = part.approx
        for i, (pre, synapse) in enumerate(zip(approx.X, approx.synapseParameters, strict=True)):
            pathway = str(pre), part.post
            # As LFPykernels counts them: cells that a spike reaches, times the mean multapse.
            synapses = approx.N_Y * np.asarray(approx.C_YX)[i] * approx._get_multapsedist(i).mean()
            for found, of_one in zip((charges, conductances), _of_one(synapse), strict=True):
                found[pathway] = found.get(pathway, 0.0) + float(part.share * synapses * of_one)
    return with_strengths(dataset, charges, conductances)


def _of_one(synapse: Mapping[str, Any]) -> tuple[float, float]:
    """Charge (fC) and time integral of the conductance (nS ms) of a synapse; NaN if not known."""
    syntype = synapse["syntype"]
    area = _area(_CURRENTS.get(syntype, syntype), synapse)
    brought = 1e3 * synapse.get("weight", math.nan) * area  # of nA or µS
    return (brought, math.nan) if syntype in _CURRENTS else (math.nan, brought)


def _area(syntype: str, synapse: Mapping[str, Any]) -> float:
    """Integral over time (ms) of a synapse's course, whose peak is 1."""
    if syntype == "ExpSyn":
        return float(synapse.get("tau", math.nan))
    if syntype != "Exp2Syn":
        return math.nan
    rise, decay = (synapse.get(name, math.nan) for name in ("tau1", "tau2"))
    integral = require("lfpykernels.kernel_approximator", "lfpykernels").integrate_beta
    return float(integral(min(rise, ALPHA * decay), decay))
