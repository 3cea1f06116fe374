"""Files of kernels, and HDF5 files of any kind that say when they are damaged.

HDF5 does not notice every changed byte, and some end the process that reads them. Behind the file,
where HDF5 does not look, is a seal: a digest of all bytes before it. A file without one, of
another program or an earlier version, is read as it is.

Nor can HDF5 close a file that it cannot write, as on a full disk, and ends the process later. So it
writes through `_Held`, which keeps the error until HDF5 is done.
"""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from ..errors import KernelError, NestLFPError

FORMAT = "nestlfp-kernels-1"
NEURONS_FORMAT = "nestlfp-neuron-kernels-1"
_WRITTEN_BY = {FORMAT: "KernelSet", NEURONS_FORMAT: "NeuronKernels"}
SUFFIX = ".nc"
_MARK = b"\nnestlfp sha256\n"
_SEAL = len(_MARK) + hashlib.sha256().digest_size
_BLOCK = 2**20
# Options of xarray that leave values as they are in the file: units, for one, are labels here, and
# "milliseconds" must not turn numbers into durations.
AS_WRITTEN: dict[str, Any] = {"decode_times": False, "mask_and_scale": False}
# Attributes that tell other programs to change the values.
_INSTRUCTIONS = {
    "_FillValue",
    "_Unsigned",
    "add_offset",
    "coordinates",
    "dtype",
    "missing_value",
    "scale_factor",
}


def save(
    dataset: xr.Dataset, path: str | os.PathLike[str], overwrite: bool, kind: str = FORMAT
) -> None:
    """Write a dataset of kernels, see `KernelSet.save`."""
    target = checked_path(path, KernelError)
    if target.suffix != SUFFIX:
        raise KernelError(
            f"kernels are written to netCDF files, whose names end in {SUFFIX!r}, found "
            f"{str(target)!r}: save({str(target.with_suffix(SUFFIX))!r})"
        )
    if os.path.isfile(target) and not overwrite:
        raise KernelError(already_there(target, "kernels.save({})"))
    try:
        check_attributes(dataset, KernelError)
        write_netcdf(dataset.assign_attrs(format=kind), target)
    except Exception as error:  # of the system and of HDF5
        raise KernelError(f"cannot write kernels to {str(target)!r}: {brief(error)}") from error


def load(path: str | os.PathLike[str], kind: str = FORMAT) -> xr.Dataset:
    """Read a dataset of kernels, see `KernelSet.load`."""
    target = checked_path(path, KernelError)
    if not target.is_file():
        raise KernelError(f"no kernel file {str(target)!r}")
    dataset = read_netcdf(target, KernelError)
    found = dataset.attrs.pop("format", None)
    if not (isinstance(found, str) and found == kind):
        other = _WRITTEN_BY.get(found) if isinstance(found, str) else None
        right = (
            f"{other}.load reads it" if other else f"those are written by {_WRITTEN_BY[kind]}.save"
        )
        raise KernelError(
            f"{str(target)!r} is no kernel file of nestlfp: its attribute 'format' is "
            f"{found!r}, expected {kind!r}; {right}"
        )
    return dataset


def brief(error: BaseException) -> str:
    """The first line of a library's message, which may be a page long; our own whole."""
    if isinstance(error, NestLFPError):
        return str(error)
    message = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    lines = message.strip().splitlines() or [type(error).__name__]
    return lines[0] if len(lines[0]) <= 200 else f"{lines[0][:200]} …"


def checked_path(path: Any, error: type[NestLFPError]) -> Path:
    """`path` as a Path that names something, else `error`."""
    if not isinstance(path, str | os.PathLike) or not Path(path).name or "\0" in str(path):
        raise error(f"a path of a file is needed, found {path!r}")
    return Path(path)


def already_there(target: Path, call: str) -> str:
    """The message where a file exists; `call` is the line that writes it, with {} for arguments."""
    line = call.format(f"{str(target)!r}, overwrite=True")
    return f"{str(target)!r} exists: choose another name, or {line} replaces it"


def check_attributes(dataset: xr.Dataset, error: type[NestLFPError]) -> None:
    """Raise `error` where an attribute is nothing that a file can hold."""
    places = {"the dataset": dataset, **{repr(name): dataset[name] for name in dataset.variables}}
    for place, holder in places.items():
        for name, value in holder.attrs.items():
            if not isinstance(name, str) or not name or name in _INSTRUCTIONS:
                raise error(f"{place} cannot have an attribute named {name!r} in a file")
            if not _storable(value):
                raise error(
                    f"the attribute {name!r} of {place} must be text, a number or a list of one "
                    f"kind of them to be kept in a file, found {brief(Exception(repr(value)))}"
                )


