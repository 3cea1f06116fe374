"""What is read of NEST's own examples is what their scripts say.

Each network is built with the connect calls of an example of NEST 3.10, smaller, and with fewer
spikes: nothing is simulated.
"""

import os
import warnings

from nests import quieten

os.environ.setdefault("PYNEST_QUIET", "1")

import nest
import numpy as np
import pytest

from nestlfp.errors import NetworkError
from nestlfp.sources import network
from nestlfp.sources.network import Synapse

pytestmark = pytest.mark.compile

NE, NI, CE, CI = 80, 20, 16, 4
DELAY = 1.5  # ms


@pytest.fixture(autouse=True)
def empty():
    quieten(nest)
    nest.ResetKernel()
    nest.resolution = 0.1
    yield
    nest.ResetKernel()


def balanced(model, excitatory, inhibitory, **parameters):
    """Populations, connected as in brunel_*_nest.py, brette_et_al_2007 and hpc_benchmark.py."""
    E, I = (nest.Create(model, n, params=parameters) for n in (NE, NI))  # noqa: E741
    for source, indegree, synapse in ((E, CE, excitatory), (I, CI, inhibitory)):
        nest.Connect(source, E + I, {"rule": "fixed_indegree", "indegree": indegree}, synapse)
    return {"E": E, "I": I}


def copied(weight, g, original="static_synapse"):
    """Models of excitatory and inhibitory synapses, copied from another."""
    for name, own in (("excitatory", weight), ("inhibitory", -g * weight)):
        nest.CopyModel(original, name, {"weight": own, "delay": DELAY})
    return "excitatory", "inhibitory"


def by_pathway(description):
    """The pathways by name, each of a single kind of synapse."""
    found = {(p.pre, p.post): p for p in description.pathways}
    assert len(found) == len(description.pathways)
    return found


def check_balanced(description, weight, g):
    """In-degrees, weights and delays of `balanced`."""
    for (pre, post), pathway in by_pathway(description).items():
        assert description.indegree(pathway) == pytest.approx({"E": CE, "I": CI}[pre])
        assert pathway.synapses == pytest.approx(
            {"E": CE, "I": CI}[pre] * {"E": NE, "I": NI}[post] / {"E": NE, "I": NI}[pre]
        )
        assert pathway.weight == pytest.approx({"E": weight, "I": -g * weight}[pre])
        assert pathway.weight_sd == pytest.approx(0.0, abs=1e-6)
        assert (pathway.delays, pathway.error) == ((DELAY,), 0.0)
    assert len(description.pathways) == 4


def test_brunel_alpha():
    kinds = copied(20.68, 5.0)
    tau = {"tau_syn_ex": 0.5, "tau_syn_in": 0.5}
    populations = balanced("iaf_psc_alpha", *kinds, C_m=250.0, tau_m=20.0, **tau)
    noise = nest.Create("poisson_generator", params={"rate": 30_000.0})
    for name, nodes in populations.items():
        nest.Connect(noise, nodes, syn_spec="excitatory")
        nest.Connect(nodes[:10], nest.Create("spike_recorder", name and 1), syn_spec="excitatory")
    description = network.describe(populations)
    check_balanced(description, 20.68, 5.0)
    for pathway in description.pathways:
        assert (pathway.waveform.shape, pathway.waveform.tau) == ("alpha", 0.5)
        assert pathway.peak == pathway.weight
    assert all(p.outside == 0 and p.read == p.size for p in description.populations.values())
    for drive in description.drives:
        assert (drive.indegree, drive.rate) == (1.0, 30_000.0)
        assert drive.weight == pytest.approx(20.68)
    assert len(description.drives) == 2


def test_brunel_delta():
    populations = balanced("iaf_psc_delta", *copied(0.1, 5.0), C_m=1.0, tau_m=20.0)
    with pytest.raises(NetworkError, match=r"Say the charge of a weight of 1 mV .*charge=1\)"):
        network.kernels(populations)
    description = network.describe(populations, synapses=Synapse("exp", tau=2.0, charge=250.0))
    check_balanced(description, 0.1, 5.0)
    for pathway in description.pathways:
        assert pathway.brought == pytest.approx(250.0 * pathway.weight * pathway.synapses)


