"""What nestlfp needs, what of it was found, and the command that would mend the rest."""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import subprocess
import sys
from collections.abc import Callable

from ..errors import ToolchainError
from .modules import modules_dir
from .toolchain import Nest, compiler_version, find_cmake, find_compiler, find_nest


def doctor() -> tuple[str, bool]:
    """Examine this machine.

    Returns
    -------
    text : str
        A line for each finding.
    healthy : bool
        Whether nothing that nestlfp needs is missing.
    """
    needs: list[tuple[str, Callable[[], str]]] = [
        ("NEST", lambda: _nest(find_nest())),
        ("C++ compiler", lambda: _compiler(find_nest())),
        ("CMake", find_cmake),
        ("make", _make),
        ("NESTML", lambda: _version("nestml", "pip install nestml")),
        ("module cache", _cache),
        ("MPI", lambda: _mpi(find_nest())),
    ]
    lines = []
    healthy = True
    for what, find in needs:
        try:
            lines.append(f"ok       {what}: {find()}")
        except (ToolchainError, OSError) as error:
            healthy = False
            lines.append(f"MISSING  {what}: {error}")
    for package, extra in OPTIONAL.items():
        try:
            lines.append(f"ok       {package}: {importlib.metadata.version(package)}")
        except importlib.metadata.PackageNotFoundError:
            lines.append(f"optional {package}: missing; pip install 'nestlfp[{extra}]'")
    return "\n".join(lines), healthy


OPTIONAL = {"LFPykernels": "lfpykernels", "matplotlib": "plot", "zarr": "stream"}


def _nest(nest: Nest) -> str:
    mpi = "with MPI" if nest.mpi else "threads, no MPI"
    abi = "old" if nest.old_abi else "new"
    return (
        f"{nest.version} ({nest.kind}, {mpi}, {abi} C++ ABI) in {nest.package}; "
        f"headers in {nest.include}"
    )


def _compiler(nest: Nest) -> str:
    compiler = find_compiler(nest)
    return f"{compiler}, {compiler_version(compiler)}"


def _make() -> str:
    program = shutil.which("make") or shutil.which("ninja")
    if program is None:
        raise ToolchainError("neither make nor ninja found: 'apt-get install make'")
    return program


def _version(package: str, command: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        raise ToolchainError(f"{package} is missing; {command}") from None


def _cache() -> str:
    folder = modules_dir()
    folder.mkdir(parents=True, exist_ok=True)
    if not os.access(folder, os.W_OK):
        raise ToolchainError(f"{folder} cannot be written: set NESTLFP_CACHE to another folder")
    return f"{folder}, {len(list(folder.glob('*/*.so')))} modules"


def _mpi(nest: Nest) -> str:
    """Whether mpi4py is there and uses the MPI library that NEST uses."""
    if not nest.mpi:
        return "this NEST runs in one process, with threads; nothing else is needed"
    version = _version("mpi4py", "pip install 'nestlfp[mpi]'")
    mend = "'pip install --force-reinstall --no-binary mpi4py mpi4py' builds it for this MPI"
    # Importing mpi4py starts MPI, which a doctor had better do in another process.
    code = "from mpi4py import MPI; print(MPI.Get_library_version().split(chr(10))[0].strip())"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    if told.returncode != 0:
        raise ToolchainError(f"mpi4py {version} does not start; {mend}: {told.stderr[-300:]}")
    library = told.stdout.strip()
    uses_open_mpi = b"libmpi.so" in nest.library.read_bytes()
    if uses_open_mpi != ("Open MPI" in library):
        raise ToolchainError(f"mpi4py {version} uses {library}, NEST another MPI library; {mend}")
    return f"mpi4py {version} with the MPI library that NEST uses, {library}"
