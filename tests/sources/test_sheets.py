"""Sheets of tissue: the probe, the grid of positions, and kernels of neurons from patches."""

from types import SimpleNamespace

import lfpykit
import numpy as np
import pytest
from scipy.special import erf
from scipy.stats import norm, qmc

import nestlfp
from nestlfp import KernelError, KernelSet, NeuronKernels
from nestlfp.sources import sheets
from nestlfp.sources.sheets.patches import tabulated
from networks import installed

DT, WIDTH, CELL = 0.5, 40.0, 60.0
"""Step (ms), patches' width (µm), and the width of the potential that a single cell makes."""
DEPTH = 25.0
COURSE = np.exp(-np.arange(8) / 3.0) * np.sin(1 + np.arange(8))


def gaussian(distance, spread):
    return np.exp(-(np.square(distance)) / (2 * spread**2)) / (2 * np.pi * spread**2)


def patches(sheet, contacts, width=WIDTH, post=("E",), scale=(1.0,)):
    """Of cells whose potential is Gaussian in the distance, so that all else is known."""
    distances = tabulated(sheet, contacts, width)
    seen = gaussian(distances, np.hypot(width, CELL))
    values = np.array(scale)[:, None, None, None] * seen[:, None] * COURSE
    return KernelSet.from_arrays(
        {"LFP": values},
        pre=["E"],
        post=list(post),
        dt=DT,
        units={"LFP": "mV"},
        positions={"LFP": np.column_stack([distances, 0 * distances, 0 * distances + DEPTH])},
        provenance={"patch": {"width_um": width}},
    )


def contacts_at(*places):
    return np.array([[x, y, DEPTH] for x, y in places])


def single(kernels, places):
    """Kernels (neuron, contact, lag) of neurons at these places."""
    found = NeuronKernels(
        kernels.modes, kernels.populations, sheets.weights(kernels, {"E": places})
    )
    return found.single("E")["LFP"].values


def close(found, expected, share):
    assert np.abs(found - expected).max() < share * np.abs(expected).max()


# ---------------------------------------------------------------------- the probe
def cell():
    rng = np.random.default_rng(1)
    start = np.vstack([[0, 0, -10], [0, 0, 10], rng.normal(0, 50, (2, 3))])
    stop = np.vstack([[0, 0, 10], [0, 0, 200], start[2:] + rng.normal(0, 40, (2, 3))])
    x, y, z = (np.column_stack([start[:, i], stop[:, i]]) for i in range(3))
    return lfpykit.CellGeometry(x=x, y=y, z=z, d=np.ones(4))


RADIUS = {
    sheets.Gaussian(80.0): lambda u: 80 * np.sqrt(-2 * np.log1p(-u)),
    sheets.Disk(150.0): lambda u: 150 * np.sqrt(u),
}


@pytest.mark.slow
@pytest.mark.parametrize("blur", [0.0, 30.0])
@pytest.mark.parametrize("profile", RADIUS, ids=str)
def test_probe_is_the_mean_of_line_sources_of_turned_and_scattered_cells(profile, blur):
    x, z = (a.ravel() for a in np.meshgrid([0.0, 100.0, 400.0, 2000.0], [0.0, 150.0, -200.0]))
    given = cell()
    probe = sheets.SheetPotential(given, 0.6 * x, 0.8 * x, z, profile, sigma_z=blur)
    expected = 0.0
    draws = qmc.Sobol(4, seed=3).random(2**11)
    for turn, angle, u, v in draws:
        c, s = np.cos(2 * np.pi * turn), np.sin(2 * np.pi * turn)
        r = RADIUS[profile](u)
        moved = lfpykit.CellGeometry(
            x=c * given.x - s * given.y + r * np.cos(2 * np.pi * angle),
            y=s * given.x + c * given.y + r * np.sin(2 * np.pi * angle),
            z=given.z + blur * norm.ppf(min(max(v, 1e-9), 1 - 1e-9)),
            d=given.d,
        )
        one = lfpykit.LineSourcePotential(moved, x=x, y=0 * x, z=z, sigma=0.3)
        expected = expected + one.get_transformation_matrix() / len(draws)
    np.testing.assert_allclose(probe.get_transformation_matrix(), expected, rtol=0.02)


