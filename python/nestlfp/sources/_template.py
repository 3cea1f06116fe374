"""The template that LFPy's `TemplateCell` wants, for morphologies that come without one."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import KernelError
from ..extras import require

_OWN = {
    "templatefile": str(Path(__file__).parent / "hoc" / "NestlfpCell.hoc"),
    "templatename": "NestlfpCell",
}
_WHOLE = {".swc", ".asc"}  # formats that bring all of a cell's sections
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
    name = str(found.get("templatename", _DEFAULT))
    if "templatefile" in found or hasattr(require("neuron", "lfpykernels").h, name):
        return found
    morphology = str(found.get("morphology"))
    if Path(morphology).suffix.lower() not in _WHOLE:
        raise KernelError(
            f"{whose} has the morphology {morphology!r}, but no template that makes its sections: "
            "add the template's .hoc file as cellParameters['templatefile'], and its name as "
            "['templatename']. Morphologies in .swc and .asc need none"
        )
    return {**found, **_OWN}
