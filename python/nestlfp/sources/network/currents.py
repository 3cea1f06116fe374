"""The current, or conductance, that a connection brings to its target, by the neuron's model.

`MODELS` holds what was measured for each model, receptor and sign of the weight
(``tests/sources/network/test_currents.py``: one spike in NEST 3.10, to 1 %). Any other model is a
`NetworkError`, and `Synapse` says by hand what its connections bring.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...errors import KernelError, NetworkError

_SHAPES = ("exp", "alpha", "beta")
_EQUAL = 1e-6  # relative: NEST, too, takes a beta function of equal time constants as an alpha's


@dataclass(frozen=True)
class Waveform:
    """The current, or conductance, of one connection after a spike.

    A current of weight w is ``sign * w * at(t)`` (pA into the cell); the sign is 1 for all of
    NEST's models. A conductance is ``abs(w) * at(t)`` (nS), its current ``reversal - V`` times
    that. Of a `Synapse` said by hand both are multiplied by its `Synapse.strength`.

    Attributes
    ----------
    shape : {"exp", "alpha", "beta"}
        ``exp(-t / tau)``, ``t / tau * exp(1 - t / tau)``, or a difference of two exponentials.
    tau : float
        Time constant of the decay (ms).
    tau_rise : float or None
        Time constant of the rise (ms), shorter than `tau`, for "beta" alone.
    reversal : float or None
        Reversal potential (mV); None for a current.
    sign : int
        Of the current at a weight of 1; 1 for a conductance.
    unit : {"pA", "nS"}
        Of the peak.
    """

    shape: str
    tau: float
    tau_rise: float | None
    reversal: float | None
    sign: int
    unit: str

    @property
    def area(self) -> float:
        """Integral over time where the peak is 1 (ms)."""
        if self.shape == "exp":
            return self.tau
        if self.tau_rise is None:
            return math.e * self.tau
        return (self.tau - self.tau_rise) / _peak(self.tau, self.tau_rise)

    def at(self, t: ArrayLike) -> NDArray[np.float64]:
        """The course at times t (ms) after the spike's arrival, with a peak of 1."""
        t = np.asarray(t, dtype=float)
        since = np.maximum(t, 0.0)
        if self.shape == "exp":
            course = np.exp(-since / self.tau)
        elif self.tau_rise is None:
            course = since / self.tau * np.exp(1 - since / self.tau)
        else:
            course = np.exp(-since / self.tau) - np.exp(-since / self.tau_rise)
            course /= _peak(self.tau, self.tau_rise)
        return np.where(t < 0, 0.0, course)


def _peak(decay: float, rise: float) -> float:
    """Peak of the difference of two exponentials."""
    at = decay * rise / (decay - rise) * math.log(decay / rise)
    return math.exp(-at / decay) - math.exp(-at / rise)


def _waveform(
    shape: str, tau: float, tau_rise: float | None, reversal: float | None, sign: int = 1
) -> Waveform:
    if tau_rise is not None:
        # The two time constants can be exchanged: the shorter one is that of the rise.
        tau, tau_rise = max(tau, tau_rise), min(tau, tau_rise)
        if math.isclose(tau, tau_rise, rel_tol=_EQUAL):
            shape, tau_rise = "alpha", None
    return Waveform(shape, tau, tau_rise, reversal, sign, "pA" if reversal is None else "nS")


# ---------------------------------------------------------------------- NEST's models
@dataclass(frozen=True)
class Model:
    """What the connections onto a model's neurons bring, by names of the neurons' parameters.

    Attributes
    ----------
    shape : {"exp", "alpha", "beta"}
        As in `Waveform`.
    tau, tau_rise, reversal : tuple of str
        Parameters that hold the time constants (ms) and the reversal potential (mV): one for
        positive and one for negative weights; or a single one, which is a list over the receptors
        1, 2, … None are there where there is no rise, or where it is a current.
    membrane : tuple of str
        Parameters of the passive membrane: capacitance (pF), time constant (ms) or leak (nS), and
        the leak's reversal potential (mV). Models named ``hh_`` have active currents beside it.
    """

    shape: str
    tau: tuple[str, ...]
    tau_rise: tuple[str, ...] = ()
    reversal: tuple[str, ...] = ()
    membrane: tuple[str, ...] = ("C_m", "g_L", "E_L")

    @property
    def by_receptor(self) -> bool:
        """Whether parameters depend on the receptor, not on the sign of the weight."""
        return len(self.tau) == 1


