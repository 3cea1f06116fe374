"""Compute signals from buffered spikes, block by block."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import xarray as xr

from .. import signals
from .._types import Floats
from ..kernels import KernelSet, NeuronKernels
from ..kernels.convolve import of_counts
from ..kernels.neurons.counts import of_steps
from ..kernels.neurons.kernels import as_neurons
from ..progress import progress_bar
from .disk_buffer import DiskBuffer

_VALUES = 2**21
"""Samples of all channels in a block: 16 MB, and some times that while it is made."""


class Blocks:
    """Signals in blocks of time.

    Attributes
    ----------
    sizes : dict of str to (int or None)
        See `Assignment`.
    block : int
        Steps in a block.
    """

    def __init__(
        self, kernels: KernelSet | NeuronKernels, keep: tuple[str, ...], every: int
    ) -> None:
        self._neurons = as_neurons(kernels)
        self.modes = modes = self._neurons.modes
        self._keep, self._every = keep, every
        weights = self._neurons.weights
        self.sizes = {
            name: weights[name].shape[0] if name in weights else None for name in self._neurons.pre
        }
        apart = np.prod([modes.stored.sizes[dim] for dim in keep], dtype=int)
        channels = sum(array.shape[2] for array in modes.stored.data_vars.values())
        room = _VALUES // int(channels * apart + len(modes.pre))
        # Each block makes anew what lies before it, as long as the kernels.
        self.block = max(min(room, 2**16), 4 * modes.n_lags) // every * every or every

    def made(
        self, buffer: DiskBuffer, n: int, facts: Mapping[str, Any], *, shown: bool
    ) -> Iterator[xr.Dataset]:
        """First signals with no samples, then those of each block up to step n."""
        yield self._labelled(0, 0, np.zeros((len(self.modes.pre), 2)), 0, facts)
        first = self.modes.first_lag_steps
        before = max(first + self.modes.n_lags - 1, 1)  # steps of which spikes reach a sample
        after = max(-first, 0)
        counts: dict[int, Floats] = {}
        with progress_bar(n, "convolving", "step", shown, leave=False, delay=0.5) as bar:
            for start in range(0, n, self.block):
                stop = min(start + self.block, n)
                earliest = start + 1 - before
                needed = range(earliest // self.block, (stop + after) // self.block + 1)
                for number in [number for number in counts if number not in needed]:
                    del counts[number]
                for number in needed:
                    if number not in counts:
                        counts[number] = self._counts(buffer, number)
                window = np.concatenate([counts[number] for number in needed], axis=1)
                skipped = earliest - needed[0] * self.block
                window = window[:, skipped : skipped + stop + after - earliest + 1]
                yield self._labelled(start, stop, window, before, facts)
                bar.update(stop - start)

    def _labelled(
        self, start: int, stop: int, window: Floats, before: int, facts: Mapping[str, Any]
    ) -> xr.Dataset:
        """Signals at the samples in steps start + 1 ... stop; the window begins `before` those."""
        made = of_counts(self.modes.stored, window, self._keep)
        at = np.arange(start // self._every + 1, stop // self._every + 1) * self._every
        made = made.isel(time=at - start + before - 2)
        if "pre" in self._keep:
            made = self._neurons.by_population(made)
        times = ("time", at * self.modes.dt, {"units": "ms"})
        return made.assign_coords(time=times).assign_attrs(
            format=signals.FORMAT,
            interval_ms=self._every * self.modes.dt,
            resolution_ms=self.modes.dt,
            kernels=self.modes.fingerprint,
            **facts,
        )

    def _counts(self, buffer: DiskBuffer, number: int) -> Floats:
        """Spikes of each population or mode in the steps of a block, (pre, step)."""
        counts = np.zeros((len(self.modes.pre), self.block))
        found = buffer.read(number) if number >= 0 else buffer.read(0)[:0]
        for k, (name, own) in enumerate(self._neurons.populations.items()):
            mine = found[found["population"] == k]
            if mine.size:
                rows = [self.modes.pre.index(mode) for mode in own]
                at = mine["step"] - number * self.block
                weights = self._neurons.weights.get(name)
                counts[rows] = of_steps(at, mine["row"], weights, len(own), self.block - 1)
        return counts


def filled(template: xr.Dataset, parts: Iterator[xr.Dataset], n: int) -> xr.Dataset:
    """The parts as one dataset, which is in memory once."""
    arrays = {name: np.zeros((*array.shape[:-1], n)) for name, array in template.data_vars.items()}
    times, done = np.zeros(n), 0
    for part in parts:
        at = slice(done, done + part.sizes["time"])
        times[at] = part["time"].values
        for name, array in arrays.items():
            array[..., at] = part[name].values
        done = at.stop
    whole = template.drop_dims("time").assign_coords(time=("time", times, {"units": "ms"}))
    for name, signal in template.data_vars.items():
        whole[name] = (signal.dims, arrays[name], signal.attrs)
    return whole.assign_attrs(template.attrs)
