"""The wheel's hook: takes compiled modules along, and says for which machines the wheel is then.

``NESTLFP_PREBUILT=FOLDER python -m build --wheel``, with a folder that ``python -m
nestlfp.build.prebuild FOLDER`` made, builds a platform wheel; without the variable, the wheel is
pure Python.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class PrebuiltModules(BuildHookInterface):
    """Include a folder of modules where one is named."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called by hatchling before a wheel is built."""
        named = os.environ.get("NESTLFP_PREBUILT")
        if not named or version == "editable":
            return
        folder = Path(named).resolve()
        builds = [json.loads(path.read_text()) for path in sorted(folder.glob("*/builds.json"))]
        platforms = {told["platform"] for told in builds}
        if len(platforms) != 1:
            raise ValueError(
                f"NESTLFP_PREBUILT: {folder} should have modules of one platform, found "
                f"{sorted(platforms) or 'none'}; 'python -m nestlfp.build.prebuild FOLDER' "
                "compiles them into a folder"
            )
        build_data["force_include"][str(folder)] = "nestlfp/module/prebuilt"
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{platforms.pop()}"
