"""Signals appended to a Zarr store, chunk by chunk, while the simulation runs.

A store is readable at any moment, whatever happens to the process that writes it. It appears
whole, with no samples yet; then the lengths of all its arrays stand in one file, its consolidated
metadata, which is replaced in one go after the values of a chunk are on disk. What a killed
process wrote beyond them is not seen, and is cut off when a later run appends.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..errors import StreamError
from ..extras import require
from .layout import FORMAT

_LAYOUT: dict[str, Any] = {
    "consolidated": True,
    "zarr_format": 2,
}  # consolidated metadata is part of format 2
_MUST_AGREE = ("kernels", "interval_ms", "resolution_ms")


class ZarrStream:
    """A Zarr store that signals are appended to.

    Parameters
    ----------
    path : Path
        Folder of the store.
    template : xarray.Dataset
        What is going to be written, with no samples yet.
    start : int
        Number of the first sample that is going to be written.
    chunk : int
        Samples in a chunk on disk.
    overwrite, append : bool
        What to do with a store that is there already.

    Raises
    ------
    StreamError
        If the path exists and neither was asked for, if it is no store of signals, if the signals
        do not continue it, or if it cannot be written.
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
        self._zarr: Any = require("zarr", "stream")
        self.path = path
        self._old: xr.Dataset | None = None  # what a repeated run is compared with
        self._stop = start  # number of the first sample that the store does not have
        if overwrite and append:
            raise StreamError("overwrite and append exclude each other")
        there = path.exists() and not (path.is_dir() and not any(path.iterdir()))
        if there and not (overwrite or append):
            raise StreamError(
                f"{str(path)!r} exists: overwrite=True replaces it, append=True continues it"
            )
        old = _open(path) if there else None  # never replace what is no store of signals
        try:
            if old is not None and append:
                self._stop = _check_continued(old, template, start, path)
                self._old = old
                self._cut(old.sizes["time"])
            else:
                self._create(template, chunk)
        except OSError as error:
            raise self._failed(error) from error

    def write(self, signals: xr.Dataset) -> None:
        """Append signals; after it returned they are there for good.

        A run that is repeated from its start produces what is there once more: those samples
        must be equal, and are not written again.
        """
        numbers = _numbers(signals)
        known = int(np.count_nonzero(numbers < self._stop))
        if known and self._old is not None:
            _check_repeated(self._old, signals.isel(time=slice(known)), self.path)
        if known == numbers.size:
            return
        self._old = None
        # What does not change with time is there already.
        new = signals.isel(time=slice(known, None))
        new = new.drop_vars([name for name in new.coords if name != "time"])
        try:
            # One thread after the other: each would keep some memory of its own for good.
            with self._zarr.config.set({"async.concurrency": 1}):
                new.to_zarr(self.path, mode="a", append_dim="time", **_LAYOUT)
        except OSError as error:
            raise self._failed(error) from error
        self._stop = int(numbers[-1]) + 1

    def _failed(self, error: OSError) -> StreamError:
        if isinstance(error, StreamError):
            return error
        return StreamError(
            f"cannot write signals to {str(self.path)!r}: {error}. What was written before is "
            "there; the network is still in memory, and nestlfp.simulate(..., to=...) goes "
            "on to another place"
        )

    def _create(self, template: xr.Dataset, chunk: int) -> None:
        """Make an empty store beside its place, and put it there whole."""
        encoding: dict[str, Any] = {
            str(name): {"chunks": (*array.shape[:-1], chunk)}
            for name, array in template.data_vars.items()
        }
        encoding["time"] = {"chunks": (chunk,)}
        part, aside = (self.path.with_name(f".{self.path.name}.{end}") for end in ("part", "old"))
        self.path.parent.mkdir(parents=True, exist_ok=True)
        for leftover in (part, aside):  # of a process that was killed here
            shutil.rmtree(leftover, ignore_errors=True)
        try:
            template.to_zarr(part, mode="w", encoding=encoding, **_LAYOUT)
            if self.path.exists():
                self.path.rename(aside)
            part.rename(self.path)
        finally:
            for leftover in (part, aside):
                shutil.rmtree(leftover, ignore_errors=True)

    def _cut(self, length: int) -> None:
        """Cut off what a killed process wrote beyond the last whole chunk."""
        for partial in self.path.rglob("*.partial"):  # files of Zarr's, not yet renamed
            partial.unlink()
        group = self._zarr.open_group(self.path, mode="r+", zarr_format=2, use_consolidated=False)
        for _, array in group.arrays():
            names = array.attrs["_ARRAY_DIMENSIONS"]
            if "time" in names:
                axis = names.index("time")
                array.resize((*array.shape[:axis], length, *array.shape[axis + 1 :]))


