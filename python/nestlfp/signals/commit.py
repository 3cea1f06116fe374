"""The commit of a store: one file that lists what is in it, with checksums."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import SignalError
from ..kernels.files import brief
from .layout import FORMAT

ENSEMBLE_FORMAT = "nestlfp-ensemble-1"
_STORE_OF = {
    FORMAT: "signals, which nestlfp.signals.save and nestlfp.simulate write",
    ENSEMBLE_FORMAT: "runs, which nestlfp.ensemble.run writes",
}
FILE = ".zmetadata"
# Beside Zarr's own entries of the file, where Zarr does not look:
_SEAL = "nestlfp_sha256"
_IDENTITY = "nestlfp_store"
_KINDS = (".zgroup", ".zattrs", ".zarray")
_PLACE = re.compile(r"(\w+/)?\.z(group|attrs|array)")  # of a group and the arrays in it


@dataclass(frozen=True)
class Commit:
    """What a store holds: the metadata of its group and arrays, by file."""

    path: Path
    text: bytes
    metadata: dict[str, Any]
    sealed: bool  # whether nestlfp wrote the store
    identity: str | None  # given when nestlfp makes a store

    @classmethod
    def read(cls, path: Path) -> Commit:
        """The commit of the store at `path`, or a `SignalError`."""
        try:
            text = (path / FILE).read_bytes()
        except FileNotFoundError:
            raise SignalError(
                f"{unreadable(path)}: it has no file {FILE!r}, which lists what is in it"
            ) from None
        except OSError as error:
            raise SignalError(f"{unreadable(path)}: {brief(error)}") from error
        try:
            document = json.loads(text)
            metadata, seal = dict(document["metadata"]), document.get(_SEAL)
            identity = document.get(_IDENTITY)
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise damaged(path, f"the file {FILE!r} is not what was written") from error
        sound = seal is None or seal == _digest(metadata)
        if not (sound and all(map(_PLACE.fullmatch, metadata))):
            raise damaged(path, f"the file {FILE!r} is not what was written")
        return cls(path, text, metadata, seal is not None, identity)

    @staticmethod
    def write(path: Path, identity: str | None) -> None:
        """Make what is on disk what the store holds."""
        files = [f for kind in _KINDS for f in (*path.glob(kind), *path.glob(f"*/{kind}"))]
        metadata = {f.relative_to(path).as_posix(): json.loads(f.read_bytes()) for f in files}
        document = {
            "zarr_consolidated_format": 1,
            "metadata": metadata,
            _SEAL: _digest(metadata),
            _IDENTITY: identity,
        }
        _write_json(path / FILE, document)

    def check_whole(self) -> None:
        """Raise a `SignalError` that names what is missing of what was committed."""
        for file in self.metadata:
            if not (self.path / file).is_file():
                raise damaged(self.path, f"the file {file!r} is missing")
        for name, array in self.arrays():
            there = set(os.listdir(self.path / name))
            for chunk in chunks(array):
                if chunk not in there and self.sealed:
                    raise damaged(self.path, f"the file '{name}/{chunk}' is missing")

    def arrays(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Name and metadata of each array."""
        for file, content in self.metadata.items():
            name, _, kind = file.rpartition("/")
            if kind == ".zarray":
                yield name, content

    def restore(self) -> None:
        """Remove what was written beyond the commit."""
        for partial in self.path.rglob("*.partial"):  # files not yet renamed
            partial.unlink()
        for file, content in self.metadata.items():
            _write_json(self.path / file, content)
        for name, array in self.arrays():
            kept = set(chunks(array))
            for file in os.listdir(self.path / name):
                if file not in kept and re.fullmatch(r"[\d.]+", file):
                    (self.path / name / file).unlink()


def _write_json(path: Path, content: Any) -> None:
    partial = path.with_name(f"{path.name}.partial")
    partial.write_text(json.dumps(content), encoding="utf-8")
    os.replace(partial, path)


def _digest(metadata: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(metadata, sort_keys=True).encode()).hexdigest()


def chunks(array: dict[str, Any]) -> Iterator[str]:
    """File names of an array's chunks."""
    grid = (range(-(-n // c)) for n, c in zip(array["shape"], array["chunks"], strict=True))
    for index in itertools.product(*grid):
        yield ".".join(map(str, index)) or "0"


def unreadable(path: Path) -> str:
    """How errors of reading begin."""
    return f"{str(path)!r} cannot be read as a Zarr folder of nestlfp"


def damaged(path: Path, what: str) -> SignalError:
    """The error of a store that is not as it was written."""
    return SignalError(
        f"{unreadable(path)}: it is damaged, {what}. Take it from a backup; what is left of it "
        "xarray.open_zarr may read, with NaN where values are missing"
    )


def check_format(path: Path, attrs: Any, expected: str = FORMAT) -> None:
    """Raise a `SignalError` where the attributes are not those of a store of this kind."""
    found = attrs.get("format") if isinstance(attrs, dict) else None
    if found != expected:
        raise SignalError(
            f"{str(path)!r} is no store of {_STORE_OF[expected]}: its attribute 'format' is "
            f"{found!r}, expected {expected!r}"
        )
