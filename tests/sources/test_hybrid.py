"""The hybrid scheme: spikes replayed on cells of LFPy, against LFPy used by hand."""

import numpy as np
import pytest

from nestlfp import KernelSet, NetworkError, NeuronKernels, geometry

LFPy = pytest.importorskip("LFPy")
pytest.importorskip("lfpykit")
pytest.importorskip("neuron")

from small_cells import DT, EXAMPLE, HERE, SIZES, assert_close, cell, only, probes, single  # noqa: E402

from nestlfp.sources import hybrid  # noqa: E402

pytestmark = pytest.mark.compile


# ---------------------------------------------------------------------- against LFPy by hand
@pytest.mark.parametrize("method", ["simulate", "superpose"])
def test_weight_delay_and_position_against_lfpy(mechanisms, method):
    found = hybrid.signals(
        *single(mechanisms, times=(5.0, 11.2)), probes(), 30.0, method=method, **HERE
    )

    by_hand = LFPy.TemplateCell(**cell(), dt=DT, tstop=31.0, delete_sections=True)
    by_hand.set_pos(0.0, 0.0, 20.0)
    synapse = LFPy.Synapse(
        by_hand, idx=by_hand.get_idx("soma")[0], syntype="Exp2SynI", weight=0.025, tau1=0.5, tau2=2
    )
    synapse.set_spike_times(np.array([6.3, 12.5]))
    by_hand.simulate(rec_imem=True)
    for name, probe in zip(("LFP", "CDM"), probes(), strict=True):
        probe.cell = by_hand
        expected = (probe.get_transformation_matrix() @ by_hand.imem)[:, 1:301]
        np.testing.assert_allclose(
            found[name].values, expected, atol=1e-9 * np.abs(expected).max(), rtol=0
        )
    # Stamped 5.0 with a delay of 1.3 ms: nothing up to 6.3, and current into the soma then. (The
    # two exponentials cancel at 6.3, and NEURON's step to 6.4 starts from there.)
    assert not np.any(np.abs(found["CDM"].sel(time=slice(None, 6.31))) > 1e-12)
    assert float(found["CDM"].isel(CDM_channel=2).sel(time=6.5, method="nearest")) != 0
    assert float(found["LFP"].isel(LFP_channel=1).sel(time=8.0, method="nearest")) < 0


def test_current_source_density_against_lfpykit(mechanisms):
    """In slices and in bins: the currents of the cell by hand, and all of them add up to none."""
    import lfpykit

    segment = lfpykit.CellGeometry(x=np.zeros((1, 2)), y=np.zeros((1, 2)),
                                   z=np.array([[0.0, 1e4]]), d=np.ones(1))  # fmt: skip
    edges = np.arange(-400.0, 1201.0, 200.0)
    slices = lfpykit.LaminarCurrentSourceDensity(
        cell=segment, z=np.stack([edges[:-1], edges[1:]], axis=1), r=np.full(8, 500.0)
    )
    wide = np.array([-500.0, -20.0, 500.0])
    bins = lfpykit.VolumetricCurrentSourceDensity(cell=None, x=wide, y=wide, z=edges, dl=0.5)
    # The soma stands in a slice; it may be anywhere in a volume, not around a contact.
    made = hybrid.signals(
        *single(mechanisms), {"CSD": slices, "CSD_3d": bins, "CDM": probes()[1]}, 20.0, **HERE
    )
    assert {made[name].attrs["units"] for name in ("CSD", "CSD_3d")} == {"nA/µm³"}
    np.testing.assert_array_equal(made["CSD_z"], edges[:-1] + 100)
    np.testing.assert_array_equal(made["CSD_3d_z"].values.reshape(2, 2, 8)[1, 0], edges[:-1] + 100)
    np.testing.assert_array_equal(made["CSD_3d_x"].values.reshape(2, 2, 8)[:, 0, 0], [-260, 240])

    by_hand = LFPy.TemplateCell(**cell(), dt=DT, tstop=21.0, delete_sections=True)
    by_hand.set_pos(0.0, 0.0, 20.0)
    synapse = LFPy.Synapse(
        by_hand, idx=by_hand.get_idx("soma")[0], syntype="Exp2SynI", weight=0.025, tau1=0.5, tau2=2
    )
    synapse.set_spike_times(np.array([6.3]))
    by_hand.simulate(rec_imem=True)
    slices.cell = by_hand
    expected = (slices.get_transformation_matrix() @ by_hand.imem)[:, 1:201]
    slices.cell = None
    peak = np.abs(expected).max()
    assert peak > 0
    np.testing.assert_allclose(made["CSD"], expected, atol=1e-9 * peak, rtol=0)
    slices.z = np.array([[-400.0, -399.0]])
    slices.r = slices.r[:1]
    with pytest.raises(NetworkError, match=r"as thick as segments .* found 1 µm"):
        hybrid.signals(*single(mechanisms), [slices], 20.0, **HERE)
    # The two count currents per volume alike: cylinders of 500 µm, boxes of 1 mm on each side.
    currents = made["CSD"].values * np.pi * 500**2 * 200
    widths = np.diff(wide)
    volumes = widths[:, None, None] * widths[:, None] * np.full(8, 200.0)
    in_bins = (made["CSD_3d"].values * volumes.reshape(-1, 1)).reshape(4, 8, -1).sum(axis=0)
    np.testing.assert_allclose(in_bins, currents, atol=2e-2 * np.abs(currents).max())
    assert np.abs(in_bins.sum(axis=0)).max() < 1e-9 * np.abs(in_bins).max()


