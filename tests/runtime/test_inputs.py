"""What can stand for a population, in which order its values are, and what is refused."""

import contextlib
import warnings

import numpy as np
import pytest

import nestlfp
from networks import (
    assert_refused,
    assert_signal_is_convolution,
    convolved,
    exponential_kernels,
    installed,
    random_network,
    replayed,
    reset,
)

KERNELS = exponential_kernels()


def spikes_of(recorder):
    """Spike times on the grid, of a recorder that tells steps: some models spike between them."""
    return recorder.events["times"] * 0.1


# ---------------------------------------------------------------------- order of neurons
@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("threads", [1, 3])
def test_values_follow_their_neurons(nest, seed, threads):
    """Populations in any order and form, with a weight and a delay for each neuron."""
    draw = np.random.default_rng(seed)
    kernels = exponential_kernels(leads=(20, 20))
    reset(nest, threads=threads)
    nest.set(min_delay=0.5, max_delay=4.0)
    bank = installed(kernels)
    trains = np.sort(draw.choice(np.arange(20, 120), (8, 3)), axis=1) / 10
    parrots = replayed(nest, [np.unique(train) for train in trains])
    ids = np.array(parrots.tolist())
    order = draw.permutation(8)
    members = {
        "E": draw.choice([list, np.array, tuple, iter, lambda x: (int(i) for i in x)])(
            ids[order[:5]].tolist()
        ),
        "I": ids[order[5:]].astype(np.uint32),
    }
    if seed >= 4:  # NodeCollections are always in ascending order
        order = np.concatenate([np.arange(8)[::2], np.arange(8)[1::2]])
        members = {"E": parrots[::2], "I": parrots[[1, 3, 5, 7]]}
    n = 5 if seed < 4 else 4
    weights = draw.normal(size=8).round(2)
    delays = draw.integers(0, 20, 8) / 10
    recorder = nestlfp.FieldRecorder(
        bank,
        nestlfp.Inputs(
            members,
            weights={"E": weights[:n], "I": weights[n:]},
            delays={"E": delays[:n], "I": delays[n:]},
        ),
        interval=0.1,
    )
    nest.Simulate(25.0)
    expected = sum(
        w * convolved(kernels, "LFP", {"E" if k < n else "I": np.unique(trains[i]) + 1 + d}, 250)
        for k, (i, w, d) in enumerate(zip(order, weights, delays, strict=True))
    )
    values = recorder.signals()["LFP"].values
    assert np.abs(values).max() > 0.1
    np.testing.assert_allclose(values, expected[:, : values.shape[1]], atol=1e-12)


def test_nodes_that_are_no_nodes(nest):
    reset(nest)
    bank = installed(KERNELS)
    parrots = replayed(nest, [[1.0], [2.0]])
    for nodes in (
        [1.5, 2.0],
        [1.0, 2.0],
        np.array([1.0]),
        ["a"],
        [["a"], [1]],
        [parrots, {1: 2}],
        "exc",
        b"1",
        {1: 2},
        {"E"},
        1,
        1.5,
        [None],
        [True],
        [10**30],
        object(),
    ):
        assert_refused(
            nest,
            "population 'E' must be a nest.NodeCollection, a list of such, or a list of node ids",
            lambda nodes=nodes: nestlfp.FieldRecorder(bank, {"E": nodes, "I": None}),
        )
    for nodes in ([-1], [0], [10**6], [2**63 - 1]):
        assert_refused(
            nest,
            "NEST has 1 …",
            lambda nodes=nodes: nestlfp.FieldRecorder(bank, {"E": nodes, "I": None}),
        )
    for values in (2.0, [1.0, 2.0], "E", np.ones(2)):
        for what in ("weights", "delays"):
            assert_refused(
                nest,
                f"{what} must be a dict such as",
                lambda values=values, what=what: nestlfp.FieldRecorder(
                    bank, nestlfp.Inputs({"E": parrots, "I": None}, **{what: values})
                ),
            )
    for values in ("much", [1.0, "a"], [[1.0], [1.0, 2.0]], object()):
        assert_refused(
            nest,
            "weights of 'E' must be a number, or one for each neuron",
            lambda values=values: nestlfp.FieldRecorder(
                bank, nestlfp.Inputs({"E": parrots, "I": None}, weights={"E": values})
            ),
        )


