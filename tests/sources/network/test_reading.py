"""What is read of a network against what NEST was told, and against its connections by hand."""

import json

import numpy as np
import pytest
from described import by_arrays, connected, digest

import nestlfp
from nestlfp.sources import network
from nestlfp.sources.network import Synapse, reading
from nests import quieten
from networks import events, random_network, reset


def pathway(description, pre, post, receptor=0, sign=1):
    (found,) = [
        p
        for p in description.onto(post)
        if p.pre == pre and p.receptor == receptor and p.weight * sign > 0
    ]
    return found


def assert_same(found, expected):
    """Equal descriptions, whatever the order of populations, to 1e-12."""

    def plain(description):
        told = description.to_dict()
        for name in ("pathways", "drives"):
            told[name] = sorted(
                told[name], key=lambda p: (p.get("pre", ""), p["post"], p["weight"])
            )
        return json.dumps(told, sort_keys=True)

    def numbers(text):
        found = []
        return json.loads(text, parse_float=lambda n: found.append(float(n)) or "?"), found

    (rest, values), (expected_rest, expected_values) = (
        numbers(plain(each)) for each in (found, expected)
    )
    assert rest == expected_rest
    np.testing.assert_allclose(values, expected_values, rtol=2e-12)


# ---------------------------------------------------------------------- by hand
def test_pathways_are_those_of_nest_connection_by_connection(nest):
    nodes = by_arrays(nest)
    described = network.describe(nodes)
    assert len(described.pathways) == 4
    for pre, sign in (("E", 1), ("I", -1)):
        for post in "EI":
            found = pathway(described, pre, post, sign=sign)
            read = nest.GetConnections(nodes[pre], nodes[post]).get(["source", "weight", "delay"])
            weight, delay = np.array(read["weight"]), np.array(read["delay"])
            n = len(nodes[pre])
            count = np.bincount(np.array(read["source"]) - nodes[pre].tolist()[0], minlength=n)
            assert weight.size == 200
            np.testing.assert_allclose(
                [found.synapses, found.synapses_sd, found.weight, found.weight_sd],
                [200 / n, count.std(), weight.mean(), weight.std()],
                rtol=1e-9,
            )
            assert described.indegree(found) == pytest.approx(200 / len(nodes[post]))
            assert found.error == 0
            np.testing.assert_allclose(found.delays, np.unique(delay))
            shares = [weight[delay == d].sum() / weight.sum() for d in np.unique(delay)]
            np.testing.assert_allclose(found.shares, shares)
            assert found.delay == pytest.approx(np.average(delay, weights=weight))
            # A spike brings w τ fC over each connection.
            assert found.brought == pytest.approx(weight.sum() / n * 2.0)
    assert [(p.size, p.read, p.outside) for p in described.populations.values()] == [
        (30, 30, 0.0),
        (12, 12, 0.0),
    ]


def test_rules_weights_and_delays_as_they_were_told_to_nest(nest):
    E, I = nest.Create("iaf_psc_alpha", 50), nest.Create("iaf_psc_alpha", 20)  # noqa: E741
    normal = nest.math.redraw(nest.random.normal(mean=1.5, std=0.3), min=0.5, max=3.0)
    nest.Connect(
        E,
        I,
        {"rule": "fixed_indegree", "indegree": 25, "allow_multapses": True},
        {"weight": nest.random.normal(mean=20.0, std=2.0), "delay": normal},
    )
    nest.Connect(E, E, "one_to_one", {"weight": 7.0, "delay": 1.2})  # autapses, every one of them
    nest.Connect(I, E, "all_to_all", {"weight": -5.0, "delay": 0.8})
    found = network.describe({"E": E, "I": I})
    ei, ee, ie = (pathway(found, *p) for p in (("E", "I"), ("E", "E"), ("I", "E", 0, -1)))
    assert (found.indegree(ei), ei.synapses) == (25, 10)
    assert ei.weight == pytest.approx(20.0, abs=0.4)
    assert ei.weight_sd == pytest.approx(2.0, rel=0.15)
    assert (ei.delay, ei.delay_sd) == pytest.approx((1.5, 0.3), rel=0.1)
    assert ei.waveform.shape == "alpha"
    assert (ee.synapses, ee.synapses_sd, ee.weight, ee.weight_sd) == (1, 0, 7, 0)
    assert (ee.delays, ee.shares) == ((1.2,), (1.0,))
    assert (ie.synapses, found.indegree(ie), ie.weight, ie.delay) == (50, 20, -5, 0.8)


