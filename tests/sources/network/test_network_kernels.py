"""Kernels of a network in NEST, against LFPy and against descriptions written by hand."""

import numpy as np
import pytest
import scipy.stats as st
from networks_in_nest import two_populations

import nestlfp
from nestlfp.sources import network
from nestlfp.sources.network import CellType, Column, Placement

pytest.importorskip("lfpykernels")

CONTACTS = [100.0, 0.0, -100.0]
SMALL = {"cells": {"E": "i23", "I": "i4"}, "contacts": CONTACTS, "progress": False, "tau": 40.0}


def relative(a, b):
    """Largest difference, relative to the peak."""
    return np.max(np.abs(a - b)) / np.max(np.abs(b))


@pytest.fixture(scope="module")
def small():
    """A network with exponential currents, its populations, description and kernels."""
    import nest

    nest.verbosity = nest.VerbosityLevel.ERROR
    nest.ResetKernel()
    populations = two_populations(nest)
    return network.describe(populations), network.kernels(populations, **SMALL)


def test_kernels_are_those_of_a_description_by_hand(small):
    """One with the same counts, weights, delays and cells, written for LFPykernels."""
    import lfpykernels

    from nestlfp import cells
    from nestlfp.sources import mechanisms
    from nestlfp.sources._delays import Delays
    from nestlfp.sources.lfpykernels import compute

    description, kernels = small
    mechanisms.load()
    pathways = [p for p in description.pathways if p.post == "I"]
    approximation = lfpykernels.KernelApprox(
        X=["E", "I"],
        Y="I",
        N_X=np.array([80.0, 20.0]),
        N_Y=20,
        C_YX=np.array([p.synapses / 20 for p in pathways]),
        cellParameters=dict(cells.cell("i4").parameters),
        populationParameters={"radius": 1.0, "loc": 0.0, "scale": 0.0},
        multapseFunction=st.norm,
        multapseParameters=[{"loc": 1.0, "scale": 0.01}] * 2,
        delayFunction=Delays,
        delayParameters=[
            {"times": p.delays, "weights": p.shares, "dt": 2**-4} for p in pathways
        ],
        synapseParameters=[
            {"syntype": "ExpSynI", "weight": 1e-3 * p.weight, "tau": 2.0} for p in pathways
        ],
        synapsePositionArguments=[
            {
                "section": ["dend", "apic"],
                "fun": [st.uniform, st.uniform],
                "funargs": [{"loc": -150.0, "scale": 100.0}, {"loc": 50.0, "scale": 100.0}],
                "funweights": [1.0, 1.0],
            },
            {"section": "allsec", "fun": [st.uniform], "funargs": [{"loc": -100.0, "scale": 200.0}],
             "funweights": [1.0]},
        ],
        conductance_based=False,
    )  # fmt: skip
    radius = 1.5 * 110.0  # of i23, the wider one
    probes = [
        lfpykernels.GaussCylinderPotential(None, z=np.array(CONTACTS), R=radius, sigma_z=25.0),
        lfpykernels.KernelApproxCurrentDipoleMoment(None),
    ]
    by_hand = compute(
        {"I": approximation}, probes, tau=40.0, t_X=40.0, g_eff=False, depths="LFPykernels",
        correct_charge=True, progress=False,
    ).resample(0.1, method="pchip")  # fmt: skip
    for signal in ("LFP", "CDM"):
        found = kernels.select(post="I")[signal].values
        assert relative(found, by_hand[signal].values) < 1e-6


def test_a_spike_brings_what_the_description_says(small):
    description, kernels = small
    charges = kernels.dataset["charge_per_spike"]
    for p in description.pathways:
        assert charges.sel(pre=p.pre, post=p.post).item() == pytest.approx(p.brought)
    assert kernels.scale({"E": 3.0}).dataset["charge_per_spike"].sel(
        pre="E", post="I"
    ).item() == pytest.approx(3.0 * charges.sel(pre="E", post="I").item())


def test_the_summary_tells_what_was_assumed(small):
    _, kernels = small
    text = network.summary(kernels)
    for part in ("i23", "i4", "radius 165 µm", "E → I", "point / cell"):
        assert part in text
    assert network.summary(kernels.scale({"E": 2.0}).resample(0.5)) == text
    bare = nestlfp.KernelSet(kernels.dataset.assign_attrs(provenance="{}"))
    with pytest.raises(nestlfp.KernelError, match="not read from a network"):
        network.summary(bare)


