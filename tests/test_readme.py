"""Every command and code block of the README, run as a reader would."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from environments import bare_venv, run
from mpirun import environment

pytestmark = pytest.mark.compile

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A reader's folder: the checkout."""
    folder = tmp_path_factory.mktemp("reader") / "nestlfp"
    ignored = shutil.ignore_patterns(".git", ".venv", "docs", "out", ".*_cache", "__pycache__")
    shutil.copytree(ROOT, folder, ignore=ignored)
    shutil.rmtree(folder / "build", ignore_errors=True)
    return folder


def test_the_blocks_are_those_that_are_tested():
    assert len(blocks("python")) == 2
    assert len(blocks("bash")) == 3
    assert len(re.findall("^```", README, re.MULTILINE)) == 2 * (2 + 3)


def test_two_screens():
    assert len(README.splitlines()) <= 150


def test_linked_files_exist():
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert "://" in target or (ROOT / target).exists(), target


def test_make_demo():
    """The first of the two commands; the second, make test, is what .ci/run calls to get here."""
    assert blocks("bash")[0].split("\n")[:2] == ["make demo", "make test"]
    assert "make test" in (ROOT / ".ci" / "run").read_text()
    run("make demo", ROOT, MAKEFLAGS="")
    out = ROOT / "out" / "two_population"
    report = json.loads((out / "report.json").read_text())
    assert max(report["online_vs_offline"].values()) <= 1e-12
    assert max(report["kernels_vs_reference"].values()) <= 1e-4
    assert report["spike_trains_identical"] is True
    for name in ("min_delay_ms", "max_delay_ms"):
        assert report[name]["with"] == report[name]["without"]
    assert report["rates"]["E"] == pytest.approx(2.2, abs=0.3)
    assert report["rates"]["I"] == pytest.approx(4.7, abs=0.5)
    assert np.mean(report["lfp_std_mV"]) == pytest.approx(0.1, abs=0.05)
    for name in ("kernels.nc", "signals.nc", "signals.png", "kernels.png"):
        assert (out / name).stat().st_size > 10_000


def test_pip_install(folder, tmp_path):
    install, doctor = blocks("bash")[1].strip().split("\n")
    binaries = bare_venv(tmp_path / "venv")
    # What nestlfp depends on is there already, and need not be fetched for each test.
    offline = {"PIP_NO_DEPS": "1", "PIP_NO_INDEX": "1", "PIP_NO_BUILD_ISOLATION": "0"}
    run(install, folder, binaries, **offline)
    told = run(doctor, tmp_path, binaries)
    assert "MISSING" not in told
    assert "ok       NEST: " in told


def test_python_and_shell_blocks(folder):
    script, show = blocks("python")
    complete, stream = re.findall(r"`(nestlfp\.simulate\([^`]+\))`", README)
    all_there = "assert recorder.signals()['time'].values[-1] >= 2000.0"
    checks = """
import numpy as np, xarray
stored = xarray.open_zarr("signals.zarr")
assert stored.sizes["time"] > 4900
np.testing.assert_array_equal(recorder.signals()["LFP"].sel(time=stored.time), stored["LFP"])
largest = settled["LFP"].std("time").max()
assert 0.01 < largest < 0.1, largest
"""
    (folder / "whole.py").write_text("\n".join([script, show, complete, all_there, stream, checks]))
    told = run("python whole.py", folder)
    for part in ("LFP_z", "synapses per spike", "p5_L23"):
        assert part in told
    for command in blocks("bash")[2].strip().split("\n"):
        run(command, folder)
    for figure in ("signals.png", "kernels.png", "lfp.png"):
        assert (folder / figure).read_bytes().startswith(b"\x89PNG")


def test_the_script_prints_little_and_its_result_last(folder):
    (folder / "short.py").write_text("\n".join(blocks("python")[:2]))
    for written in ("signals.nc", "signals.png"):  # by the whole script
        (folder / written).unlink(missing_ok=True)
    told = run("unset PYNEST_QUIET; python short.py 2>&1", folder).splitlines()
    assert len(told) <= 60, told  # what kernels rest on is half of it
    for warning in ("resolution has changed", "New connections created"):  # of what nestlfp did
        assert warning not in "\n".join(told)
    assert told[-1].split() == ["units:", "mV"]


@pytest.mark.mpi
def test_mpirun(folder):
    (folder / "script.py").write_text(
        # In one piece: two processes print at the same time.
        blocks("python")[0] + "\nprint(f'samples {signals.sizes[\"time\"]}\\n', end='')\n"
    )
    (command,) = re.findall(r"`(mpirun [^`]+)`", README)
    told = run(command, folder, **environment())
    assert told.count("samples 98") == 2
