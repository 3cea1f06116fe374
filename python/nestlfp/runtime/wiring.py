"""Connect populations to filter nodes in NEST."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from .._types import Floats, Ints
from ..errors import NetworkError
from ..nodes.render import SYNAPSE
from ..simulator import Simulator
from ..simulator.node_models import scaled_spikes
from .inputs import PortInput

GENERATORS_SYNAPSE = "static_synapse"


def check_generators(sim: Simulator, inputs: list[PortInput]) -> None:
    """Raise a `NetworkError` if a generator has connections that NEST lets no others join."""
    for source in inputs:
        if source.everywhere:
            known = sim.connections(sim.nodes(source.ids))
            models = set(sim.columns(known, ["synapse_model"])["synapse_model"])
            if sim.ranks.any(bool(models - {GENERATORS_SYNAPSE})):
                raise NetworkError(
                    f"population {source.name!r} is made of generators whose connections are of "
                    f"the model {', '.join(sorted(models))}: NEST wants all of a generator's to be "
                    f"of one, and the recorder's would be {GENERATORS_SYNAPSE}. Put a "
                    "parrot_neuron behind it"
                )


def connect(
    sim: Simulator,
    source: PortInput,
    ids: Sequence[int],
    *,
    port: int,
    delays: Ints,
    synapse: str,
) -> Made | None:
    """Connect each neuron of a population to the node that gets its spikes, in one call.

    Parameters
    ----------
    source : PortInput
        The population.
    ids : sequence of int
        Nodes of the filter's model. NEST hands out all parameters of a node for its id, which takes
        a while for each port.
    port : int
        Number of the spike port, from 0.
    delays : ndarray of int, shape (neuron,)
        Delay of each connection in steps.
    synapse : str
        Synapse model, see `Session.synapse`. Generators, from which NEST takes all connections to
        be of one model, keep to theirs.

    Returns
    -------
    Made or None
        Those of this rank.
    """
    if source.ids.size == 0:
        return None
    # Node i lives on virtual process i modulo their number, neurons and filters alike: with a node
    # on each of them, the one that is so many ids away is on the neuron's own.
    first = int(ids[0])
    targets = first + (source.ids - first) % len(ids)
    if source.everywhere:  # each spike counts once
        targets = np.full_like(source.ids, first)
    # A rank makes the connections that live on it, and does not look at the others. Connect is
    # collective, so that a rank without any names one of another's, which NEST passes over.
    here = (targets % sim.virtual_processes) % sim.ranks.n == sim.ranks.rank
    made = Made(
        GENERATORS_SYNAPSE if source.everywhere else synapse,
        source.everywhere,
        source.ids[here],
        targets[here],
        np.full(int(here.sum()), port),
        source.weights[here],
        delays[here],
        np.flatnonzero(here),
    )
    if not here.any():
        here[0] = True
    try:
        sim.connect(
            source.ids[here],
            targets[here],
            {
                "synapse_model": made.synapse,
                "weight": source.weights[here],
                "delay": delays[here] * sim.resolution,
                "receptor_type": np.full(int(here.sum()), port + 1),
            },
            "one_to_one",
        )
    except sim.error as error:
        raise NetworkError(
            f"NEST cannot connect population {source.name!r} to the filter's node: {error}. Does "
            "its model send spikes?"
        ) from error
    return made


def set_weights(sim: Simulator, weights: Mapping[Made, Floats]) -> None:
    """Give this rank's connections of one population other weights: of each port, in its order."""
    made = list(weights)
    sources, targets = (
        np.unique(np.concatenate([np.zeros(0, np.int64), *(getattr(each, end) for each in made)]))
        for end in ("sources", "targets")
    )
    if not sources.size:
        return
    connections = sim.connections(sim.nodes(sources), sim.nodes(targets), made[0].synapse)
    source, receptor = sim.columns(connections, ["source", "receptor"]).values()
    parameters: list[dict[str, float]] = [{} for _ in source]
    for each, of_port in weights.items():
        each.weights[:] = of_port[each.places]
        order = np.argsort(each.sources)
        (own,) = np.nonzero(np.isin(receptor, each.ports))
        at = order[np.searchsorted(each.sources, source[own], sorter=order)]
        for number, weight in zip(own.tolist(), each.weights[at].tolist(), strict=True):
            parameters[number] = {each.parameter: weight}
    sim.set_connections(connections, parameters)


@dataclass(frozen=True, eq=False)
class Made:
    """Connections of one synapse model to filter nodes, as they were made: an element for each.

    Attributes
    ----------
    synapse : str
        The synapse model.
    generators : bool
        Whether the sources are generators.
    sources, targets, ports : ndarray of int
        Ids of nodes, and numbers of spike ports, from 0.
    weights : ndarray of float
        Factors of kernels, as they are now.
    delays : ndarray of int
        In steps.
    places : ndarray of int
        Of the sources, in the input of the port.
    """

    synapse: str
    generators: bool
    sources: Ints
    targets: Ints
    ports: Ints
    weights: Floats
    delays: Ints
    places: Ints

    @property
    def parameter(self) -> str:
        """The name by which NEST sets the weight."""
        return "weight" if self.exposed else "factor"

    @property
    def exposed(self) -> bool:
        """Whether scripts can change them, as they can of models that are not nestlfp's."""
        return not self.synapse.startswith(SYNAPSE)

    def difference(self, sim: Simulator) -> str | None:
        """What a script has changed of them since, or None; 5 µs for each connection."""
        if not self.sources.size:
            return None
        if self.generators and (scaled := scaled_spikes(np.unique(self.sources), sim)):
            return scaled
        there = sim.nodes(np.unique(self.targets))
        connections = sim.connections(None, there, self.synapse)
        found = sim.columns(connections, ["source", "target", "receptor", "weight", "delay"])
        ours = np.isin(found["receptor"], self.ports) & np.isin(found["source"], self.sources)
        found = {key: array[ours] for key, array in found.items()}
        n = self.sources.size
        if found["source"].size != n:
            return f"there were {n} connections, and there are {found['source'].size}"
        order = np.lexsort((found["receptor"], found["target"], found["source"]))
        mine = np.lexsort((self.ports, self.targets, self.sources))
        dt = sim.resolution
        delays = np.rint(found["delay"][order] / dt) * dt
        for what, now, before in (
            ("source", found["source"][order], self.sources[mine]),
            ("weight", found["weight"][order], self.weights[mine]),
            ("delay (ms)", delays, self.delays[mine] * dt),
        ):
            if (odd := np.flatnonzero(now != before)).size:
                return (
                    f"the {what} of {odd.size} of {n} connections is another, such as "
                    f"{now[odd[0]]:g}, which was {before[odd[0]]:g}"
                )
        return None
