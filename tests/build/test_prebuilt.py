"""Modules that come inside a platform wheel: taken where they fit exactly, and nowhere else."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import nestlfp
from environments import run, symbol_versions
from nestlfp import ToolchainError
from nestlfp.build import doctor, prebuild, prebuilt, toolchain
from nestlfp.build.modules import compile_module, library_digest
from nestlfp.nodes.model import SIZES, model_for, node_methods
from nests import OTHER
from networks import assert_signal_is_convolution, exponential_kernels, installed, replayed, reset

pytestmark = [
    pytest.mark.compile,
    pytest.mark.skipif(OTHER != "", reason="these modules are for NEST's wheel"),
]

ROOT = Path(__file__).parents[2]
PORTS = 2


@pytest.fixture(scope="session")
def built(tmp_path_factory):
    """Folder of a module of all methods, of the smallest size, compiled or from the cache."""
    folder = tmp_path_factory.mktemp("prebuilt")
    prebuild.prebuild(folder, [PORTS])
    assert "CXXFLAGS" not in os.environ
    return folder


@pytest.fixture
def here(built, tmp_path, monkeypatch):
    """A copy of the folder, where nestlfp looks; neither a compiler nor a cache beside it."""
    folder = shutil.copytree(built, tmp_path / "prebuilt")
    monkeypatch.setattr(prebuilt, "prebuilt_dir", lambda: folder)
    monkeypatch.setattr(doctor, "prebuilt_dir", lambda: folder)
    monkeypatch.setenv("NESTLFP_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path / "nowhere"))
    monkeypatch.delenv("CXX", raising=False)
    return folder / toolchain.find_nest().version


@pytest.mark.parametrize("method", node_methods())
def test_signals_without_a_compiler(nest, here, capfd, method):
    kernels = exponential_kernels()
    reset(nest)
    bank = installed(kernels, method=method)
    (loaded,) = nest.GetKernelStatus("modules")
    assert loaded == str(the_module(here))
    parrots = replayed(nest, [[1.0, 4.0]])
    recorder = nestlfp.FieldRecorder(bank, {"E": parrots, "I": None}, interval=0.1)
    nest.Simulate(20.0)
    tolerance = 1e-12 if method == "fir" else 1e-5
    spikes = {"E": [2.0, 5.0]}
    assert_signal_is_convolution(recorder.signals(), kernels, spikes, 20.0, rtol=tolerance)
    assert "compiling" not in capfd.readouterr().err
    # NEST finds out what is thrown inside a module, whose runtime_error has a constructor of ours.
    with pytest.raises(nest.NESTError, match="nonsense"):
        nest.Create(bank.model.name, params={"nonsense": 1.0})


def the_module(folder):
    """Path of the one module in a folder."""
    (path,) = folder.glob("*.so")
    return path


def test_neither_nestml_nor_a_compiler_is_started(built):
    code = f"""
import sys, os, subprocess, pathlib, nest
def started(event, arguments):
    if event in ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn"):
        raise AssertionError(f"started: {{arguments[1]}}")
sys.addaudithook(started)
import nestlfp
from nestlfp.build import prebuilt
from networks import exponential_kernels
prebuilt.prebuilt_dir = lambda: pathlib.Path({str(built)!r})
nestlfp.install(exponential_kernels())
print(nest.GetKernelStatus("modules"))
print([name for name in ("pynestml", "scipy.signal", "cmake") if name in sys.modules])
"""
    path = f"{ROOT / 'tests'}:{os.environ.get('PYTHONPATH', '')}"
    told = run(f"{sys.executable} - <<'CODE'\n{code}\nCODE", PYTHONPATH=path).splitlines()
    assert str(built) in told[-2]
    assert told[-1] == "[]"


def damaged(folder):
    for module in folder.glob("*.so"):
        content = bytearray(module.read_bytes())
        content[len(content) // 2] ^= 0xFF
        module.write_bytes(content)


def of_another_text(folder):
    """A model's name has the digest of its text."""
    for note in folder.glob("nestlfp_*.json"):
        told = json.loads(note.read_text())
        others = [f"{name[:-8]}01234567" for name in told["models"]]
        note.write_text(json.dumps({**told, "models": others}))


