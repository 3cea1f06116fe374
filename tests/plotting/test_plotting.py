"""Figures: that they show the data, at the scale that they say."""

import subprocess
import sys

import matplotlib as mpl
import numpy as np
import pytest
import xarray as xr
from matplotlib.figure import Figure

from nestlfp import KernelSet, plotting
from nestlfp.errors import MissingExtraError, SignalError
from nestlfp.plotting.reduction import ENVELOPE_BINS, MAX_TRACES

RNG = np.random.default_rng(7)


def dataset(values, z=None, unit="mV", dt=0.5, name="LFP"):
    """Signals of one kind: `values` has shape (channel, time)."""
    values = np.asarray(values, dtype=float)
    n, samples = values.shape
    dim = f"{name}_channel"
    coords = {dim: [f"c{i}" for i in range(n)], "time": np.arange(1, samples + 1) * dt}
    if z is not None:
        coords |= {f"{name}_{axis}": (dim, np.zeros(n)) for axis in "xy"}
        coords[f"{name}_z"] = (dim, np.asarray(z, dtype=float))
    return xr.Dataset({name: ((dim, "time"), values, {"units": unit})}, coords)


def traces(ax):
    """The drawn traces from the bottom up, in rows."""
    lines = [line for line in ax.lines if (line.get_gid() or "").startswith("trace-")]
    return [np.asarray(line.get_ydata()) for line in lines]


def scale_bars(ax):
    """Length in rows, and the text, of each scale bar."""
    bars = [line for line in ax.lines if line.get_gid() == "scale-bar"]
    texts = [text.get_text() for text in ax.texts if text.get_gid() == "scale-bar-label"]
    return [(np.ptp(bar.get_ydata()), text) for bar, text in zip(bars, texts, strict=True)]


def in_units(ax):
    """Traces from the bottom up in the unit of the scale bar, as a reader would measure them."""
    ((rows, text),) = scale_bars(ax)
    return [(trace - row) / rows * amount(text)[0] for row, trace in enumerate(traces(ax))]


