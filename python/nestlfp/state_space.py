"""State-space realization of kernels, with the error it makes.

A direct FIR filter pays for every channel and tap. Kernels are low-dimensional in space and in
time, so the same sum can be computed by a recursion of a few dozen numbers,

    x[t] = A x[t - 1] + B u[t] - tail u[t - taps],    y[t] = C x[t],    channels = expansion y,

where u counts the spikes of each presynaptic population. `tail` is what is left of a spike after
its last tap, A^taps B; taking it out again makes the recursion the FIR filter beyond the last tap
too (truncated IIR filters, Wang and Smith 1997). The tap at index 0 is C B: no feed-through.

How it is found, in the order of the code:

1. `_Problem`: every channel is scaled to its own peak, leading and trailing zeros are stripped per
   population, and the channels are factorized jointly over populations (SVD).
2. `_PoleSource`: the poles of order n come from the right singular vectors of the Hankel matrix of
   the lags (Kung 1978; Beliczynski, Kale and Cain 1992): the smallest n that does is found by
   bisection, since one SVD serves every order. Large matrices are never formed: a randomized SVD
   needs only products with them, which FFTs give.
   As `tail` makes everything beyond the last tap irrelevant, the Hankel matrix holds the taps
   alone and no zeros after them; kernels that are cut off cost no more than those that decay.
3. `_fit`: the recursion is run and C fitted to its states by regularized least squares.
4. `realize`: several sharings of the tolerance between order and latents, one set of poles for
   each population or one for all; the cheapest step whose measured error meets the tolerance wins.

References
----------
Kung (1978), 12th Asilomar Conference on Circuits, Systems and Computers, 705-714.
Beliczynski, Kale and Cain (1992), IEEE Trans. Signal Process. 40(3), 532-542.
Wang and Smith (1997), IEEE Workshop on Applications of Signal Processing to Audio and Acoustics.
Halko, Martinsson and Tropp (2011), SIAM Review 53(2), 217-288.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
import scipy.fft
import scipy.linalg
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "Orders",
    "Realization",
    "ToleranceError",
    "impulse_responses",
    "orders",
    "realize",
    "simulate",
]

Array = NDArray[Any]

#: Poles are kept inside this radius: rounding is forgotten, whatever the kernel.
LARGEST_RADIUS = 1 - 1e-6
#: Beyond so many states for one population no filter is worth its step.
LARGEST_ORDER = 256
#: Shares of the tolerance given to the lags; the rest is left to the compression of channels.
SHARES = (0.97, 0.6, 0.25)
#: Hankel matrices with fewer entries are decomposed whole.
DENSE_ENTRIES = 500_000
#: Share of the tolerance that rounding may take at most, by a pessimistic estimate.
ROUNDING_SHARE = 0.5
UNIT_ROUNDOFF = 2.0**-53


class ToleranceError(ValueError):
    """No state-space filter of a sensible order meets the tolerance.

    Attributes
    ----------
    tolerance : float
        What was asked for, relative to each channel's peak.
    smallest_error : float
        The smallest error found up to `max_order`, relative to the channel's peak.
    max_order : int
        The largest order that was tried.
    """

    def __init__(self, tolerance: float, smallest_error: float, max_order: int) -> None:
        self.tolerance = tolerance
        self.smallest_error = smallest_error
        self.max_order = max_order
        super().__init__(
            f"no state-space filter of order {max_order} or less has an error below "
            f"{tolerance:.3g} of the peak; the smallest reached is {smallest_error:.3g}"
        )


@dataclass(frozen=True)
class Realization:
    """A state-space filter in the form in which a node runs it.

    The state vector is ``[real poles (m) | pairs, real parts (k) | pairs, imaginary parts (k) |
    Schur blocks]``. In one step

    - a real pole is multiplied by ``decay``;
    - a pair becomes ``(a re - b im, b re + a im)``, with a = ``rotation.real``, b =
      ``rotation.imag``;
    - a Schur block is multiplied by its upper quasi-triangular matrix;

    then ``B u[t] - tail u[t - taps]`` is added, and ``y = C x`` read out. Without truncation
    `tail` is zero.

    Attributes
    ----------
    decay : (m,) float
        Real poles.
    rotation : (k,) complex
        The pole with positive imaginary part of each complex pair.
    schur : tuple of (n_i, n_i) arrays
        Upper quasi-triangular blocks, for poles too close together to be told apart.
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
    schur: tuple[Array, ...]
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
    def structure(self) -> str:
        """``"modal"``, ``"schur"`` or ``"mixed"``."""
        if not self.schur:
            return "modal"
        return "mixed" if self.decay.size + self.rotation.size else "schur"

    @property
    def layout(self) -> str:
        """``"separate"`` where every population has states of its own, else ``"joint"``."""
        return "joint" if np.any(self.blocks < 0) else "separate"

    @property
    def unit_input(self) -> bool:
        """Whether a spike merely adds its count to the states it drives: `B` is 0 or 1."""
        return bool(np.all((self.B == 0) | (self.B == 1)))

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
        return cast(Array, scipy.linalg.block_diag(*[x for x in (modal, *self.schur) if x.size]))

    @property
    def spectral_radius(self) -> float:
        """Largest absolute value of a pole."""
        radii = [np.abs(self.decay), np.abs(self.rotation)]
        radii += [np.abs(np.linalg.eigvals(block)) for block in self.schur]
        return float(np.max(np.concatenate(radii), initial=0.0))

    @property
    def macs(self) -> int:
        """Multiply-adds of one step with a spike of every population, outputs included."""
        inputs = np.count_nonzero(self.B) + np.count_nonzero(self.tail)
        state = self.decay.size + 4 * self.rotation.size
        state += sum(int(np.count_nonzero(block)) for block in self.schur)
        return int(state + inputs + self.C.size)

    def __str__(self) -> str:
        worst, bound = np.max(self.error, initial=0.0), np.max(self.bound, initial=0.0)
        return (
            f"{self.layout} {self.structure} state-space filter: {len(self.taps)} populations, "
            f"{len(self.peak)} channels, up to {np.max(self.taps, initial=0)} taps -> "
            f"{self.latents} latents, order {self.order}, {self.macs} multiply-adds per step; "
            f"error {worst:.2g} of the peak, at most {bound:.2g} for a spike in every step"
        )


