"""Current source density from potentials along a line: the second spatial difference."""

from __future__ import annotations

import numpy as np

from .._types import Floats, Ints
from ..errors import SignalError
from .layout import ascii_unit

UNIT = "µA/mm³"
_MILLIVOLTS = {"V": 1e3, "mV": 1.0, "uV": 1e-3, "nV": 1e-6}
_STRAIGHT = 1.0  # µm that a contact may be off the line


def contacts_in_line(positions: Floats) -> tuple[Ints, Floats]:
    """Contacts from the lowest to the highest, and where they are along their line (µm).

    Parameters
    ----------
    positions : array, shape (contacts, 3)
        In µm.

    Raises
    ------
    SignalError
        If they are fewer than three, or do not lie on a straight line at different depths.
    """
    if len(positions) < 3 or not np.isfinite(positions).all():
        raise SignalError("it needs at least 3 contacts whose positions are known")
    order = np.argsort(positions[:, 2], kind="stable")
    placed = positions[order] - positions[order[0]]
    length = np.linalg.norm(placed[-1])
    along = placed @ placed[-1] / (length or 1.0)
    off = np.linalg.norm(placed - np.outer(along, placed[-1] / (length or 1.0)), axis=1)
    if off.max() > _STRAIGHT or not np.all(np.diff(along) > 0):
        raise SignalError("its contacts are not in line, at different depths")
    return order, along


def second_difference(
    potentials: Floats, along: Floats, unit: str, conductivity: float = 0.3
) -> Floats:
    """Current source density (µA/mm³) at all contacts but the first and the last.

    That is ``-conductivity * d²(potential)/dz²``: sources are positive, sinks negative. It takes
    the potential as the same across the line as far as it matters, as in a wide layer, and the
    conductivity as the same everywhere.

    Parameters
    ----------
    potentials : array, shape (contacts, samples)
        In the order of `along`.
    along : array, shape (contacts,)
        Where the contacts are (µm), in steps that may differ.
    unit : str
        Of the potentials: V, mV, µV or nV.
    conductivity : float
        In S/m.

    Raises
    ------
    SignalError
        If the unit is none of a potential.

    Examples
    --------
    >>> z = np.array([0.0, 100.0, 200.0])
    >>> second_difference(np.array([[0.0], [-0.1], [0.0]]), z, "mV").round(9)
    array([[-6.]])
    """
    if ascii_unit(unit) not in _MILLIVOLTS:
        raise SignalError(f"it is made of potentials, in mV for example, found {unit!r}")
    steps = np.diff(along)[:, None]
    slopes = np.diff(potentials, axis=0) / steps
    curvature = 2 * np.diff(slopes, axis=0) / (steps[1:] + steps[:-1])
    # mV/µm² times S/m is nA/µm³, a million µA/mm³.
    return np.asarray(-1e6 * conductivity * _MILLIVOLTS[ascii_unit(unit)] * curvature)
