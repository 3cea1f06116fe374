"""Files that are damaged: one clear error of ours, or the data that were saved."""

import functools
import json
import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import h5py
import numpy as np
import pytest
import xarray as xr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

import nestlfp
from nestlfp import KernelSet, NestLFPError
from nestlfp.cli import app
from nestlfp.errors import SignalError, StreamError
from nestlfp.signals import load, save
from nestlfp.signals.stream import ZarrStream

MANY = settings(
    max_examples=50,
    deadline=None,
    derandomize=True,
    print_blob=False,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
WRONG = [5, 2.5, "text", "", [1, 2], ["a", "b"], None, True, {"a": 1}, [], -1, 1e400, [[1], [2, 3]]]


@functools.cache
def kernels():
    rng = np.random.default_rng(1)
    return KernelSet.from_arrays(
        {"LFP": rng.normal(size=(2, 2, 3, 20)), "CDM": rng.normal(size=(2, 2, 3, 20))},
        pre=["E", "I"],
        post=["E", "I"],
        dt=0.1,
        units={"LFP": "mV", "CDM": "nA µm"},
        channels={"CDM": ["x", "y", "z"]},
        positions={"LFP": 100 * rng.normal(size=(3, 3))},
        provenance={"tool": "a test"},
    )


@functools.cache
def signals(by=("pre",)):
    convolved = kernels().convolve({"E": [1.0, 2.0], "I": [1.5]}, 5.0, by=by)
    return convolved.assign_attrs(
        interval_ms=0.1, resolution_ms=0.1, kernels=kernels().fingerprint, method="fir"
    )


def streamed(path, stop=None, n=10, **options):
    """The signals, as a simulation writes them: in chunks of n samples."""
    whole = signals().assign_attrs(format=nestlfp.signals.FORMAT).isel(time=slice(stop))
    with ZarrStream(path, whole.isel(time=slice(0)), 1, n, **options) as stream:
        for start in range(0, whole.sizes["time"], n):
            stream.write(whole.isel(time=slice(start, start + n)))


def write(kind, path):
    if kind == "kernels.nc":
        kernels().save(path)
    elif kind == "streamed.zarr":
        streamed(path)
    else:
        save(signals(), path)


KINDS = ["kernels.nc", "signals.nc", "saved.zarr", "streamed.zarr"]


@pytest.fixture(scope="module")
def intact(tmp_path_factory):
    """A folder with an intact file of each kind."""
    folder = tmp_path_factory.mktemp("intact")
    for kind in KINDS:
        write(kind, folder / kind)
    return folder


class Copy:
    """A copy of an intact file or store, to be damaged."""

    def __init__(self, intact, kind):
        self.intact, self.kind = intact, kind

    def __enter__(self):
        self.folder = Path(tempfile.mkdtemp())
        self.path = self.folder / self.kind
        copy = shutil.copytree if self.path.suffix == ".zarr" else shutil.copy
        copy(self.intact / self.kind, self.path)
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.folder)

    def files(self):
        """The file, or all files of the store."""
        inside = sorted(p for p in self.path.rglob("*") if p.is_file())
        return inside or [self.path]

    def read(self):
        if self.kind == "kernels.nc":
            return KernelSet.load(self.path).dataset
        return load(self.path).load()

    def told(self):
        """The error that reading ends in, or None where all values are those that were saved."""
        try:
            found = self.read()
        except NestLFPError as error:
            message = str(error)
            assert str(self.path) in message
            assert len(message) < 1000
            assert message.count("\n") == 0
            return message
        expected = kernels().dataset if self.kind == "kernels.nc" else signals()
        # Not `equals`, to which an array without a coordinate is another.
        for name in found.variables:
            np.testing.assert_array_equal(found[name].values, expected[name].values)
        return None


# ---------------------------------------------------------------------- random damage
def damage(data, content):
    """The bytes of a file, cut off, or changed in one to 20 places, or in a row of places."""
    kind = data.draw(st.sampled_from(["cut", "flip", "block"]))
    at = data.draw(st.integers(0, max(0, len(content) - 1)))
    if kind == "cut":
        return content[:at]
    changed = bytearray(content)
    if kind == "block":
        block = data.draw(st.binary(min_size=1, max_size=64))
        changed[at : at + len(block)] = block
        return bytes(changed)
    for place in {at, *data.draw(st.lists(st.integers(0, len(content) - 1), max_size=20))}:
        changed[place] ^= data.draw(st.integers(1, 255))
    return bytes(changed)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@MANY
