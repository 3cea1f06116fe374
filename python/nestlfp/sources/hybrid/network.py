"""The network that is replayed: its connections and spikes, from NEST or from anywhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import InitVar, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ... import synapses
from ..._types import Floats, Ints
from ...errors import NetworkError
from ...extras import require
from ...grid import Rounding, check_rounding, spike_steps, steps
from ...trains import check_events, paired


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
    spikes : dict of str to (times, neurons)
        Time stamp (ms) of each spike, and the index of its neuron within the population, as for
        `NeuronKernels.convolve`.
    dt : float
        Resolution of the network (ms).
    rounding : {False, "up", "nearest"}
        What becomes of spikes between steps. "up" puts each into the step at whose end it is, as
        NEST does with precise spikes; False is an error.
    """

    sizes: Mapping[str, int]
    connections: Mapping[tuple[str, str], Connections]
    spikes: Mapping[str, tuple[Floats, Ints]] = field(default_factory=dict)
    dt: float = 0.1
    rounding: InitVar[Rounding] = False

    def __post_init__(self, rounding: Rounding) -> None:
        for (pre, post), found in self.connections.items():
            self.check_population(pre, post)
            for name, index in ((pre, found.source), (post, found.target)):
                self.check_indices(name, index, f"connections {pre} → {post}")
            if found.delay.size and steps(found.delay, self.dt, "delays", NetworkError).min() < 1:
                raise NetworkError(
                    f"delays of {pre} → {post} must be at least dt = {self.dt:g} ms, "
                    f"found {found.delay.min():g} ms"
                )
        spikes = {}
        for name, given in self.spikes.items():
            self.check_population(name)
            times, neurons = paired(given, name, NetworkError)
            self.check_indices(name, neurons, "spikes")
            what = f"spike times of {name!r}"
            at = spike_steps(times, self.dt, what, NetworkError, rounding)
            on_grid = times if rounding is False else at * self.dt
            spikes[name] = on_grid, neurons.astype(np.int64)
        object.__setattr__(self, "spikes", spikes)

    def check_population(self, *names: str) -> None:
        """A `NetworkError` where the network has no such populations."""
        unknown = [name for name in names if name not in self.sizes]
        if unknown:
            raise NetworkError(f"populations {unknown} not among the network's {list(self.sizes)}")

    def check_indices(self, name: str, index: Ints, what: str) -> None:
        """A `NetworkError` where a population has no neurons of these indices."""
        outside = index[(index < 0) | (index >= self.sizes[name]) | (index != np.rint(index))]
        if outside.size:
            raise NetworkError(
                f"{what} of unknown neurons: {name!r} has {self.sizes[name]} neurons, "
                f"found index {outside[0]}"
            )

    @classmethod
    def from_nest(
        cls,
        populations: Mapping[str, Any],
        spikes: Mapping[str, Any] | None = None,
        *,
        rounding: Rounding = False,
    ) -> Network:
        """What NEST holds of a network: its connections and the spikes it recorded.

        Parameters
        ----------
        populations : dict of str to nest.NodeCollection
            Neurons whose connections among each other count. Populations without cells, such as
            parrot neurons that stand for the thalamus, may be among them.
        spikes : dict of str to nest.NodeCollection or dict, optional
            For each population its spike recorder, or the recorder's ``events``: a dictionary
            with ``senders`` (node ids) and ``times`` (ms, or steps beside ``offsets`` if it
            records with ``time_in_steps``, which need no rounding).
        rounding : {False, "up", "nearest"}
            What becomes of spikes between steps, see `Network`.

        Raises
        ------
        NetworkError
            If a recorder holds spikes of neurons that are not of its population, spikes between
            steps, or samples instead of spikes; if it is not known how a synapse model weighs
            spikes; or if NEST runs on several MPI ranks, each of which knows only a part of the
            network.

        Notes
        -----
        Connections and their weights are those of `nestlfp.out_strengths`: connections that carry
        spikes, with what a spike weighs that comes after a long silence. The replay gives all
        spikes this weight, so that plasticity, short-term plasticity and random release of
        transmitter are not in its signals. A population stands for one kind of synapse of each
        cell (`Synapses`), whatever receptors its connections have in NEST.
        """
        nest = require("nest", "nest")
        check_rounding(rounding, NetworkError)
        if nest.num_processes > 1:
            raise NetworkError(
                "the hybrid scheme needs the whole network in one process, "
                f"found {nest.num_processes} MPI ranks"
            )
        synapses.check_sources_kept(nest)
        ids = {name: np.asarray(nodes.tolist()) for name, nodes in populations.items()}
        models, columns = synapses.used_models(nest), ["source", "target", "delay"]
        connections = {}
        for pre, sources in populations.items():
            for post, targets in populations.items():
                parts = list(synapses.connections(nest, sources, targets, models, columns))
                if not parts:
                    continue
                values = {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
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
            senders, times = _events(recorder, name, float(nest.resolution))
            recorded[name] = (times, _index(senders, ids[name], name))
        sizes = {name: len(found) for name, found in ids.items()}
        return cls(sizes, connections, recorded, float(nest.resolution), rounding)


def _events(recorder: Any, name: str, resolution: float) -> tuple[Ints, Floats]:
    """Senders and times (ms) of a spike recorder, of several, or of a dictionary of events."""
    if isinstance(recorder, Mapping):
        parts: Sequence[Mapping[str, Any]] = [recorder]
    else:
        parts = [node.get("events") for node in recorder]
    senders, times = [np.zeros(0, int)], [np.zeros(0)]
    for part in parts:
        check_events(part, name, NetworkError, steps=True)
        senders.append(np.asarray(part["senders"], dtype=int))
        # Of time_in_steps; NEST puts a spike into its step, whatever the offset before its end.
        factor = resolution if "offsets" in part else 1.0
        times.append(np.asarray(part["times"], dtype=float) * factor)
    return np.concatenate(senders), np.concatenate(times)


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
