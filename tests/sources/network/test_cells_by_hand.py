"""Kernels of a network against cells in which currents, or conductances, are put by hand.

The truth here is a cell of LFPy: a current into each segment (an IClamp that plays the course of
the synapse), or a conductance on top of the mean ones. Potentials are those of discs in closed
form.
"""

from dataclasses import replace

import numpy as np
import pytest
from described import by_arrays, connected, digest

from nestlfp import cells
from nestlfp.sources import network
from nestlfp.sources.network import CellType, Column, Placement, Synapse, predicting
from nests import quieten
from networks import reset

pytestmark = pytest.mark.compile

FINE = 2**-7  # ms, step of the truth
BEFORE, END = 10.0, 60.0  # ms
RADIUS, CONDUCTIVITY = 200.0, 0.3
Z = np.array([150.0, 100.0, 50.0, 0.0, -50.0])
PLACEMENT = {"excitatory": Placement("dend", [(15.0, np.inf)]), "inhibitory": Placement("soma")}
RATES = {"P": 8.0, "Q": 12.0}
CELLS = {
    "exp": "i4",
    "alpha": "i4",
    "beta": "i4",
    "cond": [
        CellType("i4", 0.7, {"P": 0.4, "Q": 0.5}),
        CellType("i23", 0.3, {"P": 0.6, "Q": 0.5}),
    ],
}
MODELS = {
    "exp": ("iaf_psc_exp", {"tau_syn_ex": 2.0, "tau_syn_in": 5.0}),
    "alpha": ("iaf_psc_alpha", {"tau_syn_ex": 1.5, "tau_syn_in": 3.0}),
    "beta": (
        "iaf_cond_beta",
        {"tau_rise_ex": 0.5, "tau_decay_ex": 2.5, "tau_rise_in": 1.0, "tau_decay_in": 6.0},
    ),
    "cond": ("iaf_cond_exp", {"tau_syn_ex": 2.0, "tau_syn_in": 4.0}),
}
WEIGHTS = {"P": 20.0, "Q": -50.0}  # pA
CONDUCTANCES = {"P": 0.6, "Q": -1.5}  # nS


@pytest.fixture(scope="module")
def described():
    """Populations of four models, driven by parrots P (excitatory) and Q (inhibitory)."""
    import nest

    quieten(nest)
    reset(nest)
    rng = np.random.default_rng(3)
    nodes = {name: nest.Create(model, 6, params) for name, (model, params) in MODELS.items()}
    nodes |= {pre: nest.Create("parrot_neuron", 10) for pre in WEIGHTS}
    for post, (model, _) in MODELS.items():
        weights = CONDUCTANCES if "cond" in model else WEIGHTS
        for pre, weight in weights.items():
            connected(nest, rng, nodes[pre], nodes[post], 300, weight)
    noise = nest.Create("poisson_generator", params={"rate": 400.0})
    nest.Connect(noise, nodes["beta"], syn_spec={"weight": 0.5})
    found = network.describe(nodes)
    nest.ResetKernel()
    return found


def kernels_of(description, **said):
    return network.kernels(
        description,
        said.pop("contacts", Z),
        **{
            "cells": CELLS,
            "placement": PLACEMENT,
            "column": Column(radius=RADIUS, spread=0.0, potential="LFPykernels"),
            "rates": RATES,
            "signals": ("LFP", "CDM", "CSD"),
            "conductivity": CONDUCTIVITY,
            "progress": False,
            "processes": 0,
            "cache": False,
            **said,
        },
    )


@pytest.fixture(scope="module")
def kernels(described):
    return kernels_of(described)


