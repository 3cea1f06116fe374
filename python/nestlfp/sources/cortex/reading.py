"""Cortical surfaces and their labels in files: FreeSurfer's and GIFTI's, read by nibabel."""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from ..._types import Floats, Ints
from ...errors import KernelError, MissingExtraError
from ...extras import require
from .surface import Surface


def read(*paths: str | os.PathLike[str], unit: str = "mm") -> Surface:
    """A surface in a file, or midway between surfaces in several files.

    Parameters
    ----------
    *paths : path
        Files of FreeSurfer such as ``lh.white`` and ``lh.pial``, or of GIFTI (``.gii``,
        ``.gii.gz``). With these two it is the middle of the cortex.
    unit : str
        Of the files; see `Surface`.

    Returns
    -------
    Surface
        In the frame of the files, in µm.

    Raises
    ------
    KernelError
        If a file cannot be read, triangles differ between files, or the surface is not in this
        unit.
    MissingExtraError
        If nibabel is not installed.

    Examples
    --------
    >>> from nestlfp.sources import cortex
    >>> surface = cortex.read("lh.white", "lh.pial")  # doctest: +SKIP
    """
    if not paths:
        raise KernelError('no file of a surface given, such as read("lh.white", "lh.pial")')
    vertices, faces = zip(*(_read_one(path) for path in paths), strict=True)
    for path, found in zip(paths, faces, strict=True):
        if not np.array_equal(found, faces[0]):
            raise KernelError(
                f"{os.fspath(path)!r} has other triangles than {os.fspath(paths[0])!r}: they must "
                "be of one hemisphere of one brain"
            )
    return Surface(np.mean(vertices, axis=0), faces[0], unit)


def fsaverage(hemisphere: str) -> Surface:
    """A hemisphere of the average brain of FreeSurfer, midway between white matter and pia.

    It is fsaverage5, of 10 242 vertices some 3 mm apart, and comes with nilearn.

    Parameters
    ----------
    hemisphere : {"left", "right"}

    Returns
    -------
    Surface
        In the frame of FreeSurfer, in µm: x to the right, y to the front, z up, close to that of
        MNI 305. An average surface is smoother, and its area smaller, than one person's.

    Raises
    ------
    KernelError
        If the hemisphere is another word.
    MissingExtraError
        If nilearn or nibabel is not installed.
    """
    if hemisphere not in ("left", "right"):
        raise KernelError(f"hemisphere must be 'left' or 'right', found {hemisphere!r}")
    # Importing nilearn would take a second, and its files alone are needed.
    found = find_spec("nilearn")
    if found is None or found.origin is None:
        raise MissingExtraError(
            "nilearn is missing, whose files fsaverage is: install it with  "
            "pip install 'nestlfp[cortex]'"
        )
    folder = Path(found.origin).parent / "datasets" / "data" / "fsaverage5"
    return read(*(folder / f"{name}_{hemisphere}.gii.gz" for name in ("white", "pial")))


def annotation(path: str | os.PathLike[str]) -> dict[str, Ints]:
    """Vertices of each label in an annotation of FreeSurfer, such as ``lh.aparc.annot``.

    Parameters
    ----------
    path : path

    Returns
    -------
    dict of str to array of int
        Of labels that have vertices; those without label are left out.

    Raises
    ------
    KernelError
        If the file cannot be read.
    MissingExtraError
        If nibabel is not installed.

    Examples
    --------
    >>> labels = cortex.annotation("lh.aparc.annot")  # doctest: +SKIP
    >>> cortex.Patches.labelled(surface, {"cuneus": labels["cuneus"]})  # doctest: +SKIP
    """
    freesurfer = require("nibabel.freesurfer", "cortex")
    of_vertices, _, names = _tried(path, freesurfer.read_annot)
    found = {name.decode(): np.flatnonzero(of_vertices == i) for i, name in enumerate(names)}
    return {name: vertices for name, vertices in found.items() if vertices.size}


def _read_one(path: str | os.PathLike[str]) -> tuple[Floats, Ints]:
    """Vertices and triangles as they are in the file."""
    nibabel = require("nibabel", "cortex")
    if os.fspath(path).endswith((".gii", ".gii.gz")):
        found = _tried(path, nibabel.load)
        vertices, faces = found.agg_data("pointset"), found.agg_data("triangle")
        if not (isinstance(vertices, np.ndarray) and isinstance(faces, np.ndarray)):
            raise KernelError(f"{os.fspath(path)!r} has no surface: a pointset and triangles")
    else:
        vertices, faces = _tried(path, require("nibabel.freesurfer", "cortex").read_geometry)
    return np.asarray(vertices, dtype=float), np.asarray(faces, dtype=np.int64)


def _tried(path: str | os.PathLike[str], reader: Callable[[Any], Any]) -> Any:
    try:
        return reader(os.fspath(path))
    except Exception as error:  # nibabel's are of many kinds
        raise KernelError(f"{os.fspath(path)!r} cannot be read: {error}") from error
