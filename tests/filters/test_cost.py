"""What 'auto' takes a step to cost: counted by hand for time courses whose poles are known."""

import numpy as np
import pytest

import nestlfp
from nestlfp.filters import cost, separable, state_space
from networks import bank_of

PORTS, CHANNELS, TAPS = 20, 3, 2000
LAG = np.arange(TAPS)
FADING = np.exp(-LAG / 40.0)
SWINGING = np.exp(-LAG / 50.0) * np.cos(2 * np.pi * LAG / 100.0)

# Time courses, and the real poles and pairs of complex ones that they have.
COURSES = {
    "one real pole": ([FADING], 1, 0),
    "a pair": ([SWINGING], 0, 1),
    "both": ([FADING, SWINGING], 1, 1),
    "two pairs": ([SWINGING, np.exp(-LAG / 60.0) * np.sin(2 * np.pi * LAG / 70.0)], 0, 2),
}


def kernels_of(courses):
    sizes = np.random.default_rng(1).standard_normal((PORTS, CHANNELS, len(courses)))
    return nestlfp.KernelSet.from_arrays(
        {"LFP": (sizes @ np.array(courses))[None]},
        pre=[f"p{i}" for i in range(PORTS)],
        post=["all"],
        dt=0.1,
        units={"LFP": "mV"},
        first_lag=0.1,
    )


@pytest.mark.parametrize("name", COURSES)
@pytest.mark.parametrize("every", [1, 10])
def test_separable(name, every):
    """A real pole is one multiplication in a step; a pair is four, as its states turn."""
    courses, real, pairs = COURSES[name]
    found = bank_of(kernels_of(courses), "separable", tolerance=1e-6).filter
    r = found.separated.courses
    assert (r.decay.size, r.rotation.size) == (real, pairs)
    states = real + 2 * pairs
    moves = real + 4 * pairs
    assert r.moves == moves == np.count_nonzero(r.A)
    kicks = np.count_nonzero(r.B) + np.count_nonzero(r.tail)
    expected = (
        cost.NODE
        + (cost.PORT + cost.SPIKE) * PORTS
        + CHANNELS * separable.MOVE * (moves + kicks + states / every)
        + CHANNELS * separable.WEIGHT * PORTS * len(courses)
    )
    np.testing.assert_allclose(found.microseconds(every), expected, rtol=1e-12)


@pytest.mark.parametrize("name", COURSES)
@pytest.mark.parametrize("every", [1, 10])
def test_state_space(name, every):
    """The node takes a pair as one oscillator, and a real pole too; four of them at a time."""
    courses, real, pairs = COURSES[name]
    found = bank_of(kernels_of(courses).select(pre=["p0"]), "state-space").filter
    r = found.realization
    assert (r.decay.size, r.rotation.size) == (real, pairs)
    oscillators = 4  # of 1 or 2, filled up
    expected = (
        cost.NODE
        + (cost.PORT + cost.SPIKE)
        + state_space.OSCILLATOR * oscillators
        + state_space.KICK * (real + pairs)
        + state_space.OUTPUT * oscillators * r.latents / every
    )
    np.testing.assert_allclose(found.microseconds(every), expected, rtol=1e-12)
