"""The cells: what one is, those that come with nestlfp, and those of the user's."""

from __future__ import annotations

import os
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..errors import KernelError
from ..extras import require
from .template import HOC, cell_parameters

PYRAMIDAL = "p5_L23"
"""Name of the cell for excitatory neurons: a pyramidal cell of layer 5."""
INTERNEURON = "i4"
"""Name of the cell for inhibitory neurons: a small multipolar cell."""

PASSIVE: Mapping[str, Any] = {
    "v_init": -65.0,  # mV
    "Ra": 150.0,  # Ω cm
    "cm": 1.0,  # µF/cm²
    "nsegs_method": "lambda_f",
    "lambda_f": 100.0,  # Hz
    "passive": True,
    "passive_parameters": {"g_pas": 1e-4, "e_pas": -65.0},  # S/cm², mV
}
"""The membrane of the library's cells, as arguments of ``LFPy.TemplateCell``."""
_MEMBRANE = "1 µF/cm², 0.1 mS/cm² (10 ms), 150 Ω cm and -65 mV at rest"


@dataclass(frozen=True)
class Shape:
    """The size of a cell.

    Attributes
    ----------
    area : float
        Of the membrane (µm²).
    bottom, top : float
        The lowest and the highest end of a dendrite along z, relative to the soma's centre (µm).
    reach : float
        The largest distance of a dendrite from the z axis through the soma's centre (µm).
    """

    area: float
    bottom: float
    top: float
    reach: float

    @property
    def height(self) -> float:
        """From bottom to top (µm)."""
        return self.top - self.bottom


@dataclass(frozen=True, repr=False)
class Cell:
    """A passive multicompartment cell that represents the neurons of a population.

    Attributes
    ----------
    name : str
        Such as ``"p5_L23"``.
    kind : str
        ``"pyramidal"``, ``"stellate"`` or ``"interneuron"``; ``""`` where that is not known.
    parameters : dict
        Arguments of ``LFPy.TemplateCell``, also as ``cellParameters`` of LFPykernels. The apical
        dendrite points along z.
    source : str
        What the cell is, and where its numbers come from.
    shape : Shape or None
        The size of a cell of the library, and None of others; `measured` knows all.
    """

    name: str
    kind: str
    parameters: Mapping[str, Any]
    source: str
    shape: Shape | None = None

    def measured(self) -> Shape:
        """The size, measured on the cell that LFPy makes.

        NEURON is started for it, and its cells of before are deleted.

        Raises
        ------
        MissingExtraError
            Without LFPy.
        KernelError
            If LFPy cannot make the cell.
        """
        made = self.made()
        reach = np.hypot(made.x, made.y).max()
        return Shape(*map(float, (np.sum(made.area), made.z.min(), made.z.max(), reach)))

    def made(self) -> Any:
        """The cell as LFPy makes it, its soma at the origin.

        Returns
        -------
        LFPy.TemplateCell

        Raises
        ------
        MissingExtraError, KernelError
            As `measured`.
        """
        lfpy = require("LFPy", "lfpykernels")
        try:
            return lfpy.TemplateCell(**{**self.parameters, "delete_sections": True})
        except Exception as error:  # assertions, plain Exceptions and NEURON's own alike
            raise KernelError(f"LFPy cannot make the cell {self.name!r}: {error}") from error

    def __repr__(self) -> str:
        facts = [f"kind={self.kind!r}"] if self.kind else []
        if shape := self.shape:
            facts += [f"{shape.area:.0f} µm² of membrane", f"{shape.height:.0f} µm high"]
        return f"Cell({', '.join([repr(self.name), *facts])}: {self.source})"


class _Form(NamedTuple):
    what: str
    stands_for: str  # a reconstruction
    shape: Shape


