"""What a filter is to all others: its options, which are its registration, and what they make."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeVar

import numpy as np

from .._types import Array, Ints
from ..errors import KernelError

if TYPE_CHECKING:  # xarray takes longer to import than all that `nestlfp.install` does
    from .coefficients import Coefficients

T = TypeVar("T")


class Once(Protocol):
    """Calls a function on one of several processes, and returns its result on all."""

    def __call__(self, work: Callable[[], T], /) -> T:
        """What it returns."""


def here(work: Callable[[], T]) -> T:
    """`Once`, where there is a single process."""
    return work()


METHODS: dict[str, type[Method]] = {}
"""The options of each filter by its name, in the order in which they were registered."""


@dataclass(frozen=True)
class Method(ABC):
    """Options of a filter, and how a filter is designed with them.

    A subclass is a filter's registration: ``class FIR(Method, name="fir", template="...")``, a
    frozen dataclass whose fields are the options, each with a default. Recorders,
    `nestlfp.install` and the command line then know it by its name. Options are handed on as a
    whole: this object is what a filter is designed with, the key of what is kept on disk, and what
    signals say of how they were made.

    Attributes
    ----------
    name : str
        Name of the method, as `FilterBank` takes it.
    template : str or Path
        The template of the node: a file in ``models/``, or a path; empty where the method chooses
        among others and has no node.
    """

    name: ClassVar[str]
    template: ClassVar[str | Path]

    def __init_subclass__(cls, *, name: str, template: str | Path = "") -> None:
        cls.name, cls.template = name, template
        METHODS[name] = cls

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if isinstance(value, np.generic):  # NumPy's numbers have another text
                object.__setattr__(self, name, value.item())

    @abstractmethod
    def design(self, coefficients: Coefficients, every: int, once: Once) -> Filter:
        """A filter of these coefficients, sampled one step in `every`.

        What takes long is done in `once`: see `Ranks.on_root`.

        Raises
        ------
        ToleranceError
            If the tolerance cannot be met.
        """

    def least(self, coefficients: Coefficients, every: int) -> float:
        """The least that a step can cost (µs), see `Filter.microseconds`.

        `Auto` designs filters for which this is less than the cost of the FIR filter. It is
        infinite where it is not to look at this one.
        """
        return np.inf


def for_ports(ports: int, values: Any) -> Array:
    """A value for each port from one for each population; idle ports have 0."""
    return np.pad(np.asarray(values, dtype=float), (0, ports - len(values)))


def check_tolerance(tolerance: Any) -> None:
    """Raise a `KernelError` unless it can be a tolerance."""
    if not (isinstance(tolerance, Real) and 0 < float(tolerance) < 1):
        raise KernelError(f"tolerance must lie between 0 and 1, found {tolerance!r}")


@dataclass(frozen=True)
class Filter(ABC):
    """Kernels as something that a NEST node can compute.

    Parameters
    ----------
    options : Method
        What it was designed with.
    coefficients : Coefficients
        What is computed.
    choice : str
        Why it was chosen, where there was a choice.

    Attributes
    ----------
    grows : str
        The parameter that is set once a node is there. It is the length of a state that nobody
        records; NEST would make each of its elements a recordable if the length were known when
        the node is created.
    """

    options: Method
    coefficients: Coefficients
    choice: str = field(default="", kw_only=True)
    grows: ClassVar[str]

    @property
    def method(self) -> str:
        """Name of the method."""
        return self.options.name

    @property
    def taps(self) -> Ints:
        """Steps from the first effect of a population's spike to its end, (population,)."""
        return self.coefficients.lengths

    @property
    def reach(self) -> int:
        """The most steps from a spike's arrival to the end of its effect."""
        return int((self.coefficients.furthest_hold + self.taps).max())

    @property
    def max_hold(self) -> Ints:
        """The most steps that a node can hold back spikes of each population."""
        return np.asarray(self.reach - self.taps, dtype=np.int64)

    @property
    def expansion(self) -> Array | None:
        """Channels of a group from its outputs, (channel, output); None if they are the same."""
        return None

    @property
    def n_outputs(self) -> int:
        """Number of values that a node hands out, recorded as ``Y_0``, ``Y_1``, ..."""
        c, expansion = self.coefficients, self.expansion
        return c.groups * (c.n_channels if expansion is None else expansion.shape[1])

    def expand(self, outputs: Array) -> Array:
        """Values of shape (group, channel, time) from outputs of shape (output, time)."""
        n = self.coefficients.groups
        groups = outputs.reshape(n, self.n_outputs // n, -1)
        # A copy: what a user does to the signals must not reach the recorder's own samples.
        return groups.copy() if self.expansion is None else self.expansion @ groups

    @property
    @abstractmethod
    def error(self) -> Array:
        """Largest error of each channel's kernels relative to the channel's peak, (channel,)."""

    @property
    @abstractmethod
    def bound(self) -> Array:
        """Sum over lags of the error, relative to the channel's peak, (channel,)."""

    @abstractmethod
    def microseconds(self, every: int) -> float:
        """Estimated time of a step in which each population spikes, sampled one in `every`."""

    @abstractmethod
    def parameters(self, ports: int, hold: Ints, every: int, until: int) -> dict[str, Any]:
        """All parameters of a node with this number of ports, of which the last may be idle.

        It holds back spikes of population p by hold[p] steps, and is sampled one step in `every`:
        for the first time `until` steps after its first.
        """

    @abstractmethod
    def __str__(self) -> str:
        """What it is made of, in a few words."""
