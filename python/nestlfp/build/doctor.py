"""What nestlfp needs, what of it was found, and the command that would mend the rest.

It does not stop at looking: a small node is compiled and tried, as `install` will do it. Where
modules came with nestlfp that fit NEST's build, one of these is, and a compiler may be missing.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable

from packaging.requirements import Requirement

from ..errors import ToolchainError
from ..install_hints import install_hint
from ..nodes.model import model_for
from ..sources import mechanisms
from .compiler import OWN_HEADERS, find_cmake, find_compiler, find_make
from .modules import compile_module, modules_dir, problem_with, try_cached, untried
from .prebuilt import fits, prebuilt_dir
from .toolchain import TESTED, Nest, find_nest

EXAMINED = {"cmake", "nestml"}
"""Requirements that have lines of their own, and need not come from pip."""
NOT_OPTIONAL = {"all", "docs", "nest", "test"}
"""Extras that are no package for users, or that have lines of their own."""

# Names of files do not tell whose MPI it is: both MPICH's and Open MPI's is libmpi.so. What NEST's
# library is linked to is asked itself, and loaded first, as it is where nestlfp meets it.
LIBRARIES = """
import ctypes, json, sys
nest = ctypes.CDLL(sys.argv[1])
text, length = ctypes.create_string_buffer(8192 + 1), ctypes.c_int()  # MPICH's longest
nest.MPI_Get_library_version(text, ctypes.byref(length))
from mpi4py import MPI
print(json.dumps([text.value.decode(), MPI.Get_library_version().rstrip(chr(0))]))
"""
SIGNAL = """
import numpy as np, nest, nestlfp
kernels = nestlfp.KernelSet.from_arrays(
    {"LFP": [[[[1.0, 0.5]]]]}, pre="E", post="E", dt=0.1, units={"LFP": "mV"}
)
nestlfp.install(kernels)
cell = nest.Create("parrot_neuron")
nest.Connect(nest.Create("spike_generator", params=dict(spike_times=[1.0])), cell)
recorder = nestlfp.FieldRecorder(kernels, {"E": cell}, interval=0.1)
nest.Simulate(5.0)
signal = recorder.signals()["LFP"].values[0]
assert "prebuilt" in nest.GetKernelStatus("modules")[0], nest.GetKernelStatus("modules")
assert signal.sum() == 1.5 and signal.max() == 1.0, f"its signal is {signal}"
"""


def doctor() -> tuple[str, bool]:
    """Examine this machine.

    Returns
    -------
    text : str
        A line for each finding.
    healthy : bool
        Whether nothing that nestlfp needs is missing.
    """
    needs: list[tuple[str, Callable[[], str], bool]] = [  # True: for compiling only
        ("NEST", lambda: _nest(find_nest()), False),
        ("C++ compiler", lambda: _compiler(find_nest()), True),
        ("headers of Boost", lambda: _header("boost/type_index.hpp", find_nest()), True),
        ("headers of libltdl", lambda: _header("ltdl.h", find_nest()), True),
        ("CMake", find_cmake, True),
        ("make", lambda: find_make()[0], True),
        ("NESTML", lambda: _version("nestml", "NESTML"), True),
        ("Python packages", _packages, False),
        ("module cache", _cache, False),
        ("MPI", lambda: _mpi(find_nest()), False),
    ]
    came = _came()
    lines = []
    healthy = ready = True
    for what, find, compiling in needs:
        spared = compiling and came > 0
        line, fine = _examined(what, find, "optional" if spared else "MISSING")
        lines.append(line)
        ready = ready and fine
        healthy = healthy and (fine or spared)
    if came and healthy:
        line, healthy = _examined("modules that came with nestlfp", lambda: _signal(came))
        lines.append(line)
    elif not came and any(prebuilt_dir().glob("*/*.so")):
        lines.append(
            "unused   modules that came with nestlfp: they are for other builds of NEST, or "
            "damaged, or CXXFLAGS is set"
        )
    if ready:
        line, fine = _examined("a module", lambda: _module(find_nest()))
        lines.append(line)
        healthy = healthy and fine
    elif healthy:
        lines.append("untried  a module: compiling is for kernels that none of the above serves")
    else:
        lines.append("untried  a module: compiled and loaded once nothing is missing")
    if importlib.util.find_spec("neuron"):
        lines.append(_examined("mechanisms for NEURON", _mechanisms, "optional")[0])
    lines += _optional()
    return "\n".join(lines), healthy


def _examined(what: str, find: Callable[[], str], otherwise: str = "MISSING") -> tuple[str, bool]:
    """The line for one thing, and whether it is there."""
    try:
        return f"ok       {what}: {find()}", True
    except (ToolchainError, OSError) as error:
        return f"{otherwise:8} {what}: {error}", False


def _came() -> int:
    """How many modules came with nestlfp that fit this build of NEST."""
    try:
        nest = find_nest()
    except ToolchainError:
        return 0
    modules = (prebuilt_dir() / nest.version).glob("*.so") if fits(nest) else ()
    return sum(problem_with(module, nest) is None for module in modules)


def _nest(nest: Nest) -> str:
    mpi = "with MPI" if nest.mpi else "threads, no MPI"
    abi = "old" if nest.old_abi else "new"
    known = "this version was tested"
    if not nest.tested:
        known = (
            f"only {', '.join(TESTED)} were tested: a module is tried when it is compiled, what "
            "else may differ is not known"
        )
    return (
        f"{nest.version} ({nest.kind}, {mpi}, {abi} C++ ABI) in {nest.package}; "
        f"headers in {nest.include}; {known}"
    )


def _compiler(nest: Nest) -> str:
    compiler = find_compiler(nest)
    if compiler.find_header("vector", nest) is None:
        raise ToolchainError(
            f"{compiler} does not compile a program with <vector>: {install_hint('compiler')}, or "
            "set CXX"
        )
    return f"{compiler}, {compiler.version}"


def _header(name: str, nest: Nest) -> str:
    """Where the compiler finds a header that NEST's own include."""
    found = find_compiler(nest).find_header(name, nest)
    if found is None:
        package = name.partition("/")[0] + "/" if "/" in name else name
        raise ToolchainError(f"NEST's headers include {name}: {install_hint(package)}")
    if found.is_relative_to(OWN_HEADERS):
        return f"{found}, nestlfp's own: the system has none"
    packaged = "boost_headers" in found.parts
    return f"{found}" + (", of PyPI's boost-headers: the system has none" if packaged else "")


