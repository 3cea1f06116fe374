"""A trigger sends what NumPy finds in the recorded spikes, when its latency says, and no more."""

import numpy as np
import pytest
from scipy.signal import butter, sosfilt

import nestlfp
from networks import (
    assert_refused,
    events,
    exponential_kernels,
    installed,
    random_network,
    replayed,
    reset,
)

DURATION = 252.0


def one_channel(leads=(9, 12), **options):
    """A readout of two populations that start at these lags."""
    kernels = exponential_kernels(leads=leads, **options)
    return kernels.readout({"LFP": {0: 1.0, 1: -0.25}})


def as_heard(kernels, spikes, duration, latency):
    """The readout at the node's steps 1, 2, ...: the plain convolution, late by the latency."""
    signal = kernels.convolve(spikes, duration)["readout"].values.ravel()
    shift = round(latency / kernels.dt)
    return np.concatenate([np.zeros(shift), signal])[: signal.size]


def crossings(readout, dt, threshold, direction, refractory, hysteresis):
    """Times (ms) at which a trigger should spike; written without looking at the package's."""
    half = hysteresis / 2
    low, high = {
        "rising": (threshold - hysteresis, threshold),
        "falling": (threshold, threshold + hysteresis),
        "both": (threshold - half, threshold + half),
    }[direction]
    # What the latest clear sample said: above, below, or neither, which is what it was before.
    said = np.where(readout >= high, 1, np.where(readout < low, -1, 0))
    said = np.concatenate([[1 if threshold <= 0 else -1], said])
    clear = np.maximum.accumulate(np.where(said != 0, np.arange(said.size), 0))
    change = np.diff(said[clear])
    wanted = {"rising": change > 0, "falling": change < 0, "both": change != 0}[direction]
    kept = []
    for at in np.flatnonzero(wanted) + 1:
        if not kept or (at - kept[-1]) * dt >= refractory - 1e-9:
            kept.append(at)
    return np.array(kept) * dt


OPTIONS = [
    {"threshold": 3.0, "hysteresis": 1.0, "direction": direction, "refractory": refractory}
    for direction in ("rising", "falling", "both")
    for refractory in (0.0, 7.3)
]
OPTIONS.append({"threshold": -2.0, "hysteresis": 0.0, "direction": "both", "refractory": 0.0})