def test_delays_shift_the_signal(mechanisms):
    early = hybrid.signals(*single(mechanisms, delay=1.0), probes(), 20.0, **HERE)
    late = hybrid.signals(*single(mechanisms, delay=1.7), probes(), 20.0, **HERE)
    np.testing.assert_allclose(
        late["CDM"].values[:, 7:], early["CDM"].values[:, :-7], atol=1e-12, rtol=1e-9
    )


def test_weights_scale_the_signal(mechanisms):
    one = hybrid.signals(*single(mechanisms, weight=10.0), probes(), 20.0, **HERE)
    other = hybrid.signals(*single(mechanisms, weight=-4.0, nA_per_pA=5e-3), probes(), 20.0, **HERE)
    assert_close(other, -2 * one, 1e-10)


def test_multapses_add_up(mechanisms):
    one = hybrid.signals(*single(mechanisms), probes(), 20.0, **HERE)
    three = hybrid.signals(*single(mechanisms, multapses=3), probes(), 20.0, **HERE)
    assert_close(three, 3 * one, 1e-10)


@pytest.mark.parametrize("method", ["simulate", "superpose"])
@pytest.mark.parametrize(
    ("kind", "taken"),
    [
        ({"tau1": 0.0, "tau2": 0.5}, 0.2 / (1.0 - np.exp(-0.2))),  # of a current that jumps
        ({"tau1": 0.001, "tau2": 0.5}, 0.2 / (np.exp(0.2) - 1.0)),
    ],
)
def test_charge_of_short_synapses(mechanisms, method, kind, taken):
    """Steps of 0.1 ms take this part of the charge; the passive cell is linear."""
    one, how = single(mechanisms, **kind), {"method": method, **HERE}
    plain = hybrid.signals(*one, probes(), 20.0, **how)
    corrected = hybrid.signals(*one, probes(), 20.0, correct_charge=True, **how)
    for name in ("LFP", "CDM"):
        np.testing.assert_allclose(corrected[name], plain[name] / taken, rtol=2e-3)
    kernels = hybrid.kernels(*one, probes(), 20.0, correct_charge=True, **how)
    np.testing.assert_allclose(kernels["CDM"][0, 0, 2].sum(), corrected["CDM"][2].sum(), rtol=1e-2)


def test_equal_time_constants_are_the_alpha_function(mechanisms):
    alpha = hybrid.signals(*single(mechanisms, tau1=2.0, tau2=2.0), probes(), 30.0, **HERE)
    near = hybrid.signals(*single(mechanisms, tau1=1.99, tau2=2.01), probes(), 30.0, **HERE)
    assert np.all(np.isfinite(alpha["LFP"]))
    assert_close(alpha, near, 1e-3)


# ---------------------------------------------------------------------- what follows from linearity
def test_signals_are_linear_in_the_spikes(network, populations):
    both = hybrid.signals(network, populations, probes(), 50.0, **HERE)
    parts = [
        hybrid.signals(only(network, spikes={x: network.spikes[x]}), populations, probes(), 50.0,
                       **HERE)
        for x in SIZES
    ]  # fmt: skip
    assert_close(parts[0] + parts[1], both, 1e-10)
    apart = hybrid.signals(network, populations, probes(), 50.0, by=("pre", "post"), **HERE)
    assert_close(apart.sum(["pre", "post"]), both, 1e-10)
    for part, x in zip(parts, SIZES, strict=True):
        assert_close(apart.sel(pre=x).sum("post"), part, 1e-10)


def test_superposition_is_the_simulation(network, populations):
    for what, arguments in (
        (hybrid.signals, (50.0,)),
        (hybrid.kernels, (20.0,)),
        (hybrid.single_kernels, ("I", 20.0)),
    ):
        plain, fast = (
            what(network, populations, probes(), *arguments, method=method, **HERE)
            for method in ("simulate", "superpose")
        )
        if what is hybrid.kernels:
            plain, fast = plain.dataset, fast.dataset
        assert_close(fast, plain, 1e-8)


