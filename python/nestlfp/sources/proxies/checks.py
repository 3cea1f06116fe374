"""What both proxies check of their parameters."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..._types import Floats
from ...errors import KernelError
from ...kernels.checks import real

EXTRA = "proxies"


def direction(given: ArrayLike) -> Floats:
    """A direction of length 1, shape (3,)."""
    found = real(given, "orientation")
    if found.shape != (3,) or not np.all(np.isfinite(found)) or not np.any(found):
        raise KernelError(f"orientation must be a direction of shape (3,), found {given!r}")
    return np.asarray(found / np.linalg.norm(found))


def delay_ms(value: Any, what: str) -> float:
    """A time of at least 0."""
    if not (isinstance(value, Real) and np.isfinite(float(value)) and float(value) >= 0):
        raise KernelError(f"{what} must be a number of ms of at least 0, found {value!r}")
    return float(value)


def check_part(value: Any, what: str) -> None:
    """A `KernelError` where this is no part of a whole."""
    if not (isinstance(value, Real) and 0 < float(value) < 1):
        raise KernelError(f"{what} must lie between 0 and 1, found {value!r}")


def check_roles(excitatory: Any, inhibitory: Any) -> None:
    """A `KernelError` where a population excites and inhibits, or where there is none."""
    for what, given in (("excitatory", excitatory), ("inhibitory", inhibitory)):
        if not isinstance(given, Mapping):
            raise KernelError(
                f"{what} must be a dict with an entry per population, found {given!r}"
            )
    both = sorted(set(excitatory) & set(inhibitory))
    if both:
        raise KernelError(f"populations {both} are both excitatory and inhibitory")
    if not (excitatory or inhibitory):
        raise KernelError("no presynaptic populations: excitatory and inhibitory are both empty")
