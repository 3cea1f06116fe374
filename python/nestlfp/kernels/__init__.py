"""Kernels: labels, algebra and files."""

from .names import AXES, by_dims, channel_dim, check_name
from .set import FORMAT, KernelSet

__all__ = ["AXES", "FORMAT", "KernelSet", "by_dims", "channel_dim", "check_name"]
