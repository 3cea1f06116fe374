"""EEG and MEG kernels: dipole kernels seen through a volume conductor of LFPykit.

A volume conductor maps the current dipole moment p (nA µm) of a population at one place linearly
to potentials or magnetic fields, ``signal = M @ R @ p``: M is LFPykit's transformation matrix for
that place, R turns the population's z axis to its direction in the head. Since the map is linear
and instantaneous, it can be applied to the kernels once and never has to run beside a simulation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from ..errors import KernelError
from ..geometry import Cylinder, check_micrometres, geometry_of, position, positions
from ..kernels import AXES, KernelSet, channel_dim

Array = NDArray[np.float64]
_DIPOLE_UNITS = {"nA µm", "nA*µm", "nA·µm", "nA um", "nA*um"}
_CLOSEST_UM = 1.0  # a contact nearer to a point dipole than this is at the dipole
_SMALLEST_HEAD_UM = 1000.0  # dipoles and sensors of a head lie farther from its centre than this
# LFPykit's matrices give mV for nA µm, and H in nA/µm = 1e-3 A/m; B = mu H follows in T.
_EEG_UNITS = {"mV": 1.0, "µV": 1e3}
_MEG_UNITS = {"nA/µm": 1.0, "T": 1e-3, "fT": 1e12}
_FLUX_UNITS = {"T", "fT"}


def project(
    kernels: KernelSet,
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
) -> KernelSet:
    """The kernels with EEG or MEG added, from their current dipole moment.

    Parameters
    ----------
    kernels : KernelSet
        Kernels with a current dipole moment.
    model : volume conductor of LFPykit
        An instance of ``FourSphereVolumeConductor``, ``InfiniteVolumeConductor``,
        ``InfiniteHomogeneousVolCondMEG``, ``SphericallySymmetricVolCondMEG`` or ``NYHeadModel``
        (which needs its file: ``NYHeadModel("sa_nyhead.mat")``).
    signal : str
        Name of the current dipole moment: three channels x, y, z in nA µm.
    to : str
        Name of the new signal, for example "EEG" or "MEG".
    dipole_positions : dict of str to array, shape (3,), or one array, shape (3,)
        Where the dipole of each postsynaptic population lies (µm), or of all of them, in the
        coordinates of the model's contacts. For ``NYHeadModel`` also the names of its places,
        such as "parietal_lobe".
    axes : dict of str to array, shape (3,), or one array, optional
        Direction in the model that the z axis of each population (from its deep to its
        superficial end) points to: the dipole is turned by the smallest rotation that takes z
        there. ``"outward"`` is away from the centre of a sphere, and along the normal of the
        cortex in ``NYHeadModel``. Default: not turned.
    contacts : array, shape (n, 3), or probeinterface.Probe
        Contact positions (µm) for ``InfiniteVolumeConductor``, and for no other model: they
        have their own.
    channels : sequence, optional
        Label of each contact or sensor. Default: 0, 1, 2, ...
    normals : array, shape (n, 3), optional
        For MEG: the direction each sensor measures, one channel per sensor. Default: three
        channels per sensor, labelled ``"0_x", "0_y", "0_z"``, ...
    unit : {"mV", "µV"} or {"nA/µm", "T", "fT"}, optional
        Unit of the new signal. Default: LFPykit's own, mV for potentials and nA/µm for the
        magnetic field H; T and fT are the flux density B = mu H with the model's mu.

    Returns
    -------
    KernelSet
        All signals of `kernels` and the new one, with the positions of its channels (µm).

    Raises
    ------
    KernelError
        If the signal is missing or no dipole, the model is unknown, a population has no position
        or an unknown one has, a dipole is outside the inner sphere, a contact is at the dipole or
        inside the population's cylinder, or positions are of the wrong shape or not in µm.

    Notes
    -----
    LFPykit writes that ``InfiniteVolumeConductor.sigma`` is in S/cm; its formula gives mV for
    S/m. Its ``calculate_B`` multiplies H in nA/µm by mu in T m/A, so that its result is in mT.
    ``FourSphereVolumeConductor.get_dipole_potential`` takes the sine of an arccos, which costs
    it half of its digits where a contact lies at a right angle to the tangential dipole: there
    it and its own ``get_transformation_matrix``, which is used here, differ by about 1e-9.

    Næss et al. (2017), Front Hum Neurosci 11:490; Hagen et al. (2018), Front Neuroinform 12:92.

    Examples
    --------
    >>> import numpy as np
    >>> from lfpykit.eegmegcalc import FourSphereVolumeConductor
    >>> head = FourSphereVolumeConductor(np.array([[0.0, 0.0, 90000.0]]))  # doctest: +SKIP
    >>> kernels.project(  # doctest: +SKIP
    ...     head, to="EEG", dipole_positions=[0.0, 0.0, 78000.0], axes="outward"
    ... )
    """
    conductor, dipole = _conductor_of(model), _dipole(kernels, signal)
    if to in kernels.signals:
        raise KernelError(f"the kernels already have a signal {to!r}: choose another name (to=)")
    if dipole_positions is None:
        raise KernelError(
            f"dipole_positions is missing: where in {type(model).__name__} is the dipole of each "
            f"of {list(kernels.post)} (µm)?"
        )
    factor, unit = _unit(model, unit)
    places = _per_population(kernels, dipole_positions, "dipole_positions")
    directions = _per_population(kernels, [0.0, 0.0, 1.0] if axes is None else axes, "axes")
    where = conductor.contacts(model, contacts)
    labels = _labels(channels, len(where))

    responses = [
        _response(kernels, model, places[name], directions[name], where, name)
        for name in kernels.post
    ]
    measured, suffixes = _measured(np.array(responses), normals)
    projected = KernelSet.from_arrays(
        {to: factor * np.einsum("ycd,yxdk->yxck", measured, dipole.values)},
        pre=kernels.pre,
        post=kernels.post,
        dt=kernels.dt,
        first_lag=kernels.first_lag_steps * kernels.dt,
        units={to: unit},
        channels={to: [f"{label}{end}" if end else label for label in labels for end in suffixes]},
        positions={to: np.repeat(where, len(suffixes), axis=0)},
    )
    added = projected.dataset.assign_coords(lag=kernels.dataset["lag"])
    return KernelSet(kernels.dataset.merge(added, combine_attrs="override"))


# ---------------------------------------------------------------------- the models
@dataclass(frozen=True)
class _Conductor:
    """What differs between LFPykit's models.

    `place` may leave the model set to the dipole, so `matrix` is called right after it.
    """

    units: Mapping[str, float]
    contacts: Callable[[Any, Any], Array]  # (model, contacts given) -> (n, 3) µm
    place: Callable[[Any, Any, str], Array]  # (model, position given, population) -> (3,) µm
    matrix: Callable[[Any, Array, Array], Array]  # (model, dipole, contacts) -> (n, [3,] 3)
    outward: Callable[[Any, Array], Array] | None = None
    spherical: bool = False


def _own(of_model: Callable[[Any], Any], smallest: float) -> Callable[[Any, Any], Array]:
    """Contacts that the model was made with."""

    def contacts(model: Any, given: Any) -> Array:
        if given is not None:
            raise KernelError(
                f"the contacts are part of {type(model).__name__}: leave contacts= out"
            )
        return positions(of_model(model), "the contacts of the model", smallest=smallest)

    return contacts


def _given(model: Any, given: Any) -> Array:
    if given is None:
        raise KernelError(
            f"{type(model).__name__} has no contacts of its own: say where they are, contacts= "
            "of shape (n, 3) in µm"
        )
    return positions(given, "the contacts")


def _anywhere(model: Any, given: Any, name: str) -> Array:
    return position(given, f"the dipole of {name!r}", smallest=1.0)


def _in_head(model: Any, given: Any, name: str) -> Array:
    return position(given, f"the dipole of {name!r}", smallest=_SMALLEST_HEAD_UM)


def _in_inner_sphere(model: Any, given: Any, name: str) -> Array:
    check_micrometres(np.array([model.r4]), "the model's spheres (radii)", _SMALLEST_HEAD_UM)
    at = _in_head(model, given, name)
    if not 0 < np.linalg.norm(at) < model.r1:
        raise KernelError(
            f"the dipole of {name!r} must lie inside the inner sphere, but not at its centre: "
            f"found it {np.linalg.norm(at):g} µm from the centre, the sphere's radius is "
            f"{model.r1:g} µm"
        )
    return at


def _on_cortex(model: Any, given: Any, name: str) -> Array:
    """The vertex of the cortex nearest to a position or place; NYHeadModel itself counts in mm."""
    if isinstance(given, str) and given not in model.dipole_pos_dict:
        raise KernelError(
            f"NYHeadModel knows no place {given!r} for the dipole of {name!r}: it has "
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
    "FourSphereVolumeConductor": _Conductor(
        units=_EEG_UNITS,
        contacts=_own(lambda model: model.rxyz, _SMALLEST_HEAD_UM),
        place=_in_inner_sphere,
        matrix=lambda model, at, contacts: model.get_transformation_matrix(at),
        outward=lambda model, at: at,
        spherical=True,
    ),
    "InfiniteVolumeConductor": _Conductor(
        units=_EEG_UNITS,
        contacts=_given,
        place=_anywhere,
        matrix=lambda model, at, contacts: model.get_transformation_matrix(contacts - at),
    ),
    "InfiniteHomogeneousVolCondMEG": _Conductor(
        units=_MEG_UNITS,
        contacts=_own(lambda model: model.sensor_locations, 1.0),
        place=_anywhere,
        matrix=lambda model, at, contacts: model.get_transformation_matrix(at),
    ),
    "SphericallySymmetricVolCondMEG": _Conductor(
        units=_MEG_UNITS,
        contacts=_own(lambda model: model.r, _SMALLEST_HEAD_UM),
        place=_in_head,
        matrix=lambda model, at, contacts: model.get_transformation_matrix(at),
        outward=lambda model, at: at,
        spherical=True,
    ),
    "NYHeadModel": _Conductor(
        units=_EEG_UNITS,
        contacts=_own(lambda model: 1e3 * np.asarray(model.elecs)[:3].T, _SMALLEST_HEAD_UM),
        place=_on_cortex,
        matrix=lambda model, at, contacts: model.get_transformation_matrix(),
        outward=lambda model, at: np.array(model.cortex_normal_vec, dtype=float),
    ),
}


def _conductor_of(model: Any) -> _Conductor:
    """The entry of the model's class, or of one it derives from."""
    for cls in type(model).__mro__:
        if cls.__module__.startswith("lfpykit") and cls.__name__ in _CONDUCTORS:
            return _CONDUCTORS[cls.__name__]
    found = f"the class {model.__name__}" if isinstance(model, type) else type(model).__name__
    raise KernelError(
        f"model must be an instance of one of LFPykit's {sorted(_CONDUCTORS)}, found {found} "
        "(LFPykit comes with the extra 'lfpykernels')"
    )


