"""The hybrid scheme: the full calculation of a network's signal, cell by cell.

A network of point neurons has run in NEST. Each neuron gets a passive multicompartment cell of
LFPy, each connection its synapses on that cell, and each presynaptic spike is replayed at these
synapses after the connection's own delay and with its own weight; LFPykit turns the
transmembrane currents into signals (Hagen et al. 2016, Cereb Cortex 26:4461). Kernels replace
this calculation, and this calculation says how good they are.

======================  ======================================================================
`Network`               what the scheme needs of the network: connections, spikes, resolution
`Population`            the cells that stand for one population, and the synapses they receive
`signals`               the signal of the recorded spikes, cell by cell
`kernels`               kernels measured by a synchronous spike of each population
`single_kernels`        the kernel of each single neuron, whose spread a population kernel hides
======================  ======================================================================

All three replay spikes of rows of activity: one row holds the recorded spikes, or one spike of
every neuron of a population, or one spike of one neuron. Cells are simulated in processes of
their own, started afresh: NEURON never meets NEST, and cells of the calling process stay as
they are. Each cell draws its position and synapses from random numbers of its own, so that the
result is the same for any number of processes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import scipy.stats as st
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from .. import geometry
from ..errors import NetworkError
from ..extras import require
from ..grid import steps
from ..kernels import AXES, KernelSet, by_dims, channel_dim
from ._probes import PREDICTS
from ._provenance import package_version, plain
from ._replay import METHODS, Row, Task, responses

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_MOST_MULTAPSES = 99
_TRIES = 1000


# ---------------------------------------------------------------------- the network
@dataclass(frozen=True)
class Connections:
    """Connections from one population onto another, as NEST made them.

    Parameters
    ----------
    source, target : array of int, shape (connections,)
        Index of the neurons within their populations.
    weight : array, shape (connections,)
        Weight in NEST (pA).
    delay : array, shape (connections,)
        Delay (ms).
    """

    source: Ints
    target: Ints
    weight: Floats
    delay: Floats

    def __post_init__(self) -> None:
        for name, kind in (("source", int), ("target", int), ("weight", float), ("delay", float)):
            object.__setattr__(self, name, np.atleast_1d(np.asarray(getattr(self, name), kind)))
        columns = (self.delay, self.weight, self.source, self.target)
        if len({column.shape for column in columns}) > 1 or self.source.ndim != 1:
            raise NetworkError(
                "source, target, weight and delay need one entry per connection, found shapes "
                f"{[column.shape for column in columns]}"
            )
        if not (np.all(np.isfinite(self.weight)) and np.all(np.isfinite(self.delay))):
            raise NetworkError("weights and delays must be finite")
        # One order whatever the number of threads that made the connections.
        order = np.lexsort(columns)
        for name in ("source", "target", "weight", "delay"):
            object.__setattr__(self, name, getattr(self, name)[order])

    def onto(self, target: int) -> tuple[Ints, Floats, Floats]:
        """Source, weight (pA) and delay (ms) of the connections onto one neuron."""
        first, last = np.searchsorted(self.target, [target, target + 1])
        return self.source[first:last], self.weight[first:last], self.delay[first:last]


@dataclass(frozen=True)
class Network:
    """A network of point neurons that has run.

    Parameters
    ----------
    sizes : dict of str to int
        Number of neurons of each population.
    connections : dict of (str, str) to Connections
        Connections from population X onto population Y under the key ``(X, Y)``.
    spikes : dict of str to (array of int, array)
        Index of the spiking neuron within its population and time stamp (ms) of each spike.
    dt : float
        Resolution of the network (ms).
    """

    sizes: Mapping[str, int]
    connections: Mapping[tuple[str, str], Connections]
    spikes: Mapping[str, tuple[Ints, Floats]] = field(default_factory=dict)
    dt: float = 0.1

    def __post_init__(self) -> None:
        for (pre, post), found in self.connections.items():
            self._check_population(pre, post)
            for name, index in ((pre, found.source), (post, found.target)):
                self._check_indices(name, index, f"connections {pre} → {post}")
            if found.delay.size and steps(found.delay, self.dt, "delays", NetworkError).min() < 1:
                raise NetworkError(
                    f"delays of {pre} → {post} must be at least dt = {self.dt:g} ms, "
                    f"found {found.delay.min():g} ms"
                )
        for name, (index, times) in self.spikes.items():
            self._check_population(name)
            if np.shape(index) != np.shape(times) or np.ndim(times) != 1:
                raise NetworkError(
                    f"spikes of {name!r} need one neuron for each time, found shapes "
                    f"{np.shape(index)} and {np.shape(times)}"
                )
            self._check_indices(name, np.asarray(index), "spikes")
            steps(times, self.dt, f"spike times of {name!r}", NetworkError)

    def _check_population(self, *names: str) -> None:
        unknown = [name for name in names if name not in self.sizes]
        if unknown:
            raise NetworkError(f"populations {unknown} not among the network's {list(self.sizes)}")

    def _check_indices(self, name: str, index: Ints, what: str) -> None:
        outside = index[(index < 0) | (index >= self.sizes[name])]
        if outside.size:
            raise NetworkError(
                f"{what} of unknown neurons: {name!r} has {self.sizes[name]} neurons, "
                f"found index {outside[0]}"
            )

    @classmethod
    def from_nest(
        cls, populations: Mapping[str, Any], spikes: Mapping[str, Any] | None = None
    ) -> Network:
        """What NEST holds of a network: its connections and the spikes it recorded.

        Parameters
        ----------
        populations : dict of str to nest.NodeCollection
            Neurons whose connections among each other count. Populations without cells, such as
            parrot neurons that stand for the thalamus, may be among them.
        spikes : dict of str to nest.NodeCollection or dict, optional
            For each population its spike recorder, or the recorder's ``events``: a dictionary
            with ``senders`` (node ids) and ``times`` (ms).

        Raises
        ------
        NetworkError
            If a recorder holds spikes of neurons that are not of its population, or if NEST runs
            on several MPI ranks, each of which knows only a part of the network.
        """
        nest = require("nest", "nest")
        if nest.num_processes > 1:
            raise NetworkError(
                "the hybrid scheme needs the whole network in one process, "
                f"found {nest.num_processes} MPI ranks"
            )
        ids = {name: np.asarray(nodes.tolist()) for name, nodes in populations.items()}
        connections = {}
        for pre, sources in populations.items():
            for post, targets in populations.items():
                found = nest.GetConnections(sources, targets)
                if len(found) == 0:
                    continue
                values = found.get(["source", "target", "weight", "delay"])
                connections[pre, post] = Connections(
                    _index(values["source"], ids[pre], pre),
                    _index(values["target"], ids[post], post),
                    values["weight"],
                    values["delay"],
                )
        recorded = {}
        for name, recorder in (spikes or {}).items():
            if name not in ids:
                raise NetworkError(f"spikes of {name!r}, which is not among {list(ids)}")
            senders, times = _events(recorder)
            recorded[name] = (_index(senders, ids[name], name), times)
        sizes = {name: len(found) for name, found in ids.items()}
        return cls(sizes, connections, recorded, float(nest.resolution))


def _events(recorder: Any) -> tuple[Ints, Floats]:
    """Senders and times (ms) of a spike recorder, of several, or of a dictionary of events."""
    if isinstance(recorder, Mapping):
        parts: Sequence[Mapping[str, Any]] = [recorder]
    else:
        parts = [node.get("events") for node in recorder]
    senders = np.concatenate([np.asarray(part["senders"], dtype=int) for part in parts])
    times = np.concatenate([np.asarray(part["times"], dtype=float) for part in parts])
    return senders, times


def _index(nodes: ArrayLike, ids: Ints, name: str) -> Ints:
    """Index of node ids within the ids of a population."""
    nodes = np.atleast_1d(np.asarray(nodes, dtype=int))
    order = np.argsort(ids)
    found = order[np.minimum(np.searchsorted(ids, nodes, sorter=order), len(ids) - 1)]
    unknown = np.unique(nodes[ids[found] != nodes])
    if unknown.size:
        raise NetworkError(
            f"spikes of unknown neurons: nodes {unknown[:5].tolist()} are not of "
            f"population {name!r}"
        )
    return found


# ---------------------------------------------------------------------- the cells
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
        Folder in which ``nrnivmodl`` compiled the mechanism of the synapses, or an importable
        function that loads it into NEURON.
    """

    cell: Mapping[str, Any]
    synapses: Mapping[str, Synapses]
    positions: Column | ArrayLike
    mechanisms: str | Callable[[], None] | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.positions, Column):
            where = geometry.positions(self.positions, "the cells")
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


