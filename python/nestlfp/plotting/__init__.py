"""Figures of signals and kernels.

Figures are as wide as a page of a journal, 180 mm, or as ``width=`` says (85 for a column), with
letters of 6 to 8 points. E and I have the same two colours in all of them.

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
from .array_frames import array_frames
from .depth_image import depth_image
from .morphologies import cells
from .responses import kernels
from .singular import singular_values
from .spectrogram import spectrogram
from .spectrum import spectrum
from .style import save
from .topomap import topomap
from .traces import signals

__all__ = [
    "alternatives",
    "array_frames",
    "cells",
    "depth_image",
    "geometry",
    "kernels",
    "save",
    "signals",
    "singular_values",
    "spectrogram",
    "spectrum",
    "topomap",
]
