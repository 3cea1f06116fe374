"""Synapses by layer, on one cell type or several: positions; kernels calculated another way."""

import layered_cells as cells
import LFPy
import numpy as np
import pytest
import scipy.stats as st

from nestlfp import KernelError, KernelSet
from nestlfp.sources import layers as source
from nestlfp.sources import mechanisms
from nestlfp.sources._mixture import parts_of
from nestlfp.sources._strengths import with_described_strengths
from nestlfp.sources.lfpykernels import CellType, compute

pytestmark = pytest.mark.compile

DT, TAU = 2**-4, 30.0
OPTIONS = {
    "dt": DT, "t_X": TAU, "tau": TAU, "g_eff": False, "depths": "LFPykernels", "progress": False
}  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def _mechanisms():
    mechanisms.load()


def placed(name="p23"):
    cell = LFPy.TemplateCell(**cells.cell(name), delete_sections=True)
    cell.set_pos(z=cells.COLUMN["loc"])
    return cell


# ---------------------------------------------------------------------- positions
@pytest.mark.parametrize("pre", ["E", "I"])
def test_shares_of_layers_are_what_lfpykernels_makes_of_them(pre):
    found = source.realized_shares(cells.approximation(), pre, cells.LAYERS)
    assert found == pytest.approx({"upper": 0, "lower": 0} | cells.SHARES[pre], abs=1e-12)


def test_areas_are_those_of_the_segments_whose_middle_lies_in_the_layer():
    found = source.membrane_areas(
        cells.cell(), cells.LAYERS, depth=cells.COLUMN["loc"], section=["apic", "dend"]
    )
    cell = placed()
    among = ~np.isin(np.arange(cell.totnsegs), cell.get_idx("soma"))
    z, area = cell.z.mean(axis=1)[among], cell.area[among]
    assert found["upper"] == pytest.approx(area[z > -80].sum())
    assert found["middle"] == pytest.approx(area[(z < -80) & (z > -580)].sum())
    assert found["lower"] == 0
    # A cell that stands somewhere already is taken from there.
    at_its_place = source.membrane_areas(cell, cells.LAYERS, depth=0.0, section=["apic", "dend"])
    assert at_its_place == pytest.approx(found)


def test_a_pathway_without_synapses_has_positions_all_the_same():
    none = {"E": {"upper": 1.0}, "I": {}}
    found = source.realized_shares(cells.approximation(shares=none), "I", cells.LAYERS)
    assert sum(found.values()) == pytest.approx(1.0)


def positions(**changes):
    given = {"layers": cells.LAYERS, "shares": {"middle": 1.0}, "depth": -330.0, "name": "p23"}
    given |= changes
    layers, shares = given.pop("layers"), given.pop("shares")
    return source.synapse_positions(cells.cell(), layers, shares, **given)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"shares": {"middle": 0.9, "lower": 0.1}},
            r"p23 gets synapses in lower \(0\.1 of them\), but with its soma at -330 µm has no "
            r"membrane of 'allsec' there: found upper .* µm², .*lower 0 µm²; a longer dendrite",
        ),
        ({"shares": {"middle": 0.9}}, r"p23: shares .* add up to 1.*, in sum 0\.9"),
        ({"shares": {"middle": 1.5, "upper": -0.5}}, "must be 0 or more"),
        ({"shares": {"L9": 1.0}}, r"unknown layers \['L9'\], known are \['upper'"),
        ({"layers": {}}, "no layers given"),
        ({"layers": {"middle": (-80.0, -80.0)}}, "'middle' must have two different depths"),
        ({"layers": {"middle": (-80.0,)}}, "'middle' must have two different depths"),
        (
            {"layers": {"a": (0.0, -90.0), "middle": (-580.0, -80.0)}},
            "'middle' and 'a' overlap between -90 and -80 µm",
        ),
        ({"spread": 500.0}, "between 0 and the thickness of layer middle, 500 µm, found 500.0"),
        ({"section": "axon"}, r"has no sections 'axon', only \['apic', 'dend', 'soma'\]"),
    ],
)
def test_bad_layers(changes, message):
    with pytest.raises(KernelError, match=message):
        positions(**changes)


