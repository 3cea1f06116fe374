"""The five configurations of the cost benchmark, as plain arrays (pre, channel, tap).

A and D come from the kernels that LFPykernels predicts for the two-population network of Hagen et
al. (2022): 13 contacts from 1000 to -200 µm in mV, three dipole components in nA µm, lags 2^-4 ms
to 50 ms; D is slower, by splines. B and C are those of examples/microcircuit: sixteen cell types,
nine presynaptic populations, the LFP at 16 and at 384 contacts. They are computed when they are
asked for the first time, C within minutes, and kept in the user's cache folder. All are summed over
postsynaptic populations. E has the size of all signals of the microcircuit, and random kernels:
what the exact filter costs depends on nothing else.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import make_interp_spline

import nestlfp

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "examples" / "microcircuit"))

import circuit

Array = NDArray[np.float64]

KERNELS = Path(__file__).parents[1] / "tests" / "data" / "hagen2022_kernels.npz"
PROBES = ("GaussCylinderPotential", "KernelApproxCurrentDipoleMoment")
"""Signals in the file."""
DT = 2**-4
"""Lag of one tap of the kernels in the file (ms)."""
CONTACTS = 384
PITCH = 20.0
"""Of the contacts of C (µm): from above the cortex, through all layers, to below it."""


def two_populations(path: Path = KERNELS) -> Array:
    """A: the kernels as they are, 2 populations, 16 channels (13 contacts, x, y, z), 800 taps."""
    with np.load(path) as file:
        summed = [
            [file[f"E:{pre}|{probe}"] + file[f"I:{pre}|{probe}"] for probe in PROBES]
            for pre in "EI"
        ]
        return np.stack([np.concatenate(signals) for signals in summed])


def microcircuit() -> Array:
    """B: 9 populations, 16 contacts 100 µm apart, 500 taps of 0.1 ms."""
    return _lfp(circuit.CONTACTS_Z)


def dense_probe() -> Array:
    """C: 9 populations, 384 contacts 20 µm apart, 500 taps of 0.1 ms."""
    middle = float(np.mean(circuit.CONTACTS_Z))
    return _lfp(np.asarray(middle + PITCH * (np.arange(CONTACTS, 0, -1) - (CONTACTS + 1) / 2)))


def slow_kernels(path: Path = KERNELS) -> Array:
    """D: the kernels of A made 20 times slower, 10 000 taps of 0.1 ms: a second."""
    return stretch(two_populations(path), 20.0, 0.1, 10_000)


def any_kernels() -> Array:
    """E: 9 populations, 36 channels, 700 taps of 0.1 ms that decay."""
    noise = np.random.default_rng(0).standard_normal((9, 36, 700))
    return np.asarray(noise * np.exp(-np.arange(700) / 100))


def _lfp(contacts: Array) -> Array:
    """Kernels of the microcircuit's LFP at contacts with these depths (µm)."""
    import responses  # with NEURON, which A and D do not need

    kernels = responses.full_size_kernels(contacts).select(signals="LFP").resample(circuit.DT)
    summed: Array = kernels.total()["LFP"].values[0]
    return summed


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
    "E": any_kernels,
}
"""Name and builder of each configuration."""
