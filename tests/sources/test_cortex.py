"""Patches of a cortical surface: their geometry, and their EEG and MEG."""

import gzip

import numpy as np
import pytest

import nestlfp
from nestlfp.errors import KernelError, MissingExtraError
from nestlfp.kernels.spheres import four_sphere, symmetric_sphere
from nestlfp.sources import cortex
from nestlfp.sources.cortex import Patches, Surface
from networks import assert_signal_is_convolution, installed, replayed, reset

conductors = pytest.importorskip("lfpykit.eegmegcalc")

RADIUS = 70.0  # mm
CENTRES = {"V1": [-69e3, 0.0, 0.0], "A1": [0.0, 50e3, 50e3], "M1": [0.0, -10e3, 69e3]}
PRE = ["E", "I"]


def sphere(halvings, radius=RADIUS):
    """Vertices (mm) and triangles of an octahedron whose triangles were cut into four."""
    vertices = np.array([[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1.0]])
    faces = np.array([[0, 2, 4], [2, 1, 4], [1, 3, 4], [3, 0, 4]])
    faces = np.vstack([faces, faces[:, [1, 0, 2]] + np.where(faces[:, [1, 0, 2]] == 4, 1, 0)])
    for _ in range(halvings):
        corners = vertices[faces]
        middles = (corners + np.roll(corners, -1, axis=1)) / 2
        a, b, c = corners.swapaxes(0, 1)
        ab, bc, ca = middles.swapaxes(0, 1)
        triangles = np.stack([a, ab, ca, ab, b, bc, ca, bc, c, ab, bc, ca], axis=1).reshape(-1, 3)
        vertices, faces = np.unique(triangles.round(12), axis=0, return_inverse=True)
        faces = faces.reshape(-1, 3)
        vertices /= np.linalg.norm(vertices, axis=1, keepdims=True)
    return radius * vertices, faces


@pytest.fixture(scope="module")
def ball():
    return Surface(*sphere(4), unit="mm")


@pytest.fixture(scope="module")
def patches(ball):
    return Patches.around(ball, CENTRES, area=300.0).inside(79e3)


def microcircuit(seed=1, pre=PRE, first_lag=0.3):
    """Kernels of a dipole along z, of two postsynaptic populations."""
    values = np.random.default_rng(seed).normal(size=(2, len(pre), 3, 40)) * [[0], [0], [1.0]]
    return nestlfp.KernelSet.from_arrays(
        {"CDM": 1e3 * values}, pre=pre, post=PRE, dt=0.1, first_lag=first_lag,
        units={"CDM": "nA µm"}, channels={"CDM": ["x", "y", "z"]}, provenance={"tool": "a test"},
    )  # fmt: skip


def sensors(radius, count, seed=8):
    directions = np.random.default_rng(seed).normal(size=(count, 3))
    return radius * directions / np.linalg.norm(directions, axis=1, keepdims=True)


def models():
    return {
        "EEG": conductors.FourSphereVolumeConductor(sensors(89_999.0, 8), iter_factor=1e-14),
        "MEG": conductors.SphericallySymmetricVolCondMEG(sensors(110_000.0, 5)),
    }


# ---------------------------------------------------------------------- heads with many dipoles
DIPOLES = np.vstack([sensors(7.8e4, 2, 9), sensors(5e4, 2, 10), [[0, 0, 7e4], [0, 0, -2e4]]])


def test_potentials_of_many_dipoles_are_those_of_lfpykit():
    contacts = np.vstack([sensors(89_999.0, 5), sensors(86_000.0, 2), [[0, 0, 89_999.0]]])
    head = conductors.FourSphereVolumeConductor(contacts, iter_factor=1e-14)
    for at, matrix in zip(DIPOLES, four_sphere(head, DIPOLES, contacts), strict=True):
        expected = head.get_transformation_matrix(at)
        np.testing.assert_allclose(matrix, expected, atol=1e-10 * np.abs(expected).max(), rtol=0)


