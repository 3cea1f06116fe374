"""Unitary LFPs against the package tklfp, on the same spikes."""

import numpy as np
import pytest
from proxy_cases import CONTACTS, DT, WEIGHTS, agreement, cells, rounded_tklfp, spikes

import nestlfp
from nestlfp import KernelError, NeuronKernels
from nestlfp.sources.proxies import rwslfp, telenczuk

tklfp = pytest.importorskip("tklfp")


def test_telenczuk_equals_tklfp():
    places = {"E": cells(60), "I": cells(15)}
    trains = {"E": spikes(3.0, 60), "I": spikes(6.0, 15)}
    proxy = telenczuk(CONTACTS, dt=DT, excitatory={"E": places["E"]}, inhibitory={"I": places["I"]})
    found = proxy.convolve(trains, 250.0)["LFP"]
    model = rounded_tklfp(places["E"], places["I"], CONTACTS)
    neurons = np.concatenate([trains["E"][1], 60 + trains["I"][1]])
    at = np.concatenate([trains["E"][0], trains["I"][0]])
    expected = model.compute(neurons, at, np.arange(1, 2501) * DT).T
    assert agreement(found.values, expected) < 1e-6
    assert found.attrs["units"] == "µV"
    assert found.dims == ("LFP_channel", "time")
    np.testing.assert_array_equal(found["LFP_x"], CONTACTS[:, 0])


def test_amplitudes_of_neurons_are_those_of_tklfp():
    neurons = cells(25)
    proxy = telenczuk(CONTACTS, dt=DT, inhibitory={"I": neurons}, channels=list("abcd"))
    model = tklfp.TKLFP(*neurons.T / 1e3, False, elec_coords_mm=CONTACTS / 1e3)
    np.testing.assert_allclose(proxy.weights["I"], model._amp, atol=1e-12)
    total = proxy.delays["I"] + tklfp.params2020["d_ms"]
    assert np.max(np.abs(total - model._delay)) <= DT / 2 + 1e-9
    assert proxy.channels == ("a", "b", "c", "d")


def test_orientation_turns_the_profile():
    neurons = cells(5)
    flipped = telenczuk(CONTACTS, dt=DT, excitatory={"E": neurons}, orientation=[0, 0, -2.0])
    mirror = telenczuk(CONTACTS * [1, 1, -1], dt=DT, excitatory={"E": neurons * [1, 1, -1]})
    np.testing.assert_allclose(flipped.weights["E"], mirror.weights["E"], rtol=1e-12)


def test_delays_are_on_the_grid_and_their_range_is_told():
    proxy = telenczuk(CONTACTS, dt=0.25, excitatory={"E": cells(50)}, inhibitory={"I": cells(9)})
    for found in proxy.delays.values():
        assert found.min() >= 0
        np.testing.assert_array_equal(found / 0.25, np.rint(found / 0.25))
    every = np.hstack([proxy.delays["E"], proxy.delays["I"]])
    assert proxy.delay_range == max(row.max() - row.min() for row in every)


@pytest.mark.parametrize("tolerance", [1e-2, 1e-4, 1e-8])
def test_delays_as_modes(tolerance):
    places = {"E": cells(300), "I": cells(80)}
    proxy = telenczuk(CONTACTS, dt=DT, excitatory={"E": places["E"]}, inhibitory={"I": places["I"]})
    rates = {"E": 3.0, "I": 6.0}
    kernels = proxy.by_modes(tolerance, rates=rates)
    assert kernels.left_out()["LFP"].max() <= tolerance
    trains = {"E": spikes(3.0, 300, 2000.0), "I": spikes(6.0, 80, 2000.0)}
    exact, found = (each.convolve(trains, 2000.0)["LFP"] for each in (proxy, kernels))
    left = (found - exact).var("time").values
    expected = kernels.variance(rates)["LFP"].sel(of="left out").values
    assert np.all((left > expected / 2) & (left < expected * 2))
    assert np.all(left < 2 * tolerance * exact.var("time").values)
    assert found.attrs["units"] == "µV"
    np.testing.assert_array_equal(found["LFP_x"], CONTACTS[:, 0])


def test_mean_kernels_of_modes_made_for_rates():
    proxy = telenczuk(CONTACTS, dt=DT, excitatory={"E": cells(30)})
    kernels = proxy.by_modes(modes=2, rates={"E": np.linspace(0.0, 9.0, 30)})
    mean = kernels.mean().convolve({"E": [20.0]}, 60.0)["LFP"]
    every = {"E": (np.full(30, 20.0), np.arange(30))}
    np.testing.assert_allclose(mean, proxy.convolve(every, 60.0)["LFP"] / 30, atol=1e-9)


def test_one_neuron_and_contact_as_modes():
    proxy = telenczuk(CONTACTS[:1], dt=DT, inhibitory={"I": cells(1)}, channels=["a"])
    kernels = proxy.by_modes()
    assert kernels.populations == {"I": ("I/0",)}
    spike = {"I": ([20.0], [0])}
    a, b = (each.convolve(spike, 60.0)["LFP"] for each in (proxy, kernels))
    assert agreement(b.values, a.values) < 1e-12
    assert b["LFP_channel"].values.tolist() == ["a"]
    assert len(proxy.by_modes(modes=5).populations["I"]) == 1


