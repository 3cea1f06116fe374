"""The work with cells: kernels of a described network by LFPykernels.

It is done in a process of its own, in which NEST never was.
"""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import xarray as xr

from ..._types import Floats
from ...cells.template import cell_parameters
from ...errors import KernelError
from ...extras import require
from ...geometry import Cylinder, cell_segments, with_geometry
from ...kernels import KernelSet
from ...kernels.strengths import with_strengths
from .. import lfpykernels, mechanisms
from .._delays import Delays
from .._disc import off_axis_potential
from .._operating_point import mean_potential, total_leak
from ..layers import synapse_positions
from .assumptions import DENSEST, RADIUS, CellType, Column, Placement, kind_of
from .description import Description, Pathway, Population, Synapses
from .point_neurons import mean_conductances, membrane, peak_potential

LEFT = 1e-3
"""Of a kernel's peak. Lags end where no more than this is left."""

_FIRST, _LONGEST = 64.0, 1024.0  # ms beyond the longest delay: first try, and last
_BELOW, _APART = 200.0, 100.0  # µm: lowest contact under the somata, and distance of contacts
_WIDER = 1.5  # times the reach of the widest cell is the least radius of the column
_DEPTHS = 15  # over which a current source density is averaged
_FEW = 4  # populations with cells: for less, starting processes takes longer than it spares


@dataclass(frozen=True)
class Work:
    """A network, and all that was said or assumed beside what NEST has; see `kernels`."""

    description: Description
    cells: Mapping[str, tuple[CellType, ...]]
    placement: Mapping[tuple[str, str, str], Placement]
    layers: Mapping[str, tuple[float, float]]
    column: Column
    contacts: tuple[float, ...] | None
    signals: tuple[str, ...]
    conductivity: float
    rates: Mapping[str, float]
    relative: bool
    match: str
    dt: float
    tau: float | None


def computed(work: Work, processes: int | None, progress: bool) -> KernelSet:
    """Kernels of the work, at the lags dt, 2 dt, ..., with all that they rest on."""
    require("lfpykernels", "lfpykernels")
    placed_cells = [
        PlacedCell(work, post, f"{number} {kind.cell.name}", kind)
        for post, kinds in work.cells.items()
        for number, kind in enumerate(kinds, start=1)
    ]
    radius, contacts = _radius(work, placed_cells), _contacts(work, placed_cells)
    populations: dict[str, dict[str, lfpykernels.CellType]] = {}
    potentials: dict[str, dict[str, Any]] = {}
    for placed in placed_cells:
        populations.setdefault(placed.post, {})[placed.name] = placed.cell_type()
        potentials.setdefault(placed.post, {})[placed.name] = placed.potential
    cells = [placed.assumed() for placed in placed_cells]  # LFPykernels deletes all sections
    parts = _long_enough(
        work, populations, potentials, _probes(work, contacts, radius), processes, progress
    )
    rows = _rows(work, parts.provenance["soma_mV"])
    if work.match == "potential":
        parts = parts.scale({(row["part"], row["post"]): row["ratio"] for row in rows})
    found = KernelSet(_by_population(parts.dataset, work.description))
    provenance = {key: parts.provenance[key] for key in ("tool", "version", "versions")} | {
        "network": work.description.to_dict(),
        "assumed": {
            "radius_um": radius,
            "soma_spread_um": work.column.spread,
            "potential": work.column.potential,
            "conductivity_S_per_m": work.conductivity,
            "match": work.match,
            "rates_per_s": dict(work.rates),
            "cells": cells,
        },
        "pathways": rows,
    }
    dataset = found.dataset.assign_attrs(provenance=json.dumps(provenance))
    strengths = {unit: work.description.brought(unit) for unit in ("pA", "nS")}
    first = {placed.post: placed for placed in reversed(placed_cells)}
    return with_geometry(
        KernelSet(with_strengths(dataset, strengths["pA"], strengths["nS"])),
        {post: placed.cylinder(radius) for post, placed in first.items()},
        segments={post: cell_segments(placed.cell) for post, placed in first.items()},
    )


