"""What a spike brings to each postsynaptic population, where kernels know it.

Charge and conductance are coordinates of the kernels, of the dimensions (post, pre). They are
scaled with the kernels, and tell whether a network is the one that kernels are made for.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np
import xarray as xr

from .courses import COURSES

CHARGE, CONDUCTANCE = "charge_per_spike", "conductance_per_spike"
UNITS = {CHARGE: "fC", CONDUCTANCE: "nS ms"}


def with_strengths(
    dataset: xr.Dataset,
    charges: Mapping[tuple[str, str], float],
    conductances: Mapping[tuple[str, str], float],
) -> xr.Dataset:
    """The kernels' dataset with what a spike brings.

    Parameters
    ----------
    dataset : xarray.Dataset
        Of a `KernelSet`.
    charges, conductances : dict of (str, str) to float
        By (pre, post), to all neurons of `post` together: charge (fC), or time integral of the
        conductance (nS ms). What is left out is not known.
    """
    pre, post = (list(map(str, dataset[dim].values)) for dim in ("pre", "post"))
    for name, given in ((CHARGE, charges), (CONDUCTANCE, conductances)):
        values = np.array([[given.get((x, y), np.nan) for x in pre] for y in post])
        if np.isfinite(values).any():
            attrs = {"units": UNITS[name]}
            dataset = dataset.assign_coords({name: (("post", "pre"), values, attrs)})
    return dataset


def strengths(dataset: xr.Dataset, name: str) -> dict[tuple[str, str], float]:
    """What is known of `CHARGE` or `CONDUCTANCE`, by (pre, post)."""
    if name not in dataset.coords:
        return {}
    by_pathway = dataset[name].transpose("post", "pre").values
    return {
        (str(x), str(y)): value
        for y, row in zip(dataset["post"].values, by_pathway, strict=True)
        for x, value in zip(dataset["pre"].values, row.tolist(), strict=True)
        if np.isfinite(value)
    }


def strength_coordinates(dataset: xr.Dataset) -> dict[str, xr.DataArray]:
    """The coordinates that hold strengths, for a dataset that is made of this one."""
    return {name: dataset[name] for name in UNITS if name in dataset.coords}


def without_strengths(dataset: xr.Dataset) -> xr.Dataset:
    """The kernels' dataset without what a spike brings."""
    return dataset.drop_vars(UNITS, errors="ignore")


def labels_of_signals(dataset: xr.Dataset, keep: Collection[str] = ()) -> xr.Dataset:
    """What signals have of these kernels: labels of channels, and of the dimensions to keep."""
    kernels = [*dataset.data_vars, "lag", COURSES]
    summed_over = {"pre", "post"} - set(keep)
    return without_strengths(dataset).drop_vars([*kernels, *summed_over], errors="ignore")
