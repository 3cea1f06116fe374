"""Stores: signals in a Zarr folder that is whole at any moment, whoever writes it.

All of them are Zarr of format 2. The lengths of all arrays stand in one file, the consolidated
metadata, which is replaced in one go after the values are on disk: that is the commit, and
``xarray.open_zarr`` goes by it. What a killed process wrote beyond it is not seen, and is removed
when a later run appends. Every chunk has a checksum, and so has the commit.
"""

from __future__ import annotations

import contextlib
import math
import shutil
import time
import uuid
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from filelock import FileLock, Timeout
from numpy.typing import NDArray

from ..errors import NestLFPError, SignalError, StreamError
from ..extras import require
from ..kernels.files import AS_WRITTEN, as_written, brief
from .commit import FILE, Commit, check_format, unreadable
from .layout import FORMAT, checked, with_text_as_str

SUFFIX = ".zarr"
_DIALECT: dict[str, Any] = {"zarr_format": 2, "consolidated": False, "write_empty_chunks": True}
_STILL_THERE = "nestlfp.simulate(0, to='another.zarr') writes the samples that are still in memory"
_CHUNK_VALUES = 2**20  # in a chunk of `save`'s: 8 MB


# ---------------------------------------------------------------------- reading
def opened(path: Path, kind: str = FORMAT) -> xr.Dataset:
    """What is committed in a store; its values are read, and checked, when they are used.

    Parameters
    ----------
    path : Path
        Its place.
    kind : str
        What its attribute 'format' must be.

    Raises
    ------
    SignalError
        If there is no store, it is damaged, or it holds no signals. Damage to values, or a store
        that was replaced in the meantime, is found when they are read.
    """
    require("zarr", "stream")
    found = inode(path)
    try:
        return _opened(path, kind)
    except SignalError:
        if inode(path) == found:
            raise
        return _opened(path, kind)  # another run has just replaced it


def inode(path: Path) -> int | None:
    """Which file or folder is at `path`; waits where a store is being replaced at this moment.

    Raises
    ------
    SignalError
        If that cannot be found out, as of a symbolic link that leads to itself.
    """
    for _ in range(50):
        try:
            return path.stat().st_ino
        except FileNotFoundError:
            pass
        except OSError as error:
            raise SignalError(f"{str(path)!r} cannot be read: {brief(error)}") from error
        if not _beside(path, "old").exists():
            break
        time.sleep(0.01)
    return None


def _opened(path: Path, kind: str) -> xr.Dataset:
    try:
        commit = _commit(path)
        if commit is not None:
            check_format(path, commit.metadata.get(".zattrs"), kind)
            commit.check_whole()
        dataset = _read(_source(path, commit))
        check_format(path, dataset.attrs, kind)
        return dataset
    except NestLFPError:
        raise
    except Exception as error:  # zarr and xarray raise many kinds on what is no store
        raise SignalError(f"{unreadable(path)}: {brief(error)}") from error


def _commit(path: Path) -> Commit | None:
    """What is committed; None for a store of Zarr's format 3, which xarray writes."""
    if not (path / FILE).exists() and (path / "zarr.json").exists():
        return None
    return Commit.read(path)


def _source(path: Path, commit: Commit | None) -> Any:
    """What Zarr reads a store through."""
    from .guard import GuardedStore

    return path if commit is None else GuardedStore(commit)


def _read(source: Any, **options: Any) -> xr.Dataset:
    with _quiet():
        dataset = xr.open_zarr(source, chunks=None, **options, **AS_WRITTEN)
    return with_text_as_str(as_written(dataset))


