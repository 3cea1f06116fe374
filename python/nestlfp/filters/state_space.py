"""A state-space realization as a NEST node: fewer operations, with a certified error.

`state_space` finds the realization; here it is laid out for the node of
``state_space_filter.nestml.jinja``, which sees each pole, real or not, as a damped oscillator.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from .._types import Array, Ints
from ..errors import ToleranceError
from .base import Filter, Method, Once, check_tolerance, for_ports
from .cost import node_microseconds

if TYPE_CHECKING:
    from ..state_space import Realization
    from .coefficients import Coefficients

MANY_PORTS = 32
"""With more ports than so many 'auto' does not look for such a filter, which takes minutes."""
ROUND_UP = 4
"""Oscillators come in multiples of the processor's vectors."""
OSCILLATOR = 1.5e-3
"""An oscillator's step: four multiply-adds (µs)."""
KICK = 4e-4
"""An oscillator driven by a spike, and rid of its tail (µs)."""
OUTPUT = 2e-4
"""An oscillator read out into one latent: two multiply-adds (µs)."""


@dataclass(frozen=True)
class StateSpace(Method, name="state-space", template="state_space_filter.nestml.jinja"):
    """A reduced filter: the same sum with far fewer operations, to a tolerance.

    Parameters
    ----------
    tolerance : float
        Largest error at any lag, relative to the channel's peak over lags and populations.
    exact_channels : bool
        Do not compress the channels: each is realized by itself.

    Raises
    ------
    KernelError
        If the tolerance does not lie between 0 and 1.

    Examples
    --------
    >>> from nestlfp import StateSpace
    >>> StateSpace(tolerance=1e-4)
    StateSpace(tolerance=0.0001, exact_channels=False)
    """

    tolerance: float = 1e-6
    exact_channels: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        check_tolerance(self.tolerance)

    def design(self, coefficients: Coefficients, every: int, once: Once) -> Filter:
        """See `Method.design`; what was found is kept in the user's cache folder."""
        from ..state_space import realize, realize_ringing
        from .cache import cached

        c, options = coefficients, {**vars(self), "joint": coefficients.groups == 1}

        def find() -> Realization:
            if c.ringing is not None:
                with contextlib.suppress(ToleranceError):
                    return realize_ringing(c.h, c.ringing, **options)
            return realize(c.h, **options)

        return StateSpaceFilter(self, c, once(lambda: cached(self, c, find)))

    def least(self, coefficients: Coefficients, every: int) -> float:
        """See `Method.least`: that of a single oscillator."""
        n = len(coefficients.lengths)
        if n > MANY_PORTS and "pre" not in coefficients.by:
            return np.inf
        return node_microseconds(n) + OSCILLATOR + KICK * n + OUTPUT / every


@dataclass(frozen=True)
class StateSpaceFilter(Filter):
    """Kernels as a few damped oscillators, their outputs compressed across channels.

    Parameters
    ----------
    options, coefficients
        See `Filter`.
    realization : Realization
        How; of ``coefficients.h``, and with states of their own for each population where the
        contributions of the populations are kept apart.
    """

    realization: Realization
    grows: ClassVar[str] = "depth"

    @property
    def taps(self) -> Ints:
        """See `Filter.taps`."""
        return np.asarray(self.realization.taps, dtype=np.int64)

    @property
    def expansion(self) -> Array:
        """See `Filter.expansion`."""
        return self.realization.expansion

    @property
    def error(self) -> Array:
        """See `Filter.error`: measured by running the recursion."""
        return self.realization.error

    @property
    def bound(self) -> Array:
        """See `Filter.bound`."""
        return self.realization.bound

    def microseconds(self, every: int) -> float:
        """See `Filter.microseconds`."""
        modes = self._modes
        populations, oscillators = modes.input.shape
        step = OSCILLATOR * oscillators + KICK * int(np.sum(modes.last - modes.first))
        read = OUTPUT * oscillators * self.realization.latents / every
        return node_microseconds(populations) + step + read

    def __str__(self) -> str:
        r = self.realization
        return f"order {r.order}, {r.latents} latents for {self.coefficients.n_channels} channels"

    def parameters(self, ports: int, hold: Ints, every: int, until: int) -> dict[str, Any]:
        """See `Filter.parameters`."""
        modes, populations = self._modes, len(hold)
        n, latents = modes.pole.size, self.realization.latents
        vectors: dict[str, Any] = {}
        for name in ("pole", "input", "tail", "output"):
            values = getattr(modes, name).ravel()
            vectors |= {f"{name}_re": values.real, f"{name}_im": values.imag}
        of_ports = {
            "first": modes.first,
            "last": modes.last,
            "entering": hold * populations,
            "leaving": (hold + self.taps) * populations,
        }
        return {
            "outputs": self.n_outputs,
            "latents": latents,
            "groups": self.coefficients.groups,
            "oscillators": n,
            "inputs": populations * n,
            "reads": n * latents,
            "used": populations,
            "depth": (self.reach + 1) * populations,
            "every": every,
            **{name: np.asarray(values, dtype=float) for name, values in vectors.items()},
            **{name: for_ports(ports, values) for name, values in of_ports.items()},
            "clock": [-1.0, float(until)],
        }

    @cached_property
    def _modes(self) -> _Modes:
        return _Modes(self.realization)


class _Modes:
    """Poles in the order of the populations that drive them, filled up with idle ones.

    Attributes
    ----------
    pole : (n,) complex
    input, tail : (pre, n) complex
    output : (n, latents) complex
        Its real part is for the states' real parts, its imaginary part for their imaginary ones.
    first, last : (pre,) int
        A population drives poles from `first` to before `last`.
    """

    def __init__(self, r: Realization) -> None:
        m, k = r.decay.size, r.rotation.size
        order = np.argsort(r.blocks[: m + k], kind="stable")
        idle = max(ROUND_UP, m + k + -(m + k) % ROUND_UP) - (m + k)

        def laid_out(values: Array) -> Array:
            """Rows [real | re | im] as complex rows in the node's order."""
            rows = values[: m + k].astype(complex)
            rows[m:] += 1j * values[m + k : m + 2 * k]
            return np.pad(rows[order], ((0, idle), (0, 0)))

        self.pole = np.pad(np.concatenate([r.decay, r.rotation])[order], (0, idle))
        self.input, self.tail = laid_out(r.B).T, laid_out(r.tail).T
        self.output = laid_out(r.C.T)
        self.first, self.last = _windows(r.blocks[: m + k][order], r.B.shape[1])


def _windows(owners: NDArray[Any], populations: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Which states each population drives, where states are sorted by population."""
    if owners.size and owners.min() < 0:  # all drive all
        return np.zeros(populations, dtype=int), np.full(populations, owners.size)
    names = np.arange(populations)
    return np.searchsorted(owners, names, "left"), np.searchsorted(owners, names, "right")
