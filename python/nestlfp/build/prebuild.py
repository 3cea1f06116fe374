"""``python -m nestlfp.build.prebuild``: compile the modules that nearly all kernels need.

Where NEURON is installed as its wheel for Linux, nestlfp's own mechanisms as well.

Without a folder, into nestlfp's own, so that who uses this installation needs no compiler, as in a
container or on a cluster's nodes. Into a folder, for a platform wheel: ``NESTLFP_PREBUILT=FOLDER
python -m build --wheel`` takes it along, and ``make wheel`` does both.

They are for the NEST and NEURON that this Python imports, and for those wheels of the same
versions, such as for other Pythons, that differ from these in nothing they could notice.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import importlib.metadata
import json
import os
import re
import shutil
import sys
import sysconfig
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from ..digests import digest_of_file
from ..errors import NestLFPError, ToolchainError
from ..nodes.model import SIZES, Model, model_for, node_methods
from ..paths import prebuilt_dir
from ..sources import mechanisms
from .compiler import OWN_HEADERS
from .modules import compile_module, library_digest
from .prebuilt import BUILDS
from .toolchain import Nest, find_nest

OLDER = OWN_HEADERS / "older"


def prebuild(
    target: Path,
    ports: Iterable[int] = SIZES,
    wheels: Iterable[Path] = (),
    neuron_wheels: Iterable[Path] = (),
) -> Path:
    """Fill a folder with modules, each with its note, and say which builds of NEST they fit.

    Parameters
    ----------
    target : Path
        The folder; one for this version of NEST is made anew in it.
    ports : iterable of int
        Sizes of the models, see `nestlfp.nodes.model.capacity`.
    wheels, neuron_wheels : iterable of Path
        Wheels of NEST, and of NEURON, that are to be served, too.

    Returns
    -------
    Path
        The folder for this version of NEST.

    Raises
    ------
    ToolchainError
        If a wheel is of a NEST or NEURON that they do not fit, or something cannot be compiled.
    """
    nest = find_nest()
    builds = {library_digest(nest): f"{nest.kind} in use"}
    builds |= {_same_build(wheel, _nest_files(nest)): wheel.name for wheel in wheels}
    folder = target / nest.version
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with _for_older_systems(nest):
        compiled = compile_module(_models(ports), nest=nest)
    for each in (compiled, compiled.with_suffix(".json")):
        shutil.copyfile(each, folder / each.name)
    contents = {"platform": _platform(nest), "builds": builds}
    (folder / BUILDS).write_text(json.dumps(contents, indent=1) + "\n", encoding="utf-8")
    if _neuron_files().library.is_file():
        prebuild_mechanisms(target, neuron_wheels)
    return folder


def prebuild_mechanisms(target: Path, wheels: Iterable[Path] = ()) -> Path:
    """The same with NEURON's mechanisms of nestlfp, and the wheels of NEURON they are to serve."""
    neuron = _neuron_files()
    builds = {digest_of_file(neuron.library): "wheel in use"}
    builds |= {_same_build(wheel, neuron): wheel.name for wheel in wheels}
    folder = target / f"neuron-{importlib.metadata.version('neuron')}"
    shutil.rmtree(folder, ignore_errors=True)
    library = folder / mechanisms.LIBRARY
    library.parent.mkdir(parents=True)
    sources = mechanisms.own()
    with tempfile.TemporaryDirectory(prefix="nestlfp_") as name:
        build = Path(name)
        for source in sources:  # by names alone, since their places come into the library
            shutil.copyfile(source, build / source.name)
        # Without the place of NEURON here: it is in the process before its mechanisms are.
        environment = {
            "MAKEFLAGS": "-- NRNLIB_RPATH_FLAGS=",
            "CPLUS_INCLUDE_PATH": str(OLDER),
        }
        options = ["-incflags", "-include older_mechanisms.h", "-loadflags", "-s"]
        names = [source.name for source in sources]
        mechanisms.nrnivmodl([*options, *names], build, environment)
        shutil.copyfile(build / mechanisms.LIBRARY, library)
    contents = {
        "sources": mechanisms.digest_of(sources),
        "sha256": digest_of_file(library),
        "builds": builds,
    }
    (folder / mechanisms.NOTE).write_text(json.dumps(contents, indent=1) + "\n", encoding="utf-8")
    return folder


def _models(ports: Iterable[int]) -> list[Model]:
    return [model_for(method, n) for method in node_methods() for n in ports]


