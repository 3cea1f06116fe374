"""The page: stores beside each other, at one time; pause, scroll, and back to the newest sample."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import panel as pn
from bokeh.events import DocumentReady
from bokeh.models import NumericInput, PrintfTickFormatter

from .panel import StorePanel

LENGTHS = {
    f"{ms:g} ms" if ms < 1000 else f"{ms / 1000:g} s": float(ms)
    for ms in (50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 60_000)
}
_PATIENCE = 10.0  # s without an answer from the browser


class Page:
    """What one browser tab shows.

    Parameters
    ----------
    paths : sequence of Path
        The stores' places.
    every : float
        How often it looks for something new (ms).
    conductivity : float
        Of the tissue (S/m), for the CSD.
    """

    def __init__(self, paths: Sequence[Path], every: float, conductivity: float) -> None:
        self._every = every
        narrow = len(paths) > 1
        self._panels = [StorePanel(path, conductivity, narrow=narrow) for path in paths]
        self._stop: float | None = None  # where the window ends (ms), or with the newest sample
        self._dirty = True
        self._placing = False  # whether it is not a person who moves the slider
        self._length = pn.widgets.Select(label="Window", options=LENGTHS, value=1000.0, width=90)
        self._live = pn.widgets.Button(label="Pause", width=120, button_type="primary", align="end")
        self._position = pn.widgets.FloatSlider(
            label="The window ends at (ms)",
            start=0.0, end=1.0, value=1.0, step=1.0, sizing_mode="stretch_width",
            format=PrintfTickFormatter(format="%.0f"),
        )  # fmt: skip
        self._length.param.watch(self._resize, "value")
        self._position.param.watch(self._scroll, "value")
        self._live.on_click(self._toggle)
        # The browser tells what it has drawn by changing one number after the other; nothing is
        # sent before, so that a slow one, or a slow line, does not make messages pile up here.
        self._sent, self._seen = NumericInput(value=0), NumericInput(value=0)
        self._sent.js_link("value", self._seen, "value")
        self._sent_at = time.monotonic()

    def layout(self) -> Any:
        """The page's content; it starts to follow the stores when it is in the browser."""
        document = pn.state.curdoc
        document.on_event(
            DocumentReady, lambda _: document.add_periodic_callback(self._tick, int(self._every))
        )
        hidden = pn.Row(pn.pane.Bokeh(self._sent), pn.pane.Bokeh(self._seen), visible=False)
        return pn.Column(
            pn.Row(self._length, self._live, self._position, sizing_mode="stretch_width"),
            pn.Row(*(panel.layout for panel in self._panels), sizing_mode="stretch_width"),
            hidden,
            sizing_mode="stretch_width",
            margin=10,
        )

    def _tick(self) -> None:
        waiting = self._sent.value != self._seen.value
        if waiting and time.monotonic() - self._sent_at < _PATIENCE:
            return
        new = [panel.look() for panel in self._panels]
        if not (any(new) or self._dirty):
            return
        with pn.io.unlocked():  # one message, and one picture, for all that changes
            for panel, changed in zip(self._panels, new, strict=True):
                if changed or self._dirty:
                    panel.show(self._stop, self._length.value)
            self._dirty = False
            self._place()
            self._sent.value += 1
        self._sent_at = time.monotonic()

    # ------------------------------------------------------------------ time
    def _place(self) -> None:
        """Let the slider span all stores, with its handle where the window ends."""
        spans = [panel.span for panel in self._panels if panel.span is not None]
        if not spans:
            return
        start, end = min(first for first, _ in spans), max(last for _, last in spans)
        end = max(end, start + 1.0)
        value = end if self._stop is None else min(max(self._stop, start), end)
        self._placing = True
        self._position.param.update(start=start, end=end, value=value)
        self._placing = False

    def _resize(self, _: Any) -> None:
        self._dirty = True

    def _scroll(self, event: Any) -> None:
        if not self._placing:
            self._go(event.new)

    def _toggle(self, _: Any) -> None:
        self._go(self._position.value if self._stop is None else None)

    def _go(self, stop: float | None) -> None:
        """Show what ends at a time, or at the newest sample of each store."""
        self._stop = stop
        self._live.label = "Pause" if stop is None else "Back to live"
        self._dirty = True
