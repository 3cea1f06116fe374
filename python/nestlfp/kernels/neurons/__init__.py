"""Kernels of single neurons: weighted sums of a few modes."""
