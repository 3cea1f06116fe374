"""The populations that a user names: their neurons, checked before NEST is changed."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._types import Ints
from ..errors import NetworkError


def population_ids(
    known: Sequence[str], populations: Mapping[str, Any], nest: Any, overlap: bool
) -> dict[str, Ints]:
    """Ids of the neurons of each of the known populations; a `NetworkError` if they do not fit."""
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
    ids = {name: _node_ids(populations[name], name, nest) for name in known}
    if not overlap:
        _check_disjoint(ids)
    return ids


def _node_ids(nodes: Any, name: str, nest: Any) -> Ints:
    if nodes is None:
        return np.array([], dtype=np.int64)
    try:
        if not isinstance(nodes, nest.NodeCollection):
            nodes = _collection([int(node) for node in nodes], name, nest)
        ids, models = _described(nodes)
    except (TypeError, ValueError, nest.NESTError) as error:
        if isinstance(error, NetworkError):
            raise
        raise NetworkError(
            f"population {name!r} must be a nest.NodeCollection, found {type(nodes).__name__}"
        ) from None
    if ids.size:
        _check_range(ids, name, nest)
        _check_kind(models, name, nest)
    return ids


def _collection(ids: list[int], name: str, nest: Any) -> Any:
    if len(set(ids)) != len(ids):
        raise NetworkError(f"population {name!r} has the same node more than once")
    if ids:
        _check_range(np.array(ids), name, nest)
    return nest.NodeCollection(sorted(ids))


def _check_range(ids: Ints, name: str, nest: Any) -> None:
    if ids.min() < 1 or ids.max() > nest.network_size:
        raise NetworkError(
            f"population {name!r} has nodes {ids.min()} … {ids.max()}, NEST has 1 … "
            f"{nest.network_size}: was it made before ResetKernel?"
        )


_RANGE = re.compile(r"model=(.+?), size=(\d+), first=(\d+)(?:, last=\d+)?(?:, step=(\d+))?[;)]")


def _described(nodes: Any) -> tuple[Ints, set[str]]:
    """Ids and models of a NodeCollection.

    They stand in its printed form, range by range: for 80 000 neurons that is read in
    milliseconds, where asking each of them takes seconds.
    """
    found = _RANGE.findall(str(nodes))
    ranges = [int(first) + int(step or 1) * np.arange(int(n)) for _, n, first, step in found]
    if sum(part.size for part in ranges) == len(nodes):
        return np.concatenate([[], *ranges]).astype(np.int64), {model for model, *_ in found}
    models = {str(model) for model in np.atleast_1d(nodes.get("model"))}
    return np.asarray(nodes.tolist(), dtype=np.int64), models


def _check_kind(models: set[str], name: str, nest: Any) -> None:
    kinds = {nest.GetDefaults(model, "element_type") for model in models}
    if not kinds <= {"neuron", "stimulator"} or len(kinds) > 1:
        raise NetworkError(
            f"population {name!r} must be neurons, or generators of spikes, found {sorted(models)}"
        )
    if "poisson_generator" in models:
        warnings.warn(
            f"population {name!r} is a poisson_generator: it sends the recorder spikes of its own,"
            " and drawing them changes the random numbers of other stochastic devices. With a"
            " parrot_neuron behind it, the recorder hears what the network hears",
            stacklevel=5,
        )


def is_stimulator(node: int, nest: Any) -> bool:
    """Whether this node is a generator, which lives on every virtual process."""
    model = nest.NodeCollection([node]).get("model")
    return bool(nest.GetDefaults(model, "element_type") == "stimulator")


def _check_disjoint(ids: dict[str, Ints]) -> None:
    nodes, times = np.unique(np.concatenate([[], *ids.values()]), return_counts=True)
    if np.any(times > 1):
        node = int(nodes[times > 1][0])
        both = [repr(name) for name, members in ids.items() if node in members]
        raise NetworkError(f"populations {' and '.join(both)} overlap: node {node} is in both")


def per_neuron(
    given: Mapping[str, ArrayLike] | None, ids: dict[str, Ints], what: str, default: float
) -> dict[str, NDArray[np.float64]]:
    """`given`, checked and filled up: a value for each neuron of each population."""
    given = given or {}
    unknown = [name for name in given if name not in ids]
    if unknown:
        raise NetworkError(f"{what}: unknown populations {unknown}, expected some of {list(ids)}")
    out = {}
    for name, members in ids.items():
        values = np.asarray(given.get(name, default), dtype=float)
        if values.ndim and values.shape != members.shape:
            raise NetworkError(
                f"{what} of {name!r} must have one value for each of {members.size} neurons, found "
                f"shape {values.shape}"
            )
        if not np.all(np.isfinite(values)):
            raise NetworkError(f"{what} of {name!r} must be finite")
        out[name] = np.array(np.broadcast_to(values, members.shape))
    return out
