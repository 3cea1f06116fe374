"""Kernels multiplied by factors, and added up over postsynaptic populations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from .._types import Floats
from ..errors import KernelError
from .checks import real
from .names import check_known, check_name
from .positions import GEOMETRY
from .strengths import strength_coordinates


def factors_of(factors: Any, post: Sequence[str], pre: Sequence[str]) -> Floats:
    """The factor of each pathway, shape (post, pre), from those of populations and pathways."""
    if not isinstance(factors, Mapping):
        raise KernelError(f"factors must be a dict with a number each, found {factors!r}")
    by_pathway = np.ones((len(post), len(pre)))
    for key, given in factors.items():
        rows: slice | int = slice(None)
        x = key
        if isinstance(key, tuple):
            if len(key) != 2:
                raise KernelError(f"a pathway is (pre, post), found {key!r}")
            x, y = key
            check_known([y], post, "post")
            rows = post.index(y)
        check_known([x], pre, "pre")
        factor = real(given, f"the factor of {key!r}")
        if factor.ndim or not np.isfinite(factor):
            raise KernelError(f"factors must be finite numbers, found {dict(factors)}")
        by_pathway[rows, pre.index(x)] *= float(factor)
    return by_pathway


def scaled(dataset: xr.Dataset, by_pathway: Floats) -> xr.Dataset:
    """Kernels times the factors of pathways, shape (post, pre)."""
    times = xr.DataArray(by_pathway, dims=("post", "pre"))
    kernels = {
        name: (array * times).transpose(*array.dims).assign_attrs(array.attrs)
        for name, array in dataset.data_vars.items()
    }
    strengths = {
        name: (times * found).assign_attrs(found.attrs)
        for name, found in strength_coordinates(dataset).items()
    }
    return dataset.assign(kernels).assign_coords(strengths)


def summed(dataset: xr.Dataset, name: str) -> xr.Dataset:
    """One postsynaptic population that stands for all."""
    check_name(name, "a postsynaptic population")
    with xr.set_options(keep_attrs=True):
        one = dataset.sum("post").expand_dims(post=[name])
    attrs = {key: value for key, value in dataset.attrs.items() if key != GEOMETRY}
    return one.assign_attrs(attrs).assign_coords(
        {key: coord for key, coord in dataset.coords.items() if "post" not in coord.dims}
    )
