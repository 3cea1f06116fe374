"""A state-space filter in the form in which a node runs it, and running it offline."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[Any]


@dataclass(frozen=True)
class Realization:
    """A state-space filter in the form in which a node runs it.

    The state vector is ``[real poles (m) | pairs, real parts (k) | pairs, imaginary parts (k)]``.
    In one step

    - a real pole is multiplied by ``decay``;
    - a pair becomes ``(a re - b im, b re + a im)``, with a = ``rotation.real``, b =
      ``rotation.imag``;

    then ``B u[t] - tail u[t - taps]`` is added, and ``y = C x`` read out. Without truncation
    `tail` is zero.

    Attributes
    ----------
    decay : (m,) float
        Real poles.
    rotation : (k,) complex
        The pole with positive imaginary part of each complex pair.
    B, tail : (n, pre) float
        What one spike adds to the state, and what is subtracted `taps` steps later.
    C : (latents, n) float
        Latents from states.
    expansion : (channel, latents) float
        Channels, in the unit of the kernels, from latents.
    blocks : (n,) int
        Population that drives a state, -1 where all do.
    leads : (pre,) int
        Leading zero taps of each population, left to the delay of its connection: one spike at
        step 0 enters the recursion at step ``leads``.
    taps : (pre,) int
        Taps of each population between its first and its last nonzero one.
    peak : (channel,) float
        Largest absolute value of each channel's kernels.
    error : (channel,) float
        Certified error: the largest absolute difference between realized and given kernels over
        all lags (those beyond the last tap too) and populations, relative to `peak`. Measured by
        running the recursion.
    bound : (channel,) float
        Sum over lags of that difference for the worst population, relative to `peak`: what one
        spike in every step can make of it at most.
    tolerance : float
        What was asked for.
    """

    decay: Array
    rotation: Array
    B: Array
    tail: Array
    C: Array
    expansion: Array
    blocks: Array
    leads: Array
    taps: Array
    peak: Array
    tolerance: float
    error: Array = field(default_factory=lambda: np.zeros(0))
    bound: Array = field(default_factory=lambda: np.zeros(0))

    @property
    def order(self) -> int:
        """Number of states."""
        return self.B.shape[0]

    @property
    def latents(self) -> int:
        """Number of latent signals."""
        return self.C.shape[0]

    @property
    def layout(self) -> str:
        """``"separate"`` where every population has states of its own, else ``"joint"``."""
        return "joint" if np.any(self.blocks < 0) else "separate"

    @property
    def truncated(self) -> bool:
        """Whether `tail` is subtracted after the last tap."""
        return bool(np.any(self.tail))

    @property
    def A(self) -> Array:
        """State matrix, (n, n)."""
        m, k = self.decay.size, self.rotation.size
        re, im = np.arange(m, m + k), np.arange(m + k, m + 2 * k)
        modal = np.diag(np.concatenate([self.decay, self.rotation.real, self.rotation.real]))
        modal[re, im], modal[im, re] = -self.rotation.imag, self.rotation.imag
        return cast(Array, modal)

    @property
    def spectral_radius(self) -> float:
        """Largest absolute value of a pole."""
        return float(np.max(np.abs(np.concatenate([self.decay, self.rotation])), initial=0.0))

    @property
    def moves(self) -> int:
        """Multiply-adds by which the states make a step."""
        return int(self.decay.size + 4 * self.rotation.size)

    @property
    def kicks(self) -> int:
        """Entries of `B` and `tail` that are used."""
        return int(np.count_nonzero(self.B) + np.count_nonzero(self.tail))

    @property
    def macs(self) -> int:
        """Multiply-adds of one step with a spike of every population, outputs included."""
        return self.moves + self.kicks + self.C.size

    def __str__(self) -> str:
        worst, bound = np.max(self.error, initial=0.0), np.max(self.bound, initial=0.0)
        return (
            f"{self.layout} state-space filter: {len(self.taps)} populations, "
            f"{len(self.peak)} channels, up to {np.max(self.taps, initial=0)} taps -> "
            f"{self.latents} latents, order {self.order}, {self.macs} multiply-adds per step; "
            f"error {worst:.2g} of the peak, at most {bound:.2g} for a spike in every step"
        )


def advance(realization: Realization, x: Array) -> Array:
    """A x for states (n, ...), operation for operation as a node does it."""
    m, k = realization.decay.size, realization.rotation.size
    a, b = realization.rotation.real, realization.rotation.imag
    shape = (-1,) + (1,) * (x.ndim - 1)
    a, b = a.reshape(shape), b.reshape(shape)
    re, im = x[m : m + k], x[m + k : m + 2 * k]
    parts = [realization.decay.reshape(shape) * x[:m], a * re - b * im, b * re + a * im]
    return np.concatenate(parts)


def impulse_responses(realization: Realization, n: int) -> Array:
    """Response of every channel to one spike of each population at step 0.

    Parameters
    ----------
    realization : Realization
    n : int
        Number of steps.

    Returns
    -------
    (pre, channel, n) float
        Leading zeros included, in the unit of the kernels.
    """
    responses = []
    for p in range(len(realization.taps)):
        counts = np.zeros((len(realization.taps), n))
        counts[p, :1] = 1
        responses.append(simulate(realization, counts))
    return np.stack(responses)


def simulate(realization: Realization, counts: ArrayLike) -> Array:
    """Run the filter as a node does, step by step.

    Parameters
    ----------
    realization : Realization
    counts : (pre, time) float
        Spikes of each population in each step.

    Returns
    -------
    (channel, time) float
        The sum over populations and lags of kernels times counts.
    """
    given = np.asarray(counts, dtype=np.float64)
    pre, steps = given.shape
    entering, leaving = np.zeros((steps, pre)), np.zeros((steps, pre))
    for p, (lead, taps) in enumerate(zip(realization.leads, realization.taps, strict=True)):
        entering[lead:, p] = given[p, : max(steps - lead, 0)]
        leaving[lead + taps :, p] = given[p, : max(steps - lead - taps, 0)]
    driven = entering @ realization.B.T - leaving @ realization.tail.T
    x, y = np.zeros(realization.order), np.empty((steps, realization.latents))
    for t in range(steps):
        x = advance(realization, x) + driven[t]
        y[t] = realization.C @ x
    return realization.expansion @ y.T