def test_fields_of_many_dipoles_are_those_of_lfpykit():
    sphere = conductors.SphericallySymmetricVolCondMEG(sensors(110_000.0, 4))
    found = symmetric_sphere(sphere, DIPOLES, sphere.r)
    expected = np.array([sphere.get_transformation_matrix(at) for at in DIPOLES])
    np.testing.assert_allclose(found, expected, atol=1e-13 * np.abs(expected).max(), rtol=0)


# ---------------------------------------------------------------------- surfaces
def test_area_of_a_sphere(ball):
    assert ball.areas.sum() == pytest.approx(4 * np.pi * RADIUS**2, rel=5e-3)
    np.testing.assert_allclose(ball.area_vectors.sum(axis=0), 0, atol=1e-9)
    outward = ball.vertices / np.linalg.norm(ball.vertices, axis=1, keepdims=True)
    normals = ball.area_vectors / ball.areas[:, None]
    assert np.all(np.sum(normals * outward, axis=1) > 0.99)


def test_surface_in_a_head_keeps_its_areas(ball):
    moved = Surface(*sphere(2, radius=90.0), unit="mm").inside(79e3, centre=[0, 0, 10e3])
    assert np.linalg.norm(moved.vertices, axis=1).max() == pytest.approx(78e3)
    assert moved.scale == pytest.approx(0.78)
    assert moved.areas.sum() == pytest.approx(Surface(*sphere(2, 90.0), "mm").areas.sum())
    half = ball.vertices + np.array([100e3, 20e3, 0.0])  # the other half is at x < 0
    np.testing.assert_allclose(
        Surface(half, ball.faces).inside(200e3).vertices, half - [0, 20e3, 0], atol=1e-6
    )
    assert Surface(half, ball.faces).inside(200e3).scale == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"unit": "µm"}, r"extends over 0\.14 mm if its vertices are in µm: .* unit='mm'"),
        ({"unit": "m"}, r"extends over 140000 mm if its vertices are in m"),
        ({"unit": "cm"}, r"one of \['µm', 'um', 'mm', 'm'\], found 'cm'"),
        ({"faces": [[0, 1]]}, r"shape \(m, 3\).*found int64 of shape \(1, 2\)"),
        ({"faces": [[0, 1, 6]]}, "from 0 to 5, found 0 to 6"),
        ({"faces": sphere(0)[1][:, ::-1]}, r"point inwards: .* faces\[:, ::-1\]"),
        ({"vertices": np.full((6, 3), np.nan)}, "must be finite"),
    ],
)
def test_bad_surfaces(change, message):
    vertices, faces = sphere(0)
    with pytest.raises(KernelError, match=message):
        Surface(**{"vertices": vertices, "faces": faces, "unit": "mm", **change})


def test_sphere_too_small_for_a_surface(ball):
    with pytest.raises(KernelError, match=r"sphere of 79 µm .* such as inside\(79e3\)"):
        ball.inside(79.0, margin=1.0)


# ---------------------------------------------------------------------- patches
def test_patches_around_centres_have_the_area_and_are_caps(ball):
    found = Patches.around(ball, CENTRES, area=2000.0)
    np.testing.assert_allclose(found.areas, 2000.0, rtol=1e-12)
    # A cap of the area A of a sphere leaves 1 - A / (4 pi r²) of the sum of its dipoles.
    left = np.linalg.norm(found.axes, axis=1)
    np.testing.assert_allclose(left, 1 - 2000 / (4 * np.pi * RADIUS**2), atol=6e-3)
    given = np.array([*CENTRES.values()])
    directions = given / np.linalg.norm(given, axis=1, keepdims=True)
    assert np.all(np.sum(found.axes * directions, axis=1) > 0.995 * left)
    between = np.linalg.norm(given[0] - given[1])
    assert found.distances[0, 1] == pytest.approx(between, rel=0.05)
    np.testing.assert_allclose(found.inside(50e3).distances, found.distances)


