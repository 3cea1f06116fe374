"""Which NEST this is, how to compile an extension module for it, and the cache of modules.

NEST comes as a wheel (headers inside the Python package, a nest-config that names folders of
another machine), from source or from conda (headers below the prefix). All three are read off
the files that are there; nest-config is never trusted without a look.

``python -m nestlfp.toolchain`` writes what it found as CMake variables: the first step of the
CMake project.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.metadata
import importlib.util
import json
import mmap
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from .codegen import _cmake_quoted, module_name, project_dir
from .errors import ToolchainError

SUPPORTED = (3, 10)  # the oldest NEST whose extension interface the generated code fits


@dataclass(frozen=True)
class Nest:
    """A NEST installation, as its own files tell.

    Attributes
    ----------
    package : Path
        Folder of the Python package ``nest``.
    prefix : Path
        Where modules are installed below, in ``lib/nest``.
    include : Path
        Folder of the kernel's headers.
    version : str
        Version according to the headers.
    mpi : bool
        Whether it was built with MPI.
    old_abi : bool
        Whether it was built with the C++ ABI before GCC 5, as the wheels are.
    compiler : str or None
        The compiler that built it, where that is on this machine.
    """

    package: Path
    prefix: Path
    include: Path
    version: str
    mpi: bool
    old_abi: bool
    compiler: str | None

    @property
    def library(self) -> Path:
        """The shared library that holds the kernel."""
        return next(self.package.glob("nestkernel_api*.so"))

    @property
    def kind(self) -> str:
        """How it was installed, in a person's words."""
        if self.include.is_relative_to(self.package):
            return "wheel"
        return "conda" if (self.prefix / "conda-meta").is_dir() else "source build"


def find_nest(nest_config: str = "") -> Nest:
    """The NEST to compile for.

    Parameters
    ----------
    nest_config : str, optional
        Path of the nest-config of a NEST. Default: the NEST that Python imports.

    Raises
    ------
    ToolchainError
        If there is none, or it is too old, or lacks its headers.
    """
    package = _package_of(nest_config) if nest_config else _imported_package()
    # A wheel has its headers in the package; elsewhere they lie below a prefix further up.
    places = [(package, package / "include" / "nest")]
    places += [(folder, folder / "include" / "nest") for folder in package.parents]
    found = next(((p, i) for p, i in places if (i / "nest_extension_interface.h").is_file()), None)
    if found is None:
        raise ToolchainError(
            f"NEST in {package} has no C++ headers (include/nest/nest_extension_interface.h), so "
            "that nothing can be compiled for it: install NEST with its headers, from the wheel "
            "nest-simulator, from conda-forge or from source"
        )
    prefix, include = found
    config = (include / "config.h").read_text(encoding="utf-8", errors="replace")
    version = re.search(r'#define NEST_VERSION "([^"]+)"', config)
    if version is None:
        raise ToolchainError(f"{include / 'config.h'} does not tell NEST's version")
    numbers = tuple(int(n) for n in re.findall(r"\d+", version[1])[:2])
    if numbers < SUPPORTED:
        raise ToolchainError(
            f"NEST {version[1]} in {package} is too old: nestlfp needs NEST "
            f"{'.'.join(map(str, SUPPORTED))} or newer"
        )
    return Nest(
        package=package,
        prefix=package.parents[3] if prefix == package and len(package.parents) > 3 else prefix,
        include=include,
        version=version[1],
        mpi=bool(re.search(r"^#define HAVE_MPI\b", config, re.MULTILINE)),
        old_abi=_has_old_abi(package),
        compiler=_compiler_of(prefix),
    )


def _imported_package() -> Path:
    spec = importlib.util.find_spec("nest")
    if spec is None or spec.origin is None:
        raise ToolchainError(
            "Python does not find NEST (import nest fails): install it, for example with "
            "'pip install nest-simulator', or activate the environment that has it"
        )
    return Path(spec.origin).resolve().parent


def _package_of(nest_config: str) -> Path:
    """The Python package that lies beside a nest-config, whatever that says of itself."""
    path = Path(nest_config)
    if not path.is_file():
        raise ToolchainError(f"with-nest: no file {nest_config!r}; it should be a nest-config")
    prefix = path.resolve().parent.parent
    for pattern in ("lib*/python3*/site-packages/nest", "lib*/python3*/dist-packages/nest"):
        for package in sorted(prefix.glob(pattern)):
            if any(package.glob("nestkernel_api*.so")):
                return package
    raise ToolchainError(f"with-nest: no Python package nest below {str(prefix)!r}")


