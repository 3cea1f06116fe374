"""Spherical heads of LFPykit at thousands of dipoles: the same potentials and fields, at once.

LFPykit takes a tenth of a second for a dipole seen by 64 electrodes and 102 magnetometers. What it
computes depends on few numbers, which are asked of it, or is a formula.
"""

from __future__ import annotations

from copy import copy
from typing import Any

import numpy as np

from .._types import Floats

_LEFT_OUT = 1e-12  # of the series' terms


def four_sphere(model: Any, dipoles: Floats, contacts: Floats) -> Floats:
    """Potentials of dipoles along x, y and z in a ``FourSphereVolumeConductor``.

    By symmetry the potential of a dipole p at r, at a contact in the direction e, is

        p · gradient of  sum over n of  g_n |r|^n P_n(cos of the angle between r and e)

    The factors g_n are found from one dipole of LFPykit, on the z axis.

    Parameters
    ----------
    model : lfpykit.eegmegcalc.FourSphereVolumeConductor
    dipoles : array, shape (n, 3)
        In µm, inside of the innermost sphere and not at its centre.
    contacts : array, shape (contact, 3)
        In µm; those of the model.

    Returns
    -------
    array, shape (n, contact, 3)
        In mV/(nA µm).
    """
    found = np.empty((len(dipoles), len(contacts), 3))
    radii = np.linalg.norm(contacts, axis=1)
    for radius in np.unique(radii.round(6)):  # of all contacts, mostly
        here = np.abs(radii - radius) < 1e-6
        found[:, here] = _at_radius(model, dipoles, contacts[here], radius)
    return found


def _at_radius(model: Any, dipoles: Floats, contacts: Floats, radius: float) -> Floats:
    height = np.linalg.norm(dipoles, axis=1)  # above the centre
    highest = float(height.max())
    terms = _radial_terms(model, highest, radius)
    up, out = dipoles / height[:, None], contacts / np.linalg.norm(contacts, axis=1)[:, None]
    cosine = np.clip(up @ out.T, -1.0, 1.0)
    radial, tangential = np.zeros_like(cosine), np.zeros_like(cosine)
    # P_n and its derivative, by their recurrences.
    before, legendre = np.ones_like(cosine), cosine
    slope_before, slope = np.zeros_like(cosine), np.ones_like(cosine)
    for n, term in enumerate(terms, start=1):
        at_height = term * (height[:, None] / highest) ** (n - 1)
        radial += at_height * legendre
        tangential += at_height / n * slope
        slope_before, slope = slope, slope_before + (2 * n + 1) * legendre
        before, legendre = legendre, ((2 * n + 1) * cosine * legendre - n * before) / (n + 1)
    along = radial - cosine * tangential
    return along[..., None] * up[:, None] + tangential[..., None] * out[None]


def _radial_terms(model: Any, height: float, radius: float) -> Floats:
    """Factors of P_1, P_2, … in the potential of a radial dipole at this height (mV/(nA µm))."""
    n = int(np.log(_LEFT_OUT) / np.log(height / radius)) + 2
    cosines, weights = np.polynomial.legendre.leggauss(n)
    asked = copy(model)
    asked.rxyz = radius * np.stack([np.sqrt(1 - cosines**2), 0 * cosines, cosines], axis=1)
    asked.r = np.linalg.norm(asked.rxyz, axis=1)
    potential = asked.get_transformation_matrix(np.array([0.0, 0.0, height]))[:, 2]
    orders = np.arange(n)
    polynomials = np.polynomial.legendre.legvander(cosines, n - 1)
    return np.asarray(((orders + 0.5) * ((weights * potential) @ polynomials))[1:])


def symmetric_sphere(model: Any, dipoles: Floats, sensors: Floats) -> Floats:
    """Fields of dipoles along x, y and z in a ``SphericallySymmetricVolCondMEG``.

    Parameters
    ----------
    model : lfpykit.eegmegcalc.SphericallySymmetricVolCondMEG
    dipoles : array, shape (n, 3)
        In µm.
    sensors : array, shape (sensor, 3)
        In µm, outside of the sphere.

    Returns
    -------
    array, shape (n, sensor, 3, 3)
        Components of H (nA/µm) for those of the dipole moment (nA µm).

    Notes
    -----
    Sarvas (1987), Phys Med Biol 32: 11, Eq. 25.
    """
    r, r0 = sensors[None], dipoles[:, None]
    a = r - r0
    a_n, r_n = np.linalg.norm(a, axis=2)[..., None], np.linalg.norm(r, axis=2)[..., None]
    along = np.sum(a * r, axis=2)[..., None]
    F = a_n * (r_n * a_n + r_n**2 - np.sum(r0 * r, axis=2)[..., None])
    grad_F = (a_n**2 / r_n + along / a_n + 2 * a_n + 2 * r_n) * r
    grad_F -= (a_n + 2 * r_n + along / a_n) * r0
    # The moments of unit dipoles about the centre: p x r0.
    moments = np.cross(np.eye(3), dipoles[:, None])[:, None]  # (n, 1, dipole's axis, 3)
    onto = np.sum(moments * r[:, :, None], axis=3)[..., None]
    field = (F[:, :, None] * moments - onto * grad_F[:, :, None]) / F[:, :, None] ** 2 / (4 * np.pi)
    return np.asarray(field.swapaxes(2, 3))
