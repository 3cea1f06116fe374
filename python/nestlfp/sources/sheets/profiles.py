"""Where a neuron's targets are: their density over the lateral distance, in the plane."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import scipy.special

from ..._types import Floats
from ...errors import KernelError
from ...kernels.checks import positive


class Profile(Protocol):
    """Isotropic density in the plane that integrates to 1."""

    @property
    def spread(self) -> float:
        """Standard deviation along each axis (µm)."""

    @property
    def reach(self) -> float:
        """Distance (µm) beyond which one in ten thousand lies."""

    def density(self, distance: Floats) -> Floats:
        """Probability density (1/µm²) at these distances (µm)."""

    def spectrum(self, k: Floats) -> Floats:
        """Two-dimensional Fourier transform at angular wave numbers k (1/µm); 1 at 0."""

    def narrowed(self, width: float) -> Profile:
        """The profile that has this one's spread after blurring by a Gaussian of this width."""


@dataclass(frozen=True)
class Gaussian:
    """Density exp(-r²/2σ²) / 2πσ².

    Parameters
    ----------
    width : float
        Standard deviation σ along each axis (µm).

    Examples
    --------
    >>> import numpy as np
    >>> from nestlfp.sources.sheets import Gaussian
    >>> r = np.arange(0.0, 3000.0)
    >>> round(float(np.sum(2 * np.pi * r * Gaussian(300.0).density(r))), 3)
    1.0
    """

    width: float

    def __post_init__(self) -> None:
        positive(self.width, "width of a Gaussian profile (µm)")

    @property
    def spread(self) -> float:
        """See `Profile.spread`."""
        return self.width

    @property
    def reach(self) -> float:
        """See `Profile.reach`."""
        return self.width * float(np.sqrt(2 * np.log(1e4)))

    def density(self, distance: Floats) -> Floats:
        """See `Profile.density`."""
        s2 = self.width**2
        return np.asarray(np.exp(-(distance**2) / (2 * s2)) / (2 * np.pi * s2))

    def spectrum(self, k: Floats) -> Floats:
        """See `Profile.spectrum`."""
        return np.asarray(np.exp(-0.5 * (k * self.width) ** 2))

    def narrowed(self, width: float) -> Gaussian:
        """See `Profile.narrowed`."""
        return Gaussian(_rest(self.spread, width))


@dataclass(frozen=True)
class Exponential:
    """Density exp(-r/λ) / 2πλ².

    Parameters
    ----------
    length : float
        Length constant λ (µm).
    """

    length: float

    def __post_init__(self) -> None:
        positive(self.length, "length of an exponential profile (µm)")

    @property
    def spread(self) -> float:
        """See `Profile.spread`."""
        return self.length * float(np.sqrt(3.0))

    @property
    def reach(self) -> float:
        """See `Profile.reach`."""
        return 11.756 * self.length  # (1 + x) exp(-x) = 1e-4

    def density(self, distance: Floats) -> Floats:
        """See `Profile.density`."""
        return np.asarray(np.exp(-distance / self.length) / (2 * np.pi * self.length**2))

    def spectrum(self, k: Floats) -> Floats:
        """See `Profile.spectrum`."""
        return np.asarray((1 + (k * self.length) ** 2) ** -1.5)

    def narrowed(self, width: float) -> Exponential:
        """See `Profile.narrowed`; the shape near 0 is not kept, only the spread."""
        return Exponential(_rest(self.spread, width) / float(np.sqrt(3.0)))


@dataclass(frozen=True)
class Disk:
    """The same density everywhere up to a distance.

    Parameters
    ----------
    radius : float
        The distance (µm).
    """

    radius: float

    def __post_init__(self) -> None:
        positive(self.radius, "radius of a disk (µm)")

    @property
    def spread(self) -> float:
        """See `Profile.spread`."""
        return self.radius / 2

    @property
    def reach(self) -> float:
        """See `Profile.reach`."""
        return self.radius

    def density(self, distance: Floats) -> Floats:
        """See `Profile.density`."""
        return np.where(distance <= self.radius, 1 / (np.pi * self.radius**2), 0.0)

    def spectrum(self, k: Floats) -> Floats:
        """See `Profile.spectrum`."""
        x = np.maximum(np.asarray(k) * self.radius, 1e-8)
        return np.asarray(2 * scipy.special.j1(x) / x)

    def narrowed(self, width: float) -> Disk:
        """See `Profile.narrowed`; the edge is not kept sharp, only the spread."""
        return Disk(2 * _rest(self.spread, width))


def check_narrow(blurred: float, spread: float, width: float) -> None:
    """A `KernelError` where patches of a width, blurred to another, are wider than a profile."""
    if blurred >= spread:
        raise KernelError(
            f"patches of width {width:g} µm are too wide for a profile whose spread along an axis "
            f"is {spread:g} µm: compute patches of at most {spread / 2:g} µm"
        )


def _rest(spread: float, width: float) -> float:
    check_narrow(width, spread, width)
    return float(np.sqrt(spread**2 - width**2))