def test_measured_kernel_predicts_synchronous_spikes(network, populations):
    times = np.array([5.0, 17.3])
    together = {"I": (np.repeat(times, 3), np.tile(np.arange(3), 2))}
    full = hybrid.signals(only(network, spikes=together), populations, probes(), 40.0, **HERE)
    kernels = hybrid.kernels(network, populations, probes(), 40.0, **HERE)
    predicted = kernels.convolve({"I": np.repeat(times, 3)}, 40.0)
    assert_close(predicted, full, 1e-10)
    assert predicted["LFP"].dims == full["LFP"].dims


def test_population_kernel_is_the_mean_of_single_kernels(network, populations):
    kernels = hybrid.kernels(network, populations, probes(), 20.0, **HERE)
    singles = hybrid.single_kernels(network, populations, probes(), "E", 20.0, **HERE)
    assert singles.sizes["neuron"] == SIZES["E"]
    assert_close(singles.mean("neuron"), kernels.dataset.sel(pre="E").sum("post"), 1e-10)
    some = hybrid.single_kernels(network, populations, probes(), "E", 20.0, neurons=[5, 2], **HERE)
    assert_close(some, singles.sel(neuron=[5, 2]), 1e-12)


def test_single_kernels_add_up_to_the_signal(network, populations):
    full = hybrid.signals(network, populations, probes(), 40.0, **HERE)
    total = np.zeros_like(full["CDM"].values)
    for x in SIZES:
        singles = hybrid.single_kernels(network, populations, probes(), x, 40.0, **HERE)
        for time, neuron in zip(*network.spikes[x], strict=True):
            step = round(time / DT)
            total[:, step:] += singles["CDM"].values[neuron, :, : total.shape[1] - step]
    np.testing.assert_allclose(total, full["CDM"], atol=1e-10 * np.abs(total).max())


def test_modes_of_single_kernels_give_the_signal(network, populations):
    """The full calculation, from modes to rounding, with the labels of signals."""
    full = hybrid.signals(network, populations, probes(), 40.0, **HERE)
    singles = {
        x: hybrid.single_kernels(network, populations, probes(), x, 40.0, **HERE) for x in SIZES
    }
    kernels = NeuronKernels.from_single(singles, modes=max(SIZES.values()) + 1)
    found = kernels.convolve(network.spikes, 40.0)
    assert_close(found, full, 1e-9)
    for name in full.data_vars:
        np.testing.assert_array_equal(found[f"{name}_channel"], full[f"{name}_channel"])
    np.testing.assert_array_equal(found["LFP_z"], full["LFP_z"])


# ---------------------------------------------------------------------- reproducible
def test_processes_do_not_change_the_result(network, populations):
    one, three = (
        hybrid.signals(network, populations, probes(), 50.0, processes=n, progress=False)
        for n in (1, 3)
    )
    assert one.identical(three)
    assert_close(hybrid.signals(network, populations, probes(), 50.0, **HERE), one, 1e-12)


def test_seed_decides(network, populations):
    one, same, other = (
        hybrid.signals(network, populations, probes(), 50.0, seed=seed, **HERE)
        for seed in (1, 1, 2)
    )
    assert one.equals(same)
    assert not np.allclose(one["LFP"], other["LFP"], rtol=0.01)


def test_order_of_connections_does_not_matter(network, populations):
    order = np.random.default_rng(3).permutation(12)
    shuffled = {
        pathway: hybrid.Connections(
            *(getattr(c, name)[order] for name in ("source", "target", "weight", "delay"))
        )
        for pathway, c in network.connections.items()
    }
    one = hybrid.signals(network, populations, probes(), 50.0, **HERE)
    other = hybrid.signals(only(network, connections=shuffled), populations, probes(), 50.0, **HERE)
    assert one.equals(other)


@pytest.mark.parametrize("silent", [{}, {"E": ([], [])}], ids=["not recorded", "no spikes"])
def test_silence(network, populations, silent):
    found = hybrid.signals(only(network, spikes=silent), populations, probes(), 10.0, **HERE)
    assert not np.any(found["LFP"])
    assert found["LFP"].shape == (3, 100)


@pytest.mark.parametrize("by", [(), "post", ("pre", "post")])
def test_layout_is_that_of_convolve(network, populations, by):
    kernels = hybrid.kernels(network, populations, probes(), 5.0, method="superpose", **HERE)
    full = hybrid.signals(network, populations, probes(), 10.0, by=by, method="superpose", **HERE)
    offline = kernels.convolve({"E": [1.0]}, 10.0, by=by)
    for name in ("LFP", "CDM"):
        assert full[name].dims == offline[name].dims
        assert full[name].attrs == offline[name].attrs
    for name in offline.coords:
        assert full[name].equals(offline[name]), name


