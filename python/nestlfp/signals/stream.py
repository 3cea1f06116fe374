"""Signals appended to a store, chunk by chunk, while the simulation runs."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import numpy as np
import xarray as xr

from ..errors import NestLFPError, SignalError, StoreLostError, StreamError
from ..extras import require
from ..kernels.files import brief, check_attributes
from . import stores
from .commit import Commit
from .stores import numbers

# All that a signal depends on besides the network. A recorder's attributes tell.
_MUST_AGREE = (
    "kernels",
    "interval_ms",
    "resolution_ms",
    "method",
    "method_options",
    "weights",
    "delays",
)


class ZarrStream:
    """A store that signals are appended to; to be closed, by `close` or at the end of a `with`.

    Parameters
    ----------
    path : Path
        Folder of the store; its name ends in ``.zarr``.
    template : xarray.Dataset
        What is going to be written, with no samples yet.
    start : int
        Number of the first sample that is going to be written.
    chunk : int
        Samples in a chunk on disk.
    overwrite, append : bool
        What to do with a store that is there already.

    Attributes
    ----------
    identity : str or None
        Tells the store from any other that will be at its place; None where xarray made it.

    Raises
    ------
    StreamError
        If the path exists and neither was asked for, if it is no store of signals or damaged, if
        somebody else is writing it, if the signals do not continue it, or if it cannot be written.
    """

    def __init__(
        self,
        path: Path,
        template: xr.Dataset,
        start: int,
        chunk: int,
        *,
        overwrite: bool = False,
        append: bool = False,
    ) -> None:
        require("zarr", "stream")
        if overwrite and append:
            raise StreamError("overwrite and append exclude each other")
        self.path = stores.checked_place(Path(os.path.realpath(path)))
        check_attributes(template, StreamError)
        self._old: xr.Dataset | None = None  # what a repeated run is compared with
        self._stop = start  # number of the first sample that the store does not have
        self._lock = contextlib.ExitStack()
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._lock.enter_context(stores.locked(self.path))
            there = stores.is_there(self.path)
            if there and not (overwrite or append):
                raise StreamError(
                    f"{str(path)!r} exists: overwrite=True replaces it, append=True continues it"
                )
            if there and append:
                self._old = stores.opened(self.path)
                self._stop = _check_continued(self._old, template, start, self.path)
                Commit.read(self.path).restore()
            else:
                stores.create(self.path, template, chunk)
            self.identity = Commit.read(self.path).identity
        except BaseException as error:
            self.close()
            self._tell(error)
            raise

    def __enter__(self) -> ZarrStream:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let others write the store."""
        self._lock.close()

    def write(self, signals: xr.Dataset) -> None:
        """Append signals; after it returned they are there for good.

        A run that is repeated from its start produces what is there once more: those samples
        must be equal, and are not written again.

        Raises
        ------
        StreamError
            If they cannot be written, or differ; a `StoreLostError` if the store is gone.
        """
        found = numbers(signals)
        known = int(np.count_nonzero(found < self._stop))
        self._check_there(float(signals["time"][0]))
        try:
            if known and self._old is not None:
                _check_repeated(self._old, signals.isel(time=slice(known)), self.path)
            if known == found.size:
                return
            self._old = None
            stores.append(self.path, signals.isel(time=slice(known, None)))
        except Exception as error:
            self._tell(error)
            raise
        self._stop = int(found[-1]) + 1

    def _check_there(self, first: float) -> None:
        """Raise a `StoreLostError` where the store is not the one that was opened."""
        try:
            there = Commit.read(self.path).identity == self.identity
        except SignalError:
            there = False
        if not there:
            raise StoreLostError(
                f"the store {str(self.path)!r} was renamed, deleted or replaced while signals were "
                f"written to it. Those from {first:g} ms on are still in memory: "
                "nestlfp.simulate(0, to='another.zarr') writes them, recorder.signals() returns "
                "them"
            )

    def _tell(self, error: BaseException) -> None:
        """Raise a library's error, or a reader's, as one of the stream."""
        if isinstance(error, SignalError):
            raise StreamError(str(error)) from error
        if isinstance(error, Exception) and not isinstance(error, NestLFPError):
            raise StreamError(
                f"cannot write signals to {str(self.path)!r}: {brief(error)}. What was written "
                "before is there; the network is still in memory, and nestlfp.simulate(..., "
                "to=...) goes on to another place"
            ) from error


def _check_continued(old: xr.Dataset, new: xr.Dataset, start: int, path: Path) -> int:
    """The number of the first sample that `old` does not have, if `new` continues it."""
    for what in _MUST_AGREE:
        if old.attrs.get(what) != new.attrs.get(what):
            raise StreamError(
                f"{str(path)!r} cannot be continued: its {what} is {old.attrs.get(what)!r}, this "
                f"recorder's {new.attrs.get(what)!r}"
            )
    before, now = (each.isel(time=slice(0)).drop_vars("time") for each in (old, new))
    if not before.equals(now):
        raise StreamError(f"{str(path)!r} cannot be continued: its signals or channels differ")
    found = numbers(old)
    if found.size == 0:
        return start
    if not found[0] <= start <= found[-1] + 1:
        interval = float(new.attrs["interval_ms"])
        raise StreamError(
            f"{str(path)!r} cannot be continued: it goes from {found[0] * interval:g} to "
            f"{found[-1] * interval:g} ms, this run's next sample is at {start * interval:g} ms"
        )
    return int(found[-1]) + 1


def _check_repeated(old: xr.Dataset, repeated: xr.Dataset, path: Path) -> None:
    start = int(numbers(repeated)[0] - numbers(old.isel(time=slice(1)))[0])
    there = old.isel(time=slice(start, start + repeated.sizes["time"]))
    for name in repeated.data_vars:
        a, b = there[name].values, repeated[name].values
        # Written so that no value that is not a number passes.
        if not np.abs(a - b).max() <= 1e-9 * max(np.abs(a).max(), np.abs(b).max()):
            raise StreamError(
                f"{str(path)!r} cannot be continued: its {name} up to "
                f"{float(repeated['time'][-1]):g} ms is that of another run"
            )