# ---------------------------------------------------------------------- the parts of project
def rotation_from_z(direction: ArrayLike) -> Array:
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
    kernels: KernelSet, model: Any, at: Any, axis: Any, contacts: Array, name: str
) -> Array:
    """What a dipole in a population's own coordinates gives at the contacts: (n, [3,] 3)."""
    conductor = _conductor_of(model)
    dipole = conductor.place(model, at, name)
    turn = rotation_from_z(_axis(conductor, model, axis, dipole, name))
    _check_clear(contacts, dipole, name, conductor.spherical)
    geometry = geometry_of(kernels)
    if geometry is not None and name in geometry.cylinders:
        _check_outside((contacts - dipole) @ turn, geometry.cylinders[name], name)
    return np.asarray(conductor.matrix(model, dipole, contacts) @ turn)


def _axis(conductor: _Conductor, model: Any, given: Any, dipole: Array, name: str) -> Array:
    if not isinstance(given, str):
        return position(given, f"the axis of {name!r}")
    if given != "outward" or conductor.outward is None:
        raise KernelError(
            f"the axis of {name!r} must be a direction of shape (3,), or 'outward' for a model "
            f"of a head; found {given!r} for {type(model).__name__}"
        )
    return conductor.outward(model, dipole)


def _check_clear(contacts: Array, dipole: Array, name: str, spherical: bool) -> None:
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


