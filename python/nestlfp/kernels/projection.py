"""EEG and MEG kernels: dipole kernels seen through a volume conductor of LFPykit.

A volume conductor maps the current dipole moment p (nA µm) of a population at one place linearly
to potentials or magnetic fields, ``signal = M @ R @ p``: M is LFPykit's transformation matrix for
that place, R turns the population's z axis to its direction in the head. Since the map is linear
and instantaneous, it can be applied to the kernels once and never has to run beside a simulation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from .._types import Floats
from ..errors import KernelError
from ..units import NA_UM, ascii_unit
from .arrays import labelled
from .checks import dt_ms, first_lag_steps
from .conductors import Conductor, conductor_of, unit_of
from .courses import COURSES, has_courses
from .names import AXES, channel_dim, listed
from .positions import Cylinder, Geometry, contact_labels, position

_Z = np.array([0.0, 0.0, 1.0])
_CLOSEST_UM = 1.0  # a contact nearer to a point dipole than this is at the dipole


def projected(
    dataset: xr.Dataset,
    model: Any,
    *,
    signal: str = "CDM",
    to: str = "EEG",
    dipole_positions: Mapping[str, Any] | ArrayLike | str | None = None,
    axes: Mapping[str, Any] | ArrayLike | str | None = None,
    contacts: Any = None,
    channels: Sequence[Any] | None = None,
    normals: ArrayLike | None = None,
    unit: str | None = None,
) -> xr.Dataset:
    """The kernels with EEG or MEG added; see `KernelSet.project`."""
    conductor, dipole = conductor_of(model), dipole_moment(dataset, signal)
    post = dataset["post"].values.tolist()
    if to in dataset.data_vars:
        raise KernelError(f"the kernels already have a signal {to!r}: choose another name (to=)")
    if dipole_positions is None:
        raise KernelError(
            f"dipole_positions is missing: where in {type(model).__name__} is the dipole of each "
            f"of {post} (µm)?"
        )
    factor, unit = unit_of(model, unit)
    places = _per_population(post, dipole_positions, "dipole_positions")
    directions = _per_population(post, [0.0, 0.0, 1.0] if axes is None else axes, "axes")
    where = conductor.contacts(model, contacts)
    labels = channel_labels(channels, contacts, len(where))

    geometry = Geometry.of(dataset) or Geometry({})
    responses = [
        _response(model, places[name], directions[name], where, name, geometry.cylinders.get(name))
        for name in post
    ]
    channels_of, suffixes, along = measured(np.array(responses), normals)
    added = labelled(
        {to: factor * np.einsum("ycd,yxdk->yxck", channels_of, dipole.values)},
        pre=dataset["pre"].values.tolist(),
        post=post,
        dt=dt_ms(dataset),
        first_lag=first_lag_steps(dataset) * dt_ms(dataset),
        units={to: unit},
        channels={to: [f"{label}{end}" if end else label for label in labels for end in suffixes]},
        positions={to: np.repeat(where, len(suffixes), axis=0)},
        courses=dataset[COURSES].values if has_courses(dataset) else None,
    )
    added = added.assign_coords(lag=dataset["lag"], **measured_directions(to, along))
    return dataset.merge(added, compat="no_conflicts", combine_attrs="override")


def rotation_from_z(direction: ArrayLike) -> Floats:
    """The smallest rotation that takes the z axis to a direction.

    Parameters
    ----------
    direction : array, shape (3,)
        Of any length but 0.

    Returns
    -------
    array, shape (3, 3)
    """
    given = position(direction, "a direction")
    length = np.linalg.norm(given)
    if length == 0:
        raise KernelError("a direction must not be (0, 0, 0)")
    x, y, z = given / length
    above = 1 + z if z > 0 else (x**2 + y**2) / (1 - z)  # 1 + z where it does not cancel
    # Half a turn about z, then half a turn about the bisector of z and the direction.
    bisector = np.array([x, y, above]) if above > 0 else np.array([1.0, 0.0, 0.0])
    bisector = bisector / np.linalg.norm(bisector)
    half_turn = 2 * np.outer(bisector, bisector) - np.eye(3)
    return np.asarray(half_turn * [-1.0, -1.0, 1.0])


def _response(
    model: Any, at: Any, axis: Any, contacts: Floats, name: str, source: Cylinder | None
) -> Floats:
    """What a dipole in a population's own coordinates gives at the contacts: (n, [3,] 3)."""
    conductor = conductor_of(model)
    dipole = conductor.place(model, at, name)
    turn = rotation_from_z(_axis(conductor, model, axis, dipole, name))
    _check_clear(contacts, dipole, name, conductor.spherical)
    if source is not None:
        _check_outside((contacts - dipole) @ turn, source, name)
    return np.asarray(conductor.matrix(model, dipole, contacts) @ turn)


def responses_of_many(model: Any, dipoles: Floats, contacts: Floats, name: str) -> Floats:
    """What dipoles along x, y and z give at the contacts: (dipole, contact, [3,] 3).

    Raises
    ------
    KernelError
        If a dipole is not inside of the head, or at a contact.
    """
    conductor = conductor_of(model)
    if conductor.many is None:
        return np.array([_response(model, at, _Z, contacts, name, None) for at in dipoles])
    outermost = dipoles[np.argmax(np.linalg.norm(dipoles, axis=1))]
    _check_clear(contacts, conductor.place(model, outermost, name), name, conductor.spherical)
    return conductor.many(model, dipoles, contacts)


