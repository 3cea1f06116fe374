"""The data of the figures for a window: plain arrays, labels and limits."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

from .._types import Floats, Ints
from ..errors import SignalError
from ..kernels.names import AXES, channel_dim
from ..plotting.reduction import MAX_TRACES, Rows, are_zero, evenly, stacking
from ..signals.csd import contacts_in_line, second_difference
from ..signals.layout import vectors
from ..signals.spectrum import spectrum
from ..units import DIPOLE_MOMENTS, RATES, ascii_unit
from .window import Binned

SEGMENT = 500.0  # ms of the pieces whose spectra are averaged, where the window is long enough
_BURST = 4.0  # times the peak of a usual bin: what is larger does not set the colours
_ROUND = (1.0, 1.5, 2.0, 3.0, 5.0, 7.0, 10.0)


@dataclass(frozen=True)
class Traces:
    """A line per channel, ``(row, point)``, each about its own mean; rows from below."""

    x: Floats
    values: Floats
    labels: list[str]
    spacing: float  # between rows, in the unit of the signal


@dataclass(frozen=True)
class Image:
    """A colour per channel and bin, ``(row, bin)``; rows from below."""

    x: Floats
    values: Floats
    labels: list[str]
    limit: float  # of the colours
    clipped: tuple[bool, bool]  # whether values lie below and above the colours


@dataclass(frozen=True)
class Spectrum:
    """Power by frequency (Hz), ``(row, frequency)``; NaN where there is none."""

    frequency: Floats
    power: Floats
    unit: str
    seconds: float  # of signal that it is of
    segment: float  # ms
    depths: Floats  # of the rows (µm), NaN where they are not known


class Signal:
    """How a signal of a store is shown: its rows, from the lowest contact up, and its CSD.

    Parameters
    ----------
    dataset : xarray.Dataset
        Signals; of their values none is used.
    name : str
        Which one.
    conductivity : float
        Of the tissue (S/m).
    """

    def __init__(self, dataset: xr.Dataset, name: str, conductivity: float) -> None:
        array = dataset[name]
        self.name, self.unit = name, str(array.attrs["units"])
        self.channels = array.sizes[channel_dim(name)]
        self.rows = stacking(name, array)
        self.names = _unique([str(label) for label in array[channel_dim(name)].values], self.rows)
        self.positions = vectors(array, name)
        self.no_csd, self._conductivity = "", conductivity
        try:
            self._order, self._along = contacts_in_line(self.positions)
            second_difference(np.zeros((3, 1)), self._along[:3], self.unit)
        except SignalError as error:
            self.no_csd = str(error)

    def with_csd(self, values: Floats) -> Floats:
        """Rows of values, followed by those of their CSD where they have one."""
        if self.no_csd:
            return values
        density = second_difference(values[self._order], self._along, self.unit, self._conductivity)
        return np.concatenate([values, density])

    def chosen(self, names: Sequence[str]) -> Ints:
        """Numbers of the channels of these names, from below; of all where none is named."""
        wanted = [self.names.index(name) for name in names if name in self.names]
        order: Ints = self.rows.order
        return order[np.isin(order, wanted)] if wanted else order

    def labels(self, channels: Ints) -> list[str]:
        """The labels of the rows of these channels."""
        label_of = dict(zip(self.rows.order.tolist(), self.rows.labels, strict=True))
        return [label_of[channel] for channel in channels.tolist()]

    def not_zero(self, binned: Binned) -> Ints:
        """Numbers of the channels, from below, that are not zero in all bins while others are."""
        size = np.fmax.reduce(np.fmax(np.abs(binned.low), np.abs(binned.high)), axis=1, initial=0)
        order: Ints = self.rows.order
        return order[~are_zero(size)[order]]

    def traces(self, binned: Binned, channels: Ints) -> Traces:
        """Lines of these channels; evenly chosen ones where there are too many."""
        channels = channels[evenly(channels.size, MAX_TRACES)]
        low, high = _centred(binned, channels)
        x, values = as_lines(binned.x, low, high)
        reach = np.fmax.reduce(high, axis=1, initial=0) - np.fmin.reduce(low, axis=1, initial=0)
        return Traces(x, values, self.labels(channels), rounded_up(0.8 * reach.max(initial=0)))

    def image(self, binned: Binned, channels: Ints) -> Image:
        """All of these channels in colours."""
        return _image(binned, channels, self.labels(channels))

    def csd(self, binned: Binned) -> Image:
        """The CSD at all contacts but the lowest and the highest, in colours."""
        inner = self._order[1:-1]
        rows = np.arange(self.channels, self.channels + inner.size)
        return _image(binned, rows, self.labels(inner))

    def spectrum(self, samples: Floats, channels: Ints) -> Spectrum:
        """Power of these channels in samples ``(channel, sample)``, times first.

        Raises
        ------
        SignalError
            If there are too few samples, or if they are not finite or equally spaced.
        """
        channels = channels[evenly(channels.size, MAX_TRACES)]
        time = samples[0]
        array = xr.DataArray(
            samples[1:][channels],
            dims=(channel_dim("shown"), "time"),
            coords={"time": time},
            name="shown",
            attrs={"units": self.unit},
        )
        if time.size < 4:
            raise SignalError(f"{time.size} samples are too few")
        there = float(time[-1] - time[0]) * time.size / (time.size - 1)
        segment = min(SEGMENT, there)
        density = spectrum(array, segment=segment)
        power = density.values[:, 1:]  # a constant has been taken off: there is none at 0 Hz
        return Spectrum(
            density["frequency"].values[1:],
            np.where(power > 0, power, np.nan),
            density.attrs["units"],
            there / 1000.0,
            segment,
            self.positions[channels, 2],
        )


def as_lines(x: Floats, low: Floats, high: Floats) -> tuple[Floats, Floats]:
    """Lines through the smallest and the largest value of each bin; through samples themselves."""
    if np.array_equal(low, high, equal_nan=True):
        return x, low
    return np.repeat(x, 2), np.stack([low, high], axis=-1).reshape(len(low), -1)


def dipole_moment(dataset: xr.Dataset) -> str | None:
    """The signal that is a current dipole moment: three components, in nA µm for example."""
    for name, array in dataset.data_vars.items():
        components = tuple(array[channel_dim(str(name))].values.tolist())
        if components == AXES and ascii_unit(str(array.attrs["units"])) in DIPOLE_MOMENTS:
            return str(name)
    return None


def rates(dataset: xr.Dataset) -> str | None:
    """The signal that has rates, in 1/s for example, if there is one."""
    found = (
        str(name) for name, array in dataset.data_vars.items() if array.attrs["units"] in RATES
    )
    return next(found, None)


def rounded_up(value: float) -> float:
    """The next of a few round numbers, so that scales do not change with each sample."""
    if not 0 < value < np.inf:
        return 1.0
    decade = 10.0 ** math.floor(math.log10(value))
    factor = next(f for f in (*_ROUND, np.inf) if f * decade >= value * (1 - 1e-9))
    return float(f"{factor * decade:.3g}")


def _centred(binned: Binned, rows: Ints) -> tuple[Floats, Floats]:
    mean = binned.mean[rows]
    known = ~np.isnan(mean)
    centre = np.where(known, mean, 0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    return binned.low[rows] - centre[:, None], binned.high[rows] - centre[:, None]


def _image(binned: Binned, rows: Ints, labels: list[str]) -> Image:
    """A bin shows the value that is farther from the mean of its row.

    A few bins that are far larger than the others, such as a network's onset, end at the darkest
    colours: they would leave the others white.
    """
    low, high = _centred(binned, rows)
    values = np.where(high >= -low, high, low)
    peaks = np.fmax.reduce(np.abs(values), axis=0, initial=0)
    largest = float(np.fmax.reduce(peaks, initial=0))
    usual = _BURST * float(np.median(peaks)) if peaks.size else 0.0
    limit = rounded_up(min(largest, usual or largest))
    clipped = (bool((values < -limit).any()), bool((values > limit).any()))
    return Image(binned.x, values, labels, limit, clipped)


def _unique(labels: list[str], rows: Rows) -> list[str]:
    """What channels are called in a list to choose from: depth, and label where that is more."""
    if rows.by_depth:
        at = dict(zip(rows.order.tolist(), rows.labels, strict=True))
        labels = [
            f"{at[i]} µm" if label == str(i) else f"{label}: {at[i]} µm"
            for i, label in enumerate(labels)
        ]
    return [
        name if labels.count(name) == 1 else f"{name} (number {i})" for i, name in enumerate(labels)
    ]
