"""SHA-256 of files: of what was compiled, and of the code that calculates."""

from __future__ import annotations

import functools
import hashlib
from pathlib import Path


def digest_of_file(path: Path) -> str:
    """Of a file, which may be large."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while part := file.read(2**20):  # not all of it at once, which takes twice as long
            digest.update(part)
    return digest.hexdigest()


@functools.cache
def digest_of_code(*packages: Path) -> str:
    """Of all code in folders, Python's and NEURON's, as it was when this process first asked."""
    digest = hashlib.sha256()
    for package in packages:
        for path in sorted(package.rglob("*")):
            if path.suffix in (".py", ".mod"):
                digest.update(path.read_bytes())
    return digest.hexdigest()
