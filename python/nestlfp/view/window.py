"""The part of a signal that is looked at, in as many bins as a screen has room for.

Of many samples to a pixel the smallest and the largest are kept, so that no peak is lost. Only
what is new is read, and memory is bounded by the constants here, however long the store is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from .._types import Floats
from ..signals.stores import Committed

BINS = 700  # about the pixels of a figure
_KEPT = 2**20  # values that were read last
_BLOCK = 2**20  # values that are read at once
_MOST = 2**25  # values of the longest window


class Source:
    """Times and values of a signal as one array, times first; what was read last is kept.

    Parameters
    ----------
    store : Committed
        The store.
    signal : str
        The signal.
    populations : dict
        The pre- or postsynaptic population whose contribution is wanted. Contributions of a
        dimension that is not named are added up.
    """

    def __init__(self, store: Committed, signal: str, populations: Mapping[str, str]) -> None:
        self.store = store
        self.signal = signal
        self._populations = dict(populations)
        array = store.dataset[signal]
        self.rows = 1 + array.shape[-2]
        self.longest = max(_MOST // (array[..., :1].size + 1), 1)
        self._first, self._kept = 0, np.empty((self.rows, 0))

    def read(self, start: int, stop: int) -> Floats:
        """Samples number `start` to `stop` - 1; what is not finite is NaN."""
        end = self._first + self._kept.shape[1]
        if not self._first <= start <= end:
            self._first, self._kept = start, self._load(start, stop)
        elif stop > end:
            self._kept = np.concatenate([self._kept, self._load(end, stop)], axis=1)
        found = self._kept[:, start - self._first : stop - self._first]
        beyond = self._kept.shape[1] - self.newest
        if beyond > 0:
            self._first, self._kept = self._first + beyond, self._kept[:, beyond:].copy()
        return found

    @property
    def newest(self) -> int:
        """How many samples are kept at most."""
        return max(_KEPT // self.rows, 1)

    def _load(self, start: int, stop: int) -> Floats:
        part = self.store.part(slice(start, stop))
        array = part[self.signal].sel(self._populations)
        values = array.values.astype(float)
        values = np.where(np.isfinite(values), values, np.nan)
        values = values.sum(axis=tuple(range(values.ndim - 2)))
        return np.concatenate([part["time"].values[None].astype(float), values])


@dataclass(frozen=True)
class Binned:
    """Samples in bins, ``(row, bin)``; the same three times where a bin is a sample."""

    x: Floats
    low: Floats
    high: Floats
    mean: Floats


class Bins:
    """Bins of a source; those that are complete are not read again.

    Parameters
    ----------
    source : Source
        Where samples come from.
    rows : callable
        What is put into bins, made of the values: `Source` has a row for each channel.
    """

    def __init__(self, source: Source, rows: Callable[[Floats], Floats]) -> None:
        self.source = source
        self._rows = rows
        self._width, self._first = 0, 0
        self._kept: Floats | None = None  # (smallest, largest or mean; row; bin), complete bins

    def read(self, start: int, stop: int, length: int) -> Binned:
        """Samples number `start` to `stop` - 1, of a window that `length` samples will fill."""
        width = -(-length // BINS)
        first = start // width  # bins start at multiples, wherever the window does
        complete = stop // width
        kept = self._kept
        known = 0 if kept is None else kept.shape[2]
        if kept is None or width != self._width or not self._first <= first <= self._first + known:
            parts, end = [], first
        else:
            end = max(min(self._first + known, complete), first)
            parts = [kept[:, :, first - self._first : end - self._first]]
        at_once = max(_BLOCK // self.source.rows // width, 1) * width
        for begin in range(end * width, stop, at_once):
            parts.append(self._reduced(begin, min(begin + at_once, stop), width))
        found = np.concatenate(parts, axis=2)
        self._width, self._first = width, first
        self._kept = found[:, :, : complete - first]
        (x_low, low), (x_high, high), (_, mean) = ((part[0], part[1:]) for part in found)
        return Binned((x_low + x_high) / 2, low, high, mean)

    def _reduced(self, start: int, stop: int, width: int) -> Floats:
        samples = self.source.read(start, stop)
        rows = np.concatenate([samples[:1], self._rows(samples[1:])])
        if width == 1:
            return np.stack([rows] * 3)
        starts = np.arange(0, stop - start, width)
        sums = np.add.reduceat(rows, starts, axis=1)
        return np.stack(
            [
                np.fmin.reduceat(rows, starts, axis=1),
                np.fmax.reduceat(rows, starts, axis=1),
                sums / np.diff(starts, append=stop - start),
            ]
        )
