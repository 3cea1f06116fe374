"""What a spike brings to each postsynaptic population, where kernels know it.

Charge and conductance are coordinates of the kernels, of the dimensions (post, pre). They are
scaled with the kernels, and tell whether a network is the one that kernels are made for.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr

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
    return {
        (str(x), str(y)): value
        for y, row in zip(dataset["post"].values, dataset[name].values, strict=True)
        for x, value in zip(dataset["pre"].values, row.tolist(), strict=True)
        if np.isfinite(value)
    }


def scaled_strengths(dataset: xr.Dataset, by_pathway: xr.DataArray) -> xr.Dataset:
    """The strengths times the factors of pathways, an array (post, pre)."""
    known = [name for name in UNITS if name in dataset.coords]
    return dataset.assign_coords(
        {
            name: (
                ("post", "pre"), dataset[name].values * by_pathway.values, dataset[name].attrs
            )
            for name in known
        }
    )  # fmt: skip
