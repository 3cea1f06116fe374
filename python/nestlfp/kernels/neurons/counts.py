"""Spikes of single neurons as weighted counts of each mode."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy import sparse

from ..._types import Floats, Ints
from ...errors import KernelError
from ...grid import Rounding, at_least_a_step, spike_steps
from ...trains import paired
from ..names import check_known
from .single_neurons import Weights


def weighted(kernels: Any, spikes: Any, duration: float, rounding: Rounding) -> Floats:
    """Number of spikes for each mode in the steps from 0 to the duration's, (mode, step).

    A spike counts as much as the weight of its neuron is; see `NeuronKernels.convolve`.
    """
    modes, dt = kernels.modes.pre, kernels.modes.dt
    n = at_least_a_step(duration, dt, "duration", KernelError)
    if not isinstance(spikes, Mapping):
        raise KernelError(
            "spikes must be a dict with (times, neurons) of each population, found "
            f"{type(spikes).__name__}"
        )
    check_known(spikes, list(kernels.populations), "spikes of unknown populations")
    counts = np.zeros((len(modes), n + 1))
    for name, given in spikes.items():
        times, neurons = paired(given, name, KernelError)
        at = spike_steps(times, dt, f"spike times of {name!r}", KernelError, rounding)
        known = kernels.weights.get(name)
        found = indices(neurons, None if known is None else known.shape[0], name, "spikes")
        inside = at <= n
        mine = [modes.index(mode) for mode in kernels.populations[name]]
        counts[mine] = of_steps(at[inside], found[inside], known, len(mine), n)
    return counts


def mean_rates(spikes: Any, sizes: Mapping[str, int], duration: float) -> dict[str, Floats]:
    """Mean rate (spikes/s) of a neuron of each population in a recording of this length (ms)."""
    if not isinstance(spikes, Mapping):
        raise KernelError(f"spikes must be a dict with (times, neurons), found {spikes!r:.60}")
    found = {}
    for name, n in sizes.items():
        times, _ = paired(spikes.get(name, ((), ())), name, KernelError)
        inside = int((times <= duration).sum())
        found[name] = np.asarray(1000.0 * inside / (n or 1) / (duration or 1.0))
    return found


def of_steps(at: Ints, rows: Ints, weights: Weights | None, n_modes: int, n: int) -> Floats:
    """Spikes of these neurons at these steps, for each mode in the steps 0 ... n, (mode, n + 1)."""
    if weights is None:
        return np.tile(np.bincount(at, minlength=n + 1).astype(float), (n_modes, 1))
    spikes = sparse.csr_array((np.ones(at.size), (at, rows)), shape=(n + 1, weights.shape[0]))
    return np.asarray((spikes @ weights).toarray().T)


def indices(neurons: Any, n: int | None, name: str, what: str) -> Ints:
    """Indices of neurons of a population of this size, or of an unknown one."""
    whole = neurons.dtype.kind in "iuf" and np.all(neurons == np.rint(neurons))
    if neurons.size and not (whole and neurons.min() >= 0 and (n is None or neurons.max() < n)):
        there = "they count from 0" if n is None else f"it has the neurons 0 … {n - 1}"
        raise KernelError(
            f"{what} of unknown neurons of {name!r}: {there}, found {str(neurons[:5])[:60]}"
            + "; spikes are (times, neurons)" * (what == "spikes")
        )
    return np.asarray(neurons, dtype=np.int64)
