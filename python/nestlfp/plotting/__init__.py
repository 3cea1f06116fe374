"""Figures of signals and kernels.

Traces are stacked by depth, the highest contact on top, with one scale bar for all of them. More
than 32 channels are drawn as an image, since lines that close hide each other; where
contributions of populations are kept apart, whose colours an image cannot show, evenly chosen
channels are drawn as lines instead. Samples closer together than a pixel are drawn as the
envelope of their smallest and largest values, so that no peak is lost and files stay small.

The functions return a `matplotlib.figure.Figure` that does not belong to pyplot; hand one in with
``figure=plt.figure()`` to see it in a window.
"""

from . import geometry
from .alternatives import alternatives
from .morphologies import cells
from .responses import kernels
from .singular import singular_values
from .spectrum import spectrum
from .style import save
from .topomap import topomap
from .traces import signals

__all__ = [
    "alternatives",
    "cells",
    "geometry",
    "kernels",
    "save",
    "signals",
    "singular_values",
    "spectrum",
    "topomap",
]
