"""Spikes in text: files of NEST's spike_recorder, and tables whose columns have names."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import ActivityError
from .portion import SIZE, UNITS, Asked, Portion, check_order, no_spikes, numbers, whole

_DECIMALS = 3
"""Of the times (ms) that NEST prints, unless a line has more or fewer: 2.9375 as 2.938."""
_NEST = (".dat", ".gdf")
_SENDERS = re.compile(r"(senders?|node_?ids?|ids?|gids?|(neuron|cell|unit)s?(_?(ids?|index))?|i)")
_STEPS = ("time_step", "time_steps", "step", "steps")
_OFFSETS = ("time_offset", "time_offsets", "offset", "offsets")
_TIMES = re.compile(
    rf"((?:spike_?)?(?:times?|timestamps?)|t)(?:_({'|'.join(UNITS)})|_?[(\[](.+)[)\]])?"
)
"""Such as times, spike_time, time_ms, time (ms), t[s]; its unit is in the last two groups."""


@dataclass(frozen=True)
class _Table:
    """How a file is laid out.

    Attributes
    ----------
    names : list of str
        Of the columns.
    skipped : int
        Lines before the first spike.
    separator : str
        Between columns, as pandas takes it.
    by_nest : bool
        Whether NEST wrote it, whatever it is called now.
    printed : float
        By how much times (ms) may be off because NEST printed them with few decimals.
    """

    names: list[str]
    skipped: int
    separator: str
    by_nest: bool = False
    printed: float = 0.0


def read_text(path: Path, asked: Asked) -> Iterator[Portion]:
    """Tables: times, and maybe senders, population; those of NEST need not name them."""
    where = repr(str(path))
    table = _laid_out(path, asked)
    if table is None:
        return
    roles, unit = _roles(table.names, asked, where)
    senders, labels = roles.get("senders"), roles.get("population")
    if labels is None and asked.column != Asked.column:
        raise ActivityError(f"{where} has no column {asked.column!r}, it has {table.names}")
    stepped = "steps" in roles
    factor = asked.factor if unit is None else asked.factor_of(unit, where)
    options: dict[str, Any] = {"printed": 0.0 if stepped else table.printed}
    if labels is not None and senders is not None:  # SONATA's ids are places in a population
        options["from_zero"] = _plain(table.names[senders]).startswith("node_id")
    for k, part in enumerate(_portions(path, table, text=labels)):
        if "index" in roles:
            _check_index(part[roles["index"]], where)
        given = part[roles["steps" if stepped else "times"]]
        if senders is not None:
            check_order(given, part[senders], where)
        if k == 0 and stepped:
            asked.of_steps(where)
        elif k == 0 and unit is None:
            asked.check_whole(given.to_numpy(), where)
        ids = None if senders is None else whole(part[senders], f"senders in {where}")
        times = numbers(given, f"times in {where}") * factor
        if labels is None:
            yield Portion(None, times, ids, **options)
            continue
        if part[labels].isna().any():
            raise ActivityError(f"{where} has spikes without a name in {asked.column!r}")
        apart = part[labels].astype(str).to_numpy()
        for label in np.unique(apart):
            of_label = apart == label
            mine = None if ids is None else ids[of_label]
            yield Portion(str(label), times[of_label], mine, **options)


def _laid_out(path: Path, asked: Asked) -> _Table | None:
    """What the first lines say; None of a file without any."""
    nest, comment, first, after, skipped = path.suffix.lower() in _NEST, "", "", "", 0
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        for line in file:
            if line.strip() and not line.lstrip().startswith("#"):
                first, after = line.rstrip().lstrip(" "), next(file, "")
                break
            comment, skipped = line.strip() or comment, skipped + 1
    if not first:
        return None
    tab = () if nest else ("\t",)
    separator = next((each for each in (",", ";", *tab) if each in first), r"\s+")
    words = _words(first, separator)
    if not any(_is_number(word) for word in words):
        nest |= words[0] == "sender" and words[1:2] in (["time_ms"], ["time_step"])
        return _Table(words, skipped + 1, separator, nest, _printed(after) if nest else 0.0)
    named = _words(comment.lstrip("# "), r"[,;\s]+")  # as numpy.savetxt writes a header
    if len(named) == len(words) and any(_TIMES.fullmatch(_plain(name)) for name in named):
        return _Table(named, skipped, separator)
    if nest and len(words) == 2:
        return _Table(["sender", "time"], skipped, separator, nest, _printed(first))
    kinds = [_kind(word) for word in words]
    if sorted(kinds) == ["population", "senders", "times"]:  # as hnn-core writes them
        return _Table(
            [asked.column if kind == "population" else kind for kind in kinds], skipped, separator
        )
    raise ActivityError(
        f"{str(path)!r} must have a first line that names the columns, such as 'times senders', "
        f"found {len(words)} columns without names, {first[:60]!r}"
        + (": those of NEST's spike_recorder are two, sender and time" if nest else "")
    )


def _printed(line: str) -> float:
    """By how much the time (ms) at the end of a line may be off for lack of decimals."""
    found = re.search(r"\.(\d+)$", line.strip())
    return 0.501 * 10.0 ** -(len(found[1]) if found else _DECIMALS)


def _words(line: str, separator: str) -> list[str]:
    line = line if separator == "\t" else line.strip()  # a first name may be empty
    joined = re.sub(r"\s+(?=[(\[])", "", line)  # time (ms)
    words = [word.strip().strip("\"'").strip() for word in re.split(separator, joined)]
    while words and not words[-1]:
        words.pop()
    return words


def _plain(name: str) -> str:
    return re.sub(r"[\s_-]+", "_", name.strip().lower())


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def _kind(word: str) -> str:
    """What a column without a name is, where no other is of its kind."""
    if not _is_number(word):
        return "population"
    return "senders" if re.fullmatch(r"\d+", word) else "times"


def _roles(names: Sequence[str], asked: Asked, where: str) -> tuple[dict[str, int], str | None]:
    """Which column is what, and the unit of times if their name says it."""
    roles: dict[str, int] = {}
    unit, others = None, []
    for k, name in enumerate(names):
        plain = _plain(name)
        if plain == _plain(asked.column):
            role = "population"
        elif k == 0 and plain in ("", "unnamed:_0"):
            role = "index"
        elif plain in _STEPS:
            role = "steps"
        elif plain in _OFFSETS:
            role = "offsets"
        elif times := _TIMES.fullmatch(plain):
            role, unit = "times", times[2] or times[3]
        elif _SENDERS.fullmatch(plain):
            role = "senders"
        else:
            others.append(name)
            continue
        if role in roles or {role, *roles} >= {"times", "steps"}:
            raise ActivityError(f"{where} has several columns of one meaning: {list(names)}")
        roles[role] = k
    if not roles.keys() & {"times", "steps"}:
        raise ActivityError(
            f"{where} must have a first line that names the columns, with 'times' among them: it "
            f"has the columns {list(names)}"
        )
    if (
        {"times", "offsets"} <= roles.keys()
        and unit is None
        and _plain(names[roles["offsets"]]) == "offsets"
    ):  # as a recorder's events with time_in_steps
        roles["steps"] = roles.pop("times")
    if "offsets" in roles and "steps" not in roles:
        others.append(names[roles["offsets"]])
    if others:
        raise ActivityError(
            f"{no_spikes(names, others, where)}; --column is one that names populations"
        )
    return roles, unit


def _check_index(column: Any, where: str) -> None:
    """An error unless the first column, which has no name, numbers the lines from 0 on."""
    if column.size and not (column.dtype.kind in "iu" and np.array_equal(column, column.index)):
        raise ActivityError(
            f"the first column of {where} has no name, and does not count from 0: found "
            f"{column.tolist()[:3]}. Where it is the index of a pandas.DataFrame, "
            "to_csv(..., index=False) leaves it out"
        )


def _portions(path: Path, table: _Table, text: int | None) -> Iterator[Any]:
    """The table in portions, without a last line that was cut.

    A column of text, such as of populations' names, stays as it is written: NA, 007 and True are
    names. Only what is empty is none.
    """
    import pandas as pd

    n, rows = len(table.names), None
    if (cut := _cut(path, table)) is not None:
        with path.open("rb") as file:
            rows = sum(1 for line in islice(file, table.skipped, None) if line.strip()) - 1
        warnings.warn(
            f"the last line of {str(path)!r}, {cut!r}, has no end, as where a program was killed "
            "while it wrote: it is left out. If it is whole, add a line break",
            stacklevel=2,
        )
    try:
        with pd.read_csv(
            path,
            sep=table.separator,
            header=None,
            names=range(n + 1),  # the last one is empty, unless a line is too long
            index_col=False,
            skiprows=table.skipped,
            skipinitialspace=True,
            keep_default_na=False,
            na_values=[""],
            dtype={} if text is None else {text: str},
            nrows=rows,
            chunksize=SIZE,
            encoding_errors="replace",
        ) as parts:
            for part in parts:
                if part[n].notna().any():
                    raise ActivityError(
                        f"{str(path)!r} is no table of spikes: it has lines with more than its {n} "
                        f"columns {table.names}, such as {part[part[n].notna()].iloc[0].tolist()}. "
                        "Where pandas wrote it, to_csv(..., index=False) leaves its index out"
                    )
                yield part
    except pd.errors.EmptyDataError:
        return
    except (pd.errors.ParserError, ValueError) as error:
        if isinstance(error, ActivityError):
            raise
        raise ActivityError(f"{str(path)!r} is no table of spikes: {error}") from None


def _cut(path: Path, table: _Table) -> str | None:
    """The last line if it was cut: it has no end, and other digits than the lines before."""
    with path.open("rb") as file:
        start = max(0, path.stat().st_size - 2**12)
        file.seek(start)
        tail = file.read().decode(errors="replace")
    if not tail.strip() or tail.endswith(("\n", "\r")):
        return None
    *lines, last = tail.splitlines()
    before = [_decimals(line) for line in (lines[1:] if start else lines[table.skipped :])]
    found = _decimals(last)
    if table.by_nest:  # which ends each line, with as many digits in each
        return None if found in before and any(found) else last
    usual = before[0] if len(before) > 1 and before.count(before[0]) == len(before) else []
    if any(usual) and (len(found) < len(usual) or found < usual[: len(found)]):
        return last
    return None


def _decimals(line: str) -> list[int]:
    """How many decimals each number of a line has, with its point."""
    return [len(found) for found in re.findall(r"\d+(\.\d*)?", line)]
