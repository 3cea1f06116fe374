"""What the hybrid scheme takes from NEST and from LFPykernels, and what it refuses."""

import sys

import numpy as np
import pytest
import scipy.stats as st

from nestlfp import KernelError, NetworkError, ToolchainError
from nestlfp.errors import MissingExtraError

LFPy = pytest.importorskip("LFPy")
lfpykit = pytest.importorskip("lfpykit")
pytest.importorskip("neuron")

from small_cells import DT, HERE, cell, only, probes, single  # noqa: E402

from nestlfp.sources import hybrid  # noqa: E402

pytestmark = pytest.mark.compile


def test_network_from_nest(nest, populations):
    nest.set(resolution=DT, rng_seed=3)
    neurons = {"I": nest.Create("iaf_psc_exp", 3), "E": nest.Create("iaf_psc_exp", 7)}
    nest.Connect(
        neurons["E"], neurons["I"], {"rule": "fixed_indegree", "indegree": 2},
        {"weight": nest.random.uniform(10.0, 20.0), "delay": nest.random.uniform(1.0, 3.0)},
    )  # fmt: skip
    generator = nest.Create("spike_generator", params={"spike_times": [2.0, 5.0]})
    nest.Connect(generator, neurons["E"][[1, 4]], syn_spec={"weight": 5000.0})
    recorder = nest.Create("spike_recorder")
    nest.Connect(neurons["E"], recorder)
    nest.Simulate(20.0)

    found = hybrid.Network.from_nest(neurons, {"E": recorder})
    assert found.sizes == {"I": 3, "E": 7}
    assert found.dt == DT
    assert list(found.connections) == [("E", "I")]
    made = found.connections["E", "I"]
    for i in range(3):
        truth = nest.GetConnections(target=neurons["I"][[i]])
        sources, weights, delays = made.onto(i)
        assert sorted(truth.source) == sorted(neurons["E"][s.item()].global_id for s in sources)
        np.testing.assert_allclose(sorted(truth.weight), sorted(weights))
        np.testing.assert_allclose(sorted(truth.delay), sorted(delays))
    assert set(found.spikes["E"][1]) == {1, 4}
    np.testing.assert_array_equal(np.sort(found.spikes["E"][0]), np.sort(recorder.events["times"]))

    events = {"senders": recorder.events["senders"], "times": recorder.events["times"]}
    again = hybrid.Network.from_nest(neurons, {"E": events})
    np.testing.assert_array_equal(again.spikes["E"], found.spikes["E"])
    with pytest.raises(NetworkError, match=r"unknown neurons.*'I'"):
        hybrid.Network.from_nest(neurons, {"I": recorder})
    with pytest.raises(NetworkError, match="'X', which is not among"):
        hybrid.Network.from_nest(neurons, {"X": recorder})
    assert np.any(hybrid.signals(found, populations, probes(), 20.0, **HERE)["CDM"])


def test_network_from_nest_takes_nodes_in_any_form(nest):
    E, I = nest.Create("iaf_psc_exp", 20), nest.Create("parrot_neuron", 3)  # noqa: E741
    recorders = nest.Create("spike_recorder", 2)
    nest.Connect(E, I, {"rule": "fixed_indegree", "indegree": 2})
    nest.Connect(I[:1], E)
    ids = E.tolist()
    whole = hybrid.Network.from_nest({"E": E, "I": I}).connections
    for given in ([E[:10], E[10:]], ids, np.array(ids), [E[:10], ids[10:]], [[E[:5]], [E[5:]]]):
        found = hybrid.Network.from_nest({"E": given, "I": I}).connections
        for pathway, made in whole.items():
            np.testing.assert_array_equal(found[pathway].source, made.source)
            np.testing.assert_array_equal(found[pathway].target, made.target)
    backwards = hybrid.Network.from_nest({"E": ids[::-1], "I": I}).connections["E", "I"]
    assert sorted(backwards.source) == sorted(19 - whole["E", "I"].source)
    for given in (recorders, [recorders[0], recorders[1]], [recorders]):
        assert hybrid.Network.from_nest({"E": E}, {"E": given}).spikes["E"][0].size == 0


