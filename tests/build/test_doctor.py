"""What doctor says of packages and of MPI; of the rest, test_toolchain.py and test_prebuilt.py."""

import dataclasses
import os
import re
import shutil
import sys
from pathlib import Path

import pytest

import nestlfp
from environments import run
from mpirun import OPEN_MPI
from nestlfp import ToolchainError
from nestlfp.build import doctor, toolchain

ROOT = Path(__file__).parents[2]
OPTIONAL = "from nestlfp.build.doctor import _optional; print(*_optional(), sep=chr(10))"
NEEDED = "from nestlfp.build.doctor import _packages; print(_packages())"


# ---------------------------------------------------------------------- packages
def site_without(folder, *distributions):
    """A folder that has what this environment has, but for some distributions."""
    folder.mkdir()
    left_out = tuple(f"{name}-" for name in distributions)
    for place in map(Path, filter(os.path.isdir, sys.path)):
        for entry in place.iterdir() if place.name == "site-packages" else ():
            if not entry.name.lower().startswith(left_out) and not (folder / entry.name).exists():
                (folder / entry.name).symlink_to(entry)
    return folder


def told_in(site, code):
    """What Python prints with the packages of a folder, and this nestlfp."""
    ours = Path(nestlfp.__file__).parents[1]
    return run(f'python -S -c "{code}" 2>&1 || true', PYTHONPATH=f"{ours}{os.pathsep}{site}")


@pytest.mark.slow
def test_every_package_of_every_extra_is_told(tmp_path):
    tomllib = pytest.importorskip("tomllib")  # of Python 3.11
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    told = told_in(site_without(tmp_path / "site"), OPTIONAL)
    for extra, packages in extras["optional-dependencies"].items():
        if extra in doctor.NOT_OPTIONAL:
            continue
        for package in packages:
            name = re.match(r"[\w-]+", package)[0]
            line = rf"(?im)^(ok       {name}: \d|optional {name}: .*nestlfp\[\w+\])"
            assert name == "nestlfp" or re.search(line, told), f"{name}\n{told}"
    lines = told.splitlines()
    assert len({line[9:].partition(":")[0] for line in lines}) == len(lines) > 15


@pytest.mark.slow
def test_a_package_that_is_missing_or_too_old(tmp_path):
    site = site_without(tmp_path / "site", "pynwb", "elephant", "neo")
    (site / "neo-0.1.dist-info").mkdir()
    (site / "neo-0.1.dist-info" / "METADATA").write_text("Name: neo\nVersion: 0.1\n")
    told = told_in(site, OPTIONAL)
    assert "optional pynwb: missing; pip install 'nestlfp[nwb]'\n" in told
    assert "optional elephant: missing; pip install 'nestlfp[csd]'\n" in told
    assert re.search(r"optional neo: 0\.1, nestlfp needs >=[\d.]+; .*'nestlfp\[neo\]'", told)


@pytest.mark.slow
def test_what_nestlfp_needs(tmp_path):
    """Another installation may have replaced it."""
    site = site_without(tmp_path / "site", "xarray", "tqdm")
    (site / "xarray-0.1.dist-info").mkdir()
    (site / "xarray-0.1.dist-info" / "METADATA").write_text("Name: xarray\nVersion: 0.1\n")
    assert re.search(
        r"ToolchainError: tqdm: missing; xarray: 0\.1, nestlfp needs >=\S+; "
        r"pip install 'tqdm>=\S+' 'xarray>=\S+'",
        told_in(site, NEEDED),
    )


@pytest.mark.slow
def test_nestlfp_that_is_not_installed(tmp_path):
    site = site_without(tmp_path / "site", "nestlfp")
    assert told_in(site, NEEDED).startswith("not looked at: nestlfp is on Python's path")
    assert told_in(site, OPTIONAL).strip() == ""


# ---------------------------------------------------------------------- MPI
LIKE_NEST = "int MPI_Get_library_version(char *, int *);\nvoid *nest = MPI_Get_library_version;\n"
LIKE_MPICH = r"""
#include <string.h>
int MPI_Get_library_version(char *text, int *length) {
    strcpy(text, "MPICH Version:      5.0.2\nMPICH ABI:          18:2:6\n");
    *length = strlen(text);
    return 0;
}
"""


def nest_of(folder, compile_with):
    """NEST's installation here, as if its library were one that is linked to some MPI."""
    (folder / "nest.c").write_text(LIKE_NEST)
    run(f"{compile_with} -shared -fPIC nest.c -o nestkernel_api.so", folder)
    return dataclasses.replace(toolchain.find_nest(), mpi=True, package=folder)


@pytest.mark.compile
def test_whose_mpi_nest_uses(tmp_path, monkeypatch):
    """MPICH's library may have the name that Open MPI's has, and is then asked itself."""
    pytest.importorskip("mpi4py")
    if not shutil.which("mpicc"):
        pytest.skip("no Open MPI here: apt-get install libopenmpi-dev")
    for name, value in OPEN_MPI.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "mpich").mkdir()
    (tmp_path / "mpich" / "mpi.c").write_text(LIKE_MPICH)
    run("gcc -shared -fPIC -Wl,-soname,libmpi.so.12 mpi.c -o libmpi.so.12", tmp_path / "mpich")

    (tmp_path / "of_mpich").mkdir()
    linked = f"gcc -Wl,--no-as-needed {tmp_path}/mpich/libmpi.so.12 -Wl,-rpath,{tmp_path}/mpich"
    with pytest.raises(ToolchainError, match=r"uses Open MPI .*NEST uses MPICH"):
        doctor._mpi(nest_of(tmp_path / "of_mpich", linked))

    (tmp_path / "of_open_mpi").mkdir()
    told = doctor._mpi(nest_of(tmp_path / "of_open_mpi", "mpicc"))
    assert "with the MPI library that NEST uses, Open MPI v" in told
