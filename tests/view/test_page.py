"""The page in a real browser, while a real simulation writes."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import expect
from served import noise, served, written

from nestlfp.signals import load

STREAMED = Path(__file__).parents[1] / "streamed_run.py"
WAIT = 20_000  # ms


def drawn(page, name="traces", number=0):
    """Data of a figure in the browser: of the given one of several stores."""
    return page.evaluate(
        """([name, number]) => {
            const models = [...Bokeh.documents[0]._all_models.values()]
            const source = models.filter((model) => model.name == name)[number]
            return Object.fromEntries(Object.entries(source.data).map(
                ([key, value]) => [key, Array.from(value, (v) => v.length ? Array.from(v) : v)]))
        }""",
        [name, number],
    )


def ends(page, name="traces", number=0):
    """Time of the last sample that is drawn."""
    return np.nanmax(np.array(drawn(page, name, number)["x"], dtype=float))


def status(page, text, number=0):
    """Wait until a store's status contains this."""
    expect(page.get_by_text(re.compile(text)).nth(number)).to_be_visible(timeout=WAIT)


def painted(page):
    """Colours in the page as a person sees it."""
    from io import BytesIO

    from matplotlib.image import imread

    return imread(BytesIO(page.screenshot()))


@pytest.fixture(scope="module")
def grown(tmp_path_factory):
    """Two stores with samples, on one page."""
    folder = tmp_path_factory.mktemp("stores")
    places = [folder / f"{name}.zarr" for name in ("one", "two")]
    for place, seed in zip(places, (1, 2), strict=True):
        written(place, 3000, chunk=1000, by=("pre",), seed=seed).close()
    with served(*places, "--port", 0, "--every", 50) as (url, _):
        yield url, places


@pytest.mark.slow
def test_the_page_shows_what_is_in_the_stores(page, grown):
    url, places = grown
    page.goto(url)
    page.get_by_label("Window").select_option("500 ms")  # so short that a bin is a sample
    for number, place in enumerate(places):
        status(page, "Live: shown up to 3.?000 ms", number)
        page.wait_for_function(
            f"""() => [...Bokeh.documents[0]._all_models.values()].filter(
                (model) => model.name == 'moment')[{number}].data.x.length == 3 * 501""",
            timeout=WAIT,
        )
        expect(page.get_by_text(str(place))).to_be_visible()
        signals = load(place).isel(time=slice(2500, 3000))
        expected = signals["LFP"].sum("pre").values[::-1]
        image = np.reshape(drawn(page, "image", number)["image"][0], expected.shape)
        np.testing.assert_allclose(image, expected - expected.mean(1, keepdims=True), atol=1e-5)
        moment = np.array(drawn(page, "moment", number)["y"], dtype=float).reshape(3, -1)[:, :-1]
        expected = signals["CDM"].sum("pre").values[::-1]
        np.testing.assert_allclose(
            moment - moment.mean(1, keepdims=True), expected - expected.mean(1, keepdims=True),
            atol=1e-9,
        )  # fmt: skip
    for _ in range(100):  # it may not have been painted yet
        picture = painted(page)
        redder = picture[..., 0] - picture[..., 2]
        if (redder > 0.3).sum() > 5000 and (redder < -0.3).sum() > 5000:
            break
        page.wait_for_timeout(100)
    else:
        raise AssertionError("no image on the page")


@pytest.mark.slow
@pytest.mark.parametrize(("width", "beside"), [(1400, True), (760, True), (600, False)])
def test_two_columns_are_one_where_there_is_no_room(page, tmp_path, width, beside):
    written(tmp_path / "x.zarr", 300).close()
    page.set_viewport_size({"width": width, "height": 1100})
    with served(tmp_path / "x.zarr", "--port", 0) as (url, _):
        page.goto(url)
        status(page, "Live: shown up to 300 ms")
        page.wait_for_timeout(500)
        boxes = [
            page.locator(".bk-Figure").nth(number).bounding_box() for number in (0, 3)
        ]  # traces and spectrum
        first, fourth = boxes
        assert (fourth["x"] >= first["x"] + first["width"]) == beside
        assert (fourth["y"] >= first["y"] + first["height"]) != beside
        for box in boxes:
            assert box["x"] + box["width"] <= width
        assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.slow
