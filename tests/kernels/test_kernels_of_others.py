"""Kernels in files of ncpi and of LFPykernels' examples, read as docs/other_programs.md says."""

import pickle
import re
from pathlib import Path

import h5py
import numpy as np
import pytest

import nestlfp
from nestlfp.errors import KernelError

PAGE = (Path(__file__).parents[2] / "docs" / "other_programs.md").read_text(encoding="utf-8")
DT = 2**-4
PROBES = {"LFP": "GaussCylinderPotential", "CDM": "KernelApproxCurrentDipoleMoment"}


def dictionary(kernels, probes=PROBES):
    """As `KernelApprox.get_kernel` makes it: lags -tau ... tau."""
    return {
        f"{y}:{x}": {
            probe: np.pad(
                kernels[signal].sel(post=y, pre=x).values, ((0, 0), (kernels.n_lags + 1, 0))
            )
            for signal, probe in probes.items()
        }
        for y in kernels.post
        for x in kernels.pre
    }


def section(title):
    """The Python of a section of the page."""
    text = re.split("^## ", PAGE, flags=re.MULTILINE)
    (found,) = [part for part in text if part.startswith(title)]
    (code,) = re.findall(r"^```python\n(.*?)^```", found, re.M | re.S)
    return code


def same(found, hagen):
    for name in hagen.signals:
        np.testing.assert_allclose(found[name].values, hagen[name].values, rtol=1e-9, atol=1e-18)
        assert found[name].attrs["units"] == hagen[name].attrs["units"]
    assert (found.pre, found.post, found.dt, found.n_lags) == (
        hagen.pre, hagen.post, hagen.dt, hagen.n_lags,
    )  # fmt: skip
    np.testing.assert_array_equal(found["LFP"].LFP_z, hagen["LFP"].LFP_z)


def test_the_pickle_of_ncpi(hagen, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    per_trial = [dictionary(hagen)] * 2
    Path("kernels.pkl").write_bytes(pickle.dumps(per_trial))
    exec(section("Kernels of ncpi"), {})
    same(nestlfp.KernelSet.load("kernels.nc"), hagen)
    with pytest.raises(
        KernelError, match=r"a list of 2, as in ncpi's kernels\.pkl, .*kernels\[0\]"
    ):
        nestlfp.KernelSet.from_lfpykernels(per_trial, dt=DT)


def test_the_files_of_the_examples_of_lfpykernels(hagen, tmp_path, monkeypatch):
    """Probes' data of a run in which each population spikes once, all its neurons together."""
    monkeypatch.chdir(tmp_path)
    sizes, times, length = {"E": 8192, "I": 1024}, {"E": 200.0, "I": 400.0}, 16 * 600
    for signal, file in (("LFP", "RecExtElectrode.h5"), ("CDM", "CurrentDipoleMoment.h5")):
        channels = hagen[signal].shape[2]
        data = np.zeros((channels, length), [("E", "f8"), ("I", "f8"), ("imem", "f8")])
        for y in hagen.post:
            data[y] = 1e-3 * np.arange(channels)[:, None]  # of cells at rest
            for x, size in sizes.items():
                first = round(times[x] / DT) + 1
                response = size * hagen[signal].sel(post=y, pre=x).values
                data[y][:, first : first + hagen.n_lags] += response
        data["imem"] = data["E"] + data["I"]
        with h5py.File(file, "w") as opened:
            opened["data"] = data
    exec(section("Kernels of LFPykernels"), {})
    same(nestlfp.KernelSet.load("kernels.nc"), hagen)


def test_a_dictionary_in_an_hdf5_file(hagen, tmp_path):
    with h5py.File(tmp_path / "kernels.h5", "w") as opened:
        for pathway, probes in dictionary(hagen).items():
            for probe, values in probes.items():
                opened[f"{pathway}/{probe}"] = values
    z = np.arange(1000.0, -300.0, -100.0)
    with h5py.File(tmp_path / "kernels.h5") as opened:
        same(nestlfp.KernelSet.from_lfpykernels(opened, dt=DT, positions={"LFP": z}), hagen)