_TAU_M = ("C_m", "tau_m", "E_L")
_G_L = ("C_m", "g_L", "E_L")
_SIGNS = ("tau_syn_ex", "tau_syn_in")
_E_SIGNS = ("E_ex", "E_in")
_DECAYS, _RISES = ("tau_decay_ex", "tau_decay_in"), ("tau_rise_ex", "tau_rise_in")
_RECEPTORS, _E_RECEPTORS = ("tau_syn",), ("E_rev",)

MODELS: dict[str, Model] = {
    # currents
    "iaf_psc_exp": Model("exp", _SIGNS, membrane=_TAU_M),
    "iaf_psc_exp_ps": Model("exp", _SIGNS, membrane=_TAU_M),
    "iaf_psc_exp_ps_lossless": Model("exp", _SIGNS, membrane=_TAU_M),
    "iaf_psc_exp_htum": Model("exp", _SIGNS, membrane=_TAU_M),
    "mat2_psc_exp": Model("exp", _SIGNS, membrane=_TAU_M),
    "amat2_psc_exp": Model("exp", _SIGNS, membrane=_TAU_M),
    "aeif_psc_exp": Model("exp", _SIGNS),
    "gif_psc_exp": Model("exp", _SIGNS),
    "iaf_psc_exp_multisynapse": Model("exp", _RECEPTORS, membrane=_TAU_M),
    "gif_psc_exp_multisynapse": Model("exp", _RECEPTORS),
    "iaf_psc_alpha": Model("alpha", _SIGNS, membrane=_TAU_M),
    "iaf_psc_alpha_ps": Model("alpha", _SIGNS, membrane=_TAU_M),
    "aeif_psc_alpha": Model("alpha", _SIGNS),
    "hh_psc_alpha": Model("alpha", _SIGNS),
    "hh_psc_alpha_clopath": Model("alpha", _SIGNS),
    "hh_psc_alpha_gap": Model("alpha", _SIGNS),
    "iaf_psc_alpha_multisynapse": Model("alpha", _RECEPTORS, membrane=_TAU_M),
    "glif_psc": Model("alpha", _RECEPTORS, membrane=("C_m", "g", "E_L")),
    # conductances
    "iaf_cond_exp": Model("exp", _SIGNS, reversal=_E_SIGNS),
    "iaf_cond_exp_sfa_rr": Model("exp", _SIGNS, reversal=_E_SIGNS),
    "aeif_cond_exp": Model("exp", _SIGNS, reversal=_E_SIGNS),
    "gif_cond_exp": Model("exp", _SIGNS, reversal=_E_SIGNS),
    "hh_cond_exp_traub": Model("exp", _SIGNS, reversal=_E_SIGNS),
    "gif_cond_exp_multisynapse": Model("exp", _RECEPTORS, reversal=_E_RECEPTORS),
    "iaf_cond_alpha": Model("alpha", _SIGNS, reversal=_E_SIGNS),
    "aeif_cond_alpha": Model("alpha", _SIGNS, reversal=_E_SIGNS),
    "aeif_cond_alpha_astro": Model("alpha", _SIGNS, reversal=_E_SIGNS),
    "aeif_cond_alpha_multisynapse": Model("alpha", _RECEPTORS, reversal=_E_RECEPTORS),
    "glif_cond": Model("alpha", _RECEPTORS, (), _E_RECEPTORS, ("C_m", "g_m", "E_L")),
    "iaf_cond_beta": Model("beta", _DECAYS, _RISES, _E_SIGNS),
    "hh_cond_beta_gap_traub": Model("beta", _DECAYS, _RISES, _E_SIGNS),
    "aeif_cond_beta_multisynapse": Model("beta", ("tau_decay",), ("tau_rise",), _E_RECEPTORS),
}
"""What connections bring to neurons of NEST's models, measured in NEST 3.10."""