def test_the_page_is_dark_where_the_browser_is(page, grown):
    url, _ = grown
    page.emulate_media(color_scheme="dark")
    page.goto(url)
    status(page, "Live: shown up to 3.?000 ms")
    page.wait_for_timeout(1000)
    picture = painted(page)[..., :3]
    assert np.median(picture) < 0.15
    redder = picture[..., 0] - picture[..., 2]
    assert (redder > 0.3).sum() > 2000
    assert (redder < -0.3).sum() > 2000


@pytest.mark.slow
def test_pausing_scrolling_and_back_to_live(page, grown):
    url, _ = grown
    page.goto(url)
    status(page, "Live: shown up to 3.?000 ms")
    handle = page.locator(".noUi-handle").first
    handle.focus()
    page.keyboard.press("PageDown")
    status(page, "Not live: shown up to 2.?[4-9]..? ms")
    assert ends(page) == ends(page, number=1) < 3000
    page.get_by_role("button", name="Back to live").click()
    status(page, "Live: shown up to 3.?000 ms")
    page.get_by_role("button", name="Pause").click()
    status(page, "Not live: shown up to 3.?000 ms")


@pytest.mark.slow
def test_choosing(page, grown):
    """Signal, population, channels and length of the window."""
    url, places = grown
    page.goto(url)
    status(page, "Live: shown up to 3.?000 ms")
    page.get_by_label("Window").select_option("100 ms")
    page.get_by_label("Presynaptic").first.select_option("I")
    page.get_by_label("Channels").first.select_option("200 µm")
    signals = load(places[0])["LFP"].sel(pre="I")[2, 2900:].values
    page.wait_for_function(
        """() => [...Bokeh.documents[0]._all_models.values()].filter(
            (model) => model.name == 'image')[0].data.image[0].length == 100""",
        timeout=WAIT,
    )
    image = np.ravel(drawn(page, "image")["image"][0])
    np.testing.assert_allclose(image, signals - signals.mean(), atol=1e-5)
    page.get_by_label("Signal").first.select_option("CDM")
    expect(page.get_by_label("Presynaptic").first).to_have_value("I")
    status(page, "Live: shown up to 3.?000 ms")


@pytest.mark.compile
def test_following_a_simulation(page, tmp_path):
    """It comes, is shown while it grows, vanishes, and another one comes."""
    store = tmp_path / "x.zarr"
    with served(store, "--port", 0, "--every", 50) as (url, _):
        page.goto(url)
        status(page, "no store .*This page goes on when the store can be read")
        command = [sys.executable, STREAMED, store, "100000", "50"]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as simulation:
            try:
                status(page, "Live: shown up to")
                first = ends(page)
                page.wait_for_function(
                    """(first) => [...Bokeh.documents[0]._all_models.values()].filter(
                        (m) => m.name == 'traces')[0].data.x.some((t) => t > first + 200)""",
                    arg=first,
                    timeout=WAIT,
                )
                written_then = load(store)["time"].values[-1]
                assert first < ends(page) <= written_then + 2000
            finally:
                simulation.kill()
        assert simulation.returncode < 0  # it did not end by itself
        whole = load(store).load()
        status(page, f"newest sample at .*{whole['time'].values[-1] % 1000:g} ms")
        moved = tmp_path / "moved"
        store.rename(moved)
        status(page, "no store")
        moved.rename(store)
        status(page, "Live: shown up to")
        (store / ".zmetadata").write_text("{")
        status(page, "it is damaged")
        shutil.rmtree(store)
        other = written(store, 40, channels=3)
        status(page, "newest sample at 40 ms")
        other.write(noise(60, 41, channels=3))
        other.close()
        status(page, "newest sample at 100 ms")
        assert 99 <= ends(page) <= 100  # bins have two samples