def without_notes(folder):
    for note in folder.glob("nestlfp_*.json"):
        note.unlink()


def for_another_build(folder):
    builds = folder / prebuilt.BUILDS
    told = json.loads(builds.read_text())
    builds.write_text(json.dumps({**told, "builds": {"0" * 64: "another wheel"}}))


def without_builds(folder):
    (folder / prebuilt.BUILDS).write_text("[")


def for_another_version(folder):
    folder.rename(folder.with_name("3.10.1"))


@pytest.mark.parametrize(
    "change",
    [
        damaged,
        of_another_text,
        without_notes,
        for_another_build,
        without_builds,
        for_another_version,
    ],
)
def test_what_does_not_fit_is_left_alone(nest, here, change):
    bank = nestlfp.FilterBank(exponential_kernels())
    fine = prebuilt.find_prebuilt([bank.model], toolchain.find_nest())
    assert fine == the_module(here)
    change(here)
    assert prebuilt.find_prebuilt([bank.model], toolchain.find_nest()) is None
    reset(nest)
    with pytest.raises(ToolchainError, match=r"no C\+\+ compiler found"):  # it would be compiled
        nestlfp.install(exponential_kernels())


def test_flags_are_obeyed(here, monkeypatch):
    bank = nestlfp.FilterBank(exponential_kernels())
    monkeypatch.setenv("CXXFLAGS", "-march=native")
    assert prebuilt.find_prebuilt([bank.model], toolchain.find_nest()) is None


def test_one_that_nest_cannot_load_is_compiled(nest, built, tmp_path, monkeypatch):
    """As for another kind of processor: it is what its note says, and still does not load."""
    folder = shutil.copytree(built, tmp_path / "prebuilt")
    monkeypatch.setattr(prebuilt, "prebuilt_dir", lambda: folder)
    bank = nestlfp.FilterBank(exponential_kernels())
    module = the_module(folder / toolchain.find_nest().version)
    module.write_bytes(b"no library")
    note = module.with_suffix(".json")
    told = json.loads(note.read_text())
    told["sha256"] = hashlib.sha256(module.read_bytes()).hexdigest()
    note.write_text(json.dumps(told))
    reset(nest)
    nestlfp.install(exponential_kernels())
    assert list(nest.GetKernelStatus("modules")) == [str(compile_module([bank.model]))]


def test_doctor_says_that_no_compiler_is_needed(here, monkeypatch):
    text, healthy = doctor.doctor()  # its own process looks into the package, which has none
    assert not healthy
    assert re.search("MISSING  modules that came with nestlfp: .*no C.. compiler found", text)
    look = f"""
import pathlib
from nestlfp.build import prebuilt
prebuilt.prebuilt_dir = lambda: pathlib.Path({str(here.parent)!r})
"""
    monkeypatch.setattr(doctor, "SIGNAL", look + doctor.SIGNAL)
    text, healthy = doctor.doctor()
    assert healthy
    assert "MISSING" not in text
    assert "optional C++ compiler: no C++ compiler found" in text
    assert "ok       modules that came with nestlfp: 1 that fits this NEST; the signal of a" in text
    assert "untried  a module: compiling is for kernels that none of the above serves" in text
    for_another_build(here)
    text, healthy = doctor.doctor()
    assert not healthy
    assert "MISSING  C++ compiler: no C++ compiler found" in text
    assert "unused   modules that came with nestlfp: they are for other builds of NEST" in text


# ---------------------------------------------------------------------- what they need
def test_they_load_where_nests_wheel_loads(built):
    """Symbols no newer than manylinux2014's, and no newer glibc than NEST's own wheel needs."""
    nest = toolchain.find_nest()
    most = {"GLIBC": (2, 17), "GLIBCXX": (3, 4, 19), "CXXABI": (1, 3, 7), "GCC": (4, 8)}
    theirs = symbol_versions(nest.library)
    modules = list((built / nest.version).glob("*.so"))
    assert len(modules) == 1
    for module in modules:
        mine = symbol_versions(module)
        assert all(version <= most[kind] for kind, version in mine.items()), mine
        assert mine["GLIBC"] <= theirs["GLIBC"]
    told = json.loads((built / nest.version / prebuilt.BUILDS).read_text())
    assert "manylinux2014_x86_64" in told["platform"]
    assert list(told["builds"]) == [library_digest(nest)]


