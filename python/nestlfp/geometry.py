"""Where things are: electrode contacts, population cylinders, morphologies. All in µm.

`positions` turns what a user has (an array, or a `Probe` of probeinterface) into checked
positions; `with_geometry` lets a `KernelSet` know the populations it was made for, so that they
can be drawn and contacts inside them recognised; `electrodes` has those of the scalp by name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ._types import Floats
from .errors import KernelError
from .extras import require
from .kernels import KernelSet, check_name
from .kernels.checks import real
from .kernels.names import listed
from .kernels.positions import (
    GEOMETRY,
    SEVERAL_UM,
    Cylinder,
    Geometry,
    cells,
    check_micrometres,
    check_no_group,
    check_together,
    contact_labels,
    contact_positions,
    is_probe,
    position,
    positions,
)

__all__ = [
    "SEVERAL_UM",
    "Cylinder",
    "Geometry",
    "cell_segments",
    "cells",
    "check_micrometres",
    "check_no_group",
    "check_together",
    "contact_labels",
    "contact_positions",
    "electrodes",
    "geometry_of",
    "is_probe",
    "position",
    "positions",
    "with_geometry",
]


def with_geometry(
    kernels: KernelSet,
    cylinders: Mapping[str, Cylinder | Mapping[str, float]],
    segments: Mapping[str, ArrayLike] | None = None,
) -> KernelSet:
    """The same kernels, knowing where their populations are.

    Parameters
    ----------
    kernels : KernelSet
    cylinders : dict of str to Cylinder or dict
        Cylinder of each population, or the keywords of one (``radius``, ``bottom``, ``top``).
    segments : dict of str to array, shape (n, 7), optional
        A cell of each population; see `Geometry` and `cell_segments`.

    Raises
    ------
    KernelError
        If a population is in neither ``kernels.post`` nor ``kernels.pre``, or a shape is wrong.
    """
    known = {*kernels.post, *kernels.pre}
    for name in [*cylinders, *(segments or {})]:
        if check_name(name, "a population") not in known:
            raise KernelError(f"population {name!r} is not among the kernels' {sorted(known)}")
    made = {name: _cylinder(name, given) for name, given in cylinders.items()}
    cells = {name: _segments(name, given) for name, given in (segments or {}).items()}
    unplaced = sorted(set(cells) - set(made))
    if unplaced:
        raise KernelError(f"populations {unplaced} have a morphology but no cylinder")
    text = Geometry(made, cells).to_json()
    return KernelSet(kernels.stored.assign_attrs({GEOMETRY: text}))


def geometry_of(kernels: KernelSet) -> Geometry | None:
    """Where the kernels' populations are in space, or None."""
    return Geometry.of(kernels.stored)


SCALP = 89_999.0
"""Radius (µm) of electrodes on the head of LFPykit, 90 mm; rounding must not put them outside."""


