"""Progress bars, and interrupts by the user."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any

from .. import progress


@contextlib.contextmanager
def progress_bar(total: float, shown: bool) -> Iterator[Callable[[float], None]]:
    """A progress bar with simulated time and real-time factor."""
    layout = "{l_bar}{bar}| {n:.0f}/{total:.0f} ms [{elapsed}<{remaining}{postfix}]"
    with progress.progress_bar(total, "", "ms", shown, bar_format=layout) as bar:

        def advance(by: float) -> None:
            bar.update(min(by, total - bar.n))  # rounding must not lead beyond the end
            if not bar.disable and bar.n > 0:
                factor = bar.format_dict["elapsed"] * 1000 / bar.n
                bar.set_postfix_str(f"real-time factor {factor:.3g}", refresh=False)

        yield advance


@contextlib.contextmanager
def interrupts() -> Iterator[Callable[[], bool]]:
    """Whether Ctrl-C was pressed; a second one interrupts at once."""
    pressed = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield pressed.is_set
        return
    before = signal.getsignal(signal.SIGINT)

    def press(*_: Any) -> None:
        pressed.set()
        signal.signal(signal.SIGINT, before)

    signal.signal(signal.SIGINT, press)
    try:
        yield pressed.is_set
    finally:
        signal.signal(signal.SIGINT, before)
