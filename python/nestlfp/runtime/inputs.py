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
    unordered = [name for name in known if isinstance(populations[name], set | frozenset)]
    factors = _per_neuron(weights, ids, unordered, "weights", default=1.0)
    lags = _per_neuron(delays, ids, unordered, "delays", default=0.0)
    return [
        Input(
            name=name,
            ids=members,
            weights=factors[name],
            lags=_lag_steps(lags[name], dt, name),
            everywhere=members.size > 0 and is_stimulator(int(members[0]), nest),
        )
        for name, members in ids.items()
    ]


def _lag_steps(delays: Floats, dt: float, name: str) -> Ints:
    late = np.abs(delays) >= 2**53 * dt
    if late.any():
        raise NetworkError(
            f"delays of {name!r} must be times in ms that can be counted in steps of {dt:g} ms, "
            f"found {delays[late][0]:g}"
        )
    return np.rint(delays / dt).astype(np.int64)


def _per_neuron(
    given: Mapping[str, ArrayLike] | None,
    ids: dict[str, Ints],
    unordered: Sequence[str],
    what: str,
    default: float,
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
            if np.ma.is_masked(given.get(name)):
                raise TypeError
            values = np.asarray(given.get(name, default), dtype=float)
        except (TypeError, ValueError):
            raise NetworkError(
                f"{what} of {name!r} must be a number, or one for each neuron, found "
                f"{str(given[name])[:60]!r}"
            ) from None
        if values.ndim and name in unordered:
            raise NetworkError(
                f"{what} of {name!r} are given for each neuron, but its neurons are a set, which "
                "has no order: give them as a list"
            )
        if values.ndim and values.shape != members.shape:
            raise NetworkError(
                f"{what} of {name!r} must have one value for each of {members.size} neurons, found "
                f"shape {values.shape}"
            )
        if not np.all(np.isfinite(values)):
            raise NetworkError(f"{what} of {name!r} must be finite")
        out[name] = np.array(np.broadcast_to(values, members.shape))
    return out
