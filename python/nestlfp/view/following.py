"""Following a store: what is committed now, or a sentence why nothing is."""

from __future__ import annotations

from pathlib import Path

from ..errors import SignalError
from ..kernels.files import brief
from ..signals.commit import FILE
from ..signals.stores import Committed


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
        self._seen: object = None  # what tells commits apart

    def look(self) -> bool:
        """Whether there is something else than before: a commit, or another problem."""
        there = self._what_is_there()
        if self.store is not None and there == self._seen:
            return False
        self._seen = there  # from before it is read: what comes meanwhile is found the next time
        before = self.problem
        try:
            self.store, self.problem = Committed.read(self.path), ""
        except SignalError as error:
            self.fail(error)
        return self.store is not None or self.problem != before

    def fail(self, error: SignalError | OSError) -> None:
        """What was committed cannot be read; the store is opened anew at the next look."""
        self.store = None
        self.problem = f"{brief(error)}. This page goes on when the store can be read."

    def _what_is_there(self) -> object:
        """The commit's file and its folder, either of which may be replaced."""
        try:
            folder = self.path.stat().st_ino
            commit = self.path / FILE
            return folder, commit.read_bytes() if commit.exists() else b""
        except OSError:
            return None
