"""Compiled extension modules, kept in the user's cache folder.

A module is found again by everything that decides what it looks like: its NESTML text, NEST's
version and build, the compiler and its flags. Processes that want the same one at the same time
wait for the one that compiles; what a killed one left behind is never loaded.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..digests import digest_of_file
from ..errors import ToolchainError
from ..install_hints import explain
from ..nodes.model import Model, model_named
from ..nodes.render import module_name, sources
from ..paths import cache_dir, project_dir
from .compiler import Compiler, find_cmake, find_compiler, find_make
from .toolchain import Nest, find_nest


def modules_dir() -> Path:
    """Where compiled modules lie, a folder each."""
    return cache_dir() / "modules"


@dataclass(frozen=True)
class CachedModule:
    """The place of one compiled module, for models, NEST, compiler and a set of flags."""

    models: tuple[Model, ...]
    nest: Nest
    compiler: Compiler

    @functools.cached_property
    def key(self) -> str:
        """Digest of everything that decides what the compiled module looks like."""
        library = self.nest.library
        parts = [
            *(f"{model.name} {model.ports} {sources(model.template)}" for model in self.models),
            self.nest.version,
            str(library),
            _remembered_digest(self.nest),
            str(self.compiler),
            self.compiler.version,
            os.environ.get("CXXFLAGS", ""),
            importlib.metadata.version("nestml"),
            Path(__file__).with_name("nestml.py").read_text(encoding="utf-8"),
            (project_dir() / "CMakeLists.txt").read_text(encoding="utf-8"),
        ]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:24]

    @property
    def name(self) -> str:
        """What NEST calls the module."""
        return module_name([model.name for model in self.models])

    @property
    def folder(self) -> Path:
        """Where the module lies, or will."""
        return modules_dir() / self.key

    @property
    def path(self) -> Path:
        """The shared library to hand to nest.Install."""
        return self.folder / f"{self.name}.so"


def library_digest(nest: Nest) -> str:
    """SHA-256 of the library that holds NEST's kernel: what this build of NEST is."""
    return _digest(nest.library, nest.library.stat().st_mtime_ns)


@functools.cache
def _digest(library: Path, changed: int) -> str:
    """Of a large file, as of a time of change."""
    return digest_of_file(library)


def _remembered_digest(nest: Nest) -> str:
    """`library_digest`, which is kept beside the modules: each process asks, and it takes 20 ms."""
    file = nest.library.stat()
    seen = f"{nest.library} {file.st_size} {file.st_mtime_ns} {file.st_ctime_ns}"
    known = modules_dir() / f"{hashlib.sha256(seen.encode()).hexdigest()[:24]}.nest"
    with contextlib.suppress(OSError):
        digest = known.read_text(encoding="ascii")
        if len(digest) == 64:
            return digest
    digest = library_digest(nest)
    with contextlib.suppress(OSError):
        known.parent.mkdir(parents=True, exist_ok=True)
        known.write_text(digest, encoding="ascii")
    return digest


def compile_module(
    models: Iterable[Model],
    *,
    nest: Nest | None = None,
    rebuild: bool = False,
    progress: bool = True,
) -> Path:
    """Path of the compiled module of these models, from the cache where it has it.

    Processes that want the same module at the same time wait for the one that compiles it.

    Parameters
    ----------
    models : iterable of Model
        What it is to have.
    nest : Nest, optional
        What to compile for. Default: the NEST that Python imports.
    rebuild : bool
        Compile it even if the cache has it.
    progress : bool
        Say on standard error that a compilation takes place.

    Raises
    ------
    ToolchainError
        If something is missing or the compilation fails, with the place of its log; or if the
        module does not compute what it should.

    Warns
    -----
    UserWarning
        If a module was compiled and could not be tried, since NEST cannot be started here.
    """
    nest = nest or find_nest()
    entry = CachedModule(tuple(models), nest, find_compiler(nest))
    if not rebuild and problem_with(entry.path, nest) is None:
        return entry.path
    import filelock

    try:
        entry.folder.parent.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(f"{entry.folder}.lock"):
            if rebuild or problem_with(entry.path, nest) is not None:
                _build(entry, progress)
    except OSError as error:
        raise ToolchainError(
            f"the module cache {str(cache_dir())!r} cannot be written: {error}; set NESTLFP_CACHE "
            "to a folder that can"
        ) from error
    return entry.path


def problem_with(module: Path, nest: Nest) -> str | None:
    """Why a compiled module must not be loaded, or None where it may.

    Loading half a file can end the process, so that a module is read against the note that
    was written beside it when it was complete.
    """
    try:
        note = note_of(module)
        digest = digest_of_file(module)
    except (OSError, ValueError) as error:
        return f"it is incomplete ({error})"
    if note.get("nest") != nest.version:
        return f"it was compiled for NEST {note.get('nest')}, this is NEST {nest.version}"
    return None if note.get("sha256") == digest else "its content is not what was compiled"


