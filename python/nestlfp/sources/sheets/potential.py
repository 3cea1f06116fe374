"""The potential of cells that are spread over a sheet, as a probe that LFPykernels takes."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.special
from numpy.typing import ArrayLike

from ... import geometry
from ..._types import Floats, Ints
from ...errors import KernelError
from ...kernels.checks import positive
from .profiles import Profile

_PIECES = 8.0  # of the profile's spread: the longest piece of a segment, as seen from above
_FAINT = 1e-7  # of a profile's spectrum, beyond which it is not integrated
_NODES = 4  # of a Gauss-Legendre panel, which spans a half period of the fastest oscillation
_MOST = 200_000  # wave numbers
_CHUNK = 2_000_000  # numbers of a temporary array
_SHARP = 0.1  # µm, the least blur in depth


class SheetPotential:
    """Extracellular potential of cells in a sheet, each turned at random.

    A probe like those of LFPykit. The cell is one of many, whose somata have the lateral density
    `profile` around the origin, and a normal distribution of depths around where the cell stands;
    each is turned around its vertical axis at random. Segments are line sources in an infinite
    homogeneous medium, as in LFPykit's ``LineSourcePotential``, averaged over all of this. A spike
    of a neuron at the origin, whose targets have this profile, so makes the potential of the
    cells' mean transmembrane currents seen by this probe.

    Parameters
    ----------
    cell : LFPykit's CellGeometry, LFPy.Cell or None
        Given later by what uses the probe.
    x, y, z : array of shape (contacts,) in µm
        Contacts. Of x and y only the distance from the origin matters.
    profile : Profile
        Lateral density: `Gaussian`, `Exponential`, `Disk`.
    sigma : float
        Conductivity (S/m).
    sigma_z : float
        Standard deviation of the somata's depths (µm).

    Raises
    ------
    KernelError
        If contacts are not finite or not of one shape, or a number is not positive.

    Notes
    -----
    In the plane's Fourier space the potential of a point source of current I at depth z' is
    :math:`I e^{-k|z - z'|} / 2 \\sigma k`, that of a lateral density its spectrum
    :math:`\\hat q(k)` times this, and that of a source turned around the axis at distance a is
    multiplied by the Bessel function :math:`J_0(ka)`. At the lateral distance ρ

    .. math:: \\phi = \\frac{I}{4 \\pi \\sigma} \\int_0^\\infty
              \\hat q(k)\\, J_0(k a)\\, J_0(k \\rho)\\, e^{-k |z - z'|}\\, dk,

    which is integrated over the length of a segment and the normal distribution of depths in closed
    form, and over k by Gauss-Legendre quadrature. With `Disk`, and contacts at the origin, it is
    the ``GaussCylinderPotential`` of LFPykernels (Hagen et al. 2022, PLoS Comput Biol 18(8):
    e1010353, Eq. 16) for cells whose segments all lie on the axis.

    Examples
    --------
    >>> import numpy as np
    >>> from types import SimpleNamespace
    >>> from nestlfp.sources.sheets import Gaussian, SheetPotential
    >>> probe = SheetPotential(None, [0.0, 500.0], [0.0, 0.0], [50.0, 50.0], Gaussian(100.0))
    >>> probe.cell = SimpleNamespace(  # two segments, at the soma and 300 µm above
    ...     x=np.zeros((2, 2)), y=np.zeros((2, 2)), z=np.array([[-10.0, 10.0], [290.0, 310.0]]),
    ...     d=np.ones(2), totnsegs=2)
    >>> probe.get_transformation_matrix().shape  # mV for 1 nA, (contact, segment)
    (2, 2)
    """

    def __init__(
        self,
        cell: Any,
        x: ArrayLike,
        y: ArrayLike,
        z: ArrayLike,
        profile: Profile,
        sigma: float = 0.3,
        sigma_z: float = 0.0,
    ) -> None:
        try:
            places = np.column_stack(np.broadcast_arrays(*map(np.atleast_1d, (x, y, z))))
        except ValueError as error:
            raise KernelError(f"x, y and z of contacts must have one shape: {error}") from None
        places = geometry.positions(places, "the contacts")
        self.cell = cell
        self.x, self.y, self.z = places.T.copy()
        self.profile = profile
        self.sigma = positive(sigma, "sigma (S/m)")
        if not (np.isfinite(sigma_z) and sigma_z >= 0):
            raise KernelError(f"sigma_z must be at least 0 µm, found {sigma_z!r}")
        self.sigma_z = float(sigma_z)

    def get_transformation_matrix(self) -> Floats:
        """Potentials (mV) for transmembrane currents (nA).

        Returns
        -------
        ndarray, shape (contact, segment)

        Raises
        ------
        AttributeError
            If there is no cell.
        """
        if self.cell is None:
            raise AttributeError("SheetPotential.cell is None")
        pieces, owner = self._pieces()
        lateral = np.hypot(self.x, self.y)
        distances, at = np.unique(lateral, return_inverse=True)
        depths, level = np.unique(self.z, return_inverse=True)
        axis = np.linalg.norm(pieces[:, :, :2].mean(axis=1), axis=1)
        matrix = np.zeros((len(distances), len(depths), len(pieces)))
        heights = np.ptp([*depths, pieces[:, :, 2].min(), pieces[:, :, 2].max()])
        for k, step in self._wave_numbers(distances.max() + axis.max() + heights):
            rings = step * self.profile.spectrum(k) * scipy.special.j0(np.outer(distances, k))
            turned = scipy.special.j0(np.outer(k, axis))
            for i, depth in enumerate(depths):
                matrix[:, i] += rings @ (turned * self._fading(k, depth - pieces[:, :, 2].T))
        matrix /= 4 * np.pi * self.sigma
        whole = np.zeros((len(distances), len(depths), owner.max() + 1))
        share = 1 / np.bincount(owner)
        for piece, segment in enumerate(owner):
            whole[:, :, segment] += matrix[:, :, piece] * share[segment]
        return np.asarray(whole[at, level])

    def _pieces(self) -> tuple[Floats, Ints]:
        """Ends of parts of segments, short from above, (piece, end, axis), and their segments."""
        cell = self.cell
        ends = np.stack([np.asarray(getattr(cell, axis), dtype=float) for axis in "xyz"], axis=-1)
        start, stop = ends[:, 0], ends[:, -1]
        aside = np.linalg.norm((stop - start)[:, :2], axis=1)
        number = np.maximum(1, np.ceil(aside * _PIECES / self.profile.spread)).astype(int)
        owner = np.repeat(np.arange(len(start)), number)
        order = np.concatenate([np.arange(n) for n in number])[:, None]
        part = (stop - start)[owner] / number[owner][:, None]
        first = start[owner] + order * part
        return np.stack([first, first + part], axis=1), owner

    def _wave_numbers(self, furthest: float) -> Any:
        """Nodes and weights of the integral over k, in chunks; nothing is `furthest` apart."""
        k = np.geomspace(1e-6, 10.0, 4000)
        # What a line or a blur in depth adds decays with k, too.
        there = np.abs(self.profile.spectrum(k)) / (1 + k * (self.sigma_z + _SHARP))
        last = k[np.flatnonzero(there > _FAINT)[-1]]
        panels = int(np.ceil(last * (furthest + 2 * self.profile.spread) / np.pi)) + 8
        panels = min(panels, _MOST // _NODES)
        x, w = np.polynomial.legendre.leggauss(_NODES)
        edges = np.linspace(0, last, panels + 1)
        half = (edges[1] - edges[0]) / 2
        nodes = (edges[:-1, None] + half * (1 + x)).ravel()
        weights = np.tile(half * w, panels)
        chunk = max(256, _CHUNK // max(1, len(self.cell.d)))
        for first in range(0, len(nodes), chunk):
            yield nodes[first : first + chunk], weights[first : first + chunk]

    def _fading(self, k: Floats, above: Floats) -> Floats:
        """exp(-k |height|), averaged over lines between two heights and over the blur.

        `above` has shape (end, piece), the result (wave number, piece).
        """
        blur = max(self.sigma_z, _SHARP)
        low, high = above.min(axis=0), above.max(axis=0)
        flat = high - low < 0.1 * blur
        centre = (low + high) / 2
        found = np.empty((len(k), len(low)))
        found[:, flat] = _blurred(k, centre[flat], blur)[0]
        up, down = (_blurred(k, h[~flat], blur)[1] for h in (high, low))
        found[:, ~flat] = (up - down) / (high - low)[~flat]
        return found


def _blurred(k: Floats, height: Floats, blur: float) -> tuple[Floats, Floats]:
    """Mean of exp(-k |u|), u normal around `height`, and its integral from 0 to `height`.

    Shapes (wave number, height).
    """
    k = k[:, None]
    above, below = (
        _half(k, sign * np.broadcast_to(height, (len(k), len(height))), blur) for sign in (1, -1)
    )
    mean = (above + below) / 2
    integral = (scipy.special.erf(height / (blur * np.sqrt(2))) - (above - below) / 2) / k
    return mean, integral


def _half(k: Floats, height: Floats, blur: float) -> Floats:
    """exp(k² s²/2 - k u) erfc((k s² - u) / √2 s), which overflows in parts."""
    x = (k * blur**2 - height) / (blur * np.sqrt(2))
    bulk = np.exp(np.minimum((k * blur) ** 2 / 2 - k * height, 0.0)) * scipy.special.erfc(x)
    tail = np.exp(-(height**2) / (2 * blur**2)) * scipy.special.erfcx(np.maximum(x, 0.0))
    return np.where(x < 0, bulk, tail)
