"""The network that is replayed: its connections and spikes, from NEST or from anywhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import InitVar, dataclass, field
from typing import Any

import numpy as np

from ..._types import Floats, Ints
from ...errors import NetworkError
from ...grid import Rounding, check_rounding, spike_steps, steps
from ...simulator import Simulator, synapses
from ...simulator.populations import population_ids
from ...simulator.recorders import brief, index_of, recorded_spikes
from ...trains import paired


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
        populations : dict of str to nest.NodeCollection, or list of such or of node ids
            Neurons, or spike generators, whose connections among each other count. Populations
            without cells, such as parrot neurons that stand for the thalamus, may be among them.
        spikes : dict of str to nest.NodeCollection or dict, optional
            For each population its spike recorder, a list of several, or the recorder's
            ``events``: a dictionary with ``senders`` (node ids) and ``times`` (ms, or steps beside
            ``offsets`` if it records with ``time_in_steps``, which need no rounding).
        rounding : {False, "up", "nearest"}
            What becomes of spikes between steps, see `Network`.

        Raises
        ------
        NetworkError
            If a population is no nodes that send spikes, or of a generator that draws other spikes
            for each of its targets; if what is given as its recorder holds no spikes but samples
            or nothing, spikes of neurons that are not of the population, or spikes between steps;
            if it is not known how a synapse model weighs spikes; or if NEST runs on several MPI
            ranks, each of which knows only a part of the network.

        Notes
        -----
        Connections and their weights are those of `nestlfp.out_strengths`: connections that carry
        spikes, with what a spike weighs that comes after a long silence. The replay gives all
        spikes this weight, so that plasticity, short-term plasticity and random release of
        transmitter are not in its signals. A population stands for one kind of synapse of each
        cell (`Synapses`), whatever receptors its connections have in NEST.
        """
        sim = Simulator()
        check_rounding(rounding, NetworkError)
        if sim.ranks.n > 1:
            raise NetworkError(
                "the hybrid scheme needs the whole network in one process, "
                f"found {sim.ranks.n} MPI ranks"
            )
        sim.check_sources_kept()
        if not isinstance(populations, Mapping) or not populations:
            raise NetworkError(
                f"populations must be a dict such as {{'E': neurons}}, found {brief(populations)}"
            )
        ids = population_ids(list(populations), populations, sim, overlap=True)
        if empty := [name for name, found in ids.items() if not found.size]:
            raise NetworkError(f"populations {empty} have no nodes: leave them out")
        nodes = {name: sim.nodes(found) for name, found in ids.items()}
        recorded = recorded_spikes(spikes, ids, sim)
        models, columns = synapses.used_models(sim), ["source", "target", "delay"]
        connections = {}
        for pre, sources in nodes.items():
            for post, targets in nodes.items():
                parts = list(synapses.connections(sim, sources, targets, models, columns))
                if not parts:
                    continue
                values = {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
                connections[pre, post] = Connections(
                    index_of(values["source"], ids[pre], pre),
                    index_of(values["target"], ids[post], post),
                    values["weight"],
                    values["delay"],
                )
        sizes = {name: len(found) for name, found in ids.items()}
        return cls(sizes, connections, recorded, sim.resolution, rounding)
