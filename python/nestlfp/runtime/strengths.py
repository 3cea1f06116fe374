"""Out-strengths: how strongly each neuron drives its targets, by the network's connections."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

import numpy as np
import xarray as xr

from .._types import Floats, Ints
from ..errors import NetworkError
from ..kernels.names import by_dims
from ..simulator import Simulator, synapses
from ..simulator.node_models import stands_for_many
from ..simulator.populations import population_ids

_BLOCK = 1_000_000
"""Connections that NEST is asked for at once: 60 bytes each. It looks through all it has each time,
8 ns for each."""


def out_strengths(
    populations: Mapping[str, Any],
    post: Mapping[str, Any] | None = None,
    *,
    by: str | Iterable[str] = (),
) -> dict[str, xr.DataArray]:
    """The summed weight of each neuron's connections, relative to its population's mean.

    That is most of how a neuron's kernel differs from its population's (docs/validation.md), and
    NEST's connections have it: no multicompartment cell is needed. `FieldRecorder` takes the
    result as `weights`.

    Parameters
    ----------
    populations : dict of str to nest.NodeCollection
        The neurons of each presynaptic population, in the order in which the recorder gets them.
    post : dict of str to nest.NodeCollection, optional
        The postsynaptic populations whose currents make the signal: those of the kernels. Default:
        `populations`.
    by : {"post"}, optional
        Keep the postsynaptic populations apart, for kernels that were made by
        `NeuronKernels.by_pathway`. Default: summed over them, which is right where a connection's
        weight says how much it adds to the signal whatever its target is.

    Returns
    -------
    dict of str to xarray.DataArray
        For each presynaptic population an array with the dimensions ``(neuron,)`` or ``(neuron,
        post)``, whose mean over neurons is 1. Coordinate ``node_id``. A population without any
        connection to a postsynaptic one has zeros there.

    Raises
    ------
    NetworkError
        If populations are empty or no nodes, or nodes that stand for many neurons, if weights sum
        to zero over a population, if it is not known how a synapse model weighs spikes, or if NEST
        does not keep the sources of connections (``keep_source_table=False``).

    Notes
    -----
    Connections count that carry spikes, each with what a spike weighs that comes after a long
    silence. For most synapse models that is the weight of this moment. It is U · weight for
    ``tsodyks_synapse``, ``tsodyks_synapse_hom`` and ``tsodyks2_synapse``, n · U · weight for
    ``quantal_stp_synapse``, p_transmit · weight for ``bernoulli_synapse``, P · weight for
    ``ht_synapse``, and the model's weight for ``static_synapse_hom_w``. Copies count like these.
    Gap junctions, and connections of rates and other continuous values, are left out. Any other
    synapse model, such as one of your own module, is refused. Multapses count each; weights onto
    different receptors of a neuron are added as they are. Connections to recorders, to nestlfp's
    too, do not count: a target must be in `post`.

    With several MPI ranks it is collective, and the same on each. NEST takes about 8 µs for each
    connection, and 100 MB however many there are.

    Examples
    --------
    >>> import nest, nestlfp  # doctest: +SKIP
    >>> strengths = nestlfp.out_strengths({"E": E, "I": I})  # doctest: +SKIP
    >>> inputs = nestlfp.Inputs({"E": E, "I": I}, weights=strengths)  # doctest: +SKIP
    >>> nestlfp.FieldRecorder(kernels, inputs)  # doctest: +SKIP
    """
    sim = Simulator()
    sim.check_not_prepared("out_strengths")
    if "pre" in by_dims(by):
        raise NetworkError(f"by must be 'post', or nothing, found {by!r}")
    apart = "post" in by_dims(by)
    sim.check_sources_kept()
    pre = _ids(populations, "populations", sim)
    targets = pre if post is None else _ids(post, "post", sim)
    for name, ids in pre.items():
        if (why := stands_for_many(int(ids[0]), sim)) is not None:
            raise NetworkError(
                f"population {name!r}: {why}: it has no out-strengths of neurons, leave it out"
            )
    density = max(sim.ranks.gather(sim.connections_here)) // max(1, sim.network_size)
    size = _BLOCK // max(1, density) + 1
    # Of all ranks: the first question about connections is collective.
    models = sorted(set().union(*sim.ranks.gather(synapses.used_models(sim))))
    found = {}
    for name, ids in pre.items():
        own = sim.ranks.agree(partial(_sums, sim, ids, targets, models, size))
        sums = sim.ranks.sum(own)
        if not apart:
            sums = sums.sum(axis=1, keepdims=True)
        array = xr.DataArray(
            _relative(sums, name),
            dims=("neuron", "post"),
            coords={"node_id": ("neuron", ids)},
            name=name,
            attrs={"units": "1", "long_name": "summed weight / mean of the population"},
        )
        found[name] = array.assign_coords(post=list(targets)) if apart else array.isel(post=0)
    return found


def _ids(populations: Mapping[str, Any], what: str, sim: Simulator) -> dict[str, Ints]:
    if not isinstance(populations, Mapping) or not populations:
        raise NetworkError(
            f"{what} must be a dict such as {{'E': nodes}}, found {str(populations)[:60]!r}"
        )
    ids = population_ids(list(populations), populations, sim, overlap=what == "post")
    for name, given in populations.items():
        if isinstance(given, set | frozenset):
            raise NetworkError(f"the neurons of {name!r} are a set, which has no order: use a list")
        if not ids[name].size:
            raise NetworkError(f"population {name!r} has no neurons: leave it out")
    return ids


def _sums(
    sim: Simulator, ids: Ints, targets: Mapping[str, Ints], models: list[str], size: int
) -> Floats:
    """Summed weights of this rank's connections, (neuron, post); of so many neurons at once."""
    order = np.argsort(ids)
    sums = np.zeros((ids.size, len(targets)))
    for p, onto in enumerate(targets.values()):
        there = sim.nodes(onto)
        for start in range(0, ids.size, size):
            here = sim.nodes(ids[order[start : start + size]])
            for read in synapses.connections(sim, here, there, models, ["source"]):
                at = order[np.searchsorted(ids, read["source"], sorter=order)]
                sums[:, p] += np.bincount(at, weights=read["weight"], minlength=ids.size)
    return sums


def _relative(sums: Floats, name: str) -> Floats:
    mean = sums.mean(axis=0)
    nothing = ~sums.any(axis=0)
    if nothing.all():
        raise NetworkError(
            f"population {name!r} has no connections to the postsynaptic populations: leave it out"
        )
    small = np.abs(mean) < 1e-9 * np.abs(sums).max(axis=0)
    if np.any(small & ~nothing):
        raise NetworkError(
            f"the weights of population {name!r} sum to zero over its neurons, so that there is no "
            "mean to which they are relative: give weights of your own"
        )
    return sums / np.where(nothing, 1.0, mean)
