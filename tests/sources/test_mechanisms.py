"""NEURON's mechanisms: compiled once, loaded from then on."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from nestlfp import ToolchainError
from nestlfp.sources import mechanisms

pytestmark = pytest.mark.compile


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("NESTLFP_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "mechanisms"


def test_compiled_once_and_loaded(cache):
    folder = mechanisms.compiled()
    library = next(cache.rglob("*.so"))
    made = library.stat().st_mtime_ns
    assert mechanisms.compiled() == folder
    assert library.stat().st_mtime_ns == made
    script = (
        "import neuron; from nestlfp.sources import mechanisms; mechanisms.load(); "
        "mechanisms.load(); print(neuron.h.Exp2SynI)"
    )
    subprocess.run([sys.executable, "-c", script], check=True, capture_output=True)


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
