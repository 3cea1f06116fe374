"""An environment with the lowest versions that pyproject.toml allows; prints its Python.

Kept in the user's cache folder, by the digest of pyproject.toml. This nestlfp is not the one to be
tested: it stands there for its requirements. Set PYTHONPATH to the checkout's folder python.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import tomllib
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "pyproject.toml").read_bytes()
PROJECT = tomllib.loads(TEXT.decode())["project"]


def lowest() -> list[str]:
    """Constraints for pip: the lower bound of each requirement, of those of extras too."""
    extras = PROJECT["optional-dependencies"].values()
    found = {}
    for line in [*PROJECT["dependencies"], *(line for extra in extras for line in extra)]:
        needed = Requirement(line)
        here = needed.marker is None or needed.marker.evaluate()
        if here and needed.name != "nestlfp":
            (bound,) = [one.version for one in needed.specifier if one.operator == ">="]
            if found.setdefault(needed.name, bound) != bound:
                raise SystemExit(f"pyproject.toml has two lower bounds of {needed.name}")
    return [f"{name}=={bound}" for name, bound in found.items()]


def main() -> None:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "nestlfp"
    digest = hashlib.sha256(TEXT + f"{sys.base_prefix} {sys.version}".encode()).hexdigest()[:16]
    folder = cache / f"lowest-{digest}"
    python = folder / "bin" / "python"
    if not (folder / "complete").exists():
        for old in cache.glob("lowest-*"):  # a gigabyte each
            shutil.rmtree(old)
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        (folder / "constraints.txt").write_text("\n".join(lowest()) + "\n")
        pip = [python, "-m", "pip", "install", "--quiet", "--prefer-binary"]
        pip += ["--constraint", folder / "constraints.txt", f"{ROOT}[nest,all,test]"]
        subprocess.run(pip, check=True, stdout=sys.stderr)
        (folder / "complete").touch()
    print(python)


if __name__ == "__main__":
    main()
