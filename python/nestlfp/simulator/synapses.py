"""What a spike weighs: the connections that NEST lists, by their synapse models.

`connections` gives those that carry spikes, and the weight of a spike that comes after a long
silence, or at a given rate. The sum over a neuron's connections counts each of them, multapses
too, whatever receptor it ends at.

====================================================== ============================================
synapse model (also ``_hpc``, ``_lbl``, and copies)    what a spike weighs
====================================================== ============================================
``static_synapse``, ``cont_delay_synapse``             the connection's weight
``static_synapse_hom_w``                               the weight of the model, which all share
``stdp_…``, ``clopath_``, ``eprop_``, ``jonke_``,      the weight of this moment
``urbanczik_``, ``vogels_sprekeler_synapse``
``tsodyks_synapse``, ``tsodyks_synapse_hom``,          U · weight: the synapse has recovered
``tsodyks2_synapse``
``quantal_stp_synapse``                                n · U · weight, the mean of a recovered one
``bernoulli_synapse``                                  p_transmit · weight, the mean
``ht_synapse``                                         P · weight, with the P that NEST reports
``gap_junction``, ``rate_connection_…``,               not counted: they carry no spikes
``diffusion_connection``, ``sic_connection``,
``eprop_learning_signal_connection``
any other                                              a `NetworkError` with its name
====================================================== ============================================

Where a rate is given, `stationary_factor` takes the place of U in short-term plastic ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import NetworkError
from .simulator import Simulator

_PLAIN = (
    *("static_synapse", "static_synapse_hom_w", "cont_delay_synapse", "clopath_synapse"),
    *("eprop_synapse", "eprop_synapse_bsshslm_2020", "jonke_synapse", "urbanczik_synapse"),
    # Copies of stdp_synapse and of stdp_nn_… cannot be told apart: the first stands for them.
    *("stdp_synapse", "stdp_dopamine_synapse", "stdp_facetshw_synapse_hom"),
    *("stdp_nn_pre_centered_synapse", "stdp_nn_restr_synapse", "stdp_nn_symm_synapse"),
    "stdp_pl_synapse_hom",
    *("stdp_synapse_hom", "stdp_triplet_synapse", "vogels_sprekeler_synapse"),
)
_FACTORS = dict.fromkeys(_PLAIN, ("weight",)) | {
    "bernoulli_synapse": ("weight", "p_transmit"),
    "ht_synapse": ("weight", "P"),
    "quantal_stp_synapse": ("weight", "n", "U"),
    "tsodyks2_synapse": ("weight", "U"),
    "tsodyks_synapse": ("weight", "U"),
    "tsodyks_synapse_hom": ("weight", "U"),
}
"""What is multiplied to the weight of a spike, by the model's name."""

_RECOVERY: dict[str, tuple[str, ...]] = {
    "quantal_stp_synapse": ("tau_rec",),
    "tsodyks2_synapse": ("tau_rec",),
    # What was released is active for tau_psc, and recovers after that.
    "tsodyks_synapse": ("tau_rec", "tau_psc"),
    "tsodyks_synapse_hom": ("tau_rec", "tau_psc"),
}
"""Short-term plastic models, and the time constants that add up until they have recovered."""

_NO_SPIKES = (
    *("diffusion_connection", "eprop_learning_signal_connection", "gap_junction"),
    *("eprop_learning_signal_connection_bsshslm_2020", "rate_connection_delayed"),
    *("rate_connection_instantaneous", "sic_connection"),
)


def used_models(sim: Simulator) -> list[str]:
    """The synapse models of which this process has connections."""
    return [model for model in sim.synapse_models if sim.default(model, "num_connections")]