def test_brunel_with_receptors_drawn_at_random():
    tau = [0.1 + 0.1 * i for i in range(10)]
    nest.CopyModel("static_synapse", "excitatory", {"weight": 0.1, "delay": DELAY})
    nest.CopyModel("static_synapse", "inhibitory", {"weight": -0.5, "delay": DELAY})
    kinds = [
        {"synapse_model": name, "receptor_type": nest.random.uniform_int(max=9) + 1}
        for name in ("excitatory", "inhibitory")
    ]
    populations = balanced("iaf_psc_exp_multisynapse", *kinds, tau_syn=tau)
    description = network.describe(populations)
    assert len(description.pathways) == 4 * (len(tau) - 1)  # a maximum of 9 excludes 9
    total = 0.0
    for pathway in description.pathways:
        assert pathway.waveform.tau == pytest.approx(tau[pathway.receptor - 1])
        assert pathway.peak == pytest.approx(0.1 if pathway.pre == "E" else -0.5)
        total += description.indegree(pathway) if pathway.post == "E" else 0.0
    assert total == pytest.approx(CE + CI)


def test_brette_cuba_with_stdp():
    nest.SetDefaults("stdp_synapse", {"delay": DELAY, "weight": 35.0, "Wmax": 70.0})
    nest.CopyModel("static_synapse", "syn_ex", {"weight": 35.0, "delay": DELAY})
    nest.CopyModel("static_synapse", "syn_in", {"weight": -175.0, "delay": DELAY})
    E, I = nest.Create("iaf_psc_exp", NE), nest.Create("iaf_psc_exp", NI)  # noqa: E741
    plastic = {"synapse_model": "stdp_synapse", "weight": nest.random.normal(35.0, 3.0)}
    for source, target, synapse in (
        (E, E, plastic), (E, I, "syn_ex"), (I, E, "syn_in"), (I, I, "syn_in"),
    ):  # fmt: skip
        indegree = CE if source is E else CI
        nest.Connect(source, target, {"rule": "fixed_indegree", "indegree": indegree}, synapse)
    description = network.describe({"E": E, "I": I})
    found = by_pathway(description)
    drawn = found["E", "E"]
    error = 3.0 / np.sqrt(NE * CE)
    assert drawn.weight == pytest.approx(35.0, abs=4 * error)
    assert drawn.weight_sd == pytest.approx(3.0, rel=0.1)
    assert drawn.weight == pytest.approx(np.mean(nest.GetConnections(E, E).weight))
    assert (drawn.plastic, found["E", "I"].plastic) == (True, False)
    assert "The weights of E → E change (stdp_synapse)" in repr(description)
    assert found["E", "I"].weight == 35.0
    assert found["I", "E"].weight == found["I", "I"].weight == -175.0


def test_hpc_benchmark():
    kinds = copied(45.6, 5.0, "static_synapse_hpc")
    nest.SetDefaults("stdp_pl_synapse_hom_hpc", {"delay": DELAY, "weight": 45.6})
    tau = {"tau_syn_ex": 0.326, "tau_syn_in": 0.326}
    E, I = (nest.Create("iaf_psc_alpha", n, params=tau) for n in (NE, NI))  # noqa: E741
    rule = {"allow_autapses": False, "allow_multapses": True, "rule": "fixed_indegree"}
    for source, target, synapse in (
        (E, E, "stdp_pl_synapse_hom_hpc"), (E, I, kinds[0]), (I, E + I, kinds[1]),
    ):  # fmt: skip
        nest.Connect(source, target, {**rule, "indegree": CE if source is E else CI}, synapse)
    description = network.describe({"E": E, "I": I})
    check_balanced(description, 45.6, 5.0)
    assert by_pathway(description)["E", "E"].plastic


