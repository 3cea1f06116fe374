"""`kernels`: kernels of the network that is in NEST."""

from __future__ import annotations

import hashlib
import json
import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ...digests import digest_of_code
from ...errors import KernelError, NetworkError
from ...geometry import check_micrometres, check_no_group, is_probe, positions
from ...kernels import KernelSet
from ...kernels.checks import positive, positive_ms, real
from ...paths import cache_dir
from ...simulator import Simulator
from .._processes import in_processes
from .._provenance import package_version, plain
from ..layers import layer_bounds
from .assumptions import Column, Placement, cells_of, placements_of
from .computing import Work, computed
from .currents import DELTA, Synapse
from .description import Description, Drive, Synapses
from .point_neurons import membrane
from .reading import checked_rates, described

SIGNALS = ("LFP", "CDM", "CSD")
STRONG = 0.25
"""Conductance of one synapse over a cell's leak, above which linearizing is rough."""
_TOOLS = ("LFPykernels", "LFPykit", "LFPy", "neuron")


def kernels(
    network: Mapping[str, Any] | Description,
    contacts: Any = None,
    *,
    cells: Mapping[str, Any] | None = None,
    synapses: Synapse | Mapping[tuple[str, str], Synapse] | None = None,
    placement: Mapping[Any, Placement] | None = None,
    layers: Mapping[str, Sequence[float]] | None = None,
    column: Column | None = None,
    rates: Mapping[str, float] | None = None,
    conductances: Literal["absolute", "relative"] = "absolute",
    match: Literal["current", "potential"] = "current",
    signals: Sequence[str] = ("LFP", "CDM"),
    conductivity: float = 0.3,
    dt: float = 2**-4,
    tau: float | None = None,
    processes: int | None = None,
    progress: bool = True,
    cache: bool = True,
) -> KernelSet:
    """Kernels of the network that is in NEST now.

    Sizes, targets, weights, delays and currents of synapses are read from NEST (`describe`). Cells,
    where synapses are on them, and where cells and contacts are have defaults, which
    ``print(summary(kernels))`` shows.

    Parameters
    ----------
    network : dict of str to nest.NodeCollection, or Description
        The neurons of each population, or what `describe` has read of them.
    contacts : array, shape (n,) or (n, 3), or probeinterface.Probe, optional
        Depths z of the contacts (µm), on the axis of the column. Default: every 100 µm, from 200 µm
        below the somata to the top of the tallest cell.
    cells : dict of str to cell, optional
        For each population what `nestlfp.cells.cell` takes: a name of the library, a morphology
        file, arguments of LFPy's cells; a `CellType`, or a list of several; or None where it has
        no cells. Default: a pyramidal cell of layer 5 for populations that excite, a small
        multipolar cell for those that inhibit, none for parrot neurons and generators.
    synapses : Synapse, or dict of (str, str) to Synapse, optional
        As in `describe`.
    placement : dict to Placement, optional
        Where synapses are on cells, by (presynaptic, postsynaptic) population, or for all that are
        ``"excitatory"`` or ``"inhibitory"``. Default: excitatory ones on dendrites, 50 µm or more
        above or below the soma; inhibitory ones on soma and dendrites within 100 µm.
    layers : dict of str to (float, float), optional
        Boundaries of each layer (µm), for placements by layer.
    column : Column, optional
        Where cells are: radius, and depths of the somata.
    rates : dict of str to float, optional
        Spikes/s of a neuron of each population: needed where synapses are conductances, which
        depend on the mean potential of the cells, and used for short-term plasticity. `rates` of
        this module reads them after a run.
        Generators whose rate NEST does not have are named by their model.
    conductances : {"absolute", "relative"}
        Whether the cells' mean synaptic conductances are those of the point neurons (nS), or the
        same in relation to the leak.
    match : {"current", "potential"}
        "current": cells get the currents of the point neurons, as in Hagen et al. 2016 and Skaar et
        al. 2020. "potential": each pathway is scaled until the potential of a synapse at the
        cell's soma has the peak that it has at the point neuron, for networks whose weights were
        fitted to spikes.
    signals : sequence of str
        Of "LFP" (mV), "CDM" (current dipole moment, nA µm) and "CSD" (nA/µm³, in slices around the
        contacts). `KernelSet.project` makes EEG and MEG of the dipole moment.
    conductivity : float
        Of the tissue (S/m).
    dt : float
        Time step of the cells (ms): a power of two.
    tau : float, optional
        Last lag (ms). Default: where less than 1e-3 of the peak is left.
    processes : int, optional
        How many to share the cells among. Default: one per core, and one alone for few cells.
    progress : bool
        Show a progress bar.
    cache : bool
        Keep the kernels in the user's cache folder, and take them from there when nothing that was
        read or said has changed.

    Returns
    -------
    KernelSet
        At the resolution of NEST.

    Raises
    ------
    MissingExtraError
        Without the packages of the extra ``nestlfp[lfpykernels]``.
    NetworkError
        As `describe`; if the current of a synapse is not known, or synapses are conductances and
        there are no rates.
    KernelError
        If what was said is wrong, names unknown populations, or does not fit the cells.

    Notes
    -----
    One cell represents a whole population. Its synapses are at the same places of each cell, and
    signals are averaged over the places of the somata. A conductance is taken at the mean potential
    of the segment that it is on, and adds to the leak (Hagen et al. 2022, PLoS Comput Biol 18(8):
    e1010353, Eqs. 8 to 11). A warning says where single synapses are so strong that this is rough.

    LFPykernels and NEURON run in a process of their own, with several MPI ranks on rank 0.

    Examples
    --------
    >>> from nestlfp.sources import network
    >>> kernels = network.kernels({"E": E, "I": I})  # doctest: +SKIP
    >>> recorder = nestlfp.FieldRecorder(kernels, {"E": E, "I": I})  # doctest: +SKIP
    """
    description = described(network, synapses, rates)
    work = _work(
        description, contacts, cells, placement, layers, column, rates, conductances, match,
        signals, conductivity, dt, tau,
    )  # fmt: skip
    if processes is not None and (not isinstance(processes, int) or processes < 0):
        raise KernelError(f"processes must be a whole number, 0 or more, found {processes!r}")
    found = Simulator().ranks.on_root(lambda: _kept(work, processes, progress, cache))
    # The cache may have them in another order of populations, read at another time.
    found = found.select(pre=description.populations, post=work.cells)
    provenance = found.provenance | {"network": description.to_dict()}
    provenance["assumed"]["rates_per_s"] = dict(work.rates)
    _warn_of_strong_synapses(description, provenance["assumed"]["cells"])
    dataset = found.dataset.assign_attrs(provenance=json.dumps(provenance))
    return KernelSet(dataset).resample(description.resolution, method="pchip")