def connections(
    sim: Simulator,
    sources: Any,
    targets: Any,
    models: Iterable[str],
    columns: Sequence[str],
    rate: float | None = None,
) -> Iterator[dict[str, NDArray[Any]]]:
    """This process's connections that carry spikes, portion by portion.

    Parameters
    ----------
    sim : Simulator
    sources, targets : nest.NodeCollection
        Between which nodes; targets may be None for all.
    models : iterable of str
        The synapse models that are looked at: `used_models`, of all processes.
    columns : sequence of str
        What is wanted beside the weight: "source", "target" (node ids), "delay" (ms).
    rate : float, optional
        Mean rate of each source (1/s), for the state of short-term plastic synapses. By default
        they have recovered.

    Yields
    ------
    dict of str to array
        The columns, and "weight": what a spike weighs on average, at this rate or after a long
        silence.

    Raises
    ------
    NetworkError
        If NEST has no such connections to tell, or it is not known how a synapse model weighs
        spikes.
    """
    for model in models:
        try:
            found = sim.connections(sources, targets, model)
        except sim.error as error:
            raise NetworkError(f"NEST does not tell its connections: {error}") from error
        if not len(found):
            continue
        base = base_of(model, sim)
        if base in _NO_SPIKES:
            continue
        factors = _FACTORS[base]
        recovery = () if rate is None else _RECOVERY.get(base, ())
        needed = {*factors, *recovery, *(["tau_fac"] if recovery else [])}
        shared = sim.defaults(model)  # what connections do not have themselves
        own = [name for name in needed if name in found[0].get()]
        for values in sim.portions(found, [*columns, *own]):
            have = shared | values
            weight = np.ones(len(values[columns[0]]))
            for name in factors:
                if name == "U" and recovery and rate is not None:
                    tau_rec = sum(have[each] for each in recovery)
                    weight *= stationary_factor(have["U"], have["tau_fac"], tau_rec, rate)
                else:
                    weight *= have[name]
            yield {name: values[name] for name in columns} | {"weight": weight}


def stationary_factor(
    U: ArrayLike, tau_fac: ArrayLike, tau_rec: ArrayLike, rate: ArrayLike
) -> NDArray[np.float64]:
    """What a short-term plastic synapse passes of its weight, on average over a Poisson train.

    The mean field of Tsodyks and Markram's synapse: u (1 + U r tau_fac) = U (1 + r tau_fac) and
    x (1 + u r tau_rec) = 1 (Tsodyks et al. 1998, Neural Comput 10:821). It is exact without
    facilitation; with it u and x are correlated, and NEST's mean over long trains is up to 4 %
    smaller in what was tried.

    Parameters
    ----------
    U : array_like
        Fraction that the first spike releases.
    tau_fac, tau_rec : array_like
        Time constants of facilitation (0 for none) and recovery (ms). For ``tsodyks_synapse``
        ``tau_psc`` is added to that of recovery.
    rate : array_like
        Mean rate of the presynaptic neuron (1/s).

    Returns
    -------
    array
        u x, the factor of the weight; U at a rate of 0.
    """
    U, r = np.asarray(U, dtype=float), np.asarray(rate, dtype=float) / 1000.0
    facilitated = r * np.asarray(tau_fac, dtype=float)
    u = U * (1 + facilitated) / (1 + U * facilitated)
    return np.asarray(u / (1 + u * r * np.asarray(tau_rec, dtype=float)))


def base_of(model: str, sim: Simulator) -> str:
    """NEST's own model that a synapse model is of, without what is added to its name."""
    base = model.removesuffix("_hpc").removesuffix("_lbl")
    if base in _NO_SPIKES or base in _FACTORS:
        return base
    shape = shape_of(model, sim)
    for name in (*_FACTORS, *_NO_SPIKES):
        kinds = {name, f"{name}_hpc", f"{name}_lbl"} & set(sim.synapse_models)
        if any(shape == shape_of(kind, sim) for kind in kinds):
            return name
    raise NetworkError(
        f"it is not known what a spike weighs over connections of the synapse model {model!r}: "
        "nestlfp supports NEST's own models and copies of them. Calculate the weights from the "
        "connections and give them yourself: nestlfp.Inputs(populations, weights=...) for "
        "out-strengths, hybrid.Connections(source, target, weight, delay) for the hybrid scheme"
    )


def shape_of(model: str, sim: Simulator) -> tuple[Any, ...]:
    """What a synapse model and its copies have in common: NEST does not say what a copy is of."""
    defaults = sim.defaults(model)
    kind = [defaults.get(name) for name in ("sizeof", "has_delay", "requires_symmetric")]
    return (frozenset(defaults), *kind)
