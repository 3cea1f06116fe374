"""Fixtures of the sources: compiled mechanisms, and a small network with cells."""

import numpy as np
import pytest
import scipy.stats as st


@pytest.fixture(scope="session")
def mechanisms():
    """Folder with the compiled current-based synapse."""
    from nestlfp.sources import mechanisms

    return mechanisms.compiled()


@pytest.fixture
def network():
    """Random connections and spikes."""
    from small_cells import DT, SIZES

    from nestlfp.sources import hybrid

    rng = np.random.default_rng(1)
    connections = {
        (x, y): hybrid.Connections(
            rng.integers(SIZES[x], size=12),
            rng.integers(SIZES[y], size=12),
            rng.normal(20.0, 2.0, 12) * (1 if x == "E" else -4),
            rng.integers(3, 30, 12) * DT,
        )
        for x in SIZES
        for y in SIZES
    }
    spikes = {
        x: (rng.integers(1, 400, 15) * DT, rng.integers(n, size=15)) for x, n in SIZES.items()
    }
    return hybrid.Network(SIZES, connections, spikes, DT)


@pytest.fixture
def populations(mechanisms):
    """Cells for the two populations of `network`."""
    from small_cells import SIZES, cell

    from nestlfp.sources import hybrid

    from_e = hybrid.Synapses(
        0.2, 1.8, section=["dend", "apic"], depth=[(1.0, st.norm(200, 150))], multapses=2
    )
    from_i = hybrid.Synapses(0.1, 9.0, multapses=st.truncnorm(-4, 9, loc=5, scale=0.9))
    return {
        y: hybrid.Population(
            cell(y), {"E": from_e, "I": from_i}, hybrid.Column(100.0, 0.0, 50.0), mechanisms
        )
        for y in SIZES
    }
