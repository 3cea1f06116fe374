"""Kernels from plain arrays: what `KernelSet.from_arrays` does."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from .._types import Floats
from ..errors import KernelError
from ..grid import step
from .checks import positive_ms, real
from .courses import COURSE, COURSES
from .names import AXES, channel_dim, check_labels, check_signal_names, listed
from .positions import check_no_group, check_several, contact_labels, contact_positions, is_probe


def labelled(
    signals: Mapping[str, ArrayLike],
    *,
    pre: str | Sequence[str],
    post: str | Sequence[str],
    dt: float,
    units: Mapping[str, str],
    first_lag: float | None = None,
    channels: Mapping[str, Sequence[Any]] | None = None,
    positions: Mapping[str, ArrayLike] | None = None,
    courses: ArrayLike | None = None,
    provenance: Mapping[str, Any] | None = None,
) -> xr.Dataset:
    """A dataset with the layout of kernels; see `KernelSet.from_arrays` for the parameters."""
    dt = positive_ms(dt, "dt")
    pre, post = listed(pre, "pre"), listed(post, "post")
    given = {
        "signals": signals,
        "units": units,
        "channels": channels or {},
        "positions": positions or {},
    }
    for what, found in given.items():
        if not isinstance(found, Mapping):
            raise KernelError(f"{what} must be a dict with an entry per signal, found {found!r}")
        unknown = sorted(set(map(str, found)) - set(map(str, signals)))
        if unknown:
            raise KernelError(f"{what} given for unknown signals {unknown}")
    if not signals:
        raise KernelError("no signals given")
    check_signal_names(signals)
    first = step(dt if first_lag is None else first_lag, dt, "first_lag", KernelError)

    last = "lag" if courses is None else COURSE
    arrays = {
        name: _shaped(name, values, len(post), len(pre), last) for name, values in signals.items()
    }
    lengths = sorted({array.shape[-1] for array in arrays.values()})
    if len(lengths) > 1:
        raise KernelError(f"all signals must have the same {last}s, found {lengths}")
    coords: dict[str, Any] = {"pre": pre, "post": post}
    n_lags = lengths[0]
    if courses is not None:
        shared = real(courses, "time courses").copy()
        if shared.ndim != 2 or len(shared) != lengths[0]:
            raise KernelError(
                f"courses must have shape (course, lag) = ({lengths[0]}, ...), found {shared.shape}"
            )
        coords[COURSES] = ((COURSE, "lag"), shared)
        n_lags = shared.shape[1]
    coords["lag"] = ("lag", (first + np.arange(n_lags)) * dt, {"units": "ms", "dt_ms": dt})
    variables = {}
    for name, array in arrays.items():
        if name not in units:
            raise KernelError(f"signal {name!r} has no unit: add it to units={{...}}")
        dim = channel_dim(name)
        variables[name] = (("post", "pre", dim, last), array, {"units": units[name]})
        ids = contact_labels(given["positions"].get(name))
        chosen = given["channels"] if ids is None else {name: ids, **given["channels"]}
        coords[dim] = _labels(name, chosen, array.shape[2])
        if name in given["positions"]:
            coords |= _places(name, given["positions"][name], array.shape[2])
    try:
        source = json.dumps(dict(provenance or {}))
    except (TypeError, ValueError) as error:
        raise KernelError(f"provenance must be a dict of JSON-compatible values: {error}") from None
    return xr.Dataset(variables, coords, {"provenance": source})


def _shaped(name: str, values: ArrayLike, n_post: int, n_pre: int, last: str) -> Floats:
    array = real(values, f"signal {name!r}")
    if array.ndim != 4 or array.shape[:2] != (n_post, n_pre):
        raise KernelError(
            f"signal {name!r} must have shape (post, pre, channel, {last}) = "
            f"({n_post}, {n_pre}, ..., ...), found {array.shape}"
        )
    return array.copy()  # whoever gave it may change it


def _labels(name: str, channels: Mapping[str, Any], count: int) -> np.ndarray[Any, Any]:
    labels = listed(channels.get(name, range(count)), f"channels of signal {name!r}")
    if len(labels) != count:
        raise KernelError(f"signal {name!r} has {count} channels but {len(labels)} labels")
    found = np.asarray(labels)
    check_labels(found, f"the channels of {name!r}")
    return found


def _places(name: str, positions: Any, count: int) -> dict[str, Any]:
    check_no_group(positions)
    if is_probe(positions):
        found = contact_positions(positions)
    else:
        found = real(positions, f"positions of signal {name!r}")
    if found.shape != (count, 3):
        raise KernelError(
            f"positions of signal {name!r} must have shape (channel, 3) = ({count}, 3) in µm, "
            f"found {found.shape}"
        )
    if not is_probe(positions):
        check_several(found, f"the contacts of {name!r}", several=3)
    return {
        f"{name}_{axis}": (channel_dim(name), found[:, i], {"units": "µm"})
        for i, axis in enumerate(AXES)
    }
