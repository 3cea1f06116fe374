"""The spikes above the signals: a raster or a histogram for each population."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .._types import Floats, Ints
from ..errors import SignalError
from ..trains import check_events, check_order
from .axes import limits, put_title
from .reduction import evenly
from .style import Axes, escaped, number, shortened

_NAME = 24  # letters of a population beside its spikes and in the legend


@dataclass(frozen=True)
class Band:
    """The spikes of one population within the window; `row` is None where senders are unknown."""

    name: str
    times: Floats
    row: Ints | None
    n_rows: int
    rate: str
    shown: str  # how many neurons of how many


def bands_of(
    spikes: Mapping[str, Any], sizes: Mapping[str, int], window: tuple[float, float], most: int
) -> list[Band]:
    return [_band(name, given, sizes.get(name), window, most) for name, given in spikes.items()]


def _band(name: str, given: Any, size: int | None, window: tuple[float, float], most: int) -> Band:
    times, senders = _times_and_senders(name, given)
    inside = (times > window[0]) & (times <= window[1])
    rate = _rate(int(inside.sum()), window[1] - window[0], size)
    if senders is None:
        return Band(name, times[inside], None, 1, rate, "")
    neurons = np.unique(senders[inside])
    shown = neurons[evenly(neurons.size, most)] if neurons.size else neurons
    drawn = inside & np.isin(senders, shown)
    row = np.searchsorted(shown, senders[drawn])
    some = f"{shown.size} of {size}" if size else f"{shown.size} of {neurons.size} active"
    return Band(name, times[drawn], row, max(shown.size, 1), rate, some)


def _times_and_senders(name: str, given: Any) -> tuple[Floats, Floats | None]:
    if isinstance(given, Mapping):
        check_events(given, name, SignalError)
        times, senders = given["times"], given["senders"]
    elif isinstance(given, tuple) and len(given) == 2 and np.ndim(given[0]) == 1:
        times, senders = given
    else:
        return np.ravel(np.asarray(given, dtype=float)), None
    at, by = np.ravel(np.asarray(times, dtype=float)), np.ravel(np.asarray(senders))
    if by.size != at.size:
        raise SignalError(f"spikes of {name!r}: {at.size} times but {by.size} senders")
    check_order(times, by, name, SignalError)
    return at, by


def _rate(count: int, duration_ms: float, size: int | None) -> str:
    if duration_ms <= 0:
        return f"{count} spikes"
    per_second = 1000.0 * count / duration_ms
    if size:
        return f"{per_second / size:.3g} spikes/s per neuron"
    return f"{number(float(f'{per_second:.3g}'))} spikes/s in all"


def draw_bands(
    ax: Axes,
    bands: Sequence[Band],
    window: tuple[float, float],
    colours: Mapping[str, str],
    width_in: float,
) -> None:
    """A raster, or a histogram, for each population; the first one on top."""
    height, step = 100.0, 108.0
    bases = [step * k for k in reversed(range(len(bands)))]
    for base, band in zip(bases, bands, strict=True):
        colour = colours[band.name]
        if band.row is None:
            counts, edges = np.histogram(band.times, bins=200, range=limits(np.array(window)))
            y = base + height * counts / max(counts.max(initial=0), 1)
            ax.stairs(y, edges, baseline=base, fill=True, color=colour, gid=f"spikes-{band.name}")
        else:
            # From the first neuron at the top of its band to the last at the bottom.
            y = base + height * (1 - (band.row + 0.5) / band.n_rows)
            size = min(max(80 / (len(bands) * band.n_rows), 2.0), 6.0)
            style: dict[str, Any] = {"marker": "|", "markersize": size, "markeredgewidth": 0.7}
            style |= {"gid": f"spikes-{band.name}", "rasterized": True}
            ax.plot(band.times, y, ls="", color=colour, **style)
    ax.set_yticks(
        [base + height / 2 for base in bases],
        [f"{escaped(band.name, _NAME)}\n{band.shown}".strip() for band in bands],
    )
    ax.tick_params(left=False)
    if any(band.shown for band in bands):
        ax.set_ylabel("neurons")
    ax.spines["left"].set_visible(False)
    ax.set_ylim(-2, step * len(bands))
    legend = [(f"{shortened(b.name, _NAME)}: {b.rate}", colours[b.name]) for b in bands]
    put_title(ax, "spikes", legend, width_in)
