"""Spikes, cells and contacts that the tests of both proxies share."""

import numpy as np

DT = 0.1
CONTACTS = np.array([[0.0, 0, -200], [50.0, 20, 25], [0.0, 0, 240], [200.0, 0, 400]])
WEIGHTS = {"excitatory": {"E": 20.0}, "inhibitory": {"I": -90.0}}
RNG = np.random.default_rng(12)


def spikes(rate, count, duration=200.0, rng=RNG):
    """Times on the grid, sorted, and the neurons that fired."""
    n = rng.poisson(rate * count * duration / 1000)
    return np.sort(rng.integers(1, round(duration / DT), n)) * DT, rng.integers(0, count, n)


def agreement(found, expected):
    return np.max(np.abs(found - expected)) / np.max(np.abs(expected))


def cells(count, rng=RNG):
    """Somata in a cylinder of 200 µm."""
    return rng.uniform([-150, -150, -100], [150, 150, 100], (count, 3))


def rounded_tklfp(excitatory, inhibitory, contacts):
    """The package's calculator, its delays rounded to the grid."""
    import tklfp

    where = np.vstack([excitatory, inhibitory]) / 1e3
    is_excitatory = np.arange(len(where)) < len(excitatory)
    model = tklfp.TKLFP(*where.T, is_excitatory, elec_coords_mm=contacts / 1e3)
    model._delay = np.rint(model._delay / DT) * DT
    return model
