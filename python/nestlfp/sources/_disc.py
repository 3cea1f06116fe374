"""The potential of a disc of current on its axis, blurred along it or not, without `quad`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.polynomial import hermite_e

from .._types import Floats
from ..extras import require

POLYNOMIAL = "polynomial"
"""Attribute of discs of cells at one of several depths: that of `disc_potential`."""

# Relative errors of 3e-13 where the disc's radius is 1e-3 to 1e4 times the blur.
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(100)
_REACH = 9.0  # standard deviations, beyond which a normal distribution has 2e-19


def disc_potential(
    height: Floats,
    radius: float,
    sigma: float,
    blur: float = 0.0,
    polynomial: Sequence[float] = (1.0,),
) -> Floats:
    """Potential on the axis of a disc that passes 1 nA, evenly over its area (mV).

    Parameters
    ----------
    height : ndarray
        On the axis, above the disc's mean place (µm).
    radius : float
        Of the disc (µm), more than 0.
    sigma : float
        Conductivity (S/m).
    blur : float
        Standard deviation of the normal distribution that the disc's place on the axis has (µm).
    polynomial : sequence of float
        What the current is at each of these places (nA), as a function of how far above its mean
        the disc is, in standard deviations: coefficients of (probabilists') Hermite polynomials.

    Notes
    -----
    At the height z the potential is :math:`(\\sqrt{z^2 + R^2} - |z|) / 2 \\sigma \\pi R^2`. With
    :math:`z = R \\sinh t` this is :math:`R e^{-|t|} / 2 \\sigma \\pi R^2`. Its mean is an integral
    over t of a smooth function on each side of the kink, where Gauss-Legendre quadrature converges
    fast whatever the ratio of radius and blur, and nothing cancels.
    """
    scale = 1 / (2 * sigma * np.pi * radius**2)
    z = np.asarray(height, dtype=float)
    if blur == 0:
        return np.asarray(scale * radius**2 / (np.hypot(z, radius) + np.abs(z)))
    total = np.zeros_like(z)
    for side in (1, -1):  # the disc lies below, and above
        centre = side * z
        ends = np.clip([centre - _REACH * blur, centre + _REACH * blur], 0, None) / radius
        first, last = np.arcsinh(ends)[..., None]
        half = (last - first) / 2
        t = first + half * (1 + _NODES)
        place = (z[..., None] - side * radius * np.sinh(t)) / blur
        current = np.exp(-(place**2) / 2) * hermite_e.hermeval(place, polynomial)
        total += (half * current * (1 + np.exp(-2 * t))) @ _WEIGHTS
    return np.asarray(scale * radius**2 / 2 * total / (blur * np.sqrt(2 * np.pi)))


def is_disc(probe: Any) -> bool:
    """Whether the probe is LFPykernels' own; one made of it may calculate something else."""
    return type(probe) is require("lfpykernels", "lfpykernels").GaussCylinderPotential