# ---------------------------------------------------------------------- what a user calls
def signals(
    network: Network,
    populations: Mapping[str, Population],
    probes: Sequence[Any] | Mapping[str, Any],
    duration: float,
    *,
    by: str | Iterable[str] = (),
    method: str = "simulate",
    seed: int = 1,
    processes: int | None = None,
    progress: bool = True,
) -> xr.Dataset:
    """The signal of a network's recorded spikes, calculated cell by cell.

    Parameters
    ----------
    network : Network
        Connections and spikes.
    populations : dict of str to Population
        The populations that have cells. The signal is that of their transmembrane currents.
    probes : sequence or dict of LFPykit models
        Models such as ``lfpykit.LineSourcePotential(cell=None, x, y, z, sigma)`` ("LFP", mV) and
        ``lfpykit.CurrentDipoleMoment(cell=None)`` ("CDM", nA µm); a dictionary names the signals.
    duration : float
        Length of the signal (ms).
    by : {"pre", "post"} or both, optional
        Keep the contributions of these populations apart. Apart by "pre", each cell is simulated
        once for each presynaptic population.
    method : {"simulate", "superpose"}
        Simulate each cell with all its synapses in NEURON, or superpose simulated responses to
        single activations of each segment. The results agree to 1e-8 of the peak; superposing
        is the faster the fewer spikes there are, and takes memory in the square of the segments.
    seed : int
        Of positions and synapses.
    processes : int, optional
        How many to use. Default: one per core. They do not change the result. With 0, cells are
        simulated in the calling process, whose own sections in NEURON are deleted.
    progress : bool
        Show a progress bar.

    Returns
    -------
    xarray.Dataset
        As `KernelSet.convolve` returns it.
    """
    how: dict[str, Any] = dict(method=method, seed=seed, processes=processes, progress=progress)
    keep = by_dims(by)
    n = int(steps(duration, network.dt, "duration", NetworkError))
    groups = [[name] for name in network.sizes] if "pre" in keep else [list(network.sizes)]
    rows = [{name: _trains(network, name) for name in group} for group in groups]
    replayed = _replay(network, populations, probes, rows, n, **how)

    # An empty signal of a kernel set with these channels has the layout that convolve gives.
    ones = {name: np.ones_like(data[..., :1]) for name, data in replayed.items()}
    pre = list(network.sizes) if "pre" in keep else ["all"]
    source = _provenance(populations, method, seed)
    kernel = _kernel_set(ones, probes, pre, list(populations), network.dt, source)
    result = kernel.convolve({}, n * network.dt, by=keep)
    for name, data in replayed.items():
        summed = data if "post" in keep else data.sum(axis=0, keepdims=True)
        result[name].values = summed.reshape(result[name].shape)
    return result