def test_kernels_of_what_was_read_need_no_neuron_again(small, monkeypatch, tmp_path):
    description, kernels = small
    monkeypatch.setattr("nestlfp.sources.network.predicting.in_processes", None)
    again = network.kernels(description, **SMALL)
    assert again.fingerprint == kernels.fingerprint
    with pytest.raises(TypeError):  # other kernels have to be computed
        network.kernels(description, **SMALL, conductivity=0.2)


def test_potentials_match(nest):
    """With match="potential" a synapse's potential at the soma is that of the point neuron."""
    populations = two_populations(nest, weights=(50.0, -60.0), tau_syn_in=5.0, tau_m=15.0)
    description = network.describe(populations)
    plain = network.kernels(description, **SMALL)
    matched = network.kernels(description, **SMALL, match="potential")
    for row in plain.provenance["pathways"]:
        # One synapse of the mean weight onto a neuron of NEST, at rest.
        (p,) = [p for p in description.pathways if (p.pre, p.post) == (row["pre"], row["post"])]
        nest.ResetKernel()
        nest.resolution = 0.01
        neuron = nest.Create("iaf_psc_exp", params={"tau_syn_in": 5.0, "tau_m": 15.0, "V_th": 1e3})
        train = nest.Create("spike_generator", params={"spike_times": [1.0]})
        meter = nest.Create("multimeter", params={"record_from": ["V_m"], "interval": 0.01})
        nest.Connect(train, neuron, syn_spec={"weight": p.weight, "delay": 1.0})
        nest.Connect(meter, neuron)
        nest.Simulate(40.0)
        deviation = meter.events["V_m"] - neuron.E_L
        peak = deviation[np.argmax(np.abs(deviation))]
        assert row["point_mV"] == pytest.approx(peak, rel=5e-3)
        a, b = (k["LFP"].sel(pre=p.pre, post=p.post).values for k in (plain, matched))
        assert relative(a * row["ratio"], b) < 1e-9


def test_a_conductance_is_taken_at_the_cells_own_potential(nest):
    """Against a cell of LFPy that has the mean conductances, and then one synapse more."""
    import LFPy
    from neuron import h

    from nestlfp import cells

    parameters = {"g_L": 15.0, "E_L": -68.0, "tau_syn_ex": 2.0, "tau_syn_in": 4.0}
    A, B = nest.Create("iaf_cond_exp", 20), nest.Create("iaf_cond_exp", 10, params=parameters)
    nest.Connect(A, B, "all_to_all", {"weight": 0.5, "delay": 1.5})
    nest.Connect(B, B, "all_to_all", {"weight": -4.0, "delay": 1.5})
    soma, rates = Placement("soma"), {"A": 30.0, "B": 10.0}
    kernels = network.kernels(
        {"A": A, "B": B}, **SMALL | {"cells": {"A": None, "B": "i23"}}, rates=rates,
        placement={"excitatory": soma, "inhibitory": soma},
    )  # fmt: skip
    told = kernels.provenance["assumed"]["cells"][0]
    # in-degree × rate × weight × time constant
    means = {0.0: 20 * 0.030 * 0.5 * 2.0, -85.0: 10 * 0.010 * 4.0 * 4.0}  # nS
    assert told["conductance_over_leak"] == pytest.approx(sum(means.values()) / told["leak_nS"])

    def dipole(weight):
        given = dict(cells.cell("i23").parameters) | {"v_init": -68.0, "dt": 2**-6, "tstop": 340.0}
        cell = LFPy.TemplateCell(**given, delete_sections=True)
        cell.set_pos(z=0.0)
        sections = list(cell.allseclist)
        for section in sections:
            section.e_pas = -68.0
        (body,) = [section for section in sections if "soma" in section.name()]
        clamps = []  # a voltage clamp behind a resistance is a conductance, always open
        for reversal, mean in means.items():
            clamp = h.SEClamp(body(0.5))
            clamp.rs, clamp.dur1, clamp.amp1 = 1e3 / mean, 1e9, reversal  # MΩ
            clamps.append(clamp)
        synapse = LFPy.Synapse(
            cell, idx=cell.get_idx("soma")[0], syntype="ExpSyn", tau=2.0, e=0.0, weight=weight
        )
        synapse.set_spike_times(np.array([300.0]))
        cell.simulate(rec_imem=True)
        # The clamps' currents leave at the soma, which stands at z = 0 and adds nothing.
        return cell.z.mean(axis=-1) @ cell.imem

    change = (dipole(1e-6) - dipole(0.0)) / 1e-6  # nA µm per µS
    expected = 10 * 0.5e-3 * change[300 * 64 :: 4]  # of ten cells, at steps of 2**-4 ms
    lags = np.arange(1, kernels.n_lags + 1) * 0.1
    at = np.interp(lags - 1.5, np.arange(expected.size) * 2**-4, expected, left=0.0)
    found = kernels["CDM"].sel(pre="A", post="B", CDM_channel="z").values
    assert relative(found[lags < 38], at[lags < 38]) < 0.06  # up to a step of 2**-4 ms late
    assert np.trapezoid(found[:380], lags[:380]) == pytest.approx(
        np.trapezoid(at[:380], lags[:380]), rel=0.02
    )


