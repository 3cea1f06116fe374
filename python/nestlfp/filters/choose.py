"""Which filter realizes the kernels: the one asked for, or the cheaper one."""

from __future__ import annotations

from collections.abc import Callable

from ..errors import KernelError, ToleranceError
from ..state_space import Realization
from .base import Filter
from .cache import cached_realization
from .coefficients import Coefficients
from .cost import state_space_microseconds
from .fir import FIRFilter
from .state_space import StateSpaceFilter

METHODS = ("auto", "fir", "state-space")

Once = Callable[[Callable[[], Realization]], Realization]


def _here(work: Callable[[], Realization]) -> Realization:
    return work()


def make_filter(
    coefficients: Coefficients,
    method: str,
    *,
    tolerance: float = 1e-6,
    exact_channels: bool = False,
    once: Once = _here,
) -> tuple[Filter, str]:
    """A filter of these coefficients, and what there is to say about the choice.

    Parameters
    ----------
    coefficients : Coefficients
        What to compute.
    method : {"auto", "fir", "state-space"}
        "auto" takes the one whose step is estimated to cost less, or "fir" where no reduced filter
        meets the tolerance.
    tolerance : float
        Largest error of the reduced filter at any lag, relative to a channel's peak.
    exact_channels : bool
        Do not compress across channels.
    once : callable
        Calls the function it is given, on one of several processes, and returns its result on
        all: see `Ranks.on_root`.

    Raises
    ------
    KernelError
        If method or tolerance is none.
    ToleranceError
        If the method is "state-space" and the tolerance cannot be met.
    """
    if method not in METHODS:
        raise KernelError(f"method must be one of {METHODS}, found {method!r}")
    if not 0 < tolerance < 1:
        raise KernelError(f"tolerance must lie between 0 and 1, found {tolerance!r}")
    fir = FIRFilter(coefficients)
    if method == "fir":
        return fir, ""
    populations = len(coefficients.lengths)
    least = state_space_microseconds(populations, 1, populations, 0, 1)
    if method == "auto" and fir.microseconds <= least:
        return fir, "chosen by 'auto': no reduced filter is cheaper"
    try:
        reduced = StateSpaceFilter(
            coefficients,
            once(
                lambda: cached_realization(
                    coefficients.h,
                    tolerance,
                    exact_channels=exact_channels,
                    joint=coefficients.groups == 1,
                )
            ),
        )
    except ToleranceError as failure:
        if method == "state-space":
            raise
        return fir, f"chosen by 'auto': {failure.reason}"
    if method == "state-space":
        return reduced, ""
    chosen: Filter = reduced
    other: Filter = fir
    if fir.microseconds < reduced.microseconds:
        chosen, other = fir, reduced
    told = f"chosen by 'auto': {other.method!r} would take {other.microseconds:.2g} µs"
    return chosen, told
