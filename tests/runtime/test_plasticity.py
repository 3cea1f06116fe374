"""Signals that follow plastic synapses, against numpy.convolve with the weights of each time."""

import numpy as np
import pytest

import nestlfp
from nestlfp import KernelError, KernelSet, NetworkError, NeuronKernels, Plasticity
from networks import (
    STDP,
    assert_refused,
    events,
    exponential_kernels,
    random_network,
    replayed,
    reset,
)

DT = 0.1
MIN_DELAY = 7  # steps, of random_network
TIMES = (42.0, 84.0, 126.0, 168.0)  # ms
DURATION = 210.0
NAMES = ("E", "I")


def plastic_network(nest, *, threads=1, law="additive", ports=0):
    """The random network with STDP in all synapses of E; a model with so many ports."""
    reset(nest, threads=threads)
    if ports:
        nestlfp.install(ports=ports, method="fir")
    return random_network(nest, stdp=STDP[law])


def out_strengths(nest, network):
    """Summed weight of each neuron's connections: {(pre, post): array}, asked for one by one."""
    found = {}
    for pre, sources in network.populations.items():
        for post, targets in network.populations.items():
            connections = nest.GetConnections(sources, targets)
            read = connections.get(["source", "weight"])
            found[pre, post] = np.array(
                [
                    np.sum(np.array(read["weight"])[np.array(read["source"]) == node])
                    for node in sources.tolist()
                ]
            )
    return found


def without_recorder(nest, times=TIMES, **options):
    """Spikes of one Simulate, and strengths of a run that is cut: {time: {(pre, post): array}}."""
    network = plastic_network(nest, **options)
    nest.Simulate(DURATION)
    spikes = events(network)
    network = plastic_network(nest, **options)
    strengths = {0.0: out_strengths(nest, network)}
    for start, stop in zip((0.0, *times), (*times, DURATION), strict=True):
        nest.Simulate(stop - start)
        strengths[stop] = out_strengths(nest, network)
    for found, expected in zip(events(network), spikes, strict=True):
        np.testing.assert_array_equal(found, expected)
    del strengths[DURATION]
    return spikes, strengths


def piecewise(kernels, network, spikes, factors):
    """numpy.convolve, pathway by pathway, of spikes that count with the factor of their time.

    `factors` has for each time the factor of each neuron, {(pre, post): array}.
    """
    times, senders = spikes
    n = round(DURATION / DT)
    since = np.rint(np.array(list(factors)) / DT) - MIN_DELAY
    steps = np.rint(times / DT).astype(int)
    reading = np.searchsorted(since, steps, side="left") - 1
    total = 0.0
    for x, pre in enumerate(kernels.pre):
        nodes = np.array(network.populations[pre].tolist())
        own = np.isin(senders, nodes)
        neuron = senders[own] - nodes[0]
        for y, post in enumerate(kernels.post):
            each = np.array([of[pre, post] for of in factors.values()])
            weights = each[reading[own], neuron]
            at = steps[own] + kernels.first_lag_steps
            counts = np.bincount(at[at <= n], weights=weights[at <= n], minlength=n + 1)
            h = kernels["LFP"].values[y, x]
            total = total + np.array([np.convolve(counts, one)[: n + 1] for one in h])
    return total[:, 1:]


def means(strengths):
    """Factors of pathways: mean strengths relative to the first."""
    first = next(iter(strengths.values()))
    return {
        time: {
            pathway: np.full(of.size, of.mean() / first[pathway].mean())
            for pathway, of in found.items()
        }
        for time, found in strengths.items()
    }


def assert_piecewise(signals, kernels, network, spikes, factors, rtol=1e-12):
    expected = piecewise(kernels, network, spikes, factors)
    at = np.rint(signals["time"].values / DT).astype(int) - 1
    assert at.size > 0.9 * DURATION / DT
    difference = np.abs(signals["LFP"].values - expected[:, at]).max()
    assert difference <= rtol * np.abs(expected).max()


