"""Passive multicompartment cells: a small library by name, and cells of the user's.

`names` lists the library: the cells of the microcircuit by layer and type. `cell` takes such a
name, a morphology file or arguments of ``LFPy.TemplateCell``, and gives a `Cell`. `PYRAMIDAL` and
`INTERNEURON` are the names of the cells that stand for excitatory and inhibitory neurons where
nothing else is said.
"""

from .library import INTERNEURON, PASSIVE, PYRAMIDAL, Cell, Shape, cell, names

__all__ = ["INTERNEURON", "PASSIVE", "PYRAMIDAL", "Cell", "Shape", "cell", "names"]