# ---------------------------------------------------------------------- kernels, another way
def independent(name, pre, synapses):
    """Kernels of `synapses` synapses for each spike of `pre`: (LFP, dipole), lags dt ... tau."""
    i = list(cells.SIZES).index(pre)
    cell = LFPy.TemplateCell(**cells.cell(name), dt=DT, tstop=2 * TAU, delete_sections=True)
    cell.set_pos(z=cells.COLUMN["loc"])
    z = cell.z.mean(axis=1)
    dendrite = ~np.isin(np.arange(z.size), cell.get_idx("soma"))
    share = np.zeros(z.size)
    for layer, part in cells.SHARES[pre].items():
        low, high = sorted(cells.LAYERS[layer])
        inside = dendrite & (z > low) & (z < high)
        share[inside] = part * cell.area[inside] / cell.area[inside].sum()
    # NEURON's implicit step takes too much of an exponential that begins with a jump.
    lost = -cells.TAU_SYN / DT * np.expm1(-DT / cells.TAU_SYN)
    for segment in np.flatnonzero(share):
        weight = cells.WEIGHT[pre] * synapses * share[segment] * lost
        synapse = LFPy.Synapse(
            cell, idx=segment, syntype="ExpSynI", tau=cells.TAU_SYN, weight=weight
        )
        synapse.set_spike_times(np.array([TAU]))
    cell.simulate(rec_imem=True)
    # The potential of a disc, averaged over the depths of the cells.
    node, at = np.polynomial.hermite_e.hermegauss(101)
    d = np.abs(cells.CONTACTS[:, None, None] - z[:, None] - cells.COLUMN["scale"] * node)
    R = cells.COLUMN["radius"]
    disc = (np.sqrt(R**2 + d**2) - d) / (2 * 0.3 * np.pi * R**2)
    matrix = np.vstack([disc @ (at / at.sum()), z])
    # As probable a delay as in the network.
    lag = np.arange(0, round(TAU / DT) + 1) * DT
    delay = st.truncnorm(**cells.approximation().delayParameters[i]).pdf(lag)
    first = round(TAU / DT)
    currents = matrix @ cell.imem[:, first:]
    signal = [np.convolve(row, delay / delay.sum())[1 : first + 1] for row in currents]
    return np.array(signal[:-1]), np.array(signal[-1])


def assert_kernels(found, post, pre, expected):
    lfp, dipole = expected
    ours = found.dataset.sel(post=post, pre=pre)
    # Discs have a kink at their own depth, which quadrature rounds off.
    assert np.abs(ours["LFP"].values - lfp).max() <= 3e-3 * np.abs(lfp).max()
    z = ours["CDM"].sel(CDM_channel="z").values
    assert np.abs(z - dipole).max() <= 1e-6 * np.abs(dipole).max()


@pytest.mark.parametrize("name", ["p23", "i23"])
def test_kernels_of_one_type(name):
    found = compute(
        {"Y": cells.approximation(name, {"E": {"middle": 1.0}, "I": {"middle": 1.0}})},
        cells.probes(), correct_charge=True, **OPTIONS,
    )  # fmt: skip
    synapses = 0.2 * cells.N_Y
    assert_kernels(found, "Y", "I", independent(name, "I", synapses))


def types(**changes):
    shares = {"E": {"middle": 1.0}, "I": {"middle": 1.0}}
    return {
        "p23": CellType(cells.approximation(), 0.75, {"E": 0.9}),
        "i23": CellType(cells.approximation("i23", shares), 0.25, {"E": 0.1}),
    } | changes


def test_kernels_of_a_population_of_two_types():
    found = compute({"Y": types()}, cells.probes(), correct_charge=True, **OPTIONS)
    # Of E's synapses on all cells 0.9 fall on one type; of I's as many on each cell.
    from_e = independent("p23", "E", 0.9 * 0.1 * cells.N_Y)
    other = compute(
        {"Y": cells.approximation("i23", {"E": {"middle": 1.0}, "I": {"middle": 1.0}})},
        cells.probes(), correct_charge=True, **OPTIONS,
    ).dataset.sel(post="Y", pre="E")  # fmt: skip
    lfp = from_e[0] + 0.1 * other["LFP"].values
    dipole = from_e[1] + 0.1 * other["CDM"].sel(CDM_channel="z").values
    assert_kernels(found, "Y", "E", (lfp, dipole))
    whole = 0.2 * cells.N_Y
    parts = [independent("p23", "I", 0.75 * whole), independent("i23", "I", 0.25 * whole)]
    assert_kernels(found, "Y", "I", [sum(part) for part in zip(*parts, strict=True)])
    # Neurons reached, with one synapse each of 80 pA or -300 pA and 0.5 ms.
    charges = found.dataset["charge_per_spike"]
    assert charges.attrs["units"] == "fC"
    np.testing.assert_allclose(charges, [[30 * 80 * 0.5, -60 * 300 * 0.5]], rtol=1e-9)


@pytest.mark.parametrize(
    ("synapse", "conductance_based", "charge", "conductance"),
    [
        ({"syntype": "Exp2SynI", "tau1": 2.0, "tau2": 2.0}, False, np.e * 2.0, None),
        ({"syntype": "ExpSyn", "tau": 2.0, "e": 0.0}, False, None, 2.0),
        ({"syntype": "ExpSyn", "tau": 2.0, "e": 0.0}, True, None, 2.0),
        ({"syntype": "AlphaSynapse", "tau": 2.0, "e": 0.0}, False, None, None),
    ],
)
def test_what_a_spike_brings_by_mechanism(synapse, conductance_based, charge, conductance):
    """With a weight of 0.01 nA or µS, and one or two synapses on each of 0.1 and 0.2 of 300."""
    approx = cells.approximation(
        synapseParameters=[{**synapse, "weight": 0.01}] * 2, conductance_based=conductance_based,
        multapseFunction=st.randint, multapseParameters=[{"low": 1, "high": 3}] * 2,
    )  # fmt: skip
    kernels = KernelSet.from_arrays(
        {"LFP": np.ones((1, 2, 1, 1))}, pre=["E", "I"], post="Y", dt=DT, units={"LFP": "mV"}
    )
    found = with_described_strengths(kernels.dataset, parts_of({"Y": approx}))
    for name, one in (("charge_per_spike", charge), ("conductance_per_spike", conductance)):
        if one is None:
            assert name not in found.coords
        else:
            expected = np.array([[30.0, 60.0]]) * 1.5 * 10.0 * one
            np.testing.assert_allclose(found[name], expected, rtol=1e-4)


