"""The view of a store that Zarr reads through: what is committed, whole, or an error."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import functools
import json
import math
from typing import Any

import numpy as np
from numcodecs import get_codec
from zarr.buffer import default_buffer_prototype
from zarr.storage import LocalStore

from ..errors import SignalError
from .commit import FILE, Commit, damaged


class GuardedStore(LocalStore):
    """A store as of one commit; Zarr itself would take a missing chunk for fill values."""

    def __init__(self, commit: Commit) -> None:
        super().__init__(commit.path, read_only=True)
        self._commit = commit
        self._metadata = {FILE: commit.text} | {
            file: json.dumps(content).encode() for file, content in commit.metadata.items()
        }
        self._arrays = dict(commit.arrays())
        self._folder = commit.path.stat().st_ino
        self._failure: str | None = None

    async def get(self, key: str, prototype: Any = None, *args: Any, **options: Any) -> Any:
        """The bytes of a file of the store; those of a chunk only where they are right."""
        if key in self._metadata:
            buffer = (prototype or default_buffer_prototype()).buffer
            return buffer.from_bytes(self._metadata[key])
        if self._failure is not None:  # Zarr still asks for the other chunks
            raise SignalError(self._failure)
        array = self._arrays.get(key.rpartition("/")[0])
        found = await super().get(key, prototype, *args, **options)
        if array is not None:
            try:
                self._check(key, array, found)
            except SignalError as error:
                self._failure = str(error)
                _finish_at_exit(asyncio.get_running_loop())
                raise
        return found

    def _check(self, key: str, array: dict[str, Any], found: Any) -> None:
        path = self._commit.path
        if not path.exists() or path.stat().st_ino != self._folder:
            raise SignalError(f"the store {str(path)!r} was replaced since it was opened")
        if found is None:
            if self._commit.sealed:
                raise damaged(path, f"the file {key!r} is missing")
            return
        try:
            data = found.to_bytes()
            if array["compressor"] is not None:
                data = get_codec(array["compressor"]).decode(data)
            n_bytes = math.prod(array["chunks"]) * np.dtype(array["dtype"]).itemsize
            if array["filters"] is None and len(data) != n_bytes:
                raise ValueError("wrong length")
        except Exception as error:  # of the codec
            raise damaged(path, f"the file {key!r} is not what was written") from error


@functools.cache
def _finish_at_exit(loop: asyncio.AbstractEventLoop) -> None:
    """Let Zarr's other reads end before Python does, which would print a line for each."""
    atexit.register(_finish, loop)  # before Zarr's own, which ends the loop


def _finish(loop: asyncio.AbstractEventLoop) -> None:
    if loop.is_running():
        with contextlib.suppress(TimeoutError):
            asyncio.run_coroutine_threadsafe(others_end(), loop).result(timeout=10)


async def others_end() -> None:
    """Wait for all other work in Zarr's thread, whether it succeeds or not."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    await asyncio.gather(*others, return_exceptions=True)
