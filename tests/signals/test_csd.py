"""The current source density, against what it is of potentials that are known."""

import numpy as np
import pytest

from nestlfp.errors import SignalError
from nestlfp.signals.csd import contacts_in_line, second_difference


@pytest.mark.parametrize("direction", [(0, 0, 1), (0.6, 0, 0.8)])
def test_csd_of_a_parabola(direction):
    """phi = a s² along the contacts, at any distances: the CSD is -2 a sigma."""
    along = np.array([0.0, 50.0, 80.0, 200.0, 230.0])
    positions = np.outer(along, direction) + np.array([3.0, -7.0, -400.0])
    shuffled = np.array([3, 0, 4, 2, 1])
    order, found = contacts_in_line(positions[shuffled])
    np.testing.assert_allclose(found, along, atol=1e-9)
    curvature = 4e7  # V/m²
    potentials = curvature * (along[:, None] * 1e-6) ** 2 * 1e3  # mV
    density = second_difference(potentials[shuffled][order], found, "mV", 0.25)
    amperes_per_m3 = -2 * curvature * 0.25
    np.testing.assert_allclose(density, amperes_per_m3 * 1e6 / 1e9, rtol=1e-9)
    in_uv = second_difference(potentials[shuffled][order] * 1e3, found, "µV", 0.25)
    np.testing.assert_allclose(in_uv, density, rtol=1e-12)


@pytest.mark.parametrize(
    "positions",
    [
        [[0, 0, 0], [0, 0, 100.0]],
        [[0, 0, 0], [16.0, 0, 100], [0, 0, 200]],
        [[0, 0, 0], [0, 0, np.nan], [0, 0, 200]],
        [[0, 0, 0], [100.0, 0, 0], [50, 0, 0]],
        [[0, 0, 0.0], [0, 0, 0], [0, 0, 0]],
        [[0, 0, 0.0], [0, 0, 0], [0, 0, 100]],
    ],
)
def test_contacts_that_have_no_csd(positions):
    with pytest.raises(SignalError, match="contacts"):
        contacts_in_line(np.array(positions, dtype=float))


def test_csd_is_of_potentials():
    with pytest.raises(SignalError, match="made of potentials, in mV for example, found 'fT'"):
        second_difference(np.zeros((3, 1)), np.arange(3.0), "fT")
