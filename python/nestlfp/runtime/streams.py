"""Write chunks of the recorders' signals to a store, or hand them to a callback, during a run."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from ..errors import NetworkError, SignalError, StoreLostError, StreamError
from ..signals.layout import checked
from ..signals.stream import ZarrStream
from ..simulator import Ranks
from .recorder import FieldRecorder, recorders_of
from .samples import Samples
from .session import Session

To = str | os.PathLike[str]


class Merged:
    """Samples of several recorders as if they were one's, with the signals of all.

    Raises
    ------
    NetworkError
        If their signals have the same names, if their samples are not at the same times, or if
        dimensions of the same name differ.
    """

    def __init__(self, parts: Sequence[Samples]) -> None:
        self._parts = parts
        names = [str(name) for part in parts for name in part.waiting(0, 0)]
        twice = sorted({name for name in names if names.count(name) > 1})
        intervals = sorted({part.interval for part in parts})
        if twice:
            self._refuse(f"several have a signal {twice[0]!r}")
        if len(intervals) > 1:
            self._refuse(f"their intervals are {', '.join(f'{each:g}' for each in intervals)} ms")
        if len({part.first_waiting for part in parts}) > 1:
            self._refuse("they were not made, or not streamed, at the same time")
        try:
            checked(self.waiting(0, 0))
        except SignalError as error:  # a signal with the name of another's positions, for one
            self._refuse(str(error))
        except ValueError as error:
            self._refuse(f"their signals have dimensions of one name that differ ({error})")

    def _refuse(self, why: str) -> None:
        raise NetworkError(
            f"the signals of {len(self._parts)} recorders cannot be in one dataset: {why}. "
            "Give each a place of its own with to={recorder: path, ...}, or choose one with "
            "recorder=..."
        )

    @property
    def interval(self) -> float:
        """Distance of two samples (ms)."""
        return self._parts[0].interval

    @property
    def first_waiting(self) -> int:
        """Number of the first sample that is not in a store."""
        return self._parts[0].first_waiting

    def collect(self) -> int:
        """Take the new samples out of NEST; returns how many all have waiting."""
        return min([part.collect() for part in self._parts])

    def waiting(self, start: int, n: int) -> xr.Dataset:
        """The signals of n samples that wait, from number `start` of them on."""
        return self._merged([part.waiting(start, n) for part in self._parts])

    def remember(self, now: int, rows: int) -> None:
        """See `Samples.remember`."""
        for part in self._parts:
            part.remember(now, rows)

    def complete_until(self, now: int) -> int:
        """Number of the first sample that is not complete at step `now` in each of them."""
        return min(part.complete_until(now) for part in self._parts)

    def latest(self, first: int, stop: int) -> xr.Dataset:
        """See `Samples.latest`."""
        return self._merged([part.latest(first, stop) for part in self._parts])

    def _merged(self, parts: list[xr.Dataset]) -> xr.Dataset:
        attrs: dict[str, Any] = {}
        for key in parts[0].attrs:
            values = list(dict.fromkeys(part.attrs.get(key) for part in parts))
            attrs[key] = values[0] if len(values) == 1 else " + ".join(map(str, values))
        # "override" takes attributes of a variable, such as its unit, from the first that has it;
        # "drop" would leave variables without.
        merged = xr.merge(parts, join="exact", compat="no_conflicts", combine_attrs="override")
        return merged.assign_attrs(attrs)

    def wrote_to(self, path: Path) -> bool:
        """Whether samples of any were put into this store."""
        return any(part.wrote_to(path) for part in self._parts)

    def lost(self, path: Path) -> None:
        """See `Samples.lost`."""
        for part in self._parts:
            part.lost(path)

    def moved_to(self, path: Path, identity: str | None, n: int) -> None:
        """The n samples that waited longest are in a store now."""
        for part in self._parts:
            part.moved_to(path, identity, n)


class Stream:
    """Hands whole chunks of signals to a store, a callback, or both; to be used in a `with`.

    Parameters
    ----------
    source : Samples or Merged
        Whose signals.
    path : Path, optional
        The store.
    ranks : Ranks
        The MPI processes; the store is rank 0's.
    on_chunk : callable, optional
        What is called with each chunk.
    chunk : float
        Length of a chunk (ms).
    overwrite, append : bool
        What to do with a store that is there.
    """

    def __init__(
        self,
        source: Samples | Merged,
        path: Path | None,
        ranks: Ranks,
        on_chunk: Callable[[xr.Dataset], Any] | None,
        chunk: float,
        *,
        overwrite: bool,
        append: bool,
    ) -> None:
        self._path, self._ranks, self._on_chunk = path, ranks, on_chunk
        self._source = source
        self._samples = max(1, round(chunk / self._source.interval))
        self._store: ZarrStream | None = None
        self._identity: str | None = None  # of the store, on every rank
        self._stop = False
        # Without a store, samples stay with the recorder: the callback sees only new ones. A store
        # gets first what waits from earlier simulations.
        waiting = self._source.collect()
        self._seen = waiting if path is None else 0
        if path is not None:
            self._store = ranks.agree(partial(self._open, path, overwrite, append))
            self._identity = ranks.on_root(lambda: self._store.identity if self._store else None)

    def _open(self, path: Path, overwrite: bool, append: bool) -> ZarrStream | None:
        if self._ranks.rank > 0:
            return None
        if overwrite and not append and self._source.wrote_to(path) and path.exists():
            raise StreamError(
                f"{str(path)!r} holds samples of this simulation, which are nowhere else: "
                "overwrite=True would delete them. append=True continues the store"
            )
        return ZarrStream(
            path,
            self._source.waiting(0, 0),
            self._source.first_waiting,
            self._samples,
            overwrite=overwrite,
            append=append,
        )

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *_: object) -> None:
        if self._store is not None:
            self._store.close()

    def take(self) -> bool:
        """Hand on the chunks that are complete; True if the callback wants to stop."""
        left = self._source.collect() - self._seen
        while not self._stop and left >= (n := self._to_boundary()):
            self._hand_on(n)
            left -= n
        return self._stop

    def _to_boundary(self) -> int:
        """Samples up to the next multiple of the chunk."""
        first = self._source.first_waiting + self._seen
        return self._samples - (first - 1) % self._samples

    def finish(self) -> None:
        """Hand on what is left, less than a chunk."""
        left = self._source.collect() - self._seen
        if left:
            self._hand_on(left)

    def _hand_on(self, n: int) -> None:
        signals = self._source.waiting(self._seen, n)
        if self._path is None:
            self._seen += n
        else:
            try:
                self._ranks.agree(lambda: self._store.write(signals) if self._store else None)
            except StoreLostError:
                self._source.lost(self._path)
                raise
            self._source.moved_to(self._path, self._identity, n)
        if self._on_chunk is not None and not self._stop:
            answer = self._ranks.agree(partial(self._on_chunk, signals))
            self._stop = self._ranks.any(_is_true(answer))


def _is_true(answer: Any) -> bool:
    """Whether a callback returned True, which comparing arrays gives as one of no dimensions."""
    if isinstance(answer, np.ndarray | xr.DataArray) and answer.ndim == 0:
        answer = answer.item()
    return isinstance(answer, bool | np.bool_) and bool(answer)


def _source_of(recorders: Sequence[FieldRecorder]) -> Samples | Merged:
    """The samples of recorders, those of several as if they were one's."""
    parts = [recorder._samples for recorder in recorders]
    return parts[0] if len(parts) == 1 else Merged(parts)