@dataclass(frozen=True)
class Orders:
    """What each tolerance costs, see `orders`.

    Attributes
    ----------
    tolerances : (k,) float
    realizations : tuple of Realization or None
        None where the tolerance cannot be met; `smallest_errors` then tells what can.
    smallest_errors : (k,) float
        The error of the realization, or the smallest one reachable.
    channel_values : (channel,) float
        Singular values across channels, relative to the first.
    lag_values : tuple of (values,) float, one for each population
        Leading Hankel singular values of each population, relative to the first.
    """

    tolerances: tuple[float, ...]
    realizations: tuple[Realization | None, ...]
    smallest_errors: tuple[float, ...]
    channel_values: Array
    lag_values: tuple[Array, ...]


# ------------------------------------------------------------------ the kernels, scaled and cut


class _Problem:
    """Kernels scaled channel by channel, cut to each population's taps, factorized."""

    def __init__(self, h: ArrayLike) -> None:
        kernels = np.ascontiguousarray(h, dtype=np.float64)
        if kernels.ndim != 3:
            raise ValueError(f"kernels need the axes (pre, channel, tap), not {kernels.ndim} axes")
        if not np.all(np.isfinite(kernels)):
            raise ValueError("kernels hold values that are not finite")
        self.h = kernels
        self.peak = np.max(np.abs(kernels), axis=(0, 2), initial=0.0)
        divisor = np.where(self.peak > 0, self.peak, 1.0)
        self.leads, self.taps = _extent(kernels)
        self.scaled = [
            kernels[p, :, lead : lead + taps] / divisor[:, None]
            for p, (lead, taps) in enumerate(zip(self.leads, self.taps, strict=True))
        ]
        self.active = [p for p in range(len(kernels)) if self.taps[p]]
        self.U, self.channel_values = self._factorize()
        self.latent = [self.U.T @ scaled for scaled in self.scaled]
        self._sources: dict[tuple[tuple[int, ...], str], _PoleSource] = {}
        self._fits: dict[tuple[tuple[int, ...], str, int, bool], _Fit] = {}

    def _factorize(self) -> tuple[Array, Array]:
        """Orthonormal channel patterns (channel, rank) down to rounding, and singular values."""
        U, s, _ = np.linalg.svd(np.concatenate(self.scaled, axis=1), full_matrices=False)
        rank = int(np.sum(s > 1e-13 * s[0])) if s.size and s[0] > 0 else 0
        return U[:, :rank], s

    def source(self, populations: tuple[int, ...], kind: str) -> _PoleSource:
        key = (populations, kind)
        if key not in self._sources:
            self._sources[key] = _PoleSource([self.latent[p] for p in populations], kind)
        return self._sources[key]

    def fit(self, populations: tuple[int, ...], kind: str, n: int, schur: bool) -> _Fit:
        key = (populations, kind, n, schur)
        if key not in self._fits:
            self._fits[key] = _fit(self, populations, kind, n, schur)
        return self._fits[key]

    def channels(self) -> int:
        return len(self.peak)


