"""Checks of single neurons' kernels, rates and weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import xarray as xr
from scipy import sparse

from ..._types import Floats
from ...errors import KernelError
from ..arrays import labelled
from ..checks import LARGEST, positive, real
from ..names import channel_dim, check_known, check_name, listed
from .modes import Singles

Weights: TypeAlias = Any
"""A scipy.sparse.csr_array, which has no types."""


def datasets(kernels: Mapping[str, Mapping[str, Any]], **labels: Any) -> dict[str, xr.Dataset]:
    """Arrays of shape (neuron, channel, lag), labelled as those of `hybrid.single_kernels`."""
    found = {}
    for name, signals in _dict(kernels, "kernels", "a dict with the signals of each").items():
        arrays = {}
        for signal, values in _dict(signals, f"kernels of {name!r}", "a dict of arrays").items():
            arrays[signal] = real(values, f"signal {signal!r} of {name!r}")
            if arrays[signal].ndim != 3:
                raise KernelError(
                    f"signal {signal!r} of {name!r} must have shape (neuron, channel, lag), found "
                    f"{arrays[signal].shape}"
                )
        # A neuron is laid out as a presynaptic population is.
        neurons = [str(n) for n in range(len(next(iter(arrays.values()))))]
        whole = labelled(
            {signal: array[np.newaxis] for signal, array in arrays.items()},
            pre=neurons,
            post=["all"],
            **labels,
        )
        found[name] = whole.isel(post=0, drop=True).drop_vars("pre").rename(pre="neuron")
    return found


def with_labels(dataset: xr.Dataset) -> xr.Dataset:
    """The dataset with channels 0, 1, 2, ... where they have no labels."""
    missing = {
        dim: np.arange(dataset.sizes[dim])
        for dim in map(channel_dim, map(str, dataset.data_vars))
        if dim not in dataset.coords
    }
    return dataset.assign_coords(missing)


def checked_singles(
    kernels: Mapping[str, xr.Dataset], rates: Mapping[str, Any] | None
) -> dict[str, Singles]:
    """Kernels of each population's neurons, which have the same signals, channels and lags.

    Raises
    ------
    KernelError
        If they have not, or are no finite real numbers; or if rates are negative, all 0, or not one
        for each neuron or population.
    """
    kernels = _dict(kernels, "kernels", "a dict with a dataset for each")
    first_name, first = next(iter(kernels.items()))
    found = {}
    for name, dataset in kernels.items():
        if not isinstance(dataset, xr.Dataset) or not dataset.data_vars:
            raise KernelError(
                f"kernels of {name!r} must be an xarray.Dataset with a variable for each signal, "
                f"found {type(dataset).__name__}; NeuronKernels.from_arrays takes arrays"
            )
        arrays = []
        for signal, array in dataset.data_vars.items():
            dims = ("neuron", channel_dim(str(signal)), "lag")
            if array.dims != dims:
                raise KernelError(
                    f"signal {signal!r} of {name!r} must have dimensions {dims}, found {array.dims}"
                )
            arrays.append(_bounded(real(array.values, f"signal {signal!r} of {name!r}"), signal))
        if not same_but(dataset, first, "neuron"):
            raise KernelError(
                f"kernels of {name!r} and {first_name!r} must have the same signals, channels, "
                "units, positions and lags"
            )
        found[name] = Singles(arrays, np.zeros(dataset.sizes["neuron"]))
    given = {} if rates is None else _dict(rates, "rates", "a dict with spikes/s of each")
    check_known(given, list(found), "rates of unknown populations")
    missing = [name for name in found if given and name not in given]
    if missing:
        raise KernelError(f"rates must be given for all populations or none, missing {missing}")
    found = {
        name: Singles(each.signals, checked_rates(given.get(name, 1.0), len(each.rates), name))
        for name, each in found.items()
    }
    if not any(np.any(each.rates > 0) for each in found.values()):
        raise KernelError("no neuron spikes: rates are all 0, or there are no neurons")
    return found


def same_but(one: xr.Dataset, other: xr.Dataset, dim: str) -> bool:
    """Whether signals, their units, and all coordinates but those along `dim` are the same."""
    labels = one.drop_dims(dim).drop_attrs(), other.drop_dims(dim).drop_attrs()
    units = [
        [(name, array.attrs.get("units")) for name, array in each.data_vars.items()]
        for each in (one, other)
    ]
    return units[0] == units[1] and labels[0].identical(labels[1])


def _bounded(values: Floats, signal: Any) -> Floats:
    low, high = values.min(initial=0.0), values.max(initial=0.0)  # NaN where there is one
    if not (low >= -LARGEST and high <= LARGEST):
        raise KernelError(
            f"signal {signal!r} must be finite and at most {LARGEST:g}, found {low:g} … {high:g}"
        )
    return values


def checked_rates(given: Any, n: int, name: str) -> Floats:
    """Rates of n neurons, which may be alike."""
    rates = real(given, f"rates of {name!r}")
    if rates.ndim and rates.shape != (n,):
        raise KernelError(
            f"rates of {name!r} must be one number, or one for each of {n} neurons, found shape "
            f"{rates.shape}"
        )
    if not np.all((rates >= 0) & np.isfinite(rates)):
        raise KernelError(
            f"rates of {name!r} must be finite and not negative, a number of spikes/s, found "
            f"{str(given)[:60]}"
        )
    return np.array(np.broadcast_to(rates, (n,)))


def checked_weights(given: Any, n_modes: int, what: str) -> Weights:
    """Weights of shape (neuron, mode), of which those that are 0 are not kept."""
    found: Any
    if sparse.issparse(given):
        found = sparse.csr_array(given)
        found = sparse.csr_array(
            (real(found.data, what), found.indices, found.indptr), found.shape, copy=True
        )
        found.sum_duplicates()
    else:
        found = real(given, what)
        if found.ndim == 1 and n_modes == 1:
            found = found[:, np.newaxis]
    if found.ndim != 2 or found.shape[1] != n_modes:
        raise KernelError(
            f"{what} must have shape (neuron, mode) with {n_modes} modes, found {found.shape}"
        )
    found = sparse.csr_array(found)
    if not np.all(np.abs(found.data) <= LARGEST):
        raise KernelError(f"{what} must be finite and at most {LARGEST:g}")
    found.eliminate_zeros()
    return found


def weights_of_all(given: Any, populations: Mapping[str, Sequence[str]]) -> dict[str, Weights]:
    """Weights of populations, of those that are given."""
    if not isinstance(given, Mapping | None):
        raise KernelError(
            f"weights must be a dict with an array for each population, found {given!r:.60}"
        )
    check_known(given or {}, list(populations), "weights")
    return {
        name: checked_weights(values, len(populations[name]), f"weights of {name!r}")
        for name, values in (given or {}).items()
    }


def grouped(populations: Any, pre: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Names of each population's modes; a `KernelError` unless each mode belongs to one."""
    if not isinstance(populations, Mapping) or not populations:
        raise KernelError(
            "populations must be a dict with the names of each population's modes, found "
            f"{str(populations)[:60]!r}"
        )
    found = {
        check_name(name, "a population"): tuple(listed(modes, f"modes of {name!r}"))
        for name, modes in populations.items()
    }
    named = sorted(str(mode) for modes in found.values() for mode in modes)
    known = named == sorted(pre) and all(found.values())
    if not known or any(sorted(modes, key=pre.index) != list(modes) for modes in found.values()):
        raise KernelError(
            "each mode must belong to one population, each population have one, and be in the "
            f"order of the modes: these are {list(pre)}, those of populations {found}"
        )
    return found


def checked_counts(
    left_out: float | None, modes: Any, names: Sequence[str]
) -> dict[str, int] | None:
    """Number of modes of each population, or None where a share may be left out."""
    if (left_out is None) == (modes is None):
        raise KernelError("either left_out=... or modes=... must be given")
    if left_out is not None:
        if not positive(left_out, "left_out") < 1:
            raise KernelError(f"left_out must lie between 0 and 1, found {left_out!r}")
        return None
    given = modes if isinstance(modes, Mapping) else dict.fromkeys(names, modes)
    check_known(given, names, "modes")
    for name in names:
        count = given.get(name)
        if isinstance(count, bool) or not isinstance(count, int | np.integer) or count < 1:
            raise KernelError(
                f"modes of {name!r} must be a whole number from 1 on, found {count!r}"
            )
    return {name: int(given[name]) for name in names}


def _dict(given: Any, what: str, wanted: str) -> Mapping[str, Any]:
    if not isinstance(given, Mapping) or not given:
        raise KernelError(f"{what} must be {wanted} population, found {str(given)[:60]!r}")
    return given
