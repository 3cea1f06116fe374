"""From the kernels of single neurons to modes and weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from ..set import KernelSet
from . import energies, layout
from .modes import decomposed
from .single_neurons import checked_counts, checked_singles, with_labels


def reduced(
    kernels: Mapping[str, xr.Dataset],
    left_out: float | None,
    modes: Any,
    rates: Mapping[str, Any] | None,
    post: str,
    provenance: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """The arguments of `NeuronKernels`; those here are of `NeuronKernels.from_single`."""
    singles = checked_singles(kernels, rates)
    count = checked_counts(left_out, modes, list(singles))
    found = decomposed(singles, left_out=left_out, count=count)
    names = {name: [f"{name}/{k}" for k in range(len(found[name][0]))] for name in singles}
    labels = with_labels(next(iter(kernels.values())))
    how: dict[str, Any] = dict(post=post, provenance=provenance)
    dataset = layout.as_kernels(
        labels,
        np.concatenate([found[name][0] for name in singles]),
        pre=[mode for own in names.values() for mode in own],
        **how,
    )
    # Where neurons spike alike, the first mode is the mean.
    means = None
    if any(each.rates.size and np.ptp(each.rates) > 0 for each in singles.values()):
        each_mean = np.stack([each.mean() for each in singles.values()])
        means = layout.as_kernels(labels, each_mean, pre=list(singles), **how)
    return {
        "modes": KernelSet(dataset),
        "populations": names,
        "weights": {name: own for name, (_, own) in found.items()},
        "energy": energies.measured(labels, singles, found),
        "means": means,
    }
