"""How far kernels can be reduced: latents, order and cost for each tolerance, as a table."""

from __future__ import annotations

from ..kernels import KernelSet
from ..state_space import Orders, orders
from .coefficients import Coefficients
from .fir import FIR, FIRFilter
from .options import Options
from .state_space import StateSpace, StateSpaceFilter


class Reduction:
    """Reduced filters of a kernel set for tolerances from 1e-3 to 1e-9.

    Parameters
    ----------
    kernels : KernelSet
        What to reduce, summed over postsynaptic populations as `FieldRecorder` does.

    Attributes
    ----------
    coefficients : Coefficients
    orders : Orders
        Realizations, and the singular values across channels and lags.
    populations : tuple of str
        Presynaptic populations that have kernels, in the order of ``orders.lag_values``.
    """

    def __init__(self, kernels: KernelSet) -> None:
        self.coefficients = Coefficients(kernels)
        self.orders: Orders = orders(self.coefficients.h)
        used = zip(kernels.pre, self.coefficients.lengths, strict=True)
        self.populations = tuple(name for name, length in used if length)

    def __str__(self) -> str:
        every = Options().every(self.coefficients.dt)
        fir = FIRFilter(FIR(), self.coefficients).microseconds(every)
        lines = [
            f"reduced filters (the FIR filter takes about {fir:.2g} µs for a step with a spike of "
            "every population):",
            "  tolerance  latents  order    error  µs per step",
        ]
        found = self.orders
        rows = zip(found.tolerances, found.realizations, found.smallest_errors, strict=True)
        for tolerance, realization, error in rows:
            if realization is None:
                lines.append(f"  {tolerance:9.0e}  not below an error of {error:.2g}")
                continue
            options = StateSpace(tolerance)
            reduced = StateSpaceFilter(options, self.coefficients, realization)
            lines.append(
                f"  {tolerance:9.0e}  {realization.latents:7}  {realization.order:5}  "
                f"{error:7.1e}  {reduced.microseconds(every):11.2g}"
            )
        return "\n".join(lines)