def test_patches_without_an_area_cover_the_surface(ball):
    found = Patches.around(ball, CENTRES)
    assert found.areas.sum() == pytest.approx(ball.areas.sum())
    assert found.shares.sum(axis=0).max() == 1


def test_patches_by_labels(ball):
    north = np.flatnonzero(ball.vertices[:, 2] > 60e3)
    south = np.flatnonzero(ball.vertices[:, 2] < -60e3)
    found = Patches.labelled(ball, {"north": north, "south": south})
    assert found.areas[0] == pytest.approx(ball.areas[north].sum())
    np.testing.assert_array_equal(found.members("south")[0], south)
    assert repr(found).startswith("Patches: north (")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda s: Patches.around(s, {}), "a dict with an entry for each"),
        (lambda s: Patches.around(s, {"A": [70.0, 0, 0]}), r"'A' is 70 mm from the surface: .* µm"),
        (lambda s: Patches.around(s, {"A": [7e4, 0, 0], "B": [7.1e4, 0, 0]}), "'A' and 'B' are at"),
        (lambda s: Patches.around(s, CENTRES, area=4e4), r"'\w+' has \d+ mm² .* area=40000"),
        (lambda s: Patches.around(s, CENTRES, area=-1), "area of patches .* mm², found -1"),
        (lambda s: Patches.labelled(s, {"A": [0, 1], "B": [1, 2]}), "1 is in patches 'A' and 'B'"),
        (lambda s: Patches.labelled(s, {"A": [10**6]}), "'A' has vertices 1000000 .* 0 to 1025"),
        (lambda s: Patches.labelled(s, {"A": [0.5]}), "'A' needs numbers of vertices"),
        (lambda s: Patches.labelled(s, {"A": [1]}).members("B"), r"no patch 'B': .*\['A'\]"),
    ],
)
def test_bad_patches(ball, make, message):
    with pytest.raises(KernelError, match=message):
        make(ball)


# ---------------------------------------------------------------------- kernels
def test_potential_of_a_cap_is_its_solid_angle():
    """A uniform layer of dipoles: V = solid angle × density / (4 pi sigma), whatever its shape."""
    fine = Surface(*sphere(5), unit="mm")
    north = np.flatnonzero(fine.vertices[:, 2] >= 0.999 * 50e3)
    found = Patches.labelled(fine, {"north": north})
    sigma, z = 0.3, 120e3
    made = cortex.kernels(
        microcircuit(), found, {"EEG": conductors.InfiniteVolumeConductor(sigma)},
        contacts={"EEG": [[0.0, 0.0, z], [0.0, 0.0, 150e3]]},
    )  # fmt: skip
    area = found.areas[0] * 1e6  # µm²
    r = RADIUS * 1e3
    edge_z = r - area / (2 * np.pi * r)  # of the cap of this area
    edge = np.sqrt(r**2 - edge_z**2)
    height = np.array([z, 150e3]) - edge_z
    angle = 2 * np.pi * (1 - height / np.hypot(height, edge))
    moment = microcircuit()["CDM"].sum("post").values[:, 2]
    expected = moment[:, None] * (angle / area / (4 * np.pi * sigma))[:, None]
    np.testing.assert_allclose(made["EEG"].values[0], expected, rtol=4e-3)


def test_closed_surface_is_not_seen(ball):
    whole = Patches.labelled(ball, {"all": np.arange(len(ball.vertices))})
    one = Patches.around(ball, {"one": CENTRES["M1"]}, area=300.0)
    infinite = {"EEG": conductors.InfiniteVolumeConductor(0.3)}
    where = {"EEG": [[0.0, 30e3, 120e3]]}
    peaks = [
        np.abs(cortex.kernels(microcircuit(), p, infinite, contacts=where)["EEG"]).max().item()
        for p in (whole, one)
    ]
    assert peaks[0] < 1e-3 * peaks[1]


