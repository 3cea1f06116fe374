"""Running an ensemble."""

from __future__ import annotations

import contextlib
import inspect
import os
import pickle
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import BrokenExecutor
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from ..errors import EnsembleError, KernelsMismatchWarning
from ..progress import progress_bar
from .identity import identity
from .parameters import RUN, plan, whole
from .processes import FreshProcesses
from .results import as_dataset
from .store import ERROR_LETTERS, EnsembleStore, load

Outcome: TypeAlias = tuple[xr.Dataset | None, str, float]
"""Result, error and seconds."""

_POLL = 0.02  # s: twice as many runs are handed out as there are workers, so that none waits
_SHOWN = 5  # errors that are printed while runs go on


def run(
    function: Callable[..., Any],
    parameters: Mapping[str, ArrayLike],
    to: str | os.PathLike[str],
    *,
    seed: int = 1,
    workers: int | None = None,
    executor: Any = None,
    retry: bool = False,
    progress: bool = True,
) -> xr.Dataset:
    """Call a function for each run of an ensemble, and keep what it returns in one data set.

    Parameters
    ----------
    function : callable
        Called as ``function(eta=2.0, g=5.0, seed=123)``, with the parameters of a run and a seed
        of its own. Returns an `xarray.Dataset`, such as signals or their spectra, an
        `xarray.DataArray` with a name, or a dict of numbers and arrays: of the same names, shapes
        and coordinates in each run. It must be importable: at the top of a module or script. A
        script must have what starts the ensemble below ``if __name__ == "__main__":``.
    parameters : dict of str to array, shape (runs,)
        The value of each parameter in each run, as `sample` and `grid` make them.
    to : path
        The store, whose name ends in ``.zarr``. Runs that it has are not repeated; more runs may
        be added to the same parameters. The function must be the same: where it comes from, its
        text, and all that is bound to it, such as the arguments of a `functools.partial`. Changes
        of other functions that it calls are not noticed.
    seed : int
        What the seeds of all runs follow from. A run's seed depends on it and on the run's number
        alone; seeds lie between 1 and 2³¹ - 1, and all differ.
    workers : int, optional
        How many runs take place at once. Default: one for each core; for an executor, its
        number of workers should be given.
    executor : object, optional
        What runs them instead of a fresh process for each on this machine: anything with a
        ``submit(function, *arguments)`` that returns a future with ``done()`` and ``result()``,
        such as Dask's ``client.get_executor()``, submitit's ``AutoExecutor``, mpi4py's
        ``MPIPoolExecutor`` or joblib's loky. A process of these may take one run after the other:
        the function should call ``nest.ResetKernel()`` first.
    retry : bool
        Repeat runs that failed before.
    progress : bool
        Show a progress bar, in a terminal or notebook.

    Returns
    -------
    xarray.Dataset
        What the runs returned, along the dimension ``run``, in the order of their numbers, with
        coordinates along it: the parameters, ``seed``, ``seconds`` that the run took, and
        ``error``, empty unless it failed. What failed has NaN. Values are read when they are used.

    Raises
    ------
    EnsembleError
        If parameters, function or store do not fit each other; before anything is run.
    StreamError
        If another process writes to the store.

    Warns
    -----
    UserWarning
        If runs failed.

    Notes
    -----
    The call may be interrupted, killed or fail at any moment; calling it again goes on. A run
    is in the store, whole, or is not.

    The first run of a call alone compares kernels with the network (`KernelsMismatchWarning`).

    Examples
    --------
    >>> from nestlfp import ensemble
    >>> from my_network import simulate                                    # doctest: +SKIP
    >>> parameters = ensemble.sample({"eta": (1.5, 3.0), "g": (4.5, 6.0)}, runs=1000)
    >>> runs = ensemble.run(simulate, parameters, "runs.zarr")             # doctest: +SKIP
    >>> spectra = runs["LFP"].where(runs["error"] == "", drop=True)        # doctest: +SKIP
    """
    runs = plan(parameters, seed)
    count = _workers(workers)
    names = [str(name) for name in runs.coords if name != RUN]
    _check_function(function, names, importable=executor is None)
    with EnsembleStore.opened(to, runs, identity(function), retry=retry) as store:
        todo = [k for k in range(runs.sizes[RUN]) if k not in store.done | store.failed]
        arguments = {k: {name: runs[name].values[k].item() for name in names} for k in todo}
        total, before = runs.sizes[RUN], len(store.failed)
        with (
            FreshProcesses(count) if executor is None else contextlib.nullcontext(executor) as by,
            progress_bar(total, "runs", "run", progress, initial=total - len(todo)) as bar,
        ):
            try:
                for k, outcome in _outcomes(by, function, arguments, count):
                    error = store.add(k, *outcome)
                    bar.update()
                    if error:
                        bar.set_postfix_str(f"{len(store.failed)} failed", refresh=False)
                        if len(store.failed) - before <= _SHOWN and not bar.disable:
                            bar.write(f"run {k} failed: {error}")
            finally:
                store.became(identity(function))
    if store.failed:
        warnings.warn(
            f"{len(store.failed)} of {total} runs failed; each says why in its 'error'. "
            "retry=True repeats them",
            stacklevel=2,
        )
    return load(store.path)


