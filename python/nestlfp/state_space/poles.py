"""Poles of every order from the singular vectors of the kernels' Hankel matrix."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import cast

import numpy as np
import scipy  # which imports scipy.fft where that is used: it takes 0.05 s

from .realization import Array

#: Beyond so many states for one population no filter is worth its step.
LARGEST_ORDER = 256
#: Hankel matrices with fewer entries are decomposed whole.
DENSE_ENTRIES = 500_000


class Hankel:
    """Block Hankel matrix of latent kernels, as an operator.

    Rows are (lag i, latent), columns (population, lag j), entries ``h[p][latent, i + j]``, with
    ``widths[p]`` lags j. With ``i + j`` below the length of the kernels a circular correlation
    does not wrap, and an FFT of that length serves products both ways.

    Only the row space matters here, and late rows say nearly the same as their neighbours: the
    lags i are all of the first ones, then ever fewer, weighted for those they stand for.
    """

    def __init__(self, latent: Sequence[Array]) -> None:
        lengths = [x.shape[1] for x in latent]
        rows = (min(lengths) + 1) // 2
        self.widths = [length - rows + 1 for length in lengths]
        self.lags, self.weights = _thinned(rows)
        self.latent = latent
        self.n_latents = latent[0].shape[0]
        self.n_fft = int(scipy.fft.next_fast_len(max(lengths), real=True))

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.lags) * self.n_latents, sum(self.widths)

    @cached_property
    def spectra(self) -> Array:
        """(frequency, latent, population)."""
        padded = np.stack([scipy.fft.rfft(x, self.n_fft, axis=1) for x in self.latent])
        return np.ascontiguousarray(padded.transpose(2, 1, 0))

    def energy(self) -> float:
        """Squared Frobenius norm."""
        total = 0.0
        for x, width in zip(self.latent, self.widths, strict=True):
            sums = np.concatenate([[0.0], np.cumsum(np.sum(x**2, axis=0))])
            total += float(self.weights @ (sums[self.lags + width] - sums[self.lags]))
        return total

    def dense(self) -> Array:
        """(lag, latent) x (population, lag) as one matrix."""
        parts = []
        for x, width in zip(self.latent, self.widths, strict=True):
            block = x[:, self.lags[:, None] + np.arange(width)].transpose(1, 0, 2)
            parts.append(block * np.sqrt(self.weights)[:, None, None])
        return np.concatenate(parts, axis=2).reshape(self.shape)

    def dot(self, v: Array) -> Array:
        """H v for v (columns, k)."""
        parts = np.split(v, np.cumsum(self.widths)[:-1])
        v_hat = np.stack([scipy.fft.rfft(x, self.n_fft, axis=0) for x in parts], axis=1)
        y = scipy.fft.irfft(self.spectra @ v_hat.conj(), self.n_fft, axis=0)[self.lags]
        y *= np.sqrt(self.weights)[:, None, None]
        return cast(Array, y.reshape(-1, v.shape[1]))

    def transpose_dot(self, w: Array) -> Array:
        """H^T w for w (rows, k)."""
        spread = np.zeros((self.n_fft, self.n_latents, w.shape[1]))
        spread[self.lags] = w.reshape(len(self.lags), self.n_latents, -1)
        spread[self.lags] *= np.sqrt(self.weights)[:, None, None]
        w_hat = scipy.fft.rfft(spread, axis=0, overwrite_x=True)
        z = scipy.fft.irfft(self.spectra.transpose(0, 2, 1) @ w_hat.conj(), self.n_fft, axis=0)
        return np.concatenate([z[:width, p] for p, width in enumerate(self.widths)])

    def svd(self, k: int) -> tuple[Array, Array]:
        """Leading k or more singular values, and right singular vectors (values, columns)."""
        if np.prod(self.shape) <= DENSE_ENTRIES or min(self.shape) <= k + 10:
            _, s, vt = np.linalg.svd(_triangle(self.dense()), full_matrices=False)
            return s, vt
        # The test matrix is fixed, so the same kernels give the same filter. Two power
        # iterations with re-orthonormalization reach singular values near rounding.
        q = np.random.default_rng(0).standard_normal((self.shape[1], k + 10))
        for _ in range(3):
            y = np.linalg.qr(self.dot(q))[0]
            q = np.linalg.qr(self.transpose_dot(y))[0]
        _, s, vt = np.linalg.svd(_triangle(self.dot(q)))
        return s[:k], (vt @ q.T)[:k]


def _thinned(rows: int) -> tuple[Array, Array]:
    """Lags from 0 to below `rows`, all up to 128, then 1/64 apart, and how many each stands for."""
    lags = [0]
    while lags[-1] < rows - 1:
        lags.append(lags[-1] + max(1, lags[-1] // 64 - 1))
    kept = np.asarray([lag for lag in lags if lag < rows])
    return kept, np.diff(kept, append=rows).astype(float)


def _triangle(matrix: Array) -> Array:
    """A matrix with the same singular values and right singular vectors, and no more rows."""
    rows, columns = matrix.shape
    return cast(Array, np.linalg.qr(matrix, mode="r")) if rows > columns else matrix


class PoleSource:
    """Poles and input matrices of every order for some populations, from one SVD.

    Parameters
    ----------
    latent : list of (latent, taps) arrays
    kind : "taps", "zeros" or "mirror"
        What the Hankel matrix is made of: the taps alone; the taps followed by zeros, which
        gives stable poles always but spends them on a cut (Kung 1978); the taps followed by
        their own odd reflection, faded out, for kernels that grow until they are cut.
        "circle" is no Hankel matrix but as many poles as taps, evenly spread on a circle, which
        give any kernel exactly (frequency sampling): for very short ones.
    """

    def __init__(self, latent: list[Array], kind: str) -> None:
        self.kind = kind
        self.hankel = Hankel([_continue(x, kind) for x in latent])
        self.max_order = min(self.hankel.shape)
        self.values = np.zeros(0)

    def _decompose(self, n: int) -> None:
        if n <= len(self.values):
            return
        self.values, vt = self.hankel.svd(
            min(max(48, n, min(2 * n, LARGEST_ORDER)), self.max_order)
        )
        parts = np.split(vt, np.cumsum(self.hankel.widths)[:-1], axis=1)
        before = np.concatenate([x[:, :-1] for x in parts], axis=1)
        after = np.concatenate([x[:, 1:] for x in parts], axis=1)
        self._gram, self._shift = before @ before.T, after @ before.T
        self._first = np.stack([x[:, 0] for x in parts], axis=1)

    def system(self, n: int) -> tuple[Array, Array]:
        """A (n, n) and B (n, populations), in coordinates in which states are orthonormal."""
        if self.kind == "circle":
            return np.roll(np.eye(n), 1, axis=0) * 0.5 ** (1 / n), np.eye(n, 1)
        self._decompose(n)
        solve = np.linalg.lstsq(self._gram[:n, :n], self._shift[:n, :n].T, rcond=1e-12)
        return solve[0].T, self._first[:n]


def _continue(x: Array, kind: str) -> Array:
    """Kernels (latent, taps), continued beyond their last tap as `PoleSource` says."""
    n = x.shape[1]
    if kind in ("taps", "circle"):
        return x
    if kind == "zeros":
        return np.concatenate([x, np.zeros_like(x)], axis=1)
    fade = np.cos(0.5 * np.pi * np.arange(1, n + 1) / (n + 1)) ** 2
    reflection = (2 * x[:, -1:] - x[:, ::-1]) * fade
    return np.concatenate([x, reflection, np.zeros_like(x)], axis=1)
