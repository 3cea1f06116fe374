"""State-space realizations, kept in the user's cache folder.

Finding one takes seconds where kernels are many or long, and every process that installs the same
kernels wants the same one. A file holds plain arrays; what cannot be read is found anew.
"""

from __future__ import annotations

import contextlib
import hashlib
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import scipy

from .. import state_space
from ..digests import digest_of_code
from ..errors import ToleranceError
from ..kernels.files import replacing
from ..paths import cache_dir
from ..state_space import Realization
from .base import Method
from .coefficients import Coefficients


def cached_realization(
    options: Method, coefficients: Coefficients, find: Callable[[], Realization]
) -> Realization:
    """What `find` returns for these coefficients and options, from the cache where it has it.

    Raises
    ------
    ToleranceError
        Where no filter meets the tolerance; that is remembered too.
    """
    path = cache_dir() / "realizations" / f"{key(options, coefficients)}.npz"
    known = _read(path)
    if isinstance(known, ToleranceError):
        raise known
    if known is not None:
        return known
    try:
        found = find()
    except ToleranceError as failure:
        _write(path, {"failure": [failure.tolerance, failure.smallest_error, failure.max_order]})
        raise
    _write(path, vars(found))
    return found


def key(options: Method, coefficients: Coefficients) -> str:
    """Digest of everything that decides what is found, the code that finds it among it."""
    c, ringing = coefficients, coefficients.ringing
    ends = [ringing.after.tolist(), ringing.poles.tolist()] if ringing else None
    code = digest_of_code(Path(state_space.__file__).parent, Path(__file__).parent)
    versions = [np.__version__, scipy.__version__, code]
    decisive = [options.name, options, c.h.shape, c.groups, ends, *versions]
    digest = hashlib.sha256(repr(decisive).encode())
    digest.update(np.ascontiguousarray(c.h, dtype=float).tobytes())
    return digest.hexdigest()[:24]


def _read(path: Path) -> Realization | ToleranceError | None:
    """What the file says, or None where it says nothing."""
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = dict(file)
        if "failure" in arrays:
            tolerance, smallest, order = arrays["failure"].tolist()
            return ToleranceError(tolerance, smallest, int(order))
        tolerance = float(arrays.pop("tolerance"))
        return Realization(tolerance=tolerance, **arrays)
    except (OSError, ValueError, TypeError, KeyError, zipfile.BadZipFile):
        return None


def _write(path: Path, arrays: dict[str, Any]) -> None:
    """Write it whole or not at all; a cache that cannot be written is none."""
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as partial, partial.open("wb") as file:
            np.savez(file, **arrays)