def _axis(conductor: Conductor, model: Any, given: Any, dipole: Floats, name: str) -> Floats:
    if not isinstance(given, str):
        return position(given, f"the axis of {name!r}")
    if given != "outward" or conductor.outward is None:
        raise KernelError(
            f"the axis of {name!r} must be a direction of shape (3,), or 'outward' for a model "
            f"of a head; found {given!r} for {type(model).__name__}"
        )
    return conductor.outward(model, dipole)


def _check_clear(contacts: Floats, dipole: Floats, name: str, spherical: bool) -> None:
    """No contact at the dipole, nor deeper in a sphere than it."""
    near = np.flatnonzero(np.linalg.norm(contacts - dipole, axis=1) < _CLOSEST_UM)
    if near.size:
        raise KernelError(
            f"contact {near[0]} is at the dipole of {name!r}, {dipole.tolist()} µm, where its "
            "field is infinite"
        )
    radii, depth = np.linalg.norm(contacts, axis=1), np.linalg.norm(dipole)
    if spherical and np.any(radii <= depth):
        raise KernelError(
            f"contacts must be farther from the centre of the sphere than the dipole of {name!r} "
            f"({depth:g} µm), found contact {np.argmin(radii)} at {np.min(radii):g} µm"
        )


def _check_outside(local: Floats, cylinder: Cylinder, name: str) -> None:
    """No contact inside the source: `local` are contacts seen from the middle of the cylinder."""
    height = cylinder.top - cylinder.bottom
    inside = np.hypot(local[:, 0], local[:, 1]) < cylinder.radius
    inside &= np.abs(local[:, 2]) < height / 2
    if np.any(inside):
        raise KernelError(
            f"contact {np.argmax(inside)} lies inside the source {name!r} (a cylinder of radius "
            f"{cylinder.radius:g} µm and height {height:g} µm around its dipole), where a single "
            "dipole cannot represent the population"
        )


def dipole_moment(dataset: xr.Dataset, signal: str) -> xr.DataArray:
    """The current dipole moment, its channels in the order x, y, z."""
    if signal not in dataset.data_vars:
        raise KernelError(
            f"no signal {signal!r} to project: the kernels have {tuple(dataset.data_vars)}, and a "
            "current dipole moment is needed (signal=)"
        )
    array, dim = dataset[signal], channel_dim(signal)
    if array.sizes[dim] != 3 or ascii_unit(array.attrs["units"]) not in NA_UM:
        raise KernelError(
            f"signal {signal!r} is no current dipole moment: it has {array.sizes[dim]} channels "
            f"in {array.attrs['units']}, expected x, y and z in nA µm"
        )
    labels = [str(label).lower() for label in array[dim].values]
    if sorted(labels) == list(AXES):
        array = array.isel({dim: [labels.index(axis) for axis in AXES]})
    return array


def _per_population(post: list[str], given: Any, what: str) -> dict[str, Any]:
    """One entry for each postsynaptic population."""
    if not isinstance(given, Mapping):
        return dict.fromkeys(post, given)
    unknown = sorted(set(map(str, given)) - set(post))
    if unknown:
        raise KernelError(
            f"{what} for populations that the kernels do not have: {unknown}; they have {post}"
        )
    missing = [name for name in post if name not in given]
    if missing:
        raise KernelError(f"{what} lacks the postsynaptic populations {missing}")
    return dict(given)


def measured_directions(signal: str, along: Floats | None) -> dict[str, Any]:
    """Coordinates that tell which direction each channel measures: unit vectors."""
    if along is None:
        return {}
    return {
        f"{signal}_normal_{axis}": (channel_dim(signal), along[:, i], {"units": "1"})
        for i, axis in enumerate(AXES)
    }


def measured(
    responses: Floats, normals: ArrayLike | None
) -> tuple[Floats, list[str], Floats | None]:
    """Responses with one row for each channel, (post, channel, axis), and the endings of labels.

    Potentials have a channel for each contact. A magnetic field has one for each sensor and axis,
    or for each sensor where its normal is known. The directions of these channels come last.
    """
    n = responses.shape[1]
    if responses.ndim == 3:
        if normals is not None:
            raise KernelError("normals belong to the sensors of MEG, this model gives potentials")
        return responses, [""], None
    if normals is None:
        endings = [f"_{axis}" for axis in AXES]
        return responses.reshape(len(responses), 3 * n, -1), endings, np.tile(np.eye(3), (n, 1))
    wanted = np.array(normals, dtype=float)
    lengths = np.linalg.norm(wanted, axis=-1, keepdims=True) if wanted.shape == (n, 3) else None
    if lengths is None or not (np.all(np.isfinite(wanted)) and np.all(lengths > 0)):
        raise KernelError(
            f"normals must be directions of shape (sensor, 3) = ({n}, 3), found shape "
            f"{wanted.shape}"
        )
    along = wanted / lengths
    return np.einsum("ca,ycad->ycd", along, responses), [""], along


def channel_labels(channels: Sequence[Any] | None, contacts: Any, count: int) -> list[Any]:
    """Labels of contacts or sensors: those given, a probe's, or 0, 1, 2, ..."""
    given = contact_labels(contacts) if channels is None else channels
    labels = listed(range(count) if given is None else given, "channels")
    if len(labels) != count:
        raise KernelError(f"the model has {count} contacts but there are {len(labels)} channels")
    return labels
