"""Kernels of a network in NEST, against LFPy and against descriptions written by hand."""

import numpy as np
import pytest
import scipy.stats as st
from networks_in_nest import two_populations

import nestlfp
from nestlfp.sources import network
from nestlfp.sources.network import CellType, Column, Placement
from nests import quieten

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

    quieten(nest)
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

    description, _ = small
    column = Column(potential="LFPykernels")
    kernels = network.kernels(description, **SMALL, column=column)
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
    # With inhibition within 100 µm of the soma, on a cell that reaches no further.
    assert "I → I: no signal" in text
    assert "I → E: no signal" not in text
    assert network.summary(kernels.scale({"E": 2.0}).resample(0.5)) == text
    bare = nestlfp.KernelSet(kernels.dataset.assign_attrs(provenance="{}"))
    with pytest.raises(nestlfp.KernelError, match="not read from a network"):
        network.summary(bare)


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
