"""Delays as a network has them, in the form that LFPykernels takes."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from .._types import Floats
from ..errors import KernelError
from ..kernels.checks import positive_ms, real


class Delays:
    """A distribution of given delays: ``KernelApprox(delayFunction=Delays, ...)``.

    LFPykernels takes delays as a probability density, at times that are `dt` apart. The density of
    a single delay is here a triangle of height 1 / dt that reaches dt to both sides. Sampled, it
    is the delay itself where that is a multiple of dt; elsewhere it is split between the two
    neighbouring times such that the mean stays the same.

    Parameters
    ----------
    times : array, shape (delays,)
        Delays (ms), 0 or more, in any order.
    weights : array, shape (delays,)
        How often each occurs, or how much it counts; of any sum.
    dt : float
        Distance of the times that the density is asked for (ms): ``compute(..., dt=dt)``.

    Raises
    ------
    KernelError
        If times are negative or weights are none, or not finite.

    Examples
    --------
    >>> from nestlfp.sources._delays import Delays
    >>> Delays([0.5, 1.125], [1.0, 3.0], dt=0.25).pdf([0.25, 0.5, 0.75, 1.0, 1.25])
    array([0. , 1. , 0. , 1.5, 1.5])
    >>> given = {"times": [0.5, 1.125], "weights": [1.0, 3.0], "dt": 0.25}
    >>> KernelApprox(X=["E"], delayFunction=Delays, delayParameters=[given], ...) # doctest: +SKIP
    """

    def __init__(self, times: ArrayLike, weights: ArrayLike, dt: float) -> None:
        self.times, self.weights = real(times, "delays"), real(weights, "weights of delays")
        self.dt = positive_ms(dt, "dt")
        if self.times.ndim != 1 or self.times.shape != self.weights.shape:
            raise KernelError(
                "delays and their weights must be two lists of one length, found shapes "
                f"{self.times.shape} and {self.weights.shape}"
            )
        if not np.all((self.times >= 0) & (self.times < np.inf)):
            raise KernelError(f"delays must be finite and not negative (ms), found {self.times}")
        if not (np.all(self.weights >= 0) and 0 < self.weights.sum() < np.inf):
            raise KernelError(
                f"weights of delays must be 0 or more, and not all 0, found {self.weights}"
            )

    def pdf(self, t: ArrayLike) -> Floats:
        """Probability density (1/ms) at the times `t` (ms).

        Raises
        ------
        KernelError
            If a delay is longer than the last of these times.
        """
        t = np.asarray(t, dtype=float)
        if self.times.max() > t.max():
            raise KernelError(
                f"a delay of {self.times.max():g} ms is longer than the last lag of {t.max():g} "
                "ms: kernels must reach further, compute(..., tau=...)"
            )
        apart = np.abs(t[..., None] - self.times) / self.dt
        density = np.maximum(1.0 - apart, 0.0) @ (self.weights / self.weights.sum()) / self.dt
        return np.asarray(density)
