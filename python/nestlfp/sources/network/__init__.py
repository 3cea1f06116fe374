"""Kernels of a network that NEST already knows."""
