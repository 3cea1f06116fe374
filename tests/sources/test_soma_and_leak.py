"""What a spike does to the soma, and a leak and potentials that the caller gives by segment."""

import json

import layered_cells as cells
import LFPy
import numpy as np
import pytest
import scipy.stats as st

from nestlfp import KernelError
from nestlfp.sources import mechanisms
from nestlfp.sources._delays import Delays
from nestlfp.sources.lfpykernels import CellType, compute

pytestmark = pytest.mark.compile

DT, TAU = 2**-4, 30.0
OPTIONS = {"dt": DT, "t_X": TAU, "tau": TAU, "g_eff": False, "depths": 1, "progress": False}
ON_SOMA = {"section": "soma", "fun": ["norm"], "funargs": [{"loc": -330.0, "scale": 50.0}],
           "funweights": [1.0]}  # fmt: skip
CONDUCTANCES = [
    {"syntype": "ExpSyn", "tau": 2.0, "weight": 1e-4, "e": 0.0},
    {"syntype": "Exp2Syn", "tau1": 0.5, "tau2": 5.0, "weight": 2e-4, "e": -80.0},
]


@pytest.fixture(scope="module", autouse=True)
def _mechanisms():
    mechanisms.load()


def jump(tau):
    """How much NEURON's steps take of the charge of a current that jumps and decays."""
    return DT / tau / -np.expm1(-DT / tau)


def on_soma(name="p23", **changes):
    """All synapses on the soma, where one has the effect of many, divided by their number."""
    return cells.approximation(
        name, cells.SHARES if name == "p23" else {"E": {"middle": 1.0}, "I": {"middle": 1.0}},
        **{"synapsePositionArguments": [ON_SOMA] * 2, **changes},
    )  # fmt: skip


def single(name, synapse, v=-65.0):
    """Peak of one synapse's potential (mV) at the soma, of a cell of LFPy's own."""
    cell = LFPy.TemplateCell(**cells.cell(name), dt=DT, tstop=2 * TAU, delete_sections=True)
    LFPy.Synapse(cell, idx=cell.get_idx("soma")[0], **synapse).set_spike_times(np.array([TAU]))
    cell.simulate()
    deviation = cell.somav - v
    return deviation[np.abs(deviation).argmax()]


@pytest.mark.parametrize("depths", [1, 3])
def test_potential_is_that_of_single_synapses(depths):
    how = OPTIONS | {"depths": depths, "correct_charge": True}
    found = compute({"Y": on_soma()}, cells.probes(), **how)
    told = json.loads(json.dumps(found.provenance))["soma_mV"]["Y"]
    for pre, c in zip(cells.SIZES, cells.C_YX, strict=True):
        small = {"syntype": "ExpSynI", "tau": 0.5, "weight": 1e-3 * cells.WEIGHT[pre]}
        corrected = 1e3 * single("p23", small) / jump(0.5)
        assert told[pre] / (c * cells.N_Y) == pytest.approx(corrected, rel=1e-4)


def test_potential_of_conductances_and_of_two_types():
    kind = {"synapseParameters": CONDUCTANCES, "conductance_based": True}
    given = {
        "a": CellType(on_soma(**kind), 0.75, {"E": 0.9}),
        "b": CellType(on_soma("i23", **kind), 0.25, {"E": 0.1}),
    }
    found = compute(
        {"Y": given}, cells.probes(), correct_charge=True,
        Vrest={"Y": {"a": -60.0, "b": -70.0}}, **OPTIONS,
    ).provenance["soma_mV"]["Y"]  # fmt: skip
    expected = {"E": 0.0, "I": 0.0}
    for name, V, parts in (("p23", -60.0, (0.9, 0.75)), ("i23", -70.0, (0.1, 0.25))):
        for pre, synapse, part in zip("EI", CONDUCTANCES, parts, strict=True):
            # So small a conductance is a current, which here is that at rest, -65 mV.
            small = 1e-4 * single(name, {**synapse, "weight": 1e-4 * synapse["weight"]}) / 1e-8
            driven = small * (synapse["e"] - V) / (synapse["e"] + 65.0)
            expected[pre] += part * driven / (jump(synapse["tau"]) if pre == "E" else 1.0)
    for pre, c in zip(cells.SIZES, cells.C_YX, strict=True):
        assert found[pre] / (c * cells.N_Y) == pytest.approx(expected[pre], rel=1e-3)


def test_pathway_without_connections():
    given = {"Y": on_soma(C_YX=np.array([0.1, 0.0]))}
    found = compute(given, cells.probes(), correct_charge=True, **OPTIONS)
    assert found.provenance["soma_mV"]["Y"]["I"] == 0.0


# ---------------------------------------------------------------------- given by segment
def set_leak(cell, numbers, g_pas, e_pas):
    """A number of segments for each section, and the leak of each segment in LFPy's order."""
    leak = iter(zip(g_pas, e_pas, strict=True))
    for section, number in zip(cell.allseclist, numbers, strict=True):
        section.nseg = int(number)
        for segment in section:
            segment.g_pas, segment.e_pas = next(leak)


