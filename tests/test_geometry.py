"""Positions in µm, probes, and kernels that know where their populations are."""

from types import SimpleNamespace

import numpy as np
import pytest

import nestlfp
from nestlfp.errors import KernelError
from nestlfp.geometry import (
    Cylinder,
    cell_segments,
    cells,
    contact_positions,
    electrodes,
    geometry_of,
    position,
    positions,
    with_geometry,
)

CYLINDER = {"radius": 150.0, "bottom": -150.0, "top": 150.0}
CELL = np.array(
    [[0, 0, -10, 0, 0, 10, 20], [0, 0, 10, 30, 0, 400, 2.0], [0, 0, -10, -80, 5, -90, 1]]
)


def kernels(contacts=None, pre=("E", "TC"), post=("E",)):
    contacts = np.array([[0.0, 0.0, z] for z in (-200, 0, 200)]) if contacts is None else contacts
    return nestlfp.KernelSet.from_arrays(
        {"LFP": np.ones((len(post), len(pre), len(contacts), 5))},
        pre=list(pre), post=list(post), dt=0.1, units={"LFP": "mV"}, positions={"LFP": contacts},
    )  # fmt: skip


# ---------------------------------------------------------------------- positions
def test_positions_take_what_is_in_micrometres():
    given = [[0.0, 0.0, -200.0], [10.0, 0.0, 0.0]]
    np.testing.assert_array_equal(positions(given, "the contacts"), given)
    np.testing.assert_array_equal(positions([[0, 0, 0]], "the contacts"), np.zeros((1, 3)))
    np.testing.assert_array_equal(position([0, 0.5, 0], "a direction"), [0, 0.5, 0])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([1.0, 2.0, 3.0], r"shape \(n, 3\) in µm, found \(3,\)"),
        ([[1.0, 2.0]], r"found \(1, 2\)"),
        (np.zeros((0, 3)), r"found \(0, 3\)"),
        ([[0, 0, np.inf]], "must be finite"),
        (
            [[0, 0, 100.0], *[[np.nan, 0, 1.0]] * 999],
            r"^.{0,60}must be finite, found \[nan, 0\.0, 1\.0\] at index 1 \(999 of 1000 .{0,20}$",
        ),
        ([[0, 0], [1, 2, 3]], r"must be an array of real numbers.* of shape \(n, 3\) in µm, or a"),
        ("tetrode", r"found text such as 'tetrode'; give an array of shape \(n, 3\) in µm, or a"),
        ([[1j, 0, 0]], "found complex numbers"),
        ([[0.0, 0.0, -4e-4], [0.0, 0.0, 4e-4]], "µm and look like metres: none exceeds 0.0004"),
    ],
)
def test_bad_positions(given, message):
    with pytest.raises(KernelError, match=message):
        positions(given, "the contacts")


def test_several_places_tell_millimetres():
    rng = np.random.default_rng(1)
    for extent in (0.5, 3.0, 8.0):
        with pytest.raises(KernelError, match=r"cells must be in µm and look like m.*1e3"):
            positions(rng.uniform(-extent, extent, (20, 3)), "the cells")
    with pytest.raises(KernelError, match=r"'LFP' must be in µm and look like .*, give a probe"):
        kernels([[0.0, 0.0, z] for z in (-1.5, 0.0, 1.5)])
    np.testing.assert_array_equal(positions([[0.0, 0, 5.0]], "the contacts"), [[0.0, 0, 5.0]])
    same = np.tile([0.0, 0.0, 5.0], (9, 1))
    np.testing.assert_array_equal(cells(same, "the cells"), same)
    far = rng.uniform(-2.0, 2.0, (20, 3)) + np.array([0, 0, 20.0])
    with pytest.raises(KernelError, match=r"all 20 lie within \S+ of each other"):
        cells(far, "the cells")
    assert len(cells(far * 1e3, "the cells")) == 20


def test_heads_are_larger():
    with pytest.raises(KernelError, match=r"look like millimetres: none exceeds 78 .* by 1e3"):
        positions([[0.0, 0.0, 78.0]], "the dipole", smallest=1000.0)