def test_probe_with_a_disk_is_the_cylinder_of_lfpykernels():
    from lfpykernels import GaussCylinderPotential

    low = np.array([-10.0, 10.0, 200.0])
    z = np.column_stack([low, [-10 + 1e-3, 10 + 1e-3, 200 + 1e-3]])  # points, on the axis
    on_axis = SimpleNamespace(x=0 * z, y=0 * z, z=z, d=np.ones(3), totnsegs=3)
    contacts = np.linspace(-100, 300, 5)
    cylinder = GaussCylinderPotential(None, z=contacts, R=150.0, sigma_z=60.0)
    probe = sheets.SheetPotential(
        None, 0 * contacts, 0 * contacts, contacts, sheets.Disk(150.0), sigma_z=60.0
    )
    found = []
    for each in (cylinder, probe):
        each.cell = on_axis
        found.append(each.get_transformation_matrix())
    np.testing.assert_allclose(found[1], found[0], rtol=1e-4)


def test_probe_that_cannot_be():
    with pytest.raises(KernelError, match="one shape"):
        sheets.SheetPotential(None, [0.0, 1.0], [0.0] * 3, [0.0], sheets.Disk(100.0))
    with pytest.raises(KernelError, match="sigma"):
        sheets.SheetPotential(None, [0.0], [0.0], [10.0], sheets.Disk(100.0), sigma=-1)
    with pytest.raises(KernelError, match="sigma_z"):
        sheets.SheetPotential(None, [0.0], [0.0], [10.0], sheets.Disk(100.0), sigma_z=np.nan)
    with pytest.raises(AttributeError, match="cell is None"):
        sheets.SheetPotential(
            None, [0.0], [0.0], [10.0], sheets.Disk(100.0)
        ).get_transformation_matrix()


@pytest.mark.parametrize(
    "profile", [sheets.Gaussian(120.0), sheets.Exponential(70.0), sheets.Disk(200.0)]
)
def test_profiles(profile):
    r = np.arange(0.5, 4000.0)
    mass = 2 * np.pi * r * profile.density(r)
    assert np.sum(mass) == pytest.approx(1, abs=2e-3)
    assert np.sum(mass * r**2) / 2 == pytest.approx(profile.spread**2, rel=5e-3)
    assert np.sum(mass[r > profile.reach]) < 1.1e-4
    k = np.array([1e-9, 2e-3, 5e-3])
    from scipy.special import j0

    transformed = [np.sum(mass * j0(each * r)) for each in k]
    np.testing.assert_allclose(profile.spectrum(k), transformed, atol=3e-3)
    assert np.hypot(profile.narrowed(30.0).spread, 30.0) == pytest.approx(profile.spread)
    with pytest.raises(KernelError, match="too wide"):
        profile.narrowed(500.0)


# ---------------------------------------------------------------------- the grid
@pytest.mark.parametrize("degree", [1, 2, 3])
@pytest.mark.parametrize("periodic", [False, True])
def test_weights_of_a_grid(degree, periodic):
    sheet = sheets.Sheet(800.0, 500.0, x=100.0, periodic=periodic)
    grid = sheets.Grid(sheet, (8, 5), degree)
    rng = np.random.default_rng(1)
    places = sheet.corner + sheet.extent * rng.uniform(size=(50, 2))
    places = np.vstack([places, sheet.corner, sheet.corner + sheet.extent])
    found = grid.weights(places)
    assert found.shape == (52, grid.size)
    assert found.data.min() > 0
    np.testing.assert_allclose(found.sum(axis=1), 1)
    assert np.diff(found.indptr).max() <= (degree + 1) ** 2
    if periodic:
        np.testing.assert_allclose(found[[50]].toarray(), found[[51]].toarray(), atol=1e-9)
    else:  # the corners' own functions
        assert found[50, 0] == pytest.approx(1)
        assert found[51, grid.size - 1] == pytest.approx(1)
    assert sheets.Grid.of(grid.as_json()) == grid


