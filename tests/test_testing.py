"""nestlfp.testing: what users check their own sources and networks with."""

import numpy as np
import pytest

from nestlfp import testing
from networks import exponential_kernels, random_network

KERNELS = exponential_kernels()


def build():
    import nest

    network = random_network(nest)
    return network.populations, network.recorder


def test_a_network_that_is_left_alone(nest):
    testing.assert_undisturbed(build, KERNELS, 100.0, threads=(1, 2))


def test_a_network_that_counts_its_builds(nest):
    """One that is another each time is found out."""
    seeds = iter(range(1, 100))

    def other():
        nest.rng_seed = next(seeds)
        return build()

    with pytest.raises(AssertionError, match="the recorder changes the spikes"):
        testing.assert_undisturbed(other, KERNELS, 100.0, threads=(1,))


def test_signals_that_are_no_convolution():
    spikes = {"E": [1.0, 2.0], "I": [1.5]}
    signals = KERNELS.convolve(spikes, 10.0)
    testing.assert_convolution(signals, KERNELS, spikes)
    with pytest.raises(AssertionError, match="LFP differs from the convolution of its spikes"):
        testing.assert_convolution(signals * 1.001, KERNELS, spikes)
    with pytest.raises(AssertionError, match="there are no samples"):
        testing.assert_convolution(signals.isel(time=slice(0)), KERNELS, spikes)


def test_the_plain_convolution_is_that_of_the_kernel_set():
    spikes = {"E": np.arange(1, 40) / 10}
    found = testing.convolved(KERNELS, "LFP", spikes, 100)
    expected = KERNELS.convolve(spikes, 10.0)["LFP"].values
    np.testing.assert_allclose(found, expected, atol=1e-12 * np.abs(expected).max())
    precise = {"E": spikes["E"] - 0.07}
    np.testing.assert_array_equal(testing.convolved(KERNELS, "LFP", precise, 100), found)