def _has_old_abi(package: Path) -> bool:
    """Whether no symbol of the kernel names a type of the C++11 ABI."""
    library = next(package.glob("nestkernel_api*.so"), None)
    if library is None:
        raise ToolchainError(f"NEST in {package} is incomplete: it has no nestkernel_api*.so")
    if sys.platform != "linux":  # the two ABIs are libstdc++'s
        return False
    with (
        library.open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content,
    ):
        return re.search(rb"_ZN\w*4nest\w*__cxx11", content) is None


def _compiler_of(prefix: Path) -> str | None:
    config = prefix / "bin" / "nest-config"
    if not config.is_file():
        return None
    told = subprocess.run([config, "--compiler"], capture_output=True, text=True, check=False)
    return told.stdout.strip() if shutil.which(told.stdout.strip()) else None


def find_compiler(nest: Nest) -> str:
    """Path of the C++ compiler: CXX, else the one that built NEST, else the system's.

    Raises
    ------
    ToolchainError
        If there is none.
    """
    asked = os.environ.get("CXX", "").strip()
    if asked:
        program = shutil.which(asked.split()[0])
        if program is None:
            raise ToolchainError(f"the C++ compiler that CXX names was not found: {asked!r}")
        return program
    for name in (nest.compiler, "c++", "g++", "clang++"):
        program = shutil.which(name) if name else None
        if program:
            return program
    raise ToolchainError(
        "no C++ compiler found (looked at CXX, c++, g++, clang++): install one, for example with "
        "'apt-get install g++ make' or 'conda install cxx-compiler make', or set CXX"
    )


def find_cmake() -> str:
    """Path of CMake: the one that came with nestlfp, else the system's."""
    try:
        import cmake

        return str(Path(cmake.CMAKE_BIN_DIR) / "cmake")
    except (ImportError, AttributeError):
        program = shutil.which("cmake")
    if program is None:
        raise ToolchainError("no CMake found: install it, for example with 'pip install cmake'")
    return program


def compiler_version(compiler: str) -> str:
    """First line of what the compiler says of itself."""
    told = subprocess.run([compiler, "--version"], capture_output=True, text=True, check=False)
    return (told.stdout or told.stderr).partition("\n")[0].strip()


# ---------------------------------------------------------------------- compiling and caching
def cache_dir() -> Path:
    """Folder of compiled modules: ``NESTLFP_CACHE``, else the user's cache folder."""
    import platformdirs

    return Path(os.environ.get("NESTLFP_CACHE") or platformdirs.user_cache_dir("nestlfp"))


@dataclass(frozen=True)
class CachedModule:
    """The place of one compiled module, for one text, NEST, compiler and set of flags."""

    model: str
    text: str
    nest: Nest
    compiler: str

    @property
    def key(self) -> str:
        """Digest of everything that decides what the compiled module looks like."""
        library = self.nest.library
        parts = [
            self.text,
            self.nest.version,
            str(library),
            hashlib.sha256(library.read_bytes()).hexdigest(),
            self.compiler,
            compiler_version(self.compiler),
            os.environ.get("CXXFLAGS", ""),
            importlib.metadata.version("nestml"),
            (project_dir() / "CMakeLists.txt").read_text(encoding="utf-8"),
        ]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:24]

    @property
    def folder(self) -> Path:
        """Where the module lies, or will."""
        return cache_dir() / "modules" / self.key

    @property
    def path(self) -> Path:
        """The shared library to hand to nest.Install."""
        return self.folder / f"{module_name(self.model)}.so"