# ---------------------------------------------------------------------- STDP
@pytest.mark.parametrize("law", STDP)
@pytest.mark.parametrize("threads", [1, 3])
def test_means_of_pathways(nest, law, threads):
    kernels = exponential_kernels()
    spikes, strengths = without_recorder(nest, law=law, threads=threads)
    factors = means(strengths)
    assert max(np.ptp([of[pathway][0] for of in factors.values()]) for pathway in factors[0]) > 0.5

    network = plastic_network(nest, law=law, threads=threads, ports=4)
    delays = nest.min_delay, nest.max_delay
    plasticity = Plasticity(times=TIMES, accuracy=0)
    recorder = nestlfp.FieldRecorder(
        kernels, network.populations, interval=DT, plasticity=plasticity
    )
    assert (nest.min_delay, nest.max_delay) == delays
    nestlfp.simulate(DURATION, progress=False)
    for found, expected in zip(events(network), spikes, strict=True):
        np.testing.assert_array_equal(found, expected)
    assert_piecewise(recorder.signals(), kernels, network, spikes, factors)

    found = recorder.strengths()
    assert found.dims == ("time", "pre", "post")
    np.testing.assert_allclose(found["time"], list(strengths))
    for (pre, post), values in strengths[TIMES[-1]].items():
        last = found.sel(time=TIMES[-1], pre=pre, post=post).item()
        assert last == pytest.approx(values.mean(), rel=1e-12)
    assert "read 4 times" in repr(recorder)
    assert recorder.signals().attrs["plasticity"].startswith("at [42.0, 84.0")


def test_each_neurons_own(nest):
    kernels = exponential_kernels()
    spikes, strengths = without_recorder(nest)
    factors = {
        time: {pathway: of / strengths[0.0][pathway].mean() for pathway, of in found.items()}
        for time, found in strengths.items()
    }
    network = plastic_network(nest, threads=1, ports=4)
    recorder = nestlfp.FieldRecorder(
        kernels,
        network.populations,
        interval=DT,
        plasticity=Plasticity(every=42.0, neurons=True),
    )
    nestlfp.simulate(DURATION, progress=False)
    assert_piecewise(recorder.signals(), kernels, network, spikes, factors)


def test_kernels_that_are_summed_and_one_population(nest):
    """Strengths are summed, too; a population that is not followed stays as it is."""
    kernels = exponential_kernels().total()
    spikes, strengths = without_recorder(nest)
    factors = {}
    for time, found in strengths.items():
        now = {x: sum(found[x, y].mean() for y in NAMES) for x in NAMES}
        first = {x: sum(strengths[0.0][x, y].mean() for y in NAMES) for x in NAMES}
        factors[time] = {
            ("E", "all"): np.full(40, now["E"] / first["E"]),
            ("I", "all"): np.ones(10),
        }
    network = plastic_network(nest, ports=4)
    recorder = nestlfp.FieldRecorder(
        kernels,
        network.populations,
        interval=DT,
        plasticity=Plasticity(every=42.0, pre="E", accuracy=0),
    )
    assert len(recorder.bank.ports) == 2
    nestlfp.simulate(DURATION, progress=False)
    assert_piecewise(recorder.signals(), kernels, network, spikes, factors)


def test_neurons_with_kernels_of_their_own(nest):
    """All modes of a neuron change with its strength."""
    rng = np.random.default_rng(2)
    lag = np.arange(1, 31) * DT
    single = {
        name: {"LFP": rng.normal(1.0, 0.5, (n, 2, 1)) * np.exp(-lag / rng.uniform(1, 2, (n, 1, 1)))}
        for name, n in (("E", 40), ("I", 10))
    }
    kernels = NeuronKernels.from_arrays(single, left_out=1e-3, dt=DT, units={"LFP": "mV"})
    spikes, strengths = without_recorder(nest)
    network = plastic_network(nest, ports=len(kernels.modes.pre))
    connected = {x: sum(strengths[0.0][x, y] for y in NAMES) != 0 for x in NAMES}
    assert all(there.all() for there in connected.values())
    recorder = nestlfp.FieldRecorder(
        kernels, network.populations, interval=DT, plasticity=Plasticity(times=TIMES, neurons=True)
    )
    nestlfp.simulate(DURATION, progress=False)
    expected = 0.0
    for name, neurons in single.items():
        whole = kernels.single(name)["LFP"].values
        for i in range(len(neurons["LFP"])):
            one = KernelSet.from_arrays(
                {"LFP": whole[np.newaxis, np.newaxis, i]},
                pre=[name], post=["all"], dt=DT, units={"LFP": "mV"},
            )  # fmt: skip
            first = sum(strengths[0.0][name, y][i] for y in NAMES)
            factors = {
                time: {(name, "all"): np.array([sum(of[name, y][i] for y in NAMES) / first])}
                for time, of in strengths.items()
            }
            node = network.populations[name][i]
            own = spikes[1] == node.global_id
            only = type(network)({name: node}, None)
            expected = expected + piecewise(one, only, [part[own] for part in spikes], factors)
    signals = recorder.signals()
    n = signals.sizes["time"]
    difference = np.abs(signals["LFP"].values - expected[:, :n]).max()
    assert difference <= 1e-12 * np.abs(expected).max()


