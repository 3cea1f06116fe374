"""All signals of a `KernelSet` laid side by side, and the way back to labelled signals."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from .._types import Array
from ..errors import KernelError
from ..kernels import KernelSet, by_dims
from ..kernels.readout import butterworth
from ..kernels.strengths import without_strengths
from ..state_space import Ringing


class Coefficients:
    """All kernels of a set as one array, and the way back to labelled signals.

    Parameters
    ----------
    kernels : KernelSet
        The kernels; summed over postsynaptic populations unless kept apart.
    by : {"pre", "post"} or both, optional
        Keep the contributions of these populations apart.

    Attributes
    ----------
    h : ndarray, shape (pre, channel, tap)
        Kernels from each population's first to its last lag that is not zero; "channel" counts
        the channels of all signals (and postsynaptic populations, if kept apart).
    first_lags : ndarray of int, shape (pre,)
        Lag of each population's first tap, in steps.
    lengths : ndarray of int, shape (pre,)
        Number of taps of each population; 0 where its kernels are all zero.
    groups : int
        Sets of outputs: the number of presynaptic populations if kept apart, else 1.
    ringing : Ringing or None
        How kernels of a filtered readout end.
    """

    def __init__(self, kernels: KernelSet, by: str | Iterable[str] = ()) -> None:
        self.by = by_dims(by)
        self.dt = kernels.dt
        self.groups = len(kernels.pre) if "pre" in self.by else 1
        self._signals = {
            name: array if "post" in self.by else array.sum("post", keep_attrs=True)
            for name, array in kernels.dataset.data_vars.items()
        }
        self._coords = without_strengths(kernels.dataset).drop_vars(
            [*kernels.signals, "lag", *({"pre", "post"} - set(self.by))]
        )
        rows = [
            array.transpose("pre", ..., "lag").values.reshape(len(kernels.pre), -1, kernels.n_lags)
            for array in self._signals.values()
        ]
        self.h, self.first_lags, self.lengths = _without_zeros_around(
            np.concatenate(rows, axis=1), kernels.first_lag_steps
        )
        self.ringing = self._ringing(kernels) if self.n_channels == self.groups == 1 else None

    def _ringing(self, kernels: KernelSet) -> Ringing | None:
        """What `KernelSet.readout` says of them. Who uses it sees whether it is still true."""
        facts = kernels.provenance.get("readout") or {}
        if facts.get("driven_to_ms") is None:
            return None
        try:
            _, poles, _ = butterworth(facts["band_Hz"], facts["order"], self.dt, output="zpk")
        except (KernelError, KeyError):  # of kernels that were changed since
            return None
        driven = round(facts["driven_to_ms"] / self.dt) - self.first_lags + 1
        return Ringing(poles[poles.imag >= 0], np.maximum(driven, 1))

    @property
    def n_channels(self) -> int:
        """Channels of all signals together."""
        return int(self.h.shape[1])

    @property
    def furthest_hold(self) -> NDArray[np.int64]:
        """The most steps for which a node must be able to hold back each population's spikes."""
        # What a population's kernel starts later than the earliest one, or than the shortest
        # delay there is, one step: see timing.schedule.
        return self.first_lags - min(1, int(self.first_lags.min()))

    def energy_above_nyquist(self, every: int) -> Array:
        """For each population the largest share of a kernel's energy that is lost to aliasing.

        That is what lies above the Nyquist frequency of samples taken every so many steps, relative
        to the energy of the channel's largest kernel: what is negligible there, rounding at a
        contact far away for instance, may well be fast.
        """
        if every == 1:
            return np.zeros(len(self.h))
        n = 2 * self.h.shape[2]
        fast = np.fft.rfftfreq(n) > 0.5 / every
        lost, total = np.zeros((2, *self.h.shape[:2]))
        for p, kernels in enumerate(self.h):  # one by one, to save memory
            energy = np.abs(np.fft.rfft(kernels, n)) ** 2
            lost[p], total[p] = energy[:, fast].sum(axis=1), energy.sum(axis=1)
        largest = total.max(axis=0)
        used = largest > 0
        return np.max(lost[:, used] / largest[used], axis=1, initial=0.0)

    def to_dataset(self, values: Array, times: Array) -> xr.Dataset:
        """Labelled signals from values of shape (group, channel, time) at `times` (ms)."""
        dataset = self._coords.assign_coords(time=("time", times, {"units": "ms"}))
        for name, dims, shape, at in self._layout():
            part = values[:, at].reshape(self.groups, *shape, times.size)
            attrs = self._signals[name].attrs
            signal = xr.DataArray(part, dims=["pre", *dims, "time"], attrs=attrs)
            if "pre" not in self.by:
                signal = signal.isel(pre=0)
            order = [d for d in ("post", "pre") if d in signal.dims]
            dataset[name] = signal.transpose(*order, ...)
        return dataset

    def per_channel(self, values: Array, attrs: dict[str, Any]) -> xr.Dataset:
        """One labelled value for each channel, from values of shape (channel,)."""
        dataset = self._coords.drop_vars("pre", errors="ignore")
        for name, dims, shape, at in self._layout():
            dataset[name] = (dims, values[at].reshape(shape), attrs)
        return dataset

    def _layout(self) -> Iterator[tuple[str, list[Hashable], list[int], slice]]:
        """Name of each signal, its dimensions and shape, and where among the channels it lies."""
        start = 0
        for name, array in self._signals.items():
            dims = [dim for dim in array.dims if dim not in {"pre", "lag"}]
            shape = [array.sizes[dim] for dim in dims]
            stop = start + int(np.prod(shape))
            yield str(name), dims, shape, slice(start, stop)
            start = stop


def _without_zeros_around(
    h: Array, first_lag: int
) -> tuple[Array, NDArray[np.int64], NDArray[np.int64]]:
    """Each population's taps moved to its first lag that is not zero."""
    used = np.any(h != 0, axis=1)
    starts = np.where(used.any(axis=1), used.argmax(axis=1), 0)
    stops = np.where(used.any(axis=1), used.shape[1] - used[:, ::-1].argmax(axis=1), 0)
    if not used.any():
        raise KernelError(
            "the kernels sum to zero over the postsynaptic populations: nothing would be recorded"
        )
    lengths = stops - starts
    moved = np.zeros((*h.shape[:2], lengths.max()))
    for p, (start, stop) in enumerate(zip(starts, stops, strict=True)):
        moved[p, :, : stop - start] = h[p, :, start:stop]
    # A population without kernels imposes no lag of its own.
    first_lags = np.where(lengths > 0, starts, starts[lengths > 0].min()) + first_lag
    return moved, first_lags, lengths
