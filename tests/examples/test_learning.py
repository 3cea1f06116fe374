"""The example of a network that learns, and the full calculation of its kind, for few cells."""

import importlib
import json
import sys
from pathlib import Path

import numpy as np
import pytest

from environments import run

pytest.importorskip("lfpykernels")
pytestmark = pytest.mark.compile

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def test_an_lfp_that_shows_learning(tmp_path):
    command = f"python {EXAMPLES / 'plasticity' / 'run.py'} --duration 16000 --quick --threads 1"
    run(f"{command} --out out", tmp_path, PYNEST_QUIET="1")
    report = json.loads((tmp_path / "out" / "report.json").read_text(encoding="utf-8"))
    start, end = report["weight_pA"]
    assert start == pytest.approx(-120.0, rel=1e-6)
    assert end < 1.8 * start
    followed, fixed = (report["lfp_variance_mV2"][name][-1] for name in ("LFP", "fixed"))
    assert abs(followed / fixed - 1) > 0.2
    assert (tmp_path / "out" / "plasticity.png").stat().st_size > 50_000


@pytest.fixture
def modules(monkeypatch):
    """The scripts of the validation, with few cells."""
    monkeypatch.syspath_prepend(str(EXAMPLES / "validation"))
    known = set(sys.modules)
    yield importlib.import_module("plasticity"), importlib.import_module("weights_of_spikes")
    for name in ("plasticity", "weights_of_spikes", "small_network"):
        if name not in known:
            sys.modules.pop(name, None)


def test_each_spike_has_its_weight(modules):
    """The sum of responses is what NEURON simulates with a synapse for each spike."""
    import LFPy

    script, full = modules
    dt, steps = script.net.p.DT, 800
    post, pathway = "E", ("I", "E")
    source, weight, step = np.array([3, 3, 7]), np.array([-200.0, -50.0, -120.0]), [30, 200, 100]
    arrivals = {pathway: full.Arrivals(source, np.zeros(3, int), weight, np.array(step))}
    probes = script.net.probes()[:1]
    work = full.Work(script.net.cells(), probes, arrivals, dt, steps, steps, 1)
    found = full._cells(work, (post, range(1))).sum(axis=0)

    population = work.cells[post]
    kind = population.synapses["I"]
    cell = full.build(population, dt, steps)
    place = np.random.default_rng([work.seed, ord(post), 0])
    population.place(cell, 0, full.bodies(probes), place)
    for number, each, at in zip(source.tolist(), weight, step, strict=True):
        rng = np.random.default_rng([work.seed, ord(post), 0, ord("I"), number])
        for segment in kind.draw_segments(cell, int(kind.draw_numbers(1, rng)[0]), rng):
            synapse = LFPy.Synapse(cell, idx=segment, weight=kind.peaks(each), **kind.parameters)
            synapse.set_spike_times(np.array([at * dt]))
    cell.simulate(rec_imem=True)
    expected = full.transformation(probes[0], cell) @ cell.imem[:, 1 : steps + 1]
    assert np.abs(found - expected).max() < 1e-6 * np.abs(expected).max()


def test_the_report_of_a_small_network(modules, nest, monkeypatch, tmp_path):
    script, _ = modules
    monkeypatch.setattr(script.net, "SIZES", {"E": 24, "I": 8})
    script.main(tmp_path, 300.0, 50.0, 1, 0, ["additive STDP", script.SHORT_TERM])
    report = json.loads((tmp_path / "plasticity.json").read_text(encoding="utf-8"))
    for case in ("additive STDP", script.SHORT_TERM):
        assert report[case]["spikes_identical"]
        assert report[case]["spikes"] > 20
        assert report[case]["error_against_convolve"] < 1e-12
        assert report[case]["contacts"]
