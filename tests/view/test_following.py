"""A store that is not there, empty, replaced, damaged, removed and back: sentences, and no end."""

import shutil
import time
from pathlib import Path

import numpy as np
import pytest
from served import noise, written

from nestlfp.signals import save
from nestlfp.signals.commit import FILE
from nestlfp.view.following import Follower
from nestlfp.view.panel import EVERYONE, StorePanel


@pytest.fixture
def place(tmp_path):
    return tmp_path / "x.zarr"


def shown(panel, length=500.0, stop=None):
    """What a panel says after it has looked."""
    panel.look()
    panel.show(stop, length)
    return panel._status.text


def drawn(panel, name="traces"):
    """Data of a figure."""
    figures = [panel._traces, panel._image, panel._density, panel._spectrum]
    figures += panel._beside.values()
    (source,) = [each.source for each in figures if each.source.name == name]
    return {key: np.array(value) for key, value in source.data.items()}


def rows(panel, name, channels=3):
    """Traces of a figure from below, each about zero."""
    y = drawn(panel, name)["y"].reshape(channels, -1)[:, :-1]  # a gap at the end of each
    return y - y.mean(axis=1, keepdims=True)


def new_panel(place):
    return StorePanel(place, 0.3, narrow=False)


def test_a_store_that_comes_grows_and_goes(place):
    follower = Follower(place)
    assert follower.look()
    assert follower.store is None
    assert follower.problem.startswith(f"no store {str(place)!r}")
    assert not follower.look()  # still not
    stream = written(place, 100)
    assert follower.look()
    assert len(follower.store) == 100
    assert not follower.look()
    stream.write(noise(100, 101))
    stream.close()
    assert follower.look()
    assert len(follower.store) == 200
    shutil.rmtree(place)
    assert follower.look()
    assert follower.store is None


def test_a_commit_is_seen_where_nothing_else_changes(place):
    """A file of the same length, in the same folder, within a clock's tick."""
    stream = written(place, 100)
    follower = Follower(place)
    for start in range(101, 1000, 100):
        follower.look()
        stream.write(noise(100, start))
        assert follower.look()
        assert len(follower.store) == start + 99
    stream.close()


def damage_metadata(place):
    (place / FILE).write_bytes((place / FILE).read_bytes()[:-30])


def damage_values(place):
    (place / "LFP" / "0.1").write_bytes(b"damaged")


def damage_times(place):
    (place / "time" / "1").unlink()


def damage_positions(place):
    (place / "LFP_z" / "0").write_bytes(b"")


@pytest.mark.slow
@pytest.mark.parametrize("damage", [damage_metadata, damage_values, damage_times, damage_positions])
def test_a_damaged_store_gets_a_sentence(place, damage):
    written(place, 200).close()
    backup = place.with_name("backup")
    shutil.copytree(place, backup)
    damage(place)
    panel = new_panel(place)
    assert "it is damaged" in shown(panel)
    assert "goes on when the store can be read" in shown(panel)
    assert not panel._body.visible
    assert not panel.look()  # and does not take the machine for itself
    time.sleep(1.1)
    assert "it is damaged" in shown(panel)  # still
    shutil.rmtree(place)
    assert "no store" in shown(panel)
    backup.rename(place)
    assert shown(panel).startswith("Live: shown up to 200 ms")
    assert panel._body.visible


@pytest.mark.parametrize("what", ["folder", "file", "foreign", "loop"])
def test_what_is_no_store_gets_a_sentence(place, what):
    if what == "folder":
        place.mkdir()
    elif what == "file":
        place.write_text("text")
    elif what == "foreign":
        noise(3).assign_attrs(format="another").to_zarr(place, zarr_format=2)
    else:
        place.symlink_to(place)
    panel = new_panel(place)
    text = shown(panel)
    assert any(reason in text for reason in ("cannot be read", "no store"))
    assert "Traceback" not in text
    assert not panel._body.visible


def test_a_store_without_samples(place):
    stream = written(place, 0)
    panel = new_panel(place)
    assert shown(panel) == "There are no samples in the store yet."
    assert not panel._body.visible
    stream.write(noise(1))  # and one sample is enough
    assert shown(panel) == "Live: shown up to 1 ms, newest sample at 1 ms"
    assert panel._body.visible
    assert "too few" in panel._spectrum.figure.title.text
    stream.write(noise(99, 2))
    stream.close()
    assert "shown up to 100 ms" in shown(panel)
    assert panel._spectrum.figure.title.text.startswith("Power spectrum of 0.1 s")


