"""A filter rendered as NESTML text, and NESTML text turned into C++ for NEST.

The only things that enter the text are whole numbers and a model name made of them: names of
populations, signals and channels stay data.

``python -m nestlfp.codegen`` is the step that the CMake project runs at configure time.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import ToolchainError

if TYPE_CHECKING:
    from .filters import Filter


def project_dir() -> Path:
    """Folder of the CMake project and the models: inside the package, or the checkout's top."""
    package = Path(__file__).parent
    for folder in (package / "module", package.parent.parent):
        if (folder / "CMakeLists.txt").is_file() and (folder / "models").is_dir():
            return folder
    raise ToolchainError(
        f"nestlfp is incomplete: no CMakeLists.txt and models in {package / 'module'}; "
        "install it again"
    )


def render(filter_: Filter) -> tuple[str, str]:
    """Name and NESTML text of the node model that computes a filter.

    Returns
    -------
    model : str
        Name of the model; it tells method and sizes, so that equal models have equal names.
    text : str
        NESTML source.
    """
    import jinja2

    sizes = {key: int(value) for key, value in filter_.sizes.items()}
    method = re.sub(r"\W", "_", filter_.method)
    # Upper-case initials keep the name short and unambiguous: P2 populations, T800 taps, ...
    model = f"nestlfp_{method}_" + "_".join(f"{key[0]}{value}" for key, value in sizes.items())
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(project_dir() / "models"),
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return model, environment.get_template(filter_.template).render(model=model, **sizes)


def module_name(model: str) -> str:
    """Name of the extension module of a model; NEST wants it to end in "module"."""
    return f"{model}_module"


def generate_cpp(nestml: Path, target: Path, nest_version: str) -> list[Path]:
    """C++ sources of the extension module of one NESTML file.

    Parameters
    ----------
    nestml : Path
        File with one model; its name, without the suffix, is the model's.
    target : Path
        Folder for the sources.
    nest_version : str
        Version of NEST to generate for, such as "3.10.0".

    Raises
    ------
    ToolchainError
        If NESTML finds errors in the model.
    """
    # NESTML's own front end goes on to build with nest-config, which is broken in NEST's wheel,
    # so that its steps are taken one by one here, without the last.
    from pynestml.cocos.co_cos_manager import CoCosManager
    from pynestml.frontend import pynestml_frontend as nestml_frontend
    from pynestml.frontend.frontend_configuration import FrontendConfiguration
    from pynestml.utils.logger import Logger, LoggingLevel

    target.mkdir(parents=True, exist_ok=True)
    arguments = ["--input_path", str(nestml), "--target_path", str(target)]
    arguments += ["--target_platform", "NEST", "--logging_level", "ERROR"]
    arguments += ["--module_name", module_name(nestml.stem)]
    FrontendConfiguration.parse_config(arguments)
    # With the version given, NESTML does not start NEST to find it out.
    options = {"nest_version": f"v{nest_version}"}
    transformers, _ = nestml_frontend.transformers_from_target_name("NEST", options=options)
    generator = nestml_frontend.code_generator_from_target_name("NEST", options=options)
    models = nestml_frontend.get_parsed_models()
    for model in models:
        CoCosManager.check_cocos(model)
    errors = [entry[-1] for entry in Logger.get_messages(level=LoggingLevel.ERROR)]
    if errors or not models:
        raise ToolchainError(f"NESTML rejects {nestml}: {'; '.join(map(str, errors))}")
    models, metadata = nestml_frontend.transform_models(transformers, models)
    nestml_frontend.generate_code(generator, models, metadata)
    return sorted(target.glob("*.cpp"))


def cmake_quoted(text: str) -> str:
    """A CMake bracket argument: nothing inside is expanded."""
    marks = "=" * next(n for n in range(1, 99) if f"]{'=' * n}]" not in text)
    return f"[{marks}[{text}]{marks}]"


def _interval(text: str) -> float | None:
    return float(text) if text else None  # CMake hands over options that were not given


def main(arguments: list[str] | None = None) -> None:
    """Render and generate for CMake; writes ``module.cmake`` beside the sources."""
    parser = argparse.ArgumentParser(prog="python -m nestlfp.codegen", description=main.__doc__)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--kernels", type=Path, help="kernel file (netCDF-4)")
    source.add_argument("--nestml", type=Path, help="NESTML file that is ready to be compiled")
    parser.add_argument("--method", default="fir")
    parser.add_argument("--by", default="", help="pre, post or pre,post")
    parser.add_argument("--tolerance", type=float, default=1e-6)
    parser.add_argument("--antialias", type=_interval, help="low-pass filter for samples (ms)")
    parser.add_argument("--nest-version", required=True)
    parser.add_argument("--output", type=Path, required=True, help="folder for the sources")
    given = parser.parse_args(arguments)

    given.output.mkdir(parents=True, exist_ok=True)
    nestml = given.nestml
    if given.kernels is not None:
        from .bank import FilterBank
        from .kernels import KernelSet

        bank = FilterBank(
            KernelSet.load(given.kernels),
            method=given.method,
            by=[name for name in given.by.split(",") if name],
            tolerance=given.tolerance,
            interval=given.antialias,
            antialias=given.antialias is not None,
        )
        nestml = given.output / f"{bank.model}.nestml"
        nestml.write_text(bank.nestml, encoding="utf-8")
        print(bank)
    sources = generate_cpp(nestml, given.output / "cpp", given.nest_version)
    lines = [f"set(MODULE_NAME {cmake_quoted(module_name(nestml.stem))})", "set(MODULE_SOURCES"]
    lines += [cmake_quoted(str(source)) for source in sources] + [")"]
    (given.output / "module.cmake").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    import sys

    from .errors import NestLFPError

    try:
        main()
    except NestLFPError as error:
        sys.exit(f"nestlfp: {error}")
