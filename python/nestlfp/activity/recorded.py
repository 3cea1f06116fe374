"""Signals of recorded spikes, from files and into files, in blocks of time.

The spikes are read once, in portions, and put in order on disk. Then the signals of each block are
made from the spikes of that block and of those whose kernels reach into it. What is in memory does
not depend on how long the recording is, if the signals go to a Zarr store.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import xarray as xr

from .. import signals
from ..errors import ActivityError
from ..extras import require
from ..grid import Rounding, at_least_a_step, check_rounding, step
from ..kernels import KernelSet, NeuronKernels
from ..kernels.checks import found_instead
from ..kernels.names import by_dims
from ..progress import progress_bar
from ..signals.files import FORMATS
from ..signals.stream import ZarrStream
from .blocks import Blocks, filled
from .disk_buffer import DiskBuffer
from .formats import portions
from .populations import Assignment, files, rules
from .portion import Asked
from .times import steps_of


def convolve(
    kernels: KernelSet | NeuronKernels,
    spikes: Any,
    *,
    duration: float | None = None,
    populations: Mapping[str, str] | Iterable[str] | None = None,
    unit: str | None = None,
    column: str = "population",
    rounding: Rounding = False,
    skip_unknown: bool = False,
    by: str | Iterable[str] = (),
    interval: float | None = None,
    to: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    progress: bool = False,
) -> xr.Dataset:
    """The signal of spikes in files: the command ``nestlfp convolve``.

    Parameters
    ----------
    kernels : KernelSet or NeuronKernels
        Kernels of populations, or of single neurons.
    spikes : path, dict of str to paths, or sequence of paths or of "NAME=PATTERN"
        Files; a name says of which population they are. By the end of a file's name it is read as

        ================ ==========================================================================
        .dat, .gdf       of NEST's spike_recorder, of each thread and rank, with header or without
        .csv, .tsv, .txt a table whose first line names the columns: times, and if there are any
                         senders, population; or hnn-core's
        .npz             arrays times and senders, or an array of times for each population
        .h5              SONATA's /spikes/<population>/timestamps and node_ids
        .nwb             units of Neurodata Without Borders
        others           what Neo reads
        ================ ==========================================================================
    duration : float, optional
        Length of the signal (ms); later spikes are passed over. Default: until the response to the
        last spike is over.
    populations : dict of str to str, or sequence of "NAME=WHERE", optional
        Where the spikes of a population are found: ``"1:8192"``, ids of its neurons from first to
        last, or ranges of ids with commas between them; ``"LABEL"``, its name in the files; or
        ``"LABEL/0:99"``. Default: by the names of populations in the files.
    unit : str, optional
        Of times where the file does not say: ms, s, us, or a number of ms. Default: ms, unless all
        are whole numbers, which may be steps and need it.
    column : str
        The column of a table or of NWB's units, or annotation of Neo's spike trains, that names
        populations.
    rounding : {False, "up", "nearest"}
        What becomes of spikes between steps of the kernels' dt. "up" puts each into the step at
        whose end it is, as NEST does with precise spikes; "nearest", or True, takes the nearest;
        False is an error.
    skip_unknown : bool
        Pass over spikes of neurons and populations that the kernels do not have.
    by : {"pre", "post"} or both, optional
        Keep the contributions of these populations apart.
    interval : float, optional
        Distance of samples (ms), a multiple of the kernels' dt. Default: dt. With larger ones what
        is faster appears at lower frequencies, as with a recorder.
    to : path, optional
        Write the signals to this .zarr store, block by block, or to this .nc or .nwb file, for
        which they are put together in memory.
    overwrite : bool
        Replace what is at `to`.
    progress : bool
        Show a progress bar.

    Returns
    -------
    xarray.Dataset
        As of `KernelSet.convolve`; those in a store are read when they are used. The attribute
        ``spikes`` has the number of spikes used of each population, as JSON.

    Raises
    ------
    ActivityError
        If a file is not what its name says, or has samples of something else; if it is not clear
        whose spikes they are, or a rule of `populations` finds none; if spikes are between steps,
        or if there are none.

    Notes
    -----
    Ids are NEST's in .dat, .csv and .npz, and ``node_ids`` in SONATA. In NWB and Neo an id is the
    place, from 0 on, of a unit among those of its population. For kernels of single neurons the
    first id is the neuron of the first weights, and so on.

    Examples
    --------
    >>> import tempfile, pathlib, numpy as np, nestlfp
    >>> kernels = nestlfp.KernelSet.from_arrays(
    ...     {"LFP": [[[[3.0, 2.0]]]]}, pre=["E"], post=["E"], dt=1.0, units={"LFP": "mV"}
    ... )
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = pathlib.Path(folder) / "spikes.npz"
    ...     np.savez(file, times=[1.0, 2.0], senders=[5, 7])
    ...     nestlfp.activity.convolve(kernels, file)["LFP"].values
    array([[0., 3., 5., 2.]])
    """
    modes = kernels.modes if isinstance(kernels, NeuronKernels) else kernels
    if not isinstance(modes, KernelSet):
        raise ActivityError(
            f"kernels must be a KernelSet or NeuronKernels, {found_instead(kernels)}"
        )
    check_rounding(rounding, ActivityError)
    keep, place = by_dims(by), _place(to, overwrite)
    every = 1
    if interval is not None:
        every = at_least_a_step(interval, modes.dt, "interval", ActivityError)
    n = None if duration is None else step(duration, modes.dt, "duration", ActivityError)
    if n is not None and n < every:
        raise ActivityError(f"duration must be at least {every * modes.dt:g} ms, found {duration}")
    of = Blocks(kernels, keep, every)
    assignment = Assignment(of.sizes, rules(populations), skip_unknown)
    listed = files(spikes, of.sizes)
    asked = Asked(unit, column)
    with DiskBuffer(of.block, None if place is None else place.parent) as buffer:
        used, late = _read(
            buffer, listed, assignment, asked, of=of, rounding=rounding, n=n, shown=progress
        )
        if n is None:
            if buffer.last < 0:
                raise ActivityError(
                    f"there are no spikes in {_few(listed)}: a duration gives a signal of zeros"
                )
            n = max(buffer.last + max(modes.first_lag_steps + modes.n_lags - 1, 0), every)
        facts = {
            "spikes": json.dumps(used),
            "spikes_passed_over": late + assignment.skipped,
            "spike_files": json.dumps([str(path) for _, path in listed]),
        }
        parts = of.made(buffer, n, facts, shown=progress)
        template = next(parts)
        if place is not None and place.suffix == ".zarr":
            with ZarrStream(place, template, 1, of.block // every, overwrite=overwrite) as store:
                for part in parts:
                    store.write(part)
            return signals.load(place)
        whole = filled(template, parts, n // every)
    if place is not None:
        signals.save(whole, place, overwrite=overwrite)
    return whole


def _place(to: str | os.PathLike[str] | None, overwrite: bool) -> Path | None:
    """Where the signals go, checked before anything is read."""
    if to is None:
        return None
    place = Path(to)
    if place.suffix not in FORMATS:
        raise ActivityError(
            f"signals are written to {', '.join(FORMATS)} files, found {str(place)!r}"
        )
    if place.exists() and not overwrite:
        raise ActivityError(
            f"{str(place)!r} exists: choose another name, or --force (overwrite=True)"
        )
    if not place.parent.is_dir():
        raise ActivityError(f"no folder {str(place.parent)!r}")
    if place.suffix == ".zarr":
        require("zarr", "stream")
    if place.suffix == ".nwb":
        require("pynwb", "nwb")
    return place


def _few(listed: list[tuple[str | None, Path]]) -> str:
    names = [str(path) for _, path in listed]
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _read(
    buffer: DiskBuffer,
    listed: list[tuple[str | None, Path]],
    assignment: Assignment,
    asked: Asked,
    *,
    of: Blocks,
    rounding: Rounding,
    n: int | None,
    shown: bool,
) -> tuple[dict[str, int], int]:
    """All spikes into the buffer: how many of each population, and how many are too late."""
    used, late = Counter(dict.fromkeys(of.sizes, 0)), 0
    names = list(of.sizes)
    with progress_bar(len(listed), "reading", "file", shown, leave=False, delay=0.5) as bar:
        for given, path in listed:
            for portion in portions(path, asked):
                for name, times, rows in assignment.assigned(portion, given, path):
                    at = steps_of(
                        times,
                        of.modes.dt,
                        where=f"spikes of {name!r} in {str(path)!r}",
                        rounding=rounding,
                        printed=portion.printed,
                    )
                    inside = slice(None) if n is None else at <= n
                    buffer.add(
                        names.index(name), at[inside], None if rows is None else rows[inside]
                    )
                    used[name] += at[inside].size
                    late += at.size - at[inside].size
            bar.update()
    assignment.check_rules()
    buffer.finish()
    return dict(used), late
