"""Which NEST tests run with, and what of their expectations depends on its version.

``NESTLFP_TEST_NEST`` names the folder that another NEST's Python package ``nest`` lies in, such as
``/opt/nest-3.9/lib/python3.11/site-packages``. Tests, and all processes that they start, then use
that one. Without it they use the one that Python imports, and with MPI that of `make nest-mpi`.
"""

import os
import re
import sys

from nestlfp.build.toolchain import find_nest

OTHER = os.environ.get("NESTLFP_TEST_NEST", "")


def use_other():
    """Let this process, and those that it starts, import the NEST that was named."""
    if not OTHER:
        return
    if not os.path.isdir(os.path.join(OTHER, "nest")):
        raise RuntimeError(f"NESTLFP_TEST_NEST={OTHER}: no Python package nest is in this folder")
    os.environ["PYTHONPATH"] = on_path(os.environ.get("PYTHONPATH", ""))
    if OTHER not in sys.path:
        sys.path.insert(0, OTHER)


def on_path(path):
    """A PYTHONPATH, with the NEST that was named first on it."""
    folders = [OTHER, *(each for each in path.split(os.pathsep) if each != OTHER)]
    return os.pathsep.join(each for each in folders if each)


def quieten(nest):
    """Let NEST tell errors only."""
    set_verbosity(nest, "ERROR")


def set_verbosity(nest, level):
    """Let NEST tell what is of this level, such as "INFO", or above."""
    if hasattr(nest, "VerbosityLevel"):
        nest.verbosity = nest.VerbosityLevel[level]
    else:  # until 3.9
        nest.set_verbosity(f"M_{level}")


def verbosity(nest):
    """The number of that level: 10 of INFO, 30 of ERROR, 40 of FATAL."""
    return int(nest.verbosity if hasattr(nest, "VerbosityLevel") else nest.get_verbosity())


SINCE = {
    "nodes that ResetKernel has removed are told as if they were there": (3, 10),
    "GetLocalNodeCollection takes `local` of one node for an index": (3, 10),
}
"""What NEST does from a version on, and not before."""


def does(what):
    """Whether this NEST does it."""
    numbers = re.findall(r"\d+", find_nest().version)
    return tuple(map(int, numbers[:2])) >= SINCE[what]


def asserts():
    """Whether this NEST was built with assertions, which end the process; the wheel was not."""
    return b"t >= Ca_t_" in find_nest().library.read_bytes()
