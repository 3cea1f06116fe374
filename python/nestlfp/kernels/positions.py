"""Where things are: electrode contacts, population cylinders, morphologies. All in µm.

`positions` turns what a user has (an array, or a `Probe` of probeinterface) into checked
positions; `Geometry` is what a set of kernels may know of its populations. Users find both in
`nestlfp.geometry`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from .._types import Floats
from ..errors import KernelError
from .checks import real

GEOMETRY = "geometry"
"""The attribute of a kernel set's dataset that holds its `Geometry` as text."""

_MICROMETRES = {"um": 1.0, "µm": 1.0, "mm": 1e3, "m": 1e6}
_SMALLEST_UM = 1.0  # no layout of contacts, cells or heads fits into a cube of this half-width
SEVERAL_UM = 10.0
"""No two contacts or cells, and no population, fit into a cube of this half-width, or of this width
for cells: a soma alone is larger."""


# ---------------------------------------------------------------------- positions
def positions(given: Any, what: str, *, smallest: float = _SMALLEST_UM) -> Floats:
    """Positions as an array of shape (n, 3) in µm.

    Parameters
    ----------
    given : array, shape (n, 3), or probeinterface.Probe
        Positions (µm), or a probe, which has its own unit.
    what : str
        What is there, for error messages: ``"the contacts"``.
    smallest : float, optional
        Positions that all lie closer to the origin than this (µm) are in another unit; of several
        places it is 10 µm or more. A probe has a unit of its own, which is believed.

    Raises
    ------
    KernelError
        If the shape is another one, a position is not finite, or the unit is not µm.
    """
    check_no_group(given)
    if is_probe(given):
        return contact_positions(given)
    try:
        found = real(given, f"positions of {what}").copy()
    except KernelError as error:
        raise KernelError(
            f"{error}; give an array of shape (n, 3) in µm, or a probeinterface Probe"
        ) from None
    if found.ndim != 2 or found.shape[1] != 3 or len(found) == 0:
        raise KernelError(f"positions of {what} must have shape (n, 3) in µm, found {found.shape}")
    _check_finite(found, what)
    check_several(found, what, smallest)
    return found


def _check_finite(found: Floats, what: str) -> None:
    """Raise a `KernelError` with the first position that is not finite, and their number."""
    bad = np.flatnonzero(~np.isfinite(found).all(axis=1))
    if bad.size:
        raise KernelError(
            f"positions of {what} must be finite, found {found[bad[0]].tolist()} at index {bad[0]} "
            f"({bad.size} of {len(found)} are not finite)"
        )


def check_several(
    found: Floats, what: str, smallest: float = _SMALLEST_UM, *, several: int = 2
) -> None:
    """As `check_micrometres`, of several positions together; only finite ones count."""
    known = np.unique(found[np.isfinite(found).all(axis=1)], axis=0)
    if len(known):
        enough = len(known) >= several
        check_micrometres(known, what, max(smallest, SEVERAL_UM) if enough else smallest)


def cells(given: Any, what: str) -> Floats:
    """Positions of somata, which do not overlap all; see `positions`."""
    found = positions(given, what)
    apart = float(np.ptp(found, axis=0).max())
    if 0 < apart < SEVERAL_UM:
        raise KernelError(
            f"positions of {what} must be in µm and look like millimetres: all {len(found)} lie "
            f"within {apart:g} of each other, and a soma alone is larger (multiply them by 1e3)"
        )
    return found


def check_together(**places: Floats) -> None:
    """A `KernelError` where contacts and cells are all so near to the origin that they are in mm.

    A single position does not show its unit, but a contact and a cell together do.
    """
    largest = max(float(np.max(np.abs(found), initial=0.0)) for found in places.values())
    if 0 < largest < SEVERAL_UM:
        raise KernelError(
            f"positions of {' and '.join(places)} must be in µm and look like millimetres: none "
            f"exceeds {largest:g} (multiply them by 1e3)"
        )


def position(given: ArrayLike, what: str, *, smallest: float = 0.0) -> Floats:
    """One position or direction as an array of shape (3,); see `positions`."""
    if np.shape(given) != (3,):
        raise KernelError(f"{what} must have shape (3,), found {np.shape(given)}")
    return positions([given], what, smallest=smallest)[0]


def check_micrometres(found: Floats, what: str, smallest: float = _SMALLEST_UM) -> None:
    """A `KernelError` where lengths are so short that they must be in metres or mm."""
    largest = float(np.max(np.abs(found)))
    if not 0 < largest < smallest:
        return
    if largest < _SMALLEST_UM:
        unit, advice = "metres", "multiply them by 1e6, or by 1e3 if they are millimetres"
    else:
        unit, advice = "millimetres", "multiply them by 1e3"
        if "contacts" in what and smallest == SEVERAL_UM:
            advice += (
                "; of contacts that are so near, give a probeinterface Probe, which has a unit"
            )
    raise KernelError(
        f"positions of {what} must be in µm and look like {unit}: none exceeds {largest:g} "
        f"({advice})"
    )


def is_probe(given: Any) -> bool:
    """Whether this is a `Probe` of probeinterface."""
    return hasattr(given, "contact_positions") and hasattr(given, "si_units")


def check_no_group(given: Any) -> None:
    """Raise a `KernelError` that says how to give one of the probes of a `ProbeGroup`."""
    if _is_group(given):
        raise KernelError(
            f"found a probeinterface ProbeGroup of {len(given.probes)} probes: give one of them, "
            ".probes[0], whose contact ids are kept as labels"
        )


