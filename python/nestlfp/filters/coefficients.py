"""All signals of a `KernelSet` laid side by side, and the way back to labelled signals."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from functools import cached_property
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from .._types import Array
from ..errors import KernelError
from ..kernels import KernelSet, by_dims
from ..kernels.courses import COURSES, has_courses, last_dim
from ..kernels.readout import butterworth
from ..kernels.strengths import labels_of_signals
from ..state_space import Factors, Ringing


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
    shape : tuple of int
        Numbers of presynaptic populations, channels and taps of `h`; "channel" counts the channels
        of all signals (and postsynaptic populations, if kept apart).
    factors : Factors or None
        The same as `h` as weights of time courses, where the kernels are such weights.
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
        stored = kernels.stored
        self._signals = {
            name: array if "post" in self.by else _summed(array)
            for name, array in stored.data_vars.items()
        }
        self._coords = labels_of_signals(stored, self.by)
        last = stored.sizes[last_dim(stored)]
        parts = [
            array.transpose("pre", ...).values.reshape(len(kernels.pre), -1, last)
            for array in self._signals.values()
        ]
        values = np.concatenate(parts, axis=1) if len(parts) > 1 else parts[0]
        courses = stored[COURSES].values if has_courses(stored) else None
        used = np.any(values != 0, axis=1)
        self._starts, self.lengths = _ends(used if courses is None else used @ (courses != 0))
        # A population without kernels imposes no lag of its own.
        earliest = self._starts[self.lengths > 0].min()
        self.first_lags = np.where(self.lengths > 0, self._starts, earliest)
        self.first_lags += kernels.first_lag_steps
        self.shape = (*values.shape[:2], int(self.lengths.max()))
        self.factors = None if courses is None else self._factors(values, courses)
        if self.factors is None:
            self.h = self._moved(values)
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

    @cached_property
    def h(self) -> Array:
        """Kernels from each population's first to its last lag that is not zero.

        An array of shape (pre, channel, tap). Of weights of courses it is made when it is asked
        for: it may be large.
        """
        assert self.factors is not None
        return np.matmul(self.factors.weights, self.factors.courses)

    def _moved(self, values: Array) -> Array:
        """Each population's taps moved to its first lag that is not zero."""
        moved = np.zeros(self.shape)
        for p, (start, n) in enumerate(zip(self._starts, self.lengths, strict=True)):
            moved[p, :, :n] = values[p, :, start : start + n]
        return moved

    def _factors(self, weights: Array, courses: Array) -> Factors:
        """The same of weights: a course counts anew for each first lag of its populations."""
        taps, parts = self.shape[2], []
        padded = np.pad(courses, [(0, 0), (0, taps)])
        for start in np.unique(self._starts):
            own: Any = self._starts == start if np.ptp(self._starts) else slice(None)
            used = np.any(weights[own] != 0, axis=(0, 1))
            parts.append((own, used, padded[used, start : start + taps]))
        if len(parts) == 1 and used.all():
            return Factors(weights, parts[0][2])
        placed = np.zeros((*self.shape[:2], sum(len(part) for *_, part in parts)))
        first = 0
        for own, used, part in parts:
            placed[own, :, first : first + len(part)] = weights[own][..., used]
            first += len(part)
        return Factors(placed, np.concatenate([part for *_, part in parts]))

    @property
    def n_channels(self) -> int:
        """Channels of all signals together."""
        return self.shape[1]

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
            return np.zeros(self.shape[0])
        n = 2 * self.shape[2]
        fast = np.fft.rfftfreq(n) > 0.5 / every
        lost, total = np.zeros((2, *self.shape[:2]))
        if self.factors is not None:
            spectra = np.fft.rfft(self.factors.courses, n)
            products = [np.real(part @ part.conj().T) for part in (spectra[:, fast], spectra)]
        for p in range(self.shape[0]):  # one by one, to save memory
            if self.factors is None:
                energy = np.abs(np.fft.rfft(self.h[p], n)) ** 2
                lost[p], total[p] = energy[:, fast].sum(axis=1), energy.sum(axis=1)
            else:
                weights = self.factors.weights[p]
                lost[p], total[p] = (np.sum(weights @ part * weights, 1) for part in products)
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
            dims = [dim for dim in array.dims[:-1] if dim != "pre"]
            shape = [array.sizes[dim] for dim in dims]
            stop = start + int(np.prod(shape))
            yield str(name), dims, shape, slice(start, stop)
            start = stop


def _summed(array: xr.DataArray) -> xr.DataArray:
    """Over postsynaptic populations; a single one is not copied."""
    one = array.sizes["post"] == 1
    return array.isel(post=0, drop=True) if one else array.sum("post", keep_attrs=True)


def _ends(used: Array) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where each population's kernels start, and how many taps they have, from (pre, lag)."""
    used = used != 0
    if not used.any():
        raise KernelError(
            "the kernels sum to zero over the postsynaptic populations: nothing would be recorded"
        )
    starts = used.argmax(axis=1)
    stops = used.shape[1] - used[:, ::-1].argmax(axis=1)
    return starts, np.where(used.any(axis=1), stops - starts, 0)