def test_brette_coba():
    neuron = {"E_L": -60.0, "E_ex": 0.0, "E_in": -80.0, "C_m": 200.0, "g_L": 10.0,
              "tau_syn_ex": 5.0, "tau_syn_in": 10.0}  # fmt: skip
    nest.CopyModel("static_synapse", "syn_ex", {"weight": 6.0, "delay": 0.1})
    nest.CopyModel("static_synapse", "syn_in", {"weight": -67.0, "delay": 0.1})
    populations = balanced("iaf_cond_exp", "syn_ex", "syn_in", **neuron)
    stimulus = nest.Create("poisson_generator", params={"rate": 300.0, "start": 1.0, "stop": 51.0})
    nest.Connect(stimulus, populations["E"][:5], syn_spec="syn_ex")
    description = network.describe(populations)
    for (pre, _), pathway in by_pathway(description).items():
        wave = pathway.waveform
        told = (pathway.peak, wave.unit, wave.tau, wave.reversal)
        assert told == {"E": (6.0, "nS", 5.0, 0.0), "I": (67.0, "nS", 10.0, -80.0)}[pre]
        assert pathway.delays == (0.1,)
    (drive,) = description.drives
    assert (drive.post, drive.indegree, drive.rate) == ("E", 5 / NE, 300.0)
    nest.Simulate(60.0)
    (drive,) = network.describe(populations).drives
    assert drive.rate == 0.0


def test_astrocytes():
    E, I = (nest.Create("aeif_cond_alpha_astro", n) for n in (NE, NI))  # noqa: E741
    astrocytes = nest.Create("astrocyte_lr_1994", 10)
    tsodyks = {"synapse_model": "tsodyks_synapse", "weight": 1.0, "tau_psc": 2.0, "delay": 2.0}
    nest.TripartiteConnect(
        E, E + I, astrocytes,
        conn_spec={"rule": "pairwise_bernoulli", "p": 0.2},
        third_factor_conn_spec={"rule": "third_factor_bernoulli_with_pool", "p": 0.5,
                                "pool_size": 2, "pool_type": "random"},
        syn_specs={"primary": tsodyks, "third_in": tsodyks,
                   "third_out": {"synapse_model": "sic_connection", "weight": 0.05}},
    )  # fmt: skip
    nest.Connect(I, E + I, {"rule": "pairwise_bernoulli", "p": 0.2}, {**tsodyks, "weight": -4.0})
    description = network.describe({"E": E, "I": I})
    released = nest.GetDefaults("tsodyks_synapse", "U")
    found = by_pathway(description)
    for (pre, post), pathway in found.items():
        made = nest.GetConnections({"E": E, "I": I}[pre], {"E": E, "I": I}[post])
        assert pathway.synapses == pytest.approx(len(made) / {"E": NE, "I": NI}[pre])
        assert pathway.peak == pytest.approx(released * {"E": 1.0, "I": 4.0}[pre])
        assert pathway.waveform.reversal == {"E": 0.0, "I": -85.0}[pre]
    to_astrocytes = len(nest.GetConnections(E, astrocytes))
    assert description.populations["E"].outside == pytest.approx(
        to_astrocytes / (to_astrocytes + len(nest.GetConnections(E, E + I)))
    )


def test_clusters_as_one_population():
    parameters = {"C_m": 1.0, "tau_syn_ex": 5.0, "tau_syn_in": 5.0}
    clusters = [nest.Create("iaf_psc_exp", 20, params=parameters) for _ in range(4)]
    I = nest.Create("iaf_psc_exp", NI, params=parameters)  # noqa: E741
    rule = {"rule": "pairwise_bernoulli", "p": 0.3, "allow_autapses": False}
    for pre in clusters:
        for post in clusters:
            weight = 0.3 if pre is post else 0.05
            nest.Connect(pre, post, rule, {"weight": weight, "delay": 0.1})
        nest.Connect(pre, I, rule, {"weight": 0.2, "delay": 0.1})
    description = network.describe({"E": clusters, "I": I})
    E = nest.NodeCollection(sorted(i for own in clusters for i in own.tolist()))
    weights = np.array(nest.GetConnections(E, E).weight)
    inside = by_pathway(description)["E", "E"]
    assert description.populations["E"].size == 80
    assert inside.synapses == pytest.approx(weights.size / 80)
    assert inside.weight == pytest.approx(weights.mean())
    assert inside.weight_sd == pytest.approx(weights.std())
    assert by_pathway(description)["E", "I"].weight == pytest.approx(0.2)


