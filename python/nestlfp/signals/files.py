"""Signals in files, of the format that the end of their name says."""

from __future__ import annotations

import os
from pathlib import Path

import xarray as xr

from ..errors import MissingExtraError, SignalError, StreamError
from ..extras import require
from ..kernels import files as netcdf
from ..kernels.files import (
    already_there,
    brief,
    check_attributes,
    checked_path,
    read_netcdf,
    write_netcdf,
)
from . import nwb, stores
from .layout import FORMAT, checked, with_text_as_str

FORMATS = {
    netcdf.SUFFIX: "netCDF-4",
    stores.SUFFIX: "a Zarr folder",
    nwb.SUFFIX: "Neurodata Without Borders",
}
"""By the end of a file's name."""
_CALL = "nestlfp.signals.save(signals, {})"


def save(dataset: xr.Dataset, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
    """Write signals to a file, in the format that its name says.

    Parameters
    ----------
    dataset : xarray.Dataset
        Signals, as `FieldRecorder.signals` and `KernelSet.convolve` return them.
    path : path
        Its name ends in ``.nc`` (netCDF-4), ``.zarr`` (a Zarr folder) or ``.nwb`` (Neurodata
        Without Borders, which has a sampling rate, so that times are equally spaced; see
        `to_nwb`).
    overwrite : bool
        Replace an existing file, or an existing store of signals, as a whole once the new one is
        complete.

    Raises
    ------
    SignalError
        If there is one already; if the name of the file ends in something else; if the dataset does
        not have the layout of signals, has an attribute that no file can hold, or cannot be
        written; if a simulation is writing the store.
    MissingExtraError
        If zarr, or pynwb, is needed and not installed.
    """
    target = checked_path(path, SignalError)
    if target.suffix not in FORMATS:
        known = ", ".join(f"{suffix} ({format_})" for suffix, format_ in FORMATS.items())
        raise SignalError(
            f"the name of a file of signals must end in one of {known}, found {str(target)!r}: "
            + _CALL.format(repr(str(target.with_suffix(netcdf.SUFFIX))))
            + "; nestlfp.signals.to_sonata writes .h5, as bmtk does" * (target.suffix == ".h5")
        )
    if target.suffix != stores.SUFFIX and os.path.isfile(target) and not overwrite:
        raise SignalError(already_there(target, _CALL))
    ready = checked(dataset).assign_attrs(format=FORMAT).drop_encoding()
    refusal = None
    try:
        check_attributes(ready, SignalError)
        if target.suffix == stores.SUFFIX:
            refusal = _save_store(ready, target, overwrite)
        elif target.is_dir():
            raise IsADirectoryError("it is a folder")
        elif target.suffix == nwb.SUFFIX:
            nwb.write_nwb(ready, target)
        else:
            write_netcdf(ready, target)
    except MissingExtraError:
        raise
    except StreamError as error:  # of the store's place, which it names
        raise SignalError(str(error)) from error
    except Exception as error:  # of the system, of HDF5 and of Zarr
        raise SignalError(f"cannot write signals to {str(target)!r}: {brief(error)}") from error
    if refusal is not None:
        raise SignalError(refusal)


def _save_store(dataset: xr.Dataset, target: Path, overwrite: bool) -> str | None:
    """Write a store, or return why what is there is not replaced."""
    require("zarr", "stream")
    path = Path(os.path.realpath(target))
    stores.checked_place(path)
    if not path.parent.is_dir():
        raise FileNotFoundError(f"no folder {str(path.parent)!r}")
    with stores.locked(path):
        try:
            there = stores.is_there(path)
        except SignalError as error:
            other = str(target.with_name(f"{target.stem}_2{stores.SUFFIX}"))
            return (
                f"{error}. What is no store of signals is never replaced: remove it yourself, or "
                f"choose another name, such as {_CALL.format(repr(other))}"
            )
        if there and not overwrite:
            return already_there(target, _CALL)
        stores.create(path, dataset)
    return None


def load(path: str | os.PathLike[str]) -> xr.Dataset:
    """Read what `save` wrote, or what `simulate` has committed so far.

    A file of netCDF or NWB is read whole; values in a store are read, and checked for damage, when
    they are used. Stores that xarray wrote are read too.

    Raises
    ------
    SignalError
        If there is no such file, it is damaged, or it is no file of signals.
    """
    dataset = _open(path)
    found = dataset.attrs.get("format")
    if not (isinstance(found, str) and found == FORMAT):
        raise SignalError(
            f"{os.fspath(path)!r} is no signals file of nestlfp: its attribute 'format' is "
            f"{found!r}, expected {FORMAT!r}; signals are written by nestlfp.signals.save"
        )
    try:
        return checked(with_text_as_str(dataset))
    except SignalError as error:
        raise SignalError(f"{os.fspath(path)!r} cannot be read: {error}") from error


def file_format(path: str | os.PathLike[str]) -> str | None:
    """What kind of file this says it is: its attribute ``format``, such as `FORMAT`.

    Raises
    ------
    SignalError
        If there is no such file, or it is none of netCDF-4 or NWB and no store of signals.
    """
    found = _open(path).attrs.get("format")
    return None if found is None else str(found)


def _open(path: str | os.PathLike[str]) -> xr.Dataset:
    place = checked_path(path, SignalError)
    if stores.inode(place) is None:
        raise SignalError(f"no file {str(place)!r}")
    if place.is_dir() != (place.suffix == stores.SUFFIX):
        raise SignalError(
            f"{str(place)!r} is neither a netCDF-4 file nor a folder that ends in '.zarr'"
        )
    if place.is_dir():
        return stores.opened(place)
    return nwb.read_nwb(place) if place.suffix == nwb.SUFFIX else read_netcdf(place, SignalError)
