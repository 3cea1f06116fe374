"""Modules that were compiled beforehand and come inside nestlfp's platform wheel.

They lie in a folder for each version of NEST, to be read only, each with a note beside it as in the
user's cache (`modules`). ``builds.json`` has the platform that they are for, as wheels name it, and
the builds of NEST that they fit, by the digest of the kernel's library: for any other build modules
are compiled. `prebuild` makes the folder.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ..nodes.model import Model
from ..paths import prebuilt_dir
from .modules import compile_module, library_digest, note_of, problem_with
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


def obtain(
    models: Iterable[Model],
    *,
    compiled: bool = False,
    rebuild: bool = False,
    progress: bool = True,
) -> Taken:
    """A module that has these models: one that came with nestlfp, else a compiled one.

    Where ``CXXFLAGS`` is set a module is wanted that was compiled with these.

    Parameters
    ----------
    models : iterable of Model
        What NEST is to know.
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
    nest, models = find_nest(), tuple(models)
    if not (compiled or rebuild):
        found = find_prebuilt(models, nest)
        if found is not None:
            return Taken(found, CAME)
    path = compile_module(models, nest=nest, rebuild=rebuild, progress=progress)
    return Taken(path, COMPILED)


def find_prebuilt(models: Iterable[Model], nest: Nest) -> Path | None:
    """A module that came with nestlfp and fits exactly: its models, NEST's build, itself.

    A model's name has the digest of its text.
    """
    folder = prebuilt_dir() / nest.version
    if not folder.is_dir() or not fits(nest):
        return None
    wanted = {model.name for model in models}
    for path in sorted(folder.glob("*_module.so")):
        if problem_with(path, nest) is None and wanted <= set(note_of(path)["models"]):
            return path
    return None


def fits(nest: Nest) -> bool:
    """Whether modules came with nestlfp for just this build of NEST, and are wanted."""
    if os.environ.get("CXXFLAGS"):
        return False
    return library_digest(nest) in known_builds(prebuilt_dir() / nest.version)


def known_builds(folder: Path) -> dict[str, str]:
    """Builds of NEST that a folder's modules fit: the digest of each library, and its name."""
    try:
        return dict(json.loads((folder / BUILDS).read_text(encoding="utf-8"))["builds"])
    except (OSError, ValueError, TypeError, KeyError):  # missing or damaged
        return {}
