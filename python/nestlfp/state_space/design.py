"""From kernels and a tolerance to the cheapest filter, with its certified error."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
import threadpoolctl
from numpy.typing import ArrayLike

from ..errors import ToleranceError
from .fits import Fit, Problem, joint_fits, separate_fits
from .poles import LARGEST_ORDER
from .realization import Array, Realization, advance

#: Shares of the tolerance given to the lags; the rest is left to the compression of channels.
SHARES = (0.97, 0.6, 0.25)


def realize(
    h: ArrayLike,
    tolerance: float = 1e-6,
    max_order: int | None = None,
    exact_channels: bool = False,
    truncate: bool = True,
    joint: bool = True,
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
    joint : bool
        Allow states that all populations share, where they are cheaper.

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
    with one_blas_thread():
        return _realize(Problem(h), tolerance, max_order, exact_channels, truncate, joint)


def one_blas_thread() -> Any:
    # The matrices are small: several threads wait for each other most of the time (125 s of
    # processor time instead of 7 s for 10 000 taps on two cores).
    return threadpoolctl.threadpool_limits(1, user_api="blas")


def _realize(
    problem: Problem,
    tolerance: float,
    max_order: int | None = None,
    exact_channels: bool = False,
    truncate: bool = True,
    joint: bool = True,
) -> Realization:
    if not 0 < tolerance < 1:
        raise ValueError(f"tolerance must lie between 0 and 1, not {tolerance}")
    largest = _sensible_order(problem) if max_order is None else max_order
    largest = min(largest, LARGEST_ORDER * max(1, len(problem.active)))
    smallest = np.inf
    candidates = []
    for share in SHARES:
        fits, error = separate_fits(
            problem, share * tolerance, tolerance, min(largest, LARGEST_ORDER)
        )
        smallest = min(smallest, error)
        if fits is None:
            break
        candidates += _with_latents(problem, fits, tolerance, exact_channels)
        # A joint state costs 2 multiply-adds itself, 2 for each population, 1 for each latent.
        latents = candidates[-1][1] if candidates else problem.U.shape[1]
        worth = sum(f.macs(latents) for f in fits) // (2 + 2 * len(problem.active) + latents)
        shared = joint_fits(problem, share * tolerance, tolerance, worth) if joint else None
        if shared is not None:
            candidates += _with_latents(problem, shared, tolerance, exact_channels)
        if exact_channels:
            break
    candidates = [c for c in candidates if sum(f.order for f in c[0]) <= largest]
    for fits, latents in sorted(candidates, key=lambda c: sum(f.macs(c[1]) for f in c[0])):
        realization = _assemble(problem, fits, latents, tolerance, exact_channels)
        realization = certify(problem, realization, truncate)
        error = np.max(realization.error, initial=0.0)
        if error <= tolerance:
            return realization
        smallest = min(smallest, error)
    if smallest <= tolerance:  # each population could do it, but not all within max_order
        each = max(1, largest // len(problem.active))
        _, smallest = separate_fits(problem, tolerance, tolerance, each)
    raise ToleranceError(tolerance, float(smallest), largest)


def _sensible_order(problem: Problem) -> int:
    """Order at which a step costs about as much as that of the FIR filter."""
    fir = int(problem.taps.sum()) * problem.channels()
    return max(64 * len(problem.active), fir // 24)


def _with_latents(
    problem: Problem, fits: list[Fit], tolerance: float, exact_channels: bool
) -> list[tuple[list[Fit], int]]:
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
    problem: Problem, fits: list[Fit], latents: int, tolerance: float, exact_channels: bool
) -> Realization:
    """One filter of all fits, without its tail and error."""
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
    return Realization(
        decay=np.concatenate([f.decay for f in fits] or [np.zeros(0)]),
        rotation=np.concatenate([f.rotation for f in fits] or [np.zeros(0, dtype=complex)]),
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


def _state_positions(fits: list[Fit]) -> list[Array]:
    """Where the states of each fit lie in the state vector of the whole filter."""
    m, k = sum(f.decay.size for f in fits), sum(f.rotation.size for f in fits)
    real, pair = 0, 0
    where = []
    for fit in fits:
        reals = np.arange(real, real + fit.decay.size)
        pairs = m + np.arange(pair, pair + fit.rotation.size)
        where.append(np.concatenate([reals, pairs, pairs + k]))
        real, pair = real + len(reals), pair + len(pairs)
    return where


def certify(problem: Problem, realization: Realization, truncate: bool) -> Realization:
    """Run the recursion for one spike of each population: the tail and the error it makes."""
    B = realization.B
    states, tail = [B], np.zeros_like(B)
    last = int(np.max(realization.taps, initial=1))
    for t in range(1, last + 1):
        x = advance(realization, states[-1])
        ends = realization.taps == t
        if truncate and ends.any():
            tail[:, ends] = x[:, ends]
            x[:, ends] -= tail[:, ends]
        states.append(x)
    divisor = np.where(realization.peak > 0, realization.peak, 1.0)[:, None]
    read_out = realization.expansion / divisor @ realization.C
    error, bound = beyond(realization, np.abs(read_out), states[-1])
    trajectory = np.stack(states[:-1], axis=2)
    for p in problem.active:
        y = realization.C @ trajectory[:, p]
        difference = realization.expansion @ y / divisor
        difference[:, : realization.taps[p]] -= problem.scaled[p]
        np.abs(difference, out=difference)
        error[:, p] = np.maximum(error[:, p], difference.max(axis=1))
        bound[:, p] += difference.sum(axis=1)
    return replace(realization, tail=tail, error=error.max(axis=1), bound=bound.max(axis=1))


def beyond(realization: Realization, read_out: Array, x: Array) -> tuple[Array, Array]:
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
        x = advance(realization, x)
    return error, bound + read_out @ np.abs(x) / (1 - realization.spectral_radius)


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
    found: list[Realization | None] = []
    errors = []
    with one_blas_thread():
        problem = Problem(h)
        for tolerance in tolerances:
            try:
                realization = _realize(problem, tolerance, max_order)
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