def _requirements() -> list[Requirement]:
    """What the metadata of nestlfp asks for, that of its extras included; none without any."""
    try:
        requirements = importlib.metadata.requires("nestlfp") or []
    except importlib.metadata.PackageNotFoundError:
        return []
    return [Requirement(line) for line in requirements if not line.startswith("nestlfp[")]


def _installed(needed: Requirement) -> str:
    """The version that is there, if it is one that is needed."""
    try:
        version = importlib.metadata.version(needed.name)
    except importlib.metadata.PackageNotFoundError:
        raise ToolchainError("missing") from None
    if not needed.specifier.contains(version, prereleases=True):
        raise ToolchainError(f"{version}, nestlfp needs {needed.specifier}")
    return version


def _packages() -> str:
    """The requirements that come with nestlfp: other installations may have replaced them."""
    needed = [
        one
        for one in _requirements()
        if (one.marker is None or one.marker.evaluate({"extra": ""})) and one.name not in EXAMINED
    ]
    if not needed:
        return "not looked at: nestlfp is on Python's path, but pip has not installed it"
    wrong = []
    for one in needed:
        try:
            _installed(one)
        except ToolchainError as error:
            wrong.append((f"{one.name}: {error}", f"'{one.name}{one.specifier}'"))
    if wrong:
        reasons, wanted = zip(*wrong, strict=True)
        raise ToolchainError(f"{'; '.join(reasons)}; pip install {' '.join(wanted)}")
    return f"the {len(needed)} that nestlfp needs"


