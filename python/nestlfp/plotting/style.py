"""How all figures look: fonts, colours, numbers, and the files they go to."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import SignalError
from ..extras import require
from ..kernels.files import already_there, brief, checked_path, replacing

if TYPE_CHECKING:  # matplotlib takes long to import, and may not be installed
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

    Canvas = Figure | SubFigure
else:
    Axes = Canvas = Any

# Okabe and Ito's colours, which colour-blind readers can tell apart, without the faint yellow.
PALETTE = ("#D55E00", "#0072B2", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
INK = "#222222"
_STYLE = {
    "text.usetex": False,  # names of populations are no TeX
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.labelsize": 9,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "legend.fontsize": 8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.linewidth": 0.8,
    "lines.linewidth": 0.8,
    "figure.facecolor": "white",
    "axes.facecolor": "white",
}
WIDTH_IN = 8.5


@contextmanager
def style() -> Iterator[None]:
    with require("matplotlib", "plot").rc_context(_STYLE):
        yield


def new_figure(width_in: float, height_in: float) -> Figure:
    require("matplotlib", "plot")
    from .notebook import NotebookFigure

    figure: Figure = NotebookFigure(figsize=(width_in, height_in), layout="constrained")
    return figure


def save(
    figure: Canvas, path: str | os.PathLike[str], *, dpi: float = 200, overwrite: bool = False
) -> None:
    """Write a figure to a file, in the format that the path's suffix names.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
    path : path
        ``.png``, ``.pdf``, ``.svg`` or what else matplotlib knows.
    dpi : float, optional
        Pixels per inch of what is not drawn as lines.
    overwrite : bool
        Replace an existing file, as a whole once the new one is complete.

    Raises
    ------
    SignalError
        If there is a file already, matplotlib does not know the format, or the file cannot be
        written.
    """
    target = checked_path(path, SignalError)
    suffix = checked_format(target)
    if os.path.isfile(target) and not overwrite:
        raise SignalError(already_there(target, "nestlfp.plotting.save(figure, {})"))
    try:
        with style(), replacing(target) as partial:
            figure.figure.savefig(partial, dpi=dpi, format=suffix)
    except Exception as error:  # of the system, and of programs that matplotlib calls
        raise SignalError(f"cannot write figure {str(target)!r}: {brief(error)}") from error


def checked_format(path: Path) -> str:
    """The format of a figure that the end of its name says, or a `SignalError`."""
    known = require("matplotlib.figure", "plot").Figure().canvas.get_supported_filetypes()
    suffix = path.suffix.removeprefix(".").lower()
    if suffix not in known:
        raise SignalError(
            f"unknown format of figure {str(path)!r}: its suffix must be one of "
            + ", ".join(f".{name}" for name in sorted(known))
        )
    return suffix


def colours_of(names: Iterable[str]) -> dict[str, str]:
    """A colour for each name, the same wherever the name comes up in a figure."""
    different = list(dict.fromkeys(names))
    if len(different) <= len(PALETTE):
        return dict(zip(different, PALETTE, strict=False))
    matplotlib = require("matplotlib", "plot")
    shades = matplotlib.colormaps["viridis"](np.linspace(0, 0.85, len(different)))
    return {
        name: matplotlib.colors.to_hex(shade) for name, shade in zip(different, shades, strict=True)
    }


def nice(size: float) -> float:
    """The largest of 1, 2, 5, 10, ... that is not larger than `size`."""
    decade = 10.0 ** math.floor(math.log10(size))
    factor = max(f for f in (0.5, 1.0, 2.0, 5.0) if f <= size / decade * (1 + 1e-9))
    return float(f"{factor * decade:.1g}")


def number(value: float) -> str:
    """``"0.05"``, ``"20 000"``, ``"2·10⁻⁵"``."""
    if value == 0 or 1e-3 <= abs(value) < 1e5:
        return f"{value:,.15g}".replace(",", "\N{THIN SPACE}")
    mantissa, exponent = f"{value:.15e}".split("e")
    raised = str(int(exponent)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return f"{float(mantissa):g}·10{raised}"


def shortened(text: str, most: int | None = 40) -> str:
    """Text of at most so many letters, with its beginning and its end."""
    if most is None or len(text) <= most:
        return text
    return f"{text[: most // 2]}…{text[len(text) - (most - 1) // 2 :]}"


def escaped(text: str, most: int | None = 40) -> str:
    """Shortened text that matplotlib draws as it is, where it would look for formulas."""
    return shortened(text, most).replace("$", r"\$")
