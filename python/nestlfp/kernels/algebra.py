"""Kernels made of kernels: selected, scaled, summed, filtered, projected."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import xarray as xr

from .checks import checked
from .names import check_known, listed
from .projection import projected
from .readout import read_out
from .sampling import lowpassed, resampled
from .sums import scaled, summed

if TYPE_CHECKING:
    from typing_extensions import Self


class Algebra:
    """Checked kernels, and what they can be changed into; they stay as they are."""

    def __init__(self, dataset: xr.Dataset) -> None:
        self.dataset = checked(dataset)

    @property
    def signals(self) -> tuple[str, ...]:
        """Names of the signals."""
        return tuple(str(name) for name in self.dataset.data_vars)

    @property
    def pre(self) -> tuple[str, ...]:
        """Names of the presynaptic populations."""
        return tuple(str(name) for name in self.dataset["pre"].values)

    @property
    def post(self) -> tuple[str, ...]:
        """Names of the postsynaptic populations."""
        return tuple(str(name) for name in self.dataset["post"].values)

    def select(
        self,
        *,
        signals: str | Iterable[str] | None = None,
        pre: str | Iterable[str] | None = None,
        post: str | Iterable[str] | None = None,
    ) -> Self:
        """The part of the set with these signals and populations, in the order given.

        Raises
        ------
        KernelError
            If a name is not in the set.
        """
        wanted: dict[str, list[str]] = {}
        for what, names, known in (
            ("signals", signals, self.signals),
            ("pre", pre, self.pre),
            ("post", post, self.post),
        ):
            wanted[what] = listed(known if names is None else names, what)
            check_known(wanted[what], known, what)
        part = self.dataset[wanted["signals"]].sel(pre=wanted["pre"], post=wanted["post"])
        return type(self)(part)

    def scale(self, factors: Mapping[Any, float]) -> Self:
        """Kernels with those of each named presynaptic population or pathway times a factor.

        Kernels scale with the synaptic weight of the presynaptic population (Skaar et al. 2020,
        PLoS Comput Biol 16(3): e1007725), so that a network whose weights differ from the
        kernels' needs no new ones.

        Parameters
        ----------
        factors : dict of str, or of (str, str), to float
            Factor per presynaptic population, or per pathway ``(pre, post)``; a pathway is
            multiplied by both. What is not named stays as it is.

        Raises
        ------
        KernelError
            If a population is unknown, or a factor no finite real number.
        """
        return type(self)(scaled(self.dataset, factors))

    def total(self, name: str = "all") -> Self:
        """Kernels added up over postsynaptic populations: what a recorder's signal is made of.

        Parameters
        ----------
        name : str
            Of the one postsynaptic population that is left.

        Returns
        -------
        KernelSet
            Without the cylinders of populations, which it no longer tells apart.

        Examples
        --------
        >>> import numpy as np, nestlfp
        >>> kernels = nestlfp.KernelSet.from_arrays(
        ...     {"LFP": np.ones((2, 1, 1, 3))}, pre=["E"], post=["E", "I"], dt=0.1,
        ...     units={"LFP": "mV"},
        ... )
        >>> kernels.total()["LFP"].values.squeeze().tolist()
        [2.0, 2.0, 2.0]
        """
        return type(self)(summed(self.dataset, name))

    def resample(self, dt: float, *, method: str = "cubic") -> Self:
        """Kernels at another distance of lags, such as NEST's resolution.

        A kernel is the signal's response to one spike, so that resampling keeps its amplitude.
        Between the lags it is interpolated; before its first lag and after its last it is zero.

        Parameters
        ----------
        dt : float
            New distance of lags (ms).
        method : {"cubic", "pchip", "linear"}
            Interpolation. "pchip" never overshoots where a kernel jumps.

        Raises
        ------
        KernelError
            If `dt` is no positive number, or leaves no lag or more than a million of them.
        """
        return self._changed(resampled(self.dataset, dt, method))

    def lowpass(self, interval: float, *, method: str = "fir") -> Self:
        """Kernels whose signals can be sampled every `interval` ms without aliasing.

        A signal recorded with them at that interval equals the full-rate signal of these kernels
        after ``scipy.signal.decimate(signal, q, ftype="fir", zero_phase=True)``, with q the
        number of steps in an interval: a linear-phase FIR filter, cut off at the new Nyquist
        frequency. Its delay is compensated: nothing is shifted, and the kernels start 10
        intervals earlier (at negative lags, mostly) and end 10 intervals later.

        Parameters
        ----------
        interval : float
            Distance of two samples (ms), a multiple of `dt`.
        method : {"fir", "mean"}
            "fir": as above. "mean": the running mean over an interval, so that a sample is the
            mean of the signal since the one before. This is what counting spikes in bins as wide
            as the interval does (Skaar et al. 2020); it leaves some aliasing, of a signal just
            above the Nyquist frequency nearly two thirds.

        Raises
        ------
        KernelError
            If `interval` is no multiple of `dt`, or makes more than a million lags, or there is
            no such method.

        Examples
        --------
        Population rates, as spikes counted in bins of 1 ms:

        >>> import nestlfp
        >>> spike = nestlfp.KernelSet.from_arrays(
        ...     {"rate": [[[[1000.0 / (800 * 0.1)]]]]},  # spikes/s of 800 neurons, for a step
        ...     pre=["E"], post=["E"], dt=0.1, first_lag=0.0, units={"rate": "1/s"},
        ... )
        >>> rate = spike.lowpass(1.0, method="mean").convolve({"E": [0.2, 0.7, 3.0]}, 4.0)["rate"]
        >>> rate.sel(time=[1.0, 2.0, 3.0, 4.0], method="nearest").values.round(9)
        array([[2.5 , 0.  , 1.25, 0.  ]])
        """
        return self._changed(lowpassed(self.dataset, interval, method))

    def readout(
        self,
        weights: Mapping[str, Any],
        *,
        band: tuple[float | None, float | None] | None = None,
        order: int = 2,
        tolerance: float = 1e-9,
        name: str = "readout",
    ) -> Self:
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
        tolerance : float
            Where the filter's endless response is cut: what is left sums to less than this times
            the largest response to one spike. The provenance has what was cut.
        name : str
            Of the signal.

        Returns
        -------
        KernelSet
            With this signal alone, of one channel, in the unit of the signals.

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
        changed = read_out(
            self.dataset, weights, band=band, order=order, tolerance=tolerance, name=name
        )
        return type(self)(changed)

    def _changed(self, dataset: xr.Dataset) -> Self:
        """A set with this dataset, or this set where nothing changed."""
        return self if dataset is self.dataset else type(self)(dataset)

    def project(self, model: Any, **options: Any) -> Self:
        """The set with EEG or MEG added, from its dipole moment and a volume conductor.

        See `nestlfp.kernels.projection.projected` for the parameters.
        """
        return type(self)(projected(self.dataset, model, **options))
