"""Kernels: labels, algebra and files."""

from .files import FORMAT
from .set import AXES, KernelSet, by_dims, channel_dim, check_name

__all__ = ["AXES", "FORMAT", "KernelSet", "by_dims", "channel_dim", "check_name"]
