"""The parameters of every run, and its seed."""

from __future__ import annotations

import keyword
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from ..errors import EnsembleError

RUN = "run"
OWN = ("seed", "error", "seconds")
"""What a store says of each run beside its parameters."""

_SEEDS = 2**31 - 1  # NEST's are 1 ... 2**32 - 1; NumPy and others take these too


def sample(
    ranges: Mapping[str, Sequence[float]], runs: int, *, seed: int = 1, method: str = "random"
) -> dict[str, NDArray[np.float64]]:
    """Parameters drawn uniformly from ranges.

    Parameters
    ----------
    ranges : dict of str to (float, float)
        Smallest and largest value of each parameter.
    runs : int
        How many.
    seed : int
        Of the random numbers. With the same seed, more runs begin with the same ones (but not with
        "latin").
    method : {"random", "sobol", "latin"}
        Independent points, or a Sobol sequence or Latin hypercube, which fill the ranges more
        evenly (`scipy.stats.qmc`).

    Returns
    -------
    dict of str to ndarray, shape (runs,)
        As `run` takes them.

    Raises
    ------
    EnsembleError
        If a range is none, or there is no such method.

    Examples
    --------
    >>> from nestlfp import ensemble
    >>> drawn = ensemble.sample({"eta": (1.5, 3.0), "g": (4.5, 6.0)}, runs=4, seed=1)
    >>> {name: values.round(2).tolist() for name, values in drawn.items()}
    {'eta': [2.27, 1.72, 1.97, 2.74], 'g': [5.93, 5.92, 5.13, 5.11]}
    """
    bounds = {name: _range(name, given) for name, given in _mapping(ranges, "ranges").items()}
    count, random = whole(runs, 1, "runs"), np.random.default_rng(whole(seed, 0, "seed"))
    low, high = np.array(list(bounds.values())).T
    points = _unit_cube(method, len(bounds), count, random)
    values = low + (high - low) * points
    return dict(zip(bounds, values.T.copy(), strict=True))


def _unit_cube(method: str, d: int, runs: int, random: np.random.Generator) -> Any:
    from scipy.stats import qmc

    if method == "random":
        return random.random((runs, d))
    if method == "latin":
        return qmc.LatinHypercube(d, rng=random).random(runs)
    if method == "sobol":
        # A power of two of them, which is what the sequence is balanced for.
        return qmc.Sobol(d, rng=random).random_base2((runs - 1).bit_length())[:runs]
    raise EnsembleError(f"method must be 'random', 'sobol' or 'latin', found {method!r}")


def grid(values: Mapping[str, ArrayLike]) -> dict[str, NDArray[Any]]:
    """Parameters in all combinations of values.

    Parameters
    ----------
    values : dict of str to array
        Values of each parameter. The last one changes fastest.

    Returns
    -------
    dict of str to ndarray, shape (runs,)
        As `run` takes them.

    Raises
    ------
    EnsembleError
        If a parameter has no value.

    Examples
    --------
    >>> from nestlfp import ensemble
    >>> ensemble.grid({"eta": [0.9, 2.0], "g": [4, 5, 6]})["g"]
    array([4, 5, 6, 4, 5, 6])
    """
    axes = {name: np.atleast_1d(given) for name, given in _mapping(values, "values").items()}
    for name, axis in axes.items():
        if axis.ndim != 1 or axis.size == 0:
            raise EnsembleError(f"{name!r} must be a list of values, found shape {axis.shape}")
    crossed = np.meshgrid(*axes.values(), indexing="ij")
    return {name: full.ravel() for name, full in zip(axes, crossed, strict=True)}


def plan(parameters: Mapping[str, ArrayLike], seed: int) -> xr.Dataset:
    """All runs of an ensemble: their parameters and seeds, as coordinates along ``run``.

    Raises
    ------
    EnsembleError
        If names, lengths or values are none for parameters.
    """
    columns = {
        name: _column(name, given) for name, given in _mapping(parameters, "parameters").items()
    }
    lengths = {name: column.size for name, column in columns.items()}
    if len(set(lengths.values())) > 1:
        raise EnsembleError(f"parameters must have a value for each run, found lengths {lengths}")
    runs = next(iter(lengths.values()))
    # One after the other from a place that is far from any other ensemble's: all differ.
    first = int(np.random.SeedSequence(whole(seed, 0, "seed")).generate_state(1, np.uint64)[0])
    seeds = (first % _SEEDS + np.arange(runs, dtype=np.int64)) % _SEEDS + 1
    return xr.Dataset(
        coords={
            RUN: np.arange(runs),
            **{name: (RUN, column) for name, column in columns.items()},
            "seed": (RUN, seeds),
        }
    )


def _mapping(given: Any, what: str) -> dict[str, Any]:
    if isinstance(given, xr.Dataset):
        given = {name: given[name].values for name in given.variables if name != RUN}
    if not isinstance(given, Mapping) or not given:
        raise EnsembleError(
            f"{what} must be a dict with an entry for each parameter, found {given!r}"
        )
    for name in given:
        if not isinstance(name, str) or not name.isidentifier() or keyword.iskeyword(name):
            raise EnsembleError(f"a parameter must have a name of Python's, found {name!r}")
        if name in (RUN, *OWN):
            raise EnsembleError(f"no parameter can be called {name!r}: each run has one already")
    return dict(given)


def _column(name: str, given: Any) -> NDArray[Any]:
    column = np.asarray(given)
    if column.ndim != 1 or column.size == 0:
        raise EnsembleError(
            f"parameter {name!r} must be a list with a value for each run, found {given!r}"
        )
    if column.dtype == object:
        column = np.array(column.tolist())
    if column.dtype.kind not in "biufU":
        raise EnsembleError(
            f"parameter {name!r} must hold numbers or text, found values of type {column.dtype}"
        )
    if column.dtype.kind == "f" and not np.isfinite(column).all():
        wrong = int(np.flatnonzero(~np.isfinite(column))[0])
        raise EnsembleError(f"parameter {name!r} of run {wrong} is not finite: {column[wrong]}")
    return column


def _range(name: str, given: Any) -> tuple[float, float]:
    try:
        low, high = (float(value) for value in given)
    except (TypeError, ValueError):
        low = high = np.nan
    if not (np.isfinite(low) and np.isfinite(high) and low <= high):
        raise EnsembleError(
            f"the range of {name!r} must be two numbers, (smallest, largest), found {given!r}"
        )
    return low, high


def whole(given: Any, least: int, what: str) -> int:
    """The number, or an `EnsembleError` if it is no integer of at least `least`."""
    if isinstance(given, bool) or not isinstance(given, int | np.integer) or given < least:
        raise EnsembleError(f"{what} must be an integer of at least {least}, found {given!r}")
    return int(given)