def check_streaming(to: Any, recorder: Any, *, replaced: bool) -> None:
    """Raise a `NetworkError` if there is no store to be `replaced`, or the recorder is none."""
    if recorder is not None and not isinstance(recorder, FieldRecorder):
        raise NetworkError(f"recorder must be a FieldRecorder, found {type(recorder).__name__}")
    if to is None and replaced:
        raise NetworkError("overwrite and append are about a store, found no to=...")


def destinations(
    to: To | Mapping[FieldRecorder | str, To] | None,
    recorder: FieldRecorder | None,
    session: Session,
) -> dict[Path | None, Samples | Merged]:
    """Which samples go where; a `NetworkError` if that is not clear."""
    known = recorders_of(session)
    if recorder is None and not known:
        raise NetworkError("the network has no recorder: make a FieldRecorder first")
    if not isinstance(to, Mapping):
        path = None if to is None else _path(to)
        return {path: _source_of(known if recorder is None else [recorder])}
    if not to:
        raise NetworkError("to={recorder: path, ...} must name a recorder, found {}")
    if recorder is not None:
        raise NetworkError(
            "to={recorder: path, ...} says which recorders, and so does recorder=...: give one"
        )
    found: dict[Path, list[FieldRecorder]] = {}
    for key, place in to.items():
        found.setdefault(_path(place), []).append(_named(key, known))
    return {path: _source_of(recorders) for path, recorders in found.items()}


def _path(to: Any) -> Path:
    if not isinstance(to, str | os.PathLike) or not os.fspath(to) or "\0" in str(to):
        raise NetworkError(
            f"to must be the path of a store, or a dict of recorders and paths, found {to!r}"
        )
    return Path(os.path.realpath(to))


def _named(key: Any, known: Sequence[FieldRecorder]) -> FieldRecorder:
    if isinstance(key, FieldRecorder):
        return key
    for recorder in known:
        if recorder.name is not None and recorder.name == key:
            return recorder
    names = [recorder.name for recorder in known if recorder.name is not None]
    raise NetworkError(f"to: no recorder {key!r}; those with a name are {names}")
