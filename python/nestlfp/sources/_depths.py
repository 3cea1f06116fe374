"""Where the cells of a population stand, and how probes see those at one of several depths."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.polynomial import hermite_e
from scipy.special import factorial

from ..errors import KernelError
from ._disc import POLYNOMIAL, is_disc
from ._mixture import Part

TOOL = "LFPykernels"

_SHARP = 3.0  # µm, for sigma_z of probes of others that shall not blur, and may divide by it
_MOST = 30  # Hermite polynomials


def standings(
    part: Part, models: Sequence[Any], depths: int | str
) -> list[tuple[float, Part, Sequence[Any]]]:
    """Share in the kernels, the cell where it stands, and the probes that see it."""
    if depths == TOOL:
        return [(1.0, part, models)]
    if not isinstance(depths, int | np.integer) or depths < 1:
        raise KernelError(f"depths must be an integer of at least 1, or {TOOL!r}, found {depths!r}")
    column = part.approx.populationParameters
    spread = column["scale"] if depths > 1 else 0.0
    nodes, shares = hermite_e.hermegauss(depths if spread else 1)
    shares /= shares.sum()

    def at(node: float) -> Part:
        moved = {**column, "loc": column["loc"] + spread * node, "scale": 0.0}
        return part._replace(approx=_changed(part.approx, populationParameters=moved))

    return [
        (share, at(node), [_seeing(model, node, spread, len(nodes)) for model in models])
        for node, share in zip(nodes, shares, strict=True)
    ]


def _seeing(model: Any, node: float, spread: float, depths: int) -> Any:
    """The probe for cells that are `node` standard deviations above the mean depth.

    The potential of a disc has a kink, which nodes cannot know. But currents depend smoothly on
    how deep the cell stands: they are a sum of Hermite polynomials, known from the nodes, with
    which the disc's potential is averaged over all depths (product integration).
    """
    if not hasattr(model, "sigma_z"):
        return model
    if not is_disc(model):
        return _changed(model, sigma_z=_SHARP)
    degrees = np.arange(min(depths, _MOST))
    polynomial = hermite_e.hermevander([node], _MOST - 1)[0, degrees] / factorial(degrees)
    # Seen from the mean depth, around which the disc is blurred.
    above = {"z": model.z + spread * node, "sigma_z": spread, POLYNOMIAL: polynomial}
    return _changed(model, **above)


def _changed(given: Any, **attributes: Any) -> Any:
    changed = copy.copy(given)
    for name, value in attributes.items():
        setattr(changed, name, value)
    return changed
