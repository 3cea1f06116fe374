"""Following a store: what is committed now, or a sentence why nothing is."""

from __future__ import annotations

import time
from pathlib import Path

from ..errors import SignalError
from ..kernels.files import brief
from ..signals.commit import FILE
from ..signals.stores import Committed

_PATIENCE = 1.0  # s


class Follower:
    """A store that may grow, be replaced, removed or damaged, and come back.

    Parameters
    ----------
    path : Path
        Its place, at which there may be nothing yet.

    Attributes
    ----------
    store : Committed or None
        Its last commit.
    problem : str
        Why there is none.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.store: Committed | None = None
        self.problem = ""
        self._seen: object = None  # what distinguishes commits
        self._again = 0.0  # when to read once more what could not be read

    def look(self) -> bool:
        """Whether there is something else than before: a commit, or another problem."""
        there = self._what_is_there()
        if there == self._seen and (self.store is not None or time.monotonic() < self._again):
            return False
        self._seen = there  # from before it is read: what comes meanwhile is found the next time
        before = self.problem
        try:
            self.store, self.problem = Committed.read(self.path), ""
        except SignalError as error:
            self.fail(error)
        return self.store is not None or self.problem != before

    def fail(self, error: SignalError | OSError) -> None:
        """What was committed cannot be read; the store is opened anew after a while."""
        self.store = None
        self._again = time.monotonic() + _PATIENCE
        self.problem = f"{brief(error)}. This page goes on when the store can be read."

    def _what_is_there(self) -> object:
        """The commit's file and its folder, either of which may be replaced."""
        try:
            folder = self.path.stat().st_ino
            commit = self.path / FILE
            return folder, commit.read_bytes() if commit.exists() else b""
        except OSError:
            return None
