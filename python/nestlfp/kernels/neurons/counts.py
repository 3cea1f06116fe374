"""Spikes of single neurons as weighted counts of each mode."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
from scipy import sparse

from ..._types import Floats, Ints
from ...errors import KernelError
from ...grid import step, steps
from ..checks import dt_ms
from ..names import check_known
from .singles import Weights


def weighted(
    spikes: Any,
    populations: Mapping[str, Sequence[str]],
    weights: Mapping[str, Weights],
    *,
    kernels: xr.Dataset,
    duration: float,
) -> Floats:
    """Number of spikes for each mode in the steps from 0 to the duration's, (mode, step).

    A spike counts as much as the weight of its neuron is; see `NeuronKernels.convolve`.
    """
    modes, dt = kernels["pre"].values.tolist(), dt_ms(kernels)
    n = step(duration, dt, "duration", KernelError)
    if n < 1:
        raise KernelError(f"duration must be at least dt = {dt:g} ms, found {duration}")
    if not isinstance(spikes, Mapping):
        raise KernelError(
            "spikes must be a dict with (times, neurons) of each population, found "
            f"{type(spikes).__name__}"
        )
    check_known(spikes, list(populations), "spikes of unknown populations")
    counts = np.zeros((len(modes), n + 1))
    for name, given in spikes.items():
        at, neurons = _pair(given, name, dt)
        known = weights.get(name)
        found = indices(neurons, None if known is None else known.shape[0], name, "spikes")
        inside = at <= n
        mine = [modes.index(mode) for mode in populations[name]]
        counts[mine] = of_steps(at[inside], found[inside], known, len(mine), n)
    return counts


def of_steps(at: Ints, rows: Ints, weights: Weights | None, n_modes: int, n: int) -> Floats:
    """Spikes of these neurons at these steps, for each mode in the steps 0 ... n, (mode, n + 1)."""
    if weights is None:
        return np.tile(np.bincount(at, minlength=n + 1).astype(float), (n_modes, 1))
    spikes = sparse.csr_array((np.ones(at.size), (at, rows)), shape=(n + 1, weights.shape[0]))
    return np.asarray((spikes @ weights).toarray().T)


def _pair(given: Any, name: str, dt: float) -> tuple[Ints, Any]:
    """Step and neuron of each spike."""
    try:
        times, neurons = given
        times, neurons = np.ravel(np.asarray(times, dtype=float)), np.ravel(np.asarray(neurons))
    except (TypeError, ValueError):
        raise KernelError(
            f"spikes of {name!r} must be (times, neurons), found {str(given)[:60]!r}"
        ) from None
    at = steps(times, dt, f"spike times of {name!r}", KernelError)
    if neurons.size != at.size:
        raise KernelError(f"{name!r} has {at.size} spike times, but {neurons.size} neurons")
    if np.any(at < 0):
        raise KernelError(f"spike times of {name!r} must not be negative")
    return at, neurons


def indices(neurons: Any, n: int | None, name: str, what: str) -> Ints:
    """Indices of neurons of a population of this size, or of an unknown one."""
    whole = neurons.dtype.kind in "iuf" and np.all(neurons == np.rint(neurons))
    if neurons.size and not (whole and neurons.min() >= 0 and (n is None or neurons.max() < n)):
        there = "they count from 0" if n is None else f"it has the neurons 0 … {n - 1}"
        raise KernelError(
            f"{what} of unknown neurons of {name!r}: {there}, found {str(neurons[:5])[:60]}"
        )
    return np.asarray(neurons, dtype=np.int64)
