"""``python -m nestlfp.build.prebuild``: compile the modules that nearly all kernels need.

Without a folder, into nestlfp's own, so that who uses this installation needs no compiler, as in a
container or on a cluster's nodes. Into a folder, for a platform wheel: ``NESTLFP_PREBUILT=FOLDER
python -m build --wheel`` takes it along, and ``make wheel`` does both.

The modules are for the NEST that this Python imports, and for those wheels of the same version of
NEST, such as for other Pythons, that differ from it in nothing a module could notice.
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

from ..errors import NestLFPError, ToolchainError
from ..nodes.model import METHODS, SIZES, Model, model_for
from .compiler import OWN_HEADERS
from .modules import compile_module, library_digest
from .prebuilt import BUILDS, prebuilt_dir
from .toolchain import Nest, find_nest

OLDER = OWN_HEADERS / "older"


def prebuild(target: Path, ports: Iterable[int] = SIZES, wheels: Iterable[Path] = ()) -> Path:
    """Fill a folder with modules, each with its note, and say which builds of NEST they fit.

    Parameters
    ----------
    target : Path
        The folder; one for this version of NEST is made anew in it.
    ports : iterable of int
        Sizes of the models, see `nestlfp.nodes.model.capacity`.
    wheels : iterable of Path
        Wheels of NEST that are to be served, too.

    Returns
    -------
    Path
        The folder for this version of NEST.

    Raises
    ------
    ToolchainError
        If a wheel is of a NEST that the modules do not fit, or something cannot be compiled.
    """
    nest = find_nest()
    builds = {library_digest(nest): f"{nest.kind} in use"}
    for wheel in wheels:
        builds[_same_build(wheel, nest)] = wheel.name
    folder = target / nest.version
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with _for_older_systems(nest):
        compiled = compile_module(_models(ports), nest=nest)
    for each in (compiled, compiled.with_suffix(".json")):
        shutil.copyfile(each, folder / each.name)
    told = {"platform": _platform(nest), "builds": builds}
    (folder / BUILDS).write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    return folder


def _models(ports: Iterable[int]) -> list[Model]:
    return [model_for(method, n) for method in METHODS for n in ports]


@contextlib.contextmanager
def _for_older_systems(nest: Nest) -> Iterator[None]:
    """Meanwhile modules are compiled that load wherever NEST's wheel does: older_libraries.h."""
    if not (nest.kind == "wheel" and nest.old_abi):
        yield  # another NEST is of this machine
        return
    header = next(OLDER.glob("*.h"))
    digest = hashlib.sha256(header.read_bytes()).hexdigest()[:8]
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
        told = importlib.metadata.distribution("nest-simulator").read_text("WHEEL") or ""
        tags = re.findall(r"^Tag: [^-]+-[^-]+-(\S+)$", told, re.MULTILINE)
        if tags:
            return ".".join(tags)
    return re.sub(r"[-.]", "_", sysconfig.get_platform())


def _same_build(wheel: Path, nest: Nest) -> str:
    """Digest of the library in a wheel, whose headers and symbols must be those of this NEST."""
    with zipfile.ZipFile(wheel) as file, tempfile.TemporaryDirectory() as folder:
        names = file.namelist()
        (library,) = (name for name in names if re.fullmatch(r"nest/nestkernel_api.*\.so", name))
        headers = {
            name.removeprefix("nest/include/nest/"): _settled(file.read(name))
            for name in names
            if name.startswith("nest/include/nest/") and not name.endswith("/")
        }
        theirs = Path(file.extract(library, folder))
        content = theirs.read_bytes()
    here = {
        str(path.relative_to(nest.include)): _settled(path.read_bytes())
        for path in nest.include.rglob("*")
        if path.is_file()
    }
    if headers != here:
        odd = sorted(n for n in {*headers, *here} if headers.get(n) != here.get(n))
        raise ToolchainError(f"{wheel.name} has other headers than NEST here: {', '.join(odd)}")
    if exported(content) != exported(nest.library.read_bytes()):
        raise ToolchainError(f"the library in {wheel.name} has other symbols than NEST's here")
    return hashlib.sha256(content).hexdigest()


def _settled(header: bytes) -> bytes:
    """A header without the only line that differs from build to build, a temporary folder."""
    return re.sub(rb"#define NEST_INSTALL_PREFIX .*", b"", header)


def exported(library: bytes) -> set[bytes]:
    """Names of C++ functions and data of NEST's that a library's tables of strings have."""
    return set(re.findall(rb"_Z\w*4nest\w*", library))


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
    given = parser.parse_args(arguments)
    try:
        print(prebuild(given.output or prebuilt_dir(), given.ports, given.nest_wheels))
    except (NestLFPError, OSError, zipfile.BadZipFile) as error:
        sys.exit(f"nestlfp: {error}")


if __name__ == "__main__":
    main()
