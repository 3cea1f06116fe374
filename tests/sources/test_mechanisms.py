"""NEURON's mechanisms: compiled once, loaded from then on."""

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from importlib.metadata import version
from pathlib import Path

import pytest

from environments import run, symbol_versions
from nestlfp import ToolchainError
from nestlfp.build import prebuild
from nestlfp.sources import mechanisms

pytestmark = pytest.mark.compile


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("NESTLFP_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "mechanisms"


def in_a_process(script, **environment):
    """What a script prints in a NEURON of its own."""
    return subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, **environment},
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip


def test_compiled_once_and_loaded(cache):
    folder = mechanisms.compiled()
    library = next(cache.rglob("*.so"))
    made = library.stat().st_mtime_ns
    assert mechanisms.compiled() == folder
    assert library.stat().st_mtime_ns == made
    script = (
        "import neuron; from nestlfp.sources import mechanisms; mechanisms.load(); "
        "mechanisms.load(); print(neuron.h.Exp2SynI, neuron.h.ExpSynI)"
    )
    in_a_process(script)


def test_beside_one_of_the_users(cache, tmp_path):
    """NEURON does not take a mechanism twice: only what it has not is loaded."""
    own = tmp_path / "own"
    own.mkdir()
    text = (mechanisms.OWN / "Exp2SynI.mod").read_text()
    (own / "Exp2SynI.mod").write_text(text.replace("tau1 =", "tau1 = 0.75 :"))
    told = in_a_process(f"""
import neuron
from nestlfp.sources import mechanisms
mechanisms.load({str(own)!r})
mechanisms.load()
cell = neuron.h.Section()
print(neuron.h.Exp2SynI(cell(0.5)).tau1, neuron.h.ExpSynI(cell(0.5)).tau)
""")
    assert told.split() == ["0.75", "0.5"]


def test_nrnivmodl_beside_another_python(cache, tmp_path, monkeypatch):
    """As with pip install --user, and in environments on top of others."""
    beside = str(Path(sys.executable).parent)
    path = [folder for folder in os.environ["PATH"].split(os.pathsep) if folder != beside]
    monkeypatch.setenv("PATH", os.pathsep.join(path))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    assert list(Path(mechanisms.compiled()).rglob("*.so"))


def test_another_content_is_another_library(cache, tmp_path):
    own = tmp_path / "own"
    own.mkdir()
    (own / "Leak2.mod").write_text(
        "NEURON { SUFFIX leak2 NONSPECIFIC_CURRENT i RANGE g }\nUNITS { (mA) = (milliamp) "
        "(mV) = (millivolt) (S) = (siemens) }\nPARAMETER { g = 0.001 (S/cm2) }\n"
        "ASSIGNED { v (mV) i (mA/cm2) }\nBREAKPOINT { i = g * v }\n"
    )
    first = mechanisms.compiled(own)
    (own / "Leak2.mod").write_text((own / "Leak2.mod").read_text().replace("0.001", "0.002"))
    assert mechanisms.compiled(own) != first


def test_what_cannot_be_compiled(cache, tmp_path):
    with pytest.raises(ToolchainError, match=r"no \.mod file in .*nowhere"):
        mechanisms.compiled(tmp_path / "nowhere")
    (tmp_path / "Bad.mod").write_text("NEURON { SUFFIX bad\n")
    with pytest.raises(ToolchainError, match="nrnivmodl could not compile"):
        mechanisms.compiled(tmp_path)


