"""The errors nestlfp raises on purpose, so that a caller can tell them from a library's.

Each says what is wrong, where, the value found and what would be right, and is raised
before the network in NEST has been changed.
"""


class NestLFPError(Exception):
    """Base of all errors below."""


class KernelError(NestLFPError, ValueError):
    """Kernels, or a file or dictionary that should hold kernels, are not usable."""


class ToolchainError(NestLFPError, RuntimeError):
    """NEST, a compiler or a compiled module is missing, broken or does not fit."""


class NetworkError(NestLFPError, ValueError):
    """The network in NEST, or what was said about it, does not fit the filter bank."""
