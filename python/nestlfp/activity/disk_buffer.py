"""Buffer spikes on disk in order of time, so that memory does not grow."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from .._types import Ints

SPIKE = np.dtype([("step", np.int64), ("row", np.int32), ("population", np.int16)])
LIMIT = 2**19
"""Spikes that are kept in memory: 14 bytes each."""


class DiskBuffer:
    """Spikes by blocks of steps; to be used in a `with`, which removes its files.

    Parameters
    ----------
    block : int
        Steps in a block.
    folder : Path, optional
        Where its files are. Default: where the system has temporary files.
    """

    def __init__(self, block: int, folder: Path | None = None) -> None:
        self.block = block
        self.last = -1
        """The last step with a spike."""
        self._waiting: list[np.ndarray] = []
        self._n_waiting = 0
        self._folder = folder
        self._files: tempfile.TemporaryDirectory[str] | None = None

    def __enter__(self) -> DiskBuffer:
        return self

    def __exit__(self, *_: object) -> None:
        if self._files is not None:
            self._files.cleanup()

    def add(self, population: int, steps: Ints, rows: Ints | None) -> None:
        """Spikes of a population, from step 0 on."""
        if not steps.size:
            return
        found = np.empty(steps.size, SPIKE)
        found["step"], found["population"] = steps, population
        found["row"] = 0 if rows is None else rows
        self.last = max(self.last, int(steps.max()))
        self._waiting.append(found)
        self._n_waiting += found.size
        if self._n_waiting > LIMIT:
            self._to_disk()

    def finish(self) -> None:
        """No more spikes are added; `read` is possible."""
        if self._files is not None:
            self._to_disk()
        whole = np.concatenate([np.zeros(0, SPIKE), *self._waiting])
        self._waiting = [whole[np.argsort(whole["step"], kind="stable")]]

    def read(self, number: int) -> np.ndarray:
        """The spikes of a block, in no order."""
        if self._files is not None:
            file = self._file(number)
            return np.fromfile(file, SPIKE) if file.exists() else np.zeros(0, SPIKE)
        (whole,) = self._waiting
        ends = np.searchsorted(whole["step"], [number * self.block, (number + 1) * self.block])
        return whole[slice(*ends)]

    def _to_disk(self) -> None:
        if self._files is None:
            self._files = tempfile.TemporaryDirectory(prefix=".nestlfp-spikes-", dir=self._folder)
        if not self._waiting:
            return
        whole = np.concatenate(self._waiting)
        self._waiting, self._n_waiting = [], 0
        numbers = whole["step"] // self.block
        order = np.argsort(numbers, kind="stable")
        found, starts = np.unique(numbers[order], return_index=True)
        for number, part in zip(found.tolist(), np.split(whole[order], starts[1:]), strict=True):
            with self._file(number).open("ab") as file:
                part.tofile(file)

    def _file(self, number: int) -> Path:
        assert self._files is not None
        return Path(self._files.name) / f"{number}.spikes"
