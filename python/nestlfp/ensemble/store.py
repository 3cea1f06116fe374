"""The Zarr store of an ensemble, which grows along ``run``.

Runs are appended as they end, so that rows are in that order; each is committed when it is written
(see `nestlfp.signals.stores`), with its parameters. What is in the store is finished.
"""

from __future__ import annotations

import contextlib
import json
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
from .identity import NAME, TEXT
from .parameters import OWN, RUN
from .results import blank, difference

ERROR_LETTERS = 240  # of the text of an error, at most: Zarr's arrays have text of fixed width
# Runs in a file of each variable, at most: few files, and still quickly written again. A run of
# 8 MB or more has files of its own, so that no others are written with it.
_CHUNK = 32
_BLOCK = 2**22  # values of runs that are copied at once: 32 MB


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

    def __init__(self, path: Path, plan: xr.Dataset, function: dict[str, str]) -> None:
        self.path = path
        self.done: set[int] = set()
        self.failed: set[int] = set()
        self._plan = plan
        self._functions = [function]  # as it was at first, and at last where runs changed it
        self._blank: xr.Dataset | None = None  # unknown until a run has had a result

    @classmethod
    @contextlib.contextmanager
    def opened(
        cls,
        path: str | os.PathLike[str],
        plan: xr.Dataset,
        function: dict[str, str],
        *,
        retry: bool,
    ) -> Iterator[EnsembleStore]:
        """The store at `path`, for writing; runs that it has are in `done` or `failed`.

        `function` is its identity, see `nestlfp.ensemble.identity`.

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
            with store._as_ensemble_errors():
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
        with self._as_ensemble_errors():
            if error or self._blank is not None:
                kept = None if error else result
                self._append(self._rows([run], kept, [error], [seconds]))
            else:
                self._begin(run, result, seconds)
        (self.failed if error else self.done).add(run)
        return error

    def became(self, function: dict[str, str]) -> None:
        """Note what runs have changed of what is bound to the function, such as a count of them."""
        if function not in self._functions and (self.done or self.failed):
            self._functions = [self._functions[0], function]
            with self._as_ensemble_errors():
                stores.label(self.path, self._attrs())

    def _append(self, row: xr.Dataset) -> None:
        if self.done or self.failed:
            stores.append(self.path, row, RUN)
        else:
            stores.create(self.path, row, along=RUN, room=_CHUNK)

    def _begin(self, run: int, result: Any, seconds: float) -> None:
        """The first result of all: the rows of runs that failed before it get the shape of it."""
        self._blank = blank(result)
        row = self._rows([run], result, [""], [seconds])
        if not self.failed:
            self._append(row)
            return
        before = stores.opened(self.path, ENSEMBLE_FORMAT).load()
        runs, errors, took = (before[name].values.tolist() for name in (RUN, "error", "seconds"))
        failed = self._rows(runs, None, errors, took)
        stores.create(self.path, failed, along=RUN, room=_CHUNK, more=[row])

    def _rows(
        self, runs: list[int], result: xr.Dataset | None, errors: list[str], seconds: list[float]
    ) -> xr.Dataset:
        """Runs as they are in the store."""
        values = result if result is not None else self._blank
        rows = (xr.Dataset() if values is None else values).expand_dims({RUN: runs})
        own = {
            "error": (RUN, np.array(errors, dtype=f"U{ERROR_LETTERS}")),
            "seconds": (RUN, np.array(seconds), {"units": "s"}),
        }
        plan = self._plan.isel({RUN: runs}).coords
        rows = rows.assign_coords({**plan, **own})
        rows.attrs = {"format": ENSEMBLE_FORMAT, **self._attrs()}
        return rows

    def _attrs(self) -> dict[str, str]:
        return {"function": self._functions[0][NAME], "identity": json.dumps(self._functions)}

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
            self._blank = blank(one.drop_vars(columns)).load()
        if retry and self.failed:
            first, *others = self._kept()
            more = (each.load() for each in others)
            stores.create(self.path, first.load(), along=RUN, room=_CHUNK, more=more)
            self.failed = set()

    def _kept(self) -> list[xr.Dataset]:
        """The runs that did not fail, in parts, as they are in the store."""
        there = stores.opened(self.path, ENSEMBLE_FORMAT)
        good = np.flatnonzero(there["error"].values == "")
        values = sum(array.size for array in there.data_vars.values()) // there.sizes[RUN]
        step = max(1, _BLOCK // max(values, 1))
        parts = range(0, max(good.size, 1), step)
        return [there.isel({RUN: good[start : start + step]}) for start in parts]

    def _check_same(self, there: xr.Dataset) -> None:
        """Whether what is there are runs of this ensemble."""
        columns = {str(name) for name, array in there.coords.items() if array.dims == (RUN,)}
        before = columns - {RUN, *OWN} | {"seed"}
        wanted = {str(name) for name in self._plan.coords} - {RUN}
        self._check_function(there.attrs)
        runs = there[RUN].values
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

    def _check_function(self, attrs: dict[str, Any]) -> None:
        now, name = self._functions[0], attrs.get("function")
        functions = json.loads(attrs.get("identity", "[{}]"))  # none was noted at first
        if now in functions:
            self._functions = functions
            return
        then = functions[-1]
        if name != now[NAME]:
            raise self._another(f"of the function {name!r}", repr(now[NAME]))
        if then.get(TEXT) != now[TEXT]:
            raise self._another(f"of {name!r} with another text than it has now", "of this one")
        what = next(each for each in (*then, *now) if then.get(each) != now.get(each))
        raise self._another(
            f"of {name!r} with {what} = {then.get(what, 'nothing')}", now.get(what, "nothing")
        )

    def _another(self, there: str, here: str) -> EnsembleError:
        return EnsembleError(
            f"{str(self.path)!r} holds another ensemble: runs {there}, here {here}. Continue it as "
            "it was, or choose another place"
        )

    @contextlib.contextmanager
    def _as_ensemble_errors(self) -> Iterator[None]:
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
