"""The README's first steps on a machine that has what it asks for, and nothing else."""

import json
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from machine import PREFIX, image, machine, require

from environments import run

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")

pytestmark = pytest.mark.bare


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """The project as it is committed."""
    require()
    folder = tmp_path_factory.mktemp("clone") / "nestlfp"
    run(f"git clone --quiet {ROOT} {folder}")
    return folder


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.DOTALL | re.MULTILINE)


def test_nothing_else_is_installed():
    """The image is what hides in no other test: no Boost, libltdl, libpython, MPI or git."""
    require()
    missing = ["boost/type_index.hpp", "ltdl.h", "mpi.h", "gsl/gsl_math.h", "python3.11/Python.h"]
    assert not [name for name in missing if (image() / "usr" / "include" / name).exists()]
    assert not list((image() / "usr" / "lib").rglob("libpython3*.so*"))
    assert not [p for p in ("mpicxx", "git", "cmake") if (image() / "usr" / "bin" / p).exists()]


def demo(checkout):
    """The report of `make demo` by an ordinary user, and what tests of MPI say afterwards."""
    with machine("ada") as bare:
        bare.put(checkout)
        bare.run("cd nestlfp; make demo")
        out = bare.files / "nestlfp" / "out" / "two_population"
        assert (out / "signals.png").stat().st_size > 10_000
        report = json.loads((out / "report.json").read_text())
        # Root could install MPI: an ordinary user is told what is missing.
        tests = (
            "cd nestlfp; . .venv/bin/activate; python -m pip install --quiet pytest mpi4py;"
            " tests/mpi/build_nest.sh $(which python);"
            " PYTHONPATH=tests python -m pytest -q tests/runtime/test_mpi.py"
        )
        return report, bare.run(tests)


def first_steps(wheel):
    """What root does without a checkout, as in a container: pip install, doctor, the script."""
    install, doctor = blocks("bash")[1].strip().split("\n")
    assert install.startswith("pip install '.[")
    with machine("root") as bare:
        bare.put(wheel)
        (bare.files / "script.py").write_text(blocks("python")[0] + "print(signals.sizes)\n")
        bare.run("python3 -m venv venv")
        active = ". venv/bin/activate"
        bare.run(f"{active}; {install.replace('.', f'./{wheel.name}', 1)}")
        return [bare.run(f"{active}; {line}") for line in (doctor, "python script.py")]


@pytest.fixture(scope="module")
def told(checkout, tmp_path_factory):
    """Both at a time: most of it is waiting for downloads and for one core."""
    folder = tmp_path_factory.mktemp("wheel")
    run(f"python -m build --wheel --no-isolation -o {folder} {checkout}")
    (wheel,) = folder.glob("*.whl")
    image()
    with ThreadPoolExecutor(2) as pool:
        started = {
            "demo": pool.submit(demo, checkout),
            "steps": pool.submit(first_steps, wheel),
        }
        return {name: future.result() for name, future in started.items()}


def test_make_demo(told):
    report, _ = told["demo"]
    assert max(report["online_vs_offline"].values()) <= 1e-12
    assert max(report["kernels_vs_reference"].values()) <= 1e-4
    assert report["spike_trains_identical"] is True


def test_doctor_is_right(told):
    """Everything is there, and it says where the headers come from; the script proves it right."""
    doctor, script = told["steps"]
    assert "MISSING" not in doctor
    assert re.search(r"ok       headers of Boost: .*of PyPI's boost-headers", doctor)
    assert re.search(r"ok       headers of libltdl: .*nestlfp's own", doctor)
    assert re.search("ok       a module: .*compiled, loaded and tried", doctor)
    assert "'time': 98" in script


def test_tests_without_mpi_say_what_is_missing(told):
    _, tests = told["demo"]
    assert "to run them: apt-get install openmpi-bin" in tests
    assert "no NEST with MPI here: make nest-mpi" in tests
    assert re.search(r"\d+ skipped", tests)
    assert "failed" not in tests


def test_nothing_is_left_over(told):
    mounted = subprocess.run(["mount"], capture_output=True, text=True, check=True).stdout
    assert str(image().parent) not in mounted
    assert not list(image().parent.glob(f"{PREFIX}*"))
