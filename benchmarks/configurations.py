"""The four configurations of the cost benchmark, as plain arrays (pre, channel, tap).

All come from the kernels that LFPykernels predicts for the two-population network of Hagen et al.
(2022), summed over postsynaptic populations: 13 contacts from 1000 to -200 µm in mV, three dipole
components in nA µm, lags 2^-4 ms to 50 ms. Larger configurations shift them in depth and stretch
them in time, with cubic splines; nothing is random.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline, make_interp_spline

import nestlfp

Array = NDArray[np.float64]

KERNELS = Path(__file__).parents[1] / "tests" / "data" / "hagen2022_kernels.npz"
PROBES = ("GaussCylinderPotential", "KernelApproxCurrentDipoleMoment")
"""Signals in the file."""
DT = 2**-4
"""Lag of one tap of the kernels in the file (ms)."""
DEPTHS = np.arange(1000.0, -300.0, -100.0)
"""Contacts of the kernels in the file (µm)."""
LAYER_SHIFTS = (600.0, 200.0, -200.0, -600.0)
"""Depth of the layers 2/3, 4, 5, 6 relative to the two-population network (µm)."""
LAYER_STRETCHES = (1.0, 0.8, 1.25, 1.1)
"""Slower or faster kernels of the same layers."""


def two_populations(path: Path = KERNELS) -> Array:
    """A: the kernels as they are, 2 populations, 16 channels (13 contacts, x, y, z), 800 taps."""
    with np.load(path) as file:
        summed = [
            [file[f"E:{pre}|{probe}"] + file[f"I:{pre}|{probe}"] for probe in PROBES]
            for pre in "EI"
        ]
        return np.stack([np.concatenate(signals) for signals in summed])


def microcircuit(path: Path = KERNELS) -> Array:
    """B: 4 layers x 2 populations, 16 contacts 100 µm apart and a dipole, 1000 taps of 0.1 ms."""
    return _layers(np.linspace(1000.0, -500.0, 16), 1000, path)


def dense_probe(path: Path = KERNELS) -> Array:
    """C: 4 layers x 2 populations, 384 contacts 10 µm apart, 1000 taps of 0.1 ms."""
    return _layers(np.linspace(1915.0, -1915.0, 384), 1000, path)[:, :384]


def slow_kernels(path: Path = KERNELS) -> Array:
    """D: the kernels of A made 20 times slower, 10 000 taps of 0.1 ms: a second."""
    return stretch(two_populations(path), 20.0, 0.1, 10_000)


def _layers(contacts: Array, taps: int, path: Path) -> Array:
    """Kernels (8, contacts + 3, taps) of the layers' E and I populations, twice as slow as A."""
    base = two_populations(path)
    layers = []
    for shift, factor in zip(LAYER_SHIFTS, LAYER_STRETCHES, strict=True):
        potential = shift_depth(base[:, : len(DEPTHS)], shift, contacts)
        kernels = np.concatenate([potential, base[:, len(DEPTHS) :]], axis=1)
        layers.append(stretch(kernels, 2.0 * factor, 0.1, taps))
    return np.concatenate(layers)


def shift_depth(h: Array, shift: float, contacts: Sequence[float] | Array) -> Array:
    """Kernels (pre, 13, tap) moved up by `shift` µm and read at the depths `contacts` (µm).

    A spline through the contacts that goes to zero 1500 µm beyond the outermost ones.
    """
    far = 1500.0
    depth = np.concatenate([[DEPTHS[-1] - far], DEPTHS[::-1], [DEPTHS[0] + far]])
    profile = np.pad(h[:, ::-1], ((0, 0), (1, 1), (0, 0)))
    spline = CubicSpline(depth, profile, axis=1, bc_type="clamped")
    read = np.clip(np.asarray(contacts) - shift, depth[0], depth[-1])
    return np.ascontiguousarray(spline(read))


def stretch(h: Array, factor: float, dt: float, taps: int) -> Array:
    """Kernels (pre, channel, tap) made `factor` times slower, sampled at dt, 2 dt, … (ms).

    The spline is of degree 7, so that its knots stay below 1e-9 of the peak, and begins at each
    population's first nonzero tap, so the leading zeros stay zeros.
    Kernels that would end before the last tap end there.
    """
    lag = DT * np.arange(1, h.shape[2] + 1)
    sampled = dt * np.arange(1, taps + 1) / factor
    stretched = np.zeros((*h.shape[:2], taps))
    for kernels, out in zip(h, stretched, strict=True):
        first = int(np.any(kernels != 0, axis=0).argmax())
        inside = (sampled >= lag[first]) & (sampled <= lag[-1])
        spline = make_interp_spline(lag[first:], kernels[:, first:], k=7, axis=1)
        out[:, inside] = spline(sampled[inside])
    return stretched


def kernel_set(h: Array, dt: float, pre: Sequence[str]) -> nestlfp.KernelSet:
    """Kernels (pre, channel, tap) with one postsynaptic population, which stands for their sum."""
    return nestlfp.KernelSet.from_arrays(
        {"signal": h[None]}, pre=pre, post=["all"], dt=dt, units={"signal": "1"}
    )


CONFIGURATIONS = {
    "A": two_populations,
    "B": microcircuit,
    "C": dense_probe,
    "D": slow_kernels,
}
"""Name and builder of each configuration."""
