"""Kernels of many ports as sums of a few time courses, and these as a small recursion.

Every channel of every port is a row of lags. The rows are scaled to their channel's peak and
factorized together by a randomized singular value decomposition (Halko, Martinsson and Tropp 2011,
SIAM Review 53(2), 217-288), block by block, since all of them may fill half of the memory. The
courses that are kept become a realization with an input for each.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from ..errors import ToleranceError
from .design import beyond, one_blas_thread, realize
from .realization import Array, Realization, advance

MOST_COURSES = 32
"""With more than so many time courses kernels are not what this is for."""
_SKETCH = 2 * MOST_COURSES
_ROWS_LOOKED_AT = 512
_ATTEMPTS = 8
_NUMBERS_TRIED = 3
"""What no recursion can do with a few more courses than needed none can do with many more."""
_SPARED = 0.02
"""Share of the tolerance that may be left of a spike, where that spares taking it out."""


@dataclass(frozen=True)
class Factors:
    """Kernels as weights of time courses, of which there may be many.

    Attributes
    ----------
    weights : (pre, channel, course) float
    courses : (course, tap) float
    """

    weights: Array
    courses: Array


@dataclass(frozen=True)
class Separated:
    """Kernels as weights of a few time courses.

    Attributes
    ----------
    weights : (pre, course, channel) float
        In the unit of the kernels: what the courses are multiplied by.
    courses : Realization
        The time courses, each of them a population of one channel.
    error : (channel,) float
        Certified error: the largest absolute difference between realized and given kernels over
        all lags (those beyond the last tap too) and populations, relative to the channel's peak.
        Measured by running the recursion.
    bound : (channel,) float
        Sum over lags of that difference for the worst population, relative to the peak.
    """

    weights: Array
    courses: Realization
    error: Array
    bound: Array


def separate(h: ArrayLike | Factors, tolerance: float = 1e-6) -> Separated:
    """Find the fewest time courses whose certified error meets the tolerance.

    Parameters
    ----------
    h : (pre, channel, tap) float, or Factors
        Response of each channel to one spike of each presynaptic population; the first tap is not
        zero for all of them, nor is the last.
    tolerance : float
        Largest error allowed at any lag, relative to the channel's peak over populations and lags.

    Returns
    -------
    Separated

    Raises
    ------
    ToleranceError
        Where `MOST_COURSES` time courses do not meet the tolerance, or no recursion for them does.

    Examples
    --------
    >>> lag = np.arange(300)
    >>> courses = np.exp(-lag / 50.), np.exp(-lag / 20.)
    >>> random = np.random.default_rng(1)
    >>> found = separate(random.standard_normal((40, 5, 2)) @ courses)
    >>> found.weights.shape, found.courses.order
    ((40, 2, 5), 2)
    """
    with one_blas_thread():
        given = h if isinstance(h, Factors) else np.asarray(h, dtype=float)
        return _separate(_Kernels(given), tolerance)


def _separate(kernels: _Kernels, tolerance: float) -> Separated:
    weights, courses = kernels.factors()
    smallest, tried = np.inf, 0
    for n in range(1, min(MOST_COURSES, len(courses)) + 1):
        left_out = _least_left_out(weights, courses, n)
        if left_out > 0.9 * tolerance:
            continue
        if tried == _NUMBERS_TRIED:
            break
        tried += 1
        found, error = _realized(kernels, weights[:, :, :n], courses[:n], tolerance, left_out)
        if found is not None:
            return found
        smallest = min(smallest, error)
    if not tried:
        smallest = left_out
    what = "separable filter with a number of time courses of"
    raise ToleranceError(tolerance, smallest, min(MOST_COURSES, len(courses)), what)


class _Kernels:
    """Kernels (pre, channel, tap), of which scaled copies are made one population at a time.

    Those that are factors are multiplied out one population at a time, too.
    """

    def __init__(self, h: Array | Factors) -> None:
        self._given: Array = h.weights if isinstance(h, Factors) else h
        self._courses: Array | None = h.courses if isinstance(h, Factors) else None
        self.shape = (*self._given.shape[:2], self._multiplied(self._given[0]).shape[1])
        self.peak = np.zeros(self.shape[1])
        for each in self._given:
            np.maximum(self.peak, np.abs(self._multiplied(each)).max(axis=1), out=self.peak)
        self.scale = np.where(self.peak > 0, self.peak, 1.0)

    def _multiplied(self, given: Array) -> Array:
        if self._courses is None:
            return given
        used = given.any(axis=0)  # a population may have courses of its own
        return given[:, used] @ self._courses[used]

    def scaled(self) -> Iterator[Array]:
        """The kernels (channel, tap) of each population relative to the channels' peaks."""
        for each in self._given:
            yield self._multiplied(each / self.scale[:, None])

    def factors(self) -> tuple[Array, Array]:
        """Weights (pre, channel, course) and courses (course, tap), of scaled kernels.

        The courses are orthonormal, the largest first.
        """
        pre, channels, taps = self.shape
        given = self._given.shape[2]
        random = np.random.default_rng(0)
        sketch = np.zeros((min(_SKETCH, taps, given, pre * channels), given))
        for each in self._given:
            sketch += (random.standard_normal((len(sketch), channels)) / self.scale) @ each
        basis, _ = np.linalg.qr(self._multiplied(sketch).T)
        turn = basis if self._courses is None else self._courses @ basis
        rows = np.concatenate([each @ turn / self.scale[:, None] for each in self._given])
        _, _, turned = np.linalg.svd(np.linalg.qr(rows, mode="r"))
        weights, courses = rows @ turned.T, turned @ basis.T
        return weights.reshape(pre, channels, -1), courses


