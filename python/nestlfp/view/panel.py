"""One store on the page: what is chosen of it, and its figures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import panel as pn
from bokeh.models import Div, Range1d

from ..errors import SignalError
from ..plotting.reduction import MAX_TRACES
from ..plotting.style import number, shortened
from ..signals.csd import UNIT
from ..signals.stores import Committed
from .figure_data import Signal, dipole_moment, rates
from .figures import ImageFigure, SpectrumFigure, TracesFigure
from .following import Follower
from .window import Binned, Bins, Source

EVERYONE = "all, added up"
_BESIDE = {"moment": (dipole_moment, "dipole moment"), "rates": (rates, "rates")}
_OF = {"pre": "Presynaptic", "post": "Postsynaptic"}


@dataclass
class _Opened:
    """What is read of a store while nothing else is chosen."""

    signal: Signal
    bins: Bins
    beside: dict[str, tuple[Signal, Bins]]  # by the name of its figure


class StorePanel:
    """Follows a store and shows a window of it.

    Parameters
    ----------
    path : Path
        The store's place.
    conductivity : float
        Of the tissue (S/m), for the CSD.
    narrow : bool
        Whether figures are all below each other, since other stores are beside.

    Attributes
    ----------
    dirty : bool
        Whether something else was chosen since it was last shown.
    span : (float, float) or None
        First and last time (ms) in the store, if it has any.
    """

    def __init__(self, path: Path, conductivity: float, *, narrow: bool) -> None:
        self.dirty = True
        self.span: tuple[float, float] | None = None
        self._follower = Follower(path)
        self._conductivity = conductivity
        self._identity: object = None
        self._opened: _Opened | None = None
        self._filling = False  # whether it is not a person who changes the widgets
        self._make_figures()
        self._make_widgets()
        self.layout = self._laid_out(path, narrow)

    # ------------------------------------------------------------------ what is on the page
    def _make_figures(self) -> None:
        self._x = Range1d(0.0, 1.0)
        self._traces = TracesFigure("traces", 380, self._x)
        self._image = ImageFigure("image", 240, self._x)
        self._density = ImageFigure("csd", 240, self._x)
        self._traces.figure.xaxis.visible = False
        self._spectrum = SpectrumFigure("spectrum", 300)
        self._beside = {name: TracesFigure(name, 200, self._x) for name in _BESIDE}

    def _make_widgets(self) -> None:
        self._which = pn.widgets.Select(label="Signal", width=130)
        self._from = {
            dim: pn.widgets.Select(label=what, width=130, visible=False)
            for dim, what in _OF.items()
        }
        self._channels = pn.widgets.MultiSelect(
            label="Channels (none chosen: all)", size=10, sizing_mode="stretch_width"
        )
        for widget in (self._which, *self._from.values(), self._channels):
            widget.param.watch(self._choose, "value")
        self._status = Div(render_as_text=True, sizing_mode="stretch_width")

    def _laid_out(self, path: Path, narrow: bool) -> Any:
        title = Div(
            text=str(path), render_as_text=True, styles={"font-weight": "bold", "font-size": "15px"}
        )
        by_depth = [self._traces, self._image, self._density]
        others = [self._spectrum, *self._beside.values()]
        left, right = (
            pn.Column(
                *(pn.pane.Bokeh(each.figure) for each in some),
                sizing_mode="stretch_width",
                # Beside each other where there is room for both, else below.
                styles={} if narrow else {"flex": f"{part} 1 {least}px", "min-width": "0"},
            )
            for some, part, least in ((by_depth, 3, 420), (others, 2, 280))
        )
        right.append(self._channels)
        beside = pn.Column if narrow else pn.Row
        self._body = pn.Column(
            pn.Row(self._which, *self._from.values()),
            beside(left, right, sizing_mode="stretch_width", styles={"flex-wrap": "wrap"}),
            sizing_mode="stretch_width",
        )
        return pn.Column(title, self._status, self._body, sizing_mode="stretch_width")

    # ------------------------------------------------------------------ what is in the store
    def look(self) -> bool:
        """Whether there is something to be shown that is not."""
        if self._follower.look():
            self.dirty = True
            if self._follower.store is not None:
                self._try(self._take)
        return self.dirty

    def _try(self, do: Callable[[Committed], object]) -> None:
        """What cannot be read of the store becomes a sentence."""
        if self._follower.store is not None:
            try:
                do(self._follower.store)
            except (SignalError, OSError) as error:
                self._follower.fail(error)

    def _take(self, store: Committed) -> None:
        self.span = (float(store.times[0]), float(store.times[-1])) if len(store) else None
        opened = self._opened
        if opened is None or store.identity != self._identity:
            opened = self._fill(store)
            self._identity = store.identity
        for bins in (opened.bins, *(bins for _, bins in opened.beside.values())):
            bins.source.store = store

    def _fill(self, store: Committed) -> _Opened:
        """Offer what the store has; what is chosen stays chosen where it is there."""
        names = [str(name) for name in store.dataset.data_vars]
        name = self._which.value if self._which.value in names else names[0]
        array = store.dataset[name]
        signal = Signal(store.dataset, name, self._conductivity)
        channels = [signal.names[i] for i in signal.rows.order[::-1]]
        self._filling = True
        self._which.param.update(options=names, value=name)
        for dim, widget in self._from.items():
            there = [EVERYONE]
            if dim in array.dims:
                there += [str(label) for label in array[dim].values]
            value = widget.value if widget.value in there else EVERYONE
            widget.param.update(options=there, value=value, visible=dim in array.dims)
        chosen = [name for name in self._channels.value if name in channels]
        self._channels.param.update(options=channels, value=chosen)
        self._filling = False
        found = {key: find(store.dataset) for key, (find, _) in _BESIDE.items()}
        self._opened = opened = _Opened(
            signal,
            Bins(self._source(store, name), signal.with_csd),
            {
                key: (
                    Signal(store.dataset, other, self._conductivity),
                    Bins(self._source(store, other), lambda values: values),
                )
                for key, other in found.items()
                if other is not None
            },
        )
        return opened

    def _source(self, store: Committed, name: str) -> Source:
        dims = store.dataset[name].dims
        chosen = {dim: str(widget.value) for dim, widget in self._from.items() if dim in dims}
        return Source(store, name, {d: one for d, one in chosen.items() if one != EVERYONE})

    def _choose(self, event: Any) -> None:
        """A person chose something else."""
        if not self._filling:
            if event.obj is not self._channels:
                self._try(self._fill)
            self.dirty = True

    # ------------------------------------------------------------------ showing it
    def show(self, stop: float | None, length: float) -> None:
        """Show `length` ms that end at `stop`, or at the newest sample."""
        self.dirty = False
        self._try(lambda store: self._show(store, stop, length))
        if self._follower.store is None:
            self.span = self._opened = None
            self._status.text = self._follower.problem
        self._body.visible = self.span is not None

    def _show(self, store: Committed, stop: float | None, length: float) -> None:
        opened = self._opened
        if self.span is None or opened is None:
            self._status.text = "There are no samples in the store yet."
            return
        samples, interval = window_of(len(store), self.span, stop, length)
        count = min(max(round(length / interval), 1), opened.bins.source.longest)
        samples = samples[-count:]
        binned = opened.bins.read(samples.start, samples.stop, count)
        begin = float(binned.x[0]) - interval
        self._x.update(start=begin, end=begin + (count + 1) * interval)
        self._show_signal(opened.signal, binned)
        self._show_spectrum(opened, samples)
        self._show_beside(opened.beside, samples, count)
        shown = float(store.times[samples.stop - 1])
        self._status.text = (
            f"{'Live' if stop is None else 'Not live'}: shown up to {number(shown)} ms, "
            f"newest sample at {number(self.span[1])} ms"
        )

    def _show_signal(self, signal: Signal, binned: Binned) -> None:
        channels = signal.chosen(self._channels.value)
        name, title = shortened(signal.name, 20), signal.rows.title
        few = f", {MAX_TRACES} of {channels.size} channels" if channels.size > MAX_TRACES else ""
        self._traces.show(
            signal.traces(binned, channels), f"{name} minus mean{few}", signal.unit, title
        )
        self._image.show(
            signal.image(binned, channels), f"{name} minus mean ({signal.unit})", signal.unit, title
        )
        if not signal.no_csd:
            self._density.show(
                signal.csd(binned), f"CSD minus mean ({UNIT}), second difference of {name}",
                UNIT, title,
            )  # fmt: skip
        self._density.figure.visible = not signal.no_csd
        self._image.figure.xaxis.visible = bool(signal.no_csd)  # else the one below has it

    def _show_spectrum(self, opened: _Opened, samples: range) -> None:
        source, signal = opened.bins.source, opened.signal
        start = max(samples.start, samples.stop - source.newest)
        values = source.read(start, samples.stop)
        try:
            found = signal.spectrum(values, signal.chosen(self._channels.value))
        except SignalError as error:
            self._spectrum.say("No power spectrum", str(error))
            return
        self._spectrum.show(
            found, f"Power spectrum of {found.seconds:.3g} s, in segments of {found.segment:g} ms"
        )

    def _show_beside(
        self, beside: dict[str, tuple[Signal, Bins]], samples: range, count: int
    ) -> None:
        for key, figure in self._beside.items():
            figure.figure.visible = key in beside
            if key in beside:
                signal, bins = beside[key]
                binned = bins.read(samples.start, samples.stop, count)
                channels = signal.not_zero(binned)
                zero = [str(signal.names[i]) for i in sorted({*signal.rows.order} - {*channels})]
                left_out = f" ({', '.join(zero)}: zero)" if 0 < len(zero) <= len("xyz") else ""
                title = f"{shortened(signal.name, 20)} minus mean{left_out}, {_BESIDE[key][1]}"
                figure.show(signal.traces(binned, channels), title, signal.unit, signal.rows.title)


def window_of(
    there: int, span: tuple[float, float], stop: float | None, length: float
) -> tuple[range, float]:
    """Numbers of the samples of a window, and how far apart they are (ms).

    Samples are equally spaced in every store that a simulation wrote; in another, the window is
    one of as many samples.
    """
    interval = (span[1] - span[0]) / (there - 1) if there > 1 else 1.0
    interval = interval if interval > 0 else 1.0
    count = max(round(length / interval), 1)
    end = there
    if stop is not None:
        end = min(max(round((stop - span[0]) / interval) + 1, min(count, there)), there)
    return range(max(end - count, 0), end), interval
