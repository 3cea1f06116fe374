"""Choose the delays of connections to filter nodes, and the times of their samples.

`schedule` chooses delays inside the network's own range and relabels time where a kernel starts
earlier, so that there is neither latency nor shift.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .._types import Ints
from ..errors import NetworkError
from ..simulator import Simulator

_WIDEN = "widen them with nest.set(min_delay=..., max_delay=...) before connecting"


@dataclass(frozen=True)
class Schedule:
    """How spikes and samples are timed, all in steps.

    Attributes
    ----------
    shift : int
        A node's sample stamped s is the signal at s - shift.
    hold : ndarray of int, shape (pre,)
        Steps by which the node itself holds back spikes of each population.
    delays : list of ndarray of int
        Delay of each connection, for each population.
    """

    shift: int
    hold: Ints
    delays: list[Ints]


def schedule(
    names: Sequence[str],
    first_lags: Ints,
    extra: list[Ints],
    min_delay: int,
    max_delay: int,
    max_hold: Ints,
) -> Schedule:
    """Delays inside [min_delay, max_delay] that bring every tap to its place in time.

    A spike stamped t reaches a node over delay d in the sample stamped t + d, and its first tap
    belongs to t + first_lag: hence ``d + hold = first_lag + shift``. Where the earliest kernel
    starts before min_delay, all samples are relabelled by a common shift; where one starts
    after max_delay, the node holds the spikes back for the rest.

    Parameters
    ----------
    names : sequence of str
        The populations, for messages.
    first_lags : ndarray of int, shape (pre,)
        Lag of each population's first tap.
    extra : list of ndarray of int
        Additional lag of each neuron of each population.
    min_delay, max_delay : int
        The network's own range.
    max_hold : ndarray of int, shape (pre,)
        What the nodes can hold back.

    Raises
    ------
    NetworkError
        If the lags of one population's neurons differ by more than the range of delays, or
        those of one population are later than the node can hold its spikes back.
    """
    lags = [lag + more for lag, more in zip(first_lags, extra, strict=True)]
    earliest = min((int(lag.min()) for lag in lags if lag.size), default=min_delay)
    shift = max(0, min_delay - earliest)
    hold = np.zeros(len(lags), dtype=np.int64)
    delays = []
    for p, lag in enumerate(lags):
        if lag.size:
            hold[p] = max(0, int(lag.max()) + shift - max_delay)
            if int(lag.min()) + shift - hold[p] < min_delay:
                raise NetworkError(
                    f"the lags of population {names[p]!r} run from {lag.min()} to {lag.max()} "
                    f"steps, more than the network's delays from {min_delay} to {max_delay} steps "
                    f"can follow; {_WIDEN}"
                )
            if hold[p] > max_hold[p]:
                first = [name for name, lag in zip(names, lags, strict=True) if earliest in lag]
                why = f", since those of {first[0]!r} start at {earliest} steps" if shift else ""
                raise NetworkError(
                    f"the lags of population {names[p]!r} run to {lag.max()} steps, and with the "
                    f"network's delays from {min_delay} to {max_delay} steps they can run to "
                    f"{max_delay + max_hold[p] - shift} steps{why}; {_WIDEN}"
                )
        delays.append(lag + shift - hold[p])
    return Schedule(shift, hold, delays)


def delay_range(sim: Simulator, unconnected: bool, what: str = "FieldRecorder") -> tuple[int, int]:
    """The network's own [min_delay, max_delay] in steps."""
    # Until the first Simulate, a rank may know the delays of its own connections only.
    known = [
        (low, high)
        for connections, low, high in sim.ranks.gather((sim.connections_here, *sim.delays_here))
        if connections > 0
    ]
    if not known and not unconnected:
        raise NetworkError(
            f"the network has no connections yet: connect it first, then make the {what}, "
            "whose connections keep to the delays of the network's (nestlfp.Inputs(populations, "
            "unconnected=True) if it is meant to have none)"
        )
    known = known or [sim.delays_here]
    dt = sim.resolution
    return round(min(low for low, _ in known) / dt), round(max(high for _, high in known) / dt)
