"""The potential of LFPykernels' discs, against numerical integration."""

import itertools
from types import SimpleNamespace

import lfpykernels
import numpy as np
import pytest
from scipy.integrate import quad

from nestlfp.sources._disc import disc_potential, off_axis_potential
from nestlfp.sources._pathways import _remembering


def integrated(z, radius, blur, current=lambda place: 1.0):
    """Piece by piece on both sides of the kink, of a form in which nothing cancels."""

    def density(u):
        disc = radius**2 / (np.hypot(u, radius) + abs(u))
        disc *= current((z - u) / blur)
        return disc * np.exp(-(((u - z) / blur) ** 2) / 2) / (blur * np.sqrt(2 * np.pi))

    fine = z + blur * np.arange(-12, 12.1)
    edges = np.concatenate([fine, radius * np.array([-10, -3, -1, -0.3, 0, 0.3, 1, 3, 10])])
    edges = np.unique(edges.clip(fine[0], fine[-1]))
    pieces = [quad(density, *ends, epsabs=0, epsrel=1e-12)[0] for ends in itertools.pairwise(edges)]
    return sum(pieces) / (2 * 0.3 * np.pi * radius**2)


@pytest.mark.parametrize("ratio", [0.003, 0.1, 0.5, 1.0, 3.0, 20.0, 100.0])
def test_blurred_disc(ratio):
    blur = 60.0
    z = blur * np.array([0.0, 0.2, 1.0, 2.5, 6.0, 8.9, 9.1, 40.0])
    found = disc_potential(z, ratio * blur, 0.3, blur)
    expected = [integrated(each, ratio * blur, blur) for each in z]
    np.testing.assert_allclose(found, expected, rtol=1e-10)
    np.testing.assert_array_equal(disc_potential(-z, ratio * blur, 0.3, blur), found)


@pytest.mark.parametrize("ratio", [0.1, 1.0, 30.0])
def test_disc_whose_current_depends_on_its_place(ratio):
    """1 + x + x³ nA, x standard deviations above the mean."""
    z = 60.0 * np.array([-3.0, -0.2, 0.0, 1.0, 12.0])
    polynomial = np.polynomial.hermite_e.poly2herme([1.0, 1.0, 0.0, 1.0])
    found = disc_potential(z, ratio * 60.0, 0.3, 60.0, polynomial)
    for one, each in zip(found, z, strict=True):
        expected = integrated(each, ratio * 60.0, 60.0, lambda x: 1 + x + x**3)
        assert one == pytest.approx(expected, rel=1e-9)


def test_disc_that_is_not_blurred():
    z = np.array([-300.0, -1.0, 0.0, 20.0])
    expected = (np.sqrt(z**2 + 150.0**2) - abs(z)) / (2 * 0.3 * np.pi * 150.0**2)
    np.testing.assert_allclose(disc_potential(z, 150.0, 0.3), expected, rtol=1e-14)
    np.testing.assert_allclose(disc_potential(z, 150.0, 0.3, 1e-6), expected, rtol=1e-7)


@pytest.mark.parametrize("away", [0.0, 40.0, 95.0, 100.0, 130.0])
@pytest.mark.parametrize("blur", [0.0, 25.0])
def test_beside_the_axis_it_is_the_mean_of_points_all_over_the_disc(away, blur):
    """Points in the pattern of a sunflower, each for the same area."""
    n, radius = 20_000, 100.0
    rho = radius * np.sqrt((np.arange(n) + 0.5) / n)
    angle = np.arange(n) * np.pi * (3 - np.sqrt(5))
    nodes, shares = np.polynomial.hermite_e.hermegauss(21)
    shares = shares / shares.sum() if blur else np.eye(21)[10]
    for height in (30.0, -150.0):
        square = rho**2 + away**2 - 2 * rho * away * np.cos(angle)
        points = 1 / (4 * np.pi * 0.3 * np.sqrt(square + (height + blur * nodes[:, None]) ** 2))
        expected = float(shares @ points.mean(axis=1))
        found = off_axis_potential(np.array(height), np.array(away), radius, 0.3, blur)
        assert found == pytest.approx(expected, rel=2e-3)


class Doubled(lfpykernels.GaussCylinderPotential):
    """Of a user, who has the potential of something else."""

    def _f(self, z_e, z_i):
        return 2 * super()._f(z_e, z_i)


@pytest.mark.parametrize("kind", [lfpykernels.GaussCylinderPotential, Doubled])
def test_matrix_is_that_of_lfpykernels(kind):
    z = np.array([-20.0, 0.0, 0.0, 130.0, 600.0])
    cell = SimpleNamespace(
        x=np.zeros((5, 2)), y=np.zeros((5, 2)), z=np.column_stack([z - 9, z + 9]), d=np.ones(5),
        totnsegs=5,
    )  # fmt: skip
    probe = kind(cell, z=np.array([300.0, 0.0, -90.0]), R=150.0, sigma_z=60.0)
    ours = _remembering(probe).get_transformation_matrix()
    # What quad says of itself; it knows nothing of the kink.
    np.testing.assert_allclose(ours, probe.get_transformation_matrix(), rtol=1e-7)
