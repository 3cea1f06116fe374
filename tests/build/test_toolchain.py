"""Finding NEST and a compiler, building modules by hand and by the package, and installing both."""

import dataclasses
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest

import nestlfp
from environments import bare_venv, run
from nestlfp import ToolchainError
from nestlfp.build import cmake, compiler, doctor, modules, toolchain
from nestlfp.build.nestml import generate_cpp
from nestlfp.install_hints import explain
from nestlfp.nodes.model import Model, model_for
from nests import OTHER
from networks import assert_signal_is_convolution, exponential_kernels, replayed, reset

pytestmark = pytest.mark.compile

ROOT = Path(__file__).parents[2]


# ---------------------------------------------------------------------- finding things
def test_the_nest_that_python_imports(nest):
    found = toolchain.find_nest()
    assert found.version == nest.__version__
    assert found.package == Path(nest.__file__).resolve().parent
    assert (found.include / "node.h").is_file()
    assert found.tested or "dev" in found.version
    if not OTHER:
        assert found.mpi is False
        assert found.kind == "wheel"


@pytest.mark.skipif(OTHER != "", reason="this is of NEST's wheel")
def test_a_nest_config_that_names_another_machine(nest):
    config = Path(sys.executable).parent / "nest-config"
    told = run(f"{config} --prefix").strip()
    assert not Path(told).is_dir(), "the wheel's nest-config is no longer broken: tell the docs"
    assert toolchain.find_nest(str(config)) == toolchain.find_nest()


def test_with_nest_that_is_none(tmp_path):
    with pytest.raises(ToolchainError, match=r"with-nest: no file .*it should be a nest-config"):
        toolchain.find_nest(str(tmp_path / "nest-config"))
    lonely = tmp_path / "bin" / "nest-config"
    lonely.parent.mkdir()
    lonely.write_text("#!/bin/sh\necho 3.10.0\n")
    with pytest.raises(ToolchainError, match="no Python package nest below"):
        toolchain.find_nest(str(lonely))


def copied_headers(tmp_path, version):
    """A folder that looks like an installed NEST of this version, made of the real one's files."""
    real = toolchain.find_nest()
    package = tmp_path / "lib" / "python3.11" / "site-packages" / "nest"
    package.mkdir(parents=True)
    extension = toolchain._extension(real.package)
    (package / extension.name).symlink_to(extension)
    if real.library != extension:  # until NEST 3.9
        (tmp_path / "lib" / "nest").mkdir()
        (tmp_path / "lib" / "nest" / real.library.name).symlink_to(real.library)
    include = tmp_path / "include" / "nest"
    shutil.copytree(real.include, include)
    config = (include / "config.h").read_text()
    (include / "config.h").write_text(config.replace(real.version, version))
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "nest-config").write_text("#!/bin/sh\necho nothing-here\n")
    (tmp_path / "bin" / "nest-config").chmod(0o755)
    return tmp_path / "bin" / "nest-config", include


def test_headers_below_the_prefix(tmp_path):
    config, include = copied_headers(tmp_path, "3.11.0")
    found = toolchain.find_nest(str(config))
    assert (found.kind, found.version, found.include) == ("source build", "3.11.0", include)
    assert found.prefix == tmp_path
    for folder, kind in ((".spack", "Spack"), ("easybuild", "EasyBuild"), ("conda-meta", "conda")):
        (tmp_path / folder).mkdir()
        assert toolchain.find_nest(str(config)).kind == kind
    assert dataclasses.replace(found, prefix=Path("/usr")).kind == "distribution"


def test_the_library_of_nest_until_3_9(tmp_path):
    """Python's own is small and linked to libnest, which has the kernel and its symbols."""
    real = toolchain.find_nest()
    config, _ = copied_headers(tmp_path, "3.9.0")
    package = tmp_path / "lib" / "python3.11" / "site-packages" / "nest"
    toolchain._extension(package).unlink()
    with pytest.raises(ToolchainError, match="no Python package nest below"):
        toolchain.find_nest(str(config))
    (package / "pynestkernel.so").write_bytes(b"small")
    found = toolchain.find_nest(str(config))
    assert found.tested
    if not OTHER:  # linked statically
        assert found.library == package / "pynestkernel.so"
        assert not found.openmp
    (tmp_path / "lib" / "nest").mkdir(exist_ok=True)
    (tmp_path / "lib" / "nest" / "libnest.so.3").symlink_to(real.library)
    found = toolchain.find_nest(str(config))
    assert found.library.name.startswith("libnest.so")
    assert (found.openmp, found.old_abi) == (real.openmp, real.old_abi)


