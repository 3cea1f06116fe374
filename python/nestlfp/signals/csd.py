"""Current source density from potentials along a line: second difference, elephant's methods."""

from __future__ import annotations

import numpy as np
import xarray as xr

from .._types import Floats, Ints
from ..errors import KernelError, SignalError
from ..kernels.names import AXES, channel_dim, check_signal_names
from ..kernels.positions import check_several
from ..units import VOLTS, ascii_unit
from . import inverse_csd
from .layout import checked, vectors

UNIT = "µA/mm³"
DIFFERENCE = "second-difference"
_STRAIGHT = 1.0  # µm that a contact may be off the line


def current_source_density(
    dataset: xr.Dataset,
    method: str = DIFFERENCE,
    *,
    signal: str = "LFP",
    diameter: float | None = None,
    conductivity: float = 0.3,
    name: str = "CSD",
) -> xr.Dataset:
    """Current source density, as one would estimate it from a recording with a laminar probe.

    Parameters
    ----------
    dataset : xarray.Dataset
        Signals, one of which are potentials at contacts in a line.
    method : {"second-difference", "DeltaiCSD", "StepiCSD", "SplineiCSD", "KCSD1D"}
        The first is of wide layers, and gives no estimate at the first and last contact. The others
        are elephant's: inverse CSD of discs, slices or splines (Pettersen et al. 2006, J Neurosci
        Methods 154), for contacts at equal distances, unfiltered; and kernel CSD (Potworowski et
        al. 2012, Neural Comput 24), with width and regularization by cross-validation.
    signal : str
        The potentials.
    diameter : float
        Of the sources around the line (µm), for elephant's methods: how wide the active population
        is. `second-difference` has none.
    conductivity : float
        Of the tissue (S/m).
    name : str
        Of the result.

    Returns
    -------
    xarray.Dataset
        One signal in µA/mm³, sources positive and sinks negative, with the contacts from the lowest
        to the highest, and where they are. Contributions that are kept apart stay so.

    Raises
    ------
    SignalError
        If the signal, its unit or its contacts are not fit for the method.
    MissingExtraError
        If elephant is not installed.

    Examples
    --------
    >>> import numpy as np, nestlfp
    >>> kernels = nestlfp.KernelSet.from_arrays(
    ...     {"LFP": np.array([0.0, -0.1, 0.0]).reshape(1, 1, 3, 1)}, pre=["E"], post=["E"], dt=1.0,
    ...     units={"LFP": "mV"}, positions={"LFP": [[0, 0, 0], [0, 0, 100], [0, 0, 200]]},
    ... )
    >>> signals = kernels.convolve({"E": [1.0]}, duration=2.0)
    >>> nestlfp.signals.current_source_density(signals)["CSD"].values.round(9)
    array([[ 0., -6.]])
    """
    if signal not in checked(dataset).data_vars:
        raise SignalError(f"no signal {signal!r}: there are {list(dataset.data_vars)}")
    check_signal_names([name], SignalError)
    known = [DIFFERENCE, *inverse_csd.METHODS]
    if method not in known:
        raise SignalError(f"method must be one of {known}, found {method!r}")
    sizes = {"conductivity": conductivity, "diameter": diameter}
    if diameter is None and method != DIFFERENCE:
        raise SignalError(f"{method} needs the diameter of the sources (µm): diameter=...")
    for what, value in sizes.items():
        if value is not None and not 0 < value < np.inf:
            raise SignalError(f"{what} must be a positive number, found {value!r}")
    array = dataset[signal]
    dim = channel_dim(signal)
    array = array.assign_coords({dim: array[dim]})  # numbers, where there are no labels
    places = {f"{signal}_{axis}": f"{name}_{axis}" for axis in AXES}
    if any(place not in array.coords for place in places):
        raise SignalError(f"{signal!r} has no positions of contacts: {signal}_x, _y, _z")
    where = vectors(array, signal)
    try:
        check_several(where, f"the contacts of {signal!r}")
    except KernelError as error:
        raise SignalError(str(error)) from None
    order, along = contacts_in_line(where)
    values = array.values[..., order, :]
    if not np.isfinite(values).all():
        raise SignalError(f"{signal!r} has values that are not finite")
    if method == DIFFERENCE or diameter is None:
        order = order[1:-1]
        by = second_difference(np.eye(along.size), along, array.attrs["units"], conductivity)
    else:
        to_mv = _factor(array.attrs["units"])
        flat = np.moveaxis(values, -2, 0).reshape(along.size, -1) * to_mv
        by = inverse_csd.matrix(method, along, diameter, conductivity, flat) * to_mv
    facts = {"units": UNIT, "method": method, "conductivity": f"{conductivity:g} S/m"}
    if method != DIFFERENCE:
        facts["diameter"] = f"{diameter:g} µm"
    there = array.isel({dim: order}).rename({**places, dim: channel_dim(name)})
    coords = {each: there[each].variable for each in (*there.dims, *places.values())}
    return xr.Dataset({name: (there.dims, by @ values, facts)}, coords, dataset.attrs)


def contacts_in_line(positions: Floats) -> tuple[Ints, Floats]:
    """Contacts from the lowest to the highest, and where they are along their line (µm).

    Parameters
    ----------
    positions : array, shape (contacts, 3)
        In µm.

    Raises
    ------
    SignalError
        If they are fewer than three, or do not lie on a straight line at different depths.
    """
    if len(positions) < 3 or not np.isfinite(positions).all():
        raise SignalError("it needs at least 3 contacts whose positions are known")
    order = np.argsort(positions[:, 2], kind="stable")
    placed = positions[order] - positions[order[0]]
    length = np.linalg.norm(placed[-1])
    along = placed @ placed[-1] / (length or 1.0)
    off = np.linalg.norm(placed - np.outer(along, placed[-1] / (length or 1.0)), axis=1)
    if off.max() > _STRAIGHT or not np.all(np.diff(along) > 0):
        raise SignalError("its contacts are not in line, at different depths")
    return order, along


def second_difference(
    potentials: Floats, along: Floats, unit: str, conductivity: float = 0.3
) -> Floats:
    """Current source density (µA/mm³) at all contacts but the first and the last.

    That is ``-conductivity * d²(potential)/dz²``: sources are positive, sinks negative. It takes
    the potential as the same across the line as far as it matters, as in a wide layer, and the
    conductivity as the same everywhere.

    Parameters
    ----------
    potentials : array, shape (contacts, samples)
        In the order of `along`.
    along : array, shape (contacts,)
        Where the contacts are (µm), in steps that may differ.
    unit : str
        Of the potentials: V, mV, µV or nV.
    conductivity : float
        In S/m.

    Raises
    ------
    SignalError
        If the unit is none of a potential.

    Examples
    --------
    >>> z = np.array([0.0, 100.0, 200.0])
    >>> second_difference(np.array([[0.0], [-0.1], [0.0]]), z, "mV").round(9)
    array([[-6.]])
    """
    to_mv = _factor(unit)
    steps = np.diff(along)[:, None]
    slopes = np.diff(potentials, axis=0) / steps
    curvature = 2 * np.diff(slopes, axis=0) / (steps[1:] + steps[:-1])
    # mV/µm² times S/m is nA/µm³, a million µA/mm³.
    return np.asarray(-1e6 * conductivity * to_mv * curvature)


def _factor(unit: str) -> float:
    """From a unit of potentials to mV."""
    if ascii_unit(unit) not in VOLTS:
        raise SignalError(f"it is made of potentials, in mV for example, found {unit!r}")
    return VOLTS[ascii_unit(unit)] / VOLTS["mV"]
