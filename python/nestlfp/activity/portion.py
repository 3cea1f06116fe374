"""What readers return: portions of a file, which may be larger than memory."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .._types import Floats, Ints
from ..errors import ActivityError
from ..trains import swapped

SIZE = 2**19
"""Spikes that are read at a time."""
_MS = {"ms": 1.0, "s": 1e3, "us": 1e-3, "µs": 1e-3}
_LONG = {
    "millisecond": "ms",
    "milliseconds": "ms",
    "second": "s",
    "seconds": "s",
    "sec": "s",
    "microsecond": "us",
    "microseconds": "us",
    "μs": "us",
}
UNITS = (*_MS, *_LONG)
"""Names of units that are known."""


@dataclass(frozen=True)
class Portion:
    """Some of the spikes of a file.

    Attributes
    ----------
    label : str or None
        The population's name in the file, if the file has names of populations.
    times : ndarray, shape (spike,)
        In ms.
    ids : ndarray of int, shape (spike,), or None
        Which neuron each is of, if the file says so.
    from_zero : bool
        Whether ids are places of neurons in their population, which count from 0.
    printed : float
        By how much times (ms) may be off because they were printed with few digits.
    """

    label: str | None
    times: Floats
    ids: Ints | None
    from_zero: bool = False
    printed: float = 0.0


@dataclass(frozen=True)
class Asked:
    """What a user says of files.

    Attributes
    ----------
    unit : str or None
        Of the times, where the file does not say: ms, s, us, or a number of ms.
    column : str
        The column, or annotation, that names populations.
    """

    unit: str | None = None
    column: str = "population"

    def __post_init__(self) -> None:
        if self.unit is not None:
            in_ms(self.unit, "unit")

    @property
    def factor(self) -> float:
        """From the unit of the times to ms, where the file does not say."""
        return 1.0 if self.unit is None else in_ms(self.unit, "unit")

    def check_whole(self, times: Any, where: str) -> None:
        """Raise an error where times are whole numbers without a unit."""
        found = np.asarray(times)
        if found.size and found.dtype.kind in "iu" and self.unit is None:
            raise ActivityError(
                f"{where} has whole numbers as times, such as {found[0]}, and does not say of "
                "what: --unit ms, or the resolution (ms) if they are steps, such as --unit 0.1 "
                "(unit='0.1')"
            )

    def of_steps(self, where: str) -> float:
        """From steps to ms."""
        if self.unit is None:
            raise ActivityError(
                f"{where} has times in steps of NEST's resolution (time_in_steps), which it "
                "does not have: give it as the unit, in ms, such as --unit 0.1"
            )
        return self.factor

    def factor_of(self, unit: str, where: str) -> float:
        """From the unit that a file says to ms; an error if the user says another."""
        found = in_ms(unit, f"the unit of {where}")
        if self.unit is not None and self.factor != found:
            raise ActivityError(
                f"{where} says that its times are in {unit!r}, not in {self.unit!r}: leave the "
                "unit out"
            )
        return found


def in_ms(unit: str, what: str) -> float:
    """How many ms a unit of time is; it may be a number of ms itself."""
    name = _LONG.get(str(unit).strip().lower(), str(unit).strip())
    if name in _MS:
        return _MS[name]
    number = re.fullmatch(r"([\d.eE+-]+?)\s*(ms)?", name)
    try:
        found = float(number[1]) if number else 0.0
    except ValueError:
        found = 0.0
    if not 0 < found < np.inf:
        raise ActivityError(
            f"{what} must be ms, s, us, or a number of ms such as 0.1 for times in steps, found "
            f"{unit!r}"
        )
    return found


def no_spikes(names: Sequence[str], others: Sequence[str], where: str) -> str:
    """What is said of a file with columns that spikes do not have."""
    return (
        f"{where} has {', '.join(map(repr, names))}, and spikes have no {others[0]!r}: are these "
        "samples of a voltmeter, multimeter or weight_recorder? Spikes have times, and may have "
        "senders: write them without anything else"
    )


def check_order(times: Any, ids: Any, where: str) -> None:
    """An error where the types of times and ids show that they were exchanged."""
    times, ids = np.asarray(times), np.asarray(ids)
    if swapped(times, ids) and np.isfinite(ids).all():
        raise ActivityError(
            f"{where} has whole numbers as times, {times[:3]}, and decimals as ids of neurons, "
            f"{ids[:3]}: exchange the two. If they are right, write ids as whole numbers"
        )


def whole(values: Any, what: str) -> Ints:
    """Ids as whole numbers from 0 on."""
    found = np.asarray(values)
    if not found.size:
        return np.zeros(0, np.int64)
    if found.dtype.kind == "f" and np.all((found == np.rint(found)) & (np.abs(found) < 2**53)):
        found = found.astype(np.int64)
    if found.dtype.kind not in "iu":
        raise ActivityError(f"{what} must be whole numbers, found {found[:3]!s}")
    ids = found.astype(np.int64)
    if ids.min() < 0:
        raise ActivityError(f"{what} must not be negative, found {found[ids < 0][0]}")
    return ids


def numbers(values: Any, what: str) -> Floats:
    """Times as finite numbers."""
    try:
        found = np.asarray(values)
        if found.dtype.kind not in "fiu" and found.size:
            raise TypeError
        found = found.astype(float)
    except (TypeError, ValueError):
        some = str(np.asarray(values, dtype=object)[:3])[:60]
        raise ActivityError(f"{what} must be numbers, found {some}") from None
    if not np.isfinite(found).all():
        raise ActivityError(f"{what} must be finite, found {found[~np.isfinite(found)][0]}")
    return found