def _extent(h: Array) -> tuple[Array, Array]:
    """Leading zeros, and taps from the first to the last nonzero one, of each population."""
    used = np.any(h != 0, axis=1)
    anything = used.any(axis=1)
    first = np.where(anything, used.argmax(axis=1) if used.size else 0, 0)
    last = h.shape[2] - (used[:, ::-1].argmax(axis=1) if used.size else 0)
    return first, np.where(anything, last - first, 0)


# ------------------------------------------------------------------------- poles from the lags


class _Hankel:
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
        self._spectra: Array | None = None

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.lags) * self.n_latents, sum(self.widths)

    @property
    def spectra(self) -> Array:
        """(frequency, latent, population)."""
        if self._spectra is None:
            padded = np.stack([scipy.fft.rfft(x, self.n_fft, axis=1) for x in self.latent])
            self._spectra = np.ascontiguousarray(padded.transpose(2, 1, 0))
        return self._spectra

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


class _PoleSource:
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
        self.hankel = _Hankel([_continue(x, kind) for x in latent])
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
    """Kernels (latent, taps), continued beyond their last tap as `_PoleSource` says."""
    n = x.shape[1]
    if kind in ("taps", "circle"):
        return x
    if kind == "zeros":
        return np.concatenate([x, np.zeros_like(x)], axis=1)
    fade = np.cos(0.5 * np.pi * np.arange(1, n + 1) / (n + 1)) ** 2
    reflection = (2 * x[:, -1:] - x[:, ::-1]) * fade
    return np.concatenate([x, reflection, np.zeros_like(x)], axis=1)


# ---------------------------------------------------------------- poles and read-out to a filter


@dataclass(frozen=True)
class _Fit:
    """States for some populations with the read-out fitted to them.

    `C` (rank, n) gives the full set of channel patterns from states; `error` is the largest
    deviation of any scaled channel, `rounding` an upper limit of what rounding may add,
    `responses` the realized patterns per population.
    """

    populations: tuple[int, ...]
    decay: Array
    rotation: Array
    schur: Array | None
    B: Array
    C: Array
    error: float
    rounding: float
    responses: tuple[Array, ...]

    @property
    def order(self) -> int:
        return self.B.shape[0]

    def macs(self, latents: int) -> int:
        """Multiply-adds of a step, as `Realization.macs` counts them."""
        state = self.decay.size + 4 * self.rotation.size
        state += 0 if self.schur is None else int(np.count_nonzero(self.schur))
        inputs = np.count_nonzero(self.B) + self.B.size
        return int(state + inputs + latents * self.order)


