"""Kernels: labels, algebra and files."""

from .files import FORMAT
from .names import AXES, by_dims, channel_dim, check_name
from .set import KernelSet

__all__ = ["AXES", "FORMAT", "KernelSet", "by_dims", "channel_dim", "check_name"]
