"""A small network on cells of LFPy, for the tests of the hybrid scheme."""

from pathlib import Path

import lfpykit
import numpy as np

from nestlfp.sources import hybrid

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "two_population"
SIZES = {"E": 7, "I": 3}
DT = 0.1
HERE = {"progress": False, "processes": 0}


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


def only(network, **changes):
    """The network with other connections or spikes."""
    given = {name: getattr(network, name) for name in ("sizes", "connections", "spikes", "dt")}
    return hybrid.Network(**(given | changes))


def single(mechanisms, *, weight=25.0, delay=1.3, times=(5.0,), position=(0.0, 0.0, 20.0), **kind):
    """One neuron with one synapse on the soma of one cell."""
    network = hybrid.Network(
        {"E": 1},
        {("E", "E"): hybrid.Connections([0], [0], [weight], [delay])},
        {"E": (np.array(times), np.zeros(len(times), int))},
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
