"""The README's script on a machine with Python and nothing else: modules came with the wheel."""

import re
from pathlib import Path

import pytest
from machine import NO_COMPILER, image, machine, require

from environments import run

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")

pytestmark = pytest.mark.bare

COMPILERS = ("g++", "c++", "gcc", "cc", "clang++", "make", "cmake", "ninja", "ld", "as")
# Its time goes from `import nest` to the signals; what the kernel tells of itself is left out.
TIMED = """
import os, time
os.environ["PYNEST_QUIET"] = "1"
start = time.perf_counter()
{script}
print(f"first signal of {{nest.network_size}} nodes after {{time.perf_counter() - start:.2f}} s")
print(signals.sizes, float(signals["LFP"].std()))
print(nest.GetKernelStatus("modules"))
"""
KERNELS = """
import numpy as np
import layered_cells
from nestlfp.sources import mechanisms
from nestlfp.sources.lfpykernels import compute
given = {"Y": layered_cells.approximation()}
how = {"dt": 2**-3, "t_X": 30.0, "tau": 30.0, "g_eff": False, "progress": False}
kernels = compute(given, layered_cells.probes(), mechanisms=mechanisms.load, **how)
print(mechanisms.compiled(), np.abs(kernels["LFP"]).max().item())
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The platform wheel, with models of 2 and 16 spike ports: compiled, or from the cache."""
    require()
    folder = tmp_path_factory.mktemp("wheel")
    run(f"git clone --quiet {ROOT} {folder}/nestlfp")
    run(f"python -m nestlfp.build.prebuild {folder}/modules --ports 2 16", CXXFLAGS="")
    run(
        f"python -m build --wheel --no-isolation -o {folder} {folder}/nestlfp",
        NESTLFP_PREBUILT=f"{folder}/modules",
    )
    (wheel,) = folder.glob("*.whl")
    assert "manylinux" in wheel.name
    return wheel


@pytest.fixture(scope="module")
def told(wheel):
    """What doctor and the script say, which runs twice: the first computes the kernels."""
    script = re.search(r"^```python\n(.*?)^```", README, re.DOTALL | re.MULTILINE)[1]
    assert "nestlfp.simulate(1000.0)" in script
    with machine("ada", NO_COMPILER) as bare:
        bare.put(wheel)
        (bare.files / "script.py").write_text(TIMED.format(script=script))
        bare.run("python3 -m venv venv")
        active = ". venv/bin/activate"
        # With .pyc files, as an ordinary pip leaves them: a first run would have to make them.
        bare.run(f"{active}; pip install --compile --quiet './{wheel.name}[nest,lfpykernels]'")
        runs = [bare.run(f"{active}; python script.py") for _ in range(2)]
        bare.put(ROOT / "tests" / "sources" / "layered_cells.py")
        (bare.files / "compute.py").write_text(KERNELS)
        bare.run(f"{active}; pip install --quiet './{wheel.name}[lfpykernels]'")
        made = bare.run(f"{active}; NEURON_MODULE_OPTIONS=-nogui python compute.py")
        cached = bare.run("find . -path './.cache/nestlfp/*'")
        return bare.run(f"{active}; nestlfp doctor"), runs, made, cached


def test_no_compiler_is_there():
    require()
    folders = [image(NO_COMPILER) / "usr" / name for name in ("bin", "local/bin", "sbin")]
    found = [path.name for folder in folders for path in folder.glob("*")]
    assert "python3" in found
    pattern = re.compile(rf"(.*-)?({'|'.join(map(re.escape, COMPILERS))})(-[\d.]+)?")
    assert not [name for name in found if pattern.fullmatch(name)]
    assert not (image(NO_COMPILER) / "usr" / "include" / "stdio.h").exists()


def test_the_first_signal(told, record_property):
    _, runs, _, cached = told
    for script in runs:
        assert "'time': 989" in script
        assert float(re.search(r"\) ([\d.e-]+)$", script, re.MULTILINE)[1]) > 1e-4  # mV
        assert re.search(r"/home/ada/venv/.*/prebuilt/.*_module.so", script)
        assert "compiling" not in script
    assert set(re.findall(r"nestlfp/(\w+)", cached)) == {"kernels"}  # nothing was compiled
    for which, script in zip(("first", "second"), runs, strict=True):
        seconds = re.search(r"first signal of 1\d\d\d nodes after ([\d.]+) s", script)[1]
        record_property(f"no compiler, README's script from import nest on, {which} run", seconds)


def test_kernels_of_cells(told):
    _, _, made, cached = told
    where, peak = made.split()[-2:]
    assert re.fullmatch(r"/home/ada/venv/.*/prebuilt/neuron-[\d.]+", where)
    assert float(peak) > 1e-7  # mV
    assert "mechanisms" not in cached


def test_doctor_is_right(told):
    doctor, *_ = told
    assert "MISSING" not in doctor
    assert "optional C++ compiler: no C++ compiler found" in doctor
    assert re.search("ok       modules that came with nestlfp: 1 that fits this NEST", doctor)
    assert "ok       mechanisms for NEURON: came with nestlfp, in /home/ada/venv/" in doctor