def _modes(A: Array, B: Array) -> tuple[Array, Array, Array]:
    """Real poles, complex poles, and B (n, populations) in modal coordinates.

    With one population every state is scaled to an input of 1; so is the largest input of a
    state with several.
    """
    poles, T = np.linalg.eig(A)
    radius = np.abs(poles)
    poles = np.where(
        radius > LARGEST_RADIUS, poles * (LARGEST_RADIUS / np.maximum(radius, 1)), poles
    )
    real, upper = np.abs(poles.imag) == 0, poles.imag > 0
    if B.shape[1] == 1:
        inputs = np.ones((len(poles), 1), dtype=complex)
    else:
        inputs = np.linalg.lstsq(T, B.astype(complex), rcond=1e-15)[0]
        largest = inputs[np.arange(len(poles)), np.abs(inputs).argmax(axis=1)]
        inputs /= np.where(largest == 0, 1, largest)[:, None]
    parts = [inputs[real].real, inputs[upper].real, inputs[upper].imag]
    return poles[real].real, poles[upper], np.concatenate(parts)


def _modal_states(decay: Array, rotation: Array, B: Array, taps: int) -> Array:
    """Responses (n, taps) of modal states to one spike with the inputs B (n,)."""
    m, k = decay.size, rotation.size
    factors = np.concatenate([decay, rotation]).astype(complex)
    x = np.repeat(factors[None], taps, axis=0)
    x[0] = np.concatenate([B[:m], B[m : m + k] + 1j * B[m + k :]])
    x = np.multiply.accumulate(x, axis=0).T
    return np.concatenate([x.real, x[m:].imag])


def _matrix_states(A: Array, B: Array, taps: int) -> Array:
    """Responses (n, taps) of states with the matrix A to one spike."""
    x = np.empty((taps, len(B)))
    x[0] = B
    for t in range(1, taps):
        x[t] = A @ x[t - 1]
    return x.T


def _read_out(states: Array, patterns: Array) -> Array:
    """C (rank, n) that minimizes ``C states - patterns`` with no larger entries than needed."""
    scale = np.linalg.norm(states, axis=1)
    scale = np.where(scale > 0, scale, 1.0)
    C = np.linalg.lstsq((states / scale[:, None]).T, patterns.T, rcond=1e-14)[0].T
    return cast(Array, C / scale)


def _rounding(decay: Array, rotation: Array, B: Array, C: Array, U: Array) -> float:
    """What rounding of the states may add up to for one spike in every step.

    Close poles need large, cancelling read-outs; a state driven in every step is of size
    ``|B| / (1 - |pole|)``, so relative to a response of the same length this is left over.
    """
    radius = np.abs(np.concatenate([decay, rotation, rotation]))
    size = np.abs(B).sum(axis=1) / (1 - radius)
    return float(UNIT_ROUNDOFF * np.max(np.abs(U @ C) @ size, initial=0.0))


def _fit(
    problem: _Problem,
    populations: tuple[int, ...],
    kind: str,
    n: int,
    schur: bool,
) -> _Fit:
    """Realize some populations with n states."""
    A, B = problem.source(populations, kind).system(n)
    taps = [int(problem.taps[p]) for p in populations]
    if schur:
        decay, rotation = np.zeros(0), np.zeros(0, dtype=complex)
        block, Q = scipy.linalg.schur(A, output="real")
        B = Q.T @ B
        states = [_matrix_states(block, B[:, i], t) for i, t in enumerate(taps)]
    else:
        (decay, rotation, B), block = _modes(A, B), None
        states = [_modal_states(decay, rotation, B[:, i], t) for i, t in enumerate(taps)]
    patterns = [problem.latent[p] for p in populations]
    C = _read_out(np.concatenate(states, axis=1), np.concatenate(patterns, axis=1))
    responses = tuple(C @ x for x in states)
    deviation = [problem.U @ (a - b) for a, b in zip(responses, patterns, strict=True)]
    error = max(float(np.max(np.abs(d))) for d in deviation)
    if block is None:
        rounding = _rounding(decay, rotation, B, C, problem.U)
    else:
        rounding = 0.0 if np.max(np.abs(np.linalg.eigvals(block))) <= LARGEST_RADIUS else np.inf
    return _Fit(populations, decay, rotation, block, B, C, error, rounding, responses)


