"""Packages that only an extra of nestlfp brings, imported where they are needed."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from .errors import MissingExtraError


def require(module: str, extra: str) -> Any:
    """The module, or a `MissingExtraError` that says which extra brings it."""
    try:
        return import_module(module)
    except ImportError as error:
        raise MissingExtraError(
            f"{module.partition('.')[0]} cannot be imported ({error}): "
            f"install it with  pip install 'nestlfp[{extra}]'"
        ) from error
