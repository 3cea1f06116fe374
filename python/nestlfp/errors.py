"""The errors nestlfp raises on purpose, so that a caller can tell them from a library's.

Each says what is wrong, where, the value found and what would be right, and is raised
before the network in NEST has been changed.
"""

from __future__ import annotations

import sys
from pathlib import Path
from types import TracebackType


class NestLFPError(Exception):
    """Base of all errors below."""


class KernelError(NestLFPError, ValueError):
    """Kernels, or a file or dictionary that should hold kernels, are not usable."""


class ToleranceError(KernelError):
    """No reduced filter of a sensible size meets the tolerance.

    Attributes
    ----------
    tolerance : float
        What was asked for, relative to each channel's peak.
    smallest_error : float
        The smallest error found up to `max_order`, relative to the channel's peak.
    max_order : int
        The largest order, or number of time courses, that was tried.
    kind : str
        What was tried.
    """

    def __init__(
        self,
        tolerance: float,
        smallest_error: float,
        max_order: int,
        kind: str = "state-space filter of order",
    ) -> None:
        self.tolerance = tolerance
        self.smallest_error = smallest_error
        self.max_order = max_order
        self.kind = kind
        self.reason = (
            f"no {kind} {max_order} or less has an error below "
            f"{tolerance:.3g} of the peak; the smallest reached is {smallest_error:.3g}"
        )
        super().__init__(f"{self.reason}. Raise the tolerance, or use method='fir'")

    def __reduce__(self) -> tuple[type, tuple[float, float, int, str]]:
        # Exceptions are pickled by their message, and MPI hands them from rank to rank.
        return type(self), (self.tolerance, self.smallest_error, self.max_order, self.kind)


class ToolchainError(NestLFPError, RuntimeError):
    """NEST, a compiler or a compiled module is missing, broken or does not fit."""


class NetworkError(NestLFPError, ValueError):
    """The network in NEST, or what was said about it, does not fit the filter bank."""


class SignalError(NestLFPError, ValueError):
    """Signals, or a file that should hold signals, are not usable."""


class ActivityError(NestLFPError, ValueError):
    """Recorded spikes, or files that should hold some, are not usable or do not fit kernels."""


class StreamError(NestLFPError, OSError):
    """Signals cannot be written to, or do not continue, a store on disk."""


class StoreLostError(StreamError):
    """The store that signals are written to was renamed, deleted or replaced meanwhile."""


class EnsembleError(NestLFPError, ValueError):
    """Runs of an ensemble cannot be made, or do not fit those that are there."""


class MissingExtraError(NestLFPError, ImportError):
    """A package is missing that one of nestlfp's extras installs."""


class KernelsMismatchWarning(UserWarning):
    """Kernels are made for another network than the one that they are used with."""


def message_for(error: BaseException) -> str | None:
    """The line for a user whose input or machine is the cause of an error.

    None for any other error: that is a defect, and its traceback is needed.
    """
    nest_error = getattr(sys.modules.get("nest"), "NESTError", NestLFPError)
    if isinstance(error, KeyboardInterrupt):
        return "interrupted"
    if isinstance(error, MemoryError):
        return f"the memory of this machine is not enough: {error}"
    if isinstance(error, ImportError) and not isinstance(error, NestLFPError):
        return f"{error}: is everything installed, in the environment of {sys.executable}?"
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename!r}: {error.strerror}"
    if isinstance(error, (NestLFPError, OSError, nest_error)):
        return str(error) or type(error).__name__
    return None


def tell_plainly() -> None:
    """Let this process end with one line, and no traceback, where `message_for` has a line.

    For scripts: to be called before anything is imported that may be missing.
    """
    others = sys.excepthook

    def hook(
        kind: type[BaseException], error: BaseException, traceback: TracebackType | None
    ) -> None:
        line = message_for(error)
        if line is None:
            others(kind, error, traceback)
        else:
            print(f"{Path(sys.argv[0]).name}: {line}", file=sys.stderr)

    sys.excepthook = hook
