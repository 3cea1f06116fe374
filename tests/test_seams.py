"""What a newcomer adds, made from the parts that docs/architecture.md names, and checked.

The toy filter is in tests/filters/leaky.py.
"""

import numpy as np
import pytest

import nestlfp
from nestlfp.errors import KernelError, NetworkError, SignalError
from nestlfp.runtime.connection_plan import ConnectionPlan, bank_of
from nestlfp.runtime.inputs import Inputs
from nestlfp.runtime.install import loaded_model
from nestlfp.runtime.readout import Readout
from nestlfp.runtime.session import current
from nestlfp.signals import checked, pathways, sampling_interval
from nestlfp.simulator import Simulator
from nestlfp.testing import assert_convolution, assert_undisturbed, convolved
from networks import assert_refused, events, random_network, reset

SIGMA = 0.3  # S/m


# ---------------------------------------------------------------------- a source of kernels
def point_sources(currents, distances, dt=0.1, tau=2.0):
    """Potentials of a point current for each population, an exponential of time constant tau (ms).

    Currents are in nA, distances of the contacts in µm, potentials in mV.
    """
    if min(distances) <= 0:
        raise KernelError(f"distances must be positive (µm), found {min(distances)}")
    lags = dt * np.arange(1, 100)
    potential = 1 / (4 * np.pi * SIGMA * np.asarray(distances))
    kernels = [np.outer(current * potential, np.exp(-lags / tau)) for current in currents.values()]
    return nestlfp.KernelSet.from_arrays(
        {"LFP": np.array(kernels)[np.newaxis]},
        pre=list(currents),
        post="cells",
        dt=dt,
        first_lag=dt,
        units={"LFP": "mV"},
        provenance={"tool": "point_sources", "tau_ms": tau},
    )


KERNELS = point_sources({"E": -1.0, "I": 0.5}, [50.0, 200.0])


def test_a_source():
    spikes = {"E": [1.0, 1.5], "I": [2.0]}
    signals = KERNELS.convolve(spikes, 20.0)
    assert_convolution(signals, KERNELS, spikes)
    t = signals.time.values
    expected = sum(
        current * np.where(t > at + 0.01, np.exp(-(t - at) / 2.0), 0.0)
        for current, at in ((-1.0, 1.0), (-1.0, 1.5), (0.5, 2.0))
    ) / (4 * np.pi * SIGMA * 50.0)  # fmt: skip
    before_the_cut = t < 10
    np.testing.assert_allclose(
        signals["LFP"].values[0, before_the_cut], expected[before_the_cut], atol=1e-12
    )
    with pytest.raises(KernelError, match="distances must be positive"):
        point_sources({"E": 1.0}, [0.0])


def test_a_source_in_nest(nest):
    def build():
        network = random_network(nest)
        return network.populations, network.recorder

    assert_undisturbed(build, KERNELS, 50.0, threads=(2,))


# ---------------------------------------------------------------------- an export of signals
def to_text(dataset, path):
    """A column of time (ms), then one for each channel of each contribution."""
    sampling_interval(checked(dataset))
    names, columns = ["time_ms"], [dataset["time"].values]
    for name, array in dataset.data_vars.items():
        for labels, part in pathways(array):
            names += [".".join([name, *labels.values(), str(i)]) for i in range(len(part))]
            columns += list(part.values)
    np.savetxt(path, np.transpose(columns), header=",".join(names), delimiter=",", comments="")


def test_an_export(tmp_path):
    path = tmp_path / "signals.csv"
    spikes = {"E": [1.0], "I": [2.0]}
    signals = KERNELS.convolve(spikes, 10.0, by="pre")
    to_text(signals, path)
    read = np.genfromtxt(path, delimiter=",", names=True, deletechars="")
    assert read.dtype.names == ("time_ms", "LFP.E.0", "LFP.E.1", "LFP.I.0", "LFP.I.1")
    for name in ("E", "I"):
        expected = convolved(KERNELS, "LFP", {name: spikes[name]}, 100)
        np.testing.assert_allclose(read[f"LFP.{name}.1"], expected[1], atol=1e-15)
    with pytest.raises(SignalError, match="has no unit"):
        to_text(signals.drop_attrs(), tmp_path / "other.csv")
    assert list(tmp_path.iterdir()) == [path]


# ---------------------------------------------------------------------- a third kind of listener
class PeakMeter:
    """The largest absolute value of each output so far: a single node, without samples in memory.

    Summing over nodes would be another signal's peak, so that there is one for the whole network.
    """

    def __init__(self, kernels, populations):
        sim, what = Simulator(), "PeakMeter"
        sim.check_not_prepared(what)
        self._session = session = current(sim)
        bank = bank_of(kernels, sim, method=None)
        model = loaded_model(sim, bank)
        plan = ConnectionPlan.of(sim, bank, Inputs.of(populations), what=what)
        session.check_clock(plan.now)
        # From here on NEST is changed.
        with sim.quiet():
            synapse = session.synapse(plan.now)
            nodes = bank.create_nodes(sim, model, 1, plan.schedule.hold, every=1, until=0)
            self._readout = Readout(
                sim, nodes, plan, bank.filter.n_outputs,
                every=1, shift=plan.schedule.shift, synapse=synapse,
            )  # fmt: skip
            session.made(plan.connect(sim, nodes, synapse))
        session.listeners[self] = lambda: self._readout.clock
        self._peak = np.zeros(bank.filter.n_outputs)

    def peak(self):
        self._session.check_alive("peak meter", "Ask for its peak before that")
        self._session.check_connections()
        samples = np.abs(self._readout.take())
        self._peak = np.maximum(self._peak, samples.max(axis=1, initial=0.0))
        return self._peak


@pytest.mark.parametrize("threads", [1, 2])
def test_a_listener(nest, threads):
    """Beside a recorder; its values are those of a plain convolution, and spikes stay the same."""
    reset(nest, threads=threads)
    alone = random_network(nest)
    nest.Simulate(60.0)

    reset(nest, threads=threads)
    nestlfp.install(KERNELS)
    network = random_network(nest)
    recorder = nestlfp.FieldRecorder(KERNELS, network.populations, interval=0.1)
    meter = PeakMeter(KERNELS, network.populations)
    nest.Simulate(30.0)
    assert meter.peak().min() > 0
    nest.Simulate(30.0)
    np.testing.assert_array_equal(events(network), events(alone))
    signal = convolved(KERNELS, "LFP", network.spikes(events(network)), 600)
    n = recorder.signals().sizes["time"]
    np.testing.assert_allclose(meter.peak(), np.abs(signal[:, :n]).max(axis=1), rtol=1e-12)


def test_a_listener_refuses_what_is_wrong_and_ends_with_the_network(nest):
    reset(nest)
    nestlfp.install(KERNELS)
    populations = random_network(nest).populations
    other = {**populations, "X": []}
    assert_refused(nest, r"unknown \['X'\]", lambda: PeakMeter(KERNELS, other))
    meter = PeakMeter(KERNELS, populations)
    nest.Simulate(5.0)
    nest.GetConnections(populations["E"], synapse_model="nestlfp_synapse").disconnect()
    with pytest.raises(NetworkError, match="connections were removed"):
        meter.peak()
    nest.ResetKernel()
    with pytest.raises(NetworkError, match="network of this peak meter is gone"):
        meter.peak()
