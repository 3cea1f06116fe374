"""Kernels: labels, algebra and files."""

from .files import FORMAT, NEURONS_FORMAT
from .names import AXES, by_dims, channel_dim, check_name
from .neurons.kernels import NeuronKernels
from .set import KernelSet

__all__ = [
    "AXES",
    "FORMAT",
    "NEURONS_FORMAT",
    "KernelSet",
    "NeuronKernels",
    "by_dims",
    "channel_dim",
    "check_name",
]