DELTA: dict[str, tuple[str, ...]] = {
    "iaf_psc_delta": _TAU_M,
    "iaf_psc_delta_ps": _TAU_M,
    "aeif_psc_delta": _G_L,
    "aeif_psc_delta_clopath": _G_L,
    "eprop_iaf": _TAU_M,
    "eprop_iaf_adapt": _TAU_M,
    "eprop_iaf_bsshslm_2020": _TAU_M,
    "eprop_iaf_adapt_bsshslm_2020": _TAU_M,
    "eprop_iaf_psc_delta": _TAU_M,
    "eprop_iaf_psc_delta_adapt": _TAU_M,
    "pp_psc_delta": ("C_m", "tau_m"),
    "izhikevich": (),
}
"""Models whose potential jumps by the weight (mV), and the parameters of their membrane."""

_COMPARTMENTS = "its neurons have compartments, and connections end at one of them"
_NMDA = "its NMDA current is no sum over spikes with a course of its own"
REFUSED: dict[str, str] = {
    "gif_pop_psc_exp": "a node of it is a whole population, and its current that of all neurons",
    "iaf_tum_2000": "its connections weigh a spike by the spike's offset, which is no time there",
    "iaf_chxk_2008": "its conductance is that of iaf_cond_alpha, and has to be said, with 'alpha', "
    "peak=1.0, and tau_syn_ex and E_ex, or tau_syn_in and E_in, as tau and reversal",
    "ht_neuron": "its conductances have no unit, and NMDA receptors depend on the potential",
    "iaf_bw_2001": _NMDA,
    "iaf_bw_2001_exact": _NMDA,
    "iaf_cond_alpha_mc": _COMPARTMENTS,
    "pp_cond_exp_mc_urbanczik": _COMPARTMENTS,
    "cm_default": _COMPARTMENTS,
    "glif_psc_double_alpha": "its current is a sum of two alpha functions",
    "iaf_chs_2007": "its input is a potential, relative to the threshold",
}
"""Why nothing is read of these models."""


def parameters_of(model: str) -> tuple[str, ...]:
    """Names of the node parameters from which a model's currents and membrane follow.

    Parameters
    ----------
    model : str
        NEST's name of it (``type_id``).

    Returns
    -------
    tuple of str
        Time constants, reversal potentials, then the membrane's (`Model.membrane`); of a model
        with delta synapses the membrane's; of any other nothing.
    """
    found = MODELS.get(model)
    if found is None:
        return DELTA.get(model, ())
    return (*found.tau, *found.tau_rise, *found.reversal, *found.membrane)


def waveform(
    model: str,
    parameters: Mapping[str, Any],
    receptor: int,
    positive: bool,
    *,
    pathway: tuple[str, str] = ("E", "I"),
) -> Waveform:
    """What a connection brings to a neuron of one of NEST's models.

    Parameters
    ----------
    model : str
        NEST's name of the neuron's model (``type_id``), not that of a copy.
    parameters : mapping
        The neuron's parameters, at least `parameters_of`; lists over receptors where the model has
        several.
    receptor : int
        Of the connection.
    positive : bool
        Whether its weight is positive.
    pathway : (str, str)
        Pre- and postsynaptic population, for the line to type that an error gives.

    Returns
    -------
    Waveform
        Of a weight of 1.

    Raises
    ------
    NetworkError
        If it is not known what connections bring to this model, or the model has no such receptor
        or no negative weights.
    """
    found = MODELS.get(model)
    if found is None:
        raise NetworkError(_unknown(model, parameters, positive, pathway))
    if found.by_receptor:
        # iaf_psc_exp_multisynapse and others number receptors from 1.
        n = np.size(parameters[found.tau[0]])
        if not 1 <= receptor <= n:
            raise NetworkError(
                f"{model!r} has receptors 1 to {n} here, and a connection ends at {receptor}"
            )
        if found.reversal and not positive:
            raise NetworkError(
                f"a connection onto {model!r} has a negative weight: its weights are conductances "
                f"(nS), and the receptor's {found.reversal[0]} makes it inhibitory. Use the "
                "absolute value"
            )
        index = receptor - 1
    else:
        index = 0 if positive else 1

    tau, tau_rise, reversal = (
        float(np.hstack([parameters[name] for name in names])[index]) if names else None
        for names in (found.tau, found.tau_rise, found.reversal)
    )
    assert tau is not None
    return _waveform(found.shape, tau, tau_rise, reversal)


