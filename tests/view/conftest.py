"""A real browser, and pages of a real server."""

import pytest
from served import chromium


@pytest.fixture(scope="module")
def browser():
    """Debian's Chromium, without a window."""
    with chromium() as found:
        yield found


@pytest.fixture
def page(browser):
    """A tab as wide as a desktop; what it asks of other machines, or reports, is an error."""
    tab = browser.new_page(viewport={"width": 1400, "height": 1100})
    wrong = []
    tab.on("pageerror", lambda error: wrong.append(str(error)))
    tab.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
    tab.on("request", lambda asked: wrong.append(asked.url) if outside(asked.url) else None)
    yield tab
    tab.close()
    assert not wrong


def outside(url):
    return not url.startswith(("http://127.0.0.1:", "http://localhost:", "data:", "blob:"))
