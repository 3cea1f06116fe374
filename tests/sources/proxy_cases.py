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


def by_tklfp(places, trains, times, contacts=CONTACTS):
    """The package's signal (contact, time) at these times (ms), its delays on the grid."""
    E, I = (places.get(name, np.zeros((0, 3))) for name in "EI")  # noqa: E741
    none = np.zeros(0), np.zeros(0, int)
    (at_E, of_E), (at_I, of_I) = (trains.get(name, none) for name in "EI")
    model = rounded_tklfp(E, I, contacts)
    neurons, at = np.concatenate([of_E, len(E) + of_I]), np.concatenate([at_E, at_I])
    pieces = np.array_split(times, 1 + at.size * times.size // 10**6)  # it keeps each spike
    return np.concatenate([model.compute(neurons, at, piece) for piece in pieces]).T