@contextlib.contextmanager
def _for_older_systems(nest: Nest) -> Iterator[None]:
    """Meanwhile modules are compiled that load wherever NEST's wheel does: older_libraries.h."""
    if not (nest.kind == "wheel" and nest.old_abi):
        yield  # another NEST is of this machine
        return
    header = OLDER / "older_libraries.h"
    digest = digest_of_file(header)[:8]
    # The digest is for the module cache, whose key has the flags, and not what they name.
    flags = f"-include {header.name} -fno-sized-deallocation -DNESTLFP_OLDER=0x{digest}"
    before = dict(os.environ)
    os.environ.update(CXXFLAGS=flags, CPLUS_INCLUDE_PATH=str(OLDER))
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _platform(nest: Nest) -> str:
    """Where a wheel with the modules may be installed: where NEST's own may."""
    if nest.kind == "wheel":
        wheel = importlib.metadata.distribution("nest-simulator").read_text("WHEEL") or ""
        tags = re.findall(r"^Tag: [^-]+-[^-]+-(\S+)$", wheel, re.MULTILINE)
        if tags:
            return ".".join(tags)
    return re.sub(r"[-.]", "_", sysconfig.get_platform())


class _Files(NamedTuple):
    """What modules are compiled with and loaded beside: here, and in a wheel."""

    of: str  # whose, for messages
    library: Path
    headers: Path
    in_wheel: tuple[str, str]  # pattern of the library's name, and folder of the headers
    symbols: bytes  # pattern of the names in the library's tables of strings that count


def _nest_files(nest: Nest) -> _Files:
    places = r"nest/nestkernel_api.*\.so", "nest/include/nest/"
    return _Files("NEST", nest.library, nest.include, places, rb"_Z\w*4nest\w*")


def _neuron_files() -> _Files:
    data = mechanisms.neuron_data()
    places = r"neuron/\.data/lib/libnrniv\.so", "neuron/.data/include/"
    symbols = rb"\0((?:_Z|nrn_|hoc_)\w+)(?=\0)"
    return _Files("NEURON", data / "lib" / "libnrniv.so", data / "include", places, symbols)


def _same_build(wheel: Path, here: _Files) -> str:
    """Digest of the library in a wheel, whose headers and symbols must be those found here."""
    with zipfile.ZipFile(wheel) as file:
        library, folder = here.in_wheel
        names = file.namelist()
        (found,) = (name for name in names if re.fullmatch(library, name))
        content = file.read(found)
        theirs = {
            name.removeprefix(folder): _settled(file.read(name))
            for name in names
            if name.startswith(folder) and not name.endswith("/")
        }
    ours = {
        str(path.relative_to(here.headers)): _settled(path.read_bytes())
        for path in here.headers.rglob("*")
        if path.is_file()
    }
    if theirs != ours:
        odd = sorted(n for n in {*theirs, *ours} if theirs.get(n) != ours.get(n))
        raise ToolchainError(
            f"{wheel.name} has other headers than {here.of} here: {', '.join(odd)}"
        )
    if set(re.findall(here.symbols, content)) != set(
        re.findall(here.symbols, here.library.read_bytes())
    ):
        raise ToolchainError(f"the library in {wheel.name} has other symbols than {here.of}'s here")
    return hashlib.sha256(content).hexdigest()


def _settled(header: bytes) -> bytes:
    """A header without the lines that differ from build to build: temporary folders, Pythons."""
    lines = rb"#define (NEST_INSTALL_PREFIX|NEURON_DATA_DIR|NRN_LIBDIR) |\w+_python_\w+\{"
    return re.sub(rb"(?m)^.*(?:%b).*$" % lines, b"", header)


def main(arguments: list[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m nestlfp.build.prebuild",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "output", type=Path, nargs="?", help="folder to fill; default: nestlfp's own"
    )
    parser.add_argument(
        "--ports", type=int, nargs="+", default=SIZES, help=f"sizes of the models: {SIZES}"
    )
    parser.add_argument(
        "--nest-wheels", type=Path, nargs="*", default=[], help="wheels of NEST, served too"
    )
    parser.add_argument(
        "--neuron-wheels", type=Path, nargs="*", default=[], help="wheels of NEURON, served too"
    )
    given = parser.parse_args(arguments)
    target = given.output or prebuilt_dir()
    try:
        print(prebuild(target, given.ports, given.nest_wheels, given.neuron_wheels))
    except (NestLFPError, OSError, zipfile.BadZipFile) as error:
        sys.exit(f"nestlfp: {error}")


if __name__ == "__main__":
    main()
