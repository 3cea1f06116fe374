"""The kernels themselves as coefficients: exact, at a cost that grows with every tap."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .._types import Ints
from .coefficients import Array, Coefficients, for_ports
from .cost import fir_microseconds


@dataclass(frozen=True)
class FIRFilter:
    """The kernels as they are.

    Parameters
    ----------
    coefficients : Coefficients
        What to compute.
    """

    coefficients: Coefficients
    method: str = field(default="fir", init=False)
    template: str = field(default="FIR_filter.nestml.jinja", init=False)
    grows: str = field(default="ring", init=False)

    @property
    def n_outputs(self) -> int:
        """See `Filter.n_outputs`."""
        return self.coefficients.groups * self.coefficients.n_channels

    @property
    def _rows(self) -> int:
        """Steps that the node's ring reaches ahead."""
        return int((self.coefficients.furthest_hold + self.coefficients.lengths).max())

    @property
    def max_hold(self) -> Ints:
        """See `Filter.max_hold`."""
        return np.asarray(self._rows - self.coefficients.lengths, dtype=np.int64)

    @property
    def error(self) -> Array:
        """See `Filter.error`; there is none."""
        return np.zeros(self.coefficients.n_channels)

    @property
    def bound(self) -> Array:
        """See `Filter.bound`; there is none."""
        return np.zeros(self.coefficients.n_channels)

    def microseconds(self, every: int) -> float:
        """See `Filter.microseconds`; how often it is sampled makes no difference here."""
        return fir_microseconds(self.coefficients.lengths, self.coefficients.n_channels)

    def __str__(self) -> str:
        return "the kernels as they are"

    def parameters(self, ports: int, hold: Ints, every: int, until: int) -> dict[str, Any]:
        """See `Filter.parameters`."""
        c = self.coefficients
        span = c.lengths * c.n_channels
        stride = self._rows * c.n_channels
        taps = [kernels[:, :n].T.ravel() for kernels, n in zip(c.h, c.lengths, strict=True)]
        lane = stride * (np.arange(span.size) if c.groups > 1 else np.zeros(span.size))
        return {
            "outputs": self.n_outputs,
            "channels": c.n_channels,
            "groups": c.groups,
            "table": int(span.sum()),
            "stride": stride,
            "ring": c.groups * stride,
            "coefficients": np.concatenate(taps),
            "start": for_ports(ports, np.cumsum(span) - span),
            "span": for_ports(ports, span),
            "hold": for_ports(ports, hold * c.n_channels),
            "lane": for_ports(ports, lane),
        }

    def expand(self, outputs: Array) -> Array:
        """See `Filter.expand`."""
        # A copy: what a user does to the signals must not reach the recorder's own samples.
        return outputs.reshape(self.coefficients.groups, self.coefficients.n_channels, -1).copy()
