"""Firing rates of populations, from spikes that NEST recorded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..._types import Ints
from ...errors import NetworkError
from ...simulator.kernel import check_not_prepared, import_nest
from ...simulator.populations import population_ids
from ...simulator.ranks import Ranks
from ...simulator.recorders import recorded_spikes


def rates(
    populations: Mapping[str, Any], spikes: Mapping[str, Any], *, start: float = 0.0
) -> dict[str, float]:
    """Firing rates after a run, which `kernels` of conductances need.

    Run the network for a second, read its rates, and build it anew after ``nest.ResetKernel()``.

    Parameters
    ----------
    populations : dict of str to nest.NodeCollection
        The neurons of each population.
    spikes : dict of str to nest.NodeCollection, list of such, or dict
        For each of them its spike recorder, a list of several, or a recorder's ``events``, which
        are then of all neurons. Where a recorder hears a part of the population, the rate is that
        of the part. One that writes to a file is asked how many spikes it has counted, all since
        its own start.
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
        hears nobody of its population, or nothing was simulated after `start`; if one that writes
        to a file began before `start`, or hears other populations too.

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
    counted = ranks.agree(lambda: _counted(nest, spikes, ids, start))
    held = {name: of for name, of in spikes.items() if name not in counted} if counted else spikes
    recorded = ranks.agree(lambda: recorded_spikes(held, ids, nest))
    now = float(nest.biological_time)
    found = {}
    for name in (*recorded, *counted):
        first, last, heard = start, now, float(ids[name].size)
        if not isinstance(spikes[name], Mapping):
            first, last, heard = _heard(nest, ranks, ids[name], spikes[name], name)
            first, last = max(first, start), min(last, now)
        if last <= first:
            raise NetworkError(
                f"no spikes of {name!r} were recorded after {first:g} ms: NEST has simulated "
                f"{now:g} ms"
            )
        if name in counted:
            number = counted[name]
        else:
            times, _ = recorded[name]
            number = int(np.count_nonzero((times > first) & (times <= last)))
        total = float(ranks.sum(np.array([float(number)]))[0])
        found[name] = total / heard / (last - first) * 1000.0
    return found


def _counted(nest: Any, spikes: Any, ids: Mapping[str, Ints], start: float) -> dict[str, int]:
    """Number of spikes that recorders have written, of populations whose recorders write."""
    found = {}
    for name, given in spikes.items() if isinstance(spikes, Mapping) else ():
        several = given if isinstance(given, list | tuple) else [given]
        if name not in ids or not all(isinstance(each, nest.NodeCollection) for each in several):
            continue  # `recorded_spikes` says what is wrong
        status = [node.get() for each in several for node in each]
        if any(own.get("record_to", "memory") == "memory" for own in status):
            continue
        heard = {s for each in several for s in nest.GetConnections(target=each).sources()}
        if min(own["origin"] + own["start"] for own in status) < start or not heard <= {
            *ids[name].tolist()
        }:
            raise NetworkError(
                f"the recorder of {name!r} writes to a file, and can only tell how many spikes it "
                f"has counted, of all that it hears: record in memory, {{'record_to': 'memory'}}, "
                f"or give a recorder that starts at {start:g} ms and hears {name!r} alone"
            )
        found[name] = sum(own["n_events"] for own in status)
    return found


def _heard(
    nest: Any, ranks: Ranks, ids: Ints, recorders: Any, name: str
) -> tuple[float, float, float]:
    """From when to when (ms) recorders hear a population, and how many of its neurons."""
    nodes = nest.NodeCollection(np.sort(ids).tolist())
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
