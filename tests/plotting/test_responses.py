"""Kernels by pathway."""

import itertools

import numpy as np
import pytest
from drawn import RNG, in_units, kernel_set, labels, scale_bars, traces

from nestlfp import KernelSet, plotting


def test_all_kernels_are_inside_their_panels():
    values = np.zeros((1, 3, 2, 5))
    values[0, 0, :, 2] = 0.01, -1  # pathways differ in which way, and in which row, they reach out
    values[0, 1, :, 2] = 1, 0.01
    values[0, 2, :, 2] = -0.01, 1
    figure = plotting.kernels(
        KernelSet.from_arrays(
            {"LFP": values}, pre=["A", "B", "C"], post=["P"], dt=0.1, units={"LFP": "mV"}
        )
    )
    for ax in figure.axes:
        low, high = ax.get_ylim()
        assert all(low < y.min() and y.max() < high for y in traces(ax))


def test_kernels_of_each_pathway_have_their_own_scale(hagen):
    figure = plotting.kernels(hagen)
    lfp, cdm = figure.axes[:4], figure.axes[4:]
    titles = ["E → E", "I → E", "E → I", "I → I"]
    assert [ax.get_title(loc="left") for ax in lfp] == titles
    assert [ax.get_title(loc="left") for ax in cdm] == titles
    assert lfp[0].get_ylabel() == "LFP\nz (µm)"
    assert [ax.get_xlabel() for ax in figure.axes] == [""] * 4 + ["lag (ms)"] * 4
    for ax, title in zip(lfp, titles, strict=True):
        pre, post = title.split(" → ")
        expected = hagen["LFP"].sel(pre=pre, post=post).values[::-1]
        drawn = in_units(ax)
        np.testing.assert_allclose(drawn, expected, atol=1e-9 * np.abs(expected).max())
    low, high = lfp[0].get_ylim()
    assert all(low < y.min() and y.max() < high for ax in lfp for y in traces(ax))


def test_kernels_on_one_scale(hagen):
    axes = plotting.kernels(hagen, signals="LFP", shared_scale=True).axes
    assert [len(scale_bars(ax)) for ax in axes] == [0, 0, 0, 1]
    ratio = max(np.ptp(y) for y in traces(axes[0])) / max(np.ptp(y) for y in traces(axes[1]))
    values = hagen["LFP"].sel(post="E").values
    expected = np.ptp(values[0], axis=-1).max() / np.ptp(values[1], axis=-1).max()
    assert ratio == pytest.approx(expected)


def test_many_pathways_are_a_grid_of_pre_and_post():
    figure = plotting.kernels(kernel_set((3, 4, 2, 10)))
    titles = [ax.get_title(loc="left") for ax in figure.axes]
    assert len(titles) == 12
    assert titles[:4] == ["X0 → Y0", "X1 → Y0", "X2 → Y0", "X3 → Y0"]
    where = [ax.get_subplotspec() for ax in figure.axes]
    assert (where[5].rowspan.start, where[5].colspan.start) == (1, 1)
    assert titles[5] == "X1 → Y1"


def test_kernels_of_many_channels_are_images():
    kernels = kernel_set((1, 2, 50, 10))
    figure = plotting.kernels(kernels)
    first = figure.axes[0]
    np.testing.assert_allclose(first.images[0].get_array(), kernels["LFP"].values[0, 0, ::-1])
    assert len(figure.axes) == 4  # two plots, each with its colour bar
    assert len(plotting.kernels(kernels, shared_scale=True).axes) == 3


@pytest.mark.parametrize("channels", [2, 50])
def test_pathways_without_a_response_are_empty(channels):
    values = RNG.normal(size=(2, 4, channels, 10))
    values[1, 2] = 0.0
    kernels = KernelSet.from_arrays(
        {"LFP": values}, pre=list("ABCD"), post=list("PQ"), dt=0.1, units={"LFP": "mV"}
    )
    axes = plotting.kernels(kernels).axes
    empty = [ax for ax in axes if any(text.get_gid() == "no-response" for text in ax.texts)]
    assert [ax.get_title(loc="left") for ax in empty] == ["C → Q"]
    assert not traces(empty[0])
    assert not scale_bars(empty[0])
    if channels == 2:
        assert all(len(scale_bars(ax)) == 1 for ax in axes if ax is not empty[0])


def test_rounding_errors_are_not_blown_up():
    values = np.zeros((1, 2, 1, 20))
    values[0, 0] = RNG.normal(size=20)
    values[0, 1] = 1e-16 * values[0, 0]
    kernels = KernelSet.from_arrays(
        {"LFP": values}, pre=["E", "I"], post=["E"], dt=0.1, units={"LFP": "mV"}
    )
    flat = traces(plotting.kernels(kernels).axes[1])[0]
    assert np.ptp(flat) < 1e-6


def test_one_lag_is_seen(tmp_path):
    figure = plotting.kernels(kernel_set((1, 1, 1, 1), positions={"LFP": [[np.nan] * 3]}))
    (ax,) = figure.axes
    assert labels(ax) == ["0"]
    assert ax.lines[0].get_marker() == "o"
    assert np.any(traces(ax)[0])
    plotting.save(figure, tmp_path / "one.png")


LONG = ["layer 2/3 pyramidal cells, intratelencephalic", "layer 4 parvalbumin basket cells",
        "thalamocortical relay (VPM)"]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("channels", [2, 50])
@pytest.mark.parametrize("shape", [(1, 2), (2, 3), (3, 3)])
def test_long_names_of_populations_do_not_overlap(shape, channels):
    n_post, n_pre = shape
    kernels = kernel_set((n_post, n_pre, channels, 10), pre=LONG[:n_pre], post=LONG[:n_post])
    figure = plotting.kernels(kernels)
    figure.draw_without_rendering()
    plots = [ax for ax in figure.axes if ax.get_title(loc="left")]
    assert len(plots) == n_post * n_pre
    rows = {}
    for ax in plots:
        box = ax._left_title.get_window_extent()
        rows.setdefault(ax.get_subplotspec().rowspan.start, []).append((box.x0, box.x1))
    for row in rows.values():
        ends = sorted(row)
        assert all(left[1] < right[0] for left, right in itertools.pairwise(ends))
        assert ends[-1][1] <= figure.bbox.width
    # Both names can be told in each title.
    for ax in plots:
        pre, post = ax.get_title(loc="left").split("\n→ ")
        for name in (pre, post):
            assert any(name[:5] == long[:5] and name[-3:] == long[-3:] for long in LONG)


def test_short_names_stand_on_one_line_in_the_usual_size(hagen):
    (ax,) = plotting.kernels(hagen.select(signals="LFP", pre="E", post="I")).axes
    assert ax.get_title(loc="left") == "E → I"
    assert ax._left_title.get_size() == 8
