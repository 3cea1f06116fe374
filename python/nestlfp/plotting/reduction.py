"""What of a signal is drawn: channels by depth, few enough rows, few enough samples."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from .._types import Floats, Ints
from ..errors import SignalError
from ..kernels import channel_dim
from ..kernels.names import listed
from ..signals.layout import added_up, checked, pathways, vectors
from ..units import TESLA, ascii_unit
from .style import shortened

MAX_TRACES = 32
ENVELOPE_BINS = 2000
HEIGHT = "z (µm)"
DEPTH = "depth below\nz = 0 (µm)"
_OUTSIDE = 50e3  # µm from the origin, where there is no tissue but a head's surface
_NOTHING = 1e-12  # of the largest channel, which is rounding
_MOST_NAMES = 3  # of channels in a title
LONG = 2 * ENVELOPE_BINS  # samples from which on the envelope is drawn


@dataclass(frozen=True)
class Rows:
    """The order in which channels are stacked, from the bottom up."""

    order: Ints
    labels: list[str]
    title: str

    def part(self, chosen: Iterable[int]) -> Rows:
        """Some of the rows, by their places from the bottom up."""
        few = list(chosen)
        return Rows(self.order[few], [self.labels[i] for i in few], self.title)

    @property
    def by_depth(self) -> bool:
        """Whether labels are µm, rather than names."""
        return self.title in (HEIGHT, DEPTH)


@dataclass(frozen=True)
class Panel:
    """One signal, ready to be drawn: a ``(channel, sample)`` array per pathway, rows from below."""

    name: str
    title: str  # the name, and what was taken off or left out
    unit: str
    rows: Rows
    x: Floats
    parts: list[tuple[dict[str, str], Floats]]
    missing: list[str]  # for each row, what of it is not finite, or ""
    as_image: bool
    height_in: float

    @property
    def scale(self) -> float:
        """The signal from one row to the next: the largest trace reaches a bit beyond its row."""
        return 0.8 * _largest_finite(
            np.fmax.reduce(values, axis=-1, initial=0) - np.fmin.reduce(values, axis=-1, initial=0)
            for _, values in self.parts
        )

    @property
    def peak(self) -> float:
        """The largest distance from zero."""
        return _largest_finite(np.abs(values) for _, values in self.parts)


def prepared(name: str, array: xr.DataArray, *, centre: bool, zeros: bool) -> Panel:
    """What to draw of one signal; about each channel's mean where it is to be centred.

    Channels that are zero, such as x and y of a dipole, are left out unless they are wanted.
    """
    rows = stacking(name, array)
    title = f"{name} minus mean" if centre else name
    zero = [] if zeros else _zero(array, rows)
    if zero:
        few = ", ".join(rows.labels[i] for i in reversed(zero))
        what = few if len(zero) <= _MOST_NAMES and not rows.by_depth else f"{len(zero)} channels"
        title += f" ({what}: zero)"
        rows = rows.part(i for i in range(rows.order.size) if i not in zero)
    apart = array.dims[:-2]
    # Kernels have a plot for each pathway; signals that are kept apart share one.
    as_image = rows.order.size > MAX_TRACES and (not apart or not centre)
    if not as_image:
        rows = rows.part(evenly(rows.order.size, MAX_TRACES))
    x = array[array.dims[-1]].values.astype(float)
    given = [
        (populations, _finite(part.values[rows.order].astype(float)))
        for populations, part in pathways(array)
    ]
    missing = _missing([values for _, values in given])
    parts = [(populations, _reduced(values, as_image, centre)) for populations, values in given]
    if x.size > LONG:
        x = np.repeat(x[pieces_of(x.size)], 1 if as_image else 2)
    height = 2.6 if as_image else min(max(0.26 * rows.order.size, 0.8), 3.7)
    return Panel(name, title, array.attrs["units"], rows, x, parts, missing, as_image, height)


def _zero(array: xr.DataArray, rows: Rows) -> list[int]:
    """Rows, from below, that are zero everywhere while others are not."""
    size = np.abs(np.moveaxis(array.values, -2, 0)).reshape(rows.order.size, -1)
    size = np.where(np.isnan(size), np.inf, size).max(axis=1, initial=0.0)[rows.order]
    found: list[int] = np.flatnonzero(are_zero(size)).tolist()
    return found


def are_zero(sizes: Floats) -> NDArray[np.bool_]:
    """Which channels, of these largest values, are zero while others are not."""
    zero = sizes <= _NOTHING * sizes[np.isfinite(sizes)].max(initial=0.0)
    return zero & ~zero.all()


def _finite(values: Floats) -> Floats:
    """Values with NaN, which is drawn as a gap, for all that is not finite."""
    return np.where(np.isfinite(values), values, np.nan)


def _missing(parts: list[Floats]) -> list[str]:
    """For each row, how many of its samples are missing from one of the parts or more."""
    gaps = np.any([np.isnan(values) for values in parts], axis=0)
    samples = gaps.shape[1]
    return [
        "" if n == 0 else "not finite" if n == samples else f"{n} of {samples} samples not finite"
        for n in gaps.sum(axis=1).tolist()
    ]


def _reduced(values: Floats, as_image: bool, centre: bool) -> Floats:
    """Many samples as the smallest and largest value of each of `ENVELOPE_BINS` pieces.

    An image, which has one colour for a piece, takes the value farther from zero.
    """
    mean: Any = 0.0
    if centre:
        known = np.sum(~np.isnan(values), axis=-1, keepdims=True)
        mean = np.nansum(values, axis=-1, keepdims=True) / np.maximum(known, 1)
    if values.shape[-1] <= LONG:
        return values - mean
    starts = pieces_of(values.shape[-1])
    low = np.fmin.reduceat(values, starts, axis=-1) - mean
    high = np.fmax.reduceat(values, starts, axis=-1) - mean
    if as_image:
        return np.where(high >= -low, high, low)
    return np.stack([low, high], axis=-1).reshape(len(values), -1)


def shown_by_image(values: Floats, centre: bool) -> Floats:
    """What an image shows of ``(channel, sample)``: of many samples the one farthest from zero."""
    return _reduced(_finite(values), as_image=True, centre=centre)


def pieces_of(count: int) -> Ints:
    return np.linspace(0, count, ENVELOPE_BINS, endpoint=False).astype(np.int64)


def stacking(name: str, array: xr.DataArray) -> Rows:
    """Channels by depth where their depths differ, otherwise the first one on top.

    Sensors of a head have names: a coordinate tells nobody where they are.
    """
    labels = [str(label) for label in array[channel_dim(name)].values]
    z = vectors(array, name)[:, 2]
    known = np.isfinite(z)
    sensors = on_a_head(name, array)
    if sensors or not known.any() or (len(labels) > 1 and np.ptp(z[known]) == 0):
        title = "component" if set(labels) <= {"x", "y", "z"} else "channel"
        title = "sensor" if sensors else title
        return Rows(np.arange(len(labels))[::-1], labels[::-1], title)
    # Channels of one depth keep their order from the top; those of unknown depth come last.
    order = np.lexsort((-np.arange(len(labels)), np.where(known, z, -np.inf)))
    title, text_of = depth_axis(z)
    return Rows(order, [text_of(z[i]) if known[i] else labels[i] for i in order], title)


def on_a_head(name: str, array: xr.DataArray) -> bool:
    """Whether the channels are sensors of EEG or MEG, by the signal's name, unit or places."""
    if name.upper().startswith(("EEG", "MEG")) or ascii_unit(array.attrs["units"]) in TESLA:
        return True
    z = np.asarray(array.coords.get(f"{name}_z", np.nan), dtype=float)
    return bool(np.any(np.abs(z) > _OUTSIDE))