def compile_module(
    model: str, text: str, *, nest: Nest | None = None, rebuild: bool = False, progress: bool = True
) -> Path:
    """Path of the compiled module of a NESTML model, from the cache where it has it.

    Processes that want the same module at the same time wait for the one that compiles it.

    Parameters
    ----------
    model, text : str
        Name and NESTML source of the model.
    nest : Nest, optional
        What to compile for. Default: the NEST that Python imports.
    rebuild : bool
        Compile it even if the cache has it.
    progress : bool
        Say on standard error that a compilation takes place.

    Raises
    ------
    ToolchainError
        If something is missing or the compilation fails; with the place of its log.
    """
    import filelock

    nest = nest or find_nest()
    entry = CachedModule(model, text, nest, find_compiler(nest))
    if not rebuild and problem_with(entry.path, nest) is None:
        return entry.path
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
    note = module.with_suffix(".json")
    try:
        told = json.loads(note.read_text(encoding="utf-8"))
        digest = hashlib.sha256(module.read_bytes()).hexdigest()
    except (OSError, ValueError) as error:
        return f"it is incomplete ({error})"
    if told.get("nest") != nest.version:
        return f"it was compiled for NEST {told.get('nest')}, this is NEST {nest.version}"
    return None if told.get("sha256") == digest else "its content is not what was compiled"


def _build(entry: CachedModule, progress: bool) -> None:
    if progress:
        print(
            f"nestlfp: compiling {entry.model} for NEST {entry.nest.version}"
            " (some 15 s, kept for next time) ...",
            file=sys.stderr,
            flush=True,
        )
    for leftover in entry.folder.parent.glob(f"{entry.key}.part*"):  # of a build that was killed
        shutil.rmtree(leftover, ignore_errors=True)
    part = Path(tempfile.mkdtemp(prefix=f"{entry.key}.part", dir=entry.folder.parent))
    try:
        nestml = part / f"{entry.model}.nestml"
        nestml.write_text(entry.text, encoding="utf-8")
        _run_cmake(entry, nestml, part / "build")
        built = next((part / "build").rglob(entry.path.name))
        done = part / "done"
        done.mkdir()
        shutil.move(built, done / built.name)
        shutil.move(nestml, done / nestml.name)
        note = {
            "sha256": hashlib.sha256((done / built.name).read_bytes()).hexdigest(),
            "nest": entry.nest.version,
            "compiler": compiler_version(entry.compiler),
        }
        (done / built.name).with_suffix(".json").write_text(json.dumps(note), encoding="utf-8")
        shutil.rmtree(entry.folder, ignore_errors=True)
        done.replace(entry.folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _run_cmake(entry: CachedModule, nestml: Path, build: Path) -> None:
    cmake = find_cmake()
    log = entry.folder.with_suffix(".log")
    settings = [f"-DNESTML={nestml}", f"-DPython_EXECUTABLE={sys.executable}"]
    with log.open("w", encoding="utf-8") as output:
        for command in (
            [cmake, "-S", str(project_dir()), "-B", str(build), *settings],
            [cmake, "--build", str(build)],
        ):
            status = subprocess.run(
                command, stdout=output, stderr=output, env=_clean_environment(entry), check=False
            )
            if status.returncode != 0:
                lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
                raise ToolchainError(
                    "the filter node could not be compiled; 'nestlfp doctor' tells what is "
                    f"missing. End of {log}:\n" + "\n".join(lines[-20:])
                )


def _clean_environment(entry: CachedModule) -> dict[str, str]:
    """The environment without what would make a child process join an MPI job."""
    environment = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(("OMPI_", "PMIX_", "PMI_", "MPI_", "HYDRA_"))
    }
    environment["CXX"] = entry.compiler
    # The child must import this nestlfp and this NEST, wherever they came from.
    paths = [str(Path(__file__).parent.parent), str(entry.nest.package.parent)]
    paths += environment.get("PYTHONPATH", "").split(os.pathsep)
    environment["PYTHONPATH"] = os.pathsep.join(path for path in paths if path)
    return environment


