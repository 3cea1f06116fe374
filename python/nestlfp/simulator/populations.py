"""The populations that a user names: their nodes, checked before NEST is changed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from .._types import Ints
from ..errors import NetworkError
from .node_models import check_senders
from .simulator import Simulator


def population_ids(
    known: Sequence[str], populations: Mapping[str, Any], sim: Simulator, overlap: bool
) -> dict[str, Ints]:
    """Ids of the nodes of each of the known populations, in the order in which they were given.

    Raises
    ------
    NetworkError
        If they are not those of the bank, or no nodes that send spikes.
    """
    known = list(known)
    if not isinstance(populations, Mapping):
        raise NetworkError(
            f"populations must be a dict such as {{{known[0]!r}: nodes}}, found "
            f"{type(populations).__name__}"
        )
    unknown = [name for name in populations if name not in known]
    missing = [name for name in known if name not in populations]
    if unknown or missing:
        raise NetworkError(
            f"populations must be those of the kernels, {known}: missing {missing}, unknown "
            f"{unknown} (None for a population that the network does not have)"
        )
    ids = {name: _node_ids(populations[name], name, sim) for name in known}
    if not overlap:
        _check_disjoint(ids)
    return ids


def _node_ids(nodes: Any, name: str, sim: Simulator) -> Ints:
    if nodes is None:
        return np.array([], dtype=np.int64)
    try:
        given = None
        if not sim.are_nodes(nodes):
            given = _whole_numbers(nodes, name, sim)
        collection = nodes if given is None else sim.nodes(given)
        # Joining is refused, at once, of nodes from before ResetKernel; printing them is not.
        collection = sim.present(collection)
        found = nodes_by_model(sim, collection)
        ids = np.concatenate([np.zeros(0, np.int64), *(part for _, part in found)])
        models = {model for model, _ in found}
    except sim.error as error:
        raise NetworkError(f"population {name!r} is no collection of nodes: {error}") from None
    if ids.size:
        _check_range(ids, name, sim)
        check_senders(models, collection, name, sim)
    return ids if given is None else given


def _whole_numbers(nodes: Any, name: str, sim: Simulator) -> Ints:
    """Ids that were not given as a NodeCollection, which NEST would sort; lists may be nested."""
    try:
        if isinstance(nodes, str | bytes | Mapping) or not isinstance(nodes, Iterable):
            raise TypeError
        ids = np.array(list(flat(nodes, sim)))
        if ids.ndim != 1 or (ids.size and ids.dtype.kind not in "iu"):
            raise TypeError
    except (TypeError, ValueError):
        raise NetworkError(
            f"population {name!r} must be a nest.NodeCollection, a list of such, or a list of node "
            f"ids, which are whole numbers, found {str(nodes)[:60]!r} ({type(nodes).__name__})"
        ) from None
    ids = ids.astype(np.int64)
    if np.unique(ids).size != ids.size:
        raise NetworkError(f"population {name!r} has the same node more than once")
    if ids.size:
        _check_range(ids, name, sim)
    return ids


def flat(nodes: Any, sim: Simulator) -> Iterator[Any]:
    """What is in NodeCollections, ids and lists of them, nested to any depth, in their order."""
    if sim.are_nodes(nodes):
        yield from sim.present(nodes).tolist()
    elif isinstance(nodes, Iterable) and not isinstance(nodes, str | bytes | Mapping):
        for each in nodes:
            yield from flat(each, sim)
    else:
        yield nodes


def _check_range(ids: Ints, name: str, sim: Simulator) -> None:
    n = sim.network_size
    if ids.min() < 1 or ids.max() > n:
        raise NetworkError(
            f"population {name!r} has nodes {ids.min()} … {ids.max()}, NEST has 1 … "
            f"{n}: was it made before ResetKernel?"
        )


_RANGE = re.compile(r"model=(.+?), size=(\d+), first=(\d+)(?:, last=\d+)?(?:, step=(\d+))?[;)]")


def nodes_by_model(sim: Simulator, nodes: Any = None) -> list[tuple[str, Ints]]:
    """Ids of nodes, in ranges of one model each, as they are in a NodeCollection.

    They stand in its printed form, range by range: for 80 000 neurons that is read in
    milliseconds, where asking each of them takes seconds.

    Parameters
    ----------
    sim : Simulator
    nodes : nest.NodeCollection, optional
        Default: all nodes of the network.
    """
    nodes = sim.all_nodes() if nodes is None else nodes
    ranges = [
        (model, (int(first) + int(step or 1) * np.arange(int(n))).astype(np.int64))
        for model, n, first, step in _RANGE.findall(str(nodes))
    ]
    if sum(ids.size for _, ids in ranges) == len(nodes):
        return ranges
    ids = np.asarray(nodes.tolist(), dtype=np.int64)
    models = np.atleast_1d(nodes.get("model")) if ids.size else np.zeros(0, str)
    return [(str(model), ids[models == model]) for model in np.unique(models)]


def _check_disjoint(ids: dict[str, Ints]) -> None:
    nodes, times = np.unique(np.concatenate([[], *ids.values()]), return_counts=True)
    if np.any(times > 1):
        node = int(nodes[times > 1][0])
        both = [repr(name) for name, members in ids.items() if node in members]
        raise NetworkError(f"populations {' and '.join(both)} overlap: node {node} is in both")
