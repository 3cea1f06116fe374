"""Detect when a readout crosses a threshold: a trigger's node, and the same in NumPy."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .._types import Ints
from ..errors import NetworkError

DIRECTIONS = {"rising": 1, "falling": 2, "both": 3}
RECORDING: dict[str, Any] = {"emits": 0, "detector": [0.0, 0.0]}
"""Parameters of a node that emits nothing."""


@dataclass(frozen=True)
class Detector:
    """Crossings of a threshold, one by one.

    A readout is *above* from the step on in which it reaches the upper level, and not any more from
    the step on in which it is less than the lower one. It starts as zero. A change is a crossing.

    Parameters
    ----------
    threshold : float
        In the unit of the readout: the upper level where it is rising that counts, the lower one
        where it is falling, and the middle of the two where it is both.
    direction : {"rising", "falling", "both"}
        Crossings that count.
    refractory : int
        Steps from one crossing that counts to the next, at least; those between are passed over.
    hysteresis : float
        Distance of the two levels, in the unit of the readout: noise that is smaller does not make
        several crossings of one.

    Raises
    ------
    NetworkError
        If one of them is not what it should be.
    """

    threshold: float
    direction: str = "rising"
    refractory: int = 0
    hysteresis: float = 0.0

    def __post_init__(self) -> None:
        for name in ("threshold", "hysteresis"):
            value = getattr(self, name)
            if (
                not isinstance(value, Real)
                or isinstance(value, bool)
                or not np.isfinite(float(value))
            ):
                raise NetworkError(f"{name} must be a finite number, found {value!r}")
        if self.hysteresis < 0:
            raise NetworkError(f"hysteresis must not be negative, found {self.hysteresis!r}")
        if self.direction not in DIRECTIONS:
            raise NetworkError(
                f"direction must be one of {tuple(DIRECTIONS)}, found {self.direction!r}"
            )

    @property
    def levels(self) -> tuple[float, float]:
        """The lower and the upper level."""
        share = {"rising": 1.0, "falling": 0.0, "both": 0.5}[self.direction]
        lower = self.threshold - share * self.hysteresis
        return lower, self.threshold + (1 - share) * self.hysteresis

    @property
    def starts_above(self) -> bool:
        """Whether zero, from which a readout starts, is above."""
        return self.threshold <= 0

    def parameters(self, scale: float) -> dict[str, Any]:
        """Parameters of a node whose readout is `scale` times its output."""
        lower, upper = self.levels
        return {
            "emits": DIRECTIONS[self.direction],
            "scale": scale,
            "up": upper,
            "down": lower,
            "refractory": self.refractory,
            "detector": [float(self.starts_above), 0.0],
        }

    def crossings(self, values: ArrayLike) -> Ints:
        """Positions in `values`, a readout from its start on, at which a crossing counts."""
        lower, upper = self.levels
        above, last, found = self.starts_above, -np.inf, []
        wanted = DIRECTIONS[self.direction]
        for i, value in enumerate(np.asarray(values, dtype=float)):
            if not above and value >= upper:
                above, kind = True, 1
            elif above and value < lower:
                above, kind = False, 2
            else:
                continue
            if kind & wanted and i - last >= self.refractory:
                found.append(i)
                last = i
        return np.array(found, dtype=np.int64)
