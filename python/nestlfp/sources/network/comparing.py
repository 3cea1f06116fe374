"""Compare kernels from elsewhere with the network that they are used in.

What has to agree is what a spike brings to each population, charge or conductance, not the number
of neurons: kernels of a full-size network, scaled, serve a smaller one.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from ..._types import Ints
from ...errors import KernelError, KernelsMismatchWarning, NetworkError
from ...kernels import KernelSet
from ...kernels.checks import found_instead
from ...kernels.strengths import CHARGE, CONDUCTANCE, strengths
from ...simulator import Simulator
from ...simulator.node_models import base_model, is_stimulator, stands_for_many
from .currents import MODELS, Synapse
from .description import Description, Pathway
from .reading import described, sampled

NOTICED = 0.1
"""Part of what a spike brings from which on a difference is worth a warning."""

_LOOKS = (4, 1_000), (30, 20_000)
"""Neurons of a population whose connections are read, or more until there are so many connections.

The second time only where the first found a difference.
"""
_SURE = 3.0  # standard errors by which what a spike brings must differ
_FAINT = 0.02  # of all that a spike brings: what matters to a signal, and is known from so few
_NAMED = 4  # pathways that a warning names
_TERMS = {CHARGE: ("pA", "pC"), CONDUCTANCE: ("nS", "nS s")}  # units of a synapse and of a spike

_warned: list[str] = []

MadeFor = Mapping[str, Mapping[tuple[str, str], float]]


def warn_of_mismatch(made_for: MadeFor, populations: Mapping[str, Ints]) -> None:
    """Warn, once a process, where a spike brings another charge than kernels are made for.

    Connections are not read where Python's filters ignore the warning, or where no charge can be
    read from NEST, as of delta synapses.

    Parameters
    ----------
    made_for : dict of str to dict of (str, str) to float
        What the kernels know of `CHARGE` and `CONDUCTANCE`, by (pre, post).
    populations : dict of str to ndarray of int
        Node ids. Generators, and nodes that stand for many neurons, are passed over.

    Warns
    -----
    KernelsMismatchWarning
        On the first rank; with several MPI ranks it is collective.
    """
    sim = Simulator()
    own = {
        name: ids
        for name, ids in populations.items()
        if ids.size
        and not is_stimulator(int(ids[0]), sim)
        and stands_for_many(int(ids[0]), sim) is None
    }
    known = {post for of in made_for.values() for pre, post in of if {pre, post} <= set(own)}
    if _warned or _ignored() or not any(base_model(int(own[y][0]), sim) in MODELS for y in known):
        return
    off: list[str] = []
    for sources, connections in _LOOKS:
        description = sampled(own, sources, connections)
        off = [] if description is None else list(_differences(made_for, description))
        if not off:
            return
    _warned.extend(off)
    if sim.ranks.rank == 0:
        more = f" and {len(off) - _NAMED} pathways more" if len(off) > _NAMED else ""
        warnings.warn(
            "these kernels are made for another network: a spike brings "
            f"{', '.join(off[:_NAMED])}{more}. The signal is as much too large or too small. "
            "nestlfp.sources.network.kernels(populations) computes kernels of this network, "
            "nestlfp.sources.network.fitted(kernels, populations) scales these",
            KernelsMismatchWarning,
            stacklevel=4,
        )


def _ignored() -> bool:
    """Whether the first of Python's filters that means this warning, wherever it is, ignores it."""
    for action, message, category, module, line in warnings.filters:
        if issubclass(KernelsMismatchWarning, category) and not (message or module or line):
            return action == "ignore"
    return False


def _differences(made_for: MadeFor, description: Description) -> Iterator[str]:
    """What a spike brings in NEST and is to bring, for each pathway where that differs."""
    for name, (unit, words) in _TERMS.items():
        known = made_for[name]
        found = {pathway: _brought(description, pathway, unit) for pathway in known}
        compared = {pathway: there for pathway, there in found.items() if there is not None}
        totals: dict[str, float] = {}
        for (pre, post), (there, _) in compared.items():
            larger = max(abs(there), abs(known[pre, post]))
            totals[pre] = totals.get(pre, 0.0) + larger
        for (pre, post), (there, error) in compared.items():
            wanted = known[pre, post]
            if max(abs(there), abs(wanted)) < _FAINT * totals[pre]:
                continue
            if abs(there - wanted) > max(NOTICED * abs(wanted), _SURE * error):
                yield f"{pre} → {post} {1e-3 * there:.3g} instead of {1e-3 * wanted:.3g} {words}"


