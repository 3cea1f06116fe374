"""EEG and MEG kernels against LFPykit on the convolved current dipole moment."""

import numpy as np
import pytest

import nestlfp
from nestlfp.errors import KernelError
from nestlfp.geometry import with_geometry
from nestlfp.sources.conductors import rotation_from_z
from networks import installed, random_network, reset

conductors = pytest.importorskip("lfpykit.eegmegcalc")

PLACES = {"E": np.array([3e3, -2e3, 76e3]), "I": np.array([-5e3, 4e3, 74e3])}
AXES = {"E": np.array([0.1, -0.2, 0.9]), "I": np.array([1.0, 2.0, -0.5])}
SPIKES = {"E": [1.0, 1.5, 3.2, 7.0], "I": [0.6, 4.4]}


def kernels(**changes):
    rng = np.random.default_rng(5)
    options = {
        "pre": ["E", "I"],
        "post": ["E", "I"],
        "dt": 0.1,
        "units": {"LFP": "mV", "CDM": "nA µm"},
        "channels": {"CDM": ["x", "y", "z"]},
    }
    arrays = {"LFP": rng.normal(size=(2, 2, 4, 50)), "CDM": rng.normal(size=(2, 2, 3, 50))}
    return nestlfp.KernelSet.from_arrays(arrays, **(options | changes))


def sensors(radius, count=7):
    directions = np.random.default_rng(8).normal(size=(count, 3))
    return radius * directions / np.linalg.norm(directions, axis=1, keepdims=True)


def head(**options):
    return conductors.FourSphereVolumeConductor(sensors(89_999.0), **options)


def reference(given, field):
    """LFPykit's `field(dipole moment, place)` summed over populations, on the convolved CDM."""
    cdm = given.convolve(SPIKES, 20.0, by="post")["CDM"]
    return sum(
        field(rotation_from_z(AXES[name]) @ cdm.sel(post=name).values, PLACES[name])
        for name in given.post
    )


def agreement(found, expected):
    return np.max(np.abs(found - expected)) / np.max(np.abs(expected))


class SmallNYHead(conductors.NYHeadModel):
    """The New York head with eleven vertices, instead of its file of 700 MB."""

    def _load_head_model(self, nyhead_file):
        rng = np.random.default_rng(2)
        self.cortex = rng.normal(size=(3, 11)) * 40
        self.cortex[:, 0] = [54, -48, 55.9]
        self.lead_field = rng.normal(size=(3, 11, 6))
        self.cortex_normals = rng.normal(size=(3, 11))
        self.elecs = np.vstack([sensors(95.0, 6).T, np.zeros((1, 6))])


# ---------------------------------------------------------------------- agreement with LFPykit
def test_four_sphere_equals_lfpykit():
    given, model = kernels(), head()
    projected = given.project(model, dipole_positions=PLACES, axes=AXES)
    found = projected.convolve(SPIKES, 20.0)["EEG"]
    assert found.dims == ("EEG_channel", "time")
    assert found.attrs["units"] == "mV"
    assert agreement(found.values, reference(given, model.get_dipole_potential)) < 1e-10
    by_matrix = reference(given, lambda p, at: model.get_transformation_matrix(at) @ p)
    assert agreement(found.values, by_matrix) < 1e-13
    np.testing.assert_array_equal(found["EEG_z"], model.rxyz[:, 2])
    assert projected.signals == ("LFP", "CDM", "EEG")
    np.testing.assert_array_equal(projected["LFP"], given["LFP"])


def test_infinite_conductor_equals_lfpykit():
    given, model = kernels(), conductors.InfiniteVolumeConductor(sigma=0.25)
    contacts = sensors(90_000.0)
    found = given.project(model, dipole_positions=PLACES, axes=AXES, contacts=contacts)
    expected = reference(given, lambda p, at: model.get_dipole_potential(p, contacts - at))
    assert agreement(found.convolve(SPIKES, 20.0)["EEG"].values, expected) < 1e-10


@pytest.mark.parametrize(
    "name", ["InfiniteHomogeneousVolCondMEG", "SphericallySymmetricVolCondMEG"]
)
@pytest.mark.parametrize("unit", ["nA/µm", "T", "fT"])
def test_meg_equals_lfpykit(name, unit):
    given, model = kernels(), getattr(conductors, name)(sensors(110_000.0, 3))
    projected = given.project(model, to="MEG", dipole_positions=PLACES, axes=AXES, unit=unit)
    found = projected.convolve(SPIKES, 20.0)["MEG"]
    # LFPykit's B is mu H with H in nA/µm = 1e-3 A/m, hence in mT.
    factor = {"nA/µm": 1.0, "T": model.mu * 1e-3, "fT": model.mu * 1e12}[unit]
    expected = factor * reference(given, model.calculate_H).reshape(9, -1)
    assert agreement(found.values, expected) < 1e-10
    assert found.attrs["units"] == unit
    assert list(found["MEG_channel"].values[:4]) == ["0_x", "0_y", "0_z", "1_x"]
    np.testing.assert_array_equal(found["MEG_x"][:4], model_positions(model)[[0, 0, 0, 1], 0])


