"""Kernels that end in the ringing of a known filter, as those of a readout do.

Up to the last lag of the kernels that were filtered they are like any others, and realized like
them. From there on nothing drives the filter any more, and they are a sum of its own poles to the
last digit: states that nothing enters, but which a spike sets to what they are at that lag, in the
step in which it is taken out of the other states.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..errors import ToleranceError
from .design import realize
from .realization import Array, Realization, impulse_responses


@dataclass(frozen=True)
class Ringing:
    """How kernels of one channel end.

    Attributes
    ----------
    poles : (n,) complex
        The filter's, of each complex pair the one with positive imaginary part.
    after : (pre,) int
        Taps of each population after which nothing drives the filter.
    """

    poles: Array
    after: Array


def realize_ringing(h: Array, ringing: Ringing, tolerance: float, **options: Any) -> Realization:
    """As `realize`, of kernels that end like this; they start without leading zeros.

    Parameters
    ----------
    h : (pre, 1, tap) float
    ringing : Ringing
    tolerance : float
        Largest error at any lag, relative to the largest value.
    **options
        See `realize`.

    Raises
    ------
    ToleranceError
        Where no filter meets it, or the kernels do not end like this.
    """
    inside = np.arange(h.shape[2]) < ringing.after[:, None, None]
    driven = np.where(inside, h, 0.0)
    peak = float(np.abs(h).max())
    share = 0.5 * tolerance * peak / float(np.abs(driven).max())
    found = realize(driven, min(share, 0.5), **options)
    real = ringing.poles[ringing.poles.imag == 0].real
    pairs = ringing.poles[ringing.poles.imag != 0]
    left = np.stack([_left(h[p, 0, found.taps[p] :], real, pairs) for p in range(len(h))], axis=1)
    realization = _with_ringing(found, real, pairs, left)
    difference = np.abs(impulse_responses(realization, h.shape[2]) - h)
    error = difference.max(axis=(0, 2)) / peak
    if error.max() > tolerance:
        raise ToleranceError(tolerance, float(error.max()), realization.order)
    bound = difference.sum(axis=2).max(axis=0) / peak
    peaks = np.array([peak])
    return replace(realization, peak=peaks, error=error, bound=bound, tolerance=tolerance)


def _left(tail: Array, real: Array, pairs: Array) -> Array:
    """The states at the tail's first lag: real poles, real parts of pairs, imaginary parts."""
    if not tail.size:
        return np.zeros(real.size + 2 * pairs.size)
    lag = np.arange(tail.size)[:, None]
    powers = pairs**lag
    basis = np.concatenate([real**lag, powers.real, -powers.imag], axis=1)
    scale = np.linalg.norm(basis, axis=0)
    coefficients: Array = np.linalg.lstsq(basis / scale, tail, rcond=None)[0] / scale
    return coefficients


def _with_ringing(r: Realization, real: Array, pairs: Array, left: Array) -> Realization:
    """The realization with these poles beside its own, set to `left` (state, pre) at the end."""
    m, k = r.decay.size, r.rotation.size
    ends = [m, m + k, m + 2 * k]  # of real poles, real parts and imaginary parts
    added = np.split(left, [real.size, real.size + pairs.size])
    weight = 1.0 / r.expansion[0, 0]
    reads = [np.full(real.size, weight), np.full(pairs.size, weight), np.zeros(pairs.size)]

    def between(old: Array, new: list[Array]) -> Array:
        parts = np.split(old, ends)
        return np.concatenate(
            [x for pair in zip(parts, [*new, old[:0]], strict=True) for x in pair]
        )

    return replace(
        r,
        decay=np.concatenate([r.decay, real]),
        rotation=np.concatenate([r.rotation, pairs]),
        B=between(r.B, [np.zeros_like(x) for x in added]),
        tail=between(r.tail, [-x for x in added]),
        C=between(r.C.T, [x[:, None] for x in reads]).T,
        blocks=between(r.blocks, [np.full(len(x), -1) for x in added]),
    )