def _outcomes(
    executor: Any, function: Callable[..., Any], arguments: Mapping[int, Any], workers: int
) -> Iterator[tuple[int, Outcome]]:
    """Runs as they end; a few more than there are workers wait at any time, not all of them."""
    todo, first = iter(arguments.items()), min(arguments, default=None)
    waiting: dict[int, Any] = {}
    try:
        while True:
            while len(waiting) < 2 * workers and (task := next(todo, None)) is not None:
                k, given = task
                waiting[k] = executor.submit(_work, function, given, k != first)
            if not waiting:
                return
            ended = [k for k, future in waiting.items() if future.done()]
            for k in ended:
                yield k, _outcome(waiting.pop(k))
            if not ended:
                time.sleep(_POLL)
    except BrokenExecutor as error:
        raise EnsembleError(
            f"the executor broke ({error}): runs that ended are in the store, and the same call "
            "with another executor goes on"
        ) from error
    finally:
        for future in waiting.values():
            with contextlib.suppress(Exception):
                future.cancel()


def _outcome(future: Any) -> Outcome:
    try:
        outcome: Outcome = future.result()
    except BrokenExecutor:  # and none of the others will run on it
        raise
    except Exception as error:  # of the process that ran it
        return None, _message_of(error), np.nan
    return outcome


def _work(function: Callable[..., Any], arguments: dict[str, Any], later: bool) -> Outcome:
    """One run, in its process. An error is handed back as text: not every one can be pickled.

    The first run alone compares kernels with its network.
    """
    start = time.perf_counter()
    try:
        with warnings.catch_warnings():
            if later:
                warnings.simplefilter("ignore", KernelsMismatchWarning)
            result, error = as_dataset(function(**arguments)), ""
    except (Exception, SystemExit) as caught:
        return None, _message_of(caught), time.perf_counter() - start
    return result, error, time.perf_counter() - start


def _message_of(error: BaseException) -> str:
    """An error in as many letters as its column has."""
    text = " ".join(f"{type(error).__name__}: {error}".split())
    return text if len(text) <= ERROR_LETTERS else f"{text[: ERROR_LETTERS - 1]}…"


def _check_function(function: Any, names: list[str], *, importable: bool) -> None:
    if not callable(function):
        raise EnsembleError(f"function must be callable, found {type(function).__name__}")
    try:
        inspect.signature(function).bind(**dict.fromkeys(names))
    except ValueError:  # some of C's have no signature
        pass
    except TypeError as error:
        raise EnsembleError(
            f"{_name(function)} cannot be called with the parameters {names}: {error}"
        ) from error
    if importable:
        _check_reachable(function)


def _check_reachable(function: Any) -> None:
    """Whether another process finds the function where Python looks for it."""
    script = getattr(sys.modules["__main__"], "__file__", None)
    try:
        pickle.dumps(function)
        found = function.__module__ != "__main__" or script is not None
    except Exception:
        found = False
    if not found:
        raise EnsembleError(
            f"{_name(function)} cannot be reached from another process: it must be at the top of a "
            "module or script, not in a notebook or another function. An executor that takes such "
            "functions, as Dask's, is another way"
        )
    # Python's new processes import the script of their parent.
    if script is not None and "__main__" not in _text(script):
        raise EnsembleError(
            f"{script} would start another ensemble in each process, which imports it: put what "
            'starts it below  if __name__ == "__main__":'
        )


def _text(script: str) -> str:
    try:
        return Path(script).read_text(encoding="utf-8", errors="replace")
    except OSError:  # it is not a file, or not any more
        return "__main__"


def _name(function: Any) -> str:
    function = getattr(function, "func", function)  # of a functools.partial
    return getattr(function, "__qualname__", type(function).__qualname__)


def _workers(given: int | None) -> int:
    if given is None:
        available = getattr(os, "sched_getaffinity", None)  # not on macOS
        return len(available(0)) if available else os.cpu_count() or 1
    return whole(given, 1, "workers")
