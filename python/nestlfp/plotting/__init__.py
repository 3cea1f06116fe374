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

__all__ = ["INK", "MAX_TRACES", "PALETTE", "kernels", "save", "signals", "singular_values"]