@dataclass(frozen=True)
class Committed:
    """A store as of one commit, of which parts are read: what it costs does not grow with it.

    Parameters
    ----------
    dataset : xarray.Dataset
        All but the times, which xarray would read whole.
    times : zarr.Array
        The times (ms).
    identity : str or int
        Tells the store from any other at its place.
    """

    dataset: xr.Dataset
    times: Any
    identity: str | int

    @classmethod
    def read(cls, path: Path) -> Committed:
        """What is committed at `path`; values are read, and checked, by `part`.

        Raises
        ------
        SignalError
            If there is no store, or it holds no signals.
        """
        zarr = require("zarr", "stream")
        found = inode(path)
        if found is None:
            raise SignalError(f"no store {str(path)!r}")
        try:
            commit = _commit(path)
            source = _source(path, commit)
            dataset = _read(source, drop_variables="time")
            times = zarr.open_group(source, mode="r")["time"]
            check_format(path, dataset.attrs)
            identity = (commit and commit.identity) or found
            committed = cls(dataset, times, identity)
            checked(committed.part(slice(0, 1)))
        except NestLFPError:
            raise
        except Exception as error:  # zarr and xarray raise many kinds on what is no store
            raise SignalError(f"{unreadable(path)}: {brief(error)}") from error
        return committed

    def __len__(self) -> int:
        return int(self.times.shape[0])

    def part(self, samples: slice) -> xr.Dataset:
        """Some of the samples; their values are read when they are used."""
        times = ("time", np.asarray(self.times[samples]), {"units": "ms"})
        return self.dataset.isel(time=samples).assign_coords(time=times)


