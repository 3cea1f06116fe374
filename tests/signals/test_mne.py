"""Signals in MNE: values, units, times and places, and MNE's own forward models."""

import re

import mne
import numpy as np
import pytest
from lfpykit import eegmegcalc as conductors

import nestlfp
from nestlfp.errors import SignalError
from nestlfp.geometry import electrodes
from nestlfp.signals import to_mne

AT = np.array([20e3, 30e3, 55e3])  # of the dipole (µm)
AXIS = np.array([1.0, 2.0, -0.5]) / np.linalg.norm([1.0, 2.0, -0.5])
NAMES = ["Fpz", "Cz", "Oz", "T7", "T8", "C4", "P3"]
RADII = np.array([0.9, 0.92, 0.97, 1.0])  # of the scalp's: MNE fits a model to these
SIGMAS = [0.3, 1.5, 0.015, 0.3]
PER_NAM = 1e6  # nA µm in a nA m
SENSORS = 1e3 * np.array([[0.0, 40.0, 100.0], [50.0, 20.0, 90.0], [-60.0, -30.0, 80.0]])
NORMALS = np.array([[0.0, 1.0, 2.0], [1.0, 0.0, 1.0], [-1.0, 0.5, 0.2]])


@pytest.fixture(scope="module")
def kernels():
    """Of a dipole that is 1 nA µm for one step, 1.0 ms after a spike."""
    dipole = np.zeros((1, 1, 3, 4))
    dipole[0, 0, 2, 1] = 1.0
    lfp = np.arange(1.0, 13.0).reshape(1, 1, 3, 4)
    known = nestlfp.KernelSet.from_arrays(
        {"CDM": dipole, "LFP": lfp},
        pre=["E"], post=["E"], dt=0.5, units={"CDM": "nA µm", "LFP": "mV"},
        channels={"CDM": ["x", "y", "z"]},
        positions={"LFP": [[0.0, 0.0, z] for z in (0.0, -100.0, 250.0)]},
    )  # fmt: skip
    places = electrodes("easycap-M1", NAMES)
    head = conductors.FourSphereVolumeConductor(
        np.array([*places.values()]), radii=90e3 * RADII, sigmas=SIGMAS
    )
    sensors = conductors.SphericallySymmetricVolCondMEG(SENSORS)
    there = {"dipole_positions": AT, "axes": AXIS}
    known = known.project(head, to="EEG", channels=NAMES, unit="µV", **there)
    known = known.project(sensors, to="MEG", normals=NORMALS, unit="fT", **there)
    return known.project(sensors, to="B", unit="T", **there)


@pytest.fixture(scope="module")
def signals(kernels):
    return kernels.convolve({"E": [1.0, 3.5]}, 10.0).drop_vars("CDM")


def test_values_are_in_volts_and_tesla(signals):
    raw = to_mne(signals)
    factors = {"LFP": 1e-3, "EEG": 1e-6, "MEG": 1e-15, "B": 1.0}
    expected = np.concatenate([factors[name] * signals[name].values for name in signals.data_vars])
    assert expected.any(axis=1).all()
    np.testing.assert_allclose(raw.get_data(), expected, rtol=1e-15)
    assert raw.info["sfreq"] == 2000.0
    assert raw.get_channel_types() == ["seeg"] * 3 + ["eeg"] * 7 + ["mag"] * 12
    assert raw.ch_names[:5] == ["LFP 0", "LFP 1", "LFP 2", "Fpz", "Cz"]
    assert raw.ch_names[10:14] == ["MEG 0", "MEG 1", "MEG 2", "0_x"]


def test_time_is_that_of_the_signals(signals):
    later = signals.sel(time=slice(4.0, None))
    raw = to_mne(later)
    np.testing.assert_allclose(1e3 * (raw.first_time + raw.times), later["time"].values, rtol=1e-15)