def _brought(
    description: Description, pathway: tuple[str, str], unit: str
) -> tuple[float, float] | None:
    """What a spike brings in NEST and its standard error; None where it cannot be compared."""
    pre, post = pathway
    own = [p for p in description.onto(post) if p.pre == pre]
    if any(p.unit != unit for p in own):
        return None
    sends = any(p.pre == pre for p in description.pathways)
    in_these_terms = any(p.unit == unit for p in description.onto(post))
    if not (sends and in_these_terms):
        return None
    errors = np.array([_error(description, p) * p.brought for p in own])
    return sum(p.brought for p in own), float(np.sqrt(errors @ errors))


def _error(description: Description, pathway: Pathway) -> float:
    """Relative standard error of what a spike brings, with weights spread as they are in others.

    Of a skewed distribution of weights, such as a log-normal one, few connections show too small a
    mean and too small a spread.
    """
    population = description.populations[pathway.pre]
    counts = [p.synapses * description.populations[p.pre].read for p in description.pathways]
    squares = [(p.weight_sd / p.weight) ** 2 for p in description.pathways]
    spread = np.average(squares, weights=counts) / (pathway.synapses * population.read)
    return float(np.sqrt(pathway.error**2 + (1 - population.read / population.size) * spread))


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
        Its cells, delays and time constants stay as they are.
    network : dict of str to nest.NodeCollection, or Description
        The neurons of each population, or what `describe` has read of them.
    synapses : Synapse, or dict of (str, str) to Synapse, optional
        As in `describe`.

    Returns
    -------
    KernelSet

    Raises
    ------
    KernelError
        If kernels do not know what they are made for, in the terms of this network (charge or
        conductance), have populations that it has not, or lack a pathway that it has.
    NetworkError
        As `describe`; if the current of a synapse is not known.

    Examples
    --------
    >>> from nestlfp.sources import network
    >>> kernels = network.fitted(kernels, {"E": E, "I": I})  # doctest: +SKIP
    """
    if not isinstance(kernels, KernelSet):
        raise KernelError(f"expected a KernelSet, {found_instead(kernels)}")
    known = {name: strengths(kernels.stored, name) for name in _TERMS}
    if not any(known.values()):
        raise KernelError(
            "these kernels do not say what charge a spike brings and cannot be scaled: they "
            "are of another source or an older version, or were added up by total(). "
            "network.kernels(populations) computes kernels of this network"
        )
    description = described(network, synapses, None)
    names = list(description.populations)
    if missing := sorted({*kernels.pre, *kernels.post} - set(names)):
        raise KernelError(
            f"the kernels have the populations {missing}, and the network has {names}: name them, "
            f"or leave them out by kernels.select(pre={[x for x in kernels.pre if x in names]}, "
            f"post={[y for y in kernels.post if y in names]})"
        )
    factors, lines = {}, []
    for post in kernels.post:
        for pre in kernels.pre:
            own = [p for p in description.onto(post) if p.pre == pre]
            wanted = {name: of.get((pre, post)) for name, of in known.items()}
            factors[pre, post], line = _factor(f"{pre} → {post}", own, wanted)
            lines.append(line)
    if Simulator().ranks.rank == 0:
        print("\n".join(filter(None, lines)))
    return kernels.scale(factors)


def _factor(
    pathway: str, own: Sequence[Pathway], wanted: Mapping[str, float | None]
) -> tuple[float, str]:
    """The factor of a pathway's kernels, and a description of it.

    `own` is what there is in NEST, and `wanted` what kernels are made for, in either of the terms.
    """
    if not own:
        return 0.0, f"{pathway}: × 0, not connected" if any(wanted.values()) else ""
    if unknown := [p.unknown for p in own if p.waveform is None]:
        raise NetworkError(unknown[0])
    units = {p.unit for p in own}
    for name, (unit, words) in _TERMS.items():
        before = wanted[name]
        if before is None or units != {unit}:
            continue
        there = sum(p.brought for p in own)
        if before:
            change = f"{1e-3 * before:.4g} → {1e-3 * there:.4g} {words}"
            return there / before, f"{pathway}: × {there / before:.4g}, {change}"
        raise KernelError(
            f"{pathway} is in the network, and has no kernel that could be scaled: "
            "network.kernels(populations) computes kernels of this network"
        )
    raise KernelError(
        f"{pathway} brings {' and '.join(p.current() for p in own)} in NEST, and the kernels do "
        "not know what they are made for in these terms: network.kernels(populations) computes "
        "kernels of this network"
    )