def test_kernels_know_where_they_come_from(network, populations, tmp_path):
    kernels = hybrid.kernels(network, populations, probes(), 5.0, method="superpose", **HERE)
    kernels.save(tmp_path / "kernels.nc")
    source = KernelSet.load(tmp_path / "kernels.nc").provenance
    assert source["tool"] == "nestlfp.sources.hybrid"
    described = source["parameters"]["populations"]["E"]
    assert described["positions"] == {"radius": 100.0, "loc": 0.0, "scale": 50.0}
    assert described["synapses"]["E"]["depth"] == [[1.0, {"name": "norm", "args": [200, 150]}]]
    assert described["synapses"]["I"]["multapses"]["name"] == "truncnorm"
    assert str(EXAMPLE) not in str(source)  # nothing of this machine
    assert geometry.geometry_of(kernels).cylinders["E"].radius == 100.0


# ---------------------------------------------------------------------- conductances
def conducting(mechanisms, **changes):
    """One conductance on the soma."""
    return single(mechanisms, **{"reversal": 0.0, "nS_per_weight": 2.0, **changes})


@pytest.mark.parametrize(
    ("kind", "parameters"),
    [
        ({"tau1": 0.5}, {"syntype": "Exp2Syn", "tau1": 0.5, "tau2": 2.0}),
        ({"tau1": 0.0}, {"syntype": "ExpSyn", "tau": 2.0}),
    ],
)
def test_conductance_against_lfpy(mechanisms, kind, parameters):
    """Whatever the sign of the weight: 2 nS for each unit of it."""
    found = hybrid.signals(
        *conducting(mechanisms, weight=-25.0, times=(5.0, 11.2), reversal=-80.0, **kind),
        probes(), 30.0, **HERE,
    )  # fmt: skip
    by_hand = LFPy.TemplateCell(**cell(), dt=DT, tstop=31.0, delete_sections=True)
    by_hand.set_pos(0.0, 0.0, 20.0)
    synapse = LFPy.Synapse(
        by_hand, idx=by_hand.get_idx("soma")[0], weight=0.05, e=-80.0, **parameters
    )
    synapse.set_spike_times(np.array([6.3, 12.5]))
    by_hand.simulate(rec_imem=True)
    for name, probe in zip(("LFP", "CDM"), probes(), strict=True):
        probe.cell = by_hand
        expected = (probe.get_transformation_matrix() @ by_hand.imem)[:, 1:301]
        assert np.abs(expected).max() > 0
        np.testing.assert_allclose(
            found[name].values, expected, atol=1e-12 * np.abs(expected).max(), rtol=0
        )


def test_conductances_saturate(mechanisms):
    """Strong ones bring less than in proportion, at the reversal potential nothing."""
    peaks = {}
    for weight in (1e-3, 1.0, 100.0):
        found = hybrid.signals(*conducting(mechanisms, weight=weight), probes(), 20.0, **HERE)
        peaks[weight] = np.abs(found["CDM"]).max().item()
    assert peaks[1.0] == pytest.approx(1e3 * peaks[1e-3], rel=0.1)
    assert peaks[100.0] < 50 * peaks[1.0]
    silent = hybrid.signals(*conducting(mechanisms, reversal=-65.0), probes(), 20.0, **HERE)
    assert np.abs(silent["CDM"]).max() < 1e-9 * peaks[1.0]


def test_equal_synapses_on_a_segment_are_one(mechanisms):
    """Conductances add up before the membrane sees them."""
    three = hybrid.signals(*conducting(mechanisms, multapses=3), probes(), 20.0, **HERE)
    larger = hybrid.signals(*conducting(mechanisms, weight=75.0), probes(), 20.0, **HERE)
    assert_close(three, larger, 1e-12)


def test_conductances_have_no_superposition(mechanisms):
    network, populations = conducting(mechanisms)
    given = network, populations, probes()
    for arguments in ({"method": "superpose"}, {"by": "pre"}):
        with pytest.raises(NetworkError, match=r"'E' on 'E' are conductances.*method=\"simulate\""):
            hybrid.signals(*given, 10.0, **arguments, **HERE)
    for method in ("simulate", "superpose"):
        with pytest.raises(NetworkError, match=r"\(reversal = 0 mV\).*compute\(..., g_eff=True"):
            hybrid.kernels(*given, 10.0, method=method, **HERE)
        with pytest.raises(NetworkError, match=r"without reversal"):
            hybrid.single_kernels(*given, "E", 10.0, method=method, **HERE)
    by_post = hybrid.signals(*given, 10.0, by="post", **HERE)
    assert_close(by_post.sum("post"), hybrid.signals(*given, 10.0, **HERE), 1e-12)
