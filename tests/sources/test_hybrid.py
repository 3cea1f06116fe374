"""The hybrid scheme: spikes replayed on cells of LFPy, against LFPy used by hand."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import scipy.stats as st

from nestlfp import KernelError, KernelSet, NetworkError, ToolchainError, geometry
from nestlfp.errors import MissingExtraError

LFPy = pytest.importorskip("LFPy")
lfpykit = pytest.importorskip("lfpykit")
neuron = pytest.importorskip("neuron")

from nestlfp.sources import hybrid  # noqa: E402

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "two_population"
SIZES = {"E": 7, "I": 3}
DT = 0.1
HERE = {"progress": False, "processes": 0}


@pytest.fixture(scope="session")
def mechanisms(tmp_path_factory):
    """Folder with the compiled current-based synapse."""
    folder = tmp_path_factory.mktemp("mechanisms")
    beside = shutil.which("nrnivmodl", path=Path(sys.executable).parent) or "nrnivmodl"
    subprocess.run([beside, EXAMPLE / "mechanisms"], cwd=folder, check=True, capture_output=True)
    return str(folder)


def cell(post="E"):
    return {
        "morphology": str(EXAMPLE / "cells" / f"{post}.hoc"),
        "templatefile": str(EXAMPLE / "cells" / "BallAndSticks.hoc"),
        "templatename": "BallAndSticks",
        "v_init": -65.0,
        "Ra": 100.0,
        "cm": 1.0,
        "passive": True,
        "passive_parameters": {"g_pas": 1e-4, "e_pas": -65.0},
    }


def probes(x=40.0):
    z = np.array([500.0, 0.0, -150.0])
    return [
        lfpykit.LineSourcePotential(None, x=np.full(3, x), y=np.zeros(3), z=z, sigma=0.3),
        lfpykit.CurrentDipoleMoment(None),
    ]


@pytest.fixture
def network():
    """Random connections and spikes."""
    rng = np.random.default_rng(1)
    connections = {
        (x, y): hybrid.Connections(
            rng.integers(SIZES[x], size=12),
            rng.integers(SIZES[y], size=12),
            rng.normal(20.0, 2.0, 12) * (1 if x == "E" else -4),
            rng.integers(3, 30, 12) * DT,
        )
        for x in SIZES
        for y in SIZES
    }
    spikes = {
        x: (rng.integers(n, size=15), rng.integers(1, 400, 15) * DT) for x, n in SIZES.items()
    }
    return hybrid.Network(SIZES, connections, spikes, DT)


@pytest.fixture
def populations(mechanisms):
    from_e = hybrid.Synapses(
        0.2, 1.8, section=["dend", "apic"], depth=[(1.0, st.norm(200, 150))], multapses=2
    )
    from_i = hybrid.Synapses(0.1, 9.0, multapses=st.truncnorm(-4, 9, loc=5, scale=0.9))
    return {
        y: hybrid.Population(
            cell(y), {"E": from_e, "I": from_i}, hybrid.Column(100.0, 0.0, 50.0), mechanisms
        )
        for y in SIZES
    }


def only(network, **changes):
    """The network with other connections or spikes."""
    given = {name: getattr(network, name) for name in ("sizes", "connections", "spikes", "dt")}
    return hybrid.Network(**(given | changes))


def single(mechanisms, *, weight=25.0, delay=1.3, times=(5.0,), position=(0.0, 0.0, 20.0), **kind):
    """One neuron with one synapse on the soma of one cell."""
    network = hybrid.Network(
        {"E": 1},
        {("E", "E"): hybrid.Connections([0], [0], [weight], [delay])},
        {"E": (np.zeros(len(times), int), np.array(times))},
        DT,
    )
    kind = {"tau1": 0.5, "tau2": 2.0, "section": "soma", **kind}
    population = hybrid.Population(cell(), {"E": hybrid.Synapses(**kind)}, [position], mechanisms)
    return network, {"E": population}


def assert_close(found, expected, rtol):
    """Signals that agree to rtol of their peak."""
    assert set(found.data_vars) == set(expected.data_vars)
    for name in found.data_vars:
        a, b = found[name].values, expected[name].values
        assert a.shape == b.shape
        assert np.abs(a - b).max() <= rtol * np.abs(b).max(), name


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
    together = {"I": (np.tile(np.arange(3), 2), np.repeat(times, 3))}
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
        for neuron, time in zip(*network.spikes[x], strict=True):
            step = round(time / DT)
            total[:, step:] += singles["CDM"].values[neuron, :, : total.shape[1] - step]
    np.testing.assert_allclose(total, full["CDM"], atol=1e-10 * np.abs(total).max())


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


def test_silence(network, populations):
    found = hybrid.signals(only(network, spikes={}), populations, probes(), 10.0, **HERE)
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


# ---------------------------------------------------------------------- from other programs
def test_network_from_nest(nest, populations):
    nest.set(resolution=DT, rng_seed=3)
    neurons = {"I": nest.Create("iaf_psc_exp", 3), "E": nest.Create("iaf_psc_exp", 7)}
    nest.Connect(
        neurons["E"], neurons["I"], {"rule": "fixed_indegree", "indegree": 2},
        {"weight": nest.random.uniform(10.0, 20.0), "delay": nest.random.uniform(1.0, 3.0)},
    )  # fmt: skip
    generator = nest.Create("spike_generator", params={"spike_times": [2.0, 5.0]})
    nest.Connect(generator, neurons["E"][[1, 4]], syn_spec={"weight": 5000.0})
    recorder = nest.Create("spike_recorder")
    nest.Connect(neurons["E"], recorder)
    nest.Simulate(20.0)

    found = hybrid.Network.from_nest(neurons, {"E": recorder})
    assert found.sizes == {"I": 3, "E": 7}
    assert found.dt == DT
    assert list(found.connections) == [("E", "I")]
    made = found.connections["E", "I"]
    for i in range(3):
        truth = nest.GetConnections(target=neurons["I"][[i]])
        sources, weights, delays = made.onto(i)
        assert sorted(truth.source) == sorted(neurons["E"][s.item()].global_id for s in sources)
        np.testing.assert_allclose(sorted(truth.weight), sorted(weights))
        np.testing.assert_allclose(sorted(truth.delay), sorted(delays))
    assert set(found.spikes["E"][0]) == {1, 4}
    np.testing.assert_array_equal(np.sort(found.spikes["E"][1]), np.sort(recorder.events["times"]))

    events = {"senders": recorder.events["senders"], "times": recorder.events["times"]}
    again = hybrid.Network.from_nest(neurons, {"E": events})
    np.testing.assert_array_equal(again.spikes["E"][0], found.spikes["E"][0])
    with pytest.raises(NetworkError, match=r"unknown neurons.*'I'"):
        hybrid.Network.from_nest(neurons, {"I": recorder})
    with pytest.raises(NetworkError, match="'X', which is not among"):
        hybrid.Network.from_nest(neurons, {"X": recorder})
    assert np.any(hybrid.signals(found, populations, probes(), 20.0, **HERE)["CDM"])


def test_population_from_lfpykernels(mechanisms):
    approximator = pytest.importorskip("lfpykernels")
    where = {"section": ["apic"], "fun": [st.norm], "funargs": [{"loc": 500.0, "scale": 100.0}],
             "funweights": [1.0]}  # fmt: skip
    options = {
        "X": ["E"],
        "cellParameters": cell(),
        "populationParameters": {"radius": 150.0, "loc": 10.0, "scale": 75.0},
        "multapseParameters": [{"a": -2.5, "b": 20.0, "loc": 2.0, "scale": 0.4}],
        "synapseParameters": [
            {"syntype": "Exp2SynI", "weight": 0.01, "tau1": 0.2, "tau2": 1.8, "e": 0.0}
        ],
        "synapsePositionArguments": [where],
    }
    approx = approximator.KernelApprox(**options, conductance_based=False)
    population = hybrid.Population.from_lfpykernels(approx, {"E": 20.0}, mechanisms=mechanisms)
    assert population.positions == hybrid.Column(150.0, 10.0, 75.0)
    synapses = population.synapses["E"]
    assert synapses.nA_per_pA * 20.0 == pytest.approx(0.01)
    rng = np.random.default_rng(1)
    numbers = synapses.draw_numbers(5000, rng)
    assert numbers.mean() == pytest.approx(approx._get_multapsedist(0).mean(), abs=0.03)
    by_hand = LFPy.TemplateCell(**cell(), delete_sections=True)
    p = approx.get_rand_idx_area_and_distribution_prob(by_hand, **where)
    counts = np.bincount(synapses.draw_segments(by_hand, 20000, rng), minlength=len(p))
    np.testing.assert_allclose(counts / 20000, p, atol=0.015)
    with pytest.raises(NetworkError, match=r"other than 0 \(pA\) for 'E'"):
        hybrid.Population.from_lfpykernels(approx, {"E": 0.0})
    approx.synapsePositionArguments = [{"fun": "norm", "funargs": {"loc": 500.0, "scale": 100.0}}]
    [(weight, density)] = hybrid.Population.from_lfpykernels(approx, {"E": 1.0}).synapses["E"].depth
    assert (weight, density.mean()) == (1.0, 500.0)
    approx.synapsePositionArguments = [where | {"z_min": 0.0}]
    with pytest.raises(NetworkError, match="z_min"):
        hybrid.Population.from_lfpykernels(approx, {"E": 1.0})
    with pytest.raises(NetworkError, match="conductance_based=False"):
        hybrid.Population.from_lfpykernels(approximator.KernelApprox(**options), {"E": 20.0})


# ---------------------------------------------------------------------- bad input
@pytest.mark.parametrize(
    ("tau1", "tau2"), [(0.0, 1.0), (-1.0, 1.0), (1.0, 0.0), (2.0, 1.0), (np.nan, 1.0), (1, np.inf)]
)
def test_time_constants(tau1, tau2):
    with pytest.raises(NetworkError, match="0 < tau1 <= tau2"):
        hybrid.Synapses(tau1, tau2)


def test_other_bad_descriptions(mechanisms):
    with pytest.raises(NetworkError, match="at least 1 synapse"):
        hybrid.Synapses(1.0, 2.0, multapses=0)
    with pytest.raises(NetworkError, match="frozen distribution"):
        hybrid.Synapses(1.0, 2.0, multapses=2.5)
    with pytest.raises(NetworkError, match="nA_per_pA"):
        hybrid.Synapses(1.0, 2.0, nA_per_pA=np.nan)
    with pytest.raises(NetworkError, match="radius > 0"):
        hybrid.Column(-1.0)
    with pytest.raises(KernelError, match="metres"):
        hybrid.Column(150e-6)
    with pytest.raises(KernelError, match="metres"):
        hybrid.Population(cell(), {}, [[1e-4, 0.0, 2e-4]])
    for wrong in ([0.0, 0.0, 0.0], [[0.0, 0.0]], [[0.0, 0.0, np.nan]]):
        with pytest.raises(KernelError, match="positions of the cells"):
            hybrid.Population(cell(), {}, wrong)
    network, populations = single(mechanisms, section="axon")
    with pytest.raises(NetworkError, match=r"no segment.*'axon'"):
        hybrid.signals(network, populations, probes(), 10.0, **HERE)


def test_bad_networks(network):
    with pytest.raises(NetworkError, match=r"spikes of unknown neurons: 'E' has 7 neurons.*7"):
        only(network, spikes={"E": (np.array([7]), np.array([1.0]))})
    with pytest.raises(NetworkError, match=r"\['X'\] not among"):
        only(network, spikes={"X": (np.array([0]), np.array([1.0]))})
    with pytest.raises(NetworkError, match="one neuron for each time"):
        only(network, spikes={"E": (np.array([0, 1]), np.array([1.0]))})
    with pytest.raises(NetworkError, match="spike times of 'E' must be whole multiples"):
        only(network, spikes={"E": (np.array([0]), np.array([1.05]))})
    with pytest.raises(NetworkError, match="unknown neurons: 'I' has 3"):
        only(network, connections={("E", "I"): hybrid.Connections([0], [3], [1.0], [1.0])})
    with pytest.raises(NetworkError, match="at least dt"):
        only(network, connections={("E", "I"): hybrid.Connections([0], [0], [1.0], [0.0])})
    with pytest.raises(NetworkError, match="one entry per connection"):
        hybrid.Connections([0, 1], [0, 1], [1.0], [1.0, 1.0])
    with pytest.raises(NetworkError, match="finite"):
        hybrid.Connections([0], [0], [np.nan], [1.0])


def test_what_does_not_fit_the_network(network, populations):
    def run(populations=populations, probes=probes(), duration=10.0, **how):  # noqa: B008
        hybrid.signals(network, populations, probes, duration, **HERE, **how)

    with pytest.raises(NetworkError, match=r"\['X'\] not among"):
        run({"X": populations["E"]})
    with pytest.raises(NetworkError, match="connects 'I' to 'E'"):
        run({"E": hybrid.Population(cell(), {"E": hybrid.Synapses(1, 2)}, hybrid.Column(100.0))})
    fixed = hybrid.Population(cell(), populations["E"].synapses, np.full((2, 3), 50.0))
    with pytest.raises(NetworkError, match=r"shape \(7, 3\).*\(2, 3\)"):
        run({"E": fixed})
    with pytest.raises(NetworkError, match="no populations"):
        run({})
    with pytest.raises(NetworkError, match="no probes"):
        run(probes=[])
    with pytest.raises(NetworkError, match="name them"):
        run(probes=[probes()[0], probes()[0]])
    with pytest.raises(NetworkError, match="unknown probe 'int'"):
        run(probes=[3])
    sphere = lfpykit.OneSphereVolumeConductor(None, r=np.full((3, 1), 9e3))
    with pytest.raises(NetworkError, match="no contacts at x, y, z"):
        run(probes=[sphere])
    short = lfpykit.PointSourcePotential(None, np.zeros(1), np.zeros(1), np.array([2e-4]), 0.3)
    with pytest.raises(KernelError, match="metres"):
        run(probes=[short])
    with pytest.raises(NetworkError, match="method must be one of"):
        run(method="guess")
    with pytest.raises(NetworkError, match="at least dt"):
        run(duration=0.0)
    with pytest.raises(NetworkError, match=r"\['X'\] not among"):
        hybrid.single_kernels(network, populations, probes(), "X", **HERE)
    with pytest.raises(NetworkError, match="unknown neurons"):
        hybrid.single_kernels(network, populations, probes(), "E", neurons=[7], **HERE)


def test_contact_inside_a_cell(mechanisms):
    with pytest.raises(NetworkError, match=r"\[40.0, 0.0, 0.0\] µm lies inside cell 0"):
        hybrid.signals(*single(mechanisms, position=(30.0, 0.0, 0.0)), probes(), 10.0, **HERE)
    # positions that are drawn keep clear of the contacts; where they cannot, that is an error
    network, populations = single(mechanisms)
    narrow = hybrid.Population(
        populations["E"].cell, populations["E"].synapses, hybrid.Column(5.0), mechanisms
    )
    with pytest.raises(NetworkError, match="every position has a contact inside"):
        hybrid.signals(network, {"E": narrow}, probes(x=0.0), 10.0, **HERE)
    wide = hybrid.Population(
        populations["E"].cell, populations["E"].synapses, hybrid.Column(20.0), mechanisms
    )
    hybrid.signals(network, {"E": wide}, probes(x=0.0), 10.0, **HERE)


def test_cells_that_are_not_passive_or_not_at_rest(mechanisms):
    network, populations = single(mechanisms)
    synapses = populations["E"].synapses
    restless = hybrid.Population({**cell(), "v_init": -70.0}, synapses, [[0, 0, 20]], mechanisms)
    with pytest.raises(NetworkError, match="do not start at rest"):
        hybrid.signals(network, {"E": restless}, probes(), 10.0, **HERE)
    bare = hybrid.Population({**cell(), "passive": False}, synapses, [[0, 0, 20]], mechanisms)
    with pytest.raises(NetworkError, match="not passive"):
        hybrid.signals(network, {"E": bare}, probes(), 10.0, method="superpose", **HERE)


def test_what_cannot_reach_another_process(mechanisms):
    network, populations = single(mechanisms)
    local = {**cell(), "custom_fun": [lambda cell: None], "custom_fun_args": [{}]}
    population = hybrid.Population(local, populations["E"].synapses, [[0, 0, 20]], mechanisms)
    with pytest.raises(NetworkError, match="importable from a module"):
        hybrid.signals(network, {"E": population}, probes(), 10.0, processes=1, progress=False)


def test_missing_mechanism_and_packages(mechanisms, monkeypatch):
    network, populations = single(mechanisms, syntype="NoSuchSynapse")
    with pytest.raises(ToolchainError, match=r"\['NoSuchSynapse'\].*nrnivmodl"):
        hybrid.signals(network, populations, probes(), 10.0, **HERE)
    with pytest.raises(ToolchainError, match=r"\['NoSuchSynapse'\].*nrnivmodl"):
        hybrid.signals(network, populations, probes(), 10.0, processes=1, progress=False)
    monkeypatch.setitem(sys.modules, "neuron", None)
    with pytest.raises(MissingExtraError, match=r"nestlfp\[lfpykernels\]"):
        hybrid.signals(*single(mechanisms), probes(), 10.0, **HERE)
