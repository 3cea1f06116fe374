"""Current source density from potentials by the methods of elephant, as a matrix.

All of them are linear in the potentials, so that elephant is asked once, for the matrix, and not
for each sample: recordings may be long.
"""

from __future__ import annotations

import contextlib
import io
import sys
import warnings
from typing import Any

import numpy as np

from .._types import Floats
from ..errors import MissingExtraError, SignalError
from ..extras import require

METHODS = ("DeltaiCSD", "StepiCSD", "SplineiCSD", "KCSD1D")
_SOURCES = "elephant.current_source_density_src"
_TOLERANCE = 1e-10  # mm² or less, of integrals over sources; elephant's own is 1e-6
_LOOKED_AT = 500  # samples for cross-validation
_FINE = 20  # points of KCSD's grid for each contact


def matrix(
    method: str, along: Floats, diameter: float, conductivity: float, potentials: Floats
) -> Floats:
    """What makes µA/mm³ at the contacts from mV there, shape (contact, contact).

    Parameters
    ----------
    method : str
        One of `METHODS`.
    along : ndarray, shape (contact,)
        Where the contacts are (µm), increasing.
    diameter : float
        Of the sources, which are discs or cylinders around the line (µm).
    conductivity : float
        In S/m, the same everywhere.
    potentials : ndarray, shape (contact, sample)
        In mV, by which KCSD1D chooses its regularization.
    """
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")  # elephant's, of other packages' versions
        _elephant("elephant")
        if method == "KCSD1D":
            return _by_kcsd(along / 1000, diameter / 1000, conductivity, potentials)
        return _by_icsd(method, along / 1000, diameter / 1000, conductivity)


def _elephant(name: str) -> Any:
    """A module of elephant, which imports mpi4py where there is one, but has no need of it here."""
    try:
        return require(name, "csd")
    except MissingExtraError as error:
        if not isinstance(error.__cause__, RuntimeError):
            raise
    # mpi4py found no MPI library, for which elephant is not prepared: as if it were not installed.
    hidden: dict[str, Any] = dict.fromkeys(("mpi4py", "mpi4py.MPI", "mpi4py.futures"))
    kept = {each: sys.modules[each] for each in hidden if each in sys.modules}
    sys.modules.update(hidden)
    try:
        return require(name, "csd")
    finally:
        for each in hidden:
            del sys.modules[each]
        sys.modules.update(kept)


def _by_icsd(name: str, z: Floats, diameter: float, conductivity: float) -> Floats:
    pq = require("quantities", "csd")
    spacing = np.diff(z).mean()
    if np.any(np.abs(np.diff(z) - spacing) > 1e-3 * spacing):
        raise SignalError(
            f"{name} needs contacts at equal distances, found {np.round(np.diff(z) * 1e3, 1)} "
            "µm: KCSD1D does not"
        )
    sigma = conductivity * pq.S / pq.m
    options: dict[str, Any] = {"diam": diameter * pq.mm, "sigma": sigma, "sigma_top": sigma}
    if name == "StepiCSD":
        options |= {"h": spacing * pq.mm, "tol": _TOLERANCE}
    if name == "SplineiCSD":
        options |= {"num_steps": z.size, "tol": _TOLERANCE}
    # With a source that reaches below 0, elephant 1.2 integrates from 1 mm on.
    at = (z - z[0] + spacing) * pq.mm
    volts = np.eye(z.size) * pq.V
    estimator = getattr(_elephant(f"{_SOURCES}.icsd"), name)(volts[:, :1], at, **options)
    columns = []
    for k in range(z.size):  # elephant 1.2's splines are of one sample
        estimator.lfp = volts[:, k : k + 1]
        columns.append(np.ravel(estimator.get_csd().simplified.magnitude))
    found = np.stack(columns, axis=1)
    if name == "DeltaiCSD":  # A/m² of discs, each of which stands for a slice
        found = found / (spacing * 1e-3)
    return found * 1e-6  # A/m³ by V to µA/mm³ by mV


def _by_kcsd(z: Floats, diameter: float, conductivity: float, potentials: Floats) -> Floats:
    kernel_csd = _elephant(f"{_SOURCES}.KCSD").KCSD1D
    points = _FINE * (z.size - 1) + 1
    options = {
        "h": diameter / 2,
        "sigma": conductivity,
        "xmin": z[0],
        "xmax": z[-1],
        "gdx": (z[-1] - z[0]) / (points + 0.5),
        "n_src_init": max(1000 // _FINE, points),
        "R_init": 2 * float(np.diff(z).min()),
    }
    every = max(1, potentials.shape[1] // _LOOKED_AT)
    seen = kernel_csd(z[:, np.newaxis], potentials[:, ::every], **options)
    spacing = float(np.diff(z).min())
    radius, regularization = seen.cross_validate(Rs=spacing * np.array([1.0, 2.0, 4.0]))
    for_each = kernel_csd(z[:, np.newaxis], np.eye(z.size), **options)
    for_each.update_R(radius)
    for_each.update_lambda(regularization)
    fine = for_each.values("CSD")  # (point, contact)
    return np.stack([np.interp(z, for_each.estm_x, column) for column in fine.T], axis=1)
