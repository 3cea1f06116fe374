"""State-space realizations, kept in the user's cache folder.

Finding one takes seconds where kernels are many or long, and every process that installs the same
kernels wants the same one. A file holds plain arrays; what cannot be read is found anew.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import scipy

from .. import state_space
from ..errors import ToleranceError
from ..kernels.files import replacing
from ..paths import cache_dir
from ..state_space import Realization, Ringing
from .coefficients import Array


def cached_realization(
    h: Array,
    tolerance: float,
    *,
    exact_channels: bool = False,
    joint: bool = True,
    ringing: Ringing | None = None,
) -> Realization:
    """`state_space.realize` with these arguments, from the cache where it has it.

    Where kernels are said to end in `ringing`, `state_space.realize_ringing` is tried before.

    Raises
    ------
    ToleranceError
        Where no filter meets the tolerance; that is remembered too.
    """
    ends = [ringing.after.tolist(), str(ringing.poles.tolist())] if ringing else None
    path = cache_dir() / "realizations" / f"{_key(h, tolerance, exact_channels, joint, ends)}.npz"
    known = _read(path)
    if isinstance(known, ToleranceError):
        raise known
    if known is not None:
        return known
    try:
        found = _found(h, tolerance, exact_channels, joint, ringing)
    except ToleranceError as failure:
        _write(path, {"failure": [failure.tolerance, failure.smallest_error, failure.max_order]})
        raise
    _write(path, {field.name: getattr(found, field.name) for field in dataclasses.fields(found)})
    return found


def _found(
    h: Array, tolerance: float, exact_channels: bool, joint: bool, ringing: Ringing | None
) -> Realization:
    if ringing is not None:
        with contextlib.suppress(ToleranceError):
            return state_space.realize_ringing(h, ringing, tolerance, joint=joint)
    return state_space.realize(h, tolerance, exact_channels=exact_channels, joint=joint)


def _key(h: Array, *options: Any) -> str:
    """Digest of everything that decides what is found, the code that finds it among it."""
    versions = [np.__version__, scipy.__version__]
    sources = sorted(Path(state_space.__file__).parent.glob("*.py"))
    digest = hashlib.sha256(json.dumps([h.shape, options, versions]).encode())
    digest.update(np.ascontiguousarray(h, dtype=float).tobytes())
    for source in sources:
        digest.update(source.read_bytes())
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