# ---------------------------------------------------------------------- cells by hand
class Hand:
    """A cell of LFPy in which things are done by hand. Other sections of NEURON are deleted."""

    def __init__(self, name):
        import LFPy
        from neuron import h

        self.h = h
        parameters = {**cells.cell(name).parameters, "delete_sections": True}
        self.cell = LFPy.TemplateCell(**parameters, dt=FINE, tstop=END)
        self.cell.set_rotation(x=0.0, y=0.0)
        self.segments = [seg for section in self.cell.allseclist for seg in section]
        self.at_rest = None

    def where(self, kind):
        """Part of the synapses on each segment: evenly over the membrane where they may be."""
        placement, z = PLACEMENT[kind], self.cell.z.mean(axis=-1)
        among = np.zeros(z.size, dtype=bool)
        among[self.cell.get_idx(placement.sections)] = True
        low, high = placement.depths[0]
        area = self.cell.area * (among & (z >= low) & (z <= high))
        return area / area.sum()

    def open(self, means, rest=-70.0):
        """Mean conductances (nS, at parts of the membrane, with their reversal potentials)."""
        for i, segment in enumerate(self.segments):
            area = self.cell.area[i] * 1e-8  # cm²
            leak = segment.g_pas
            added = [(1e-9 * g * where[i] / area, reversal) for g, where, reversal in means]
            total = leak + sum(g for g, _ in added)
            segment.e_pas = (leak * rest + sum(g * e for g, e in added)) / total
            segment.g_pas = total

    def respond(self, where, wave, peak):
        """What a spike at time 0 brings: membrane currents (nA) and the soma's potential (mV).

        `peak` is that of all synapses together: of the current that clamps play into the segments
        (nA), or of the conductance of synapses of NEURON's own (µS), so weak that they are linear.
        """
        h, start = self.h, round(BEFORE / FINE)
        t = np.arange(0.0, BEFORE + END + 1.0, FINE)
        kept, injected, time, small = [], {}, h.Vector(t), 1e-4 if wave.unit == "nS" else 1.0
        h.cvode.use_fast_imem(1)
        for number, part in enumerate(small * peak * where):
            if part and wave.unit == "pA":
                source = h.IClamp(self.segments[number])
                source.delay, source.dur = 0.0, 1e9
                played = h.Vector(part * wave.at(t - BEFORE))
                played.play(source._ref_amp, time, True)
                injected[number] = h.Vector().record(source._ref_i)
            elif part:
                source = (h.ExpSyn if wave.shape == "exp" else h.Exp2Syn)(self.segments[number])
                source.e = wave.reversal
                if wave.shape == "exp":
                    source.tau = wave.tau
                else:
                    source.tau1, source.tau2 = wave.tau_rise, wave.tau
                played = h.NetCon(None, source)
                played.weight[0] = part
            kept.append((source, played) if part else ())
        currents = [h.Vector().record(segment._ref_i_membrane_) for segment in self.segments]
        soma = h.Vector().record(self.segments[0]._ref_v)
        h.cvode.active(0)
        h.finitialize(-65.0)
        h.dt = 1e9
        for _ in range(4):  # until all is steady
            h.fadvance()
        h.t, h.dt = 0.0, FINE
        h.frecord_init()
        for each in kept:
            if each and wave.unit == "nS":
                each[1].event(BEFORE)
        while h.t < BEFORE + END - FINE / 2:
            h.fadvance()
        h.cvode.use_fast_imem(0)
        imem, v = np.array([np.array(vector) for vector in currents]), np.array(soma)
        for number, current in injected.items():  # NEURON does not count that of an electrode
            imem[number] -= np.array(current)
        assert np.abs(imem.sum(axis=0)).max() < 1e-3 * np.abs(imem).max()
        return (imem[:, start:] - imem[:, [start - 1]]) / small, (v[start:] - v[start - 1]) / small


def disc(z):
    """Potential on the axis (mV) of 1 nA in discs at depths z, for each contact."""
    away = np.abs(Z[:, None] - z)
    return (np.sqrt(away**2 + RADIUS**2) - away) / (2 * np.pi * CONDUCTIVITY * RADIUS**2) * 1e0


def truth(described, post):
    """Signals of a spike at NEST's resolution, without delays, by presynaptic population."""
    own = [
        (each if isinstance(each, CellType) else CellType(each, 1.0, dict.fromkeys(WEIGHTS, 1.0)))
        for each in (CELLS[post] if isinstance(CELLS[post], list) else [CELLS[post]])
    ]
    found = {}
    for kind in own:
        for pre in WEIGHTS:
            hand = Hand(kind.cell.name)
            (pathway,) = [p for p in described.onto(post) if p.pre == pre]
            wave = pathway.waveform
            share = kind.synapses[pre] if kind.share < 1 else 1.0
            if wave.reversal is not None:
                hand.open(means(described, post, kind, hand))
            where = hand.where("excitatory" if pre == "P" else "inhibitory")
            peak = 1e-3 * pathway.peak * pathway.synapses * share
            imem, soma = hand.respond(where, wave, peak)
            z = hand.cell.z.mean(axis=-1)
            signals = {"CDM": (imem.T @ z), "LFP": disc(z) @ imem,
                       "CSD": slices(hand.cell) @ imem, "soma": soma / share}  # fmt: skip
            sums = found.setdefault(pre, dict.fromkeys(signals, 0.0))
            for name, values in signals.items():
                sums[name] = sums[name] + values
    return found


