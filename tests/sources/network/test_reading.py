"""What is read of a network in NEST, against its connections one by one."""

import json

import numpy as np
import pytest
from networks_in_nest import from_connections, two_populations

import nestlfp
from nestlfp.sources import network
from nestlfp.sources.network import Synapse, describe


def pathway(description, pre, post):
    (found,) = [p for p in description.pathways if (p.pre, p.post) == (pre, post)]
    return found


def test_a_network_is_read_as_it_is(nest):
    populations = two_populations(nest, C_m=200.0, tau_m=12.0, tau_syn_ex=1.5, tau_syn_in=4.0)
    description = describe(populations)
    for pre, tau in (("E", 1.5), ("I", 4.0)):
        for post in populations:
            found = pathway(description, pre, post)
            synapses, weight, delay = from_connections(nest, populations, pre, post)
            assert found.synapses == pytest.approx(synapses, rel=1e-10)
            assert found.weight == pytest.approx(weight, rel=1e-10)
            assert found.delay == pytest.approx(delay, rel=1e-10)
            assert found.error == 0
            assert found.waveform.tau == tau
            assert found.brought == pytest.approx(synapses * weight * tau, rel=1e-10)
            assert sum(found.shares) == pytest.approx(1)
    assert description.populations["E"].parameters["C_m"] == 200.0
    assert description.populations["E"].size == 80
    text = repr(description)
    assert "E → I" in text
    assert "iaf_psc_exp" in text
    json.dumps(description.to_dict())
    table = description.to_xarray().set_index(pathway=["pre", "post"])
    assert table["charge"].sel(pre="I", post="E") < 0
    assert "<table" in description._repr_html_()


def test_threads_order_and_node_ids_do_not_matter(nest):
    found = []
    for threads, first in ((1, 0), (2, 7)):
        nest.ResetKernel()
        nest.set(local_num_threads=threads)
        if first:
            nest.Create("iaf_psc_delta", first)
        populations = two_populations(nest)
        if first:
            populations = dict(reversed(populations.items()))
        found.append(describe(populations))
    for pre in "EI":
        for post in "EI":
            a, b = (pathway(description, pre, post) for description in found)
            assert a == b


def test_nothing_in_nest_changes(nest):
    def spikes(read):
        nest.ResetKernel()
        nest.set(local_num_threads=2, rng_seed=3)
        populations = two_populations(nest)
        noise = nest.Create("poisson_generator", params={"rate": 20_000.0})
        recorder = nest.Create("spike_recorder")
        for population in populations.values():
            nest.Connect(noise, population, syn_spec={"weight": 30.0})
            nest.Connect(population, recorder)
        for _ in range(2):
            if read:
                describe(populations)
            nest.Simulate(50.0)
        events = recorder.events
        order = np.lexsort((events["senders"], events["times"]))
        return events["times"][order], events["senders"][order]

    (times, senders), (again, by) = spikes(False), spikes(True)
    assert times.size > 100
    assert np.array_equal(times, again)
    assert np.array_equal(senders, by)


def test_what_does_not_count(nest):
    """Recorders do not. Neurons in no population, and generators, are told."""
    populations = two_populations(nest)
    before = describe(populations)
    others = nest.Create("iaf_psc_exp", 80)
    nest.Connect(populations["E"], others, "one_to_one")
    nest.Connect(populations["E"], nest.Create("spike_recorder"))
    noise = nest.Create("poisson_generator", params={"rate": 500.0})
    nest.Connect(noise, populations["I"], syn_spec={"weight": 7.0})
    description = describe(populations)
    assert description.pathways == before.pathways
    total = len(nest.GetConnections(populations["E"])) - 80  # but for the recorder's
    assert description.populations["E"].outside == pytest.approx(80 / total)
    (drive,) = description.drives
    assert (drive.post, drive.indegree, drive.weight, drive.rate) == ("I", 1.0, 7.0, 500.0)
    assert "leaves no signal" in repr(description)


def test_both_signs_and_several_receptors_are_pathways_of_their_own(nest):
    A = nest.Create("iaf_psc_exp_multisynapse", 10, params={"tau_syn": [1.0, 3.0]})
    for receptor, weight in ((1, 5.0), (2, 5.0), (2, -4.0)):
        nest.Connect(A, A, "one_to_one", {"weight": weight, "receptor_type": receptor})
    found = {(p.receptor, p.weight): p.brought for p in describe({"A": A}).pathways}
    assert found == {(1, 5.0): 5.0, (2, 5.0): 15.0, (2, -4.0): -12.0}
    assert describe({"A": A}).brought("pA") == {("A", "A"): pytest.approx(8.0)}


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
    depressed = describe({"A": A}, rates={"A": 20.0}).pathways[0]
    assert depressed.weight < found.weight


def test_a_large_network_is_sampled(nest):
    populations = {"E": nest.Create("iaf_psc_exp", 2000), "I": nest.Create("iaf_psc_exp", 500)}
    everybody = populations["E"] + populations["I"]
    rule = {"rule": "fixed_indegree", "indegree": 500}
    nest.Connect(populations["E"], everybody, rule, {"weight": 2.0})
    description = describe(populations)
    assert description.populations["E"].read < 2000
    for post, synapses in (("E", 500.0), ("I", 125.0)):
        found = pathway(description, "E", post)
        assert 0 < found.error < 0.05
        assert abs(found.synapses / synapses - 1) < 4 * found.error
    exact = describe(populations, accuracy=0)
    assert pathway(exact, "E", "I").synapses == pytest.approx(125.0, rel=1e-12)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (
            lambda nest, p: {"E": p["E"] + nest.Create("iaf_psc_alpha", 2), "I": p["I"]},
            "several mo",
        ),
        (lambda nest, p: {"E": p["E"], "I": p["E"][:3]}, "overlap"),
        (lambda nest, p: p["E"], "must be a dict"),
        (lambda nest, p: {"E": nest.Create("iaf_psc_exp", 5)}, "when it is connected"),
        (lambda nest, p: {"E": nest.Create("poisson_generator")}, "parrot_neuron"),
    ],
)
def test_wrong_populations(nest, changed, message):
    populations = two_populations(nest)
    with pytest.raises(nestlfp.NetworkError, match=message):
        describe(changed(nest, populations))


def test_weights_that_are_no_numbers(nest):
    populations = two_populations(nest)
    nest.GetConnections(populations["E"])[:1].weight = np.nan
    with pytest.raises(nestlfp.NetworkError, match="must be finite"):
        describe(populations)


def test_delta_synapses_must_be_said(nest):
    populations = two_populations(nest, "iaf_psc_delta", weights=(0.1, -0.5))
    assert "not known" in repr(describe(populations))
    with pytest.raises(nestlfp.NetworkError, match=r"synapses=\{\('E', 'E'\): Synapse\('exp'"):
        network.kernels(populations)
    description = describe(populations, synapses=Synapse("alpha", tau=5.0, charge=100.0))
    found = pathway(description, "E", "I")
    assert found.brought == pytest.approx(100.0 * found.synapses * found.weight)
    with pytest.raises(nestlfp.KernelError, match="no connections"):
        describe({"E": populations["E"]} | {"X": nest.Create("iaf_psc_delta")},
                 synapses={("X", "E"): Synapse(peak=1.0)})  # fmt: skip


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
    with pytest.raises(nestlfp.NetworkError, match="hears none"):
        network.rates({"P": neurons[5:]}, {"P": recorder})
    with pytest.raises(nestlfp.NetworkError, match="no spikes of 'P' were recorded"):
        network.rates({"P": neurons}, {"P": recorder}, start=200.0)
