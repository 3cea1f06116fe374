"""What the rest of the house needs of a filter."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from .coefficients import Array, Coefficients


class Filter(Protocol):
    """What the rest of the house needs of a filter."""

    @property
    def method(self) -> str:
        """Name of the method, as `install` takes it."""

    @property
    def template(self) -> str:
        """File name of the node's template."""

    @property
    def coefficients(self) -> Coefficients:
        """What is computed."""

    @property
    def sizes(self) -> dict[str, int]:
        """The literals of the node's template; they alone decide its text."""

    @property
    def n_outputs(self) -> int:
        """Number of values that a node hands out, recorded as ``Y_0``, ``Y_1``, ..."""

    @property
    def max_hold(self) -> NDArray[np.int64]:
        """The most steps that a node can hold back spikes of each population."""

    @property
    def error(self) -> Array:
        """Largest error of each channel's kernels relative to the channel's peak, (channel,)."""

    @property
    def bound(self) -> Array:
        """Sum over lags of the error, relative to the channel's peak, (channel,)."""

    @property
    def microseconds(self) -> float:
        """Estimated time of a step in which each population spikes, see `cost`."""

    def parameters(self, hold: NDArray[np.int64], every: int, until: int) -> dict[str, Any]:
        """Parameters of a node.

        It holds back spikes of population p by hold[p] steps, and is sampled one step in `every`:
        for the first time `until` steps after its first.
        """

    def expand(self, outputs: Array) -> Array:
        """Values of shape (group, channel, time) from outputs of shape (output, time)."""

    def __str__(self) -> str:
        """What it is made of, in a few words."""
