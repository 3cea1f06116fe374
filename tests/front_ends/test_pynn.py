"""PyNN: the same spikes with and without recorder, and signals that are right."""

import numpy as np
import pytest

import nestlfp
from networks import assert_signal_is_convolution, convolved, exponential_kernels

KERNELS = exponential_kernels(leads=(3, 12))
DT = KERNELS.dt


@pytest.fixture
def sim(nest):
    import pyNN.nest

    yield pyNN.nest
    pyNN.nest.setup()  # forgets its populations


def network(sim, *, install=True, **options):
    """A random network: its population, and the views E and I of it."""
    sim.setup(timestep=DT, rng_seed=3, **options)
    if install:
        nestlfp.install(KERNELS)
    rng = sim.NumpyRNG(seed=5)
    cells = sim.Population(50, sim.IF_curr_exp(tau_syn_E=1.0), label="cells")
    noise = sim.Population(50, sim.SpikeSourcePoisson(rate=3000.0))
    E, I = cells[:40], cells[40:]  # noqa: E741
    delays = sim.RandomDistribution("uniform", (0.6, 3.0), rng=rng)
    strong = sim.StaticSynapse(weight=1.2, delay=0.5)
    sim.Projection(noise, cells, sim.OneToOneConnector(), strong, receptor_type="excitatory")
    for some, weight, kind in ((E, 0.3, "excitatory"), (I, -1.0, "inhibitory")):
        synapse = sim.StaticSynapse(weight=weight, delay=delays)
        connector = sim.FixedProbabilityConnector(0.2, rng=rng)
        sim.Projection(some, cells, connector, synapse, receptor_type=kind)
    cells.record("spikes")
    return cells, E, I


def spikes_of(some, segment=0):
    """Spike times of each neuron (ms), as PyNN has them."""
    trains = some.get_data("spikes").segments[segment].spiketrains
    return [train.rescale("ms").magnitude for train in trains]


@pytest.mark.parametrize("options", [{}, {"min_delay": 0.5, "threads": 2}], ids=["auto", "set"])
@pytest.mark.parametrize("precision", ["on_grid", "off_grid"])
def test_views_and_several_runs(nest, sim, options, precision):
    trains = {}
    for recorded in (False, True):
        cells, E, I = network(sim, install=recorded, spike_precision=precision, **options)  # noqa: E741
        if recorded:
            recorder = nestlfp.FieldRecorder(KERNELS, {"E": E, "I": I}, interval=DT)
        for t in (100.0, 51.0):
            sim.run(t)
        trains[recorded] = spikes_of(cells)
    assert sum(map(len, trains[True])) > 500
    for alone, found in zip(trains[False], trains[True], strict=True):
        np.testing.assert_array_equal(found, alone)
    steps = np.concatenate(trains[True]) / DT
    assert (np.abs(steps - np.rint(steps)).max() > 0.1) == (precision == "off_grid")
    signals = recorder.signals().sel(time=slice(None, 150.0))
    spikes = {"E": np.concatenate(trains[True][:40]), "I": np.concatenate(trains[True][40:])}
    assert_signal_is_convolution(signals, KERNELS, spikes, 151.0)
    assert signals.sizes["time"] == 1500


