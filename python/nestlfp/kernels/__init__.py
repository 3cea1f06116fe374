"""Kernels: labels, algebra and files."""

from .set import AXES, FORMAT, KernelSet, by_dims, channel_dim, check_name

__all__ = ["AXES", "FORMAT", "KernelSet", "by_dims", "channel_dim", "check_name"]