# ---------------------------------------------------------------------- where cells are
def _radius(work: Work, placed_cells: Sequence[PlacedCell]) -> float:
    """Radius of the column (µm)."""
    reach = max(float(np.hypot(s.cell.x, s.cell.y).max()) for s in placed_cells)
    if work.column.radius is None:
        sizes = work.description.populations
        neurons = sum(sizes[post].size for post in work.cells)
        return max(RADIUS * math.sqrt(neurons / DENSEST), _WIDER * reach)
    if work.column.radius < reach and "CSD" in work.signals:
        warnings.warn(
            f"the column's radius of {work.column.radius:g} µm is less than its cells reach, "
            f"{reach:.0f} µm: currents of the dendrites outside are missing in the current source "
            "density",
            stacklevel=2,
        )
    return work.column.radius


def _contacts(work: Work, placed_cells: Sequence[PlacedCell]) -> Floats:
    """Depths of the contacts (µm), from the top."""
    if work.contacts is not None:
        return np.asarray(work.contacts)
    lowest = min(s.depth for s in placed_cells) - _BELOW
    top = max(float(s.cell.z.max()) for s in placed_cells)
    return np.arange(lowest, top + _APART, _APART)[::-1].copy()


def _probes(work: Work, contacts: Floats, radius: float) -> list[Any]:
    """The probes for the signals that are wanted."""
    probes: list[Any] = []
    module = require("lfpykernels", lfpykernels.EXTRA)
    spread, sigma = work.column.spread, work.conductivity
    if "LFP" in work.signals:
        probes.append(
            ColumnPotential(contacts, sigma, radius, spread)
            if work.column.potential == "cells"
            else module.GaussCylinderPotential(
                None, z=contacts, sigma=sigma, R=radius, sigma_z=spread
            )
        )
    if "CDM" in work.signals:
        probes.append(module.KernelApproxCurrentDipoleMoment(None))
    if "CSD" in work.signals:
        probes.append(SliceDensity(contacts, radius, spread))
    return probes


class ColumnPotential:
    """Potential on the axis, the mean over cells anywhere in the column and turned any way.

    LFPykernels' ``GaussCylinderPotential`` spreads the current of each segment over the column, as
    if all dendrites were right above and below their somata. Here somata are spread over it, and
    segments keep their distance from them.

    Parameters
    ----------
    contacts : array, shape (n,)
        Depths (µm).
    conductivity : float
        S/m.
    radius : float
        Of the column (µm).
    spread : float
        Standard deviation of the cells' depths (µm).
    """

    def __init__(self, contacts: Floats, conductivity: float, radius: float, spread: float) -> None:
        self.z, self.conductivity, self.radius, self.spread = contacts, conductivity, radius, spread
        self.cell: Any = None

    def get_transformation_matrix(self) -> Floats:
        """Potentials (mV) of currents (nA), shape (contacts, segments)."""
        x, y, z = (getattr(self.cell, axis).mean(axis=-1) for axis in "xyz")
        away = np.hypot(x - self.cell.somapos[0], y - self.cell.somapos[1])
        height = self.z[:, np.newaxis] - z
        return off_axis_potential(height, away, self.radius, self.conductivity, self.spread)


