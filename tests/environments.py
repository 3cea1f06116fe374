"""Programs and environments that tests start, and packages that they may lack."""

import importlib.util
import os
import re
import subprocess
import sys
import sysconfig
from pathlib import Path

from nests import OTHER, on_path


def run(command, folder=None, first=None, **environment):
    """What a shell command prints, with this environment's programs (or `first`) first on PATH."""
    first = first or Path(sys.executable).parent
    environment = {**os.environ, **environment}
    if OTHER:
        environment["PYTHONPATH"] = on_path(environment.get("PYTHONPATH", ""))
    done = subprocess.run(
        ["bash", "-ec", command],
        cwd=folder,
        env={**environment, "PATH": f"{first}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def symbol_versions(library):
    """The newest version of each kind that a library's symbols ask for."""
    found = {}
    for kind, number in re.findall(
        r"\((GLIBC|GLIBCXX|CXXABI|GCC)_([\d.]+)\)", run(f"objdump -T {library}")
    ):
        found[kind] = max(found.get(kind, ()), tuple(map(int, number.split("."))))
    return found


def bare_venv(folder):
    """Folder of the programs of a new environment that has everything but nestlfp.

    The other packages are this environment's, so that they need not be fetched again; .pth files
    in there, such as that of the editable nestlfp, do not count.
    """
    run(f"{sys.executable} -m venv {folder}")
    binaries = Path(folder) / "bin"
    packages = run(
        "python -c 'import sysconfig; print(sysconfig.get_path(\"purelib\"))'", None, binaries
    )
    Path(packages.strip(), "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return binaries


OPTIONAL = {
    "matplotlib": "plot",
    **dict.fromkeys(["LFPy", "lfpykit", "lfpykernels", "neuron"], "lfpykernels"),
    "mpi4py": "mpi",
    **dict.fromkeys(["zarr", "numcodecs"], "stream"),
    **dict.fromkeys(["neo", "quantities"], "neo"),
    "pynwb": "nwb",
    "elephant": "csd",
    "mne": "mne",
    **dict.fromkeys(["panel", "bokeh", "tornado"], "view"),
    **dict.fromkeys(["wslfp", "tklfp"], "proxies"),
    **dict.fromkeys(["nibabel", "nilearn"], "cortex"),
    "probeinterface": "probe",
    "distributed": "cluster",
    **dict.fromkeys(["pyNN", "lazyarray"], "pynn"),
    "bmtk": "bmtk",
    "microcircuit": "microcircuit",
    **dict.fromkeys(["sklearn", "torch", "sbi"], "inference"),
    **dict.fromkeys(["IPython", "ipykernel"], "docs"),
    **dict.fromkeys(["playwright", "rattler_build", "nwbinspector"], "test"),
}
"""Modules that a test can be skipped for, and the extra that brings each."""


def lacked(told):
    """Why a test is skipped: the optional package that its error names and that is not here."""
    too_old = re.search(r"\w+ needs Python [\d.]+ or newer, this is Python 3\.1\d", told)
    if too_old and sys.version_info < (3, 11):
        return too_old[0]
    for name in re.findall(r"No module named '(\w+)", told):
        if name in OPTIONAL and importlib.util.find_spec(name) is None:
            return f"{name} is missing: pip install 'nestlfp[{OPTIONAL[name]}]'"
    return None
