"""Signals as SONATA's extracellular report: its own reading, and bmtk's."""

import json

import h5py
import numpy as np
import pandas as pd
import pytest
import xarray as xr

from nestlfp.signals import SignalError, save, to_sonata

SPIKES = {"E": [1.0, 2.5, 2.5], "I": [4.0]}


@pytest.fixture
def signals(hagen):
    return hagen.convolve(SPIKES, 20.0)


def times_of(path):
    """Times of the samples, as readers of SONATA make them."""
    with h5py.File(path) as file:
        return np.arange(*file["ecp/time"][()])


def test_what_is_in_the_file(signals, tmp_path):
    to_sonata(signals, tmp_path / "ecp.h5", signal="LFP", electrodes=tmp_path / "contacts.csv")
    with h5py.File(tmp_path / "ecp.h5") as file:
        np.testing.assert_array_equal(file["ecp/data"], signals["LFP"].values.T)
        np.testing.assert_array_equal(file["ecp/channel_id"], np.arange(13))
        assert file["ecp/data"].attrs["units"] == "mV"
        assert file["ecp/time"].attrs["units"] == "ms"
        assert file.attrs["magic"] == 0x0A7A
        assert file.attrs["version"].tolist() == [0, 1]
    np.testing.assert_allclose(times_of(tmp_path / "ecp.h5"), signals["time"], rtol=1e-12)
    contacts = pd.read_csv(tmp_path / "contacts.csv", sep=" ", index_col="channel")
    np.testing.assert_array_equal(contacts["z_pos"], signals["LFP_z"])
    np.testing.assert_array_equal(contacts["x_pos"], signals["LFP_x"])


@pytest.mark.parametrize("dt", [0.1, 0.025, 2**-4, 1.0, 0.3])
@pytest.mark.parametrize("start", [1, 3, 7])
def test_readers_get_as_many_times_as_samples(tmp_path, dt, start):
    for n in (2, 3, 10, 333, 1000):
        time = np.arange(start, start + n) * dt
        array = (("LFP_channel", "time"), np.zeros((1, n)), {"units": "mV"})
        signals = xr.Dataset({"LFP": array}, {"time": ("time", time, {"units": "ms"})})
        to_sonata(signals, tmp_path / "ecp.h5", overwrite=True)
        np.testing.assert_allclose(times_of(tmp_path / "ecp.h5"), time, rtol=1e-9)


def test_bmtk_draws_the_file(signals, tmp_path):
    import matplotlib.pyplot as plt
    from bmtk.analyzer.ecp import plot_ecp

    to_sonata(signals, tmp_path / "ecp.h5", signal="LFP")
    report = {"cells": "all", "variable_name": "v", "module": "extracellular"}
    config = {
        "output": {"output_dir": str(tmp_path)},
        "reports": {"ecp": {**report, "file_name": "ecp.h5", "electrode_positions": "none.csv"}},
    }
    (tmp_path / "config.json").write_text(json.dumps(config))
    plot_ecp(config_file=str(tmp_path / "config.json"), show=False)
    figure = plt.gcf()
    for line, channel in zip(
        (axis.lines[0] for axis in figure.axes), signals["LFP"].values, strict=True
    ):
        np.testing.assert_allclose(line.get_xdata(), signals["time"], rtol=1e-12)
        np.testing.assert_array_equal(line.get_ydata(), channel)
    plt.close(figure)


def test_bmtk_reads_channels_and_positions(signals, tmp_path):
    """Its conversion to NWB, which takes positions from the table of contacts."""
    import pynwb
    from bmtk.simulator.bionet.modules.ecp import convert2nwb

    ecp, contacts, nwb = (tmp_path / name for name in ("ecp.h5", "contacts.csv", "ecp.nwb"))
    to_sonata(signals, ecp, signal="LFP", electrodes=contacts)
    convert2nwb(str(nwb), str(ecp), str(contacts))
    with pynwb.NWBHDF5IO(nwb, "r") as file:
        found = file.read()
        np.testing.assert_array_equal(
            found.acquisition["ElectricalSeries"].data, signals["LFP"].values.T
        )
        np.testing.assert_array_equal(found.electrodes["z"][:], signals["LFP_z"])


def test_what_the_format_cannot_hold(hagen, signals, tmp_path):
    path = tmp_path / "ecp.h5"
    with pytest.raises(SignalError, match=r"holds one signal.*signal='LFP'"):
        to_sonata(signals, path)
    with pytest.raises(SignalError, match=r"no signal 'EEG': there are \['LFP', 'CDM'\]"):
        to_sonata(signals, path, signal="EEG")
    with pytest.raises(SignalError, match=r"positions of the contacts of 'CDM' are not known"):
        to_sonata(signals, path, signal="CDM", electrodes=tmp_path / "contacts.csv")
    apart = hagen.convolve(SPIKES, 20.0, by="pre")
    with pytest.raises(SignalError, match=r"apart by \['pre'\].*signals.sel\(pre='E'\)"):
        to_sonata(apart, path, signal="LFP")
    assert list(tmp_path.iterdir()) == []
    to_sonata(apart.sum(["pre"], keep_attrs=True), path, signal="LFP")
    with h5py.File(path) as file:
        np.testing.assert_allclose(file["ecp/data"], signals["LFP"].values.T, rtol=0, atol=1e-15)


def test_files_are_replaced_only_if_asked_for(signals, tmp_path):
    path = tmp_path / "ecp.h5"
    to_sonata(signals, path, signal="LFP")
    before = path.read_bytes()
    with pytest.raises(SignalError, match=r"ecp.h5' exists: .* overwrite=True"):
        to_sonata(signals, path, signal="CDM")
    assert path.read_bytes() == before
    with pytest.raises(SignalError, match="cannot write signals"):
        to_sonata(signals, tmp_path / "nowhere" / "ecp.h5", signal="LFP")
    with pytest.raises(SignalError, match=r"to_sonata writes .h5"):
        save(signals, tmp_path / "a.h5")
