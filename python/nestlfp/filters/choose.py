"""Which filter realizes the kernels: the one asked for, or the cheaper one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

from ..errors import KernelError, ToleranceError
from ..state_space import separate
from .base import Filter
from .cache import cached_realization
from .coefficients import Coefficients
from .cost import state_space_microseconds
from .fir import FIRFilter
from .options import Auto, Method, Separable, StateSpace
from .separable import SeparableFilter
from .state_space import StateSpaceFilter

FEW_PORTS = 16
"""With so many ports or fewer 'auto' does not look for a separable filter,"""
MANY_PORTS = 32
"""and with more than so many not for a state-space one, which takes minutes to find."""

T = TypeVar("T")


class Once(Protocol):
    """Calls a function on one of several processes, and returns its result on all."""

    def __call__(self, work: Callable[[], T], /) -> T:
        """What it returns."""


def _here(work: Callable[[], T]) -> T:
    return work()


def make_filter(
    coefficients: Coefficients, method: Method, every: int, *, once: Once = _here
) -> tuple[Filter, str]:
    """A filter of these coefficients, and what there is to say about the choice.

    Parameters
    ----------
    coefficients : Coefficients
        What to compute.
    method : FIR, StateSpace, Separable or Auto
        How. `Auto` takes the one whose step is estimated to cost least, or `FIR` where no reduced
        filter meets the tolerance.
    every : int
        Steps between two samples, which decide what reading out costs.
    once : callable
        Calls the function it is given, on one of several processes, and returns its result on
        all: see `Ranks.on_root`.

    Raises
    ------
    KernelError
        If the method is `Separable` and contributions of presynaptic populations are kept apart.
    ToleranceError
        If the method is `StateSpace` or `Separable` and the tolerance cannot be met.
    """
    if isinstance(method, Auto):
        return _cheapest(coefficients, method, every, once)
    if isinstance(method, StateSpace):
        return _state_space(coefficients, method, once), ""
    if isinstance(method, Separable):
        return _separable(coefficients, method, once), ""
    return FIRFilter(coefficients), ""


def _cheapest(
    coefficients: Coefficients, method: Auto, every: int, once: Once
) -> tuple[Filter, str]:
    fir = FIRFilter(coefficients)
    populations = len(coefficients.lengths)
    apart = "pre" in coefficients.by
    kinds: list[Callable[[], Filter]] = []
    if populations > FEW_PORTS and not apart:
        separable = Separable(method.tolerance)
        kinds.append(lambda: _separable(coefficients, separable, once))
    if populations <= MANY_PORTS or apart:
        kinds.append(lambda: _state_space(coefficients, method, once))
    least = state_space_microseconds(populations, 1, populations, 1, every)
    if fir.microseconds(every) <= least:
        return fir, "chosen by 'auto': no reduced filter is cheaper"
    filters: list[Filter] = []
    failures = []
    for kind in kinds:
        try:
            filters.append(kind())
        except ToleranceError as failure:
            failures.append(failure.reason)
    if not filters:
        return fir, f"chosen by 'auto': {'; '.join(failures)}"
    filters.append(fir)  # a tie goes to the first
    chosen, *others = sorted(filters, key=lambda filter_: filter_.microseconds(every))
    told = [f"{other.method!r} would take {other.microseconds(every):.2g} µs" for other in others]
    return chosen, f"chosen by 'auto': {', '.join(told)}"


def _state_space(coefficients: Coefficients, method: StateSpace, once: Once) -> Filter:
    return StateSpaceFilter(
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


def _separable(coefficients: Coefficients, method: Separable, once: Once) -> Filter:
    if "pre" in coefficients.by:
        raise KernelError(
            "method='separable' adds up what the presynaptic populations contribute and cannot "
            "keep them apart, found by='pre': leave it away, or use method='fir' or 'state-space'"
        )
    return SeparableFilter(coefficients, once(lambda: separate(coefficients.h, method.tolerance)))
