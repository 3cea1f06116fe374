"""The description of a network, read from NEST.

A kernel is the response to a spike of one population, so that connections are read by source. A
sample of the sources is enough: more are read until what a spike brings is known.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, NamedTuple
from zlib import crc32

import numpy as np

from ..._types import Floats, Ints
from ...errors import KernelError, NetworkError
from ...kernels.checks import positive, real
from ...kernels.names import check_name
from ...simulator import Simulator
from ...simulator import synapses as synapse_models
from ...simulator.node_models import CURRENTS
from ...simulator.populations import nodes_by_model, population_ids
from .currents import Synapse, Waveform, parameters_of, waveform
from .description import WITHOUT_CELLS, Description, Drive, Pathway, Population

ALL = 1_000_000
"""Connections in NEST up to which all are read."""

_FIRST = 20  # sources that are read first
_AT_ONCE = 200_000  # connections that NEST is asked for at once, about: 60 bytes each
_NEURONS = 200  # whose parameters are read
_DIGITS = 12  # sums depend on the order of connections, which threads change, in the last digits

Hand = Synapse | Mapping[tuple[str, str], Synapse] | None
"""Synapses that a user describes: all, or by (presynaptic, postsynaptic) population."""


def describe(
    populations: Mapping[str, Any],
    *,
    synapses: Hand = None,
    rates: Mapping[str, float] | None = None,
    accuracy: float = 0.01,
    seed: int = 1,
) -> Description:
    """Read a network from NEST: sizes, targets, weights, delays, and the currents of synapses.

    NEST is only asked, and nothing in it changes: a network spikes the same afterwards.

    Parameters
    ----------
    populations : dict of str to nest.NodeCollection
        The neurons of each population. Nodes without cells, such as parrot neurons that stand for
        the thalamus, may be among them.
    synapses : Synapse, or dict of (str, str) to Synapse, optional
        Current of the connections onto neurons that do not tell it, such as those of
        ``iaf_psc_delta``: one for all of them, or by (presynaptic, postsynaptic) population. A
        pathway that is named gets what is said here, whatever its neurons tell. The presynaptic
        part may also be the model of what drives the network from outside.
    rates : dict of str to float, optional
        Spikes/s of a neuron of each population: synapses with short-term plasticity weigh then what
        they do at this rate, on average. Without, or left out: after a long silence.
    accuracy : float
        Standard error of the summed weight of a neuron's connections onto each population,
        relative to all its connections, down to which neurons are read. A network of no more than a
        million connections is read whole; with 0 any is.
    seed : int
        Of the sample of neurons.

    Returns
    -------
    Description
        ``print`` shows it as a table to compare with a paper. With several MPI ranks it is
        collective, and the same on each.

    Raises
    ------
    NetworkError
        If populations are no nodes that send spikes, or share nodes; if one has neurons of several
        models; if it is not known what a spike weighs over a synapse model; if weights are not
        finite, or parameters of neurons make no sense; if there are no connections between the
        populations yet.
    KernelError
        If `synapses` names unknown populations, or rates are no numbers of spikes/s.

    Notes
    -----
    A connection counts with the weight of a spike (`nestlfp.out_strengths` has the list of synapse
    models); multapses and autapses count each.
    The sign of the weight distinguishes excitation and inhibition, receptor by receptor.

    Examples
    --------
    >>> from nestlfp.sources import network
    >>> print(network.describe({"E": E, "I": I}))  # doctest: +SKIP
    """
    if accuracy != 0:
        positive(accuracy, "accuracy")
    if not isinstance(seed, int | np.integer) or seed < 0:
        raise KernelError(f"seed must be a whole number, 0 or more, found {seed!r}")
    enough = partial(_wanted, accuracy)
    description = _described(populations, synapses, checked_rates(rates), enough, seed)
    if not description.pathways:
        raise NetworkError(
            f"there are no connections between the populations {list(description.populations)}, "
            "or all of their weights are 0: describe the network when it is connected"
        )
    return description


def described(
    network: Mapping[str, Any] | Description, synapses: Hand, rates: Mapping[str, float] | None
) -> Description:
    """A network that was described, or that is to be."""
    if not isinstance(network, Description):
        return describe(network, synapses=synapses, rates=rates)
    if synapses is not None:
        raise KernelError("give synapses to describe: the network was read without them")
    return network


def sampled(populations: Mapping[str, Any], sources: int, connections: int) -> Description | None:
    """A quick look, without input from outside; None where NEST does not have it.

    So many neurons of each population are read, or more until there are so many connections.
    """
    how_many = partial(_enough, sources, connections)
    try:
        return _described(populations, None, {}, how_many, seed=1, drives=False)
    except NetworkError:  # of models that it cannot be known for
        return None


def summed_weights(
    sources: Mapping[str, Ints], targets: Mapping[str, Ints], accuracy: float
) -> dict[str, tuple[Ints, Floats]]:
    """Summed weight of neurons' connections onto each population.

    Parameters
    ----------
    sources, targets : dict of str to ndarray of int
        Node ids of pre- and postsynaptic populations; a node is in one of the latter at most.
    accuracy : float
        Standard error, as in `describe`, down to which neurons are read, in an order that is the
        same each time. With 0 all are.

    Returns
    -------
    dict of str to (ndarray of int, shape (read,), ndarray, shape (read, post))
        For each presynaptic population the places of the neurons that were read, and their sums.
    """
    reader = replace(_Reader.of(Simulator(), targets), small=False)
    names = list(targets)
    orders = {
        name: np.random.default_rng(crc32(name.encode())).permutation(own.size)
        for name, own in sources.items()
    }
    shuffled = {name: own[orders[name]] for name, own in sources.items()}
    sums = {}
    for name, found in reader.sums(shuffled, partial(_wanted, accuracy), {}).items():
        total = np.zeros((found.read, len(names)))
        for kind, of_kind in found.kinds.items():
            total[:, names.index(kind.post)] += of_kind.weight[: found.read]
        sums[name] = orders[name][: found.read], total
    return sums


def _described(
    populations: Mapping[str, Any],
    synapses: Hand,
    rates: Mapping[str, float],
    how_many: HowMany,
    seed: int,
    drives: bool = True,
) -> Description:
    """The description, with as many neurons read as `how_many` says by what was read before."""
    sim = Simulator()
    sim.check_not_prepared("describe")
    sim.check_sources_kept()
    ids = _ids(populations, sim)
    reader = _Reader.of(sim, ids)
    by_hand = _by_hand(synapses, list(ids), list(reader.outer))
    nodes = {name: _population(reader, name, _spatial(populations[name])) for name in ids}
    pathways: list[Pathway] = []
    shuffled = {
        name: np.random.default_rng([seed, crc32(name.encode())]).permutation(own)
        for name, own in ids.items()
    }
    for name, found in reader.sums(shuffled, how_many, rates).items():
        everything = found.connections()
        outside = _rounded(found.outside / everything if everything else 0.0)
        nodes[name] = replace(nodes[name], read=found.read, outside=outside, rate=rates.get(name))
        pathways += _pathways(found, nodes, name, by_hand)
    outer = _drives(reader, nodes, how_many, by_hand) if drives else []
    there = {(each.source, each.post) for each in (*pathways, *outer)}
    if pathways and (unused := set(by_hand.named) - there):
        raise KernelError(
            f"synapses has the pathways {sorted(unused)}, over which there are no connections: "
            f"there are {sorted(there)}"
        )
    return Description(
        nodes,
        tuple(pathways),
        tuple(outer),
        resolution=sim.resolution,
        time=sim.time,
    )


def checked_rates(given: Any) -> dict[str, float]:
    """Spikes/s by name, as a user gives them."""
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise KernelError(
            f"rates must be a dict such as {{'E': 5.0, 'I': 8.0}} (spikes/s), found {given!r}"
        )
    found = {}
    for name, rate in given.items():
        number = real(rate, f"the rate of {name!r}")
        if number.ndim:
            raise KernelError(f"the rate of {name!r} must be one number, found {rate!r}")
        if not 0 <= number < np.inf:
            raise KernelError(f"the rate of {name!r} must be 0 or more spikes/s, found {rate!r}")
        found[name] = float(number)
    return found


def _ids(populations: Any, sim: Simulator) -> dict[str, Ints]:
    if not isinstance(populations, Mapping) or not populations:
        raise NetworkError(
            "populations must be a dict such as {'E': neurons}, found "
            f"{str(populations)[:60]!r} ({type(populations).__name__})"
        )
    for name in populations:
        check_name(name, "a population")
    ids = population_ids(list(populations), populations, sim, overlap=False)
    for name, found in ids.items():
        if not found.size:
            raise NetworkError(f"population {name!r} has no neurons: leave it out")
    return {name: np.sort(found) for name, found in ids.items()}


class _ByHand(NamedTuple):
    """Synapses that a user describes: of pathways, and of all others that NEST does not have."""

    named: Mapping[tuple[str, str], Synapse]
    others: Synapse | None


def _by_hand(synapses: Hand, names: Sequence[str], outer: Sequence[str]) -> _ByHand:
    if synapses is None or isinstance(synapses, Synapse):
        return _ByHand({}, synapses)
    if not isinstance(synapses, Mapping):
        raise KernelError(
            "synapses must be a Synapse, or a dict such as {('E', 'I'): Synapse(...)}, found "
            f"{synapses!r}"
        )
    for key, given in synapses.items():
        pair = isinstance(key, tuple) and len(key) == 2
        if not (pair and key[0] in {*names, *outer} and key[1] in names):
            raise KernelError(
                f"a pathway in synapses is (presynaptic, postsynaptic) population of {names}, "
                f"found {key!r}"
            )
        if not isinstance(given, Synapse):
            raise KernelError(f"synapses[{key}] must be a Synapse, found {given!r}")
    return _ByHand(dict(synapses), None)


# ---------------------------------------------------------------------- connections
class Kind(NamedTuple):
    """What distinguishes the synapses of a source."""

    post: str
    receptor: int
    positive: bool


@dataclass
class _OfKind:
    """Sums over connections of one kind; those by source are in the order of the sources."""

    count: Floats
    weight: Floats
    squares: float = 0.0
    delays: dict[float, float] = field(default_factory=dict)  # ms: summed |weight|
    models: set[str] = field(default_factory=set)

    def mean(self) -> float:
        """The mean weight."""
        return float(self.weight.sum()) / float(self.count.sum())

    def deviation(self) -> float:
        """Standard deviation of the weights; 0 where nothing but rounding is left."""
        square = self.squares / float(self.count.sum())
        variance = square - self.mean() ** 2
        return float(np.sqrt(variance)) if variance > 1e-11 * square else 0.0


@dataclass
class _Sums:
    """Sums over the connections of the sources that were read."""

    read: int
    of: int
    kinds: dict[Kind, _OfKind] = field(default_factory=dict)
    outside: float = 0.0  # connections to neurons in no population

    def add(self, other: _Sums) -> None:
        """Count another process's sums, of the same sources."""
        self.outside += other.outside
        for kind, found in other.kinds.items():
            mine = self.kinds.setdefault(kind, _OfKind(np.zeros(self.of), np.zeros(self.of)))
            mine.count += found.count
            mine.weight += found.weight
            mine.squares += found.squares
            mine.models |= found.models
            for delay, weight in found.delays.items():
                mine.delays[delay] = mine.delays.get(delay, 0.0) + weight

    def connections(self) -> float:
        """How many there are."""
        return self.outside + sum(float(kind.count.sum()) for kind in self.kinds.values())

    def standard_error(self, kind: Kind) -> float:
        """Of the mean over sources of the summed weight."""
        if self.read in (1, self.of):
            return 0.0 if self.read == self.of else np.inf
        spread = float(self.kinds[kind].weight[: self.read].std(ddof=1))
        return spread * np.sqrt((1 - self.read / self.of) / self.read)

    def error(self) -> float:
        """The largest standard error, relative to all that a source brings."""
        total = sum(abs(kind.weight.sum()) for kind in self.kinds.values()) / self.read
        return max((self.standard_error(kind) / total for kind in self.kinds), default=0.0)