def _build(entry: CachedModule, progress: bool) -> None:
    from .trial import try_module

    if progress:
        print(
            f"nestlfp: compiling {', '.join(model.name for model in entry.models)} for NEST "
            f"{entry.nest.version} (some {10 + 5 * len(entry.models)} s, kept for next time) ...",
            file=sys.stderr,
            flush=True,
        )
    for leftover in entry.folder.parent.glob(f"{entry.key}.part*"):  # of a build that was killed
        shutil.rmtree(leftover, ignore_errors=True)
    part = Path(tempfile.mkdtemp(prefix=f"{entry.key}.part", dir=entry.folder.parent))
    try:
        done = part / "done"
        done.mkdir()
        nestml = []
        for model in entry.models:
            nestml.append(done / f"{model.name}.nestml")
            nestml[-1].write_text(model.text, encoding="utf-8")
        # Built elsewhere, since the name of the cache folder may hold what CMake cannot take.
        with tempfile.TemporaryDirectory(prefix="nestlfp_", ignore_cleanup_errors=True) as build:
            _run_cmake(entry, nestml, Path(build))
            built = shutil.move(next(Path(build).rglob(entry.path.name)), done)
        reason = try_module(Path(built), entry.models, entry.nest, child_environment(entry.nest))
        if reason is not None:
            warnings.warn(
                f"the module {entry.name} was compiled, but not tried: {reason}. 'nestlfp doctor' "
                "tries it where NEST starts",
                stacklevel=2,
            )
        note = {
            "sha256": digest_of_file(Path(built)),
            "nest": entry.nest.version,
            "nestml": importlib.metadata.version("nestml"),
            "tried": reason is None,
            "compiler": entry.compiler.version,
            "models": [model.name for model in entry.models],
        }
        Path(built).with_suffix(".json").write_text(json.dumps(note), encoding="utf-8")
        shutil.rmtree(entry.folder, ignore_errors=True)
        done.replace(entry.folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _run_cmake(entry: CachedModule, nestml: list[Path], build: Path) -> None:
    """Configure and build; a `ToolchainError` with the first error and what mends it."""
    cmake, source = find_cmake(), project_dir()
    make, generator = find_make()
    how = ["-G", generator, f"-DCMAKE_MAKE_PROGRAM={make}"]
    if "CMAKE_GENERATOR" in os.environ:
        how = []
    for what, path in (
        ("the folder of nestlfp", source),
        ("the path of Python", sys.executable),
        ("the folder for temporary files (TMPDIR)", build),
    ):
        if odd := set(str(path)) & set('";#'):
            raise ToolchainError(
                f"{what} has {' '.join(sorted(odd))} in its name, with which CMake cannot work: "
                f"{str(path)!r}"
            )
    copies = [shutil.copyfile(path, build / path.name) for path in nestml]
    settings = [
        f"-DNESTML={';'.join(map(str, copies))}",
        f"-DPython_EXECUTABLE={sys.executable}",
        *how,
    ]
    log = entry.folder.with_suffix(".log")
    environment = child_environment(entry.nest) | {"CXX": str(entry.compiler)}
    with log.open("w", encoding="utf-8") as output:
        for command in (
            [cmake, "-S", str(source), "-B", str(build), *settings],
            [cmake, "--build", str(build)],
        ):
            status = subprocess.run(
                command, stdout=output, stderr=output, env=environment, check=False
            )
            if status.returncode != 0:
                hint = explain(log.read_text(encoding="utf-8", errors="replace"))
                raise ToolchainError(
                    f"the filter node could not be compiled: {hint}\nThe whole log is {log}; "
                    "'nestlfp doctor' says what else is missing"
                )


def untried(nest: Nest) -> list[Path]:
    """Modules in the cache for this NEST that could not be tried when they were compiled."""
    here = {"tried": False, "nestml": importlib.metadata.version("nestml")}
    modules = (note.with_suffix(".so") for note in sorted(modules_dir().glob("*/*.json")))
    sound = (module for module in modules if problem_with(module, nest) is None)
    return [module for module in sound if note_of(module).items() >= here.items()]


def try_cached(module: Path, nest: Nest) -> str | None:
    """Try a module of the cache, see `try_module`; one that is wrong is deleted."""
    from .trial import try_module

    note = note_of(module)
    models = [model for model in map(model_named, note["models"]) if model]
    try:
        reason = try_module(module, models, nest, child_environment(nest))
    except ToolchainError:
        shutil.rmtree(module.parent)
        raise
    if reason is None:
        tried = json.dumps(note | {"tried": True})
        module.with_suffix(".json").write_text(tried, encoding="utf-8")
    return reason


def note_of(module: Path) -> dict[str, Any]:
    """What was written beside a module when it was complete; a `ValueError` where it is damaged."""
    note = json.loads(module.with_suffix(".json").read_text(encoding="utf-8"))
    if not isinstance(note, dict):
        raise ValueError(f"its note is {note!r}")
    return note


def child_environment(nest: Nest) -> dict[str, str]:
    """The environment for a child process, without what would make it join an MPI job."""
    environment = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(("OMPI_", "PMIX_", "PMI_", "MPI_", "HYDRA_"))
    }
    environment["LC_ALL"] = "C"  # messages are in English, and read
    # The child must import this nestlfp and this NEST, wherever they came from.
    paths = [str(Path(__file__).parents[2]), str(nest.package.parent)]
    paths += environment.get("PYTHONPATH", "").split(os.pathsep)
    environment["PYTHONPATH"] = os.pathsep.join(path for path in paths if path)
    return environment