def test_positions_that_are_not_in_the_sheet():
    grid = sheets.Grid(sheets.Sheet(1000.0), (4, 4))
    with pytest.raises(KernelError, match=r"must lie in the sheet.*\[501.0, 0.0\].*1 of 2"):
        grid.weights([[501.0, 0.0], [0.0, 0.0]])
    with pytest.raises(KernelError, match="often in mm"):
        grid.weights(np.random.default_rng(1).uniform(-0.5, 0.5, (200, 2)))
    with pytest.raises(KernelError, match="shape"):
        grid.weights([1.0, 2.0])
    with pytest.raises(KernelError, match="must lie in the sheet"):
        grid.weights([[np.nan, 0.0]])
    with pytest.raises(KernelError, match="in µm"):
        sheets.Sheet(4.0)
    with pytest.raises(KernelError, match="degree"):
        sheets.Grid(sheets.Sheet(1000.0), (4, 4), 5)
    with pytest.raises(KernelError, match="at least 4"):
        sheets.Grid(sheets.Sheet(1000.0, periodic=True), (3, 4))
    assert grid.weights(np.zeros((0, 2))).shape == (0, 49)


# ---------------------------------------------------------------------- kernels of neurons
def test_kernels_far_from_the_edge_are_gaussians():
    sheet = sheets.Sheet(2000.0)
    contacts = contacts_at((0.0, 0.0), (150.0, -80.0))
    kernels = sheets.kernels(
        patches(sheet, contacts), sheet, contacts, {"E": sheets.Gaussian(130.0)}, left_out=1e-5
    )
    places = np.array([[0.0, 0.0], [100.0, 50.0], [-180.0, 200.0]])
    away = np.linalg.norm(places[:, None] - contacts[:, :2], axis=2)
    expected = gaussian(away, np.hypot(130.0, CELL))[:, :, None] * COURSE
    close(single(kernels, places), expected, 5e-3)
    assert kernels.left_out()["LFP"].max() <= 1e-5
    assert "left out of the variance" in repr(kernels)


def edge(x, contact, low, high, profile, seen):
    """Integral along one axis of a Gaussian around x times one around a contact."""
    both = profile * seen / np.hypot(profile, seen)
    middle = (x * seen**2 + contact * profile**2) / (profile**2 + seen**2)
    whole = np.exp(-((x - contact) ** 2) / (2 * (profile**2 + seen**2)))
    whole = whole / np.sqrt(2 * np.pi * (profile**2 + seen**2))
    ends = [erf((end - middle) / (np.sqrt(2) * both)) for end in (low, high)]
    return whole * (ends[1] - ends[0]) / 2


def test_targets_beyond_the_edge_are_missing():
    sheet = sheets.Sheet(800.0, x=400.0, y=400.0)  # 0 to 800
    contacts = contacts_at((30.0, 200.0), (400.0, 790.0))
    found = patches(sheet, contacts)
    profile, seen = np.sqrt(130.0**2 - WIDTH**2), np.hypot(WIDTH, CELL)
    places = np.array([[0.0, 0.0], [20.0, 300.0], [500.0, 800.0], [400.0, 400.0]])
    expected = np.prod(
        [edge(places[:, None, i], contacts[None, :, i], 0.0, 800.0, profile, seen) for i in (0, 1)],
        axis=0,
    )
    how = {"profiles": {"E": sheets.Gaussian(130.0)}, "left_out": 1e-5}
    close(
        single(sheets.kernels(found, sheet, contacts, **how), places),
        expected[:, :, None] * COURSE,
        0.02,
    )
    # The same number of targets for each neuron: those in the corner have a quarter of theirs.
    inside = np.prod(
        [edge(places[:, i], places[:, i], 0.0, 800.0, profile, 1e6) for i in (0, 1)], axis=0
    ) * (2 * np.pi * 1e12)
    assert inside[0] == pytest.approx(0.25, rel=1e-3)
    close(
        single(sheets.kernels(found, sheet, contacts, rule="outdegree", **how), places),
        (expected / inside[:, None])[:, :, None] * COURSE,
        0.02,
    )
    # The same number of sources for each target: a contact at the edge sees as much as any, in sum.
    sources = np.random.default_rng(2).uniform(0, 800, (4000, 2))
    by_rule = {
        rule: single(sheets.kernels(found, sheet, contacts, rule=rule, **how), sources).mean(axis=0)
        for rule in ("bernoulli", "indegree")
    }
    total = np.prod(
        [edge(contacts[:, i], contacts[:, i], 0.0, 800.0, seen, 1e6) for i in (0, 1)], axis=0
    ) * (2 * np.pi * 1e12)
    close(by_rule["indegree"], (total / 800.0**2)[:, None] * COURSE, 0.05)
    assert np.all(np.abs(by_rule["bernoulli"][:, 0]) < 0.8 * np.abs(by_rule["indegree"][:, 0]))


