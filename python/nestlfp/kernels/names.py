"""Names of populations, signals and channels: what may serve as one, and who is known.

Names are data and never become code. What is checked here is that they can be read, and that
signals, which become variables of a file, do not take each other's place in it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from ..errors import KernelError, NestLFPError

AXES = ("x", "y", "z")
TAKEN = ("time", "lag", "pre", "post", "course", "courses")
"""Dimensions of kernels and signals, which no signal may be named after."""


def channel_dim(signal: str) -> str:
    """Name of a signal's channel dimension, for example ``LFP_channel``."""
    return f"{signal}_channel"


def check_name(name: Any, what: str) -> str:
    """`name` if it can serve as a label, else a `KernelError`.

    Anything printable will do; what cannot be printed on one line would only hide mistakes.
    """
    if not isinstance(name, str):
        raise KernelError(f"a name of {what} must be a str, found {name!r}")
    if not name.strip() or not name.isprintable():
        raise KernelError(f"the name of {what} must be printable text on one line, found {name!r}")
    return name


def check_labels(labels: Any, what: str, error: type[NestLFPError] = KernelError) -> list[Any]:
    """Labels of an array as a list, if they are text, or finite numbers: what all files keep."""
    found: list[Any] = labels.tolist()
    numbers = all(type(label) in (int, float) and math.isfinite(label) for label in found)
    if not (numbers or all(isinstance(label, str) for label in found)):
        raise error(f"labels of {what} must be all text, or all numbers, found {str(found)[:80]}")
    return found


def check_signal_names(names: Iterable[Any], error: type[NestLFPError] = KernelError) -> None:
    """Whether these can be the names of the signals of one set.

    Signals become variables of a netCDF file, beside each other's channels and positions.

    Raises
    ------
    error
        If a name is no identifier, is a dimension of kernels or signals, or is the name of
        another signal's channels or positions.
    """
    names = list(names)
    for name in names:
        if not (isinstance(name, str) and name.isascii() and name.isidentifier()):
            raise error(
                "the name of a signal must be made of letters, digits and underscores, such as "
                f"'LFP' or 'EEG_scalp', found {name!r}"
            )
        if name in TAKEN:
            raise error(
                f"a signal must not be named {name!r}, which is a dimension of kernels or signals "
                f"(as are {', '.join(TAKEN)})"
            )
    for name in names:
        beside = {channel_dim(name): "channels"} | {f"{name}_{a}": "positions" for a in AXES}
        for other in sorted(beside.keys() & set(names)):
            raise error(
                f"a signal must not be named {other!r} beside the signal {name!r}, whose "
                f"{beside[other]} have that name"
            )


def listed(names: Any, what: str, error: type[NestLFPError] = KernelError) -> list[Any]:
    """Names as a flat list; a single name needs no list."""
    if isinstance(names, str):
        return [names]
    if isinstance(names, set | frozenset):
        raise error(f"{what} must be a list of names, found a set, which has no order: {names!r}")
    try:
        found = list(names)
        flat = np.ndim(found) == 1
    except (TypeError, ValueError):  # no list, or one of lists of different lengths
        flat = False
    if not flat:
        raise error(f"{what} must be a list of names, found {names!r}")
    return found


def check_unique(names: Iterable[Any], what: str) -> None:
    """Raise a `KernelError` that lists names that come up twice."""
    names = list(names)
    repeated = sorted({str(name) for name in names if names.count(name) > 1})
    if repeated:
        raise KernelError(f"{what} must differ from each other, found twice: {repeated}")


def check_known(names: Iterable[Any], known: Sequence[str], what: str) -> None:
    """Raise a `KernelError` that lists names that are not among the known ones."""
    unknown = [name for name in names if name not in known]
    if unknown:
        raise KernelError(f"{what}: {unknown} not among the kernels' {list(known)}")


def chosen(names: Any, known: Sequence[str], what: str) -> list[Any]:
    """Those of the known names that are asked for, in the order given; all of them for None."""
    found = listed(known if names is None else names, what)
    check_known(found, known, what)
    check_unique(found, what)
    return found


def by_dims(by: str | Iterable[str]) -> tuple[str, ...]:
    """The dimensions that `by` keeps apart, in the order (post, pre)."""
    given = list(by) if isinstance(by, set | frozenset) else listed(by, "by")
    if not all(dim in ("pre", "post") for dim in given):
        raise KernelError(f"by must be 'pre', 'post' or both, found {by!r}")
    return tuple(dim for dim in ("post", "pre") if dim in given)
