"""Packages import from lower layers only: the order is that of docs/architecture.md."""

import ast
import re
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "python" / "nestlfp"
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
LAYERS = [
    re.findall(r"`(\w+)[/`]", line)
    for line in re.findall(r"^\| \d+ \|([^|]*)\|", PAGE, flags=re.MULTILINE)
]
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}
FILES = sorted(PACKAGE.rglob("*.py"))


def imported(path):
    """Names of the modules below nestlfp that a file imports, wherever in it."""
    package = ("nestlfp", *path.relative_to(PACKAGE).parent.parts)
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join([*base, *([node.module] if node.module else [])])
            found = [f"{module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            found = [alias.name for alias in node.names]
        else:
            continue
        yield from (name.split(".")[1:] for name in found if name.split(".")[0] == "nestlfp")


def test_every_package_has_a_layer():
    names = {path.relative_to(PACKAGE).parts[0].removesuffix(".py") for path in FILES}
    assert names - {"__init__", "__main__"} == set(LEVEL)
    assert len(LAYERS) >= 8


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_nothing_imports_upwards(path):
    name = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    if name in {"__init__", "__main__"}:
        return  # they have names of all packages
    for target in imported(path):
        if not target or target[0] not in LEVEL:
            continue  # nestlfp.__version__
        same = target[0] == name
        assert same or LEVEL[target[0]] < LEVEL[name], f"{path} imports {'.'.join(target)}"


def module(path):
    """The name of a file's module below nestlfp, in parts."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return parts[:-1] if parts[-1] == "__init__" else parts


def test_no_modules_import_each_other():
    """Nor in a circle of several; imports within functions and for type checkers count."""
    modules = {module(path) for path in FILES}
    graph = {}
    for path in FILES:
        targets = [tuple(target) for target in imported(path)]
        found = {target if target in modules else target[:-1] for target in targets}
        graph[module(path)] = found - {module(path)}
    TopologicalSorter(graph).prepare()  # raises a CycleError that names the modules


DOOR = PACKAGE / "simulator"
OTHER_PROCESS = PACKAGE / "build" / "trial_in_nest.py"  # which needs NEST and nothing of nestlfp


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_nothing_but_the_simulator_package_asks_nest(path):
    if path.is_relative_to(DOOR) or path == OTHER_PROCESS:
        return
    names = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names += [node.module or ""] if not node.level else []
        elif isinstance(node, ast.Attribute):  # of the module that the door keeps for itself
            names += ["nest"] if node.attr == "module" else []
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            called = getattr(node.func, "id", getattr(node.func, "attr", ""))
            names += [str(node.args[0].value)] if called in {"require", "import_module"} else []
    assert "nest" not in {name.split(".")[0] for name in names}
