"""What a spike weighs at its targets: the connections that NEST lists, by their synapse models.

`connections` gives those that carry spikes, and the weight of a spike that comes after a long
silence. The sum over a neuron's connections counts each of them, multapses too, whatever receptor
it ends at.

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
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import NetworkError

_READ = 20_000
"""Connections that are read at once. NEST makes a dictionary of a kilobyte of each."""

_PLAIN = (
    *("static_synapse", "static_synapse_hom_w", "cont_delay_synapse", "clopath_synapse"),
    *("eprop_synapse", "eprop_synapse_bsshslm_2020", "jonke_synapse", "urbanczik_synapse"),
    *("stdp_dopamine_synapse", "stdp_facetshw_synapse_hom", "stdp_nn_pre_centered_synapse"),
    *("stdp_nn_restr_synapse", "stdp_nn_symm_synapse", "stdp_pl_synapse_hom", "stdp_synapse"),
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

_NO_SPIKES = (
    *("diffusion_connection", "eprop_learning_signal_connection", "gap_junction"),
    *("eprop_learning_signal_connection_bsshslm_2020", "rate_connection_delayed"),
    *("rate_connection_instantaneous", "sic_connection"),
)


def check_sources_kept(nest: Any) -> None:
    """A `NetworkError` where NEST has forgotten where connections come from."""
    if not nest.keep_source_table:  # NEST forgets the sources at once, and ends the process
        raise NetworkError(
            "NEST does not tell where connections come from: keep_source_table is False. Leave it "
            "at True, or give weights of your own"
        )


def used_models(nest: Any) -> list[str]:
    """The synapse models of which this process has connections."""
    return [model for model in nest.synapse_models if nest.GetDefaults(model, "num_connections")]


def connections(
    nest: Any, sources: Any, targets: Any, models: Iterable[str], columns: Sequence[str]
) -> Iterator[dict[str, NDArray[Any]]]:
    """This process's connections that carry spikes, portion by portion.

    Parameters
    ----------
    nest : module
        PyNEST.
    sources, targets : nest.NodeCollection
        Between which nodes.
    models : iterable of str
        The synapse models that are looked at: `used_models`, of all processes.
    columns : sequence of str
        What is wanted beside the weight: "source", "target" (node ids), "delay" (ms).

    Yields
    ------
    dict of str to array
        The columns, and "weight": what a spike weighs that comes after a long silence.

    Raises
    ------
    NetworkError
        If NEST has no such connections to tell, or it is not known how a synapse model weighs
        spikes.
    """
    for model in models:
        try:
            found = nest.GetConnections(sources, targets, synapse_model=model)
        except nest.NESTError as error:
            raise NetworkError(f"NEST does not tell its connections: {error}") from error
        if not len(found):
            continue
        factors = _factors(model, nest)
        shared = nest.GetDefaults(model)  # what connections do not have themselves
        own = [name for name in factors if name in found[0].get()]
        for first in range(0, len(found) if factors else 0, _READ):
            read = found[first : first + _READ].get([*columns, *own])
            values = {name: np.atleast_1d(column) for name, column in read.items()}
            weight = np.ones(len(values[columns[0]]))
            for name in factors:
                weight = weight * (values[name] if name in own else shared[name])
            yield {name: values[name] for name in columns} | {"weight": weight}


def _factors(model: str, nest: Any) -> tuple[str, ...]:
    """What is multiplied to the weight of a spike; nothing where there are no spikes."""
    base = model.removesuffix("_hpc").removesuffix("_lbl")
    if base in _NO_SPIKES:
        return ()
    if base in _FACTORS:
        return _FACTORS[base]
    shape = shape_of(model, nest)
    for name, factors in [*_FACTORS.items(), *dict.fromkeys(_NO_SPIKES, ()).items()]:
        kinds = {name, f"{name}_hpc", f"{name}_lbl"} & set(nest.synapse_models)
        if any(shape == shape_of(kind, nest) for kind in kinds):
            return factors
    raise NetworkError(
        f"it is not known what a spike weighs over connections of the synapse model {model!r}: "
        "nestlfp knows NEST's own models and copies of them. Calculate the weights from the "
        "connections and give them yourself: nestlfp.Inputs(populations, weights=...) for "
        "out-strengths, hybrid.Connections(source, target, weight, delay) for the hybrid scheme"
    )


def shape_of(model: str, nest: Any) -> tuple[Any, ...]:
    """What a synapse model and its copies have in common: NEST does not say what a copy is of."""
    defaults = nest.GetDefaults(model)
    kind = [defaults.get(name) for name in ("sizeof", "has_delay", "requires_symmetric")]
    return (frozenset(defaults), *kind)
