"""The view of a store that Zarr reads through: what is committed, whole, or an error."""

from __future__ import annotations

from typing import Any

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
        self._arrays = dict(commit.arrays())
        self._folder = commit.path.stat().st_ino

    async def get(self, key: str, prototype: Any = None, *args: Any, **options: Any) -> Any:
        """The bytes of a file of the store; those of a chunk only where they are right."""
        if key == FILE:
            return (prototype or default_buffer_prototype()).buffer.from_bytes(self._commit.text)
        name, _, file = key.rpartition("/")
        array = self._arrays.get(name)
        found = await super().get(key, prototype, *args, **options)
        if array is not None and not file.startswith("."):
            self._check(key, array, found)
        return found

    def _check(self, key: str, array: dict[str, Any], found: Any) -> None:
        path = self._commit.path
        if not path.exists() or path.stat().st_ino != self._folder:
            raise SignalError(f"the store {str(path)!r} was replaced since it was opened")
        if found is None:
            if self._commit.needs_chunks(array):
                raise damaged(path, f"the file {key!r} is missing")
        elif array["compressor"] is not None:
            try:
                get_codec(array["compressor"]).decode(found.to_bytes())
            except Exception as error:  # of the codec
                raise damaged(path, f"the file {key!r} is not what was written") from error
