"""How modes and weights are laid out: as kernels, in a file, and told to a person.

A file is that of a kernel set, with weights beside it. Names with a dot, which no signal has, keep
them apart. The weights of all populations are one list, with the population, neuron and mode of
each that is not 0: sparse and dense ones alike.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr
from scipy import sparse

from ..._types import Floats
from ...display import card, folded, table
from ...errors import KernelError
from ..checks import dt_ms
from ..describe import fingerprint as fingerprint_of
from ..describe import lags, signals_table, tool
from ..names import channel_dim
from ..set import KernelSet
from .energies import OF

_ENERGY, _MEAN = "energy.", "mean."


def as_kernels(
    labels: xr.Dataset, modes: Floats, *, pre: Sequence[str], post: str, provenance: Any
) -> xr.Dataset:
    """Modes of shape (mode, channel, lag) as a dataset of kernels.

    `labels` are kernels of single neurons, with the same signals, channels and lags.
    """
    try:
        told = json.dumps(dict(provenance or {}))
    except (TypeError, ValueError) as error:
        raise KernelError(f"provenance must be a dict of JSON-compatible values: {error}") from None
    ends = np.cumsum([array.shape[1] for array in labels.data_vars.values()])
    parts = np.split(modes, ends[:-1], axis=1)
    signals = {
        name: (("post", "pre", *array.dims[1:]), part[np.newaxis], array.attrs)
        for (name, array), part in zip(labels.data_vars.items(), parts, strict=True)
    }
    whole = labels.drop_dims("neuron").assign_coords(post=[post], pre=list(pre)).assign(signals)
    whole.attrs = {"provenance": told}
    return whole


def fingerprint(kernels: Any) -> str:
    """Digest of all that a signal of `NeuronKernels` depends on."""
    means = None if kernels.means is None else fingerprint_of(kernels.means)
    populations = [[name, list(modes)] for name, modes in kernels.populations.items()]
    sizes = {name: kernels.weights[name].shape for name in sorted(kernels.weights)}
    labels = [kernels.modes.fingerprint, means, populations, sizes]
    digest = hashlib.sha256(json.dumps(labels).encode())
    for name in sizes:
        weights = sparse.coo_array(kernels.weights[name])
        there = np.flatnonzero(weights.data)
        places = np.ravel_multi_index((weights.row[there], weights.col[there]), weights.shape)
        order = np.argsort(places)
        digest.update(places[order].astype("<i8").tobytes())
        digest.update(weights.data[there][order].astype("<f8").tobytes())
    return digest.hexdigest()[:16]


def description(kernels: Any) -> str:
    """What `NeuronKernels` hold, a line for each population and signal, and what is left out."""
    modes, share = kernels.modes.dataset, _share(kernels)
    lines = [f"NeuronKernels: {modes.sizes['lag']} lags of {dt_ms(modes):g} ms"]
    for name, own in kernels.populations.items():
        line = f"  {name}: {len(own)} mode{'s' * (len(own) != 1)}"
        if name in kernels.weights:
            weights = kernels.weights[name]
            line += f", {weights.shape[0]} neurons, {weights.nnz} weights"
        lines.append(line)
    for signal, array in modes.data_vars.items():
        line = f"  {signal}: {array.shape[2]} channels, {array.attrs['units']}"
        if signal in share:
            line += (
                "; left out of the variance, if neurons spike independently: "
                "{} (median), {} (channel {})".format(*share[signal])
            )
        lines.append(line)
    return "\n".join(lines)


def shown(kernels: Any) -> str:
    """The same in a notebook."""
    modes, share = kernels.modes.dataset, _share(kernels)
    populations = []
    for name, own in kernels.populations.items():
        known = kernels.weights.get(name)
        told = ("", "of the recorder") if known is None else (known.shape[0], known.nnz)
        populations.append((name, len(own), *told))
    left_out = table(
        "left out of the variance, if neurons spike independently",
        ["signal", "median", "largest", "channel"],
        [(signal, *found) for signal, found in share.items()],
    )
    return card(
        "NeuronKernels",
        [("lags", lags(modes)), ("from", tool(modes))],
        table("populations", ["population", "modes", "neurons", "weights"], populations),
        signals_table(modes),
        *([left_out] if share else []),
        folded("modes: xarray.Dataset", modes._repr_html_()),
    )


def _share(kernels: Any) -> dict[str, tuple[str, str, Any]]:
    """Median and largest part of each signal's variance that is left out, if known, and where."""
    found = {}
    for signal, array in (kernels.left_out() if kernels.energy is not None else {}).items():
        values = array.values
        label = array[channel_dim(str(signal))].values[values.argmax()]
        found[str(signal)] = f"{np.median(values):.2g}", f"{values.max():.2g}", label
    return found