MODELS = {  # synapse model: its parameters, and what a spike weighs in terms of the weight
    "static_synapse": ({}, 1.0),
    "static_synapse_lbl": ({}, 1.0),
    "stdp_synapse": ({}, 1.0),
    "tsodyks_synapse": ({"U": 0.4}, 0.4),
    "tsodyks2_synapse": ({"U": 0.3}, 0.3),
    "quantal_stp_synapse": ({"n": 4, "U": 0.2}, 0.8),
    "bernoulli_synapse": ({"p_transmit": 0.7}, 0.7),
}


@pytest.mark.parametrize("copied", [False, True])
@pytest.mark.parametrize("model", MODELS)
def test_synapse_models(nest, model, copied):
    parameters, factor = MODELS[model]
    named = model
    if copied:
        named = "of_my_own"
        nest.CopyModel(model, named)
    E = nest.Create("iaf_psc_exp", 10)
    synapse = {"synapse_model": named, "weight": 12.0, "delay": 1.5, **parameters}
    nest.Connect(E, E, {"rule": "fixed_indegree", "indegree": 3}, synapse)
    described = network.describe({"E": E})
    (found,) = described.pathways
    assert (found.synapses, found.weight) == (3, pytest.approx(12.0 * factor))
    base = model.removesuffix("_lbl")
    assert found.models == (base,)
    assert found.plastic == base.startswith("stdp")
    notes = "\n".join(described.notes())
    assert ("E → E change (stdp_" in notes) == found.plastic
    silence = "They are those of a spike after a long silence"
    assert (silence in notes) == base.startswith(("tsodyks", "quantal"))


def test_weights_that_belong_to_the_model(nest):
    nest.CopyModel("static_synapse_hom_w", "shared", {"weight": -33.0})
    E = nest.Create("iaf_psc_exp", 10)
    nest.Connect(E, E, "all_to_all", {"synapse_model": "shared", "delay": 1.5})
    nest.Connect(E, E, "one_to_one", {"weight": 11.0, "delay": 1.0})
    described = network.describe({"E": E})
    negative, positive = pathway(described, "E", "E", sign=-1), pathway(described, "E", "E")
    assert (negative.weight, negative.synapses, negative.delay) == (-33.0, 10, 1.5)
    assert (positive.weight, positive.synapses, positive.delay) == (11.0, 1, 1.0)


def test_receptors_are_pathways_of_their_own(nest):
    parameters = {"tau_syn": [1.0, 3.0, 7.0]}
    E = nest.Create("iaf_psc_exp_multisynapse", 10, params=parameters)
    for receptor, weight in ((1, 10.0), (3, -20.0), (3, 5.0)):
        nest.Connect(E, E, "one_to_one", {"weight": weight, "receptor_type": receptor})
    found = network.describe({"E": E})
    assert [(p.receptor, p.weight, p.waveform.tau) for p in found.pathways] == [
        (1, 10.0, 1.0),
        (3, -20.0, 7.0),
        (3, 5.0, 7.0),
    ]
    assert found.brought("pA") == {("E", "E"): pytest.approx(10.0 - 140.0 + 35.0)}


def test_excitation_and_inhibition_by_one_population(nest):
    E = nest.Create("iaf_psc_exp", 20, params={"tau_syn_ex": 1.0, "tau_syn_in": 4.0})
    rng = np.random.default_rng(1)
    connected(nest, rng, E, E, 100, 30.0)
    connected(nest, rng, E, E, 60, -50.0)
    found = network.describe({"E": E})
    positive, negative = pathway(found, "E", "E"), pathway(found, "E", "E", sign=-1)
    assert (positive.synapses, negative.synapses) == (5, 3)
    assert (positive.waveform.tau, negative.waveform.tau) == (1.0, 4.0)
    total = positive.synapses * positive.weight * 1.0 + negative.synapses * negative.weight * 4.0
    assert found.brought("pA")["E", "E"] == pytest.approx(total)


def test_weights_of_0_are_no_synapses(nest):
    E = nest.Create("iaf_psc_exp", 10)
    nest.Connect(E, E, "one_to_one", {"weight": 0.0})
    with pytest.raises(nestlfp.NetworkError, match=r"no connections .* weights are 0"):
        network.describe({"E": E})
    nest.Connect(E, E, "one_to_one", {"weight": 2.0})
    (found,) = network.describe({"E": E}).pathways
    assert (found.synapses, found.weight) == (1, 2.0)


