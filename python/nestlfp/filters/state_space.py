"""A state-space realization as a NEST node: fewer operations, with a certified error.

`state_space` finds the realization; here it is laid out for the node of
``state_space_filter.nestml.jinja``, which sees each pole, real or not, as a damped oscillator.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._types import Ints
from ..state_space import Realization
from .coefficients import Array, Coefficients, for_ports
from .cost import state_space_microseconds

ROUND_UP = 4
"""Oscillators come in multiples of the processor's vectors."""


@dataclass(frozen=True)
class StateSpaceFilter:
    """Kernels as a few damped oscillators, their outputs compressed across channels.

    Parameters
    ----------
    coefficients : Coefficients
        What to compute.
    realization : Realization
        How; of ``coefficients.h``, and with states of their own for each population where the
        contributions of the populations are kept apart.
    """

    coefficients: Coefficients
    realization: Realization
    method: str = field(default="state-space", init=False)
    template: str = field(default="state_space_filter.nestml.jinja", init=False)
    grows: str = field(default="depth", init=False)

    @property
    def n_outputs(self) -> int:
        """See `Filter.n_outputs`."""
        return self.coefficients.groups * self.realization.latents

    @property
    def _rows(self) -> int:
        """Steps for which a node remembers spike counts, the present one among them."""
        return int((self.coefficients.furthest_hold + self.realization.taps).max()) + 1

    @property
    def max_hold(self) -> Ints:
        """See `Filter.max_hold`."""
        return np.asarray(self._rows - 1 - self.realization.taps, dtype=np.int64)

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
        return state_space_microseconds(
            populations=modes.input.shape[0],
            oscillators=modes.pole.size,
            kicked=int(np.sum(modes.last - modes.first)),
            latents=self.realization.latents,
            every=every,
        )

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
            "leaving": (hold + self.realization.taps) * populations,
        }
        return {
            "outputs": self.n_outputs,
            "latents": latents,
            "groups": self.coefficients.groups,
            "oscillators": n,
            "inputs": populations * n,
            "reads": n * latents,
            "used": populations,
            "depth": self._rows * populations,
            "every": every,
            **{name: np.asarray(values, dtype=float) for name, values in vectors.items()},
            **{name: for_ports(ports, values) for name, values in of_ports.items()},
            "clock": [-1.0, float(until)],
        }

    def expand(self, outputs: Array) -> Array:
        """See `Filter.expand`."""
        groups = self.coefficients.groups
        latents = outputs.reshape(groups, self.realization.latents, -1)
        return self.realization.expansion @ latents

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
