"""NEURON mechanisms, compiled once for each version of NEURON and kept in the user's cache.

nestlfp brings `Exp2SynI`, the current-based twin of NEURON's synapse Exp2Syn that LFPykernels
needs; folders with other ``.mod`` files are compiled in the same way.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from importlib.metadata import distribution, version
from pathlib import Path

from filelock import FileLock

from ..errors import ToolchainError
from ..extras import require
from ..paths import cache_dir
from ..remedies import explain

OWN = Path(__file__).parent / "mod"


def compiled(folder: str | os.PathLike[str] | None = None) -> str:
    """Compile the mechanisms in a folder, unless that has been done.

    Parameters
    ----------
    folder : path, optional
        Where the ``.mod`` files are. Default: those of nestlfp, the synapse `Exp2SynI`.

    Returns
    -------
    str
        The folder that ``neuron.load_mechanisms`` takes.

    Raises
    ------
    MissingExtraError
        Without NEURON, which the extra ``nestlfp[lfpykernels]`` brings.
    ToolchainError
        If the folder has no ``.mod`` file, or they cannot be compiled.
    """
    require("neuron", "lfpykernels")
    here = Path(OWN if folder is None else folder)
    sources = sorted(here.glob("*.mod"))
    if not sources:
        raise ToolchainError(f"no .mod file in {str(here)!r}: there is no mechanism to compile")
    digest = hashlib.sha256(version("neuron").encode())
    for source in sources:
        digest.update(b"\0".join((source.name.encode(), source.read_bytes())))
    built = cache_dir() / "mechanisms" / digest.hexdigest()[:16]
    built.mkdir(parents=True, exist_ok=True)
    done = built / "built"  # written last, so that half a build is not taken for one
    with FileLock(built / "lock"):
        if not done.exists():
            _nrnivmodl(here.absolute(), built)
            done.touch()
    return str(built)


def load(folder: str | os.PathLike[str] | None = None) -> None:
    """Compile the mechanisms in a folder, unless that has been done, and load them into NEURON.

    NEURON loads a mechanism once in a process and has no way to unload it; what is loaded already
    is left alone.

    Parameters
    ----------
    folder : path, optional
        Where the ``.mod`` files are. Default: those of nestlfp, the synapse `Exp2SynI`.

    Raises
    ------
    MissingExtraError, ToolchainError
        As `compiled`.

    Examples
    --------
    >>> import neuron
    >>> from nestlfp.sources import mechanisms
    >>> mechanisms.load()
    >>> hasattr(neuron.h, "Exp2SynI")
    True
    """
    neuron = require("neuron", "lfpykernels")
    if folder is None and hasattr(neuron.h, "Exp2SynI"):
        return  # of the user's own, which NEURON would not have beside another
    neuron.load_mechanisms(compiled(folder))


def _program() -> str:
    """The nrnivmodl of the NEURON that Python imports; where that names none, one on the PATH."""
    # Not always beside this Python: pip install --user, and environments on top of others.
    # The one among the package's own data is another, which does not start by itself.
    installed = [
        str(file.locate())
        for file in distribution("neuron").files or ()
        if file.name == "nrnivmodl" and file.parts[0] != "neuron"
    ]
    beside = Path(sys.executable).parent
    for place in (*installed, str(beside / "nrnivmodl"), "nrnivmodl"):
        if command := shutil.which(place):
            return command
    raise ToolchainError(f"nrnivmodl of NEURON is neither in {beside} nor on the PATH")


def _nrnivmodl(sources: Path, folder: Path) -> None:
    command = _program()
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