def test_what_ends_outside_of_the_populations(nest):
    E, others = nest.Create("iaf_psc_exp", 10), nest.Create("iaf_psc_alpha", 5)
    nest.Connect(E, E, "all_to_all", {"weight": 3.0})
    nest.Connect(E, others, "all_to_all", {"weight": 4.0})
    nest.Connect(others, E, "all_to_all", {"weight": -2.0})
    nest.Connect(E, nest.Create("spike_recorder"))
    nest.Connect(nest.Create("voltmeter"), E)
    found = network.describe({"E": E})
    assert found.populations["E"].outside == pytest.approx(1 / 3)
    assert "33.3 % of the synapses of E end at neurons in no population" in repr(found)
    (drive,) = found.drives
    assert (drive.model, drive.sources, drive.indegree, drive.weight) == ("iaf_psc_alpha", 5, 5, -2)
    assert drive.rate is None


def test_generators_and_parrots(nest):
    E, parrots = nest.Create("iaf_psc_exp", 10), nest.Create("parrot_neuron", 10)
    noise = nest.Create("poisson_generator", 3, params=[{"rate": r} for r in (10.0, 20.0, 90.0)])
    current = nest.Create("dc_generator")
    nest.Connect(noise[:2], E, "all_to_all", {"weight": 5.0})
    nest.Connect(noise[2], parrots)
    nest.Connect(current, E, syn_spec={"weight": 1.0})
    nest.Connect(parrots, E, "one_to_one", {"weight": 8.0})
    without = network.describe({"E": E, "TC": parrots})
    (found,) = without.pathways
    assert (found.pre, found.post, found.weight) == ("TC", "E", 8.0)
    drives = {drive.post: drive for drive in without.drives}
    # A current generator sends no spikes.
    assert {drive.model for drive in without.drives} == {"poisson_generator"}
    assert (drives["E"].sources, drives["E"].indegree, drives["E"].rate) == (3, 2, 15.0)
    assert drives["TC"].rate == 90.0
    assert "(onto E) leaves no signal" in repr(without)
    with pytest.raises(nestlfp.NetworkError, match="parrot_neuron between the generator"):
        network.describe({"E": E, "noise": noise})


def test_populations_as_lists(nest):
    nodes = by_arrays(nest)
    expected = network.describe(nodes)
    E, I = nodes["E"], nodes["I"]  # noqa: E741
    ids = {"E": E.tolist()[::-1], "I": np.array(I.tolist())}
    lists = {"E": [E[:10], [E[10:]]], "I": [[node] for node in I.tolist()]}
    for given in (ids, lists):
        assert_same(network.describe(given), expected)


def test_the_recorder_of_nestlfp_is_not_read(nest, hagen):
    kernels = hagen.resample(0.1)
    bank = nestlfp.FilterBank(kernels)
    nodes = by_arrays(nest, installing=bank)
    expected = network.describe(nodes)
    nestlfp.FieldRecorder(bank, nodes)
    assert_same(network.describe(nodes), expected)


# ---------------------------------------------------------------------- sampling
@pytest.fixture(scope="module")
def large():
    """A tenth of a million connections, very unequal, in a network that counts as a large one."""
    import nest

    quieten(nest)
    reset(nest)
    E, I = nest.Create("iaf_psc_exp", 2000), nest.Create("iaf_psc_exp", 100)  # noqa: E741
    rng = np.random.default_rng(2)
    number = 100_000
    for pre, post, n in ((E, E, number), (E, I, 6000), (I, E, 4000)):
        sources = np.minimum(rng.exponential(0.3, n) * len(pre), len(pre) - 1).astype(int)
        targets = rng.integers(len(post), size=n)
        weight = rng.lognormal(3.0, 1.0, n) * (1 if pre == E else -4)
        nest.Connect(
            sources + pre.tolist()[0],
            targets + post.tolist()[0],
            "one_to_one",
            {"weight": weight, "delay": np.full(n, 1.5)},
        )
    yield {"E": E, "I": I}
    nest.ResetKernel()


