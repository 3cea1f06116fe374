"""Kernels of many ports as weights of a few time courses, computed channel by channel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from .._types import Array, Ints
from ..errors import KernelError
from .base import Filter, Method, Once, check_tolerance, for_ports
from .cost import node_microseconds

if TYPE_CHECKING:
    from ..state_space import Separated
    from .coefficients import Coefficients

FEW_PORTS = 16
"""With so many ports or fewer 'auto' does not look for such a filter."""
MOVE = 2e-4
"""A multiply-add of a state of one channel (µs); benchmarks/ports.py."""
WEIGHT = 2e-4
"""A channel of a course that a spike adds to its drives (µs); the same."""


@dataclass(frozen=True)
class Separable(Method, name="separable", template="separable_filter.nestml.jinja"):
    """A reduced filter for many ports whose kernels share a few time courses, to a tolerance.

    Parameters
    ----------
    tolerance : float
        Largest error at any lag, relative to the channel's peak over lags and populations.

    Raises
    ------
    KernelError
        If the tolerance does not lie between 0 and 1.

    Examples
    --------
    >>> from nestlfp import Separable
    >>> Separable(tolerance=1e-4)
    Separable(tolerance=0.0001)
    """

    tolerance: float = 1e-6

    def __post_init__(self) -> None:
        super().__post_init__()
        check_tolerance(self.tolerance)

    def design(self, coefficients: Coefficients, every: int, once: Once) -> Filter:
        """See `Method.design`; what was found is kept in the user's cache folder.

        Raises
        ------
        KernelError
            If contributions of presynaptic populations are kept apart.
        """
        if "pre" in coefficients.by:
            raise KernelError(
                "method='separable' adds up what the presynaptic populations contribute and cannot "
                "keep them apart, found by='pre': leave it away, or use method='fir' or "
                "'state-space'"
            )
        from ..state_space import separate
        from .cache import cached

        c = coefficients

        def find() -> Separated:
            return separate(c.h if c.factors is None else c.factors, **vars(self))

        return SeparableFilter(self, c, once(lambda: cached(self, c, find)))

    def least(self, coefficients: Coefficients, every: int) -> float:
        """See `Method.least`: that of one course with a single state."""
        n = len(coefficients.lengths)
        if n <= FEW_PORTS or "pre" in coefficients.by:
            return np.inf
        return node_microseconds(n) + coefficients.n_channels * (MOVE + WEIGHT * n)


@dataclass(frozen=True)
class SeparableFilter(Filter):
    """Kernels as weights of a few time courses, computed channel by channel.

    Parameters
    ----------
    options, coefficients
        See `Filter`; contributions of presynaptic populations are not kept apart.
    separated : Separated
        How; of ``coefficients.h``.
    """

    separated: Separated
    grows: ClassVar[str] = "depth"

    @property
    def taps(self) -> Ints:
        """See `Filter.taps`: drives are of all populations together."""
        return np.full(len(self.coefficients.lengths), self.coefficients.shape[2])

    @property
    def error(self) -> Array:
        """See `Filter.error`: measured by running the recursion."""
        return self.separated.error

    @property
    def bound(self) -> Array:
        """See `Filter.bound`."""
        return self.separated.bound

    def microseconds(self, every: int) -> float:
        """See `Filter.microseconds`."""
        r, c = self.separated.courses, self.coefficients
        states = MOVE * (r.moves + r.kicks + r.order / every)
        weights = WEIGHT * len(c.lengths) * self._courses
        return float(node_microseconds(len(c.lengths)) + c.n_channels * (states + weights))

    def __str__(self) -> str:
        return (
            f"{self._courses} time courses, order {self.separated.courses.order}, for each of "
            f"{self.coefficients.n_channels} channels"
        )

    @property
    def _courses(self) -> int:
        return int(self.separated.weights.shape[1])

    def parameters(self, ports: int, hold: Ints, every: int, until: int) -> dict[str, Any]:
        """See `Filter.parameters`."""
        r, channels = self.separated.courses, self.coefficients.n_channels
        m, k = r.decay.size, r.rotation.size
        real, imaginary = np.arange(m, m + k), np.arange(m + k, m + 2 * k)
        courses = self._courses + self._courses % 2  # the node takes two at a time
        idle = ((0, 0), (0, courses - self._courses))
        B, tail = np.pad(r.B, idle), np.pad(r.tail, idle)
        stride = courses * channels + 1
        vectors: dict[str, Any] = {
            "pole_re": r.rotation.real,
            "pole_im": r.rotation.imag,
            "output_re": r.C[0, real],
            "output_im": r.C[0, imaginary],
            "input_re": B[real],
            "input_im": B[imaginary],
            "tail_re": tail[real],
            "tail_im": tail[imaginary],
            "decay": r.decay,
            "output_x": r.C[0, :m],
            "input_x": B[:m],
            "tail_x": tail[:m],
            "weights": self.separated.weights,
        }
        filled = {
            name: np.asarray(values, dtype=float).ravel() if np.size(values) else np.zeros(1)
            for name, values in vectors.items()
        }
        return {
            "outputs": channels,
            "channels": channels,
            "courses": courses,
            "span": self._courses * channels,
            "stride": stride,
            "pairs": k,
            "singles": m,
            "swinging": max(1, k * channels),
            "fading": max(1, m * channels),
            "poles": max(1, k),
            "pairs_in": max(1, k * courses),
            "rows": max(1, m),
            "singles_in": max(1, m * courses),
            "table": self.separated.weights.size,
            "used": len(hold),
            "depth": (self.reach + 1) * stride,
            "leaving": self.coefficients.shape[2] * stride,
            "every": every,
            **filled,
            "hold": for_ports(ports, hold * stride),
            "clock": [-1.0, float(until)],
        }
