"""The code blocks of the documentation, and the doctests, as a reader would run them."""

import doctest
import importlib
import pkgutil
import re
import shutil
from pathlib import Path

import pytest

import nestlfp
from environments import run

ROOT = Path(__file__).parents[1]
PAGES = ("sources", "neuron_kernels", "closed_loop", "activity")
BLOCKS = {
    f"{page}: {section.partition(chr(10))[0]}": {
        language: "\n".join(re.findall(rf"^```{language}\n(.*?)^```", section, re.M | re.S))
        for language in ("python", "bash")
    }
    for page in PAGES
    for section in re.split(
        "^## ", (ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8"), flags=re.MULTILINE
    )[1:]
}


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """A folder with the example's cells."""
    folder = tmp_path_factory.mktemp("checkout")
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "examples", folder / "examples", ignore=ignored)
    return folder


@pytest.mark.compile
@pytest.mark.parametrize("section", [name for name, code in BLOCKS.items() if any(code.values())])
def test_sections(checkout, hagen, section):
    """Python, then the commands on what it wrote."""
    hagen.save(checkout / "kernels.nc")
    script = checkout / "script.py"
    script.write_text(BLOCKS[section]["python"], encoding="utf-8")
    run("python script.py", checkout, PYNEST_QUIET="1")
    run(BLOCKS[section]["bash"], checkout)


@pytest.mark.parametrize(
    ("page", "least"), [("sources", 5), ("neuron_kernels", 4), ("closed_loop", 2), ("activity", 5)]
)
def test_every_page_has_examples(page, least):
    examples = [code for name, code in BLOCKS.items() if name.startswith(page) and code["python"]]
    assert len(examples) >= least


def broken(name):
    raise ImportError(f"the package {name} cannot be imported")


MODULES = [
    module.name
    for module in pkgutil.walk_packages(nestlfp.__path__, "nestlfp.", onerror=broken)
    if not module.name.endswith("__main__")
]


def test_doctests_are_found_at_any_depth():
    assert {"nestlfp.state_space.design", "nestlfp.sources.hybrid.network"} <= set(MODULES)


@pytest.mark.parametrize("name", MODULES)
def test_docstrings(name):
    assert doctest.testmod(importlib.import_module(name)).failed == 0
