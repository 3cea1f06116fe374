"""Several MPI processes: the same spikes and signals for each split, the same errors on each.

The scripts in tests/mpi run under mpirun with NEST built with MPI; a start takes seconds, so
that each of them makes several checks.
"""

import os
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import nestlfp
from mpirun import command, environment, mpirun
from networks import exponential_kernels

pytestmark = [pytest.mark.compile, pytest.mark.mpi]

SPLITS = {1: (1, 2, 4), 2: (1, 2), 4: (1, 2)}  # ranks: threads


@pytest.fixture(scope="module")
def splits(tmp_path_factory):
    """What record.py found, by (ranks, threads)."""
    out = tmp_path_factory.mktemp("splits")
    found = {}
    for ranks, all_threads in SPLITS.items():
        mpirun(ranks, "record.py", out, *all_threads)
        for threads in all_threads:
            with np.load(out / f"{ranks}x{threads}.npz") as file:
                found[ranks, threads] = dict(file)
    return found


@pytest.mark.parametrize("split", [(r, t) for r, all_t in SPLITS.items() for t in all_t])
def test_network_undisturbed(splits, split):
    found = splits[split]
    assert found["spikes"].shape[1] > 200
    np.testing.assert_array_equal(found["spikes"], found["without"])
    np.testing.assert_array_equal(found["range_with"], found["range_without"])


@pytest.mark.parametrize("n_vps", [2, 4])
def test_signals_do_not_depend_on_the_split(splits, n_vps):
    same = [found for (ranks, threads), found in splits.items() if ranks * threads == n_vps]
    assert len(same) == 1 + (n_vps > 1) + (n_vps > 2)
    for found in same[1:]:
        np.testing.assert_array_equal(found["spikes"], same[0]["spikes"])
        scale = np.abs(same[0]["lfp"]).max()
        np.testing.assert_allclose(found["lfp"], same[0]["lfp"], rtol=0, atol=1e-12 * scale)


@pytest.fixture(scope="module")
def triggers(tmp_path_factory):
    """What trigger.py found, by (ranks, threads)."""
    out = tmp_path_factory.mktemp("triggers")
    found = {}
    for ranks, all_threads in {1: (2, 4), 2: (1, 2), 4: (1,)}.items():
        mpirun(ranks, "trigger.py", out, *all_threads)
        for threads in all_threads:
            with np.load(out / f"trigger_{ranks}x{threads}.npz") as file:
                found[ranks, threads] = dict(file)
    return found


@pytest.mark.parametrize("n_vps", [2, 4])
def test_a_closed_loop_does_not_depend_on_the_split(triggers, n_vps):
    same = [found for (ranks, threads), found in triggers.items() if ranks * threads == n_vps]
    assert len(same) == n_vps // 2 + 1
    for found in same:
        np.testing.assert_array_equal(found["heard"], found["without"])
        assert found["closed"].shape != found["without"].shape  # the loop does something
        assert found["closed_times"].size > 10
        for name in found:
            np.testing.assert_array_equal(found[name], same[0][name])


@pytest.mark.parametrize("split", [(2, 2), (4, 1)])
def test_turns_of_a_loop_in_python(triggers, split, tmp_path):
    ranks, threads = split
    mpirun(ranks, "loop.py", tmp_path, threads)
    found = np.load(tmp_path / f"loop_{ranks}x{threads}.npy")
    np.testing.assert_array_equal(found, triggers[split]["without"])


def test_errors_are_raised_on_every_rank(tmp_path):
    told = mpirun(2, "errors.py", tmp_path).stdout
    assert told.count("passed") == 2 * 6


def test_several_processes_of_a_nest_without_mpi(nest, monkeypatch):
    # mpirun cannot be tried: NEST without MPI ends the process that it starts.
    monkeypatch.setenv("SLURM_STEP_NUM_TASKS", "2")
    with pytest.warns(UserWarning, match="2 processes, but this NEST runs in one"):
        nestlfp.install(exponential_kernels())


