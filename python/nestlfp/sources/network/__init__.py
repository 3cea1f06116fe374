"""Kernels of the network that is in NEST: no second description of it is needed.

============== ====================================================================
`describe`     reads sizes, targets, weights, delays and currents of synapses
`kernels`      computes kernels of it, with cells that are named or assumed
`summary`      shows what was read and what was assumed
`alternatives` shows how much depends on what was assumed
`rates`        reads the firing rates that conductances need
`fitted`       scales kernels that came from elsewhere
============== ====================================================================
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .activity import rates
    from .assumptions import CellType, Column, Placement
    from .comparing import fitted
    from .currents import Synapse
    from .description import Description
    from .predicting import kernels
    from .reading import describe
    from .summaries import alternatives, summary

__all__ = [
    "CellType",
    "Column",
    "Description",
    "Placement",
    "Synapse",
    "alternatives",
    "describe",
    "fitted",
    "kernels",
    "rates",
    "summary",
]
# Each recorder compares its kernels with the network, and needs `comparing` alone.
_HOME_OF = {
    "CellType": "assumptions",
    "Column": "assumptions",
    "Description": "description",
    "Placement": "assumptions",
    "Synapse": "currents",
    "alternatives": "summaries",
    "describe": "reading",
    "fitted": "comparing",
    "kernels": "predicting",
    "rates": "activity",
    "summary": "summaries",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOME_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