_LIBRARY = {
    "p23": _Form("pyramidal cell of layer 2/3", "L23E_oi24rpy1", Shape(36485, -100, 324, 110)),
    "p4": _Form("pyramidal cell of layer 4", "L4E_53rpy1", Shape(17710, -90, 745, 90)),
    "ss4": _Form("spiny stellate cell of layer 4", "L4E_j7_L4stellate", Shape(16091, -80, 85, 90)),
    "p5_L23": _Form(
        "pyramidal cell of layer 5 that projects to layer 2/3",
        "L5E_oi15rpy4",
        Shape(20932, -110, 1036, 90),
    ),
    "p5_L56": _Form(
        "large pyramidal cell of layer 5 that projects to layers 5 and 6",
        "L5E_j4a",
        Shape(48670, -140, 1036, 110),
    ),
    "p6_L4": _Form(
        "pyramidal cell of layer 6 that projects to layer 4",
        "L6E_51-2a.CNG",
        Shape(29475, -160, 980, 140),
    ),
    "p6_L56": _Form(
        "pyramidal cell of layer 6 that projects to layers 5 and 6",
        "L6E_oi15rpy4",
        Shape(23003, -110, 1320, 90),
    ),
    "i23": _Form("interneuron of layer 2/3", "L23I_oi38lbc1", Shape(19674, -90, 130, 110)),
    "i4": _Form("small interneuron of layer 4", "L4I_oi26rbc1", Shape(6131, -70, 70, 70)),
    "i5": _Form("interneuron of layer 5", "L5I_oi15rbc1", Shape(26669, -170, 60, 130)),
    "i6": _Form("interneuron of layer 6", "L5I_oi15rbc1", Shape(24715, -140, 60, 130)),
}
_KINDS = {"p": "pyramidal", "s": "stellate", "i": "interneuron"}


def names() -> tuple[str, ...]:
    """The names of the library's cells."""
    return tuple(_LIBRARY)


def cell(given: str | os.PathLike[str] | Mapping[str, Any] | Cell) -> Cell:
    """A cell: one of the library, or the user's own.

    Parameters
    ----------
    given : str, path, dict or Cell
        A name of the library (`names`); or a morphology file, ``.swc``, ``.asc`` or a ``.hoc`` in
        which each section calls ``all.append()``, whose membrane is then that of the library's
        cells (`PASSIVE`); or arguments of ``LFPy.TemplateCell``, which may leave out the template
        of such a file. A `Cell` is returned as it is. The apical dendrite must point along z; the
        soma may be anywhere.

    Returns
    -------
    Cell

    Raises
    ------
    KernelError
        If it is none of these, there is no such file, or the morphology needs a template.

    Examples
    --------
    >>> import nestlfp
    >>> nestlfp.cells.cell("i4").kind
    'interneuron'
    """
    if isinstance(given, Cell):
        return given
    if isinstance(given, str) and given in _LIBRARY:
        return _of_library(given)
    if isinstance(given, Mapping):
        return _of_arguments(given)
    if isinstance(given, str | os.PathLike):
        path = Path(given).expanduser().absolute()
        if path.suffix.lower() in {".swc", ".asc", ".hoc"}:
            return _of_arguments(
                {"morphology": path, **deepcopy(PASSIVE)},
                f"the file {path.name}, with the membrane of the library's cells: {_MEMBRANE}",
            )
    raise KernelError(
        f"a cell is one of the library ({', '.join(map(repr, names()))}), a morphology file (.swc, "
        f".asc or .hoc), a dict of arguments of LFPy.TemplateCell or a nestlfp.cells.Cell; found "
        f"{given!r}"
    )


def _of_library(name: str) -> Cell:
    form = _LIBRARY[name]
    parameters = cell_parameters({"morphology": HOC / f"{name}.hoc", **deepcopy(PASSIVE)}, name)
    source = (
        f"{form.what}, straight sticks written by hand that represent {form.stands_for} of Hagen "
        f"et al. 2016; their membrane, {_MEMBRANE}"
    )
    return Cell(name, _KINDS[name[0]], parameters, source, form.shape)


def _of_arguments(given: Mapping[str, Any], source: str = "arguments of LFPy.TemplateCell") -> Cell:
    morphology = given.get("morphology")
    if not isinstance(morphology, str | os.PathLike):
        raise KernelError(
            "a cell needs the file of its morphology: {'morphology': 'cell.swc', ...}, found "
            f"{morphology!r}"
        )
    if not Path(morphology).is_file():
        raise KernelError(f"there is no morphology file {os.fspath(morphology)!r}")
    name = Path(morphology).stem
    return Cell(name, "", cell_parameters(given, f"the cell {name!r}"), source)