def test_gif_population():
    neuron = {"C_m": 83.1, "g_L": 3.7, "E_L": -67.0, "tau_syn_ex": 10.0}
    population = nest.Create("gif_psc_exp", 100, params=neuron)
    noise = nest.Create("poisson_generator", 50, params={"rate": 10.0})
    rule = {"rule": "pairwise_bernoulli", "p": 0.3}
    nest.Connect(population, population, rule, syn_spec={"weight": 30.0})
    nest.Connect(noise, population, "all_to_all", syn_spec={"weight": 20.0})
    description = network.describe({"E": population})
    (pathway,) = description.pathways
    assert pathway.synapses == len(nest.GetConnections(population, population)) / 100
    assert pathway.synapses == pytest.approx(30.0, abs=4 * np.sqrt(0.21))
    told = (pathway.peak, pathway.waveform.shape, pathway.waveform.tau, pathway.delays)
    assert told == (30.0, "exp", 10.0, (1.0,))
    (drive,) = description.drives
    assert (drive.indegree, drive.rate, drive.weight) == (50.0, 10.0, 20.0)


def test_layers_in_space():
    free = nest.spatial.free(nest.random.uniform(-0.5, 0.5), extent=[1.5, 1.5, 1.5])
    E = nest.Create("iaf_psc_alpha", 100, positions=free)
    rule = {"rule": "pairwise_bernoulli", "allow_autapses": False,
            "p": nest.spatial_distributions.gaussian(nest.spatial.distance, std=0.25)}  # fmt: skip
    nest.Connect(E, E, rule, {"weight": 20.0, "delay": 1.0 + 2.0 * nest.spatial.distance})
    description = network.describe({"E": E})
    (pathway,) = description.pathways
    made = nest.GetConnections(E, E)
    assert pathway.synapses == pytest.approx(len(made) / 100)
    assert pathway.delay == pytest.approx(np.mean(made.delay))
    assert pathway.delay_sd == pytest.approx(np.std(made.delay))
    assert "has positions in NEST" in repr(description)


def test_rates_of_recorders_that_write_to_files(tmp_path):
    nest.data_path, nest.overwrite_files = str(tmp_path), True
    E, I = nest.Create("parrot_neuron", 4), nest.Create("parrot_neuron", 2)  # noqa: E741
    spikes = nest.Create("spike_generator", params={"spike_times": [10.0, 20.0, 30.0]})
    nest.Connect(spikes, E + I)
    written = {"record_to": "ascii"}
    recorders = {name: nest.Create("spike_recorder", params=written) for name in "EI"}
    nest.Connect(E[:3], recorders["E"])
    nest.Connect(I, recorders["I"])
    nest.Simulate(100.0)
    populations = {"E": E, "I": I}
    assert network.rates(populations, recorders) == pytest.approx({"E": 30.0, "I": 30.0})
    with pytest.raises(NetworkError, match=r"writes to a file.*starts at 15 ms"):
        network.rates(populations, recorders, start=15.0)
    nest.Connect(I, recorders["E"])
    with pytest.raises(NetworkError, match="records 'E' alone"):
        network.rates(populations, recorders)


@pytest.mark.parametrize("weight", [0.2, 2.0])
def test_strong_conductances_are_told(weight):
    populations = balanced("iaf_cond_exp", *copied(weight, 5.0))
    description = network.describe({"E": populations["E"], "I": populations["I"]})

    def computed():
        cells, rates = {"E": "i4", "I": None}, {"E": 5.0, "I": 5.0}
        return network.kernels(
            description, [0.0], cells=cells, rates=rates, signals=("LFP",), progress=False
        )

    if weight == 0.2:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            computed()
    else:
        with pytest.warns(UserWarning, match=r"rough.*: E → E 2 nS on a leak of 6.13 nS, I → E 10"):
            computed()
