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
PAGES = [  # as they are written, and some of the reference
    *(path.relative_to(ROOT / "docs").with_suffix("") for path in (ROOT / "docs").glob("*.md")),
    *(path.relative_to(ROOT / "docs").with_suffix("") for path in (ROOT / "docs").glob("*/*.md")),
    "api/nestlfp.KernelSet",
    "api/nestlfp.FieldRecorder",
    "api/nestlfp.plotting.topomap",
    "api/nestlfp.sources.lfpykernels",
]


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


def test_nothing_is_fetched_to_read_a_page(site):
    """Scripts, styles, fonts and pictures are the site's own; formulas need no script."""
    formulas = 0
    for page in html(site):
        text = page.read_text(encoding="utf-8")
        fetched = re.findall(r"<(?:script|img|iframe|source)\b[^>]*\bsrc=\"([^\"]*)", text)
        fetched += re.findall(r"<link\b(?=[^>]*stylesheet)[^>]*\bhref=\"([^\"]*)", text)
        assert not [link for link in fetched if urlsplit(link).netloc], page
        formulas += text.count("<math ")
    assert formulas > 20


def test_papers_have_their_addresses(site):
    text = (ROOT / "docs" / "references.bib").read_text(encoding="utf-8")
    links = Links((site / "citation.html").read_text(encoding="utf-8")).targets
    for doi in re.findall(r"doi = {(.*)}", text):
        assert f"https://doi.org/{doi}" in links


def test_the_reference_leads_to_the_source_and_to_examples_and_back(site):
    for page in (site / "api").glob("*.html"):
        text = page.read_text(encoding="utf-8")
        assert "viewcode-link" in text or text.count('<dt class="sig ') == 0, page
    recorder = Links((site / "api" / "nestlfp.FieldRecorder.html").read_text(encoding="utf-8"))
    assert any(target.startswith("../closed_loop.html#") for target in recorder.targets)
    example = Links((site / "closed_loop.html").read_text(encoding="utf-8"))
    assert "api/nestlfp.FieldRecorder.html#nestlfp.FieldRecorder" in example.targets


def test_functions_that_draw_have_a_picture(site):
    names = re.findall(r"^   (nestlfp\.plotting\.\S+)$", (ROOT / "docs/api.md").read_text(), re.M)
    assert len(names) > 10
    for name in set(names) - {"nestlfp.plotting.save"}:
        links = Links((site / "api" / f"{name}.html").read_text(encoding="utf-8"))
        assert f"../_images/{name}.png" in links.targets, name


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


def test_tutorials_are_notebooks_to_download(site):
    import nbformat  # of the packages that build the site

    for source in sorted((ROOT / "docs" / "tutorials").glob("0*.md")):
        page = (site / "tutorials" / f"{source.stem}.html").read_text(encoding="utf-8")
        assert f"../notebooks/{source.stem}.ipynb" in Links(page).targets
        notebook = nbformat.read(site / "notebooks" / f"{source.stem}.ipynb", as_version=4)
        nbformat.validate(notebook)
        code = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
        assert len(code) == source.read_text(encoding="utf-8").count("```{code-cell}")
        assert notebook.cells[0].source.startswith("# ")


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
    """A tab that says what goes wrong: errors of pages, and what they want from elsewhere."""
    tab = browser.new_page(viewport={"width": width, "height": 900}, **options)
    wrong = []
    tab.on("pageerror", lambda error: wrong.append(str(error)))

    def refuse(route):
        wrong.append(f"{tab.url} wants {route.request.url}")
        route.abort()

    tab.route(lambda url: "127.0.0.1" not in url, refuse)
    return tab, wrong


# Whatever is wider than the page, and in nothing that scrolls.
OUTSIDE = """() => [...document.querySelectorAll("article :is(pre, table, img, math)")]
    .filter(shown => {
        if (shown.getBoundingClientRect().right <= innerWidth + 1) return false;
        for (let box = shown; box.tagName != "ARTICLE"; box = box.parentElement)
            if (["auto", "scroll"].includes(getComputedStyle(box).overflowX)) return false;
        return true;
    }).map(shown => shown.outerHTML.slice(0, 200))"""
# Pictures with another aspect than they have, but for those that are cut.
SQUEEZED = """() => [...document.querySelectorAll("article img")]
    .filter(shown => shown.naturalWidth && getComputedStyle(shown).objectFit == "fill" &&
        Math.abs(shown.clientWidth / shown.clientHeight * shown.naturalHeight
        / shown.naturalWidth - 1) > 0.05).map(shown => shown.src)"""


@pytest.mark.parametrize("width", [390, 1024, 1440])
def test_pages_fit(address, browser, width):
    tab, wrong = opened(browser, width)
    for page in PAGES:
        tab.goto(f"{address}/{page}.html")
        wide = tab.evaluate("document.documentElement.scrollWidth")
        assert wide <= width, f"{page} is {wide} pixels wide on a screen of {width}"
        assert not tab.evaluate(OUTSIDE), page
        assert not tab.evaluate(SQUEEZED), page
        assert tab.locator("h1").first.is_visible()
    assert not wrong
    tab.close()


def test_the_menu_has_one_line(address, browser):
    tab, _ = opened(browser, 1024)
    tab.goto(f"{address}/index.html")
    assert tab.locator(".bd-header").bounding_box()["height"] <= 80
    entries = tab.locator(".bd-header .navbar-nav:visible > .nav-item").all_inner_texts()
    assert [text.strip() for text in entries if text.strip()][-1] == "Gallery"
    tab.close()


def test_figures_keep_a_light_ground_on_dark_pages(address, browser):
    """Lines and letters of figures are dark, and their ground is transparent."""
    tab, _ = opened(browser, 1440, color_scheme="dark")
    for page in ("index", "gallery", "csd", "api/nestlfp.plotting.signals"):
        tab.goto(f"{address}/{page}.html")
        grounds = tab.evaluate(
            "[...document.querySelectorAll('article img')].map("
            "shown => getComputedStyle(shown).backgroundColor)"
        )
        assert grounds
        assert set(grounds) == {"rgb(255, 255, 255)"}, page
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


@pytest.mark.parametrize(
    ("words", "page"),
    [
        ("FieldRecorder", "nestlfp.FieldRecorder"),
        ("CSD", "Current source density"),
        ("NWB", "Signals in other programs"),
        ("EEG", "EEG and MEG"),
        ("MNE", "Signals in other programs"),
        ("PyNN", "PyNN, bmtk, SONATA and other ways to NEST"),
        ("plasticity", "Plastic synapses"),
    ],
)
def test_the_search_finds(address, browser, words, page):
    tab, wrong = opened(browser, 1440)
    tab.goto(f"{address}/search.html?q={words}")
    tab.locator("#search-results li a").first.wait_for(timeout=20_000)
    tab.locator("#search-results li a", has_text=page).first.wait_for(timeout=20_000)
    assert not wrong
    tab.close()
