"""What the CMake project wants to know: one step finds NEST, one renders and generates.

``python -m nestlfp.build nest`` and ``python -m nestlfp.build model`` are called by CMakeLists.txt
at configure time.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

from ..errors import NestLFPError
from ..nodes.render import module_name
from .compiler import after_all_others, find_compiler
from .nestml import generate_cpp
from .toolchain import find_nest


def cmake_quoted(text: str) -> str:
    """A CMake bracket argument: nothing inside is expanded."""
    marks = "=" * next(n for n in range(1, 99) if f"]{'=' * n}]" not in text)
    return f"[{marks}[{text}]{marks}]"


def _find_nest(given: argparse.Namespace) -> None:
    """Write what there is to know of a NEST as CMake variables."""
    nest = find_nest(given.with_nest)
    definitions = ["_GLIBCXX_USE_CXX11_ABI=0"] if nest.old_abi else []
    options = after_all_others(nest)
    if nest.openmp:
        # NEST's headers differ with and without. Apple's compiler knows the option only so.
        options += ["-Xpreprocessor", "-fopenmp"] if sys.platform == "darwin" else ["-fopenmp"]
    known = {
        "NEST_VERSION": [nest.version],
        "NEST_PREFIX": [str(nest.prefix)],
        "NEST_INCLUDES": [str(nest.include)],
        "NEST_COMPILER": [find_compiler(nest).command[0]],
        "NEST_DEFINITIONS": definitions,
        "NEST_OPTIONS": options,
        "NEST_HAS_MPI": ["ON" if nest.mpi else "OFF"],
    }
    with given.output.open("w", encoding="utf-8") as out:
        for name, values in known.items():
            out.write(f"set({name} {' '.join(map(cmake_quoted, values))})\n")


def _generate(given: argparse.Namespace) -> None:
    """Render and generate; writes ``module.cmake`` and the folder ``exported``, to be installed."""
    exported = given.output / "exported"
    shutil.rmtree(exported, ignore_errors=True)  # may be of other kernels
    exported.mkdir(parents=True)
    nestml = [Path(path) for path in given.nestml.split(";")] if given.nestml else []
    if given.kernels is not None:
        # Imported here, since NESTML files that are ready can do without, and sooner.
        from ..filters.options import method_named
        from ..kernels import KernelSet
        from ..nodes.bank import FilterBank
        from ..nodes.export import export

        method = method_named(
            given.method, tolerance=given.tolerance, exact_channels=given.exact_channels or None
        )
        bank = FilterBank(
            KernelSet.load(given.kernels),
            method=method,
            by=[name for name in given.by.split(",") if name],
            interval=given.antialias,
            antialias=given.antialias is not None,
        )
        nestml = [given.output / f"{bank.model.name}.nestml"]
        nestml[0].write_text(bank.model.text, encoding="utf-8")
        export(bank, exported, given.kernels.stem)
        print(bank)
    sources = generate_cpp(nestml, given.output / "cpp", given.nest_version)
    name = module_name([path.stem for path in nestml])
    lines = [f"set(MODULE_NAME {cmake_quoted(name)})", "set(MODULE_SOURCES"]
    lines += [cmake_quoted(str(source)) for source in sources] + [")"]
    (given.output / "module.cmake").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _number(text: str) -> float | None:
    return float(text) if text else None  # CMake hands over options that were not given


def _switch(text: str) -> bool:
    return text.upper() not in {"", "0", "OFF", "NO", "FALSE"}  # as CMake has them


def main(arguments: list[str] | None = None) -> None:
    """The steps of the CMake project."""
    parser = argparse.ArgumentParser(prog="python -m nestlfp.build", description=__doc__)
    steps = parser.add_subparsers(required=True)

    nest = steps.add_parser("nest", help=_find_nest.__doc__)
    nest.set_defaults(step=_find_nest)
    nest.add_argument("--with-nest", default="", help="a nest-config; default: Python's NEST")
    nest.add_argument("--output", type=Path, required=True, help="the file of CMake variables")

    model = steps.add_parser("model", help=_generate.__doc__)
    model.set_defaults(step=_generate)
    source = model.add_mutually_exclusive_group(required=True)
    source.add_argument("--kernels", type=Path, help="kernel file (netCDF-4)")
    source.add_argument("--nestml", help="NESTML files that are ready, separated by semicolons")
    model.add_argument("--method", default="fir")
    model.add_argument("--by", default="", help="pre, post or pre,post")
    model.add_argument("--tolerance", type=_number, help="of a reduced filter; default: 1e-6")
    model.add_argument("--exact-channels", type=_switch, default=False)
    model.add_argument("--antialias", type=_number, help="low-pass filter for samples (ms)")
    model.add_argument("--nest-version", required=True)
    model.add_argument("--output", type=Path, required=True, help="folder for the sources")

    given = parser.parse_args(arguments)
    try:
        given.step(given)
    except NestLFPError as error:
        sys.exit(f"nestlfp: {error}")
