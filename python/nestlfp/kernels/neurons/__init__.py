"""Kernels of single neurons: weighted sums of a few modes."""

from .kernels import NeuronKernels

__all__ = ["NeuronKernels"]
