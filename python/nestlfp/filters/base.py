"""What other packages need of a filter."""

from __future__ import annotations

from typing import Any, Protocol

from .._types import Ints
from .coefficients import Array, Coefficients


class Filter(Protocol):
    """Kernels as something that a NEST node can compute."""

    @property
    def method(self) -> str:
        """Name of the method, as `FilterBank` takes it."""

    @property
    def template(self) -> str:
        """File name of the node's template."""

    @property
    def grows(self) -> str:
        """The parameter that is set once a node is there.

        It is the length of a state that nobody records; NEST would make each of its elements a
        recordable if the length were known when the node is created.
        """

    @property
    def coefficients(self) -> Coefficients:
        """What is computed."""

    @property
    def n_outputs(self) -> int:
        """Number of values that a node hands out, recorded as ``Y_0``, ``Y_1``, ..."""

    @property
    def max_hold(self) -> Ints:
        """The most steps that a node can hold back spikes of each population."""

    @property
    def error(self) -> Array:
        """Largest error of each channel's kernels relative to the channel's peak, (channel,)."""

    @property
    def bound(self) -> Array:
        """Sum over lags of the error, relative to the channel's peak, (channel,)."""

    def microseconds(self, every: int) -> float:
        """Estimated time of a step in which each population spikes, sampled one in `every`."""

    def parameters(self, ports: int, hold: Ints, every: int, until: int) -> dict[str, Any]:
        """All parameters of a node with this number of ports, of which the last may be idle.

        It holds back spikes of population p by hold[p] steps, and is sampled one step in `every`:
        for the first time `until` steps after its first.
        """

    def expand(self, outputs: Array) -> Array:
        """Values of shape (group, channel, time) from outputs of shape (output, time)."""

    def __str__(self) -> str:
        """What it is made of, in a few words."""
