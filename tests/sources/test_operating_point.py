"""The mean potential of a passive cell with open synapses, against NEURON left to itself."""

import numpy as np
import pytest

LFPy = pytest.importorskip("LFPy")
pytest.importorskip("neuron")

from small_cells import cell  # noqa: E402

from nestlfp.sources._operating_point import mean_potential  # noqa: E402

pytestmark = pytest.mark.compile


def settled(made, conductances, stop=400.0):
    """Potential of each segment after a long simulation, with the conductances as mechanisms."""
    import neuron

    segments = [segment for section in made.allseclist for segment in section]
    clamps = []
    for conductance, reversal in conductances:
        for segment, g in zip(segments, conductance, strict=True):
            clamp = neuron.h.SEClamp(segment)  # a resistor (MΩ) to the reversal potential
            clamp.dur1, clamp.amp1, clamp.rs = 2 * stop, reversal, 1.0 / max(g, 1e-12)
            clamps.append(clamp)
    made.tstop, made.dt = stop, 2**-3
    made.simulate(rec_vmem=True)
    return made.vmem[:, -1]


def test_against_a_long_simulation():
    made = LFPy.TemplateCell(**cell(), delete_sections=True, tstop=1.0)
    rng = np.random.default_rng(1)
    excitatory = rng.uniform(0.0, 2e-4, made.totnsegs)
    inhibitory = np.where(made.z.mean(axis=1) < 100.0, 1e-3, 0.0)
    conductances = [(excitatory, 0.0), (inhibitory, -80.0)]
    found = mean_potential(made, conductances)
    assert np.ptp(found) > 5.0  # not the same everywhere
    np.testing.assert_array_equal(found, mean_potential(made, conductances))
    np.testing.assert_allclose(mean_potential(made, []), -65.0, atol=1e-9)
    np.testing.assert_allclose(found, settled(made, conductances), atol=1e-6, rtol=0)