def _check_outside(local: Array, cylinder: Cylinder, name: str) -> None:
    """No contact inside the source: `local` are contacts seen from the middle of the cylinder."""
    height = cylinder.top - cylinder.bottom
    inside = np.hypot(local[:, 0], local[:, 1]) < cylinder.radius
    inside &= np.abs(local[:, 2]) < height / 2
    if np.any(inside):
        raise KernelError(
            f"contact {np.argmax(inside)} lies inside the source {name!r} (a cylinder of radius "
            f"{cylinder.radius:g} µm and height {height:g} µm around its dipole), where a single "
            "dipole cannot stand for the population"
        )


def _dipole(kernels: KernelSet, signal: str) -> xr.DataArray:
    """The current dipole moment, its channels in the order x, y, z."""
    if signal not in kernels.signals:
        raise KernelError(
            f"no signal {signal!r} to project: the kernels have {kernels.signals}, and a current "
            "dipole moment is needed (signal=)"
        )
    array, dim = kernels[signal], channel_dim(signal)
    if array.sizes[dim] != 3 or array.attrs["units"] not in _DIPOLE_UNITS:
        raise KernelError(
            f"signal {signal!r} is no current dipole moment: it has {array.sizes[dim]} channels "
            f"in {array.attrs['units']}, expected x, y and z in nA µm"
        )
    labels = [str(label).lower() for label in array[dim].values]
    if sorted(labels) == list(AXES):
        array = array.isel({dim: [labels.index(axis) for axis in AXES]})
    return array


