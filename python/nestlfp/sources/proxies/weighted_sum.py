"""The reference weighted sum of synaptic currents (Mazzoni, Lindén et al. 2015)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from numbers import Real
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike
from scipy.optimize import brentq

from ..._types import Floats
from ...errors import KernelError
from ...extras import require
from ...geometry import SEVERAL_UM, cells, check_micrometres, check_together, positions
from ...kernels import KernelSet, check_name
from ...kernels.checks import positive, positive_ms, real
from .._provenance import package_version
from .checks import EXTRA, check_part, check_roles, delay_ms, direction

AMPLITUDES = ("mazzoni15_pop", "mazzoni15_nrn", "aussel18")


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
    tail: float = 1e-6,
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
    tail : float
        The kernels end where the currents fall below this part of their peak.
    channels : sequence, optional
        Label of each contact. Default: the probe's contact ids, or 0, 1, ...

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
    ``threshold``); these kernels end at `tail`. With both alike they agree to rounding, the
    tails between 1e-3 and 1e-6 are about 1e-3 of the signal's peak.

    Examples
    --------
    >>> kernels = nestlfp.sources.proxies.rwslfp(  # doctest: +SKIP
    ...     [[0.0, 0.0, 0.0], [0.0, 0.0, 250.0]], [0.0, 0.0, 0.0], dt=0.1,
    ...     excitatory={"E": 1e3 * 20.0}, inhibitory={"I": -1e3 * 80.0},
    ... )
    """
    positive_ms(dt, "dt")
    roles = _roles(excitatory, inhibitory)
    delays = _synaptic_delays(synaptic_delay, roles)
    receptors = {
        "excitatory": (_time_constants(ampa, "ampa"), delay_ms(tau_ampa, "tau_ampa"), 1.0),
        "inhibitory": (
            _time_constants(gaba, "gaba"),
            delay_ms(tau_gaba, "tau_gaba"),
            -float(alpha),
        ),
    }
    check_part(tail, "tail")
    gain = _amplitudes(contacts, somata, amplitude, dendrite_length, orientation)

    onsets = {name: delays[name] + receptors[role][1] for name, (role, _) in roles.items()}
    ends = {
        name: onsets[name] + _duration(*receptors[role][0], tail)
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
        positions={"LFP": contacts},
        provenance={
            "tool": "wslfp",
            "version": package_version("wslfp"),
            "model": "reference weighted sum of synaptic currents (Mazzoni, Lindén et al. 2015)",
            "alpha": alpha,
            "tau_ampa_ms": tau_ampa,
            "tau_gaba_ms": tau_gaba,
            "ampa_ms": list(map(float, ampa)),
            "gaba_ms": list(map(float, gaba)),
            "weights": {name: float(weight) for name, (_, weight) in roles.items()},
        },
    )


def double_exponential(t: ArrayLike, decay: float, rise: float, normalize: bool = True) -> Floats:
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
    signal : xarray.DataFloats
        With a dimension ``time``, such as ``recorder.signals()["LFP"]``.

    Returns
    -------
    xarray.DataFloats
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
    check_roles(excitatory, inhibitory)
    roles: dict[str, tuple[str, float]] = {}
    for role, given, sign in (("excitatory", excitatory, 1), ("inhibitory", inhibitory, -1)):
        for name, weight in given.items():
            if not (isinstance(weight, Real) and 0 <= sign * float(weight) < np.inf):
                raise KernelError(
                    f"the weight of the {role} population {name!r} must be finite and "
                    f"{'at least 0' if sign > 0 else 'at most 0, as in NEST'}, found {weight!r}"
                )
            roles[check_name(name, "a population")] = (role, float(weight))
    return roles


def _synaptic_delays(given: float | Mapping[str, float], names: Iterable[str]) -> dict[str, float]:
    names = list(names)
    each = dict(given) if isinstance(given, Mapping) else dict.fromkeys(names, given)
    if set(each) != set(names):
        raise KernelError(f"synaptic_delay must be of the populations {names}, found {list(each)}")
    return {name: delay_ms(value, f"synaptic_delay of {name!r}") for name, value in each.items()}


def _amplitudes(
    contacts: Any,
    somata: ArrayLike,
    amplitude: str | None,
    dendrite_length: float,
    orientation: ArrayLike,
) -> Floats:
    """Amplitude at each contact (µV), averaged over the sources."""
    where = positions(contacts, "the contacts")
    sources = cells(np.atleast_2d(np.asarray(somata, dtype=float)), "the somata")
    check_together(contacts=where, somata=sources)
    name = amplitude or ("mazzoni15_pop" if len(sources) == 1 else "mazzoni15_nrn")
    if name not in AMPLITUDES:
        raise KernelError(f"amplitude must be one of {list(AMPLITUDES)}, found {amplitude!r}")
    length = np.array([positive(dendrite_length, "dendrite_length")])
    check_micrometres(length, "the dendrites (dendrite_length)", SEVERAL_UM)
    wslfp = require("wslfp", EXTRA)
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


def _time_constants(given: Sequence[float], what: str) -> tuple[float, float]:
    found = real(given, f"time constants {what}")
    if found.shape != (2,) or not (np.all(np.isfinite(found)) and found.min() > 0):
        raise KernelError(
            f"time constants {what} must be two positive numbers of ms, (decay, rise), found "
            f"{given!r}"
        )
    decay, rise = found.tolist()
    if decay < rise:
        raise KernelError(
            f"time constants {what} are (decay, rise): the decay must not be shorter than the "
            f"rise, found {given!r}"
        )
    return decay, rise


def _duration(decay: float, rise: float, tail: float) -> float:
    """Time after which a double exponential is below `tail` of its peak (ms)."""
    horizon = decay * (2 * np.log(1 / tail) + 10)
    peak = float(np.argmax(double_exponential(np.linspace(0, horizon, 10_000), decay, rise)))
    return float(
        brentq(
            lambda t: double_exponential(t, decay, rise) - tail,
            peak * horizon / 9_999,
            horizon,
        )
    )
