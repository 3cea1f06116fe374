"""One life of NEST's kernel."""

from __future__ import annotations

from typing import Any

from ..errors import ToolchainError

RECORDERS: list[Any] = []  # every FieldRecorder whose nodes are in NEST


def import_nest() -> Any:
    """The module ``nest``, or a `ToolchainError` that says how to get it."""
    try:
        import nest
    except ImportError as error:
        raise ToolchainError(
            f"NEST cannot be imported ({error}): install it, for example with "
            "'pip install nest-simulator', or activate the environment that has it"
        ) from error
    return nest
