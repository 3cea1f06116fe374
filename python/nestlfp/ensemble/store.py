"""Where the runs of an ensemble land: a Zarr store that grows along ``run``.

Runs are appended as they end, so that rows are in that order; each is committed when it is written
(see `nestlfp.signals.stores`), with its parameters. What is in the store is finished.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from ..errors import EnsembleError, NestLFPError
from ..extras import require
from ..kernels.files import brief
from ..signals import stores
from ..signals.commit import ENSEMBLE_FORMAT, Commit
from .parameters import OWN, RUN
from .results import blank, difference

ERROR_LETTERS = 240  # of the text of an error, at most: Zarr's arrays have text of fixed width
_CHUNK = 32  # runs in a file of each variable: few files, and still quickly written again


def load(path: str | os.PathLike[str]) -> xr.Dataset:
    """The runs that a store has, in the order of their numbers.

    Parameters
    ----------
    path : path
        Where `run` writes, or has written; it may be at work.

    Returns
    -------
    xarray.Dataset
        As `run` returns it. Values are read when they are used.

    Raises
    ------
    SignalError
        If there is no such store, or it is damaged.
    """
    found = stores.opened(Path(path), ENSEMBLE_FORMAT)
    return found.isel({RUN: np.argsort(found[RUN].values)})  # whichever ended first


class EnsembleStore:
    """Runs on disk, of which one process at a time writes more."""

    def __init__(self, path: Path, plan: xr.Dataset, function: str) -> None:
        self.path = path
        self.done: set[int] = set()
        self.failed: set[int] = set()
        self._plan = plan
        self._function = function
        self._blank: xr.Dataset | None = None  # unknown until a run has had a result

    @classmethod
    @contextlib.contextmanager
    def opened(
        cls, path: str | os.PathLike[str], plan: xr.Dataset, function: str, *, retry: bool
    ) -> Iterator[EnsembleStore]:
        """The store at `path`, for writing; runs that it has are in `done` or `failed`.

        Raises
        ------
        EnsembleError
            If it holds another ensemble, or cannot be written.
        StreamError
            If another process writes it, or its name does not end in .zarr.
        SignalError
            If there is something else, or it is damaged.
        """
        require("zarr", "stream")
        place = stores.checked_place(Path(os.path.realpath(path)))
        store = cls(place, plan, function)
        with contextlib.ExitStack() as held:
            with store._told():
                place.parent.mkdir(parents=True, exist_ok=True)
                held.enter_context(stores.locked(place))
                if stores.is_there(place, ENSEMBLE_FORMAT):
                    store._continue(retry)
            yield store

    def add(self, run: int, result: xr.Dataset | None, error: str, seconds: float) -> str:
        """Append a run, and commit it; returns the error that it has there, if it has one.

        A result that is not like those before becomes an error of its run.
        """
        if result is not None:
            like = result if self._blank is None else self._blank
            error = difference(like, result, set(map(str, self._plan.coords)))
        with self._told():
            if error or self._blank is not None:
                self._append(self._row(run, None if error else result, error, seconds))
            else:
                self._begin(run, result, seconds)
        (self.failed if error else self.done).add(run)
        return error

    def _append(self, row: xr.Dataset) -> None:
        if self.done or self.failed:
            stores.append(self.path, row, RUN)
        else:
            stores.create(self.path, row, _CHUNK, RUN)

    def _begin(self, run: int, result: Any, seconds: float) -> None:
        """The first result of all: the rows of runs that failed before it get the shape of it."""
        self._blank = blank(result)
        rows = [self._row(run, result, "", seconds)]
        if self.failed:
            before = stores.opened(self.path, ENSEMBLE_FORMAT).load()
            for each, error, took in zip(
                *(before[name].values.tolist() for name in (RUN, "error", "seconds")), strict=True
            ):
                rows.insert(-1, self._row(each, None, error, took))
        stores.create(self.path, xr.concat(rows, RUN), _CHUNK, RUN)

    def _row(self, run: int, result: xr.Dataset | None, error: str, seconds: float) -> xr.Dataset:
        """A run as it stands in the store."""
        values = result if result is not None else self._blank
        row = (xr.Dataset() if values is None else values).expand_dims({RUN: [run]})
        own = {
            "error": (RUN, np.array([error], dtype=f"U{ERROR_LETTERS}")),
            "seconds": (RUN, np.array([seconds]), {"units": "s"}),
        }
        plan = self._plan.isel({RUN: [run]}).coords
        row = row.assign_coords({**plan, **own})
        row.attrs = {"format": ENSEMBLE_FORMAT, "function": self._function}
        return row

    # ------------------------------------------------------------------ going on
    def _continue(self, retry: bool) -> None:
        Commit.read(self.path).restore()
        there = load(self.path)
        self._check_same(there)
        runs, bad = there[RUN].values, there["error"].values != ""
        self.failed, self.done = set(runs[bad].tolist()), set(runs[~bad].tolist())
        if self.done:
            one = there.isel({RUN: 0})
            columns = [name for name, array in there.coords.items() if array.dims == (RUN,)]
            self._blank = blank(one.drop_vars(columns).load())
        if retry and self.failed:
            kept = there.isel({RUN: np.flatnonzero(~bad)}).load()
            stores.create(self.path, kept, _CHUNK, RUN)
            self.failed = set()

    def _check_same(self, there: xr.Dataset) -> None:
        """Whether what is there are runs of this ensemble."""
        columns = {str(name) for name, array in there.coords.items() if array.dims == (RUN,)}
        before = columns - {RUN, *OWN} | {"seed"}
        wanted = {str(name) for name in self._plan.coords} - {RUN}
        function, runs = there.attrs.get("function"), there[RUN].values
        if function != self._function:
            raise self._another(f"of the function {function!r}", repr(self._function))
        if before != wanted:
            raise self._another(f"with the parameters {sorted(before)}", str(sorted(wanted)))
        if runs.size and runs[-1] >= self._plan.sizes[RUN]:
            raise self._another(f"up to number {runs[-1]}", f"only {self._plan.sizes[RUN]}")
        for name in sorted(wanted):
            old, new = there[name].values, self._plan[name].values[runs]
            wrong = np.flatnonzero(old != new)
            if wrong.size:
                k = int(wrong[0])
                raise self._another(f"with {name} = {old[k]} in run {runs[k]}", str(new[k]))

    def _another(self, there: str, here: str) -> EnsembleError:
        return EnsembleError(
            f"{str(self.path)!r} holds another ensemble: runs {there}, here {here}. Continue it as "
            "it was, or choose another place"
        )

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        """Errors of libraries, or of the disk, as one of the ensemble."""
        try:
            yield
        except NestLFPError:
            raise
        except Exception as error:
            raise EnsembleError(
                f"cannot write to {str(self.path)!r}: {brief(error)}. What was written before is "
                "there, and the same call goes on from it"
            ) from error