def test_conductances_need_rates(nest):
    populations = two_populations(nest, "iaf_cond_exp", weights=(1.0, -5.0))
    with pytest.raises(nestlfp.NetworkError, match="rates="):
        network.kernels(populations, **SMALL)
    with pytest.raises(nestlfp.NetworkError, match="rates="):
        network.kernels(populations, **SMALL, rates={"E": 3.0})


def test_cell_types_and_layers(nest):
    """A population of two types is the sum of both, each with its share of the synapses."""
    populations = two_populations(nest)
    description = network.describe(populations)
    options = SMALL | {"column": Column(radius=200.0)}
    upper = Placement(layers={"upper": 1.0})
    said = {"layers": {"upper": (0.0, 400.0), "lower": (-400.0, 0.0)}}
    only = {
        name: network.kernels(
            description,
            **options | {"cells": {"E": CellType(name, placement={"E": upper}), "I": None}},
            **said,
        )
        for name in ("p23", "i23")
    }
    both = network.kernels(
        description,
        **options
        | {
            "cells": {
                "E": [
                    CellType("p23", 0.5, {"E": 0.8}, {"E": upper}),
                    CellType("i23", 0.5, {"E": 0.2}, {"E": upper}),
                ],
                "I": None,
            }
        },
        **said,
    )
    for pre, shares in (("E", (0.8, 0.2)), ("I", (0.5, 0.5))):
        parts = [
            share * only[name]["LFP"].sel(pre=pre).values
            for name, share in zip(only, shares, strict=True)
        ]
        assert relative(both["LFP"].sel(pre=pre).values, sum(parts)) < 2e-3  # as pchip adds up


def test_the_moment_of_the_density_is_the_dipole_moment(nest):
    populations = two_populations(nest)
    kernels = network.kernels(
        populations,
        **SMALL | {"contacts": np.arange(300.0, -301.0, -20.0)},  # thinner than segments are long
        signals=("CSD", "CDM"),
        column=Column(radius=200.0),
    )
    assert kernels["CSD"].attrs["units"] == "nA/µm³"
    volume = np.pi * 200.0**2 * 20.0
    density = kernels["CSD"].sel(post="E")
    largest = np.abs(density).max(("CSD_channel", "lag"))
    assert np.all(np.abs(density.sum("CSD_channel")) < 2e-3 * largest)  # nothing is lost
    moment = (density * kernels.dataset["CSD_z"]).sum("CSD_channel") * volume
    dipole = kernels["CDM"].sel(post="E", CDM_channel="z")
    assert relative(moment.values, dipole.values) < 0.03  # slices of 20 µm


def test_a_density_is_lfpykits(small):
    """In slices thicker than segments are long, and of a cell at one depth."""
    import lfpykit

    from nestlfp.sources.network.computing import SliceDensity

    rng = np.random.default_rng(1)
    ends = rng.uniform(-150.0, 150.0, (3, 6, 1)) + rng.uniform(-40.0, 40.0, (3, 6, 2))
    cell = lfpykit.CellGeometry(*(0.3 * ends[:2]), z=ends[2], d=np.ones(6))
    ours = SliceDensity(np.array([200.0, 100.0, 0.0, -100.0, -200.0]), 300.0, 0.0)
    ours.cell = cell
    theirs = lfpykit.LaminarCurrentSourceDensity(cell, z=ours.slices, r=np.full(5, 300.0))
    assert relative(ours.get_transformation_matrix(), theirs.get_transformation_matrix()) < 1e-9


def test_lags_end_where_little_is_left(nest):
    populations = two_populations(nest)
    kernels = network.kernels(populations, **{**SMALL, "tau": None})
    longer = network.kernels(populations, **{**SMALL, "tau": 2.0 * kernels.n_lags * 0.1})
    rest = np.abs(longer["LFP"].values[..., kernels.n_lags :]).max(axis=(-2, -1))
    peak = np.abs(longer["LFP"].values).max(axis=(-2, -1))
    assert np.all(rest < 1.1e-3 * peak)