# ------------------------------------------------------------------------------ order selection


class _Search:
    """Searches the cheapest states for some populations.

    Attributes
    ----------
    best : _Fit or None
        The cheapest fit so far whose error is at most `target`.
    smallest : float
        The smallest error met so far.
    """

    def __init__(
        self, problem: _Problem, populations: tuple[int, ...], target: float, tolerance: float
    ) -> None:
        self.problem, self.populations = problem, populations
        self.target, self.tolerance = target, tolerance
        self.best: _Fit | None = None
        self.smallest = np.inf

    def try_order(self, kind: str, n: int, schur: bool = False) -> bool:
        """Whether n states meet the target."""
        fit = self.problem.fit(self.populations, kind, n, schur)
        self.smallest = min(self.smallest, max(fit.error, fit.rounding))
        if fit.error > self.target or fit.rounding > ROUNDING_SHARE * self.tolerance:
            return False
        # Outputs are part of the step; 8 latents stand for what is not yet known.
        if self.best is None or fit.macs(8) < self.best.macs(8):
            self.best = fit
        return True

    def smallest_order(self, kind: str, limit: int, schur: bool = False) -> None:
        """Find the smallest order up to `limit`: growing steps, then bisection."""
        limit = min(limit, self.problem.source(self.populations, kind).max_order)
        low, high = 0, min(1, limit)
        while high > low and not self.try_order(kind, high, schur):
            low, high = high, min(limit, int(1.5 * high) + 1)
        while high - low > 1:
            middle = (low + high) // 2
            if self.try_order(kind, middle, schur):
                high = middle
            else:
                low = middle


def _hopeless(source: _PoleSource, target: float, limit: int, channels: int) -> bool:
    """Whether no filter of order `limit` or less can meet the target, whatever its poles.

    The Hankel matrix of an order-n filter has rank n, so the kernels' differs from it by at least
    the singular values beyond the n-th (Eckart and Young), spread over its entries. Those not
    computed are bounded by what the computed ones leave.
    """
    hankel = source.hankel
    limit = min(limit, source.max_order)
    source.system(min(48, limit))
    known = source.values[:limit]
    rest = hankel.energy() - np.sum(known**2) - (limit - len(known)) * known[-1] ** 2
    entries = channels * hankel.weights.sum() * sum(hankel.widths)
    return bool(rest > 1e-12 * hankel.energy() and rest > entries * target**2)


def _population_fit(
    problem: _Problem, population: int, target: float, tolerance: float, limit: int
) -> tuple[_Fit | None, float]:
    """The cheapest states of its own for one population, and the smallest error met."""
    search = _Search(problem, (population,), target, tolerance)
    taps = int(problem.taps[population])
    source = problem.source((population,), "taps")
    if _hopeless(source, target, limit, problem.channels()):
        search.try_order("taps", min(limit, source.max_order))
        return None, search.smallest
    search.smallest_order("taps", limit)
    best = search.best
    if best is None or best.order > 32 or np.any(np.abs(best.rotation) >= LARGEST_RADIUS):
        for kind in ("zeros", "mirror"):
            search.smallest_order(kind, limit if search.best is None else search.best.order - 1)
    if search.best is None and taps <= limit:
        search.try_order("circle", taps)
    # A triangular matrix costs n^2 / 2 where modes cost 2 n: it pays only where poles too close
    # together for modes have driven their order up. `shorter` is where the costs meet.
    for kind in ("taps", "zeros") if search.best is None else ("taps",):
        shorter = 64 if search.best is None else int(np.sqrt(2 * search.best.macs(8) + 100)) - 10
        search.smallest_order(kind, min(limit, shorter), schur=True)
    return search.best, search.smallest


