"""Sdist, wheel, and what else the project hands out: complete, and of one version."""

import email
import json
import py_compile
import re
import tarfile
import zipfile
from pathlib import Path

import pytest
import yaml

import nestlfp
from environments import run
from nestlfp import extras

tomllib = pytest.importorskip("tomllib")  # of Python 3.11

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
SPACK = sorted((ROOT / "packaging" / "spack" / "packages").glob("*/package.py"))
NEEDED = {re.match(r"[\w-]+", requirement)[0] for requirement in PROJECT["dependencies"]}


@pytest.fixture(scope="module")
def dist(tmp_path_factory):
    """Folder of the sdist, and of the wheel that is built from it."""
    folder = tmp_path_factory.mktemp("dist")
    run(f"git clone --quiet {ROOT} checkout", folder)
    run("python -m build --no-isolation -o .. .", folder / "checkout")
    return folder


def test_metadata_are_in_order(dist):
    told = run("twine check --strict *.tar.gz *.whl", dist)
    assert told.count("PASSED") == 2
    (wheel,) = dist.glob("*.whl")
    assert wheel.name == f"nestlfp-{nestlfp.__version__}-py3-none-any.whl"
    with zipfile.ZipFile(wheel) as file:
        text = file.read(f"nestlfp-{nestlfp.__version__}.dist-info/METADATA").decode()
    told = email.message_from_string(text)
    assert told["Version"] == nestlfp.__version__
    assert told["Requires-Python"] == ">=3.10"
    assert told["License-Expression"] == "GPL-3.0-or-later"


def test_the_wheel_of_the_sdist_is_that_of_the_checkout(dist, tmp_path):
    run(f"python -m build --wheel --no-isolation -o {tmp_path} {dist}/checkout")
    names = [
        sorted(zipfile.ZipFile(wheel).namelist())
        for wheel in (*dist.glob("*.whl"), *tmp_path.glob("*.whl"))
    ]
    assert names[0] == names[1]
    for name in (
        "nestlfp/py.typed",
        "nestlfp/module/CMakeLists.txt",
        "nestlfp/module/models/FIR_filter.nestml.jinja",
        "nestlfp/build/headers/ltdl.h",
        "nestlfp/build/headers/older/older_libraries.h",
    ):
        assert name in names[0]
    assert not [name for name in names[0] if name.startswith("nestlfp/module/prebuilt")]


def test_the_sdist_is_complete(dist):
    """All that is committed but continuous integration's own."""
    (sdist,) = dist.glob("*.tar.gz")
    with tarfile.open(sdist) as file:
        has = {name.partition("/")[2] for name in file.getnames()}
    committed = set(run("git ls-files", dist / "checkout").splitlines())
    missing = {name for name in committed - has if not name.startswith((".ci/", ".github/"))}
    assert not missing


# ---------------------------------------------------------------------- versions
def test_there_is_one_version():
    version = nestlfp.__version__
    assert "version" in PROJECT["dynamic"]
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text())["version"] == version
    changes = (ROOT / "CHANGELOG.md").read_text()
    assert re.search(r"^## (\S+)", changes, re.MULTILINE)[1] == version
    recipe = yaml.safe_load((ROOT / "packaging" / "conda" / "recipe.yaml").read_text())
    assert recipe["context"]["version"] == version
    package = (ROOT / "packaging" / "spack" / "packages" / "py_nestlfp" / "package.py").read_text()
    assert f'version("{version}")' in package
    assert f"py-nestlfp@{version}" in (ROOT / "packaging" / "README.md").read_text()


def test_the_citation_has_what_a_reader_needs():
    """The fields that version 1.2.0 of the format asks for; and the paper's."""
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["cff-version"] == "1.2.0"
    assert {"message", "title", "authors"} <= set(citation)
    assert citation["license"] == PROJECT["license"]
    (paper,) = citation["references"]
    assert paper["doi"] == "10.1371/journal.pcbi.1010353"


# ---------------------------------------------------------------------- recipes
@pytest.mark.parametrize("platform", ["linux-64", "osx-arm64"])
def test_the_conda_recipe_renders(platform):
    import rattler_build as rb

    recipe = rb.Stage0Recipe.from_file(str(ROOT / "packaging" / "conda" / "recipe.yaml"))
    config = rb.RenderConfig(rb.PlatformConfig(target_platform=platform, build_platform="linux-64"))
    (variant,) = recipe.render(render_config=config)
    told = variant.recipe.to_dict()
    assert told["package"] == {"name": "nestlfp", "version": nestlfp.__version__}
    needed = {entry.split()[0].lower() for entry in told["requirements"]["run"]}
    assert needed >= NEEDED
    assert "python >=3.10" in told["requirements"]["run"]
    for file in told["about"]["license_file"]:
        assert (ROOT / file).is_file()


@pytest.mark.parametrize("path", SPACK, ids=lambda path: path.parent.name)
def test_spack_packages_are_python(path, tmp_path):
    """The name of the class is the folder's; Spack itself is not to be had everywhere."""
    py_compile.compile(str(path), cfile=str(tmp_path / "compiled"), doraise=True)
    words = path.parent.name.split("_")
    assert re.search(rf"^class {''.join(w.capitalize() for w in words)}\(", path.read_text(), re.M)


def test_spack_knows_what_nestlfp_needs():
    package = (ROOT / "packaging" / "spack" / "packages" / "py_nestlfp" / "package.py").read_text()
    told = {name.removeprefix("py-") for name in re.findall(r'depends_on\("([\w-]+)', package)}
    assert told >= NEEDED


# ---------------------------------------------------------------------- pages
def test_contributors_are_told_what_is_there():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    architecture = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    quick = '-m "not compile and not mpi and not bare and not docs"'
    assert quick in text
    assert quick in architecture
    targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert set(re.findall(r"(?:^|`)make ([\w-]+)", text, re.MULTILINE)) <= set(targets)
    for name in re.findall(r"\]\(([^)#]+)\)", text):
        assert (ROOT / name).exists(), name
    package = ROOT / "python" / "nestlfp"
    for name in re.findall(r"`([\w./]+(?:/|\.py|\.md|\.cff|\.toml))`", text):
        assert any((folder / name).exists() for folder in (ROOT, package)), name


def test_the_workflow_calls_what_is_called_here():
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())
    steps = workflow["jobs"]["test"]["steps"]
    assert any(".ci/run" in step.get("run", "") for step in steps)
    forms = list((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"))
    assert len(forms) >= 3
    for form in forms:
        told = yaml.safe_load(form.read_text(encoding="utf-8"))
        assert form.name == "config.yml" or {"name", "description", "body"} <= set(told)


def test_a_package_that_is_not_there_for_an_older_python(monkeypatch):
    assert extras.PYTHON["zarr"] == (3, 11)  # as the marker of the extra says
    assert "python_version>='3.11'" in PROJECT["optional-dependencies"]["stream"][0]
    monkeypatch.setitem(extras.PYTHON, "zarr", (9, 9))
    with pytest.raises(nestlfp.errors.MissingExtraError, match=r"zarr needs Python 9\.9 or newer"):
        extras.require("zarr", "stream")
    assert extras.require("json", "none") is json
