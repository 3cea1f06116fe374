"""Assign neurons in files to populations of the kernels, by names and ids."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from glob import glob, has_magic
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from .._types import Floats, Ints
from ..errors import ActivityError
from .portion import Portion

_RANGES = re.compile(r"(?:(?P<label>.*)/)?(?P<ranges>\d+:\d+(?:,\d+:\d+)*)")


@dataclass(frozen=True)
class Rule:
    """Where a population's spikes are found.

    Attributes
    ----------
    name : str
        The population of the kernels.
    label : str or None
        Its name in files. None: whatever that is.
    ranges : tuple of (int, int), or None
        First and last id of its neurons, in the order of the kernels' neurons. None: all.
    """

    name: str
    label: str | None
    ranges: tuple[tuple[int, int], ...] | None

    @classmethod
    def parsed(cls, name: str, text: str) -> Rule:
        """From "1:8192", "1:10,21:30", "label" or "label/1:8192"."""
        found = _RANGES.fullmatch(text)
        if found is None:
            return cls(name, text, None)
        pairs = [part.split(":") for part in found["ranges"].split(",")]
        ranges = tuple((int(first), int(last)) for first, last in pairs)
        members = sorted(ranges)
        if any(first > last for first, last in ranges) or any(
            one[1] >= other[0] for one, other in pairwise(members)
        ):
            raise ActivityError(
                f"ids of {name!r} must be ranges FIRST:LAST that do not overlap, found {text!r}"
            )
        return cls(name, found["label"], ranges)

    def __str__(self) -> str:
        ranges = ",".join(f"{first}:{last}" for first, last in self.ranges or ())
        return f"{self.name}={'/'.join(filter(None, (self.label, ranges)))}"

    @property
    def size(self) -> int | None:
        """Number of neurons, where ids are given."""
        if self.ranges is None:
            return None
        return sum(last - first + 1 for first, last in self.ranges)

    def rows(self, ids: Ints) -> Ints:
        """Place in the population of the neurons with these ids, -1 for all others."""
        found = np.full(ids.size, -1, dtype=np.int64)
        before = 0
        for first, last in self.ranges or ():
            inside = (ids >= first) & (ids <= last)
            found[inside] = ids[inside] - first + before
            before += last - first + 1
        return found


def rules(given: Mapping[str, Any] | Iterable[str] | None) -> list[Rule]:
    """From {"E": "1:8192"} or ["E=1:8192"]."""
    if given is None:
        return []
    if isinstance(given, Mapping):
        pairs = [(str(name), str(text)) for name, text in given.items()]
    else:
        pairs = [_named(each, "a population") for each in given]
    found = [Rule.parsed(name, text) for name, text in pairs]
    for i, one in enumerate(found):
        for other in found[:i]:
            _check_apart(one, other)
    return found


def _check_apart(one: Rule, other: Rule) -> None:
    if one.name == other.name:
        raise ActivityError(
            f"population {one.name!r} is given twice: several ranges are {one.name}=1:10,21:30"
        )
    if one.label != other.label:
        return
    if one.ranges is None or other.ranges is None:
        raise ActivityError(
            f"populations {other.name!r} and {one.name!r} overlap: both have spikes of "
            f"{one.label!r}; {one.name}={one.label}/FIRST:LAST distinguishes them"
        )
    for first, last in one.ranges:
        for start, stop in other.ranges:
            if first <= stop and start <= last:
                raise ActivityError(
                    f"populations {other.name!r} and {one.name!r} overlap: the id "
                    f"{max(first, start)} is in both"
                )


def _named(text: str, what: str) -> tuple[str, str]:
    name, equals, rest = str(text).partition("=")
    if not (name and equals and rest):
        raise ActivityError(
            f"{what} must be NAME=FIRST:LAST, with the ids of its neurons, or NAME=LABEL, with its "
            f"name in the file, found {text!r}"
        )
    return name, rest


def files(given: Any, names: Iterable[str]) -> list[tuple[str | None, Path]]:
    """Each file with the population that it was given for, if it was.

    Parameters
    ----------
    given : path, dict of str to paths, or sequence of paths or of "NAME=PATTERN"
        As on the command line, where patterns with * are not always replaced.
    names : iterable of str
        The populations of the kernels.
    """
    known = list(names)
    if isinstance(given, str | os.PathLike):
        given = [given]
    pairs: list[tuple[str | None, Any]] = []
    if isinstance(given, Mapping):
        for name, paths in given.items():
            each = [paths] if isinstance(paths, str | os.PathLike) else _paths(paths)
            pairs += [(str(name), path) for path in each]
    else:
        for text in _paths(given):
            name, equals, rest = str(text).partition("=")
            named = equals and not Path(text).exists() and "/" not in name
            pairs.append((name, rest) if named else (None, text))
    out: list[tuple[str | None, Path]] = []
    for name, path in pairs:
        if name is not None and name not in known:
            raise ActivityError(
                f"{name}={path}: the kernels have no population {name!r}, they have {known}"
            )
        if Path(path).exists() or not has_magic(str(path)):
            out.append((name, Path(path)))
            continue
        found = sorted(glob(str(path)))
        if not found:
            raise ActivityError(f"no file is called {str(path)!r}")
        out += [(name, Path(each)) for each in found]
    if not out:
        raise ActivityError("no files of spikes")
    resolved = Counter(path.resolve() for _, path in out)
    if (twice := max(resolved, key=lambda path: resolved[path])) and resolved[twice] > 1:
        raise ActivityError(f"{str(twice)!r} is given twice: its spikes would count twice")
    return out


def _paths(given: Any) -> list[Any]:
    """The paths of a sequence; an error where it is none."""
    found = list(given) if isinstance(given, Iterable) and not isinstance(given, bytes) else [given]
    for each in found:
        if not isinstance(each, str | os.PathLike):
            raise ActivityError(
                "spikes must be files: a path, a dict of paths by population, or a list of paths "
                f"or of 'NAME=PATTERN', found {str(each)[:60]!r}, {type(each).__name__}. "
                "KernelSet.convolve takes times in arrays"
            )
    return found


@dataclass
class Assignment:
    """Assigns spikes to populations.

    Attributes
    ----------
    sizes : dict of str to (int or None)
        The kernels' populations, with the number of neurons of those whose neurons have kernels of
        their own.
    rules : list of Rule
    skip_unknown : bool
        Pass over spikes that no population of the kernels has.
    skipped : int
        How many were passed over.

    Notes
    -----
    A name in a file is that of the rules that name it, else of the kernels' population of this
    name; rules without a name have what is left. The order of rules does not count.
    """

    sizes: Mapping[str, int | None]
    rules: list[Rule]
    skip_unknown: bool = False
    skipped: int = 0
    _labels: dict[Path, set[str | None]] = field(default_factory=dict)
    _matched: set[Rule] = field(default_factory=set)
    _taken: dict[tuple[Rule, Path | None], str] = field(default_factory=dict)
    _known: set[str] = field(default_factory=set)
    _ids: tuple[int, int] | None = None
    _spikes: int = 0

    def __post_init__(self) -> None:
        for rule in self.rules:
            if rule.name not in self.sizes:
                raise ActivityError(
                    f"the kernels have no population {rule.name!r}, they have {list(self.sizes)}"
                )
            wanted = self.sizes[rule.name]
            if rule.size is not None and wanted is not None and rule.size != wanted:
                raise ActivityError(
                    f"population {rule.name!r} has {wanted} neurons with kernels of their own, but "
                    f"its ids are {rule.size}"
                )

    def assigned(
        self, portion: Portion, name: str | None, path: Path
    ) -> Iterator[tuple[str, Floats, Ints | None]]:
        """Population, times and rows of spikes of this file, which was given for a population."""
        left = np.ones(portion.times.size, dtype=bool)
        self._seen(portion)
        for rule in self._rules(portion.label, name, path):
            if rule.ranges is None:
                self._matched.add(rule)
                yield rule.name, portion.times[left], self._rows(portion, rule.name, left, path)
                left[:] = False
                break
            if portion.ids is None:
                raise ActivityError(
                    f"{str(path)!r} does not say which neuron spikes, so that {rule.name!r} cannot "
                    "be found by ids"
                )
            rows = rule.rows(portion.ids)
            mine = (rows >= 0) & left
            if mine.any():
                self._matched.add(rule)
                self._check_one_label(rule, portion, None if name is None else path)
            yield rule.name, portion.times[mine], rows[mine]
            left &= ~mine
        if not left.any():
            return
        self.skipped += int(left.sum())
        if not self.skip_unknown:
            raise ActivityError(self._unknown(portion, left, path))

    def _rules(self, label: str | None, name: str | None, path: Path) -> list[Rule]:
        named = [rule for rule in self.rules if label is not None and rule.label == label]
        unnamed = [rule for rule in self.rules if rule.label is None]
        if name is not None:
            own = [rule for rule in self.rules if rule.name == name]
            if own:
                found = [rule for rule in own if rule in named] or [
                    rule for rule in own if rule in unnamed and not named
                ]
                if found and found[0] in unnamed:
                    self._check_name(label, name, path)
                return found
            labels = self._labels.setdefault(path, set())
            labels.add(label)
            if len(labels) > 1:
                raise ActivityError(
                    f"{str(path)!r} has several populations, {sorted(map(str, labels))}: which is "
                    f"{name!r}? --population {name}=LABEL says so"
                )
            self._check_name(label, name, path)
            return [Rule(name, None, None)]
        if named:
            return named
        if label in self.sizes:
            own = [rule for rule in self.rules if rule.name == label]
            if not own:
                return [Rule(str(label), label, None)]
            return [rule for rule in own if rule in unnamed]
        if label is None and len(self.sizes) == 1 and not self.rules:
            return [Rule(next(iter(self.sizes)), None, None)]
        return unnamed

    def _check_name(self, label: str | None, name: str, path: Path) -> None:
        """An error where a file that was given for a population says that it is of another."""
        if label is None:
            return
        named = [rule.name for rule in self.rules if rule.label == label]
        others = named or [each for each in self.sizes if each == label]
        if others and name not in others:
            raise ActivityError(
                f"{str(path)!r} was given for {name!r}, but says that its spikes are of {label!r}, "
                f"which is the kernels' {others[0]!r}: {others[0]}={path} gives it for that one, "
                f"--population {name}={label} says that {label!r} in files is {name!r}"
            )

    def _seen(self, portion: Portion) -> None:
        """Remember what there was, for an error."""
        self._spikes += portion.times.size
        if portion.label is not None:
            self._known.add(portion.label)
        if portion.ids is not None and portion.ids.size:
            lowest, highest = int(portion.ids.min()), int(portion.ids.max())
            first, last = self._ids or (lowest, highest)
            self._ids = min(first, lowest), max(last, highest)

    def _check_one_label(self, rule: Rule, portion: Portion, path: Path | None) -> None:
        """An error where ids count in each of a file's populations, and a rule names none."""
        if rule.label is not None or portion.label is None or not portion.from_zero:
            return
        first = self._taken.setdefault((rule, path), portion.label)
        if first != portion.label:
            raise ActivityError(
                f"--population {rule} does not say whether these are ids in {first!r} or in "
                f"{portion.label!r}: --population {replace(rule, label='LABEL')} says so"
            )

    def check_rules(self) -> None:
        """An error where a rule found nothing in any file, unless there were no spikes at all."""
        for rule in self.rules:
            if self._spikes and rule not in self._matched:
                has = [f"the populations {sorted(self._known)}"] if self._known else []
                has += ["ids {} … {}".format(*self._ids)] if self._ids else []
                raise ActivityError(
                    f"--population {rule}: there are no such spikes in the files, which have "
                    f"{' and '.join(has) or 'no names or ids'}. Without a rule it is silent"
                )

    def _rows(self, portion: Portion, name: str, which: Any, path: Path) -> Ints | None:
        """Places of neurons in a population that has no ranges of ids."""
        size = self.sizes[name]
        if size is None:
            return None
        if portion.ids is None or not portion.from_zero:
            why = "does not say which neuron spikes" if portion.ids is None else "has NEST's ids"
            raise ActivityError(
                f"each neuron of {name!r} has a kernel of its own, but {str(path)!r} {why}: "
                f"--population {name}=FIRST:LAST, with the ids of its {size} neurons in order"
            )
        rows = portion.ids[which]
        if rows.size and not (rows.min() >= 0 and rows.max() < size):
            raise ActivityError(
                f"{name!r} has the neurons 0 … {size - 1}, but {str(path)!r} has spikes of "
                f"{rows.min()} … {rows.max()}"
            )
        return rows

    def _unknown(self, portion: Portion, left: Any, path: Path) -> str:
        known = list(self.sizes)
        remedy = "; --skip-unknown ignores them"
        if self.rules and portion.ids is not None:
            return (
                f"{str(path)!r} has spikes of neuron {portion.ids[left][0]}"
                + (f" of {portion.label!r}" if portion.label is not None else "")
                + f", which is in none of the populations {[str(rule) for rule in self.rules]}"
                + remedy
            )
        if portion.label is not None:
            return (
                f"{str(path)!r} has spikes of {portion.label!r}, but the kernels have the "
                f"populations {known}: --population {known[0]}={portion.label} says which it is"
                + remedy
            )
        return (
            f"{str(path)!r} does not say of which population its spikes are, and the kernels have "
            f"{known}: {known[0]}={path} gives a file for one, --population {known[0]}=FIRST:LAST "
            "the ids of its neurons"
        )
