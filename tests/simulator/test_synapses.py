"""What a spike weighs over connections of each of NEST's synapse models, by what it does."""

import numpy as np
import pytest

import nestlfp
from nestlfp.simulator import Simulator, synapses
from nestlfp.sources import hybrid
from networks import assert_refused, installed, reset

WEIGHT = 0.25  # mV, of NEST's iaf_psc_delta
PARAMETERS = {
    "bernoulli_synapse": {"p_transmit": 0.3},
    "ht_synapse": {"P": 0.5, "tau_P": 1e9},
    "quantal_stp_synapse": {"n": 4, "U": 0.2, "u": 0.2, "a": 4, "tau_rec": 20.0},
    "tsodyks2_synapse": {"U": 0.4, "u": 0.4, "tau_rec": 20.0},
    "tsodyks_synapse": {"U": 0.4, "tau_rec": 20.0, "tau_psc": 2.0},
}
RANDOM = {"bernoulli_synapse", "quantal_stp_synapse"}
OF_THEIR_OWN = {"clopath", "eprop", "urbanczik", "stdp_dopamine"}  # neurons, or a transmitter
NO_SPIKES = {"rate", "diffusion", "gap", "sic", "eprop"}


def bare(model):
    return model.removesuffix("_hpc").removesuffix("_lbl")


def connected(nest, model, copied=False, n=1):
    """One parrot that sends n connections of this model to one neuron."""
    parameters = PARAMETERS.get(bare(model).removesuffix("_hom"), {})
    if bare(model) in {"static_synapse_hom_w", "tsodyks_synapse_hom"}:
        nest.SetDefaults(model, {**parameters, "weight": WEIGHT})
        parameters = {}
    else:
        # The hardware of FACETS has 16 weights up to 100.
        weight = 20.0 if "facetshw" in model else WEIGHT
        parameters = {**parameters, "weight": weight}
    if copied:
        nest.CopyModel(model, "a_copy")
        model = "a_copy"
    source = nest.Create("parrot_neuron")
    target = nest.Create("iaf_psc_delta", params={"V_th": 1e9, "tau_m": 1e6})
    spike = nest.Create("spike_generator", params={"spike_times": [500.0]})
    nest.Connect(spike, source)
    how = {"rule": "fixed_indegree", "indegree": n}
    nest.Connect(source, target, how, {"synapse_model": model, "delay": 1.0, **parameters})
    return source, target


def simple_models(nest):
    return [m for m in nest.synapse_models if not m.startswith(tuple(OF_THEIR_OWN | NO_SPIKES))]


@pytest.mark.parametrize("copied", [False, True])
def test_the_first_spike_is_as_large_as_the_weight(nest, copied):
    reset(nest)
    seen = 0
    for model in simple_models(nest):
        reset(nest)
        n = 4000 if bare(model) in RANDOM else 3
        source, target = connected(nest, model, copied, n)
        found = hybrid.Network.from_nest({"E": source, "I": target}).connections["E", "I"]
        assert len(found.weight) == n
        nest.Simulate(505.0)
        jump = target.V_m - target.E_L
        tolerance = 0.05 if bare(model) in RANDOM else 2e-3
        assert found.weight.sum() == pytest.approx(jump, rel=tolerance), model
        assert jump > 0
        # An activity later it is still the weight of a spike after a long silence.
        again = hybrid.Network.from_nest({"E": source, "I": target}).connections["E", "I"]
        if bare(model) != "ht_synapse":  # whose P is told as it is
            np.testing.assert_allclose(again.weight, found.weight, rtol=2e-3)
        seen += 1
    assert seen > 30


def test_every_model_of_nest_is_known(nest):
    """A model that a later NEST brings is refused until somebody has looked at it."""
    reset(nest)
    for model in nest.synapse_models:
        assert bare(model) in {*synapses._FACTORS, *synapses._NO_SPIKES}
        assert synapses.base_of(model, Simulator()) == bare(model)


def test_out_strengths_of_several_kinds_of_connections(nest):
    """Each neuron has one kind, and all of its connections do the same."""
    models = ["static_synapse", "static_synapse_hom_w", "bernoulli_synapse", "ht_synapse"]
    models += ["quantal_stp_synapse", "tsodyks_synapse", "tsodyks2_synapse"]
    models += ["tsodyks_synapse_hom"]
    reset(nest, threads=2)
    E = nest.Create("iaf_psc_exp", len(models) + 1)
    I = nest.Create("iaf_psc_exp", 5)  # noqa: E741
    nest.SetDefaults("static_synapse_hom_w", {"weight": 7.0})
    nest.SetDefaults("tsodyks_synapse_hom", {"weight": 12.0, "U": 0.25})
    own = {"bernoulli_synapse": 0.3, "quantal_stp_synapse": 0.8, "ht_synapse": 0.5}
    own |= {"tsodyks_synapse": 0.4, "tsodyks2_synapse": 0.4}
    for neuron, model in zip(E, models, strict=False):
        extra = {} if "hom" in model else {**PARAMETERS.get(model, {}), "weight": 10.0}
        nest.Connect(neuron, I, syn_spec={"synapse_model": model, **extra})
    expected = [10.0 * own.get(model, 1.0) for model in models]
    expected[1], expected[-1] = 7.0, 3.0
    nest.Connect(E[-1], I[:2], syn_spec={"weight": 10.0})
    nest.Connect(E[-1], I[:2], syn_spec={"weight": 10.0})  # multapses
    found = nestlfp.out_strengths({"E": E}, {"I": I})["E"]
    expected = np.array([*(5 * each for each in expected), 40.0])
    np.testing.assert_allclose(found, expected / expected.mean(), rtol=1e-12)


