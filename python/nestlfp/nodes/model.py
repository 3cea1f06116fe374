"""The NEST model of a filter: its name, its text, and nodes of it.

A model is compiled for a number of spike ports, and serves all kernels of as many populations or
fewer: all other sizes are parameters.
"""

from __future__ import annotations

import functools
import hashlib
import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..filters.options import METHODS
from ..simulator import Simulator
from .render import render, sources


@dataclass(frozen=True)
class Model:
    """A NESTML model of a filter node.

    Parameters
    ----------
    name : str
        Its name in NEST.
    template : str or Path
        Its template: a file in ``models/``, or a path.
    ports : int
        Presynaptic populations that it can tell apart.
    method : str
        What it computes; empty where it is no filter node.
    """

    name: str
    template: str | Path
    ports: int
    method: str = ""

    @property
    def text(self) -> str:
        """Its NESTML source."""
        return render(self.template, model=self.name, ports=self.ports)


SIZES = (2, 4, 8, 16)
"""Spike ports of the models that nearly all kernels need."""


def capacity(ports: int) -> int:
    """Ports of the model that serves so many: 2, 4, 8, 16, 24, 32, 48, ...

    An idle port costs a nanosecond or two a step and a buffer for spikes, a module a compilation.
    """
    if ports <= SIZES[-1]:
        return next(size for size in SIZES if size >= ports)
    step = 2 ** ((ports - 1).bit_length() - 2)
    return -(-ports // step) * step


def node_methods() -> list[str]:
    """Names of the methods that have a node."""
    return [name for name, kind in METHODS.items() if kind.template]


@functools.cache
def model_for(method: str, ports: int) -> Model:
    """The model of a method with so many ports, whatever the kernels.

    Its name has a digest of all that it is made of, so that models of the same name are the same.
    """
    template = METHODS[method].template
    digest = hashlib.sha256(sources(template).encode()).hexdigest()[:8]
    name = f"nestlfp_{method.replace('-', '_')}_p{ports}_{digest}"
    return Model(name, template, ports, method)


def model_named(name: str) -> Model | None:
    """The model of this name, if there is one.

    A model of another version of nestlfp has another digest in its name, and is none.
    """
    for method in node_methods():
        pattern = rf"nestlfp_{method.replace('-', '_')}_p(\d+)_[0-9a-f]{{8}}"
        if parts := re.fullmatch(pattern, name):
            model = model_for(method, int(parts[1]))
            return model if model.name == name else None
    return None


def fitting(known: Collection[str], method: str, ports: int) -> Model | None:
    """The smallest model of a method with so many ports or more among NEST's models, if any."""
    found = filter(None, map(model_named, known))
    large = [model for model in found if model.method == method and model.ports >= ports]
    return min(large, key=lambda model: model.ports, default=None)


def create_nodes(
    sim: Simulator, model: Model, n: int, parameters: dict[str, Any], grows: str
) -> Any:
    """`n` nodes with these parameters, the one that `grows` set last: see `Filter.grows`.

    Collective: with several MPI ranks each calls it.
    """
    # Defaults are copied into each node inside the kernel: cheaper than setting each one.
    sim.set_defaults(model.name, {**parameters, grows: 1})
    nodes = sim.create(model.name, n)
    nodes.set({grows: parameters[grows]})
    return nodes