def test_kernels_are_lfpykits_dipoles_averaged_over_the_patch(patches):
    made = cortex.kernels(microcircuit(), patches, models(), units={"MEG": "T", "EEG": "µV"})
    assert made.pre == ("V1/E", "V1/I", "A1/E", "A1/I", "M1/E", "M1/I")
    assert made.post == ("cortex",)
    assert made.provenance["microcircuit"] == {"tool": "a test"}
    moment = microcircuit()["CDM"].sum("post").values[:, 2]
    for name, model, factor in (("EEG", models()["EEG"], 1e3), ("MEG", models()["MEG"], 1e-3)):
        vertices, parts = patches.members("A1")
        weights = parts[:, None] * patches.surface.area_vectors[vertices] / patches.areas[1]
        field = sum(
            model.get_transformation_matrix(at) @ along
            for at, along in zip(patches.surface.vertices[vertices], weights, strict=True)
        ).ravel()
        mu = model.mu if name == "MEG" else 1.0
        found = made.select(pre=["A1/E", "A1/I"])[name].values[0]
        expected = factor * mu * field[None, :, None] * moment[:, None]
        np.testing.assert_allclose(found, expected, atol=1e-9 * np.abs(expected).max(), rtol=0)


def test_names_positions_and_directions_of_sensors(patches):
    given = models()
    made = cortex.kernels(
        microcircuit(), patches, given, normals={"MEG": given["MEG"].r}, units={"MEG": "fT"},
        channels={"EEG": list("abcdefgh")},
    )  # fmt: skip
    assert made["EEG"]["EEG_channel"].values.tolist() == list("abcdefgh")
    np.testing.assert_allclose(made["EEG"]["EEG_z"], given["EEG"].rxyz[:, 2])
    assert made["MEG"].sizes["MEG_channel"] == 5
    np.testing.assert_allclose(made["MEG"]["MEG_normal_x"], given["MEG"].r[:, 0] / 110e3)
    assert made["MEG"].attrs["units"] == "fT"
    assert made.first_lag_steps == 3


def test_patches_of_two_kinds_have_their_own_courses(patches):
    one, other = microcircuit(1), microcircuit(2, pre=["L4", "L5", "L6"])
    made = cortex.kernels({"V1": one, "A1": other, "M1": one}, patches, models())
    assert made.pre == ("V1/E", "V1/I", "A1/L4", "A1/L5", "A1/L6", "M1/E", "M1/I")
    assert made.stored.sizes["course"] == 5
    alone = cortex.kernels(other, patches, models())
    np.testing.assert_allclose(
        made.select(pre="A1/L6")["EEG"], alone.select(pre="A1/L6")["EEG"], rtol=1e-12
    )


def test_a_patch_outside_of_the_head_is_told_how_to_get_in(ball):
    out = Patches.around(Surface(*sphere(2, 85.0), "mm"), {"A": [85e3, 0, 0]})
    with pytest.raises(KernelError, match=r"cannot be seen as 'EEG': .*patches\.inside\(79e3"):
        cortex.kernels(microcircuit(), out, models())


@pytest.mark.parametrize(
    ("given", "options", "message"),
    [
        ({"V1": microcircuit()}, {}, r"for each patch: those of \['V1'\], .*'A1'"),
        (
            {"V1": microcircuit(), "A1": microcircuit(first_lag=0.1), "M1": microcircuit()},
            {},
            "must have the same lags",
        ),
        (microcircuit(), {"units": {"LFP": "mV"}}, r"units for signals without a model: \['LFP'\]"),
        (microcircuit(), {"signal": "LFP"}, "no signal 'LFP'"),
        (
            nestlfp.KernelSet(microcircuit().dataset.assign_coords(CDM_channel=["z", "y", "x"])),
            {},
            "'CDM' is larger across the axis z",
        ),
    ],
)
def test_bad_kernels(patches, given, options, message):
    with pytest.raises(KernelError, match=message):
        cortex.kernels(given, patches, models(), **options)


