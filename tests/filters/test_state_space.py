"""State-space filters reproduce kernels to a tolerance that they certify themselves."""

import large_kernels
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from large_kernels import configurations

from nestlfp.state_space import (
    Realization,
    ToleranceError,
    impulse_responses,
    orders,
    realize,
    simulate,
)

LAG = np.arange(500) * 0.1
LARGE = {"B": large_kernels.microcircuit, "C": large_kernels.dense_probe}
TOLERANCES = (1e-3, 1e-6, 1e-9)


def double_exponential(rise, decay, delay):
    t = LAG - delay
    return np.where(t > 0, np.exp(-t / decay) - np.exp(-t / rise), 0.0)


def zoo():
    """Kernels (pre, channel, tap) by name."""
    gauss = np.exp(-((LAG - 10) ** 2) / (2 * 2**2))
    exponential, slower = np.exp(-LAG / 10), np.exp(-LAG / 23)
    alpha = LAG / 5 * np.exp(1 - LAG / 5)
    mix = np.array([[1.0, 0.3], [0.4, -1.0], [-0.7, 0.2]])
    delayed = [[double_exponential(1, 5, 2.0), double_exponential(0.5, 8, 2.0)],
               [double_exponential(2, 11, 7.3), double_exponential(0.5, 8, 7.3)]]  # fmt: skip
    zero_channel = np.stack([[exponential, 0 * LAG, alpha]])
    different = np.zeros((3, 1, 500))
    different[0, 0], different[1, 0, 17:40], different[2, 0, 3] = slower, np.exp(-LAG[:23]), 2.0
    return {
        "exponential": exponential[None, None],
        "exponentials": np.einsum("cm,mt->ct", mix, [exponential, slower])[None],
        "two populations": np.stack([mix @ [exponential, slower], mix @ [alpha, gauss]]),
        "alpha": alpha[None, None],
        "cubic alpha": (LAG**3 * np.exp(-LAG / 2))[None, None],
        "delays": np.array(delayed),
        "gauss": gauss[None, None],
        "oscillation": (np.exp(-LAG / 10) * np.sin(LAG))[None, None],
        "exponential cut": np.exp(-LAG / 100)[None, None],
        "gauss cut at its peak": gauss[None, None, :101],
        "gauss cut on its flank": gauss[None, None, :91],
        "oscillation cut": (np.exp(-LAG / 30) * np.sin(LAG))[None, None, :211],
        "growing": np.exp(LAG[:60] / 3)[None, None],
        "box": np.ones((1, 1, 300)),
        "one tap": np.array([[[2.0], [-3.0]], [[0.5], [1.0]]]),
        "one number": np.array([[[2.0]]]),
        "three taps": np.array([[[1.0, 0.0, 1.0], [0.0, 0.0, 1.0]]]),
        "seven taps": np.array([[[1.0, -2.0, 0.5, 0.0, 3.0, 1.0, -1.0]]]),
        "identical channels": np.stack([[gauss, gauss, 2 * gauss, alpha]]),
        "zero channel": zero_channel,
        "zero population": np.stack([zero_channel[0], np.zeros((3, 500)), 2 * zero_channel[0]]),
        "different lengths": different,
        "huge and tiny": np.stack([[1e9 * alpha, 1e-12 * gauss]]),
    }


ZOO = zoo()


def relative_error(realization: Realization, h, steps):
    """(pre, channel) largest error relative to the channel's peak, over given steps."""
    h = np.pad(h, ((0, 0), (0, 0), (0, steps - h.shape[2])))
    peak = np.abs(h).max(axis=(0, 2))
    difference = np.abs(impulse_responses(realization, steps) - h)
    return difference.max(axis=2) / np.where(peak > 0, peak, 1)


@pytest.mark.slow
@pytest.mark.parametrize("tolerance", TOLERANCES)
@pytest.mark.parametrize("name", ZOO)
def test_kernels_are_met_beyond_the_last_tap_too(name, tolerance):
    h = ZOO[name]
    realization = realize(h, tolerance)
    error = relative_error(realization, h, 2 * h.shape[2] + 5)
    assert np.all(error <= tolerance * (1 + 1e-6) + 1e-14)
    assert realization.error == pytest.approx(error.max(axis=0), rel=1e-3, abs=0.1 * tolerance)
    assert np.all(realization.bound >= realization.error)
    assert realization.spectral_radius < 1


@pytest.mark.parametrize("tolerance", TOLERANCES)
def test_published_kernels_need_few_states(tolerance):
    h = configurations.two_populations()
    realization = realize(h, tolerance)
    assert relative_error(realization, h, 1600).max() <= tolerance * (1 + 1e-6)
    assert realization.leads.tolist() == [6, 5]
    assert realization.taps.tolist() == [794, 795]
    assert realization.order <= {1e-3: 24, 1e-6: 40, 1e-9: 56}[tolerance]
    assert realization.latents <= 14


@pytest.mark.slow
@pytest.mark.parametrize("name", LARGE)
def test_large_kernels_are_realized(name):
    h = LARGE[name]()
    realization = realize(h, 1e-6)
    assert realization.error.max() <= 1e-6
    assert realization.order <= 140
    assert relative_error(realization, h, 1100).max() <= 1.001e-6


@pytest.mark.parametrize("name", ["exponential", "alpha", "one number", "exponential cut"])
def test_simple_kernels_have_their_own_order(name):
    order = {"exponential": 1, "alpha": 2, "one number": 1, "exponential cut": 1}[name]
    assert realize(ZOO[name], 1e-6).order == order


def test_an_empty_filter_stands_for_zero_kernels():
    realization = realize(np.zeros((2, 3, 10)))
    assert realization.order == realization.latents == 0
    assert not simulate(realization, np.ones((2, 20))).any()


