"""The page's figures: made once, and given new data, so that nothing is left behind."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from bokeh.models import (
    ColorBar,
    ColumnDataSource,
    FixedTicker,
    HoverTool,
    LinearAxis,
    LinearColorMapper,
    PrintfTickFormatter,
    Range1d,
)
from bokeh.palettes import RdBu11, Viridis256, interp_palette
from bokeh.plotting import figure

from .._types import Floats
from ..plotting.reduction import evenly
from ..plotting.style import INK, PALETTE, nice, number, quantity, shortened
from .figure_data import Image, Spectrum, Traces

_LEFT, _RIGHT = 75, 85  # pixels: figures below each other have the same time above each other
_BLUE_TO_RED = interp_palette(RdBu11, 256)
_SHADES = Viridis256[:231]  # without the faint yellow
_MISSING = "#737373"
_LABEL_PIXELS = 16
_DECADES = 7  # of power, below the largest


class Figure:
    """A Bokeh figure that shows data, or says why not.

    Parameters
    ----------
    name : str
        Of its data, by which they are found in a page.
    height : int
        In pixels.
    x_range : Range1d, optional
        The window, where `x` is the time.
    """

    def __init__(
        self, name: str, height: int, x_range: Range1d | None = None, **options: Any
    ) -> None:
        self.source = ColumnDataSource(name=name)
        self.x_range = x_range or Range1d(1.0, 10.0)
        self.y_range = Range1d(-1.0, 1.0)
        self.height = height
        self.figure = figure(
            height=height,
            sizing_mode="stretch_width",
            x_range=self.x_range,
            y_range=self.y_range,
            toolbar_location=None,
            tools="",
            min_border_left=_LEFT,
            min_border_right=_RIGHT,
            **options,
        )
        self.figure.grid.grid_line_color = None
        self.figure.outline_line_color = None
        self.figure.title.text_font_size = "13px"
        self.figure.axis.axis_label_text_font_style = "normal"
        if x_range is not None:
            self.figure.xaxis.axis_label = "time (ms)"
            self.figure.xaxis.formatter = PrintfTickFormatter(format="%.10g")

    def say(self, title: str, why: str = "") -> None:
        """Show a title; where there is a reason, no data."""
        self.figure.title.text = f"{title}: {why}" if why else title
        if why:
            self.source.data = {name: [] for name in self.source.data}

    def _label_rows(self, labels: Sequence[str], at: Floats, title: str) -> None:
        """As many labels of rows as there is room for."""
        room = max(self.height // _LABEL_PIXELS - 2, 2)
        shown = evenly(len(labels), room)
        axis = self.figure.yaxis[0]
        axis.major_label_overrides = {float(at[i]): shortened(labels[i], 12) for i in shown}
        axis.ticker.ticks = [float(at[i]) for i in shown]
        axis.axis_label = title


class TracesFigure(Figure):
    """Lines by depth, with a scale bar on the right."""

    def __init__(self, name: str, height: int, x_range: Range1d) -> None:
        super().__init__(name, height, x_range)
        self.source.data = {"x": [], "y": []}
        self.figure.line("x", "y", source=self.source, color=INK, line_width=0.8)
        self.figure.yaxis.ticker = FixedTicker(ticks=[])
        self.figure.yaxis.axis_line_color = None
        self.figure.yaxis.major_tick_line_color = None
        # An axis that is as long as its label says is a scale bar.
        self._bar = LinearAxis(
            ticker=FixedTicker(ticks=[]),
            axis_line_width=3,
            axis_line_color=INK,
            major_tick_line_color=None,
            minor_tick_line_color=None,
        )
        self.figure.add_layout(self._bar, "right")

    def show(self, traces: Traces, title: str, unit: str, rows_title: str) -> None:
        """One line through all rows, with gaps between them: Bokeh draws it faster than many."""
        count = len(traces.values)
        at = np.arange(count, dtype=float) * traces.spacing
        gap = np.full((count, 1), np.nan)
        self.source.data = {
            "x": np.tile(np.append(traces.x, np.nan), count),
            "y": np.concatenate([traces.values + at[:, None], gap], axis=1).ravel(),
        }
        self.y_range.update(start=-traces.spacing, end=count * traces.spacing)
        self._label_rows(traces.labels, at, rows_title)
        size = nice(traces.spacing * max(count / 8, 1.0))
        middle = at.mean()
        self._bar.bounds = (middle - size / 2, middle + size / 2)
        self._bar.major_label_overrides = {float(middle): quantity(size, unit)}
        self._bar.ticker.ticks = [float(middle)]
        self.say(title)


class ImageFigure(Figure):
    """Colours by depth and time; red is positive."""

    def __init__(self, name: str, height: int, x_range: Range1d) -> None:
        super().__init__(name, height, x_range)
        self.source.data = {"image": [], "x": [], "dw": [], "dh": []}
        self._colours = LinearColorMapper(palette=_BLUE_TO_RED, low=-1, high=1, nan_color=_MISSING)
        image = self.figure.image(
            "image", x="x", y=-0.5, dw="dw", dh="dh", source=self.source,
            color_mapper=self._colours,
        )  # fmt: skip
        self._hover = HoverTool(renderers=[image], tooltips=[("time", "$x{0,0.0} ms")])
        self.figure.add_tools(self._hover)
        self.figure.yaxis.ticker = FixedTicker(ticks=[])
        self.figure.yaxis.major_tick_line_color = None
        self._bar = ColorBar(color_mapper=self._colours, ticker=FixedTicker(ticks=[]), width=12)
        self.figure.add_layout(self._bar, "right")

    def show(self, image: Image, title: str, unit: str, rows_title: str) -> None:
        """The image, with a bin around each of its times."""
        x, count = image.x, len(image.values)
        step = (x[-1] - x[0]) / (x.size - 1) if x.size > 1 else 1.0
        self.source.data = {
            "image": [image.values.astype(np.float32)],
            "x": [x[0] - step / 2],
            "dw": [step * x.size],
            "dh": [count],
        }
        self.y_range.update(start=-0.5, end=count - 0.5)
        self._colours.update(low=-image.limit, high=image.limit)
        self._bar.ticker.ticks = [-image.limit, 0.0, image.limit]
        below, above = ("≤ " if image.clipped[0] else ""), ("≥ " if image.clipped[1] else "")
        self._bar.major_label_overrides = {
            -image.limit: below + _signed(-image.limit),
            0.0: "0",
            image.limit: above + _signed(image.limit),
        }
        self._hover.tooltips = [("time", "$x{0,0.0} ms"), ("value", f"@image {unit}")]
        self._label_rows(image.labels, np.arange(count, dtype=float), rows_title)
        self.say(title)


class SpectrumFigure(Figure):
    """Power by frequency, a line for each channel in the colour of its depth."""

    def __init__(self, name: str, height: int) -> None:
        super().__init__(name, height, x_axis_type="log", y_axis_type="log")
        self.source.data = {"x": [], "y": [], "colour": []}
        self.figure.multi_line("x", "y", source=self.source, color="colour", line_width=1)
        self.figure.xaxis.axis_label = "frequency (Hz)"
        self._depths = LinearColorMapper(palette=_SHADES, low=0, high=1)
        self._bar = ColorBar(
            color_mapper=self._depths, width=12, formatter=PrintfTickFormatter(format="%g µm")
        )
        self.figure.add_layout(self._bar, "right")
        self.figure.grid.grid_line_color = "#e5e5e5"

    def show(self, spectrum: Spectrum, title: str) -> None:
        """The lines, over a few decades below the largest."""
        count, z = len(spectrum.power), spectrum.depths
        by_depth = bool(count > 1 and np.isfinite(z).all() and np.ptp(z) > 0)
        if by_depth:
            self._depths.update(low=z.min(), high=z.max())
            shades = np.rint((z - z.min()) / np.ptp(z) * (len(_SHADES) - 1)).astype(int)
            colours = [_SHADES[shade] for shade in shades]
        else:
            colours = [PALETTE[i % len(PALETTE)] for i in range(count)][::-1]
        self._bar.visible = by_depth
        self.source.data = {
            "x": [spectrum.frequency] * count,
            "y": list(spectrum.power),
            "colour": colours,
        }
        known = spectrum.power[np.isfinite(spectrum.power)]
        if known.size:
            top = 10.0 ** np.ceil(np.log10(known.max()))
            bottom = 10.0 ** np.floor(np.log10(known.min()))
            self.y_range.update(start=max(bottom, top / 10**_DECADES), end=top)
        self.x_range.update(start=spectrum.frequency[0], end=spectrum.frequency[-1])
        self.figure.yaxis.axis_label = f"power ({spectrum.unit})"
        self.say(title)


def _signed(value: float) -> str:
    """The number with a minus sign, not a hyphen."""
    return number(value).replace("-", "−")
