"""How large signals are where populations spike as Poisson processes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from ..errors import KernelError
from .checks import dt_ms, real
from .names import check_known


def poisson_moments(dataset: xr.Dataset, rates: Any) -> xr.Dataset:
    """Mean and standard deviation of each channel; see `KernelSet.poisson`."""
    pre = [str(name) for name in dataset["pre"].values]
    if not isinstance(rates, Mapping):
        raise KernelError(f"rates must be a dict such as {{{pre[0]!r}: 8000.0}}, found {rates!r}")
    check_known(rates, pre, "rates")
    per_step = np.zeros(len(pre))
    for name, rate in rates.items():
        value = real(rate, f"the rate of {name!r}")
        if value.ndim or not np.isfinite(value) or value < 0:
            raise KernelError(f"the rate of {name!r} must be a number of spikes/s, found {rate!r}")
        per_step[pre.index(name)] = float(value) * dt_ms(dataset) / 1000.0
    expected = xr.DataArray(per_step, dims="pre")
    out = {}
    for name, array in dataset.data_vars.items():
        kernel = array.sum("post")
        mean = (kernel.sum("lag") * expected).sum("pre")
        variance = ((kernel**2).sum("lag") * expected).sum("pre")
        out[str(name)] = mean_and_sd(mean, variance).assign_attrs(array.attrs)
    return xr.Dataset(out)


def mean_and_sd(mean: xr.DataArray, variance: xr.DataArray) -> xr.DataArray:
    """Both, along a last dimension ``moment``."""
    both = xr.concat([mean, variance**0.5], dim="moment", coords="minimal")
    return both.transpose(..., "moment").assign_coords(moment=["mean", "sd"])
