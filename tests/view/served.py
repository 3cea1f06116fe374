"""`nestlfp view` in a process of its own, stores for it, and Chromium."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys

import numpy as np
import pytest
import xarray as xr

from nestlfp.signals.stream import ZarrStream


@contextlib.contextmanager
def chromium():
    """Chromium, driven by Playwright; skips where there is none, and fails in CI."""
    program = shutil.which("chromium")
    if program is None:
        reason = "no Chromium here: apt-get install chromium"
        if os.environ.get("NESTLFP_REQUIRE_BROWSER"):
            pytest.fail(reason)
        pytest.skip(reason)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        # Its sandbox does not work for root, and it opens pages of ours only.
        browser = driver.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


@contextlib.contextmanager
def served(*arguments, folder=None):
    """The address that `nestlfp view` prints, and all that it has printed by then."""
    words = [sys.executable, "-m", "nestlfp", "view", "--no-browser", *map(str, arguments)]
    process = subprocess.Popen(
        words, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    told = ""
    try:
        for line in process.stdout:
            told += line
            if "Ctrl-C" in line:
                break
        else:
            raise AssertionError(process.stderr.read())
        yield re.search(r"http://\S+", told).group(), told
        assert process.poll() is None
    finally:
        process.send_signal(signal.SIGINT)  # Ctrl-C
        _, errors = process.communicate(timeout=20)
    assert process.returncode == 0
    # Requests that it refuses are logged; anything else is a defect.
    left = [line for line in errors.splitlines() if not line.startswith(("400 GET ", "403 GET "))]
    assert not left, errors


def noise(samples, start=1, *, channels=5, z=True, by=(), seed=0, interval=1.0):
    """LFP and dipole moment of random numbers; a sample has the same values whenever it comes."""
    n = start + samples
    rng = np.random.default_rng(seed)
    sizes = {"post": 2, "pre": 2}
    apart = tuple(dim for dim in ("post", "pre") if dim in by)
    shape = tuple(sizes[dim] for dim in apart)
    lfp = np.moveaxis(rng.normal(size=(n, *shape, channels)), 0, -1)[..., start:] * 0.1
    moment = np.moveaxis(rng.normal(size=(n, *shape, 3)), 0, -1)[..., start:] * 50.0
    coords = {
        "time": ("time", np.arange(start, n) * interval, {"units": "ms"}),
        "LFP_channel": [str(i) for i in range(channels)],
        "CDM_channel": ["x", "y", "z"],
        **{dim: ["E", "I"] for dim in apart},
    }
    if z:
        coords |= {f"LFP_{axis}": ("LFP_channel", np.zeros(channels)) for axis in "xy"}
        coords["LFP_z"] = ("LFP_channel", 100.0 * np.arange(channels)[::-1])
    return xr.Dataset(
        {
            "LFP": ((*apart, "LFP_channel", "time"), lfp, {"units": "mV"}),
            "CDM": ((*apart, "CDM_channel", "time"), moment, {"units": "nA µm"}),
        },
        coords,
        {"interval_ms": interval, "format": "nestlfp-signals-1"},
    )


def written(path, samples, chunk=100, **options):
    """A store that a simulation would write, to go on with; it is open for writing."""
    stream = ZarrStream(path, noise(0, **options), 1, chunk, overwrite=True)
    for start in range(1, samples + 1, chunk):
        stream.write(noise(min(chunk, samples + 1 - start), start, **options))
    return stream