def kernels(
    network: Network,
    populations: Mapping[str, Population],
    probes: Sequence[Any] | Mapping[str, Any],
    tau: float = 50.0,
    *,
    method: str = "simulate",
    seed: int = 1,
    processes: int | None = None,
    progress: bool = True,
) -> KernelSet:
    """Kernels measured by letting every neuron of a population spike at the same time.

    The kernel of population X through population Y is the signal of Y's cells after a
    synchronous spike of all neurons of X, divided by their number (Skaar et al. 2020, PLoS
    Comput Biol 16(3): e1007725, Eq. 10): the mean of the kernels of X's neurons.

    Parameters
    ----------
    network : Network
        Connections; its spikes are not used.
    populations, probes, method, seed, processes, progress
        As in `signals`.
    tau : float
        Longest lag (ms).

    Returns
    -------
    KernelSet
        With lags dt, 2 dt, ..., `tau` at the network's resolution.
    """
    how: dict[str, Any] = dict(method=method, seed=seed, processes=processes, progress=progress)
    n = int(steps(tau, network.dt, "tau", NetworkError))
    rows = [{name: {i: np.zeros(1) for i in range(network.sizes[name])}} for name in network.sizes]
    replayed = _replay(network, populations, probes, rows, n, **how)
    sizes = np.array(list(network.sizes.values()), dtype=float)
    means = {name: data / sizes[:, None, None] for name, data in replayed.items()}
    source = _provenance(populations, method, seed)
    measured = _kernel_set(
        means, probes, list(network.sizes), list(populations), network.dt, source
    )
    columns = {name: p.positions for name, p in populations.items()}
    cylinders = {
        name: geometry.Cylinder.of_normal_depths(c.radius, c.loc, c.scale)
        for name, c in columns.items()
        if isinstance(c, Column)
    }
    return geometry.with_geometry(measured, cylinders) if cylinders else measured