@pytest.mark.parametrize("threads", [1, 2])
def test_what_carries_no_spikes_to_neurons_does_not_count(nest, threads):
    reset(nest, threads=threads)
    bank = installed(nestlfp.KernelSet.from_arrays(
        {"LFP": np.ones((1, 1, 1, 30))}, pre=["E"], post=["E"], dt=0.1, units={"LFP": "mV"}
    ))  # fmt: skip
    E = nest.Create("hh_psc_alpha_gap", 4)
    weights = np.array([[1.0], [2.0], [3.0], [4.0]])
    nest.Connect(E, E[:1], syn_spec={"weight": weights.T})
    nest.CopyModel("gap_junction", "electrical")
    for model in ("gap_junction", "electrical"):
        nest.Connect(
            E[:2],
            E[2:],
            {"rule": "one_to_one", "make_symmetric": True},
            {"synapse_model": model, "weight": 500.0},
        )
    recorder = nest.Create("spike_recorder")
    nest.Connect(E[:1], recorder, syn_spec={"weight": 99.0})
    nestlfp.FieldRecorder(bank, {"E": E}, interval=0.1)
    found = nestlfp.out_strengths({"E": E})["E"]
    np.testing.assert_allclose(found, weights[:, 0] / 2.5)
    network = hybrid.Network.from_nest({"E": E}).connections["E", "E"]
    np.testing.assert_array_equal(np.sort(network.weight), weights[:, 0])


def test_models_that_are_not_known_are_refused_by_name(nest, monkeypatch):
    """As one of a module of the user's; here one that the tables lack."""
    reset(nest)
    monkeypatch.delitem(synapses._FACTORS, "jonke_synapse")
    nest.CopyModel("jonke_synapse", "mine")
    A = nest.Create("iaf_psc_exp", 2)
    nest.Connect(A, A, syn_spec={"synapse_model": "mine"})
    for question in (
        lambda: nestlfp.out_strengths({"A": A}),
        lambda: hybrid.Network.from_nest({"A": A}),
    ):
        assert_refused(nest, "synapse model 'mine'.*give them yourself", question)


def test_connections_that_nest_has_forgotten(nest):
    reset(nest)
    nest.set(keep_source_table=False)
    A = nest.Create("iaf_psc_exp", 2)
    nest.Connect(A, A)
    with pytest.raises(nestlfp.NetworkError, match="keep_source_table is False"):
        hybrid.Network.from_nest({"A": A})


@pytest.mark.parametrize(
    ("U", "tau_fac", "tau_rec", "rate"),
    [(0.5, 0.0, 800.0, 5.0), (0.1, 1000.0, 100.0, 10.0), (0.05, 500.0, 800.0, 5.0)],
)
def test_short_term_plastic_synapses_at_a_rate(nest, U, tau_fac, tau_rec, rate):
    """The mean over long Poisson trains, copies of the models too."""
    nest.resolution = 1.0
    parameters = {"U": U, "tau_fac": tau_fac, "tau_rec": tau_rec}
    more = {
        "tsodyks_synapse": {"tau_psc": 30.0},
        "tsodyks_synapse_hom": {"tau_psc": 30.0},
        "tsodyks2_synapse": {"u": U},
        "quantal_stp_synapse": {"u": U, "n": 5, "a": 5},
    }
    generator = nest.Create("poisson_generator", params={"rate": rate})
    sources = nest.Create("parrot_neuron", 100)
    targets = {}
    for model, own in more.items():
        nest.CopyModel(model, f"my_{model}", {**parameters, **own, "weight": WEIGHT})
        targets[model] = nest.Create(
            "iaf_psc_delta", params={"V_th": 1e12, "tau_m": 1e12, "V_m": 0.0, "E_L": 0.0}
        )
    recorder = nest.Create("spike_recorder")
    nest.Connect(generator, sources)
    nest.Connect(sources, recorder)
    for model, target in targets.items():
        nest.Connect(sources, target, syn_spec={"synapse_model": f"my_{model}"})
    nest.Simulate(5000.0)
    before = {model: target.V_m for model, target in targets.items()}
    recorder.n_events = 0
    nest.Simulate(40_000.0)
    for model, target in targets.items():

        def weight(rate, model=model, target=target):
            read = synapses.connections(
                Simulator(), sources, target, [f"my_{model}"], ["source"], rate=rate
            )
            return next(read)["weight"]

        mean = (target.V_m - before[model]) / recorder.n_events
        np.testing.assert_allclose(weight(rate), mean, rtol=0.05)
        assert weight(rate)[0] != pytest.approx(weight(None)[0], rel=0.1)
        np.testing.assert_allclose(weight(0.0), weight(None))


@pytest.mark.compile
@pytest.mark.parametrize("n", [0, 1, 999, 1000, 1001, 2500])
def test_connections_are_read_whatever_their_number(nest, n):
    """In portions: each value is there once, in NEST's order."""
    nest.ResetKernel()
    parrots = nest.Create("parrot_neuron", 2)
    nest.Connect(
        parrots[:1], parrots[1:], {"rule": "fixed_indegree", "indegree": 3}, {"weight": -1.0}
    )
    if n:
        weights = np.arange(1.0, n + 1)
        nest.Connect([1] * n, [2] * n, "one_to_one", {"weight": weights, "delay": np.ones(n),
                                                      "synapse_model": "stdp_synapse"})  # fmt: skip
    sim = Simulator()
    found = sim.connections(parrots, parrots, "stdp_synapse")
    read = sim.columns(found, ["source", "target", "weight", "synapse_model"])
    assert {key: len(column) for key, column in read.items()} == dict.fromkeys(read, n)
    if n:
        for key, column in read.items():
            np.testing.assert_array_equal(column, np.atleast_1d(found.get(key)))
        np.testing.assert_array_equal(np.sort(read["weight"]), weights)
