"""A toy filter, made as one from elsewhere would be: this file, and its template beside it."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nestlfp.filters.base import Filter, Method


@dataclass(frozen=True)
class Leaky(Method, name="leaky", template=Path(__file__).with_name("leaky.nestml.jinja")):
    """Kernels as one exponential, whose decay is that from the first tap to a later one."""

    tap: int = 1

    def design(self, coefficients, every, once):
        c = coefficients.h[0, 0]
        return LeakyFilter(self, coefficients, float(c[self.tap] / c[0]) ** (1 / self.tap))


@dataclass(frozen=True)
class LeakyFilter(Filter):
    decay: float
    grows = "memory"  # nothing does

    @property
    def max_hold(self):
        return np.zeros(len(self.taps), dtype=np.int64)

    @property
    def _difference(self):
        h = np.pad(self.coefficients.h, ((0, 0), (0, 0), (0, 1000)))  # which goes on and on
        made = h[:, :, :1] * self.decay ** np.arange(h.shape[2])
        return np.abs(made - h) / np.abs(h).max(axis=(0, 2))[:, None]

    @property
    def error(self):
        return self._difference.max(axis=(0, 2))

    @property
    def bound(self):
        return self._difference.sum(axis=2).max(axis=0)

    def microseconds(self, every):
        return 0.1

    def parameters(self, ports, hold, every, until):
        weights = np.pad(self.coefficients.h[:, :, 0], ((0, ports - len(hold)), (0, 0)))
        return {
            "outputs": self.n_outputs,
            "table": weights.size,
            "decay": self.decay,
            "weights": weights.ravel(),
            "memory": 1,
        }

    def __str__(self):
        return f"a leaky integrator with a decay of {self.decay:g}"
