"""Blocks of time, and files: the signals do not depend on them, nor does the memory."""

import subprocess
import sys
import tracemalloc

import numpy as np
import pytest
import xarray as xr
from recordings import spikes, write_sonata

import nestlfp
from nestlfp import activity, signals
from nestlfp.activity import blocks, disk_buffer
from nestlfp.errors import ActivityError, MissingExtraError, NestLFPError
from nestlfp.kernels.convolve import full_sums
from nestlfp.testing import assert_convolution


def kernels_with(first_lag, n_lags):
    values = np.random.default_rng(1).normal(size=(2, 2, 3, n_lags))
    return nestlfp.KernelSet.from_arrays(
        {"LFP": values, "CDM": values[:, :, :1]},
        pre=["E", "I"],
        post=["E", "I"],
        dt=0.0625,
        units={"LFP": "mV", "CDM": "nA µm"},
        first_lag=first_lag * 0.0625,
    )


@pytest.mark.parametrize("n_spikes", [0, 1, 7, 5000])
@pytest.mark.parametrize("shape", [(1, 1), (3, 40), (2, 16, 300)])
def test_direct_and_by_fft(n_spikes, shape):
    rng = np.random.default_rng(n_spikes)
    nu = np.bincount(rng.integers(0, 4000, n_spikes), minlength=4000).astype(float)
    kernel = rng.normal(size=shape)
    got = full_sums(nu, kernel)
    assert got.shape == (*shape[:-1], 4000 + shape[-1] - 1)
    for index in np.ndindex(*shape[:-1]):
        wanted = np.convolve(nu, kernel[index])
        assert np.abs(got[index] - wanted).max() <= 1e-12 * max(np.abs(wanted).max(), 1e-300)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("first", "lags"), [(1, 1), (0, 5), (-3, 2), (-30, 41), (7, 3), (300, 20), (1, 333)]
)
@pytest.mark.parametrize("interval", [None, 0.3125])
def test_blocks_do_not_show(monkeypatch, tmp_path, first, lags, interval):
    kernels, found = kernels_with(first, lags), spikes()
    write_sonata(tmp_path / "a.h5", found)
    monkeypatch.setattr(disk_buffer, "LIMIT", 100)  # to disk
    monkeypatch.setattr(blocks, "_VALUES", 600)  # 60 steps, or 4 times the kernels' length
    for by in ((), ("post", "pre")):
        options = {"by": by, "interval": interval, "to": tmp_path / "a.zarr" if by else None}
        made = activity.convolve(kernels, tmp_path / "a.h5", **options)
        whole = made if not by else made.sum(("post", "pre"), keep_attrs=True)
        assert_convolution(whole, kernels, {name: times for name, (times, _) in found.items()})
        assert made.sizes["time"] == int(
            (1600 + max(first + lags - 1, 0)) // (5 if interval else 1)
        )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.h5", "a.zarr"]


def test_files_of_signals(hagen, tmp_path):
    write_sonata(tmp_path / "a.h5", spikes())
    made = activity.convolve(hagen, tmp_path / "a.h5")
    for name in ("a.nc", "a.zarr"):
        activity.convolve(hagen, tmp_path / "a.h5", to=tmp_path / name)
        found = signals.load(tmp_path / name)
        xr.testing.assert_equal(found, made)
        assert found.attrs["kernels"] == hagen.fingerprint
        with pytest.raises(ActivityError, match="exists: choose another"):
            activity.convolve(hagen, tmp_path / "a.h5", to=tmp_path / name)
        activity.convolve(hagen, tmp_path / "a.h5", to=tmp_path / name, overwrite=True)
    pynwb = pytest.importorskip("pynwb")
    activity.convolve(hagen, tmp_path / "a.h5", to=tmp_path / "a.nwb")
    with pynwb.NWBHDF5IO(str(tmp_path / "a.nwb"), "r") as file:
        lfp = file.read().processing["ecephys"]["LFP"]["LFP"]
        np.testing.assert_allclose(lfp.data[:] * lfp.conversion * 1e3, made["LFP"].values.T)
    for to, match in ((tmp_path / "a.txt", ".nc, .zarr, .nwb"), ("no/where.nc", "no folder")):
        with pytest.raises(ActivityError, match=match):
            activity.convolve(hagen, tmp_path / "a.h5", to=to)


def test_a_failure_leaves_nothing(hagen, tmp_path, monkeypatch):
    monkeypatch.setattr(disk_buffer, "LIMIT", 100)
    found = spikes()
    write_sonata(tmp_path / "a.h5", {**found, "X": found["E"]})
    for name in ("a.zarr", "a.nc", "a.nwb"):
        with pytest.raises(ActivityError, match="spikes of 'X'"):
            activity.convolve(hagen, tmp_path / "a.h5", to=tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == ["a.h5"]


def test_a_missing_extra(hagen, tmp_path, monkeypatch):
    (tmp_path / "a.nwb").touch()
    monkeypatch.setitem(sys.modules, "pynwb", None)
    with pytest.raises(MissingExtraError, match=r"nestlfp\[nwb\]"):
        activity.convolve(hagen, tmp_path / "a.nwb")
    with pytest.raises(NestLFPError, match="KernelSet or NeuronKernels"):
        activity.convolve("kernels.nc", tmp_path / "a.h5")


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["h5", "csv"])
def test_memory_does_not_grow_with_the_recording(tmp_path, monkeypatch, kind):
    """Four times as long takes no more: not all spikes, not all steps, not all signals."""
    kernels = kernels_with(1, 40)
    monkeypatch.setattr(disk_buffer, "LIMIT", 2**14)
    monkeypatch.setattr(blocks, "_VALUES", 2**16)
    for module in (activity.text, activity.arrays):
        monkeypatch.setattr(module, "SIZE", 2**13)
    peaks = []
    for length in (1, 1, 4):  # the first time imports
        at = np.random.default_rng(length).integers(1, 50_000 * length, 100_000 * length)
        found = {"E": (at * 0.0625, np.zeros(at.size, int))}
        if kind == "h5":
            write_sonata(tmp_path / "a.h5", found)
        else:
            np.savetxt(tmp_path / "a.csv", found["E"][0], header="times", comments="", fmt="%.5f")
        del at, found
        tracemalloc.start()
        activity.convolve(
            kernels,
            {"E": tmp_path / f"a.{kind}"},
            to=tmp_path / "a.zarr",
            overwrite=True,
            duration=3000.0 * length,
        )
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[2] < 1.25 * peaks[1] + 500_000  # times of samples: 8 bytes each, when it is opened


@pytest.mark.slow
def test_reading_needs_no_simulator(tmp_path):
    code = (
        "import nestlfp.activity, sys; "
        "sys.exit(', '.join({'nest', 'pynestml', 'neo', 'pynwb'} & set(sys.modules)) or 0)"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (told.returncode, told.stderr) == (0, "")
