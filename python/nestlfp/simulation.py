"""simulate: nest.Simulate with a progress bar and streaming to disk, and the same spikes."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from .bank import RECORDERS, import_nest
from .errors import NetworkError
from .kernels import steps
from .parallel import Ranks
from .recorder import FieldRecorder, delay_range
from .streaming import ZarrStream

_PIECES = 200  # how often, at most, a progress bar moves


def pieces(start: int, stop: int, min_delay: int, length: int) -> list[int]:
    """Lengths, in steps, of runs from start to stop that are cut at multiples of min_delay.

    NEST draws random numbers slice by slice, and slices start at multiples of min_delay from
    time 0: a cut anywhere else makes another realization of the network.
    """
    stride = max(1, round(length / min_delay)) * min_delay
    cuts = np.arange((start // stride + 1) * stride, stop, stride)
    return np.diff(np.concatenate([[start], cuts, [stop]])).astype(int).tolist()


def simulate(
    t: float,
    *,
    to: str | os.PathLike[str] | None = None,
    chunk: float = 1000.0,
    overwrite: bool = False,
    append: bool = False,
    on_chunk: Callable[[xr.Dataset], Any] | None = None,
    recorder: FieldRecorder | None = None,
    progress: bool = True,
) -> None:
    """Simulate the network, like ``nest.Simulate(t)``, with a progress bar; stream to disk.

    With several MPI ranks it is collective: each calls it with the same arguments.

    Parameters
    ----------
    t : float
        Time to simulate (ms), a multiple of the resolution.
    to : path, optional
        Zarr store (a folder, usually ``*.zarr``) that the recorder's signals are appended to
        while the simulation runs. Memory then stays flat, however long that is. The store can be
        opened with ``xarray.open_zarr`` at any time, also after a crash.
    chunk : float
        Length of the chunks that are written, or handed to `on_chunk` (ms).
    overwrite, append : bool
        What to do if the store exists: replace it, or continue it. Continuing checks that
        kernels, channels, interval and time continue; a run that is repeated from its start
        must reproduce what is there, which is then not written again.
    on_chunk : callable, optional
        Called with the signals of each chunk (xarray.Dataset) as it comes, on each rank.
        Returning True stops the simulation there.
    recorder : FieldRecorder, optional
        What to stream, where the network has several recorders.
    progress : bool
        Show a progress bar with simulated time and real-time factor (on rank 0).

    Raises
    ------
    NetworkError
        If `t` is not a positive multiple of the resolution, or there is no recorder to stream.
    StreamError
        If the store cannot be written or continued. The network is still there, and a second
        call goes on from where this one stopped.
    KeyboardInterrupt
        After an interrupt, at the end of a chunk, with what there is written.

    Notes
    -----
    The simulation runs in pieces that end at multiples of the network's min_delay, so that the
    spikes are those of a single ``nest.Simulate(t)``.
    """
    nest = import_nest()
    ranks = Ranks(nest)
    dt = float(nest.resolution)
    n = _steps(t, dt, "t", lowest=0)
    start = round(nest.biological_time / dt)
    # Kernel attributes are read before nest.Prepare: with MPI, NEST loses its delays otherwise.
    min_delay, _ = delay_range(nest, ranks, unconnected=True)
    runs = [pieces(start, start + n, min_delay, -(-n // _PIECES))]
    sink = None
    if to is not None or on_chunk is not None:
        runs = _in_chunks(runs[0], _steps(chunk, dt, "chunk", lowest=1))
        source = recorder or _only_recorder()
        samples = max(1, round(chunk / source.interval))
        stream = ranks.agree(
            lambda: (
                ZarrStream(Path(to), samples, overwrite=overwrite, append=append)
                if to is not None and ranks.rank == 0
                else None
            )
        )
        sink = _Sink(source, ranks, None if to is None else Path(to), stream, samples, on_chunk)

    with _progress(n * dt, progress and ranks.rank == 0) as advance, _interrupts() as interrupted:
        for run in runs:
            with nest.RunManager():
                for piece in run:
                    nest.Run(piece * dt)
                    advance(piece * dt)
                    if ranks.any(interrupted()):
                        break
            # NEST hands its samples over for good only between Cleanup and Prepare.
            wanted = sink is not None and sink.take()
            if ranks.any(interrupted() or wanted):
                break
        if sink is not None:
            sink.finish()
        if ranks.any(interrupted()):
            raise KeyboardInterrupt


def _in_chunks(run: list[int], length: int) -> list[list[int]]:
    """Pieces gathered into runs that are as long as a chunk, at least a piece each."""
    ends = np.cumsum(run)
    chunk = (ends - 1) // length
    return [[run[i] for i in np.flatnonzero(chunk == c)] for c in np.unique(chunk)]


class _Sink:
    """Hands whole chunks of a recorder's signals to a store and a callback."""

    def __init__(
        self,
        recorder: FieldRecorder,
        ranks: Ranks,
        path: Path | None,
        stream: ZarrStream | None,
        samples: int,
        on_chunk: Callable[[xr.Dataset], Any] | None,
    ) -> None:
        self._recorder, self._ranks, self._samples = recorder, ranks, samples
        self._path, self._stream, self._on_chunk = path, stream, on_chunk
        # Without a store, samples stay with the recorder: the callback sees only new ones.
        self._seen = recorder.collect() if path is None else 0
        self._stop = False

    def take(self) -> bool:
        """Hand on the chunks that are complete; True if the callback wants to stop."""
        while self._recorder.collect() - self._seen >= self._samples and not self._stop:
            self._hand_on(self._samples)
        return self._stop

    def finish(self) -> None:
        """Hand on what is left, less than a chunk."""
        left = self._recorder.collect() - self._seen
        if left:
            self._hand_on(left)

    def _hand_on(self, n: int) -> None:
        signals = self._recorder.waiting(self._seen, n)
        if self._path is None:
            self._seen += n
        else:
            self._ranks.agree(lambda: self._stream.write(signals) if self._stream else None)
            self._recorder.moved_to(self._path, n)
        if self._on_chunk is not None and self._on_chunk(signals) is True:
            self._stop = True


