"""The potential of a disc of current, blurred along its axis or not, without `quad`."""

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
_RIM = 24  # points on half of a rim: relative errors of 1e-5 at two thirds of the radius
_REACH = 9.0  # standard deviations, beyond which a normal distribution has 2e-19


def disc_potential(
    height: Floats,
    radius: Floats | float,
    sigma: float,
    blur: float = 0.0,
    polynomial: Sequence[float] = (1.0,),
) -> Floats:
    """Potential on the axis of a disc that passes 1 nA, evenly over its area (mV).

    Parameters
    ----------
    height : ndarray
        On the axis, above the disc's mean place (µm).
    radius : float or ndarray
        Of the disc (µm), more than 0; as an array, of a shape that broadcasts with `height`.
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
    z, r = np.broadcast_arrays(np.asarray(height, dtype=float), radius)
    scale = 1 / (2 * sigma * np.pi)
    if blur == 0:
        return np.asarray(scale / (np.hypot(z, r) + np.abs(z)))
    total = np.zeros_like(z)
    for side in (1, -1):  # the disc lies below, and above
        centre = side * z
        ends = np.clip([centre - _REACH * blur, centre + _REACH * blur], 0, None) / r
        first, last = np.arcsinh(ends)[..., None]
        half = (last - first) / 2
        t = first + half * (1 + _NODES)
        place = (z[..., None] - side * r[..., None] * np.sinh(t)) / blur
        current = np.exp(-(place**2) / 2) * hermite_e.hermeval(place, polynomial)
        total += (half * current * (1 + np.exp(-2 * t))) @ _WEIGHTS
    return np.asarray(scale / 2 * total / (blur * np.sqrt(2 * np.pi)))


def off_axis_potential(
    height: Floats, away: Floats, radius: float, sigma: float, blur: float = 0.0
) -> Floats:
    """Potential of a disc that passes 1 nA, evenly over its area, beside its axis (mV).

    It is also that on the axis of a segment at this distance from its soma, the mean over cells
    whose somata are anywhere in the disc and which are turned any way: seen from the segments, the
    contact is anywhere in a disc around a place `away` from them.

    Parameters
    ----------
    height, away : ndarray
        From the disc, and from its axis (µm), of shapes that broadcast.
    radius, sigma, blur : float
        As in `disc_potential`.

    Notes
    -----
    Green's theorem makes the integral over the disc one over its rim, at which the potential is
    that of discs on their axes, with the distance to the rim as radius.
    """
    rim = np.pi * (np.arange(_RIM) + 0.5) / _RIM  # the other half is the same
    total = np.zeros(np.broadcast_shapes(np.shape(height), np.shape(away)))
    ratio = np.asarray(away, dtype=float) / radius
    for cosine in np.cos(rim):
        distance = radius * np.sqrt(1 + ratio**2 - 2 * ratio * cosine)
        share = np.broadcast_to(1 - ratio * cosine, total.shape)
        total += share * disc_potential(height, distance, sigma, blur)
    return total / _RIM


def is_disc(probe: Any) -> bool:
    """Whether the probe is LFPykernels' own; one made of it may calculate something else."""
    return type(probe) is require("lfpykernels", "lfpykernels").GaussCylinderPotential