def _warn_of_strong_synapses(description: Description, cells: Sequence[Mapping[str, Any]]) -> None:
    """Where one synapse opens so much that cells do not respond linearly (docs/own_network.md)."""
    strong = []
    for cell in cells:
        post = cell["population"]
        for one in (*description.onto(post), *(d for d in description.drives if d.post == post)):
            if one.unit == "nS" and one.peak > STRONG * cell["leak_nS"]:
                strong.append(
                    f"{one.source} → {post} {one.peak:.3g} nS on a leak of {cell['leak_nS']:.3g} nS"
                )
    if strong:
        warnings.warn(
            "conductances are linearized, which is rough where that of one synapse is more than "
            f"{STRONG:g} of its cell's leak: {', '.join(strong)}. Signals come out too large, by 5 "
            "to 20 % and more; the page 'Your own network' has what was measured",
            stacklevel=3,
        )


def _work(
    description: Description,
    contacts: Any,
    cells: Any,
    placement: Any,
    layers: Any,
    column: Column | None,
    rates: Any,
    conductances: str,
    match: str,
    signals: Sequence[str],
    conductivity: float,
    dt: float,
    tau: float | None,
) -> Work:
    """What was said, checked, with defaults where nothing was."""
    chosen = tuple(signals) if isinstance(signals, list | tuple) else (signals,)
    if not chosen or any(chosen.count(each) > 1 or each not in SIGNALS for each in chosen):
        raise KernelError(
            f"signals must be of {SIGNALS}, found {signals!r}: EEG and MEG are made by "
            "kernels.project(head, to='EEG', ...) of the CDM"
        )
    for what, value, known in (
        ("conductances", conductances, ("absolute", "relative")),
        ("match", match, ("current", "potential")),
    ):
        if value not in known:
            raise KernelError(f"{what} must be one of {known}, found {value!r}")
    if column is not None and not isinstance(column, Column):
        raise KernelError(f"column must be a Column(radius=..., somata=...), found {column!r}")
    column = Column() if column is None else column
    layers = _layers(layers)
    own = cells_of(description, cells, layers)
    for post in own:
        for pathway in description.onto(post):
            if pathway.waveform is None:
                raise NetworkError(pathway.unknown)
        _check_point_neurons(description, post, conductances, match)
    column.check(description.populations, own)
    if math.frexp(positive_ms(dt, "dt"))[0] != 0.5:
        raise KernelError(
            f"dt must be a power of two, such as 2**-4, found {dt!r} ms: kernels are resampled to "
            "NEST's resolution afterwards"
        )
    longest = description.longest_delay(own)
    if tau is not None and positive_ms(tau, "tau") <= longest:
        raise KernelError(f"tau = {tau:g} ms is not longer than the longest delay, {longest:g} ms")
    return Work(
        description=description,
        cells=own,
        placement=placements_of(description, placement, layers),
        layers=layers,
        column=column,
        contacts=None if contacts is None else _depths(contacts),
        signals=chosen,
        conductivity=positive(conductivity, "conductivity", " of S/m"),
        rates=_rates(description, own, rates),
        relative=conductances == "relative",
        match=match,
        dt=float(dt),
        tau=None if tau is None else float(tau),
    )


