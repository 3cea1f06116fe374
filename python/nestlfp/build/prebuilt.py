"""Modules that were compiled beforehand and come inside nestlfp's platform wheel.

They lie in a folder for each version of NEST, to be read only, each with a note beside it as in the
user's cache (`modules`). ``builds.json`` has the platform that they are for, as wheels name it, and
the builds of NEST that they fit, by the digest of the kernel's library: for any other build modules
are compiled. `prebuild` makes the folder.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path

from ..nodes.render import module_name
from .modules import compile_module, library_digest, problem_with
from .toolchain import Nest, find_nest

BUILDS = "builds.json"
CAME, COMPILED = "came with nestlfp", "compiled on this machine"


@dataclass(frozen=True)
class Taken:
    """A module for NEST to load.

    Attributes
    ----------
    path : Path
        The shared library.
    origin : str
        Where it came from, in a person's words.
    """

    path: Path
    origin: str

    def __str__(self) -> str:
        return f"{self.origin}, {self.path}"


def prebuilt_dir() -> Path:
    """Where the modules lie that came with nestlfp; a pure wheel and a checkout have none."""
    return Path(__file__).parents[1] / "module" / "prebuilt"


def obtain(
    model: str, text: str, *, compiled: bool = False, rebuild: bool = False, progress: bool = True
) -> Taken:
    """The module of a NESTML model: the one that came with nestlfp, else a compiled one.

    Where ``CXXFLAGS`` is set a module is wanted that was compiled with these.

    Parameters
    ----------
    model, text : str
        Name and NESTML source of the model.
    compiled : bool
        Leave those aside that came with nestlfp.
    rebuild : bool
        Compile it, whatever there is.
    progress : bool
        Say on standard error that a compilation takes place.

    Raises
    ------
    ToolchainError
        If it must be compiled, and something is missing or the compilation fails.
    """
    nest = find_nest()
    if not (compiled or rebuild):
        found = find_prebuilt(model, text, nest)
        if found is not None:
            return Taken(found, CAME)
    path = compile_module(model, text, nest=nest, rebuild=rebuild, progress=progress)
    return Taken(path, COMPILED)


def find_prebuilt(model: str, text: str, nest: Nest) -> Path | None:
    """A module that came with nestlfp and fits exactly: the model's text, NEST's build, itself."""
    path = prebuilt_dir() / nest.version / f"{module_name(model)}.so"
    if not path.is_file() or not fits(nest) or _text_of(path) != text_digest(text):
        return None
    return path if problem_with(path, nest) is None else None


def fits(nest: Nest) -> bool:
    """Whether modules came with nestlfp for just this build of NEST, and are wanted."""
    if os.environ.get("CXXFLAGS"):
        return False
    return library_digest(nest) in known_builds(prebuilt_dir() / nest.version)


def known_builds(folder: Path) -> dict[str, str]:
    """Builds of NEST that a folder's modules fit: the digest of each library, and its name."""
    try:
        found = json.loads((folder / BUILDS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    builds = found.get("builds") if isinstance(found, dict) else None
    return builds if isinstance(builds, dict) else {}


def text_digest(text: str) -> str:
    """What a note tells of the source that a module was compiled from."""
    return hashlib.sha256(text.encode()).hexdigest()


def _text_of(module: Path) -> str | None:
    try:
        told = json.loads(module.with_suffix(".json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return told.get("text") if isinstance(told, dict) else None
