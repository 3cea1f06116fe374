"""Programs and environments that tests start."""

import os
import subprocess
import sys
import sysconfig
from pathlib import Path


def run(command, folder=None, first=None, **environment):
    """What a shell command prints, with this environment's programs (or `first`) first on PATH."""
    first = first or Path(sys.executable).parent
    done = subprocess.run(
        ["bash", "-ec", command],
        cwd=folder,
        env={**os.environ, **environment, "PATH": f"{first}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


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