def model_positions(model):
    return model.r if hasattr(model, "r") else model.sensor_locations


def test_meg_along_the_normals_of_the_sensors():
    given, model = kernels(), conductors.SphericallySymmetricVolCondMEG(sensors(110_000.0, 3))
    options = {"to": "MEG", "dipole_positions": PLACES, "axes": AXES}
    full = given.project(model, **options)["MEG"].values.reshape(2, 2, 3, 3, 50)
    found = given.project(model, **options, normals=5 * model.r, channels=["a", "b", "c"])["MEG"]
    expected = np.einsum("yxcdk,cd->yxck", full, model.r / 110_000.0)
    np.testing.assert_allclose(found.values, expected, atol=1e-12 * np.abs(full).max())
    assert list(found["MEG_channel"].values) == ["a", "b", "c"]


def test_flux_density_of_a_known_dipole():
    # 10 nA m, 5 cm away, at a right angle: mu0 / (4 pi) p / r^2 = 400 fT.
    dipole = np.zeros((1, 1, 3, 1))
    dipole[0, 0, 2] = 1e7  # nA µm
    given = nestlfp.KernelSet.from_arrays(
        {"CDM": dipole}, pre=["E"], post=["E"], dt=0.1, units={"CDM": "nA µm"}
    )
    model = conductors.InfiniteHomogeneousVolCondMEG(np.array([[5e4, 0.0, 8e4]]))
    found = given.project(model, to="MEG", dipole_positions=[0.0, 0.0, 8e4], unit="fT")["MEG"]
    np.testing.assert_allclose(found.values.ravel(), [0, 400, 0], rtol=1e-9, atol=1e-9)


def test_potential_of_a_known_dipole():
    # 10 nA m in 0.3 S/m, 5 cm away along its axis: p / (4 pi sigma r^2) = 1.061 µV.
    dipole = np.zeros((1, 1, 3, 1))
    dipole[0, 0, 2] = 1e7
    given = nestlfp.KernelSet.from_arrays(
        {"CDM": dipole}, pre=["E"], post=["E"], dt=0.1, units={"CDM": "nA µm"}
    )
    model = conductors.InfiniteVolumeConductor(sigma=0.3)
    options = {"contacts": [[0.0, 5e4, 0.0]], "dipole_positions": [0.0, 0.0, 0.0]}
    found = given.project(model, axes=[0.0, 1.0, 0.0], unit="µV", **options)["EEG"]
    assert found.values.item() == pytest.approx(1e-8 / (4 * np.pi * 0.3 * 0.05**2) * 1e6)


def test_new_york_head_equals_lfpykit():
    given, model = kernels(), SmallNYHead()
    places = {"E": "parietal_lobe", "I": 1e3 * model.cortex[:, 4]}
    found = given.project(model, dipole_positions=places, axes="outward").convolve(SPIKES, 20.0)
    cdm = given.convolve(SPIKES, 20.0, by="post")["CDM"]
    expected = 0
    for name, place in (("E", "parietal_lobe"), ("I", model.cortex[:, 4])):
        model.set_dipole_pos(place)
        turned = model.rotate_dipole_to_surface_normal(cdm.sel(post=name).values)
        expected = expected + model.get_transformation_matrix() @ turned
    assert agreement(found["EEG"].values, expected) < 1e-10
    np.testing.assert_allclose(found["EEG_x"], 1e3 * model.elecs[0])


def test_channels_of_the_dipole_are_taken_by_their_labels():
    given = kernels()
    shuffled = nestlfp.KernelSet(given.dataset.isel(CDM_channel=[2, 0, 1]))
    options = {"dipole_positions": PLACES, "axes": AXES}
    found, expected = (k.project(head(), **options)["EEG"].values for k in (shuffled, given))
    np.testing.assert_array_equal(found, expected)


def test_outward_axis_of_a_sphere_is_radial():
    given = kernels()
    outward = given.project(head(), dipole_positions=PLACES, axes="outward")["EEG"]
    radial = given.project(head(), dipole_positions=PLACES, axes=PLACES)["EEG"]
    np.testing.assert_array_equal(outward, radial)