def _layers(given: Any) -> dict[str, tuple[float, float]]:
    if not isinstance(given, Mapping | None):
        raise KernelError(f"layers must be a dict such as {{'L1': (0.0, -80.0)}}, found {given!r}")
    return layer_bounds(given) if given else {}


def _check_point_neurons(
    description: Description, post: str, conductances: str, match: str
) -> None:
    """Whether enough is known of the point neurons for what is asked."""
    population = description.populations[post]
    if membrane(population) is not None:
        return
    if match == "potential" and population.model not in DELTA:
        raise KernelError(
            f"match='potential' is not possible for {post!r}: the potential of a synapse of "
            f"{population.model!r} is not known. Use match='current'"
        )
    if conductances == "relative":
        raise KernelError(
            f"conductances='relative' is not possible for {post!r}: the leak of "
            f"{population.model!r} is not known. Use conductances='absolute'"
        )


def _depths(contacts: Any) -> tuple[float, ...]:
    """Depths of contacts on the axis (µm)."""
    check_no_group(contacts)
    found = None if is_probe(contacts) else real(contacts, "contacts")
    if found is not None and found.ndim < 2:
        z = np.atleast_1d(found)
        if not z.size or not np.isfinite(z).all():
            raise KernelError(f"contacts must be finite depths (µm), found {contacts!r}")
        check_micrometres(z, "contacts", 10.0)
    else:
        places = positions(contacts, "contacts")
        z = places[:, 2]
        beside = places[np.any(places[:, :2] != 0, axis=1)]
        if beside.size:
            raise KernelError(
                "contacts must be on the axis of the column, at x = y = 0, since one cell stands "
                "for a population and its potential is averaged over a disc; found one at "
                f"{beside[0].tolist()} µm. nestlfp.sources.sheets has arrays of electrodes"
            )
    return tuple(z.tolist())


def _rates(
    description: Description, cells: Mapping[str, Any], given: Mapping[str, float] | None
) -> dict[str, float]:
    """Spikes/s by population and model of a drive, with all that conductances need."""
    found = checked_rates(given)
    known = {*description.populations, *(drive.model for drive in description.drives)}
    for name in found:
        if name not in known:
            raise KernelError(f"rates has {name!r}, which is not among {sorted(known)}")
    for one in (*description.pathways, *description.drives):
        if one.post not in cells or one.unit != "nS":
            continue
        read = one.rate if isinstance(one, Drive) else None
        if one.source not in found and read is None:
            raise NetworkError(
                f"synapses {one.source} → {one.post} are conductances, whose currents depend on "
                "the mean potential of the cells, and this on the spikes that they get. Give "
                f"rates={{{one.source!r}: spikes/s of a neuron, ...}}: network.rates(populations, "
                "spike_recorders) reads those of populations after a short run; then ResetKernel "
                "and build the network anew"
            )
    return found


# ---------------------------------------------------------------------- cache
def _kept(work: Work, processes: int | None, progress: bool, cache: bool) -> KernelSet:
    """The kernels of this work, from the cache where they are."""
    path = cache_dir() / "kernels" / f"{_digest(work)}.nc"
    if cache and path.exists():
        try:
            return KernelSet.load(path)
        except KernelError:  # of a disk that was full, say: they are computed again
            pass
    tasks = [(work, processes, progress)]
    try:
        (found,) = in_processes(computed, tasks, 1, error=KernelError)
    except KernelError as error:  # without the other process's traceback
        raise error from None
    if cache:
        path.parent.mkdir(parents=True, exist_ok=True)
        found.save(path, overwrite=True)
    return found


def _digest(work: Work) -> str:
    """Of all that kernels depend on, which does not include the order of populations.

    Nine digits count, since the last ones of sums differ from one number of threads to another.
    """
    read = work.description
    unused: dict[str, Any] = {"weight_sd": 0.0, "unknown": ""}
    nodes = {
        name: replace(each, varied=(), read=0, outside=0.0, spatial=False, rate=None)
        for name, each in read.populations.items()
    }
    pathways = [replace(p, **unused, synapses_sd=0.0, error=0.0, models=()) for p in read.pathways]
    drives = [replace(d, **unused, sources=0) for d in read.drives if d.unit == "nS"]
    needs_rates = any(each.unit == "nS" for each in (*pathways, *drives))
    used = replace(
        work,
        description=replace(
            read,
            populations=nodes,
            pathways=tuple(sorted(pathways, key=lambda p: (p.pre, *_order(p)))),
            drives=tuple(sorted(drives, key=lambda d: (d.model, *_order(d)))),
            resolution=0.0,
            time=0.0,
        ),
        rates=work.rates if needs_rates else {},
    )
    package = Path(__file__).parents[2]
    code = digest_of_code(package / "cells", package / "sources")
    said = json.dumps([plain(asdict(used)), *map(package_version, _TOOLS), code])
    rounded = json.loads(said, parse_float=lambda number: f"{float(number):.9g}")
    return hashlib.sha256(json.dumps(rounded, sort_keys=True).encode()).hexdigest()[:24]


def _order(synapses: Synapses) -> tuple[str, int, bool]:
    return synapses.post, synapses.receptor, synapses.weight > 0