def single_kernels(
    network: Network,
    populations: Mapping[str, Population],
    probes: Sequence[Any] | Mapping[str, Any],
    pre: str,
    tau: float = 50.0,
    *,
    neurons: ArrayLike | None = None,
    method: str = "simulate",
    seed: int = 1,
    processes: int | None = None,
    progress: bool = True,
) -> xr.Dataset:
    """The kernel of each single neuron of a population, through all cells together.

    Their mean is the population's kernel; their spread is what a population kernel leaves out.

    Parameters
    ----------
    pre : str
        Presynaptic population.
    neurons : array of int, optional
        Indices of the neurons within `pre`. Default: all of them.
    network, populations, probes, tau, method, seed, processes, progress
        As in `kernels`.

    Returns
    -------
    xarray.Dataset
        A variable per signal with dimensions ``(neuron, <signal>_channel, lag)``.
    """
    network._check_population(pre)
    wanted = np.arange(network.sizes[pre]) if neurons is None else np.atleast_1d(neurons)
    network._check_indices(pre, wanted, "kernels")
    how: dict[str, Any] = dict(method=method, seed=seed, processes=processes, progress=progress)
    n = int(steps(tau, network.dt, "tau", NetworkError))
    rows = [{pre: {int(i): np.zeros(1)}} for i in wanted]
    replayed = _replay(network, populations, probes, rows, n, **how)
    result = xr.Dataset(
        coords={
            "neuron": wanted,
            "lag": ("lag", np.arange(1, n + 1) * network.dt, {"units": "ms", "dt_ms": network.dt}),
        }
    )
    for name, (_, unit) in _named(probes).items():
        dims = ("neuron", channel_dim(name), "lag")
        result[name] = (dims, replayed[name].sum(axis=0), {"units": unit})
    return result


# ---------------------------------------------------------------------- probes and results
def _named(probes: Sequence[Any] | Mapping[str, Any]) -> dict[str, tuple[Any, str]]:
    """Name of each signal with its probe and unit."""
    if isinstance(probes, Mapping):
        return {name: (probe, _kind(probe)[1]) for name, probe in probes.items()}
    named = {_kind(probe)[0]: (probe, _kind(probe)[1]) for probe in probes}
    if len(named) < len(probes):
        raise NetworkError("several probes of one kind: name them, probes={'LFP_a': ...}")
    return named


def _kind(probe: Any) -> tuple[str, str]:
    """Name and unit of the signal that a model of LFPykit predicts."""
    name = type(probe).__name__
    if name not in PREDICTS:
        raise NetworkError(f"unknown probe {name!r}: known are {sorted(PREDICTS)}")
    return PREDICTS[name]


def _contacts(probe: Any) -> Floats | None:
    """Contact positions (µm) of a probe that has some, shape (contacts, 3)."""
    axes = [getattr(probe, axis, None) for axis in "xyz"]
    if axes[2] is None:
        return None
    z = np.atleast_1d(axes[2])
    columns = [np.zeros_like(z) if axis is None else np.atleast_1d(axis) for axis in axes]
    return geometry.positions(np.stack(columns, axis=1), "the contacts")


def _channel_count(probe: Any) -> int:
    contacts = _contacts(probe)
    if contacts is not None:
        return len(contacts)
    if _kind(probe)[1] != "nA µm":
        raise NetworkError(f"{type(probe).__name__} has no contacts at x, y, z: give another probe")
    return len(AXES)