@pytest.mark.parametrize(
    ("version", "old"),
    [("3.8.0", True), ("3.9.0", True), ("3.10.0", False), ("3.10.0-post0.dev0", False)],
)
def test_cpp_is_written_for_the_version(tmp_path, version, old):
    """NESTML has two kinds: NEST's dictionaries are others from 3.10 on."""
    model = model_for("fir", 2)
    source = tmp_path / f"{model.name}.nestml"
    source.write_text(model.text)
    generate_cpp([source], tmp_path / "cpp", version)
    assert ("dictdatum.h" in (tmp_path / "cpp" / f"{model.name}.h").read_text()) == old


@pytest.mark.parametrize(
    ("version", "tested"),
    [("3.9.0", True), ("3.10", True), ("3.10.0-post0.dev0", False), ("3.11.0", False)],
)
def test_versions_that_were_tested(version, tested):
    nest = dataclasses.replace(toolchain.find_nest(), version=version)
    assert nest.tested == tested
    told = doctor._nest(nest)
    assert told.startswith(f"{version} ({nest.kind}, ")
    assert ("this version was tested" in told) == tested
    assert ("only 3.8, 3.9, 3.10 were tested" in told) != tested


def test_a_nest_that_is_too_old_or_has_no_headers(tmp_path):
    config, include = copied_headers(tmp_path, "3.7.0")
    with pytest.raises(ToolchainError, match=r"NEST 3.7.0 .* is too old: nestlfp needs NEST 3.8"):
        toolchain.find_nest(str(config))
    shutil.rmtree(include)
    with pytest.raises(ToolchainError, match=r"has no C\+\+ headers"):
        toolchain.find_nest(str(config))


def test_the_abi_is_read_off_the_library():
    """A library built here has the new ABI; the wheel has told its own when it was loaded."""
    real = toolchain.find_nest()
    assert real.old_abi == (b"__cxx11" not in _nest_symbols(real.library))


def _nest_symbols(library):
    symbols = run(f"nm --dynamic --defined-only {library}").splitlines()
    return "\n".join(line for line in symbols if "4nest" in line).encode()


WITHOUT = """
import sys
class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == {name!r}:
            raise ModuleNotFoundError("No module named " + repr(name), name=name)
sys.meta_path.insert(0, Hidden())
import importlib.util
real = importlib.util.find_spec
importlib.util.find_spec = lambda name, *a: None if name == {name!r} else real(name, *a)
"""


def python(code, **environment):
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )


def test_no_nest():
    code = WITHOUT.format(name="nest") + "import nestlfp; nestlfp.simulate(1.0)"
    assert "ToolchainError: NEST cannot be imported" in python(code).stderr
    code = WITHOUT.format(name="nest") + "from nestlfp.build.doctor import doctor; print(*doctor())"
    told = python(code).stdout
    assert "MISSING  NEST: Python does not find NEST" in told
    assert "pip install nest-simulator" in told
    assert told.rstrip().endswith("False")


@pytest.mark.skipif(OTHER != "", reason="a NEST from source names its compiler")
def test_no_compiler(tmp_path):
    (tmp_path / "bin").mkdir()
    code = "from nestlfp.build.compiler import *; from nestlfp.build.toolchain import find_nest; "
    code += "print(find_compiler(find_nest()))"
    done = python(code, PATH=str(tmp_path / "bin"), CXX="")
    assert "ToolchainError: no C++ compiler found (looked at CXX, c++, g++, clang++)" in done.stderr
    assert "'apt-get install g++' or 'conda install -c conda-forge cxx-compiler'" in done.stderr
    done = python(code, CXX="g++-of-another-machine -O2")
    assert "the C++ compiler that CXX names was not found: 'g++-of-another-machine" in done.stderr
    code = "from nestlfp.build.doctor import doctor; print(*doctor())"
    told = python(code, PATH=str(tmp_path / "bin"), CXX="").stdout
    assert "MISSING  C++ compiler: no C++ compiler found" in told
    assert "MISSING  make" in told
    assert "untried  a module" in told


