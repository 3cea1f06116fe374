"""Replaying spikes on all cells, in processes of their own.

`responses` hands out batches of cells to processes and yields, batch by batch and always in the
same order, the summed signal of the cells for each row of activity.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from pickle import PicklingError
from types import ModuleType
from typing import Any, NamedTuple

from tqdm.auto import tqdm

from ..._types import Floats
from ...errors import NetworkError
from .cells import load_mechanisms
from .response import Task, cell_response

Batch = tuple[str, range]
_CELLS_PER_BATCH = 8  # whatever the number of processes: it sets the order of summation


def responses(
    task: Task, processes: int | None, progress: bool
) -> Iterator[tuple[str, dict[int, Floats]]]:
    """Population and, by row, summed signal (channels, steps) of batches of cells."""
    batches = [
        (post, range(first, min(first + _CELLS_PER_BATCH, task.network.sizes[post])))
        for post in task.populations
        for first in range(0, task.network.sizes[post], _CELLS_PER_BATCH)
    ]
    cells = sum(len(indices) for _, indices in batches)
    run = _here if processes == 0 else _in_processes
    with tqdm(total=cells, desc="cells", unit="cell", disable=not progress) as bar:
        for (post, indices), response in zip(batches, run(task, batches, processes), strict=True):
            yield post, response
            bar.update(len(indices))


def _here(task: Task, batches: Sequence[Batch], _: int | None) -> Iterator[dict[int, Floats]]:
    _start(task)
    for post, indices in batches:
        yield _batch_response(post, indices)


def _in_processes(
    task: Task, batches: Sequence[Batch], processes: int | None
) -> Iterator[dict[int, Floats]]:
    pool = ProcessPoolExecutor(
        processes or os.cpu_count(),
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_start,
        initargs=(task,),
    )
    try:
        yield from _submitted(pool, batches)
    except BrokenProcessPool as error:
        raise NetworkError(
            f"a process that simulates cells ended early ({error}); what it printed tells why"
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _submitted(pool: ProcessPoolExecutor, batches: Sequence[Batch]) -> Iterator[dict[int, Floats]]:
    """Responses to come; this starts the processes and hands them the task."""
    try:
        with _starting_afresh():
            return pool.map(_batch_response, *zip(*batches, strict=True))
    except (PicklingError, AttributeError, TypeError) as error:
        raise NetworkError(
            f"a population or probe cannot be handed to another process ({error}): functions "
            "among the arguments of a cell must be importable from a module"
        ) from error


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


class _Here(NamedTuple):
    """What a process knows: its task, and currents it has simulated for it."""

    task: Task
    impulses: dict[tuple[Any, ...], Floats]


_here_and_now: _Here | None = None


def _start(task: Task) -> None:
    global _here_and_now  # noqa: PLW0603 - a process of a pool has no other place for it
    _here_and_now = _Here(task, {})


def _batch_response(post: str, indices: Sequence[int]) -> dict[int, Floats]:
    """Summed response of some cells to each row of activity that reaches them."""
    assert _here_and_now is not None
    task, impulses = _here_and_now
    load_mechanisms(task.populations[post])
    total: dict[int, Floats] = {}
    for index in indices:
        for row, response in cell_response(task, post, index, impulses):
            if row in total:
                total[row] += response
            else:
                total[row] = response
    return total
