"""Sdist, wheel, and what else the project hands out: complete, and of one version."""

import ast
import email
import importlib.metadata
import json
import py_compile
import re
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

import nestlfp
from environments import run
from nestlfp import extras

tomllib = pytest.importorskip("tomllib")  # of Python 3.11

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
SPACK = sorted((ROOT / "packaging" / "spack" / "packages").glob("*/package.py"))
EXTRAS = PROJECT["optional-dependencies"]
# What a person may read: pages, scripts and what nestlfp says.
READ = [
    path
    for pattern in ("*.md", "docs/**/*.md", "packaging/**/*", "examples/**/*", "python/**/*")
    for path in sorted(ROOT.glob(pattern))
    if path.suffix in {".md", ".py", ".sh", ".def", ".yaml"}
]
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
    assert "make quick\n" in text
    assert "make quick " in architecture
    targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert set(re.findall(r"(?:^|`)make ([\w-]+)", text, re.MULTILINE)) <= set(targets)
    for name in re.findall(r"\]\(([^)#]+)\)", text):
        assert (ROOT / name).exists(), name
    package = ROOT / "python" / "nestlfp"
    for name in re.findall(r"`([\w./]+(?:/|\.py|\.md|\.cff|\.toml))`", text):
        assert any((folder / name).exists() for folder in (ROOT, package)), name


WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def commands_of(job):
    """What the steps of a job run, one string."""
    return "\n".join(step.get("run", "") for step in job["steps"])


@pytest.mark.parametrize("path", WORKFLOWS, ids=[path.stem for path in WORKFLOWS])
def test_workflows_call_what_is_there(path):
    """Targets of make, folders of tests, jobs that others need."""
    workflow = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert workflow[True], "YAML takes the key on for true"
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = re.findall(r"^([\w./-]+):", makefile, re.MULTILINE)
    for job in workflow["jobs"].values():
        assert job.get("needs", next(iter(workflow["jobs"]))) in workflow["jobs"]
        for step in job["steps"]:
            assert ("run" in step) != ("uses" in step)
            assert re.fullmatch(r"[\w-]+/[\w-]+@[\w./-]+", step.get("uses", "a/b@c"))
        told = commands_of(job)
        asked = re.findall(r"^(?:sudo env \S+ )?make ([\w./-]+)", told, re.MULTILINE)
        assert set(asked) <= set(targets), asked
        for name in re.findall(r"\btests/[\w./]+", told):
            assert (ROOT / name).exists(), name


def test_the_workflow_calls_what_is_called_here():
    jobs = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())["jobs"]
    assert ".ci/run" in commands_of(jobs["test"])
    pythons = jobs["quick"]["strategy"]["matrix"]["python"]
    offered = {f"Programming Language :: Python :: {number}" for number in pythons}
    assert offered == {
        name for name in PROJECT["classifiers"] if re.search(r":: Python :: 3\.\d", name)
    }
    assert "QUICK :=" in commands_of(jobs["macos"])
    updates = yaml.safe_load((ROOT / ".github" / "dependabot.yml").read_text())["updates"]
    assert {"github-actions", "pip"} == {each["package-ecosystem"] for each in updates}


