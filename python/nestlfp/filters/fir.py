"""The kernels themselves as coefficients: exact, at a cost that grows with every tap."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from .._types import Array, Ints
from .base import Filter, Method, Once, for_ports
from .cost import node_microseconds

if TYPE_CHECKING:
    from .coefficients import Coefficients

TAP = 3.3e-4
"""A channel of a tap: one multiply-add (µs)."""


@dataclass(frozen=True)
class FIR(Method, name="fir", template="FIR_filter.nestml.jinja"):
    """The kernels as they are: exact, at a cost that grows with channels and with sampled taps."""

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
        """See `Filter.microseconds`; a spike adds the taps that fall on a sample."""
        c = self.coefficients
        taps = float(c.n_channels * c.lengths.sum()) / every
        return node_microseconds(c.lengths.size) + TAP * taps

    def __str__(self) -> str:
        return "the kernels as they are"

    def parameters(self, ports: int, hold: Ints, every: int, until: int) -> dict[str, Any]:
        """See `Filter.parameters`."""
        c = self.coefficients
        used = range(c.lengths.size)
        span = c.lengths // every * c.n_channels
        stride = -(-self.reach // every) * c.n_channels
        sizes = c.lengths * c.n_channels
        lane = stride * np.array(used) * (c.groups > 1)
        return {
            "outputs": self.n_outputs,
            "channels": c.n_channels,
            "groups": c.groups,
            "table": int(sizes.sum()),
            "stride": stride,
            "ring": c.groups * stride,
            "every": every,
            "coefficients": np.concatenate([self._by_phase(p, every) for p in used]),
            "start": for_ports(ports, np.cumsum(sizes) - sizes),
            "span": for_ports(ports, span),
            "longer": for_ports(ports, c.lengths % every),
            "hold": for_ports(ports, hold // every * c.n_channels),
            "wait": for_ports(ports, hold % every),
            "lane": for_ports(ports, lane),
            "clock": [-1.0, float(until)],
        }

    def _by_phase(self, p: int, every: int) -> Array:
        """Taps of a population in rows of channels, sorted by their number modulo `every`."""
        taps = self.coefficients.h[p, :, : self.coefficients.lengths[p]].T
        return np.concatenate([taps[phase::every] for phase in range(every)]).ravel()
