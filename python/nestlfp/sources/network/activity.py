"""Firing rates of populations, from spikes that NEST recorded."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np

from ..._types import Ints
from ...errors import NetworkError
from ...simulator import Simulator
from ...simulator.populations import population_ids
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
        recorder's ``events``, which are then of all neurons. Where a recorder is connected to a
        part of a population, the rate is that of the part. Of one that writes to a file, NEST has
        only the number of spikes since its own start.
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
        records no neuron of its population, or nothing was simulated after `start`; if one that
        writes to a file began before `start`, or records other populations too.

    Examples
    --------
    >>> nest.Simulate(1000.0)  # doctest: +SKIP
    >>> found = network.rates({"E": E, "I": I}, {"E": spikes_E, "I": spikes_I}, start=200.0)
    ... # doctest: +SKIP
    """
    sim = Simulator()
    sim.check_not_prepared("rates")
    ids = population_ids(list(populations), populations, sim, overlap=True)
    each = spikes if isinstance(spikes, Mapping) and not {"senders", "times"} <= set(spikes) else {
        name: spikes for name in populations
    }  # fmt: skip
    unknown, missing = set(each) - set(ids), set(ids) - set(each)
    if unknown or missing:
        raise NetworkError(
            f"spikes must be those of the populations {list(ids)}: missing {sorted(missing)}, "
            f"unknown {sorted(unknown)}"
        )
    now = sim.time
    found = {}
    for name, recorder in each.items():
        own = ids[name]
        number = sim.ranks.agree(partial(_counted, sim, recorder, own, name, start))
        if number is None:
            senders, times = sim.ranks.agree(partial(events_of, recorder, name, sim))
        first, last, recorded = start, now, float(own.size)
        if not isinstance(recorder, Mapping):
            first, last, recorded = _recorded(sim, own, recorder, name)
            first, last = max(first, start), min(last, now)
        if last <= first:
            raise NetworkError(
                f"no spikes of {name!r} were recorded after {first:g} ms: NEST has simulated "
                f"{now:g} ms"
            )
        if number is None:
            counts = np.isin(senders, own) & (times > first) & (times <= last)
            number = int(np.count_nonzero(counts))
        total = float(sim.ranks.sum(np.array([float(number)]))[0])
        found[name] = total / recorded / (last - first) * 1000.0
    return found


def _counted(sim: Simulator, recorders: Any, own: Ints, name: str, start: float) -> int | None:
    """How many spikes of a population recorders have written here; None if not all write."""
    several = recorders if isinstance(recorders, list | tuple) else [recorders]
    if not all(sim.are_nodes(each) for each in several):
        return None
    status = [node.get() for each in several for node in each]
    if any(one.get("record_to", "memory") == "memory" for one in status):
        return None
    found = [sim.columns(sim.connections(None, each), ["source"])["source"] for each in several]
    recorded = set(np.concatenate(found).tolist())
    began = min(one["origin"] + one["start"] for one in status)
    if began < start or not recorded <= set(own.tolist()):
        raise NetworkError(
            f"the recorder of {name!r} writes to a file, and has only the number of spikes that "
            f"it recorded: record in memory, {{'record_to': 'memory'}}, or give "
            f"a recorder that starts at {start:g} ms and records {name!r} alone"
        )
    return sum(one["n_events"] for one in status)


def _recorded(sim: Simulator, ids: Ints, recorders: Any, name: str) -> tuple[float, float, float]:
    """From when to when (ms) recorders record a population, and how many of its neurons."""
    nodes = sim.nodes(ids)
    several = recorders if isinstance(recorders, list | tuple) else [recorders]
    sources: set[int] = set()
    first, last = 0.0, np.inf
    for each in several:
        connections = sim.connections(nodes, each)
        sources.update(sim.columns(connections, ["source"])["source"].tolist())
        for node in each:
            own = node.get(["start", "stop", "origin"])
            first = max(first, own["origin"] + own["start"])
            last = min(last, own["origin"] + own["stop"])
    recorded = len(set().union(*sim.ranks.gather(sources)))
    if not recorded:
        raise NetworkError(
            f"the recorder given for {name!r} records none of its neurons: nest.Connect({name}, "
            "recorder)"
        )
    return first, last, float(recorded)