def _unknown(
    model: str,
    parameters: Mapping[str, Any],
    positive: bool,
    pathway: tuple[str, str],
) -> str:
    """What is wrong with a model that is not among `MODELS`, and the line to type."""
    tau = 2.0 if positive else 5.0
    if model in DELTA:
        capacitance = parameters.get("C_m")
        charge = 250.0 if capacitance is None else float(np.asarray(capacitance))
        source = "NEST's usual C_m" if capacitance is None else "C_m"
        return (
            f"connections onto {model!r} have no current: the potential jumps by the weight (mV). "
            "Say the charge of a weight of 1 mV (fC) and its course: "
            f"synapses={{{pathway!r}: Synapse('exp', tau={tau}, charge={charge:g})}} "
            f"starts with {source} (pF) × 1 mV and {tau:g} ms"
        )
    reason = REFUSED.get(model, "nestlfp knows the models of NEST 3.10")
    line = f"synapses={{{pathway!r}: Synapse('exp', tau={tau}, peak=1.0)}}"
    return (
        f"it is not known what a connection brings to a neuron of {model!r}: {reason}. Say it "
        f"yourself, with the peak (pA, or nS with reversal=) of a weight of 1: {line}"
    )


# ---------------------------------------------------------------------- by hand
@dataclass(frozen=True)
class Synapse:
    """What a connection of weight 1 brings to its target, said by hand.

    Parameters
    ----------
    shape : {"exp", "alpha", "beta"}
        As in `Waveform`.
    tau : float
        Time constant of the decay (ms).
    peak : float, optional
        Peak of the current into the cell (pA; negative where a positive weight inhibits), or of
        the conductance (nS), for a weight of 1.
    charge : float, optional
        Charge of the current (fC, that is pA ms) for a weight of 1, instead of `peak`. For delta
        synapses, where a weight is in mV, the capacitance (pF) is the charge of 1 mV.
    reversal : float, optional
        Reversal potential (mV), which makes it a conductance: negative weights count as positive.
    tau_rise : float, optional
        Time constant of the rise (ms), for "beta".

    Raises
    ------
    KernelError
        If this is no synapse.

    Examples
    --------
    >>> from nestlfp.sources.network.currents import Synapse
    >>> Synapse("exp", tau=2.0, charge=250.0).strength  # pA for a weight of 1 mV
    125.0
    """

    shape: str = "exp"
    tau: float = 2.0
    _: KW_ONLY
    peak: float | None = None
    charge: float | None = None
    reversal: float | None = None
    tau_rise: float | None = None

    def __post_init__(self) -> None:
        if self.shape not in _SHAPES:
            raise KernelError(f"shape must be one of {[*_SHAPES]}, found {self.shape!r}")
        for name in ("tau", "peak", "charge", "reversal", "tau_rise"):
            value = getattr(self, name)
            if value is None and name != "tau":
                continue
            number = isinstance(value, Real) and not isinstance(value, bool)
            if not number or not math.isfinite(value):
                raise KernelError(f"{name} must be a finite number, found {value!r}")
            if name in ("tau", "tau_rise") and value <= 0:
                raise KernelError(f"{name} must be positive (ms), found {value!r}")
            if name in ("peak", "charge") and value == 0:
                raise KernelError(f"{name} is 0: such a connection brings nothing")
        if (self.shape == "beta") != (self.tau_rise is not None):
            raise KernelError(
                f"tau_rise (ms) belongs to the shape 'beta', found {self.tau_rise!r} with "
                f"{self.shape!r}"
            )
        if (self.peak is None) == (self.charge is None):
            raise KernelError(
                "give either peak (pA, or nS with reversal=) or charge (fC) of a weight of 1, "
                f"found peak={self.peak!r} and charge={self.charge!r}"
            )
        if self.reversal is not None and (self.peak is None or self.peak < 0):
            raise KernelError(
                "a synapse with a reversal potential is a conductance, with a positive peak (nS), "
                f"found peak={self.peak!r} and charge={self.charge!r}"
            )

    @property
    def waveform(self) -> Waveform:
        """Its course; the sign is that of `peak` or `charge`."""
        sign = 1 if (self.peak or self.charge or 0) > 0 else -1
        return _waveform(self.shape, self.tau, self.tau_rise, self.reversal, sign)

    @property
    def strength(self) -> float:
        """Peak of a weight of 1 without its sign (pA, or nS)."""
        if self.peak is not None:
            return abs(self.peak)
        assert self.charge is not None
        return abs(self.charge) / self.waveform.area
