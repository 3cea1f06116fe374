"""What a run returns, as one row of an ensemble."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from ..errors import EnsembleError
from ..signals.layout import with_text_as_str
from .parameters import OWN, RUN


def as_dataset(result: Any) -> xr.Dataset:
    """A result with its numbers as floating-point ones, which can be missing.

    Raises
    ------
    EnsembleError
        If it is no data set, array with a name or dict of numbers and arrays.
    """
    if isinstance(result, xr.DataArray) and result.name is not None:
        result = result.to_dataset()
    elif isinstance(result, Mapping) and not isinstance(result, xr.Dataset):
        result = xr.Dataset({name: _variable(str(name), given) for name, given in result.items()})
    if not isinstance(result, xr.Dataset) or not result.data_vars:
        raise EnsembleError(
            "a run must return an xarray.Dataset with variables, an xarray.DataArray with a name, "
            f"or a dict of numbers and arrays; found {type(result).__name__}"
        )
    if RUN in result.dims:
        raise EnsembleError(f"what a run returns must not have the dimension {RUN!r}: runs get it")
    values = {}
    for name, array in result.data_vars.items():
        if array.dtype.kind not in "biuf":
            raise EnsembleError(f"{name!r} of a run must hold real numbers, found {array.dtype}")
        kind = array.dtype if array.dtype.kind == "f" else np.dtype(float)
        values[name] = (array.dims, array.values.astype(kind, copy=False), array.attrs)
    return with_text_as_str(xr.Dataset(values, coords=result.coords))


def _variable(name: str, given: Any) -> Any:
    if isinstance(given, xr.DataArray | xr.Variable):
        return given
    values = np.asarray(given)
    return [f"{name}_{axis}" for axis in range(values.ndim)], values


def blank(result: xr.Dataset) -> xr.Dataset:
    """What a run that failed has instead of a result: NaN, which takes no memory."""
    nothing = {
        name: np.broadcast_to(np.array(np.nan, array.dtype), array.shape)
        for name, array in result.data_vars.items()
    }
    return result.copy(data=nothing)


def difference(like: xr.Dataset, result: xr.Dataset, columns: set[str]) -> str:
    """What keeps a result from being a row beside others, in words; "" if nothing does.

    Parameters
    ----------
    like : xarray.Dataset
        Another run's result, or `blank` of it.
    result : xarray.Dataset
        This one.
    columns : set of str
        Names of the parameters.
    """
    taken = sorted(map(str, set(result.variables) & {RUN, *OWN, *columns}))
    if taken:
        return f"the result has {taken[0]!r}, which is a parameter or belongs to each run"
    for name in dict.fromkeys([*like.data_vars, *result.data_vars]):
        if name not in result or name not in like:
            has, had = ("is not", "was") if name in like else ("is", "was not")
            return f"{name!r} {has} in this run's result, and {had} in those of runs before"
        found, expected = result[name], like[name]
        if (found.dims, found.shape) != (expected.dims, expected.shape):
            return f"{name!r} has {dict(found.sizes)}, in runs before {dict(expected.sizes)}"
        if found.dtype != expected.dtype:
            return f"{name!r} is {found.dtype}, in runs before {expected.dtype}"
    for name in dict.fromkeys([*like.coords, *result.coords]):
        if not (name in like.coords and name in result.coords and like[name].equals(result[name])):
            return f"the coordinate {name!r} differs from that of runs before"
    return ""
