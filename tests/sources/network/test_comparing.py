"""Kernels of another network: who is told, and what scaling makes of them."""

import warnings

import numpy as np
import pytest

import nestlfp
from nestlfp import KernelError, KernelSet, KernelsMismatchWarning, NetworkError, NeuronKernels
from nestlfp.kernels.strengths import CHARGE, CONDUCTANCE, strengths, with_strengths
from nestlfp.sources import network
from nestlfp.sources.network import comparing
from networks import exponential_kernels, random_network, recorded_undisturbed, reset

PAIRS = [(pre, post) for pre in "EI" for post in "EI"]
WEIGHTS = {"E": 25.0, "I": -110.0}  # pA


@pytest.fixture(autouse=True)
def _not_warned_yet(monkeypatch):
    monkeypatch.setattr(comparing, "_warned", [])


def made_for(charges=None, conductances=None, post=("E", "I")):
    kernels = exponential_kernels(post=post)
    return KernelSet(with_strengths(kernels.dataset, charges or {}, conductances or {}))


def charges(n=(200, 50), indegree=20, factor=1.0):
    """Charge (fC) of a spike in `build`: targets, times weight, times 2 ms."""
    size = dict(zip("EI", n, strict=True))
    return {
        (x, y): factor * indegree * size[y] / size[x] * WEIGHTS[x] * 2.0 for x, y in PAIRS
    }  # fmt: skip


def build(nest, n=(200, 50), indegree=20, model="iaf_psc_exp", factor=1.0, params=None):
    """Two populations, each neuron with `indegree` synapses from both."""
    reset(nest)
    nestlfp.install()
    made = {x: nest.Create(model, size, params=params) for x, size in zip("EI", n, strict=True)}
    for x, source in made.items():
        nest.Connect(
            source, made["E"] + made["I"], {"rule": "fixed_indegree", "indegree": indegree},
            {"weight": factor * WEIGHTS[x], "delay": 1.5},
        )  # fmt: skip
    return made


def record(kernels, populations):
    return nestlfp.FieldRecorder(kernels, populations, interval=0.1)


