"""PointNet of bmtk: the same spikes with and without a report, and signals that are right."""

import h5py
import numpy as np
import pytest
import sonata_files

import nestlfp
from nestlfp.bmtk import FieldReport, populations
from networks import assert_signal_is_convolution, exponential_kernels

E_AND_I = {"E": {"population": "cortex", "ei": "e"}, "I": {"ei": ["i"]}}
IDS = {"E": [*range(15), *range(25, 50)], "I": list(range(15, 25))}
KERNELS = exponential_kernels(leads=(3, 12))


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    return sonata_files.write(tmp_path_factory.mktemp("sonata"))


def network_of(config):
    """The configuration and the network, which has no nodes in NEST yet."""
    from bmtk.simulator import pointnet

    configuration = pointnet.Config.from_json(str(config))
    configuration.build_env()
    return configuration, pointnet.PointNetwork.from_config(configuration)


def simulator_of(config, *, kernels=None):
    """The network and its simulator, which loads models if there are kernels."""
    import nest
    from bmtk.simulator import pointnet

    configuration, network = network_of(config)
    # Other tests leave theirs, which NEST cannot unset. What bmtk writes has whole paths.
    nest.data_path = "/"
    if kernels is not None:
        nestlfp.bmtk.install(network, kernels)
    return network, pointnet.PointSimulator.from_config(configuration, network)


def spikes_in(config):
    """Times and node ids in the file that bmtk wrote, in one order."""
    with h5py.File(config.parent / "output" / "spikes.h5") as file:
        found = file["spikes/cortex"]
        times, ids = found["timestamps"][()], found["node_ids"][()]
    order = np.lexsort((ids, times))
    return times[order], ids[order]


@pytest.fixture(scope="module")
def spikes_alone(config):
    simulator_of(config)[1].run()
    return spikes_in(config)


def test_report(nest, config, spikes_alone):
    _, simulator = simulator_of(config, kernels=KERNELS)
    report = FieldReport(KERNELS, E_AND_I, "ecp.h5", interval=0.1)
    simulator.add_mod(report)
    simulator.run()
    times, ids = spikes_in(config)
    assert times.size > 200
    np.testing.assert_array_equal(times, spikes_alone[0])
    np.testing.assert_array_equal(ids, spikes_alone[1])
    signals = report.signals()
    spikes = {name: times[np.isin(ids, members)] for name, members in IDS.items()}
    assert min(map(len, spikes.values())) > 20
    assert_signal_is_convolution(signals, KERNELS, spikes, sonata_files.DURATION)
    with h5py.File(config.parent / "output" / "ecp.h5") as file:
        np.testing.assert_array_equal(file["ecp/data"], signals["LFP"].values.T)
        np.testing.assert_allclose(np.arange(*file["ecp/time"]), signals["time"], rtol=1e-12)


def test_a_recorder_of_the_script(nest, config, spikes_alone):
    """Without a report; and with a factor for each neuron, in the order of the node ids."""
    network, simulator = simulator_of(config, kernels=KERNELS)
    found = populations(network, E_AND_I)
    factors = {"E": np.linspace(0.5, 2.0, 40), "I": np.linspace(-1.0, 1.0, 10)}
    recorder = nestlfp.FieldRecorder(KERNELS, nestlfp.Inputs(found, weights=factors), interval=0.1)
    simulator.run()
    times, ids = spikes_in(config)
    np.testing.assert_array_equal(times, spikes_alone[0])
    n = round(sonata_files.DURATION / 0.1)
    expected = np.zeros((2, n))
    for name, members in IDS.items():
        course = KERNELS.dataset["LFP"].sel(pre=name).sum("post").values
        drive = np.zeros(n + 1)
        for node, factor in zip(members, factors[name], strict=True):
            np.add.at(drive, np.rint(times[ids == node] / 0.1).astype(int), factor)
        first = round(float(KERNELS.dataset["lag"][0]) / 0.1)
        for channel in range(2):
            whole = np.convolve(drive, np.concatenate([np.zeros(first), course[channel]]))
            expected[channel] += whole[1 : n + 1]
    signals = recorder.signals()
    at = np.rint(signals["time"].values / 0.1).astype(int) - 1
    error = np.abs(signals["LFP"].values - expected[:, at]).max()
    assert error <= 1e-12 * np.abs(expected).max()


def test_several_runs(nest, config):
    _, simulator = simulator_of(config, kernels=KERNELS)
    report = FieldReport(KERNELS, E_AND_I, "twice.h5", interval=0.1)
    simulator.add_mod(report)
    simulator.run(20.0)
    simulator.run(30.0)
    assert report.signals()["time"].values[-1] > 48.0
    with h5py.File(config.parent / "output" / "twice.h5") as file:
        assert file["ecp/data"].shape[0] == report.signals().sizes["time"]


def test_populations_by_name_and_property(nest, config):
    network, _ = simulator_of(config)
    found = populations(network, {"all": "cortex", "few": {"node_id": [7, 3]}, "none": None})
    assert found["none"] is None
    ids = network.gid_map.get_nestids("cortex", list(range(50)))
    np.testing.assert_array_equal(found["all"], ids)
    np.testing.assert_array_equal(found["few"], ids[[3, 7]])


@pytest.mark.parametrize(
    ("selections", "match"),
    [
        (["E", "I"], r"must be a dict such as \{'E': .*found \['E', 'I'\]"),
        ({"E": "V1"}, r"'E': no neuron has \{'population': 'V1'\}.*populations \['cortex', 'thal"),
        ({"X": "thalamus"}, r"'X': no neuron has .*virtual one are generators.*give None"),
        (
            {"E": {"EI": "e"}},
            r"'E' must be the name .* found \{'EI': 'e'\}.*\['population', .*'ei'",
        ),
        ({"E": 3}, r"'E' must be the name of a SONATA population .*found 3"),
    ],
)
def test_selections_that_select_nothing(nest, config, selections, match):
    network, _ = simulator_of(config)
    with pytest.raises(nestlfp.NetworkError, match=match):
        populations(network, selections)


def test_calls_in_another_order(nest, config):
    from bmtk.simulator import pointnet

    configuration, network = network_of(config)
    with pytest.raises(nestlfp.NetworkError, match=r"PointSimulator.from_config\(config, network"):
        populations(network, E_AND_I)
    simulator = pointnet.PointSimulator.from_config(configuration, network)
    nestlfp.bmtk.install(network, KERNELS)  # too late
    report = FieldReport(KERNELS, E_AND_I, "ecp.h5")
    with pytest.raises(nestlfp.NetworkError, match=r"no signals yet: simulator\.add_mod"):
        report.signals()
    simulator.add_mod(report)
    with pytest.raises(nestlfp.NetworkError, match=r"nestlfp.bmtk.install\(network\) comes before"):
        simulator.run()


@pytest.mark.parametrize("form", [lambda kernels: kernels, nestlfp.FilterBank])
def test_what_cannot_be_written_is_told_at_once(form):
    two = exponential_kernels(signals=("LFP", "EEG"))
    with pytest.raises(nestlfp.signals.SignalError, match="choose one, such as signal='LFP'"):
        FieldReport(form(two), E_AND_I, "ecp.h5")
    with pytest.raises(nestlfp.signals.SignalError, match="contacts of 'LFP' are not known"):
        FieldReport(form(KERNELS), E_AND_I, "ecp.h5", electrodes="contacts.csv")
    with pytest.raises(nestlfp.signals.SignalError, match=r"kept apart by \['pre'\]"):
        FieldReport(KERNELS, E_AND_I, "ecp.h5", by="pre")
    FieldReport(form(two), E_AND_I)
