"""Import what most runs need once, in the server that they are forked from.

NEST is not among it: with MPI it must not be copied to another process.
"""

import contextlib
import tempfile
from pathlib import Path

import platformdirs  # noqa: F401
import scipy.interpolate
import scipy.signal  # noqa: F401
import tqdm  # noqa: F401

from .. import signals, state_space  # noqa: F401
from ..filters import cache, coefficients  # noqa: F401
from ..kernels import KernelSet
from ..runtime import install, recorder, simulate  # noqa: F401
from ..sources.network import comparing  # noqa: F401

# xarray imports its backends, and Dask where it is installed, when the first file is read. Whatever
# goes wrong here raises an error where it is needed.
with contextlib.suppress(Exception), tempfile.TemporaryDirectory() as _folder:
    _path = Path(_folder) / "kernels.nc"
    KernelSet.from_arrays(
        {"LFP": [[[[1.0]]]]}, pre="E", post="E", dt=0.1, units={"LFP": "mV"}
    ).save(_path)
    KernelSet.load(_path)