@dataclass(frozen=True)
class Written:
    """Samples of a recorder that are in a store: numbers `start` to `stop` - 1."""

    path: Path
    start: int
    stop: int

    def extended(self, path: Path, stop: int) -> list[Written]:
        """These and the samples that follow them in a store."""
        if path == self.path:
            return [replace(self, stop=stop)]
        return [self, Written(path, self.stop, stop)]

    def read(self) -> xr.Dataset:
        """The samples, read when they are looked at."""
        dataset = _open(self.path)
        numbers = _numbers(dataset)
        return dataset.isel(time=slice(*np.searchsorted(numbers, [self.start, self.stop])))


def joined(written: list[Written], rest: xr.Dataset) -> xr.Dataset:
    """What stores hold, one after the other, followed by the samples that wait to be written."""
    # A store may hold the signals of other recorders too.
    parts = [part.read()[list(rest.data_vars)] for part in written]
    if rest.sizes["time"] or not parts:
        parts.append(rest)
    if len(parts) == 1:
        return parts[0]
    return xr.concat(
        parts,
        dim="time",
        data_vars="minimal",
        coords="minimal",
        compat="override",
        combine_attrs="drop_conflicts",
    )


def _numbers(signals: xr.Dataset) -> NDArray[np.int64]:
    """Sample k is at time k * interval: whole numbers compare exactly, after hours too."""
    return np.rint(signals["time"].values / float(signals.attrs["interval_ms"])).astype(np.int64)


def _open(path: Path) -> xr.Dataset:
    try:
        dataset = xr.open_zarr(path, chunks=None, **_LAYOUT)
    except Exception as error:  # zarr and xarray raise many kinds on what is no store
        raise StreamError(f"{str(path)!r} is no store of signals: {error}") from error
    if dataset.attrs.get("format") != FORMAT:
        raise StreamError(f"{str(path)!r} is a Zarr store, but not of nestlfp's signals")
    return dataset


def _check_continued(old: xr.Dataset, new: xr.Dataset, start: int, path: Path) -> int:
    """The number of the first sample that `old` does not have, if `new` continues it."""
    for what in _MUST_AGREE:
        if old.attrs.get(what) != new.attrs.get(what):
            raise StreamError(
                f"{str(path)!r} cannot be continued: its {what} is {old.attrs.get(what)!r}, this "
                f"recorder's {new.attrs.get(what)!r}"
            )
    if {name: array.dims for name, array in old.data_vars.items()} != {
        name: array.dims for name, array in new.data_vars.items()
    } or not old.coords.to_dataset().drop_vars("time").equals(
        new.coords.to_dataset().drop_vars("time")
    ):
        raise StreamError(f"{str(path)!r} cannot be continued: its signals or channels differ")
    numbers = _numbers(old)
    if numbers.size == 0:
        return start
    if not numbers[0] <= start <= numbers[-1] + 1:
        interval = float(new.attrs["interval_ms"])
        raise StreamError(
            f"{str(path)!r} cannot be continued: it goes from {numbers[0] * interval:g} to "
            f"{numbers[-1] * interval:g} ms, this run's next sample is at {start * interval:g} ms"
        )
    return int(numbers[-1]) + 1


def _check_repeated(old: xr.Dataset, repeated: xr.Dataset, path: Path) -> None:
    start = int(_numbers(repeated)[0] - _numbers(old.isel(time=slice(1)))[0])
    there = old.isel(time=slice(start, start + repeated.sizes["time"]))
    for name in repeated.data_vars:
        a, b = there[name].values, repeated[name].values
        if np.abs(a - b).max() > 1e-9 * max(np.abs(a).max(), np.abs(b).max()):
            raise StreamError(
                f"{str(path)!r} cannot be continued: its {name} up to "
                f"{float(repeated['time'][-1]):g} ms is that of another run"
            )
