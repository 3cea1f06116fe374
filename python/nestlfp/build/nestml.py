"""NESTML text turned into C++ for NEST."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from ..errors import ToolchainError
from ..nodes.render import SYNAPSE, module_name, synapse_header

# Each model's, where the resolution is set after it was loaded. There are no nodes then.
_WARNING = re.compile(r'LOG\([^;]*"Simulation resolution has changed[^;]*;')


def generate_cpp(nestml: Sequence[Path], target: Path, nest_version: str) -> list[Path]:
    """C++ sources of the extension module of NESTML files: a single one, quick to compile.

    Parameters
    ----------
    nestml : sequence of Path
        Files with a model each; a file's name, without the suffix, is the model's.
    target : Path
        Folder for the sources.
    nest_version : str
        Version of NEST to generate for, such as "3.10.0".

    Raises
    ------
    ToolchainError
        If NESTML finds errors in a model.
    """
    # NESTML's own front end goes on to build with nest-config, which is broken in NEST's wheel,
    # so that its steps are taken one by one here, without the last.
    from pynestml.cocos.co_cos_manager import CoCosManager
    from pynestml.frontend import pynestml_frontend as nestml_frontend
    from pynestml.frontend.frontend_configuration import FrontendConfiguration
    from pynestml.utils.logger import Logger, LoggingLevel

    target.mkdir(parents=True, exist_ok=True)
    names = [path.stem for path in nestml]
    arguments = ["--input_path", *map(str, nestml), "--target_path", str(target)]
    arguments += ["--target_platform", "NEST", "--logging_level", "ERROR"]
    arguments += ["--module_name", module_name(names)]
    FrontendConfiguration.parse_config(arguments)
    # With the version given, NESTML does not start NEST to find it out.
    options = {"nest_version": f"v{nest_version}"}
    transformers, _ = nestml_frontend.transformers_from_target_name("NEST", options=options)
    generator = nestml_frontend.code_generator_from_target_name("NEST", options=options)
    models = nestml_frontend.get_parsed_models()
    for model in models:
        CoCosManager.check_cocos(model)
    errors = [entry[-1] for entry in Logger.get_messages(level=LoggingLevel.ERROR)]
    if errors or len(models) != len(names):
        files = ", ".join(map(str, nestml))
        raise ToolchainError(f"NESTML rejects {files}: {'; '.join(map(str, errors))}")
    models, metadata = nestml_frontend.transform_models(transformers, models)
    nestml_frontend.generate_code(generator, models, metadata)
    for name in names:
        source = target / f"{name}.cpp"
        source.write_text(_WARNING.sub("", source.read_text("utf-8")), "utf-8")
    return [_module(target, names)]


def _module(folder: Path, models: Sequence[str]) -> Path:
    """The source of the module: NESTML's models, and the synapse model of their connections.

    One source out of several: NEST's headers are more than half of the work, and are read once. One
    of them has no include guard: what includes it a second time finds an empty file beside itself.
    """
    (folder / "nest_impl.h").touch()
    shutil.copy(synapse_header(), folder)
    name = module_name(models)
    includes = "\n".join(f'#include "{model}.cpp"' for model in models)
    registered = "\n    ".join(f'register_once( "{model}", register_{model} );' for model in models)
    source = folder / "joined.cpp"
    source.write_text(
        f"""#include "nest_extension_interface.h"
#include "{synapse_header().name}"
{includes}

struct {name} : public nest::NESTExtensionInterface
{{
  void
  initialize() override
  {{
    {registered}
    register_synapse( "{SYNAPSE}" );
  }}
}} {name}_LTX_module;
"""
    )
    return source