# ---------------------------------------------------------------------- in NEST
DURATION = 60.0


@pytest.fixture(scope="module")
def trains():
    rng = np.random.default_rng(4)
    return {
        f"{patch}/{pre}": np.sort(rng.integers(20, 450, 30) / 10).tolist()
        for patch in CENTRES
        for pre in PRE
    }


def recorded(nest, made, trains, method, threads=1):
    """Signals of parrots that spike at these times + 1 ms, and their spikes."""
    reset(nest, threads=threads)
    bank = installed(made, method)
    parrots = {name: replayed(nest, [trains[name]]) for name in made.pre}
    recorder = nestlfp.FieldRecorder(bank, parrots, interval=0.1)
    nestlfp.simulate(DURATION, progress=False)
    return recorder.signals(), {name: np.array(trains[name]) + 1.0 for name in made.pre}, bank


@pytest.mark.parametrize("threads", [1, 3])
def test_online_signals_are_the_convolution(nest, patches, trains, threads):
    made = cortex.kernels(microcircuit(), patches, models(), units={"EEG": "µV", "MEG": "fT"})
    signals, spikes, _ = recorded(nest, made, trains, "fir", threads)
    for name in ("EEG", "MEG"):
        assert_signal_is_convolution(signals, made, spikes, DURATION, name)


def test_separable_signals_are_within_the_error_that_is_told(nest, patches, trains):
    made = cortex.kernels(microcircuit(), patches, models(), units={"EEG": "µV", "MEG": "fT"})
    exact = made.convolve({name: np.array(t) + 1.0 for name, t in trains.items()}, DURATION)
    signals, _, bank = recorded(nest, made, trains, nestlfp.Separable(1e-4))
    assert bank.filter.error.max() <= 1e-4
    # The error is of a channel's peak, for each spike.
    n = sum(map(len, trains.values()))
    for name in ("EEG", "MEG"):
        peak = np.abs(made[name]).max(["pre", "lag", "post"]).values[:, None]
        at = exact[name].sel(time=signals["time"].values, method="nearest").values
        assert np.all(np.abs(signals[name].values - at) <= 1e-4 * n * peak)


def test_superposition_of_patches(nest, patches, trains):
    """All at once is the sum of patches alone; at five sensors it is the sum by hand."""
    made = cortex.kernels(microcircuit(), patches, models(), units={"EEG": "µV", "MEG": "fT"})
    together, spikes, _ = recorded(nest, made, trains, "fir")
    alone = [
        recorded(nest, made.select(pre=[f"{patch}/{pre}" for pre in PRE]), trains, "fir")[0]
        for patch in CENTRES
    ]
    for name in ("EEG", "MEG"):
        total = sum(each[name].values for each in alone)
        np.testing.assert_allclose(
            together[name].values, total, atol=1e-12 * np.abs(total).max(), rtol=0
        )
    head, moment = models()["EEG"], microcircuit()["CDM"].sum("post").values[:, 2]
    for sensor in np.random.default_rng(3).choice(8, 5, replace=False):
        by_hand = np.zeros(round(DURATION / 0.1) + 1)
        for patch, area in zip(patches.names, patches.areas, strict=True):
            vertices, parts = patches.members(patch)
            seen = sum(
                part * head.get_transformation_matrix(patches.surface.vertices[v])[sensor]
                @ patches.surface.area_vectors[v] / area
                for v, part in zip(vertices, parts, strict=True)
            )  # fmt: skip
            for pre, h in zip(PRE, moment, strict=True):
                for spike in spikes[f"{patch}/{pre}"]:
                    first = round(spike / 0.1) + 3
                    part = h[: len(by_hand) - first]
                    by_hand[first : first + len(part)] += 1e3 * seen * part
        found = together["EEG"].values[sensor]
        expected = by_hand[np.rint(together["time"].values / 0.1).astype(int)]
        peak = np.abs(expected).max()
        np.testing.assert_allclose(found, expected, atol=1e-8 * peak, rtol=0)


