"""Checks of kernels: numbers, times and the layout of a set."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from numbers import Real
from typing import Any

import numpy as np
import xarray as xr

from .._types import Floats
from ..errors import KernelError
from ..grid import step, steps
from .courses import COURSE, COURSES, has_courses, last_dim
from .names import AXES, channel_dim, check_labels, check_name, check_signal_names, check_unique

LARGEST = 1e100
"""Kernels beyond this would make signals, or squares that filters are made with, infinite."""


# ---------------------------------------------------------------------- numbers
def real(values: Any, what: str) -> Floats:
    """Real numbers of any kind as float64, or a `KernelError`."""
    if np.ma.is_masked(values):
        raise KernelError(f"{what} must be real numbers, found masked ones: fill or drop them")
    try:
        found = np.asarray(values)
    except ValueError as error:  # lists of different lengths
        raise KernelError(f"{what} must be an array of real numbers: {error}") from None
    if found.size and found.dtype.kind not in "fiu":
        raise KernelError(f"{what} must be real numbers, found {_kind(found)}")
    with np.errstate(over="ignore"):  # what is too large for float64 is found as infinite
        return np.asarray(found, dtype=np.float64)


def _kind(found: np.ndarray[Any, Any]) -> str:
    """What an array holds, with an example where that says more than its type."""
    words = {"c": "complex numbers", "b": "truth values", "U": "text", "S": "bytes"}
    kind = words.get(found.dtype.kind, str(found.dtype))
    return f"{kind} such as {found.ravel()[:1].tolist()[0]!r}"


def positive(value: Any, what: str, unit: str = "") -> float:
    """A positive finite number, or a `KernelError`."""
    number = isinstance(value, Real) and not isinstance(value, bool)
    if not (number and np.isfinite(float(value)) and value > 0):
        raise KernelError(f"{what} must be a positive number{unit}, found {value!r}")
    return float(value)


def positive_ms(value: Any, what: str) -> float:
    """A positive time, or a `KernelError`."""
    return positive(value, what, " of ms")


def found_instead(given: Any) -> str:
    """What was given where kernels should have been, and how kernels are made of it."""
    kind = type(given).__name__
    if isinstance(given, xr.Dataset):
        return f"found {kind}: KernelSet(dataset) takes one that has the layout of kernels"
    if (
        isinstance(given, Mapping)
        and given
        and all(isinstance(v, xr.Dataset) for v in given.values())
    ):
        return (
            f"found {kind} with datasets: NeuronKernels.from_single takes single neurons' kernels"
        )
    if isinstance(given, str | os.PathLike):
        return f"found {kind}: KernelSet.load({os.fspath(given)!r}) reads a file"
    return (
        f"found {kind}; KernelSet.load reads a file, KernelSet.from_lfpykernels takes LFPykernels' "
        "dictionary"
    )


# ---------------------------------------------------------------------- the layout of a set
def dt_ms(dataset: xr.Dataset) -> float:
    """Distance of two lags (ms)."""
    return float(dataset["lag"].attrs["dt_ms"])


def first_lag_steps(dataset: xr.Dataset) -> int:
    """Lag of the first sample, in steps of the kernels' dt."""
    return step(dataset["lag"].values[0], dt_ms(dataset), "lags", KernelError)


def provenance(dataset: xr.Dataset) -> dict[str, Any]:
    """What made the kernels."""
    text = dataset.attrs.get("provenance", "{}")
    try:
        found = json.loads(text)
    except (TypeError, ValueError) as error:
        raise KernelError(f"the attribute 'provenance' is no JSON text: {error}") from error
    if not isinstance(found, dict):
        raise KernelError(f"the attribute 'provenance' must be a JSON object, found {text!r}")
    return found


def checked(dataset: xr.Dataset) -> xr.Dataset:
    """The dataset with its values in float64, if it has the layout of kernels.

    Raises
    ------
    KernelError
        If dimensions, names, units or lags are missing or disagree, or if values are no finite
        real numbers of a sensible size, or all zero.
    """
    if not isinstance(dataset, xr.Dataset):
        raise KernelError(
            f"kernels must be an xarray.Dataset, found {type(dataset).__name__}; "
            "KernelSet.from_arrays takes arrays, KernelSet.load a file"
        )
    for dim in ("post", "pre", "lag"):
        if dim in dataset.coords and dataset[dim].dims != (dim,):
            raise KernelError(f"the coordinate {dim!r} must be a list, found {dataset[dim].dims}")
    missing = {"post", "pre", "lag"} - set(dataset.coords)
    if missing:
        raise KernelError(
            f"kernels need the coordinates post, pre and lag; missing: {sorted(missing)}"
        )
    if not dataset.data_vars:
        raise KernelError("kernels need at least one signal, found none")
    for dim in ("post", "pre"):
        names = [check_name(name, f"a population ({dim})") for name in dataset[dim].values.tolist()]
        if not names:
            raise KernelError(f"kernels need at least one population along {dim!r}")
        check_unique(names, f"the populations along {dim!r}")
    _check_lags(dataset["lag"])
    provenance(dataset)
    check_signal_names(dataset.data_vars)
    if has_courses(dataset):
        dataset = dataset.assign_coords({COURSES: _checked_courses(dataset[COURSES])})
    last = last_dim(dataset)
    arrays = {
        str(name): _checked_signal(str(name), a, last) for name, a in dataset.data_vars.items()
    }
    if has_courses(dataset):
        _check_product(dataset.assign(arrays))
    if not any(np.any(array.values) for array in arrays.values()):
        raise KernelError("all kernels are zero: there would be no signal to record")
    return dataset.assign(arrays)


