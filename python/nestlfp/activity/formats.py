"""Choose the reader of a file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from ..errors import ActivityError
from .arrays import read_npz, read_sonata
from .portion import Asked, Portion
from .text import read_text
from .units import read_neo, read_nwb

READERS: dict[str, Callable[[Path, Asked], Iterator[Portion]]] = {
    ".dat": read_text,
    ".gdf": read_text,
    ".csv": read_text,
    ".tsv": read_text,
    ".txt": read_text,
    ".npz": read_npz,
    ".h5": read_sonata,
    ".hdf5": read_sonata,
    ".nwb": read_nwb,
}
"""By the end of a file's name; all others are left to Neo."""


def portions(path: Path, asked: Asked) -> Iterator[Portion]:
    """The spikes of a file.

    Raises
    ------
    ActivityError
        If it is not what its name says.
    MissingExtraError
        If a package is missing that reads it.
    """
    if not path.is_file():
        raise ActivityError(f"no file {str(path)!r}")
    yield from READERS.get(path.suffix.lower(), read_neo)(path, asked)
