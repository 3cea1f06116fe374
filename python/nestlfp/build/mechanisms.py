"""NEURON's mechanisms: compiled once, kept in the user's cache folder."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

from filelock import FileLock
from platformdirs import user_cache_path

from ..errors import ToolchainError
from ..extras import require
from .remedies import explain


def load_mechanisms(sources: str | os.PathLike[str]) -> None:
    """Load the mechanisms of a folder into NEURON, compiled if that has not been done.

    Parameters
    ----------
    sources : path
        Folder with .mod files, each of one mechanism that has the file's name.

    Raises
    ------
    ToolchainError
        If there are no such files, or `nrnivmodl` is missing or fails.

    Notes
    -----
    NEURON loads a mechanism once in a process and cannot unload it: where it knows all of them,
    nothing is done.
    """
    neuron = require("neuron", "lfpykernels")
    files = sorted(Path(sources).glob("*.mod"))
    if not files:
        raise ToolchainError(f"no mechanisms (*.mod) in {os.fspath(sources)!r}")
    if all(hasattr(neuron.h, file.stem) for file in files):
        return
    content = b"".join(file.read_bytes() for file in files)
    key = hashlib.sha256(content + version("neuron").encode()).hexdigest()[:16]
    folder = user_cache_path("nestlfp") / "mechanisms" / key
    folder.mkdir(parents=True, exist_ok=True)
    built = folder / "built"  # written last, so that half a build is not taken for one
    with FileLock(folder / "lock"):
        if not built.exists():
            _nrnivmodl(Path(sources).resolve(), folder)
            built.touch()
    neuron.load_mechanisms(str(folder), warn_if_already_loaded=False)


def _nrnivmodl(sources: Path, folder: Path) -> None:
    """Compile the mechanisms in `sources` into `folder`."""
    # It lies beside this Python, whose folder need not be on the PATH.
    beside = Path(sys.executable).parent
    command = shutil.which("nrnivmodl", path=beside) or shutil.which("nrnivmodl")
    if command is None:
        raise ToolchainError(f"nrnivmodl of NEURON is neither in {beside} nor on the PATH")
    # It does not start without Python's shared library, which many systems have not installed;
    # but only CoreNEURON's translator opens it, which is not used here. Any name will do.
    environment = {"NMODL_PYLIB": "not-needed", **os.environ}
    log = folder / "log"
    with log.open("w") as output:
        run = subprocess.run(
            [command, str(sources)],
            cwd=folder, env=environment, stdout=output, stderr=output, check=False,
        )  # fmt: skip
    if run.returncode:
        raise ToolchainError(
            f"nrnivmodl could not compile {sources}: {explain(log.read_text())}\n"
            f"The whole log is {log}"
        )
