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
from ..grid import Rounding
from . import files
from .algebra import Algebra
from .arrays import labelled
from .checks import dt_ms, first_lag_steps, provenance
from .convolve import convolved, of_rates
from .describe import description, fingerprint, shown
from .lfpykernels_dictionary import from_dictionary
from .moments import poisson_moments


class KernelSet(Algebra):
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
        return shown(self.dataset)

    # ------------------------------------------------------------------ signals
    def poisson(self, rates: Mapping[str, float]) -> xr.Dataset:
        """Mean and standard deviation of each channel if populations spike as Poisson processes.

        Parameters
        ----------
        rates : dict of str to float
            Spikes/s of each presynaptic population, of all its neurons together; 0 where left out.

        Returns
        -------
        xarray.Dataset
            A variable per signal with dimensions ``(<signal>_channel, moment)``, the moments
            being "mean" and "sd". What neurons do together makes a signal larger.

        Raises
        ------
        KernelError
            If a population is unknown, or a rate no number of spikes/s.

        Notes
        -----
        Campbell's theorem for counts in steps of dt: ``sd**2 = sum_X rate_X dt sum_lag H_X**2``.

        Examples
        --------
        >>> import nestlfp
        >>> kernels = nestlfp.KernelSet.from_arrays(
        ...     {"LFP": [[[[1.0, 1.0]]]]}, pre=["E"], post=["E"], dt=0.1, units={"LFP": "mV"}
        ... )
        >>> kernels.poisson({"E": 5000.0})["LFP"].values
        array([[1., 1.]])
        """
        return poisson_moments(self.dataset, rates)

    def convolve(
        self,
        spike_times: Mapping[str, ArrayLike] | None = None,
        duration: float | None = None,
        *,
        rates: Mapping[str, Any] | None = None,
        sizes: Mapping[str, float] | None = None,
        by: str | Iterable[str] = (),
        rounding: Rounding = False,
    ) -> xr.Dataset:
        """The signal of recorded spikes, offline: the reference for everything online.

        Of firing rates, too: those of mean-field and rate models, which send no spikes.

        Parameters
        ----------
        spike_times : dict of str to array
            Spike times (ms) of each presynaptic population, all its neurons together, as NEST
            stamps them: multiples of the kernels' `dt`, larger than 0. Populations left out are
            silent; spikes after `duration` are passed over.
        duration : float
            Length of the signal (ms). With rates: as long as they are.
        rates : dict of str to array, shape (time,), or xarray.DataArray or float
            Instead of spikes, each population's firing rate (spikes/s of a neuron) at dt, 2 dt, ...
            or at the times (ms) of a DataArray's coordinate ``time``, interpolated in between;
            before the first it is silent.
        sizes : dict of str to float
            With rates, each population's number of neurons.
        by : {"pre", "post"} or both, optional
            Keep the contributions of these populations apart. Default: summed over both.
        rounding : {False, "up", "nearest"}
            What becomes of spikes between steps. "up" puts each into the step at whose end it is,
            as NEST does with precise spikes; False is an error.

        Returns
        -------
        xarray.Dataset
            A variable per signal with dimensions ``([post,] [pre,] <signal>_channel, time)``
            at the times dt, 2 dt, ..., `duration` (ms).

        Raises
        ------
        KernelError
            If a population is unknown, or times are no list of multiples of `dt` from 0 on; if
            rates differ in length, or sizes are missing.

        Notes
        -----
        ``psi(r, t) = sum_X sum_Y sum_lag H_YX(r, lag) nu_X(t - lag)`` with nu_X the number of
        spikes in a step (Hagen et al. 2022, Eq. 1); of rates, the expected number.

        Examples
        --------
        >>> import nestlfp
        >>> kernels = nestlfp.KernelSet.from_arrays(
        ...     {"LFP": [[[[2.0]]]]}, pre=["E"], post=["E"], dt=1.0, units={"LFP": "mV"}
        ... )
        >>> signal = kernels.convolve(rates={"E": [10.0, 5.0, 0.0]}, sizes={"E": 100})
        >>> signal["LFP"].values
        array([[0., 2., 1.]])
        """
        if rates is not None or sizes is not None:
            if spike_times is not None:
                raise KernelError("give spike_times, or rates and sizes, not both")
            return of_rates(self.dataset, rates, sizes, duration, by)
        if duration is None:
            raise KernelError("duration must be given with spike_times (ms)")
        return convolved(self.dataset, spike_times, duration, by, rounding)

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
