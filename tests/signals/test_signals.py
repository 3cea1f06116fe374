"""Signals in files, as Neo objects and as NWB."""

import json
import re
import sys
from datetime import datetime, timezone

import numpy as np
import pytest
import xarray as xr
from pynwb import NWBHDF5IO, NWBFile, TimeSeries, validate
from pynwb.file import Subject

import nestlfp
from nestlfp import KernelSet, NestLFPError
from nestlfp.errors import MissingExtraError, SignalError
from nestlfp.signals import (
    FORMAT,
    current_source_density,
    describe,
    load,
    save,
    to_mne,
    to_neo,
    to_nwb,
)

SPIKES = {"E": [1.0, 2.5, 2.5], "I": [4.0]}


@pytest.fixture(scope="module")
def summed(hagen):
    return hagen.convolve(SPIKES, 20.0)


@pytest.fixture(scope="module")
def apart(hagen):
    return hagen.convolve(SPIKES, 20.0, by=("post", "pre"))


def small(unit="mV", **attrs):
    array = (("LFP_channel", "time"), np.arange(6.0).reshape(2, 3), {"units": unit})
    time = ("time", [0.5, 1.0, 1.5], {"units": "ms"})
    return xr.Dataset({"LFP": array}, {"time": time, "LFP_channel": [0, 1]}, attrs)


# ---------------------------------------------------------------------- files
@pytest.mark.parametrize("name", ["signals.nc", "signals.zarr", "signals.nwb"])
@pytest.mark.filterwarnings("error")
def test_file_round_trip(apart, tmp_path, name):
    save(apart, tmp_path / name)
    found = load(tmp_path / name)
    assert found.attrs["format"] == FORMAT
    xr.testing.assert_identical(found.load(), apart.assign_attrs(format=FORMAT))
    assert found["pre"].dtype.kind == "U"
    assert found["time"].attrs == {"units": "ms"}


def test_files_are_of_the_format_that_their_name_says(summed, tmp_path):
    begins = {"s.nc": b"\x89HDF", "s.nwb": b"\x89HDF"}
    for name, begin in begins.items():
        save(summed, tmp_path / name)
        assert (tmp_path / name).read_bytes().startswith(begin)
    with xr.open_dataset(tmp_path / "s.nc", engine="h5netcdf") as plain:
        assert plain["LFP"].attrs["units"] == "mV"
    with NWBHDF5IO(tmp_path / "s.nwb", "r") as io:
        assert not validate(io=io)
        series = io.read().processing["ecephys"]["LFP"]["LFP"]
        np.testing.assert_array_equal(series.data[:], summed["LFP"].values.T)


@pytest.mark.parametrize("name", ["s.mat", "s.csv", "s.npz", "s.NC", "s.h5", "s", "s.nc.gz"])
def test_names_that_say_another_format(hagen, summed, tmp_path, name):
    right = re.escape(str((tmp_path / name).with_suffix(".nc")))
    with pytest.raises(SignalError, match=rf"must end in one of .*\.nwb .*found .*{name}.*{right}"):
        save(summed, tmp_path / name)
    for kernels in (hagen, nestlfp.NeuronKernels(hagen, {"E": ["E"], "I": ["I"]})):
        with pytest.raises(nestlfp.KernelError, match=rf"names end in '\.nc', found .*{right}"):
            kernels.save(tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_kernels_in_a_file_that_is_called_nwb(hagen, tmp_path):
    with pytest.raises(nestlfp.KernelError, match=r"kernels are written to netCDF files"):
        hagen.save(tmp_path / "k.nwb")


def test_nwb_files_of_others_and_damaged_ones(summed, tmp_path):
    other = NWBFile("a session", "1", datetime.now(timezone.utc), notes="[1, 2]")
    with written(other, tmp_path / "other.nwb"):
        pass
    with pytest.raises(SignalError, match=r"other\.nwb' is no signals file of nestlfp"):
        load(tmp_path / "other.nwb")
    save(summed, tmp_path / "s.nwb")
    content = bytearray((tmp_path / "s.nwb").read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / "s.nwb").write_bytes(content)
    with pytest.raises(SignalError, match="it is damaged, its bytes are not those"):
        load(tmp_path / "s.nwb")
    (tmp_path / "text.nwb").write_text("spikes")
    with pytest.raises(SignalError, match=r"text\.nwb' cannot be read as an NWB file"):
        load(tmp_path / "text.nwb")


def test_an_nwb_file_to_which_something_was_added(summed, tmp_path):
    save(summed, tmp_path / "s.nwb")
    with NWBHDF5IO(tmp_path / "s.nwb", "a") as io:
        nwb = io.read()
        nwb.add_acquisition(TimeSeries(name="speed", data=[1.0, 2.0], unit="m/s", rate=1.0))
        io.write(nwb)
    xr.testing.assert_identical(load(tmp_path / "s.nwb"), summed.assign_attrs(format=FORMAT))


def test_nwb_needs_a_sampling_rate(tmp_path):
    with pytest.raises(SignalError, match=r"cannot write signals to .*not equally spaced"):
        save(small().assign_coords(time=[0.5, 1.0, 1.6]), tmp_path / "s.nwb")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["signals.nc", "signals.zarr"])
