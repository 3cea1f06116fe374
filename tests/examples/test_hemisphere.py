"""The example of a hemisphere, much smaller."""

import json
import subprocess
import sys
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest

import nestlfp
import nestlfp.signals
from mpirun import mpirun

pytestmark = pytest.mark.compile

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "hemisphere"


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    """Folder of what a small run writes."""
    for package in ("nilearn", "nibabel", "lfpykernels", "mne"):
        pytest.importorskip(package)
    folder = tmp_path_factory.mktemp("hemisphere")
    process = subprocess.run(
        [sys.executable, EXAMPLE / "run.py", "--out", folder, "--scale", "0.005", "--trials", "2"],
        check=False,
        capture_output=True,
        text=True,
    )
    assert process.returncode == 0, process.stderr[-2000:]
    return folder


def test_signals_are_those_of_the_spikes_and_spikes_those_without(out):
    report = json.loads((out / "report.json").read_text(encoding="utf-8"))
    # The filter's error, of a channel's peak for one spike, adds up over spikes.
    assert max(report["online_vs_offline"].values()) < 1e-2
    assert report["five_electrodes_by_hand"] < 1e-6
    assert report["spikes_identical"] is True
    assert np.mean([*report["rates"].values()]) > 0.1  # layer 2/3 hardly spikes at this scale
    assert report["filter_error"] <= 1e-3


def test_evoked_signals_are_of_all_channels(out):
    evoked = nestlfp.signals.load(out / "evoked.nc")
    assert evoked["EEG"].sizes == {"EEG_channel": 64, "time": 241}
    assert evoked["MEG"].sizes == {"MEG_channel": 102, "time": 241}
    np.testing.assert_allclose(evoked["EEG"].mean("EEG_channel"), 0.0, atol=1e-9)
    np.testing.assert_allclose(evoked["MEG"].sel(time=slice(None, 0.0)).mean("time"), 0, atol=1e-9)


def test_what_is_written(out):
    import mne

    raw = mne.io.read_raw_fif(out / "hemisphere_raw.fif", verbose="error")
    assert (len(raw.copy().pick("eeg").ch_names), len(raw.copy().pick("mag").ch_names)) == (64, 102)
    assert matplotlib.image.imread(out / "hemisphere.png").shape[0] > 1000


@pytest.mark.mpi
def test_two_processes_record_what_one_records(tmp_path):
    """Four of the patches."""
    found = []
    for ranks in (0, 2):  # without mpirun: one process
        mpirun(ranks, "few_patches.py", out := tmp_path / f"{ranks}.nc", 2)
        found.append(nestlfp.signals.load(out))
    one, two = found
    for name in ("EEG", "MEG"):
        peak = np.abs(one[name].values).max()
        assert peak > 0
        np.testing.assert_allclose(two[name].values, one[name].values, rtol=0, atol=1e-12 * peak)