# ---------------------------------------------------------------------- telling a person
def doctor() -> tuple[str, bool]:
    """What was found, what is missing, and the command that would mend it.

    Returns
    -------
    text : str
        A line for each finding.
    healthy : bool
        Whether nothing that nestlfp needs is missing.
    """
    lines: list[str] = []
    healthy = True

    @contextmanager
    def examine(what: str) -> Iterator[list[str]]:
        nonlocal healthy
        found: list[str] = []
        try:
            yield found
            lines.append(f"ok       {what}: {'; '.join(found)}")
        except (ToolchainError, OSError) as error:
            healthy = False
            lines.append(f"MISSING  {what}: {error}")

    nest: Nest | None = None
    with examine("NEST") as found:
        nest = find_nest()
        abi = "old" if nest.old_abi else "new"
        found += [f"{nest.version} ({nest.kind})", str(nest.package), f"{abi} C++ ABI"]
        found += [f"headers in {nest.include}", "with MPI" if nest.mpi else "threads, no MPI"]
    if nest is not None:
        with examine("C++ compiler") as found:
            compiler = find_compiler(nest)
            found += [compiler, compiler_version(compiler)]
    with examine("CMake") as found:
        found.append(find_cmake())
    with examine("make") as found:
        found.append(_make())
    with examine("NESTML") as found:
        found.append(_version_of("nestml", "pip install nestml"))
    with examine("module cache") as found:
        folder = cache_dir() / "modules"
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK):
            raise ToolchainError(f"{folder} cannot be written: set NESTLFP_CACHE to another folder")
        found += [str(folder), f"{len(list(folder.glob('*/*.so')))} modules"]
    if nest is not None and nest.mpi:
        with examine("mpi4py") as found:
            found += _mpi4py(nest)
    for package, extra in (
        ("LFPykernels", "lfpykernels"),
        ("matplotlib", "plot"),
        ("zarr", "stream"),
    ):
        try:
            lines.append(f"ok       {package}: {importlib.metadata.version(package)}")
        except importlib.metadata.PackageNotFoundError:
            lines.append(f"optional {package}: missing; pip install 'nestlfp[{extra}]'")
    return "\n".join(lines), healthy


def _make() -> str:
    program = shutil.which("make") or shutil.which("ninja")
    if program is None:
        raise ToolchainError("neither make nor ninja found: 'apt-get install make'")
    return program


def _version_of(package: str, command: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        raise ToolchainError(f"missing; {command}") from None


def _mpi4py(nest: Nest) -> list[str]:
    """Version of mpi4py, and whether it uses the MPI library that NEST uses."""
    version = _version_of("mpi4py", "pip install 'nestlfp[mpi]'")
    # Importing mpi4py starts MPI, which a doctor had better do in another process.
    code = "from mpi4py import MPI; print(MPI.Get_library_version().split(chr(10))[0].strip())"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    if told.returncode != 0:
        raise ToolchainError(
            f"mpi4py {version} does not start: {told.stderr.strip().splitlines()[-1:]}; "
            "'pip install --force-reinstall --no-binary mpi4py mpi4py' builds it for this MPI"
        )
    library = told.stdout.strip()
    uses_open_mpi = b"libmpi.so" in nest.library.read_bytes()
    if uses_open_mpi != ("Open MPI" in library):
        raise ToolchainError(
            f"mpi4py {version} uses {library}, NEST another MPI library; "
            "'pip install --force-reinstall --no-binary mpi4py mpi4py' builds it for this MPI"
        )
    return [version, library, "the MPI library that NEST uses"]


def _write_cmake(nest: Nest, out: TextIO) -> None:
    definitions = ["_GLIBCXX_USE_CXX11_ABI=0"] if nest.old_abi else []
    # NEST's headers differ with and without OpenMP: a module must be compiled as NEST was.
    options = ["-fopenmp"] if sys.platform == "linux" else []
    for name, values in (
        ("NEST_VERSION", [nest.version]),
        ("NEST_PREFIX", [str(nest.prefix)]),
        ("NEST_INCLUDES", [str(nest.include)]),
        ("NEST_COMPILER", [find_compiler(nest)]),
        ("NEST_DEFINITIONS", definitions),
        ("NEST_OPTIONS", options),
        ("NEST_HAS_MPI", ["ON" if nest.mpi else "OFF"]),
    ):
        out.write(f"set({name} {' '.join(map(_cmake_quoted, values))})\n")


def main(arguments: list[str] | None = None) -> None:
    """Write what there is to know of a NEST as CMake variables."""
    parser = argparse.ArgumentParser(prog="python -m nestlfp.toolchain", description=main.__doc__)
    parser.add_argument("--with-nest", default="", help="a nest-config; default: Python's NEST")
    parser.add_argument("--output", type=Path, required=True)
    given = parser.parse_args(arguments)
    nest = find_nest(given.with_nest)
    with given.output.open("w", encoding="utf-8") as out:
        _write_cmake(nest, out)


if __name__ == "__main__":
    try:
        main()
    except ToolchainError as error:
        sys.exit(f"nestlfp: {error}")
