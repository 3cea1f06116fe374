"""Kernels realized as something a NEST node can compute.

`Coefficients` lays all signals of a `KernelSet` side by side as one array and finds the way
back from a node's outputs to labelled signals. A filter (here `FIRFilter`) says which template
computes it, with which sizes and parameters, and how its outputs become channels again.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from .errors import KernelError
from .kernels import KernelSet, by_dims

Array = NDArray[np.floating[Any]]


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
    """

    def __init__(self, kernels: KernelSet, by: str | Iterable[str] = ()) -> None:
        self.by = by_dims(by)
        self.dt = kernels.dt
        self.groups = len(kernels.pre) if "pre" in self.by else 1
        self._signals = {
            name: array if "post" in self.by else array.sum("post", keep_attrs=True)
            for name, array in kernels.dataset.data_vars.items()
        }
        self._coords = kernels.dataset.drop_vars([*kernels.signals, "lag"]).drop_vars(
            {"pre", "post"} - set(self.by)
        )
        rows = [
            array.transpose("pre", ..., "lag").values.reshape(len(kernels.pre), -1, kernels.n_lags)
            for array in self._signals.values()
        ]
        self.h, self.first_lags, self.lengths = _without_zeros_around(
            np.concatenate(rows, axis=1), kernels.first_lag_steps
        )

    @property
    def n_channels(self) -> int:
        """Channels of all signals together."""
        return int(self.h.shape[1])

    def to_dataset(self, values: Array, times: Array) -> xr.Dataset:
        """Labelled signals from values of shape (group, channel, time) at `times` (ms)."""
        dataset = self._coords.assign_coords(time=("time", times, {"units": "ms"}))
        start = 0
        for name, array in self._signals.items():
            dims = [dim for dim in array.dims if dim not in {"pre", "lag"}]
            shape = [array.sizes[dim] for dim in dims]
            stop = start + int(np.prod(shape))
            part = values[:, start:stop].reshape(self.groups, *shape, times.size)
            start = stop
            signal = xr.DataArray(part, dims=["pre", *dims, "time"], attrs=array.attrs)
            if "pre" not in self.by:
                signal = signal.isel(pre=0)
            order = [d for d in ("post", "pre") if d in signal.dims]
            dataset[name] = signal.transpose(*order, ...)
        return dataset


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


class Filter(Protocol):
    """What the rest of the house needs of a filter."""

    @property
    def method(self) -> str:
        """Name of the method, as `install` takes it."""

    @property
    def template(self) -> str:
        """File name of the node's template."""

    @property
    def coefficients(self) -> Coefficients:
        """What is computed."""

    @property
    def sizes(self) -> dict[str, int]:
        """The literals of the node's template; they alone decide its text."""

    @property
    def n_outputs(self) -> int:
        """Number of values that a node hands out, recorded as ``Y_0``, ``Y_1``, ..."""

    @property
    def max_hold(self) -> NDArray[np.int64]:
        """The most steps that a node can hold back spikes of each population."""

    def parameters(self, hold: NDArray[np.int64]) -> dict[str, Any]:
        """Parameters of a node that holds back spikes of population p by hold[p] steps."""

    def expand(self, outputs: Array) -> Array:
        """Values of shape (group, channel, time) from outputs of shape (output, time)."""


@dataclass(frozen=True)
class FIRFilter:
    """The kernels themselves as coefficients: exact, at a cost that grows with every tap.

    Parameters
    ----------
    coefficients : Coefficients
        What to compute.
    """

    coefficients: Coefficients
    method: str = field(default="fir", init=False)
    template: str = field(default="FIR_filter.nestml.jinja", init=False)

    @property
    def sizes(self) -> dict[str, int]:
        """See `Filter.sizes`."""
        populations, channels, taps = self.coefficients.h.shape
        return {
            "populations": populations,
            "groups": self.coefficients.groups,
            "channels": channels,
            "taps": taps,
            "rows": int((self._furthest_hold + self.coefficients.lengths).max()),
        }

    @property
    def _furthest_hold(self) -> NDArray[np.int64]:
        # A node holds back at most what a population's kernel starts later than the earliest
        # one, or than the shortest delay there is, one step: see wiring.schedule.
        first = self.coefficients.first_lags
        return first - min(1, int(first.min()))

    @property
    def n_outputs(self) -> int:
        """See `Filter.n_outputs`."""
        return self.coefficients.groups * self.coefficients.n_channels

    @property
    def max_hold(self) -> NDArray[np.int64]:
        """See `Filter.max_hold`."""
        return np.asarray(self.sizes["rows"] - self.coefficients.lengths, dtype=np.int64)

    def parameters(self, hold: NDArray[np.int64]) -> dict[str, Any]:
        """See `Filter.parameters`."""
        channels = self.coefficients.n_channels
        return {
            "coefficients": self.coefficients.h.transpose(0, 2, 1).ravel(),
            "span": (self.coefficients.lengths * channels).astype(float),
            "hold": (hold * channels).astype(float),
        }

    def expand(self, outputs: Array) -> Array:
        """See `Filter.expand`."""
        return outputs.reshape(self.coefficients.groups, self.coefficients.n_channels, -1)
