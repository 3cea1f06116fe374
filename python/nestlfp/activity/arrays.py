"""Spikes in arrays: NumPy's .npz, SONATA's HDF5."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import ActivityError
from .portion import SIZE, Asked, Portion, check_order, no_spikes, numbers, whole


def read_npz(path: Path, asked: Asked) -> Iterator[Portion]:
    """Arrays ``times`` and ``senders``, as NEST's events, or times as an array a population.

    NumPy reads each array whole.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except (ValueError, zipfile.BadZipFile, EOFError) as error:
        raise ActivityError(f"{str(path)!r} is no .npz file of plain arrays: {error}") from None
    for name, array in arrays.items():
        if array.ndim != 1:
            raise ActivityError(
                f"the array {name!r} in {str(path)!r} must be a list, found shape {array.shape}"
            )
    if "times" in arrays:
        if others := sorted(arrays.keys() - {"times", "senders", "offsets"}):
            raise ActivityError(no_spikes(list(arrays), others, repr(str(path))))
        if "senders" in arrays:
            _check_as_many(arrays["times"], arrays["senders"], repr(str(path)))
            check_order(arrays["times"], arrays["senders"], repr(str(path)))
        if "offsets" in arrays:
            factor = asked.of_steps(repr(str(path)))
        else:
            asked.check_whole(arrays["times"], repr(str(path)))
            factor = asked.factor
        times = numbers(arrays["times"], f"times in {str(path)!r}") * factor
        ids = None
        if "senders" in arrays:
            ids = whole(arrays["senders"], f"senders in {str(path)!r}")
        yield Portion(None, times, ids)
        return
    if not arrays or "senders" in arrays:
        raise ActivityError(
            f"{str(path)!r} must have arrays times and senders, or an array of times for each "
            f"population, found {list(arrays)}"
        )
    for name, array in arrays.items():
        asked.check_whole(array, f"{name!r} in {str(path)!r}")
        yield Portion(name, numbers(array, f"{name!r} in {str(path)!r}") * asked.factor, None)


def read_sonata(path: Path, asked: Asked) -> Iterator[Portion]:
    """SONATA's spike files: ``/spikes/<population>/timestamps`` and ``node_ids``."""
    import h5py

    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise ActivityError(f"{str(path)!r} is no HDF5 file: {error}") from None
    with file:
        spikes = file.get("spikes")
        if not isinstance(spikes, h5py.Group):
            raise ActivityError(
                f"{str(path)!r} is no spike file of SONATA: it has no group /spikes, found "
                f"{list(file)}"
            )
        groups = {name: item for name, item in spikes.items() if isinstance(item, h5py.Group)}
        if "timestamps" in spikes:  # of before SONATA 0.1, with no population
            groups = {"": spikes}
        if not groups:
            raise ActivityError(f"/spikes in {str(path)!r} has no population, found {list(spikes)}")
        for name, group in groups.items():
            where = f"/spikes/{name} in {str(path)!r}"
            yield from _of_group(group, name or None, where, asked)


def _of_group(group: Any, label: str | None, where: str, asked: Asked) -> Iterator[Portion]:
    ids_in = next((key for key in ("node_ids", "gids") if key in group), None)
    if "timestamps" not in group or ids_in is None:
        raise ActivityError(f"{where} must have timestamps and node_ids, found {list(group)}")
    times, ids = group["timestamps"], group[ids_in]
    _check_as_many(times, ids, where)
    check_order(times[:3], ids[:3], where)
    unit = times.attrs.get("units", group.attrs.get("units"))
    if isinstance(unit, bytes):
        unit = unit.decode()
    if unit is None:
        asked.check_whole(times[:1], where)
    factor = asked.factor if unit is None else asked.factor_of(str(unit), where)
    for start in range(0, max(1, times.shape[0]), SIZE):
        part = slice(start, start + SIZE)
        yield Portion(
            label,
            numbers(times[part], f"timestamps of {where}") * factor,
            whole(ids[part], f"node_ids of {where}"),
            from_zero=True,
        )


def _check_as_many(times: Any, ids: Any, where: str) -> None:
    shapes = [getattr(each, "shape", None) for each in (times, ids)]
    if any(shape is None or len(shape) != 1 for shape in shapes):
        raise ActivityError(
            f"times and ids in {where} must be lists, found the shapes {shapes[0]} and {shapes[1]}"
        )
    if times.shape != ids.shape:
        raise ActivityError(f"{where} has {times.shape[0]} spike times, but {ids.shape[0]} ids")
