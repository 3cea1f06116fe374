"""What NEST does not know: cells, where synapses are on them, and where cells and contacts are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from ... import cells
from ...errors import KernelError
from ...geometry import SEVERAL_UM, check_micrometres
from ...kernels.checks import positive, real
from .description import WITHOUT_CELLS, Description, Synapses
from .point_neurons import membrane

DENSEST = 77_169
RADIUS = 564.0  # µm
"""Neurons under 1 mm² of cortex, and the radius of such a column (Potjans and Diesmann 2014)."""


def _mapping(given: Any, what: str) -> Mapping[Any, Any]:
    if not isinstance(given, Mapping):
        raise KernelError(f"{what} must be a dict by name, found {given!r}")
    return given


@dataclass(frozen=True)
class Placement:
    """Where on a cell the synapses of a pathway are, spread evenly over its membrane there.

    Parameters
    ----------
    sections : str or sequence of str
        Sections that receive synapses, by the beginning of their names: "soma", "dend", "apic".
        "allsec" is all of them.
    depths : sequence of (float, float)
        Where, relative to the soma (µm along the z axis, upwards).
    layers : dict of str to float, optional
        Instead of `depths`, the part of the synapses in each layer; they add up to 1. Where layers
        are is said to `kernels`.

    Raises
    ------
    KernelError
        If a depth is no interval, or shares are negative.

    Examples
    --------
    >>> from nestlfp.sources.network import Placement
    >>> Placement("apic", [(300.0, 700.0)])
    Placement(sections='apic', depths=((300.0, 700.0),), layers=None)
    """

    sections: str | Sequence[str] = "allsec"
    depths: Sequence[tuple[float, float]] = ((-np.inf, np.inf),)
    layers: Mapping[str, float] | None = None

    def __post_init__(self) -> None:
        several = isinstance(self.sections, list | tuple)
        named = list(self.sections) if several else [self.sections]
        if not named or not all(isinstance(name, str) for name in named):
            raise KernelError(f"sections must be names such as 'dend', found {self.sections!r}")
        found = real(self.depths, "depths")
        if found.ndim != 2 or found.shape[1] != 2 or not (found[:, 0] < found[:, 1]).all():
            raise KernelError(
                "depths must be intervals (lower, upper) in µm relative to the soma, such as "
                f"[(-100.0, 100.0)], found {self.depths!r}"
            )
        object.__setattr__(self, "depths", tuple(map(tuple, found.tolist())))
        if not isinstance(self.sections, str):
            object.__setattr__(self, "sections", tuple(self.sections))
        if self.layers is not None:
            shares = real(list(_mapping(self.layers, "layers").values()), "shares of layers")
            if not (shares >= 0).all():
                raise KernelError(f"shares of layers must be 0 or more, found {self.layers!r}")


EXCITATORY = Placement(("dend", "apic"), ((-np.inf, -50.0), (50.0, np.inf)))
"""Spines are on dendrites, few of them close to the soma (Larkman 1991, J Comp Neurol 306: 332)."""
INHIBITORY = Placement("allsec", ((-100.0, 100.0),))
"""Most inhibition is perisomatic (Markram et al. 2004, Nat Rev Neurosci 5: 793)."""


@dataclass(frozen=True)
class CellType:
    """A cell type that makes up a population, or a part of one.

    Parameters
    ----------
    cell : str, path, dict or nestlfp.cells.Cell
        What `nestlfp.cells.cell` takes.
    share : float
        The part of the population's cells.
    synapses : dict of str to float, optional
        By presynaptic population, the part of its synapses onto the population that falls on this
        type. Default, also of populations left out: `share`.
    placement : dict of str to Placement, optional
        Where on the cell they are, by presynaptic population.
    rotation : dict of str to float, optional
        Turns the cell about x, y, z (radians, as ``LFPy.Cell.set_rotation``) until its apical
        dendrite points upwards.
    """

    cell: Any
    share: float = 1.0
    synapses: Mapping[str, float] | None = None
    placement: Mapping[str, Placement] | None = None
    rotation: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "cell", cells.cell(self.cell))
        for name in ("synapses", "placement", "rotation"):
            _mapping(getattr(self, name) or {}, f"{name} of a cell type")
        for parts, what in ((self.synapses, "synapses"), (self.rotation, "rotation")):
            if not np.isfinite(real(list((parts or {}).values()), f"{what} of a cell type")).all():
                raise KernelError(f"{what} of a cell type must be finite, found {parts!r}")
        if not (isinstance(self.share, int | float) and 0 < self.share <= 1):
            raise KernelError(
                f"the share of a cell type must be more than 0 and at most 1, found {self.share!r}"
            )


@dataclass(frozen=True)
class Column:
    """Where the cells are: in a cylinder about the z axis, which the contacts are on.

    Parameters
    ----------
    radius : float, optional
        Of the cylinder (µm). Default: as dense as the cortical microcircuit,
        ``sqrt(N / 77 169) · 564 µm`` with N neurons (Potjans and Diesmann 2014), and at least 1.5
        times as far as the widest cell reaches.
    somata : float or dict of str to float
        Mean depth of the somata (µm), of all populations or by population.
    spread : float
        Standard deviation of the depths of a population's somata (µm).
    potential : {"cells", "LFPykernels"}
        "cells": the mean over cells whose somata are anywhere in the cylinder, turned any way about
        their axes. "LFPykernels": its own way (`GaussCylinderPotential`), which spreads the
        currents of dendrites over the cylinder whatever their distance from the soma. In narrow
        columns potentials near the somata come out too large by it; they are the same in wide ones.

    Raises
    ------
    KernelError
        If a length is no positive number, or is not in µm, or there is no such potential.
    """

    radius: float | None = None
    somata: float | Mapping[str, float] = 0.0
    spread: float = 25.0
    potential: Literal["cells", "LFPykernels"] = "cells"

    def __post_init__(self) -> None:
        if self.radius is not None:
            positive(self.radius, "the radius of the column", " of µm")
            check_micrometres(np.array([self.radius]), "the radius of the column", SEVERAL_UM)
        depths = self.somata.values() if isinstance(self.somata, Mapping) else [self.somata]
        found = real(list(depths), "somata")
        if found.ndim != 1 or not np.isfinite(found).all():
            raise KernelError(f"somata must be finite depths (µm), found {self.somata!r}")
        spread = real(self.spread, "spread")
        if spread.ndim or not (np.isfinite(spread) and spread >= 0):
            raise KernelError(f"spread must be 0 or more (µm), found {self.spread!r}")
        if self.potential not in ("cells", "LFPykernels"):
            raise KernelError(
                f"the column's potential is 'cells' or 'LFPykernels', found {self.potential!r}"
            )

    def depth(self, population: str) -> float:
        """Mean depth of a population's somata (µm)."""
        return float(self.somata[population] if isinstance(self.somata, Mapping) else self.somata)

    def check(self, populations: Iterable[str], with_cells: Iterable[str]) -> None:
        """A `KernelError` if depths are missing, or are of populations that there are not."""
        if not isinstance(self.somata, Mapping):
            return
        unknown = sorted({*self.somata} - {*populations})
        missing = sorted({*with_cells} - {*self.somata})
        if unknown or missing:
            raise KernelError(
                "somata of the column must have a depth (µm) of each population with cells: "
                f"missing {missing}, unknown {unknown}"
            )


