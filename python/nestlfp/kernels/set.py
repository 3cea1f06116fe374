"""Kernels: the response of each signal to one spike of each presynaptic population.

A `KernelSet` is a thin face on an `xarray.Dataset`. Each signal ("LFP", "CDM", ...) is one
array with the dimensions ``(post, pre, <signal>_channel, lag)``; units are attributes, contact
positions are coordinates along the channel dimension, lags are in ms. On disk it is a
netCDF-4 file.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any

import xarray as xr
from numpy.typing import ArrayLike

from ..errors import KernelError
from . import files
from .arrays import labelled
from .checks import checked, dt_ms, first_lag_steps, provenance
from .convolve import convolved
from .describe import description, fingerprint
from .lfpykernels_dictionary import from_dictionary
from .names import check_known, listed
from .projection import projected
from .sampling import lowpassed, resampled
from .sums import scaled, summed


class KernelSet:
    """Labelled spike-signal kernels of a network.

    Parameters
    ----------
    dataset : xarray.Dataset
        One variable per signal with dimensions ``(post, pre, <signal>_channel, lag)`` and an
        attribute ``units``; coordinate ``lag`` in ms with attribute ``dt_ms``. Use `from_arrays`
        or `from_lfpykernels` to make one from plain arrays.

    Raises
    ------
    KernelError
        If dimensions, names or lags disagree, or if kernels are no real numbers, not finite,
        too large to be summed, or all zero. Other real numbers than float64 are converted.

    Notes
    -----
    The kernel :math:`H_{YX}(r, \\tau)` is the signal at channel r and lag tau after one spike
    of presynaptic population X, through all cells of postsynaptic population Y (Hagen et al.
    2022, PLoS Comput Biol 18(8): e1010353, Eq. 1).

    Examples
    --------
    >>> import numpy as np, nestlfp
    >>> lags = np.arange(1, 101) * 0.1
    >>> alpha = lags / 2 * np.exp(1 - lags / 2)
    >>> kernels = nestlfp.KernelSet.from_arrays(
    ...     {"LFP": alpha.reshape(1, 1, 1, -1) * 1e-6},
    ...     pre=["E"], post=["E"], dt=0.1, units={"LFP": "mV"},
    ... )
    >>> kernels.signals
    ('LFP',)
    >>> signals = kernels.convolve({"E": [1.0]}, duration=5.0)
    >>> round(signals["LFP"].sel(time=3.0).item(), 12)
    1e-06
    """

    def __init__(self, dataset: xr.Dataset) -> None:
        self.dataset = checked(dataset)

    # ------------------------------------------------------------------ making one
    @classmethod
    def from_arrays(
        cls,
        signals: Mapping[str, ArrayLike],
        *,
        pre: str | Sequence[str],
        post: str | Sequence[str],
        dt: float,
        units: Mapping[str, str],
        first_lag: float | None = None,
        channels: Mapping[str, Sequence[Any]] | None = None,
        positions: Mapping[str, ArrayLike] | None = None,
        provenance: Mapping[str, Any] | None = None,
    ) -> KernelSet:
        """Kernels from plain arrays.

        Parameters
        ----------
        signals : dict of str to array, shape (post, pre, channel, lag)
            Kernels of each signal; all with the same number of lags.
        pre, post : sequence of str
            Names of the presynaptic and postsynaptic populations; a single one may be a str.
        dt : float
            Distance of two lags (ms).
        units : dict of str to str
            Unit of each signal, such as ``"mV"`` or ``"nA µm"``.
        first_lag : float, optional
            Lag of the first sample (ms), a multiple of `dt`. Default: `dt`, as in LFPykernels.
        channels : dict of str to sequence, optional
            Labels of the channels of a signal. Default: 0, 1, 2, ...
        positions : dict of str to array, shape (channel, 3), optional
            Contact positions (µm).
        provenance : dict, optional
            What made the kernels: JSON-compatible values, kept with the file.

        Raises
        ------
        KernelError
            If names, shapes, units or times are wrong or disagree; see `KernelSet`.
        """
        return cls(
            labelled(
                signals,
                pre=pre,
                post=post,
                dt=dt,
                units=units,
                first_lag=first_lag,
                channels=channels,
                positions=positions,
                provenance=provenance,
            )
        )

    @classmethod
    def from_lfpykernels(
        cls, H_YX: Mapping[str, Mapping[str, ArrayLike]], **options: Any
    ) -> KernelSet:
        """Kernels from the dictionary that users of LFPykernels have.

        See `nestlfp.kernels.lfpykernels_dictionary.from_dictionary` for the parameters.
        """
        return cls(from_dictionary(H_YX, **options))

    # ------------------------------------------------------------------ what is in it
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

    @property
    def dt(self) -> float:
        """Distance of two lags (ms)."""
        return dt_ms(self.dataset)

    @property
    def first_lag_steps(self) -> int:
        """Lag of the first sample, in steps of `dt`."""
        return first_lag_steps(self.dataset)

    @property
    def n_lags(self) -> int:
        """Number of lags (taps)."""
        return int(self.dataset.sizes["lag"])

    @cached_property  # every chunk of a stream asks for it
    def fingerprint(self) -> str:
        """Digest of all that a signal depends on, to tell whether two sets are the same.

        Names, order, units, lags, channels, positions and values; not the provenance.
        """
        return fingerprint(self.dataset)

    @property
    def provenance(self) -> dict[str, Any]:
        """What made these kernels."""
        return provenance(self.dataset)

    def __getitem__(self, signal: str) -> xr.DataArray:
        if signal not in self.signals:
            raise KernelError(f"no signal {signal!r} in this kernel set: it has {self.signals}")
        return self.dataset[signal]

    def __repr__(self) -> str:
        return description(self.dataset)

    def _repr_html_(self) -> str:
        from html import escape

        return f"<pre>{escape(repr(self))}</pre>{self.dataset._repr_html_()}"

    # ------------------------------------------------------------------ algebra
    def select(
        self,
        *,
        signals: str | Iterable[str] | None = None,
        pre: str | Iterable[str] | None = None,
        post: str | Iterable[str] | None = None,
    ) -> KernelSet:
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
        return KernelSet(part)

    def scale(self, factors: Mapping[Any, float]) -> KernelSet:
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
        return KernelSet(scaled(self.dataset, factors))

    def total(self, name: str = "all") -> KernelSet:
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
        return KernelSet(summed(self.dataset, name))

    def resample(self, dt: float, *, method: str = "cubic") -> KernelSet:
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

    def lowpass(self, interval: float, *, method: str = "fir") -> KernelSet:
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

    def _changed(self, dataset: xr.Dataset) -> KernelSet:
        """A set with this dataset, or this set where nothing changed."""
        return self if dataset is self.dataset else KernelSet(dataset)

    def project(self, model: Any, **options: Any) -> KernelSet:
        """The set with EEG or MEG added, from its dipole moment and a volume conductor.

        See `nestlfp.kernels.projection.projected` for the parameters.
        """
        return KernelSet(projected(self.dataset, model, **options))

    def convolve(
        self,
        spike_times: Mapping[str, ArrayLike],
        duration: float,
        *,
        by: str | Iterable[str] = (),
    ) -> xr.Dataset:
        """The signal of recorded spikes, offline: the reference for everything online.

        Parameters
        ----------
        spike_times : dict of str to array
            Spike times (ms) of each presynaptic population, all its neurons together, as NEST
            stamps them: multiples of the kernels' `dt`, larger than 0. Populations left out are
            silent; spikes after `duration` are passed over.
        duration : float
            Length of the signal (ms).
        by : {"pre", "post"} or both, optional
            Keep the contributions of these populations apart. Default: summed over both.

        Returns
        -------
        xarray.Dataset
            A variable per signal with dimensions ``([post,] [pre,] <signal>_channel, time)``
            at the times dt, 2 dt, ..., `duration` (ms).

        Raises
        ------
        KernelError
            If a population is unknown, or times are no list of multiples of `dt` from 0 on.

        Notes
        -----
        ``psi(r, t) = sum_X sum_Y sum_lag H_YX(r, lag) nu_X(t - lag)`` with nu_X the number of
        spikes in a step (Hagen et al. 2022, Eq. 1).
        """
        return convolved(self.dataset, spike_times, duration, by)

    # ------------------------------------------------------------------ file
    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a netCDF-4 file (through h5netcdf); an existing file is replaced whole.

        Raises
        ------
        KernelError
            If it cannot be written, or an attribute is nothing that a file can hold.
        """
        files.save(self.dataset, path)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> KernelSet:
        """Read what `save` wrote.

        Raises
        ------
        KernelError
            If there is no such file, it is damaged, or it is no file of kernels.
        """
        dataset = files.load(path)
        try:
            return cls(dataset)
        except Exception as error:  # of kernels that another program changed
            told = f"{os.fspath(path)!r} cannot be read: {files.brief(error)}"
            raise KernelError(told) from error
