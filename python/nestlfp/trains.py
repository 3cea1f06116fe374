"""Spikes in arrays as a user gives them: times, and the neuron of each, in one order everywhere."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np

from ._types import Floats
from .errors import NestLFPError

_OF_SPIKES = {"senders", "times", "offsets"}


def paired(given: Any, name: str, error: type[NestLFPError]) -> tuple[Floats, np.ndarray]:
    """Times (ms) and neurons of a population's spikes, both of shape (spike,).

    Raises
    ------
    NestLFPError
        Of the type `error`, if they are no such pair, or if their types show that they are the
        other way round: integers as times, and floating-point numbers as neurons.
    """
    try:
        times, neurons = (np.ravel(np.asarray(part)) for part in given)
        in_ms = times.astype(float)
    except (TypeError, ValueError):
        raise error(
            f"spikes of {name!r} must be (times, neurons), found {str(given)[:60]!r}"
        ) from None
    if in_ms.size != neurons.size:
        raise error(
            f"{name!r} has {in_ms.size} spike times, but {neurons.size} neurons: spikes are "
            "(times, neurons), with one neuron for each time"
        )
    check_order(times, neurons, name, error)
    return in_ms, neurons


def check_order(times: Any, neurons: Any, name: str, error: type[NestLFPError]) -> None:
    """An error where the types of two arrays show that neurons were given as times."""
    times, neurons = np.asarray(times), np.asarray(neurons)
    if swapped(times, neurons):
        raise error(
            f"spikes of {name!r} must be (times, neurons), found first whole numbers, "
            f"{times[:3]}, as neurons are, and then {neurons[:3]}: exchange the two arrays"
        )


def swapped(times: np.ndarray, neurons: np.ndarray) -> bool:
    """Whether types show that they are the other way round: whole numbers, then fractional ones."""
    return bool(times.size) and times.dtype.kind in "iu" and neurons.dtype.kind == "f"


def check_events(
    events: Collection[str], name: str, error: type[NestLFPError], *, steps: bool = False
) -> None:
    """An error where a recorder's ``events`` are no spikes, or times in `steps`, if not wanted."""
    if others := sorted(map(str, set(events) - _OF_SPIKES)):
        raise error(
            f"spikes of {name!r} have {', '.join(others)} beside senders and times: these are "
            "events of another recorder than NEST's spike_recorder"
        )
    if "offsets" in events and not steps:
        raise error(
            f"spikes of {name!r} have times in steps (time_in_steps), must be in ms: "
            "times * nest.resolution"
        )
