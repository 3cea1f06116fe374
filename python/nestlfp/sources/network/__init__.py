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

from .activity import rates
from .assumptions import CellType, Column, Placement
from .comparing import fitted
from .currents import Synapse
from .description import Description
from .predicting import kernels
from .reading import describe
from .summary import alternatives, summary

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
