"""States and read-outs for some populations, and the search for the cheapest that will do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import ArrayLike

from .poles import PoleSource
from .realization import Array

#: Poles are kept inside this radius: rounding is forgotten, whatever the kernel.
LARGEST_RADIUS = 1 - 1e-6
#: Share of the tolerance that rounding may take at most, by a pessimistic estimate.
ROUNDING_SHARE = 0.5
UNIT_ROUNDOFF = 2.0**-53


class Problem:
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
        self._sources: dict[tuple[tuple[int, ...], str], PoleSource] = {}
        self._fits: dict[tuple[tuple[int, ...], str, int], Fit] = {}

    def _factorize(self) -> tuple[Array, Array]:
        """Orthonormal channel patterns (channel, rank) down to rounding, and singular values."""
        U, s, _ = np.linalg.svd(np.concatenate(self.scaled, axis=1), full_matrices=False)
        rank = int(np.sum(s > 1e-13 * s[0])) if s.size and s[0] > 0 else 0
        return U[:, :rank], s

    def source(self, populations: tuple[int, ...], kind: str) -> PoleSource:
        key = (populations, kind)
        if key not in self._sources:
            self._sources[key] = PoleSource([self.latent[p] for p in populations], kind)
        return self._sources[key]

    def fit(self, populations: tuple[int, ...], kind: str, n: int) -> Fit:
        key = (populations, kind, n)
        if key not in self._fits:
            self._fits[key] = fit_order(self, populations, kind, n)
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


@dataclass(frozen=True)
class Fit:
    """States for some populations with the read-out fitted to them.

    `C` (rank, n) gives the full set of channel patterns from states; `error` is the largest
    deviation of any scaled channel, `rounding` an upper limit of what rounding may add,
    `responses` the realized patterns per population.
    """

    populations: tuple[int, ...]
    decay: Array
    rotation: Array
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


def fit_order(problem: Problem, populations: tuple[int, ...], kind: str, n: int) -> Fit:
    """Realize some populations with n states."""
    A, B = problem.source(populations, kind).system(n)
    taps = [int(problem.taps[p]) for p in populations]
    decay, rotation, B = _modes(A, B)
    states = [_modal_states(decay, rotation, B[:, i], t) for i, t in enumerate(taps)]
    patterns = [problem.latent[p] for p in populations]
    C = _read_out(np.concatenate(states, axis=1), np.concatenate(patterns, axis=1))
    responses = tuple(C @ x for x in states)
    deviation = [problem.U @ (a - b) for a, b in zip(responses, patterns, strict=True)]
    error = max(float(np.max(np.abs(d))) for d in deviation)
    rounding = _rounding(decay, rotation, B, C, problem.U)
    return Fit(populations, decay, rotation, B, C, error, rounding, responses)


class _Search:
    """Searches the cheapest states for some populations.

    Attributes
    ----------
    best : Fit or None
        The cheapest fit so far whose error is at most `target`.
    smallest : float
        The smallest error met so far.
    """

    def __init__(
        self, problem: Problem, populations: tuple[int, ...], target: float, tolerance: float
    ) -> None:
        self.problem, self.populations = problem, populations
        self.target, self.tolerance = target, tolerance
        self.best: Fit | None = None
        self.smallest = np.inf

    def try_order(self, kind: str, n: int) -> bool:
        """Whether n states meet the target."""
        fit = self.problem.fit(self.populations, kind, n)
        self.smallest = min(self.smallest, max(fit.error, fit.rounding))
        if fit.error > self.target or fit.rounding > ROUNDING_SHARE * self.tolerance:
            return False
        # Outputs are part of the step; 8 latents stand for what is not yet known.
        if self.best is None or fit.macs(8) < self.best.macs(8):
            self.best = fit
        return True

    def smallest_order(self, kind: str, limit: int) -> None:
        """Find the smallest order up to `limit`: growing steps, then bisection."""
        limit = min(limit, self.problem.source(self.populations, kind).max_order)
        low, high = 0, min(1, limit)
        while high > low and not self.try_order(kind, high):
            low, high = high, min(limit, int(1.5 * high) + 1)
        while high - low > 1:
            middle = (low + high) // 2
            if self.try_order(kind, middle):
                high = middle
            else:
                low = middle


def _hopeless(source: PoleSource, target: float, limit: int, channels: int) -> bool:
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
    problem: Problem, population: int, target: float, tolerance: float, limit: int
) -> tuple[Fit | None, float]:
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
    return search.best, search.smallest


def separate_fits(
    problem: Problem, target: float, tolerance: float, limit: int
) -> tuple[list[Fit] | None, float]:
    """States of its own for each population, and the smallest error that can be reached."""
    found = [_population_fit(problem, p, target, tolerance, limit) for p in problem.active]
    smallest = max((error for _, error in found), default=0.0)
    fits = [fit for fit, _ in found if fit is not None]
    return (fits if len(fits) == len(found) else None), smallest


def joint_fits(problem: Problem, target: float, tolerance: float, limit: int) -> list[Fit] | None:
    """States that all populations share; None where their lengths or errors forbid it."""
    taps = problem.taps[problem.active]
    if len(taps) < 2 or 2 * taps.min() < taps.max() or taps.min() < 4:
        return None
    search = _Search(problem, tuple(problem.active), target, tolerance)
    search.smallest_order("taps", limit)
    return None if search.best is None else [search.best]