@dataclass(frozen=True)
class _Reader:
    """What is needed to read connections of this network.

    `owner` has the index of each node's population, -1 of neurons in none, -2 of other nodes. A
    `small` network is read whole.
    """

    sim: Simulator
    ids: Mapping[str, Ints]
    models: Sequence[str]
    outer: Mapping[str, Ints]
    owner: Ints
    small: bool

    @classmethod
    def of(cls, sim: Simulator, ids: Mapping[str, Ints]) -> _Reader:
        owner = np.full(sim.network_size + 1, -2)
        outer: dict[str, list[Ints]] = {}
        inside = np.concatenate(list(ids.values()))
        for model, nodes in nodes_by_model(sim):
            defaults = sim.defaults(model)
            kind, base = str(defaults["element_type"]), str(defaults["type_id"])
            if base.startswith("nestlfp") or kind not in ("neuron", "stimulator"):
                continue
            if base in CURRENTS:
                continue
            if kind == "neuron":
                owner[nodes] = -1
            if (left := nodes[~np.isin(nodes, inside)]).size:
                outer.setdefault(base, []).append(left)
        for i, own in enumerate(ids.values()):
            owner[own] = i
        used = sorted(set().union(*sim.ranks.gather(synapse_models.used_models(sim))))
        used = [model for model in used if not model.startswith("nestlfp")]
        joined = {base: np.concatenate(parts) for base, parts in outer.items()}
        connections = sim.ranks.sum(np.array([float(sim.connections_here)]))  # of each process
        return cls(sim, ids, used, joined, owner, bool(connections[0] <= ALL))

    def sums(
        self, sources: Mapping[str, Ints], how_many: HowMany, rates: Mapping[str, float]
    ) -> dict[str, _Sums]:
        """Of each population: sums of as many of its sources as are wanted, in this order.

        NEST looks through all connections each time, so that populations are read together; those
        whose spikes weigh what a rate makes of them, one by one.
        """
        found = {name: _Sums(0, len(own)) for name, own in sources.items()}
        groups: list[tuple[list[str], float | None]] = [
            ([n for n in sources if n not in rates], None)
        ]
        groups += [([name], rates[name]) for name in sources if name in rates]
        for names, rate in groups:
            at_once = _AT_ONCE / max(len(names), 1)
            while blocks := {
                name: range(found[name].read, last)
                for name in names
                if (last := self._last(found[name], how_many, at_once)) > found[name].read
            }:
                read = partial(self._block, sources, blocks, rate)
                for part in self.sim.ranks.gather(self.sim.ranks.agree(read)):
                    for name, sums in part.items():
                        found[name].add(sums)
                for name, block in blocks.items():
                    found[name].read = block.stop
        return found

    def _last(self, found: _Sums, how_many: HowMany, at_once: float) -> int:
        """Up to where sources are to be read next."""
        each = found.connections() / found.read if found.read else 1.0
        wanted = how_many(found, self.small)
        return min(wanted, found.read + max(_FIRST, int(at_once / max(each, 1.0))))

    def _block(
        self, sources: Mapping[str, Ints], blocks: Mapping[str, range], rate: float | None
    ) -> dict[str, _Sums]:
        """Sums over this process's connections of a block of the sources of each population."""
        sim, found = self.sim, {name: _Sums(0, len(sources[name])) for name in blocks}
        asked = np.concatenate([sources[name][b.start : b.stop] for name, b in blocks.items()])
        order = np.argsort(asked)
        place = np.concatenate([np.array(b) for b in blocks.values()])[order]
        whose = np.repeat(np.arange(len(blocks)), [len(b) for b in blocks.values()])[order]
        here = asked[order]
        pres, posts = list(blocks), list(self.ids)
        columns = ["source", "target", "delay", "receptor"]
        for model in self.models:
            for read in synapse_models.connections(
                sim, sim.nodes(here), None, [model], columns, rate
            ):
                weight, owner = read["weight"].astype(float), self.owner[read["target"]]
                if not np.isfinite(weight).all():
                    bad = int(np.argmin(np.isfinite(weight)))
                    raise NetworkError(
                        f"the connection {read['source'][bad]} → {read['target'][bad]} has the "
                        f"weight {weight[bad]}: weights must be finite"
                    )
                source = np.searchsorted(here, read["source"])
                for i, name in enumerate(pres):
                    outside = (owner == -1) & (whose[source] == i)
                    found[name].outside += float(np.count_nonzero(outside))
                keep = (owner >= 0) & (weight != 0)
                receptor = read["receptor"].astype(int)
                kinds = np.stack([whose[source], owner, receptor, weight > 0], axis=1)
                for row in np.unique(kinds[keep], axis=0):
                    among = keep & (kinds == row).all(axis=1)
                    kind = Kind(posts[row[1]], int(row[2]), bool(row[3]))
                    sums = found[pres[row[0]]]
                    mine = sums.kinds.setdefault(
                        kind, _OfKind(np.zeros(sums.of), np.zeros(sums.of))
                    )
                    w, at = weight[among], place[source[among]]
                    mine.count += np.bincount(at, minlength=sums.of)
                    mine.weight += np.bincount(at, weights=w, minlength=sums.of)
                    mine.squares += float(w @ w)
                    mine.models.add(synapse_models.base_of(model, sim))
                    delays, which = np.unique(read["delay"][among], return_inverse=True)
                    shares = np.bincount(which, weights=np.abs(w))
                    for delay, share in zip(delays.tolist(), shares.tolist(), strict=True):
                        mine.delays[delay] = mine.delays.get(delay, 0.0) + share
        return found