def test_processes_do_not_change_the_result():
    given = {"Y": types(), "Z": cells.approximation()}
    options = {"correct_charge": True, "mechanisms": mechanisms.load, **OPTIONS}
    here = compute(given, cells.probes(), processes=0, **options)
    there = compute(given, cells.probes(), processes=2, **options)
    assert here.fingerprint == there.fingerprint
    assert here.post == ("Y", "Z")
    kept = here.provenance["parameters"]["populations"]["Y"]
    assert kept["p23"]["share"] == 0.75
    assert kept["i23"]["synapses"] == {"E": 0.1}


def test_depths_of_a_population_of_two_types():
    """A spread of the cells that is nearly none gives the kernels of the mean depth."""
    column = {**cells.COLUMN, "scale": 1e-3}
    given = {
        name: CellType(
            cells.approximation(name, {"E": {"middle": 1.0}, "I": {"middle": 1.0}},
                                populationParameters=column),
            0.5,
        )
        for name in ("p23", "i23")
    }  # fmt: skip
    options = {"correct_charge": True, **OPTIONS}
    sharp = cells.probes()
    sharp[0].sigma_z = 0.0
    one = compute({"Y": given}, sharp, **options)
    several = compute({"Y": given}, sharp, **options | {"depths": 3})
    largest = np.abs(one["LFP"].values).max()
    assert np.abs(several["LFP"].values - one["LFP"].values).max() <= 1e-4 * largest


def test_pathways_without_connections_are_zero():
    lonely = cells.approximation(shares={"E": {}, "I": {"middle": 1.0}})
    lonely.C_YX = np.array([0.0, 0.2])
    found = compute({"Y": lonely}, cells.probes(), correct_charge=True, **OPTIONS)
    assert not found["LFP"].sel(pre="E").values.any()
    assert found.dataset["charge_per_spike"].sel(pre="E").item() == 0
    assert found["LFP"].sel(pre="I").values.any()
    lonely.C_YX = np.zeros(2)
    with pytest.raises(KernelError, match="no pathway has connections: all of C_YX are 0"):
        compute({"Y": lonely}, cells.probes(), **OPTIONS)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "population 'Y' has no cell types"),
        ({"a": 1}, r"cell type 'a' of 'Y' must be a CellType\(approximation, share\), found int"),
        ({"a": lambda: CellType(1, 1.0)}, "'Y, a' must be a lfpykernels.KernelApprox, found int"),
        (
            {"a": lambda: CellType(cells.approximation(), 0.5),
             "b": lambda: CellType(cells.approximation(), 0.3)},
            r"shares of cells of the cell types of 'Y' must add up to 1, found 0\.5 \+ 0\.3 = 0\.8",
        ),
        (
            {"a": lambda: CellType(cells.approximation(), 0.5, {"I": 0.9}),
             "b": lambda: CellType(cells.approximation(), 0.5)},
            r"shares of the synapses from 'I' .* found 0\.9 \+ 0\.5 = 1\.4",
        ),
        (
            {"a": lambda: CellType(cells.approximation(), 1.0, {"TC": 1.0})},
            r"shares of the synapses from \['TC'\], which are not among .* \['E', 'I'\]",
        ),
        (
            {"a": lambda: CellType(cells.approximation(), 0.5),
             "b": lambda: CellType(cells.approximation(N_Y=3), 0.5)},
            "must all be given the whole population's N_Y: 'b' has 3, 'a' has 300",
        ),
    ],
)  # fmt: skip
def test_bad_cell_types(given, message):
    made = {name: kind() if callable(kind) else kind for name, kind in given.items()}
    with pytest.raises(KernelError, match=message):
        compute({"Y": made}, cells.probes(), **OPTIONS)


@pytest.mark.parametrize(
    ("share", "synapses", "message"),
    [
        (0.0, None, "share of a cell type must be more than 0 and at most 1, found 0.0"),
        (1.2, None, "found 1.2"),
        (0.5, {"E": -0.1}, "share of the synapses from 'E' must lie between 0 and 1, found -0.1"),
    ],
)
def test_bad_shares(share, synapses, message):
    with pytest.raises(KernelError, match=message):
        CellType(None, share, synapses)