def _optional() -> list[str]:
    """A line for each package of an extra."""
    lines: dict[str, str] = {}
    for one in _requirements():
        for extra in re.findall('extra == "([^"]+)"', str(one.marker)):
            if extra not in NOT_OPTIONAL:
                lines.setdefault(one.name, _line(one, extra))
    return list(lines.values())


def _line(one: Requirement, extra: str) -> str:
    """What there is of an extra's package."""
    if one.marker is None or not one.marker.evaluate({"extra": extra}):
        return f"optional {one.name}: not for this Python ({one.marker})"
    try:
        return f"ok       {one.name}: {_installed(one)}"
    except ToolchainError as error:
        return f"optional {one.name}: {error}; pip install 'nestlfp[{extra}]'"


def _version(package: str, what: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        raise ToolchainError(f"{package} is not installed: {install_hint(what)}") from None


def _cache() -> str:
    folder = modules_dir()
    folder.mkdir(parents=True, exist_ok=True)
    if not os.access(folder, os.W_OK):
        raise ToolchainError(f"{folder} cannot be written: set NESTLFP_CACHE to another folder")
    return f"{folder}, {len(list(folder.glob('*/*.so')))} modules"


def _module(nest: Nest) -> str:
    """Compile a module and try it in a NEST of its own, as the caller's may be in use.

    So are those that could not be tried when they were compiled.
    """
    path = compile_module([model_for("fir", 2)], nest=nest)
    others = [module for module in untried(nest) if module != path]
    for module in (path, *others):
        reason = try_cached(module, nest)
        if reason is not None:
            raise ToolchainError(f"{module} cannot be tried: {reason}")
    so_were = f"; so were {len(others)} that had not been" if others else ""
    return f"{path} was compiled, loaded and tried{so_were}"


def _mechanisms() -> str:
    """Where those of nestlfp are, which are compiled if they did not come with it."""
    if came := mechanisms.prebuilt(mechanisms.own()):
        return f"came with nestlfp, in {came}"
    return f"compiled on this machine, in {mechanisms.compiled()}"


def _signal(came: int) -> str:
    """Record the signal of a spike with a module that came with nestlfp, in a NEST of its own."""
    done = _python(SIGNAL)
    if done.returncode != 0:
        reason = (done.stderr.strip().splitlines() or ["it ended without a word"])[-1]
        raise ToolchainError(f"a spike's signal could not be recorded with them: {reason}")
    fit = "1 that fits" if came == 1 else f"{came} that fit"
    return f"{fit} this NEST; the signal of a spike was recorded with one"


def _mpi(nest: Nest) -> str:
    """Whether mpi4py is there and uses the MPI library that NEST uses."""
    if not nest.mpi:
        return "this NEST runs in one process, with threads; nothing else is needed"
    version = _version("mpi4py", "mpi4py")
    mend = (
        "'pip install --force-reinstall --no-binary mpi4py mpi4py' builds it for the MPI whose "
        "mpicc comes first on PATH, which must be NEST's"
    )
    # Importing mpi4py starts MPI, which a doctor had better do in another process.
    done = _python(LIBRARIES, str(nest.library))
    if done.returncode != 0:
        raise ToolchainError(
            f"mpi4py {version} does not start beside NEST's MPI; {mend}: {done.stderr[-300:]}"
        )
    of_nest, of_mpi4py = (" ".join(line.split()) for line in json.loads(done.stdout))
    if of_nest != of_mpi4py:
        raise ToolchainError(
            f"mpi4py {version} uses {of_mpi4py[:80]}, NEST uses {of_nest[:80]}; {mend}"
        )
    return f"mpi4py {version} with the MPI library that NEST uses, {of_nest[:80]}"


def _python(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)