def test_what_is_drawn_is_in_the_store(place):
    written(place, 300).close()
    panel = new_panel(place)
    shown(panel, length=100.0)
    image = drawn(panel, "image")["image"][0]
    expected = noise(300)["LFP"].values[::-1, 200:]
    np.testing.assert_allclose(image, expected - expected.mean(1, keepdims=True), atol=1e-6)
    traces = drawn(panel)
    assert np.nanmin(traces["x"]) == 201
    assert np.nanmax(traces["x"]) == 300
    moment = noise(300)["CDM"].values[::-1, 200:]
    np.testing.assert_allclose(rows(panel, "moment"), moment - moment.mean(1, keepdims=True))
    assert panel._beside["moment"].figure.yaxis[0].axis_label == "component"
    assert not panel._beside["rates"].figure.visible
    assert (panel._x.start, panel._x.end) == (200.0, 301.0)
    assert shown(panel, 100.0, 150.0).startswith(
        "Not live: shown up to 150 ms, newest sample at 300"
    )
    assert np.nanmax(drawn(panel)["x"]) == 150


def test_a_store_is_replaced_by_another(place):
    """Other signals, channels, populations and units."""
    written(place, 300, by=("pre",)).close()
    panel = new_panel(place)
    shown(panel)
    assert panel._from["pre"].options == [EVERYONE, "E", "I"]
    assert panel._from["pre"].visible
    assert not panel._from["post"].visible
    panel._from["pre"].value = "I"
    panel._channels.value = ["300 µm"]
    shown(panel)
    assert drawn(panel, "image")["dh"] == [1]
    other = noise(40, channels=1, z=False)[["LFP"]].rename(LFP="EEG", LFP_channel="EEG_channel")
    save(other, place, overwrite=True)
    assert "shown up to 40 ms" in shown(panel)
    assert panel._which.options == ["EEG"]
    assert panel._from["pre"].value == EVERYONE
    assert panel._channels.value == []
    assert not panel._density.figure.visible
    assert not panel._beside["moment"].figure.visible
    assert drawn(panel, "image")["image"].shape == (1, 1, 40)
    written(place, 300).close()
    shown(panel)
    assert panel._which.options == ["LFP", "CDM"]
    assert panel._density.figure.visible
    assert panel._beside["moment"].figure.visible


def test_population_and_signal_are_chosen(place):
    written(place, 100, by=("pre", "post")).close()
    panel = new_panel(place)
    shown(panel)
    signals = noise(100, by=("pre", "post"))
    panel._from["post"].value = "E"
    shown(panel)
    expected = signals["CDM"].sel(post="E").sum("pre").values[::-1]
    np.testing.assert_allclose(
        rows(panel, "moment"), expected - expected.mean(1, keepdims=True), atol=1e-9
    )
    panel._which.value = "CDM"
    shown(panel)
    assert drawn(panel, "image")["image"].shape[1:] == (3, 100)
    assert panel._from["post"].value == "E"


def test_a_store_of_unequal_times_is_shown_without_spectrum(place):
    signals = noise(50)
    save(signals.assign_coords(time=np.arange(50.0) ** 2), place)
    panel = new_panel(place)
    assert "2401" in shown(panel).replace("\N{THIN SPACE}", "")
    assert "not equally spaced" in panel._spectrum.figure.title.text
    assert len(drawn(panel)["x"])


def test_a_store_that_vanishes_while_it_is_read(place):
    written(place, 300).close()
    panel = new_panel(place)
    panel.look()
    shutil.rmtree(place)
    panel.show(None, 1000.0)
    assert "was replaced since it was opened" in panel._status.text
    assert "no store" in shown(panel)


@pytest.mark.filterwarnings("ignore:The data type")  # it was written all the same
def test_a_store_that_xarray_wrote(tmp_path):
    """Zarr format 3, whole from the first moment on."""
    noise(30).to_zarr(tmp_path / "x.zarr", zarr_format=3, consolidated=False)
    assert "shown up to 30 ms" in shown(new_panel(Path(tmp_path / "x.zarr")))


def test_rates_stand_beside_and_zero_components_do_not(place):
    signals = noise(100)
    signals["CDM"][:2] = 0.0
    signals["rate"] = (("rate_channel", "time"), signals["LFP"].values[:2] * 50, {"units": "1/s"})
    save(signals.assign_coords(rate_channel=["E", "I"]), place)
    panel = new_panel(place)
    shown(panel)
    expected = signals["rate"].values[::-1]
    np.testing.assert_allclose(
        rows(panel, "rates", 2), expected - expected.mean(1, keepdims=True), atol=1e-9
    )
    assert panel._beside["rates"].figure.title.text == "rate minus mean, rates"
    title = panel._beside["moment"].figure.title.text
    assert title == "CDM minus mean (x, y: zero), dipole moment"
    expected = signals["CDM"].values[2:]
    np.testing.assert_allclose(rows(panel, "moment", 1), expected - expected.mean(), atol=1e-9)
