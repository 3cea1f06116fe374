"""Kernels that came from elsewhere, beside the network that they are to serve.

What has to agree is what a spike brings to each population, charge or conductance, not the number
of neurons: kernels of a full-size network, scaled, serve a smaller one.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np

from ...errors import KernelError, KernelsMismatchWarning
from ...kernels import KernelSet
from ...kernels.strengths import CHARGE, CONDUCTANCE, UNITS, strengths
from .currents import Synapse
from .description import Description, Pathway
from .reading import describe, sampled

NOTICED = 0.1
"""Part of what a spike brings from which on a difference is worth a warning."""

_SOURCES = 10  # whose connections are read for a comparison
_SURE = 3.0  # standard errors by which they must differ
_UNIT = {CHARGE: "pA", CONDUCTANCE: "nS"}  # of the synapses

_warned: list[str] = []


def warn_of_mismatch(kernels: KernelSet, populations: Mapping[str, Any]) -> None:
    """Warn, once a process, where a spike brings another charge than kernels are made for.

    Parameters
    ----------
    kernels : KernelSet
        Nothing is asked of NEST where they do not know what a spike brings.
    populations : dict of str to ndarray of int
        Node ids.

    Warns
    -----
    KernelsMismatchWarning
    """
    made_for = {name: strengths(kernels.dataset, name) for name in UNITS}
    names = [name for name in {*kernels.pre, *kernels.post} if len(populations.get(name, ()))]
    if _warned or not any(made_for.values()) or not set(names) & set(kernels.post):
        return
    description = sampled({name: populations[name] for name in sorted(names)}, _SOURCES)
    if description is None:
        return
    off = []
    for what, given in made_for.items():
        for pathway, value in given.items():
            found = _brought(description, pathway, _UNIT[what])
            if found is None:
                continue
            there, error = found
            if abs(there - value) > max(NOTICED * abs(value), _SURE * error):
                off.append(f"{pathway[0]} → {pathway[1]} {there:.3g} instead of {value:.3g} "
                           f"{UNITS[what]}")  # fmt: skip
    if off:
        _warned.append(", ".join(off))
        warnings.warn(
            "these kernels are made for another network. What a spike brings in NEST, and in the "
            f"kernels: {', '.join(off)}. The signal is as much too small or too large. "
            "nestlfp.sources.network.kernels(populations) computes kernels of this network, "
            "nestlfp.sources.network.fitted(kernels, populations) scales these",
            KernelsMismatchWarning,
            stacklevel=4,
        )


def _brought(
    description: Description, pathway: tuple[str, str], unit: str
) -> tuple[float, float] | None:
    """What a spike brings in NEST and its standard error; None where it is not known."""
    pre, post = pathway
    if pre not in description.populations or post not in description.populations:
        return None
    if description.populations[pre].model == "spike_generator":
        return None
    own = [p for p in description.onto(post) if p.pre == pre]
    if any(p.waveform is None or p.waveform.unit != unit for p in own):
        return None
    if not own and not any(
        p.waveform is not None and p.waveform.unit == unit for p in description.onto(post)
    ):
        return None
    total = sum(p.brought for p in own)
    return total, float(np.sqrt(sum((p.error * p.brought) ** 2 for p in own)))


def fitted(
    kernels: KernelSet,
    network: Mapping[str, Any] | Description,
    *,
    synapses: Synapse | Mapping[tuple[str, str], Synapse] | None = None,
) -> KernelSet:
    """Kernels scaled, pathway by pathway, until a spike brings what it brings in NEST.

    The factors are printed. Kernels know what they are made for where they were computed by
    `kernels` or by `nestlfp.sources.lfpykernels.compute`.

    Parameters
    ----------
    kernels : KernelSet
    network : dict of str to nest.NodeCollection, or Description
        The neurons of each population.
    synapses : Synapse, or dict of (str, str) to Synapse, optional
        As in `describe`.

    Returns
    -------
    KernelSet

    Raises
    ------
    KernelError
        If kernels do not know what they are made for, in the terms of this network (charge or
        conductance), or have no kernel of a pathway that the network has.
    NetworkError
        As `describe`.
    """
    description = (
        network if isinstance(network, Description) else describe(network, synapses=synapses)
    )
    factors, lines = {}, []
    for post in kernels.post:
        for pre in kernels.pre:
            own = [p for p in description.onto(post) if p.pre == pre]
            units = {_unit(p) for p in own}
            what = next((w for w, unit in _UNIT.items() if units <= {unit}), CHARGE)
            known = strengths(kernels.dataset, what).get((pre, post))
            there = sum(p.brought for p in own) if len(units) == 1 and None not in units else 0.0
            if known is None or (own and not there):
                raise KernelError(
                    f"{pre} → {post} cannot be compared: in NEST it is "
                    f"{' and '.join(p.current() for p in own) or 'not there'}, and the kernels "
                    f"{'do not know their charge or conductance' if known is None else 'do'}; "
                    "network.kernels(populations) computes kernels of this network"
                )
            if not known and there:
                raise KernelError(
                    f"{pre} → {post} is in the network, and has no kernel that could be scaled"
                )
            factors[pre, post] = there / known if known else 0.0
            lines.append(f"{pre} → {post}: × {factors[pre, post]:.4g}")
    print("\n".join(lines))
    return kernels.scale(factors)


def _unit(pathway: Pathway) -> str | None:
    return None if pathway.waveform is None else pathway.waveform.unit
