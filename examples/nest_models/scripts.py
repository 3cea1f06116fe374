"""NEST's own scripts, with the lines that docs/nest_models.md adds to them.

The scripts are NEST's, and none of their text is here: a copy of the script and its neighbours is
made in a folder of the user's, and the lines are put into it.
"""

import importlib.util
import os
import re
import subprocess
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path

from nestlfp.build.toolchain import find_nest
from nestlfp.errors import NestLFPError

PAGE = Path(__file__).resolve().parents[2] / "docs" / "nest_models.md"
PACKAGE = "microcircuit"  # whose script comes with the package, and not with NEST
BLOCK = re.compile(
    r"^(?:In `(?P<file>\S+)`, after|After|(?P<instead>In place of)) `(?P<line>[^`\n]+)`:\n\n"
    r"```python\n(?P<code>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)


class ScriptError(NestLFPError):
    """A script is not there, or is not the one that the page was written for."""


@dataclass(frozen=True)
class Addition:
    """Lines, and after which line of which file they come, or in place of which."""

    file: str
    line: str
    code: str
    instead: bool = False


@dataclass(frozen=True)
class Model:
    """A section of the page: its title, NEST's script, and the lines to add."""

    title: str
    script: str
    additions: tuple[Addition, ...]

    @property
    def name(self) -> str:
        """Of its files: the script's, or its folder's where that says more."""
        path = Path(self.script)
        return path.parent.name if path.stem in {"__main__", "run_simulation"} else path.stem


def models(page: Path = PAGE) -> dict[str, Model]:
    """The page's models, by name."""
    found = {}
    for section in re.split("^## ", page.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
        script = re.search(r"^`(\S+\.py)`", section, re.MULTILINE)
        if script is None:
            continue
        additions = tuple(
            Addition(
                block["file"] or script[1], block["line"], block["code"], bool(block["instead"])
            )
            for block in BLOCK.finditer(section)
        )
        model = Model(section.partition("\n")[0], script[1], additions)
        found[model.name] = model
    return found


def examples_of_nest() -> Path:
    """Where NEST's wheel has its examples."""
    return find_nest().package / "doc" / "examples" / "pynest"


def run(model: Model, examples: Path, folder: Path) -> str:
    """Run a script with the lines added, in a folder in which it leaves its files.

    Parameters
    ----------
    model : Model
        What to run.
    examples : Path
        NEST's ``pynest/examples``.
    folder : Path
        Where to, made if need be. Copies of the script and its neighbours are put there.

    Returns
    -------
    str
        What it printed.

    Raises
    ------
    ScriptError
        If the script or a line of it is missing, or if it fails.
    """
    source = _folder_of(model, examples)
    texts = {path.name: path.read_text(encoding="utf-8") for path in source.glob("*.py")}
    for addition in model.additions:
        name = Path(addition.file).name
        texts[name] = with_addition(texts[name], addition)
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, Path(model.script).name, *(["run"] if source.name == PACKAGE else [])],
        cwd=folder, env={**os.environ, "MPLBACKEND": "Agg"}, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    if done.returncode:
        raise ScriptError(f"{model.script} with the lines of the page fails:\n{done.stderr}")
    return done.stdout


def _folder_of(model: Model, examples: Path) -> Path:
    """Where the script lies."""
    if model.script.startswith(f"{PACKAGE}/"):
        spec = importlib.util.find_spec(PACKAGE)
        if spec is None or spec.origin is None:
            raise ScriptError(f"No module named {PACKAGE!r}: pip install 'nestlfp[{PACKAGE}]'")
        return Path(spec.origin).parent
    if not (examples / model.script).is_file():
        raise ScriptError(
            f"{examples} has no {model.script}: name the folder pynest/examples of NEST's "
            "repository, --examples nest-simulator/pynest/examples"
        )
    return (examples / model.script).parent


def with_addition(text: str, addition: Addition) -> str:
    """A script with lines added, as far to the right as the line that they follow."""
    lines = text.splitlines(keepends=True)
    found = [i for i, line in enumerate(lines) if line.strip() == addition.line]
    if len(found) != 1:
        raise ScriptError(
            f"{addition.file} has the line {addition.line!r} {len(found)} times instead of once: "
            "the page is written for the scripts of NEST 3.10"
        )
    at = found[0]
    margin = lines[at][: len(lines[at]) - len(lines[at].lstrip())]
    added = textwrap.indent(addition.code, margin)
    return "".join([*lines[: at + (not addition.instead)], added, *lines[at + 1 :]])
