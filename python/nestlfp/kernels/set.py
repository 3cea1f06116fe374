"""Kernels: the response of each signal to one spike of each presynaptic population.

A `KernelSet` is a thin face on an `xarray.Dataset`. Each signal ("LFP", "CDM", ...) is one
array with the dimensions ``(post, pre, <signal>_channel, lag)``; units are attributes, contact
positions are coordinates along the channel dimension, lags are in ms. In place of ``lag`` there may
be ``course``: see ``kernels/courses.py``. On disk it is a netCDF-4 file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any

import xarray as xr
from numpy.typing import ArrayLike

from ..errors import KernelError
from ..grid import Rounding, at_least_a_step
from .arrays import labelled
from .base import Kernels
from .checks import checked
from .convolve import counted, of_counts, of_rates
from .courses import changed_lags, chosen_signals, multiplied
from .describe import description, fingerprint, shown
from .files import FORMAT
from .lfpykernels_dictionary import arrays_of, of_probes
from .names import by_dims, chosen
from .neurons.energies import poisson_moments
from .sampling import lowpassed, resampled
from .sums import factors_of, scaled, summed


class KernelSet(Kernels):
    """Labelled spike-signal kernels of a network.

    Parameters
    ----------
    dataset : xarray.Dataset
        One variable per signal with dimensions ``(post, pre, <signal>_channel, lag)`` and an
        attribute ``units``; coordinate ``lag`` in ms with attribute ``dt_ms``. Use `from_arrays`
        or `from_lfpykernels` to make one from plain arrays. Kernels that are weights of a few time
        courses have ``course`` in place of ``lag``, and the courses as the coordinate ``courses``
        of the dimensions ``(course, lag)``.

    Attributes
    ----------
    stored : xarray.Dataset
        The kernels as they are kept: at every lag, or as weights of time courses.

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

    format = FORMAT

    def __init__(self, dataset: xr.Dataset) -> None:
        self.stored = self._labels = checked(dataset)

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
        courses: ArrayLike | None = None,
        provenance: Mapping[str, Any] | None = None,
    ) -> KernelSet:
        """Kernels from plain arrays.

        Parameters
        ----------
        signals : dict of str to array, shape (post, pre, channel, lag)
            Kernels of each signal; all with the same number of lags. With `courses` their weights,
            (post, pre, channel, course).
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
        courses : array, shape (course, lag), optional
            Time courses that all signals and populations share. A kernel is the sum of them, each
            times its weight. With hundreds of populations that takes far less memory.
        provenance : dict, optional
            What made the kernels: JSON-compatible values, kept with the file.

        Raises
        ------
        KernelError
            If names, shapes, units or times are wrong or disagree; see `KernelSet`.

        Examples
        --------
        Three populations, whose kernels differ in size alone:

        >>> import numpy as np, nestlfp
        >>> kernels = nestlfp.KernelSet.from_arrays(
        ...     {"LFP": [[[[1.0]], [[2.0]], [[4.0]]]]}, courses=[[1.0, 0.5]],
        ...     pre=["A", "B", "C"], post=["all"], dt=0.1, units={"LFP": "mV"},
        ... )
        >>> kernels["LFP"].sel(pre="C").values.squeeze().tolist()
        [4.0, 2.0]
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
                courses=courses,
                provenance=provenance,
            )
        )

    @classmethod
    def from_lfpykernels(
        cls,
        H_YX: Mapping[str, Mapping[str, ArrayLike]],
        *,
        dt: float,
        names: Mapping[str, str] | None = None,
        units: Mapping[str, str] | None = None,
        positions: Mapping[str, ArrayLike] | None = None,
        probes: Iterable[Any] | None = None,
        fir: bool | None = None,
        provenance: Mapping[str, Any] | None = None,
    ) -> KernelSet:
        """Kernels from the dictionary that users of LFPykernels have.

        Parameters
        ----------
        H_YX : dict of str to dict of str to array, shape (channel, lag)
            Kernels by pathway ``"POST:PRE"`` and by the name of the probe's class, as
            ``KernelApprox.get_kernel`` returns them, for every pair of populations; or an open
            `h5py.File` with such groups and arrays. Potentials in mV, current dipole moments in
            nA µm.
        dt : float
            Distance of two lags (ms).
        names : dict of str to str, optional
            Signal to make of a probe class. Default: "LFP" of the potential probes of LFPykit and
            LFPykernels, "CDM" of their dipole probes, "CSD" of ``LaminarCurrentSourceDensity``.
        units : dict of str to str, optional
            Unit of a signal. Needed for signals of other probe classes. Default: "mV", "nA µm" and
            "nA/µm³".
        positions : dict of str to array, shape (channel,) or (channel, 3), optional
            Contact positions (µm) of a signal: depths z where x = y = 0, or x, y, z.
        probes : iterable of probe objects, optional
            The probes behind the kernels, to take contact positions from.
        fir : bool, optional
            Whether the lags are dt, 2 dt, ..., tau (``get_kernel(..., fir=True)``), or -tau, ...,
            tau, of which those above 0 are kept. Default: found from the values, which are zero
            at the lags up to 0 of the symmetric form.
        provenance : dict, optional
            What made the kernels: JSON-compatible values, kept with the file.

        Returns
        -------
        KernelSet
            Lags dt, ..., tau.

        Raises
        ------
        KernelError
            If a key is no "POST:PRE", pathways are missing, probes or shapes differ between
            pathways, a probe class is unknown, the form of the lags cannot be told, or values
            are not finite.

        Notes
        -----
        LFPykernels 0.2 is right only where dt is a power of two, such as 2**-4 ms. At dt = 0.1 ms
        its grid of delays loses a sample to rounding and the kernels come a step or so late,
        which the values do not show: compute at 2**-4 ms and use `KernelSet.resample`.

        References
        ----------
        Hagen et al. (2022) Brain signal predictions from multi-scale networks using a linearized
        framework. PLoS Comput Biol 18(8): e1010353,
        https://doi.org/10.1371/journal.pcbi.1010353

        Examples
        --------
        >>> import numpy as np
        >>> import nestlfp
        >>> response = np.exp(-np.arange(1, 51) / 10) * np.ones((2, 1)) * 1e-6
        >>> kernels = nestlfp.KernelSet.from_lfpykernels(
        ...     {"E:E": {"GaussCylinderPotential": response}},
        ...     dt=0.5, positions={"LFP": [0.0, 100.0]},
        ... )
        >>> kernels["LFP"].dims, kernels["LFP"].attrs["units"]
        (('post', 'pre', 'LFP_channel', 'lag'), 'mV')
        """
        arrays, post, pre = arrays_of(H_YX, fir)
        return cls(
            of_probes(
                arrays,
                post=post,
                pre=pre,
                dt=dt,
                names=names,
                units=units,
                positions=positions,
                probes=probes,
                provenance={"tool": "LFPykernels", **(provenance or {})},
            )
        )

    # ------------------------------------------------------------------ what is in it
    @property
    def dataset(self) -> xr.Dataset:
        """The kernels at every lag.

        Those that are weights of time courses are multiplied out, anew each time, which may take
        much memory: ``kernels.select(pre=...).dataset`` is a part, `stored` what there is.
        """
        return multiplied(self.stored)

    @property
    def pre(self) -> tuple[str, ...]:
        """Names of the presynaptic populations."""
        return tuple(str(name) for name in self.stored["pre"].values)

    @cached_property  # every chunk of a stream asks for it
    def fingerprint(self) -> str:
        """Digest of all that a signal depends on, equal for two sets that are the same.

        Names, order, units, lags, channels, positions and values; not the provenance.
        """
        return fingerprint(self.stored)

    def __getitem__(self, signal: str) -> xr.DataArray:
        if signal not in self.signals:
            raise KernelError(f"no signal {signal!r} in this kernel set: it has {self.signals}")
        return multiplied(chosen_signals(self.stored, [signal]))[signal]

    def __repr__(self) -> str:
        return description(self.stored)

    def _repr_html_(self) -> str:
        return shown(self.stored)

    # ------------------------------------------------------------------ kernels made of kernels
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
        part = chosen_signals(self.stored, chosen(signals, self.signals, "signals"))
        return KernelSet(
            part.sel(pre=chosen(pre, self.pre, "pre"), post=chosen(post, self.post, "post"))
        )

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
        return KernelSet(scaled(self.stored, factors_of(factors, self.post, self.pre)))

    def total(self, name: str = "all") -> KernelSet:
        """Kernels added up over postsynaptic populations: what a recorder's signal is made of.

        Parameters
        ----------
        name : str
            Of the one postsynaptic population that is left.

        Returns
        -------
        KernelSet
            Without the cylinders of populations: one postsynaptic population is left.

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
        return KernelSet(summed(self.stored, name))

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
        # Between the lags of a course "pchip" is not that of the sum.
        whole = self.dataset if method == "pchip" else self.stored
        return self._made_of(changed_lags(whole, lambda each: resampled(each, dt, method)))

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
        return self._made_of(
            changed_lags(self.stored, lambda each: lowpassed(each, interval, method))
        )

    def _through(self, change: Callable[[xr.Dataset], xr.Dataset]) -> KernelSet:
        return self._made_of(change(self.stored))

    def _made_of(self, changed: xr.Dataset) -> KernelSet:
        return self if changed is self.stored else KernelSet(changed)

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
        return poisson_moments(self.dataset, {name: [name] for name in self.pre}, {}, rates)

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
            return of_rates(self.stored, rates, sizes, duration, by)
        if duration is None:
            raise KernelError("duration must be given with spike_times (ms)")
        keep = by_dims(by)
        n = at_least_a_step(duration, self.dt, "duration", KernelError)
        return of_counts(self.stored, counted(self.stored, spike_times, n, rounding), keep)

    # ------------------------------------------------------------------ file
    def _to_file(self) -> xr.Dataset:
        return self.stored

    @classmethod
    def _from_file(cls, dataset: xr.Dataset) -> KernelSet:
        return cls(dataset)
