"""What neurons drive, as read from NEST, against the connections one by one."""

import numpy as np
import pytest

import nestlfp
from nestlfp.runtime import strengths
from nestlfp.simulator import simulator
from networks import assert_refused, events, exponential_kernels, installed, random_network, reset


def brute_force(nest, pre, post):
    """Summed weight of each neuron's connections to these nodes."""
    sums = dict.fromkeys(pre.tolist(), 0.0)
    inside = set(post.tolist())
    for connection in nest.GetConnections(pre):
        if connection.target in inside:
            sums[connection.source] += connection.weight
    return np.array(list(sums.values()))


def uneven_network(nest):
    """Neurons differ in the number and strength of their connections."""
    network = random_network(nest)
    E, I = network.populations.values()  # noqa: E741
    weight = nest.random.normal(30.0, 10.0)
    rule = {"rule": "pairwise_bernoulli", "p": 0.2}
    nest.Connect(E, I, rule, {"weight": weight, "delay": 1.0, "synapse_model": "stdp_synapse"})
    return network


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("block", [7, 10**6])
def test_sums_of_weights(nest, threads, block, monkeypatch):
    monkeypatch.setattr(strengths, "_BLOCK", block)
    monkeypatch.setattr(simulator, "_READ", max(1, block // 3))
    reset(nest, threads=threads)
    populations = uneven_network(nest).populations
    for post in (None, {"I": populations["I"]}):
        found = nestlfp.out_strengths(populations, post)
        apart = nestlfp.out_strengths(populations, post, by="post")
        for name, nodes in populations.items():
            sums = [brute_force(nest, nodes, other) for other in (post or populations).values()]
            np.testing.assert_allclose(found[name], sum(sums) / sum(sums).mean(), rtol=1e-12)
            assert apart[name].dims == ("neuron", "post")
            assert apart[name]["post"].values.tolist() == list(post or populations)
            assert apart[name]["node_id"].values.tolist() == nodes.tolist()
            for k, each in enumerate(sums):
                np.testing.assert_allclose(apart[name][:, k], each / each.mean(), rtol=1e-12)


def test_they_are_weights_for_the_recorder(nest):
    """In the order of the lists given; the network is the same one for having been asked."""
    kernels = exponential_kernels()
    runs = []
    for asked in (False, True):
        reset(nest, threads=2)
        bank = installed(nestlfp.NeuronKernels.by_pathway(kernels))
        network = uneven_network(nest)
        ids = {name: nodes.tolist()[::-1] for name, nodes in network.populations.items()}
        weights = nestlfp.out_strengths(ids, by="post") if asked else None
        recorder = nestlfp.FieldRecorder(bank, nestlfp.Inputs(ids, weights=weights), interval=0.1)
        nest.Simulate(252.0)
        runs.append(events(network))
    assert runs[0][0].size > 200
    for a, b in zip(*runs, strict=True):
        np.testing.assert_array_equal(a, b)
    times, senders = runs[1]
    expected = 0.0
    for name, nodes in ids.items():
        for post in kernels.post:
            values = weights[name].sel(post=post).values
            for node, weight in zip(nodes, values, strict=True):
                one = kernels.select(pre=name, post=post)
                expected += weight * one.convolve({name: times[senders == node]}, 252.0)["LFP"]
    found = recorder.signals()["LFP"].values
    expected = expected.values[:, : found.shape[1]]
    assert np.abs(found - expected).max() <= 1e-12 * np.abs(expected).max()
    turned = {name: nodes[::-1] for name, nodes in ids.items()}
    assert_refused(
        nest,
        "of the same in another order",
        lambda: nestlfp.FieldRecorder(bank, nestlfp.Inputs(turned, weights=weights)),
    )


def test_kernels_of_populations_take_one_for_each_neuron(nest):
    kernels = exponential_kernels()
    reset(nest)
    bank = installed(kernels)
    populations = uneven_network(nest).populations
    recorder = nestlfp.FieldRecorder(
        bank, nestlfp.Inputs(populations, weights=nestlfp.out_strengths(populations)), interval=0.1
    )
    assert recorder.latency >= 0
    by_post = nestlfp.out_strengths(populations, by="post")
    assert_refused(
        nest,
        "by postsynaptic population, for .* NeuronKernels.by_pathway makes a mode of each pathway",
        lambda: nestlfp.FieldRecorder(bank, nestlfp.Inputs(populations, weights=by_post)),
    )


def test_populations_without_connections(nest):
    reset(nest)
    A, B, C = (nest.Create("iaf_psc_exp", 3) for _ in range(3))
    nest.Connect(A, B, "one_to_one", {"weight": nest.random.uniform(1.0, 2.0)})
    found = nestlfp.out_strengths({"A": A}, {"B": B, "C": C}, by="post")["A"]
    assert found.sel(post="B").mean() == pytest.approx(1.0)
    assert not found.sel(post="C").any()
    for given, post, message in (
        ({"B": B}, None, "population 'B' has no connections to the postsynaptic populations"),
        ({"A": None}, None, "population 'A' has no neurons"),
        ({}, None, "populations must be a dict"),
        ([A], None, "populations must be a dict"),
        ({"A": A}, {"B": []}, "population 'B' has no neurons"),
        ({"A": A}, B, "post must be a dict"),
        ({"A": set(A.tolist())}, None, "are a set, which has no order"),
        ({"A": A, "B": A}, None, "overlap"),
    ):
        assert_refused(nest, message, lambda g=given, p=post: nestlfp.out_strengths(g, p))
    for by in ("pre", ["pre", "post"]):
        assert_refused(
            nest, "by must be 'post'", lambda b=by: nestlfp.out_strengths({"A": A}, by=b)
        )
    nest.Connect(C, A, "one_to_one", {"weight": [1.0, 1.0, -2.0]})
    assert_refused(
        nest,
        "weights of population 'C' sum to zero",
        lambda: nestlfp.out_strengths({"C": C}, {"A": A}),
    )


def test_connections_that_nest_has_forgotten(nest):
    """NEST would end the process, with the second question before the first Simulate too."""
    reset(nest)
    nest.set(keep_source_table=False)
    populations = random_network(nest).populations
    with pytest.raises(nestlfp.NetworkError, match="keep_source_table is False"):
        nestlfp.out_strengths(populations)


def test_not_while_nest_is_prepared(nest):
    reset(nest)
    populations = random_network(nest).populations
    nest.Prepare()
    with pytest.raises(nestlfp.NetworkError, match="cannot be called between"):
        nestlfp.out_strengths(populations)
    nest.Cleanup()
