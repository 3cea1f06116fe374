"""What a filter node hears: the spikes of each population, with factors and lags of its neurons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .._types import Floats, Ints
from ..errors import NetworkError
from .populations import population_ids
from .senders import is_stimulator


@dataclass(frozen=True)
class Input:
    """The nodes of one population. A spike that stands for several counts as often as it says.

    Attributes
    ----------
    name : str
        The population.
    ids : ndarray of int, shape (neuron,)
        In the order in which they were given.
    weights : ndarray of float, shape (neuron,)
        Factor of each neuron's kernel.
    lags : ndarray of int, shape (neuron,)
        Steps by which each neuron's kernel starts later.
    everywhere : bool
        Whether the nodes are generators, which live on every virtual process.
    """

    name: str
    ids: Ints
    weights: Floats
    lags: Ints
    everywhere: bool


def gather_inputs(
    known: Sequence[str],
    populations: Mapping[str, Any],
    *,
    weights: Mapping[str, ArrayLike] | None,
    delays: Mapping[str, ArrayLike] | None,
    overlap: bool,
    dt: float,
    nest: Any,
) -> list[Input]:
    """The input of each known population; a `NetworkError` if what is given does not fit."""
    ids = population_ids(known, populations, nest, overlap)
    factors = _per_neuron(weights, ids, "weights", default=1.0)
    lags = _per_neuron(delays, ids, "delays", default=0.0)
    return [
        Input(
            name=name,
            ids=members,
            weights=factors[name],
            lags=np.rint(lags[name] / dt).astype(np.int64),
            everywhere=members.size > 0 and is_stimulator(int(members[0]), nest),
        )
        for name, members in ids.items()
    ]


def _per_neuron(
    given: Mapping[str, ArrayLike] | None, ids: dict[str, Ints], what: str, default: float
) -> dict[str, Floats]:
    """`given`, checked and filled up: a value for each neuron of each population."""
    given = {} if given is None else given
    if not isinstance(given, Mapping):
        raise NetworkError(
            f"{what} must be a dict such as {{{next(iter(ids))!r}: values}}, found "
            f"{type(given).__name__}"
        )
    unknown = [name for name in given if name not in ids]
    if unknown:
        raise NetworkError(f"{what}: unknown populations {unknown}, expected some of {list(ids)}")
    out = {}
    for name, members in ids.items():
        try:
            values = np.asarray(given.get(name, default), dtype=float)
        except (TypeError, ValueError):
            raise NetworkError(
                f"{what} of {name!r} must be a number, or one for each neuron, found "
                f"{str(given[name])[:60]!r}"
            ) from None
        if values.ndim and values.shape != members.shape:
            raise NetworkError(
                f"{what} of {name!r} must have one value for each of {members.size} neurons, found "
                f"shape {values.shape}"
            )
        if not np.all(np.isfinite(values)):
            raise NetworkError(f"{what} of {name!r} must be finite")
        out[name] = np.array(np.broadcast_to(values, members.shape))
    return out