# ---------------------------------------------------------------------- probes
@pytest.mark.parametrize(("unit", "factor"), [("um", 1.0), ("mm", 1e-3), ("m", 1e-6)])
@pytest.mark.parametrize("ndim", [2, 3])
def test_contacts_of_a_probe(unit, factor, ndim):
    probeinterface = pytest.importorskip("probeinterface")
    xyz = np.array([[0.0, 0.0, -100.0], [20.0, 0.0, 0.0], [0.0, 0.0, 100.0]])
    probe = probeinterface.Probe(ndim=ndim, si_units=unit)
    if ndim == 2:  # x across, z along the shank
        probe.set_contacts(positions=xyz[:, [0, 2]] * factor, shapes="circle")
    else:
        axes = np.tile(np.array([[1.0, 0, 0], [0, 0, 1]]), (3, 1, 1))
        probe.set_contacts(positions=xyz * factor, shapes="circle", plane_axes=axes)
    np.testing.assert_allclose(contact_positions(probe), xyz, atol=1e-9)
    np.testing.assert_allclose(positions(probe, "the contacts"), xyz, atol=1e-9)


def test_bad_probes():
    probeinterface = pytest.importorskip("probeinterface")
    with pytest.raises(KernelError, match="the probe has no contacts"):
        contact_positions(probeinterface.Probe(ndim=2))
    with pytest.raises(KernelError, match="expected a probeinterface Probe, found list"):
        contact_positions([[0.0, 0.0]])
    probe = probeinterface.Probe(ndim=2, si_units="um")
    probe.set_contacts(positions=np.array([[0.0, 0.0], [0.0, 1e-4]]))
    with pytest.raises(
        KernelError, match="contacts of a probe in um must be in µm and look like m"
    ):
        contact_positions(probe)
    strange = SimpleNamespace(contact_positions=np.ones((2, 2)), si_units="inch")
    with pytest.raises(KernelError, match=r"unit of the probe must be one of .* 'inch'"):
        contact_positions(strange)


def test_a_probes_labels_and_near_contacts():
    probeinterface = pytest.importorskip("probeinterface")
    probe = probeinterface.generate_linear_probe(3, 6.0).get_slice([0, 1])
    probe.set_contact_ids(["a7", "a8"])
    made = nestlfp.KernelSet.from_arrays(
        {"LFP": np.ones((1, 1, 2, 5))}, pre=["E"], post=["E"], dt=0.1, units={"LFP": "mV"},
        positions={"LFP": probe},
    )  # fmt: skip
    assert made["LFP"]["LFP_channel"].values.tolist() == ["a7", "a8"]
    np.testing.assert_array_equal(made["LFP"]["LFP_z"], [0.0, 6.0])


def test_a_group_of_probes_is_given_one_by_one():
    probeinterface = pytest.importorskip("probeinterface")
    group = probeinterface.ProbeGroup()
    group.add_probe(probeinterface.generate_linear_probe(3, 50.0))
    for ask in (
        lambda: positions(group, "the contacts"),
        lambda: contact_positions(group),
        lambda: nestlfp.KernelSet.from_arrays(
            {"LFP": np.ones((1, 1, 3, 5))},
            pre=["E"],
            post=["E"],
            dt=0.1,
            units={"LFP": "mV"},
            positions={"LFP": group},
        ),
    ):
        with pytest.raises(KernelError, match=r"ProbeGroup of 1 probes: .* \.probes\[0\]"):
            ask()


# ---------------------------------------------------------------------- geometry of kernels
def test_geometry_survives_algebra_and_file(tmp_path):
    known = with_geometry(
        kernels(), {"E": CYLINDER, "TC": Cylinder(200.0, -500.0, -300.0, x=10.0)}, {"E": CELL}
    )
    known.select(pre=["E"]).scale({"E": 2.0}).resample(0.2).save(tmp_path / "kernels.nc")
    found = geometry_of(nestlfp.KernelSet.load(tmp_path / "kernels.nc"))
    assert found.cylinders == {
        "E": Cylinder(**CYLINDER),
        "TC": Cylinder(200.0, -500.0, -300.0, x=10.0),
    }
    np.testing.assert_array_equal(found.segments["E"], CELL)
    assert geometry_of(kernels()) is None