def made():
    """A cell of LFPy where the population stands."""
    cell = LFPy.TemplateCell(**cells.cell(), dt=DT, tstop=2 * TAU, delete_sections=True)
    cell.set_pos(z=cells.COLUMN["loc"])
    return cell


def with_leak(numbers, g_pas):
    """Synapses that are normally distributed over the depth, on a cell with this leak."""
    where = {"section": "allsec", "fun": ["norm"], "funargs": [{"loc": -300.0, "scale": 100.0}],
             "funweights": [1.0]}  # fmt: skip
    leak = {"numbers": numbers, "g_pas": g_pas, "e_pas": np.full(len(g_pas), -65.0)}
    changes = {"nsegs_method": None, "custom_fun": [set_leak], "custom_fun_args": [leak]}
    return cells.approximation(
        cellParameters=cells.cell() | changes,
        synapseParameters=CONDUCTANCES,
        synapsePositionArguments=[where] * 2,
        delayFunction=Delays,
        delayParameters=[{"times": [0.0], "weights": [1.0], "dt": DT}] * 2,
        conductance_based=True,
    )


def independent(pre, g_pas, V):
    """LFP at depth 0 of contacts, dipole moment and peak at the soma, of synapses by segment."""
    cell = made()
    every = [segment for section in cell.allseclist for segment in section]
    for g, segment in zip(g_pas, every, strict=True):
        segment.g_pas = g
    i = list(cells.SIZES).index(pre)
    synapse = dict(CONDUCTANCES[i])
    z = cell.z.mean(axis=1)
    number = cell.area * st.norm(-300.0, 100.0).pdf(z)
    number *= cells.C_YX[i] * cells.N_Y / number.sum()
    e, g, syntype = (synapse.pop(key) for key in ("e", "weight", "syntype"))
    for segment in range(cell.totnsegs):
        current = number[segment] * g * (e - V[segment])
        one = LFPy.Synapse(cell, segment, weight=current, syntype=f"{syntype}I", **synapse)
        one.set_spike_times(np.array([TAU]))
    cell.simulate(rec_imem=True)
    d, R = np.abs(cells.CONTACTS[:, None] - z), cells.COLUMN["radius"]
    disc = (np.sqrt(R**2 + d**2) - d) / (2 * 0.3 * np.pi * R**2)
    after = round(TAU / DT) + 1
    deviation = cell.somav - cell.somav[after - 1]
    peak = deviation[np.abs(deviation).argmax()]
    return disc @ cell.imem[:, after:], z @ cell.imem[:, after:], peak


@pytest.mark.parametrize(("kind", "processes"), [(list, 0), (np.array, 1)])
@pytest.mark.filterwarnings("ignore:steps of 0.0625 ms")
def test_leak_and_potentials_by_segment(processes, kind):
    cell = made()
    numbers = [section.nseg for section in cell.allseclist]
    rng = np.random.default_rng(5)
    g_pas = 1e-4 * rng.uniform(1, 4, cell.totnsegs)
    V = rng.uniform(-70, -50, cell.totnsegs)
    found = compute(
        {"Y": with_leak(numbers, kind(g_pas))}, cells.probes(), Vrest={"Y": kind(V)},
        processes=processes, mechanisms=mechanisms.load, **OPTIONS,
    )  # fmt: skip
    json.dumps(found.provenance, allow_nan=False)
    for pre in cells.SIZES:
        lfp, dipole, peak = independent(pre, g_pas, V)
        ours = found.dataset.sel(post="Y", pre=pre)
        np.testing.assert_allclose(ours["LFP"], lfp, rtol=0, atol=1e-9 * np.abs(lfp).max())
        z = ours["CDM"].sel(CDM_channel="z")
        np.testing.assert_allclose(z, dipole, rtol=0, atol=1e-9 * np.abs(dipole).max())
        assert found.provenance["soma_mV"]["Y"][pre] == pytest.approx(peak, rel=1e-9)


@pytest.mark.parametrize(
    ("Vrest", "message"),
    [
        ({"Y": [-65.0] * 3}, "Vrest has 3 potentials for Y, whose cell has [0-9]+ compartments"),
        (np.full(3, -65.0), "Vrest has 3 potentials for Y, whose cell has [0-9]+ compartments"),
        (np.full(999, -65.0), "Vrest has 999 potentials for Y"),
        ([], r"Vrest must be a finite potential \(mV\), or one for each compartment, found \[\]"),
        ({"Y": np.nan}, "Vrest of 'Y' must be a finite potential"),
        ({"Y": {"p23": -65.0}}, "Vrest of 'Y' must be real numbers"),
        ({"Y": "rest"}, "Vrest of 'Y' must be real numbers, found"),
    ],
)
def test_potentials_that_do_not_fit(Vrest, message):
    with pytest.raises(KernelError, match=message):
        compute({"Y": on_soma()}, cells.probes(), Vrest=Vrest, **OPTIONS)
