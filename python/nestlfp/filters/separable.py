"""Kernels of many ports as weights of a few time courses, computed channel by channel."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .._types import Ints
from ..state_space import Separated
from .coefficients import Array, Coefficients, for_ports
from .cost import separable_microseconds


@dataclass(frozen=True)
class SeparableFilter:
    """Kernels as weights of a few time courses, computed channel by channel.

    Parameters
    ----------
    coefficients : Coefficients
        What to compute; contributions of presynaptic populations are not kept apart.
    separated : Separated
        How; of ``coefficients.h``.
    """

    coefficients: Coefficients
    separated: Separated
    method: str = field(default="separable", init=False)
    template: str = field(default="separable_filter.nestml.jinja", init=False)
    grows: str = field(default="depth", init=False)

    @property
    def n_outputs(self) -> int:
        """See `Filter.n_outputs`."""
        return self.coefficients.n_channels

    @property
    def _taps(self) -> int:
        """Steps from a drive's first effect to its end."""
        return int(self.coefficients.h.shape[2])

    @property
    def _furthest_hold(self) -> int:
        return int(self.coefficients.furthest_hold.max())

    @property
    def max_hold(self) -> Ints:
        """See `Filter.max_hold`."""
        return np.full(len(self.coefficients.lengths), self._furthest_hold, dtype=np.int64)

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
        r = self.separated.courses
        return separable_microseconds(
            populations=len(self.coefficients.lengths),
            channels=self.coefficients.n_channels,
            courses=self._courses,
            moves=r.moves,
            kicks=r.kicks,
            states=r.order,
            every=every,
        )

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
        single = np.r_[:m, m + 2 * k : r.order]
        matrix = r.A[np.ix_(single, single)]
        used = matrix != 0
        n = len(single)
        courses = self._courses + self._courses % 2  # the node takes two at a time
        idle = ((0, 0), (0, courses - self._courses))
        B, tail = np.pad(r.B, idle), np.pad(r.tail, idle)
        stride = courses * channels + 1
        rows = self._taps + self._furthest_hold + 1
        vectors: dict[str, Any] = {
            "pole_re": r.rotation.real,
            "pole_im": r.rotation.imag,
            "output_re": r.C[0, real],
            "output_im": r.C[0, imaginary],
            "input_re": B[real],
            "input_im": B[imaginary],
            "tail_re": tail[real],
            "tail_im": tail[imaginary],
            "matrix": matrix,
            "reach": n - used[:, ::-1].argmax(axis=1) if n else np.zeros(0),
            "output_x": r.C[0, single],
            "input_x": B[single],
            "tail_x": tail[single],
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
            "singles": n,
            "swinging": max(1, k * channels),
            "fading": (n + 1) * channels,
            "poles": max(1, k),
            "pairs_in": max(1, k * courses),
            "rows": max(1, n),
            "singles_in": max(1, n * courses),
            "square": max(1, n * n),
            "table": self.separated.weights.size,
            "used": len(hold),
            "depth": rows * stride,
            "leaving": self._taps * stride,
            "every": every,
            **filled,
            "hold": for_ports(ports, hold * stride),
            "clock": [-1.0, float(until)],
        }

    def expand(self, outputs: Array) -> Array:
        """See `Filter.expand`."""
        # A copy: what a user does to the signals must not reach the recorder's own samples.
        return outputs.reshape(1, self.coefficients.n_channels, -1).copy()
