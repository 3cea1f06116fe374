"""Which filter realizes the kernels, where that is left open: the cheapest."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

from ..errors import ToleranceError
from .base import METHODS, Filter, Once
from .fir import FIR
from .state_space import StateSpace

if TYPE_CHECKING:
    from .coefficients import Coefficients


@dataclass(frozen=True)
class Auto(StateSpace, name="auto"):
    """`FIR`, `Separable` or `StateSpace` with these options: what is estimated to cost least.

    `Separable` is looked at for more than 16 ports, `StateSpace` for up to 32.
    """

    def design(self, coefficients: Coefficients, every: int, once: Once) -> Filter:
        """The filter whose step is estimated to cost least.

        That is the FIR filter where no reduced filter meets the tolerance.
        """
        fir = FIR().design(coefficients, every, once)
        methods = [
            kind(**{f.name: getattr(self, f.name) for f in fields(kind) if f.name in vars(self)})
            for kind in METHODS.values()
            if kind.template
        ]
        cost = fir.microseconds(every)
        worth = [method for method in methods if method.least(coefficients, every) < cost]
        if not worth:
            return replace(fir, choice="no reduced filter is cheaper")
        filters, failures = [], []
        for method in worth:
            try:
                filters.append(method.design(coefficients, every, once))
            except ToleranceError as failure:
                failures.append(failure.reason)
        if not filters:
            return replace(fir, choice="; ".join(failures))
        # A tie goes to the first.
        chosen, *others = sorted([*filters, fir], key=lambda each: each.microseconds(every))
        costs = [f"{each.method!r} would take {each.microseconds(every):.2g} µs" for each in others]
        return replace(chosen, choice=", ".join(costs))