def test_network_from_nest_says_what_it_takes(nest):
    E = nest.Create("iaf_psc_exp", 4)
    recorder, poisson = nest.Create("spike_recorder"), nest.Create("poisson_generator")
    to_file = nest.Create("spike_recorder", params={"record_to": "ascii"})
    times, ids = np.array([1.0]), E.tolist()
    for given in ([E], E, None, {}):
        with pytest.raises(NetworkError, match=r"populations must be a dict such as \{'E'"):
            hybrid.Network.from_nest(given)
    for given in ([], None, nest.NodeCollection([])):
        with pytest.raises(NetworkError, match=r"populations \['E'\] have no nodes"):
            hybrid.Network.from_nest({"E": given})
    for given in ("E", 0.5, [0.5], [True], {"E": E}):
        with pytest.raises(NetworkError, match=r"population 'E' must be a nest\.NodeC"):
            hybrid.Network.from_nest({"E": given})
    for given, why in (([99], "NEST has 1 …"), ([E, E], "more than once"), ([0], "NEST has 1 …")):
        with pytest.raises(NetworkError, match=why):
            hybrid.Network.from_nest({"E": given})
    for given in (poisson, recorder, [E, poisson]):
        with pytest.raises(NetworkError, match="must be neurons, or of the model spike_generator"):
            hybrid.Network.from_nest({"E": given})
    hybrid.Network.from_nest({"E": E, "X": nest.Create("spike_generator")})
    for given in (recorder, [recorder], {"senders": ids, "times": [1.0] * 4}):
        with pytest.raises(NetworkError, match=r"spikes must be a dict such as \{'E': spike_rec"):
            hybrid.Network.from_nest({"E": E}, given)
    for given in (E, (times, [0]), None, [], {"times": times}, "E", [recorder, 3], times):
        with pytest.raises(NetworkError, match=r"spikes of 'E' must be its spike recorder, \{'E'"):
            hybrid.Network.from_nest({"E": E}, {"E": given})
    with pytest.raises(NetworkError, match="'E' records to 'ascii'"):
        hybrid.Network.from_nest({"E": E}, {"E": to_file})
    with pytest.raises(NetworkError, match="found 4 senders and 1 times"):
        hybrid.Network.from_nest({"E": E}, {"E": {"senders": ids, "times": times}})
    nest.ResetKernel()
    nest.Create("iaf_psc_exp", 9)
    with pytest.raises(NetworkError, match="ResetKernel invalidates"):
        hybrid.Network.from_nest({"E": E})


def test_population_from_lfpykernels(mechanisms):
    approximator = pytest.importorskip("lfpykernels")
    where = {"section": ["apic"], "fun": [st.norm], "funargs": [{"loc": 500.0, "scale": 100.0}],
             "funweights": [1.0]}  # fmt: skip
    options = {
        "X": ["E"],
        "cellParameters": cell(),
        "populationParameters": {"radius": 150.0, "loc": 10.0, "scale": 75.0},
        "multapseParameters": [{"a": -2.5, "b": 20.0, "loc": 2.0, "scale": 0.4}],
        "synapseParameters": [
            {"syntype": "Exp2SynI", "weight": 0.01, "tau1": 0.2, "tau2": 1.8, "e": 0.0}
        ],
        "synapsePositionArguments": [where],
    }
    approx = approximator.KernelApprox(**options, conductance_based=False)
    population = hybrid.Population.from_lfpykernels(approx, {"E": 20.0}, mechanisms=mechanisms)
    assert population.positions == hybrid.Column(150.0, 10.0, 75.0)
    synapses = population.synapses["E"]
    assert synapses.nA_per_pA * 20.0 == pytest.approx(0.01)
    rng = np.random.default_rng(1)
    numbers = synapses.draw_numbers(5000, rng)
    assert numbers.mean() == pytest.approx(approx._get_multapsedist(0).mean(), abs=0.03)
    by_hand = LFPy.TemplateCell(**cell(), delete_sections=True)
    p = approx.get_rand_idx_area_and_distribution_prob(by_hand, **where)
    counts = np.bincount(synapses.draw_segments(by_hand, 20000, rng), minlength=len(p))
    np.testing.assert_allclose(counts / 20000, p, atol=0.015)
    with pytest.raises(NetworkError, match=r"other than 0 for 'E'"):
        hybrid.Population.from_lfpykernels(approx, {"E": 0.0})
    approx.synapsePositionArguments = [{"fun": "norm", "funargs": {"loc": 500.0, "scale": 100.0}}]
    [(weight, density)] = hybrid.Population.from_lfpykernels(approx, {"E": 1.0}).synapses["E"].depth
    assert (weight, density.mean()) == (1.0, 500.0)
    approx.synapsePositionArguments = [where | {"z_min": 0.0}]
    with pytest.raises(NetworkError, match="z_min"):
        hybrid.Population.from_lfpykernels(approx, {"E": 1.0})
    options["synapseParameters"] = [{**options["synapseParameters"][0], "syntype": "Exp2Syn"}]
    conducting = approximator.KernelApprox(**options)
    conductance = hybrid.Population.from_lfpykernels(conducting, {"E": -20.0}).synapses["E"]
    assert (conductance.mechanism, conductance.reversal) == ("Exp2Syn", 0.0)
    np.testing.assert_allclose(conductance.peaks(np.array([-20.0, 40.0])), [0.01, 0.02])
    conducting.synapseParameters = [{"syntype": "ExpSyn", "weight": 0.01, "tau": 3.0, "e": -80.0}]
    jumping = hybrid.Population.from_lfpykernels(conducting, {"E": 1.0}).synapses["E"]
    assert (jumping.mechanism, jumping.tau2, jumping.reversal) == ("ExpSyn", 3.0, -80.0)


