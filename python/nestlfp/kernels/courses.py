"""Kernels that are weights of a few time courses: how they are laid out, and multiplied out.

In place of lags a signal then has a dimension ``course``, and the coordinate ``courses``, of the
dimensions (course, lag), has the time courses, which all signals and populations share:

    kernel[post, pre, channel, lag] = sum over courses of  signal[post, pre, channel, course]
                                                           * courses[course, lag]

What is done to populations and channels is done to the weights, and what is done to lags to the
courses.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import xarray as xr

from .._types import Floats

COURSES, COURSE = "courses", "course"


def has_courses(dataset: xr.Dataset) -> bool:
    """Whether these kernels are weights of courses."""
    return COURSES in dataset.coords


def last_dim(dataset: xr.Dataset) -> str:
    """The last dimension of these kernels' signals."""
    return COURSE if has_courses(dataset) else "lag"


def along_lags(dataset: xr.Dataset, values: Floats) -> Floats:
    """Values (..., lag) from those of these kernels, (..., course) or already (..., lag)."""
    return np.matmul(values, dataset[COURSES].values) if has_courses(dataset) else values


def multiplied(dataset: xr.Dataset) -> xr.Dataset:
    """The kernels at every lag."""
    if not has_courses(dataset):
        return dataset
    signals = {
        name: ((*array.dims[:-1], "lag"), along_lags(dataset, array.values), array.attrs)
        for name, array in dataset.data_vars.items()
    }
    return dataset.drop_vars([*signals, COURSES]).assign(signals)


def chosen_signals(dataset: xr.Dataset, signals: list[str]) -> xr.Dataset:
    """The part of the kernels with these signals."""
    kept = {name: dataset[name] for name in ("lag", COURSES) if name in dataset.coords}
    return dataset[signals].assign_coords(kept)


def changed_lags(dataset: xr.Dataset, change: Callable[[xr.Dataset], xr.Dataset]) -> xr.Dataset:
    """The kernels after a linear change of their lags: that of their courses, if they have some."""
    if not has_courses(dataset):
        return change(dataset)
    as_kernels = (("post", "pre", COURSE, "lag"), dataset[COURSES].values[None, None])
    alone = xr.Dataset({COURSES: as_kernels}, {"lag": dataset["lag"]})
    changed = change(alone)
    if changed is alone:
        return dataset
    courses = ((COURSE, "lag"), changed[COURSES].values[0, 0])
    return dataset.drop_vars(["lag", COURSES]).assign_coords(
        {"lag": changed["lag"], COURSES: courses}
    )