def told(call, *arguments, **options):
    """The warning, "" where there is none."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        call(*arguments, **options)
    found = [each for each in caught if each.category is KernelsMismatchWarning]
    assert len(found) <= 1
    assert all(each.filename == __file__ for each in found)
    return str(found[0].message) if found else ""


def test_silent_where_a_spike_brings_what_it_should(nest):
    assert not told(record, made_for(charges()), build(nest))
    # Other sizes, with the same in-degrees; and kernels scaled for other in-degrees.
    assert not told(record, made_for(charges()), build(nest, n=(400, 100)))
    half = made_for(charges()).scale({"E": 0.5, "I": 0.5})
    assert not told(record, half, build(nest, indegree=10))


def test_weights_twice_as_large(nest):
    message = told(record, made_for(charges()), build(nest, factor=2.0))
    assert "E → E 2 instead of 1 pC" in message
    assert "I → I -8.8 instead of -4.4 pC" in message
    assert "network.fitted(kernels, populations) scales these" in message
    # Once in a process.
    assert not told(record, made_for(charges()), build(nest, factor=2.0))


def test_half_of_the_synapses(nest):
    assert "E → I 0.125 instead of 0.25 pC" in told(
        record, made_for(charges()), build(nest, indegree=10)
    )


def test_many_pathways_are_not_all_named(nest):
    reset(nest)
    nestlfp.install()
    names = list("ABCD")
    made = {name: nest.Create("iaf_psc_exp", 20) for name in names}
    nest.Connect(sum(made.values(), nest.NodeCollection()), made["A"] + made["B"])
    kernels = exponential_kernels(leads=(1,) * 4, lengths=(30,) * 4, pre=names, post=names)
    wrong = dict.fromkeys([(x, y) for x in names for y in "AB"], 1e3)
    message = told(record, KernelSet(with_strengths(kernels.dataset, wrong, {})), made)
    assert message.count("instead of") == 4
    assert "and 4 pathways more" in message


@pytest.mark.parametrize("there", ["network", "kernels"])
def test_a_pathway_that_only_one_of_them_has(nest, there):
    populations = build(nest)
    known = charges()
    if there == "network":
        known["E", "I"] = 0.0
        expected = "E → I 0.25 instead of 0 pC"
    else:
        nest.Disconnect(nest.GetConnections(populations["E"], populations["I"]))
        expected = "E → I 0 instead of 0.25 pC"
    assert expected in told(record, made_for(known), populations)


def test_what_is_not_known_cannot_be_wrong(nest):
    assert not told(record, made_for({("E", "E"): charges()["E", "E"]}), build(nest))
    assert not told(record, made_for({("E", "A"): 1.0}, post=("A", "B")), build(nest))


def test_every_kind_of_kernels_and_recorder(nest):
    kernels = made_for(charges(factor=2.0))
    pathways = NeuronKernels.by_pathway(kernels)
    readout = kernels.readout({"LFP": {0: 1.0, 1: -1.0}})
    single = NeuronKernels(readout, {"E": ["E"], "I": ["I"]})

    def weighted(populations):
        strong = nestlfp.out_strengths(populations, by="post")
        return nestlfp.FieldRecorder(pathways, nestlfp.Inputs(populations, weights=strong))

    for make in (
        lambda populations: record(nestlfp.FilterBank(kernels), populations),
        lambda populations: nestlfp.FieldRecorder(kernels, populations, antialias=True),
        lambda populations: record(pathways, populations),
        lambda populations: nestlfp.Trigger(readout, populations, threshold=1.0),
        lambda populations: nestlfp.Trigger(single, populations, threshold=1.0),
        weighted,
    ):
        comparing._warned.clear()
        assert "E → E 1 instead of 2 pC" in told(make, build(nest))
    right = NeuronKernels.by_pathway(made_for(charges()))
    comparing._warned.clear()
    assert not told(record, right, build(nest))


def test_weights_of_the_user(nest):
    """Those of neurons have a mean of 1; others scale kernels, as the user wants it."""
    kernels, n = made_for(charges(factor=2.0)), 200
    for weights, expected in (
        ({"E": np.linspace(0.0, 2.0, n)}, "E → E 1 instead of 2 pC"),
        ({"E": 0.5, "I": 0.5}, ""),
        ({"E": 0.0, "I": np.full(50, 3.0)}, ""),
    ):
        comparing._warned.clear()
        message = told(record, kernels, nestlfp.Inputs(build(nest), weights=weights))
        assert expected in message
        assert bool(expected) == bool(message)
    comparing._warned.clear()
    modes = NeuronKernels(kernels, {"E": ["E"], "I": ["I"]}, {"E": np.full((n, 1), 0.5)})
    assert "I → I" in (message := told(record, modes, build(nest)))
    assert "E → E" not in message


def delta(nest):
    return build(nest, model="iaf_psc_delta")


def mixed_models(nest):
    populations = build(nest)
    populations["E"] = populations["E"][:100] + nest.Create("iaf_psc_alpha", 10)
    return populations


def no_number(nest):
    populations = build(nest)
    nest.GetConnections(populations["E"][:100]).weight = np.nan
    return populations


def overlapping(nest):
    populations = build(nest)
    both = {"E": populations["E"], "I": populations["I"] + populations["E"][:10]}
    return nestlfp.Inputs(both, overlap=True)


def unconnected(nest):
    reset(nest)
    nestlfp.install()
    made = {x: nest.Create("iaf_psc_exp", 5) for x in "EI"}
    return nestlfp.Inputs(made, unconnected=True)


def connected_to_others(nest):
    populations = unconnected(nest).populations
    nest.Connect(populations["E"], nest.Create("iaf_psc_exp", 5))
    return populations


def one_missing(nest):
    return {"E": None, "I": build(nest)["I"]}


def generators(nest):
    populations = build(nest)
    generator = nest.Create("spike_generator", params={"spike_times": [1.0]})
    nest.Connect(generator, populations["I"], syn_spec={"weight": 1e4})
    return {"E": generator, "I": populations["I"]}


def parrots(nest):
    """That play spikes to the recorder alone."""
    populations = build(nest)
    return {"E": nest.Create("parrot_neuron", 3), "I": populations["I"]}


def mesoscopic(nest):
    reset(nest)
    nestlfp.install()
    made = {x: nest.Create("gif_pop_psc_exp", params={"N": 100}) for x in "EI"}
    nest.Connect(made["E"] + made["I"], made["E"] + made["I"], syn_spec={"weight": 0.1})
    return made


@pytest.mark.parametrize(
    "populations",
    [delta, mixed_models, no_number, overlapping, unconnected, connected_to_others, mesoscopic],
)
def test_networks_that_cannot_be_compared(nest, populations):
    assert not told(record, made_for(charges(factor=9.0)), populations(nest))


@pytest.mark.parametrize("populations", [one_missing, generators, parrots])
def test_populations_that_cannot_be_compared(nest, populations):
    known = {("E", "E"): 9.0, ("E", "I"): 9.0, ("I", "E"): 9.0, ("I", "I"): charges()["I", "I"]}
    assert not told(record, made_for(known), populations(nest))
    known["I", "I"] *= 2
    assert "I → I" in told(record, made_for(known), populations(nest))


def test_conductances_and_currents_are_not_compared(nest):
    found = made_for(conductances=dict.fromkeys(PAIRS, 9.0))
    assert not told(record, found, build(nest))
    assert not told(record, made_for(charges(factor=9.0)), build(nest, model="iaf_cond_exp"))
    params = {"tau_syn_ex": 2.0, "tau_syn_in": 2.0}
    populations = build(nest, model="iaf_cond_exp", params=params)
    opened = {pathway: abs(value) for pathway, value in charges().items()}
    assert not told(record, made_for(conductances=opened), populations)
    twice = made_for(conductances=opened).scale({"I": 2.0})
    assert "I → E 17.6 instead of 35.2 nS s" in told(
        record, twice, build(nest, model="iaf_cond_exp", params=params)
    )


@pytest.mark.parametrize("seed", range(4))
def test_sampling_is_no_difference(nest, seed):
    """Small and unequal populations, few synapses, weights and numbers of synapses that vary."""
    reset(nest, seed=seed + 1)
    nestlfp.install()
    rng = np.random.default_rng(seed)
    names = list("ABCDEF")
    made = {x: nest.Create("iaf_psc_exp", int(rng.integers(4, 150))) for x in names}
    for x, y in [(x, y) for x in names for y in names]:
        p, weight = rng.uniform(0.0, 0.1), rng.uniform(20.0, 200.0)
        drawn = nest.random.lognormal(mean=np.log(weight), std=1.5)
        rule = {"rule": "pairwise_bernoulli", "p": p}
        nest.Connect(made[x], made[y], rule, {"weight": drawn, "delay": 1.0})
    known = {}
    owner = {node: x for x, nodes in made.items() for node in nodes.tolist()}
    read = nest.GetConnections().get(["source", "target", "weight"])
    for source, target, weight in zip(*read.values(), strict=True):
        pathway = owner[source], owner[target]
        known[pathway] = known.get(pathway, 0.0) + weight * 2.0 / len(made[pathway[0]])
    kernels = exponential_kernels(leads=(1,) * 6, lengths=(30,) * 6, pre=names, post=names)
    everything = {(x, y): known.get((x, y), 0.0) for x in names for y in names}
    kernels = KernelSet(with_strengths(kernels.dataset, everything, {}))
    assert not told(record, kernels, made)
    assert told(record, kernels.scale(dict.fromkeys(names, 3.0)), made)


def test_kernels_that_know_nothing_ask_nothing(nest, monkeypatch):
    monkeypatch.setattr(comparing, "warn_of_mismatch", lambda *_: pytest.fail("asked"))
    assert not told(record, exponential_kernels(), build(nest))


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.filterwarnings("always::nestlfp.errors.KernelsMismatchWarning")
def test_the_network_is_left_as_it_is(nest, threads):
    recorded_undisturbed(nest, made_for(charges()), threads=threads)
    assert comparing._warned


def test_a_warning_that_is_ignored_reads_nothing(nest, monkeypatch):
    populations, wrong = build(nest), made_for(charges(factor=3.0))
    monkeypatch.setattr(comparing, "sampled", lambda *_: pytest.fail("read"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", KernelsMismatchWarning)
        record(wrong, populations)
    monkeypatch.undo()
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.filterwarnings("ignore", message="of something else")
        assert told(record, wrong, populations)


def test_an_error_where_warnings_are_errors(nest):
    populations = build(nest)
    before = nest.network_size, nest.num_connections
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(KernelsMismatchWarning):
            record(made_for(charges(factor=3.0)), populations)
    assert (nest.network_size, nest.num_connections) == before


# ---------------------------------------------------------------------- scaled
def test_fitted_says_its_factors(nest, capsys):
    kernels = made_for(charges())
    found = network.fitted(kernels, build(nest, factor=0.5))
    assert capsys.readouterr().out.splitlines()[:2] == [
        "E → E: × 0.5, 1 → 0.5 pC",
        "I → E: × 0.5, -17.6 → -8.8 pC",
    ]
    assert found.fingerprint == kernels.scale({"E": 0.5, "I": 0.5}).fingerprint
    comparing._warned.clear()
    assert not told(record, found, build(nest, factor=0.5))


def test_fitted_to_a_network_with_fewer_pathways(nest, capsys):
    populations = build(nest)
    nest.Disconnect(nest.GetConnections(populations["E"], populations["I"]))
    found = network.fitted(made_for(charges()), network.describe(populations))
    assert "E → I: × 0, not connected" in capsys.readouterr().out
    assert not found["LFP"].sel(pre="E", post="I").values.any()
    again = network.fitted(found, populations)
    assert "E → I" not in capsys.readouterr().out
    assert again.fingerprint == found.fingerprint


def test_fitted_with_charges_of_delta_synapses(nest, capsys):
    populations = build(nest, model="iaf_psc_delta", factor=0.01)
    with pytest.raises(NetworkError, match=r"Say the charge .* synapses=\{\('E', 'E'\): Synapse"):
        network.fitted(made_for(charges()), populations)
    synapses = network.Synapse("exp", tau=2.0, charge=250.0)
    found = network.fitted(made_for(charges()), populations, synapses=synapses)
    expected = {pathway: 1.25 * value for pathway, value in charges().items()}
    assert strengths(found.dataset, CHARGE) == pytest.approx(expected)
    assert "E → E: × 1.25, 1 → 1.25 pC" in capsys.readouterr().out


BAD = {
    "nothing known": (exponential_kernels, "do not say what charge a spike brings"),
    "added up": (lambda: made_for(charges()).total(), "were added up by total"),
    "other terms": (
        lambda: made_for(conductances=dict.fromkeys(PAIRS, 9.0)),
        r"E → E brings 25 pA exp\(2 ms\) in NEST, and the kernels do not know .* in these terms",
    ),
    "no kernel": (
        lambda: made_for({**charges(), ("E", "I"): 0.0}),
        "E → I is in the network, and has no kernel that could be scaled",
    ),
    "another population": (
        lambda: made_for(charges(), post=("E", "X")),
        r"populations \['X'\], and the network has \['E', 'I'\].*select\(pre=\['E', 'I'\], "
        r"post=\['E'\]\)",
    ),
    "no kernels": (lambda: {"E": 1}, "expected a KernelSet, found dict"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_cannot_be_fitted(nest, case):
    kernels, message = BAD[case]
    with pytest.raises(KernelError, match=message):
        network.fitted(kernels(), build(nest))


def test_fitted_needs_a_network_that_is_read_once(nest):
    description = network.describe(build(nest))
    with pytest.raises(KernelError, match="give synapses to describe"):
        network.fitted(made_for(charges()), description, synapses=network.Synapse(peak=1.0))


def test_kernels_of_one_network_fitted_to_another_are_those_of_the_other(nest, capsys):
    """Other weights and counts of each pathway: as if computed anew."""
    options = {"contacts": [-100.0, 0.0, 200.0], "signals": ("LFP", "CDM"), "dt": 2**-3,
               "tau": 20.0, "column": network.Column(radius=200.0), "progress": False,
               "cache": False}  # fmt: skip

    def described(seed, sizes):
        reset(nest, seed=seed)
        rng = np.random.default_rng(seed)
        made = {x: nest.Create("iaf_psc_exp", n) for x, n in zip("EI", sizes, strict=True)}
        for x, y in PAIRS:
            weight = WEIGHTS[x] * rng.uniform(0.5, 2.0)
            rule = {"rule": "fixed_indegree", "indegree": int(rng.integers(5, 20))}
            nest.Connect(made[x], made[y], rule, {"weight": weight, "delay": 1.5})
        return network.describe(made)

    one, other = described(1, (200, 50)), described(2, (120, 80))
    of_one, of_other = (network.kernels(each, **options) for each in (one, other))
    found = network.fitted(of_one, other)
    known, expected = (strengths(k.dataset, CHARGE) for k in (found, of_other))
    assert known == pytest.approx(expected)
    assert not strengths(found.dataset, CONDUCTANCE)
    for signal in ("LFP", "CDM"):
        # Of the largest: I's synapses are evenly on I's cells, and leave rounding alone.
        peak = np.abs(of_other[signal].values).max()
        assert np.abs(found[signal].values - of_other[signal].values).max() < 1e-10 * peak


def test_pathways_that_a_network_has_not_are_known_to_bring_nothing(nest):
    populations = build(nest)
    nest.Disconnect(nest.GetConnections(populations["E"], populations["I"]))
    found = network.describe(populations).brought("pA")
    expected = {**charges(), ("E", "I"): 0.0}
    assert found == pytest.approx(expected)
    assert network.describe(populations).brought("nS") == {}


def test_input_from_outside_is_not_read(nest):
    reset(nest)
    populations = random_network(nest).populations
    assert network.describe(populations).drives
    assert not comparing.sampled(populations, 10, 1000).drives