def _storable(value: Any) -> bool:
    if isinstance(value, str):
        return "\0" not in value  # HDF5 would cut it off there
    if isinstance(value, int | float | np.number):
        return np.asarray(value).dtype.kind in "iuf"
    if not isinstance(value, np.ndarray | list | tuple):
        return False
    try:
        array = np.asarray(value)
    except ValueError:  # ragged
        return False
    if array.ndim > 1 or array.size == 0:
        return False
    # NumPy makes text of numbers that stand beside text.
    text = array.dtype.kind == "U" and all(isinstance(item, str) for item in value)
    return text or array.dtype.kind in "iuf"


def write_netcdf(dataset: xr.Dataset, target: Path) -> None:
    """Write a sealed file of netCDF-4, see `write_hdf5`."""
    import h5netcdf

    def write(file: io.FileIO) -> None:
        with h5netcdf.File(file, "w") as opened:
            dataset.dump_to_store(xr.backends.H5NetCDFStore(opened))

    write_hdf5(target, write)


def write_hdf5(target: Path, write: Callable[[io.FileIO], None]) -> None:
    """Write a sealed file; an existing one is replaced whole.

    Parameters
    ----------
    target : Path
        Its place.
    write : callable
        Called with an open file, for h5py to write.

    Raises
    ------
    OSError
        As the operating system does. An existing file is then as it was.
    """
    with replacing(target) as partial, _Held(partial, "w+b") as file:
        try:
            write(file)
        finally:  # what HDF5 says of a file that was not written follows from that
            file.check()
        seal = _MARK + _digest(file, partial.stat().st_size)
        file.write(seal)
        file.check()


class _Held(io.FileIO):
    """A file whose errors of writing are kept, for `check` to raise."""

    _error: OSError | None = None

    def write(self, data: Any) -> int:
        """All of the data, unless writing has failed."""
        rest = memoryview(data).cast("B")
        length = len(rest)
        try:
            while rest and self._error is None:
                rest = rest[super().write(rest) :]
        except OSError as error:
            self._error = error
        return length

    def truncate(self, size: int | None = None) -> int:
        """Set the file's length, unless writing has failed."""
        try:
            return super().truncate(size) if self._error is None else size or 0
        except OSError as error:
            self._error = error
            return size or 0

    def check(self) -> None:
        """Raise the first error."""
        if self._error is not None:
            raise self._error


@contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """A place for a file that replaces `target` when it is complete, and is removed otherwise.

    Where `target` is a symbolic link, what it leads to is replaced.
    """
    target = Path(os.path.realpath(target))
    partial = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        yield partial
        os.replace(partial, target)
    finally:
        partial.unlink(missing_ok=True)


def read_netcdf(path: Path, error: type[NestLFPError]) -> xr.Dataset:
    """All of a netCDF-4 file.

    Raises
    ------
    NestLFPError
        Of the type `error`, if it cannot be read or is damaged.
    """
    try:
        check_seal(path, error)
        return as_written(xr.load_dataset(path, engine="h5netcdf", **AS_WRITTEN))
    except NestLFPError:
        raise
    except Exception as caught:  # h5py and xarray raise many kinds on a broken file
        raise error(f"{str(path)!r} cannot be read as a netCDF-4 file: {brief(caught)}") from caught


def as_written(dataset: xr.Dataset) -> xr.Dataset:
    """The dataset without fill values, which none of ours has; a `ValueError` if it is packed."""
    for name, variable in dataset.variables.items():
        for attribute in ("_FillValue", "missing_value"):
            variable.attrs.pop(attribute, None)
        packed = _INSTRUCTIONS & variable.attrs.keys()
        if packed:
            raise ValueError(
                f"{name!r} has the attributes {sorted(packed)}, which change its values"
            )
    return dataset


def check_seal(path: Path, error: type[NestLFPError]) -> None:
    """Raise `error` where the file's bytes are not those that were written."""
    length = path.stat().st_size - _SEAL
    if length <= 0:
        return
    with path.open("rb") as file:
        file.seek(length)
        seal = file.read()
        # A damaged mark is still known for one.
        same = sum(a == b for a, b in zip(seal, _MARK, strict=False))
        if same > len(_MARK) // 2 and seal != _MARK + _digest(file, length):
            raise error(
                f"{str(path)!r} cannot be read: it is damaged, its bytes are not those that were "
                "written; take it from a backup, or make it anew"
            )


def _digest(file: Any, length: int) -> bytes:
    """Digest of the first `length` bytes; leaves the file there."""
    digest = hashlib.sha256()
    file.seek(0)
    while length and (block := file.read(min(_BLOCK, length))):
        digest.update(block)
        length -= len(block)
    return digest.digest()