def test_a_probes_ids_are_the_channels():
    probeinterface = pytest.importorskip("probeinterface")
    probe = probeinterface.generate_linear_probe(4, 100.0)
    probe.set_contact_ids([f"site {n}" for n in range(4)])
    proxy = telenczuk(probe, dt=DT, excitatory={"E": cells(5)})
    assert proxy.channels == ("site 0", "site 1", "site 2", "site 3")
    weighted = rwslfp(probe, [0.0, 0.0, 50.0], dt=DT, **WEIGHTS)
    assert tuple(weighted["LFP"]["LFP_channel"].values) == proxy.channels
    for ask in (telenczuk, lambda given, **how: rwslfp(given, [0.0, 0, 0], dt=DT, **WEIGHTS)):
        group = probeinterface.ProbeGroup()
        group.add_probe(probeinterface.generate_linear_probe(4, 100.0))
        with pytest.raises(KernelError, match=r"ProbeGroup of 1 probes.*\.probes\[0\]"):
            ask(group, dt=DT, excitatory={"E": cells(5)})


# ---------------------------------------------------------------------- bad input
def test_unitary_lfps_are_not_kernels_of_populations(tmp_path):
    proxy = telenczuk(CONTACTS, dt=DT, excitatory={"E": cells(4)})
    told = r"PerNeuronKernels.*\.by_modes\(\).*\.kernels.*per_contact\(\)"
    with pytest.raises(KernelError, match=told):
        nestlfp.FilterBank(proxy)
    with pytest.raises(nestlfp.errors.ActivityError, match=told):
        nestlfp.activity.convolve(proxy, tmp_path)
    single = NeuronKernels.from_arrays(
        {"E": {"LFP": np.ones((2, 1, 3))}}, dt=DT, units={"LFP": "mV"}, modes=1
    ).single("E")
    for other, how in (
        ({"E": single}, r"found dict with datasets: NeuronKernels\.from_single"),
        (proxy.kernels.dataset, r"found Dataset: KernelSet\(dataset\)"),
        (tmp_path / "kernels.nc", r"KernelSet\.load\('.*kernels\.nc'\)"),
    ):
        with pytest.raises(KernelError, match=how):
            nestlfp.FilterBank(other)


BAD_TELENCZUK = {
    "no neurons": ({"excitatory": {}}, "no presynaptic populations"),
    "both roles": ({"inhibitory": {"E": cells(2)}}, "both excitatory and inhibitory"),
    "neurons in mm": ({"excitatory": {"E": cells(3) / 1e3}}, "'E' must be in µm and look like"),
    "all in mm": (
        {"contacts": CONTACTS / 1e2, "excitatory": {"E": cells(50) / 50}},
        "contacts must be in µm and look like millimetres: none exceeds 4 ",
    ),
    "neurons in mm, widely": ({"excitatory": {"E": cells(50) / 20}}, "'E' must .* millimetres"),
    "one of each in mm": (
        {"contacts": [[0.0, 0.0, 2.5]], "excitatory": {"E": [[0.0, 0.0, 1.5]]}},
        "contacts and neurons must be in µm and look like millimetres: none exceeds 2.5 ",
    ),
    "one neuron's shape": ({"excitatory": {"E": [0, 0, 0]}}, r"'E' must have shape \(n, 3\)"),
    "contacts in metres": ({"contacts": CONTACTS * 1e-6}, "contacts must be in µm and look like"),
    "labels": ({"channels": ["a"]}, "there are 4 contacts but 1 channels"),
    "no sigma": (
        {"parameters": tklfp.params2020 | {"sig_e_ms": 0.0}},
        r"parameters\['sig_e_ms'\] must be a positive number",
    ),
    "parameter missing": ({"parameters": {"d_ms": 10.4}}, r"parameters lacks \['va_m_s'"),
    "tolerance": ({"tolerance": 2.0}, "tolerance must lie between 0 and 1"),
}


@pytest.mark.parametrize("case", BAD_TELENCZUK)
def test_bad_input_of_telenczuk(case):
    changes, message = BAD_TELENCZUK[case]
    options = {"contacts": CONTACTS, "dt": DT, "excitatory": {"E": cells(4)}, **changes}
    contacts = options.pop("contacts")
    with pytest.raises(KernelError, match=message):
        telenczuk(contacts, **options)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"I": ([1.0], [0])}, r"spikes of unknown populations: \['I'\]"),
        ({"E": ([1.0], [4])}, r"spikes of unknown neurons: 'E' has the neurons 0 … 3, found 4"),
        ({"E": ([1.0], [-1])}, "spikes of unknown neurons"),
        ({"E": ([1.0, 2.0], [1])}, "'E' has 2 spike times, but 1 neurons"),
        ({"E": ([1.03], [1])}, "whole multiples of dt.*rounding='up'"),
        ({"E": ([1], [1.0])}, "exchange the two arrays"),
    ],
)
def test_bad_spikes_of_telenczuk(given, message):
    proxy = telenczuk(CONTACTS, dt=DT, excitatory={"E": cells(4)})
    with pytest.raises(KernelError, match=message):
        proxy.convolve(given, 10.0)