class SliceDensity:
    """Current source density in slices around the contacts, averaged over the cells' depths.

    Each segment's current is spread evenly over its length, and over the column's disc (Pettersen
    et al. 2008, J Comput Neurosci 24: 291). LFPykit's class for it wants slices that are thicker
    than segments are long, and knows a cell at one depth.

    Parameters
    ----------
    contacts : array, shape (n,)
        Depths (µm), two or more. Slices end halfway between them.
    radius : float
        Of the column (µm).
    spread : float
        Standard deviation of the cells' depths (µm).
    """

    def __init__(self, contacts: Floats, radius: float, spread: float) -> None:
        if contacts.size < 2 or np.unique(contacts).size < contacts.size:
            raise KernelError(
                "a current source density needs two contacts or more, each of another depth, found "
                f"{contacts.tolist()} µm"
            )
        order = np.argsort(contacts)
        z = contacts[order]
        middles = (z[1:] + z[:-1]) / 2
        edges = np.concatenate([[2 * z[0] - middles[0]], middles, [2 * z[-1] - middles[-1]]])
        self.slices = np.empty((z.size, 2))
        self.slices[order] = np.stack([edges[:-1], edges[1:]], axis=1)
        self.z, self.radius, self.spread = contacts, radius, spread
        self.cell: Any = None

    def get_transformation_matrix(self) -> Floats:
        """Density (nA/µm³) for currents (nA), shape (contacts, segments)."""
        low, high = np.sort(self.cell.z, axis=-1).T
        length = np.maximum(high - low, 1e-9)  # of a horizontal segment, all in one slice
        nodes, weights = np.polynomial.hermite_e.hermegauss(_DEPTHS if self.spread else 1)
        inside = np.zeros((len(self.slices), low.size))
        for shift, weight in zip(self.spread * nodes, weights / weights.sum(), strict=True):
            bottom, top = (self.slices - shift)[:, :, None].swapaxes(0, 1)
            overlap = np.minimum(top, low + length) - np.maximum(bottom, low)
            inside += weight * np.maximum(overlap, 0.0) / length
        volumes = np.pi * self.radius**2 * np.diff(self.slices, axis=1)
        return np.asarray(inside / volumes)


# ---------------------------------------------------------------------- a cell and its synapses
def part_names(description: Description) -> dict[str, tuple[str, int]]:
    """Presynaptic names for LFPykernels: a population, and which of its kinds of synapse.

    LFPykernels knows one kind of synapse for each name.
    """
    names: dict[str, tuple[str, int]] = {}
    for pre in description.populations:
        several = [
            sum(p.pre == pre for p in description.onto(post)) for post in description.populations
        ]
        for number in range(max(1, *several)):
            names[pre if number == 0 else f"{pre}, {number + 1}"] = (pre, number)
    return names


def pathway_parts(description: Description, post: str) -> dict[str, Pathway]:
    """The pathways onto a population by the names of `part_names`."""
    found = {}
    for name, (pre, number) in part_names(description).items():
        own = [p for p in description.onto(post) if p.pre == pre]
        if number < len(own):
            found[name] = own[number]
    return found