def _unit(model: Any, unit: str | None) -> tuple[float, str]:
    """Factor from LFPykit's unit to the one wanted, and its name."""
    units = _conductor_of(model).units
    name = next(iter(units)) if unit is None else unit
    if name not in units:
        raise KernelError(
            f"unit for {type(model).__name__} must be one of {list(units)}, found {unit!r}"
        )
    return units[name] * (model.mu if name in _FLUX_UNITS else 1.0), name


def _per_population(kernels: KernelSet, given: Any, what: str) -> dict[str, Any]:
    """One entry for each postsynaptic population."""
    if not isinstance(given, Mapping):
        return dict.fromkeys(kernels.post, given)
    unknown = sorted(set(map(str, given)) - set(kernels.post))
    if unknown:
        raise KernelError(
            f"{what} for populations that the kernels do not know: {unknown}; they have "
            f"{list(kernels.post)}"
        )
    missing = [name for name in kernels.post if name not in given]
    if missing:
        raise KernelError(f"{what} does not know the postsynaptic populations {missing}")
    return dict(given)


def _measured(responses: Array, normals: ArrayLike | None) -> tuple[Array, list[str]]:
    """Responses with one row for each channel, (post, channel, 3), and the endings of labels.

    Potentials have a channel for each contact. A magnetic field has one for each sensor and axis,
    or for each sensor where its normal is known.
    """
    n = responses.shape[1]
    if responses.ndim == 3:
        if normals is not None:
            raise KernelError("normals belong to the sensors of MEG, this model gives potentials")
        return responses, [""]
    if normals is None:
        return responses.reshape(len(responses), 3 * n, 3), [f"_{axis}" for axis in AXES]
    wanted = np.array(normals, dtype=float)
    lengths = np.linalg.norm(wanted, axis=-1, keepdims=True) if wanted.shape == (n, 3) else None
    if lengths is None or not (np.all(np.isfinite(wanted)) and np.all(lengths > 0)):
        raise KernelError(
            f"normals must be directions of shape (sensor, 3) = ({n}, 3), found shape "
            f"{wanted.shape}"
        )
    return np.einsum("ca,ycad->ycd", wanted / lengths, responses), [""]


def _labels(channels: Sequence[Any] | None, count: int) -> list[Any]:
    labels = list(range(count) if channels is None else channels)
    if len(labels) != count:
        raise KernelError(f"the model has {count} contacts but there are {len(labels)} channels")
    return labels
