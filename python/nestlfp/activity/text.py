"""Spikes in text: files of NEST's spike_recorder, and tables with a header."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import ActivityError
from .portion import SIZE, Asked, Portion, numbers, whole

PRINTED = 0.501e-3
"""NEST prints times with three decimals of a ms, unless told otherwise: 2.9375 as 2.938."""
_TIMES = ("times", "time", "time_ms", "timestamps", "spike_times", "t")
_SENDERS = ("senders", "sender", "node_ids", "node_id", "ids", "id", "neuron", "neurons", "gid")


def read_recorder(path: Path, asked: Asked) -> Iterator[Portion]:
    """Files that NEST's spike_recorder writes with ``record_to="ascii"``, header or not."""
    skipped, header = _head(path)
    if header is not None and "time_step" in header:
        if asked.unit is None:
            raise ActivityError(
                f"{str(path)!r} has times in steps of NEST's resolution (time_in_steps), which it "
                "does not tell: give it as the unit, in ms, such as --unit 0.1"
            )
        for table in _tables(path, r"\s+", names=header, skiprows=skipped):
            where = f"times in {str(path)!r}"
            late = numbers(table["time_offset"], where)
            times = numbers(table["time_step"], where) * asked.factor - late
            ids = whole(table["sender"], f"senders in {str(path)!r}")
            yield Portion(None, times, ids, printed=PRINTED)
        return
    columns = ["sender", "time_ms"] if header is None else header
    if "sender" not in columns or "time_ms" not in columns:
        raise ActivityError(
            f"{str(path)!r} has the columns {columns}, no file of NEST's spike_recorder has: those "
            "are sender, time_ms. A table whose first line names its columns ends in .csv"
        )
    factor = asked.factor if header is None else asked.told("ms", repr(str(path)))
    for table in _tables(path, r"\s+", names=columns, skiprows=skipped):
        times = numbers(table["time_ms"], f"times in {str(path)!r}") * factor
        ids = whole(table["sender"], f"senders in {str(path)!r}")
        yield Portion(None, times, ids, printed=PRINTED)


def read_csv(path: Path, asked: Asked) -> Iterator[Portion]:
    """Tables with a first line that names the columns: times, and maybe senders, population."""
    with _opened(path) as file:
        line = file.readline()
    separator = next((each for each in (",", ";", "\t") if each in line), ",")
    column = asked.column.strip().lower()
    # Names stay as they are written: NA, 007 and True are some. Only what is empty is none.
    text = {i: str for i, name in enumerate(_words(line, separator)) if name == column}
    options = {"skipinitialspace": True, "dtype": text, "keep_default_na": False}
    for table in _tables(path, separator, header=0, na_values=[""], **options):
        names = {str(name).strip().lower(): name for name in table.columns}
        times_in = _one(names, _TIMES, path)
        if times_in is None:
            raise ActivityError(
                f"{str(path)!r} must have a first line that names the columns, with 'times' among "
                f"them, found {[str(name) for name in table.columns]}"
            )
        told = names.keys() & {"time_ms"}
        factor = asked.told("ms", f"{str(path)!r}") if told else asked.factor
        times = numbers(table[times_in].to_numpy(), f"times in {str(path)!r}") * factor
        senders = _one(names, _SENDERS, path)
        ids = (
            None
            if senders is None
            else whole(table[senders].to_numpy(), f"senders in {str(path)!r}")
        )
        labels = names.get(column)
        if labels is None:
            if asked.column != Asked.column:
                raise ActivityError(
                    f"{str(path)!r} has no column {asked.column!r}, it has "
                    f"{[str(name) for name in table.columns]}"
                )
            yield Portion(None, times, ids)
            continue
        if table[labels].isna().any():
            raise ActivityError(f"{str(path)!r} has spikes without a name in {asked.column!r}")
        apart = table[labels].astype(str).to_numpy()
        for label in np.unique(apart):
            of_label = apart == label
            yield Portion(str(label), times[of_label], None if ids is None else ids[of_label])


def _words(line: str, separator: str) -> list[str]:
    """The names of the columns."""
    return [name.strip().lower() for name in next(csv.reader([line], delimiter=separator), [])]


def _one(names: dict[str, Any], wanted: Sequence[str], path: Path) -> Any:
    """The column that is called one of these, if there is one."""
    found = [names[name] for name in wanted if name in names]
    if len(found) > 1:
        raise ActivityError(f"{str(path)!r} has several columns of one meaning: {found}")
    return found[0] if found else None


def _head(path: Path) -> tuple[int, list[str] | None]:
    """Lines before the first spike, and the names of the columns if one of them has them."""
    skipped = 0
    with _opened(path) as file:
        for line in file:
            words = line.split()
            if words and not line.startswith("#"):
                try:
                    [float(word) for word in words]
                except ValueError:
                    return skipped + 1, words
                return skipped, None
            skipped += 1
    return skipped, None


def _opened(path: Path) -> Any:
    return path.open(encoding="utf-8", errors="replace")


def _tables(path: Path, separator: str, **options: Any) -> Iterator[Any]:
    """The table, in portions; columns that are no numbers are text."""
    import pandas as pd

    if (names := options.get("names")) is not None:
        # A line that is too long would make pandas take its first words for an index.
        options |= {"header": None, "index_col": False, "usecols": range(len(names))}
    try:
        with pd.read_csv(
            path,
            sep=separator,
            comment="#" if options.get("skiprows") is not None else None,
            chunksize=SIZE,
            encoding_errors="replace",
            **options,
        ) as tables:
            yield from tables
    except pd.errors.EmptyDataError:
        return
    except (pd.errors.ParserError, ValueError) as error:
        if isinstance(error, ActivityError):
            raise
        raise ActivityError(f"{str(path)!r} is no table of spikes: {error}") from None