HowMany = Callable[[_Sums, bool], int]


def _wanted(accuracy: float, found: _Sums, small: bool) -> int:
    """How many sources are to be read, by those that were."""
    if small or not accuracy:
        return found.of
    if not found.read:
        return min(_FIRST, found.of)
    error = found.error()
    if error <= accuracy:
        return found.read
    needed = found.read * (error / accuracy) ** 2
    return min(found.of, max(found.read + _FIRST, int(min(1.1 * needed, 4 * found.read))))


def _enough(sources: int, connections: int, found: _Sums, _: bool) -> int:
    """How many sources are to be read: at least so many, and about so many connections."""
    if not found.read:
        return min(sources, found.of)
    if found.read > sources or not found.connections():
        return found.read
    wanted = int(connections * found.read / found.connections())
    return min(found.of, max(found.read, wanted))


def _rounded(value: float) -> float:
    return float(f"{value:.{_DIGITS}g}")


def _pathways(
    found: _Sums,
    nodes: Mapping[str, Population],
    pre: str,
    by_hand: _ByHand,
) -> list[Pathway]:
    pathways = []
    for kind in sorted(found.kinds):
        own, n = found.kinds[kind], found.read
        total = float(own.weight.sum())
        delays = sorted(own.delays)
        shares = np.array([own.delays[delay] for delay in delays]) / abs(total)
        pathways.append(
            Pathway(
                **_common(kind, own, nodes[kind.post], pre, by_hand),
                pre=pre,
                synapses=_rounded(float(own.count.sum()) / n),
                synapses_sd=_rounded(float(own.count[:n].std())),
                error=_rounded(found.standard_error(kind) / abs(total / n)),
                delays=tuple(_rounded(delay) for delay in delays),
                shares=tuple(_rounded(share) for share in shares),
                models=tuple(sorted(own.models)),
            )
        )
    return pathways


