"""Which of NEST's models send spikes, and which can be a population."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._types import Ints
from ..errors import NetworkError
from .simulator import Simulator

# NEST tells what a model sends only when a connection is made, when nodes exist already. A test
# goes through all its models and finds what is missing here.
_RATES = frozenset({
    *("gauss_rate_ipn", "lin_rate_ipn", "lin_rate_opn", "sigmoid_rate_gg_1998_ipn"),
    *("sigmoid_rate_ipn", "tanh_rate_ipn", "tanh_rate_opn", "threshold_lin_rate_ipn"),
    *("threshold_lin_rate_opn", "rate_transformer_gauss", "rate_transformer_lin"),
    *("rate_transformer_sigmoid", "rate_transformer_sigmoid_gg_1998", "rate_transformer_tanh"),
    *("rate_transformer_threshold_lin", "siegert_neuron"),
    *("eprop_readout", "eprop_readout_bsshslm_2020"),
})  # fmt: skip
_BINARY = frozenset({"erfc_neuron", "ginzburg_neuron", "mcculloch_pitts_neuron"})
_ASTROCYTES = frozenset({"astrocyte_lr_1994"})
CURRENTS = frozenset({
    *("ac_generator", "dc_generator", "noise_generator", "step_current_generator"),
    "step_rate_generator",
})  # fmt: skip
"""Generators that send no spikes."""

MESOSCOPIC = frozenset({"gif_pop_psc_exp"})
"""Nodes that stand for a population: a spike's multiplicity is the number of its spikes."""


def check_senders(models: set[str], nodes: Any, population: str, sim: Simulator) -> None:
    """Raise a `NetworkError` unless a recorder gets the spikes that the network gets.

    Parameters
    ----------
    models : set of str
        Their models; copies of a model are known by what they were copied from.
    nodes : nest.NodeCollection
        The nodes of one population.
    population : str
        Its name, for the message.
    sim : Simulator
    """
    defaults = [sim.defaults(model) for model in models]
    kinds = {str(each["element_type"]) for each in defaults}
    bases = {str(each["type_id"]) for each in defaults}
    why = _why_not(kinds, bases)
    if why is not None:
        raise NetworkError(
            f"population {population!r} must be neurons, or of the model spike_generator, found "
            f"{sorted(models)}: {why}"
        )
    if "spike_generator" in bases:
        scaled = scaled_spikes(np.sort(nodes.tolist()), sim)
        if scaled:
            raise NetworkError(f"population {population!r}: {scaled}")


def _why_not(kinds: set[str], bases: set[str]) -> str | None:
    """What is wrong with nodes of these element types and models, or None."""
    if others := kinds - {"neuron", "stimulator"}:
        what = "recorders" if others == {"recorder"} else "devices"
        return f"there are {what} among them, which send no spikes. Give the neurons alone"
    if len(kinds) > 1:
        return "neurons and generators are mixed. Give each a population of its own"
    if bases & _ASTROCYTES:
        return "astrocytes send slow currents and no spikes. Leave them out"
    if bases & _BINARY:
        return "binary neurons send changes of their state, which are no spikes"
    if bases & CURRENTS:
        return "generators of currents and rates send no spikes. Leave them out"
    if bases & _RATES:
        return "they send rates and no spikes. Signals of rates: KernelSet.convolve(rates=...)"
    if kinds == {"stimulator"} and bases != {"spike_generator"}:
        return (
            "such a generator draws other spikes for each of its targets, so that the recorder "
            "would get spikes that the network does not get. Put a parrot_neuron between the "
            "generator and each neuron that it drives, and give the parrots: "
            'parrots = nest.Create("parrot_neuron", len(E)); nest.Connect(generator, parrots); '
            'nest.Connect(parrots, E, "one_to_one", ...). (A single parrot would send the same '
            "spikes to all neurons, which is another network)"
        )
    return None


def is_stimulator(node: int, sim: Simulator) -> bool:
    """Whether this node is a generator, which lives on every virtual process."""
    model = sim.nodes([node]).get("model")
    return bool(sim.default(model, "element_type") == "stimulator")


def base_model(node: int, sim: Simulator) -> str:
    """The model of this node; of a copied model, the one that it was copied from."""
    return str(sim.default(sim.nodes([node]).get("model"), "type_id"))


def stands_for_many(node: int, sim: Simulator) -> str | None:
    """Why the neurons of this node cannot be told apart, if it stands for many."""
    if base_model(node, sim) not in MESOSCOPIC:
        return None
    found = sim.nodes([node])
    model = found.get("model")
    return (
        f"{model} is one node for a population, here of {found.get('N')} neurons, which cannot be "
        "told apart"
    )


def scaled_spikes(ids: Ints, sim: Simulator) -> str | None:
    """Which spike_generator sends spikes with a weight, which would scale the kernel; or None."""
    found = sim.nodes(ids).get("spike_weights")
    for node, weights in zip(ids, [found] if len(ids) == 1 else found, strict=True):
        values = np.asarray(weights, dtype=float)
        if np.any(values != 1):
            return (
                f"spike_generator {node} has spike_weights such as {values[values != 1][0]:g}, "
                "which would scale the kernel of each spike. For several spikes at once set "
                "spike_multiplicities; for a factor of the kernel use "
                "nestlfp.Inputs(populations, weights=...)"
            )
    return None
