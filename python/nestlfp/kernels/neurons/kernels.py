"""Kernels of single neurons, as weighted sums of a few modes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from ...errors import KernelError
from ...grid import Rounding
from ..base import Kernels
from ..convolve import of_counts
from ..courses import chosen_signals, multiplied
from ..files import NEURONS_FORMAT
from ..names import by_dims, check_known, chosen
from ..set import KernelSet
from ..sums import factors_of, scaled
from . import counts, energies, layout, pathways
from .modes import decomposed
from .single_neurons import (
    Weights,
    checked_counts,
    checked_singles,
    datasets,
    grouped,
    weights_of_all,
    with_labels,
)


class NeuronKernels(Kernels):
    """Each neuron's own kernel: modes, which its population shares, times its weights.

    `from_single` makes them of the kernels of single neurons, `by_pathway` of a population's
    kernels through each postsynaptic population.

    Parameters
    ----------
    modes : KernelSet
        The modes, as if each were a presynaptic population.
    populations : dict of str to sequence of str
        For each population the names of its modes in `modes`, each of which belongs to one. A
        population whose neurons share a kernel has one mode.
    weights : dict of str to array or scipy.sparse array, shape (neuron, mode), optional
        For each neuron the factor of each of its population's modes. What is 0 costs nothing. A
        population that is left out gets its weights from the recorder, or 1 for each.
    energy : xarray.Dataset, optional
        What the modes leave out of the sums of squares, as `from_single` finds it.
    means : xarray.Dataset, optional
        Mean kernels of populations, as `from_single` finds them where modes do not give them.

    Raises
    ------
    KernelError
        If modes are unknown or come up twice, or weights are not finite or of the wrong shape.

    Notes
    -----
    Neuron n of a population has the kernel :math:`h_n(r, \\tau) = \\sum_k w_{nk} f_k(r, \\tau)`.
    In NEST a mode is a spike port of the filter's node, and a weight that of a connection to it.

    A population's kernel is the mean over its neurons (Skaar et al. 2020, PLoS Comput Biol 16(3):
    e1007725, Eq. 10), and misses how they differ (Ness et al. 2025, ibid., e1012303).

    Examples
    --------
    Neurons whose kernels differ in size and time course:

    >>> import numpy as np, nestlfp
    >>> lag = np.arange(1, 101) * 0.1
    >>> tau = np.linspace(1.5, 2.5, 30).reshape(-1, 1, 1)
    >>> single = 3 * tau * lag / tau * np.exp(1 - lag / tau)  # (neuron, channel, lag)
    >>> kernels = nestlfp.NeuronKernels.from_arrays(
    ...     {"E": {"LFP": single}}, dt=0.1, units={"LFP": "µV"}, left_out=1e-4
    ... )
    >>> kernels.populations
    {'E': ('E/0', 'E/1')}
    >>> bool(kernels.left_out()["LFP"].max() < 1e-4)
    True
    >>> signal = kernels.convolve({"E": ([0.1], [7])}, duration=10.1)["LFP"]
    >>> float(abs(signal.values[0, 1:] - single[7, 0]).max() / single.max()) < 0.02
    True
    """

    format = NEURONS_FORMAT

    def __init__(
        self,
        modes: KernelSet,
        populations: Mapping[str, Sequence[str]],
        weights: Mapping[str, Any] | None = None,
        *,
        energy: xr.Dataset | None = None,
        means: xr.Dataset | None = None,
    ) -> None:
        if not isinstance(modes, KernelSet):
            raise KernelError(f"modes must be a KernelSet, found {type(modes).__name__}")
        self.modes = modes
        self._labels = modes.stored
        self.populations = grouped(populations, modes.pre)
        self.weights = weights_of_all(weights, self.populations)
        self.energy = energy
        self.means = means

    # ------------------------------------------------------------------ making one
    @classmethod
    def from_single(
        cls,
        kernels: Mapping[str, xr.Dataset],
        *,
        left_out: float | None = None,
        modes: int | Mapping[str, int] | None = None,
        rates: Mapping[str, ArrayLike] | None = None,
        post: str = "all",
        provenance: Mapping[str, Any] | None = None,
    ) -> NeuronKernels:
        """Modes of the kernels of single neurons, by singular value decomposition.

        Parameters
        ----------
        kernels : dict of str to xarray.Dataset
            For each population what `nestlfp.sources.hybrid.single_kernels` returns: a variable
            for each signal with dimensions ``(neuron, <signal>_channel, lag)``.
        left_out : float, optional
            The largest share of any channel's variance that may be left out, if neurons spike
            independently of each other: R² is 1 less this share. The modes are as few as that
            takes, and the population that needs more gets more.
        modes : int or dict of str to int, optional
            Number of modes of each population instead; fewer where there are no more.
        rates : dict of str to float or array of shape (neuron,), optional
            How often neurons spike (spikes/s), of all populations. Default: all alike.
        post : str
            Label of the postsynaptic side.
        provenance : dict, optional
            What made the kernels, kept with the file.

        Raises
        ------
        KernelError
            If kernels differ in signals, channels or lags, or are not finite; if rounding does not
            let so little be left out.

        Notes
        -----
        A population's first mode is the mean of its kernels, with weights whose mean is 1; the
        others are singular vectors of the rest, with weights whose mean is 0: what neurons do
        together is not approximated. Each neuron counts in these means as often as it spikes.
        Channels are scaled to their variance before.
        """
        singles = checked_singles(kernels, rates)
        count = checked_counts(left_out, modes, list(singles))
        found = decomposed(singles, left_out=left_out, count=count)
        populations = {
            name: [f"{name}/{k}" for k in range(len(own))] for name, (own, _) in found.items()
        }
        labels = with_labels(next(iter(kernels.values())))
        how: dict[str, Any] = dict(post=post, provenance=provenance)
        dataset = layout.as_kernels(
            labels,
            np.concatenate([own for own, _ in found.values()]),
            pre=[mode for own in populations.values() for mode in own],
            **how,
        )
        # Where neurons spike alike, the first mode is the mean.
        means = None
        if any(each.rates.size and np.ptp(each.rates) > 0 for each in singles.values()):
            each_mean = np.stack([each.mean() for each in singles.values()])
            means = layout.as_kernels(labels, each_mean, pre=list(singles), **how)
        return cls(
            KernelSet(dataset),
            populations,
            {name: weights for name, (_, weights) in found.items()},
            energy=energies.measured(labels, singles, found),
            means=means,
        )

    @classmethod
    def from_arrays(
        cls,
        kernels: Mapping[str, Mapping[str, ArrayLike]],
        *,
        dt: float,
        units: Mapping[str, str],
        first_lag: float | None = None,
        channels: Mapping[str, Sequence[Any]] | None = None,
        positions: Mapping[str, ArrayLike] | None = None,
        left_out: float | None = None,
        modes: int | Mapping[str, int] | None = None,
        rates: Mapping[str, ArrayLike] | None = None,
        post: str = "all",
        provenance: Mapping[str, Any] | None = None,
    ) -> NeuronKernels:
        """As `from_single`, from plain arrays.

        Parameters
        ----------
        kernels : dict of str to dict of str to array, shape (neuron, channel, lag)
            For each population its signals.
        dt, units, first_lag, channels, positions
            As for `KernelSet.from_arrays`.
        left_out, modes, rates, post, provenance
            As for `from_single`.
        """
        labels = dict(
            dt=dt, units=units, first_lag=first_lag, channels=channels, positions=positions
        )
        return cls.from_single(
            datasets(kernels, **labels),
            left_out=left_out,
            modes=modes,
            rates=rates,
            post=post,
            provenance=provenance,
        )

    @classmethod
    def by_pathway(
        cls, kernels: KernelSet, pre: str | Iterable[str] | None = None
    ) -> NeuronKernels:
        """The kernel through each postsynaptic population as a mode of its own.

        The recorder then takes weights by postsynaptic population from `nestlfp.out_strengths`.

        Parameters
        ----------
        kernels : KernelSet
            Kernels that tell postsynaptic populations apart.
        pre : str or sequence of str, optional
            Presynaptic populations of which this is wanted. Default: all. Others keep one kernel.

        Examples
        --------
        >>> import numpy as np, nestlfp
        >>> kernels = nestlfp.KernelSet.from_arrays(
        ...     {"LFP": np.ones((2, 1, 1, 3))}, pre=["E"], post=["E", "I"], dt=0.1,
        ...     units={"LFP": "mV"},
        ... )
        >>> nestlfp.NeuronKernels.by_pathway(kernels).populations
        {'E': ('E/E', 'E/I')}
        """
        apart = chosen(pre, kernels.pre, "pre")
        populations = {
            x: [f"{x}/{y}" for y in kernels.post] if x in apart else [x] for x in kernels.pre
        }
        return cls(KernelSet(pathways.apart(kernels.stored, populations)), populations)

    def join(self, other: KernelSet | NeuronKernels) -> NeuronKernels:
        """With further populations, of the same channels, lags and postsynaptic populations.

        A KernelSet's populations have one kernel for all neurons; ``kernels.total()`` makes one
        postsynaptic population of all, which is called "all".

        Raises
        ------
        KernelError
            If they are not the same, or a population is in both.
        """
        other = as_neurons(other)
        twice = sorted(set(self.populations) & set(other.populations))
        if twice:
            raise KernelError(f"populations that both kernels have: {twice}")
        means = [each.means for each in (self, other) if each.means is not None]
        return NeuronKernels(
            KernelSet(pathways.side_by_side([self.modes.stored, other.modes.stored])),
            {**self.populations, **other.populations},
            {**self.weights, **other.weights},
            means=pathways.side_by_side(means) if means else None,
        )

    # ------------------------------------------------------------------ what is in it
    @property
    def pre(self) -> tuple[str, ...]:
        """Names of the presynaptic populations."""
        return tuple(self.populations)

    @property
    def fingerprint(self) -> str:
        """Digest of all that a signal depends on, as of `KernelSet`: modes, weights and means."""
        return layout.fingerprint(self)

    def left_out(self, rates: Mapping[str, float] | None = None) -> xr.Dataset:
        """The share of each channel's variance that the modes leave out.

        Parameters
        ----------
        rates : dict of str to float, optional
            Mean rate of each population (spikes/s). Default: those that the modes were made for.

        Returns
        -------
        xarray.Dataset
            A variable for each signal with the dimension ``<signal>_channel``: 1 - R², if neurons
            spike independently. With common input R² is higher, for the signal grows with it.

        Raises
        ------
        KernelError
            If it is not known: for modes that were not made by `from_single` or `from_arrays`.
        """
        return energies.share(self.variance(rates))

    def variance(self, rates: Mapping[str, float] | None = None) -> xr.Dataset:
        """Expected variance of the signal, and of what the modes leave out of it.

        Parameters
        ----------
        rates : dict of str to float, optional
            As in `left_out`. Where none were ever given they are 1 spike/s.

        Returns
        -------
        xarray.Dataset
            A variable for each signal with dimensions ``(of, <signal>_channel)``, `of` being
            "signal" or "left out", in its unit squared, of independent Poisson spikes.
        """
        if self.energy is None:
            raise KernelError(
                "what these modes leave out is not known: that takes the kernels of single "
                "neurons, NeuronKernels.from_single"
            )
        if rates is not None:
            check_known(rates, list(self.populations), "rates")
        return energies.variance(self.energy, rates, self.modes.dt)

    def single(self, population: str, neurons: ArrayLike | None = None) -> xr.Dataset:
        """The kernels of single neurons, put together from the modes.

        Parameters
        ----------
        population : str
            One whose weights are known.
        neurons : array of int, optional
            Which ones. Default: all.

        Returns
        -------
        xarray.Dataset
            As of `from_single`, with dimensions ``(neuron, <signal>_channel, lag)``.
        """
        weights = self._known_weights(population)
        wanted = np.arange(weights.shape[0]) if neurons is None else np.atleast_1d(neurons)
        at = counts.indices(wanted, weights.shape[0], population, "kernels")
        rows = xr.DataArray(weights[at].toarray(), dims=("neuron", "pre"), coords={"neuron": at})
        modes = self.modes.stored.sel(pre=list(self.populations[population]))
        return multiplied(pathways.put_together(modes.sum("post", keep_attrs=True), rows))

    def mean(self) -> KernelSet:
        """The kernels of populations, each the mean over its neurons, all of which count alike.

        Raises
        ------
        KernelError
            If a population's modes need weights and have none, as those of a sheet.

        Examples
        --------
        >>> import nestlfp
        >>> single = {"E": {"LFP": [[[1.0]], [[3.0]]]}}
        >>> kernels = nestlfp.NeuronKernels.from_arrays(single, dt=1, units={"LFP": "V"}, modes=1)
        >>> kernels.mean()["LFP"].values.round(9).tolist()
        [[[[2.0]]]]
        """
        return KernelSet(self._means())

    def _means(self) -> xr.Dataset:
        return pathways.means(self)

    def __repr__(self) -> str:
        return layout.description(self)

    _repr_html_ = layout.shown

    # ------------------------------------------------------------------ kernels made of kernels
    def select(
        self,
        *,
        signals: str | Iterable[str] | None = None,
        pre: str | Iterable[str] | None = None,
        post: str | Iterable[str] | None = None,
    ) -> NeuronKernels:
        """The part of the kernels with these signals and populations, in the order given.

        What the modes leave out is known of the result unless a postsynaptic population is gone.

        Parameters
        ----------
        signals, pre, post : str or sequence of str, optional
            Names of signals and of populations, not of modes. Default: all.

        Raises
        ------
        KernelError
            If a name is not in the set.
        """
        signals, pre = chosen(signals, self.signals, "signals"), chosen(pre, self.pre, "pre")
        post = chosen(post, self.post, "post")
        populations = {name: self.populations[name] for name in pre}
        energy, means = self.energy, self.means
        if energy is not None:
            whole = set(post) == set(self.post)
            energy = energy[signals].sel(population=pre) if whole else None
        if means is not None:
            known = [name for name in pre if name in means["pre"]]
            means = chosen_signals(means, signals).sel(pre=known, post=post) if known else None
        return NeuronKernels(
            self.modes.select(
                signals=signals,
                pre=[mode for own in populations.values() for mode in own],
                post=post,
            ),
            populations,
            {name: self.weights[name] for name in pre if name in self.weights},
            energy=energy,
            means=means,
        )

    def scale(self, factors: Mapping[Any, float]) -> NeuronKernels:
        """Kernels with those of each named presynaptic population or pathway times a factor.

        What the modes leave out is known of the result unless it has pathways through several
        postsynaptic populations, with different factors.

        Parameters
        ----------
        factors : dict of str, or of (str, str), to float
            As of `KernelSet.scale`: per presynaptic population, not mode, or per pathway
            ``(pre, post)``.

        Raises
        ------
        KernelError
            If a population is unknown, or a factor no finite real number.
        """
        by_pathway = factors_of(factors, self.post, self.pre)
        column = {mode: k for k, own in enumerate(self.populations.values()) for mode in own}
        energy, means = self.energy, self.means
        if energy is not None:
            alike = bool(np.all(by_pathway == by_pathway[0]))
            squares = xr.DataArray(by_pathway[0] ** 2, {"population": list(self.pre)})
            with xr.set_options(keep_attrs=True):
                energy = energy * squares if alike else None
        if means is not None:
            known = [self.pre.index(str(name)) for name in means["pre"].values]
            means = scaled(means, by_pathway[:, known])
        modes = scaled(self.modes.stored, by_pathway[:, [column[mode] for mode in self.modes.pre]])
        return self._made_of(KernelSet(modes), energy, means)

    def total(self, name: str = "all") -> NeuronKernels:
        """Kernels added up over postsynaptic populations: what a recorder's signal is made of.

        Parameters
        ----------
        name : str
            Of the one postsynaptic population that is left.
        """
        means = self._means_after(lambda known: known.total(name))
        return self._made_of(self.modes.total(name), self.energy, means)

    def resample(self, dt: float, *, method: str = "cubic") -> NeuronKernels:
        """Kernels at another distance of lags, such as NEST's resolution.

        Parameters
        ----------
        dt : float
            New distance of lags (ms).
        method : {"cubic", "pchip", "linear"}
            Interpolation, as of `KernelSet.resample`.

        Raises
        ------
        KernelError
            As of `KernelSet.resample`.
        """
        modes = self.modes.resample(dt, method=method)
        with xr.set_options(keep_attrs=True):  # sums over lags have other numbers of them
            energy = None if self.energy is None else self.energy * (self.modes.dt / dt)
        means = self._means_after(lambda known: known.resample(dt, method=method))
        return self._made_of(modes, energy, means)

    def lowpass(self, interval: float, *, method: str = "fir") -> NeuronKernels:
        """Kernels whose signals can be sampled every `interval` ms without aliasing.

        What the modes leave out is not known of the result.

        Parameters
        ----------
        interval : float
            Distance of two samples (ms), a multiple of `dt`.
        method : {"fir", "mean"}
            The filter, as of `KernelSet.lowpass`.

        Raises
        ------
        KernelError
            As of `KernelSet.lowpass`.
        """
        modes = self.modes.lowpass(interval, method=method)
        if modes is self.modes:  # each step is sampled
            return self
        means = self._means_after(lambda known: known.lowpass(interval, method=method))
        return self._made_of(modes, None, means)

    def _through(self, change: Callable[[xr.Dataset], xr.Dataset]) -> NeuronKernels:
        modes, means = pathways.alike(self.modes.stored, self.means, change)
        return self._made_of(KernelSet(modes), None, means)

    def _means_after(self, change: Callable[[KernelSet], KernelSet]) -> xr.Dataset | None:
        """The means that are known, changed as the modes are."""
        return None if self.means is None else change(KernelSet(self.means)).stored

    def _made_of(
        self, modes: KernelSet, energy: xr.Dataset | None, means: xr.Dataset | None
    ) -> NeuronKernels:
        """These populations and weights with other modes."""
        return NeuronKernels(modes, self.populations, self.weights, energy=energy, means=means)

    def sparse(self, left_out: float) -> NeuronKernels:
        """Without as many of the smallest weights as `left_out` allows: fewer connections.

        Parameters
        ----------
        left_out : float
            The share of any channel's variance that may go with them, if neurons spike
            independently; the method `left_out` counts it in.
        """
        weights, energy = energies.without_smallest(self, left_out)
        means = self._means()  # without what is dropped they would be others
        return NeuronKernels(self.modes, self.populations, weights, energy=energy, means=means)

    # ------------------------------------------------------------------ signals
    def poisson(self, rates: Mapping[str, ArrayLike]) -> xr.Dataset:
        """Mean and standard deviation of each channel if neurons spike as Poisson processes.

        Parameters
        ----------
        rates : dict of str to float or array of shape (neuron,)
            Spikes/s of each presynaptic population, of all its neurons together, which then spike
            equally often; or of each of its neurons. 0 where left out.

        Returns
        -------
        xarray.Dataset
            As of `KernelSet.poisson`: of independent neurons, and of what the modes make. What
            they leave out is in `variance`.

        Raises
        ------
        KernelError
            If a population is unknown, or rates are no numbers of spikes/s, or not one for each
            neuron.

        Examples
        --------
        >>> import nestlfp
        >>> single = {"E": {"LFP": [[[1.0]], [[3.0]]]}}
        >>> kernels = nestlfp.NeuronKernels.from_arrays(single, dt=1, units={"LFP": "V"}, modes=1)
        >>> kernels.poisson({"E": [1000.0, 0.0]})["LFP"].values.round(9)
        array([[1., 1.]])
        """
        return energies.poisson_moments(self.modes.dataset, self.populations, self.weights, rates)

    def convolve(
        self,
        spike_times: Mapping[str, tuple[ArrayLike, ArrayLike]] | None = None,
        duration: float | None = None,
        *,
        rates: Mapping[str, Any] | None = None,
        sizes: Mapping[str, float] | None = None,
        by: str | Iterable[str] = (),
        rounding: Rounding = False,
    ) -> xr.Dataset:
        """The signal of recorded spikes, offline, or of firing rates.

        Parameters
        ----------
        spike_times : dict of str to (times, neurons)
            Spike times (ms), multiples of the kernels' dt, and for each of them the neuron's index
            within its population. Populations left out are silent.
        duration : float
            Length of the signal (ms). With rates: as long as they are.
        rates, sizes
            Instead of spikes, as of `KernelSet.convolve`. All neurons of a population have its
            rate, so that the signal is that of the mean kernels, `mean`.
        by, rounding
            As of `KernelSet.convolve`.

        Returns
        -------
        xarray.Dataset
            As of `KernelSet.convolve`; along ``pre`` are populations, not modes.

        Raises
        ------
        KernelError
            If a population, neuron or time is none of theirs; with rates, as of
            `KernelSet.convolve` and `mean`.
        """
        if rates is not None or sizes is not None:
            if spike_times is not None:
                raise KernelError("give spike_times, or rates and sizes, not both")
            return self.mean().convolve(duration=duration, rates=rates, sizes=sizes, by=by)
        if duration is None:
            raise KernelError("duration must be given with spike_times (ms)")
        keep = by_dims(by)
        found = counts.weighted(self, spike_times, duration, rounding)
        signals = of_counts(self.modes.stored, found, keep)
        return self.by_population(signals) if "pre" in keep else signals

    def by_population(self, signals: xr.Dataset) -> xr.Dataset:
        """Signals that modes make, along ``pre``, added up to those of their populations."""
        return pathways.by_population(signals, self.populations)

    def _known_weights(self, name: str) -> Weights:
        """Weights of a population's neurons, or a `KernelError` where they are not known."""
        check_known([name], list(self.populations), "populations")
        if name not in self.weights:
            raise KernelError(
                f"the weights of {name!r} are not known: NeuronKernels.from_single has them, or "
                "NeuronKernels(kernels.modes, kernels.populations, weights)"
            )
        return self.weights[name]

    # ------------------------------------------------------------------ file
    def _to_file(self) -> xr.Dataset:
        return layout.laid_out(self)

    @classmethod
    def _from_file(cls, dataset: xr.Dataset) -> NeuronKernels:
        return cls(**layout.taken_apart(dataset))


def as_neurons(kernels: KernelSet | NeuronKernels) -> NeuronKernels:
    """The same kernels; those of a population are the one mode of its neurons."""
    if isinstance(kernels, NeuronKernels):
        return kernels
    return NeuronKernels(kernels, {name: [name] for name in kernels.pre})