def _common(
    kind: Kind, own: _OfKind, post: Population, source: str, by_hand: _ByHand
) -> dict[str, Any]:
    """What `Pathway` and `Drive` have in common: the arguments of `Synapses`."""
    wave, scale, unknown = _waveform(post, kind, source, by_hand)
    return {
        "post": kind.post,
        "receptor": kind.receptor,
        "weight": _rounded(own.mean()),
        "weight_sd": _rounded(own.deviation()),
        "waveform": wave,
        "scale": scale,
        "unknown": unknown,
    }


def _waveform(
    post: Population, kind: Kind, pre: str, by_hand: _ByHand
) -> tuple[Waveform | None, float, str]:
    """Waveform of a connection, its peak at a weight of 1, and why it is not known."""
    pathway = pre, kind.post
    said = by_hand.named.get(pathway)
    if said is not None:
        return said.waveform, said.strength, ""
    try:
        course = waveform(
            post.model, post.parameters, kind.receptor, kind.positive, pathway=pathway
        )
    except NetworkError as error:
        if by_hand.others is not None and post.model not in WITHOUT_CELLS:
            return by_hand.others.waveform, by_hand.others.strength, ""
        return None, 1.0, f"{pre} → {kind.post}: {error}."
    return course, 1.0, ""


# ---------------------------------------------------------------------- neurons
def _spatial(given: Any) -> bool:
    """Whether NEST has positions of a population's nodes; collections made of ids have none."""
    several = given if isinstance(given, list | tuple) else [given]
    return any(getattr(each, "spatial", None) is not None for each in several)


