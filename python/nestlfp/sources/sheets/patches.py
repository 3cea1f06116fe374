"""Kernels of patches of tissue, from LFPykernels: what a spike adds through the targets in one."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.interpolate import CubicSpline

from ... import geometry
from ..._types import Floats
from ...errors import KernelError
from ...kernels import KernelSet
from ...kernels.checks import positive
from .. import lfpykernels
from .potential import SheetPotential
from .profiles import Gaussian
from .tissue import Sheet

SIGNAL = "LFP"
_STEP = 0.08  # of asinh(distance / 2 widths), between two distances


def patches(
    approximations: Mapping[str, Any] | Iterable[Any],
    sheet: Sheet,
    contacts: ArrayLike,
    *,
    width: float = 50.0,
    sigma: float = 0.3,
    sigma_z: float = 0.0,
    provenance: Mapping[str, Any] | None = None,
    **options: Any,
) -> KernelSet:
    """Kernels of a patch of a sheet's tissue, at contacts in all distances from it.

    What a spike does through a patch of cells does not depend on who spiked: `kernels` puts a
    neuron's kernel together from the patches in which its targets are.

    Parameters
    ----------
    approximations : dict of str to lfpykernels.KernelApprox
        As for `nestlfp.sources.lfpykernels.compute`. Their numbers of neurons and probabilities say
        how many connections a neuron in the middle of the sheet has, over all distances; the
        radius in their `populationParameters` is of no account.
    sheet : Sheet
    contacts : array, shape (contacts, 3), or probeinterface Probe
        Of which the depths matter (µm).
    width : float
        A patch is Gaussian, with this standard deviation along each axis (µm). Half of the
        narrowest profile's spread or less.
    sigma : float
        Conductivity (S/m).
    sigma_z : float
        Standard deviation of the cells' depths (µm), for ``depths="LFPykernels"`` alone: see
        `compute`, which otherwise averages over the depths in `populationParameters`.
    provenance : dict, optional
        Kept beside what `compute` keeps.
    **options
        Of `nestlfp.sources.lfpykernels.compute`.

    Returns
    -------
    KernelSet
        "LFP" (mV) at contacts (distance, 0, depth): the kernel of a presynaptic spike, as if all
        its targets were in one patch at this lateral distance from the contact.

    Raises
    ------
    KernelError
        If contacts or widths are none, or `compute` raises it.
    """
    positive(width, "width of a patch (µm)")
    depths = np.unique(geometry.positions(contacts, "the contacts")[:, 2])
    distances = tabulated(sheet, contacts, width)
    x, z = (part.ravel() for part in np.meshgrid(distances, depths, indexing="ij"))
    probe = SheetPotential(None, x, np.zeros_like(x), z, Gaussian(width), sigma, sigma_z)
    found = {"patch": {"width_um": width}, **(provenance or {})}
    return lfpykernels.compute(approximations, [probe], provenance=found, **options)


def tabulated(sheet: Sheet, contacts: ArrayLike, width: float) -> Floats:
    """Distances (µm) at which patches are computed: dense where potentials change fast."""
    where = geometry.positions(contacts, "the contacts")[:, :2] - sheet.corner
    furthest = np.maximum(np.abs(where), np.abs(sheet.extent - where)).max(axis=0)
    furthest = furthest + np.max(sheet.copies, axis=0)
    last = np.arcsinh(np.linalg.norm(furthest) / (2 * width))
    return np.asarray(2 * width * np.sinh(np.linspace(0, last, int(np.ceil(last / _STEP)) + 1)))


def _even_spline(scale: Floats, factors: Floats) -> CubicSpline:
    """Of an even function of the distance, whose slope at 0 is 0."""
    return CubicSpline(scale, factors, bc_type=("clamped", "not-a-knot"))


class Table:
    """Kernels of patches as functions of the distance: few time courses, and their factors.

    Parameters
    ----------
    found : KernelSet
        What `patches` returned.
    posts : sequence of str
        Postsynaptic populations, whose kernels are added up.
    pre : str
        The presynaptic population.

    Attributes
    ----------
    width : float
        Of a patch (µm).
    reach : float
        The largest distance (µm).
    courses : ndarray, shape (course, lag)
    """

    def __init__(
        self, found: KernelSet, posts: Sequence[str], pre: str, faint: float = 1e-5
    ) -> None:
        try:
            array = found[SIGNAL]
            self.width = float(found.provenance["patch"]["width_um"])
            places = np.column_stack([array[f"{SIGNAL}_{axis}"].values for axis in "xz"])
        except (KeyError, KernelError):
            raise KernelError(
                "these are no kernels of patches, which nestlfp.sources.sheets.patches computes"
            ) from None
        self._distances, self._depths = (np.unique(column) for column in places.T)
        self.reach = float(self._distances[-1])
        values = array.sel(post=list(posts), pre=pre).sum("post").values
        left, size, right = np.linalg.svd(values, full_matrices=False)
        keep = max(1, int(np.sum(size > faint * size[0]))) if size[0] > 0 else 0
        self.courses = right[:keep] * values.any(axis=0)  # without rounding in leading zeros
        shape = (len(self._distances), len(self._depths), keep)
        factors = (left[:, :keep] * size[:keep]).reshape(shape)
        scale = np.arcsinh(self._distances / (2 * self.width))
        self._spline = _even_spline(scale, factors)

    def blurred(self) -> Table:
        """The same of patches that are blurred once more by their width."""
        nodes, shares = np.polynomial.hermite_e.hermegauss(5)
        aside = self.width * nodes
        away = np.hypot(self._distances[:, None, None] + aside[:, None], aside)
        scale = np.arcsinh(np.minimum(away, self.reach) / (2 * self.width))
        weights = np.multiply.outer(shares, shares) / shares.sum() ** 2
        wider = copy.copy(self)
        factors = np.einsum("ij,dij...->d...", weights, self._spline(scale))
        wider._spline = _even_spline(self._spline.x, factors)
        return wider

    def level(self, depths: Floats) -> Any:
        """Place of these contacts' depths in the table."""
        at = np.abs(depths[:, None] - self._depths).argmin(axis=1)
        away = np.abs(self._depths[at] - depths)
        if np.any(away > 1e-6):
            raise KernelError(
                f"the patches have no contacts at a depth of {depths[away.argmax()]:g} µm, only at "
                f"{self._depths.tolist()}: compute them for these contacts"
            )
        return at

    def factors(self, distances: Floats, level: Any) -> Floats:
        """Factors of the courses at these distances from contacts, (..., contact, course)."""
        if distances.max(initial=0.0) > self.reach * (1 + 1e-9):
            raise KernelError(
                f"the patches reach {self.reach:g} µm, but contacts and sheet are up to "
                f"{distances.max():g} µm apart: compute them for this sheet and these contacts"
            )
        spline = self._spline
        at = np.arcsinh(distances / (2 * self.width))
        out = np.empty((*distances.shape, len(self.courses)))
        for i in np.unique(level):
            one = CubicSpline.construct_fast(spline.c[:, :, i], spline.x)
            out[..., level == i, :] = one(at[..., level == i])
        return out
