"""A filter rendered as NESTML text.

The only things that enter the text are whole numbers and a model name made of them: names of
populations, signals and channels stay data.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ..paths import project_dir

if TYPE_CHECKING:
    from ..filters.base import Filter


def render(filter_: Filter) -> tuple[str, str]:
    """Name and NESTML text of the node model that computes a filter.

    Returns
    -------
    model : str
        Name of the model; it tells method and sizes, so that equal models have equal names.
    text : str
        NESTML source.
    """
    import jinja2

    sizes = {key: int(value) for key, value in filter_.sizes.items()}
    method = re.sub(r"\W", "_", filter_.method)
    # Upper-case initials keep the name short and unambiguous: P2 populations, T800 taps, ...
    model = f"nestlfp_{method}_" + "_".join(f"{key[0]}{value}" for key, value in sizes.items())
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(project_dir() / "models"),
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return model, environment.get_template(filter_.template).render(model=model, **sizes)


def module_name(model: str) -> str:
    """Name of the extension module of a model; NEST wants it to end in "module"."""
    return f"{model}_module"
