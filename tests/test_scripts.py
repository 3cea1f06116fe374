"""Examples, benchmarks and the command line: no traceback for a person's mistake or machine."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from nestlfp.errors import message_for
from networks import exponential_kernels

pytestmark = pytest.mark.compile

ROOT = Path(__file__).parents[1]
BENCHMARKS = [
    path.name
    for path in sorted((ROOT / "benchmarks").glob("*.py"))
    if "__main__" in path.read_text(encoding="utf-8")
]


def start(*arguments, **environment):
    return subprocess.Popen(
        [sys.executable, *map(str, arguments)],
        env={**os.environ, **environment},
        # Where tests run in the background, their children would ignore it.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def fails(*arguments, **environment):
    """The only line that a script prints on stderr before it ends."""
    process = start(*arguments, **environment)
    _, errors = process.communicate()
    assert process.returncode == 1, errors
    (line,) = errors.strip().splitlines()
    return line


@pytest.mark.parametrize("name", BENCHMARKS)
def test_benchmarks_answer_help(name):
    process = start(ROOT / "benchmarks" / name, "--help")
    printed, errors = process.communicate(timeout=60)  # and not after it has measured
    assert process.returncode == 0, errors
    assert printed.startswith(f"usage: {name}")
    process = start(ROOT / "benchmarks" / name, "--nonsense")
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "Traceback" not in errors


EXAMPLES = [
    "two_population/run.py",
    "validation/run.py",
    "validation/conductances.py",
    "microcircuit/run.py",
    "microcircuit/cell_by_cell.py",
    "hemisphere/run.py",
    "hpc/simulate.py",
]


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_that_cannot_write_or_read(name, tmp_path):
    (tmp_path / "file").touch()
    missing = tmp_path / "file" / "out"
    arguments = (missing, tmp_path / "x.zarr") if "hpc" in name else ("--out", missing)
    line = fails(ROOT / "examples" / name, *arguments)
    assert line.startswith(f"{Path(name).name}: ")
    assert str(missing) in line


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_without_nest(name, tmp_path):
    (tmp_path / "nest.py").write_text("raise ModuleNotFoundError(\"No module named 'nest'\")\n")
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    line = fails(ROOT / "examples" / name, PYTHONPATH=path)
    assert line.startswith(f"{Path(name).name}: No module named 'nest': is everything installed")


def test_an_interrupted_command(tmp_path):
    """Ctrl-C while the compiler works."""
    exponential_kernels().save(tmp_path / "kernels.nc")
    process = start(
        *("-m", "nestlfp", "build", tmp_path / "kernels.nc"),
        NESTLFP_CACHE=str(tmp_path / "cache"),
    )
    while not (tmp_path / "cache").exists():
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode != 0
    assert "Traceback" not in errors


def test_a_cache_that_is_a_file(tmp_path):
    exponential_kernels().save(tmp_path / "kernels.nc")
    command = ("-m", "nestlfp", "build", tmp_path / "kernels.nc")
    line = fails(*command, NESTLFP_CACHE=str(tmp_path / "kernels.nc"))
    assert line.startswith("nestlfp: the module cache")


def test_a_defect_keeps_its_traceback():
    assert message_for(ZeroDivisionError()) is None
    assert message_for(KeyError("x")) is None
    assert message_for(PermissionError(13, "Permission denied", "/x")) == "'/x': Permission denied"