def test_cylinder_of_normal_depths():
    cylinder = Cylinder.of_normal_depths(radius=150.0, loc=-400.0, scale=75.0)
    assert (cylinder.bottom, cylinder.top) == (-550.0, -250.0)
    np.testing.assert_array_equal(cylinder.center, [0.0, 0.0, -400.0])


def test_segments_of_a_cell_are_relative_to_its_soma():
    cell = SimpleNamespace(
        x=np.array([[5.0, 5.0], [5.0, 9.0]]),
        y=np.zeros((2, 2)),
        z=np.array([[90.0, 110.0], [110.0, 300.0]]),
        d=np.array([20.0, 2.0]),
    )
    expected = [[0, 0, -10, 0, 0, 10, 20], [0, 0, 10, 4, 0, 200, 2]]
    np.testing.assert_array_equal(cell_segments(cell), expected)


@pytest.mark.parametrize(
    ("cylinders", "segments", "message"),
    [
        ({"I": CYLINDER}, None, r"population 'I' is not among the kernels' \['E', 'TC'\]"),
        ({"E": {"radius": 100.0}}, None, "cylinder of 'E' needs radius, bottom and top"),
        ({"E": 100.0}, None, "cylinder of 'E' needs radius, bottom and top"),
        ({"E": CYLINDER | {"radius": 0.0}}, None, "needs a radius > 0"),
        ({"E": CYLINDER | {"top": -200.0}}, None, "bottom <= top"),
        ({"E": {"radius": 1.5, "bottom": -1.8, "top": -1.2}}, None, "cylinder .* like millimetres"),
        ({"E": CYLINDER | {"radius": 1.5e-4}}, None, r"cylinder \(its radius\) .* like metres"),
        ({"E": CYLINDER}, {"E": CELL[:, :6]}, r"segments of 'E' must .* \(n, 7\)"),
        ({"E": CYLINDER}, {"E": CELL * 1e-6}, "segments of 'E' must be in µm and look like metres"),
        ({"E": CYLINDER}, {"TC": CELL}, r"\['TC'\] have a morphology but no cylinder"),
    ],
)
def test_bad_geometry(cylinders, segments, message):
    with pytest.raises(KernelError, match=message):
        with_geometry(kernels(), cylinders, segments)


def test_broken_geometry_in_a_file():
    broken = nestlfp.KernelSet(kernels().dataset.assign_attrs(geometry='{"cylinders": 3}'))
    with pytest.raises(KernelError, match="attribute 'geometry' cannot be read"):
        geometry_of(broken)


# ---------------------------------------------------------------------- the picture
def picture(given, **options):
    pytest.importorskip("matplotlib")
    from nestlfp.plotting.geometry import probe_and_cells

    return probe_and_cells(given, **options)


def test_picture_shows_contacts_cylinders_and_cells(tmp_path):
    given = with_geometry(kernels(), {"E": CYLINDER, "TC": CYLINDER}, {"E": CELL, "TC": CELL})
    figure = picture(given)
    side, top = figure.axes
    texts = [text.get_text() for text in side.get_legend().get_texts()]
    assert texts == ["somata of E", "somata of TC", "contacts of LFP"]
    assert len(side.patches) == len(top.patches) == 2
    assert len(side.collections) == 2
    np.testing.assert_array_equal(side.lines[0].get_ydata(), [-200, 0, 200])
    assert [text.get_text() for text in side.texts] == ["0", "1", "2"]
    low, high = side.get_ylim()
    assert low < -200 < 400 < high
    figure.savefig(tmp_path / "geometry.png")
    assert (tmp_path / "geometry.png").stat().st_size > 5000


