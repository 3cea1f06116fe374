"""Kernels without multicompartment cells: proxies of the LFP for networks of point neurons.

- `rwslfp`: the reference weighted sum of synaptic currents (Mazzoni, Lindén et al. 2015). Linear
  in the spikes and the same for all neurons of a population: a `KernelSet` like any other.
- `telenczuk`: the unitary LFP of Teleńczuk et al. (2020), whose amplitude and delay differ from
  neuron to neuron and from contact to contact: a `PerNeuronKernels`.

Amplitudes come from the packages ``wslfp`` and ``tklfp`` (extra ``proxies``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from numbers import Real
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq
from scipy.signal import oaconvolve

from ..errors import KernelError
from ..extras import require
from ..geometry import positions
from ..grid import steps
from ..kernels import AXES, KernelSet, channel_dim, check_name

Array = NDArray[np.float64]
AMPLITUDES = ("mazzoni15_pop", "mazzoni15_nrn", "aussel18")
_EXTRA = "proxies"


# ---------------------------------------------------------------------- weighted sum of currents
def rwslfp(
    contacts: Any,
    somata: ArrayLike,
    *,
    dt: float,
    excitatory: Mapping[str, float],
    inhibitory: Mapping[str, float],
    post: str = "E",
    ampa: tuple[float, float] = (2.0, 0.4),
    gaba: tuple[float, float] = (5.0, 0.25),
    synaptic_delay: float | Mapping[str, float] = 1.0,
    tau_ampa: float = 6.0,
    tau_gaba: float = 0.0,
    alpha: float = 1.65,
    amplitude: str | None = None,
    dendrite_length: float = 250.0,
    orientation: ArrayLike = (0.0, 0.0, 1.0),
    normalize_peak: bool = True,
    weight_unit: str = "pA",
    tolerance: float = 1e-6,
    channels: Sequence[Any] | None = None,
) -> KernelSet:
    """Kernels of the reference weighted sum of synaptic currents onto pyramidal cells.

    ``LFP(r, t) = A(r) (I_AMPA(t - tau_ampa) - alpha I_GABA(t - tau_gaba))`` with currents that
    are sums of double exponentials after each presynaptic spike, so that A and the double
    exponential are the kernel.

    Parameters
    ----------
    contacts : array, shape (n, 3), or probeinterface.Probe
        Contact positions (µm).
    somata : array, shape (3,) or (m, 3)
        Centre of the pyramidal population's somata, or the soma of each of its cells (µm), over
        which the amplitude is averaged.
    dt : float
        Distance of lags (ms): NEST's resolution.
    excitatory, inhibitory : dict of str to float
        Presynaptic populations and the summed weight of all synapses that one of their spikes
        reaches on pyramidal cells, in `weight_unit`, signed as in NEST: inhibitory weights are
        negative. For C synapses of weight J onto each of N cells from M neurons that is
        ``N * C * J / M``.
    post : str
        Name of the pyramidal population.
    ampa, gaba : (float, float)
        Decay and rise time constant of the currents (ms). Equal ones give their limit, the alpha
        function.
    synaptic_delay : float or dict of str to float
        From a spike to the onset of its current (ms), of all or of each presynaptic population.
    tau_ampa, tau_gaba : float
        Delay of the currents' contribution to the LFP (ms).
    alpha : float
        Weight of the GABA currents.
    amplitude : {"mazzoni15_pop", "mazzoni15_nrn", "aussel18"}, optional
        Amplitude function of ``wslfp``. Default: "mazzoni15_pop" for one position, else
        "mazzoni15_nrn".
    dendrite_length : float
        Length of the apical dendrites (µm); the dipole lies half of it above the soma.
    orientation : array, shape (3,)
        From the soma to the apical dendrite.
    normalize_peak : bool
        Weights are the peaks of the currents, as for NEST's current-based synapses. If False,
        the current is ``exp(-t/decay) - exp(-t/rise)`` times the weight, which is the default of
        ``wslfp.spikes_to_biexp_currents``.
    weight_unit : str
        Unit of the weights.
    tolerance : float
        The kernels end where the currents fall below this part of their peak.
    channels : sequence, optional
        Label of each contact.

    Returns
    -------
    KernelSet
        Signal "LFP". Not normalized: in µV (of the amplitude) times `weight_unit`. `normalize`
        brings the recorded signal to mean 0 and variance 1.

    Raises
    ------
    KernelError
        If time constants are not positive, a weight's sign does not fit its role, or positions
        are of the wrong shape or not in µm.
    MissingExtraError
        If ``wslfp`` is not installed.

    Notes
    -----
    Mazzoni, Lindén et al. (2015), PLoS Comput Biol 11(12): e1004584; the amplitudes "aussel18"
    are those of Aussel et al. (2018), J Comput Neurosci 45:207.

    ``wslfp`` drops what is left of a current once it has fallen to 1e-3 of its peak (its
    ``threshold``); these kernels end at `tolerance`. With both alike they agree to rounding, the
    tails between 1e-3 and 1e-6 are about 1e-3 of the signal's peak.

    Examples
    --------
    >>> kernels = nestlfp.sources.proxies.rwslfp(  # doctest: +SKIP
    ...     [[0.0, 0.0, 0.0], [0.0, 0.0, 250.0]], [0.0, 0.0, 0.0], dt=0.1,
    ...     excitatory={"E": 1e3 * 20.0}, inhibitory={"I": -1e3 * 80.0},
    ... )
    """
    _check_positive(dt, "dt")
    roles = _roles(excitatory, inhibitory)
    delays = _synaptic_delays(synaptic_delay, roles)
    receptors = {
        "excitatory": (_time_constants(ampa, "ampa"), _delay(tau_ampa, "tau_ampa"), 1.0),
        "inhibitory": (_time_constants(gaba, "gaba"), _delay(tau_gaba, "tau_gaba"), -float(alpha)),
    }
    if not 0 < tolerance < 1:
        raise KernelError(f"tolerance must lie between 0 and 1, found {tolerance!r}")
    gain = _amplitudes(contacts, somata, amplitude, dendrite_length, orientation)

    onsets = {name: delays[name] + receptors[role][1] for name, (role, _) in roles.items()}
    ends = {
        name: onsets[name] + _duration(*receptors[role][0], tolerance)
        for name, (role, _) in roles.items()
    }
    first = int(np.floor(min(onsets.values()) / dt)) + 1  # at the onset itself it is zero
    lags = np.arange(first, int(np.ceil(max(ends.values()) / dt)) + 1) * dt
    values = np.zeros((1, len(roles), len(gain), lags.size))
    for x, (name, (role, weight)) in enumerate(roles.items()):
        (decay, rise), _, sign = receptors[role]
        current = double_exponential(lags - onsets[name], decay, rise, normalize_peak)
        current[lags > ends[name]] = 0.0
        values[0, x] = sign * weight * np.outer(gain, current)
    return KernelSet.from_arrays(
        {"LFP": values},
        pre=list(roles),
        post=[post],
        dt=dt,
        first_lag=first * dt,
        units={"LFP": f"µV {check_name(weight_unit, 'the unit of weights')}"},
        channels={} if channels is None else {"LFP": channels},
        positions={"LFP": positions(contacts, "the contacts")},
        provenance={
            "tool": "wslfp",
            "version": version("wslfp"),
            "model": "reference weighted sum of synaptic currents (Mazzoni, Lindén et al. 2015)",
            "alpha": alpha,
            "tau_ampa_ms": tau_ampa,
            "tau_gaba_ms": tau_gaba,
            "ampa_ms": list(map(float, ampa)),
            "gaba_ms": list(map(float, gaba)),
            "weights": {name: float(weight) for name, (_, weight) in roles.items()},
        },
    )


def double_exponential(t: ArrayLike, decay: float, rise: float, normalize: bool = True) -> Array:
    """A current that rises and decays exponentially after t = 0.

    Parameters
    ----------
    t : array
        Time since the onset (ms).
    decay, rise : float
        Time constants (ms), ``decay >= rise > 0``.
    normalize : bool
        Scale the peak to 1; where both constants are equal that is the limit, the alpha function
        ``e (t / tau) exp(-t / tau)``. Otherwise ``exp(-t / decay) - exp(-t / rise)``.

    Returns
    -------
    array
    """
    decay, rise = _time_constants((decay, rise), "decay, rise")
    since = np.maximum(np.asarray(t, dtype=float), 0.0)
    if decay == rise:
        if not normalize:
            raise KernelError(
                f"exp(-t/decay) - exp(-t/rise) vanishes where both are {decay:g} ms: with "
                "normalize_peak=True the current is its limit, the alpha function"
            )
        return np.asarray(np.e * since / decay * np.exp(-since / decay))
    difference = (decay - rise) / (decay * rise)  # no digits are lost where they are close
    found = -np.exp(-since / decay) * np.expm1(-since * difference)
    if not normalize:
        return np.asarray(found)
    at = np.log1p((decay - rise) / rise) / difference
    return np.asarray(found / (-np.exp(-at / decay) * np.expm1(-at * difference)))


def normalize(signal: xr.DataArray) -> xr.DataArray:
    """A signal with mean 0 and variance 1 in each channel, as the weighted sum is compared.

    Parameters
    ----------
    signal : xarray.DataArray
        With a dimension ``time``, such as ``recorder.signals()["LFP"]``.

    Returns
    -------
    xarray.DataArray
        Without unit.

    Raises
    ------
    KernelError
        If there is no time, or a channel does not change in it.
    """
    if "time" not in signal.dims:
        raise KernelError(f"a signal to normalize needs the dimension 'time', found {signal.dims}")
    spread = signal.std("time")
    if signal.sizes["time"] == 0 or not bool((spread > 0).all()):
        raise KernelError(
            f"signal {signal.name!r} cannot be normalized: {int((spread <= 0).sum())} of its "
            f"{spread.size} channels do not change"
        )
    scaled = (signal - signal.mean("time")) / spread
    return scaled.assign_attrs({**signal.attrs, "units": "1"})


def _roles(
    excitatory: Mapping[str, float], inhibitory: Mapping[str, float]
) -> dict[str, tuple[str, float]]:
    """Role and weight of each presynaptic population."""
    both = sorted(set(excitatory) & set(inhibitory))
    if both:
        raise KernelError(f"populations {both} are both excitatory and inhibitory")
    roles = {}
    for role, given, sign in (("excitatory", excitatory, 1), ("inhibitory", inhibitory, -1)):
        for name, weight in given.items():
            if not (np.isfinite(weight) and sign * weight >= 0):
                raise KernelError(
                    f"the weight of the {role} population {name!r} must be finite and "
                    f"{'at least 0' if sign > 0 else 'at most 0, as in NEST'}, found {weight!r}"
                )
            roles[check_name(name, "a population")] = (role, float(weight))
    if not roles:
        raise KernelError("no presynaptic populations: excitatory and inhibitory are both empty")
    return roles


def _synaptic_delays(given: float | Mapping[str, float], names: Iterable[str]) -> dict[str, float]:
    names = list(names)
    each = dict(given) if isinstance(given, Mapping) else dict.fromkeys(names, given)
    if set(each) != set(names):
        raise KernelError(f"synaptic_delay must be of the populations {names}, found {list(each)}")
    return {name: _delay(value, f"synaptic_delay of {name!r}") for name, value in each.items()}


def _amplitudes(
    contacts: Any,
    somata: ArrayLike,
    amplitude: str | None,
    dendrite_length: float,
    orientation: ArrayLike,
) -> Array:
    """Amplitude at each contact (µV), averaged over the sources."""
    where = positions(contacts, "the contacts")
    sources = positions(np.atleast_2d(np.asarray(somata, dtype=float)), "the somata")
    name = amplitude or ("mazzoni15_pop" if len(sources) == 1 else "mazzoni15_nrn")
    if name not in AMPLITUDES:
        raise KernelError(f"amplitude must be one of {list(AMPLITUDES)}, found {amplitude!r}")
    _check_positive(dendrite_length, "dendrite_length")
    wslfp = require("wslfp", _EXTRA)
    each = wslfp.from_xyz_coords(
        where,
        sources,
        source_dendrite_length_um=dendrite_length,
        source_orientation=direction(orientation),
        amp_func=getattr(wslfp, name),
    ).amp_uV
    bad = np.argwhere(~np.isfinite(each))
    if bad.size:
        raise KernelError(
            f"contact {bad[0][0]} lies inside a source: it is at the dipole of source "
            f"{bad[0][1]}, where the amplitude {name!r} is infinite"
        )
    if not np.any(each):
        raise KernelError(
            f"the amplitude {name!r} is 0 at all contacts: they are too far from the population "
            "(or in the plane through its dipole)"
        )
    return np.asarray(each.mean(axis=1))


def direction(given: ArrayLike) -> Array:
    """A direction of length 1, shape (3,)."""
    found = np.asarray(given, dtype=float)
    if found.shape != (3,) or not np.all(np.isfinite(found)) or not np.any(found):
        raise KernelError(f"orientation must be a direction of shape (3,), found {given!r}")
    return np.asarray(found / np.linalg.norm(found))


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and bool(np.isfinite(float(value)))


def _check_positive(value: Any, what: str) -> None:
    if not (_is_number(value) and value > 0):
        raise KernelError(f"{what} must be a positive number, found {value!r}")


def _time_constants(given: Sequence[float], what: str) -> tuple[float, float]:
    if np.shape(given) != (2,) or not (np.all(np.isfinite(given)) and np.min(given) > 0):
        raise KernelError(
            f"time constants {what} must be two positive numbers of ms, (decay, rise), found "
            f"{given!r}"
        )
    decay, rise = map(float, given)
    if decay < rise:
        raise KernelError(
            f"time constants {what} are (decay, rise): the decay must not be shorter than the "
            f"rise, found {given!r}"
        )
    return decay, rise


def _delay(value: Any, what: str) -> float:
    if not (_is_number(value) and value >= 0):
        raise KernelError(f"{what} must be a number of ms of at least 0, found {value!r}")
    return float(value)


def _duration(decay: float, rise: float, tolerance: float) -> float:
    """Time after which a double exponential is below `tolerance` of its peak (ms)."""
    horizon = decay * (2 * np.log(1 / tolerance) + 10)
    peak = float(np.argmax(double_exponential(np.linspace(0, horizon, 10_000), decay, rise)))
    return float(
        brentq(
            lambda t: double_exponential(t, decay, rise) - tolerance,
            peak * horizon / 9_999,
            horizon,
        )
    )


# ---------------------------------------------------------------------- unitary LFPs
@dataclass(frozen=True)
class PerNeuronKernels:
    """One kernel per population, with an amplitude and a delay for each neuron and contact.

    At a contact all neurons of a population share the time course of their kernel; how large it
    is and when it comes differs from neuron to neuron, and differently so at each contact. What
    is exact and cheap is therefore one `FieldRecorder` per contact, all of them with the same
    filter bank of a single channel; `record` makes them.

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
    weights: Mapping[str, Array]
    delays: Mapping[str, Array]
    contacts: Array
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

    def record(self, bank: Any, populations: Mapping[str, Any], **options: Any) -> list[Any]:
        """A recorder for each contact.

        Parameters
        ----------
        bank : FilterBank
            ``nestlfp.install(self.kernels)``.
        populations : dict of str to nest.NodeCollection
            The neurons, in the order of their positions.
        **options
            Handed on to `nestlfp.FieldRecorder`, such as ``interval=1.0``.
        """
        from ..runtime.recorder import FieldRecorder

        return [
            FieldRecorder(
                bank,
                populations,
                weights={name: found[c] for name, found in self.weights.items()},
                delays={name: found[c] for name, found in self.delays.items()},
                **options,
            )
            for c in range(len(self.contacts))
        ]

    def signals(self, recorders: Sequence[Any]) -> xr.Dataset:
        """What the recorders of `record` have recorded, as one signal with all contacts."""
        return self._joined([recorder.signals() for recorder in recorders])

    def convolve(
        self, spikes: Mapping[str, tuple[ArrayLike, ArrayLike]], duration: float
    ) -> xr.Dataset:
        """The signal of recorded spikes, offline.

        Parameters
        ----------
        spikes : dict of str to (times, neurons)
            Spike times (ms) and, for each of them, the neuron's index in its population.
        duration : float
            Length of the signal (ms).

        Returns
        -------
        xarray.Dataset
            As of `KernelSet.convolve`.

        Raises
        ------
        KernelError
            If a population or a neuron is not known.
        """
        unknown = [name for name in spikes if name not in self.kernels.pre]
        if unknown:
            raise KernelError(
                f"spikes of unknown populations {unknown}: there are {list(self.kernels.pre)}"
            )
        n = int(steps(duration, self.kernels.dt, "duration", KernelError))
        total = np.zeros((len(self.contacts), n))
        for name, (times, neurons) in spikes.items():
            at = steps(np.ravel(times), self.kernels.dt, f"spike times of {name!r}", KernelError)
            total += self._response(name, at, self._neurons(name, neurons, at.size), n)
        empty = self.kernels.select(pre=self.kernels.pre[:1]).convolve({}, duration)
        signal = self.kernels.signals[0]
        rows = [empty.copy(data={signal: row[np.newaxis]}) for row in total]
        return self._joined(rows)

    def _neurons(self, name: str, neurons: ArrayLike, count: int) -> NDArray[np.int64]:
        found, n = np.ravel(np.asarray(neurons)), self.weights[name].shape[1]
        if found.size != count:
            raise KernelError(f"{name!r} has {count} spike times, but {found.size} neurons")
        if found.size and not (
            np.all(found == np.rint(found)) and 0 <= found.min() <= found.max() < n
        ):
            raise KernelError(
                f"spikes of unknown neurons: {name!r} has the neurons 0 … {n - 1}, found "
                f"{found.min()} … {found.max()}"
            )
        return found.astype(np.int64)

    def _response(
        self, name: str, at: NDArray[np.int64], neurons: NDArray[np.int64], n: int
    ) -> Array:
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
        Label of each contact.

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
    >>> bank = nestlfp.install(proxy.kernels)  # doctest: +SKIP
    >>> recorders = proxy.record(bank, {"E": E, "I": I}, interval=1.0)  # doctest: +SKIP
    >>> nest.Simulate(1000.0)  # doctest: +SKIP
    >>> lfp = proxy.signals(recorders)["LFP"]  # doctest: +SKIP
    """
    _check_positive(dt, "dt")
    where, up = positions(contacts, "the contacts"), direction(orientation)
    if not 0 < tolerance < 1:
        raise KernelError(f"tolerance must lie between 0 and 1, found {tolerance!r}")
    excitatory, inhibitory = excitatory or {}, inhibitory or {}
    both = sorted(set(excitatory) & set(inhibitory))
    if both:
        raise KernelError(f"populations {both} are both excitatory and inhibitory")
    neurons = {
        name: positions(given, f"the neurons of {name!r}")
        for name, given in {**excitatory, **inhibitory}.items()
    }
    if not neurons:
        raise KernelError("no presynaptic populations: excitatory and inhibitory are both empty")
    tklfp = require("tklfp", _EXTRA)
    values = dict(tklfp.params2020 if parameters is None else parameters)
    _check_parameters(values)

    centre = int(np.rint(values["d_ms"] / dt))
    sigma = {name: values["sig_e_ms" if name in excitatory else "sig_i_ms"] for name in neurons}
    reach = int(np.ceil(np.sqrt(2 * np.log(1 / tolerance)) * max(sigma.values()) / dt))
    since = np.arange(-reach, reach + 1) * dt
    gaussians = np.array([np.exp(-(since**2) / (2 * sigma[name] ** 2)) for name in neurons])
    gaussians[gaussians < tolerance] = 0.0
    labels = tuple(range(len(where)) if channels is None else channels)
    if len(labels) != len(where):
        raise KernelError(f"there are {len(where)} contacts but {len(labels)} channels")

    weights, delays = {}, {}
    for name, cells in neurons.items():
        offset = where[:, np.newaxis] - cells  # (contact, neuron, 3)
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
            "version": version("tklfp"),
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
        _check_positive(values[name], f"parameters[{name!r}]")
    _delay(values["d_ms"], "parameters['d_ms']")
