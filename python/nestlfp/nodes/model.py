"""The NEST model of a filter: its name, its text, and nodes of it.

A model is compiled for a number of spike ports, and serves all kernels of as many populations or
fewer: all other sizes are parameters.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Any

from ..filters.base import Filter
from .render import render, synapse_header


@dataclass(frozen=True)
class Model:
    """A NESTML model of a filter node.

    Parameters
    ----------
    name : str
        Its name in NEST: the method, the number of ports and a digest of the text and of the
        synapse model's, so that modules of the same name are the same.
    text : str
        Its NESTML source.
    ports : int
        Presynaptic populations that it can tell apart.
    """

    name: str
    text: str
    ports: int


def capacity(populations: int) -> int:
    """Ports of the model that serves so many populations: 2, 3, 4, 6, 8, 12, 16, ...

    At most a third of them idle. An idle port costs some nanoseconds a step and a buffer for
    spikes, a module a compilation.
    """
    step = 2 ** max(0, (populations - 1).bit_length() - 2)
    return max(2, -(-populations // step) * step)


def model_of(filter_: Filter, ports: int | None = None) -> Model:
    """The model that computes a filter; with so many ports, or as many as serve it best."""
    ports = ports or capacity(len(filter_.coefficients.lengths))
    return model_for(filter_.method, filter_.template, ports)


def model_for(method: str, template: str, ports: int) -> Model:
    """The model of a method with so many ports, whatever the kernels."""
    draft = render(template, model="MODEL", ports=ports) + synapse_header().read_text("utf-8")
    digest = hashlib.sha256(draft.encode()).hexdigest()[:8]
    name = f"nestlfp_{re.sub(r'[^a-zA-Z0-9]', '_', method)}_p{ports}_{digest}"
    return Model(name, render(template, model=name, ports=ports), ports)


def create_nodes(nest: Any, model: Model, n: int, parameters: dict[str, Any], grows: str) -> Any:
    """`n` nodes with these parameters, the one that `grows` set last: see `Filter.grows`.

    Collective: with several MPI ranks each calls it.
    """
    # Defaults are copied into each node inside the kernel: cheaper than setting each one.
    nest.SetDefaults(model.name, {**parameters, grows: 1})
    nodes = nest.Create(model.name, n)
    nodes.set({grows: parameters[grows]})
    return nodes
