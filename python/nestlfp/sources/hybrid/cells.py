"""The multicompartment cells that stand for point neurons, and the synapses on them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.stats as st
from numpy.typing import ArrayLike

from ... import geometry
from ..._types import Floats, Ints
from ...errors import NetworkError, ToolchainError
from ...extras import require
from ..lfpykernels import EXTRA

_MOST_MULTAPSES = 99
_TRIES = 1000


@dataclass(frozen=True)
class Column:
    """Cell positions: uniform in a disk, normally distributed in depth.

    Parameters
    ----------
    radius : float
        Radius of the disk around the z-axis (µm).
    loc, scale : float
        Mean and standard deviation of the depth z (µm).
    """

    radius: float
    loc: float = 0.0
    scale: float = 0.0

    def __post_init__(self) -> None:
        if not (self.radius > 0 and self.scale >= 0 and np.isfinite(self.loc)):
            raise NetworkError(f"a cylinder needs radius > 0 and scale >= 0, found {self}")
        geometry.check_micrometres(np.array([self.radius]), "a population's column (its radius)")
        if self.scale > 0:
            sizes = np.array([self.radius, self.loc, self.scale])
            geometry.check_micrometres(sizes, "a population's column", geometry.SEVERAL_UM)

    def draw(self, rng: np.random.Generator) -> Floats:
        """One position (x, y, z) in µm."""
        r = self.radius * np.sqrt(rng.uniform())
        phi = rng.uniform(0, 2 * np.pi)
        return np.array([r * np.cos(phi), r * np.sin(phi), rng.normal(self.loc, self.scale)])


@dataclass(frozen=True)
class Synapses:
    """The synapses that one connection of a pathway makes on a cell.

    Parameters
    ----------
    tau1, tau2 : float
        Time constants of rise and decay of the current (ms). With ``tau1 == tau2`` the time
        course is their limit, the alpha function.
    nA_per_pA : float
        Peak current of one synapse (nA) for 1 pA of the connection's weight in NEST. A positive
        current depolarizes.
    section : str or sequence of str
        Sections that receive synapses, by the beginning of their names or any part of them.
    depth : sequence of (float, frozen distribution of scipy.stats), optional
        Density of synapses over the depth z (µm, the contacts' frame) as weighted sum of these
        densities; a segment receives synapses in proportion to its area times this. Default:
        the area alone.
    multapses : int or frozen distribution of scipy.stats
        Synapses of one connection: a number, or a distribution whose density at 1, 2, ..., 99 is
        the probability of these numbers, as in LFPykernels.
    syntype : str
        NEURON mechanism of a current-based synapse with the parameters tau1 and tau2, whose
        weight is the peak current (nA).
    """

    tau1: float
    tau2: float
    nA_per_pA: float = 1e-3
    section: str | Sequence[str] = "allsec"
    depth: Sequence[tuple[float, Any]] | None = None
    multapses: int | Any = 1
    syntype: str = "Exp2SynI"

    def __post_init__(self) -> None:
        if not (0 < self.tau1 <= self.tau2 < np.inf):
            raise NetworkError(
                "synapses need time constants 0 < tau1 <= tau2 in ms, found "
                f"tau1 = {self.tau1!r}, tau2 = {self.tau2!r}"
            )
        if not np.isfinite(self.nA_per_pA):
            raise NetworkError(f"nA_per_pA must be finite, found {self.nA_per_pA!r}")
        number = self.multapses
        if isinstance(number, int | np.integer):
            if number < 1:
                raise NetworkError(f"a connection makes at least 1 synapse, found {number}")
        elif not (hasattr(number, "pdf") or hasattr(number, "pmf")):
            raise NetworkError(
                f"multapses must be a number or a frozen distribution of scipy.stats, "
                f"found {number!r}"
            )

    def draw_numbers(self, connections: int, rng: np.random.Generator) -> Ints:
        """Number of synapses of each of so many connections."""
        if isinstance(self.multapses, int | np.integer):
            return np.full(connections, self.multapses)
        numbers = np.arange(1, _MOST_MULTAPSES + 1)
        density = getattr(self.multapses, "pdf", None) or self.multapses.pmf
        p = density(numbers)
        return rng.choice(numbers, size=connections, p=p / p.sum())

    def draw_segments(self, cell: Any, count: int, rng: np.random.Generator) -> Ints:
        """Segments of `cell`, where it stands, that receive so many synapses."""
        section = self.section if isinstance(self.section, str) else list(self.section)
        among = cell.get_idx(section=section)
        p = cell.area[among]
        if self.depth is not None:
            z = cell.z[among].mean(axis=-1)
            p = p * sum(weight * density.pdf(z) for weight, density in self.depth)
        if not np.sum(p) > 0:
            raise NetworkError(
                f"no segment of the cell can receive synapses on {self.section!r} at the depths "
                "described"
            )
        return rng.choice(among, size=count, p=p / p.sum())


@dataclass(frozen=True)
class Population:
    """The multicompartment cells that stand for one population of point neurons.

    Parameters
    ----------
    cell : dict
        Arguments of ``LFPy.TemplateCell``, or of ``LFPy.Cell`` where there is no
        ``templatefile``. The cell must be passive and start at rest (``v_init`` = ``e_pas``).
        Functions in it must be importable from a module.
    synapses : dict of str to Synapses
        The synapses of each presynaptic population.
    positions : Column or array, shape (neurons, 3)
        Where the somas are (µm). Positions drawn from a cylinder are drawn again where a contact
        would lie inside the cell.
    mechanisms : str or callable, optional
        Folder with the compiled mechanism of the synapses, such as `sources.mechanisms.compiled`
        returns, or an importable function that loads it into NEURON.
    """

    cell: Mapping[str, Any]
    synapses: Mapping[str, Synapses]
    positions: Column | ArrayLike
    mechanisms: str | Callable[[], None] | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.positions, Column):
            where = geometry.cells(self.positions, "the cells")
            object.__setattr__(self, "positions", where)

    def place(self, cell: Any, index: int, contacts: Floats, rng: np.random.Generator) -> None:
        """Move a cell of LFPy to its position, where it contains no contact."""
        if not isinstance(self.positions, Column):
            cell.set_pos(*np.asarray(self.positions)[index])
            inside = _contacts_inside(cell, contacts)
            if inside.size:
                raise NetworkError(
                    f"the contact at {contacts[inside[0]].tolist()} µm lies inside cell {index}, "
                    f"which stands at {np.asarray(self.positions)[index].tolist()} µm: move the "
                    "contact or the cell"
                )
            return
        for _ in range(_TRIES):
            cell.set_pos(*self.positions.draw(rng))
            if not _contacts_inside(cell, contacts).size:
                return
        raise NetworkError(f"in {self.positions} every position has a contact inside the cell")

    @classmethod
    def from_lfpykernels(
        cls,
        approx: Any,
        weights: Mapping[str, float],
        *,
        mechanisms: str | Callable[[], None] | None = None,
    ) -> Population:
        """The population that an ``lfpykernels.KernelApprox`` describes.

        Parameters
        ----------
        approx : lfpykernels.KernelApprox
            Made with ``conductance_based=False``: the weights of its synapses are currents (nA).
        weights : dict of str to float
            For each presynaptic population the weight in NEST (pA) that stands for its synapse's
            weight; other weights scale with it.
        mechanisms : str or callable, optional
            As in `Population`.
        """
        if approx.conductance_based:
            raise NetworkError(
                "the hybrid scheme replays current-based synapses: make the KernelApprox with "
                "conductance_based=False and weights in nA"
            )
        synapses = {}
        for i, pre in enumerate(approx.X):
            syn, where = approx.synapseParameters[i], approx.synapsePositionArguments[i]
            if not weights.get(pre):
                raise NetworkError(
                    f"weights need one other than 0 (pA) for {pre!r}, found {dict(weights)}"
                )
            synapses[pre] = Synapses(
                tau1=syn["tau1"],
                tau2=syn["tau2"],
                nA_per_pA=syn["weight"] / weights[pre],
                section=where.get("section", "allsec"),
                depth=_depths(where),
                multapses=approx.multapseFunction(**approx.multapseParameters[i]),
                syntype=syn["syntype"],
            )
        column = Column(**approx.populationParameters)
        return cls(approx.cellParameters, synapses, column, mechanisms)


def _depths(where: Mapping[str, Any]) -> list[tuple[float, Any]]:
    """Densities over depth from the arguments that LFPykernels has for synapse positions."""
    unknown = sorted(set(where) - {"section", "fun", "funargs", "funweights"})
    if unknown:
        raise NetworkError(f"the hybrid scheme does not know the synapse positions' {unknown}")
    fun, arguments, weights = (where.get(name) for name in ("fun", "funargs", "funweights"))
    if isinstance(fun, str) or callable(fun):
        fun, arguments, weights = [fun], [arguments], [1.0]
    shapes = [getattr(st, shape) if isinstance(shape, str) else shape for shape in fun or ()]
    return [(w, f(**a)) for w, f, a in zip(weights or (), shapes, arguments or (), strict=True)]


def _contacts_inside(cell: Any, contacts: Floats) -> Ints:
    """Which contacts lie inside a segment of the cell."""
    start = np.stack([cell.x[:, 0], cell.y[:, 0], cell.z[:, 0]], axis=-1)
    end = np.stack([cell.x[:, -1], cell.y[:, -1], cell.z[:, -1]], axis=-1)
    axis = end - start
    radius = np.reshape(cell.d, (len(axis), -1)).mean(axis=-1) / 2
    to = contacts[:, None, :] - start  # (contact, segment, 3)
    along = np.sum(to * axis, axis=-1) / np.sum(axis**2, axis=-1)
    across = np.linalg.norm(to - along[..., None] * axis, axis=-1)
    return np.flatnonzero(np.any((across < radius) & (along >= 0) & (along <= 1), axis=1))


# ---------------------------------------------------------------------- LFPy and NEURON
def build(population: Population, dt: float, n_steps: int) -> Any:
    """A cell of LFPy at the origin; it can be simulated once."""
    lfpy = require("LFPy", EXTRA)
    kind = lfpy.TemplateCell if "templatefile" in population.cell else lfpy.Cell
    timing = {"dt": dt, "tstart": 0.0, "tstop": (n_steps + 1) * dt}
    return kind(**{**population.cell, **timing, "delete_sections": True})


def load_mechanisms(population: Population) -> None:
    """Have NEURON know the mechanisms of a population's synapses."""
    neuron, load = require("neuron", EXTRA), population.mechanisms
    wanted = {synapses.syntype for synapses in population.synapses.values()}
    if load is not None and not all(hasattr(neuron.h, name) for name in wanted):
        if callable(load):
            load()
        else:
            # NEURON refuses a library of which it knows a part already; what is missing is said
            # below.
            with contextlib.suppress(RuntimeError):
                neuron.load_mechanisms(load, warn_if_already_loaded=False)
    missing = sorted(name for name in wanted if not hasattr(neuron.h, name))
    if missing:
        raise ToolchainError(
            f"NEURON does not know the mechanisms {missing}: give as "
            "Population(mechanisms=...) the folder that nestlfp.sources.mechanisms.compiled() "
            "returns, with Exp2SynI, or compiled(folder), with your own; found "
            f"mechanisms={load!r}"
        )
