"""Addresses of the site and the repository: one setting, and a site of several versions."""

import json
import subprocess
import sys
from functools import partial
from http.server import SimpleHTTPRequestHandler
from pathlib import Path

import pytest
from sites import served

from view.served import chromium

sys.path.insert(0, str(Path(__file__).parents[2] / "docs" / "_ext"))
import versions


def test_without_a_setting_nothing_is_said(tmp_path):
    assert versions.theme_options({}, "1.0") == {}
    with pytest.raises(SystemExit, match=r"\[project\.urls\]\nDocumentation = "):
        versions.publish(tmp_path, tmp_path / "site", "1.0", {})
    assert not (tmp_path / "site").exists()


def test_versions_are_listed_from_the_newest(tmp_path):
    html = tmp_path / "html"
    html.mkdir()
    (html / "index.html").write_text("a page")
    for version in ("0.9.0", "0.10.0", "0.2.0"):
        versions.publish(html, tmp_path / "site", version, {"Documentation": "https://here/docs/"})
    listed = json.loads((tmp_path / "site" / "switcher.json").read_text())
    assert [one["version"] for one in listed] == ["0.10.0", "0.9.0", "0.2.0"]
    assert [one["preferred"] for one in listed] == [True, False, False]
    assert listed[1]["url"] == "https://here/docs/0.9.0/"
    assert "url=0.10.0/" in (tmp_path / "site" / "index.html").read_text()


@pytest.mark.docs
def test_a_reader_changes_the_version(tmp_path):
    """Two versions of a page, built with the theme and published, in a browser."""
    site = tmp_path / "site"
    site.mkdir()
    quiet = type("Quiet", (SimpleHTTPRequestHandler,), {"log_message": lambda *_: None})
    with served(partial(quiet, directory=str(site))) as address, chromium() as browser:
        urls = {"Documentation": address, "Repository": f"{address}/repository"}
        for version in ("0.1.0", "0.2.0"):
            source = tmp_path / version
            source.mkdir()
            options = versions.theme_options(urls, version)
            (source / "conf.py").write_text(
                f"html_theme = 'pydata_sphinx_theme'\nversion = release = {version!r}\n"
                f"html_theme_options = {options!r}\n"
            )
            (source / "index.rst").write_text(f"Page\n====\n\nof {version}\n")
            html = tmp_path / f"html-{version}"
            build = [sys.executable, "-m", "sphinx", "-q", "-W", source, html]
            subprocess.run(build, check=True)
            versions.publish(html, site, version, urls)
        tab = browser.new_page(viewport={"width": 1440, "height": 900})
        tab.goto(f"{address}/index.html")
        tab.wait_for_url("**/0.2.0/")
        assert tab.locator(f'a[href="{urls["Repository"]}"]').count()
        tab.locator(".version-switcher__button:visible").click()
        tab.locator(".version-switcher__menu:visible a", has_text="0.1.0").click()
        tab.wait_for_url("**/0.1.0/**")
        assert "of 0.1.0" in tab.locator("article").inner_text()
