"""Unitary LFPs (Teleńczuk et al. 2020): a kernel whose size and delay differ between neurons."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike
from scipy.signal import oaconvolve

from ..._types import Floats, Ints
from ...errors import KernelError
from ...extras import require
from ...geometry import cells, check_together, contact_labels, positions
from ...grid import Rounding, spike_steps, step
from ...kernels import AXES, KernelSet, NeuronKernels, channel_dim
from ...kernels.checks import positive, positive_ms
from ...kernels.names import check_known
from ...trains import paired
from .._provenance import package_version
from .checks import EXTRA, check_roles, check_tolerance, delay_ms, direction


@dataclass(frozen=True)
class PerNeuronKernels:
    """One kernel per population, with an amplitude and a delay for each neuron and contact.

    At a contact all neurons of a population share the time course of their kernel; how large it
    is and when it comes differs from neuron to neuron, and differently so at each contact. What
    is exact is therefore one `FieldRecorder` per contact, all of them with the same filter bank of
    a single channel (`per_contact`); what is cheap where there are many contacts is a single one,
    to a tolerance (`by_modes`).

    Attributes
    ----------
    kernels : KernelSet
        One channel of amplitude 1, with the delay that all neurons share.
    weights : dict of str to array, shape (contact, neuron)
        Factor of each neuron's kernel at each contact.
    delays : dict of str to array, shape (contact, neuron)
        By how much (ms) it comes later than in `kernels`; multiples of ``kernels.dt``.
    contacts : array, shape (contact, 3)
        Contact positions (µm).
    channels : tuple
        Label of each contact.
    """

    kernels: KernelSet
    weights: Mapping[str, Floats]
    delays: Mapping[str, Floats]
    contacts: Floats
    channels: tuple[Any, ...]

    @property
    def delay_range(self) -> float:
        """Largest difference of two delays at a contact (ms).

        The network's ``max_delay - min_delay`` must be at least that: where it is not,
        ``nest.set(min_delay=d, max_delay=d + delay_range)``, with d the network's own shortest
        delay, before anything is connected makes room and leaves the spikes as they are.
        """
        every = np.concatenate(list(self.delays.values()), axis=1)
        return float(np.ptp(every, axis=1).max())

    def per_contact(self) -> Iterator[dict[str, dict[str, Floats]]]:
        """The arguments `weights` and `delays` of a `nestlfp.FieldRecorder` for each contact.

        Its populations must be the neurons in the order of their positions.
        """
        for c in range(len(self.contacts)):
            yield {
                "weights": {name: found[c] for name, found in self.weights.items()},
                "delays": {name: found[c] for name, found in self.delays.items()},
            }

    def by_modes(self, tolerance: float = 1e-4, **options: Any) -> NeuronKernels:
        """All contacts as modes: one recorder instead of one for each contact.

        Amplitudes and delays go over smoothly from neuron to neuron, so that few modes make all
        their kernels. No range of delays is needed. `per_contact` is exact, and takes a connection
        for each neuron and contact, where this takes one for each neuron and mode.

        Parameters
        ----------
        tolerance : float
            Largest share of any contact's variance that may be left out, if neurons spike
            independently.
        **options
            rates, or modes in place of the tolerance: as for `NeuronKernels.from_single`.

        Returns
        -------
        NeuronKernels
            Its neurons are in the order of their positions.
        """
        dt, signal = self.kernels.dt, self.kernels.signals[0]
        steps_of = {x: np.rint(found / dt).astype(np.int64) for x, found in self.delays.items()}
        earliest = min(int(found.min()) for found in steps_of.values())
        span = max(int(found.max()) for found in steps_of.values()) - earliest + 1
        n_lags = self.kernels.n_lags
        shifted = np.zeros((len(steps_of), span, n_lags + span - 1))
        for late, (x, out) in product(range(span), zip(steps_of, shifted, strict=True)):
            out[late, late : late + n_lags] = self.kernels[signal].sel(pre=x).values[0, 0]
        # A few functions of the lag make all delays. They are orthonormal, so that what is left
        # out of their coefficients is what is left out of the kernels.
        left, size, functions = np.linalg.svd(np.concatenate(shifted), full_matrices=False)
        used = size > 1e-12 * size[0]
        of_delay = np.split((left * size)[:, used], len(steps_of))
        coefficients = {
            x: {signal: (self.weights[x][..., np.newaxis] * own[at - earliest]).swapaxes(0, 1)}
            for own, (x, at) in zip(of_delay, steps_of.items(), strict=True)
        }
        labels: dict[str, Any] = dict(
            dt=dt,
            units={signal: self.kernels[signal].attrs["units"]},
            channels={signal: self.channels},
            positions={signal: self.contacts},
        )
        if options.get("modes") is None:
            options = {**options, "tolerance": tolerance}
        found = NeuronKernels.from_arrays(coefficients, **labels, **options)

        def in_lags(kernels: KernelSet) -> KernelSet:
            return KernelSet.from_arrays(
                {signal: kernels[signal].values @ functions[used]},
                pre=kernels.pre,
                post=self.kernels.post,
                first_lag=(self.kernels.first_lag_steps + earliest) * dt,
                provenance=self.kernels.provenance,
                **labels,
            )

        return NeuronKernels(
            in_lags(found.modes),
            found.populations,
            found.weights,
            energy=found.energy,
            means=in_lags(found.mean()).dataset,
        )

    def signals(self, recorders: Iterable[Any]) -> xr.Dataset:
        """What these recorders, one for each contact, have recorded: one signal of all contacts."""
        found = [recorder.signals() for recorder in recorders]
        if len(found) != len(self.contacts):
            raise KernelError(
                f"there are {len(self.contacts)} contacts but {len(found)} recorders: make one "
                "for each of per_contact()"
            )
        return self._joined(found)

    def convolve(
        self,
        spikes: Mapping[str, tuple[ArrayLike, ArrayLike]],
        duration: float,
        *,
        rounding: Rounding = False,
    ) -> xr.Dataset:
        """The signal of recorded spikes, offline.

        Parameters
        ----------
        spikes : dict of str to (times, neurons)
            Spike times (ms) and, for each of them, the neuron's index in its population.
        duration : float
            Length of the signal (ms).
        rounding : {False, "up", "nearest"}
            As of `KernelSet.convolve`.

        Returns
        -------
        xarray.Dataset
            As of `KernelSet.convolve`.

        Raises
        ------
        KernelError
            If a population or a neuron is not known.
        """
        check_known(spikes, self.kernels.pre, "spikes of unknown populations")
        n = step(duration, self.kernels.dt, "duration", KernelError)
        total = np.zeros((len(self.contacts), n))
        for name, given in spikes.items():
            times, neurons = paired(given, name, KernelError)
            what = f"spike times of {name!r}"
            at = spike_steps(times, self.kernels.dt, what, KernelError, rounding)
            total += self._response(name, at, self._neurons(name, neurons), n)
        empty = self.kernels.select(pre=self.kernels.pre[:1]).convolve({}, duration)
        signal = self.kernels.signals[0]
        rows = [empty.copy(data={signal: row[np.newaxis]}) for row in total]
        return self._joined(rows)

    def _neurons(self, name: str, found: np.ndarray) -> Ints:
        n = self.weights[name].shape[1]
        if found.size and not (
            np.all(found == np.rint(found)) and 0 <= found.min() <= found.max() < n
        ):
            raise KernelError(
                f"spikes of unknown neurons: {name!r} has the neurons 0 … {n - 1}, found "
                f"{found.min()} … {found.max()}"
            )
        return found.astype(np.int64)

    def _response(self, name: str, at: Ints, neurons: Ints, n: int) -> Floats:
        """Signal of one population at the steps 1 ... n, shape (contact, n)."""
        kernel = self.kernels[self.kernels.signals[0]].sel(pre=name).values[0, 0]
        first = self.kernels.first_lag_steps
        out = np.zeros((len(self.contacts), n))
        for row, weight, delay in zip(out, self.weights[name], self.delays[name], strict=True):
            when = at + np.rint(delay[neurons] / self.kernels.dt).astype(np.int64) + first
            if not when.size:
                continue
            start = min(int(when.min()), 1)  # the step of counts[0]
            counts = np.bincount(when - start, weights=weight[neurons])
            full = oaconvolve(counts, kernel)[1 - start :][:n]
            row[: full.size] += full
        return out

    def _joined(self, rows: Sequence[xr.Dataset]) -> xr.Dataset:
        """Datasets of one contact each as one."""
        signal = self.kernels.signals[0]
        dim = channel_dim(signal)
        # Recorders differ in how far their last sample reaches, with the delays at their contact.
        joined = xr.concat(rows, dim, join="inner", combine_attrs="override")
        coords = {
            f"{signal}_{axis}": (dim, self.contacts[:, i], {"units": "µm"})
            for i, axis in enumerate(AXES)
        }
        return joined.assign_coords({dim: np.asarray(self.channels), **coords})


def telenczuk(
    contacts: Any,
    *,
    dt: float,
    excitatory: Mapping[str, ArrayLike] | None = None,
    inhibitory: Mapping[str, ArrayLike] | None = None,
    orientation: ArrayLike = (0.0, 0.0, 1.0),
    post: str = "all",
    parameters: Mapping[str, Any] | None = None,
    tolerance: float = 1e-7,
    channels: Sequence[Any] | None = None,
) -> PerNeuronKernels:
    """Unitary LFPs of Teleńczuk et al. (2020): a kernel per type of neuron, scaled and delayed.

    A spike of neuron i gives, at contact r, ``A exp(-|r - x_i| / lambda)
    exp(-(t - d - |r - x_i| / v)^2 / (2 sigma^2))``, where A depends on the type of the neuron and
    on the height of the contact above its soma, and sigma on its type.

    Parameters
    ----------
    contacts : array, shape (n, 3), or probeinterface.Probe
        Contact positions (µm).
    dt : float
        Distance of lags (ms): NEST's resolution.
    excitatory, inhibitory : dict of str to array, shape (neuron, 3)
        Populations and the positions of their neurons (µm), in the order of their node ids.
    orientation : array, shape (3,)
        Up, from the soma to the apical dendrite.
    post : str
        Label of the postsynaptic side, which the unitary LFP does not resolve.
    parameters : dict, optional
        Like ``tklfp.params2020``, which is the default.
    tolerance : float
        The kernels end where the Gaussian falls below this part of its peak.
    channels : sequence, optional
        Label of each contact. Default: the probe's contact ids, or 0, 1, ...

    Returns
    -------
    PerNeuronKernels
        Signal "LFP" in µV.

    Raises
    ------
    KernelError
        If there are no neurons, or positions are of the wrong shape or not in µm.
    MissingExtraError
        If ``tklfp`` is not installed.

    Notes
    -----
    Teleńczuk, Teleńczuk and Destexhe (2020), J Neurosci Methods 344:108871. The delay
    ``d + |r - x_i| / v`` is rounded to the grid. The Gaussian also reaches a little back before
    the spike: `tolerance` 1e-7 from -7.5 ms on, so that a recorder's signal ends that much before
    the time simulated.

    Examples
    --------
    >>> proxy = nestlfp.sources.proxies.telenczuk(  # doctest: +SKIP
    ...     probe, dt=0.1, excitatory={"E": xyz_E}, inhibitory={"I": xyz_I}
    ... )
    >>> nest.set(min_delay=1.5, max_delay=1.5 + proxy.delay_range)  # doctest: +SKIP
    >>> nestlfp.install(proxy.kernels)  # doctest: +SKIP
    >>> recorders = [  # doctest: +SKIP
    ...     nestlfp.FieldRecorder(bank, {"E": E, "I": I}, interval=1.0, **one)
    ...     for one in proxy.per_contact()
    ... ]
    >>> nest.Simulate(1000.0)  # doctest: +SKIP
    >>> lfp = proxy.signals(recorders)["LFP"]  # doctest: +SKIP
    """
    positive_ms(dt, "dt")
    where, up = positions(contacts, "the contacts"), direction(orientation)
    check_tolerance(tolerance)
    excitatory, inhibitory = excitatory or {}, inhibitory or {}
    check_roles(excitatory, inhibitory)
    neurons = {
        name: cells(given, f"the neurons of {name!r}")
        for name, given in {**excitatory, **inhibitory}.items()
    }
    check_together(contacts=where, neurons=np.concatenate(list(neurons.values())))
    tklfp = require("tklfp", EXTRA)
    values = dict(tklfp.params2020 if parameters is None else parameters)
    _check_parameters(values)

    centre = int(np.rint(values["d_ms"] / dt))
    sigma = {name: values["sig_e_ms" if name in excitatory else "sig_i_ms"] for name in neurons}
    reach = int(np.ceil(np.sqrt(2 * np.log(1 / tolerance)) * max(sigma.values()) / dt))
    since = np.arange(-reach, reach + 1) * dt
    gaussians = np.array([np.exp(-(since**2) / (2 * sigma[name] ** 2)) for name in neurons])
    gaussians[gaussians < tolerance] = 0.0
    if channels is None:
        channels = contact_labels(contacts) or range(len(where))
    labels = tuple(channels)
    if len(labels) != len(where):
        raise KernelError(f"there are {len(where)} contacts but {len(labels)} channels")

    weights, delays = {}, {}
    for name, somata in neurons.items():
        offset = where[:, np.newaxis] - somata  # (contact, neuron, 3)
        distance = np.linalg.norm(offset, axis=-1)
        profile = values["exc_A0_by_depth" if name in excitatory else "inh_A0_by_depth"]
        weights[name] = profile(offset @ up / 1e3) * np.exp(-distance / 1e3 / values["lambda_mm"])
        total = values["d_ms"] + distance / 1e3 / values["va_m_s"]  # mm / (m/s) = ms
        delays[name] = (np.rint(total / dt) - centre) * dt
    kernels = KernelSet.from_arrays(
        {"LFP": gaussians[np.newaxis, :, np.newaxis]},
        pre=list(neurons),
        post=[post],
        dt=dt,
        first_lag=(centre - reach) * dt,
        units={"LFP": "µV"},
        provenance={
            "tool": "tklfp",
            "version": package_version("tklfp"),
            "model": "unitary LFP (Teleńczuk et al. 2020)",
        },
    )
    return PerNeuronKernels(kernels, weights, delays, where, labels)


def _check_parameters(values: Mapping[str, Any]) -> None:
    names = ("va_m_s", "lambda_mm", "sig_e_ms", "sig_i_ms", "d_ms")
    missing = [n for n in (*names, "exc_A0_by_depth", "inh_A0_by_depth") if n not in values]
    if missing:
        raise KernelError(f"parameters lacks {missing}; tklfp.params2020 shows what is needed")
    for name in names[:-1]:
        positive(values[name], f"parameters[{name!r}]")
    delay_ms(values["d_ms"], "parameters['d_ms']")
