"""Starting scripts with mpirun and the NEST that `make nest-mpi` built."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import nestlfp
from nestlfp.build.toolchain import find_nest
from nests import OTHER, on_path

SCRIPTS = Path(__file__).parent / "mpi"
# Processes started by root or in a container, and more of them than cores.
OPEN_MPI = {
    "OMPI_ALLOW_RUN_AS_ROOT": "1",
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    "OMPI_MCA_rmaps_base_oversubscribe": "1",
    "OMPI_MCA_mpi_yield_when_idle": "1",
    "OMPI_MCA_btl_vader_single_copy_mechanism": "none",
}


def nest_with_mpi():
    """The folder for PYTHONPATH; where there is none, the test is skipped, or fails in CI."""
    if OTHER and not find_nest().mpi:
        pytest.skip(f"the NEST in {OTHER} has no MPI")
    if OTHER:
        return OTHER
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "nestlfp"
    python = f"python{sys.version_info.major}.{sys.version_info.minor}"
    for built in sorted(cache.glob(f"nest-mpi-*-{python.replace('python', 'py')}/complete")):
        packages = sorted(built.parent.glob(f"lib*/{python}/site-packages"))
        if packages and shutil.which("mpirun"):
            return packages[0]
    missing = "no NEST with MPI here: make nest-mpi"
    if os.environ.get("NESTLFP_REQUIRE_MPI"):
        pytest.fail(missing)
    pytest.skip(missing)


def environment(nest=None, **extra):
    """Environment of a process with this NEST (default: with MPI) and the tests' modules."""
    # This nestlfp, where another checkout is the one that is installed.
    ours = Path(nestlfp.__file__).parents[1]
    path = [str(nest_with_mpi() if nest is None else nest), str(SCRIPTS.parent), str(ours)]
    return {
        **{key: value for key, value in os.environ.items() if key != "PYTHONPATH"},
        "PYTHONPATH": on_path(os.pathsep.join(part for part in path if part)),
        "PYNEST_QUIET": "1",
        **OPEN_MPI,
        **extra,
    }


def command(ranks, script, *arguments):
    """The command line that starts a script of tests/mpi in several processes."""
    launcher = ["mpirun", "--bind-to", "none", "-n", str(ranks)] if ranks else []
    return [*launcher, sys.executable, str(SCRIPTS / script), *map(str, arguments)]


def mpirun(ranks, script, *arguments, timeout=300, env=None):
    """Run a script to its end; with its output as the message where it fails.

    With `ranks` 0 it runs without mpirun.
    """
    done = subprocess.run(
        command(ranks, script, *arguments),
        env=env or environment(),
        capture_output=True,
        text=True,
        timeout=timeout,  # a deadlock is a failure too
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-6000:]
    return done
