"""A fresh process for each run, on this machine."""

from __future__ import annotations

import multiprocessing
import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import wait
from multiprocessing.process import parent_process
from typing import Any


class ProcessEnded(Exception):
    """The process of a task ended before the task did."""


class FreshProcesses:
    """An executor whose tasks each have a new process, which ends with them.

    NEST keeps what it has loaded, and memory, until its process ends; and what ends a process,
    such as an assertion in NEST, then ends one task only.
    """

    def __init__(self, workers: int) -> None:
        self._threads = ThreadPoolExecutor(workers)
        # Not fork: threads of this process, and a NEST in it, would be copied as they are.
        self._context: Any = multiprocessing.get_context(
            "forkserver" if sys.platform == "linux" else "spawn"
        )
        if sys.platform == "linux":
            self._context.set_forkserver_preload([f"{__package__}.preloaded"])

    def __enter__(self) -> FreshProcesses:
        return self

    def __exit__(self, *_: object) -> None:
        self._threads.shutdown(wait=True, cancel_futures=True)

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
        """Call the function in a process of its own, when one of the workers is free."""
        return self._threads.submit(self._call, function, arguments)

    def _call(self, function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
        with ProcessPoolExecutor(1, self._context, initializer=_end_with_parent) as pool:
            try:
                return pool.submit(function, *arguments).result()
            except BrokenProcessPool as error:
                raise ProcessEnded("without a word: it was killed, or NEST ended it") from error


def _end_with_parent() -> None:
    """End this process when the one that started it ends: it would go on for ever otherwise."""
    parent = parent_process()
    if parent is not None:
        threading.Thread(target=_watch, args=(parent.sentinel,), daemon=True).start()


def _watch(sentinel: int) -> None:
    wait([sentinel])
    os._exit(1)
