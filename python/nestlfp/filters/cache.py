"""State-space realizations and separable filters, kept in the user's cache folder.

Finding one takes seconds where kernels are many or long, and every process that installs the same
kernels wants the same one. A file holds plain arrays; what cannot be read is found anew.
"""

from __future__ import annotations

import contextlib
import hashlib
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import scipy

from .. import state_space
from ..digests import digest_of_code
from ..errors import ToleranceError
from ..kernels.files import replacing
from ..paths import cache_dir
from ..state_space import Realization, Separated
from .base import Method
from .coefficients import Coefficients

T = TypeVar("T", Realization, Separated)
_COURSES = "courses."


def cached(options: Method, coefficients: Coefficients, find: Callable[[], T]) -> T:
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
        numbers = [failure.tolerance, failure.smallest_error, failure.max_order]
        _write(path, {"failure": numbers, "kind": failure.kind})
        raise
    _write(path, _as_arrays(found))
    return found


def key(options: Method, coefficients: Coefficients) -> str:
    """Digest of everything that decides what is found, the code that finds it among it."""
    c, ringing = coefficients, coefficients.ringing
    ends = [ringing.after.tolist(), ringing.poles.tolist()] if ringing else None
    code = digest_of_code(Path(state_space.__file__).parent, Path(__file__).parent)
    versions = [np.__version__, scipy.__version__, code]
    decisive = [options.name, options, c.shape, c.groups, ends, *versions]
    digest = hashlib.sha256(repr(decisive).encode())
    for given in [c.h] if c.factors is None else [c.factors.weights, c.factors.courses]:
        digest.update(np.ascontiguousarray(given, dtype=float).data)
    return digest.hexdigest()[:24]


def _as_arrays(found: Realization | Separated) -> dict[str, Any]:
    """What was found, its parts beside each other; `_read` makes it again."""
    if isinstance(found, Realization):
        return dict(vars(found))
    parts = {f"{_COURSES}{name}": value for name, value in vars(found.courses).items()}
    return parts | {name: value for name, value in vars(found).items() if name != "courses"}


def _read(path: Path) -> Any:
    """What the file says, or None where it says nothing."""
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = dict(file)
        if "failure" in arrays:
            tolerance, smallest, order = arrays["failure"].tolist()
            return ToleranceError(tolerance, smallest, int(order), str(arrays["kind"]))
        parts = {name: arrays.pop(name) for name in list(arrays) if name.startswith(_COURSES)}
        if not parts:
            return _realization(arrays)
        courses = {name.removeprefix(_COURSES): value for name, value in parts.items()}
        return Separated(courses=_realization(courses), **arrays)
    except (OSError, ValueError, TypeError, KeyError, zipfile.BadZipFile):
        return None


def _realization(arrays: dict[str, Any]) -> Realization:
    return Realization(**{**arrays, "tolerance": float(arrays["tolerance"])})


def _write(path: Path, arrays: dict[str, Any]) -> None:
    """Write it whole or not at all; a cache that cannot be written is none."""
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as partial, partial.open("wb") as file:
            np.savez(file, **arrays)
