"""The documentation site: built without a warning, its links followed, looked at in a browser."""

import re
import shutil
import subprocess
import sys
from functools import partial
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from sites import served

from nestlfp.cli import app
from view.served import chromium

pytestmark = [pytest.mark.docs, pytest.mark.compile]

ROOT = Path(__file__).parents[2]
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
SITE = ROOT / "out" / "docs" / "html"
MAIN = (
    "index",
    "start",
    "tutorials/index",
    "tutorials/01_from_lfpykernels",
    "tutorials/03_eeg_and_meg",
    "howto",
    "sources",
    "coming_from",
    "validation",
    "scaling",
    "parameter_estimation",
    "gallery",
    "commands",
    "limits",
    "api",
    "api/nestlfp.KernelSet",
    "api/nestlfp.FieldRecorder",
)


@pytest.fixture(scope="module")
def site():
    """What `make docs` makes."""
    (command,) = re.findall(r"^\t\$\(BIN\)/python (-m sphinx .*)$", MAKEFILE, re.M)
    assert "-W" in command.split()
    shutil.rmtree(SITE, ignore_errors=True)
    done = subprocess.run(
        [sys.executable, *command.split()], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return SITE


def html(site):
    """Pages, without the theme's templates."""
    return [path for path in site.rglob("*.html") if "_static" not in path.parts]


class Links(HTMLParser):
    """Where a page leads, and the places in it that others may lead to."""

    def __init__(self, text):
        super().__init__()
        self.targets, self.names = [], set()
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.names |= {found[key] for key in ("id", "name") if found.get(key)}
        for key in ("href", "src"):
            if found.get(key):
                self.targets.append(found[key])


def test_links_within_the_site_lead_somewhere(site):
    pages = {path: Links(path.read_text(encoding="utf-8")) for path in html(site)}
    assert len(pages) > 60
    followed = 0
    for page, links in pages.items():
        for target in links.targets:
            parts = urlsplit(target)
            if parts.scheme or parts.netloc:
                continue
            aim = (page.parent / unquote(parts.path)).resolve() if parts.path else page
            assert aim.exists(), f"{page.relative_to(site)} leads to {target}"
            if parts.fragment and aim in pages:
                followed += 1
                assert unquote(parts.fragment) in pages[aim].names | {"top"}, (
                    f"{page.relative_to(site)} leads to {target}"
                )
    assert followed > 500


def test_every_page_is_in_the_navigation(site):
    """Sphinx warns of pages in no table of contents; here, that readers come to all of them."""
    seen, next_ones = set(), [site / "index.html"]
    while next_ones:
        page = next_ones.pop()
        if page in seen or page.suffix != ".html":
            continue
        seen.add(page)
        for target in Links(page.read_text(encoding="utf-8")).targets:
            parts = urlsplit(target)
            if parts.path and not parts.scheme:
                next_ones.append((page.parent / unquote(parts.path)).resolve())
    missing = {path.name for path in html(site)} - {path.name for path in seen}
    assert missing <= {"search.html", "py-modindex.html", "genindex.html"}


def test_notebooks_were_run(site):
    for source in sorted((ROOT / "docs" / "tutorials").glob("0*.md")):
        page = (site / "tutorials" / f"{source.stem}.html").read_text(encoding="utf-8")
        cells = source.read_text(encoding="utf-8").count("```{code-cell}")
        assert page.count('class="cell docutils') == cells
        assert page.count("cell_output") > cells / 3
        for wrong in ("Traceback", "Warning", "command not found", str(ROOT)):
            assert wrong not in page, f"{source.stem}: {wrong}"


def test_the_command_line_is_that_of_the_program(site):
    page = (site / "commands.html").read_text(encoding="utf-8")
    names = [command.name or command.callback.__name__ for command in app.registered_commands]
    assert len(names) >= 5
    for name in names:
        assert f'id="nestlfp-{name}"' in page
        assert f"Usage: nestlfp {name}" in page
    assert "--method" in page


# ---------------------------------------------------------------------- in a browser
@pytest.fixture(scope="module")
def address(site):
    quiet = type("Quiet", (SimpleHTTPRequestHandler,), {"log_message": lambda *_: None})
    with served(partial(quiet, directory=str(site))) as found:
        yield found


@pytest.fixture(scope="module")
def browser():
    with chromium() as found:
        yield found


def opened(browser, width, **options):
    """A tab whose pages' errors are collected; nothing leaves this machine."""
    tab = browser.new_page(viewport={"width": width, "height": 900}, **options)
    wrong = []
    tab.on("pageerror", lambda error: wrong.append(str(error)))
    # Formulas are set by MathJax, which comes from its own site.
    tab.route(lambda url: "127.0.0.1" not in url, lambda route: route.abort())
    return tab, wrong


@pytest.mark.parametrize("width", [390, 1440])
def test_pages_fit(address, browser, width):
    tab, wrong = opened(browser, width)
    for page in MAIN:
        tab.goto(f"{address}/{page}.html")
        wide = tab.evaluate("document.documentElement.scrollWidth")
        assert wide <= width, f"{page} is {wide} pixels wide on a screen of {width}"
        assert tab.locator("h1").first.is_visible()
        # A picture that is shown with another aspect than it has was squeezed.
        squeezed = tab.evaluate(
            """() => [...document.querySelectorAll("article img")].filter(i => i.naturalWidth &&
            Math.abs(i.clientWidth / i.clientHeight - i.naturalWidth / i.naturalHeight)
            > 0.05 * i.naturalWidth / i.naturalHeight).map(i => i.src)"""
        )
        assert not squeezed
    assert not wrong
    tab.close()


def test_what_is_shown_in_notebooks_can_be_read_on_dark_pages(address, browser):
    tab, _ = opened(browser, 1440, color_scheme="dark")
    tab.goto(f"{address}/tutorials/01_from_lfpykernels.html")
    assert tab.evaluate("document.documentElement.dataset.theme") == "dark"
    colours = """(selector) => {
        const shown = document.querySelector(selector);
        let ground = shown;
        const of = (e) => getComputedStyle(e).backgroundColor;
        while (of(ground) === "rgba(0, 0, 0, 0)" && ground.parentElement)
            ground = ground.parentElement;
        return [getComputedStyle(shown).color, of(ground)];
    }"""
    for selector in (".nestlfp-card td", ".xr-wrap .xr-var-dims"):
        ink, ground = (
            sum(map(float, re.findall(r"\d+", colour)[:3])) / 765
            for colour in tab.evaluate(colours, selector)
        )
        assert abs(ink - ground) > 0.4, selector
    tab.close()


def test_the_search_finds(address, browser):
    tab, wrong = opened(browser, 1440)
    tab.goto(f"{address}/search.html?q=FieldRecorder")
    tab.locator("#search-results li a").first.wait_for(timeout=20_000)
    found = tab.locator("#search-results li a").all_inner_texts()
    assert any("FieldRecorder" in text for text in found)
    assert not wrong
    tab.close()