def test_openmp_is_read_off_the_library(tmp_path):
    """NEST's own build decides, not the platform."""
    assert toolchain.find_nest().openmp
    config, _ = copied_headers(tmp_path, "3.11.0")
    library = toolchain.find_nest(str(config)).library
    content = library.read_bytes().replace(b"GOMP_parallel", b"XOMP_parallel")
    library.unlink()
    library.write_bytes(content)
    assert not toolchain.find_nest(str(config)).openmp
    for given, flags in ((str(config), False), ("", True)):
        written = tmp_path / "nest.cmake"
        cmake.main(["nest", f"--with-nest={given}", f"--output={written}"])
        assert ("-fopenmp" in written.read_text()) == flags


def test_headers_that_the_system_lacks(tmp_path, monkeypatch):
    """The system's are taken first, then PyPI's of Boost, and the one that comes with nestlfp."""
    here = toolchain.find_nest()
    usual = compiler.find_compiler(here)
    without = compiler.Compiler((*usual.command, "-nostdinc"))
    assert without.find_header("ltdl.h", here) == compiler.OWN_HEADERS / "ltdl.h"
    assert usual.find_header("limits", here).parts[1] == "usr"
    headers = tmp_path / "boost_headers" / "include" / "boost"
    headers.mkdir(parents=True)
    for name in ("type_index.hpp", "only_here.hpp"):
        (headers / name).touch()
    (tmp_path / "boost_headers" / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    assert without.find_header("boost/type_index.hpp", here) == headers / "type_index.hpp"
    assert usual.find_header("boost/only_here.hpp", here) == headers / "only_here.hpp"
    assert usual.find_header("boost/nowhere.hpp", here) is None
    if Path("/usr/include/boost/type_index.hpp").exists():
        assert usual.find_header("boost/type_index.hpp", here).parts[1] == "usr"


def test_doctor_of_a_compiler_that_does_not_work(tmp_path, monkeypatch):
    """Beyond telling its version it fails."""
    broken = tmp_path / "broken"
    broken.write_text("#!/bin/sh\ncase $1 in --version) echo broken 1.0;; *) exit 1;; esac\n")
    broken.chmod(0o755)
    monkeypatch.setenv("CXX", str(broken))
    text, healthy = doctor.doctor()
    assert not healthy
    assert f"MISSING  C++ compiler: {broken} does not compile" in text
    assert "untried  a module" in text


def test_doctor_of_a_module_that_nest_does_not_load(tmp_path, monkeypatch):
    """What was compiled may still not fit, such as a module with symbols that NEST has not."""
    library = tmp_path / "module" / "cache.so"
    library.parent.mkdir()
    library.write_bytes(b"no library")
    library.with_suffix(".json").write_text('{"models": []}')
    monkeypatch.setattr(doctor, "compile_module", lambda *_, **__: library)
    text, healthy = doctor.doctor()
    assert not healthy
    assert "MISSING  a module: NEST does not load cache.so" in text
    assert not library.exists()


def test_doctor_finds_everything_here():
    text, healthy = doctor.doctor()
    assert healthy, text
    whats = ("NEST: 3.", "C++ compiler: ", "CMake: ", "NESTML: 9.", "module cache: ", "a module: ")
    for what in whats:
        assert f"ok       {what}" in text
    assert "MISSING" not in text


# ---------------------------------------------------------------------- compiling
def test_a_compilation_that_fails_tells_why_and_where_its_log_is(tmp_path, monkeypatch):
    monkeypatch.setenv("NESTLFP_CACHE", str(tmp_path))
    template = tmp_path / "broken.nestml"
    template.write_text("model nestlfp_broken:\n  nonsense\n")
    with pytest.raises(ToolchainError, match=r"NESTML rejects .*") as caught:
        modules.compile_module([Model("nestlfp_broken", template, 1)])
    assert "nestlfp doctor" in str(caught.value)
    log = next((tmp_path / "modules").glob("*.log"))
    assert str(log) in str(caught.value)
    assert not list((tmp_path / "modules").glob("*.part*"))

    monkeypatch.setenv("CXXFLAGS", "-include boost/no_such_file.hpp")
    with pytest.raises(ToolchainError) as caught:
        modules.compile_module([model_for("fir", 2)])
    first, *rest = str(caught.value).split("\n")
    assert "the header boost/no_such_file.hpp is missing: install it with 'pip install bo" in first
    assert "libboost-dev" in first
    assert len(rest) == 1
    assert str(tmp_path) in rest[0]


@pytest.mark.parametrize(
    ("log", "told"),
    [
        (
            "In file included from a.h:1:\n/usr/x.h:39:10: fatal error: mpi.h: No such file or "
            "directory\n   39 | #include <mpi.h>\ncompilation terminated.\nmake: *** Error 2\n",
            "the header mpi.h is missing: install it with 'apt-get install libopenmpi-dev' or "
            "'conda install -c conda-forge openmpi-mpicxx' "
            "(/usr/x.h:39:10: fatal error: mpi.h: No such file or directory)",
        ),
        ("x.h:2:1: fatal error: 'omp.h' file not found\n", "the header omp.h is missing: install"),
        ("x.h:2:1: fatal error: y.h: No such file or directory\n", "which package of your system"),
        ("-- fine\na.cpp:3:1: error: first\na.cpp:4:1: error: second\n", "a.cpp:3:1: error: first"),
        ("nestlfp: NESTML rejects it\nCMake Error at C:1 (x):\n  y\n", "NESTML rejects it"),
        ("CMake Error at C:1 (message):\n  No kernels\n\n", "CMake Error at C:1 (message): No k"),
        ("", "it printed nothing"),
    ],
)
def test_the_first_error_of_a_log_counts(log, told):
    assert told in explain(log)
    assert "\n" not in explain(log)


def test_odd_folders_and_a_compiler_of_two_words(nest, tmp_path, monkeypatch):
    """A cache whose name CMake could not take, and CXX as people have it who use ccache."""
    launcher = tmp_path / "cc ache"
    launcher.write_text(f'#!/bin/sh\necho "$*" >> \'{tmp_path}/calls\'\nexec "$@"\n')
    launcher.chmod(0o755)
    (tmp_path / "launcher").symlink_to(launcher)
    monkeypatch.setenv("CXX", f"{tmp_path}/launcher g++")
    monkeypatch.setenv("NESTLFP_CACHE", str(tmp_path / 'my "cache"; #1 $HOME'))
    path = modules.compile_module([model_for("fir", 2)])
    assert str(path).startswith(os.environ["NESTLFP_CACHE"])
    calls = (tmp_path / "calls").read_text().splitlines()
    # CMake asks for GCC's system root with the first word only, and does without an answer.
    assert all(call.startswith("g++ ") for call in calls if call != "-print-sysroot")
    assert sum("joined.cpp.o -c " in call for call in calls) == 1  # the module,
    assert sum(f"-o {path.name} " in call for call in calls) == 1  # and its library
    nest.Install(str(path))
    assert model_for("fir", 2).name in nest.node_models

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "a;b"))
    (tmp_path / "a;b").mkdir()
    with pytest.raises(ToolchainError, match=r"temporary files \(TMPDIR\) has ; in its name"):
        modules.compile_module([model_for("fir", 2)], rebuild=True)