@pytest.mark.filterwarnings("error")
def test_a_file_of_mne_has_the_same(signals, tmp_path):
    raw = to_mne(signals.sel(time=slice(2.0, None)).assign_attrs(kernels="0123abcd"))
    raw.save(tmp_path / "signals_raw.fif", fmt="double")
    found = mne.io.read_raw_fif(tmp_path / "signals_raw.fif")
    np.testing.assert_allclose(found.get_data(), raw.get_data(), rtol=1e-12)
    assert (found.ch_names, found.first_time) == (raw.ch_names, 0.002)
    assert found.get_channel_types(unique=False) == raw.get_channel_types(unique=False)
    assert found.info["description"] == "nestlfp, kernels 0123abcd"
    places = found.get_montage().get_positions()["ch_pos"]
    expected = np.transpose([signals[f"EEG_{axis}"].values for axis in "xyz"]) / 1e6
    np.testing.assert_allclose([places[name] for name in NAMES], expected, rtol=1e-6)  # float32
    np.testing.assert_allclose(places["LFP 2"], [0.0, 0.0, 250e-6], atol=1e-10)


def test_mne_draws_it_without_a_window(signals):
    with mne.viz.use_browser_backend("matplotlib"):
        figure = to_mne(signals).plot(show=False, verbose="error")
    lines = [line for line in figure.mne.ax_main.lines if len(line.get_xdata()) > 2]
    assert len(lines) >= 20
    import matplotlib.pyplot as plt

    plt.close("all")


@pytest.mark.parametrize("file", ["s.nc", "s.zarr", "s.nwb"])
def test_files_keep_the_directions_of_sensors(signals, tmp_path, file):
    nestlfp.signals.save(signals, tmp_path / file)
    again = nestlfp.signals.load(tmp_path / file)
    found = to_mne(again[[*signals.data_vars]])  # Zarr has them by the alphabet
    for one, other in zip(found.info["chs"], to_mne(signals).info["chs"], strict=True):
        np.testing.assert_array_equal(one["loc"], other["loc"])


def forward(raw, kinds, model):
    """What MNE's own model of a sphere makes of 1 nA m at the dipole's place (V or T)."""
    dipole = mne.Dipole([0.0], [AT * 1e-6], [1e-9], [AXIS], [100.0])
    picked = raw.copy().pick(kinds)
    made, _ = mne.make_forward_dipole(dipole, model, picked.info, verbose="error")
    assert made["sol"]["row_names"] == picked.ch_names
    return picked, 1e-9 * made["sol"]["data"][:, 0]


def test_the_meg_is_that_of_mne(signals):
    """Places and directions of sensors, and units, against another program's forward model."""
    model = mne.make_sphere_model((0.0, 0.0, 0.0), head_radius=None, verbose="error")
    picked, expected = forward(to_mne(signals), "mag", model)
    np.testing.assert_allclose(PER_NAM * picked.get_data()[:, 3], expected, rtol=1e-6)


def test_the_eeg_is_that_of_mne(signals):
    """Whose model of four spheres is an approximation."""
    model = mne.make_sphere_model(
        (0.0, 0.0, 0.0), head_radius=0.09, verbose="error",
        relative_radii=RADII, sigmas=SIGMAS,
    )  # fmt: skip
    picked, expected = forward(to_mne(signals), "eeg", model)
    found = PER_NAM * picked.get_data()[:, 3]
    assert np.abs(found - expected).max() < 0.02 * np.abs(expected).max()


def test_types_of_channels(kernels):
    signals = kernels.convolve({"E": [1.0]}, 10.0)
    raw = to_mne(signals, types={"CDM": "misc", "LFP": "ecog", "B": "misc"})
    assert raw.get_channel_types()[:6] == ["misc"] * 3 + ["ecog"] * 3
    np.testing.assert_array_equal(raw.get_data(["x", "y", "z"]), signals["CDM"].values)
    np.testing.assert_array_equal(raw.get_data("0_x")[0], signals["B"].values[0])
    assert to_mne(
        signals[["EEG"]].rename(EEG="ECoG", EEG_channel="ECoG_channel")
    ).get_channel_types(unique=True) == ["ecog"]


