"""Commands that install what is missing, by apt, conda and pip."""

from __future__ import annotations

import re

_COMMANDS = {
    "apt": "apt-get install {}",
    "conda": "conda install -c conda-forge {}",
    "pip": "pip install {}",
}
_PACKAGES = {
    "NEST": {"pip": "nest-simulator", "conda": "nest-simulator"},
    "NESTML": {"pip": "nestml", "conda": "nestml"},
    "compiler": {"apt": "g++", "conda": "cxx-compiler"},
    "CMake": {"pip": "cmake", "conda": "cmake", "apt": "cmake"},
    "make": {"apt": "make", "conda": "make", "pip": "ninja"},
    "mpi4py": {"pip": "mpi4py", "conda": "mpi4py"},
    # Headers, by the beginning of their names.
    "boost/": {"pip": "boost-headers", "apt": "libboost-dev", "conda": "libboost-headers"},
    "ltdl.h": {"pip": "--force-reinstall nestlfp", "apt": "libltdl-dev", "conda": "libtool"},
    "mpi.h": {"apt": "libopenmpi-dev", "conda": "openmpi-mpicxx"},
    "omp.h": {"apt": "libomp-dev", "conda": "llvm-openmp"},
    "gsl/": {"apt": "libgsl-dev", "conda": "gsl"},
}


def install_hint(what: str) -> str:
    """The commands that install it, such as "install it with pip install cmake"."""
    commands = [f"'{_COMMANDS[by].format(package)}'" for by, package in _PACKAGES[what].items()]
    return f"install it with {' or '.join(commands)}"


def explain(log: str) -> str:
    """What a failed build died of, with what mends it: one line out of the log.

    The first error is the one that counts; those that follow are mostly its consequences.
    """
    missing = re.search(r"fatal error: '?([\w./+-]+)'?(?:: No such file| file not found)", log)
    if missing:
        known = next((name for name in _PACKAGES if missing[1].startswith(name)), None)
        mend = install_hint(known) if known else "which package of your system brings it?"
        return f"the header {missing[1]} is missing: {mend} ({_line_of(missing, log)})"
    for pattern in (r"^nestlfp: (.*)$", r"^.*\b(?:fatal )?error: .*$", r"^CMake Error.*(?:\n.+)?"):
        found = re.search(pattern, log, re.MULTILINE)
        if found:
            return " ".join(found[found.lastindex or 0].split())
    return (log.strip().splitlines() or ["it printed nothing"])[-1].strip()


def _line_of(match: re.Match[str], text: str) -> str:
    start = text.rfind("\n", 0, match.start()) + 1
    return text[start:].partition("\n")[0].strip()
