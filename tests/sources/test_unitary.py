"""Unitary LFPs against the package tklfp, on the same spikes."""

import numpy as np
import pytest
from proxy_cases import CONTACTS, DT, WEIGHTS, agreement, by_tklfp, cells, spikes

import nestlfp
from nestlfp import KernelError, NeuronKernels
from nestlfp.sources.proxies import rwslfp, telenczuk

tklfp = pytest.importorskip("tklfp")


def both(left_out=1e-4, n_E=300, n_I=80, **options):
    """Kernels of excitatory and inhibitory neurons, and where these are."""
    places = {"E": cells(n_E), "I": cells(n_I)}
    kernels = telenczuk(
        CONTACTS, dt=DT, excitatory={"E": places["E"]}, inhibitory={"I": places["I"]},
        left_out=left_out, **options,
    )  # fmt: skip
    return kernels, places


@pytest.mark.slow
@pytest.mark.parametrize("left_out", [1e-2, 1e-4, 1e-8])
def test_telenczuk_equals_tklfp_but_for_what_is_left_out(left_out):
    rates = {"E": 3.0, "I": 6.0}
    kernels, places = both(left_out, rates=rates)
    assert isinstance(kernels, NeuronKernels)
    assert kernels.left_out()["LFP"].max() <= left_out
    trains = {"E": spikes(3.0, 300, 2000.0), "I": spikes(6.0, 80, 2000.0)}
    found = kernels.convolve(trains, 2000.0)["LFP"]
    exact = by_tklfp(places, trains, found.time.values)
    left = (found.values - exact).var(axis=1)
    expected = kernels.variance(rates)["LFP"].sel(of="left out").values
    assert np.all((left > expected / 2) & (left < expected * 2))
    assert np.all(left < 2 * left_out * exact.var(axis=1))
    assert found.attrs["units"] == "µV"
    assert found.dims == ("LFP_channel", "time")
    np.testing.assert_array_equal(found["LFP_x"], CONTACTS[:, 0])


def test_the_default_leaves_out_a_ten_thousandth():
    kernels, _ = both()
    assert 1e-6 < kernels.left_out()["LFP"].max() <= 1e-4


def test_each_neurons_kernel_is_tklfps():
    kernels, places = both(1e-12, 20, 5)
    lags = kernels.modes.dataset["lag"].values
    for name, n in (("E", 20), ("I", 5)):
        found = kernels.single(name)["LFP"].values
        for i in range(n):
            exact = by_tklfp(places, {name: (np.array([0.0]), np.array([i]))}, lags)
            assert agreement(found[i], exact) < 1e-5


def test_orientation_turns_the_profile():
    neurons = cells(5)
    flipped = telenczuk(CONTACTS, dt=DT, excitatory={"E": neurons}, orientation=[0, 0, -2.0])
    mirror = telenczuk(CONTACTS * [1, 1, -1], dt=DT, excitatory={"E": neurons * [1, 1, -1]})
    for one, other in zip(flipped.single("E").values(), mirror.single("E").values(), strict=True):
        limit = 1e-9 * np.abs(other.values).max()
        np.testing.assert_allclose(one.values, other.values, atol=limit)


def test_mean_kernels_of_modes_made_for_rates():
    rates = {"E": np.linspace(0.0, 9.0, 30), "I": 1.0}
    kernels, places = both(0.2, 30, 5, rates=rates)
    mean = kernels.mean().convolve({"E": [20.0]}, 60.0)["LFP"]
    every = {"E": (np.full(30, 20.0), np.arange(30))}
    exact = by_tklfp(places, every, mean.time.values) / 30
    assert agreement(mean.values, exact) < 1e-6


def test_one_neuron_and_contact():
    place = cells(1)
    kernels = telenczuk(CONTACTS[:1], dt=DT, inhibitory={"I": place}, channels=["a"])
    assert kernels.populations == {"I": ("I/0",)}
    spike = {"I": (np.array([20.0]), np.array([0]))}
    found = kernels.convolve(spike, 60.0)["LFP"]
    exact = by_tklfp({"I": place}, spike, found.time.values, CONTACTS[:1])
    assert agreement(found.values, exact) < 1e-6
    assert found["LFP_channel"].values.tolist() == ["a"]


def test_kernels_end_where_the_gaussian_does():
    short, long = (
        telenczuk(CONTACTS, dt=DT, excitatory={"E": cells(9)}, tail=t) for t in (1e-2, 1e-7)
    )
    assert short.modes.n_lags < 0.8 * long.modes.n_lags
    assert short.modes.first_lag_steps > long.modes.first_lag_steps


def test_a_probes_ids_are_the_channels():
    probeinterface = pytest.importorskip("probeinterface")
    probe = probeinterface.generate_linear_probe(4, 100.0)
    probe.set_contact_ids([f"site {n}" for n in range(4)])
    ids = [f"site {n}" for n in range(4)]
    unitary = telenczuk(probe, dt=DT, excitatory={"E": cells(5)}).modes
    weighted = rwslfp(probe, [0.0, 0.0, 50.0], dt=DT, **WEIGHTS)
    for kernels in (unitary, weighted):
        assert kernels["LFP"]["LFP_channel"].values.tolist() == ids
    for ask in (telenczuk, lambda given, **how: rwslfp(given, [0.0, 0, 0], dt=DT, **WEIGHTS)):
        group = probeinterface.ProbeGroup()
        group.add_probe(probeinterface.generate_linear_probe(4, 100.0))
        with pytest.raises(KernelError, match=r"ProbeGroup of 1 probes.*\.probes\[0\]"):
            ask(group, dt=DT, excitatory={"E": cells(5)})


# ---------------------------------------------------------------------- bad input
def test_what_is_no_kernels_is_told_how_to_become_some(tmp_path):
    kernels, _ = both(n_E=4, n_I=2)
    for other, how in (
        ({"E": kernels.single("E")}, r"found dict with datasets: NeuronKernels\.from_single"),
        (kernels.modes.dataset, r"found Dataset: KernelSet\(dataset\)"),
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
    "tail": ({"tail": 2.0}, "tail must lie between 0 and 1"),
    "left out": ({"left_out": 2.0}, "left_out must lie between 0 and 1"),
    "nothing left out": ({"left_out": None}, "left_out must lie .* found None"),
}


@pytest.mark.parametrize("case", BAD_TELENCZUK)
def test_bad_input_of_telenczuk(case):
    changes, message = BAD_TELENCZUK[case]
    options = {"contacts": CONTACTS, "dt": DT, "excitatory": {"E": cells(4)}, **changes}
    contacts = options.pop("contacts")
    with pytest.raises(KernelError, match=message):
        telenczuk(contacts, **options)
