"""What kernels of populations and of single neurons have in common: labels, verbs and files."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, TypeVar

import xarray as xr
from numpy.typing import ArrayLike

from ..errors import KernelError
from . import files
from .checks import dt_ms, first_lag_steps, provenance
from .projection import projected
from .readout import read_out

K = TypeVar("K", bound="Kernels")


class Kernels(ABC):
    """What `KernelSet` and `NeuronKernels` have in common.

    Attributes
    ----------
    format : str
        What a file of them says that it is.
    """

    format: ClassVar[str]
    _labels: xr.Dataset  # signals, postsynaptic populations, channels and lags

    @abstractmethod
    def _through(self: K, change: Callable[[xr.Dataset], xr.Dataset]) -> K:
        """Kernels after a linear change of their channels or lags."""

    @abstractmethod
    def _to_file(self) -> xr.Dataset:
        """The dataset that a file holds."""

    @classmethod
    @abstractmethod
    def _from_file(cls: type[K], dataset: xr.Dataset) -> K:
        """The kernels that `_to_file` was called for."""

    # ------------------------------------------------------------------ what is in it
    @property
    def signals(self) -> tuple[str, ...]:
        """Names of the signals."""
        return tuple(str(name) for name in self._labels.data_vars)

    @property
    def post(self) -> tuple[str, ...]:
        """Names of the postsynaptic populations."""
        return tuple(str(name) for name in self._labels["post"].values)

    @property
    def dt(self) -> float:
        """Distance of two lags (ms)."""
        return dt_ms(self._labels)

    @property
    def first_lag_steps(self) -> int:
        """Lag of the first sample, in steps of `dt`."""
        return first_lag_steps(self._labels)

    @property
    def n_lags(self) -> int:
        """Number of lags (taps)."""
        return int(self._labels.sizes["lag"])

    @property
    def provenance(self) -> dict[str, Any]:
        """What made these kernels."""
        return provenance(self._labels)

    # ------------------------------------------------------------------ kernels made of kernels
    def readout(
        self: K,
        weights: Mapping[str, Any],
        *,
        band: tuple[float | None, float | None] | None = None,
        order: int = 2,
        cut: float = 1e-9,
        name: str = "readout",
    ) -> K:
        """One channel to act on: a weighted sum of channels, through a causal filter.

        The filter is linear, so that the filtered signal has kernels again: these, filtered.

        Parameters
        ----------
        weights : dict
            For each signal its channels and their weights, ``{"LFP": {3: 1.0, 4: -1.0}}``, or
            one channel, ``{"LFP": 3}``.
        band : (float or None, float or None), optional
            Frequencies (Hz) that pass a Butterworth filter: ``(13, 30)``, ``(None, 100)`` those
            below, ``(1, None)`` those above. Default: no filter.
        order : int
            Of the Butterworth filter; a band has twice as many poles.
        cut : float
            Where the filter's endless response is cut: what is left sums to less than this times
            the largest response to one spike, or value of all modes. The provenance has what was
            cut.
        name : str
            Of the signal.

        Returns
        -------
        KernelSet or NeuronKernels
            With this signal alone, of one channel, in the unit of the signals. What modes leave out
            of it is not known.

        Raises
        ------
        KernelError
            If there is no such signal or channel, if units differ, if the band is upside down or
            beyond the Nyquist frequency, or rings for more than a million lags.

        Notes
        -----
        The signal is ``scipy.signal.sosfilt(scipy.signal.butter(order, band, output="sos"), x)``
        of the weighted sum x. A causal filter delays what it passes: by about half a period of
        the band's width, for order 2.

        Examples
        --------
        >>> import numpy as np, nestlfp
        >>> kernels = nestlfp.KernelSet.from_arrays(
        ...     {"LFP": np.ones((1, 1, 2, 10)) * [[1.0], [3.0]]}, pre=["E"], post=["E"], dt=0.1,
        ...     units={"LFP": "mV"},
        ... )
        >>> readout = kernels.readout({"LFP": {1: 1.0, 0: -1.0}})
        >>> readout["readout"].values.squeeze().max().item()
        2.0
        >>> kernels.readout({"LFP": 0}, band=(50, 100)).n_lags > 1000
        True
        """
        return self._through(
            lambda whole: read_out(whole, weights, band=band, order=order, cut=cut, name=name)
        )

    def project(
        self: K,
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
    ) -> K:
        """The kernels with EEG or MEG added, from their current dipole moment.

        Parameters
        ----------
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
            Label of each contact or sensor. Default: the probe's contact ids, or 0, 1, 2, ...
        normals : array, shape (n, 3), optional
            For MEG: the direction each sensor measures, one channel per sensor. Default: three
            channels per sensor, labelled ``"0_x", "0_y", "0_z"``, ...
        unit : {"mV", "µV"} or {"nA/µm", "T", "fT"}, optional
            Unit of the new signal. Default: LFPykit's own, mV for potentials and nA/µm for the
            magnetic field H; T and fT are the flux density B = mu H with the model's mu.

        Returns
        -------
        KernelSet or NeuronKernels
            All signals of the kernels and the new one, with the positions of its channels (µm),
            and of MEG the directions that they measure: coordinates ``MEG_normal_x``, ``_y``,
            ``_z``, unit vectors. What modes leave out of them is not known.

        Raises
        ------
        KernelError
            If the signal is missing or no dipole, the model is unknown, a population has no
            position or an unknown one has, a dipole is outside the inner sphere, a contact is at
            the dipole or inside the population's cylinder, or positions are of the wrong shape or
            not in µm.

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
        return self._through(
            lambda whole: projected(
                whole,
                model,
                signal=signal,
                to=to,
                dipole_positions=dipole_positions,
                axes=axes,
                contacts=contacts,
                channels=channels,
                normals=normals,
                unit=unit,
            )
        )

    # ------------------------------------------------------------------ file
    def save(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
        """Write a netCDF-4 file (through h5netcdf).

        Parameters
        ----------
        path : path
            Its name ends in ``.nc``.
        overwrite : bool
            Replace an existing file, as a whole once the new one is complete.

        Raises
        ------
        KernelError
            If there is a file already, it cannot be written, or an attribute is nothing that a file
            can hold.
        """
        files.save(self._to_file(), path, overwrite, self.format)

    @classmethod
    def load(cls: type[K], path: str | os.PathLike[str]) -> K:
        """Read what `save` wrote.

        Raises
        ------
        KernelError
            If there is no such file, it is damaged, or it is no file of kernels.
        """
        dataset = files.load(path, cls.format)
        try:
            return cls._from_file(dataset)
        except Exception as error:  # of kernels that another program changed
            message = f"{os.fspath(path)!r} cannot be read: {files.brief(error)}"
            raise KernelError(message) from error
