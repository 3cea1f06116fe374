"""A disk that is full: an error, the file as it was, and a process that lives."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

# With HDF5's own way of writing, such a process ends with a segmentation fault.
SCRIPT = """
import gc, resource, sys
from pathlib import Path
import numpy as np
import nestlfp
from nestlfp import NestLFPError, plotting

path, limit = Path(sys.argv[1]), int(sys.argv[2])
kernels = nestlfp.KernelSet.from_arrays(
    {"LFP": np.random.default_rng(1).normal(size=(1, 2, 4, 2000))},
    pre=["E", "I"], post=["P"], dt=0.1, units={"LFP": "mV"},
)
signals = kernels.convolve({"E": [1.0], "I": [2.0]}, 800.0)
write = {
    "signals": lambda: nestlfp.signals.save(signals, path, overwrite=True),
    "kernels": lambda: kernels.save(path, overwrite=True),
    "figure": lambda: plotting.save(plotting.signals(signals), path, overwrite=True),
}[path.stem]
write()
before = path.stat().st_size
soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
for _ in range(2):
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        write()
    except NestLFPError as error:
        told = str(error)
        assert str(path) in told and "File too large" in told, told
    else:
        raise AssertionError("it was written")
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    gc.collect()
    assert path.stat().st_size == before
    assert [each.name for each in path.parent.iterdir()] == [path.name]
write()
print("alive")
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="needs RLIMIT_FSIZE")
@pytest.mark.parametrize("limit", [100, 5000, 20_000])
@pytest.mark.parametrize(
    "name", ["signals.nc", "signals.nwb", "signals.zarr", "kernels.nc", "figure.png"]
)
def test_the_process_lives(tmp_path, name, limit):
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", SCRIPT, tmp_path / name, str(limit)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "alive\n"), done.stderr


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="mounts a file system")
@pytest.mark.parametrize("name", ["signals.nc", "signals.nwb", "kernels.nc"])
def test_a_file_system_that_is_full(tmp_path, name):
    full = tmp_path / "full"
    full.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", full], check=False
    ).returncode:
        pytest.skip("this root cannot mount")
    script = SCRIPT.replace("File too large", "No space left on device")
    script = script.replace("\nwrite()\nbefore = path.stat().st_size", "\nbefore = None", 1)
    script = script.replace("path.stat().st_size == before", "not path.exists()")
    script = script.replace("== [path.name]", "== []").replace("\nwrite()\nprint", "\nprint")
    try:
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", script, full / Path(name), "-1"],
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stdout) == (0, "alive\n"), done.stderr
    finally:
        subprocess.run(["umount", full], check=True)