def test_nodes_from_before_a_reset(nest):
    """Where their ids exist again, they would be other neurons."""
    reset(nest)
    parrots = nest.Create("parrot_neuron", 3)
    stale = parrots, parrots[::2], parrots[[0, 2]], parrots + nest.Create("iaf_psc_exp", 2)
    reset(nest)
    bank = installed(KERNELS)
    cells = nest.Create("iaf_psc_alpha", 5)
    nest.Connect(cells, cells)
    for nodes in stale:
        assert_refused(
            nest,
            "population 'E' .* ResetKernel invalidates",
            lambda nodes=nodes: nestlfp.FieldRecorder(bank, {"E": nodes, "I": None}),
        )
    nestlfp.FieldRecorder(bank, {"E": cells, "I": nest.NodeCollection([])}, interval=0.1)


def test_sets_have_no_order(nest):
    reset(nest)
    bank = installed(KERNELS)
    parrots = replayed(nest, [[1.0], [2.0]])
    members = {"E": set(parrots.tolist()), "I": None}
    for what in ("weights", "delays"):
        assert_refused(
            nest,
            f"{what} of 'E' are given for each neuron, but its neurons are a set",
            lambda what=what: nestlfp.FieldRecorder(
                bank, nestlfp.Inputs(members, **{what: {"E": [1.0, 2.0]}})
            ),
        )
    nestlfp.FieldRecorder(
        bank, nestlfp.Inputs(members, weights={"E": 2.0}), interval=0.1
    )  # the same for all


# ---------------------------------------------------------------------- every model of NEST
def models(nest):
    nest.ResetKernel()
    return list(nest.node_models)


def test_every_model_is_recorded_right_or_refused(nest):
    """What NEST would refuse when nodes exist already is refused before."""
    spiking = refused = 0
    for model in models(nest):
        reset(nest, threads=2)
        bank = installed(KERNELS)
        node = nest.Create(model)
        if model == "cm_default":  # has no compartments of its own
            node.compartments = [{"parent_idx": -1}]
        before = nest.network_size, nest.num_connections
        told = ""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                recorder = nestlfp.FieldRecorder(
                    bank, nestlfp.Inputs({"E": node, "I": None}, unconnected=True), interval=0.1
                )
        except nestlfp.NetworkError as error:
            told = str(error)
        if told:
            assert "must be neurons, or of the model spike_generator" in told, model
            assert (nest.network_size, nest.num_connections) == before, model
            refused += 1
            continue
        if nest.GetDefaults(model, "element_type") != "neuron":
            continue  # what a generator sends is looked at below
        heard = nest.Create("spike_recorder", params={"time_in_steps": True})
        nest.Connect(node, heard, syn_spec={"delay": 0.1})
        drive(nest, node, model)
        nest.Simulate(60.0)
        assert_signal_is_convolution(recorder.signals(), KERNELS, {"E": spikes_of(heard)}, 60.0)
        spiking += heard.n_events > 0
    assert spiking > 50
    assert refused > 30


def drive(nest, node, model):
    """Make it spike, if that is simple."""
    known = node.get()
    if "I_e" in known:
        with contextlib.suppress(nest.NESTError):
            node.I_e = 2000.0
    if "spike_times" in known:
        node.spike_times = [3.0, 7.1]
    if model.startswith(("parrot", "iaf", "cm")):
        spikes = nest.Create("spike_generator", params={"spike_times": [2.0, 5.0, 5.1, 9.0]})
        for receptor in (0, 1):
            with contextlib.suppress(nest.NESTError):
                nest.Connect(
                    spikes,
                    node,
                    syn_spec={"weight": 3000.0, "delay": 0.1, "receptor_type": receptor},
                )
                break