def _separate(
    problem: _Problem, target: float, tolerance: float, limit: int
) -> tuple[list[_Fit] | None, float]:
    """States of its own for each population, and the smallest error that can be reached."""
    found = [_population_fit(problem, p, target, tolerance, limit) for p in problem.active]
    smallest = max((error for _, error in found), default=0.0)
    fits = [fit for fit, _ in found if fit is not None]
    return (fits if len(fits) == len(found) else None), smallest


def _joint(problem: _Problem, target: float, tolerance: float, limit: int) -> list[_Fit] | None:
    """States that all populations share; None where their lengths or errors forbid it."""
    taps = problem.taps[problem.active]
    if len(taps) < 2 or 2 * taps.min() < taps.max() or taps.min() < 4:
        return None
    search = _Search(problem, tuple(problem.active), target, tolerance)
    search.smallest_order("taps", limit)
    return None if search.best is None else [search.best]


# ------------------------------------------------------------------------------- the whole filter


def realize(
    h: ArrayLike,
    tolerance: float = 1e-6,
    max_order: int | None = None,
    exact_channels: bool = False,
    truncate: bool = True,
) -> Realization:
    """Find the cheapest state-space filter whose certified error meets the tolerance.

    Parameters
    ----------
    h : (pre, channel, tap) float
        Response of each channel to one spike of each presynaptic population. Leading zeros of a
        population are stripped and returned as `Realization.leads`.
    tolerance : float
        Largest error allowed at any lag, relative to the channel's peak over populations and lags.
    max_order : int, optional
        Largest number of states; by default the order at which a step costs about as much as
        the FIR filter's, 64 for each population at least, 256 for each at most.
    exact_channels : bool
        Do not compress across channels: latents are the channels.
    truncate : bool
        Take out what the recursion leaves after the last tap. Otherwise the filter goes on, and
        what it then adds counts as error.

    Returns
    -------
    Realization

    Raises
    ------
    ToleranceError
        Where no filter within `max_order` meets the tolerance; it carries the smallest error met.

    Examples
    --------
    >>> lag = np.arange(500)
    >>> h = np.exp(-lag / 50.)[None, None]
    >>> realize(h).order
    1
    """
    return _realize(_Problem(h), tolerance, max_order, exact_channels, truncate)