def _check_lags(lag: xr.DataArray) -> None:
    given = lag.attrs.get("dt_ms")
    try:
        dt = positive_ms(given, "dt_ms")
    except KernelError:
        raise KernelError(
            f"coordinate 'lag' needs a positive attribute 'dt_ms', found {given!r}"
        ) from None
    if lag.size == 0:
        raise KernelError("kernels need at least one lag")
    at = steps(real(lag.values, "lags"), dt, "lags", KernelError)
    if np.any(np.diff(at) != 1):
        raise KernelError(f"lags must follow each other at dt = {dt:g} ms without gaps")


def _checked_courses(courses: xr.DataArray) -> xr.DataArray:
    if courses.dims != (COURSE, "lag"):
        raise KernelError(
            f"the coordinate {COURSES!r} must have dimensions ({COURSE!r}, 'lag'), found "
            f"{courses.dims}"
        )
    values = real(courses.values, "time courses")
    bad = np.argwhere(~(np.abs(values) <= LARGEST))
    if bad.size:
        raise KernelError(
            f"time courses must be finite and at most {LARGEST:g}, found {values[tuple(bad[0])]} "
            f"(course {bad[0, 0]}, lag {courses['lag'].values[bad[0, 1]]:g} ms)"
        )
    return courses.copy(data=values)


def _check_product(dataset: xr.Dataset) -> None:
    """Whether weights times courses are of a sensible size, and not all zero."""
    tops = np.abs(dataset[COURSES].values).max(axis=1)
    for name, array in dataset.data_vars.items():
        axes = (0, 1, 2)
        most = float(np.maximum(array.values.max(axes), -array.values.min(axes)) @ tops)
        if not most <= LARGEST:
            raise KernelError(
                f"signal {name!r} is too large: its weights times the time courses may be "
                f"{most:g} {array.attrs['units']}, and kernels up to {LARGEST:g} can be summed "
                "without overflow: give them in a larger unit"
            )
    if not tops.any():
        raise KernelError("all time courses are zero: there would be no signal to record")


def _checked_signal(name: str, array: xr.DataArray, last: str) -> xr.DataArray:
    dim = channel_dim(name)
    if array.dims != ("post", "pre", dim, last):
        raise KernelError(
            f"signal {name!r} must have dimensions ('post', 'pre', {dim!r}, {last!r}), "
            f"found {array.dims}"
        )
    if array.sizes[dim] == 0:
        raise KernelError(f"signal {name!r} has no channels")
    check_name(array.attrs.get("units"), f"the unit of signal {name!r}")
    labels = check_labels(array[dim].values, f"the channels of {name!r}")
    for label in labels:
        check_name(str(label), f"a channel of {name!r}")
    check_unique(labels, f"the channels of {name!r}")
    for axis in AXES:
        place = array.coords.get(f"{name}_{axis}")
        if place is not None:
            real(place.values, f"positions of signal {name!r}")
            if place.dims != (dim,):
                raise KernelError(
                    f"the coordinate '{name}_{axis}' must have the dimension {dim!r}, "
                    f"found {place.dims}"
                )
    converted = array.copy(data=real(array.values, f"signal {name!r}"))
    _check_size(name, converted)
    return converted


def _check_size(name: str, array: xr.DataArray) -> None:
    low, high = array.values.min(initial=0.0), array.values.max(initial=0.0)  # NaN if there is one
    if low >= -LARGEST and high <= LARGEST:
        return
    bad = np.argwhere(~(np.abs(array.values) <= LARGEST))
    at = array[tuple(bad[0])]
    where = (
        f"{at['pre'].item()} -> {at['post'].item()}, channel {at[channel_dim(name)].item()}, "
        + (f"lag {at['lag'].item():g} ms" if "lag" in array.dims else f"course {bad[0, -1]}")
    )
    if not np.isfinite(at.item()):
        raise KernelError(f"signal {name!r} is not finite: {at.item()} at {where}")
    raise KernelError(
        f"signal {name!r} is too large: {at.item():g} {array.attrs['units']} at {where}. Kernels "
        f"up to {LARGEST:g} can be summed without overflow: give them in a larger unit"
    )