def laid_out(kernels: Any) -> xr.Dataset:
    """`NeuronKernels` as one dataset."""
    modes, populations, weights = kernels.modes.dataset, kernels.populations, kernels.weights
    energy: xr.Dataset | None = kernels.energy
    means: xr.Dataset | None = kernels.means
    names = list(populations)
    numbers = {name: k for k, name in enumerate(names)}
    of_mode = {mode: numbers[name] for name, own in populations.items() for mode in own}
    parts = [(numbers[name], found.tocoo()) for name, found in weights.items()]
    entries = {
        "weights.population": [np.full(found.nnz, k) for k, found in parts],
        "weights.neuron": [found.coords[0] for _, found in parts],
        "weights.mode": [found.coords[1] for _, found in parts],
    }
    whole = modes.assign_coords(
        {
            "population.name": ("population.number", names),
            "population.neurons": (
                "population.number",
                [weights[name].shape[0] if name in weights else -1 for name in names],
            ),
            "population.of_mode": ("pre", [of_mode[str(mode)] for mode in modes["pre"].values]),
        }
    )
    whole = whole.assign(
        {
            key: (
                "weights.entry",
                np.concatenate([np.zeros(0, np.int32), *columns]).astype(np.int32),
            )
            for key, columns in entries.items()
        }
    )
    whole["weights.value"] = (
        "weights.entry",
        np.concatenate([np.zeros(0), *(found.data for _, found in parts)]),
    )
    if energy is not None:
        whole["energy.rate"] = ("energy.population", energy["rate"].values, energy["rate"].attrs)
        whole = whole.assign_coords({"energy.population": energy["population"].values})
        for name, array in energy.data_vars.items():
            dims = ("energy.of", "energy.population", array.dims[2])
            whole[f"{_ENERGY}{name}"] = (dims, array.values, array.attrs)
    if means is not None:
        whole = whole.assign_coords({"mean.population": means["pre"].values})
        for name, array in means.data_vars.items():
            own_dims = ("post", "mean.population", *array.dims[2:])
            whole[f"{_MEAN}{name}"] = (own_dims, array.values, array.attrs)
    return whole


def taken_apart(whole: xr.Dataset) -> dict[str, Any]:
    """What `laid_out` put together, as the arguments of `NeuronKernels`."""
    own = [name for name in whole.variables if "." in str(name)]
    modes = whole.drop_vars(own)
    names = [str(name) for name in whole["population.name"].values]
    of_mode = whole["population.of_mode"].values
    labels = modes["pre"].values
    populations = {
        name: [str(mode) for mode in labels[of_mode == k]] for k, name in enumerate(names)
    }
    which = whole["weights.population"].values
    weights = {}
    for k, (name, n) in enumerate(zip(names, whole["population.neurons"].values, strict=True)):
        if n < 0:
            continue
        at = which == k
        place = whole["weights.neuron"].values[at], whole["weights.mode"].values[at]
        shape = (int(n), len(populations[name]))
        weights[name] = sparse.csr_array((whole["weights.value"].values[at], place), shape)
    return {
        "modes": KernelSet(modes),
        "populations": populations,
        "weights": weights,
        "energy": _energy(whole, list(map(str, modes.data_vars))),
        "means": _means(whole, modes),
    }


def _means(whole: xr.Dataset, modes: xr.Dataset) -> xr.Dataset | None:
    if "mean.population" not in whole:
        return None
    out = modes.drop_dims("pre").assign_coords(pre=whole["mean.population"].values.astype(str))
    for name, array in modes.data_vars.items():
        out[name] = (array.dims, whole[f"{_MEAN}{name}"].values, array.attrs)
    return out


def _energy(whole: xr.Dataset, signals: Sequence[str]) -> xr.Dataset | None:
    if "energy.rate" not in whole:
        return None
    rate = whole["energy.rate"]
    out = xr.Dataset(coords={"of": OF, "population": whole["energy.population"].values.astype(str)})
    for name in signals:
        array = whole[f"{_ENERGY}{name}"]
        out[name] = (("of", "population", array.dims[2]), array.values, array.attrs)
        kept = {key: c for key, c in array.coords.items() if c.dims == (array.dims[2],)}
        out = out.assign_coords(kept)
    return out.assign_coords(rate=("population", rate.values, rate.attrs))