def _population(reader: _Reader, name: str, spatial: bool) -> Population:
    """Size, model and the mean parameters of a population."""
    sim, own = reader.sim, reader.ids[name]
    nodes = sim.nodes(own)
    models = {
        str(sim.default(model, "type_id"))
        for model, of_model in nodes_by_model(sim, nodes)
        if of_model.size
    }
    if len(models) > 1:
        raise NetworkError(
            f"population {name!r} has neurons of several models, {sorted(models)}: make a "
            "population of each"
        )
    (model,) = models
    wanted = list(parameters_of(model))
    sample = own[np.unique(np.linspace(0, own.size - 1, _NEURONS).astype(int))]
    read = reader.sim.ranks.gather(
        reader.sim.ranks.agree(partial(_parameters, sim, sample, wanted, name))
    )
    parameters: dict[str, Any] = {}
    varied = []
    for key in wanted:
        values = np.concatenate([part[key] for part in read if part[key].size])
        parameters[key] = [_rounded(v) for v in np.atleast_1d(values.mean(axis=0))]
        if np.ptp(values, axis=0).max() > 1e-9 * np.abs(values).max():
            varied.append(key)
        if values.ndim == 1:
            parameters[key] = parameters[key][0]
    return Population(name, own.size, model, parameters, tuple(varied), spatial=spatial)


