"""What modes leave out of the kernels of single neurons, and of the signal's variance.

Kept as energies: for each population and channel the sum over neurons and lags of the squared
kernels, and of what is left out of them. Neurons that spike more often than others count as much
more. With the populations' rates these are variances.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
from scipy import sparse

from ..._types import Floats
from ...errors import KernelError
from ..checks import dt_ms, positive, real
from ..names import channel_dim, check_known
from .modes import FAINT, Singles
from .pathways import check_apart
from .single_neurons import Weights, checked_rates

OF = ["signal", "left out"]


def measured(
    labels: xr.Dataset,
    singles: Mapping[str, Singles],
    modes: Mapping[str, tuple[Floats, Floats]],
) -> xr.Dataset:
    """Energies of each population's kernels, and of what its modes and weights leave out.

    Parameters
    ----------
    labels : xarray.Dataset
        Kernels of single neurons, whose signals and channels these are.
    singles : dict of str to Singles
        The kernels.
    modes : dict of str to (ndarray, ndarray)
        As `modes.decomposed` returns them.
    """
    rates = {name: each.rates.mean() if len(each.rates) else 0.0 for name, each in singles.items()}
    found = np.array(
        [
            [each.energy() / (rates[name] or 1.0) for name, each in singles.items()],
            [each.energy(*modes[name]) / (rates[name] or 1.0) for name, each in singles.items()],
        ]
    )
    return labelled(found, labels, rates)


def labelled(found: Floats, labels: xr.Dataset, rates: Mapping[str, float]) -> xr.Dataset:
    """Energies of shape (of, population, channel) of these populations, at these rates (spikes/s).

    `labels` are kernels with the signals and channels of the energies.
    """
    out = xr.Dataset(coords={"of": OF, "population": list(rates)})
    parts = by_signal(found, labels)
    for (name, array), part in zip(labels.data_vars.items(), parts, strict=True):
        dim = channel_dim(str(name))
        units = f"({array.attrs['units']})²"
        out[name] = (("of", "population", dim), part, {"units": units})
        out = out.assign_coords({key: c for key, c in array.coords.items() if c.dims == (dim,)})
    return out.assign_coords(rate=("population", list(rates.values()), {"units": "1/s"}))


def by_signal(values: Floats, labels: xr.Dataset, axis: int = -1) -> list[Floats]:
    """The channels of each of these signals, from those of all signals together."""
    sizes = [labels.sizes[channel_dim(str(name))] for name in labels.data_vars]
    return np.split(values, np.cumsum(sizes)[:-1], axis)


def variance(energy: xr.Dataset, rates: Mapping[str, float] | None, dt: float) -> xr.Dataset:
    """Variances of Poisson spikes at these rates (spikes/s), dimensions (of, channel)."""
    per_second = energy["rate"].drop_attrs()
    if rates is not None:
        missing = [str(x) for x in energy["population"].values if x not in rates]
        if missing:
            raise KernelError(f"rates must be given for all populations, missing {missing}")
        values = [float(rates[str(x)]) for x in energy["population"].values]
        if not all(np.isfinite(values)) or min(values) < 0:
            raise KernelError(f"rates must be finite and not negative, found {dict(rates)}")
        per_second = per_second.copy(data=values)
    # A Poisson train has the variance rate · dt of spikes in each step.
    with xr.set_options(keep_attrs=True):
        return (energy * (per_second * dt / 1000.0)).sum("population")


def share(variances: xr.Dataset) -> xr.Dataset:
    """What is left out, as a share of the signal's variance."""
    out = variances.isel(of=0, drop=True)
    for name in out.data_vars:
        whole, left = (variances[name].sel(of=which, drop=True) for which in OF)
        out[name] = (left / at_least(whole.values)).assign_attrs(
            units="1", long_name="share of the variance that is left out"
        )
    return out


def rates_of(energy: xr.Dataset | None, populations: Iterable[str]) -> dict[str, float]:
    """The rates (spikes/s) that energies are of; of unknown ones, all 1."""
    if energy is None:
        return dict.fromkeys(populations, 1.0)
    return dict(zip(energy["population"].values.tolist(), energy["rate"].values, strict=True))


def at_least(values: Floats) -> Floats:
    """Energies or variances of a signal's channels, faint ones as if they were as large as that."""
    return np.maximum(values, max(FAINT**2 * values.max(initial=0.0), np.finfo(float).tiny))


def without_smallest(kernels: Any, left_out: float) -> tuple[dict[str, Weights], xr.Dataset | None]:
    """Weights without the smallest, which carry this share of variance, and the new energies."""
    positive(left_out, "left_out")
    energy, parts = kernels.energy, parts_of(kernels)
    rates = rates_of(energy, parts)
    if energy is None:
        whole = sum((part.energy(part.weights) for part in parts.values()), np.zeros(()))
    else:
        whole = sum(
            (rates[x] * flat(energy.sel(of=OF[0], population=x)) for x in parts), np.zeros(())
        )
    whole = np.concatenate(
        [at_least(of_signal) for of_signal in by_signal(whole, kernels.modes.stored)]
    )
    sizes = {x: rates[x] * part.size(whole) for x, part in parts.items()}
    order = np.sort(np.concatenate(list(sizes.values())))
    sums = np.cumsum(order)
    budget = left_out
    while True:  # modes are not orthogonal in each channel, so that dropped ones may add up
        n = int(np.searchsorted(sums, budget, side="right"))
        limit = order[n - 1] if n else -np.inf
        dropped = {x: part.below(sizes[x], limit) for x, part in parts.items()}
        gone = {x: part.energy(dropped[x]) for x, part in parts.items()}
        lost = sum((rates[x] * gone[x] for x in parts), np.zeros(())) / whole
        if lost.max() <= left_out:
            break
        budget /= 2
    kept = {x: sparse.csr_array(part.weights - dropped[x]) for x, part in parts.items()}
    for left in kept.values():
        left.eliminate_zeros()
    return kept, None if energy is None else _more(energy, gone)


