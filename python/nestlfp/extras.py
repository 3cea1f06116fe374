"""Packages that only an extra of nestlfp brings, imported where they are needed."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

from .errors import MissingExtraError

PYTHON = {"zarr": (3, 11)}
"""The oldest Python that a package is there for, where that is newer than nestlfp's."""


def require(module: str, extra: str) -> Any:
    """The module, or a `MissingExtraError` that says which extra brings it."""
    package = module.partition(".")[0]
    oldest = PYTHON.get(package, (3, 0))
    if sys.version_info < oldest:
        raise MissingExtraError(
            f"{package} needs Python {'.'.join(map(str, oldest))} or newer, "
            f"this is Python {sys.version_info.major}.{sys.version_info.minor}"
        )
    try:
        return import_module(module)
    except RuntimeError as error:  # mpi4py's, where it finds no MPI library
        message = f"{package} is installed, but cannot be imported: {error}"
        raise MissingExtraError(message) from error
    except ImportError as error:
        raise MissingExtraError(
            f"{package} cannot be imported ({error}): install it with  pip install "
            f"'nestlfp[{extra}]'"
        ) from error
