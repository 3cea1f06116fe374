"""Kernels with a mode for each pathway, kernels side by side, and the way back to populations."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from ...errors import KernelError
from ..courses import COURSES, multiplied
from ..strengths import (
    CHARGE,
    CONDUCTANCE,
    strength_coordinates,
    strengths,
    with_strengths,
    without_strengths,
)
from .single_neurons import Weights, same_but


def apart(kernels: xr.Dataset, populations: Mapping[str, Sequence[str]]) -> xr.Dataset:
    """Kernels through each postsynaptic population as presynaptic ones of these names.

    A population with a single name keeps its kernels as they are.
    """
    parts = []
    for pre, names in populations.items():
        whole = kernels.sel(pre=[pre])
        if list(names) == [pre]:
            parts.append(whole)
            continue
        for post, name in zip(kernels["post"].values, names, strict=True):
            here = whole["post"] == post
            strength = strength_coordinates(whole)
            only = whole.where(here, 0.0).assign_coords(
                {key: found.where(here, 0.0) for key, found in strength.items()}
            )
            parts.append(only.assign_coords(pre=[name]))
    return side_by_side(parts)


def side_by_side(parts: Sequence[xr.Dataset]) -> xr.Dataset:
    """Kernels of other presynaptic populations as one dataset.

    Raises
    ------
    KernelError
        If they have not the same signals, units, channels, lags and postsynaptic populations.
    """
    courses = [part.coords.get(COURSES) for part in parts]
    if not all(each is not None and each.equals(courses[0]) for each in courses):
        parts = [multiplied(part) for part in parts]
    if not all(same_but(part, parts[0], "pre") for part in parts):
        raise KernelError(
            "kernels can be joined that have the same signals, channels, units, positions, lags "
            "and postsynaptic populations: kernels.total() makes one of the latter, 'all'"
        )
    plain = [without_strengths(part) for part in parts]
    whole = xr.concat(plain, "pre", data_vars="all", combine_attrs="override")
    order = {name: ("post", "pre", *array.dims[-2:]) for name, array in parts[0].data_vars.items()}
    whole = whole.assign({name: whole[name].transpose(*dims) for name, dims in order.items()})
    charges, conductances = (
        {pathway: value for part in parts for pathway, value in strengths(part, name).items()}
        for name in (CHARGE, CONDUCTANCE)
    )
    return with_strengths(whole, charges, conductances)


def alike(
    modes: xr.Dataset, means: xr.Dataset | None, change: Callable[[xr.Dataset], xr.Dataset]
) -> tuple[xr.Dataset, xr.Dataset | None]:
    """Modes and means, changed as one dataset: at the end they have the same lags."""
    if means is None:
        return change(modes), None
    whole = side_by_side([modes, means])
    changed = change(whole.assign_coords(pre=[str(k) for k in range(whole.sizes["pre"])]))
    n = modes.sizes["pre"]
    return (
        changed.isel(pre=slice(n)).assign_coords(pre=modes["pre"].values),
        changed.isel(pre=slice(n, None)).assign_coords(pre=means["pre"].values),
    )


def put_together(modes: xr.Dataset, weights: xr.DataArray) -> xr.Dataset:
    """Kernels of single neurons from modes, along ``pre``, and weights (neuron, pre)."""
    modes = modes.drop_vars("pre")
    out = modes.drop_dims("pre").assign_coords(weights.coords)
    for name, array in modes.data_vars.items():
        found = weights.dot(array, dim="pre").transpose("neuron", ..., array.dims[-1])
        out[name] = found.assign_attrs(array.attrs)
    return out


def means(kernels: Any) -> xr.Dataset:
    """The mean kernel of each population's neurons, where it is not known from modes and weights.

    Weights that are not known are 1 for modes that are pathways.
    """
    known, parts = kernels.means, []
    for name, own in kernels.populations.items():
        if known is not None and name in known["pre"]:
            parts.append(known.sel(pre=[name]))
            continue
        mine = kernels.modes.stored.sel(pre=list(own))
        if name not in kernels.weights:
            check_apart(mine, name)
        factors = mean_weights(own, kernels.weights.get(name))
        with xr.set_options(keep_attrs=True):
            part = (mine * factors).sum("pre").expand_dims(pre=[name])
        parts.append(part.assign_coords(mean_strengths(mine, name, factors)))
    return side_by_side(parts)


def mean_weights(modes: Sequence[str], weights: Weights | None) -> xr.DataArray:
    """Of a population's modes, along ``pre``; 1 where weights are not known."""
    if weights is None or not weights.shape[0]:
        return xr.DataArray(np.ones(len(modes)), dims="pre")
    return xr.DataArray(np.asarray(weights.mean(axis=0), dtype=float).ravel(), dims="pre")


def mean_strengths(modes: xr.Dataset, name: str, factors: xr.DataArray) -> dict[str, xr.DataArray]:
    """What a spike of the population `name` brings, the mean over its neurons; NaN: not known."""
    with xr.set_options(keep_attrs=True):
        return {
            key: (found * factors).sum("pre", skipna=False).expand_dims(pre=[name])
            for key, found in strength_coordinates(modes).items()
        }


def check_apart(modes: xr.Dataset, name: str) -> None:
    """A `KernelError` where several modes go through one postsynaptic population.

    Only of pathways is the sum a kernel, with a weight of 1 for each.
    """
    used = [(array != 0).any(array.dims[2:]) for array in modes.data_vars.values()]
    if any(bool((each.sum("pre") > 1).any()) for each in used):
        raise KernelError(
            f"the weights of {name!r} are not known, and without them there is no mean kernel: "
            "NeuronKernels(kernels.modes, kernels.populations, weights) has them"
        )


def by_population(signals: xr.Dataset, populations: Mapping[str, Sequence[str]]) -> xr.Dataset:
    """Signals that modes make, along ``pre``, added up to those of their populations."""
    if all(list(modes) == [name] for name, modes in populations.items()):
        return signals
    parts = [
        signals.sel(pre=list(modes)).sum("pre", keep_attrs=True).expand_dims(pre=[name])
        for name, modes in populations.items()
    ]
    whole = xr.concat(parts, "pre", data_vars="all", combine_attrs="override")
    dims = {name: array.dims for name, array in signals.data_vars.items()}
    return whole.assign({name: whole[name].transpose(*order) for name, order in dims.items()})
