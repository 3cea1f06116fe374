"""Where things are: electrode contacts, population cylinders, morphologies. All in µm.

`positions` turns what a user has (an array, or a `Probe` of probeinterface) into checked
positions; `with_geometry` lets a `KernelSet` know the populations it was made for, so that they
can be drawn and contacts inside them recognised.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .errors import KernelError
from .kernels import KernelSet, check_name

ATTRIBUTE = "geometry"
_MICROMETRES = {"um": 1.0, "µm": 1.0, "mm": 1e3, "m": 1e6}
_SMALLEST_UM = 1.0  # no layout of contacts, cells or heads fits into a cube of this half-width


# ---------------------------------------------------------------------- positions
def positions(given: Any, what: str, *, smallest: float = _SMALLEST_UM) -> NDArray[np.float64]:
    """Positions as an array of shape (n, 3) in µm.

    Parameters
    ----------
    given : array, shape (n, 3), or probeinterface.Probe
        Positions (µm), or a probe, whose own unit is heeded.
    what : str
        What is there, for error messages: ``"the contacts"``.
    smallest : float, optional
        Positions that all lie closer to the origin than this (µm) are in another unit.

    Raises
    ------
    KernelError
        If the shape is another one, a position is not finite, or the unit is not µm.
    """
    if is_probe(given):
        return contact_positions(given)
    try:
        found = np.array(given, dtype=float)
    except (TypeError, ValueError) as error:
        raise KernelError(
            f"positions of {what} must be numbers of shape (n, 3) in µm, or a probeinterface "
            f"Probe; found {given!r}"
        ) from error
    if found.ndim != 2 or found.shape[1] != 3 or len(found) == 0:
        raise KernelError(f"positions of {what} must have shape (n, 3) in µm, found {found.shape}")
    if not np.all(np.isfinite(found)):
        raise KernelError(f"positions of {what} must be finite, found {found.tolist()}")
    check_micrometres(found, what, smallest)
    return found


def position(given: ArrayLike, what: str, *, smallest: float = 0.0) -> NDArray[np.float64]:
    """One position or direction as an array of shape (3,); see `positions`."""
    if np.shape(given) != (3,):
        raise KernelError(f"{what} must have shape (3,), found {np.shape(given)}")
    return positions([given], what, smallest=smallest)[0]


def check_micrometres(found: NDArray[Any], what: str, smallest: float = _SMALLEST_UM) -> None:
    """A `KernelError` where lengths are so short that they must be in metres or mm."""
    largest = float(np.max(np.abs(found)))
    if not 0 < largest < smallest:
        return
    if largest < _SMALLEST_UM:
        unit, advice = "metres", "multiply them by 1e6, or by 1e3 if they are millimetres"
    else:
        unit, advice = "millimetres", "multiply them by 1e3"
    raise KernelError(
        f"positions of {what} must be in µm and look like {unit}: none exceeds {largest:g} "
        f"({advice})"
    )


def is_probe(given: Any) -> bool:
    """Whether this is a `Probe` of probeinterface."""
    return hasattr(given, "contact_positions") and hasattr(given, "si_units")


def contact_positions(probe: Any) -> NDArray[np.float64]:
    """Contacts of a probeinterface probe, in the order of the probe.

    Parameters
    ----------
    probe : probeinterface.Probe
        A probe of two or three dimensions in any of probeinterface's units. (The package comes
        with the extra ``probe`` of nestlfp.)

    Returns
    -------
    array, shape (n, 3)
        Positions (µm). A flat probe stands in the x-z plane at y = 0: its first coordinate,
        across the shank, is x, its second, along the shank, is z, the depth axis of the
        populations. To place it elsewhere, make it three-dimensional first
        (``probe.to_3d(...)``, ``probe.move(...)``).
    """
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
    if not np.all(np.isfinite(found)):
        raise KernelError("the contacts of the probe are not finite")
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
        values = np.array([self.radius, self.bottom, self.top, self.x, self.y], dtype=float)
        if not (np.all(np.isfinite(values)) and self.radius > 0 and self.top >= self.bottom):
            raise KernelError(
                "a cylinder needs a radius > 0 and bottom <= top, all finite (µm), found "
                f"radius {self.radius}, bottom {self.bottom}, top {self.top}"
            )
        check_micrometres(values[:1], "a population's cylinder (its radius)")

    @classmethod
    def of_normal_depths(cls, radius: float, loc: float, scale: float) -> Cylinder:
        """The cylinder that holds 95 % of somata with normally distributed depths (µm).

        The parameters are those of LFPykernels' ``populationParameters``.
        """
        return cls(radius, loc - 2 * scale, loc + 2 * scale)

    @property
    def center(self) -> NDArray[np.float64]:
        """Middle of the cylinder, shape (3,), in µm."""
        return np.array([self.x, self.y, (self.bottom + self.top) / 2])


@dataclass(frozen=True)
class Geometry:
    """What a kernel set knows of the network's populations in space.

    Parameters
    ----------
    cylinders : dict of str to Cylinder
        Where the somata of each population lie.
    segments : dict of str to array, shape (n, 7)
        A typical cell of a population, its soma at the origin: start x, y, z, end x, y, z and
        diameter of each segment (µm).
    """

    cylinders: Mapping[str, Cylinder]
    segments: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)

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
        except (KeyError, TypeError, AttributeError, json.JSONDecodeError) as error:
            raise KernelError(f"the attribute 'geometry' cannot be read: {error!r}") from error
        return cls(cylinders, segments)


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
        raise KernelError(f"populations {unplaced} have a morphology but no cylinder to stand in")
    text = Geometry(made, cells).to_json()
    return KernelSet(kernels.dataset.assign_attrs({ATTRIBUTE: text}))


def geometry_of(kernels: KernelSet) -> Geometry | None:
    """What the kernels know of their populations in space, or None."""
    text = kernels.dataset.attrs.get(ATTRIBUTE)
    return None if text is None else Geometry.from_json(text)


def cell_segments(cell: Any) -> NDArray[np.float64]:
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


def _segments(name: str, given: ArrayLike) -> NDArray[np.float64]:
    found = np.array(given, dtype=float)
    if found.ndim != 2 or found.shape[1] != 7 or not np.all(np.isfinite(found)):
        raise KernelError(
            f"segments of {name!r} must be finite and have shape (n, 7): start x, y, z, end x, y, "
            f"z and diameter (µm); found shape {found.shape}"
        )
    check_micrometres(found[:, :6], f"the segments of {name!r}")
    return found