# ---------------------------------------------------------------------- those that came compiled
@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The folder that a platform wheel brings."""
    folder = tmp_path_factory.mktemp("prebuilt")
    prebuild.prebuild_mechanisms(folder)
    return folder


@pytest.fixture
def came(built, cache, tmp_path, monkeypatch):
    """A copy of it, where nestlfp looks; no compiler beside it."""
    folder = shutil.copytree(built, tmp_path / "prebuilt")
    monkeypatch.setattr(mechanisms, "prebuilt_dir", lambda: folder)
    monkeypatch.setattr(mechanisms, "_program", lambda: str(tmp_path / "nowhere"))
    return folder / f"neuron-{version('neuron')}"


POTENTIAL = """
import pathlib
from nestlfp.sources import mechanisms
mechanisms.load()
import neuron
h = neuron.h
h.load_file("stdrun.hoc")
cell = h.Section()
cell.L = cell.diam = 20
cell.insert("pas")
synapses = [h.Exp2SynI(cell(0.5)), h.ExpSynI(cell(0.5))]
start = h.NetStim()
start.number = start.start = 1
inputs = [h.NetCon(start, synapse, 0, 1, 0.1) for synapse in synapses]
v = h.Vector().record(cell(0.5)._ref_v)
h.finitialize(-65)
h.continuerun(10)
print(list(v))
"""


def test_those_that_came_do_as_compiled_ones(came, cache):
    look = f"mechanisms.prebuilt_dir = lambda: pathlib.Path({str(came.parent)!r})\n"
    head, _, rest = POTENTIAL.partition("mechanisms.load()")
    found = in_a_process(f"{head}{look}mechanisms.load(){rest}", PATH=str(cache / "nowhere"))
    assert not cache.exists()
    assert found == in_a_process(POTENTIAL)
    assert list(cache.rglob("*.so"))


def of_other_sources(folder):
    change_note(folder, sources="0" * 64)


def for_another_build(folder):
    change_note(folder, builds={"0" * 64: "another wheel"})


def change_note(folder, **changed):
    note = folder / mechanisms.NOTE
    note.write_text(json.dumps({**json.loads(note.read_text()), **changed}))


def damaged(folder):
    library = folder / mechanisms.LIBRARY
    library.write_bytes(library.read_bytes()[:-1] + b"?")


def without_note(folder):
    (folder / mechanisms.NOTE).unlink()


def with_a_broken_note(folder):
    (folder / mechanisms.NOTE).write_text("[]")


def for_another_version(folder):
    folder.rename(folder.with_name("neuron-9.0.0"))


@pytest.mark.parametrize(
    "change",
    [
        of_other_sources,
        for_another_build,
        damaged,
        without_note,
        with_a_broken_note,
        for_another_version,
    ],
)
def test_what_does_not_fit_is_compiled(came, change):
    assert mechanisms.compiled() == str(came)
    change(came)
    with pytest.raises(FileNotFoundError, match="nowhere"):  # the compiler is started
        mechanisms.compiled()


def test_folders_of_the_users_are_compiled(came, tmp_path):
    (tmp_path / "Own.mod").write_text("NEURON { SUFFIX own }\n")
    with pytest.raises(FileNotFoundError, match="nowhere"):
        mechanisms.compiled(tmp_path)


def test_they_load_wherever_neurons_wheel_does(built):
    """Symbols no newer than its own, and no place of the machine that compiled them."""
    (library,) = built.rglob("*.so")
    newest = {"GLIBC": (2, 27), "GLIBCXX": (3, 4, 24), "CXXABI": (1, 3, 11), "GCC": (7,)}
    found = symbol_versions(library)
    assert all(number <= newest[kind] for kind, number in found.items()), found
    assert not re.search("R(UN)?PATH", run(f"readelf -d {library}"))


def test_wheels_of_the_same_build_are_served(tmp_path):
    wheel = wheel_of_neuron(tmp_path / "cp399.whl")
    folder = prebuild.prebuild_mechanisms(tmp_path, [wheel])
    builds = json.loads((folder / mechanisms.NOTE).read_text())["builds"]
    assert sorted(builds.values()) == ["cp399.whl", "wheel in use"]


@pytest.mark.parametrize(
    ("changed", "match"),
    [
        ({"nrnoc_ml.h": "int added;"}, "has other headers than NEURON here: nrnoc_ml.h"),
        ({"symbol": b"hoc_gotten"}, "has other symbols than NEURON's here"),
    ],
)
def test_a_wheel_of_another_build_is_refused(tmp_path, changed, match):
    wheel = wheel_of_neuron(tmp_path / "cp399.whl", **changed)
    with pytest.raises(ToolchainError, match=f"cp399.whl {match}"):
        prebuild.prebuild_mechanisms(tmp_path, [wheel])


def wheel_of_neuron(path, symbol=b"hoc_getarg", **added):
    """A wheel with this NEURON's headers and library, some of them changed."""
    data = mechanisms.neuron_data()
    with zipfile.ZipFile(path, "w") as file:
        for header in (data / "include").rglob("*"):
            if header.is_file():
                text = header.read_text().replace("_python_versions{", '_python_versions{"3.9", ')
                name = str(header.relative_to(data))
                file.writestr(f"neuron/.data/{name}", text + added.get(header.name, ""))
        library = (data / "lib" / "libnrniv.so").read_bytes().replace(b"hoc_getarg", symbol)
        file.writestr("neuron/.data/lib/libnrniv.so", library + b"of another Python")
    return path