def test_a_sample_of_neurons(nest):
    """It comes as close as is asked for."""
    kernels = exponential_kernels()
    network = plastic_network(nest, ports=4)
    exact = out_strengths(nest, network)
    plasticity = Plasticity(every=70.0, accuracy=0.1)
    recorder = nestlfp.FieldRecorder(
        kernels, network.populations, interval=DT, plasticity=plasticity
    )
    found = recorder.strengths().isel(time=0)
    for pre in NAMES:
        total = sum(abs(exact[pre, post].mean()) for post in NAMES)
        for post in NAMES:
            off = found.sel(pre=pre, post=post).item() - exact[pre, post].mean()
            assert abs(off) < 0.3 * total
    assert abs(found.sel(pre="E", post="E").item() - exact["E", "E"].mean()) > 1e-9  # a sample


# ---------------------------------------------------------------------- ways to simulate
def test_loop_stream_and_calls_of_simulate_agree(nest, tmp_path):
    kernels = exponential_kernels()
    options = {"interval": DT, "plasticity": Plasticity(every=42.0, accuracy=0)}
    found = []
    for way in ("stream", "loop", "by hand"):
        network = plastic_network(nest, ports=4)
        recorder = nestlfp.FieldRecorder(kernels, network.populations, **options)
        if way == "stream":
            to = tmp_path / "s.zarr"
            nestlfp.simulate(DURATION, to=to, chunk=25.0, complete=True, progress=False)
        elif way == "loop":
            for _ in nestlfp.loop(DURATION, every=35.0, progress=False):
                pass
        else:
            for _ in range(5):
                nest.Simulate(42.0)
                recorder.follow()
        found.append(recorder.signals()["LFP"])
        assert found[-1].sizes["time"] > 2000
        np.testing.assert_allclose(recorder.strengths()["time"][:5], (0.0, *TIMES))
    for other in found[1:]:
        n = other.sizes["time"]
        np.testing.assert_array_equal(other.values, found[0].values[:, :n])


def test_a_reading_that_was_missed(nest):
    kernels = exponential_kernels()
    network = plastic_network(nest, ports=4)
    recorder = nestlfp.FieldRecorder(kernels, network.populations, interval=DT, plasticity=21.0)
    nest.Simulate(42.0)
    with pytest.warns(UserWarning, match=r"read at 21 ms, and nest.Simulate ran past it"):
        recorder.signals()
    nestlfp.simulate(21.0, progress=False)  # reads what is due first
    assert recorder.strengths()["time"].values.tolist() == pytest.approx([0.0, 42.0])


# ---------------------------------------------------------------------- spikes under way
def test_a_spike_counts_as_over_a_static_synapse(nest):
    """With the strength when NEST delivers it: in the slice after the one it was sent in."""
    min_delay, change = 10, 100  # steps
    kernels = KernelSet.from_arrays(
        {"LFP": [[[[1.0]]]]}, pre=["E"], post=["E"], dt=DT, units={"LFP": "mV"}, first_lag=2.5
    )
    sent = np.array([85, 90, 91, 95, 100, 101, 110])
    reset(nest)
    nestlfp.install(ports=4, method="fir")
    parrots = replayed(nest, [sent * DT - 1.0], delay=1.0)
    target = nest.Create("iaf_psc_delta", params={"tau_m": 1e9, "V_th": 1e9, "V_reset": -1e9})
    weight = {"weight": 2.0, "delay": 2.5}
    nest.Connect(parrots, target, syn_spec=weight)
    recorder = nestlfp.FieldRecorder(
        kernels, {"E": parrots}, interval=DT, plasticity=Plasticity(post={"E": target})
    )
    voltmeter = nest.Create("multimeter", params={"record_from": ["V_m"], "interval": DT})
    nest.Connect(voltmeter, target, syn_spec={"delay": 1.0})
    nest.Simulate(change * DT)
    nest.GetConnections(parrots, target).weight = 6.0
    recorder.follow()
    nest.Simulate(10.0)
    recorded = recorder.signals()["LFP"]
    found = [recorded.sel(time=(s + 25) * DT, method="nearest").item() for s in sent]
    expected = np.where(sent > change - min_delay, 3.0, 1.0)
    np.testing.assert_allclose(found, expected)
    assert set(expected) == {1.0, 3.0}
    jumps = dict(zip(np.rint(voltmeter.events["times"][1:] / DT), np.diff(voltmeter.events["V_m"]),
                     strict=True))  # fmt: skip
    np.testing.assert_allclose([jumps[s + 25] for s in sent], 2.0 * expected, rtol=1e-6)