def parts_of(kernels: Any) -> dict[str, Part]:
    """Modes and weights of each population of `NeuronKernels`."""
    summed = kernels.modes.dataset.sum("post")
    return {
        name: Part(summed.sel(pre=list(own)), kernels._known_weights(name))
        for name, own in kernels.populations.items()
    }


def between(weights: Any, rates: Floats) -> Floats:
    """Products of the weights of two modes, summed over neurons as often as they spike."""
    scaled = sparse.csr_array(weights) * np.sqrt(rates)[:, np.newaxis]
    return np.asarray((scaled.T @ scaled).toarray())


def poisson_moments(
    modes: xr.Dataset,
    populations: Mapping[str, Sequence[str]],
    weights: Mapping[str, Weights],
    rates: Any,
) -> xr.Dataset:
    """Mean and standard deviation of each channel; see `KernelSet.poisson`."""
    if not isinstance(rates, Mapping):
        raise KernelError(f"rates must be a dict with spikes/s of each population, found {rates!r}")
    check_known(rates, list(populations), "rates")
    spikes = {}
    for name, given in rates.items():
        together = real(given, f"rates of {name!r}").ndim == 0
        own = weights.get(name)
        if own is None:
            check_apart(modes.sel(pre=list(populations[name])), name)
            own = np.ones((1, len(populations[name])))
            if not together:
                raise KernelError(
                    f"rates of {name!r} must be one number, of all its neurons together: how many "
                    "they are is not known without their weights"
                )
        n = own.shape[0]
        per_step = checked_rates(given, n, name) * dt_ms(modes) / 1000.0
        if together:
            per_step /= max(1, n)
        spikes[name] = own.T @ per_step, between(own, per_step)
    out = {}
    for signal, array in modes.data_vars.items():
        kernels = array.sum("post")
        mean = variance = xr.zeros_like(kernels.isel(pre=0, lag=0, drop=True))
        for name, (counts, products) in spikes.items():
            h = kernels.sel(pre=list(populations[name])).values
            mean = mean + counts @ h.sum(axis=2)
            variance = variance + np.einsum("rs,rcl,scl->c", products, h, h, optimize=True)
        # Of modes that cancel, rounding may leave less than nothing.
        moments = [mean, variance.clip(min=0) ** 0.5]
        both = xr.concat(moments, dim="moment", coords="minimal").transpose(..., "moment")
        out[str(signal)] = both.assign_coords(moment=["mean", "sd"]).assign_attrs(array.attrs)
    return xr.Dataset(out)


class Part:
    """Modes and weights of a population."""

    def __init__(self, modes: xr.Dataset, weights: Weights) -> None:
        self.weights = weights
        h = np.concatenate([array.values for array in modes.data_vars.values()], axis=1)
        self._gram = np.einsum("rcl,scl->crs", h, h, optimize=True)  # (channel, mode, mode)

    def energy(self, weights: Weights) -> Floats:
        """Sum over neurons and lags of the squares of what these weights make, (channel,)."""
        return self.energy_between((weights.T @ weights).toarray())

    def energy_between(self, between: Floats, first: int = 0) -> Floats:
        """The same of products of weights, summed over neurons, (mode, mode); from a mode on."""
        later = slice(first, None)
        return np.einsum("crs,rs->c", self._gram[:, later, later], between[later, later])

    def size(self, whole: Floats) -> Floats:
        """The energy of each weight alone, as the largest share of a channel's."""
        alone = np.einsum("crr->cr", self._gram) / whole[:, np.newaxis]
        return np.asarray(self.weights.data**2 * alone.max(axis=0)[self.weights.indices])

    def below(self, sizes: Floats, limit: float) -> Weights:
        """The weights up to this size, which are to be dropped."""
        data = np.where(sizes <= limit, self.weights.data, 0.0)
        return sparse.csr_array(
            (data, self.weights.indices, self.weights.indptr), self.weights.shape, copy=True
        )


def flat(energies: xr.Dataset) -> Floats:
    """The channels of all signals together."""
    return np.concatenate([array.values for array in energies.data_vars.values()], axis=-1)


def _more(energy: xr.Dataset, gone: Mapping[str, Floats]) -> xr.Dataset:
    """Energies with more left out.

    Singular vectors are orthogonal to what they leave out, if not in each channel, then in the sum
    over channels: so the two add up.
    """
    out = energy.copy(deep=True)
    for name, values in gone.items():
        for signal, part in zip(out.data_vars, by_signal(values, out), strict=True):
            out[signal].loc[{"of": OF[1], "population": name}] += part
    return out
