"""Modes: few kernels, whose weighted sums are the kernels of many neurons.

Neuron n of a population has a kernel of its own, approximated as

    h_n(channel, lag) = sum over modes r of  w[n, r] f_r(channel, lag)

with modes f_r that the population's neurons share. If neurons spike independently of each other,
what this leaves out adds up in power: its share of a channel's variance is

    sum over n of rate_n · sum over lags of (h_n - sum_r w[n, r] f_r)²  /  the same of h_n²

Kernels are scaled to the square root of the denominator, channel by channel, so that squares of
singular values are shares of variance, whatever the units.

The first mode of a population is the mean of its kernels, in which each neuron counts as often as
it spikes: what neurons do together adds up in amplitude, and must not be touched. Then what is left
out sums to zero over the spikes. The other modes are the singular vectors of the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import threadpoolctl
from scipy.linalg import eigh

from ..._types import Floats, Ints
from ...errors import KernelError

FAINT = 1e-6
"""A channel whose signal is smaller than this part of the largest of its kind counts as if it were
that large: a dipole moment across the cells' axis, say, is rounding."""
_BLOCK = 2**22  # values that are copied at once


@dataclass(frozen=True)
class Singles:
    """Kernels of the single neurons of one population.

    Attributes
    ----------
    signals : sequence of ndarray, each of shape (neuron, channel, lag)
        One for each signal, of the same neurons and lags.
    rates : ndarray, shape (neuron,)
        How often each neuron spikes. Only ratios matter, between populations too.
    """

    signals: Sequence[Floats]
    rates: Floats

    @property
    def channels(self) -> list[int]:
        """Number of channels of each signal."""
        return [array.shape[1] for array in self.signals]

    def blocks(self) -> Iterator[slice]:
        """Neurons in portions that may be copied."""
        size = max(1, _BLOCK // max(1, sum(array[:1].size for array in self.signals)))
        for start in range(0, len(self.rates), size):
            yield slice(start, min(start + size, len(self.rates)))

    def rows(self, at: slice) -> Floats:
        """Kernels of some neurons, the channels of all signals together: (neuron, channel, lag)."""
        return np.concatenate([array[at] for array in self.signals], axis=1)

    def mean(self) -> Floats:
        """The mean over neurons, which all count alike, shape (channel, lag)."""
        n = max(1, len(self.rates))
        return np.concatenate([array.sum(axis=0) / n for array in self.signals])

    def energy(self, modes: Floats | None = None, weights: Floats | None = None) -> Floats:
        """Sum over neurons and lags of rate · h², shape (channel,); h less what modes make of it.

        Modes have the shape (mode, channel, lag), weights (neuron, mode).
        """
        total = np.zeros(sum(self.channels))
        for at in self.blocks():
            h = self.rows(at)
            if modes is not None and weights is not None:
                h -= np.tensordot(weights[at], modes, axes=1)
            total += np.einsum("n,ncl,ncl->c", self.rates[at], h, h, optimize=True)
        return total


def decomposed(
    populations: Mapping[str, Singles],
    *,
    left_out: float | None = None,
    count: Mapping[str, int] | None = None,
) -> dict[str, tuple[Floats, Floats]]:
    """Modes of each population, and the weights of its neurons.

    Parameters
    ----------
    populations : dict of str to Singles
        All with the same signals.
    left_out : float, optional
        Take as few modes as leave out no larger share of any channel's variance.
    count : dict of str to int, optional
        Take so many modes, or as many as there are if those are fewer. One of the two is given.

    Returns
    -------
    dict of str to (ndarray, ndarray)
        Modes, shape (mode, channel, lag), and weights, shape (neuron, mode). The mean weight of
        the first mode is 1; of others the root mean square is.

    Raises
    ------
    KernelError
        If rounding does not let so little be left out.
    """
    scale = _scale(populations)
    enough = 0.0 if left_out is None else left_out / len(populations)
    most = {name: None if count is None else count[name] for name in populations}
    bases = {name: _basis(each, scale, enough, most[name]) for name, each in populations.items()}
    taken = count or _fewest(bases, left_out or 0.0)
    return {name: bases[name].modes(populations[name], scale, taken[name]) for name in populations}


def _scale(populations: Mapping[str, Singles]) -> Floats:
    """The root of each channel's variance, shape (channel,), and nowhere 0."""
    first = next(iter(populations.values()))
    roots = np.sqrt(sum((each.energy() for each in populations.values()), np.zeros(())))
    ends = np.cumsum(first.channels)
    for of_signal in np.split(roots, ends[:-1]):  # views
        largest = of_signal.max(initial=0.0)
        np.maximum(of_signal, FAINT * largest if largest > 0 else 1.0, out=of_signal)
    return roots


@dataclass(frozen=True)
class _Basis:
    """Orthonormal modes of one population's scaled kernels, in the order in which they are taken.

    Attributes
    ----------
    vectors : ndarray, shape (mode, channel * lag)
    left : ndarray, shape (mode + 1, channel)
        Share of each channel's variance that is left out by the first 0, 1, 2, ... of them.
    """

    vectors: Floats
    left: Floats

    def gain(self, taken: int) -> float:
        """What the next mode takes away of it, summed over channels; 0 if there is none."""
        if taken >= len(self.vectors):
            return 0.0
        return float((self.left[taken] - self.left[taken + 1]).sum())

    def modes(self, singles: Singles, scale: Floats, taken: int) -> tuple[Floats, Floats]:
        """The first of them, not scaled, and the weights with which they are nearest to kernels."""
        n_lags = singles.signals[0].shape[2]
        vectors = np.linalg.qr(self.vectors[:taken].T)[0].T  # against rounding
        # Lags at which no neuron has a kernel stay empty: they decide when a filter has to start.
        vectors[:, ~self.vectors.any(axis=0)] = 0.0
        weights = np.zeros((len(singles.rates), len(vectors)))
        for at in singles.blocks():
            weights[at] = _scaled(singles, scale, at) @ vectors.T
        size = np.sqrt(np.mean(weights**2, axis=0)) if len(weights) else np.ones(len(vectors))
        first = _mean_weights(singles.rates) @ weights[:, 0]
        if abs(first) > 1e-3 * size[0]:  # the mean is no mode where kernels cancel in it
            size[0] = first
        size[size == 0] = 1.0
        modes = (vectors * size[:, np.newaxis]).reshape(len(vectors), -1, n_lags)
        return modes * scale[:, np.newaxis], weights / size


def _fewest(bases: Mapping[str, _Basis], left_out: float) -> dict[str, int]:
    """Numbers of modes, the next one always of the population where it takes most away."""
    taken = dict.fromkeys(bases, 1)

    def left() -> float:
        return float(sum((basis.left[taken[x]] for x, basis in bases.items()), np.zeros(1)).max())

    while left() > left_out:
        gains = {name: basis.gain(taken[name]) for name, basis in bases.items()}
        best = max(gains, key=lambda name: gains[name])
        if gains[best] <= 0:
            raise KernelError(
                f"left_out={left_out:.2g} cannot be met: all modes together leave out {left():.2g} "
                "of a channel's variance, which is rounding"
            )
        taken[best] += 1
    return taken


def _basis(singles: Singles, scale: Floats, enough: float, most: int | None) -> _Basis:
    """The mean and the singular vectors of the rest: at most so many, or until enough is left."""
    features = scale.size * singles.signals[0].shape[2]
    mean, shares = np.zeros((2, features))
    for at in singles.blocks():
        rows = _scaled(singles, scale, at)
        mean += _mean_weights(singles.rates)[at] @ rows
        shares += singles.rates[at] @ rows**2
    left = [shares.reshape(scale.size, -1).sum(axis=1)]
    norm = np.linalg.norm(mean)
    first = mean[np.newaxis] / norm if norm > 0 else np.zeros((0, features))

    def rest(at: slice) -> Floats:
        rows = _scaled(singles, scale, at)
        rows -= (rows @ first.T) @ first
        return rows * np.sqrt(singles.rates[at])[:, np.newaxis]

    after_first, values, others = _singular(list(singles.blocks()), rest, features)
    if len(first):
        left.append(after_first.reshape(scale.size, -1).sum(axis=1))
    remains = np.append(np.inf, np.sum(values) - np.cumsum(values))[:-1]
    used = np.flatnonzero((values > 1e-15 * shares.sum()) & (remains > enough))  # no rounding
    used = used[: None if most is None else max(0, most - len(first))]
    basis = np.concatenate([first, others(used)])
    for value, vector in zip(values[used], basis[len(first) :], strict=True):
        gone = value * np.sum(vector.reshape(scale.size, -1) ** 2, axis=1)
        left.append(np.maximum(left[-1] - gone, 0.0))
    if not len(basis):  # no neurons, or kernels that are all zero
        basis, left = np.eye(1, features), [left[0], left[0]]
    return _Basis(basis, np.array(left))


def _singular(
    blocks: Sequence[slice], rows: Callable[[slice], Floats], features: int
) -> tuple[Floats, Floats, Callable[[Ints], Floats]]:
    """Of a matrix given by blocks of rows: squares summed over rows, squared singular values,
    largest first, and a function that returns the right singular vectors of these numbers.

    By the smaller Gram matrix: that takes squares to the precision of numbers, and they are what is
    asked for.
    """
    n = blocks[-1].stop if blocks else 0
    if n > features:
        squares, gram = np.zeros(features), np.zeros((features, features))
        for at in blocks:
            part = rows(at)
            squares += np.sum(part**2, axis=0)
            gram += part.T @ part
        values, right = _eigenvectors(gram)
        return squares, values, lambda used: right[:, used].T
    whole = np.concatenate([np.zeros((0, features)), *map(rows, blocks)])
    values, left = _eigenvectors(whole @ whole.T)
    return (
        np.sum(whole**2, axis=0),
        values,
        lambda used: (left[:, used] / np.sqrt(values[used])).T @ whole,
    )


def _eigenvectors(gram: Floats) -> tuple[Floats, Floats]:
    """Eigenvalues of a symmetric matrix, largest first, and eigenvectors in columns."""
    if not len(gram):
        return np.zeros(0), gram
    # Threads wait for each other in small matrices, for seconds where cores are busy.
    with threadpoolctl.threadpool_limits(1 if len(gram) < 1000 else None, user_api="blas"):
        values, vectors = eigh(gram, overwrite_a=True)
    return values[::-1], vectors[:, ::-1]


def _scaled(singles: Singles, scale: Floats, at: slice) -> Floats:
    """Scaled kernels of some neurons, shape (neuron, channel * lag)."""
    rows = singles.rows(at)
    rows /= scale[:, np.newaxis]
    return rows.reshape(len(rows), -1)


def _mean_weights(rates: Floats) -> Floats:
    """What each neuron counts in the mean: as often as it spikes, or all alike if none does."""
    total = rates.sum()
    return rates / total if total > 0 else np.full(rates.shape, 1.0 / max(1, rates.size))
