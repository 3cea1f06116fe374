"""simulate: nest.Simulate with a progress bar and streaming to disk, and the same spikes."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from ..errors import NetworkError
from ..grid import steps
from ..signals.stream import ZarrStream
from .parallel import Ranks
from .recorder import FieldRecorder
from .session import RECORDERS, import_nest
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
        Length of the chunks that are written, or handed to `on_chunk` (ms). They end at its
        multiples, and the last one where the simulation does.
    overwrite, append : bool
        What to do if the store exists: replace it, or continue it. Continuing checks that
        kernels, channels, interval and time continue; a run that is repeated from its start
        must reproduce what is there, which is then not written again.
    on_chunk : callable, optional
        Called with the signals of each chunk (xarray.Dataset) as it comes, on each rank.
        Returning True, on any rank, stops the simulation there.
    recorder : FieldRecorder, optional
        What to stream, where the network has several recorders.
    progress : bool
        Show a progress bar with simulated time and real-time factor (on rank 0).

    Raises
    ------
    NetworkError
        If `t` is not a multiple of the resolution, or there is no recorder to stream.
    StreamError
        If the store cannot be written or continued. The network is still there, and a second
        call goes on from where this one stopped; no sample is lost.
    KeyboardInterrupt
        After an interrupt, at the end of a chunk, with what there is written; a second
        interrupt does not wait for that.

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
    chunks = [n]
    sink = None
    if to is not None or on_chunk is not None:
        chunks = pieces(start, start + n, min_delay, _steps(chunk, dt, "chunk", lowest=1))
        sink = _Sink(_checked(recorder), ranks, on_chunk, chunk)
        if to is not None:
            sink.open(Path(os.path.realpath(to)), overwrite=overwrite, append=append)

    with (
        sink or contextlib.nullcontext(),
        _progress(n * dt, progress and ranks.rank == 0) as advance,
        _interrupts() as interrupted,
    ):
        for length in chunks:
            with nest.RunManager():
                for piece in pieces(start, start + length, min_delay, -(-n // _PIECES)):
                    nest.Run(piece * dt)
                    advance(piece * dt)
                    if sink is None and ranks.any(interrupted()):
                        break
            start += length
            # NEST hands its samples over for good only between Cleanup and Prepare.
            stop = sink is not None and sink.take()
            if ranks.any(stop or interrupted()):
                break
        if sink is not None:
            sink.finish()
        if ranks.any(interrupted()):
            raise KeyboardInterrupt


class _Sink:
    """Hands whole chunks of a recorder's signals to a store and a callback."""

    def __init__(
        self,
        recorder: FieldRecorder,
        ranks: Ranks,
        on_chunk: Callable[[xr.Dataset], Any] | None,
        chunk: float,
    ) -> None:
        self._recorder, self._ranks, self._on_chunk = recorder, ranks, on_chunk
        self._samples = max(1, round(chunk / recorder.interval))
        self._path: Path | None = None
        self._stream: ZarrStream | None = None
        # Without a store, samples stay with the recorder: the callback sees only new ones.
        self._seen = recorder.collect()
        self._stop = False

    def open(self, path: Path, *, overwrite: bool, append: bool) -> None:
        """Hand chunks to a store, on rank 0, and first what waits from earlier simulations."""
        recorder, self._path, self._seen = self._recorder, path, 0
        template = recorder.waiting(0, 0)
        self._stream = self._ranks.agree(
            lambda: (
                ZarrStream(
                    path,
                    template,
                    recorder.first_waiting,
                    self._samples,
                    overwrite=overwrite,
                    append=append,
                )
                if self._ranks.rank == 0
                else None
            )
        )

    def __enter__(self) -> _Sink:
        return self

    def __exit__(self, *_: object) -> None:
        if self._stream is not None:
            self._stream.close()

    def take(self) -> bool:
        """Hand on the chunks that are complete; True if the callback wants to stop."""
        left = self._recorder.collect() - self._seen
        while not self._stop and left >= (n := self._to_boundary()):
            self._hand_on(n)
            left -= n
        return self._stop

    def _to_boundary(self) -> int:
        """Samples up to the next multiple of the chunk."""
        first = self._recorder.first_waiting + self._seen
        return self._samples - (first - 1) % self._samples

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
        if self._on_chunk is not None and not self._stop:
            told = np.asarray(self._ranks.agree(partial(self._on_chunk, signals)))
            self._stop = self._ranks.any(told.dtype == bool and bool(told.all()))


def _steps(value: float, dt: float, what: str, lowest: int) -> int:
    try:
        n = int(steps(value, dt, what, NetworkError))
    except (ValueError, TypeError):
        n = -1
    if n < lowest:
        kind = "positive multiple" if lowest else "multiple"
        raise NetworkError(
            f"{what} must be a {kind} of the resolution of {dt:g} ms, found {value!r}"
        )
    return n


def _checked(recorder: FieldRecorder | None) -> FieldRecorder:
    if isinstance(recorder, FieldRecorder):
        return recorder
    if recorder is not None:
        raise NetworkError(f"recorder must be a FieldRecorder, found {type(recorder).__name__}")
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
            bar.update(min(by, total - bar.n))  # rounding must not lead beyond the end
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
