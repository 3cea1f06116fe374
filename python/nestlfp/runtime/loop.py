"""loop: the simulation as a loop in Python, with the signals so far at each turn."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import xarray as xr

from ..errors import NetworkError
from ..simulator import Simulator
from .progress import progress_bar
from .recorder import FieldRecorder, advancing
from .samples import Samples
from .session import Session, current
from .simulate import warn_of_cuts, whole_steps
from .streams import Merged, Stream, To, check_streaming, destinations
from .timing import delay_range


def loop(
    t: float,
    *,
    every: float,
    recorder: FieldRecorder | None = None,
    to: To | None = None,
    chunk: float = 1000.0,
    overwrite: bool = False,
    append: bool = False,
    progress: bool = True,
) -> Iterator[xr.Dataset]:
    """Simulate, and return the signals every few milliseconds, to act on them.

    Between two turns NEST stands still, and parameters of devices and neurons can be set. With
    several MPI ranks each calls it with the same arguments, gets the same signals, and has to leave
    the loop in the same turn.

    Parameters
    ----------
    t : float
        Time to simulate (ms), a multiple of the resolution.
    every : float
        Time between two turns (ms), a multiple of the network's min_delay. Turns end at its
        multiples, and the last one at the end.
    recorder : FieldRecorder, optional
        Whose signals, where the network has several recorders. Default: those of all.
    to : path, optional
        Zarr store that the signals are appended to, with `chunk`, `overwrite` and `append` as in
        `simulate`. Without one, they stay in memory.
    progress : bool
        Show a progress bar (on rank 0).

    Yields
    ------
    signals : xarray.Dataset
        As `FieldRecorder.signals`: the samples since the last turn, and since the call at the
        first. They are complete up to now, but for kernels that start before the network's
        min_delay: the last `FieldRecorder.latency` of these is missing.

    Raises
    ------
    NetworkError
        If a time is not what it should be; if there is no recorder; if NEST's time was set back;
        if connections of recorders were changed; between ``nest.Prepare()`` and
        ``nest.Cleanup()``. At the call, before anything runs.

    Notes
    -----
    Leaving the loop ends the simulation there. The spikes are those of one ``nest.Simulate(t)``
    as long as nothing is changed between turns, except with structural plasticity (`simulate`).

    A turn is a ``nest.Simulate`` of its own, since NEST warns of setting parameters of a network
    that is prepared to run; what that costs is in docs/closed_loop.md.

    Examples
    --------
    >>> for signals in nestlfp.loop(1000.0, every=5.0):  # doctest: +SKIP
    ...     stimulus.rate = 1000.0 * (signals["LFP"].isel(LFP_channel=3).mean().item() > 0.01)
    """
    sim = Simulator()
    session = current(sim)
    session.check_can_simulate("nestlfp.loop")
    dt = sim.resolution
    n = whole_steps(t, dt, "t", lowest=0)
    turn = whole_steps(every, dt, "every", lowest=1)
    whole_steps(chunk, dt, "chunk", lowest=1)
    check_streaming(to, recorder, replaced=overwrite or append)
    start = sim.step
    session.check_clock(start)
    min_delay, _ = delay_range(sim, unconnected=True)
    if turn % min_delay:
        below, above = turn // min_delay * min_delay, (turn // min_delay + 1) * min_delay
        near = " or ".join(f"{each * dt:g}" for each in (below, above) if each)
        raise NetworkError(
            f"every must be a multiple of the network's min_delay of {min_delay * dt:g} ms, found "
            f"{every!r}: {near} ms. NEST draws random numbers in slices of min_delay, and a cut "
            "elsewhere makes another realization of the network"
        )
    places = destinations(to, recorder, session)
    if len(places) > 1:
        raise NetworkError("loop streams to one store, found several in to={...}")
    ((path, source),) = places.items()
    session.check_connections()
    if sim.grows and sim.ranks.rank == 0:
        warn_of_cuts({"each turn": True})
    streams = []
    if to is not None:
        streams = [Stream(source, path, sim.ranks, None, chunk, overwrite=overwrite, append=append)]
    source.remember(start, 2 * min_delay)
    bar = progress_bar(n * dt, progress and sim.ranks.rank == 0)
    return _turns(sim, session, source, streams, bar, start + n, turn)


def _turns(
    sim: Simulator,
    session: Session,
    source: Samples | Merged,
    streams: list[Stream],
    bar: Any,
    stop: int,
    turn: int,
) -> Iterator[xr.Dataset]:
    """The turns, from NEST's present step to `stop`."""
    dt = sim.resolution
    now = sim.step
    source.collect()
    first = source.complete_until(now)
    with ExitStack() as stack:
        for stream in streams:
            stack.enter_context(stream)
        advance = stack.enter_context(bar)
        try:
            while now < stop:
                length = min((now // turn + 1) * turn, stop) - now
                with sim.quiet():
                    for part in advancing(session, now, [length]):
                        with sim.runs():
                            sim.run(part * dt)
                advance(length * dt)
                now = sim.step
                source.collect()
                end = max(first, source.complete_until(now))
                signals = source.latest(first, end)
                first = end
                for stream in streams:
                    stream.take()
                yield signals
                session.check_alive("loop", "Start another one")
                now = sim.step  # who acts on signals may simulate, too
            session.check_connections()
        finally:
            if session.alive:
                for stream in streams:
                    stream.finish()
