"""Which NEST this is, and how it was built.

NEST comes as a wheel (headers inside the Python package, a nest-config that names folders of
another machine), from source or from conda (headers below the prefix). All three are read off
the files that are there; nest-config is never trusted without a look.
"""

from __future__ import annotations

import importlib.util
import mmap
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ..errors import ToolchainError
from ..install_hints import install_hint

OLDEST = (3, 8)  # whose extension interface the generated code fits
TESTED = ("3.8", "3.9", "3.10")
"""Releases of NEST that nestlfp was tried with: docs/limits.md says how far."""

# What Python imports: from NEST 3.10 on the kernel itself; before, what is linked to libnest.
_EXTENSIONS = ("nestkernel_api*.so", "pynestkernel*.so")
_LIBNEST = ("lib*/nest/libnest.*", "lib*/libnest.*", "lib/*/nest/libnest.*", "lib/*/libnest.*")

# What is in the folder that something else than its own sources was installed into.
_INSTALLERS = {"conda-meta": "conda", "easybuild": "EasyBuild", ".spack": "Spack"}


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
    compiler : str or None
        The compiler that built it, where that is on this machine.
    """

    package: Path
    prefix: Path
    include: Path
    version: str
    mpi: bool
    compiler: str | None

    @property
    def library(self) -> Path:
        """The shared library that holds the kernel."""
        extension = _extension(self.package)
        assert extension is not None  # find_nest has looked
        if extension.name.startswith("nestkernel_api"):
            return extension
        beside = (file for pattern in _LIBNEST for file in sorted(self.prefix.glob(pattern)))
        return next(beside, extension)  # which has it where NEST was linked statically

    # Searching the library takes 50 ms each, and only a compilation wants to know.
    @cached_property
    def old_abi(self) -> bool:
        """Whether it was built with the C++ ABI before GCC 5, as the wheels are."""
        # That is where no symbol names a type of the C++11 ABI; both are libstdc++'s.
        return sys.platform == "linux" and not _names(self.library, rb"_ZN\w*4nest\w*__cxx11")

    @cached_property
    def openmp(self) -> bool:
        """Whether it was built with OpenMP, as modules must then be too."""
        return _names(self.library, rb"GOMP_parallel|__kmpc_fork_call")

    @property
    def kind(self) -> str:
        """How it was installed, in a person's words."""
        if self.include.is_relative_to(self.package):
            return "wheel"
        for folder, installer in _INSTALLERS.items():
            if (self.prefix / folder).is_dir():
                return installer
        return "distribution" if self.prefix == Path("/usr") else "source build"

    @property
    def tested(self) -> bool:
        """Whether it is a release that nestlfp was tried with; snapshots between them are not."""
        release = re.fullmatch(r"(\d+\.\d+)(\.\d+)?", self.version)
        return release is not None and release[1] in TESTED


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
    if numbers < OLDEST:
        raise ToolchainError(
            f"NEST {version[1]} in {package} is too old: nestlfp needs NEST "
            f"{'.'.join(map(str, OLDEST))} or newer"
        )
    if _extension(package) is None:
        raise ToolchainError(
            f"NEST in {package} is incomplete: it has no {' or '.join(_EXTENSIONS)}"
        )
    return Nest(
        package=package,
        prefix=package.parents[3] if prefix == package and len(package.parents) > 3 else prefix,
        include=include,
        version=version[1],
        mpi=bool(re.search(r"^#define HAVE_MPI\b", config, re.MULTILINE)),
        compiler=_compiler_of(prefix),
    )


def _imported_package() -> Path:
    spec = importlib.util.find_spec("nest")
    if spec is None or spec.origin is None:
        raise ToolchainError(
            f"Python does not find NEST (import nest fails): {install_hint('NEST')}, or activate "
            "the environment that has it"
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
            if _extension(package) is not None:
                return package
    raise ToolchainError(f"with-nest: no Python package nest below {str(prefix)!r}")


def _extension(package: Path) -> Path | None:
    """What Python imports of NEST, or None where there is none."""
    found = (file for pattern in _EXTENSIONS for file in sorted(package.glob(pattern)))
    return next(found, None)


def _names(library: Path, symbol: bytes) -> bool:
    """Whether a library's symbols, its own or those it asks for, have one like this."""
    with (
        library.open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content,
    ):
        return re.search(symbol, content) is not None


def _compiler_of(prefix: Path) -> str | None:
    config = prefix / "bin" / "nest-config"
    if not config.is_file():
        return None
    done = subprocess.run([config, "--compiler"], capture_output=True, text=True, check=False)
    return done.stdout.strip() if shutil.which(done.stdout.strip()) else None
