"""Folders: what comes with nestlfp, and the user's cache."""

from __future__ import annotations

import os
from pathlib import Path

from .errors import ToolchainError


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


def prebuilt_dir() -> Path:
    """Where what came compiled with nestlfp lies; a pure wheel and a checkout have none."""
    return Path(__file__).parent / "module" / "prebuilt"


def cache_dir() -> Path:
    """Folder of compiled modules: ``NESTLFP_CACHE``, else the user's cache folder."""
    import platformdirs

    return Path(os.environ.get("NESTLFP_CACHE") or platformdirs.user_cache_dir("nestlfp"))