@pytest.mark.parametrize("images", [0, 1])
def test_periodic_sheet(images):
    sheet = sheets.Sheet(1200.0, periodic=True, images=images)
    contacts = contacts_at((580.0, 0.0), (0.0, 0.0))
    kernels = sheets.kernels(
        patches(sheet, contacts), sheet, contacts, {"E": sheets.Gaussian(130.0)}, left_out=1e-5
    )
    places = np.array([[-590.0, 0.0], [590.0, 20.0], [10.0, 0.0]])
    away = places[:, None] - contacts[:, :2]
    away -= 1200.0 * np.round(away / 1200.0)
    expected = gaussian(np.linalg.norm(away, axis=2), np.hypot(130.0, CELL))[:, :, None] * COURSE
    found = single(kernels, places)
    if images:
        close(found, expected, 5e-3)
    else:  # targets beyond the edge are at the other side, and not seen
        half = edge(places[:2, 0], 580.0 + 0 * places[:2, 0], -600.0, 600.0, 123.693169, 72.1110255)
        whole = edge(places[:2, 0], 580.0 + 0 * places[:2, 0], -1e4, 1e4, 123.693169, 72.1110255)
        wrapped = edge(
            places[:2, 0] + [1200.0, -1200.0], 580.0, -600.0, 600.0, 123.693169, 72.1110255
        )
        assert np.all(half < 0.7 * whole + wrapped)
        np.testing.assert_allclose(found[2, 1], expected[2, 1], rtol=0.01)
        assert np.abs(found[1, 0]).max() < 0.7 * np.abs(expected[1, 0]).max()


def test_spikes_that_take_time_to_travel():
    sheet = sheets.Sheet(1000.0)
    contacts = contacts_at((40.0, 0.0))
    kernels = sheets.kernels(
        patches(sheet, contacts, width=25.0),
        sheet,
        contacts,
        {"E": sheets.Gaussian(130.0)},
        speeds={"E": 100.0},  # µm/ms, 50 µm in a step
        left_out=1e-3,
    )
    place = np.array([[-60.0, 30.0]])
    # Target after target, on a fine lattice; a delay between two steps counts for both.
    along = np.arange(-490.0, 500.0, 10.0)
    targets = np.stack(np.meshgrid(along, along), axis=-1).reshape(-1, 2)
    away = np.linalg.norm(targets - place, axis=1)
    share = 100.0 * gaussian(away, np.sqrt(130.0**2 - 25.0**2))
    seen = gaussian(np.linalg.norm(targets - contacts[0, :2], axis=1), np.hypot(25.0, CELL))
    late = away / 50.0
    expected = np.zeros(kernels.modes.n_lags)
    for whole, weight in ((np.floor(late), 1 - late % 1), (np.floor(late) + 1, late % 1)):
        for step in range(int(whole.max()) + 1):
            now = np.sum((share * seen * weight)[whole == step])
            end = min(step + len(COURSE), len(expected))
            expected[step:end] += now * COURSE[: end - step]
    close(single(kernels, place)[0, 0], expected, 0.02)


def target_by_target(sheet, contact, places, spread, speed):
    """Kernels (neuron, lag) of cells at the targets themselves, on a fine lattice."""
    along = np.arange(2.0, sheet.width, 4.0)
    targets = sheet.corner + np.stack(np.meshgrid(along, along), axis=-1).reshape(-1, 2)
    seen = 16.0 * gaussian(np.linalg.norm(targets - contact[:2], axis=1), CELL)
    found = []
    for place in places:
        away = np.linalg.norm(targets - place, axis=1)
        late = away / (speed * DT)
        whole = np.floor(late).astype(int)
        share = seen * gaussian(away, spread)
        counts = np.bincount(whole, share * (1 - late % 1), 60)
        counts += np.bincount(whole + 1, share * (late % 1), 60)
        found.append(np.convolve(counts, COURSE))
    return np.array(found)