def test_all_symbols_are_nests_or_the_systems(built):
    """None is left over that would end the process when it is first called."""
    nest = toolchain.find_nest()
    needed = re.findall(r"=> (\S+libgomp\S+)", run(f"ldd {nest.library}"))  # which NEST loads
    libraries = " ".join([str(nest.library), *needed])
    defined = run(f"nm -D --defined-only {libraries} | cut -d' ' -f3").split()
    exported = {name.partition("@")[0] for name in defined}
    for module in (built / nest.version).glob("*.so"):
        wanted = run(f"nm -D --undefined-only {module}").splitlines()
        names = [line.split()[-1] for line in wanted if " w " not in line]
        assert not [name for name in names if "@" not in name and name not in exported]


# ---------------------------------------------------------------------- who they are for
def wheel_of_nest(path, **changed):
    """A wheel with this NEST's headers and library, some of them changed."""
    nest = toolchain.find_nest()
    with zipfile.ZipFile(path, "w") as file:
        for header in nest.include.rglob("*"):
            if header.is_file():
                name = str(header.relative_to(nest.include))
                content = header.read_text(errors="surrogateescape").replace(
                    "#define NEST_INSTALL_PREFIX", "#define NEST_INSTALL_PREFIX  "
                )
                content += changed.get(header.stem, "")
                file.writestr(f"nest/include/nest/{name}", content.encode(errors="surrogateescape"))
        library = nest.library.read_bytes()
        if "symbol" in changed:
            library = library.replace(changed["symbol"], b"_ZN4nestX")
        file.writestr(f"nest/{nest.library.name}", library + b"of another Python")
    return path


def test_wheels_of_the_same_build_are_served(tmp_path, monkeypatch):
    monkeypatch.setattr(prebuild, "_models", lambda ports: [model_for("fir", PORTS)])
    folder = prebuild.prebuild(tmp_path, wheels=[wheel_of_nest(tmp_path / "cp399.whl")])
    assert sorted(prebuilt.known_builds(folder).values()) == ["cp399.whl", "wheel in use"]


def test_a_wheel_of_another_build_is_refused(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(prebuild, "_models", lambda ports: [model_for("fir", PORTS)])
    for changed, match in (
        ({"node": "\nint added;\n"}, "cp399.whl has other headers than NEST here: node.h"),
        ({"symbol": b"_ZN4nest4Node"}, "the library in cp399.whl has other symbols"),
    ):
        wheel = wheel_of_nest(tmp_path / "cp399.whl", **changed)
        with pytest.raises(SystemExit, match=match):
            prebuild.main([str(tmp_path), "--nest-wheels", str(wheel)])


def test_the_sizes_are_those_that_kernels_ask_for():
    from nestlfp.nodes.model import capacity

    assert set(SIZES) == {capacity(n) for n in range(1, 17)}
    assert model_for("fir", PORTS) == nestlfp.FilterBank(exponential_kernels()).model


def test_a_wheel_takes_them_along(built, tmp_path):
    run(f"python -m build --wheel --no-isolation -o {tmp_path} {ROOT}", NESTLFP_PREBUILT=str(built))
    (wheel,) = tmp_path.glob("*.whl")
    assert re.search(r"-py3-none-manylinux\w*_x86_64\.manylinux2014_x86_64\.whl$", wheel.name)
    names = zipfile.ZipFile(wheel).namelist()
    assert sum(name.startswith("nestlfp/module/prebuilt/3.") for name in names) == 3
    command = ["python", "-m", "build", "--wheel", "--no-isolation", "-o", tmp_path, ROOT]
    done = subprocess.run(
        [sys.executable, *command[1:]],
        env={**os.environ, "NESTLFP_PREBUILT": str(tmp_path / "nowhere")},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode != 0
    assert "should have modules of one platform, found none" in done.stdout + done.stderr