def test_leading_zeros_cost_no_states():
    h = np.zeros((2, 1, 500))
    h[0, 0, 100:] = np.exp(-LAG[:400] / 3)
    h[1, 0, 200:] = np.exp(-LAG[:300] / 3)
    realization = realize(h)
    assert realization.leads.tolist() == [100, 200]
    assert realization.order <= 2


def test_exact_channels_do_without_an_expansion():
    h = configurations.two_populations()
    realization = realize(h, 1e-6, exact_channels=True)
    assert np.array_equal(realization.expansion, np.eye(16))
    assert relative_error(realization, h, 900).max() <= 1.001e-6


def test_without_truncation_what_follows_counts_as_error():
    h = ZOO["exponential"]  # down to exp(-5) at the last tap
    with pytest.raises(ToleranceError):
        realize(h, 1e-3, truncate=False)
    realization = realize(h, 1e-2, truncate=False)
    assert not realization.truncated
    assert realization.error.max() == pytest.approx(np.exp(-5), rel=1e-6)
    assert realization.bound.max() == pytest.approx(np.exp(-5) / (1 - np.exp(-0.01)), rel=1e-2)


@pytest.mark.parametrize("shape", [(1, 1, 600), (2, 16, 800)])
def test_white_noise_is_refused_with_the_error_that_can_be_reached(shape):
    h = np.random.default_rng(1).standard_normal(shape)
    with pytest.raises(ToleranceError) as caught:
        realize(h, 1e-3, max_order=64)
    assert 1e-3 < caught.value.smallest_error <= 1.5
    assert caught.value.max_order == 64


def test_max_order_is_a_limit_on_the_whole():
    h = configurations.two_populations()
    with pytest.raises(ToleranceError) as caught:
        realize(h, 1e-6, max_order=20)
    assert 1e-6 < caught.value.smallest_error < 0.1
    assert realize(h, 1e-6, max_order=40).order <= 40


@pytest.mark.parametrize("h", [np.zeros((2, 3)), np.full((1, 1, 3), np.nan)])
def test_kernels_that_are_none_are_refused(h):
    with pytest.raises(ValueError):
        realize(h)


@pytest.mark.parametrize("tolerance", [0.0, -1e-6, 1.0, np.nan])
def test_tolerances_that_are_none_are_refused(tolerance):
    with pytest.raises(ValueError):
        realize(ZOO["exponential"], tolerance)


def test_the_same_kernels_give_the_same_filter():
    h = configurations.two_populations()
    first, second = realize(h), realize(h)
    assert np.array_equal(first.B, second.B)
    assert np.array_equal(first.C, second.C)


@pytest.mark.parametrize("name", ["two populations", "delays", "gauss", "alpha", "cubic alpha"])
def test_the_attributes_describe_the_recursion(name):
    realization = realize(ZOO[name], 1e-6)
    A, B = realization.A, realization.B
    assert A.shape == (realization.order,) * 2
    x = B[:, :1]
    responses = [x]
    for _ in range(50):
        x = A @ x
        responses.append(x)
    y = realization.expansion @ realization.C @ np.concatenate(responses, axis=1)
    n = 51 + realization.leads[0]
    given = impulse_responses(realization, n)[0, :, realization.leads[0] :]
    assert y == pytest.approx(given, rel=1e-6, abs=1e-7 * np.abs(given).max())
    for state, block in enumerate(realization.blocks):
        if block >= 0:
            assert not np.delete(B[state], block).any()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["two populations", "gauss", "box", "cubic alpha", "delays"])
def test_dense_spikes_do_not_drift(name):
    h = ZOO[name]
    realization = realize(h, 1e-6)
    counts = np.random.default_rng(3).poisson(1.5, (h.shape[0], 60_000)).astype(float)
    signal = simulate(realization, counts)
    exact = np.array(
        [
            sum(np.convolve(u, k)[: counts.shape[1]] for u, k in zip(counts, channel, strict=True))
            for channel in h.transpose(1, 0, 2)
        ]
    )
    error = np.abs(signal - exact).max(axis=0) / np.abs(exact).max()
    assert error.max() <= 1e-5
    assert error[-6000:].max() <= 2 * error[:6000].max() + 1e-12


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 3),
    st.integers(1, 4),
    st.integers(1, 40),
    st.sampled_from(TOLERANCES),
    st.integers(0, 2**32 - 1),
)
def test_short_kernels_of_any_shape_and_content(pre, channels, taps, tolerance, seed):
    random = np.random.default_rng(seed)
    h = random.standard_normal((pre, channels, taps)) * random.integers(0, 2, (pre, channels, 1))
    realization = realize(h, tolerance, max_order=200)
    assert relative_error(realization, h, 2 * taps + 3).max() <= tolerance * 1.001


def test_orders_grow_as_the_tolerance_falls():
    h = configurations.two_populations()
    table = orders(h)
    found = [r.order for r in table.realizations]
    assert len(found) == 7
    assert found[0] < found[3] < found[-1]
    assert all(e <= t for e, t in zip(table.smallest_errors, table.tolerances, strict=True))
    assert table.channel_values[0] == 1
    assert table.channel_values[6] == pytest.approx(2e-4, rel=0.5)
    assert all(values[0] == 1 and values[40] < 1e-8 for values in table.lag_values)


def test_orders_tell_where_a_tolerance_cannot_be_met():
    table = orders(np.random.default_rng(2).standard_normal((1, 1, 300)), (0.9, 1e-6), 20)
    assert table.realizations[1] is None
    assert table.smallest_errors[1] > 1e-6