# ---------------------------------------------------------------------- bad input
@pytest.mark.parametrize(
    ("tau1", "tau2"), [(0.0, 0.0), (-1.0, 1.0), (1.0, 0.0), (2.0, 1.0), (np.nan, 1.0), (1, np.inf)]
)
def test_time_constants(tau1, tau2):
    with pytest.raises(NetworkError, match="0 <= tau1 <= tau2"):
        hybrid.Synapses(tau1, tau2)


def test_other_bad_descriptions(mechanisms):
    with pytest.raises(NetworkError, match="at least 1 synapse"):
        hybrid.Synapses(1.0, 2.0, multapses=0)
    with pytest.raises(NetworkError, match="frozen distribution"):
        hybrid.Synapses(1.0, 2.0, multapses=2.5)
    with pytest.raises(NetworkError, match="nA_per_pA"):
        hybrid.Synapses(1.0, 2.0, nA_per_pA=np.nan)
    with pytest.raises(NetworkError, match="reversal must be finite"):
        hybrid.Synapses(1.0, 2.0, reversal=np.inf)
    with pytest.raises(NetworkError, match="nS_per_weight must be finite"):
        hybrid.Synapses(1.0, 2.0, reversal=0.0, nS_per_weight=np.nan)
    with pytest.raises(NetworkError, match="must not be negative, whatever the weights' sign"):
        hybrid.Synapses(1.0, 2.0, reversal=-80.0, nS_per_weight=-1.0)
    with pytest.raises(NetworkError, match="radius > 0"):
        hybrid.Column(-1.0)
    with pytest.raises(KernelError, match="metres"):
        hybrid.Column(150e-6)
    with pytest.raises(KernelError, match="metres"):
        hybrid.Population(cell(), {}, [[1e-4, 0.0, 2e-4]])
    for wrong in ([0.0, 0.0, 0.0], [[0.0, 0.0]], [[0.0, 0.0, np.nan]]):
        with pytest.raises(KernelError, match="positions of the cells"):
            hybrid.Population(cell(), {}, wrong)
    network, populations = single(mechanisms, section="axon")
    with pytest.raises(NetworkError, match=r"no segment.*'axon'"):
        hybrid.signals(network, populations, probes(), 10.0, **HERE)


def test_bad_networks(network):
    with pytest.raises(NetworkError, match=r"spikes of unknown neurons: 'E' has 7 neurons.*7"):
        only(network, spikes={"E": (np.array([1.0]), np.array([7]))})
    with pytest.raises(NetworkError, match=r"\['X'\] not among"):
        only(network, spikes={"X": (np.array([1.0]), np.array([0]))})
    with pytest.raises(NetworkError, match="one neuron for each time"):
        only(network, spikes={"E": (np.array([1.0]), np.array([0, 1]))})
    with pytest.raises(NetworkError, match="exchange the two arrays"):
        only(network, spikes={"E": (np.array([0]), np.array([1.0]))})
    with pytest.raises(NetworkError, match=r"unknown neurons.*found index 0\.5"):
        only(network, spikes={"E": (np.array([1.0]), np.array([0.5]))})
    with pytest.raises(NetworkError, match="spike times of 'E' must be whole multiples"):
        only(network, spikes={"E": (np.array([1.05]), np.array([0]))})
    with pytest.raises(NetworkError, match="unknown neurons: 'I' has 3"):
        only(network, connections={("E", "I"): hybrid.Connections([0], [3], [1.0], [1.0])})
    with pytest.raises(NetworkError, match="at least dt"):
        only(network, connections={("E", "I"): hybrid.Connections([0], [0], [1.0], [0.0])})
    with pytest.raises(NetworkError, match="one entry per connection"):
        hybrid.Connections([0, 1], [0, 1], [1.0], [1.0, 1.0])
    with pytest.raises(NetworkError, match="finite"):
        hybrid.Connections([0], [0], [np.nan], [1.0])