def _parameters(sim: Simulator, sample: Ints, wanted: list[str], name: str) -> dict[str, Floats]:
    """Parameters of those of the neurons that live in this process."""
    nodes = sim.nodes(sample)
    nodes = sim.here(nodes)
    if not wanted or not len(nodes):
        return {key: np.zeros(0) for key in wanted}
    found = nodes.get(wanted)
    values = {}
    for key in wanted:
        try:
            column = found[key] if len(nodes) > 1 else [found[key]]
            values[key] = np.asarray(column, dtype=float)
        except ValueError:
            raise NetworkError(
                f"neurons of {name!r} have different numbers of {key}: make a population of each "
                "kind"
            ) from None
        if not np.isfinite(values[key]).all():
            raise NetworkError(f"neurons of {name!r} have a {key} that is not finite")
        positive_only = key.startswith("tau") or key in ("C_m", "g_L")
        if positive_only and values[key].size and not (values[key] > 0).all():
            raise NetworkError(
                f"neurons of {name!r} have {key} = {values[key].min():g}: it must be positive"
            )
    return values


# ---------------------------------------------------------------------- input from outside
_RATES = {
    "poisson_generator": ["rate"],
    "poisson_generator_ps": ["rate"],
    "sinusoidal_poisson_generator": ["rate"],
    "sinusoidal_gamma_generator": ["rate"],
    "mip_generator": ["rate", "p_copy"],
}
"""Parameters whose product is the rate of a generator's spikes over one connection."""


def _drives(
    reader: _Reader,
    nodes: Mapping[str, Population],
    how_many: HowMany,
    by_hand: _ByHand,
) -> list[Drive]:
    """Connections onto the populations from generators, and from neurons in no population."""
    drives = []
    shuffled = {
        model: np.random.default_rng(1).permutation(sources)
        for model, sources in reader.outer.items()
    }
    for model, found in reader.sums(shuffled, how_many, {}).items():
        for kind in sorted(found.kinds):
            own = found.kinds[kind]
            connections = float(own.count.sum()) / found.read * found.of
            drives.append(
                Drive(
                    **_common(kind, own, nodes[kind.post], model, by_hand),
                    model=model,
                    sources=found.of,
                    indegree=_rounded(connections / nodes[kind.post].size),
                    rate=_rate(reader, model, shuffled[model][: found.read], own.count),
                )
            )
    return drives


def _rate(reader: _Reader, model: str, sources: Ints, count: Floats) -> float | None:
    """Spikes/s over a connection of these sources, the mean over their connections.

    Generators that have stopped count with 0.
    """
    if model not in _RATES:
        return None
    order = np.argsort(sources)  # as NEST sorts them
    nodes = reader.sim.nodes(sources)
    rates = np.prod([np.atleast_1d(nodes.get(name)) for name in _RATES[model]], axis=0)
    ends = np.add(*(np.atleast_1d(nodes.get(name)) for name in ("origin", "stop")))
    rates[ends <= reader.sim.time] = 0.0
    return _rounded(float(np.average(rates, weights=count[: sources.size][order])))
