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
from ..mechanisms import ALPHA

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
        Time constants of rise and decay of the current, or conductance (ms). With
        ``tau1 == tau2`` the time course is their limit, the alpha function; with ``tau1 = 0`` it
        jumps to its peak.
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
    syntype : str, optional
        NEURON mechanism with the parameters tau1 and tau2, or with tau, which is `tau2`. The weight
        of a current-based one is the peak current (nA), that of a conductance-based one, which has
        the parameter e, the peak conductance (µS). Default: `Exp2SynI` and, where it jumps,
        `ExpSynI`; of conductances NEURON's Exp2Syn and ExpSyn.
    reversal : float, optional
        Reversal potential (mV): the synapse is a conductance, and `nA_per_pA` is not used. Signals
        are then not linear in the spikes: only ``signals(..., method="simulate")`` has them.
    nS_per_weight : float
        Peak conductance of one synapse (nS), where it is one, for 1 unit of the connection's
        weight in NEST, whose sign does not count. NEST's conductance-based models have weights in
        nS.
    """

    tau1: float
    tau2: float
    nA_per_pA: float = 1e-3
    section: str | Sequence[str] = "allsec"
    depth: Sequence[tuple[float, Any]] | None = None
    multapses: int | Any = 1
    syntype: str | None = None
    reversal: float | None = None
    nS_per_weight: float = 1.0

    def __post_init__(self) -> None:
        if not (0 <= self.tau1 <= self.tau2 < np.inf and self.tau2 > 0):
            raise NetworkError(
                "synapses need time constants 0 <= tau1 <= tau2 in ms, and tau2 > 0, found "
                f"tau1 = {self.tau1!r}, tau2 = {self.tau2!r}"
            )
        for name in ("nA_per_pA", "reversal", "nS_per_weight"):
            value = getattr(self, name)
            if value is not None and not np.isfinite(value):
                raise NetworkError(f"{name} must be finite, found {value!r}")
        if self.nS_per_weight < 0:
            raise NetworkError(
                f"nS_per_weight must not be negative, whatever the weights' sign, found "
                f"{self.nS_per_weight!r}"
            )
        number = self.multapses
        if isinstance(number, int | np.integer):
            if number < 1:
                raise NetworkError(f"a connection makes at least 1 synapse, found {number}")
        elif not (hasattr(number, "pdf") or hasattr(number, "pmf")):
            raise NetworkError(
                f"multapses must be a number or a frozen distribution of scipy.stats, "
                f"found {number!r}"
            )

    @property
    def mechanism(self) -> str:
        """NEURON mechanism of a synapse."""
        shape = "Exp2Syn" if self.tau1 else "ExpSyn"
        return self.syntype or (shape + "I" if self.reversal is None else shape)

    @property
    def parameters(self) -> dict[str, Any]:
        """Arguments of ``LFPy.Synapse``, which passes over what a mechanism does not have."""
        courses = {
            "tau1": min(self.tau1, ALPHA * self.tau2),
            "tau2": self.tau2,
            "tau": self.tau2,
        }
        reversal = {} if self.reversal is None else {"e": self.reversal}
        return {"syntype": self.mechanism, **courses, **reversal}

    def peaks(self, weights: Floats) -> Floats:
        """Peak of the current (nA) or conductance (µS) of a synapse, for weights in NEST."""
        if self.reversal is None:
            return weights * self.nA_per_pA
        return 1e-3 * self.nS_per_weight * np.abs(weights)

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
    """The multicompartment cells that represent one population of point neurons.

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
                    f"which is at {np.asarray(self.positions)[index].tolist()} µm: move the "
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
            The weights of its synapses are conductances (µS), or currents (nA) where it is made
            with ``conductance_based=False``. Its external synapses are not taken over: they are
            those of one more population of the network.
        weights : dict of str to float
            For each presynaptic population the weight in NEST that stands for its synapse's
            weight; other weights scale with it.
        mechanisms : str or callable, optional
            As in `Population`.
        """
        synapses = {}
        for i, pre in enumerate(approx.X):
            syn, where = approx.synapseParameters[i], approx.synapsePositionArguments[i]
            if not weights.get(pre):
                raise NetworkError(
                    f"weights need one other than 0 for {pre!r}, found {dict(weights)}"
                )
            strength = (
                {"nS_per_weight": 1e3 * syn["weight"] / abs(weights[pre]), "reversal": syn["e"]}
                if approx.conductance_based
                else {"nA_per_pA": syn["weight"] / weights[pre]}
            )
            synapses[pre] = Synapses(
                tau1=syn.get("tau1", 0.0),
                tau2=syn["tau2"] if "tau2" in syn else syn["tau"],
                **strength,
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
        raise NetworkError(f"the hybrid scheme does not have the synapse positions' {unknown}")
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
    """Load the mechanisms of a population's synapses into NEURON."""
    neuron, load = require("neuron", EXTRA), population.mechanisms
    wanted = {synapses.mechanism for synapses in population.synapses.values()}
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
            f"NEURON does not have the mechanisms {missing}: give as "
            "Population(mechanisms=...) the folder that nestlfp.sources.mechanisms.compiled() "
            "returns, with Exp2SynI, or compiled(folder), with your own; found "
            f"mechanisms={load!r}"
        )
