"""NESTML text from a template, and what things are called that come of it.

The only things that enter the text are whole numbers and a model name made of them: names of
populations, signals and channels stay data.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from ..paths import project_dir

SYNAPSE = "nestlfp_synapse"
"""Name of the synapse model of recorders' connections, which each module brings."""


def template_path(template: str | Path) -> Path:
    """The file of a template: one in ``models/``, or a path."""
    return Path(project_dir(), "models", template)


def sources(template: str | Path) -> str:
    """All that decides what a module of a template computes: it, its parts, the synapse model."""
    parts = sorted((project_dir() / "models").glob("head_*.jinja"))
    paths = [template_path(template), *parts, synapse_header()]
    return "\n".join(path.read_text(encoding="utf-8") for path in paths)


def render(template: str | Path, *, model: str, ports: int) -> str:
    """NESTML source of a model with this name and number of spike ports."""
    import jinja2

    path = template_path(template)
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([path.parent, project_dir() / "models"]),
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(path.name).render(model=model, ports=int(ports))


def module_name(models: Sequence[str]) -> str:
    """Name of the extension module of these models; NEST wants it to end in "module"."""
    if len(models) == 1:
        return f"{models[0]}_module"
    return f"nestlfp_{hashlib.sha256(' '.join(models).encode()).hexdigest()[:8]}_module"


def synapse_header() -> Path:
    """The C++ source of the synapse model."""
    return project_dir() / "models" / f"{SYNAPSE}.h"