Cells = Mapping[str, Any]


def cells_of(
    description: Description, given: Cells | None, layers: Mapping[str, Any]
) -> dict[str, tuple[CellType, ...]]:
    """The cell types of each population that has cells; by default after what its spikes do."""
    given = {} if given is None else given
    if not isinstance(given, Mapping) or (unknown := set(given) - set(description.populations)):
        raise KernelError(
            f"cells must be a dict by population of {list(description.populations)}, found "
            f"{given if not isinstance(given, Mapping) else sorted(unknown)!r}"
        )
    found = {}
    for name, population in description.populations.items():
        said = given.get(name, _default(description, name))
        if said is None:
            continue
        several = isinstance(said, Iterable) and not isinstance(said, str | Mapping)
        types = tuple(
            each if isinstance(each, CellType) else CellType(each)
            for each in (said if several else [said])
        )
        for each in types:
            known = {*description.populations, *(drive.model for drive in description.drives)}
            if named := {*(each.synapses or {}), *(each.placement or {})} - known:
                raise KernelError(
                    f"a cell type of {name!r} names presynaptic populations {sorted(named)}, known "
                    f"are {sorted(known)}"
                )
            for pre, placement in (each.placement or {}).items():
                if not isinstance(placement, Placement):
                    raise KernelError(
                        f"the placement of synapses from {pre!r} on a cell type of {name!r} must "
                        f"be a Placement, found {placement!r}"
                    )
                _check_layers(placement, layers)
        total = sum(each.share for each in types)
        if not abs(total - 1) <= 2e-3:
            raise KernelError(
                f"shares of the cell types of {name!r} must add up to 1, found {total:g}"
            )
        if any(description.onto(name)):
            found[name] = types
        elif name in given:
            raise KernelError(
                f"population {name!r} ({population.model}) gets no synapses from the populations, "
                "and leaves no signal: leave its cells out"
            )
    if not found:
        raise KernelError(
            f"no population of {list(description.populations)} has cells and gets synapses: there "
            "is nothing that could leave a signal"
        )
    return found