def means(described, post, kind, hand):
    """Mean conductances of a neuron (nS), by hand: in-degree · rate · |w| · ∫g."""
    _, parameters = MODELS[post]
    if post == "beta":

        def area(rise, decay):
            t = decay * rise / (decay - rise) * np.log(decay / rise)
            return (decay - rise) / (np.exp(-t / decay) - np.exp(-t / rise))

        integrals = {"P": area(0.5, 2.5), "Q": area(1.0, 6.0)}
    else:
        integrals = {"P": parameters["tau_syn_ex"], "Q": parameters["tau_syn_in"]}
    found = []
    for pre, reversal in (("P", 0.0), ("Q", -85.0)):
        (pathway,) = [p for p in described.onto(post) if p.pre == pre]
        g = 300 / 6 * RATES[pre] * 1e-3 * abs(pathway.weight) * integrals[pre]
        share = kind.synapses[pre] / kind.share if kind.share < 1 else 1.0
        found.append(
            (g * share, hand.where("excitatory" if pre == "P" else "inhibitory"), reversal)
        )
    if post == "beta":
        found.append((400e-3 * 0.5 * integrals["P"], hand.where("excitatory"), 0.0))
    return found


def slices(cell):
    """LFPykit's current source density at one depth."""
    import lfpykit

    edges = np.stack([Z - 25.0, Z + 25.0], axis=1)
    kind = lfpykit.LaminarCurrentSourceDensity
    return kind(cell, z=edges, r=np.full(len(Z), RADIUS)).get_transformation_matrix()


def delayed(values, pathway, n, resolution=0.1):
    """At lags of NEST's resolution, after the pathway's delays."""
    fine = np.arange(values.shape[-1]) * FINE
    lags = resolution * np.arange(1, n + 1)
    total = 0.0
    for delay, share in zip(pathway.delays, pathway.shares, strict=True):
        one = np.array(
            [np.interp(lags - delay, fine, row, left=0.0) for row in np.atleast_2d(values)]
        )
        total = total + share * one
    return total


def fit(found, expected):
    """Scale, shift (in samples) and the rest, of the peak."""
    slope = np.gradient(expected, axis=-1)
    columns = np.stack([expected.ravel(), -slope.ravel()], axis=1)
    (scale, shift), *_ = np.linalg.lstsq(columns, found.ravel(), rcond=None)
    rest = np.abs(found.ravel() - columns @ [scale, shift]).max() / np.abs(expected).max()
    return scale, shift / scale, rest


@pytest.mark.parametrize("post", MODELS)
def test_against_cells_by_hand(described, kernels, post):
    rows = {(row["pre"], row["post"]): row for row in kernels.provenance["pathways"]}
    for pre, signals in truth(described, post).items():
        (pathway,) = [p for p in described.onto(post) if p.pre == pre]
        for name in ("LFP", "CDM", "CSD"):
            found = kernels[name].sel(pre=pre, post=post).values
            if name == "CDM":
                np.testing.assert_allclose(found[:2], 0, atol=1e-9 * np.abs(found).max())
                found = found[2:]
            expected = delayed(signals[name], pathway, found.shape[-1])
            scale, shift, rest = fit(found, expected)
            assert scale == pytest.approx(1.0, abs=0.007), (pre, name)
            assert 0 <= 0.1 * shift < 2**-4, (pre, name)  # NEURON is up to a step late
            assert rest < 0.015, (pre, name)
        if isinstance(CELLS[post], str):
            peak = signals["soma"][np.abs(signals["soma"]).argmax()] / pathway.synapses
            assert rows[pre, post]["cell_mV"] == pytest.approx(peak, rel=0.01)


@pytest.fixture(scope="module")
def matched(described):
    """Long ones of two populations, with the potentials of the point neurons."""
    fewer = {**CELLS, "alpha": None, "cond": None}
    return kernels_of(described, match="potential", tau=150.0, cells=fewer)


def test_the_potential_of_the_point_neuron(nest, described, kernels, matched):
    rows = {(row["pre"], row["post"]): row for row in matched.provenance["pathways"]}
    nest.resolution = 0.01
    spike = nest.Create("spike_generator", params={"spike_times": [1.0]})
    for (pre, post), row in rows.items():
        model, parameters = MODELS[post]
        if "psc" in model:
            neuron = nest.Create(model, params={**parameters, "V_m": -70.0})
            meter = nest.Create("multimeter", params={"record_from": ["V_m"], "interval": 0.01})
            (pathway,) = [p for p in described.onto(post) if p.pre == pre]
            nest.Connect(spike, neuron, syn_spec={"weight": pathway.weight})
            nest.Connect(meter, neuron)
            row["meter"] = meter
    nest.Simulate(50.0)
    for (pre, post), row in rows.items():
        if "meter" in row:
            V = row["meter"].events["V_m"] + 70.0
            assert row["point_mV"] == pytest.approx(V[np.abs(V).argmax()], rel=1e-3)
        # Nothing but the size is changed, and the potential at the cell's soma is the same then.
        ratio = row["point_mV"] / row["cell_mV"]
        assert row["ratio"] == pytest.approx(ratio)
        for name in ("LFP", "CDM", "CSD"):
            found = matched[name].sel(pre=pre, post=post).values[..., : kernels.n_lags]
            expected = ratio * kernels[name].sel(pre=pre, post=post).values
            atol = 1e-6 * np.abs(expected).max()  # the charge is counted over a longer time
            np.testing.assert_allclose(found[..., :-1], expected[..., :-1], rtol=1e-5, atol=atol)


