"""Where the site and the repository are, from pyproject.toml, and a site of several versions.

    python docs/_ext/versions.py out/docs/html out/site

adds what `make docs` made to those of earlier versions under out/site, which is then put where
pyproject.toml says that the documentation is.
"""

import json
import shutil
import sys
from pathlib import Path
from typing import Any

from packaging.version import Version

try:
    import tomllib
except ModuleNotFoundError:  # Python 3.10, where Sphinx brings it
    import tomli as tomllib

ROOT = Path(__file__).parents[2]
SETTING = """\
[project.urls]
Documentation = "https://..."  # where `make site` will be put
Repository = "https://..."
"""


def addresses() -> dict[str, str]:
    """``Documentation`` and ``Repository``, as far as pyproject.toml has them."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return project.get("urls", {})


def theme_options(urls: dict[str, str], version: str) -> dict[str, Any]:
    """What the theme is told of addresses; nothing where there are none."""
    options: dict[str, Any] = {}
    if "Repository" in urls:
        icon = {"name": "Repository", "url": urls["Repository"], "icon": "fa-brands fa-git-alt"}
        options["icon_links"] = [icon]
    if "Documentation" in urls:
        site = urls["Documentation"].rstrip("/")
        options["switcher"] = {"json_url": f"{site}/switcher.json", "version_match": version}
        options["check_switcher"] = False  # it is where the site will be
        options["navbar_end"] = ["version-switcher", "theme-switcher", "navbar-icon-links"]
    return options


def publish(html: Path, site: Path, version: str, urls: dict[str, str]) -> None:
    """Add a version to a site, list all versions, and let the newest be the first page."""
    if "Documentation" not in urls:
        raise SystemExit(f"pyproject.toml does not say where the site will be:\n\n{SETTING}")
    shutil.copytree(html, site / version, dirs_exist_ok=True)
    there = sorted((path.parent.name for path in site.glob("*/index.html")), key=Version)
    address = urls["Documentation"].rstrip("/")
    listed = [
        {"version": name, "url": f"{address}/{name}/", "preferred": name == there[-1]}
        for name in reversed(there)
    ]
    (site / "switcher.json").write_text(json.dumps(listed, indent=1), encoding="utf-8")
    (site / "index.html").write_text(
        f'<!doctype html><meta http-equiv="refresh" content="0; url={there[-1]}/">\n',
        encoding="utf-8",
    )


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT / "python"))
    import nestlfp

    publish(Path(sys.argv[1]), Path(sys.argv[2]), nestlfp.__version__, addresses())