@pytest.mark.filterwarnings("ignore:patches of width")
@pytest.mark.parametrize(("speed", "place"), [(100.0, 0.0), (300.0, 0.0), (100.0, 300.0)])
def test_what_is_left_out_covers_slow_axons_and_edges(speed, place):
    """All that is wrong, by the grid and by the patches, in neurons everywhere in the sheet."""
    sheet = sheets.Sheet(600.0, x=300.0, y=300.0)
    contacts = contacts_at((place + 5.0, place + 5.0))
    kernels = sheets.kernels(
        patches(sheet, contacts),
        sheet,
        contacts,
        {"E": sheets.Gaussian(130.0)},
        speeds={"E": speed},
        left_out=0.01,
    )
    along = np.linspace(0.0, 600.0, 13)  # edges and corners among them
    places = np.stack(np.meshgrid(along, along), axis=-1).reshape(-1, 2)
    exact = target_by_target(sheet, contacts[0], places, 130.0, speed)
    found = single(kernels, places)[:, 0]
    n = min(found.shape[1], exact.shape[1])
    share = np.sum((found[:, :n] - exact[:, :n]) ** 2) / np.sum(exact**2)
    told = kernels.left_out()["LFP"].item()
    assert share < told < 10 * share
    nearest = np.linalg.norm(places - contacts[0, :2], axis=1).argmin()
    assert (
        np.abs(found[nearest, :n] - exact[nearest, :n]).max() < 0.3 * np.abs(exact[nearest]).max()
    )


def test_patches_that_are_too_wide_are_told():
    sheet = sheets.Sheet(600.0)
    contacts = contacts_at((-290.0, -290.0))
    how = {"profiles": {"E": sheets.Gaussian(130.0)}, "speeds": {"E": 100.0}, "left_out": 0.01}
    with pytest.warns(
        UserWarning, match=r"patches of width 40 .* of the variance at contact 0 "
    ) as w:
        sheets.kernels(patches(sheet, contacts), sheet, contacts, **how)
    enough = float(str(w[0].message).rpartition("=")[2].rstrip(")"))
    assert 5.0 < enough < 40.0
    kernels = sheets.kernels(patches(sheet, contacts, enough), sheet, contacts, **how)
    assert kernels.left_out()["LFP"].item() < 0.025


@pytest.mark.parametrize("spread", [0.3, 0.42])
def test_targets_in_a_periodic_sheet_are_the_nearest_ones(spread):
    """As with NEST's edge_wrap, where each target has one distance, however wide the profile."""
    import nest

    side = 1000.0
    sheet = sheets.Sheet(side, periodic=True)
    contacts = contacts_at((0.0, 0.0))
    kernels = sheets.kernels(
        patches(sheet, contacts),
        sheet,
        contacts,
        {"E": sheets.Gaussian(spread * side)},
        left_out=1e-4,
    )
    places = np.array([[0.0, 0.0], [250.0, 0.0], [480.0, 480.0]])
    nest.ResetKernel()
    grid = nest.spatial.grid([100, 100], extent=[1.0, 1.0], edge_wrap=True)
    targets = nest.Create("parrot_neuron", positions=grid)
    here = 1000.0 * np.array(nest.GetPosition(targets))
    expected = []
    for place in places:
        own = nest.Create(
            "parrot_neuron",
            positions=nest.spatial.free([list(place / 1000.0)], extent=[1.0, 1.0], edge_wrap=True),
        )
        away = 1000.0 * np.array(nest.Distance(own, targets))
        density = gaussian(away, spread * side)
        images = (here - contacts[0, :2])[:, None] + side * np.array(
            [[i, j] for i in (-1, 0, 1) for j in (-1, 0, 1)]
        )
        seen = gaussian(np.linalg.norm(images, axis=2), CELL).sum(axis=1)
        expected.append(np.sum(seen * density) / np.sum(density) * COURSE)
    close(single(kernels, places)[:, 0], np.array(expected), 0.02)