# ---------------------------------------------------------------------- writing
def checked_place(path: Path) -> Path:
    """`path` if a store can have this name, else a `StreamError`."""
    if path.suffix != SUFFIX:
        raise StreamError(f"the name of a store must end in {SUFFIX!r}, found {str(path)!r}")
    outer = next((folder for folder in path.parents if folder.suffix == SUFFIX), None)
    if outer is not None:
        raise StreamError(
            f"a store cannot be inside another: {str(path)!r} would be in {str(outer)!r}, which "
            "has the name of a store; a place beside it will do"
        )
    return path


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock of a store; raise a `StreamError` at once where another process has it.

    The operating system takes the lock from a process that ends, however it does.
    """
    lock = FileLock(_beside(path, "lock"), thread_local=False)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise StreamError(
            f"{str(path)!r} is being written by another simulation or process: one at a time can"
        ) from None
    try:
        if not path.exists() and _beside(path, "old").exists():
            _beside(path, "old").rename(path)  # of a process that was killed while it replaced it
        yield
    finally:
        with contextlib.suppress(OSError):  # its folder may be gone
            Path(lock.lock_file).unlink()  # while it is held: no other's is deleted
        lock.release()


def is_there(path: Path, kind: str = FORMAT) -> bool:
    """Whether something is at `path`; an empty folder is nothing.

    Raises
    ------
    SignalError
        If what is there is no store of this kind, and is not to be replaced.
    """
    if not path.exists() or (path.is_dir() and not any(path.iterdir())):
        return False
    commit = _commit(path)
    if commit is None:
        opened(path, kind).close()
    else:
        check_format(path, commit.metadata.get(".zattrs"), kind)
    return True


def create(
    path: Path,
    dataset: xr.Dataset,
    chunk: int | None = None,
    along: str = "time",
    *,
    room: int | None = None,
    more: Iterable[xr.Dataset] = (),
) -> None:
    """Make a store beside its place, and put it there whole; the lock is to be held.

    Parameters
    ----------
    path : Path
        Its place; what is there is replaced.
    dataset : xarray.Dataset
        What it holds, which may be no samples yet.
    chunk : int, optional
        Samples in a chunk on disk. Default: so many that a chunk has 8 MB, or one.
    along : str
        The dimension that grows.
    room : int, optional
        How many samples, at most, a chunk is made for. Default: those of the dataset.
    more : iterable of xarray.Dataset
        What follows the dataset, in parts: one of them is in memory at a time.
    """
    from numcodecs import Zstd

    ready = with_text_as_str(dataset.drop_encoding())
    # For its checksum: signals are as good as random in their last digits, and hardly get smaller.
    codec = Zstd(level=-5, checksum=True)
    encoding: dict[Any, dict[str, Any]] = {
        name: {"compressors": (codec,)} for name in ready.variables
    }
    for name, array in ready.variables.items():
        if along in array.dims:
            sizes = {dim: max(1, n) for dim, n in array.sizes.items()}
            there = sizes.pop(along)
            of_one = math.prod(sizes.values())
            if of_one > _CHUNK_VALUES:
                longest = max(sizes, key=lambda dim: sizes[dim])
                sizes[longest] = max(1, sizes[longest] * _CHUNK_VALUES // of_one)
            sizes[along] = chunk or max(1, min(room or there, _CHUNK_VALUES // of_one))
            encoding[name]["chunks"] = tuple(sizes[dim] for dim in array.dims)
    part, aside = _beside(path, "part"), _beside(path, "old")
    _clear(part, aside)  # of a process that was killed here
    try:
        with _quiet():
            ready.to_zarr(part, mode="w", encoding=encoding, **_DIALECT)
        for each in more:
            _extend(part, each, along)
        Commit.write(part, uuid.uuid4().hex)
        if path.exists():
            path.rename(aside)
        part.rename(path)
    except BaseException:
        _let_zarr_end()
        raise
    finally:
        _clear(part, aside)


def append(path: Path, dataset: xr.Dataset, along: str = "time") -> None:
    """Append samples, and commit them; the lock is to be held."""
    _extend(path, dataset, along)
    Commit.write(path, Commit.read(path).identity)


def _extend(path: Path, dataset: xr.Dataset, along: str) -> None:
    """Append samples, which readers get after the next commit."""
    # What has not this dimension is there already.
    new = dataset.drop_vars(
        [name for name, array in dataset.coords.items() if along not in array.dims]
    )
    # One thread after the other: each would keep some memory of its own for good.
    with require("zarr", "stream").config.set({"async.concurrency": 1}), _quiet():
        new.drop_encoding().to_zarr(path, mode="a", append_dim=along, **_DIALECT)


def label(path: Path, attrs: dict[str, str]) -> None:
    """Set attributes of a store, and commit them; the lock is to be held."""
    require("zarr", "stream").open_group(path, mode="r+", zarr_format=2).attrs.update(attrs)
    Commit.write(path, Commit.read(path).identity)


def _beside(path: Path, what: str) -> Path:
    """The place of a lock, or of another version of the store."""
    return path.with_name(f".{path.name}.{what}")


def _let_zarr_end() -> None:
    """Wait for what Zarr still writes in its own thread after one of its writings has failed.

    It does not cancel the others, which would make folders anew that are cleared meanwhile.
    """
    from zarr.core.sync import sync

    from .guard import others_end

    sync(others_end())


def _clear(*folders: Path) -> None:
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without xarray's advice on consolidated metadata, which `Commit.write` writes."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Failed to open Zarr store with consolidated metadata")
        yield


# ---------------------------------------------------------------------- stores one after another
@dataclass(frozen=True)
class Written:
    """Samples of a recorder that are in a store: numbers `start` to `stop` - 1."""

    path: Path
    identity: str | None  # of the store, see `Commit`
    start: int
    stop: int
    reported: bool = False  # whether an error has said that the store is gone

    def extended(self, path: Path, identity: str | None, stop: int) -> list[Written]:
        """These and the samples that follow them in a store."""
        if (path, identity) == (self.path, self.identity):
            return [replace(self, stop=stop)]
        return [self, Written(path, identity, self.stop, stop)]

    def read(self) -> xr.Dataset:
        """The samples, read when they are looked at.

        Raises
        ------
        SignalError
            If they are not there any more.
        """
        dataset = opened(self.path)
        if Commit.read(self.path).identity == self.identity:
            found = numbers(dataset)
            inside = slice(*np.searchsorted(found, [self.start, self.stop]))
            if np.array_equal(found[inside], np.arange(self.start, self.stop)):
                return dataset.isel(time=inside)
        raise SignalError(
            f"the store {str(self.path)!r} was replaced since this recorder's signals were written "
            "to it: they are not there any more. nestlfp.signals.load reads what is there now"
        )


def joined(written: list[Written], rest: xr.Dataset) -> xr.Dataset:
    """What stores hold, one after the other, followed by the samples that wait to be written."""
    parts: list[xr.Dataset] = []
    for part in written:
        try:
            # A store may hold the signals of other recorders too.
            parts.append(part.read()[list(rest.data_vars)])
        except SignalError as error:
            if not part.reported:
                raise SignalError(f"{error}. {_STILL_THERE}") from error
            parts.clear()  # there would be a gap
            begin = part.stop * float(rest.attrs["interval_ms"])
            warnings.warn(
                f"signals begin at {begin:g} ms: those before were in the store "
                f"{str(part.path)!r}, which was lost",
                stacklevel=5,
            )
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


def numbers(signals: xr.Dataset) -> NDArray[np.int64]:
    """Sample k is at time k * interval: whole numbers compare exactly, after hours too."""
    return np.rint(signals["time"].values / float(signals.attrs["interval_ms"])).astype(np.int64)