# How each generator is made to send spikes that can differ between targets.
BUSY = {
    "inhomogeneous_poisson_generator": {"rate_times": [1.0], "rate_values": [500.0]},
    "mip_generator": {"rate": 800.0, "p_copy": 0.5},
    "pulsepacket_generator": {"pulse_times": [20.0, 50.0], "activity": 20, "sdev": 5.0},
    "spike_dilutor": {"p_copy": 0.5},
    "spike_generator": {"spike_times": [3.0, 5.0, 5.1]},
}


def test_generators_that_send_each_target_its_own_spikes_are_refused(nest):
    """What two targets hear decides, for every model; a copy of a model is what it copies."""
    looked_at = set()
    for model in models(nest):
        if nest.GetDefaults(model, "element_type") != "stimulator":
            continue
        threads = 1 if model == "spike_dilutor" else 2  # NEST allows no more
        reset(nest, threads=threads)
        nest.CopyModel(model, "copy")
        bank = installed(KERNELS)
        rate = {"rate": 500.0} if "rate" in nest.GetDefaults(model) else {}
        source = nest.Create("copy", params=BUSY.get(model, rate))
        if model == "spike_dilutor":
            mother = nest.Create("spike_generator", params={"spike_times": np.arange(1.0, 60.0)})
            nest.Connect(mother, source)
        parrot = "parrot_neuron_ps" if model.endswith("_ps") else "parrot_neuron"
        targets = nest.Create(parrot, 2)
        try:
            nest.Connect(source, targets)
        except nest.NESTError:  # no spikes
            assert_refused(
                nest,
                r"found \['copy'\]: generators of currents and rates send no spikes",
                lambda s=source, b=bank: nestlfp.FieldRecorder(b, {"E": s, "I": None}),
            )
            continue
        heard = nest.Create("spike_recorder", 2)
        nest.Connect(targets, heard, "one_to_one")
        told = ""
        try:
            nestlfp.FieldRecorder(bank, {"E": source, "I": None}, interval=0.1)
        except nestlfp.NetworkError as error:
            told = str(error)
        nest.Simulate(80.0)
        a, b = (list(each.events["times"]) for each in heard)
        assert a, model
        assert ('nest.Connect(parrots, E, "one_to_one", ...)' in told) == (a != b), model
        looked_at.add(model)
    assert looked_at > {"poisson_generator", "spike_generator", "sinusoidal_poisson_generator"}


# ---------------------------------------------------------------------- weights of spikes
def test_spike_weights_are_refused_and_multiplicities_counted(nest):
    reset(nest)
    bank = installed(KERNELS)
    spikes = nest.Create("spike_generator", 3, params={"spike_times": [2.0, 8.0]})
    spikes[0].spike_weights = [1.0, 1.0]
    spikes[1].spike_multiplicities = [3, 1]
    recorder = nestlfp.FieldRecorder(
        bank, nestlfp.Inputs({"E": spikes, "I": None}, unconnected=True), interval=0.1
    )
    spikes[2].spike_weights = [1.0, 5.5]
    for nodes in (spikes, spikes[2]):
        assert_refused(
            nest,
            r"population 'E': spike_generator 3 has spike_weights such as 5.5",
            lambda nodes=nodes: nestlfp.FieldRecorder(bank, {"E": nodes, "I": None}),
        )
    spikes[2].spike_weights = []
    nest.Simulate(20.0)
    assert_signal_is_convolution(recorder.signals(), KERNELS, {"E": [2.0] * 5 + [8.0] * 3}, 20.0)


def test_generators_with_other_synapses(nest):
    """NEST wants all connections of a generator to be of one synapse model."""
    reset(nest)
    bank = installed(KERNELS)
    spikes = nest.Create("spike_generator", params={"spike_times": [2.0]})
    nest.CopyModel("static_synapse", "mine")
    nest.Connect(spikes, nest.Create("parrot_neuron"), syn_spec="mine")
    assert_refused(
        nest,
        "of the model mine: NEST wants all",
        lambda: nestlfp.FieldRecorder(bank, {"E": spikes, "I": None}),
    )