def _steps(value: float, dt: float, what: str, lowest: int) -> int:
    try:
        n = int(steps(value, dt, what))
    except (ValueError, TypeError):
        n = -1
    if n < lowest:
        raise NetworkError(
            f"{what} must be a positive multiple of the resolution of {dt:g} ms, found {value!r}"
        )
    return n


def _only_recorder() -> FieldRecorder:
    if len(RECORDERS) != 1:
        raise NetworkError(
            f"the network has {len(RECORDERS)} recorders: "
            + ("tell which with recorder=..." if RECORDERS else "make a FieldRecorder first")
        )
    only: FieldRecorder = RECORDERS[0]
    return only


@contextlib.contextmanager
def _progress(total: float, shown: bool) -> Iterator[Callable[[float], None]]:
    """A progress bar with simulated time and real-time factor."""
    from tqdm import tqdm

    layout = "{l_bar}{bar}| {n:.0f}/{total:.0f} ms [{elapsed}<{remaining}{postfix}]"
    with tqdm(total=total, disable=None if shown else True, bar_format=layout) as bar:

        def advance(by: float) -> None:
            bar.update(by)
            if not bar.disable:
                factor = bar.format_dict["elapsed"] * 1000 / bar.n
                bar.set_postfix_str(f"real-time factor {factor:.3g}", refresh=False)

        yield advance


@contextlib.contextmanager
def _interrupts() -> Iterator[Callable[[], bool]]:
    """Whether Ctrl-C was pressed; a second one interrupts at once."""
    pressed = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield pressed.is_set
        return
    before = signal.getsignal(signal.SIGINT)

    def press(*_: Any) -> None:
        pressed.set()
        signal.signal(signal.SIGINT, before)

    signal.signal(signal.SIGINT, press)
    try:
        yield pressed.is_set
    finally:
        signal.signal(signal.SIGINT, before)