# ---------------------------------------------------------------------- structural plasticity
def growing_network(nest, ports=0):
    """Connections from E to E and I that come and go, and a static network around them."""
    reset(nest)
    if ports:
        nestlfp.install(ports=ports, method="fir")
    nest.structural_plasticity_update_interval = 7.0  # ms, where slices end
    nest.CopyModel("static_synapse", "growing", {"weight": 20.0, "delay": 1.4})
    nest.structural_plasticity_synapses = {
        "growing": {"synapse_model": "growing", "pre_synaptic_element": "axon",
                    "post_synaptic_element": "dendrite"},
    }  # fmt: skip
    network = random_network(nest)
    curve = {"growth_curve": "linear", "growth_rate": 0.1, "eps": 1.9}
    for name, elements in (("E", ("axon", "dendrite")), ("I", ("dendrite",))):
        network.populations[name].set({"tau_Ca": 100.0, "beta_Ca": 0.3})
        network.populations[name].synaptic_elements = dict.fromkeys(elements, curve)
    return network


@pytest.mark.filterwarnings("ignore:the network has structural plasticity")
def test_connections_that_come_and_go(nest):
    kernels = exponential_kernels()
    nest.ResetKernel()
    network = growing_network(nest)
    nest.EnableStructuralPlasticity()
    strengths = {0.0: out_strengths(nest, network)}
    grown = []
    for stop in (*TIMES, DURATION):
        nest.Simulate(42.0)
        strengths[stop] = out_strengths(nest, network)
        found = nest.GetConnections(synapse_model="growing").get(["source", "target"])
        grown.append(set(zip(found["source"], found["target"], strict=True)))
    alone = events(network)
    assert grown[-1] - grown[0]
    assert grown[2] - grown[-1]
    assert strengths.pop(DURATION)["E", "E"].sum() > 1.3 * strengths[0.0]["E", "E"].sum()

    network = growing_network(nest, ports=4)
    nest.EnableStructuralPlasticity()
    recorder = nestlfp.FieldRecorder(
        kernels,
        network.populations,
        interval=DT,
        plasticity=Plasticity(every=42.0, accuracy=0),
    )
    nestlfp.simulate(DURATION, progress=False)
    for found, expected in zip(events(network), alone, strict=True):
        np.testing.assert_array_equal(found, expected)
    assert_piecewise(recorder.signals(), kernels, network, alone, means(strengths))


def test_cuts_are_told(nest):
    kernels = exponential_kernels()
    network = growing_network(nest, ports=4)
    nestlfp.FieldRecorder(kernels, network.populations, interval=DT, plasticity=42.0)
    with pytest.warns(UserWarning, match=r"and reading strengths cuts the run"):
        nestlfp.simulate(84.0, progress=False)


def test_connections_that_are_not_there_yet(nest):
    """The kernels stand for a strength that is given."""
    kernels = KernelSet.from_arrays(
        {"LFP": [[[[1.0]]]]}, pre=["E"], post=["E"], dt=DT, units={"LFP": "mV"}, first_lag=1.0
    )
    reset(nest)
    nestlfp.install(ports=4, method="fir")
    parrots = replayed(nest, [[1.0, 12.0]])
    target = nest.Create("iaf_psc_exp")
    nest.Connect(target, target, syn_spec={"delay": 1.0, "weight": 0.0})
    given = {"post": {"E": target}, "every": 10.0}
    assert_refused(
        nest,
        r"'E' has kernels through 'E', and neurons without .*reference={\('E', 'E'\): summed",
        lambda: nestlfp.FieldRecorder(kernels, {"E": parrots}, plasticity=Plasticity(**given)),
    )
    recorder = nestlfp.FieldRecorder(
        kernels,
        {"E": parrots},
        interval=DT,
        plasticity=Plasticity(reference={("E", "E"): 4.0}, **given),
    )
    nest.Simulate(10.0)
    nest.Connect(parrots, target, syn_spec={"weight": 6.0, "delay": 1.0})
    nestlfp.simulate(10.0, progress=False)
    found = recorder.signals()["LFP"].sel(time=[3.0, 14.0], method="nearest")
    np.testing.assert_allclose(found.values, [[0.0, 1.5]])


