"""The template that LFPy's `TemplateCell` wants, for morphologies that come without one."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import KernelError

HOC = Path(__file__).parent / "hoc"
_OWN = {"templatefile": str(HOC / "NestlfpCell.hoc"), "templatename": "NestlfpCell"}
_DEFAULT = "LFPyCellTemplate"  # LFPy's name of one that it has not


def cell_parameters(given: Mapping[str, Any], whose: str) -> dict[str, Any]:
    """Arguments of ``LFPy.TemplateCell``, with a template where a morphology can do with ours.

    Parameters
    ----------
    given : dict
        The arguments, as a user gave them.
    whose : str
        The cell, for messages: ``"the cell of 'E'"``.

    Raises
    ------
    KernelError
        If the morphology needs a template of its own and has none.
    """
    found = {k: os.fspath(v) if isinstance(v, os.PathLike) else v for k, v in given.items()}
    if "templatefile" in found or _loaded(str(found.get("templatename", _DEFAULT))):
        return found
    morphology = str(found.get("morphology"))
    if not _whole(Path(morphology)):
        raise KernelError(
            f"{whose} has the morphology {morphology!r}, but no template that makes its sections: "
            "add the template's .hoc file as cellParameters['templatefile'], and its name as "
            "['templatename']. Morphologies in .swc and .asc need none, nor do .hoc files in which "
            "each section calls all.append()"
        )
    return {**found, **_OWN}


def _loaded(template: str) -> bool:
    """Whether NEURON has a template: no, where NEURON was not imported."""
    neuron = sys.modules.get("neuron")
    return neuron is not None and hasattr(neuron.h, template)


def _whole(morphology: Path) -> bool:
    """Whether a file brings all of a cell's sections, in a way that our template understands."""
    suffix = morphology.suffix.lower()
    if suffix == ".hoc" and morphology.is_file():
        return "all.append(" in morphology.read_text(encoding="utf-8", errors="replace")
    return suffix in {".swc", ".asc"}
