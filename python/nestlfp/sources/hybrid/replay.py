"""Replaying spikes on all cells, in processes of their own.

`responses` hands out batches of cells to processes and yields, batch by batch and always in the
same order, the summed signal of the cells for each row of activity.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from ..._types import Floats
from ...errors import NetworkError
from ...progress import progress_bar
from .._processes import in_processes
from .cells import load_mechanisms
from .response import Task, cell_response

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
    start = partial(_start, task)
    found = in_processes(_batch_response, batches, processes, start=start, error=NetworkError)
    with progress_bar(cells, "cells", "cell", progress) as bar:
        for (post, indices), response in zip(batches, found, strict=True):
            yield post, response
            bar.update(len(indices))


# What a process keeps: its task, and currents it has simulated for it.
_here_and_now: tuple[Task, dict[tuple[Any, ...], Floats]] | None = None


def _start(task: Task) -> None:
    global _here_and_now  # noqa: PLW0603 - a process of a pool has no other place for it
    _here_and_now = task, {}


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