# ---------------------------------------------------------------------- bad input
@pytest.mark.parametrize(
    ("plasticity", "message"),
    [
        (1.0, r"every must be a positive multiple of .* 0.7 ms, found 1.0: 0.7 or 1.4 ms"),
        (0.0, r"every must be a positive multiple of .* found 0.0"),
        (np.nan, r"every must be a positive multiple of .* found nan"),
        ("often", r"every must be a positive multiple of .* found 'often'"),
        (Plasticity(times=[7.0, 7.5]), r"times must be a positive multiple of .* found 7.5"),
        (Plasticity(every=7.0, reference={"E": 1.0}), r"reference must have .* found 'E': 1.0"),
        (Plasticity(every=7.0, reference={("E", "X"): 1.0}), r"found \('E', 'X'\): 1.0"),
        (Plasticity(every=7.0, reference={("E", "E"): None}), r"found \('E', 'E'\): None"),
        (Plasticity(every=7.0, post={"E": [1, 2]}), r"missing \['I'\]"),
        (Plasticity(every=7.0, post={"E": [1, 2], "I": [2, 3]}), r"'E' and 'I' overlap"),
    ],
)
def test_what_does_not_fit_the_network(nest, plasticity, message):
    kernels = exponential_kernels()
    network = plastic_network(nest, ports=4)
    assert_refused(
        nest,
        message,
        lambda: nestlfp.FieldRecorder(
            kernels, network.populations, interval=DT, plasticity=plasticity
        ),
    )


def test_what_cannot_be_followed(nest):
    kernels = exponential_kernels()
    network = plastic_network(nest, ports=4)
    whole = network.populations

    def refused(message, given, populations, error=NetworkError, **options):
        plasticity = Plasticity(every=7.0, **options)
        assert_refused(
            nest,
            message,
            lambda: nestlfp.FieldRecorder(given, populations, interval=DT, plasticity=plasticity),
            error,
        )

    refused(r"pre: \['X'\] not among", kernels, whole, KernelError, pre="X")
    refused("'I' cannot be followed: it has no neurons", kernels, {**whole, "I": None}, pre="I")
    refused(r"postsynaptic populations \['I'\] are not", kernels, {**whole, "I": None})
    bank = nestlfp.FilterBank(kernels)
    refused(r"'E' .*FilterBank\(NeuronKernels.by_pathway", bank, whole, KernelError)
    inputs = nestlfp.Inputs(whole, weights={"E": np.ones(40)})
    refused("neurons=True reads each neuron's strength", kernels, inputs, neurons=True)


def test_options_that_make_no_sense():
    with pytest.raises(NetworkError, match="every or times, not both"):
        Plasticity(every=1.0, times=[2.0])
    with pytest.raises(NetworkError, match="neurons must be True or False, found 'E'"):
        Plasticity(neurons="E")
    with pytest.raises(NetworkError, match=r"accuracy must be a number from 0 .* found -1"):
        Plasticity(accuracy=-1)
    with pytest.raises(NetworkError, match=r"reference must be a dict such as .* found 800"):
        Plasticity(reference=800)


def test_a_recorder_that_does_not_follow(nest):
    kernels = exponential_kernels()
    network = plastic_network(nest, ports=4)
    recorder = nestlfp.FieldRecorder(kernels, network.populations, interval=DT)
    for call in (recorder.follow, recorder.strengths):
        with pytest.raises(NetworkError, match=r"plasticity=nestlfp.Plasticity\(every=100.0\)"):
            call()
    other = nestlfp.FieldRecorder(
        kernels, network.populations, interval=DT, plasticity=Plasticity()
    )
    nest.Prepare()
    with pytest.raises(NetworkError, match=r"follow cannot be called between nest.Prepare"):
        other.follow()
    nest.Cleanup()
    nest.ResetKernel()
    with pytest.raises(NetworkError, match=r"nest.ResetKernel\(\) was called"):
        other.follow()
