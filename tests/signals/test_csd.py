"""The current source density, against what it is of potentials that are known."""

import os
import subprocess
import sys

import numpy as np
import pytest
import xarray as xr

from nestlfp.errors import MissingExtraError, SignalError
from nestlfp.signals import checked, current_source_density
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


# ---------------------------------------------------------------------- as a signal
Z = np.arange(0.0, 1600.0, 100.0)
RADIUS = 250.0
SIGMA = 0.3


def density(z):
    """A source above a sink (µA/mm³)."""
    return np.exp(-((z - 600) ** 2) / 4.5e4) - np.exp(-((z - 1000) ** 2) / 4.5e4)


def on_axis(z, radius):
    """Potential (mV) on the axis of cylinders with that density, by quadrature over discs.

    phi(z) = 1 / (2 sigma) ∫ C(z') (√((z - z')² + R²) - |z - z'|) dz'  (Nicholson and Freeman 1975)
    """
    at = np.arange(-2000.0, 4000.0, 1.0)
    away = np.abs(z[:, None] - at)
    # µA/mm³ µm² / (S/m) is 1e-6 mV
    return (np.sqrt(away**2 + radius**2) - away) @ density(at) / (2 * SIGMA) * 1e-6


def recorded(potentials, z=Z, unit="mV", **coords):
    """Potentials (channel, time), or with populations before, as signals."""
    positions = {f"LFP_{axis}": ("LFP_channel", 0 * z) for axis in "xy"}
    dims = (*coords, "LFP_channel", "time")
    return xr.Dataset(
        {"LFP": (dims, potentials, {"units": unit})},
        coords={
            **coords,
            **positions,
            "LFP_z": ("LFP_channel", z),
            "LFP_channel": [f"c{k}" for k in range(z.size)],
            "time": np.arange(1.0, potentials.shape[-1] + 1),
        },
    )


@pytest.mark.parametrize(
    ("method", "error"),
    [("DeltaiCSD", 0.08), ("StepiCSD", 0.03), ("SplineiCSD", 0.004), ("KCSD1D", 0.01)],
)
def test_an_analytic_source_by_elephant(method, error):
    pytest.importorskip("elephant")
    course = np.array([0.0, 1.0, -2.0])
    potentials = on_axis(Z, RADIUS)[:, None] * course
    made = current_source_density(
        recorded(potentials), method, diameter=2 * RADIUS, conductivity=SIGMA
    )
    assert made["CSD"].attrs["units"] == "µA/mm³"
    np.testing.assert_array_equal(made["CSD_z"], Z)
    assert np.abs(made["CSD"] - density(Z)[:, None] * course).max() < 2 * error
    checked(made)
    # In another unit, order and scale, and with populations apart, it is the same.
    back = np.random.default_rng(1).permutation(Z.size)
    other = recorded(
        1e3 * np.stack([potentials, potentials])[:, back], Z[back], "µV", pre=["E", "I"]
    )
    again = current_source_density(other, method, diameter=2 * RADIUS, conductivity=SIGMA)
    assert again["CSD"].dims == ("pre", "CSD_channel", "time")
    np.testing.assert_allclose(again["CSD"][1], made["CSD"], atol=1e-9)
    assert again["CSD_channel"].values[0] == f"c{int(np.flatnonzero(back == 0)[0])}"


def test_second_difference_as_a_signal():
    """Of a wide source, as wide as the method takes it."""
    potentials = on_axis(Z, 1e5)[:, None] * [0.0, 1.0]
    made = current_source_density(recorded(potentials), conductivity=SIGMA)
    np.testing.assert_array_equal(made["CSD_z"], Z[1:-1])
    assert np.abs(made["CSD"][:, 1] - density(Z[1:-1])).max() < 0.06
    assert not made["CSD"][:, 0].any()
    assert made["CSD"].attrs["method"] == "second-difference"


def test_uneven_contacts():
    pytest.importorskip("elephant")
    z = np.delete(Z, [3, 12])
    signals = recorded(on_axis(z, RADIUS)[:, None], z)
    made = current_source_density(signals, "KCSD1D", diameter=2 * RADIUS)
    assert np.abs(made["CSD"][:, 0] - density(z)).max() < 0.15
    with pytest.raises(SignalError, match="StepiCSD needs contacts at equal distances"):
        current_source_density(signals, "StepiCSD", diameter=2 * RADIUS)


def test_what_it_cannot_be_made_of(monkeypatch):
    good = recorded(np.ones((16, 2)))
    for signals, options, match in (
        (good, {"signal": "EEG"}, "no signal 'EEG'"),
        (good, {"method": "magic"}, "must be one of"),
        (good, {"method": "StepiCSD"}, "needs the diameter"),
        (good, {"method": "StepiCSD", "diameter": -1.0}, "diameter must be a positive"),
        (good, {"conductivity": 0.0}, "conductivity must be a positive"),
        (good, {"name": "time"}, "must not be named"),
        (good.drop_vars("LFP_x"), {}, "no positions"),
        (recorded(np.full((16, 2), np.nan)), {}, "not finite"),
        (recorded(np.ones((16, 2)), unit="nA µm"), {}, "made of potentials"),
        (recorded(np.ones((2, 2)), Z[:2]), {}, "at least 3 contacts"),
    ):
        with pytest.raises(SignalError, match=match):
            current_source_density(signals, **options)
    monkeypatch.setitem(sys.modules, "elephant", None)
    with pytest.raises(MissingExtraError, match=r"nestlfp\[csd\]"):
        current_source_density(good, "StepiCSD", diameter=500.0)
    in_mm = good.assign_coords(LFP_z=good["LFP_z"] * 1e-3)
    with pytest.raises(SignalError, match=r"look like millimetres: none exceeds 1\.5"):
        current_source_density(in_mm)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["KCSD1D", "StepiCSD"])
def test_elephant_needs_no_mpi_library(method):
    """It imports mpi4py where that is installed, which may find no library."""
    pytest.importorskip("elephant")
    pytest.importorskip("mpi4py")
    script = f"""
import sys
import numpy as np
sys.path.insert(0, {os.path.dirname(__file__)!r})
from test_csd import RADIUS, Z, on_axis, recorded
from nestlfp.signals import current_source_density
made = current_source_density(recorded(on_axis(Z, RADIUS)[:, None]), {method!r}, diameter=500.0)
print(float(made["CSD"][6, 0]))
import mpi4py
try:
    from mpi4py import MPI
except RuntimeError as error:
    print(error)
"""
    told = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "MPI4PY_LIBMPI": "/no/libmpi.so"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 0, told.stderr
    assert float(told.stdout.split()[0]) == pytest.approx(float(density(600.0)), abs=0.15)
    assert "cannot load MPI library" in told.stdout