def test_profiles_by_postsynaptic_population_and_a_grid_of_ones_own():
    sheet = sheets.Sheet(2000.0)
    contacts = contacts_at((0.0, 0.0))
    found = patches(sheet, contacts, post=("E", "I"), scale=(1.0, -0.5))
    profiles = {"E": {"E": sheets.Gaussian(200.0), "I": sheets.Gaussian(120.0)}}
    grid = sheets.Grid(sheet, (24, 24), 3)
    kernels = sheets.kernels(found, sheet, contacts, profiles, grid=grid, left_out=None)
    assert len(kernels.populations["E"]) == 27**2
    r = np.array([0.0, 150.0])
    expected = gaussian(r, np.hypot(200.0, CELL)) - 0.5 * gaussian(r, np.hypot(120.0, CELL))
    places = np.column_stack([r, 0 * r])
    close(single(kernels, places)[:, 0], expected[:, None] * COURSE, 0.02)


def test_what_is_left_out_is_what_a_neuron_lacks():
    sheet = sheets.Sheet(1000.0, periodic=True)
    contacts = contacts_at((0.0, 0.0), (100.0, 0.0))
    grid = sheets.Grid(sheet, (5, 5), 1)  # too coarse
    kernels = sheets.kernels(
        patches(sheet, contacts),
        sheet,
        contacts,
        {"E": sheets.Gaussian(110.0)},
        grid=grid,
        left_out=None,
    )
    places = np.random.default_rng(3).uniform(-500, 500, (3000, 2))
    away = places[:, None] - contacts[:, :2]
    away -= 1000.0 * np.round(away / 1000.0)
    exact = gaussian(np.linalg.norm(away, axis=2), np.hypot(110.0, CELL))[:, :, None] * COURSE
    lacks = np.sum((single(kernels, places) - exact) ** 2, axis=(0, 2)) / np.sum(
        exact**2, axis=(0, 2)
    )
    np.testing.assert_allclose(kernels.left_out()["LFP"], lacks, rtol=0.25)


def test_files_keep_what_weights_need(tmp_path):
    sheet = sheets.Sheet(1000.0)
    contacts = contacts_at((0.0, 0.0))
    kernels = sheets.kernels(
        patches(sheet, contacts),
        sheet,
        contacts,
        {"E": sheets.Gaussian(150.0)},
        channels=["electrode"],
    )
    kernels.save(tmp_path / "sheet.nc")
    loaded = NeuronKernels.load(tmp_path / "sheet.nc")
    assert loaded.modes["LFP"]["LFP_channel"].values.tolist() == ["electrode"]
    places = {"E": [[10.0, 20.0]]}
    a, b = (sheets.weights(each, places)["E"].toarray() for each in (kernels, loaded))
    np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"profiles": {}}, "profiles has none for 'E'"),
        ({"profiles": {"E": 100.0}}, "must be Gaussian"),
        ({"profiles": {"E": {"I": sheets.Gaussian(100.0)}}}, r"none for the postsynaptic \['E'\]"),
        ({"profiles": {"E": sheets.Gaussian(30.0)}}, "patches of width 40 µm are too wide"),
        ({"profiles": {"E": sheets.Gaussian(150.0), "I": sheets.Gaussian(90.0)}}, "profiles"),
        ({"rule": "fixed"}, "rule must be one of"),
        ({"speeds": {"E": -1.0}}, "speed of 'E'"),
        ({"speeds": {"I": 100.0}}, "speeds"),
        ({"left_out": 2.0}, "between 0 and 1"),
        ({"left_out": None}, "either left_out"),
        ({"rates": {"I": 1.0}}, "rates has none for 'E'"),
        (
            {"contacts": contacts_at((0.0, 0.0)) + np.array([0, 0, 1.0])},
            "no contacts at a depth of 26 µm",
        ),
        ({"contacts": contacts_at((5000.0, 0.0))}, "the patches reach"),
        ({"left_out": 1e-13}, "no grid that these patches"),
    ],
)
def test_what_cannot_be(changes, message):
    sheet, contacts = sheets.Sheet(1000.0), contacts_at((0.0, 0.0))
    given = {
        "patches": patches(sheet, contacts),
        "sheet": sheet,
        "contacts": contacts,
        "profiles": {"E": sheets.Gaussian(150.0)},
    }
    with pytest.raises(KernelError, match=message):
        sheets.kernels(**(given | changes))


