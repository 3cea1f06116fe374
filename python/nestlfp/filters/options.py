"""What a user can ask of a filter, as values."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from typing import Any

from ..errors import KernelError
from ..grid import step

# Importing a filter registers it.
from .base import METHODS, Method
from .choose import Auto
from .fir import FIR
from .separable import Separable
from .state_space import StateSpace

__all__ = ["FIR", "Auto", "Method", "Options", "Separable", "StateSpace", "method_named"]


def method_named(method: str | Method, **given: Any) -> Method:
    """The method of this name, with those of the given options that are not None.

    Raises
    ------
    KernelError
        If there is no such method, or it does not have such an option.
    """
    options = {name: value for name, value in given.items() if value is not None}
    if isinstance(method, Method):
        if options:
            raise KernelError(
                f"{', '.join(options)} given beside method={method!r}: say it there instead"
            )
        return method
    kind = METHODS.get(method) if isinstance(method, str) else None
    if kind is None:
        raise KernelError(
            f"method must be one of {tuple(METHODS)}, or one with options such as "
            f"nestlfp.StateSpace(tolerance=1e-4), found {method!r}"
        )
    known = [each.name for each in fields(kind)]
    if wrong := options.keys() - known:
        raise KernelError(
            f"method={method!r} has no option {' or '.join(sorted(wrong))}: leave it away "
            f"(its options: {', '.join(known) or 'none'})"
        )
    return kind(**options)


@dataclass(frozen=True)
class Options:
    """How kernels become a filter bank.

    Parameters
    ----------
    method : Method
        How the kernels are realized: FIR, StateSpace, Separable, Auto, ...
    by : tuple of {"post", "pre"}
        The populations whose contributions are kept apart.
    interval : float or None
        Distance of two samples (ms); None leaves it to the recorder.
    antialias : bool
        Low-pass filter the kernels for the interval.
    """

    method: Method = field(default_factory=FIR)
    by: tuple[str, ...] = ()
    interval: float | None = None
    antialias: bool = False

    def __post_init__(self) -> None:
        from ..kernels import by_dims

        object.__setattr__(self, "by", by_dims(self.by))
        if not isinstance(self.antialias, bool):
            raise KernelError(f"antialias must be True or False, found {self.antialias!r}")
        if self.antialias and self.interval is None:
            raise KernelError("antialias=True needs to know the interval of the samples (ms)")

    @classmethod
    def of(
        cls,
        method: str | Method = "fir",
        *,
        by: str | Iterable[str] = (),
        interval: float | None = None,
        antialias: bool = False,
    ) -> Options:
        """Options as `FilterBank` takes them."""
        return cls(method_named(method), by, interval, antialias)  # type: ignore[arg-type]

    def every(self, dt: float) -> int:
        """Steps of `dt` (ms) between two samples; of 1 ms where no interval was asked for."""
        if self.interval is None:
            return max(1, round(1.0 / dt))
        return max(1, step(self.interval, dt, "interval", KernelError))
