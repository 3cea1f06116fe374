"""The kernels themselves as coefficients: exact, at a cost that grows with every tap."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from .._types import Ints
from .base import Filter, Method, Once
from .coefficients import Array, Coefficients, for_ports
from .cost import node_microseconds

TAP = 3.3e-4
"""A channel of a tap: one multiply-add (µs)."""


@dataclass(frozen=True)
class FIR(Method, name="fir", template="FIR_filter.nestml.jinja"):
    """The kernels as they are: exact, at a cost that grows with every channel and tap."""

    def design(self, coefficients: Coefficients, every: int, once: Once) -> Filter:
        """See `Method.design`; there is nothing to look for."""
        return FIRFilter(self, coefficients)


@dataclass(frozen=True)
class FIRFilter(Filter):
    """The kernels as they are."""

    grows: ClassVar[str] = "ring"

    @property
    def error(self) -> Array:
        """See `Filter.error`; there is none."""
        return np.zeros(self.coefficients.n_channels)

    bound = error

    def microseconds(self, every: int) -> float:
        """See `Filter.microseconds`; how often it is sampled makes no difference here."""
        c = self.coefficients
        return node_microseconds(c.lengths.size) + float(TAP * c.n_channels * c.lengths.sum())

    def __str__(self) -> str:
        return "the kernels as they are"

    def parameters(self, ports: int, hold: Ints, every: int, until: int) -> dict[str, Any]:
        """See `Filter.parameters`."""
        c = self.coefficients
        span = c.lengths * c.n_channels
        stride = self.reach * c.n_channels
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