def test_projection_survives_the_file(tmp_path):
    projected = kernels(first_lag=0.3).project(head(), dipole_positions=PLACES)
    projected.save(tmp_path / "kernels.nc")
    again = nestlfp.KernelSet.load(tmp_path / "kernels.nc")
    assert again["EEG"].equals(projected["EEG"])
    assert again.first_lag_steps == 3


@pytest.mark.parametrize("direction", [[0, 0, 1], [0, 0, -1], [3, 0, 0], [1e-9, 0, -1], [1, 2, -3]])
def test_rotation_takes_z_to_the_direction(direction):
    found, wanted = rotation_from_z(direction), np.array(direction) / np.linalg.norm(direction)
    np.testing.assert_allclose(found @ [0, 0, 1], wanted, atol=1e-15)
    np.testing.assert_allclose(found @ found.T, np.eye(3), atol=1e-15)
    assert np.linalg.det(found) == pytest.approx(1)


# ---------------------------------------------------------------------- bad input
def infinite():
    return conductors.InfiniteVolumeConductor()


def magnetometer(at=None):
    where = sensors(110_000.0, 3) if at is None else np.array(at)
    return conductors.InfiniteHomogeneousVolCondMEG(where)


SPHERES_M = {"radii": [0.079, 0.08, 0.085, 0.09]}

