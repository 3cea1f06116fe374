"""Which filter realizes the kernels: the one asked for, or the cheaper one."""

from __future__ import annotations

from collections.abc import Callable

from ..errors import ToleranceError
from ..state_space import Realization
from .base import Filter
from .cache import cached_realization
from .coefficients import Coefficients
from .cost import state_space_microseconds
from .fir import FIRFilter
from .options import FIR, Auto, Method
from .state_space import StateSpaceFilter

Once = Callable[[Callable[[], Realization]], Realization]


def _here(work: Callable[[], Realization]) -> Realization:
    return work()


def make_filter(
    coefficients: Coefficients, method: Method, every: int, *, once: Once = _here
) -> tuple[Filter, str]:
    """A filter of these coefficients, and what there is to say about the choice.

    Parameters
    ----------
    coefficients : Coefficients
        What to compute.
    method : FIR, StateSpace or Auto
        How. `Auto` takes the one whose step is estimated to cost less, or `FIR` where no reduced
        filter meets the tolerance.
    every : int
        Steps between two samples, which decide what reading out costs.
    once : callable
        Calls the function it is given, on one of several processes, and returns its result on
        all: see `Ranks.on_root`.

    Raises
    ------
    ToleranceError
        If the method is `StateSpace` and the tolerance cannot be met.
    """
    fir = FIRFilter(coefficients)
    if isinstance(method, FIR):
        return fir, ""
    automatic = isinstance(method, Auto)
    populations = len(coefficients.lengths)
    least = state_space_microseconds(populations, 1, populations, 0, 1, every)
    if automatic and fir.microseconds(every) <= least:
        return fir, "chosen by 'auto': no reduced filter is cheaper"
    try:
        reduced = StateSpaceFilter(
            coefficients,
            once(
                lambda: cached_realization(
                    coefficients.h,
                    method.tolerance,
                    exact_channels=method.exact_channels,
                    joint=coefficients.groups == 1,
                    ringing=coefficients.ringing,
                )
            ),
        )
    except ToleranceError as failure:
        if not automatic:
            raise
        return fir, f"chosen by 'auto': {failure.reason}"
    if not automatic:
        return reduced, ""
    filters: list[Filter] = [reduced, fir]  # a tie goes to the first
    chosen, other = sorted(filters, key=lambda filter_: filter_.microseconds(every))
    cost = other.microseconds(every)
    return chosen, f"chosen by 'auto': {other.method!r} would take {cost:.2g} µs"
