"""Networks and independent calculations that several tests share."""

from dataclasses import dataclass

import numpy as np
import pytest

import nestlfp
from nestlfp.filters.options import method_named
from nestlfp.testing import convolved


def exponential_kernels(
    leads=(1, 1),
    lengths=(30, 30),
    channels=2,
    dt=0.1,
    pre=("E", "I"),
    post=("E", "I"),
    signals=("LFP",),
):
    """Decaying kernels: population p starts at lag leads[p] and has lengths[p] taps."""
    first = min(leads)
    n = max(lead + length for lead, length in zip(leads, lengths, strict=True)) - first
    array = np.zeros((len(post), len(pre), channels, n))
    for p, (lead, length) in enumerate(zip(leads, lengths, strict=True)):
        t = np.arange(length)
        for y in range(len(post)):
            for c in range(channels):
                start = lead - first
                array[y, p, c, start : start + length] = (
                    (-1.0) ** p * (1 + c + 3 * y) * np.exp(-t / (4.0 + 2 * c + p))
                )
    return nestlfp.KernelSet.from_arrays(
        {name: array * (i + 1) for i, name in enumerate(signals)},
        pre=pre,
        post=post,
        dt=dt,
        first_lag=first * dt,
        units=dict.fromkeys(signals, "mV"),
    )


def bank_of(kernels, method="fir", *, tolerance=None, exact_channels=None, **options):
    """A filter bank, with the options of its method by name."""
    chosen = method_named(method, tolerance=tolerance, exact_channels=exact_channels)
    return nestlfp.FilterBank(kernels, method=chosen, **options)


def installed(kernels, method="fir", **options):
    """A filter bank whose model, and no other, NEST has been made to know."""
    bank = bank_of(kernels, method, **options)
    nestlfp.install(bank)
    return bank


def assert_signal_is_convolution(recorded, kernels, spikes, duration, signal="LFP", rtol=1e-12):
    """Every recorded sample is the plain convolution at its time, to rtol of the peak."""
    n = round(duration / kernels.dt)
    reference = convolved(kernels, signal, spikes, n)
    at = np.rint(recorded.time.values / kernels.dt).astype(int)
    assert at.size > 0
    assert np.all((at >= 1) & (at <= n))
    np.testing.assert_allclose(recorded.time.values, at * kernels.dt, rtol=1e-12)
    expected = reference[:, at - 1]
    scale = max(np.abs(reference).max(), 1e-300)
    assert np.abs(recorded[signal].values - expected).max() <= rtol * scale


STDP = {
    law: {"synapse_model": "stdp_synapse", "lambda": 0.08, "alpha": 0.5, "Wmax": 100.0, **powers}
    for law, powers in {
        "additive": {"mu_plus": 0.0, "mu_minus": 0.0},
        "multiplicative": {"mu_plus": 1.0, "mu_minus": 1.0},
    }.items()
}
"""Parameters of synapses that learn quickly."""


@dataclass
class Network:
    """A small random network with Poisson input, and what it did."""

    populations: dict
    recorder: object

    def spikes(self, nest_events):
        """Spike times by population."""
        times, senders = nest_events
        return {
            name: times[np.isin(senders, nodes.tolist())]
            for name, nodes in self.populations.items()
        }


def random_network(nest, *, min_delay=0.7, spread=2.0, n=(40, 10), stdp=None):
    """E and I cells with random delays and two Poisson generators: sensitive to any disturbance.

    With `stdp`, parameters of synapses, those of E are plastic.
    """
    E = nest.Create("iaf_psc_exp", n[0])
    I = nest.Create("iaf_psc_exp", n[1])  # noqa: E741
    noise = nest.Create("poisson_generator", 2, params={"rate": 11000.0})
    spikes = nest.Create("spike_recorder")
    nest.Connect(noise[0], E, syn_spec={"weight": 32.0, "delay": min_delay})
    nest.Connect(noise[1], I, syn_spec={"weight": 33.0, "delay": min_delay})
    for source, weight in ((E, 25.0), (I, -110.0)):
        delay = nest.random.uniform(min_delay, min_delay + spread)
        nest.Connect(
            source,
            E + I,
            {"rule": "fixed_indegree", "indegree": 8},
            {"weight": weight, "delay": delay, **((stdp or {}) if source == E else {})},
        )
    nest.Connect(E + I, spikes, syn_spec={"delay": min_delay})
    return Network({"E": E, "I": I}, spikes)


def events(network):
    """Spike times and senders, in one order."""
    found = network.recorder.events
    order = np.lexsort((found["senders"], found["times"]))
    return found["times"][order], found["senders"][order]


def recorded_undisturbed(
    nest, kernels, *, threads=1, duration=252.0, min_delay=0.7, interval=1.0, **options
):
    """Record a random network that behaves as it does without recorder: (signals, spikes)."""
    reset(nest, threads=threads, dt=kernels.dt)
    alone = random_network(nest, min_delay=min_delay)
    range_alone = nest.min_delay, nest.max_delay
    nest.Simulate(duration)
    times_alone, senders_alone = events(alone)
    assert times_alone.size > 200

    reset(nest, threads=threads, dt=kernels.dt)
    bank = installed(kernels, **options)
    network = random_network(nest, min_delay=min_delay)
    recorder = nestlfp.FieldRecorder(bank, network.populations, interval=interval)
    nestlfp.simulate(duration, progress=False)
    assert (nest.min_delay, nest.max_delay) == range_alone
    times, senders = events(network)
    np.testing.assert_array_equal(times, times_alone)
    np.testing.assert_array_equal(senders, senders_alone)
    return recorder.signals(), network.spikes((times, senders))


def reset(nest, *, threads=1, dt=0.1, seed=7):
    """An empty kernel with these settings."""
    nest.ResetKernel()
    tics = 16000 if dt == 2**-4 else 1000
    nest.set(tics_per_ms=tics, resolution=dt, local_num_threads=threads, rng_seed=seed)


def replayed(nest, trains, delay=1.0):
    """A parrot neuron for each train of spike times; they spike at these times + delay."""
    parrots = nest.Create("parrot_neuron", len(trains))
    for parrot, train in zip(parrots, trains, strict=True):
        generator = nest.Create("spike_generator", params={"spike_times": list(train)})
        nest.Connect(generator, parrot, syn_spec={"delay": delay})
    return parrots


def streamed_network(nest, *, kernels=None, interval=0.5, seed=7, interval_of_bank=None, by=()):
    """A random network with its recorder, on two threads: (recorder, network).

    With an interval of the bank its kernels are low-pass filtered for it.
    """
    reset(nest, threads=2, seed=seed)
    bank = installed(
        kernels or exponential_kernels(),
        by=by,
        interval=interval_of_bank,
        antialias=interval_of_bank is not None,
    )
    network = random_network(nest)
    recorder = nestlfp.FieldRecorder(bank, network.populations, interval=interval)
    return recorder, network


def assert_refused(nest, match, call, error=nestlfp.NetworkError):
    """The call raises this error and leaves NEST as it was."""
    before = nest.network_size, nest.num_connections, nest.min_delay, nest.max_delay
    with pytest.raises(error, match=match):
        call()
    assert (nest.network_size, nest.num_connections, nest.min_delay, nest.max_delay) == before
