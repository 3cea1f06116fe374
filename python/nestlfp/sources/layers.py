"""Synapses given as shares of layers: where LFPykernels puts them.

Anatomy says which part of a pathway's synapses lies in which layer. LFPykernels weighs each
segment by its membrane area times a density over depth and normalizes once over the whole cell,
so that a layer with more membrane would get more than its share. Here the density in a layer is
its share, times its thickness, divided by the membrane that the cell has there: the shares are then
exact, and within a layer synapses are spread in proportion to the area.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import scipy.stats as st

from .._types import Floats
from ..cells.template import cell_parameters
from ..errors import KernelError
from ..extras import require
from ..geometry import SEVERAL_UM, check_micrometres
from ..kernels.checks import real

Layers = Mapping[str, Sequence[float]]
"""By name, the two depths z (µm) that a layer lies between, in any order."""

_ROUNDED = 2e-3  # shares come from printed tables


def synapse_positions(
    cell: Mapping[str, Any] | Any,
    layers: Layers,
    shares: Mapping[str, float],
    *,
    depth: float,
    section: str | Sequence[str] = "allsec",
    spread: float = 0.0,
    name: str = "the cell",
) -> dict[str, Any]:
    """Positions of a pathway's synapses, as ``lfpykernels.KernelApprox`` takes them.

    Parameters
    ----------
    cell : dict or LFPy.Cell
        The cell, or the arguments of ``LFPy.TemplateCell`` (`cellParameters`). A cell of LFPy is
        taken where it stands, one that is made from arguments at `depth`.
    layers : dict of str to (float, float)
        Boundaries of each layer (µm).
    shares : dict of str to float
        The part of the synapses in each layer; they add up to 1. Layers left out get none. All 0
        where a pathway has no synapses; their positions are then any.
    depth : float
        Depth z of the soma (µm): ``populationParameters["loc"]``.
    section : str or sequence of str
        Sections that receive synapses, by the beginning of their names.
    spread : float
        For ``compute(..., depths="LFPykernels")`` alone, which widens densities by the spread of
        the cells' depths (µm), ``populationParameters["scale"]``: given here, it is allowed for, so
        that none reaches into the next layer. Less than any layer's thickness.
    name : str
        Of the cell, for messages.

    Returns
    -------
    dict
        An entry of `synapsePositionArguments`: ``section``, ``fun``, ``funargs``, ``funweights``.

    Raises
    ------
    KernelError
        If the cell has no membrane in a layer that gets synapses, if shares are negative or do
        not add up to 1, if a layer is unknown or has no thickness.
    MissingExtraError
        If the cell has to be made and LFPy is not installed.

    Notes
    -----
    A segment counts to the layer that its middle lies in, as in LFPykernels. Areas are those of
    the cell at `depth`; where `compute` averages over depths, shares are those of the mean depth,
    and differ at the others as far as dendrites reach into other layers there. Segments then also
    cross boundaries from one depth to the next: 15 depths with a spread of 14 µm are right to 1 %.

    Examples
    --------
    >>> from nestlfp.sources.layers import synapse_positions
    >>> layers = {"L1": (0.0, -81.6), "L2/3": (-81.6, -587.1)}
    >>> synapse_positions(cell_parameters, layers, {"L1": 0.02, "L2/3": 0.98},
    ...                   depth=-334.4, section=["apic", "dend"])  # doctest: +SKIP
    """
    bounds = layer_bounds(layers)
    given = _shares(shares, bounds, name)
    areas = membrane_areas(cell, layers, depth=depth, section=section)
    missing = [layer for layer, share in given.items() if share > 0 and not areas[layer] > 0]
    if missing:
        there = ", ".join(f"{layer} {area:.4g} µm²" for layer, area in areas.items())
        raise KernelError(
            f"{name} gets synapses in {', '.join(missing)} "
            f"({', '.join(f'{given[layer]:g}' for layer in missing)} of them), but with its soma "
            f"at {depth:g} µm has no membrane of {section!r} there: found {there}; a longer "
            "dendrite, other sections or a share of 0 would be right"
        )
    wanted = {layer: share for layer, share in given.items() if share > 0}
    if not wanted:  # no synapses: anywhere, for LFPykernels divides by the sum of the densities
        wanted = {layer: area for layer, area in areas.items() if area > 0}
    arguments, weights = [], []
    for layer, share in wanted.items():
        bottom, top = bounds[layer]
        if not 0 <= spread < top - bottom:
            raise KernelError(
                f"spread must lie between 0 and the thickness of layer {layer}, {top - bottom:g} "
                f"µm, found {spread!r}"
            )
        # LFPykernels takes sqrt(scale² + spread²) for the scale.
        scale = float(np.sqrt((top - bottom) ** 2 - spread**2))
        arguments.append({"loc": bottom, "scale": scale})
        weights.append(share * (top - bottom) / areas[layer])
    return {
        "section": section if isinstance(section, str) else list(section),
        "fun": [st.uniform] * len(wanted),
        "funargs": arguments,
        "funweights": weights,
    }


def membrane_areas(
    cell: Mapping[str, Any] | Any,
    layers: Layers,
    *,
    depth: float,
    section: str | Sequence[str] = "allsec",
) -> dict[str, float]:
    """Membrane that a cell has in each layer (µm²); parameters as of `synapse_positions`."""
    bounds = layer_bounds(layers)
    z, area = _segments(cell, depth, section)
    return {
        layer: float(area[(z >= bottom) & (z < top)].sum())
        for layer, (bottom, top) in bounds.items()
    }


def realized_shares(approximation: Any, pre: str, layers: Layers) -> dict[str, float]:
    """The part of a pathway's synapses that LFPykernels, in its own way, puts into each layer.

    Parameters
    ----------
    approximation : lfpykernels.KernelApprox
    pre : str
        Presynaptic population, of its `X`.
    layers : dict of str to (float, float)
        Boundaries of each layer (µm).

    Returns
    -------
    dict of str to float
        What is missing from their sum to 1 lies outside of all layers.
    """
    bounds = layer_bounds(layers)
    if pre not in approximation.X:
        raise KernelError(f"no presynaptic population {pre!r}: there are {list(approximation.X)}")
    where = dict(approximation.synapsePositionArguments[list(approximation.X).index(pre)])
    column = approximation.populationParameters
    where["funargs"] = [
        {**given, "scale": np.hypot(given["scale"], column["scale"])} for given in where["funargs"]
    ]
    cell = _made(approximation.cellParameters, column["loc"])
    p = approximation.get_rand_idx_area_and_distribution_prob(cell, **where)
    z = cell.z.mean(axis=-1)
    return {
        layer: float(p[(z >= bottom) & (z < top)].sum()) for layer, (bottom, top) in bounds.items()
    }


def layer_bounds(layers: Layers) -> dict[str, tuple[float, float]]:
    """Lower and upper boundary of each layer (µm)."""
    if not layers:
        raise KernelError("no layers given: one or more are needed, {name: (top, bottom)} in µm")
    found = {}
    for name, given in layers.items():
        depths = real(given, f"the boundaries of layer {name!r}")
        if depths.shape != (2,) or not np.isfinite(depths).all() or depths[0] == depths[1]:
            raise KernelError(
                f"layer {name!r} must have two different depths in µm, found {given!r}"
            )
        check_micrometres(depths, f"layer {name!r}", SEVERAL_UM)
        found[name] = (float(depths.min()), float(depths.max()))
    ordered = sorted(found.items(), key=lambda item: item[1])
    for (lower, (_, top)), (upper, (bottom, _)) in itertools.pairwise(ordered):
        if bottom < top:
            raise KernelError(
                f"layers {lower!r} and {upper!r} overlap between {bottom:g} and {top:g} µm: each "
                "should end where the next begins"
            )
    return found


def _shares(shares: Mapping[str, float], known: Mapping[str, Any], name: str) -> dict[str, float]:
    unknown = sorted(set(shares) - set(known))
    if unknown:
        raise KernelError(f"{name}: shares of unknown layers {unknown}, known are {list(known)}")
    given = {layer: float(shares.get(layer, 0.0)) for layer in known}
    total = sum(given.values())
    if min(given.values()) < 0 or (total != 0 and not abs(total - 1) <= _ROUNDED):
        raise KernelError(
            f"{name}: shares of layers must be 0 or more and add up to 1, or all be 0 where there "
            f"are no synapses; found {dict(shares)}, in sum {total:g}"
        )
    return given


def _segments(
    cell: Mapping[str, Any] | Any, depth: float, section: str | Sequence[str]
) -> tuple[Floats, Floats]:
    """Depth (µm) and membrane area (µm²) of the segments of these sections."""
    made = _made(cell, depth) if isinstance(cell, Mapping) else cell
    among = made.get_idx(section=section if isinstance(section, str) else list(section))
    if not len(among):
        raise KernelError(f"the cell has no sections {section!r}, only {sorted(_kinds(made))}")
    return made.z[among].mean(axis=-1), made.area[among]


def _kinds(cell: Any) -> set[str]:
    """Kinds of sections that a cell has, such as soma, dend, apic."""
    return {name.rpartition(".")[2].partition("[")[0] for name in cell.allsecnames}


def _made(parameters: Mapping[str, Any], depth: float) -> Any:
    """A cell of LFPy with its soma at this depth; cells made before are gone."""
    lfpy = require("LFPy", "lfpykernels")
    known = cell_parameters(parameters, "the cell")
    cell = lfpy.TemplateCell(**{**known, "delete_sections": True})
    cell.set_rotation(x=0.0, y=0.0)
    cell.set_pos(z=depth)
    return cell
