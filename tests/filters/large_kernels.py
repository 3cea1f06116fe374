"""Large kernels of few dimensions, made from those of two populations by splines.

Kernels of the configurations B and C of benchmarks/cost.py take minutes to compute; these have as
many populations, channels and taps.
"""

import importlib.util
from pathlib import Path

import numpy as np
from scipy.interpolate import CubicSpline

spec = importlib.util.spec_from_file_location(
    "configurations", Path(__file__).parents[2] / "benchmarks" / "configurations.py"
)
configurations = importlib.util.module_from_spec(spec)
spec.loader.exec_module(configurations)

DEPTHS = np.arange(1000.0, -300.0, -100.0)  # µm, contacts of the published kernels
LAYER_SHIFTS = (600.0, 200.0, -200.0, -600.0)  # µm, relative to the two-population network
LAYER_STRETCHES = (1.0, 0.8, 1.25, 1.1)


def microcircuit():
    """4 layers x 2 populations, 16 contacts 100 µm apart and a dipole, 1000 taps of 0.1 ms."""
    return _layers(np.linspace(1000.0, -500.0, 16), 1000)


def dense_probe():
    """4 layers x 2 populations, 384 contacts 10 µm apart, 1000 taps of 0.1 ms."""
    return _layers(np.linspace(1915.0, -1915.0, 384), 1000)[:, :384]


def _layers(contacts, taps):
    """Kernels (8, contacts + 3, taps) of the layers' E and I populations."""
    base = configurations.two_populations()
    layers = []
    for shift, factor in zip(LAYER_SHIFTS, LAYER_STRETCHES, strict=True):
        potential = shift_depth(base[:, : len(DEPTHS)], shift, contacts)
        kernels = np.concatenate([potential, base[:, len(DEPTHS) :]], axis=1)
        layers.append(configurations.stretch(kernels, 2.0 * factor, 0.1, taps))
    return np.concatenate(layers)


def shift_depth(h, shift, contacts):
    """Kernels (pre, 13, tap) moved up by `shift` µm and read at the depths `contacts` (µm)."""
    far = 1500.0
    depth = np.concatenate([[DEPTHS[-1] - far], DEPTHS[::-1], [DEPTHS[0] + far]])
    profile = np.pad(h[:, ::-1], ((0, 0), (1, 1), (0, 0)))
    spline = CubicSpline(depth, profile, axis=1, bc_type="clamped")
    read = np.clip(np.asarray(contacts) - shift, depth[0], depth[-1])
    return np.ascontiguousarray(spline(read))