def test_names_that_two_signals_have(signals):
    twice = signals[["EEG"]].assign(
        EEG2=signals["EEG"]
        .rename(EEG_channel="EEG2_channel")
        .drop_vars(["EEG_x", "EEG_y", "EEG_z"])
    )
    raw = to_mne(twice)
    assert raw.ch_names[:2] == ["EEG Fpz", "EEG Cz"]
    assert raw.ch_names[7:9] == ["EEG2 Fpz", "EEG2 Cz"]
    assert list(raw.get_montage().get_positions()["ch_pos"])[:2] == ["EEG Fpz", "EEG Cz"]


def refused(signals, match, **options):
    with pytest.raises(SignalError, match=match):
        to_mne(signals, **options)


def test_what_mne_has_no_channels_for(kernels):
    signals = kernels.convolve({"E": [1.0]}, 10.0)
    with pytest.raises(
        SignalError, match=r"'CDM' is in nA µm, .* are in V: leave it out"
    ) as caught:
        to_mne(signals)
    leave_out, keep = re.search(r"out, (.*\)), or .*are, (.*)$", str(caught.value)).groups()
    scope = {"signals": signals, "to_mne": to_mne}
    assert "LFP 0" in to_mne(eval(leave_out, scope)).ch_names
    assert eval(keep, scope).get_channel_types()[:3] == ["misc"] * 3
    field = signals[["MEG"]].copy()
    field["MEG"].attrs["units"] = "nA/µm"
    refused(field, r"'MEG' is in nA/µm, .* kernels\.project\(\.\.\., unit='T'\)")
    refused(signals, r"'LFP' is in mV, .*type 'mag' are in T", types={"LFP": "mag", "CDM": "misc"})
    refused(
        signals,
        r"type of 'EEG' must be one of .*'misc'\], found 'emg'",
        types={"EEG": "emg", "CDM": "misc"},
    )
    refused(
        signals,
        r"types for unknown signals \['ECG'\]: there are \['CDM', 'LFP'",
        types={"ECG": "eeg"},
    )


def test_contributions_are_added_up_by_the_user(kernels):
    apart = kernels.convolve({"E": [1.0]}, 10.0, by="pre").drop_vars("CDM")
    with pytest.raises(SignalError, match=r"'LFP' has contributions of populations") as caught:
        to_mne(apart)
    add, choose = re.search(r"up, (.*), or choose one, such as (.*)$", str(caught.value)).groups()
    for line in (add, choose):
        raw = to_mne(eval(line, {"signals": apart}))
        np.testing.assert_allclose(raw.get_data("Cz")[0], 1e-6 * apart["EEG"].values[0, 1])


def test_samples_are_not_shifted(signals):
    between = signals.assign_coords(time=signals.time + 0.2)
    with pytest.raises(
        SignalError, match=r"first sample is at 0\.7 ms, between the multiples of 0\.5"
    ) as caught:
        to_mne(between)
    line = re.search(r"such as (.*)$", str(caught.value))[1]
    assert to_mne(eval(line, {"signals": between})).first_time == 0.0005
    refused(signals.assign_coords(time=signals.time**2), "not equally spaced")


def test_contacts_without_positions(signals):
    signals = signals.drop_vars([f"{name}_{axis}" for name in ("EEG", "MEG") for axis in "xyz"])
    raw = to_mne(signals)
    assert set(raw.get_montage().get_positions()["ch_pos"]) >= {"LFP 0", "LFP 1"}
    assert np.isnan(raw.info["chs"][3]["loc"][:3]).all()
    assert np.isnan(raw.info["chs"][10]["loc"][:3]).all()