@pytest.mark.slow
def test_a_sample_is_as_good_as_it_says(large, monkeypatch):
    assert network.describe(large).populations["E"].read == 2000  # of small networks all are read
    monkeypatch.setattr(reading, "ALL", 50_000)
    everything = network.describe(large, accuracy=0)
    assert [p.read for p in everything.populations.values()] == [2000, 100]
    assert {p.error for p in everything.pathways} == {0.0}
    true = everything.brought("pA")
    deviations = []
    for seed in range(6):
        sampled = network.describe(large, accuracy=0.1, seed=seed)
        assert sampled.populations["E"].read < 1000
        for found in sampled.pathways:
            if found.error:
                value = true[found.pre, found.post]
                deviations.append((found.brought - value) / value / found.error)
    assert len(deviations) >= 12
    assert 0.4 < np.std(deviations) < 1.8
    assert np.abs(deviations).max() < 3.5


# ---------------------------------------------------------------------- what must not matter
def test_neither_threads_nor_order_nor_ids_matter(nest):
    expected = network.describe(by_arrays(nest))
    for changed in ({"threads": 3}, {"before": 17}, {"order": ("I", "E"), "before": 3}):
        found = network.describe(by_arrays(nest, **changed))
        assert_same(found, expected)
        assert digest(found) == digest(expected), changed
    assert digest(network.describe(by_arrays(nest, seed=6))) != digest(expected)


@pytest.mark.parametrize("threads", [1, 2])
def test_reading_changes_nothing(nest, threads):
    """Before and between two Simulate calls: spikes, potentials and weights to the last bit."""

    def run(read):
        reset(nest, threads=threads)
        nest.CopyModel("stdp_synapse", "plastic")
        made = random_network(nest)
        E = made.populations["E"]
        rule = {"rule": "fixed_indegree", "indegree": 5}
        nest.Connect(E, E, rule, {"synapse_model": "plastic", "weight": 20.0, "delay": 1.0})
        meter = nest.Create("multimeter", params={"record_from": ["V_m"], "interval": 0.1})
        nest.Connect(meter, E, syn_spec={"delay": 0.7})
        for _ in range(2):
            if read:
                network.describe(made.populations)
            nest.Simulate(70.0)
        if read:
            network.describe(made.populations)
        V = meter.events
        order = np.lexsort((V["times"], V["senders"]))
        weights = nest.GetConnections(synapse_model="plastic").weight
        return *events(made), V["V_m"][order], np.sort(weights)  # threads list them in any order

    for found, expected in zip(run(True), run(False), strict=True):
        assert found.size > 100
        np.testing.assert_array_equal(found, expected)


# ---------------------------------------------------------------------- bad networks
def bad_network(what):
    """What is described, what is said beside it, and the beginning of what the error tells."""
    import nest

    E, I = nest.Create("iaf_psc_exp", 10), nest.Create("iaf_psc_exp", 5)  # noqa: E741
    given, said = {"E": E, "I": I}, {}
    if what != "unconnected":
        nest.Connect(E, E + I, "all_to_all", {"weight": 5.0})
    if what == "mixed":
        given = {"E": E + nest.Create("iaf_psc_alpha", 3), "I": I}
    elif what == "shared":
        given = {"E": E, "I": I + E[:1]}
    elif what == "NaN":
        nest.GetConnections(E[:1], I[:1]).weight = np.nan
    elif what == "tau":
        given["P"] = nest.Create("iaf_psc_exp_multisynapse", 3, params={"tau_syn": [1.0]})
        given["P"][0].tau_syn = [1.0, 2.0]
        nest.Connect(E, given["P"], "all_to_all", {"receptor_type": 1})
    elif what == "prepared":
        nest.Prepare()
    elif what == "recorder":
        given["I"] = nest.Create("spike_recorder")
    elif what == "forgetful":
        nest.keep_source_table = False
    elif what == "before":
        nest.ResetKernel()
    elif what == "empty":
        given["I"] = []
    elif what == "list":
        given = [E, I]
    elif what == "none":
        given = {}
    elif what == "collection":
        given = E
    elif what == "number":
        given["I"] = 5
    elif what == "name":
        given = {3: E}
    elif what == "accuracy":
        said = {"accuracy": -0.1}
    elif what == "accuracy None":
        said = {"accuracy": None}
    elif what == "seed":
        said = {"seed": "a"}
    elif what == "synapses":
        said = {"synapses": 5.0}
    elif what == "synapses of whom":
        said = {"synapses": {("E", "X"): Synapse(peak=1.0)}}
    elif what == "synapses without pathway":
        said = {"synapses": {("I", "E"): Synapse(peak=1.0)}}
    elif what == "synapses no pair":
        said = {"synapses": {"E": Synapse(peak=1.0)}}
    elif what == "synapses no Synapse":
        said = {"synapses": {("E", "E"): 5.0}}
    return given, said