@dataclass(frozen=True)
class PlacedCell:
    """A cell that represents a population, or one of its cell types."""

    work: Work
    post: str
    name: str
    kind: CellType

    @property
    def whose(self) -> str:
        """The cell, for messages."""
        return f"the cell {self.kind.cell.name!r} of {self.post!r}"

    @property
    def depth(self) -> float:
        """Of the soma (µm)."""
        return self.work.column.depth(self.post)

    @property
    def population(self) -> Population:
        """The point neurons."""
        return self.work.description.populations[self.post]

    @cached_property
    def parameters(self) -> dict[str, Any]:
        """Arguments of ``LFPy.TemplateCell``."""
        return cell_parameters(self.kind.cell.parameters, self.whose)

    @cached_property
    def cell(self) -> Any:
        """The cell of LFPy, at its place; sections of others stay in NEURON."""
        lfpy = require("LFPy", "lfpykernels")
        try:
            with warnings.catch_warnings():  # that there are other cells
                warnings.simplefilter("ignore")
                cell = lfpy.TemplateCell(**{**self.parameters, "delete_sections": False})
        except Exception as error:  # of NEURON and LFPy, of any kind
            raise KernelError(f"{self.whose} cannot be made: {error}") from error
        cell.set_rotation(**self.rotation)
        cell.set_pos(z=self.depth)
        segments = [segment for section in cell.allseclist for segment in section]
        if not segments or min(segment.cm for segment in segments) <= 0:
            raise KernelError(f"{self.whose} has membrane without capacitance")
        if not all(hasattr(segment, "pas") for segment in segments):
            raise KernelError(f"{self.whose} is not passive: it needs the leak 'pas' everywhere")
        if np.ptp(cell.y) > 2 * np.ptp(cell.z):
            warnings.warn(
                f"{self.whose} is {np.ptp(cell.z):.0f} µm high and {np.ptp(cell.y):.0f} µm wide "
                "along y: if its apical dendrite points along y, "
                "CellType(cell, rotation={'x': np.pi / 2}) turns it upwards",
                stacklevel=2,
            )
        return cell

    @property
    def rotation(self) -> dict[str, float]:
        """About each axis (radians)."""
        return {"x": 0.0, "y": 0.0, **self.kind.rotation}

    @cached_property
    def parts(self) -> dict[str, Pathway]:
        """The pathways that end here, by the names that LFPykernels gets."""
        return pathway_parts(self.work.description, self.post)

    @property
    def conductances(self) -> bool:
        """Whether synapses are conductances."""
        return any(p.unit == "nS" for p in self.parts.values())

    def positions(self, placement: Placement) -> dict[str, Any]:
        """Where synapses are, as LFPykernels takes it."""
        sections = placement.sections
        section = sections if isinstance(sections, str) else list(sections)
        if placement.layers is not None:
            return synapse_positions(
                self.cell, self.work.layers, placement.layers,
                depth=self.depth, section=section, name=self.whose,
            )  # fmt: skip
        z = self.cell.z.mean(axis=-1) - self.depth
        among = np.zeros(z.size, dtype=bool)
        among[self.cell.get_idx(section=section)] = True
        bounds = [
            (max(low, z.min() - 1.0), min(high, z.max() + 1.0)) for low, high in placement.depths
        ]
        inside = [(low, high) for low, high in bounds if np.any(among & (z >= low) & (z <= high))]
        if not inside:
            raise KernelError(
                f"{self.whose} has no membrane of {section!r} at the depths "
                f"{list(placement.depths)} µm relative to its soma, where synapses should be: it "
                f"reaches from {z.min():.0f} to {z.max():.0f} µm; give another placement"
            )
        # Densities are multiplied by the membrane's area: evenly spread is a density of 1.
        from scipy.stats import uniform  # takes half a second to import

        return {
            "section": section,
            "fun": [uniform] * len(inside),
            "funargs": [{"loc": self.depth + low, "scale": high - low} for low, high in inside],
            "funweights": [high - low for low, high in inside],
        }

    def placed(self, synapses: Synapses) -> dict[str, Any]:
        """Where synapses of a pathway or drive are, as LFPykernels takes it."""
        source, kind = synapses.source, kind_of(self.work.description, synapses)
        general = self.work.placement[source, self.post, kind]
        return self.positions((self.kind.placement or {}).get(source, general))

    def synapse_share(self, pre: str) -> float:
        """The part of the synapses from a population that falls on this cell type."""
        return (self.kind.synapses or {}).get(pre, self.kind.share)

    @cached_property
    def mean_conductances(self) -> list[tuple[Floats, float]]:
        """Mean conductance by segment (µS) and reversal potential (mV), of each kind of synapse."""
        if not self.conductances:
            return []
        scale = 1e-3  # µS
        if self.work.relative:
            point = membrane(self.population)
            assert point is not None, "looked at before"
            scale = float(self.leak.sum()) / point.leak
        approx = require("lfpykernels", "lfpykernels").KernelApprox
        found = []
        for mean in mean_conductances(self.work.description, self.work.rates, self.post):
            share = self.synapse_share(mean.of.source) / self.kind.share
            where = self.placed(mean.of)
            on_each = approx.get_rand_idx_area_and_distribution_prob(None, self.cell, **where)
            found.append((scale * share * mean.conductance * on_each, mean.reversal))
        return found

    @cached_property
    def leak(self) -> Floats:
        """Leak conductance of each segment (µS)."""
        density = [s.g_pas for section in self.cell.allseclist for s in section]
        return np.asarray(density) * self.cell.area * 1e-2  # S/cm² × µm²: 1e-8 S is 1e-2 µS

    @cached_property
    def potential(self) -> Any:
        """What synapses are linearized around: the mean potential of each segment (mV)."""
        if not self.conductances:
            return 0.0
        point = membrane(self.population)
        if point is not None:  # otherwise the cell's own
            for section in self.cell.allseclist:
                section.e_pas = point.rest
        return mean_potential(self.cell, self.mean_conductances)

    def cell_type(self) -> lfpykernels.CellType:
        """What LFPykernels is given."""
        from scipy.stats import norm  # takes half a second to import

        description, sizes = self.work.description, self.work.description.populations
        names = part_names(description)
        spike = [self._synapse(name) for name in names]
        delay = [self._delays(name) for name in names]
        parameters = dict(self.parameters)
        if self.conductances:
            leak = {
                "nsegs": [section.nseg for section in self.cell.allseclist],
                "g_pas": total_leak(self.cell, self.mean_conductances).tolist(),
            }
            functions = [*(parameters.get("custom_fun") or []), set_leak]
            arguments = [*(parameters.get("custom_fun_args") or []), leak]
            parameters |= {
                "custom_fun": functions, "custom_fun_args": arguments, "nsegs_method": None,
            }  # fmt: skip
        first = next(iter(self.parts.values()))
        approx = require("lfpykernels", "lfpykernels").KernelApprox(
            X=list(names),
            Y=self.post,
            N_X=np.array([float(sizes[pre].size) for pre, _ in names.values()]),
            N_Y=self.population.size,
            C_YX=np.array(
                [
                    self.parts[name].synapses / self.population.size if name in self.parts else 0.0
                    for name in names
                ]
            ),
            cellParameters=parameters,
            # Synapses move with the cell, so that one cell stands for all depths; the probes blur.
            populationParameters={"radius": 1.0, "loc": self.depth, "scale": 0.0},
            rotationParameters=self.rotation,
            multapseFunction=norm,  # of 1, 2, ... synapses: 1
            multapseParameters=[{"loc": 1.0, "scale": 0.01}] * len(names),
            delayFunction=Delays,
            delayParameters=delay,
            synapseParameters=spike,
            synapsePositionArguments=[self.placed(self.parts.get(name, first)) for name in names],
            conductance_based=self.conductances,
        )
        shares = {name: self.synapse_share(pre) for name, (pre, _) in names.items()}
        return lfpykernels.CellType(approx, self.kind.share, shares)

    def _synapse(self, part: str) -> dict[str, Any]:
        """Arguments of LFPy.Synapse; of any kind where there are none."""
        if part not in self.parts:
            return {"syntype": "ExpSyn" if self.conductances else "ExpSynI", "weight": 0.0,
                    "tau": 1.0, "e": 0.0}  # fmt: skip
        own = self.parts[part]
        wave = own.waveform
        assert wave is not None
        if wave.shape == "exp":
            courses = {"syntype": "ExpSyn", "tau": wave.tau}
        else:
            rise = mechanisms.ALPHA * wave.tau if wave.tau_rise is None else wave.tau_rise
            courses = {"syntype": "Exp2Syn", "tau1": rise, "tau2": wave.tau}
        found = {**courses, "weight": 1e-3 * own.peak, "e": wave.reversal or 0.0}
        return found if self.conductances else {**found, "syntype": f"{courses['syntype']}I"}

    def _delays(self, part: str) -> dict[str, Any]:
        own = self.parts.get(part, next(iter(self.parts.values())))
        return {"times": list(own.delays), "weights": list(own.shares), "dt": self.work.dt}

    def cylinder(self, radius: float) -> Cylinder:
        """Where the somata of the population are."""
        height = max(2 * self.work.column.spread, 1.0)
        return Cylinder(radius=radius, bottom=self.depth - height, top=self.depth + height)

    def assumed(self) -> dict[str, Any]:
        """What was assumed, in JSON's terms."""
        found = {
            "population": self.post,
            "cell": self.kind.cell.name,
            "share": self.kind.share,
            "membrane_um2": float(self.cell.area.sum()),
            "bottom_um": float(self.cell.z.min()),
            "top_um": float(self.cell.z.max()),
            "soma_um": self.depth,
            "leak_nS": float(1e3 * self.leak.sum()),
        }
        if self.conductances:
            total = sum(float(by_segment.sum()) for by_segment, _ in self.mean_conductances)
            found["conductance_over_leak"] = total / float(self.leak.sum())
            found["mean_potential_mV"] = float(np.average(self.potential, weights=self.cell.area))
        return found