def test_assemblies_and_spike_sources(nest, sim):
    """An assembly is a population; so are sources, which PyNN makes parrot neurons of."""
    sim.setup(timestep=DT)
    nestlfp.install(KERNELS)
    times = [[3.0, 7.04, 9.9], [2.22]]
    sources = [sim.Population(1, sim.SpikeSourceArray(spike_times=each)) for each in times]
    cell = sim.Population(1, sim.IF_curr_exp())
    synapse = sim.StaticSynapse(weight=0.1, delay=1.0)
    for each in sources:
        sim.Projection(each, cell, sim.AllToAllConnector(), synapse, receptor_type="excitatory")
        each.record("spikes")
    inputs = nestlfp.Inputs({"E": sources[0] + sources[1], "I": None}, weights={"E": [1.0, -2.0]})
    recorder = nestlfp.FieldRecorder(KERNELS, inputs, interval=DT)
    sim.run(30.0)
    trains = [np.concatenate(spikes_of(each)) for each in sources]
    assert [train.size for train in trains] == [3, 1]
    alone = [convolved(KERNELS, "LFP", {"E": train, "I": []}, 300) for train in trains]
    signals = recorder.signals()
    at = np.rint(signals["time"].values / DT).astype(int) - 1
    expected = (alone[0] - 2.0 * alone[1])[:, at]
    assert np.abs(expected).max() > 1.0
    assert np.abs(signals["LFP"].values - expected).max() <= 1e-12 * np.abs(expected).max()


def test_reset(nest, sim):
    """PyNN's time starts again at 0; NEST's goes on, and is that of the signals."""
    cells, E, I = network(sim, t_flush=50.0)  # noqa: E741
    recorder = nestlfp.FieldRecorder(KERNELS, {"E": E, "I": I}, interval=DT)
    sim.run(60.0)
    with pytest.warns(UserWarning, match="reset functionality"):
        sim.reset()
    start = nest.biological_time
    assert start > 110.0
    sim.run(80.0)
    later = spikes_of(cells, segment=1)
    assert sum(map(len, later)) > 200
    signals = recorder.signals().sel(time=slice(start, None))
    signals = signals.assign_coords(time=signals["time"] - start).sel(time=slice(10.0, 79.0))
    spikes = {"E": np.concatenate(later[:40]), "I": np.concatenate(later[40:])}
    assert signals.sizes["time"] > 680
    signals = signals.assign_coords(time=np.rint(signals["time"] / DT) * DT)
    assert_signal_is_convolution(signals, KERNELS, spikes, 80.0)


def test_setup_ends_a_recorder(nest, sim):
    _, E, I = network(sim)  # noqa: E741
    recorder = nestlfp.FieldRecorder(KERNELS, {"E": E, "I": I})
    sim.run(10.0)
    sim.setup(timestep=DT)
    with pytest.raises(nestlfp.NetworkError, match=r"is gone: .*\(PyNN's sim.setup\(\) calls"):
        recorder.signals()


def test_install_before_setup(nest, sim):
    nestlfp.install(KERNELS)
    sim.setup(timestep=DT)
    cells = sim.Population(2, sim.IF_curr_exp())
    with pytest.raises(nestlfp.NetworkError, match=r"install\(\) after .*\(PyNN's sim.setup\(\)"):
        nestlfp.FieldRecorder(KERNELS, {"E": cells, "I": None})
    with pytest.raises(nestlfp.NetworkError, match=r"nodes already.*\(PyNN's sim.setup\(\) calls"):
        nestlfp.install(KERNELS)


def test_streaming_begins_after_a_first_run(nest, sim, tmp_path):
    """Which connects spike sources: nestlfp.simulate would leave them out, silently."""
    cells, E, I = network(sim)  # noqa: E741
    recorder = nestlfp.FieldRecorder(KERNELS, {"E": E, "I": I}, interval=DT)
    for call in (
        lambda: nestlfp.simulate(60.0, progress=False),
        lambda: next(iter(nestlfp.loop(60.0, every=5.0))),
    ):
        with pytest.raises(nestlfp.NetworkError, match=r"before the first sim.run\(\): PyNN"):
            call()
    assert nest.biological_time == 0.0
    sim.run(1.0)
    nestlfp.simulate(100.0, to=tmp_path / "signals.zarr", progress=False)
    sim.run(20.0)
    trains = spikes_of(cells)
    assert sum(map(len, trains)) > 300
    signals = recorder.signals().sel(time=slice(None, 120.0)).load()
    spikes = {"E": np.concatenate(trains[:40]), "I": np.concatenate(trains[40:])}
    assert_signal_is_convolution(signals, KERNELS, spikes, 121.0)