@pytest.mark.parametrize(
    ("what", "told"),
    [
        ("unconnected", "no connections between the populations.*describe .* when it is connected"),
        ("mixed", "'E' has neurons of several models.*iaf_psc_alpha.*iaf_psc_exp.*population of"),
        ("shared", "'E' and 'I' overlap: node 1 is in both"),
        ("NaN", "connection 1 → 11 has the weight nan: weights must be finite"),
        ("tau", "'P' have different numbers of tau_syn: make a population of each"),
        ("prepared", "Prepare"),
        ("recorder", "'I' must be neurons.*recorders"),
        ("forgetful", "keep_source_table"),
        ("before", "before ResetKernel|no collection"),
        ("empty", "'I' has no neurons: leave it out"),
        ("list", "populations must be a dict such as"),
        ("none", "populations must be a dict such as"),
        ("collection", "populations must be a dict such as"),
        ("number", "'I' must be a nest.NodeCollection"),
        ("name", "population"),
        ("accuracy", "accuracy must be a positive number, found -0.1"),
        ("accuracy None", "accuracy must be a positive number, found None"),
        ("seed", "seed must be a whole number, 0 or more, found 'a'"),
        ("synapses", r"synapses must be a Synapse, or a dict such as .*found 5\.0"),
        ("synapses of whom", r"population of \['E', 'I'\], found \('E', 'X'\)"),
        ("synapses without pathway", r"pathways \[\('I', 'E'\)\], over which .* no connections"),
        ("synapses no pair", "found 'E'"),
        ("synapses no Synapse", r"synapses\[\('E', 'E'\)\] must be a Synapse, found 5\.0"),
    ],
)
def test_what_cannot_be_described(nest, what, told):
    given, said = bad_network(what)
    before = nest.network_size, nest.num_connections if what != "prepared" else None
    with pytest.raises((nestlfp.NetworkError, nestlfp.KernelError), match=told):
        network.describe(given, **said)
    if what == "prepared":
        nest.Cleanup()
    else:
        assert (nest.network_size, nest.num_connections) == before


@pytest.mark.parametrize("model", ["iaf_tum_2000", "iaf_psc_delta", "iaf_cond_alpha_mc"])
def test_models_whose_currents_are_not_known_are_described_without(nest, model):
    E, X = nest.Create("iaf_psc_exp", 5), nest.Create(model, 5)
    noise = nest.Create("poisson_generator")
    receptor = {"receptor_type": 1} if model == "iaf_cond_alpha_mc" else {}
    for source in (E, noise):
        nest.Connect(source, X, syn_spec={"weight": 1.0, **receptor})
    nest.Connect(X, E, syn_spec={"weight": 2.0})
    described = network.describe({"E": E, "X": X})
    told = "synapses={('E', 'X'): Synapse('exp', tau=2.0"
    assert told in repr(described)
    with pytest.raises(nestlfp.NetworkError) as raised:
        network.kernels(described)
    assert told in str(raised.value)
    assert model in str(raised.value)
    # A population without cells needs no currents.
    said = Synapse("alpha", tau=3.0, charge=100.0)
    named = network.describe({"E": E, "X": X}, synapses={("E", "X"): said})
    others = network.describe({"E": E, "X": X}, synapses=said)
    for found in (named, others):
        assert pathway(found, "E", "X").waveform == said.waveform
        assert pathway(found, "E", "X").brought == pytest.approx(5 * 100.0)
        # What neurons tell themselves stays.
        assert pathway(found, "X", "E").waveform.shape == "exp"
    assert [drive.waveform for drive in named.drives] == [None]
    assert [drive.waveform for drive in others.drives] == [said.waveform]


def test_a_pathway_that_is_named_is_what_was_said(nest):
    nodes = by_arrays(nest)
    said = Synapse("exp", tau=9.0, peak=0.5)
    found = network.describe(nodes, synapses={("E", "I"): said})
    assert pathway(found, "E", "I").waveform.tau == 9.0
    assert pathway(found, "E", "E").waveform.tau == 2.0
    assert pathway(found, "E", "I").peak == pytest.approx(0.5 * pathway(found, "E", "I").weight)