def _kernel_set(
    arrays: Mapping[str, Floats],
    probes: Sequence[Any] | Mapping[str, Any],
    pre: Sequence[str],
    post: Sequence[str],
    dt: float,
    source: Mapping[str, Any],
) -> KernelSet:
    named = _named(probes)
    channels = {name: AXES for name, (_, unit) in named.items() if unit == "nA µm"}
    places = {name: _contacts(probe) for name, (probe, _) in named.items()}
    return KernelSet.from_arrays(
        arrays,
        pre=pre,
        post=post,
        dt=dt,
        units={name: unit for name, (_, unit) in named.items()},
        channels=channels,
        positions={name: where for name, where in places.items() if where is not None},
        provenance=source,
    )


def _provenance(populations: Mapping[str, Population], method: str, seed: int) -> dict[str, Any]:
    """How a signal or kernel was calculated, in JSON's terms."""
    described = {
        name: {
            "cell": population.cell,
            "positions": vars(population.positions)
            if isinstance(population.positions, Column)
            else f"{len(np.asarray(population.positions))} given",
            "synapses": {pre: _described(kind) for pre, kind in population.synapses.items()},
        }
        for name, population in populations.items()
    }
    return {
        "tool": "nestlfp.sources.hybrid",
        "versions": {name: package_version(name) for name in ("LFPy", "LFPykit", "neuron")},
        "parameters": {"method": method, "seed": seed, "populations": plain(described)},
    }


def _described(kind: Synapses) -> dict[str, Any]:
    """Parameters of synapses; distributions by name and arguments."""

    def distribution(given: Any) -> Any:
        if isinstance(given, int | np.integer):
            return int(given)
        return {"name": given.dist.name, "args": given.args, **given.kwds}

    depth = [[weight, distribution(density)] for weight, density in kind.depth or ()]
    return {**vars(kind), "depth": depth, "multapses": distribution(kind.multapses)}


# ---------------------------------------------------------------------- replaying spikes
def _trains(network: Network, name: str) -> dict[int, Floats]:
    """Recorded spike times of each neuron of a population that spiked."""
    if name not in network.spikes:
        return {}
    index, times = (np.asarray(part) for part in network.spikes[name])
    order = np.lexsort((times, index))
    neurons, first = np.unique(index[order], return_index=True)
    return dict(zip(neurons.tolist(), np.split(times[order], first[1:]), strict=True))


def _replay(
    network: Network,
    populations: Mapping[str, Population],
    probes: Sequence[Any] | Mapping[str, Any],
    rows: Sequence[Row],
    n_steps: int,
    *,
    method: str,
    seed: int,
    processes: int | None,
    progress: bool,
) -> dict[str, Floats]:
    """Signals of all cells for each row of activity, each of shape (post, row, channel, step)."""
    if method not in METHODS:
        raise NetworkError(f"method must be one of {METHODS}, found {method!r}")
    if n_steps < 1:
        raise NetworkError(f"signals must last at least dt = {network.dt:g} ms")
    _check(network, populations)
    models = {name: probe for name, (probe, _) in _named(probes).items()}
    if not models:
        raise NetworkError("no probes given")
    places = [where for probe in models.values() if (where := _contacts(probe)) is not None]
    contacts = np.vstack([np.empty((0, 3)), *places])
    task = Task(network, populations, list(models.values()), contacts, rows, n_steps, method, seed)
    sizes = [_channel_count(probe) for probe in models.values()]
    total = np.zeros((len(populations), len(rows), sum(sizes), n_steps))
    for post, by_row in responses(task, processes, progress):
        for row, response in by_row.items():
            total[list(populations).index(post), row] += response
    return dict(zip(models, np.split(total, np.cumsum(sizes)[:-1], axis=2), strict=True))


def _check(network: Network, populations: Mapping[str, Population]) -> None:
    """Whether the cells fit the network."""
    if not populations:
        raise NetworkError("no populations with cells given")
    network._check_population(*populations)
    for post, population in populations.items():
        for pre in network.sizes:
            if (pre, post) in network.connections and pre not in population.synapses:
                raise NetworkError(
                    f"the network connects {pre!r} to {post!r}, but the population {post!r} "
                    f"describes only synapses of {list(population.synapses)}"
                )
        count = network.sizes[post]
        where = population.positions
        if not isinstance(where, Column) and len(np.asarray(where)) != count:
            raise NetworkError(
                f"positions of {post!r} must have shape ({count}, 3), one for each neuron, "
                f"found {np.shape(where)}"
            )
