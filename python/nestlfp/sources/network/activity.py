"""Firing rates of populations, from spikes that NEST recorded."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np

from ...errors import NetworkError
from ...simulator.kernel import check_not_prepared, import_nest
from ...simulator.populations import population_ids
from ...simulator.ranks import Ranks
from ...simulator.recorders import events_of


def rates(populations: Mapping[str, Any], spikes: Any, *, start: float = 0.0) -> dict[str, float]:
    """Firing rates after a run, which `kernels` of conductances need.

    Run the network for a second, read its rates, and build it anew after ``nest.ResetKernel()``.

    Parameters
    ----------
    populations : dict of str to nest.NodeCollection
        The neurons of each population.
    spikes : nest.NodeCollection, or dict of str to such
        The spike recorder of all populations, or that of each of them; a list of several; or a
        recorder's ``events``, which are then of all neurons. Where a recorder hears a part of a
        population, the rate is that of the part.
    start : float
        What NEST simulated before this time (ms) does not count: leave the onset out.

    Returns
    -------
    dict of str to float
        Spikes/s of a neuron. With several MPI ranks it is collective, and the same on each.

    Raises
    ------
    NetworkError
        If populations or recorders are wrong (`hybrid.Network.from_nest` has the rules), a recorder
        hears nobody of its population, or nothing was simulated after `start`.

    Examples
    --------
    >>> nest.Simulate(1000.0)  # doctest: +SKIP
    >>> found = network.rates({"E": E, "I": I}, {"E": spikes_E, "I": spikes_I}, start=200.0)
    ... # doctest: +SKIP
    """
    nest = import_nest()
    ranks = Ranks(nest)
    check_not_prepared(nest, "rates")
    ids = population_ids(list(populations), populations, nest, overlap=True)
    each = spikes if isinstance(spikes, Mapping) and not {"senders", "times"} <= set(spikes) else {
        name: spikes for name in populations
    }  # fmt: skip
    unknown, missing = set(each) - set(ids), set(ids) - set(each)
    if unknown or missing:
        raise NetworkError(
            f"spikes must be those of the populations {list(ids)}: missing {sorted(missing)}, "
            f"unknown {sorted(unknown)}"
        )
    now = float(nest.biological_time)
    found = {}
    for name, recorder in each.items():
        senders, times = ranks.agree(partial(events_of, recorder, name, nest))
        first, last, heard = start, now, float(ids[name].size)
        if not isinstance(recorder, Mapping):
            nodes = nest.NodeCollection(np.sort(ids[name]).tolist())
            first, last, heard = _heard(nest, ranks, nodes, recorder, name)
            first, last = max(first, start), min(last, now)
        if last <= first:
            raise NetworkError(
                f"no spikes of {name!r} were recorded after {first:g} ms: NEST has simulated "
                f"{now:g} ms"
            )
        own = np.isin(senders, ids[name]) & (times > first) & (times <= last)
        total = float(ranks.sum(np.array([float(np.count_nonzero(own))]))[0])
        found[name] = total / heard / (last - first) * 1000.0
    return found


def _heard(
    nest: Any, ranks: Ranks, nodes: Any, recorders: Any, name: str
) -> tuple[float, float, float]:
    """From when to when (ms) recorders hear a population, and how many of its neurons."""
    several = recorders if isinstance(recorders, list | tuple) else [recorders]
    sources: set[int] = set()
    first, last = 0.0, np.inf
    for each in several:
        connections = nest.GetConnections(nodes, each)
        sources.update(connections.sources() if len(connections) else ())
        for node in each:
            own = node.get(["start", "stop", "origin"])
            first = max(first, own["origin"] + own["start"])
            last = min(last, own["origin"] + own["stop"])
    heard = len(set().union(*ranks.gather(sources)))
    if not heard:
        raise NetworkError(
            f"the recorder given for {name!r} hears none of its neurons: nest.Connect({name}, "
            "recorder)"
        )
    return first, last, float(heard)
