"""Signals as colours by depth and time."""

import itertools

import numpy as np
import pytest
import xarray as xr
from drawn import RNG, dataset
from matplotlib.collections import QuadMesh

from nestlfp import plotting
from nestlfp.errors import SignalError
from nestlfp.plotting.reduction import ENVELOPE_BINS
from nestlfp.signals import current_source_density

Z = [0.0, -100.0, -250.0, -300.0]


def mesh(ax):
    (found,) = [one for one in ax.collections if isinstance(one, QuadMesh)]
    return found


@pytest.mark.parametrize("count", [2, 13, 14, 16, 17, 24, 25])
def test_labels_of_depths_are_equal_steps_apart(count):
    """Of 14 contacts one in the middle had no label."""
    signals = dataset(
        np.sin(np.arange(20.0 * count)).reshape(count, 20), z=100.0 * np.arange(count)
    )
    for figure in (plotting.depth_image(signals), plotting.signals(signals)):
        labels = [text.get_text() for text in figure.axes[0].get_yticklabels() if text.get_text()]
        assert len(labels) >= min(count, 6)
        assert len({b - a for a, b in itertools.pairwise(map(float, labels))}) == 1


def test_each_contact_has_a_band_around_its_depth():
    values = RNG.normal(size=(4, 6))
    order = [2, 0, 3, 1]
    shuffled = dataset(values[order], z=np.array(Z)[order])
    ax, bar = plotting.depth_image(shuffled).axes
    found = mesh(ax)
    corners = found.get_coordinates()
    np.testing.assert_allclose(corners[:, 0, 1], [-325, -275, -175, -50, 50])
    np.testing.assert_allclose(corners[0, :, 0], [0.25, 0.75, 1.25, 1.75, 2.25, 2.75, 3.25])
    expected = (values - values.mean(axis=1, keepdims=True))[::-1]
    np.testing.assert_allclose(found.get_array(), expected)
    assert found.get_clim() == (-np.abs(expected).max(), np.abs(expected).max())
    assert found.cmap(0.5)[:3] == pytest.approx((0.97, 0.97, 0.97), abs=0.01)
    assert ax.get_yticks().tolist() == sorted(Z)
    assert [label.get_text() for label in ax.get_yticklabels()] == ["300", "250", "100", "0"]
    assert ax.get_ylabel() == "depth below z = 0 (µm)"
    assert bar.get_ylabel() == "mV"
    assert ax.get_title(loc="left") == "LFP minus mean"
    raw = plotting.depth_image(shuffled, centre=False).axes[0]
    np.testing.assert_allclose(mesh(raw).get_array(), values[::-1])
    assert raw.get_title(loc="left") == "LFP"


def test_csd_of_a_known_source():
    """A potential that is a parabola has the same density everywhere: -σ times its curvature."""
    z = np.arange(6) * 100.0
    curvature = 2e-6 * np.sin(np.arange(50) / 5)  # mV/µm²
    csd = current_source_density(dataset(np.outer(z**2 / 2, curvature), z=z))
    ax, bar = plotting.depth_image(csd, centre=False).axes
    np.testing.assert_allclose(mesh(ax).get_array(), [-0.3e6 * curvature] * 4, atol=1e-9)
    assert ax.get_ylim() == (50, 450)
    assert bar.get_ylabel() == "µA/mm³"


def test_contributions_are_added_up_and_signals_stand_above_each_other():
    one, other = RNG.normal(size=(2, 4, 6))
    both = xr.concat(
        [dataset(one, z=Z), dataset(other, z=Z)], "pre", coords="minimal", compat="equals"
    )
    both["LFP"].attrs["units"] = "mV"
    both["CSD"] = both["LFP"].rename(LFP_channel="CSD_channel", LFP_z="CSD_z")
    both = both.assign_coords(pre=["E", "I"])
    both["CSD"].attrs["units"] = "µA/mm³"
    figure = plotting.depth_image(both, centre=False, time=(1, 2))
    first, second = figure.axes[:2]
    np.testing.assert_allclose(mesh(first).get_array(), (one + other)[::-1, 1:4])
    assert second.get_title(loc="left") == "CSD"
    assert first.get_xlim() == second.get_xlim() == (0.75, 2.25)


