"""How a signal or kernel was calculated, for the file that it is kept in."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from ..digests import digest_of_file


def package_version(package: str) -> str:
    """Version of an installed package."""
    try:
        return version(package)
    except PackageNotFoundError:  # built by hand, without metadata
        return "unknown"


def plain(value: Any) -> Any:
    """`value` in JSON's terms; what has none by name, and files by name and content.

    Nothing of the machine goes in: no folder, no address of an object.
    """
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, Mapping):
        items = {str(key): plain(item) for key, item in value.items()}
        return {key: item for key, item in items.items() if item is not None}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, str | os.PathLike) and os.path.isabs(value) and os.path.isfile(value):
        path = Path(value)
        return {"file": path.name, "sha256": digest_of_file(path)}
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)  # strict JSON knows neither inf nor nan
    if value is None or isinstance(value, bool | int | float | str):
        return value
    kind = value if hasattr(value, "__qualname__") else type(value)
    name = getattr(value, "__qualname__", None) or getattr(value, "name", kind.__qualname__)
    return f"{kind.__module__}.{name}"