def test_kernels_that_are_not_of_a_sheet():
    kernels = KernelSet.from_arrays(
        {"LFP": np.ones((1, 1, 1, 3))}, pre=["E"], post=["E"], dt=0.1, units={"LFP": "mV"}
    )
    sheet, contacts = sheets.Sheet(1000.0), contacts_at((0.0, 0.0))
    with pytest.raises(KernelError, match="no kernels of patches"):
        sheets.kernels(kernels, sheet, contacts, {"E": sheets.Gaussian(150.0)})
    with pytest.raises(KernelError, match="no kernels of a sheet"):
        sheets.weights(NeuronKernels(kernels, {"E": ["E"]}), {"E": [[0.0, 0.0]]})


# ---------------------------------------------------------------------- with LFPykernels and NEST
@pytest.mark.compile
def test_patches_of_cells_make_the_kernel_of_the_whole_profile():
    """From patches, and from the probe with the profile itself: two ways for an endless sheet."""
    import sys
    from pathlib import Path

    example = Path(__file__).resolve().parents[2] / "examples" / "two_population"
    sys.path.insert(0, str(example))
    try:
        import kernels as described
    finally:
        sys.path.remove(str(example))
    from nestlfp.sources import lfpykernels, mechanisms

    mechanisms.load()
    how = {"dt": 2**-4, "tau": 20.0, "g_eff": False, "depths": 1, "progress": False}
    approximations = {"I": described.approximation("I")}
    sheet = sheets.Sheet(2400.0)
    contacts = np.array([[0.0, 0.0, -50.0], [200.0, 0.0, 100.0]])
    profile = sheets.Gaussian(150.0)
    found = sheets.patches(approximations, sheet, contacts, **how)
    kernels = sheets.kernels(
        found, sheet, contacts, {pre: profile for pre in found.pre}, left_out=1e-5
    )
    at = np.array([-80.0, 60.0])
    x, y, z = (contacts - [*at, 0.0]).T
    probe = sheets.SheetPotential(None, x, y, z, profile)
    direct = lfpykernels.compute(approximations, [probe], **how)["LFP"].sum("post")
    for name in found.pre:
        weights = sheets.weights(kernels, {name: [at]})
        one = NeuronKernels(kernels.modes, kernels.populations, weights).single(name)["LFP"]
        close(one.values[0], direct.sel(pre=name).values, 0.01)


@pytest.mark.compile
def test_recorded_in_nest_as_convolved():
    import nest

    sheet = sheets.Sheet(1000.0, periodic=True)
    contacts = contacts_at((0.0, 0.0), (400.0, -300.0))
    grid = sheets.Grid(sheet, (10, 10))
    profiles = {"E": sheets.Gaussian(150.0)}
    found = patches(sheet, contacts)
    kernels = sheets.kernels(found, sheet, contacts, profiles, grid=grid, left_out=None)
    nest.ResetKernel()
    nest.set(resolution=DT, local_num_threads=2)
    bank = installed(kernels, method="separable")
    places = nest.spatial.free(nest.random.uniform(-0.5, 0.5), extent=[1.0, 1.0], edge_wrap=True)
    neurons = nest.Create("parrot_neuron", 200, positions=places)
    noise = nest.Create("poisson_generator", params={"rate": 20.0})
    nest.Connect(noise, neurons, syn_spec={"delay": 1.0})
    spikes = nest.Create("spike_recorder")
    nest.Connect(neurons, spikes, syn_spec={"delay": 1.0})
    weights = sheets.weights(kernels, {"E": 1000.0 * np.array(nest.GetPosition(neurons))})
    recorder = nestlfp.FieldRecorder(
        bank, nestlfp.Inputs({"E": neurons}, weights=weights), interval=DT
    )
    nest.Simulate(100.0)
    found = recorder.signals()["LFP"]
    events = spikes.events
    whole = NeuronKernels(kernels.modes, kernels.populations, weights)
    rows = events["senders"] - neurons[0].global_id
    expected = whole.convolve({"E": (events["times"], rows)}, 100.0)["LFP"]
    expected = expected.isel(time=slice(found.sizes["time"]))
    assert np.abs(expected).max() > 0
    assert found.sizes["time"] > 150
    np.testing.assert_allclose(found, expected, atol=1e-5 * float(np.abs(expected).max()), rtol=0)
