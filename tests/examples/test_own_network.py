"""The full calculation of networks in NEST, for few cells."""

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest

from nestlfp.sources.network.computing import ColumnPotential

pytestmark = pytest.mark.compile

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "own_network"
Z = np.array([300.0, 0.0, -100.0])
RADIUS, PLACES = 135.0, 400


@pytest.fixture(scope="module")
def full():
    sys.path.insert(0, str(EXAMPLE))
    yield importlib.import_module("full")
    sys.path.remove(str(EXAMPLE))


@pytest.fixture(scope="module")
def run(full):
    return importlib.import_module("run")


def task(full, times):
    """A cell with two synapses."""
    arrivals = [("E", 20.0, 3, times + 1.5), ("I", -90.0, 1, times + 0.7)]
    return full.Replayed("E", 0, "p23", -70.0, arrivals)


def test_currents_that_are_replayed_are_those_that_add_up(full):
    kinds = {"E": full.Kind("exp", 2.0, True), "I": full.Kind("alpha", 3.0, False)}
    work = full.Work(kinds, 0.1, 60.0, Z, RADIUS, range(1, 2))
    times = np.array([5.0, 9.3])
    spikes = {"E": (times, np.array([3, 3])), "I": (times, np.array([1, 1]))}
    replayed = full._potential(work, [task(full, times)])
    single = full._responses(work, [task(full, np.zeros(1))])
    superposed = full.superposed(single, spikes, 0.1, 60.0)
    np.testing.assert_allclose(superposed, replayed, atol=2e-3 * abs(replayed).max())


def test_kernels_see_cells_as_the_mean_over_places_does(full):
    cell = full.made("i4", -70.0, 0.1, 1.0)
    places = [full.mapping(cell, Z, RADIUS, [seed]) for seed in range(PLACES)]
    probe = ColumnPotential(Z, full.CONDUCTIVITY, RADIUS, full.SPREAD)
    probe.cell = cell
    mean, error = np.mean(places, axis=0), np.std(places, axis=0) / np.sqrt(PLACES)
    apart = (probe.get_transformation_matrix() - mean) / error
    assert abs(apart).max() < 5.0
    assert abs(apart.mean(axis=1)).max() < 3.0


def test_agreement_of_a_signal_that_is_late_and_small(run):
    rng = np.random.default_rng(1)
    predicted = np.convolve(rng.normal(size=20_000), np.hanning(50), "same")[np.newaxis]
    truth = 0.9 * np.stack([np.roll(predicted, 3, axis=-1)] * 2)
    found = run.agreement(truth, predicted)
    assert found["lag_ms"][0] == pytest.approx(0.3, abs=0.02)
    assert found["slope"][0] == pytest.approx(0.9, abs=0.05)
    assert found["r2"][0] == pytest.approx(run.r2(truth, predicted)[0, 0])
    assert found["large"] == [True]
