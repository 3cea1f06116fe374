"""The kernels themselves as coefficients."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .coefficients import Array, Coefficients
from .cost import fir_microseconds


@dataclass(frozen=True)
class FIRFilter:
    """The kernels themselves as coefficients: exact, at a cost that grows with every tap.

    Parameters
    ----------
    coefficients : Coefficients
        What to compute.
    """

    coefficients: Coefficients
    method: str = field(default="fir", init=False)
    template: str = field(default="FIR_filter.nestml.jinja", init=False)

    @property
    def sizes(self) -> dict[str, int]:
        """See `Filter.sizes`."""
        populations, channels, taps = self.coefficients.h.shape
        return {
            "populations": populations,
            "groups": self.coefficients.groups,
            "channels": channels,
            "taps": taps,
            "rows": int((self.coefficients.furthest_hold + self.coefficients.lengths).max()),
        }

    @property
    def n_outputs(self) -> int:
        """See `Filter.n_outputs`."""
        return self.coefficients.groups * self.coefficients.n_channels

    @property
    def max_hold(self) -> NDArray[np.int64]:
        """See `Filter.max_hold`."""
        return np.asarray(self.sizes["rows"] - self.coefficients.lengths, dtype=np.int64)

    @property
    def error(self) -> Array:
        """See `Filter.error`; there is none."""
        return np.zeros(self.coefficients.n_channels)

    @property
    def bound(self) -> Array:
        """See `Filter.bound`; there is none."""
        return np.zeros(self.coefficients.n_channels)

    @property
    def microseconds(self) -> float:
        """See `Filter.microseconds`."""
        return fir_microseconds(self.coefficients.lengths, self.coefficients.n_channels)

    def __str__(self) -> str:
        return "the kernels as they are"

    def parameters(self, hold: NDArray[np.int64], every: int, until: int) -> dict[str, Any]:
        """See `Filter.parameters`; whether a step is sampled makes no difference here."""
        channels = self.coefficients.n_channels
        return {
            "coefficients": self.coefficients.h.transpose(0, 2, 1).ravel(),
            "span": (self.coefficients.lengths * channels).astype(float),
            "hold": (hold * channels).astype(float),
        }

    def expand(self, outputs: Array) -> Array:
        """See `Filter.expand`."""
        return outputs.reshape(self.coefficients.groups, self.coefficients.n_channels, -1)
