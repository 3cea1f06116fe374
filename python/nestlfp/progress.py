"""The progress bar of work that takes long."""

from __future__ import annotations

import sys
from typing import Any


def progress_bar(total: float, what: str, unit: str, shown: bool, **options: Any) -> Any:
    """A progress bar of tqdm, in a terminal or notebook; to be used in a ``with``.

    Parameters
    ----------
    total : float
        How many there are.
    what : str
        What is being done.
    unit : str
        What `total` counts.
    shown : bool
        False: without a bar.
    **options
        Others of ``tqdm.tqdm``.
    """
    from tqdm import tqdm

    visible = sys.stderr.isatty() or "ipykernel" in sys.modules
    return tqdm(total=total, desc=what, unit=unit, disable=not (shown and visible), **options)
