"""EEG and MEG kernels: dipole kernels seen through a volume conductor of LFPykit.

``project(kernels, model, ...)`` is ``kernels.project(model, ...)``: the map is linear algebra on
kernels that are there already, so that it lives with them.
"""

from ..kernels import KernelSet
from ..kernels.projection import rotation_from_z

__all__ = ["project", "rotation_from_z"]

project = KernelSet.project
