"""How all figures look: fonts, colours, numbers, and the files they go to."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import SignalError
from ..extras import require
from ..kernels.files import already_there, brief, checked_path, replacing
from ..units import TESLA, VOLTS, ascii_unit

if TYPE_CHECKING:  # matplotlib takes long to import, and may not be installed
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

    Canvas = Figure | SubFigure
else:
    Axes = Canvas = Any

# Okabe and Ito's colours, which colour-blind readers can tell apart, without the faint yellow. The
# blue is darker than theirs, so that E and I differ in grey, too.
EXCITATORY, INHIBITORY = "#D55E00", "#004D80"
PALETTE = (EXCITATORY, INHIBITORY, "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
INK = "#222222"
MISSING = "0.45"  # a grey unlike white, which stands for zero
_KIND = re.compile(r"(?:^|[\W\d_])(?:(E|ex|exc|excitatory)|(I|in|inh|inhibitory))(?=$|[\W\d_])")
_SHADES = {
    "E": ("#F4A673", EXCITATORY, "#6E3000"),
    "I": ("#8FC1E3", INHIBITORY, "#00233B"),
}
_STYLE = {
    "text.usetex": False,  # names of populations are no TeX
    "pdf.fonttype": 42,  # text that can be edited
    "ps.fonttype": 42,
    "font.size": 7,
    "axes.titlesize": 8,
    "axes.labelsize": 7,
    "figure.titlesize": 8,
    "xtick.labelsize": 6.5,
    "ytick.labelsize": 6.5,
    "legend.fontsize": 6.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "lines.linewidth": 0.7,
    "figure.facecolor": "white",
    "axes.facecolor": "white",
}
WIDTH, COLUMN = 180.0, 85.0  # mm, of a journal's page and of a column
_NARROWEST, _WIDEST = 40.0, 1000.0  # mm


@contextmanager
def style() -> Iterator[None]:
    with require("matplotlib", "plot").rc_context(_STYLE):
        yield


def width_in(figure: Canvas | None, width: float | None, usual: float = WIDTH) -> float:
    """The width (inches) of the figure that was handed in, or of so many millimetres."""
    if figure is not None:
        if width is not None:
            raise SignalError("give figure=... or width=..., not both: a figure has its width")
        return float(figure.bbox.width / figure.dpi)
    if width is None:
        return usual / 25.4
    number = isinstance(width, int | float) and not isinstance(width, bool)
    if not (number and _NARROWEST <= width <= _WIDEST):
        raise SignalError(
            f"width must be millimetres, from {_NARROWEST:g} to {_WIDEST:g}, found {width!r}: "
            "width=85 for a journal's column"
        )
    return width / 25.4


def new_figure(width_in: float, height_in: float) -> Figure:
    require("matplotlib", "plot")
    from .notebook import NotebookFigure

    figure: Figure = NotebookFigure(figsize=(width_in, height_in), layout="constrained")
    return figure


def save(
    figure: Canvas, path: str | os.PathLike[str], *, dpi: float = 300, overwrite: bool = False
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
    """A colour for each name, the same wherever the name comes up in a figure.

    Names of excitatory populations, such as "E", "L4E" or "E → I", have shades of one colour, and
    those of inhibitory ones shades of another, in all figures.

    Examples
    --------
    >>> colours_of(["I", "E"]) == {"E": EXCITATORY, "I": INHIBITORY}
    True
    """
    families: dict[str, list[str]] = {"E": [], "I": [], "": []}
    for name in dict.fromkeys(names):
        kind = _KIND.search(name)
        families["" if kind is None else "E" if kind[1] else "I"].append(name)
    others = families.pop("")
    free = [c for c in PALETTE if c not in (EXCITATORY, INHIBITORY) or not any(families.values())]
    found = dict(zip(others, free, strict=False))
    colors = require("matplotlib.colors", "plot")
    if len(others) > len(free):  # shades without the faint yellow
        found = _shaded(others, require("matplotlib", "plot").colormaps["viridis"], 0.85)
    for family, members in families.items():
        if len(members) == 1:
            found[members[0]] = _SHADES[family][1]
        else:
            scale = colors.LinearSegmentedColormap.from_list(family, _SHADES[family])
            found |= _shaded(members, scale, 1.0)
    return found


def _shaded(names: list[str], scale: Any, last: float) -> dict[str, str]:
    """Shades of a scale, at equal steps from its beginning to `last`."""
    to_hex = require("matplotlib.colors", "plot").to_hex
    shades = scale(np.linspace(0, last, len(names)))
    return {name: to_hex(shade) for name, shade in zip(names, shades, strict=True)}


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


def quantity(size: float, unit: str) -> str:
    """A positive size in a unit that suits it.

    Examples
    --------
    >>> quantity(2e-5, "mV"), quantity(0.5, "mV"), quantity(3e-14, "T")
    ('20 nV', '500 µV', '30 fT')
    """
    for family in (VOLTS, TESLA):
        factor = family.get(ascii_unit(unit))
        if factor is not None:
            fitting = [one for one in family if family[one] <= size * factor * (1 + 1e-9)]
            best = max(fitting, key=family.__getitem__, default=min(family, key=family.__getitem__))
            size, unit = size * factor / family[best], best.replace("u", "µ")
    return f"{number(float(f'{size:.3g}'))} {unit}"


def shortened(text: str, most: int | None = 40) -> str:
    """Text of at most so many letters, with its beginning and its end."""
    if most is None or len(text) <= most:
        return text
    return f"{text[: most // 2]}…{text[len(text) - (most - 1) // 2 :]}"


def escaped(text: str, most: int | None = 40) -> str:
    """Shortened text that matplotlib draws as it is, where it would look for formulas."""
    return shortened(text, most).replace("$", r"\$")
