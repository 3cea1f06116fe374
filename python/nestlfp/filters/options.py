"""What a user can ask of a filter, as values."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from numbers import Real
from typing import Any, ClassVar

from ..errors import KernelError
from ..grid import step
from ..kernels import by_dims


@dataclass(frozen=True)
class FIR:
    """The kernels as they are: exact, at a cost that grows with every channel and tap."""

    name: ClassVar[str] = "fir"


@dataclass(frozen=True)
class StateSpace:
    """A reduced filter: the same sum with far fewer operations, to a tolerance.

    Parameters
    ----------
    tolerance : float
        Largest error at any lag, relative to the channel's peak over lags and populations.
    exact_channels : bool
        Do not compress the channels: each is realized by itself.

    Raises
    ------
    KernelError
        If the tolerance does not lie between 0 and 1.

    Examples
    --------
    >>> from nestlfp import StateSpace
    >>> StateSpace(tolerance=1e-4)
    StateSpace(tolerance=0.0001, exact_channels=False)
    """

    name: ClassVar[str] = "state-space"
    tolerance: float = 1e-6
    exact_channels: bool = False

    def __post_init__(self) -> None:
        _check_tolerance(self.tolerance)


@dataclass(frozen=True)
class Separable:
    """A reduced filter for many ports whose kernels share a few time courses, to a tolerance.

    Parameters
    ----------
    tolerance : float
        Largest error at any lag, relative to the channel's peak over lags and populations.

    Raises
    ------
    KernelError
        If the tolerance does not lie between 0 and 1.

    Examples
    --------
    >>> from nestlfp import Separable
    >>> Separable(tolerance=1e-4)
    Separable(tolerance=0.0001)
    """

    name: ClassVar[str] = "separable"
    tolerance: float = 1e-6

    def __post_init__(self) -> None:
        _check_tolerance(self.tolerance)


@dataclass(frozen=True)
class Auto(StateSpace):
    """`FIR`, `Separable` or `StateSpace` with these options: what is estimated to cost least.

    `Separable` is looked at for more than 16 ports, `StateSpace` for up to 32.
    """

    name: ClassVar[str] = "auto"


def _check_tolerance(tolerance: Any) -> None:
    if not (isinstance(tolerance, Real) and 0 < float(tolerance) < 1):
        raise KernelError(f"tolerance must lie between 0 and 1, found {tolerance!r}")


Method = FIR | StateSpace | Separable

_BY_NAME: dict[str, type[FIR] | type[StateSpace] | type[Separable]] = {
    kind.name: kind for kind in (Auto, FIR, Separable, StateSpace)
}


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
    kind = _BY_NAME.get(method) if isinstance(method, str) else None
    if kind is None:
        raise KernelError(
            f"method must be one of {tuple(_BY_NAME)}, nestlfp.FIR(), nestlfp.StateSpace(...), "
            f"nestlfp.Separable(...) or nestlfp.Auto(...), found {method!r}"
        )
    if kind is FIR and options:
        raise KernelError(
            f"method='fir' is exact and has no {' or '.join(options)}: leave it away, or use "
            "method='state-space' or 'auto'"
        )
    if kind is Separable and "exact_channels" in options:
        raise KernelError(
            "method='separable' does not compress channels and has no exact_channels: leave it away"
        )
    return kind(**options)


@dataclass(frozen=True)
class Options:
    """How kernels become a filter bank.

    Parameters
    ----------
    method : FIR, StateSpace, Separable or Auto
        How the kernels are realized.
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
        return cls(method_named(method), by_dims(by), interval, antialias)

    def every(self, dt: float) -> int:
        """Steps of `dt` (ms) between two samples; of 1 ms where no interval was asked for."""
        if self.interval is None:
            return max(1, round(1.0 / dt))
        return max(1, step(self.interval, dt, "interval", KernelError))