def test_picture_of_contacts_or_populations_alone():
    assert len(picture(kernels()).axes[0].lines) == 1
    bare = kernels().dataset.drop_vars(["LFP_x", "LFP_y", "LFP_z"])
    known = with_geometry(nestlfp.KernelSet(bare), {"E": CYLINDER})
    assert len(picture(known).axes[0].patches) == 1
    with pytest.raises(KernelError, match="neither contact positions nor populations"):
        picture(nestlfp.KernelSet(bare))
    with pytest.raises(KernelError, match="contacts of signal 'LFP' have no positions"):
        picture(known, signal="LFP")
    with pytest.raises(KernelError, match="no signal 'EEG'"):
        picture(known, signal="EEG")


def test_contacts_of_unknown_depth_are_not_drawn_at_the_origin():
    given = kernels([[0.0, 0.0, -200.0], [np.nan] * 3, [np.nan, np.nan, 200.0]])
    side = picture(given).axes[0]
    np.testing.assert_array_equal(side.lines[0].get_xydata(), [[0, -200], [0, 200]])
    assert [text.get_text() for text in side.texts] == ["0", "2"]


def test_picture_of_many_contacts_does_not_name_them():
    many = np.column_stack([np.zeros(384), np.zeros(384), np.arange(384) * 10.0])
    assert len(picture(kernels(many)).axes[0].texts) == 0


# ---------------------------------------------------------------------- electrodes of the scalp
@pytest.mark.parametrize("montage", ["easycap-M1", "biosemi64", "GSN-HydroCel-128", "fsaverage"])
def test_electrodes_lie_on_the_sphere(montage):
    if montage == "fsaverage":  # electrodes of a real head, under the name that this MNE has
        import mne

        new = "fsaverage_1005" in mne.channels.get_builtin_montages()
        montage = "fsaverage_1005" if new else "standard_1005"
    places = electrodes(montage, radius=80e3)
    np.testing.assert_allclose(np.linalg.norm([*places.values()], axis=1), 80e3, rtol=1e-12)
    known = {name: place / 80e3 for name, place in places.items()}
    if "Cz" in known:
        for name, direction in {"Cz": [0, 0, 1], "Fpz": [0, 1, 0], "T8": [1, 0, 0]}.items():
            assert known[name] @ direction > 0.95, (name, known[name])


def test_spherical_electrodes_are_where_the_system_of_10_and_20_percent_has_them():
    places = electrodes("easycap-M1", ["Cz", "C4", "Fz", "Oz"], radius=1e4)
    angle = np.radians(46.0)  # of easycap's table: Cz to C4, and to Fz
    expected = {
        "Cz": [0, 0, 1],
        "C4": [np.sin(angle), 0, np.cos(angle)],
        "Fz": [0, np.sin(angle), np.cos(angle)],
        "Oz": [0, -np.sin(2 * angle), np.cos(2 * angle)],
    }
    assert list(places) == ["Cz", "C4", "Fz", "Oz"]
    for name, direction in expected.items():
        np.testing.assert_allclose(places[name], 1e4 * np.array(direction), atol=1e-3)


def test_electrodes_of_a_montage_of_the_users():
    import mne

    whole = mne.channels.make_standard_montage("easycap-M1")
    some = electrodes(whole, ["Oz"])
    np.testing.assert_array_equal(some["Oz"], electrodes("easycap-M1")["Oz"])


@pytest.mark.parametrize(
    ("montage", "options", "match"),
    [
        ("easycap-m1", {}, r"no montage 'easycap-m1': it has easycap-M1, "),
        ("easycap-M1", {"names": ["Cz", "cz"]}, r"no electrode 'cz' in the montage: it has .*Cz"),
        ("easycap-M1", {"radius": 89.999}, r"must be in µm and look like millimetres"),
        ("easycap-M1", {"radius": -1.0}, r"must be a positive number \(µm\), found -1\.0"),
        ("easycap-M1", {"radius": [1e4, 1e4]}, r"must be a positive number \(µm\), found \[1"),
        (7, {}, r"montage must be a name that MNE has, .* found int"),
    ],
)
def test_electrodes_that_there_are_not(montage, options, match):
    with pytest.raises(KernelError, match=match):
        electrodes(montage, **options)