def set_leak(cell: Any, nsegs: Sequence[int], g_pas: Sequence[float]) -> None:
    """Leak conductance of each segment (S/cm²), of a cell of LFPy that is being made."""
    values = iter(g_pas)
    for section, n in zip(cell.allseclist, nsegs, strict=True):
        section.nseg = n
        for segment in section:
            segment.g_pas = next(values)


# ---------------------------------------------------------------------- kernels
def _long_enough(
    work: Work,
    populations: Mapping[str, Any],
    potentials: Mapping[str, Any],
    probes: Sequence[Any],
    processes: int | None,
    progress: bool,
) -> KernelSet:
    """Kernels of the parts, with lags until little is left of them."""
    longest = work.description.longest_delay(work.cells)
    beyond = _FIRST
    while True:
        reach = longest + beyond if work.tau is None else work.tau
        tau = work.dt * math.ceil(reach / work.dt)
        found = lfpykernels.compute(
            populations,
            probes,
            dt=work.dt,
            Vrest=potentials,
            t_X=tau,
            tau=tau,
            g_eff=False,
            depths="LFPykernels",
            correct_charge=True,
            processes=0 if len(work.cells) < _FEW else processes,
            mechanisms=mechanisms.load,
            progress=progress,
        )
        if work.tau is not None:
            return found
        last = _last_lag(found)
        if last < found.n_lags or beyond >= _LONGEST:
            return KernelSet(found.dataset.isel(lag=slice(0, last)))
        beyond *= 2