def electrodes(
    montage: Any, names: Sequence[str] | None = None, *, radius: float = SCALP
) -> dict[str, Floats]:
    """Electrodes of EEG by their names, on a sphere: contacts of a spherical head.

    Parameters
    ----------
    montage : str or mne.channels.DigMontage
        A montage of MNE, such as ``"easycap-M1"``, ``"standard_1005"``, ``"biosemi64"``; all names
        are in ``mne.channels.get_builtin_montages()``.
    names : sequence of str, optional
        Electrodes that are wanted, in this order. Default: all.
    radius : float
        Of the sphere (µm). Default: that of the scalp of LFPykit's four-sphere head.

    Returns
    -------
    dict of str to array, shape (3,)
        Positions (µm), with the centre of the sphere as origin: x to the right, y to the front, z
        up. A sphere is fitted to all electrodes of the montage, and each is moved along its own
        direction from the centre.

    Raises
    ------
    KernelError
        If MNE does not know the montage, it has no such electrode, or the radius is not in µm.
    MissingExtraError
        If mne is not installed.

    Examples
    --------
    >>> from nestlfp.geometry import electrodes
    >>> places = electrodes("easycap-M1", ["Cz", "Oz"])
    >>> places["Cz"].round().tolist()
    [0.0, 0.0, 89999.0]

    Labels and contacts of a head:

    >>> head = FourSphereVolumeConductor(np.array([*places.values()]))  # doctest: +SKIP
    >>> kernels.project(head, channels=[*places], dipole_positions=at)  # doctest: +SKIP
    """
    if not (np.ndim(radius) == 0 and 0 < real(radius, "the radius of a head") < np.inf):
        raise KernelError(f"the radius of a head must be a positive number (µm), found {radius!r}")
    check_micrometres(np.array([radius]), "a head (its radius)", 1000.0)
    mne = require("mne", "mne")
    if isinstance(montage, str):
        try:
            montage = mne.channels.make_standard_montage(montage)
        except ValueError as error:
            raise KernelError(
                f"MNE has no montage {montage!r}: "
                f"{_like(montage, mne.channels.get_builtin_montages())}"
            ) from error
    if not isinstance(montage, mne.channels.DigMontage):
        raise KernelError(
            "a montage must be a name that MNE has, or an mne.channels.DigMontage, "
            f"found {type(montage).__name__}"
        )
    info = mne.create_info(montage.ch_names, 1.0, "eeg").set_montage(montage, verbose="error")
    places = info.get_montage().get_positions()["ch_pos"]  # turned so that y points to the nose
    given = np.array([*places.values()], dtype=float)
    chosen = listed(places if names is None else names, "names of electrodes")
    unknown = [name for name in chosen if name not in places]
    if unknown:
        raise KernelError(
            f"no electrode {unknown[0]!r} in the montage: {_like(unknown[0], places)}"
        )
    # |p - c|² = r² is linear in c and r² - |c|².
    equations = np.column_stack([2 * given, np.ones(len(given))])
    centre = np.linalg.lstsq(equations, np.sum(given**2, axis=1), rcond=None)[0][:3]
    directions = given - centre
    directions *= radius / np.linalg.norm(directions, axis=1, keepdims=True)
    on_sphere = dict(zip(places, directions, strict=True))
    return {name: on_sphere[name] for name in chosen}


def _like(name: str, known: Iterable[str]) -> str:
    """Names that may have been meant."""
    known = list(known)
    found = get_close_matches(name, known, n=5, cutoff=0.4) or known[:10]
    return f"it has {', '.join(found)}, and others"


def cell_segments(cell: Any) -> Floats:
    """Segments of an LFPy cell, relative to its soma, for `with_geometry`.

    Parameters
    ----------
    cell : LFPy.Cell
        Or anything with ``x``, ``y``, ``z`` of shape (n, 2) and ``d`` of shape (n,) in µm,
        whose first segment is the soma.

    Returns
    -------
    array, shape (n, 7)
    """
    ends = np.stack([np.asarray(getattr(cell, axis), dtype=float) for axis in "xyz"], axis=-1)
    ends = ends - ends[0].mean(axis=0)
    return np.column_stack([ends[:, 0], ends[:, 1], np.asarray(cell.d, dtype=float)])


def _cylinder(name: str, given: Cylinder | Mapping[str, float]) -> Cylinder:
    if isinstance(given, Cylinder):
        return given
    try:
        return Cylinder(**{key: float(value) for key, value in given.items()})
    except (TypeError, AttributeError, ValueError) as error:
        if isinstance(error, KernelError):
            raise
        raise KernelError(
            f"the cylinder of {name!r} needs radius, bottom and top (µm), and may have x and y; "
            f"found {given!r}"
        ) from error


def _segments(name: str, given: ArrayLike) -> Floats:
    found = real(given, f"segments of {name!r}")
    if found.ndim != 2 or found.shape[1] != 7 or not np.all(np.isfinite(found)):
        raise KernelError(
            f"segments of {name!r} must be finite and have shape (n, 7): start x, y, z, end x, y, "
            f"z and diameter (µm); found shape {found.shape}"
        )
    check_micrometres(found[:, :6], f"the segments of {name!r}")
    return found
