"""Patches of a cortical surface: the EEG and MEG of one microcircuit, in many places at once.

A microcircuit's current dipole moment points along the normal of the cortex. The same kernels serve
each patch that has such a microcircuit; what differs is where the patch is, and how it is folded.

============== ====================================================================
`fsaverage`    a hemisphere of the average brain that comes with nilearn
`read`         surfaces in files of FreeSurfer or GIFTI
`annotation`   labels of a surface's vertices, in a file of FreeSurfer
`Surface`      a surface, from arrays or from the functions above
`Patches`      named patches of it: around given centres, or by labels
`kernels`      kernels of all patches and populations as one set, ``"V1/L5E"``
============== ====================================================================
"""

from .patches import Patches
from .projecting import kernels
from .reading import annotation, fsaverage, read
from .surface import Surface

__all__ = ["Patches", "Surface", "annotation", "fsaverage", "kernels", "read"]