def test_what_does_not_fit_the_network(network, populations):
    def run(populations=populations, probes=probes(), duration=10.0, **how):  # noqa: B008
        hybrid.signals(network, populations, probes, duration, **HERE, **how)

    with pytest.raises(NetworkError, match=r"\['X'\] not among"):
        run({"X": populations["E"]})
    with pytest.raises(NetworkError, match="connects 'I' to 'E'"):
        run({"E": hybrid.Population(cell(), {"E": hybrid.Synapses(1, 2)}, hybrid.Column(100.0))})
    fixed = hybrid.Population(cell(), populations["E"].synapses, np.full((2, 3), 50.0))
    with pytest.raises(NetworkError, match=r"shape \(7, 3\).*\(2, 3\)"):
        run({"E": fixed})
    with pytest.raises(NetworkError, match="no populations"):
        run({})
    with pytest.raises(NetworkError, match="no probes"):
        run(probes=[])
    with pytest.raises(NetworkError, match="name them"):
        run(probes=[probes()[0], probes()[0]])
    with pytest.raises(NetworkError, match="must not be named 'lag'"):
        run(probes={"lag": probes()[0]})
    with pytest.raises(NetworkError, match="unknown probe 'int'"):
        run(probes=[3])
    sphere = lfpykit.OneSphereVolumeConductor(None, r=np.full((3, 1), 9e3))
    with pytest.raises(NetworkError, match="no contacts at x, y, z"):
        run(probes=[sphere])
    short = lfpykit.PointSourcePotential(None, np.zeros(1), np.zeros(1), np.array([2e-4]), 0.3)
    with pytest.raises(KernelError, match="metres"):
        run(probes=[short])
    with pytest.raises(NetworkError, match="method must be one of"):
        run(method="guess")
    with pytest.raises(NetworkError, match="at least dt"):
        run(duration=0.0)
    with pytest.raises(NetworkError, match=r"\['X'\] not among"):
        hybrid.single_kernels(network, populations, probes(), "X", **HERE)
    with pytest.raises(NetworkError, match="unknown neurons"):
        hybrid.single_kernels(network, populations, probes(), "E", neurons=[7], **HERE)


def test_contact_inside_a_cell(mechanisms):
    with pytest.raises(NetworkError, match=r"\[40.0, 0.0, 0.0\] µm lies inside cell 0"):
        hybrid.signals(*single(mechanisms, position=(30.0, 0.0, 0.0)), probes(), 10.0, **HERE)
    # positions that are drawn keep clear of the contacts; where they cannot, that is an error
    network, populations = single(mechanisms)
    narrow = hybrid.Population(
        populations["E"].cell, populations["E"].synapses, hybrid.Column(5.0), mechanisms
    )
    with pytest.raises(NetworkError, match="every position has a contact inside"):
        hybrid.signals(network, {"E": narrow}, probes(x=0.0), 10.0, **HERE)
    wide = hybrid.Population(
        populations["E"].cell, populations["E"].synapses, hybrid.Column(20.0), mechanisms
    )
    hybrid.signals(network, {"E": wide}, probes(x=0.0), 10.0, **HERE)


def test_cells_that_are_not_passive_or_not_at_rest(mechanisms):
    network, populations = single(mechanisms)
    synapses = populations["E"].synapses
    restless = hybrid.Population({**cell(), "v_init": -70.0}, synapses, [[0, 0, 20]], mechanisms)
    with pytest.raises(NetworkError, match="do not start at rest"):
        hybrid.signals(network, {"E": restless}, probes(), 10.0, **HERE)
    bare = hybrid.Population({**cell(), "passive": False}, synapses, [[0, 0, 20]], mechanisms)
    with pytest.raises(NetworkError, match="not passive"):
        hybrid.signals(network, {"E": bare}, probes(), 10.0, method="superpose", **HERE)


def test_what_cannot_reach_another_process(mechanisms):
    network, populations = single(mechanisms)
    local = {**cell(), "custom_fun": [lambda cell: None], "custom_fun_args": [{}]}
    population = hybrid.Population(local, populations["E"].synapses, [[0, 0, 20]], mechanisms)
    with pytest.raises(NetworkError, match="importable from a module"):
        hybrid.signals(network, {"E": population}, probes(), 10.0, processes=1, progress=False)


def test_missing_mechanism_and_packages(mechanisms, monkeypatch):
    network, populations = single(mechanisms, syntype="NoSuchSynapse")
    with pytest.raises(ToolchainError, match=r"\['NoSuchSynapse'\].*mechanisms.compiled"):
        hybrid.signals(network, populations, probes(), 10.0, **HERE)
    with pytest.raises(ToolchainError, match=r"\['NoSuchSynapse'\].*mechanisms.compiled"):
        hybrid.signals(network, populations, probes(), 10.0, processes=1, progress=False)
    monkeypatch.setitem(sys.modules, "neuron", None)
    with pytest.raises(MissingExtraError, match=r"nestlfp\[lfpykernels\]"):
        hybrid.signals(*single(mechanisms), probes(), 10.0, **HERE)