def _least_left_out(weights: Array, courses: Array, n: int) -> float:
    """Largest error of the rows that lose most when only n courses are kept: a lower bound."""
    if n == len(courses):
        return 0.0
    rest = weights[:, :, n:].reshape(-1, len(courses) - n)
    size = np.einsum("ij,ij->i", rest, rest)
    kept = min(_ROWS_LOOKED_AT, len(rest))
    worst = np.argpartition(size, len(rest) - kept)[-kept:]
    return float(np.abs(rest[worst] @ courses[n:]).max())


def _realized(
    kernels: _Kernels, weights: Array, courses: Array, tolerance: float, left_out: float
) -> tuple[Separated | None, float]:
    """A recursion for these courses that meets the tolerance, and the smallest error reached."""
    size = np.abs(weights).max(axis=(0, 1))
    size = np.where(size > 0, size, 1.0)
    n = len(size)
    # Mixed, all courses start at the first lag and end at the last, so that a drive enters and
    # leaves the recursion as a whole. What is found does not depend on the mixture.
    mixture, _ = np.linalg.qr(np.random.default_rng(1).standard_normal((n, n)))
    mixed = mixture @ (size[:, None] * courses)
    peak = np.abs(mixed).max()
    ends = mixed[:, [0, -1]]
    mixed[:, [0, -1]] = np.where(ends == 0, 1e-30 * peak, ends)
    loads = (weights / size) @ mixture.T * kernels.scale[:, None]
    loads = np.ascontiguousarray(loads.transpose(0, 2, 1))  # (pre, course, channel)
    allowed, smallest = tolerance - left_out, np.inf
    for _ in range(_ATTEMPTS):
        try:
            realization = _spared(realize(mixed[:, None], min(0.5, allowed / peak)), allowed)
        except ToleranceError as failure:
            smallest = min(smallest, left_out + peak * failure.smallest_error)
            break
        found = _certified(kernels, loads, realization)
        error = found.error.max()
        if error <= tolerance:
            return found, error
        smallest = min(smallest, error)
        allowed *= min(0.7, 0.9 * (tolerance - left_out) / max(error - left_out, tolerance))
    return None, smallest


def _spared(r: Realization, allowed: float) -> Realization:
    """Without the tail of states of which nothing is left at the last tap that would matter.

    And with one output, in the unit of the courses.
    """
    r = replace(r, C=r.expansion @ r.C, expansion=np.ones((1, 1)))
    m, k = r.decay.size, r.rotation.size
    left = np.abs(r.C[0])[:, None] * np.abs(r.tail)
    left = left.max(axis=1, initial=0.0)
    of_pole = np.concatenate([left[:m], left[m : m + k] + left[m + k : m + 2 * k]])
    order = np.argsort(of_pole)
    spared = order[np.cumsum(of_pole[order]) <= _SPARED * allowed]
    where = np.concatenate([spared, spared[spared >= m] + k])
    tail = r.tail.copy()
    tail[where] = 0
    return replace(r, tail=tail)


def _certified(kernels: _Kernels, loads: Array, r: Realization) -> Separated:
    """Run the recursion for one spike at each course, and compare every kernel with what it makes.

    After the last tap it is run until it has faded.
    """
    taps = kernels.shape[2]
    x, made = r.B, np.empty((loads.shape[1], taps))
    for t in range(taps):
        made[:, t] = r.C[0] @ x
        x = advance(r, x)
    (later,), (total,) = beyond(r, np.abs(r.C), x - r.tail)
    error, bound = np.zeros((2, kernels.shape[1]))
    for each, load in zip(kernels.scaled(), loads, strict=True):
        scaled = load / kernels.scale
        difference = scaled.T @ made
        difference -= each
        np.abs(difference, out=difference)
        size = np.abs(scaled)
        np.maximum(error, np.maximum(difference.max(axis=1), later @ size), out=error)
        np.maximum(bound, difference.sum(axis=1) + total @ size, out=bound)
    return Separated(loads, r, error, bound)