def test_hooks_are_programs_that_pyproject_asks_for():
    told = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    entries = [hook["entry"].split()[0] for repo in told["repos"] for hook in repo["hooks"]]
    asked = {re.match(r"[\w-]+", requirement)[0] for requirement in EXTRAS["test"]}
    assert {Path(entry).name for entry in entries} == {"ruff", "mypy"} <= asked
    assert {Path(entry).parent for entry in entries} == {Path(".venv/bin")}
    forms = list((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"))
    assert len(forms) >= 3
    for form in forms:
        told = yaml.safe_load(form.read_text(encoding="utf-8"))
        assert form.name == "config.yml" or {"name", "description", "body"} <= set(told)


def test_extras_that_are_named_exist():
    asked = {
        (extra, path.name)
        for path in READ
        for found in re.findall(
            r"(?:nestlfp|'\.)\[([\w,]+)\]|extra `+(\w+)`|extra '(\w+)'|^EXTRA = \"(\w+)\"",
            path.read_text(encoding="utf-8"),
            re.MULTILINE,
        )
        for extra in "".join(found).split(",")
    }
    assert len(asked) > 20
    assert {extra for extra, _ in asked} <= set(EXTRAS), asked


def test_files_that_are_named_exist():
    folders = "tests|examples|benchmarks|docs|models|packaging|python/nestlfp"
    pattern = re.compile(rf"(?<![\w./-])((?:{folders})/[\w/.*-]*\w)")
    named = {
        (name, path)
        for path in READ
        if path.suffix == ".md"
        for name in pattern.findall(path.read_text(encoding="utf-8"))
    }
    assert len(named) > 50
    for name, path in named:
        assert list(ROOT.glob(name)), f"{path} names {name}"


@pytest.mark.slow
def test_what_is_imported_is_asked_for():
    """Here, and by the extra that the error names where it is missing."""
    packages = importlib.metadata.packages_distributions()
    brought = {extra: names_of(extra) for extra in EXTRAS}
    for path in sorted((ROOT / "python").rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and not node.level:
                names = [node.module]
            elif isinstance(node, ast.Call) and getattr(node.func, "id", "") == "require":
                module, extra = node.args
                if isinstance(module, ast.Constant):
                    extra = value_in(path, extra)
                    name = module.value.partition(".")[0]
                    assert normal(packages.get(name, [name])[0]) in brought[extra], path
                continue
            else:
                continue
            for name in {name.partition(".")[0] for name in names} - KNOWN:
                found = normal(packages.get(name, [name])[0])
                assert found in NEEDED or found in set().union(*brought.values()), path


KNOWN = {"nestlfp", "typing_extensions", *sys.stdlib_module_names}


def value_in(path, node):
    """What an expression in this module is there, such as EXTRA or lfpykernels.EXTRA."""
    parts = path.relative_to(ROOT / "python").with_suffix("").parts
    return eval(ast.unparse(node), vars(importlib.import_module(".".join(parts))))


def normal(name):
    return name.lower().replace("_", "-")


def names_of(extra):
    """The packages that an extra brings, those of the extras that it names included."""
    found = set()
    for line in EXTRAS[extra]:
        others = re.match(r"nestlfp\[(.*)\]", line)
        if others:
            found |= set().union(*(names_of(other) for other in others[1].split(",")))
        else:
            found.add(normal(re.match(r"[\w-]+", line)[0]))
    return found


def test_every_requirement_has_a_lower_bound():
    lines = [*PROJECT["dependencies"], *(line for extra in EXTRAS.values() for line in extra)]
    assert not [line for line in lines if ">=" not in line and not line.startswith("nestlfp[")]


def test_continuous_integration_does_what_the_readme_says_first():
    """In the environment that `make demo` makes; and pytest has the last word."""
    lines = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    steps = [line for line in lines if line.startswith(("make ", "exec "))]
    assert steps[:2] == ["make demo", "make test"]
    assert steps.index("make inference") > steps.index("make lint") > 1
    assert "make lowest" in steps
    assert "-m pytest" in lines[-1]
    assert "set -euo pipefail" in lines


def test_a_package_that_is_not_there_for_an_older_python(monkeypatch):
    assert extras.PYTHON["zarr"] == (3, 11)  # as the marker of the extra says
    assert "python_version>='3.11'" in PROJECT["optional-dependencies"]["stream"][0]
    monkeypatch.setitem(extras.PYTHON, "zarr", (9, 9))
    with pytest.raises(nestlfp.errors.MissingExtraError, match=r"zarr needs Python 9\.9 or newer"):
        extras.require("zarr", "stream")
    assert extras.require("json", "none") is json


def test_the_page_on_installation_has_the_packages_of_every_extra():
    page = (ROOT / "docs" / "install.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `(\w+)` \| .* \| (.*) \|$", page, re.M))
    assert rows.keys() == EXTRAS.keys() - {"docs", "test"}
    for extra, text in rows.items():
        asked = [Requirement(line) for line in EXTRAS[extra]]
        wanted = {one.name for one in asked if one.name != "nestlfp"}
        wanted |= {name for one in asked if one.name == "nestlfp" for name in one.extras}
        assert set(re.findall(r"`(.+?)`", text)) == wanted, extra
