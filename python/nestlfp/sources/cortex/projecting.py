"""Kernels of a microcircuit in each patch of a cortex, as EEG and MEG see them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..._types import Floats
from ...errors import KernelError
from ...kernels import KernelSet
from ...kernels.conductors import conductor_of, unit_of
from ...kernels.projection import (
    channel_labels,
    dipole_moment,
    measured,
    measured_directions,
    responses_of_many,
)
from .._provenance import package_version
from .patches import Patches

_AT_ONCE = 2000  # vertices


def kernels(
    given: KernelSet | Mapping[str, KernelSet],
    patches: Patches,
    models: Mapping[str, Any],
    *,
    signal: str = "CDM",
    contacts: Mapping[str, ArrayLike] | None = None,
    channels: Mapping[str, Sequence[Any]] | None = None,
    normals: Mapping[str, ArrayLike] | None = None,
    units: Mapping[str, str] | None = None,
) -> KernelSet:
    """Kernels of all populations in all patches, as one set.

    The dipole of a population is spread evenly over its patch, along the normal of the cortex. So a
    kernel is the mean, over the area of the patch, of what a dipole there gives at a sensor. All
    patches share the time courses of the populations (`KernelSet.stored`): hundreds of populations
    and sensors take a few MB.

    Parameters
    ----------
    given : KernelSet or dict of str to KernelSet
        Kernels of the current dipole moment of a microcircuit, whose z axis points to the pia. A
        dict has those of each patch; patches of the same kind have the same object.
    patches : Patches
        Inside of the head: `Patches.inside`.
    models : dict of str to a volume conductor of LFPykit
        Of each new signal, such as ``{"EEG": head, "MEG": sphere}``; see `KernelSet.project`.
    signal : str
        Name of the current dipole moment.
    contacts, channels, normals, units : dict, optional
        By signal; each is as in `KernelSet.project`.

    Returns
    -------
    KernelSet
        Presynaptic populations are ``"V1/L5E"``, patch by patch. What the postsynaptic populations
        of a patch contribute is added up.

    Raises
    ------
    KernelError
        If a patch has no kernels, if kernels have no dipole moment along z or other lags than those
        of other patches, if a patch is not inside of the head, or if a name is unknown.

    Notes
    -----
    The z component of the dipole moment alone is used. Across the axis of a column, dipoles point
    in all directions, and cancel.

    A kernel is that of the population as it was given, spread over its patch. If a spike stands for
    those of more neurons, such as where the patch is larger than the microcircuit, multiply by
    their number: `KernelSet.scale`.

    Examples
    --------
    >>> surface = cortex.fsaverage("left")  # doctest: +SKIP
    >>> patches = cortex.Patches.around(surface, {"V1": [-10e3, -90e3, 2e3]}, 400.0)
    ... # doctest: +SKIP
    >>> cortex.kernels(microcircuit, patches.inside(79e3), {"EEG": head})  # doctest: +SKIP
    """
    kinds = _kinds(given, patches)
    options = {"contacts": contacts, "channels": channels, "normals": normals, "units": units}
    for what, by_signal in options.items():
        unknown = sorted(set(by_signal or {}) - set(models))
        if unknown:
            raise KernelError(f"{what} for signals without a model: {unknown}; of {[*models]}")
    different = {id(kind): kind for kind in kinds}
    courses = {key: _along_z(kind, signal) for key, kind in different.items()}
    first = dict(zip(courses, np.cumsum([0, *map(len, courses.values())]), strict=False))
    # Each population of each patch: its patch, and its course.
    patch = np.repeat(np.arange(len(kinds)), [len(kind.pre) for kind in kinds])
    course = np.concatenate([first[id(kind)] + np.arange(len(kind.pre)) for kind in kinds])

    arrays, labels, places, unit = {}, {}, {}, {}
    directions: dict[str, Any] = {}
    for name, model in models.items():
        factor, unit[name] = unit_of(model, (units or {}).get(name))
        where = conductor_of(model).contacts(model, (contacts or {}).get(name))
        fields, ends, along = measured(
            _means(model, patches, where, name), (normals or {}).get(name)
        )
        own = channel_labels((channels or {}).get(name), (contacts or {}).get(name), len(where))
        labels[name] = [f"{label}{end}" if end else label for label in own for end in ends]
        places[name] = np.repeat(where, len(ends), axis=0)
        directions |= measured_directions(name, along)
        weights = np.zeros((1, len(patch), fields.shape[1], sum(map(len, courses.values()))))
        weights[0, np.arange(len(patch)), :, course] = factor * fields[patch, :, 0]
        arrays[name] = weights
    made = KernelSet.from_arrays(
        arrays,
        pre=[
            f"{name}/{pre}"
            for name, kind in zip(patches.names, kinds, strict=True)
            for pre in kind.pre
        ],
        post="cortex",
        dt=kinds[0].dt,
        first_lag=kinds[0].first_lag_steps * kinds[0].dt,
        units=unit,
        channels=labels,
        positions=places,
        courses=np.concatenate([*courses.values()]),
        provenance={
            "tool": "nestlfp.sources.cortex",
            "versions": {"LFPykit": package_version("LFPykit")},
            "patches_mm2": dict(zip(patches.names, patches.areas.tolist(), strict=True)),
            "surface_scaled_by": patches.surface.scale,
            "microcircuit": kinds[0].provenance,
        },
    )
    return KernelSet(made.stored.assign_coords(directions))


def _kinds(given: KernelSet | Mapping[str, KernelSet], patches: Patches) -> list[KernelSet]:
    """Kernels of each patch."""
    if isinstance(given, KernelSet):
        return [given] * len(patches.names)
    if sorted(given) != sorted(patches.names):
        raise KernelError(
            f"kernels must be given for each patch: those of {[*given]}, and the patches are "
            f"{[*patches.names]}"
        )
    kinds = [given[name] for name in patches.names]
    lags = {name: (kind.dt, kind.first_lag_steps, kind.n_lags) for name, kind in given.items()}
    if len(set(lags.values())) > 1:
        raise KernelError(
            "the kernels of all patches must have the same lags, found (dt in ms, first step, "
            f"number) of {lags}: resample them"
        )
    return kinds


def _along_z(kind: KernelSet, signal: str) -> Floats:
    """The dipole moment along z of all cells after a spike of each population: (pre, lag)."""
    moment = dipole_moment(kind.dataset, signal).sum("post").values
    across, along = np.abs(moment[:, :2]).max(), np.abs(moment[:, 2]).max()
    if along <= across:
        raise KernelError(
            f"{signal!r} is larger across the axis z of the microcircuit ({across:g} nA µm) than "
            f"along it ({along:g} nA µm): z must point to the pia"
        )
    return np.asarray(moment[:, 2])


def _means(model: Any, patches: Patches, contacts: Floats, name: str) -> Floats:
    """What a dipole of 1 nA µm, spread over each patch, gives: (patch, contact, [3,] 1)."""
    surface, shares = patches.surface, patches.shares.tocsc()
    used = np.unique(patches.shares.indices)
    total: Any = 0.0
    for part in np.array_split(used, -(-len(used) // _AT_ONCE)):
        try:
            of_axes = responses_of_many(model, surface.vertices[part], contacts, "a patch")
        except KernelError as error:
            raise KernelError(
                f"the patches cannot be seen as {name!r}: {error}. Is the surface in the frame of "
                "the head? patches.inside(79e3) moves it into LFPykit's"
            ) from error
        along = np.einsum("v...d,vd->v...", of_axes, surface.area_vectors[part])
        total = total + shares[:, part] @ along.reshape(len(part), -1)
    of_patches = total / patches.areas[:, None]
    return np.asarray(of_patches.reshape(len(of_patches), *along.shape[1:], 1))
