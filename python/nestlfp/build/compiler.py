"""The programs that compile an extension module, and where they find headers."""

from __future__ import annotations

import importlib.util
import os
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from ..errors import ToolchainError
from ..install_hints import install_hint
from .toolchain import Nest

OWN_HEADERS = Path(__file__).parent / "headers"


@dataclass(frozen=True)
class Compiler:
    """A C++ compiler.

    Attributes
    ----------
    command : tuple of str
        Program and what it is always called with, as in CXX="ccache g++".
    """

    command: tuple[str, ...]

    def __str__(self) -> str:
        """As CMake takes it from CXX."""
        return self.command[0] if len(self.command) == 1 else shlex.join(self.command)

    @property
    def version(self) -> str:
        """First line of what the compiler says of itself."""
        done = self._run("--version")
        return (done.stdout or done.stderr).partition("\n")[0].strip()

    def find_header(self, name: str, nest: Nest) -> Path | None:
        """The file that a module for this NEST would include, or None where there is none."""
        options = [f"-I{nest.include}", *after_all_others(nest)]
        done = self._run(*options, "-xc++", "-E", "-H", "-", text=f"#include <{name}>\n")
        first = done.stderr.partition("\n")[0]  # a dot for each level, then the file
        return Path(first[2:]) if done.returncode == 0 and first.startswith(". ") else None

    def _run(self, *arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
        command = [*self.command, *arguments]
        # In English, since messages are read here.
        environment = {**os.environ, "LC_ALL": "C"}
        return subprocess.run(
            command, input=text, capture_output=True, text=True, check=False, env=environment
        )


def find_compiler(nest: Nest) -> Compiler:
    """The C++ compiler: CXX, else the one that built NEST, else the system's.

    Raises
    ------
    ToolchainError
        If there is none.
    """
    asked = os.environ.get("CXX", "").strip()
    if asked:
        words = [asked] if shutil.which(asked) else asked.split()
        program = shutil.which(words[0])
        if program is None:
            raise ToolchainError(f"the C++ compiler that CXX names was not found: {asked!r}")
        return Compiler((program, *words[1:]))
    for name in (nest.compiler, "c++", "g++", "clang++"):
        program = shutil.which(name) if name else None
        if program:
            return Compiler((program,))
    raise ToolchainError(
        "no C++ compiler found (looked at CXX, c++, g++, clang++): "
        f"{install_hint('compiler')}, or set CXX"
    )


def find_cmake() -> str:
    """Path of CMake: the one that came with nestlfp, else the system's."""
    try:
        import cmake

        return str(Path(cmake.CMAKE_BIN_DIR) / "cmake")
    except (ImportError, AttributeError):
        program = shutil.which("cmake")
    if program is None:
        raise ToolchainError(f"no CMake found: {install_hint('CMake')}")
    return program


def find_make() -> tuple[str, str]:
    """The program that CMake lets do the work, and CMake's name for its kind."""
    # Ninja from PyPI lies beside this Python, whose folder need not be on the PATH.
    path = os.pathsep.join((os.environ.get("PATH", ""), str(Path(sys.executable).parent)))
    for name, kind in (("make", "Unix Makefiles"), ("gmake", "Unix Makefiles"), ("ninja", "Ninja")):
        program = shutil.which(name, path=path)
        if program:
            return program, kind
    raise ToolchainError(f"neither make nor ninja found: {install_hint('make')}")


def after_all_others(nest: Nest) -> list[str]:
    """Options that let the compiler find what NEST's headers include, where the system has none.

    NEST's wheel brings its own headers, but not those of Boost and libltdl that they include. The
    folders named here are searched last: beside NEST's headers, as in conda's environments;
    PyPI's boost-headers; nestlfp's own. What the system has is taken first.
    """
    folders = [nest.include.parent, OWN_HEADERS]
    packaged = importlib.util.find_spec("boost_headers")
    if packaged is not None and packaged.origin is not None:
        folders.insert(1, Path(packaged.origin).parent / "include")
    return [f"-idirafter{folder}" for folder in folders]