def test_a_node_that_stands_for_a_population(nest):
    """gif_pop_psc_exp sends the number of its spikes as one spike's multiplicity."""
    kernels = exponential_kernels(dt=0.5, leads=(2, 2))
    reset(nest, threads=2, dt=0.5)
    bank = installed(kernels)
    populations = {
        name: nest.Create("gif_pop_psc_exp", params={"N": n, "I_e": 300.0})
        for name, n in (("E", 800), ("I", 200))
    }
    for pre, weight in (("E", 0.02), ("I", -0.1)):
        for post in populations.values():
            nest.Connect(populations[pre], post, syn_spec={"weight": weight, "delay": 1.0})
    counters = {}
    for name, node in populations.items():
        counters[name] = nest.Create("multimeter", params={"record_from": ["n_events"]})
        counters[name].interval = 0.5
        nest.Connect(counters[name], node)
    recorder = nestlfp.FieldRecorder(bank, populations, interval=0.5)
    nest.Simulate(200.0)
    found = {name: counter.events for name, counter in counters.items()}
    spikes = {
        name: np.repeat(each["times"], each["n_events"].astype(int)) for name, each in found.items()
    }
    assert max(each["n_events"].max() for each in found.values()) > 5
    assert_signal_is_convolution(recorder.signals(), kernels, spikes, 200.0)


def test_options_of_neurons_of_a_node_that_stands_for_many(nest):
    """Its neurons cannot be distinguished: refused before anything is made."""
    kernels = exponential_kernels(dt=0.5, leads=(2, 2))
    names = {name: [name] for name in kernels.pre}
    weights = {"E": np.ones((800, 1)), "I": np.ones((1, 1))}
    of_neurons = nestlfp.NeuronKernels(kernels, names, weights)
    reset(nest, threads=1, dt=0.5)
    bank = installed(of_neurons)
    nodes = {
        name: nest.Create("gif_pop_psc_exp", n, params={"N": 800, "I_e": 300.0})
        for name, n in (("E", 1), ("I", 1))
    }
    nest.Connect(nodes["E"], nodes["I"], syn_spec={"weight": 0.02, "delay": 1.0})
    why = "gif_pop_psc_exp is one node for a population, here of 800 neurons, which cannot be told"
    assert_refused(
        nest,
        f"population 'E': {why} apart, but there are kernels, or weights, of 800 neurons. "
        r"The population's kernel is that of NeuronKernels.mean\(\)",
        lambda: nestlfp.FieldRecorder(bank, nodes),
    )
    for what in ("weights", "delays"):
        assert_refused(
            nest,
            rf"{what} of 'I': {why} apart: give one number, .* found shape \(800,\)",
            lambda what=what: nestlfp.FieldRecorder(
                bank, nestlfp.Inputs(nodes, **{what: {"I": np.ones(800)}})
            ),
        )
    assert_refused(nest, f"population 'E': {why}", lambda: nestlfp.out_strengths(nodes))
    # As a target it is as good as any, and numbers are fine.
    parrot = nest.Create("parrot_neuron", 2)
    nest.Connect(parrot, nodes["E"], syn_spec={"weight": 0.02, "delay": 1.0})
    nestlfp.out_strengths({"E": parrot}, post=nodes)
    only = {"E": None, "I": nodes["I"]}
    nestlfp.FieldRecorder(
        bank, nestlfp.Inputs(only, weights={"I": 2.0}, delays={"I": [0.5]}), interval=0.5
    )
    nest.Simulate(50.0)


@pytest.mark.parametrize("what", ["weights", "delays"])
@pytest.mark.parametrize("wrong", [1 + 2j, np.full(40, 1j), "2", ["2"] * 40, [None] * 40])
def test_values_that_are_no_real_numbers(nest, what, wrong):
    reset(nest)
    bank = installed(exponential_kernels())
    populations = random_network(nest).populations
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert_refused(
            nest,
            f"{what} of 'E' must be a number, or one for each neuron|{what} of 'E' must be finite",
            lambda: nestlfp.FieldRecorder(
                bank, nestlfp.Inputs(populations, **{what: {"E": wrong}})
            ),
        )