@pytest.mark.parametrize("method", ["fir", "state-space"])
@pytest.mark.parametrize("threads", [1, 2, 4])
def test_times_are_those_of_the_recorded_spikes(nest, threads, method):
    kernels = one_channel()
    reset(nest, threads=threads)
    bank = installed(kernels, method=method)
    network = random_network(nest)
    triggers = [nestlfp.Trigger(bank, network.populations, **each) for each in OPTIONS]
    nestlfp.simulate(DURATION, progress=False)
    spikes = network.spikes(events(network))
    heard = as_heard(kernels, spikes, DURATION, triggers[0].latency)
    for trigger, each in zip(triggers, OPTIONS, strict=True):
        expected = crossings(heard, kernels.dt, **each)
        assert expected.size > 5
        np.testing.assert_allclose(trigger.times(), expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize("targets", [False, True])
def test_network_is_undisturbed(nest, targets):
    """By a trigger that nobody hears, and by one whose spikes have no weight."""
    kernels = one_channel()
    reset(nest, threads=2)
    alone = random_network(nest)
    delays = nest.min_delay, nest.max_delay
    nest.Simulate(DURATION)
    reference = events(alone)
    reset(nest, threads=2)
    bank = installed(kernels)
    network = random_network(nest)
    trigger = nestlfp.Trigger(bank, network.populations, threshold=3.0, interval=0.5)
    if targets:
        nest.Connect(trigger.node, network.populations["E"], syn_spec={"weight": 0.0, "delay": 1.0})
    nest.Simulate(DURATION)
    assert trigger.times().size > 10
    assert (nest.min_delay, nest.max_delay) == delays
    for found, expected in zip(events(network), reference, strict=True):
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("first_lag", [1, 4, 7, 20, 40])
@pytest.mark.parametrize("delay", [0.7, 2.0])
def test_latency_from_spike_to_target(nest, first_lag, delay):
    """For kernels that start before min_delay, within the delays, and after max_delay."""
    kernels = exponential_kernels(leads=(first_lag,), lengths=(5,), channels=1, pre=["E"])
    reset(nest)
    bank = installed(kernels)
    (source,) = sources = replayed(nest, [[10.0]], delay=0.7)
    target = nest.Create("parrot_neuron")
    recorder = nest.Create("spike_recorder")
    nest.Connect(source, nest.Create("parrot_neuron"), syn_spec={"delay": 2.7})
    trigger = nestlfp.Trigger(bank, {"E": sources}, threshold=0.1)
    nest.Connect(trigger.node, target, syn_spec={"delay": delay})
    nest.Connect(target, recorder, syn_spec={"delay": 0.7})
    nest.Simulate(30.0)
    assert trigger.latency == pytest.approx(max(0.0, 0.7 - first_lag * 0.1))
    spike = 10.7
    crossing = spike + first_lag * 0.1 + trigger.latency
    np.testing.assert_allclose(trigger.times(), [crossing])
    np.testing.assert_allclose(recorder.events["times"], [crossing + delay])


@pytest.mark.parametrize(("method", "bound"), [("fir", 1e-9), ("state-space", 1e-6)])
@pytest.mark.parametrize("kernels", ["exponentials", "published"])
def test_readout_is_the_filtered_signal(nest, hagen, kernels, method, bound):
    """What is folded into the kernels is what SciPy makes of the recorded signal."""
    kernels = exponential_kernels(leads=(9, 12)) if kernels == "exponentials" else hagen
    kernels = kernels.select(signals="LFP")
    first, second = kernels["LFP"]["LFP_channel"].values[:2].tolist()
    band = (20.0, 80.0)
    reset(nest, threads=2, dt=kernels.dt)
    bank = installed(kernels)
    tolerance = {"tolerance": 1e-8} if method == "state-space" else {}
    folded = installed(
        kernels.readout({"LFP": {first: 1.0, second: -1.0}}, band=band, cut=1e-11),
        method=method,
        **tolerance,
    )
    network = random_network(nest, min_delay=0.75 if kernels.dt == 2**-4 else 0.7)
    recorder = nestlfp.FieldRecorder(bank, network.populations, interval=kernels.dt)
    weak = 0.1 * np.abs(kernels["LFP"].values).max()
    trigger = nestlfp.Trigger(folded, network.populations, threshold=weak, interval=kernels.dt)
    nestlfp.simulate(DURATION, progress=False)
    lfp = recorder.signals()["LFP"].values
    sos = butter(2, band, btype="bandpass", output="sos", fs=1000.0 / kernels.dt)
    expected = sosfilt(sos, lfp[0] - lfp[1])
    found = trigger.readout()
    assert found.attrs["units"] == "mV"
    late = round(trigger.latency / kernels.dt)
    heard = found.values[late:]
    n = min(heard.size, expected.size)
    assert n > 2500
    assert np.all(found.values[:late] == 0)
    difference = np.abs(heard[:n] - expected[:n]).max()
    assert difference <= bound * np.abs(expected).max()


def test_several_simulations_and_a_new_kernel(nest):
    kernels = one_channel()
    for _ in range(2):
        reset(nest, threads=2)
        bank = installed(kernels)
        network = random_network(nest)
        trigger = nestlfp.Trigger(bank, network.populations, threshold=3.0, interval=0.5)
        pieces = []
        for _ in range(3):
            nest.Simulate(84.0)
            pieces.append(trigger.readout().size)
        spikes = network.spikes(events(network))
        heard = as_heard(kernels, spikes, DURATION, trigger.latency)
        expected = crossings(heard, kernels.dt, 3.0, "rising", 0.0, 0.0)
        np.testing.assert_allclose(trigger.times(), expected, atol=1e-9)
        readout = trigger.readout()
        at = np.rint(readout.time.values / kernels.dt).astype(int) - 1
        np.testing.assert_allclose(readout.values, heard[at], atol=1e-12 * np.abs(heard).max())
        assert pieces == sorted(pieces)
        assert pieces[0] > 100
    nest.ResetKernel()
    with pytest.raises(nestlfp.NetworkError, match="the network of this trigger is gone"):
        trigger.times()


def test_one_neuron_one_lag_an_empty_population_and_the_last_step(nest):
    kernels = exponential_kernels(leads=(3, 3), lengths=(1, 1), channels=1, dt=2**-4)
    reset(nest, dt=2**-4)
    bank = installed(kernels.readout({"LFP": 0}))
    neuron = replayed(nest, [[1.0, 4.75]], delay=2**-4)
    nest.Connect(neuron, nest.Create("parrot_neuron"), syn_spec={"delay": 2**-4})
    trigger = nestlfp.Trigger(bank, {"E": neuron, "I": None}, threshold=1.0)
    nest.Simulate(5.0)
    np.testing.assert_array_equal(trigger.times(), [1.0 + 4 * 2**-4, 5.0])
    silent = nestlfp.Trigger(bank, {"E": neuron, "I": None}, threshold=-1.0, direction="falling")
    nest.Simulate(5.0)
    assert silent.times().size == 0


def test_recorder_of_the_same_bank(nest):
    """Nodes that emit and nodes that do not are of one model."""
    kernels = one_channel(leads=(9, 9))
    reset(nest, threads=2)
    bank = installed(kernels)
    network = random_network(nest)
    trigger = nestlfp.Trigger(bank, network.populations, threshold=3.0, interval=0.1)
    recorder = nestlfp.FieldRecorder(bank, network.populations, interval=0.1)
    nestlfp.simulate(DURATION, progress=False)
    recorded = recorder.signals()["readout"].squeeze(drop=True)
    heard = trigger.readout()
    np.testing.assert_allclose(heard.values, recorded.values, atol=1e-12)
    assert repr(trigger).startswith("Trigger: readout rising at 3 mV")


def refused(nest, match, kernels=None, populations=None, **options):
    reset(nest)
    bank = installed(one_channel() if kernels is None else kernels)
    network = random_network(nest)
    options = {"threshold": 3.0, **options}
    assert_refused(
        nest, match, lambda: nestlfp.Trigger(bank, populations or network.populations, **options)
    )


@pytest.mark.parametrize(
    ("match", "options"),
    [
        ("threshold must be a finite number, found nan", {"threshold": np.nan}),
        ("threshold must be a finite number, found 'high'", {"threshold": "high"}),
        (r"the threshold of 1e\+06 mV is out of reach: .* at most", {"threshold": 1e6}),
        (r"the threshold of -1e\+06 mV is out of reach", {"threshold": -1e6}),
        ("direction must be one of .*, found 'up'", {"direction": "up"}),
        ("hysteresis must not be negative", {"hysteresis": -1.0}),
        ("refractory must be at least 0 ms, found -1", {"refractory": -1.0}),
        ("refractory must be whole multiples of dt", {"refractory": 0.05}),
        ("interval must be at least 0.1 ms", {"interval": 0.0}),
        ("a trigger needs one channel, found 2 of LFP", {"kernels": exponential_kernels()}),
        ("populations must be those of the kernels", {"populations": {"E": None}}),
    ],
)
def test_bad_input(nest, match, options):
    refused(nest, match, **options)


def test_contributions_apart(nest):
    reset(nest)
    bank = installed(one_channel(), by="pre")
    network = random_network(nest)
    call = lambda: nestlfp.Trigger(bank, network.populations, threshold=1.0)  # noqa: E731
    assert_refused(nest, "found 1 of readout, apart by pre", call)


def test_network_without_connections(nest):
    reset(nest)
    bank = installed(one_channel())
    neurons = nest.Create("parrot_neuron", 4)
    call = lambda: nestlfp.Trigger(bank, {"E": neurons, "I": None}, threshold=1.0)  # noqa: E731
    assert_refused(nest, "connect it first, then make the Trigger", call)


def test_threshold_in_another_unit_is_told(nest):
    reset(nest)
    bank = installed(one_channel())
    network = random_network(nest, n=(400, 100))
    with pytest.warns(UserWarning, match=r"standard deviations away .* is it in mV\?"):
        nestlfp.Trigger(bank, network.populations, threshold=1000.0)


def test_readout_that_is_not_recorded(nest):
    reset(nest)
    bank = installed(one_channel())
    network = random_network(nest)
    trigger = nestlfp.Trigger(bank, network.populations, threshold=3.0)
    with pytest.raises(nestlfp.NetworkError, match="does not record its readout"):
        trigger.readout()
