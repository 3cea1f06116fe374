"""Kernels read from the networks of two examples against the examples' own descriptions of them."""

import importlib
import sys
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import scipy.stats as st

from nestlfp.sources import network
from nestlfp.sources.network import CellType, Column, Placement, Synapse

pytestmark = pytest.mark.compile

EXAMPLES = Path(__file__).parents[3] / "examples"


@contextmanager
def modules(example, *names):
    """Modules of an example, as a script beside them imports them; others of the same name stay."""
    before = {name: sys.modules.pop(name) for name in names if name in sys.modules}
    sys.path.insert(0, str(EXAMPLES / example))
    try:
        yield [importlib.import_module(name) for name in names]
    finally:
        sys.path.remove(str(EXAMPLES / example))
        for name in names:
            sys.modules.pop(name, None)
        sys.modules.update(before)


def assert_alike(found, expected, dt):
    """The scale within 1 %, the shift within 0.02 ms, and the rest within 1 % of the peak."""
    n = min(found.shape[-1], expected.shape[-1])
    found, expected = found[..., :n], expected[..., :n]
    slope = np.gradient(found, dt, axis=-1)
    columns = np.stack([found.ravel(), -slope.ravel()], axis=1)
    (scale, shift), *_ = np.linalg.lstsq(columns, expected.ravel(), rcond=None)
    rest = np.abs(expected.ravel() - columns @ [scale, shift]).max() / np.abs(expected).max()
    assert scale == pytest.approx(1.0, abs=0.01)
    assert abs(shift / scale) < 0.02
    assert rest < 0.01


def test_brunel(nest, monkeypatch):
    """With a tenth of the synapses, and a twenty-fifth of the neurons."""
    with modules("brunel", "parameters", "network", "kernels") as (p, build, by_hand):
        monkeypatch.setattr(p, "SIZES", {"E": 400, "I": 100})
        monkeypatch.setattr(p, "INDEGREES", {"E": 100, "I": 25})
        monkeypatch.setattr(p, "TAU", 60.0)
        expected = by_hand.compute_kernels({})
        build.reset(seed=1)
        neurons = build.build(p.Point(eta=2.0, g=1.0, J=1.0), seed=1)
        layers = {pre: Placement(("apic", "dend"), layers=p.SHARES[pre]) for pre in p.POPULATIONS}
        found = network.kernels(
            neurons,
            p.CONTACTS_Z,
            cells={"E": by_hand.cell(), "I": None},
            synapses=Synapse("alpha", tau=p.TAU_SYN, charge=100.0),
            placement={(pre, "E"): layers[pre] for pre in layers},
            layers=p.LAYERS,
            column=Column(
                p.COLUMN["radius"],
                somata=p.COLUMN["loc"],
                spread=p.COLUMN["scale"],
                potential="LFPykernels",
            ),
            conductivity=p.SIGMA,
            signals="LFP",
            tau=p.TAU,
            processes=0,
            progress=False,
            cache=False,
        )
    assert (found.pre, found.post) == (expected.pre, expected.post)
    for pre in found.pre:
        both = (kernels["LFP"].sel(pre=pre).values for kernels in (found, expected))
        assert_alike(*both, found.dt)


PRE, POST = ("L23E", "L4I"), "L4I"


def test_two_populations_of_the_microcircuit(nest):
    """At a fiftieth of their size. Numbers of synapses are the described ones.

    Weights and delays are drawn: for delays the distribution is taken that they are drawn from.
    """
    import lfpykernels

    from nestlfp.sources.lfpykernels import compute

    names = ("anatomy", "circuit", "responses", "network_in_nest")
    with modules("microcircuit", *names) as (anatomy, circuit, responses, in_nest):
        choice = in_nest.Choice(scale=0.02)
        in_nest.reset(choice, threads=1)
        nodes = {name: in_nest.create(choice, name) for name in PRE}
        for pre in PRE:
            in_nest.connect(choice, nodes, pre, POST, "static_synapse")
        read = network.describe(nodes)
        grid = np.arange(1, 200) * 2**-4
        for pathway in read.pathways:
            drawn = st.truncnorm(**responses.delays(pathway.pre))
            assert pathway.delay == pytest.approx(drawn.mean(), rel=0.03)
            assert pathway.delay_sd == pytest.approx(drawn.std(), rel=0.1)
            size = len(nodes[pathway.pre])
            assert round(pathway.synapses * size, 6) == choice.synapses(pathway.pre, POST)
        described = replace(
            read,
            pathways=tuple(
                replace(p, delays=tuple(grid), shares=tuple(density / density.sum()))
                for p in read.pathways
                for density in [st.truncnorm(**responses.delays(p.pre)).pdf(grid)]
            ),
        )
        total = sum(responses.OCCURRENCE[POST].values())
        parts = [(type_, part / total) for type_, part in responses.OCCURRENCE[POST].items()]
        index = {pre: anatomy.PRE.index(pre) for pre in PRE}
        shares = {
            name: {pre: anatomy.SYNAPSES_BY_TYPE[name][index[pre]] for pre in PRE}
            for name, _ in parts
        }
        own = [
            CellType(
                responses.CELLS[name],
                share,
                shares[name],
                {
                    pre: Placement("dend", layers=responses.shares_of_layers(POST, name, pre))
                    for pre in PRE
                },
            )
            for name, share in parts
        ]
        found = network.kernels(
            described,
            circuit.CONTACTS_Z,
            cells={"L23E": None, POST: own},
            layers=circuit.LAYERS,
            column=Column(
                circuit.RADIUS,
                somata={POST: circuit.soma_depth(POST)},
                spread=circuit.SOMA_SPREAD,
                potential="LFPykernels",
            ),
            conductivity=circuit.SIGMA,
            tau=responses.TAU,
            processes=0,
            progress=False,
            cache=False,
        )
        probes = [
            probe
            for probe in responses.probes(circuit.CONTACTS_Z)
            if type(probe).__name__ != "LaminarCurrentSourceDensity"  # which knows one depth
        ]
        assert isinstance(probes[0], lfpykernels.GaussCylinderPotential)
        expected = compute(
            {POST: responses.cell_types(POST)},
            probes,
            dt=2**-4,
            Vrest=responses.V_REST,
            t_X=responses.TAU,
            tau=responses.TAU,
            g_eff=False,
            depths="LFPykernels",
            correct_charge=True,
            processes=0,
            progress=False,
        ).resample(circuit.DT, method="pchip")
    factor = np.sqrt(choice.scale)
    for pre in PRE:
        for name in ("LFP", "CDM"):
            ours, theirs = (
                kernels[name].sel(pre=pre, post=POST).values for kernels in (found, expected)
            )
            if name == "CDM":
                ours, theirs = ours[2:], theirs[2:]
            assert_alike(ours, factor * theirs, found.dt)