def test_layers_are_drawn_where_they_are():
    signals = dataset(RNG.normal(size=(4, 6)), z=Z)
    layers = {"L1": (0, -150), "L2/3": (-150, -900), "white": (-1000, -2000)}
    ax = plotting.depth_image(signals, layers=layers).axes[0]
    assert sorted(line.get_ydata()[0] for line in ax.lines) == [-150, -150, 0]
    names = {text.get_text(): text.get_position()[1] for text in ax.texts}
    assert names == {"L1": -75, "L2/3": (-150 - 325) / 2}


def test_what_is_clipped_or_missing_is_said():
    values = RNG.uniform(-1, 1, size=(4, 50))
    values[1, 20] = 9.0
    figure = plotting.depth_image(dataset(values, z=Z), centre=False)
    assert figure.axes[1]._colorbar.extend == "neither"
    figure = plotting.depth_image(dataset(values, z=Z), centre=False, limit=1.0)
    assert figure.axes[1]._colorbar.extend == "max"
    assert mesh(figure.axes[0]).get_clim() == (-1.0, 1.0)
    values[3, 4] = np.nan
    ax = plotting.depth_image(dataset(values, z=Z)).axes[0]
    assert ax.get_title(loc="right") == "grey: not finite"
    assert mesh(ax).get_array().mask.sum() == 1


def test_long_signals_keep_their_peaks():
    values = 0.1 * RNG.normal(size=(4, 50_000))
    values[3, 20_000] = -9.0
    found = mesh(plotting.depth_image(dataset(values, z=Z)).axes[0])
    assert found.get_array().shape == (4, ENVELOPE_BINS)
    row, column = np.unravel_index(found.get_array().argmin(), found.get_array().shape)
    start, stop = found.get_coordinates()[0, [column, column + 1], 0]
    assert row == 0
    assert start < 20_001 * 0.5 < stop


def test_what_has_no_image():
    def refused(match, dataset, **options):
        with pytest.raises(SignalError, match=match):
            plotting.depth_image(dataset, **options)

    good = dataset(RNG.normal(size=(4, 6)), z=Z)
    refused(
        "no signal has an image by depth: 'LFP' has channels without a height", dataset(np.eye(3))
    )
    refused(
        r"different heights, two or more, found LFP_z = \[5\. 5\.\]", dataset(np.eye(2), z=[5, 5])
    )
    refused("'EEG' are sensors of a head", dataset(np.eye(2), z=[5, 6], name="EEG"), signals="EEG")
    refused("'CSD'.* not among", good, signals="CSD")
    refused("limit must be a positive number, found 0", good, limit=0)
    refused(
        r"layer 'L1' must have two different heights .* found \(0, 0\)", good, layers={"L1": (0, 0)}
    )
    refused(r"layer 'L1' .* found 5", good, layers={"L1": 5})
    refused("no samples between", good, time=(50, 60))


def test_panels_of_a_potential_and_its_csd_have_one_range():
    """The CSD has no first and no last contact; the panels were not comparable."""
    z = -100.0 * np.arange(8)
    lfp = dataset(np.sin(np.arange(160.0)).reshape(8, 20), z=z)
    csd = current_source_density(lfp)
    both = csd.assign(lfp[["LFP"]].data_vars)[["LFP", "CSD"]]
    figure = plotting.depth_image(both, layers={"deep": (-600.0, -900.0)})
    assert {ax.get_ylim() for ax in figure.axes[:2]} == {(-750.0, 50.0)}
    deep = [text for ax in figure.axes[:2] for text in ax.texts if text.get_gid() == "layer"]
    assert [text.get_position()[1] for text in deep] == [-675.0, -675.0]