# ---------------------------------------------------------------------- files
def test_files_of_freesurfer(tmp_path):
    from nibabel import freesurfer

    vertices, faces = sphere(2)
    freesurfer.write_geometry(tmp_path / "lh.white", 0.9 * vertices, faces)
    freesurfer.write_geometry(tmp_path / "lh.pial", 1.1 * vertices, faces)
    middle = cortex.read(tmp_path / "lh.white", tmp_path / "lh.pial")
    np.testing.assert_allclose(middle.vertices, 1e3 * vertices, atol=0.1)  # 4 bytes a number
    labels = np.where(vertices[:, 0] > 0, 1, 0)
    labels[0] = -1
    table = np.array([[1, 2, 3, 0, 0], [4, 5, 6, 0, 0], [7, 8, 9, 0, 0]])
    names = ["left", "right", "empty"]
    freesurfer.write_annot(tmp_path / "lh.annot", labels, table, names, fill_ctab=True)
    found = cortex.annotation(tmp_path / "lh.annot")
    assert [*found] == ["left", "right"]
    np.testing.assert_array_equal(found["right"], np.flatnonzero(labels == 1))
    assert Patches.labelled(middle, found).areas.sum() > 0.9 * middle.areas.sum()


def test_files_of_gifti(tmp_path):
    import nibabel

    vertices, faces = sphere(1)
    arrays = [
        nibabel.gifti.GiftiDataArray(values.astype(kind), intent=intent)
        for values, kind, intent in (
            (vertices, "float32", "NIFTI_INTENT_POINTSET"),
            (faces, "int32", "NIFTI_INTENT_TRIANGLE"),
        )
    ]
    whole = nibabel.gifti.GiftiImage(darrays=arrays)
    (tmp_path / "s.gii.gz").write_bytes(gzip.compress(whole.to_bytes()))
    np.testing.assert_allclose(
        cortex.read(tmp_path / "s.gii.gz").vertices, 1e3 * vertices, rtol=1e-6
    )
    nibabel.gifti.GiftiImage(darrays=arrays[:1]).to_filename(tmp_path / "points.gii")
    with pytest.raises(KernelError, match=r"points\.gii' has no surface"):
        cortex.read(tmp_path / "points.gii")


def test_bad_files(tmp_path):
    from nibabel import freesurfer

    with pytest.raises(KernelError, match="no file of a surface given"):
        cortex.read()
    with pytest.raises(KernelError, match=r"lh\.white' cannot be read"):
        cortex.read(tmp_path / "lh.white")
    for name, halvings in (("lh.white", 1), ("rh.pial", 2)):
        freesurfer.write_geometry(tmp_path / name, *sphere(halvings))
    with pytest.raises(KernelError, match=r"rh\.pial' has other triangles than"):
        cortex.read(tmp_path / "lh.white", tmp_path / "lh.white", tmp_path / "rh.pial")


def test_fsaverage_is_an_average_brain():
    pytest.importorskip("nilearn")
    left, right = cortex.fsaverage("left"), cortex.fsaverage("right")
    for surface in (left, right):
        assert len(surface.vertices) == 10_242
        assert 65_000 < surface.areas.sum() < 80_000
    assert left.vertices[:, 0].mean() < -20e3 < 20e3 < right.vertices[:, 0].mean()
    with pytest.raises(KernelError, match="'left' or 'right', found 'both'"):
        cortex.fsaverage("both")


def test_without_nilearn_the_extra_is_named(monkeypatch):
    monkeypatch.setattr("nestlfp.sources.cortex.reading.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"pip install 'nestlfp\[cortex\]'"):
        cortex.fsaverage("left")