def test_processes_that_need_the_same_module_compile_it_once(tmp_path):
    """A compile is killed half way; then two ranks and two processes want the module at once."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    env = environment(NESTLFP_CACHE=str(tmp_path / "cache"), TMPDIR=str(scratch))
    modules, start = tmp_path / "cache" / "modules", tmp_path / "start"
    start.touch()
    killed = subprocess.Popen(
        command(0, "install.py", start), env=env, start_new_session=True, stdout=subprocess.DEVNULL
    )
    until(lambda: list(scratch.glob("nestlfp_*/generated/cpp/*.cpp")))
    time.sleep(1.0)  # the compiler is at work
    os.killpg(killed.pid, signal.SIGKILL)
    killed.wait()
    assert list(modules.glob("*.part*"))
    assert not list(modules.glob("*/*.so"))

    start.unlink()
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    racing = [
        subprocess.Popen(command(ranks, "install.py", start), env=env, **pipes)
        for ranks in (2, 0, 0)
    ]
    for process, ranks in zip(racing, (2, 1, 1), strict=True):
        ready = ""
        while ready.count("ready") < ranks:  # lines of two ranks may run into each other
            line = process.stdout.readline()
            assert line
            ready += line
    start.touch()
    told = [process.communicate(timeout=300) for process in racing]
    assert [process.returncode for process in racing] == [0, 0, 0], told
    assert sum(out.count("installed") for out, _ in told) == 4
    assert sum(err.count("nestlfp: compiling") for _, err in told) == 1
    assert len(list(modules.glob("*/*.so"))) == 1
    assert not list(modules.glob("*.part*"))


def test_the_example_for_clusters(tmp_path, hagen):
    hagen.save(tmp_path / "kernels.nc")
    example = Path(__file__).parents[2] / "examples" / "hpc" / "simulate.py"
    store = tmp_path / "signals.zarr"
    run = (2, example, tmp_path / "kernels.nc", store, "--scale", 0.01, "--duration")
    for duration in (30.0, 60.0):  # a second job repeats the first one, and goes on
        mpirun(*run, duration)
        with xr.open_zarr(store) as signals:
            assert signals.sizes["time"] >= duration - 4
            assert float(abs(signals["LFP"]).max()) > 0


def until(condition, seconds=60):
    """Wait for it, but not for ever."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.05)


def test_plastic_synapses_are_followed(tmp_path):
    """The same strengths, spikes and signals for each split."""
    found = []
    for ranks, threads in ((1, 2), (2, 1)):
        mpirun(ranks, "plasticity.py", tmp_path, threads)
        with np.load(tmp_path / f"plasticity_{ranks}x{threads}.npz") as file:
            found.append(dict(file))
    first, second = found
    assert np.ptp(first["strengths"][:, 0, 0]) > 0.3 * first["strengths"][0, 0, 0]
    np.testing.assert_allclose(second["strengths"], first["strengths"], rtol=1e-12)
    for each in found:
        assert each["without"].shape[1] > 200
        for kind in ("means", "neurons"):
            np.testing.assert_array_equal(each[f"spikes_{kind}"], first["without"])
            expected = first[f"lfp_{kind}"]
            scale = np.abs(expected).max()
            np.testing.assert_allclose(each[f"lfp_{kind}"], expected, rtol=0, atol=1e-12 * scale)


MODES = {1: (1, 2, 4), 2: (1, 2)}  # ranks: threads


def test_modes_and_out_strengths(tmp_path):
    """The same strengths, spikes and signals for each split."""
    for ranks, threads in MODES.items():
        mpirun(ranks, "modes.py", tmp_path, *threads)
    by_processes: dict = {}
    for ranks, all_threads in MODES.items():
        for threads in all_threads:
            with np.load(tmp_path / f"modes_{ranks}x{threads}.npz") as file:
                found = dict(file)
            np.testing.assert_array_equal(found["spikes"], found["without"])
            assert found["spikes"].shape[1] > 200
            first = by_processes.setdefault(ranks * threads, found)
            np.testing.assert_array_equal(found["spikes"], first["spikes"])
            np.testing.assert_allclose(found["strengths"], first["strengths"], rtol=1e-12)
            scale = np.abs(first["lfp"]).max()
            np.testing.assert_allclose(found["lfp"], first["lfp"], rtol=0, atol=1e-12 * scale)


@pytest.mark.parametrize("ranks", [2, 3])
def test_connections_that_are_changed_are_told_on_each_rank(ranks):
    mpirun(ranks, "connections.py")