def _realize(
    problem: _Problem,
    tolerance: float,
    max_order: int | None,
    exact_channels: bool,
    truncate: bool,
) -> Realization:
    if not 0 < tolerance < 1:
        raise ValueError(f"tolerance must lie between 0 and 1, not {tolerance}")
    largest = _sensible_order(problem) if max_order is None else max_order
    largest = min(largest, LARGEST_ORDER * max(1, len(problem.active)))
    smallest = np.inf
    candidates = []
    for share in SHARES:
        fits, error = _separate(problem, share * tolerance, tolerance, min(largest, LARGEST_ORDER))
        smallest = min(smallest, error)
        if fits is None:
            break
        candidates += _with_latents(problem, fits, tolerance, exact_channels)
        # A joint state costs 2 multiply-adds itself, 2 for each population, 1 for each latent.
        latents = candidates[-1][1] if candidates else problem.U.shape[1]
        worth = sum(f.macs(latents) for f in fits) // (2 + 2 * len(problem.active) + latents)
        shared = _joint(problem, share * tolerance, tolerance, worth)
        if shared is not None:
            candidates += _with_latents(problem, shared, tolerance, exact_channels)
        if exact_channels:
            break
    candidates = [c for c in candidates if sum(f.order for f in c[0]) <= largest]
    for fits, latents in sorted(candidates, key=lambda c: sum(f.macs(c[1]) for f in c[0])):
        realization = _assemble(problem, fits, latents, tolerance, exact_channels, truncate)
        error = np.max(realization.error, initial=0.0)
        if error <= tolerance:
            return realization
        smallest = min(smallest, error)
    if smallest <= tolerance:  # each population could do it, but not all within max_order
        each = max(1, largest // len(problem.active))
        _, smallest = _separate(problem, tolerance, tolerance, each)
    raise ToleranceError(tolerance, float(smallest), largest)


def _sensible_order(problem: _Problem) -> int:
    """Order at which a step costs about as much as that of the FIR filter."""
    fir = int(problem.taps.sum()) * problem.channels()
    return max(64 * len(problem.active), fir // 24)


def _with_latents(
    problem: _Problem, fits: list[_Fit], tolerance: float, exact_channels: bool
) -> list[tuple[list[_Fit], int]]:
    """The fits with the smallest number of latents that keeps the tolerance, if any does."""
    if exact_channels:
        return [(fits, problem.channels())]
    realized = np.concatenate([r for fit in fits for r in fit.responses] or [np.zeros((0, 0))], 1)
    order = [p for fit in fits for p in fit.populations]
    given = np.concatenate([problem.latent[p] for p in order] or [np.zeros((0, 0))], axis=1)
    low, high = -1, problem.U.shape[1]
    if _channel_error(problem.U, realized, given, high) > tolerance:
        return []
    while high - low > 1:
        middle = (low + high) // 2
        if _channel_error(problem.U, realized, given, middle) <= tolerance:
            high = middle
        else:
            low = middle
    return [(fits, high)]


def _channel_error(U: Array, realized: Array, given: Array, latents: int) -> float:
    """Largest error of a scaled channel with only the first patterns kept."""
    difference = -given
    difference[:latents] += realized[:latents]
    return float(np.max(np.abs(U @ difference), initial=0.0))


def _assemble(
    problem: _Problem,
    fits: list[_Fit],
    latents: int,
    tolerance: float,
    exact_channels: bool,
    truncate: bool,
) -> Realization:
    """One filter of all fits, its tail, and its error."""
    n = sum(fit.order for fit in fits)
    where = _state_positions(fits)
    B, blocks = np.zeros((n, len(problem.taps))), np.zeros(n, dtype=int)
    C = np.zeros((problem.U.shape[1], n))
    for fit, index in zip(fits, where, strict=True):
        B[index[:, None], list(fit.populations)] = fit.B
        C[:, index] = fit.C
        blocks[index] = fit.populations[0] if len(fit.populations) == 1 else -1
    expansion = problem.peak[:, None] * problem.U[:, :latents]
    if exact_channels:
        C, expansion = problem.peak[:, None] * (problem.U @ C), np.eye(problem.channels())
    realization = Realization(
        decay=np.concatenate([f.decay for f in fits] or [np.zeros(0)]),
        rotation=np.concatenate([f.rotation for f in fits] or [np.zeros(0, dtype=complex)]),
        schur=tuple(f.schur for f in fits if f.schur is not None),
        B=B,
        tail=np.zeros_like(B),
        C=C[:latents],
        expansion=expansion,
        blocks=blocks,
        leads=problem.leads,
        taps=problem.taps,
        peak=problem.peak,
        tolerance=tolerance,
    )
    return _certify(problem, realization, truncate)


def _state_positions(fits: list[_Fit]) -> list[Array]:
    """Where the states of each fit lie in the state vector of the whole filter."""
    m, k = sum(f.decay.size for f in fits), sum(f.rotation.size for f in fits)
    real, pair, block = 0, 0, m + 2 * k
    where = []
    for fit in fits:
        reals = np.arange(real, real + fit.decay.size)
        pairs = m + np.arange(pair, pair + fit.rotation.size)
        rest = np.arange(block, block + (0 if fit.schur is None else len(fit.schur)))
        where.append(np.concatenate([reals, pairs, pairs + k, rest]))
        real, pair, block = real + len(reals), pair + len(pairs), block + len(rest)
    return where


# --------------------------------------------------------------------- running it, and its error


def _advance(realization: Realization, x: Array) -> Array:
    """A x for states (n, ...), operation for operation as a node does it."""
    m, k = realization.decay.size, realization.rotation.size
    a, b = realization.rotation.real, realization.rotation.imag
    shape = (-1,) + (1,) * (x.ndim - 1)
    a, b = a.reshape(shape), b.reshape(shape)
    re, im = x[m : m + k], x[m + k : m + 2 * k]
    parts = [realization.decay.reshape(shape) * x[:m], a * re - b * im, b * re + a * im]
    start = m + 2 * k
    for block in realization.schur:
        parts.append(block @ x[start : start + len(block)])
        start += len(block)
    return np.concatenate(parts)


def _certify(problem: _Problem, realization: Realization, truncate: bool) -> Realization:
    """Run the recursion for one spike of each population: the tail and the error it makes."""
    B = realization.B
    states, tail = [B], np.zeros_like(B)
    last = int(np.max(realization.taps, initial=1))
    for t in range(1, last + 1):
        x = _advance(realization, states[-1])
        ends = realization.taps == t
        if truncate and ends.any():
            tail[:, ends] = x[:, ends]
            x[:, ends] -= tail[:, ends]
        states.append(x)
    divisor = np.where(realization.peak > 0, realization.peak, 1.0)[:, None]
    read_out = realization.expansion / divisor @ realization.C
    error, bound = _beyond(realization, np.abs(read_out), states[-1])
    trajectory = np.stack(states[:-1], axis=2)
    for p in problem.active:
        y = realization.C @ trajectory[:, p]
        difference = realization.expansion @ y / divisor
        difference[:, : realization.taps[p]] -= problem.scaled[p]
        np.abs(difference, out=difference)
        error[:, p] = np.maximum(error[:, p], difference.max(axis=1))
        bound[:, p] += difference.sum(axis=1)
    values = dict(vars(realization), tail=tail)
    values["error"], values["bound"] = error.max(axis=1), bound.max(axis=1)
    return Realization(**values)


def _beyond(realization: Realization, read_out: Array, x: Array) -> tuple[Array, Array]:
    """Error and its sum, (channel, pre), after the longest kernel, starting from states `x`.

    Runs until the states have faded; where that takes too long the rest is bounded by the
    geometric series of the slowest pole.
    """
    error, bound = np.zeros((len(read_out), x.shape[1])), np.zeros((len(read_out), x.shape[1]))
    floor = 1e-6 * realization.tolerance
    for _ in range(20 * int(np.max(realization.taps, initial=1))):
        size = read_out @ np.abs(x)
        np.maximum(error, size, out=error)
        bound += size
        if np.max(size, initial=0.0) <= floor:
            break
        x = _advance(realization, x)
    return error, bound + read_out @ np.abs(x) / (1 - realization.spectral_radius)


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
        x = _advance(realization, x) + driven[t]
        y[t] = realization.C @ x
    return realization.expansion @ y.T


# ---------------------------------------------------------------------------------- for a table


def orders(
    h: ArrayLike,
    tolerances: Sequence[float] = (1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-9),
    max_order: int | None = None,
) -> Orders:
    """Latents, order and error for each tolerance, and the singular values behind them.

    Parameters
    ----------
    h : (pre, channel, tap) float
        Kernels, as for `realize`.
    tolerances : sequence of float
        Relative to each channel's peak.
    max_order : int, optional
        As for `realize`.

    Returns
    -------
    Orders
    """
    problem = _Problem(h)
    found: list[Realization | None] = []
    errors = []
    for tolerance in tolerances:
        try:
            realization = _realize(problem, tolerance, max_order, False, True)
        except ToleranceError as failure:
            found.append(None)
            errors.append(failure.smallest_error)
        else:
            found.append(realization)
            errors.append(float(np.max(realization.error, initial=0.0)))
    lag_values = tuple(problem.source((p,), "taps").values for p in problem.active)
    return Orders(
        tolerances=tuple(tolerances),
        realizations=tuple(found),
        smallest_errors=tuple(errors),
        channel_values=_relative(problem.channel_values),
        lag_values=tuple(_relative(values) for values in lag_values),
    )


def _relative(values: Array) -> Array:
    return cast(Array, values / values[0]) if values.size and values[0] > 0 else values
