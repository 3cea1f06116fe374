"""Work on cells in processes of their own, started afresh.

NEURON never meets NEST there, cells of the calling process stay as they are, and a script needs
no guard. Results come in the order of the tasks, whatever the number of processes.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from pickle import PicklingError
from types import ModuleType
from typing import Any, TypeVar

from ..errors import NestLFPError

T = TypeVar("T")


def in_processes(
    work: Callable[..., T],
    tasks: Sequence[tuple[Any, ...]],
    processes: int | None,
    *,
    error: type[NestLFPError],
    start: Callable[[], object] | None = None,
) -> Iterator[T]:
    """What ``work(*task)`` returns for each task, in their order.

    Parameters
    ----------
    work : callable
        A function of a module.
    tasks : sequence of tuple
        Arguments of `work`.
    processes : int, optional
        How many. Default: one per core. With 0 everything is done in the calling process.
    error : class
        What is raised where a process ends early, or cannot be handed its task.
    start : callable, optional
        Is called once in each process before: a function of a module, or a partial of one.
    """
    if processes == 0:
        if start is not None:
            start()
        yield from (work(*task) for task in tasks)
        return
    pool = ProcessPoolExecutor(
        min(processes or os.cpu_count() or 1, len(tasks)),
        mp_context=multiprocessing.get_context("spawn"),
        initializer=start,
    )
    try:
        yield from _submitted(pool, work, tasks, error)
    except BrokenProcessPool as broken:
        raise error(
            f"a process that simulates cells ended early ({broken}); what it printed says why"
        ) from broken
    finally:
        pool.shutdown(cancel_futures=True)


def _submitted(
    pool: ProcessPoolExecutor,
    work: Callable[..., T],
    tasks: Sequence[tuple[Any, ...]],
    error: type[NestLFPError],
) -> Iterator[T]:
    """Results to come; this starts the processes and hands them what they are given."""
    try:
        with _starting_afresh():
            return pool.map(work, *zip(*tasks, strict=True))
    except (PicklingError, AttributeError, TypeError) as unsent:
        raise error(
            f"a population or probe cannot be handed to another process ({unsent}): functions "
            "among the arguments of a cell must be importable from a module"
        ) from unsent


@contextmanager
def _starting_afresh() -> Iterator[None]:
    """What processes started here find: not the user's script, which they would run again."""
    settings = {"NEURON_MODULE_OPTIONS": "-nogui", "OMP_NUM_THREADS": "1"}
    main, before = sys.modules["__main__"], {name: os.environ.get(name) for name in settings}
    sys.modules["__main__"] = ModuleType("__main__")
    os.environ.update(settings)
    try:
        yield
    finally:
        sys.modules["__main__"] = main
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