def test_a_cache_that_cannot_be_written(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("NESTLFP_CACHE", str(tmp_path / "file"))
    with pytest.raises(ToolchainError, match=r"cannot be written: .* set NESTLFP_CACHE"):
        modules.compile_module([model_for("fir", 2)])


def test_key_depends_on_what_decides_the_module(tmp_path, monkeypatch):
    nest = dataclasses.replace(toolchain.find_nest(), package=tmp_path)
    library = tmp_path / "nestkernel_api.so"
    library.write_bytes(b"as first built")
    usual = compiler.find_compiler(nest)

    def key(text="text", nest=nest, program=usual):
        template = tmp_path / "template"
        template.write_text(text)
        return modules.CachedModule((Model("m", template, 1),), nest, program).key

    assert key() == key()
    keys = [key(), key(text="other"), key(nest=dataclasses.replace(nest, version="3.11.0"))]
    keys.append(key(program=compiler.Compiler((*usual.command, "-O1"))))
    later = library.stat().st_mtime_ns + 1
    library.write_bytes(b"built once more")
    os.utime(library, ns=(later, later))  # two writes may be too close for the clock
    keys.append(key())
    monkeypatch.setenv("CXXFLAGS", "-march=native")
    keys.append(key())
    assert len(set(keys)) == len(keys)


def test_only_numbers_enter_the_text():
    bank = nestlfp.FilterBank(exponential_kernels())
    assert bank.model.name.isidentifier()
    node = bank.model.text.partition(f"\nmodel {bank.model.name}:")[2]
    assert "update:" in node
    for name in ("E", "I", "LFP", "mV"):
        assert f" {name} " not in node
    odd = {"pre": ("{{ ports }}", "a\N{BULLET}b"), "post": ("$HOME", '"'), "signals": ("x_y",)}
    assert nestlfp.FilterBank(exponential_kernels(**odd)).model == bank.model


@pytest.mark.skipif(OTHER != "", reason="the nest-config on the PATH is the wheel's")
@pytest.mark.parametrize("how", ["-Dwith-nest", "without"])
def test_cmake_by_hand_then_nest_install(nest, tmp_path, how):
    kernels = exponential_kernels()
    kernels.save(tmp_path / "my kernels $ENV{HOME} ].nc")
    given = f"-DKERNELS='{tmp_path}/my kernels $ENV{{HOME}} ].nc'"
    where = f"-DCMAKE_INSTALL_PREFIX={tmp_path}/to", ""
    if how == "-Dwith-nest":
        given += " -Dwith-nest=$(which nest-config)"
    else:  # NEST's own prefix, and another one at the last moment
        where = "", f"--prefix {tmp_path}/to"
    run(f"cmake -S {ROOT} -B {tmp_path}/build {given} {where[0]}")
    run(f"cmake --build {tmp_path}/build")
    told = run(f"cmake --install {tmp_path}/build {where[1]}")
    bank = nestlfp.FilterBank(kernels)
    module = tmp_path / "to" / "lib" / "nest" / f"{bank.model.name}_module.so"
    assert f"nest.Install('{module}')" in told
    assert {path.name for path in module.parent.iterdir()} == {
        module.name,
        "my kernels $ENV{HOME} ].filter.json",
        "FIR_filter.nestml",
    }

    reset(nest)
    nest.Install(str(module))
    nestlfp.install(kernels)  # finds the model there already
    assert list(nest.GetKernelStatus("modules")) == [str(module)]
    parrots = replayed(nest, [[1.0, 4.0]])
    recorder = nestlfp.FieldRecorder(kernels, {"E": parrots, "I": None}, interval=0.1)
    nest.Simulate(20.0)
    assert_signal_is_convolution(recorder.signals(), kernels, {"E": [2.0, 5.0]}, 20.0)


def test_only_the_kernels_of_the_last_configuration_are_installed(tmp_path):
    for name in ("first", "second"):
        kernels = tmp_path / f"{name}.nc"
        exponential_kernels().save(kernels)
        steps = f"model --kernels {kernels} --nest-version 3.10.0 --output {tmp_path}/generated"
        run(f"python -m nestlfp.build {steps}")
    exported = {path.name for path in (tmp_path / "generated" / "exported").iterdir()}
    assert exported == {"second.filter.json", "FIR_filter.nestml"}


def test_cmake_without_kernels_says_so(tmp_path):
    done = subprocess.run(
        [compiler.find_cmake(), "-S", str(ROOT), "-B", str(tmp_path)],
        capture_output=True, text=True, check=False,
        env={**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
    )  # fmt: skip
    assert done.returncode != 0
    assert "add -DKERNELS=kernels.nc" in done.stderr


# ---------------------------------------------------------------------- installed elsewhere
@pytest.mark.skipif(OTHER != "", reason="examples are written for NEST 3.10")
def test_example_with_the_wheel_outside_the_checkout(tmp_path):
    run(f"python -m build --wheel --no-isolation -o {tmp_path} {ROOT}")
    binaries = bare_venv(tmp_path / "venv")
    run(f"pip install --quiet --no-deps --no-index {tmp_path}/nestlfp-*.whl", None, binaries)
    example = shutil.copytree(ROOT / "examples" / "two_population", tmp_path / "two_population")
    reference = ROOT / "tests" / "data" / "hagen2022_kernels.npz"
    cache = {"NESTLFP_CACHE": str(tmp_path / "cache"), "PYTHONPATH": ""}
    where = run("python -c 'import nestlfp; print(nestlfp.__file__)'", tmp_path, binaries, **cache)
    assert where.startswith(str(tmp_path))
    command = f"python {example}/run.py --duration 60 --no-check --reference {reference}"
    run(command, tmp_path, binaries, **cache)

    out = tmp_path / "out" / "two_population"
    report = json.loads((out / "report.json").read_text())
    assert max(report["online_vs_offline"].values()) <= 1e-12
    assert max(report["kernels_vs_reference"].values()) <= 1e-4
    assert np.all(np.array(report["lfp_std_mV"]) > 0)
    names = {path.name for path in out.iterdir()}
    assert names >= {"kernels.nc", "signals.nc", "signals.png", "kernels.png", "report.json"}
