"""Stores of several recorders: every value, unit, position and label survives."""

import shutil
import tempfile
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import nestlfp
from nestlfp.signals import load, save
from networks import assert_refused, exponential_kernels, installed, random_network, reset

pytestmark = pytest.mark.filterwarnings("ignore:samples every")

UNITS = ["mV", "µV", "nA µm", "fT", "V/m", "1"]
NAMES = ["LFP", "CDM", "EEG", "MEG_scalp", "B", "signal_2"]


@st.composite
def kernels_of_recorders(draw):
    """Kernels for one to three recorders: signals, units, positions and labels of all kinds."""
    names = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=4, unique=True))
    cuts = sorted(draw(st.sets(st.integers(1, len(names) - 1), max_size=2))) if names[1:] else []
    groups = np.split(np.array(names), cuts)
    found = []
    for group in groups:
        n = draw(st.integers(1, 3))
        labels = draw(st.sampled_from([None, ["µ / ☃", "y", "None"][:n], [7, 5, 6][:n]]))
        some = [str(name) for name in group]
        placed = [name for name in some if draw(st.booleans())]
        values = np.random.default_rng(n).normal(size=(2, 2, n, 12))
        found.append(
            nestlfp.KernelSet.from_arrays(
                dict.fromkeys(some, values),
                pre=["E", "I"],
                post=["E", "I"],
                dt=0.1,
                units={name: draw(st.sampled_from(UNITS)) for name in some},
                channels={} if labels is None else dict.fromkeys(some, labels),
                positions={name: 100 * np.arange(3.0 * n).reshape(n, 3) for name in placed},
            )
        )
    return found


def recorders_of(nest, sets, by):
    reset(nest)
    banks = [installed(kernels, by=by) for kernels in sets]
    populations = random_network(nest).populations
    return [nestlfp.FieldRecorder(bank, populations, interval=0.5) for bank in banks]


def same_but_for_attributes_of_the_whole(found, expected):
    """All variables are the same, with their units, labels and positions; up to the shorter end."""
    n = min(found.sizes["time"], expected.sizes["time"])
    part = found[list(expected.data_vars)].isel(time=slice(n)).load()
    xr.testing.assert_identical(
        part.drop_attrs(deep=False), expected.isel(time=slice(n)).drop_attrs(deep=False)
    )


@settings(
    max_examples=15,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    sets=kernels_of_recorders(),
    by=st.sampled_from([(), ("pre",), ("post", "pre")]),
    suffix=st.sampled_from([".nc", ".zarr", ".nwb"]),
)
def test_every_attribute_survives(nest, sets, by, suffix):
    folder = Path(tempfile.mkdtemp())
    recorders = recorders_of(nest, sets, by)
    chunks = []
    to = {"to": folder / "all.zarr", "chunk": 5.0, "progress": False}
    nestlfp.simulate(14.0, on_chunk=chunks.append, **to)
    turns = list(nestlfp.loop(14.0, every=7.0, append=True, **to))
    stored = load(folder / "all.zarr")
    assert stored.sizes["time"] > 50
    save(stored, folder / f"copy{suffix}")
    for recorder in recorders:
        signals = recorder.signals().load()
        for name in recorder.bank.kernels.signals:
            unit = recorder.bank.kernels.dataset[name].attrs["units"]
            assert signals[name].attrs["units"] == unit
        same_but_for_attributes_of_the_whole(stored, signals)
        same_but_for_attributes_of_the_whole(chunks[0], signals)
        for turn in turns:
            assert all(turn[name].attrs == signals[name].attrs for name in signals.data_vars)
    copy = load(folder / f"copy{suffix}")
    np.testing.assert_allclose(copy["time"], stored["time"], rtol=1e-12)
    xr.testing.assert_identical(copy.assign_coords(time=stored["time"]).load(), stored.load())
    shutil.rmtree(folder)


def test_a_signal_that_has_the_name_of_anothers_positions(nest, tmp_path):
    kernels = [exponential_kernels(signals=(name,)) for name in ("LFP", "LFP_x")]
    recorders_of(nest, kernels, ())
    assert_refused(
        nest,
        "cannot be in one dataset: a signal must not be named 'LFP_x' beside the signal 'LFP'",
        lambda: nestlfp.simulate(10.0, to=tmp_path / "x.zarr", progress=False),
    )
    assert not list(tmp_path.iterdir())
