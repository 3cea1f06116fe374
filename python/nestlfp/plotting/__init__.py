"""Figures of signals and kernels, with matplotlib."""

from .signals import (
    INK,
    MAX_TRACES,
    PALETTE,
    kernels,
    save,
    signals,
    singular_values,
)
from .spectrum import spectrum

__all__ = ["kernels", "save", "signals", "singular_values", "spectrum"]