def test_lags_end_where_little_is_left(kernels, matched):
    left = []
    kernels = kernels.select(post=matched.post)
    for name in ("LFP", "CDM", "CSD"):
        values = np.abs(matched[name].values)
        peak = values.max(axis=(-2, -1))
        after = values[..., kernels.n_lags :].max(axis=(-2, -1))
        left.append((after[peak > 0] / peak[peak > 0]).max())
    assert max(left) <= 1e-3
    assert max(left) > 1e-4  # and not much later than that
    assert matched.n_lags == 1500


# ---------------------------------------------------------------------- the cache
def test_the_cache(nest, tmp_path, monkeypatch):
    monkeypatch.setattr(predicting, "cache_dir", lambda: tmp_path)
    said = {"cells": {"E": "i4", "I": None}, "progress": False, "signals": ("CDM",)}
    first = network.kernels(by_arrays(nest), **said)
    assert len(list(tmp_path.rglob("*.nc"))) == 1

    def no_process(*_, **__):
        raise AssertionError("cells are computed")

    monkeypatch.setattr(predicting, "in_processes", no_process)
    nodes = by_arrays(nest, threads=2, before=5, order=("I", "E"))
    nest.Simulate(10.0)
    second = network.kernels(nodes, **said)
    assert (first.pre, second.pre) == (("E", "I"), ("I", "E"))
    np.testing.assert_array_equal(second.select(pre=first.pre)["CDM"], first["CDM"])
    assert "at 10 ms" in network.summary(second)
    assert "at 0 ms" in network.summary(first)
    with pytest.raises(AssertionError, match="cells are computed"):
        network.kernels(by_arrays(nest), **said, cache=False)
    (kept,) = tmp_path.rglob("*.nc")
    kept.write_bytes(b"of a full disk")
    with pytest.raises(AssertionError, match="cells are computed"):
        network.kernels(by_arrays(nest), **said)


def test_rates_change_the_key_of_conductances(described):
    said = {"cells": CELLS, "rates": RATES}
    key = digest(described, **said)
    assert digest(described, **said) == key
    assert digest(described, **{**said, "rates": {**RATES, "P": 9.0}}) != key


def test_what_changes_the_key(nest, tmp_path):
    nodes = by_arrays(nest)
    read = network.describe(nodes)
    path = tmp_path / "cell.swc"
    path.write_text("1 1 0 0 0 5 -1\n2 3 0 0 5 1 1\n3 3 0 0 99 1 2\n")
    said = {"cells": {"E": path, "I": "i4"}, "contacts": Z}
    keys = [digest(read, **said)]
    assert digest(read, **said) == keys[0]
    assert digest(read, **said, rates={"E": 1.0}) == keys[0]  # currents do not depend on them
    again = replace(read.pathways[0], synapses_sd=7.0, error=0.1, models=("stdp_synapse",))
    other_seed = replace(read, pathways=(again, *read.pathways[1:]), time=5.0)
    assert digest(other_seed, **said) == keys[0]
    for changed in (
        {"cells": {"E": "i4", "I": "i4"}},
        {"cells": {"E": path, "I": None}},
        {"contacts": Z + 1.0},
        {"contacts": None},
        {"placement": {("E", "I"): Placement()}},
        {"column": Column(radius=300.0)},
        {"column": Column(spread=10.0)},
        {"column": Column(potential="LFPykernels")},
        {"match": "potential"},
        {"signals": ("LFP",)},
        {"conductivity": 0.4},
        {"dt": 2**-5},
        {"tau": 60.0},
    ):
        keys.append(digest(read, **{**said, **changed}))
    path.write_text(path.read_text().replace("99", "98"))
    keys.append(digest(read, **said))
    nest.GetConnections(nodes["E"])[0].weight = 21.0
    keys.append(digest(network.describe(nodes), **said))
    by_hand = {("E", "E"): Synapse(peak=2.0)}
    keys.append(digest(network.describe(nodes, synapses=by_hand), **said))
    assert len(set(keys)) == len(keys)
