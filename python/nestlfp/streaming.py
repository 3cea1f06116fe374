"""Signals appended to a Zarr store, chunk by chunk, while the simulation runs.

A store is readable at any moment, whatever happens to the process that writes it: the lengths
of all arrays stand in one file, the store's consolidated metadata, which is replaced in one go
after the values of a chunk are on disk. What a killed process wrote beyond it is not seen, and
is cut off when a later run appends.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from .errors import NestLFPError
from .extras import require
from .signals import FORMAT


class StreamError(NestLFPError, OSError):
    """Signals cannot be written to, or do not continue, a store on disk."""


class ZarrStream:
    """A Zarr store that signals are appended to.

    Parameters
    ----------
    path : Path
        Folder of the store.
    chunk : int
        Samples in a chunk on disk.
    overwrite, append : bool
        What to do with a store that is there already.

    Raises
    ------
    StreamError
        If the path exists and neither was asked for, or if it is no store of signals.
    """

    def __init__(self, path: Path, chunk: int, *, overwrite: bool, append: bool) -> None:
        self._zarr: Any = require("zarr", "stream")
        self.path = path
        self.chunk = chunk
        self._old: xr.Dataset | None = None
        if overwrite and append:
            raise StreamError("overwrite and append exclude each other")
        if path.exists():
            if append:
                self._old = _open(path)
            elif not overwrite:
                raise StreamError(
                    f"{str(path)!r} exists: overwrite=True replaces it, append=True continues it"
                )
            elif path.is_dir() and any(path.iterdir()):
                _open(path)  # never delete what is no store of signals
        self._started = False

    def write(self, signals: xr.Dataset) -> None:
        """Append signals; after it returned they are there for good."""
        try:
            if self._started:
                self._append(signals)
            elif self._old is None:
                self._create(signals)
            else:
                self._continue(signals)
        except OSError as error:
            if isinstance(error, StreamError):
                raise
            raise StreamError(
                f"cannot write signals to {str(self.path)!r}: {error}. What was written before is "
                "there; the network is still in memory, and nestlfp.simulate(..., to=...) goes "
                "on to another place"
            ) from error

    def _create(self, signals: xr.Dataset) -> None:
        if self.path.exists():
            shutil.rmtree(self.path) if self.path.is_dir() else self.path.unlink()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        encoding = {
            name: {"chunks": (*array.shape[:-1], self.chunk)}
            for name, array in signals.data_vars.items()
        }
        encoding["time"] = {"chunks": (self.chunk,)}
        # Format 2: consolidated metadata is part of it, and of no later one yet.
        signals.to_zarr(self.path, mode="w", encoding=encoding, consolidated=True, zarr_format=2)
        self._started = True

    def _append(self, signals: xr.Dataset) -> None:
        if signals.sizes["time"]:
            signals.drop_vars([n for n in signals.coords if n != "time"]).to_zarr(
                self.path, mode="a", append_dim="time", consolidated=True, zarr_format=2
            )

    def _continue(self, signals: xr.Dataset) -> None:
        """Append to what an earlier run left, after checking that it continues."""
        assert self._old is not None
        new = _continuation(self._old, signals, self.path)
        self._cut(self._old.sizes["time"])
        self._started = True
        self._old = None
        self._append(new)

    def _cut(self, length: int) -> None:
        """Cut off what a killed process wrote beyond the last whole chunk."""
        group = self._zarr.open_group(self.path, mode="r+", zarr_format=2, use_consolidated=False)
        for _, array in group.arrays():
            names = array.attrs["_ARRAY_DIMENSIONS"]
            if "time" in names:
                axis = names.index("time")
                array.resize((*array.shape[:axis], length, *array.shape[axis + 1 :]))


def _open(path: Path) -> xr.Dataset:
    try:
        dataset = xr.open_zarr(path, consolidated=True, chunks=None)
    except Exception as error:  # zarr and xarray raise many kinds on what is no store
        raise StreamError(f"{str(path)!r} is no store of signals: {error}") from error
    if dataset.attrs.get("format") != FORMAT:
        raise StreamError(f"{str(path)!r} is a Zarr store, but not of nestlfp's signals")
    return dataset


def _continuation(old: xr.Dataset, new: xr.Dataset, path: Path) -> xr.Dataset:
    """The part of `new` that comes after `old`, if it continues it.

    A run that is repeated from its start produces what is there once more: those samples must
    be equal, and are not written again.
    """
    for what in ("kernels", "interval_ms"):
        if old.attrs.get(what) != new.attrs.get(what):
            raise StreamError(
                f"{str(path)!r} cannot be continued: its {what} is {old.attrs.get(what)!r}, this "
                f"recorder's {new.attrs.get(what)!r}"
            )
    if set(old.data_vars) != set(new.data_vars) or any(
        old[name].dims != new[name].dims or old[name].shape[:-1] != new[name].shape[:-1]
        for name in new.data_vars
    ):
        raise StreamError(f"{str(path)!r} cannot be continued: its signals or channels differ")
    interval = float(new.attrs["interval_ms"])
    if not old.sizes["time"] or not new.sizes["time"]:
        return new
    last, first = float(old["time"][-1]), float(new["time"][0])
    if first > last + 1.5 * interval:
        raise StreamError(
            f"{str(path)!r} cannot be continued: it ends at {last:g} ms, this run's next sample "
            f"is at {first:g} ms"
        )
    known = int(np.count_nonzero(new["time"].values <= last + 0.5 * interval))
    _check_repeated(old, new.isel(time=slice(0, known)), path)
    return new.isel(time=slice(known, None))


def _check_repeated(old: xr.Dataset, repeated: xr.Dataset, path: Path) -> None:
    if not repeated.sizes["time"]:
        return
    there = old.sel(time=repeated["time"].values, method="nearest")
    for name in repeated.data_vars:
        a, b = there[name].values, repeated[name].values
        if np.abs(a - b).max() > 1e-9 * max(np.abs(a).max(), np.abs(b).max()):
            raise StreamError(
                f"{str(path)!r} cannot be continued: its {name} up to "
                f"{float(repeated['time'][-1]):g} ms is that of another run"
            )


def joined(paths: list[Path], rest: xr.Dataset) -> xr.Dataset:
    """What stores hold, one after the other, followed by the samples that wait to be written."""
    parts = [_open(path) for path in paths]
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
