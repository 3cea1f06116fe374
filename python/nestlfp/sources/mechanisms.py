"""NEURON mechanisms: nestlfp's own, and folders of ``.mod`` files.

nestlfp brings `Exp2SynI`, the current-based twin of NEURON's synapse Exp2Syn that LFPykernels
needs, and `ExpSynI`, a current that jumps and decays exponentially, as that of NEST's
``iaf_psc_exp``. In the platform wheel they are compiled for NEURON's wheel (`build.prebuild`), and
taken where everything fits exactly: the files, NEURON's version and the digest of its library.
Otherwise they are compiled once, and kept in the user's cache, as other folders' are.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import distribution, version
from pathlib import Path

from filelock import FileLock

from ..digests import digest_of_file
from ..errors import ToolchainError
from ..extras import require
from ..install_hints import explain
from ..paths import cache_dir, prebuilt_dir

OWN = Path(__file__).parent / "mod"
# Where nrnivmodl puts mechanisms on Linux, and neuron.load_mechanisms looks for them.
LIBRARY = f"{platform.machine()}/libnrnmech.so"
NOTE = "mechanisms.json"
ALPHA = 0.9999
"""Largest tau1 / tau2 of Exp2Syn and Exp2SynI: from there on their course is an alpha function."""


def compiled(folder: str | os.PathLike[str] | None = None) -> str:
    """Compile the mechanisms in a folder, unless that has been done.

    Parameters
    ----------
    folder : path, optional
        Where the ``.mod`` files are. Default: those of nestlfp, the synapses `Exp2SynI` and
        `ExpSynI`, which may have come compiled.

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
    sources = sorted(here.absolute().glob("*.mod"))
    if not sources:
        raise ToolchainError(f"no .mod file in {str(here)!r}: there is no mechanism to compile")
    return _obtained(sources)


def load(folder: str | os.PathLike[str] | None = None) -> None:
    """Compile the mechanisms in a folder, unless that has been done, and load them into NEURON.

    NEURON loads a mechanism once in a process and has no way to unload it. Of nestlfp's, those are
    left out that NEURON has already, such as an `Exp2SynI` of the user's own.

    Parameters
    ----------
    folder : path, optional
        Where the ``.mod`` files are. Default: those of nestlfp, the synapses `Exp2SynI` and
        `ExpSynI`.

    Raises
    ------
    MissingExtraError, ToolchainError
        As `compiled`.

    Examples
    --------
    >>> import neuron
    >>> from nestlfp.sources import mechanisms
    >>> mechanisms.load()
    >>> hasattr(neuron.h, "Exp2SynI"), hasattr(neuron.h, "ExpSynI")
    (True, True)
    """
    neuron = require("neuron", "lfpykernels")
    if folder is not None:
        neuron.load_mechanisms(compiled(folder))
        return
    missing = [source for source in own() if not hasattr(neuron.h, source.stem)]
    if missing:
        neuron.load_mechanisms(_obtained(missing))


def own() -> list[Path]:
    """The ``.mod`` files of nestlfp, each with the name of its mechanism."""
    return sorted(OWN.glob("*.mod"))


def digest_of(sources: Sequence[Path]) -> str:
    """Of everything that decides what compiled mechanisms do: the files, and NEURON's version."""
    digest = hashlib.sha256(version("neuron").encode())
    for source in sources:
        digest.update(b"\0".join((source.name.encode(), source.read_bytes())))
    return digest.hexdigest()


def prebuilt(sources: Sequence[Path]) -> Path | None:
    """The folder of mechanisms that came with nestlfp, where they fit exactly."""
    folder = prebuilt_dir() / f"neuron-{version('neuron')}"
    try:
        note = json.loads((folder / NOTE).read_text(encoding="utf-8"))
        fits = (
            note["sources"] == digest_of(sources)
            and note["sha256"] == digest_of_file(folder / LIBRARY)
            and digest_of_file(neuron_data() / "lib" / "libnrniv.so") in note["builds"]
        )
    except (OSError, ValueError, TypeError, KeyError):
        return None
    return folder if fits else None


def neuron_data() -> Path:
    """The folder of NEURON's wheel that has its library, in lib, and its headers, in include."""
    found = importlib.util.find_spec("neuron")  # which does not start it
    return Path(found.origin if found and found.origin else "neuron").parent / ".data"


def nrnivmodl(
    arguments: Sequence[str], folder: Path, environment: Mapping[str, str] | None = None
) -> None:
    """Run NEURON's compiler in a folder, where its log stays; a `ToolchainError` if it fails."""
    # It does not start without Python's shared library, which many systems have not installed;
    # but only CoreNEURON's translator opens it, which is not used here. Any name will do.
    known = {"NMODL_PYLIB": "not-needed", **os.environ, **(environment or {})}
    log = folder / "log"
    with log.open("w") as output:
        run = subprocess.run(
            [_program(), *arguments],
            cwd=folder, env=known, stdout=output, stderr=output, check=False,
        )  # fmt: skip
    if run.returncode:
        raise ToolchainError(
            f"nrnivmodl could not compile {', '.join(arguments)}: {explain(log.read_text())}\n"
            f"The whole log is {log}"
        )


def _obtained(sources: Sequence[Path]) -> str:
    """The folder of these mechanisms: they came with nestlfp, or are compiled."""
    if came := prebuilt(sources):
        return str(came)
    built = cache_dir() / "mechanisms" / digest_of(sources)[:16]
    built.mkdir(parents=True, exist_ok=True)
    done = built / "built"  # written last, so that half a build is not taken for one
    with FileLock(built / "lock"):
        if not done.exists():
            nrnivmodl([str(source) for source in sources], built)
            done.touch()
    return str(built)


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