def _last_lag(kernels: KernelSet) -> int:
    """Number of lags after which no kernel has more than `LEFT` of its peak."""
    last = 1
    for signal in kernels.signals:
        values = np.abs(kernels[signal].values)
        peak = values.max(axis=(-2, -1), keepdims=True)  # of a pathway, over its channels
        left = np.flatnonzero((values > LEFT * peak).any(axis=(0, 1, 2)))
        if left.size:
            last = max(last, int(left[-1]) + 2)
    return min(last, kernels.n_lags)


def _by_population(dataset: xr.Dataset, description: Description) -> xr.Dataset:
    """Kernels of all kinds of synapse of a presynaptic population added up."""
    names = part_names(description)
    with xr.set_options(keep_attrs=True):
        summed = [
            dataset.sel(pre=[part for part, (x, _) in names.items() if x == pre]).sum("pre")
            for pre in description.populations
        ]
        one = xr.concat(summed, dim="pre", combine_attrs="override")
    one = one.assign_coords(pre=list(description.populations))
    return one.transpose("post", "pre", ..., "lag")


def _rows(work: Work, soma: Mapping[str, Mapping[str, float]]) -> list[dict[str, Any]]:
    """For each pathway the potential of one synapse at the soma of cell and point neuron (mV)."""
    rows = []
    for post in work.cells:
        for part, pathway in pathway_parts(work.description, post).items():
            cell = soma[post][part] / pathway.synapses
            point = peak_potential(work.description, work.rates, pathway)
            rows.append(
                {
                    "part": part,
                    "pre": pathway.pre,
                    "post": post,
                    "cell_mV": cell,
                    "point_mV": point,
                    "ratio": point / cell if point is not None and cell else None,
                }
            )
    return rows
