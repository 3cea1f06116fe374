"""The samples of a recorder: in NEST, in memory, or in a store."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import xarray as xr

from .._types import Floats
from ..signals.stores import Written, joined
from ..simulator import Ranks
from .readout import Readout
from .session import Session


class Samples:
    """The samples of one recorder. Sample k is at the time k * interval.

    Parameters
    ----------
    readout : Readout
        Takes them out of NEST.
    session : Session
        The life of NEST's kernel that they are of.
    ranks : Ranks
        The MPI processes, which each call the same methods.
    labelled : callable
        Makes a dataset of the nodes' outputs, shape (output, sample), and of times (ms).

    Attributes
    ----------
    interval : float
        Distance of two samples (ms).
    first_waiting : int
        Number of the first sample that is not in a store.
    written : list of Written
        The samples before that, as far as there are any, and the stores that have them.
    """

    def __init__(
        self,
        readout: Readout,
        session: Session,
        ranks: Ranks,
        labelled: Callable[[Floats, Floats], xr.Dataset],
    ) -> None:
        self._readout, self._session, self._ranks = readout, session, ranks
        self._labelled = labelled
        self.interval = readout.every * readout.dt
        self.first_waiting = readout.next
        self.written: list[Written] = []
        self._blocks: list[Floats] = []  # what waits

    def collect(self) -> int:
        """Take the new samples out of NEST; returns how many are waiting now."""
        self._session.check_alive("recorder", "Read recorder.signals() before that")
        new = self._ranks.sum(self._ranks.agree(self._readout.take))
        if new.shape[1]:
            self._blocks.append(new)
        return sum(block.shape[1] for block in self._blocks)

    def all(self) -> xr.Dataset:
        """The signals so far, those in stores too."""
        self.collect()
        self._session.check_connections()
        rest = self._dataset(self.first_waiting, self._waiting())
        whole = self._ranks.agree(lambda: joined(self.written, rest))
        return whole.assign_attrs(rest.attrs)  # a store of several recorders has those of all

    def waiting(self, start: int, n: int) -> xr.Dataset:
        """The signals of n samples that wait, from number `start` of them on."""
        return self._dataset(self.first_waiting + start, self._waiting()[:, start : start + n])

    @property
    def n_waiting(self) -> int:
        """How many samples wait in memory, without a question to NEST."""
        return self._waiting().shape[1]

    def remember(self, now: int, rows: int) -> None:
        """Make `latest` possible from step `now` on: NEST returns samples that many steps later."""
        self._readout.remember(now, rows)

    def complete_until(self, now: int) -> int:
        """Number of the first sample that is not complete at step `now`."""
        return max(self.first_waiting, self._readout.number_at(now) + 1)

    def last_stamp(self, step: int) -> int:
        """Stamp, in the nodes, of the last sample whose time is not after this step."""
        return self._readout.last_stamp(step)

    def latest(self, first: int, stop: int) -> xr.Dataset:
        """Samples from number `first` to before `stop`, and those that NEST returns only later."""
        start = max(first, self.first_waiting)
        waiting = self._waiting()[:, start - self.first_waiting : stop - self.first_waiting]
        there = start + waiting.shape[1]
        rest = self._ranks.sum(self._ranks.agree(lambda: self._readout.remembered(there, stop)))
        found = self._dataset(start, np.concatenate([waiting, rest], axis=1))
        if first == start:
            return found
        stored = self._ranks.agree(lambda: joined(self.written, found))
        return stored.sel(time=slice((first - 0.5) * self.interval, None)).assign_attrs(found.attrs)

    def wrote_to(self, path: Path) -> bool:
        """Whether samples were put into this store."""
        return any(part.path == path for part in self.written)

    def moved_to(self, path: Path, identity: str | None, n: int) -> None:
        """The n samples that waited longest are in a store now, and no longer here."""
        nothing = Written(path, identity, self.first_waiting, self.first_waiting)
        last = self.written.pop() if self.written else nothing
        self._blocks = [self._waiting()[:, n:].copy()]
        self.first_waiting += n
        self.written += last.extended(path, identity, self.first_waiting)

    def lost(self, path: Path) -> None:
        """The store is gone, and an error said so: `all` gives those that are left."""
        self.written = [
            replace(part, reported=True) if part.path == path else part for part in self.written
        ]

    def _dataset(self, first: int, outputs: Floats) -> xr.Dataset:
        """Signals from the nodes' outputs, of which the first is sample number `first`."""
        numbers = first + np.arange(outputs.shape[1])
        times = numbers * self._readout.every * self._readout.dt
        return self._labelled(outputs, np.asarray(times, np.float64))

    def _waiting(self) -> Floats:
        """What waits, as one array (output, sample)."""
        if len(self._blocks) != 1:
            empty = np.zeros((self._readout.n_outputs, 0))
            self._blocks = [np.concatenate([empty, *self._blocks], axis=1)]
        return self._blocks[0]