def check_no_layouts(probes: Iterable[Any]) -> None:
    """Raise a `KernelError` where layouts of electrodes are given as probes."""
    for probe in probes:
        if is_probe(probe) or _is_group(probe):
            raise KernelError(
                f"a probeinterface {type(probe).__name__} says where contacts are, not what they "
                "measure. Make a probe of LFPykit or LFPykernels from it: x, y, z = "
                "nestlfp.geometry.contact_positions(probe).T and GaussCylinderPotential(None, "
                "z=z, ...) or LineSourcePotential(None, x=x, y=y, z=z)"
            )


def _is_group(given: Any) -> bool:
    return hasattr(given, "probes") and hasattr(given, "add_probe")


def contact_labels(given: Any) -> list[str] | None:
    """The contact ids of a probeinterface probe, if it has them."""
    ids = getattr(given, "contact_ids", None) if is_probe(given) else None
    return None if ids is None or len(ids) == 0 else [str(each) for each in ids]


def contact_positions(probe: Any) -> Floats:
    """Contacts of a probeinterface probe, in the order of the probe.

    Parameters
    ----------
    probe : probeinterface.Probe
        A probe of two or three dimensions in any of probeinterface's units. (The package comes
        with the extra ``probe`` of nestlfp.)

    Returns
    -------
    array, shape (n, 3)
        Positions (µm). A flat probe is in the x-z plane at y = 0: its first coordinate,
        across the shank, is x, its second, along the shank, is z, the depth axis of the
        populations. To place it elsewhere, make it three-dimensional first
        (``probe.to_3d(...)``, ``probe.move(...)``).
    """
    check_no_group(probe)
    if not is_probe(probe):
        raise KernelError(f"expected a probeinterface Probe, found {type(probe).__name__}")
    if probe.contact_positions is None or len(probe.contact_positions) == 0:
        raise KernelError("the probe has no contacts: call its set_contacts first")
    if probe.si_units not in _MICROMETRES:
        raise KernelError(
            f"unit of the probe must be one of {sorted(_MICROMETRES)}, found {probe.si_units!r}"
        )
    found = np.array(probe.contact_positions, dtype=float) * _MICROMETRES[probe.si_units]
    if found.shape[1] == 2:
        found = np.column_stack([found[:, 0], np.zeros(len(found)), found[:, 1]])
    _check_finite(found, "the contacts of the probe")
    check_micrometres(found, f"the contacts of a probe in {probe.si_units}")
    return found


# ---------------------------------------------------------------------- populations
@dataclass(frozen=True)
class Cylinder:
    """The volume in which the somata of a population lie.

    Parameters
    ----------
    radius : float
        Radius in the x-y plane (µm).
    bottom, top : float
        Depths between which the somata lie (µm).
    x, y : float
        The axis of the cylinder (µm).
    """

    radius: float
    bottom: float
    top: float
    x: float = 0.0
    y: float = 0.0

    def __post_init__(self) -> None:
        given = [self.radius, self.bottom, self.top, self.x, self.y]
        values = real(given, "radius, bottom, top, x and y of a cylinder")
        if not (np.all(np.isfinite(values)) and self.radius > 0 and self.top >= self.bottom):
            raise KernelError(
                "a cylinder needs a radius > 0 and bottom <= top, all finite (µm), found "
                f"radius {self.radius}, bottom {self.bottom}, top {self.top}"
            )
        check_micrometres(values[:1], "a population's cylinder (its radius)")
        if self.top > self.bottom:
            check_micrometres(values[:3], "a population's cylinder", SEVERAL_UM)

    @classmethod
    def of_normal_depths(cls, radius: float, loc: float, scale: float) -> Cylinder:
        """The cylinder that holds 95 % of somata with normally distributed depths (µm).

        The parameters are those of LFPykernels' ``populationParameters``.
        """
        return cls(radius, loc - 2 * scale, loc + 2 * scale)

    @property
    def center(self) -> Floats:
        """Middle of the cylinder, shape (3,), in µm."""
        return np.array([self.x, self.y, (self.bottom + self.top) / 2])


@dataclass(frozen=True)
class Geometry:
    """Where a kernel set's populations are in space.

    Parameters
    ----------
    cylinders : dict of str to Cylinder
        Where the somata of each population lie.
    segments : dict of str to array, shape (n, 7)
        A typical cell of a population, its soma at the origin: start x, y, z, end x, y, z and
        diameter of each segment (µm).
    """

    cylinders: Mapping[str, Cylinder]
    segments: Mapping[str, Floats] = field(default_factory=dict)

    def to_json(self) -> str:
        """As text, for an attribute of a file."""
        return json.dumps(
            {
                "cylinders": {name: asdict(found) for name, found in self.cylinders.items()},
                "segments": {name: np.round(s, 3).tolist() for name, s in self.segments.items()},
            }
        )

    @classmethod
    def from_json(cls, text: str) -> Geometry:
        """What `to_json` wrote."""
        try:
            found = json.loads(text)
            cylinders = {name: Cylinder(**c) for name, c in found["cylinders"].items()}
            segments = {name: np.array(s, dtype=float) for name, s in found["segments"].items()}
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise KernelError(f"the attribute 'geometry' cannot be read: {error!r}") from error
        return cls(cylinders, segments)

    @classmethod
    def of(cls, dataset: xr.Dataset) -> Geometry | None:
        """Where the populations of a kernel set's dataset are, or None."""
        text = dataset.attrs.get(GEOMETRY)
        return None if text is None else cls.from_json(text)
