"""Readouts behind a filter, by a handful of states: the kernel's, and the filter's own."""

import numpy as np
import pytest

from nestlfp.state_space import impulse_responses
from networks import bank_of, exponential_kernels

BANDS = [((40, 90), 2), ((13, 30), 4), ((None, 100), 1), ((None, 100), 3), ((2, None), 2)]


def bank(kernels, tolerance):
    return bank_of(kernels, "state-space", tolerance=tolerance)


def response(kernels, filter_):
    """What a spike of each population leaves, by running the recursion, and the kernels."""
    h = filter_.coefficients.h
    n = h.shape[2] + 500  # on beyond the last tap
    return impulse_responses(filter_.realization, n), np.pad(h, [(0, 0), (0, 0), (0, 500)])


@pytest.mark.slow
@pytest.mark.parametrize(("band", "order"), BANDS)
@pytest.mark.parametrize("tolerance", [1e-4, 1e-8])
def test_real_kernels(hagen, band, order, tolerance):
    label = hagen["LFP"]["LFP_channel"].values[4].item()
    readout = hagen.readout({"LFP": label}, band=band, order=order)
    filter_ = bank(readout, tolerance).filter
    assert filter_.realization.order <= 60
    assert filter_.n_outputs == 1
    found, expected = response(readout, filter_)
    error = np.abs(found - expected).max() / np.abs(expected).max()
    assert error <= tolerance
    assert filter_.error.max() <= tolerance
    assert filter_.error.max() == pytest.approx(error, rel=1e-3, abs=1e-9)


def test_populations_that_start_and_end_apart():
    kernels = exponential_kernels(leads=(3, 20), lengths=(30, 80))
    readout = kernels.readout({"LFP": {0: 1.0, 1: -2.0}}, band=(20, 80))
    found, expected = response(readout, bank(readout, 1e-7).filter)
    assert np.abs(found - expected).max() <= 1e-7 * np.abs(expected).max()


@pytest.mark.parametrize("change", ["total", "scale", "lowpass", "resample"])
def test_readouts_that_were_changed_since(change):
    """What is known of the filter may not be true any more; the tolerance is kept all the same."""
    readout = exponential_kernels().readout({"LFP": 0}, band=(None, 300), cut=1e-6)
    changed = {
        "total": readout.total,
        "scale": lambda: readout.scale({"E": 3.0}),
        "lowpass": lambda: readout.lowpass(0.5, method="mean"),
        "resample": lambda: readout.resample(0.2),
    }[change]()
    found, expected = response(changed, bank(changed, 1e-4).filter)
    assert np.abs(found - expected).max() <= 1e-4 * np.abs(expected).max()