@given(data=st.data())
def test_random_damage(intact, kind, data):
    with Copy(intact, kind) as copy:
        files = [file for file in copy.files() if file.stat().st_size]
        file = data.draw(st.sampled_from(files))
        before = file.read_bytes()
        if kind.endswith(".zarr") and data.draw(st.booleans()) and data.draw(st.booleans()):
            file.unlink()
            assert "is missing" in (told := copy.told()) or "has no file" in told
            assert file.name in told
            return
        file.write_bytes(damage(data, before))
        told = copy.told()
        changed = file.read_bytes()
        if kind.endswith(".nc") and len(changed) == len(before) and changed != before:
            assert "damaged" in told


@pytest.mark.parametrize("kind", ["saved.zarr", "streamed.zarr"])
def test_every_file_of_a_store_that_is_missing_is_named(intact, kind):
    with Copy(intact, kind) as copy:
        for file in copy.files():
            content = file.read_bytes()
            file.unlink()
            told = copy.told()
            assert f"{file.relative_to(copy.path).as_posix()!r}" in told
            file.write_bytes(content)
        assert copy.told() is None


# ---------------------------------------------------------------------- attributes of other types
@pytest.mark.slow
@pytest.mark.parametrize("kind", ["saved.zarr", "streamed.zarr"])
@settings(MANY, max_examples=30)
@given(data=st.data(), wrong=st.sampled_from(WRONG))
def test_wrong_types_in_a_store_of_another_program(intact, kind, data, wrong):
    with Copy(intact, kind) as copy:
        file = copy.path / ".zmetadata"
        whole = json.loads(file.read_text())
        del whole["nestlfp_sha256"]
        member = data.draw(st.sampled_from(sorted(whole["metadata"])))
        name = data.draw(st.sampled_from(sorted(whole["metadata"][member])))
        whole["metadata"][member][name] = wrong
        file.write_text(json.dumps(whole))
        told = copy.told()
        if name in {"format", "shape", "chunks", "_ARRAY_DIMENSIONS", "dtype", "compressor"}:
            assert told is not None


def test_a_coordinate_that_lies_along_another_dimension(intact):
    with Copy(intact, "saved.zarr") as copy:
        file = copy.path / ".zmetadata"
        whole = json.loads(file.read_text())
        del whole["nestlfp_sha256"]
        whole["metadata"]["CDM_channel/.zattrs"]["_ARRAY_DIMENSIONS"] = ["a"]
        file.write_text(json.dumps(whole))
        assert "'CDM_channel' must lie along the dimension of its name" in copy.told()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["kernels.nc", "signals.nc"])
@settings(MANY, max_examples=30)
@given(data=st.data(), wrong=st.sampled_from([5, 2.5, "text", "", [1, 2], ["a", "b"], b"\xff"]))
def test_wrong_types_in_a_netcdf_file_of_another_program(intact, kind, data, wrong):
    with Copy(intact, kind) as copy:
        with h5py.File(copy.path, "r+") as file:
            places = [(name, key) for name in ["/", *file] for key in file[name].attrs]
            place, key = data.draw(st.sampled_from(places))
            file[place].attrs[key] = wrong
        told = copy.told()
        assert told is None or "is damaged" not in told  # edited, by a program
        assert key not in {"format", "scale_factor"} or told is not None


@pytest.mark.parametrize("kind", ["kernels.nc", "signals.nc"])
def test_deleted_members_of_a_netcdf_file(intact, kind):
    with h5py.File(intact / kind) as file:
        names = list(file)
    for name in names:
        with Copy(intact, kind) as copy:
            with h5py.File(copy.path, "r+") as file:
                del file[name]
            copy.told()


# ---------------------------------------------------------------------- appending
@pytest.mark.parametrize(
    "file",
    [".zmetadata", ".zattrs", ".zgroup", "LFP/.zarray", "LFP/.zattrs", "LFP/0.0.2", "time/2"],
)
def test_what_is_missing_is_named_before_a_store_is_continued(tmp_path, file):
    streamed(tmp_path / "x.zarr", 40)
    (tmp_path / "x.zarr" / file).unlink()
    before = sorted((tmp_path / "x.zarr").rglob("*"))
    with pytest.raises(StreamError, match=f"'{file}'"):
        streamed(tmp_path / "x.zarr", append=True)
    assert sorted((tmp_path / "x.zarr").rglob("*")) == before


def test_a_damaged_chunk_is_found_when_a_run_is_repeated(tmp_path):
    streamed(tmp_path / "x.zarr", 40)
    chunk = tmp_path / "x.zarr" / "LFP" / "0.0.2"
    chunk.write_bytes(chunk.read_bytes()[:-3] + b"abc")
    with pytest.raises(StreamError, match=r"damaged, the file 'LFP/0\.0\.2' is not what"):
        streamed(tmp_path / "x.zarr", append=True)