def depth_axis(z: Floats) -> tuple[str, Callable[[float], str]]:
    """What heights (µm) are called, and how one is written.

    Below zero, and none above it: depth, which counts downwards. Otherwise it is z.
    """
    if np.nanmax(z) <= 0 and np.nanmin(z) < 0:
        return DEPTH, lambda at: f"{0.0 - at:g}"
    return HEIGHT, lambda at: f"{at:g}".replace("-", "−")


def evenly(count: int, most: int) -> Ints:
    """Indices of at most `most` of `count` things, the first and the last among them."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(np.int64))


def labelled(count: int, most: int) -> Ints:
    """Which of `count` things in a row are labelled: at most `most`, of few those at equal steps.

    Of many the last is labelled, too, and steps differ by one.
    """
    if count >= 2 * most:
        return evenly(count, most)
    return np.arange(0, count, -(-count // most))


def _largest_finite(arrays: Iterable[Floats]) -> float:
    return max(float(np.max(a, where=np.isfinite(a), initial=0)) for a in arrays)


def known_signals(names: Iterable[str] | str | None, available: Sequence[str]) -> list[str]:
    """The signals to draw, all where none are named; a single name needs no list."""
    wanted = listed(available if names is None else names, "signals", SignalError)
    unknown = [name for name in wanted if name not in available]
    if unknown or not wanted:
        raise SignalError(f"signals {unknown} not among {list(available)}")
    return wanted


def at_times(
    dataset: xr.Dataset, signal: str, times: ArrayLike, centre: bool
) -> tuple[xr.DataArray, str]:
    """A signal (channel, time) at the samples nearest to these times (ms), and its label.

    Channels are about their means where they are to be centred; a single sample is as it is.
    """
    known_signals(signal, [str(name) for name in checked(dataset).data_vars])
    wanted = np.atleast_1d(np.asarray(times, dtype=float))
    there = dataset["time"].values
    interval = float(there[1] - there[0]) if there.size > 1 else 0.0
    outside = (wanted < there[0] - interval) | (wanted > there[-1] + interval)
    if not wanted.size or not np.isfinite(wanted).all() or outside.any():
        raise SignalError(
            f"times must lie between {there[0]:g} and {there[-1]:g} ms, found {wanted.tolist()}"
        )
    array, minus = added_up(dataset[signal]), ""
    if centre and there.size > 1:
        array, minus = array - array.mean("time"), " minus mean"
    label = f"{signal}{minus} ({dataset[signal].attrs['units']})"
    return array.sel(time=wanted, method="nearest"), label


def pathway(populations: Mapping[str, str], gap: str = " ", most: int | None = None) -> str:
    """``"E → I"``; what is summed over its targets is plain "E", over its sources "→ I".

    Before the arrow stands `gap`; names are shortened to `most` letters each.
    """
    pre, post = (shortened(populations.get(dim, ""), most) for dim in ("pre", "post"))
    if "post" not in populations:
        return pre
    return f"{pre}{gap}→ {post}".strip()