BAD = {
    "no dipole": (head, {"signal": "EMG"}, "no signal 'EMG' to project"),
    "not a dipole": (head, {"signal": "LFP"}, "'LFP' is no current dipole moment"),
    "name taken": (head, {"to": "LFP"}, "already have a signal 'LFP'"),
    "unknown model": (object, {}, "must be an instance of one of LFPykit's .* object"),
    "a class": (
        lambda: conductors.FourSphereVolumeConductor,
        {},
        "found the class FourSphereVolumeConductor",
    ),
    "no positions": (head, {"dipole_positions": None}, "dipole_positions is missing"),
    "population without position": (
        head,
        {"dipole_positions": {"E": PLACES["E"]}},
        r"dipole_positions lacks the postsynaptic populations \['I'\]",
    ),
    "unknown population": (
        head,
        {"dipole_positions": {**PLACES, "TC": PLACES["E"]}},
        r"populations that the kernels do not have: \['TC'\]",
    ),
    "axis of an unknown population": (
        head,
        {"axes": {**AXES, "TC": [0, 0, 1]}},
        r"axes for populations that the kernels do not have: \['TC'\]",
    ),
    "dipole in the skull": (
        head,
        {"dipole_positions": [0.0, 0.0, 84_000.0]},
        "'E' must lie inside the inner sphere.* 84000 µm .* radius is 79000 µm",
    ),
    "dipole at the centre": (
        head,
        {"dipole_positions": [0.0, 0.0, 0.0]},
        "must lie inside the inner sphere, but not at its centre",
    ),
    "dipole in metres": (
        head,
        {"dipole_positions": [0.0, 0.0, 0.078]},
        "dipole of 'E' must be in µm and look like metres: none exceeds 0.078",
    ),
    "dipole in millimetres": (
        head,
        {"dipole_positions": [0.0, 0.0, 78.0]},
        "dipole of 'E' must be in µm and look like millimetres",
    ),
    "head in metres": (
        lambda: conductors.FourSphereVolumeConductor(sensors(0.0899), **SPHERES_M),
        {},
        "contacts of the model must be in µm and look like metres",
    ),
    "sensors in metres": (
        lambda: magnetometer([[0.0, 0.0, 0.11]]),
        {"to": "MEG"},
        "contacts of the model must be in µm and look like metres",
    ),
    "contacts in metres": (
        infinite,
        {"contacts": sensors(0.09)},
        "the contacts must be in µm and look like metres",
    ),
    "dipole of the wrong shape": (
        head,
        {"dipole_positions": [0.0, 78_000.0]},
        r"the dipole of 'E' must have shape \(3,\), found \(2,\)",
    ),
    "contacts of the wrong shape": (
        infinite,
        {"contacts": [0.0, 0.0, 90_000.0]},
        r"positions of the contacts must have shape \(n, 3\) in µm, found \(3,\)",
    ),
    "contacts that are no numbers": (
        infinite,
        {"contacts": "Cz"},
        "positions of the contacts must be real numbers",
    ),
    "contacts that are not finite": (
        infinite,
        {"contacts": [[0.0, np.nan, 9e4]]},
        "positions of the contacts must be finite",
    ),
    "no contacts": (infinite, {}, "InfiniteVolumeConductor has no contacts of its own"),
    "contacts twice": (
        head,
        {"contacts": sensors(9e4)},
        "the contacts are part of FourSphereVolumeConductor",
    ),
    "contact at the dipole": (
        infinite,
        {"contacts": [[0.0, 0.0, 9e4], PLACES["I"]]},
        "contact 1 is at the dipole of 'I'",
    ),
    "sensor at the dipole": (
        lambda: magnetometer([PLACES["E"]]),
        {"to": "MEG"},
        "contact 0 is at the dipole of 'E'",
    ),
    "sensor below the dipole": (
        lambda: conductors.SphericallySymmetricVolCondMEG(sensors(70_000.0)),
        {"to": "MEG"},
        "contacts must be farther from the centre of the sphere than the dipole of 'E'",
    ),
    "contact below the dipole": (
        lambda: conductors.FourSphereVolumeConductor(sensors(60_000.0)),
        {},
        "contacts must be farther from the centre of the sphere than the dipole of 'E'",
    ),
    "no axis": (head, {"axes": [0.0, 0.0, 0.0]}, r"direction must not be \(0, 0, 0\)"),
    "unknown axis": (head, {"axes": "up"}, "or 'outward' for a model of a head"),
    "no outward": (
        infinite,
        {"contacts": sensors(9e4), "axes": "outward"},
        "found 'outward' for InfiniteVolumeConductor",
    ),
    "wrong unit": (head, {"unit": "T"}, r"must be one of \['mV', 'µV'\], found 'T'"),
    "too few channels": (head, {"channels": ["Cz"]}, "has 7 contacts but there are 1"),
    "normals for EEG": (head, {"normals": sensors(1.0)}, "normals belong to the sensors"),
    "normals of the wrong shape": (
        magnetometer,
        {"normals": [0, 0, 1]},
        r"normals must be directions of shape \(sensor, 3\) = \(3, 3\)",
    ),
    "no such place": (
        SmallNYHead,
        {"dipole_positions": "cerebellum"},
        "NYHeadModel has no place 'cerebellum'",
    ),
    "far from the cortex": (
        SmallNYHead,
        {"dipole_positions": [0.0, 0.0, 3e5]},
        "more than 2 mm from the cortex",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input(case):
    model, options, message = BAD[case]
    with pytest.raises(KernelError, match=message):
        kernels().project(model(), **{"dipole_positions": PLACES, **options})


def test_contact_inside_a_source():
    cylinder = {"radius": 150.0, "bottom": -100.0, "top": 100.0}
    given = with_geometry(kernels(), {"E": cylinder})
    model, beside = infinite(), PLACES["E"] + [120.0, 0.0, 0.0]
    options = {"dipole_positions": PLACES, "contacts": [[0.0, 0.0, 9e4], beside]}
    with pytest.raises(KernelError, match="contact 1 lies inside the source 'E'"):
        given.project(model, **options)
    # Turned on its side, the cylinder ends 100 µm from the dipole.
    given.project(model, **options, axes={"E": [1.0, 0.0, 0.0], "I": [0.0, 0.0, 1.0]})


# ---------------------------------------------------------------------- online
def test_online_eeg_and_meg_equal_lfpykit_on_the_recorded_dipole(nest):
    given, contacts = kernels().select(signals=["CDM"]), sensors(89_999.0)
    models = {
        "EEG": conductors.FourSphereVolumeConductor(contacts),
        "EEG_infinite": conductors.InfiniteVolumeConductor(),
        "MEG": conductors.SphericallySymmetricVolCondMEG(sensors(110_000.0, 3)),
        "MEG_infinite": conductors.InfiniteHomogeneousVolCondMEG(sensors(110_000.0, 3)),
    }
    projected = given
    for name, model in models.items():
        options = {"contacts": contacts} if name == "EEG_infinite" else {}
        projected = projected.project(model, to=name, dipole_positions=PLACES, axes=AXES, **options)
    reset(nest, threads=2)
    bank = installed(projected, by="post")
    network = random_network(nest)
    recorder = nestlfp.FieldRecorder(bank, network.populations, interval=0.1)
    nest.Simulate(150.0)
    signals = recorder.signals()

    fields = {
        "EEG": models["EEG"].get_dipole_potential,
        "EEG_infinite": lambda p, at: models["EEG_infinite"].get_dipole_potential(p, contacts - at),
        "MEG": models["MEG"].calculate_H,
        "MEG_infinite": models["MEG_infinite"].calculate_H,
    }
    for name, field in fields.items():
        expected = sum(
            field(rotation_from_z(AXES[y]) @ signals["CDM"].sel(post=y).values, PLACES[y])
            for y in given.post
        )
        found = signals[name].sum("post").values
        assert np.abs(found).max() > 0
        assert agreement(found, expected.reshape(found.shape)) < 1e-10