def test_metadata_that_disagree_with_the_commit_are_put_right(tmp_path):
    streamed(tmp_path / "x.zarr", 35)
    array = tmp_path / "x.zarr" / "LFP" / ".zarray"
    array.write_text(array.read_text().replace("35", "9999"))
    (tmp_path / "x.zarr" / "LFP" / "0.0.7").write_text("a chunk of a killed process")
    streamed(tmp_path / "x.zarr", append=True)
    assert load(tmp_path / "x.zarr").load().drop_attrs().equals(signals().drop_attrs())


# ---------------------------------------------------------------------- while somebody reads
def test_values_of_a_store_that_was_replaced_are_not_read(tmp_path):
    streamed(tmp_path / "x.zarr")
    found = load(tmp_path / "x.zarr")
    streamed(tmp_path / "x.zarr", 20, overwrite=True)
    with pytest.raises(SignalError, match="was replaced since it was opened"):
        found["LFP"].load()


@pytest.mark.slow
def test_a_store_that_is_replaced_again_and_again_can_be_read(tmp_path):
    streamed(tmp_path / "x.zarr", 20)
    lengths = [10, 20] * 5
    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(
            lambda: [streamed(tmp_path / "x.zarr", n, overwrite=True) for n in lengths]
        )
        seen = set()
        while not writing.done():
            found = load(tmp_path / "x.zarr")
            expected = signals()["time"].values[: found.sizes["time"]]
            np.testing.assert_array_equal(found["time"], expected)
            seen.add(found.sizes["time"])
        writing.result()
    assert seen <= {0, 10, 20}
    assert len(seen) > 1


def test_a_process_killed_while_it_replaced_a_store_loses_nothing(tmp_path):
    streamed(tmp_path / "x.zarr", 20)
    (tmp_path / "x.zarr").rename(tmp_path / ".x.zarr.old")  # the moment between two renames
    with pytest.raises(SignalError, match="no file"):
        load(tmp_path / "x.zarr")
    streamed(tmp_path / "x.zarr", append=True)
    assert load(tmp_path / "x.zarr").sizes["time"] == signals().sizes["time"]
    assert [path.name for path in tmp_path.iterdir()] == ["x.zarr"]


def test_values_that_are_zero_are_on_disk(tmp_path):
    save(xr.zeros_like(signals()), tmp_path / "x.zarr")
    assert (tmp_path / "x.zarr" / "LFP" / "0.0.0").exists()


# ---------------------------------------------------------------------- what xarray wrote
@pytest.mark.filterwarnings("ignore:Consolidated metadata")
@pytest.mark.parametrize(("zarr_format", "consolidated"), [(2, True), (3, True), (3, False)])
def test_stores_that_xarray_wrote_are_read_and_replaced(tmp_path, zarr_format, consolidated):
    pytest.importorskip("zarr")
    path = tmp_path / "x.zarr"
    whole = signals().assign_attrs(format=nestlfp.signals.FORMAT)
    as_object = {n: c.astype(object) for n, c in whole.coords.items() if c.dtype.kind == "U"}
    xarrays = whole.assign_coords(as_object)
    xarrays.to_zarr(path, zarr_format=zarr_format, consolidated=consolidated)
    xr.testing.assert_identical(load(path).load(), whole)
    with pytest.raises(SignalError, match="exists"):
        save(whole, path)
    save(load(path), path, overwrite=True)
    assert (path / ".zmetadata").exists()
    xr.testing.assert_identical(load(path).load(), whole)


def test_files_that_xarray_wrote_are_read(tmp_path):
    whole = signals().assign_attrs(format=nestlfp.signals.FORMAT)
    whole.to_netcdf(tmp_path / "x.nc", engine="h5netcdf")
    xr.testing.assert_identical(load(tmp_path / "x.nc"), whole)


# ---------------------------------------------------------------------- places and attributes
@pytest.mark.parametrize("write", [kernels().save, lambda path: save(signals(), path)])
def test_places_that_cannot_be(tmp_path, write):
    (tmp_path / "folder.nc").mkdir()
    for path in ("", ".", None, 3, tmp_path / "nowhere" / "x.nc", tmp_path / "folder.nc"):
        with pytest.raises(NestLFPError, match=r"a path of a file|cannot write (kernels|signals)"):
            write(path)
    assert [p.name for p in tmp_path.iterdir()] == ["folder.nc"]


