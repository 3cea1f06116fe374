"""One rule for all that is saved: a file that is there is replaced where that was asked for."""

import hashlib

import numpy as np
import pytest

import nestlfp
from nestlfp import KernelSet, NestLFPError, NeuronKernels

KERNELS = KernelSet.from_arrays(
    {"LFP": np.ones((1, 1, 2, 3))}, pre="E", post="E", dt=1.0, units={"LFP": "mV"}
)
NEURONS = NeuronKernels(KERNELS, {"E": ["E"]})


def save_kernels(path, factor, **how):
    KERNELS.scale({"E": factor}).save(path, **how)


def save_neurons(path, factor, **how):
    NEURONS.scale({"E": factor}).save(path, **how)


def save_signals(path, factor, **how):
    signals = KERNELS.scale({"E": factor}).convolve({"E": [1.0]}, 5.0)
    nestlfp.signals.save(signals, path, **how)


def save_figure(path, factor, **how):
    pytest.importorskip("matplotlib")
    nestlfp.plotting.save(nestlfp.plotting.kernels(KERNELS.scale({"E": factor})), path, **how)


def convolve(path, factor, **how):
    spikes = path.with_name("spikes.npz")
    np.savez(spikes, times=[1.0], senders=[1])
    nestlfp.activity.convolve(KERNELS.scale({"E": factor}), spikes, to=path, **how)


SAVED = {
    "kernels.nc": (save_kernels, r"kernels\.save\('.*kernels\.nc', overwrite=True\)"),
    "neurons.nc": (save_neurons, r"kernels\.save\('.*neurons\.nc', overwrite=True\)"),
    "figure.png": (save_figure, r"plotting\.save\(figure, '.*figure\.png', overwrite=True\)"),
    **{
        f"signals{suffix}": (
            save_signals,
            rf"signals\.save\(signals, '.*signals\{suffix}', overwrite=True\)",
        )
        for suffix in (".nc", ".zarr", ".nwb")
    },
    **{
        f"convolved{suffix}": (convolve, r"--force \(overwrite=True\)")
        for suffix in (".nc", ".zarr", ".nwb")
    },
}


def digest(path):
    """Of all that is at a path, lock files left aside."""
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    contents = [f.read_bytes() for f in files if f.is_file()]
    return hashlib.sha256(b"".join(contents)).hexdigest()


@pytest.mark.parametrize("name", SAVED)
def test_what_is_there_is_replaced_where_asked(name, tmp_path):
    if name.endswith(".zarr"):
        pytest.importorskip("zarr")
    if name.endswith(".nwb"):
        pytest.importorskip("pynwb")
    save, line = SAVED[name]
    path = tmp_path / name
    save(path, 2.0)
    first = digest(path)
    with pytest.raises(NestLFPError, match=rf"'.*{name}' exists: .*{line}"):
        save(path, -5.0)
    assert digest(path) == first
    save(path, -5.0, overwrite=True)
    assert digest(path) != first
    other = tmp_path / f"other_{name}"
    save(other, 2.0, overwrite=True)  # where there is nothing it changes nothing
    assert other.exists()
