"""How modes and weights are laid out: as kernels, in a file, and as text.

A file is that of a kernel set, with weights beside it. Names with a dot, which no signal has, keep
them apart. The weights of all populations are one list, with the population, neuron and mode of
each that is not 0: sparse and dense ones alike.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
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
from .energies import by_signal

_SHOWN = 12  # populations, in text
_ENERGY, _MEAN = "energy.", "mean."


def as_kernels(
    labels: xr.Dataset, modes: Floats, *, pre: Sequence[str], post: str, provenance: Any
) -> xr.Dataset:
    """Modes of shape (mode, channel, lag) as a dataset of kernels.

    `labels` are kernels of single neurons, with the same signals, channels and lags.
    """
    try:
        text = json.dumps(dict(provenance or {}))
    except (TypeError, ValueError) as error:
        raise KernelError(f"provenance must be a dict of JSON-compatible values: {error}") from None
    parts = by_signal(modes, labels, axis=1)
    signals = {
        name: (("post", "pre", *array.dims[1:]), part[np.newaxis], array.attrs)
        for (name, array), part in zip(labels.data_vars.items(), parts, strict=True)
    }
    whole = labels.drop_dims("neuron").assign_coords(post=[post], pre=list(pre)).assign(signals)
    whole.attrs = {"provenance": text}
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
    modes, share = kernels.modes.stored, _share(kernels)
    lines = [f"NeuronKernels: {modes.sizes['lag']} lags of {dt_ms(modes):g} ms"]
    for name, own in list(kernels.populations.items())[:_SHOWN]:
        line = f"  {name}: {len(own)} mode{'s' * (len(own) != 1)}"
        if name in kernels.weights:
            weights = kernels.weights[name]
            line += f", {weights.shape[0]} neurons, {weights.nnz} weights"
        lines.append(line)
    if (more := len(kernels.populations) - _SHOWN) > 0:
        lines.append(f"  … and {more} more populations, {modes.sizes['pre']} modes in all")
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
    modes, share = kernels.modes.stored, _share(kernels)
    populations = []
    for name, own in kernels.populations.items():
        known = kernels.weights.get(name)
        size = ("", "of the recorder") if known is None else (known.shape[0], known.nnz)
        populations.append((name, len(own), *size))
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
    modes, populations, weights = kernels.modes.stored, kernels.populations, kernels.weights
    names = list(populations)
    of_mode = {mode: k for k, own in enumerate(populations.values()) for mode in own}
    sizes = [weights[name].shape[0] if name in weights else -1 for name in names]
    parts = [(names.index(name), found.tocoo()) for name, found in weights.items()]
    whole = modes.assign_coords(
        {
            "population.name": ("population.number", names),
            "population.neurons": ("population.number", sizes),
            "population.of_mode": ("pre", [of_mode[str(mode)] for mode in modes["pre"].values]),
        }
    )
    whole = whole.assign(
        {
            "weights.population": _entries((np.full(found.nnz, k) for k, found in parts), np.int32),
            "weights.neuron": _entries((found.coords[0] for _, found in parts), np.int32),
            "weights.mode": _entries((found.coords[1] for _, found in parts), np.int32),
            "weights.value": _entries((found.data for _, found in parts), float),
        }
    )
    others = [(_ENERGY, "population", kernels.energy), (_MEAN, "pre", kernels.means)]
    for prefix, dim, part in others:
        if part is not None:
            named = _prefixed(part, prefix, dim, modes)
            whole = whole.merge(named, compat="override", combine_attrs="override")
    return whole


def _entries(of_populations: Iterable[Any], kind: type) -> tuple[str, Any]:
    """What all weights have, those of one population behind those of another."""
    return "weights.entry", np.concatenate([np.zeros(0), *of_populations]).astype(kind)


def _prefixed(part: xr.Dataset, prefix: str, dim: str, modes: xr.Dataset) -> xr.Dataset:
    """A dataset whose names along `dim`, and others that the modes do not have, get a prefix."""
    names = [
        name for name, array in part.variables.items() if name not in modes or dim in array.dims
    ]
    return part.rename({name: f"{prefix}{name}" for name in names})


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
        "energy": _without_prefix(whole, _ENERGY, "population"),
        "means": _without_prefix(whole, _MEAN, "pre"),
    }


def _without_prefix(whole: xr.Dataset, prefix: str, dim: str) -> xr.Dataset | None:
    """What `_prefixed` made ready for the file, if it was there."""
    own = {name: str(name).removeprefix(prefix) for name in whole.variables if prefix in str(name)}
    if not own:
        return None
    part = whole[list(own)].rename(own).drop_attrs(deep=False)
    return part.assign_coords({dim: part[dim].values.astype(str)})