def _default(description: Description, name: str) -> str | None:
    if description.populations[name].model in WITHOUT_CELLS:
        return None
    return cells.PYRAMIDAL if is_excitatory(description, name) else cells.INTERNEURON


def is_excitatory(description: Description, name: str) -> bool:
    """Whether a population's spikes depolarize their targets, by the sum of its synapses."""
    signs = [
        p.synapses * (1 if p.excitatory(rest(description, p.post)) else -1) * abs(p.weight)
        for p in description.pathways
        if p.pre == name
    ]
    return sum(signs) >= 0


def rest(description: Description, name: str) -> float:
    """Resting potential of a population's point neurons (mV)."""
    known = membrane(description.populations[name])
    return -65.0 if known is None else known.rest


def placements_of(
    description: Description, given: Mapping[Any, Placement] | None, layers: Mapping[str, Any]
) -> dict[tuple[str, str, str], Placement]:
    """Where the synapses of each pathway and drive are: by source, target and `kind_of`."""
    given = {} if given is None else given
    if not isinstance(given, Mapping):
        raise KernelError(
            f"placement must be a dict such as {{('E', 'I'): Placement('soma')}}, found {given!r}"
        )
    names = list(description.populations)
    outside = {drive.model for drive in description.drives}
    for key, placement in given.items():
        pathway = key if isinstance(key, tuple) and len(key) == 2 else (None, None)
        if key not in ("excitatory", "inhibitory") and not (
            pathway[0] in {*names, *outside} and pathway[1] in names
        ):
            raise KernelError(
                "placement is by (presynaptic, postsynaptic) population, or for all that is "
                f"'excitatory' or 'inhibitory'; found {key!r}, populations are {names}"
            )
        if not isinstance(placement, Placement):
            raise KernelError(f"placement[{key!r}] must be a Placement, found {placement!r}")
        _check_layers(placement, layers)
    default = {"excitatory": EXCITATORY, "inhibitory": INHIBITORY}
    found = {}
    for one in (*description.pathways, *description.drives):
        kind = kind_of(description, one)
        own = given.get((one.source, one.post), given.get(kind, default[kind]))
        found[one.source, one.post, kind] = own
    return found


def kind_of(description: Description, synapses: Synapses) -> str:
    """Whether synapses are "excitatory" or "inhibitory"."""
    depolarizing = synapses.excitatory(rest(description, synapses.post))
    return "excitatory" if depolarizing else "inhibitory"


def _check_layers(placement: Placement, layers: Mapping[str, Any]) -> None:
    if placement.layers is not None and not layers:
        raise KernelError(
            "a placement by layers needs the layers' boundaries: kernels(..., layers={'L2/3': "
            "(top, bottom), ...}) in µm"
        )