def amount(text):
    """Number and unit of a scale bar's text, such as "5 000 nA µm" or "2·10⁻⁵ mV"."""
    number, unit = text.replace("\N{THIN SPACE}", "").split(maxsplit=1)
    plain = number.translate(str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789"))
    return float(plain.replace("·10", "e")), unit


def labels(ax):
    return [label.get_text() for label in ax.get_yticklabels()]


def legend(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


# ---------------------------------------------------------------------- signals as traces
def test_traces_are_ordered_by_depth_and_to_scale():
    values = RNG.normal(size=(4, 50)) * [[1], [2], [3], [0.1]]
    (ax,) = plotting.signals(dataset(values, z=[0, -200, 300, 100])).axes
    assert labels(ax) == ["−200", "0", "100", "300"]
    assert ax.get_ylabel() == "depth z (µm)"
    assert list(ax.get_yticks()) == [0, 1, 2, 3]
    centred = values - values.mean(axis=1, keepdims=True)
    np.testing.assert_allclose(in_units(ax), centred[[1, 0, 3, 2]], rtol=1e-9)
    assert scale_bars(ax)[0][1].endswith(" mV")
    assert ax.get_xlabel() == "time (ms)"
    np.testing.assert_allclose(ax.lines[0].get_xdata(), np.arange(1, 51) * 0.5)
    assert ax.get_xlim() == (0.5, 25.0)


@pytest.mark.parametrize("size", [1e-12, 3.3e-5, 0.07, 1.0, 45.0, 1e7])
def test_scale_bar_is_a_round_number_of_about_a_row(size):
    (ax,) = plotting.signals(dataset(size * RNG.normal(size=(3, 50)), unit="nA µm")).axes
    ((rows, text),) = scale_bars(ax)
    assert 0.3 < rows <= 1.0
    number, unit = amount(text)
    assert unit == "nA µm"
    assert float(f"{number:.12e}".split("e")[0]) in (1, 2, 5)


def test_all_traces_are_inside_the_panel():
    values = np.zeros((3, 20))
    values[0, 5], values[2, 5] = -5, 5  # c0 is on top, c2 at the bottom
    values[0, 7], values[2, 7] = 5, -5
    (ax,) = plotting.signals(dataset(values)).axes
    low, high = ax.get_ylim()
    assert low < min(map(np.min, traces(ax)))
    assert high > max(map(np.max, traces(ax)))
    # The largest trace takes a row and a quarter, whichever way its peaks point.
    for signal in ([0, 0, 0, 8.0], [0, 0, 0, -8.0], [0, 0, 4.0, -4.0]):
        (ax,) = plotting.signals(dataset([signal, np.zeros(4)])).axes
        assert np.ptp(traces(ax), axis=1).max() == pytest.approx(1.25)


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


def test_channels_without_depth_are_drawn_from_the_top():
    (ax,) = plotting.signals(dataset([[0, 1], [0, 2], [0, 3]])).axes
    assert labels(ax) == ["c2", "c1", "c0"]
    assert ax.get_ylabel() == "channel"
    np.testing.assert_allclose(np.ptp(in_units(ax), axis=1), [3, 2, 1])
    # A flat grid of contacts has depths, but they order nothing.
    (ax,) = plotting.signals(dataset([[0, 1], [0, 2]], z=[5, 5])).axes
    assert labels(ax) == ["c1", "c0"]


def test_contacts_of_unknown_depth_come_last():
    (ax,) = plotting.signals(dataset(np.eye(4), z=[np.nan, 10, np.nan, 20])).axes
    assert labels(ax) == ["c2", "c0", "10", "20"]


def test_zero_components_are_flat_and_need_no_scale(hagen):
    figure = plotting.signals(hagen.convolve({"I": [1.0]}, 20.0), signals="CDM")
    (ax,) = figure.axes
    assert labels(ax) == ["z", "y", "x"]
    assert ax.get_ylabel() == "component"
    z, y, x = in_units(ax)
    assert np.ptp(z) > 1000
    assert not np.any(y)
    assert not np.any(x)
    (ax,) = plotting.signals(dataset(np.zeros((3, 5)))).axes
    assert scale_bars(ax) == []
    assert len(traces(ax)) == 3


def test_one_panel_for_each_signal_on_one_time_axis(hagen):
    signals = hagen.convolve({"I": [1.0]}, 20.0)
    figure = plotting.signals(signals)
    assert [ax.get_title(loc="left") for ax in figure.axes] == ["LFP", "CDM"]
    assert [len(traces(ax)) for ax in figure.axes] == [13, 3]
    assert [ax.get_xlabel() for ax in figure.axes] == ["", "time (ms)"]
    assert [amount(scale_bars(ax)[0][1])[1] for ax in figure.axes] == ["mV", "nA µm"]
    figure = plotting.signals(signals, signals=["CDM", "LFP"])
    assert [ax.get_title(loc="left") for ax in figure.axes] == ["CDM", "LFP"]
    with pytest.raises(SignalError, match=r"\['EEG'\] not among \['LFP', 'CDM'\]"):
        plotting.signals(signals, signals=["LFP", "EEG"])


def test_time_window():
    values = dataset(RNG.normal(size=(2, 100)))
    (ax,) = plotting.signals(values, time=(10, 20)).axes
    assert ax.get_xlim() == (10.0, 20.0)
    part = values["LFP"].values[:, 19:40]
    np.testing.assert_allclose(in_units(ax)[1], part[0] - part[0].mean())
    with pytest.raises(SignalError, match=r"between 60 and 70 ms: the signals have 0.5 … 50 ms"):
        plotting.signals(values, time=(60, 70))
    with pytest.raises(SignalError, match="no samples"):
        plotting.signals(values.isel(time=slice(0)))


def test_one_sample_and_one_channel(tmp_path):
    for values in ([[3.0]], [[1.0, 2.0]]):
        figure = plotting.signals(dataset(values, z=[100]))
        assert len(traces(figure.axes[0])) == 1
        assert labels(figure.axes[0]) == ["100"]
        plotting.save(figure, tmp_path / "one.png")


def test_not_signals():
    with pytest.raises(SignalError, match=r"xarray\.Dataset"):
        plotting.signals(dataset([[1, 2]])["LFP"])


# ---------------------------------------------------------------------- many channels, long signals
def test_many_channels_are_an_image_ordered_by_depth():
    values = RNG.normal(size=(40, 30))
    z = RNG.permutation(40) * 25.0
    figure = plotting.signals(dataset(values, z=z))
    ax, bar = figure.axes
    (image,) = ax.images
    expected = (values - values.mean(axis=1, keepdims=True))[np.argsort(z)]
    np.testing.assert_allclose(image.get_array(), expected)
    assert image.origin == "lower"
    low, high = image.get_clim()
    assert low == -high == -np.abs(expected).max()
    assert list(image.get_extent()) == [0.25, 15.25, -0.5, 39.5]
    assert (labels(ax)[0], labels(ax)[-1]) == ("0", "975")
    assert len(labels(ax)) <= 13
    assert bar.get_ylabel() == "LFP minus mean (mV)"
    assert traces(ax) == []


def test_many_channels_kept_apart_are_thinned_traces():
    one = dataset(RNG.normal(size=(384, 20)), z=np.arange(384) * 10)
    both = xr.concat([one, 2 * one], "pre", coords="minimal", compat="equals")
    both = both.assign_coords(pre=["E", "I"])
    both["LFP"].attrs["units"] = "mV"
    (ax,) = plotting.signals(both).axes
    assert len(traces(ax)) == 2 * MAX_TRACES
    assert legend(ax) == ["E", "I"]
    assert (labels(ax)[0], labels(ax)[-1]) == ("0", "3830")


def test_long_signals_are_drawn_as_envelope(tmp_path):
    values = 0.1 * RNG.normal(size=(2, 300_000))
    values[0, 123_456] = 7.0
    values[1, 200_000] = -5.0
    figure = plotting.signals(dataset(values))
    (ax,) = figure.axes
    bottom, top = in_units(ax)
    assert len(top) == 2 * ENVELOPE_BINS == len(ax.lines[0].get_xdata())
    np.testing.assert_allclose([top.max(), bottom.min()], [7.0, -5.0], atol=1e-3)
    at = ax.lines[1].get_xdata()[np.argmax(top)]
    assert abs(at - 123_457 * 0.5) < 2 * 150_000 / ENVELOPE_BINS
    plotting.save(figure, tmp_path / "long.svg")
    assert (tmp_path / "long.svg").stat().st_size < 500_000


def test_long_images_keep_their_peaks():
    values = 0.1 * RNG.normal(size=(40, 50_000))
    values[3, 20_000] = -9.0
    ax = plotting.signals(dataset(values)).axes[0]
    shown = ax.images[0].get_array()
    assert shown.shape == (40, ENVELOPE_BINS)
    assert shown[39 - 3].min() == pytest.approx(-9.0, abs=1e-2)


# ---------------------------------------------------------------------- contributions kept apart
def test_contributions_are_told_apart_by_colour(hagen):
    spikes = {"E": [1.0], "I": [2.0]}
    for by, names in (
        ("pre", ["E", "I"]),
        ("post", ["→ E", "→ I"]),
        (("pre", "post"), ["E → E", "I → E", "E → I", "I → I"]),
    ):
        ax = plotting.signals(hagen.convolve(spikes, 20.0, by=by)).axes[0]
        assert legend(ax) == names
        assert len(traces(ax)) == 13 * len(names)
        drawn = [line.get_color() for line in ax.lines if line.get_gid() == "trace-0"]
        assert len(set(drawn)) == len(names)
        keys = [line.get_color() for line in ax.get_legend().get_lines()]
        assert drawn == keys
        assert len(scale_bars(ax)) == 1


def test_a_population_has_the_same_colour_in_raster_and_traces(hagen):
    spikes = {"I": [2.0, 3.0], "E": [1.0]}
    figure = plotting.signals(hagen.convolve(spikes, 20.0, by="pre"), spikes=spikes)
    colours = [
        dict(zip([t.split(":")[0] for t in legend(ax)], ax.get_legend().get_lines(), strict=True))
        for ax in figure.axes
    ]
    assert colours[0]["E"].get_color() == colours[1]["E"].get_color()
    assert colours[0]["E"].get_color() != colours[0]["I"].get_color()


# ---------------------------------------------------------------------- spikes
def rasters(ax):
    return {
        line.get_gid().removeprefix("spikes-"): line
        for line in ax.lines
        if (line.get_gid() or "").startswith("spikes-")
    }


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
    assert labels(raster) == ["E", "I"]
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


# ---------------------------------------------------------------------- kernels
def test_kernels_of_each_pathway_have_their_own_scale(hagen):
    figure = plotting.kernels(hagen)
    lfp, cdm = figure.axes[:4], figure.axes[4:]
    titles = ["E → E", "I → E", "E → I", "I → I"]
    assert [ax.get_title(loc="left") for ax in lfp] == titles
    assert [ax.get_title(loc="left") for ax in cdm] == titles
    assert lfp[0].get_ylabel() == "LFP\ndepth z (µm)"
    assert [ax.get_xlabel() for ax in figure.axes] == [""] * 4 + ["lag (ms)"] * 4
    for ax, title in zip(lfp, titles, strict=True):
        pre, post = title.split(" → ")
        expected = hagen["LFP"].sel(pre=pre, post=post).values[::-1]
        ((rows, text),) = scale_bars(ax)
        number, unit = amount(text)
        assert unit == "mV"
        drawn = [(y - row) / rows * number for row, y in enumerate(traces(ax))]
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


def kernel_set(shape, pre=None, post=None, unit="mV", **options):
    n_post, n_pre = shape[:2]
    return KernelSet.from_arrays(
        {"LFP": RNG.normal(size=shape)},
        pre=pre or [f"X{i}" for i in range(n_pre)],
        post=post or [f"Y{i}" for i in range(n_post)],
        dt=0.1,
        units={"LFP": unit},
        **options,
    )


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


# ---------------------------------------------------------------------- names
ODD = ["$x^2$", "a_{b}$", "\\frac{1}{2}", "50% #1 & ~^", "<b>&amp;", "L2/3:E"]


def test_odd_names_are_drawn_as_they_are(tmp_path):
    kernels = kernel_set(
        (1, 6, 1, 4), pre=ODD, post=["$\\alpha$"], unit="$V$", channels={"LFP": ["$c$"]}
    )
    with mpl.rc_context({"svg.fonttype": "none"}):
        plotting.save(plotting.kernels(kernels), tmp_path / "k.svg")
        spikes = {name: [0.1] for name in ODD}
        signals = kernels.convolve(spikes, 10.0, by="pre")
        plotting.save(plotting.signals(signals, spikes=spikes), tmp_path / "s.svg")
    import xml.etree.ElementTree as ET

    for file, pattern in (("k.svg", "{} → $\\alpha$"), ("s.svg", "{}: 100 spikes/s in all")):
        tree = ET.parse(tmp_path / file)
        texts = ["".join(e.itertext()) for e in tree.iter("{http://www.w3.org/2000/svg}text")]
        for name in ODD:
            assert pattern.format(name) in texts
        assert "$c$" in texts
        assert any(text.endswith(" $V$") for text in texts)


def test_usetex_and_other_settings_of_the_user_do_not_matter(tmp_path):
    with mpl.rc_context({"text.usetex": True, "lines.linewidth": 9}):
        before = dict(mpl.rcParams)
        plotting.save(plotting.kernels(kernel_set((1, 1, 2, 5), pre=["a_b"])), tmp_path / "k.png")
        assert dict(mpl.rcParams) == before


# ---------------------------------------------------------------------- the figure
def test_draws_into_a_figure_that_is_handed_in(hagen):
    figure = Figure(figsize=(4, 3))
    assert plotting.signals(hagen.convolve({}, 5.0), figure=figure) is figure
    assert figure.get_size_inches().tolist() == [4, 3]
    left, right = Figure(layout="constrained").subfigures(1, 2)
    plotting.kernels(hagen, figure=right)
    assert len(right.axes) == 8
    assert left.axes == []


def test_save(hagen, tmp_path):
    figure = plotting.kernels(hagen)
    plotting.save(figure, tmp_path / "k.png", dpi=50)
    from PIL import Image

    width, height = figure.get_size_inches() * 50
    with Image.open(tmp_path / "k.png") as image:
        assert image.size == (int(width), int(height))
    plotting.save(figure, tmp_path / "k.PDF")
    assert (tmp_path / "k.PDF").read_bytes().startswith(b"%PDF")
    for name in ("k.xyz", "k"):
        with pytest.raises(SignalError, match=r"suffix must be one of .*\.pdf, .*\.png"):
            plotting.save(figure, tmp_path / name)
    with pytest.raises(SignalError, match=r"cannot write figure '.*nowhere"):
        plotting.save(figure, tmp_path / "nowhere" / "k.png")


def test_matplotlib_is_only_needed_to_draw(hagen, monkeypatch):
    code = "import nestlfp.plotting, sys; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'nestlfp\[plot\]'"):
        plotting.kernels(hagen)
