"""Sheets of tissue: neurons whose targets are near them, and arrays of electrodes.

A population kernel says what a spike does wherever its neuron is. In a sheet this depends on how
far the neuron is from the electrode, so that each neuron has its own kernel.

=================================== =============================================================
`Sheet`                             the tissue: a rectangle, with an edge or periodic
`Gaussian` `Exponential` `Disk`     where a neuron's targets are
`SheetPotential`                    a probe for LFPykernels: cells spread over a sheet
`patches`                           what a spike does through a patch of tissue, by LFPykernels
`kernels`                           the kernel of a neuron at any place, as modes on a `Grid`
`weights`                           a neuron's weights of these modes, from its position
=================================== =============================================================
"""

from .neurons import kernels, weights
from .patches import patches
from .potential import SheetPotential
from .profiles import Disk, Exponential, Gaussian, Profile
from .tissue import Grid, Sheet

__all__ = [
    "Disk",
    "Exponential",
    "Gaussian",
    "Grid",
    "Profile",
    "Sheet",
    "SheetPotential",
    "kernels",
    "patches",
    "weights",
]
