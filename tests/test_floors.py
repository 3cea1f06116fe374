"""Lower floors never import higher ones: the order is that of docs/architecture.md."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "python" / "nestlfp"
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
FLOORS = [
    re.findall(r"`(\w+)[/`]", line)
    for line in re.findall(r"^\| \d+ \|([^|]*)\|", PAGE, flags=re.MULTILINE)
]
LEVEL = {room: level for level, rooms in enumerate(FLOORS) for room in rooms}
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


def test_every_room_has_a_floor():
    rooms = {path.relative_to(PACKAGE).parts[0].removesuffix(".py") for path in FILES}
    assert rooms - {"__init__", "__main__"} == set(LEVEL)
    assert len(FLOORS) >= 8


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_nothing_imports_upwards(path):
    room = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    if room in {"__init__", "__main__"}:
        return  # the front door knows all rooms
    for target in imported(path):
        if not target or target[0] not in LEVEL:
            continue  # nestlfp.__version__
        same = target[0] == room
        assert same or LEVEL[target[0]] < LEVEL[room], f"{path} imports {'.'.join(target)}"
