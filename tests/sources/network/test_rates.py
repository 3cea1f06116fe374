"""Rates of populations, and what depends on them."""

import pytest

import nestlfp
from nestlfp.sources import network
from nestlfp.sources.network import describe


def test_models_whose_weight_is_not_the_connections(nest):
    A = nest.Create("iaf_psc_exp", 10)
    nest.CopyModel("static_synapse_hom_w", "shared", {"weight": 3.0})
    nest.CopyModel("stdp_synapse", "learning")
    nest.Connect(A, A, "one_to_one", {"synapse_model": "shared"})
    nest.Connect(A, A, "one_to_one", {"synapse_model": "learning", "weight": 5.0})
    nest.Connect(A, A, "one_to_one", {"synapse_model": "tsodyks_synapse", "weight": 8.0, "U": 0.5})
    description = describe({"A": A})
    (found,) = description.pathways
    assert found.synapses == 3.0
    assert found.weight == pytest.approx((3.0 + 5.0 + 4.0) / 3)
    assert "a spike after a long silence" in repr(description)
    depressed = describe({"A": A}, rates={"A": 20.0})
    assert depressed.pathways[0].weight < found.weight
    assert "a spike at 20 spikes/s, the mean" in repr(depressed)
    assert "silence" not in repr(depressed)


def test_rates_are_those_of_the_neurons_that_are_recorded(nest):
    neurons = nest.Create("parrot_neuron", 10)
    trains = nest.Create(
        "spike_generator", 10, params=[{"spike_times": [5.0 * (i + 1), 60.0]} for i in range(10)]
    )
    nest.Connect(trains, neurons, "one_to_one", {"delay": 1.0})
    recorder = nest.Create("spike_recorder")
    nest.Connect(neurons[:4], recorder)
    nest.Simulate(100.0)
    found = network.rates({"P": neurons}, {"P": recorder}, start=20.0)
    assert found == {"P": pytest.approx((1 + 4) / 4 / 80.0 * 1000.0)}
    assert network.rates({"P": neurons, "part": neurons[1:3]}, recorder)["part"] == 20.0
    with pytest.raises(nestlfp.NetworkError, match="records none"):
        network.rates({"P": neurons[5:]}, {"P": recorder})
    with pytest.raises(nestlfp.NetworkError, match="no spikes of 'P' were recorded"):
        network.rates({"P": neurons}, {"P": recorder}, start=200.0)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (5.0, "must be a dict"),
        ({"A": -1.0}, "0 or more"),
        ({"A": float("nan")}, "0 or more"),
        ({"A": [1.0, 2.0]}, "one number"),
        ({"A": "many"}, "real numbers"),
    ],
)
def test_rates_that_are_none(nest, given, message):
    """Told alike wherever rates are given."""
    A = nest.Create("iaf_psc_exp", 3)
    nest.Connect(A, A)
    for use in (
        lambda: describe({"A": A}, rates=given),
        lambda: network.kernels({"A": A}, rates=given),
        lambda: network.kernels(describe({"A": A}), rates=given),
        lambda: network.alternatives({"A": A}, given),
    ):
        with pytest.raises(nestlfp.KernelError, match=message):
            use()
