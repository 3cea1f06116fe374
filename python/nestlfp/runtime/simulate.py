"""simulate: nest.Simulate with a progress bar and streaming to disk, and the same spikes."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import Any

import numpy as np
import xarray as xr

from ..errors import NetworkError
from ..grid import step_or_none
from ..simulator import Simulator
from .progress import interrupts, progress_bar
from .recorder import FieldRecorder, advancing, next_reading, recorders_of
from .session import current
from .streams import Stream, To, check_streaming, destinations
from .timing import delay_range

_PIECES = 200  # how often, at most, a progress bar moves


def pieces(start: int, stop: int, min_delay: int, length: int) -> list[int]:
    """Lengths, in steps, of runs from start to stop that are cut at multiples of min_delay.

    NEST draws random numbers slice by slice, and slices start at multiples of min_delay from
    time 0: a cut anywhere else makes another realization of the network.
    """
    stride = max(1, round(length / min_delay)) * min_delay
    cuts = np.arange((start // stride + 1) * stride, stop, stride)
    return np.diff(np.concatenate([[start], cuts, [stop]])).astype(int).tolist()


def complete_stop(stop: int, last_stamps: list[int], min_delay: int) -> int:
    """Step to simulate to until samples with these stamps are there.

    NEST hands out the samples of a slice of min_delay in the next one. The run ends with a slice.
    """
    slices = [-(-stamp // min_delay) + 1 for stamp in last_stamps]
    return max([stop, *(n * min_delay for n in slices)])


def simulate(
    t: float,
    *,
    to: To | Mapping[FieldRecorder | str, To] | None = None,
    chunk: float = 1000.0,
    overwrite: bool = False,
    append: bool = False,
    on_chunk: Callable[[xr.Dataset], Any] | None = None,
    recorder: FieldRecorder | None = None,
    complete: bool = False,
    progress: bool = True,
) -> None:
    """Simulate the network, like ``nest.Simulate(t)``, with a progress bar; stream to disk.

    With several MPI ranks it is collective: each calls it with the same arguments.

    Parameters
    ----------
    t : float
        Time to simulate (ms), a multiple of the resolution. NEST returns the last samples of
        a run only after you simulate further, see `complete`.
    to : path or dict, optional
        Zarr store (a folder, usually ``*.zarr``) that the recorders' signals are appended to
        while the simulation runs. Memory then stays flat, however long that is. The store can be
        opened with ``xarray.open_zarr`` at any time, also after a crash. The signals of several
        recorders go into one store if their names differ and their samples are at the same
        times; a dict ``{recorder: path}``, or with the recorders' names, gives each its own.
    chunk : float
        Length of the chunks that are written, or handed to `on_chunk` (ms). They end at its
        multiples, and the last one where the simulation does.
    overwrite, append : bool
        What to do if the store exists: replace it, unless it has samples that these recorders
        have written themselves and hold nowhere else; or continue it. Continuing checks that
        kernels, channels, interval and time continue; a run that is repeated from its start
        must reproduce what is there, which is then not written again.
    on_chunk : callable, optional
        Called with the signals of each chunk (xarray.Dataset) as it comes, on each rank.
        Returning True (or an array of no dimensions that is True) on any rank stops the
        simulation there; any other value does not.
    recorder : FieldRecorder, optional
        What to stream, where the network has several recorders. Default: all of them.
    complete : bool
        Simulate on after t until every recorder has all its samples up to t: to the end of the
        next slice of the network's min_delay or, where kernels start before min_delay, later by
        as much. The network is then at that time, and its spikes go on to there.
    progress : bool
        Show a progress bar with simulated time and real-time factor (on rank 0), in place of the
        one of ``nest.print_time``.

    Raises
    ------
    NetworkError
        If `t` is not a multiple of the resolution, if there is no recorder to stream, if it is
        not clear where the signals of several go, or if there is no store to overwrite or append
        to; if NEST's time was set back; if connections of recorders were changed; between
        ``nest.Prepare()`` and ``nest.Cleanup()``.
    StreamError
        If the store cannot be written or continued. The network is still there, and a second
        call goes on from where this one stopped; no sample is lost.
    KeyboardInterrupt
        After an interrupt, at the end of a chunk, with what there is written; a second
        interrupt does not wait for that.

    Notes
    -----
    The simulation runs in pieces that end at multiples of the network's min_delay, so that the
    spikes are those of a single ``nest.Simulate(t)``. NEST's own reports and warnings, which it
    has for each piece, are not printed, and ``nest.local_spike_counter`` counts the last piece
    alone. With ``progress=False`` and no chunks there is one piece. Recorders that follow plastic
    synapses (`Plasticity`) read their strengths between pieces.

    With structural plasticity (``nest.structural_plasticity_synapses``) NEST's result depends on
    where a run is cut, with and without recorders. The simulation then is in one piece, during
    which the progress bar stands still. What cannot be in one piece (``to``, ``on_chunk``, a
    recorder that follows plasticity) or ends later (``complete``) gives a warning: compare it with
    a run that is cut at the same times.
    """
    sim = Simulator()
    session = current(sim)
    session.check_can_simulate("nestlfp.simulate")
    dt = sim.resolution
    n = whole_steps(t, dt, "t", lowest=0)
    steps_of_chunk = whole_steps(chunk, dt, "chunk", lowest=1)
    if on_chunk is not None and not callable(on_chunk):
        raise NetworkError(f"on_chunk must be a function that takes signals, found {on_chunk!r}")
    check_streaming(to, recorder, replaced=overwrite or append)
    start = sim.step
    session.check_clock(start)
    # Kernel attributes are read before nest.Prepare: with MPI, NEST loses its delays otherwise.
    min_delay, _ = delay_range(sim, unconnected=True)
    if complete:
        stamps = [each._samples.last_stamp(start + n) for each in recorders_of(session)]
        n = complete_stop(start + n, stamps, min_delay) - start
    chunks, places = [n], {}
    whole = sim.grows
    if whole and n and sim.ranks.rank == 0:
        warn_of_cuts(
            {
                "complete=True": complete,
                "handing on chunks": to is not None or on_chunk is not None,
                "reading strengths": next_reading(session, start + n) < start + n,
            }
        )
    whole = whole or not progress
    if to is not None or on_chunk is not None:
        chunks = pieces(start, start + n, min_delay, steps_of_chunk)
        places = destinations(to, recorder, session)
        if on_chunk is not None and len(places) > 1:
            raise NetworkError("on_chunk can see one store's signals, found several in to={...}")

    session.check_connections()
    with ExitStack() as stack:
        streams = [
            stack.enter_context(
                Stream(
                    source,
                    path,
                    sim.ranks,
                    on_chunk,
                    chunk,
                    overwrite=overwrite,
                    append=append,
                )
            )
            for path, source in places.items()
        ]
        stack.enter_context(sim.quiet(bar=not progress and len(chunks) == 1))
        advance = stack.enter_context(progress_bar(n * dt, progress and sim.ranks.rank == 0))
        interrupted = stack.enter_context(interrupts())
        stack.enter_context(session.handing_on())
        for length in advancing(session, start, chunks):
            session.check_alive("simulation", "on_chunk must not do that")
            with sim.runs():
                parts = pieces(start, start + length, min_delay, -(-n // _PIECES))
                for piece in [length] if whole else parts:
                    sim.run(piece * dt)
                    advance(piece * dt)
                    if not streams and sim.ranks.any(interrupted()):
                        break
            start += length
            # NEST hands its samples over for good only between Cleanup and Prepare.
            stop = any([stream.take() for stream in streams])
            if sim.ranks.any(stop or interrupted()):
                break
        for stream in streams:
            stream.finish()
        session.check_connections()
        if sim.ranks.any(interrupted()):
            raise KeyboardInterrupt


def warn_of_cuts(reasons: Mapping[str, bool]) -> None:
    """Structural plasticity, and a run that has to be cut for one of these reasons."""
    given = [what for what, cuts in reasons.items() if cuts]
    if not given:
        return
    warnings.warn(
        "the network has structural plasticity (nest.structural_plasticity_synapses), and "
        f"{given[0]} cuts the run: NEST makes other connections, and other spikes, than in one "
        "uncut nest.Simulate. Compare it with runs that are cut at the same times alone",
        stacklevel=3,
    )


def whole_steps(value: float, dt: float, what: str, lowest: int) -> int:
    n = step_or_none(value, dt, lowest)
    if n is None:
        kind = "positive multiple" if lowest else "multiple"
        raise NetworkError(
            f"{what} must be a {kind} of the resolution of {dt:g} ms, found {value!r}"
        )
    return n
