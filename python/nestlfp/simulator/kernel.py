"""PyNEST itself, and what must hold before NEST is asked or changed."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from ..errors import NetworkError, ToolchainError


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


def check_not_prepared(nest: Any, what: str) -> None:
    """Raise a `NetworkError` between ``nest.Prepare()`` and ``nest.Cleanup()``."""
    if nest.GetKernelStatus("prepared"):
        raise NetworkError(
            f"{what} cannot be called between nest.Prepare() and nest.Cleanup(): call it before "
            "the one or after the other"
        )


@contextlib.contextmanager
def quiet(nest: Any, *, bar: bool = False) -> Iterator[None]:
    """No reports of NEST's, only its errors; not to be entered or left while it is prepared.

    With `bar` NEST's own progress bar (``nest.print_time``) is left on, where the user wants it.
    """
    before, printed = nest.verbosity, nest.print_time
    nest.verbosity = max(before, nest.VerbosityLevel.ERROR)
    nest.print_time = printed and bar
    try:
        yield
    finally:
        nest.verbosity, nest.print_time = before, printed