@pytest.mark.parametrize("name", ["x.nc", "x.zarr"])
def test_a_place_without_permission(tmp_path, name):
    tmp_path.chmod(0o500)
    user = os.geteuid()
    if user == 0:  # who may write everywhere
        os.seteuid(65534)
    try:
        with pytest.raises(SignalError, match=r"cannot write signals to .*: Permission denied"):
            save(signals(), tmp_path / name)
    finally:
        os.seteuid(user)


@pytest.mark.parametrize("value", [None, True, {"a": 1}, object(), [1, "a"], [[1]], [], 1j, "a\0b"])
@pytest.mark.parametrize("name", ["x.nc", "x.zarr"])
def test_attributes_that_no_file_can_hold(tmp_path, name, value):
    with pytest.raises(SignalError, match="the attribute 'mine' of the dataset must be"):
        save(signals().assign_attrs(mine=value), tmp_path / name)
    one = signals()
    one = one.assign(LFP=one["LFP"].assign_attrs(mine=value))
    with pytest.raises(SignalError, match="the attribute 'mine' of 'LFP' must be"):
        save(one, tmp_path / name)
    packed = one.assign(LFP=signals()["LFP"].assign_attrs(scale_factor=2.0))
    with pytest.raises(SignalError, match="'LFP' cannot have an attribute named 'scale_factor'"):
        save(packed, tmp_path / name)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("value", [1, 2.5, np.float32(1), "µ", "", [1, 2], ["a", "b"], (1.5,)])
@pytest.mark.parametrize("name", ["x.nc", "x.zarr"])
def test_attributes_that_files_hold(tmp_path, name, value):
    save(signals().assign_attrs(mine=value), tmp_path / name)
    found = load(tmp_path / name).attrs["mine"]
    np.testing.assert_array_equal(np.ravel(found), np.ravel(value))


def test_units_of_time_are_labels(tmp_path):
    labelled = signals().assign_coords(
        time=("time", signals()["time"].values, {"units": "milliseconds since the start"})
    )
    for name in ("x.nc", "x.zarr"):
        save(labelled, tmp_path / name)
        np.testing.assert_array_equal(load(tmp_path / name)["time"], signals()["time"])


# ---------------------------------------------------------------------- names of signals
@pytest.mark.parametrize("name", ["time", "lag", "pre", "post", "LFP_channel", "LFP_z", "1a"])
def test_names_that_signals_cannot_have(tmp_path, name):
    if name in {"LFP_channel", "LFP_z"}:
        other = xr.Variable((f"{name}_channel", "time"), np.zeros((1, 50)), {"units": "mV"})
        plain = signals().drop_vars(["LFP_channel", "LFP_x", "LFP_y", "LFP_z"])
        named = plain.assign({name: other})
    else:
        named = xr.Dataset(
            {name: ((f"{name}_channel", "when"), np.zeros((1, 50)), {"units": "mV"})}
        )
    with pytest.raises(SignalError, match=f"{name!r}"):
        save(named, tmp_path / "x.nc")


# ---------------------------------------------------------------------- the command line
@pytest.mark.parametrize("command", ["info", "plot"])
@pytest.mark.parametrize("kind", KINDS)
def test_commands_on_damaged_files(intact, kind, command):
    with Copy(intact, kind) as copy:
        chosen = {copy.path, copy.path / ".zmetadata", copy.path / "LFP" / "0.0.0"}
        for file in chosen.intersection(copy.files()):
            content = file.read_bytes()
            file.write_bytes(content[: len(content) // 2])
            more = ["-o", str(copy.folder / "x.png"), "--force"] if command == "plot" else []
            told = CliRunner().invoke(app, [command, str(copy.path), *more])
            assert told.exit_code == 1
            assert isinstance(told.exception, SystemExit), file
            (line,) = told.stderr.splitlines()
            assert line.startswith("nestlfp: ")
            assert str(copy.path) in line
            assert "damaged" in line or "truncated" in line
            file.write_bytes(content)


@pytest.mark.slow
def test_a_command_on_a_damaged_chunk_of_many_prints_one_line(tmp_path):
    streamed(tmp_path / "x.zarr", n=1)
    assert len(list((tmp_path / "x.zarr" / "LFP").iterdir())) > 40
    (tmp_path / "x.zarr" / "LFP" / "0.0.3").write_bytes(b"junk")
    command = [sys.executable, "-m", "nestlfp", "info", tmp_path / "x.zarr"]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    assert told.returncode == 1
    (line,) = told.stderr.splitlines()
    assert "damaged, the file 'LFP/0.0.3'" in line
