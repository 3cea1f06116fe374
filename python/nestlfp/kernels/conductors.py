"""LFPykit's volume conductors: what differs between its models of a head or of infinite space.

A model is given ready-made, so that LFPykit itself is not needed here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from .._types import Floats
from ..errors import KernelError
from .positions import check_micrometres, position, positions
from .spheres import four_sphere, symmetric_sphere

_SMALLEST_HEAD_UM = 1000.0  # dipoles and sensors of a head lie farther from its centre than this
# LFPykit's matrices give mV for nA µm, and H in nA/µm = 1e-3 A/m; B = mu H follows in T.
_EEG_UNITS = {"mV": 1.0, "µV": 1e3}
_MEG_UNITS = {"nA/µm": 1.0, "T": 1e-3, "fT": 1e12}
_FLUX_UNITS = {"T", "fT"}


@dataclass(frozen=True)
class Conductor:
    """What differs between LFPykit's models.

    `place` may leave the model set to the dipole, so `matrix` is called right after it.
    """

    units: Mapping[str, float]
    contacts: Callable[[Any, Any], Floats]  # (model, contacts given) -> (n, 3) µm
    place: Callable[[Any, Any, str], Floats]  # (model, position given, population) -> (3,) µm
    matrix: Callable[[Any, Floats, Floats], Floats]  # (model, dipole, contacts) -> (n, [3,] 3)
    outward: Callable[[Any, Floats], Floats] | None = None
    spherical: bool = False
    many: Callable[[Any, Floats, Floats], Floats] | None = None  # `matrix` of many dipoles


def _own(of_model: Callable[[Any], Any], smallest: float) -> Callable[[Any, Any], Floats]:
    """Contacts that the model was made with."""

    def contacts(model: Any, given: Any) -> Floats:
        if given is not None:
            raise KernelError(
                f"the contacts are part of {type(model).__name__}: leave contacts= out"
            )
        return positions(of_model(model), "the contacts of the model", smallest=smallest)

    return contacts


def _given(model: Any, given: Any) -> Floats:
    if given is None:
        raise KernelError(
            f"{type(model).__name__} has no contacts of its own: say where they are, contacts= "
            "of shape (n, 3) in µm"
        )
    return positions(given, "the contacts")


def _anywhere(model: Any, given: Any, name: str) -> Floats:
    return position(given, f"the dipole of {name!r}", smallest=1.0)


def _in_head(model: Any, given: Any, name: str) -> Floats:
    return position(given, f"the dipole of {name!r}", smallest=_SMALLEST_HEAD_UM)


def _in_inner_sphere(model: Any, given: Any, name: str) -> Floats:
    check_micrometres(np.array([model.r4]), "the model's spheres (radii)", _SMALLEST_HEAD_UM)
    at = _in_head(model, given, name)
    if not 0 < np.linalg.norm(at) < model.r1:
        raise KernelError(
            f"the dipole of {name!r} must lie inside the inner sphere, but not at its centre: "
            f"found it {np.linalg.norm(at):g} µm from the centre, the sphere's radius is "
            f"{model.r1:g} µm"
        )
    return at


def _on_cortex(model: Any, given: Any, name: str) -> Floats:
    """The vertex of the cortex nearest to a position or place; NYHeadModel itself counts in mm."""
    if isinstance(given, str) and given not in model.dipole_pos_dict:
        raise KernelError(
            f"NYHeadModel has no place {given!r} for the dipole of {name!r}: it has "
            f"{sorted(model.dipole_pos_dict)}"
        )
    try:
        model.set_dipole_pos(
            given if isinstance(given, str) else _in_head(model, given, name) / 1e3
        )
    except RuntimeWarning as error:  # NYHeadModel raises it
        raise KernelError(
            f"the dipole of {name!r} is more than 2 mm from the cortex of NYHeadModel: {error}"
        ) from error
    return np.array(model.dipole_pos, dtype=float) * 1e3


_CONDUCTORS = {
    "FourSphereVolumeConductor": Conductor(
        units=_EEG_UNITS,
        contacts=_own(lambda model: model.rxyz, _SMALLEST_HEAD_UM),
        place=_in_inner_sphere,
        matrix=lambda model, at, contacts: model.get_transformation_matrix(at),
        outward=lambda model, at: at,
        spherical=True,
        many=four_sphere,
    ),
    "InfiniteVolumeConductor": Conductor(
        units=_EEG_UNITS,
        contacts=_given,
        place=_anywhere,
        matrix=lambda model, at, contacts: model.get_transformation_matrix(contacts - at),
    ),
    "InfiniteHomogeneousVolCondMEG": Conductor(
        units=_MEG_UNITS,
        contacts=_own(lambda model: model.sensor_locations, 1.0),
        place=_anywhere,
        matrix=lambda model, at, contacts: model.get_transformation_matrix(at),
    ),
    "SphericallySymmetricVolCondMEG": Conductor(
        units=_MEG_UNITS,
        contacts=_own(lambda model: model.r, _SMALLEST_HEAD_UM),
        place=_in_head,
        matrix=lambda model, at, contacts: model.get_transformation_matrix(at),
        outward=lambda model, at: at,
        spherical=True,
        many=symmetric_sphere,
    ),
    "NYHeadModel": Conductor(
        units=_EEG_UNITS,
        contacts=_own(lambda model: 1e3 * np.asarray(model.elecs)[:3].T, _SMALLEST_HEAD_UM),
        place=_on_cortex,
        matrix=lambda model, at, contacts: model.get_transformation_matrix(),
        outward=lambda model, at: np.array(model.cortex_normal_vec, dtype=float),
    ),
}


def conductor_of(model: Any) -> Conductor:
    """The entry of the model's class, or of one it derives from."""
    for cls in type(model).__mro__:
        if cls.__module__.startswith("lfpykit") and cls.__name__ in _CONDUCTORS:
            return _CONDUCTORS[cls.__name__]
    found = f"the class {model.__name__}" if isinstance(model, type) else type(model).__name__
    raise KernelError(
        f"model must be an instance of one of LFPykit's {sorted(_CONDUCTORS)}, found {found} "
        "(LFPykit comes with the extra 'lfpykernels')"
    )


def unit_of(model: Any, unit: str | None) -> tuple[float, str]:
    """Factor from LFPykit's unit to the one wanted, and its name."""
    units = conductor_of(model).units
    name = next(iter(units)) if unit is None else unit
    if name not in units:
        raise KernelError(
            f"unit for {type(model).__name__} must be one of {list(units)}, found {unit!r}"
        )
    return units[name] * (model.mu if name in _FLUX_UNITS else 1.0), name
