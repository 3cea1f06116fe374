"""The spikes above the signals."""

import numpy as np
import pytest
from drawn import RNG, dataset, kernel_set, labels, legend, rasters

from nestlfp import plotting
from nestlfp.errors import SignalError


def test_raster_shows_the_spikes_of_the_window_first_population_on_top():
    signals = dataset(np.zeros((1, 100)))  # 0.5 … 50 ms
    spikes = {
        "E": (np.array([5.0, 15.0, 25.0, 15.0]), np.array([3, 1, 1, 2])),
        "I": {"times": [12.0], "senders": [9]},
    }
    raster, panel = plotting.signals(signals, spikes=spikes, time=(10, 20)).axes
    found = rasters(raster)
    assert list(found["E"].get_xdata()) == [15.0, 15.0]
    assert list(found["I"].get_xdata()) == [12.0]
    first, second = found["E"].get_ydata()
    assert first > second > found["I"].get_ydata()[0]
    assert labels(raster) == ["E\n2 of 2 active", "I\n1 of 1 active"]
    assert raster.get_ylabel() == "neurons"
    assert raster.get_yticks()[0] > raster.get_yticks()[1]
    assert raster.get_xlim() == panel.get_xlim()


def test_rates_are_those_of_all_neurons_whatever_the_raster_shows():
    signals = dataset(np.zeros((1, 2000)))  # one second
    n = 5000
    times = RNG.uniform(0.001, 1000, n)
    spikes = {"E": (times, RNG.integers(1, 1001, n)), "I": RNG.uniform(0.001, 1000, 300)}
    figure = plotting.signals(signals, spikes=spikes, sizes={"E": 2000}, max_neurons=20)
    ax = figure.axes[0]
    assert legend(ax) == ["E: 2.5 spikes/s per neuron", "I: 300 spikes/s in all"]
    assert labels(ax) == ["E\n20 of 2000", "I"]
    rows = np.unique(rasters(ax)["E"].get_ydata())
    assert rows.size == 20
    assert 0 < len(rasters(ax)["E"].get_xdata()) < n / 20
    half = plotting.signals(signals, spikes={"I": spikes["I"]}, time=(500, 1000))
    inside = int(np.sum(spikes["I"] > 499.5))
    expected = float(f"{inside / 0.5005:.3g}")
    assert legend(half.axes[0]) == [f"I: {expected:g} spikes/s in all"]


def test_plain_times_are_a_histogram():
    spikes = {"E": np.repeat([10.0, 30.0], [4, 2])}
    ax = plotting.signals(dataset(np.zeros((1, 100))), spikes=spikes).axes[0]
    assert rasters(ax) == {}
    (stairs,) = ax.patches
    counts, edges, base = stairs.get_data()
    heights = np.asarray(counts) - base
    assert heights.max() == 100.0
    assert heights[np.searchsorted(edges, 30.0, side="right") - 1] == 50.0
    assert np.count_nonzero(heights) == 2


def test_no_spikes_and_wrong_spikes():
    signals = dataset(np.zeros((1, 100)))
    ax = plotting.signals(signals, spikes={"E": ([], []), "I": []}).axes[0]
    assert legend(ax) == ["E: 0 spikes/s in all", "I: 0 spikes/s in all"]
    with pytest.raises(SignalError, match="'E': 2 times but 3 senders"):
        plotting.signals(signals, spikes={"E": ([1.0, 2.0], [1, 2, 3])})
    for given, match in (
        ((np.array([3, 4]), np.array([1.0, 2.0])), "exchange the two arrays"),
        ({"times": [1.0], "senders": [3], "V_m": [-65.0]}, "'E' have V_m beside"),
        ({"times": [10], "senders": [3], "offsets": [0.0]}, r"time_in_steps.*nest\.resolution"),
    ):
        with pytest.raises(SignalError, match=match):
            plotting.signals(signals, spikes={"E": given})


def test_long_names_keep_their_rates_and_their_arrows():
    names = ["layer 2/3 pyramidal cells, intratelencephalic", "layer 4 parvalbumin basket cells"]
    kernels = kernel_set((2, 2, 3, 10), pre=names, post=names)
    spikes = {name: [1.0, 2.0] for name in names}
    figure = plotting.signals(kernels.convolve(spikes, 100.0, by=("pre", "post")), spikes=spikes)
    raster, panel = figure.axes
    assert all(text.endswith(": 20 spikes/s in all") for text in legend(raster))
    assert len(set(legend(panel))) == 4
    for text in legend(panel):
        assert len(text) < 45
        assert " → layer " in text