def test_save_replaces_the_whole_file(summed, tmp_path, name):
    save(summed, tmp_path / name)
    save(load(tmp_path / name)[["CDM"]], tmp_path / name, overwrite=True)
    assert list(load(tmp_path / name).data_vars) == ["CDM"]
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("name", ["signals.nc", "signals.zarr"])
def test_save_tells_once_what_is_there(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    save(small(), name)
    with pytest.raises(SignalError, match=rf"^'{name}' exists: .*\(signals, '{name}', overw"):
        save(small(), name)


def test_save_tells_what_to_do_with_a_folder_that_is_no_store(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.zarr").mkdir()
    (tmp_path / "a.zarr" / "notes.txt").write_text("mine")
    for overwrite in (False, True):
        with pytest.raises(SignalError, match=r"^'.*a\.zarr' cannot be read .*'a_2\.zarr'\)$"):
            save(small(), "a.zarr", overwrite=overwrite)
    assert (tmp_path / "a.zarr" / "notes.txt").read_text() == "mine"
    with pytest.raises(SignalError, match=r"^a store cannot be inside another"):
        save(small(), "a.zarr/b.zarr")


@pytest.mark.parametrize("name", ["signals.nc", "signals.zarr"])
def test_a_failed_save_leaves_the_old_file(tmp_path, name):
    save(small(), tmp_path / name)
    with pytest.raises(SignalError, match="cannot write signals"):
        save(small(unsaveable=object()), tmp_path / name, overwrite=True)
    assert load(tmp_path / name)["LFP"].values[1, 2] == 5.0
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_zarr_and_netcdf_can_be_turned_into_each_other(apart, tmp_path):
    save(apart, tmp_path / "a.zarr")
    save(load(tmp_path / "a.zarr"), tmp_path / "b.nc")
    xr.testing.assert_identical(load(tmp_path / "b.nc"), apart.assign_attrs(format=FORMAT))


def test_save_does_not_delete_a_folder_that_is_no_zarr_folder(tmp_path):
    (tmp_path / "thesis.zarr").mkdir()
    (tmp_path / "thesis.zarr" / "chapter1.txt").write_text("years of work")
    with pytest.raises(SignalError, match="cannot be read as a Zarr folder"):
        save(small(), tmp_path / "thesis.zarr")
    assert (tmp_path / "thesis.zarr" / "chapter1.txt").read_text() == "years of work"


@pytest.mark.parametrize("name", ["nowhere/signals.nc", "nowhere/signals.zarr"])
def test_save_to_a_missing_folder(tmp_path, name):
    with pytest.raises(SignalError, match=r"cannot write signals to '.*nowhere"):
        save(small(), tmp_path / name)


@pytest.mark.parametrize("name", ["signals.nc", "signals.zarr"])
def test_save_goes_where_a_symbolic_link_leads(tmp_path, name):
    (tmp_path / "there").mkdir()
    (tmp_path / name).symlink_to(tmp_path / "there" / name)
    for unit in ("mV", "µV"):
        save(small(unit), tmp_path / name, overwrite=True)
        assert (tmp_path / name).is_symlink()
        assert load(tmp_path / "there" / name)["LFP"].attrs["units"] == unit
    assert [path.name for path in (tmp_path / "there").iterdir()] == [name]


@pytest.mark.parametrize("name", ["x\0.nc", "x\0.zarr"])
def test_a_name_that_no_file_can_have(tmp_path, name):
    for call in (load, lambda path: save(small(), path)):
        with pytest.raises(SignalError, match=r"a path of a file is needed, found .*x\\x00"):
            call(tmp_path / name)


@pytest.mark.parametrize("name", ["x.nc", "x.zarr"])
def test_a_symbolic_link_that_leads_to_itself(tmp_path, name):
    (tmp_path / name).symlink_to(tmp_path / name)
    with pytest.raises(SignalError, match=r"cannot be read: Too many levels of symbolic links"):
        load(tmp_path / name)


@pytest.mark.filterwarnings("error")
def test_description_of_values_whose_squares_overflow():
    for scale in (1.0, 1e300, 1e-300, 0.0):
        values = scale * small()["LFP"].values
        expected = f"largest s.d. {scale * np.std([3.0, 4.0, 5.0]):.3g} mV"
        assert expected in describe(small().assign(LFP=small()["LFP"].copy(data=values)))


def test_load_says_what_is_wrong(hagen, tmp_path):
    with pytest.raises(SignalError, match=r"no file '.*nowhere.nc'"):
        load(tmp_path / "nowhere.nc")
    hagen.save(tmp_path / "kernels.nc")
    with pytest.raises(SignalError, match=r"no signals file.*'nestlfp-kernels-1'"):
        load(tmp_path / "kernels.nc")
    (tmp_path / "text.nc").write_text("no netCDF")
    with pytest.raises(SignalError, match="cannot be read as a netCDF-4 file"):
        load(tmp_path / "text.nc")
    (tmp_path / "empty.zarr").mkdir()
    with pytest.raises(SignalError, match="cannot be read as a Zarr folder"):
        load(tmp_path / "empty.zarr")
    with pytest.raises(SignalError, match=r"neither a netCDF-4 file nor a folder"):
        load(tmp_path)


def test_layout_is_checked(tmp_path):
    def refused(dataset, match):
        with pytest.raises(SignalError, match=match):
            save(dataset, tmp_path / "x.nc")

    refused(small()["LFP"], "must be an xarray.Dataset.*DataArray")
    refused(small().drop_vars("LFP"), "no signals")
    refused(small().drop_vars("time"), "coordinate 'time'")
    refused(small().transpose("time", "LFP_channel"), r"\(\[post,\] \[pre,\] LFP_channel, time\)")
    refused(small().expand_dims("trial"), "'trial'")
    refused(small(unit=None), "'LFP' has no unit")
    refused(small().astype(complex), "real numbers")
    assert not (tmp_path / "x.nc").exists()


LABELS = [
    [None, "a"],
    [None, None],
    [True, False],
    [np.nan, 1.0],
    [b"a", b"b"],
    [1j, 2],
    ["a", 1],
    [(1,), (2,)],
]


@pytest.mark.parametrize("labels", LABELS)
def test_labels_that_no_file_keeps(tmp_path, labels):
    given = np.empty(2, object)
    given[:] = labels
    for dim in ("LFP_channel", "pre"):
        signals = small().expand_dims(pre=["E", "I"]) if dim == "pre" else small()
        for name in ("s.nc", "s.zarr", "s.nwb"):
            with pytest.raises(SignalError, match=f"labels of '{dim}' must be all text, or all"):
                save(signals.assign_coords({dim: given}), tmp_path / name)
    if labels != ["a", 1]:  # which NumPy makes text of
        with pytest.raises(nestlfp.KernelError, match="'LFP'"):
            KernelSet.from_arrays(
                {"LFP": np.ones((1, 1, 2, 1))}, pre=["E"], post=["E"], dt=0.1,
                units={"LFP": "mV"}, channels={"LFP": labels},
            )  # fmt: skip
    assert not list(tmp_path.iterdir())


def test_zarr_missing_names_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "zarr", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'nestlfp\[stream\]'") as caught:
        save(small(), tmp_path / "x.zarr")
    assert isinstance(caught.value, NestLFPError)
    assert isinstance(caught.value, ImportError)


def test_describe(apart):
    text = describe(apart)
    assert "320 samples, 0.0625 … 20 ms" in text
    largest = float(apart["LFP"].std("time").max())
    assert f"LFP: 13 channels, mV; largest s.d. {largest:.3g} mV" in text
    assert "apart by post E, I; apart by pre E, I" in text
    assert describe(apart.isel(time=slice(0))).startswith("Signals: 0 samples\n")


# ---------------------------------------------------------------------- Neo
def test_neo_has_values_units_times_and_positions(summed):
    import quantities as pq

    lfp, cdm = to_neo(summed).segments[0].analogsignals
    assert (lfp.name, cdm.name) == ("LFP", "CDM")
    np.testing.assert_array_equal(lfp.magnitude, summed["LFP"].values.T)
    np.testing.assert_array_equal(cdm.magnitude, summed["CDM"].values.T)
    assert lfp.units == pq.mV
    np.testing.assert_allclose(cdm.rescale("A*m").magnitude, cdm.magnitude * 1e-15)
    assert lfp.sampling_rate.rescale("Hz") == 16000 * pq.Hz
    assert lfp.t_start == 0.0625 * pq.ms
    np.testing.assert_allclose(lfp.times.rescale("ms").magnitude, summed["time"].values)
    np.testing.assert_array_equal(
        lfp.array_annotations["z"].rescale("um").magnitude, np.arange(1000.0, -300.0, -100.0)
    )
    assert list(cdm.array_annotations["channel"]) == ["x", "y", "z"]
    assert "pre" not in lfp.array_annotations
    assert "LFPykernels" in to_neo(summed).annotations["provenance"]


def test_neo_of_contributions_kept_apart(apart):
    lfp = to_neo(apart).segments[0].analogsignals[0]
    assert lfp.shape == (320, 2 * 2 * 13)
    of = lfp.array_annotations
    column = np.flatnonzero((of["post"] == "E") & (of["pre"] == "I") & (of["channel"] == "3"))
    expected = apart["LFP"].sel(post="E", pre="I", LFP_channel=3).values
    assert np.any(expected)
    np.testing.assert_array_equal(lfp.magnitude[:, column], expected[:, None])
    assert of["z"][column] == 700.0


@pytest.mark.parametrize(
    ("unit", "si", "factor"),
    [
        ("µV", "V", 1e-6),
        ("μV", "V", 1e-6),  # Greek mu, which looks like the micro sign
        ("fT", "T", 1e-15),
        ("nA µm", "A*m", 1e-15),
        ("nA*um", "A*m", 1e-15),
        ("mV/mm", "V/m", 1.0),
        ("A m^-2", "A/m**2", 1.0),
        ("µA/mm^3", "A/m**3", 1e3),
        ("µA/mm³", "A/m**3", 1e3),  # of current_source_density
        ("nA/µm³", "A/m**3", 1e9),
        ("1", "dimensionless", 1.0),
    ],
)
def test_units_in_neo(unit, si, factor):
    signal = to_neo(small(unit)).segments[0].analogsignals[0]
    np.testing.assert_allclose(signal.rescale(si).magnitude[2, 1], 5.0 * factor)


@pytest.mark.parametrize("unit", ["bananas", "m)V", "__import__('os')", "mV;", "V/", "sys", "2"])
def test_units_that_neo_cannot_have(unit):
    with pytest.raises(SignalError, match="quantities has no unit"):
        to_neo(small(unit))


def test_sampling_rate_must_be_known():
    with pytest.raises(SignalError, match="1 samples have no sampling rate"):
        to_neo(small().isel(time=[0]))
    one = to_neo(small(interval_ms=0.5).isel(time=[0])).segments[0].analogsignals[0]
    assert float(one.sampling_rate.rescale("Hz")) == 2000.0
    with pytest.raises(SignalError, match="not equally spaced"):
        to_neo(small().assign_coords(time=[0.5, 1.0, 1.6]))


@pytest.mark.parametrize(
    ("convert", "package", "extra"),
    [(to_mne, "mne", "mne"), (to_neo, "neo", "neo"), (to_nwb, "pynwb", "nwb")],
)
def test_missing_packages_name_their_extra(convert, package, extra, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtraError, match=rf"{package} .*pip install 'nestlfp\[{extra}\]'"):
        convert(small())


@pytest.mark.parametrize("step", [1, -1])
def test_elephant_takes_the_positions_from_neo(summed, step):
    """Contacts from the top downwards, and from the bottom up."""
    import quantities as pq
    from elephant.current_source_density import estimate_csd

    signals = summed[["LFP"]].isel(LFP_channel=slice(None, None, step))
    (lfp,) = to_neo(signals).segments[0].analogsignals
    where = lfp.annotations["coordinates"].rescale("um").magnitude
    assert where.tolist() == [[100.0 * i] for i in range(1, 14)]
    options = {"diam": 300 * pq.um, "process_estimate": False}
    discs = estimate_csd(lfp, method="DeltaiCSD", **options).rescale("uA/mm**2")
    slices = estimate_csd(lfp, method="StepiCSD", h=100 * pq.um, **options).rescale("uA/mm**3")
    for method, found in (("DeltaiCSD", discs.magnitude / 0.1), ("StepiCSD", slices.magnitude)):
        ours = current_source_density(signals, method, diameter=300.0)["CSD"]
        expected = ours.sel(CSD_channel=signals["LFP_channel"]).values.T
        np.testing.assert_allclose(found, expected, atol=1e-4 * np.abs(expected).max())
    smooth = estimate_csd(lfp, method="KCSD1D", process_estimate=False)
    assert np.ptp(smooth.annotations["x_coords"]) == pytest.approx(1.2, rel=0.02)  # mm


def test_a_file_of_neo_has_the_same(summed, tmp_path):
    pytest.importorskip("neo", minversion="0.14.6")  # older ones do not read back its arrays
    from neo.io import NeoMatlabIO

    given = to_neo(summed)
    NeoMatlabIO(str(tmp_path / "s.mat")).write_block(given)
    found = NeoMatlabIO(str(tmp_path / "s.mat")).read_block()
    for one, other in zip(
        given.segments[0].analogsignals, found.segments[0].analogsignals, strict=True
    ):
        assert (other.name, other.t_start, other.sampling_rate, other.units) == (
            one.name, one.t_start, one.sampling_rate, one.units,
        )  # fmt: skip
        np.testing.assert_allclose(other.magnitude, one.magnitude, rtol=1e-12)


def test_neo_has_coordinates_of_contacts_in_space(apart):
    def coordinates(*places):
        where = {f"LFP_{axis}": ("LFP_channel", v) for axis, v in zip("xyz", places, strict=True)}
        (signal,) = to_neo(small().assign_coords(where)).segments[0].analogsignals
        found = signal.annotations.get("coordinates")
        return None if found is None else found.rescale("um").magnitude.tolist()

    assert coordinates([0.0, 5.0], [1.0, 1.0], [0.0, 30.0]) == [[0.0, 0.0], [5.0, 30.0]]
    assert coordinates([0.0, 5.0], [1.0, 2.0], [0.0, 30.0]) == [[0.0, 1.0, 0.0], [5.0, 2.0, 30.0]]
    assert coordinates([0.0, 0.0], [1.0, 1.0], [3.0, 3.0]) is None
    assert coordinates([0.0, 0.0], [1.0, 1.0], [np.nan, 3.0]) is None
    for signal in to_neo(apart).segments[0].analogsignals:
        assert "coordinates" not in signal.annotations


# ---------------------------------------------------------------------- NWB
def written(nwb, path):
    with NWBHDF5IO(path, "w") as io:
        io.write(nwb)
    return NWBHDF5IO(path, "r")


def test_nwb_file(summed, tmp_path):
    from pynwb.ecephys import LFP, ElectricalSeries

    known = summed.assign_attrs(kernels="0123abcd", interval_ms=np.float64(0.0625))
    with written(to_nwb(known, session_description="test"), tmp_path / "s.nwb") as io:
        assert not validate(io=io)
        nwb = io.read()
        lfp, cdm = nwb.processing["ecephys"]["LFP"]["LFP"], nwb.processing["ecephys"]["CDM"]
        assert isinstance(nwb.processing["ecephys"]["LFP"], LFP)
        assert isinstance(lfp, ElectricalSeries)
        assert lfp.unit == "volts"
        np.testing.assert_array_equal(lfp.data[:], summed["LFP"].values.T)
        np.testing.assert_allclose(lfp.conversion, 1e-3)
        assert (lfp.rate, lfp.starting_time) == (16000.0, 0.0625e-3)
        contacts = lfp.electrodes.to_dataframe()
        np.testing.assert_array_equal(contacts["rel_y"], np.arange(1000.0, -300.0, -100.0))
        assert not contacts[["rel_x", "rel_z"]].any(axis=None)
        assert contacts["channel_name"].tolist() == [str(i) for i in range(13)]
        assert not isinstance(cdm, ElectricalSeries)
        assert cdm.unit == "nA µm"
        np.testing.assert_array_equal(cdm.data[:], summed["CDM"].values.T)
        assert nwb.session_description == "test"
        notes = json.loads(nwb.notes)
        assert json.loads(notes["provenance"]) == {"tool": "LFPykernels", "version": "0.2.0"}
        assert (notes["kernels"], notes["interval_ms"]) == ("0123abcd", 0.0625)


def test_nwb_of_two_potentials_with_and_without_positions(tmp_path):
    dataset = small().assign_coords(LFP_z=("LFP_channel", [10.0, 20.0]))
    for axis in "xy":
        dataset = dataset.assign_coords({f"LFP_{axis}": ("LFP_channel", [0.0, 0.0])})
    eeg = dataset["LFP"].drop_vars(["LFP_x", "LFP_y", "LFP_z"]).rename(LFP_channel="EEG_channel")
    dataset["EEG"] = eeg.assign_attrs(units="µV")
    with written(to_nwb(dataset), tmp_path / "s.nwb") as io:
        module = io.read().processing["ecephys"]
        assert list(module["LFP"].electrical_series) == ["LFP"]  # an EEG is none
        assert module["EEG"].conversion == 1e-6
        assert list(module["LFP"]["LFP"].electrodes.data[:]) == [0, 1]
        assert list(module["EEG"].electrodes.data[:]) == [2, 3]
        assert np.isnan(module["EEG"].electrodes.to_dataframe()["rel_z"]).all()


def every_kind():
    """EEG in µV, MEG in fT, a source density and dimensionless numbers, in three dimensions."""
    units = {"EEG": "µV", "MEG": "fT", "CSD": "µA/mm³", "rate": "1"}
    where = np.arange(6.0).reshape(2, 3) ** 2
    dataset = xr.Dataset(coords={"time": ("time", [0.5, 1.0, 1.5], {"units": "ms"})})
    for i, (name, unit) in enumerate(units.items(), 1):
        dim = f"{name}_channel"
        dataset[name] = ((dim, "time"), i * small()["LFP"].values + 1 / 3, {"units": unit})
        dataset[dim] = [f"{name}a", f"{name}b"]
        if name != "rate":
            for axis, values in zip("xyz", where.T, strict=True):
                dataset.coords[f"{name}_{axis}"] = (dim, i * values)
    return dataset


def test_nwb_of_every_kind_of_signal(tmp_path):
    dataset = every_kind()
    subject = Subject(subject_id="1", species="Mus musculus", sex="U", age="P60D")
    with written(to_nwb(dataset, subject=subject), tmp_path / "s.nwb") as io:
        assert not validate(io=io)
        nwb = io.read()
        assert nwb.subject.subject_id == "1"
        module = nwb.processing["ecephys"]
        volts, tesla = module["EEG"], module["MEG"]
        assert (volts.unit, tesla.unit) == ("volts", "T")
        for series, name, factor in ((volts, "EEG", 1e-6), (tesla, "MEG", 1e-15)):
            given = factor * dataset[name].values.T
            np.testing.assert_allclose(series.data[:] * series.conversion, given, rtol=1e-12)
        contacts = volts.electrodes.to_dataframe()
        np.testing.assert_array_equal(
            contacts[["rel_x", "rel_y", "rel_z"]], [[0, 1, 4], [9, 16, 25]]
        )
        for i, name in ((2, "MEG"), (3, "CSD")):
            table = module[f"{name}_channel"].to_dataframe()
            np.testing.assert_array_equal(
                table[["x", "y", "z"]], i * np.array([[0, 1, 4], [9, 16, 25]])
            )
            assert table["channel_name"].tolist() == [f"{name}a", f"{name}b"]
        assert "rate_channel" not in module.data_interfaces
    xr.testing.assert_identical(load(tmp_path / "s.nwb"), dataset.assign_attrs(format=FORMAT))


def test_nwbinspector_finds_nothing_critical(tmp_path):
    from nwbinspector import Importance, inspect_nwbfile

    subject = Subject(subject_id="1", species="Mus musculus", sex="U", age="P60D")
    signals = every_kind().assign(LFP=small()["LFP"])
    written(to_nwb(signals, subject=subject), tmp_path / "s.nwb").close()
    found = list(inspect_nwbfile(nwbfile_path=tmp_path / "s.nwb"))
    assert [one.message for one in found if one.importance == Importance.CRITICAL] == []
    assert len(found) >= 1  # such as that nobody is named as experimenter


def test_a_subject_that_is_none(summed):
    with pytest.raises(
        SignalError, match=r"must be a pynwb\.file\.Subject, found dict: .*Subject\("
    ):
        to_nwb(summed, subject={"subject_id": "1"})


def test_nwb_of_a_signal_named_lfp_that_is_no_potential(tmp_path):
    dataset = small("1")
    eeg = dataset["LFP"].rename(LFP_channel="EEG_channel")
    dataset["EEG"] = eeg.assign_attrs(units="V")
    fast = dataset["LFP"].rename(LFP_channel="LFP_fast_channel")
    dataset["LFP_fast"] = fast.assign_attrs(units="V")
    with written(to_nwb(dataset), tmp_path / "s.nwb") as io:
        module = io.read().processing["ecephys"]
        assert module["LFP"].unit == "1"
        assert module["potentials"]["LFP_fast"].conversion == module["EEG"].conversion == 1.0
    assert set(to_nwb(small("nT")).processing["ecephys"].data_interfaces) == {"LFP"}


def test_nwb_names_of_contributions(tmp_path):
    names = ["L2/3:E", "L2%2F3:E", "I"]
    kernels = KernelSet.from_arrays(
        {"LFP": np.arange(1.0, 4.0).reshape(1, 3, 1, 1)},
        pre=names, post=["P"], dt=0.1, units={"LFP": "mV"},
    )  # fmt: skip
    dataset = kernels.convolve({name: [0.1] for name in names}, 1.0, by=("pre", "post"))
    with written(to_nwb(dataset), tmp_path / "s.nwb") as io:
        series = io.read().processing["ecephys"]["LFP"].electrical_series
        assert set(series) == {
            "LFP_from_L2%2F3%3AE_to_P",
            "LFP_from_L2%252F3%3AE_to_P",
            "LFP_from_I_to_P",
        }
        assert np.max(series["LFP_from_I_to_P"].data[:]) == 3.0
        assert "presynaptic population L2/3:E" in series["LFP_from_L2%2F3%3AE_to_P"].description
