"""Delays as they are given, in kernels of LFPykernels."""

import pickle

import layered_cells as cells
import numpy as np
import pytest

from nestlfp import KernelError
from nestlfp.sources import mechanisms
from nestlfp.sources._delays import Delays
from nestlfp.sources.lfpykernels import compute

DT = 2**-4
OPTIONS = {"dt": DT, "t_X": 20.0, "tau": 20.0, "g_eff": False, "depths": 1, "progress": False}


def grid(dt, tau):
    """Where LFPykernels samples densities."""
    return np.linspace(-tau, tau, int(2 * tau // dt + 1))


@pytest.mark.parametrize("dt", [2**-3, 2**-4, 2**-6])
def test_mass_and_mean_are_those_given(dt):
    rng = np.random.default_rng(3)
    times, weights = rng.uniform(0, 20, 300), rng.uniform(0, 1, 300)
    times[:2] = 0.0, 20.0  # both ends of the grid
    given = Delays(times, weights, dt)
    mass = given.pdf(grid(dt, 20.0)) * dt
    assert mass.sum() == pytest.approx(1, abs=1e-12)
    mean = weights @ times / weights.sum()
    assert mass @ grid(dt, 20.0) == pytest.approx(mean, abs=1e-12)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(given)).pdf(grid(dt, 20.0)) * dt, mass)


def test_multiples_of_the_step_are_not_split():
    mass = Delays([3.0, 1.5, 3.0], [1, 2, 1], DT).pdf(grid(DT, 20.0)) * DT
    at = np.flatnonzero(mass)
    np.testing.assert_array_equal(grid(DT, 20.0)[at], [1.5, 3.0])
    np.testing.assert_array_equal(mass[at], [0.5, 0.5])


@pytest.mark.parametrize(
    ("times", "weights", "dt", "message"),
    [
        ([1.0, -0.1], [1, 1], DT, "must be finite and not negative"),
        ([1.0, np.nan], [1, 1], DT, "must be finite and not negative"),
        ([1.0, 2.0], [1, -1], DT, "weights of delays must be 0 or more, and not all 0"),
        ([1.0, 2.0], [0, 0], DT, "weights of delays must be 0 or more, and not all 0"),
        ([], [], DT, "weights of delays must be 0 or more, and not all 0"),
        ([1.0, 2.0], [1], DT, r"of one length, found shapes \(2,\) and \(1,\)"),
        ([1.0], [1], 0.0, "dt must be a positive number of ms"),
        (["1"], [1], DT, "delays must be real numbers"),
    ],
)
def test_delays_that_cannot_be(times, weights, dt, message):
    with pytest.raises(KernelError, match=message):
        Delays(times, weights, dt)


# ---------------------------------------------------------------------- with LFPykernels
def with_delays(E, I):  # noqa: E741
    """A population with these delays by weight of the synapses of E and of I."""
    return cells.approximation(
        shares={"E": {"middle": 1.0}, "I": {"middle": 1.0}},
        delayFunction=Delays,
        delayParameters=[
            {"times": np.array(list(one)), "weights": np.array(list(one.values())), "dt": DT}
            for one in (E, I)
        ],
    )


def kernels(E, I):  # noqa: E741
    mechanisms.load()
    return compute(
        {"Y": with_delays(E, I)}, cells.probes(), correct_charge=True, **OPTIONS
    )  # fmt: skip


@pytest.mark.compile
def test_kernels_are_the_sum_of_shifted_ones():
    given = {"E": {1.5: 3.0, 0.1: 1.0, 2.03: 2.0}, "I": {4.0: 1.0}}
    found, plain = kernels(**given), kernels({0.0: 1.0}, {0.0: 1.0})
    for pre, delays in given.items():
        for signal in found.signals:
            before = plain[signal].sel(pre=pre).values
            expected = np.zeros_like(before)
            for delay, weight in delays.items():
                steps = int(delay // DT)
                late = delay / DT - steps
                for shift, part in ((steps, 1 - late), (steps + 1, late)):
                    moved = np.zeros_like(before)
                    moved[..., shift:] = before[..., : before.shape[-1] - shift]
                    expected += part * weight / sum(delays.values()) * moved
            ours = found[signal].sel(pre=pre).values
            np.testing.assert_allclose(ours, expected, rtol=0, atol=1e-12 * np.abs(ours).max())
    kept = found.provenance["parameters"]["populations"]["Y"]
    assert kept["delayFunction"] == "nestlfp.sources._delays.Delays"
    assert kept["delayParameters"][1] == {"times": [4.0], "weights": [1.0], "dt": DT}


@pytest.mark.compile
def test_a_delay_longer_than_the_kernels():
    with pytest.raises(
        KernelError, match=r"I -> Y: a delay of 20\.1 ms is longer than the last lag of 20 ms"
    ):
        kernels({1.5: 1.0}, {1.5: 1.0, 20.1: 1.0})
