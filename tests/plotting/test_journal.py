"""What a figure must have, for each kind, at the width of a journal's column and page."""

from itertools import combinations

import numpy as np
import pytest
import xarray as xr
from drawn import RNG, dataset, kernel_set
from matplotlib.text import Text

from nestlfp import plotting
from nestlfp.geometry import Cylinder, electrodes, with_geometry
from nestlfp.signals import current_source_density

COLUMN, PAGE = 85, 180  # mm
SMALLEST, LARGEST = 6, 8  # points
NEAR = 1.0  # pixel


def long_lfp():
    z = -100.0 * np.arange(16)
    return dataset(RNG.normal(size=(16, 1500)).cumsum(axis=1), z=z, dt=1.0)


def spikes(count=600, neurons=300):
    return RNG.uniform(0, 1500, count), RNG.integers(1, neurons, count)


def traces(width):
    return plotting.signals(
        long_lfp(),
        spikes={"E": spikes(), "I": spikes()},
        sizes={"E": 80_000, "I": 20_000},
        width=width,
    )


def contributions(width):
    kernels = kernel_set((2, 2, 3, 10), pre=["L2/3E", "L2/3I"], post=["L2/3E", "L2/3I"])
    apart = kernels.convolve({"L2/3E": [1.0]}, 50.0, by=("pre", "post"))
    return plotting.signals(apart, width=width)


def many_channels(width):
    return plotting.signals(dataset(RNG.normal(size=(64, 200)), z=np.arange(64) * 20), width=width)


def pathways(width, channels=5):
    return plotting.kernels(kernel_set((2, 2, channels, 50), pre=["E", "I"]), width=width)


def pathways_as_images(width):
    return pathways(width, channels=40)


def depth_image(width):
    lfp = long_lfp()
    both = current_source_density(lfp).assign(lfp.data_vars)
    layers = {"L1": (0, -150), "L2/3": (-150, -600), "L4": (-600, -900), "L5/6": (-900, -1600)}
    return plotting.depth_image(both, layers=layers, width=width)


def spectrum(width):
    both = long_lfp()
    both["rate"] = ("rate_channel", "time"), RNG.normal(size=(2, 1500)), {"units": "1/s"}
    both = both.assign_coords(rate_channel=["E", "I"])
    return plotting.spectrum(both, width=width)


def spectrogram(width):
    return plotting.spectrogram(long_lfp(), highest=100.0, width=width)


def topomap(width):
    places = electrodes("easycap-M1")
    where = np.array([*places.values()])
    coords = {f"EEG_{axis}": ("EEG_channel", where[:, i]) for i, axis in enumerate("xyz")}
    values = RNG.normal(size=(len(where), 10))
    eeg = xr.Dataset(
        {"EEG": (("EEG_channel", "time"), values, {"units": "µV"})},
        {"EEG_channel": [*places], "time": np.arange(1.0, 11.0), **coords},
    )
    return plotting.topomap(eeg, [1, 5], width=width)


def array_frames(width):
    x, y = np.meshgrid(np.arange(6) * 400.0, np.arange(6) * 400.0)
    signals = dataset(RNG.normal(size=(36, 20)), z=np.zeros(36))
    signals = signals.assign_coords(
        LFP_x=("LFP_channel", x.ravel()), LFP_y=("LFP_channel", y.ravel())
    )
    return plotting.array_frames(signals, [1, 2, 3, 4], limit=1.0, width=width)


def singular_values(width):
    falling = 10.0 ** -np.arange(12.0)
    return plotting.singular_values(falling, {"E": falling, "I": falling**0.5}, width=width)


def alternatives(width):
    found = xr.DataArray(
        RNG.uniform(size=(3, 10)),
        dims=("choice", "LFP_channel"),
        coords={
            "choice": ["as chosen", "E: pyramidal_L2", "column: 1000 µm"],
            "LFP_z": ("LFP_channel", np.arange(10) * 100.0),
        },
        attrs={"units": "µV"},
    )
    return plotting.alternatives(found, width=width)


def geometry(width):
    z = np.arange(8) * 100.0
    kernels = kernel_set((2, 2, 8, 5), pre=["E", "I"], post=["E", "I"],
                         positions={"LFP": np.stack([0 * z, 0 * z, z], axis=1)})  # fmt: skip
    column = Cylinder(radius=150.0, bottom=-100.0, top=200.0)
    return plotting.geometry.probe_and_cells(
        with_geometry(kernels, {"E": column, "I": column}), width=width
    )


def cells(width):
    pytest.importorskip("LFPy")
    return plotting.cells(["p5_L56", "i4"] if width == COLUMN else None, width=width)


KINDS = [
    traces, contributions, many_channels, pathways, pathways_as_images, depth_image, spectrum,
    spectrogram, topomap, array_frames, singular_values, alternatives, geometry, cells,
]  # fmt: skip


def names_of(ax):
    """Texts that a panel has around it: titles, labels of axes and of their ticks."""
    if not ax.axison:
        return [ax.title]
    texts = [ax.title, ax._left_title, ax._right_title]
    for axis in (ax.xaxis, ax.yaxis):
        texts.append(axis.label)
        texts += [tick.label1 for tick in axis._update_ticks() if tick.label1.get_visible()]
        texts += [tick.label2 for tick in axis._update_ticks() if tick.label2.get_visible()]
    texts += [text for text in ax.texts if text.get_gid() == "scale-bar-label"]
    return [text for text in texts if text.get_visible() and text.get_text()]


@pytest.mark.slow
@pytest.mark.parametrize("width", [COLUMN, PAGE])
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_a_figure_of_ours(kind, width):
    figure = kind(width)
    assert figure.get_figwidth() * 25.4 == pytest.approx(width)
    figure.draw_without_rendering()
    written = [text for text in figure.findobj(Text) if text.get_visible() and text.get_text()]
    sizes = {text.get_text(): text.get_size() for text in written}
    assert not {t: size for t, size in sizes.items() if not SMALLEST <= size <= LARGEST}
    boxes = {}
    for number, ax in enumerate(figure.axes):
        for text in names_of(ax):
            box = text.get_window_extent()
            assert box.x0 >= -NEAR, text
            assert box.y0 >= -NEAR, text
            assert box.x1 <= figure.bbox.width + NEAR, text
            assert box.y1 <= figure.bbox.height + NEAR, text
            boxes[number, text.get_text(), len(boxes)] = box.padded(-NEAR)
    overlaps = [
        (one[1], other[1])
        for (one, a), (other, b) in combinations(boxes.items(), 2)
        if a.overlaps(b)
    ]
    assert not overlaps
    for (number, text, _), box in boxes.items():
        over = [k for k, ax in enumerate(figure.axes) if box.overlaps(ax.get_window_extent())]
        assert set(over) <= {number}, text


def test_nothing_is_clipped_without_a_sign():
    """Arrows at the colour bar, for each figure that takes a limit."""
    for figure in (array_frames(PAGE), plotting.depth_image(long_lfp(), limit=1e-3)):
        assert figure.axes[-1]._colorbar.extend == "both"
    for figure in (many_channels(PAGE), depth_image(PAGE), topomap(PAGE), pathways_as_images(PAGE)):
        bars = [ax._colorbar for ax in figure.axes if hasattr(ax, "_colorbar")]
        assert bars
        assert {bar.extend for bar in bars} == {"neither"}
