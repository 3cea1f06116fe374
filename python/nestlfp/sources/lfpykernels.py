"""Kernels from LFPykernels: one multicompartment cell represents each postsynaptic population.

LFPykernels (Hagen et al. 2022) takes a cell that represents a whole postsynaptic population,
linearizes its synapses around an expected potential, spreads the synapses of one presynaptic
population over it as the network's statistics say, activates them once, and predicts the
signal. Blurred by the distributions of delays and of cell positions, this is the kernel.

`compute` runs this for every pathway of a network; `from_dictionary`, which is
`KernelSet.from_lfpykernels`, takes what others ran. A population may be made of several cell types
(`CellType`). Where anatomy gives the synapses of each layer, `nestlfp.sources.layers` turns that
into positions on the cells.
"""

from __future__ import annotations

import copy
import math
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from .._types import Floats
from ..errors import KernelError
from ..extras import require
from ..grid import step
from ..kernels import KernelSet, check_name
from ..kernels.checks import positive_ms, real
from ..kernels.lfpykernels_dictionary import check_probes, of_probes, signal_names, stacked
from ..kernels.positions import check_no_layouts
from ..progress import progress_bar
from ._charge import NOTICED
from ._depths import TOOL, standings
from ._mixture import CellType, Part, check_approximation, parts_of
from ._pathways import EXTRA, Found, Job, check_mechanisms, kernels_of, load
from ._processes import in_processes
from ._provenance import package_version, plain
from ._strengths import with_described_strengths

__all__ = ["EXTRA", "TOOL", "CellType", "compute", "from_dictionary"]

_FEW = 1e-3  # of the cells, those at depths where no synapses can be on them

from_dictionary = KernelSet.from_lfpykernels


def compute(
    approximations: Mapping[str, Any] | Iterable[Any],
    probes: Iterable[Any],
    *,
    dt: float = 2**-4,
    Vrest: ArrayLike | Mapping[str, Any] = -65.0,
    t_X: float = 200.0,
    tau: float = 50.0,
    g_eff: bool = True,
    depths: int | Literal["LFPykernels"] = 15,
    correct_charge: bool = False,
    processes: int | None = 0,
    mechanisms: str | Callable[[], None] | None = None,
    names: Mapping[str, str] | None = None,
    units: Mapping[str, str] | None = None,
    progress: bool = True,
    provenance: Mapping[str, Any] | None = None,
) -> KernelSet:
    """All kernels of a network, from one `lfpykernels.KernelApprox` per population or cell type.

    Parameters
    ----------
    approximations : dict of str to lfpykernels.KernelApprox, or iterable of them
        One for each postsynaptic population, by its name; without names each is called as its
        attribute `Y` says. All must have the same presynaptic populations `X`. A population that
        is made of several cell types has a dict of str to `CellType` instead. Pathways with a
        connection probability of 0 are not simulated.
    probes : iterable of probe objects
        Forward models made with ``cell=None``, each of another class, for instance
        ``lfpykernels.GaussCylinderPotential(None, z=z, R=150.0, sigma_z=75.0)``.
    dt : float
        Time step of the cells and distance of two lags (ms): a power of two.
    Vrest : float, array of shape (compartments,), or dict of str to either
        Potential (mV) that synapses are linearized around: of all compartments, or of each;
        or that of each postsynaptic population by name, and in it, where there are several, of
        each cell type.
    t_X : float
        Time of the presynaptic spike (ms), after which the cell is simulated for `tau`.
    tau : float
        Last lag (ms).
    g_eff : bool
        Count the synapses' mean conductance to the membrane's leak.
    depths : int or "LFPykernels"
        Number of depths for which the cells are computed: kernels are averaged over cells at so
        many depths, by Gauss-Hermite quadrature of the normal distribution in
        `populationParameters`; probes blur nothing, and synapses lie where the description says.
        With 1 all cells stand at the mean depth. ``"LFPykernels"`` is its own way: a cell at the
        mean depth, with synapses spread further by the spread of the cells' depths, and probes
        that blur what it gives by their `sigma_z`; see Notes.
    correct_charge : bool
        Divide each pathway's kernels by the part of its synapses' charge that the cells took:
        with steps of 2**-4 ms NEURON takes 0.939 of a difference of exponentials that decays
        within 0.5 ms and rises at once, and 1.064 of one that starts with a jump. It is measured in
        any case; without this, a difference of more than 1 % is a warning.
    processes : int, optional
        How many to share the cells among; None is one per core. They are started afresh and do
        not change the result. Default: 0, all in the calling process, whose own sections in
        NEURON are deleted.
    mechanisms : str or callable, optional
        What loads the synapses' mechanisms into NEURON, in each process: the folder in which
        ``nrnivmodl`` ran, or an importable function, such as
        ``functools.partial(nestlfp.sources.mechanisms.load, folder)``.
    names, units : dict of str to str, optional
        Signals by probe class and units by signal; see `from_dictionary`.
    progress : bool
        Show a progress bar, which moves by a cell's pathways.
    provenance : dict, optional
        JSON-compatible values to keep beside the versions and parameters used.

    Returns
    -------
    KernelSet
        Lags dt, 2 dt, ..., tau. Potentials in mV, current dipole moments in nA µm, each the
        response to one presynaptic spike. Its coordinates ``charge_per_spike`` (fC) and
        ``conductance_per_spike`` (nS ms), of the dimensions (post, pre), are what the synapses of a
        spike bring to the population, where these are Exp2Syn, ExpSyn or their twins. Its
        ``provenance["soma_mV"]``, ``{post: {pre: value}}``, is the peak of the somatic potential:
        see Notes.

    Raises
    ------
    MissingExtraError
        Without the packages of the extra ``nestlfp[lfpykernels]``.
    KernelError
        If times are off LFPykernels' grid, populations disagree, shares of cell types do not add
        up to 1, `Vrest` does not fit a cell, a NEURON mechanism is not loaded, `depths` is
        neither a positive integer nor "LFPykernels", a cell has no membrane where its synapses
        should be, or LFPykernels fails on a pathway.

    Notes
    -----
    For conductance-based synapses LFPykernels needs a current-based twin of the synapse, named
    ``<syntype>I``. `Exp2SynI` and `ExpSynI` come with nestlfp:
    ``nestlfp.sources.mechanisms.load()``; others are compiled and loaded by
    ``mechanisms.load(folder)``.

    Averaged over depths, the potential of LFPykernels' discs is integrated with what their currents
    are at each depth, a polynomial through those at the nodes: 9 depths give it to 3e-4 of its peak
    in the network of Hagen et al. (2022). Other potentials are a plain sum over depths. Where a
    cell at an unlikely depth (in sum less than a thousandth) has no membrane for a pathway's
    synapses, it gets none.

    In LFPykernels' own way the one cell at the mean depth has its synapses spread further than
    they are, by the spread of the cells' depths, which is right relative to the cell. The probe's
    blur then spreads synaptic currents by that once more, which makes potentials near the somata
    too small (by a fifth in docs/validation.md, where those by depth are as good as measured
    kernels).

    NEURON integrates the cell in fixed steps, for which kernels come up to one dt late and short
    synapses have another charge; both errors vanish with dt, and `correct_charge` makes up for the
    second.

    The peak of the somatic potential (mV, with its sign) is what a presynaptic spike does to the
    one cell that represents the population: all synapses of the spike are on it. Divided by their
    number, ``N_Y * C_YX`` times the mean number of a multapse, it is the mean postsynaptic
    potential of one. It is averaged over depths and cell types, and corrected, as kernels are, but
    not blurred by delays. Cells without a soma have none.

    References
    ----------
    Hagen et al. (2022) Brain signal predictions from multi-scale networks using a linearized
    framework. PLoS Comput Biol 18(8): e1010353,
    https://doi.org/10.1371/journal.pcbi.1010353

    Examples
    --------
    >>> import numpy as np
    >>> from lfpykernels import (GaussCylinderPotential, KernelApprox,
    ...                          KernelApproxCurrentDipoleMoment)
    >>> from nestlfp.sources import lfpykernels
    >>> approximations = {"E": KernelApprox(..., X=["E", "I"], Y="E"),   # doctest: +SKIP
    ...                   "I": KernelApprox(..., X=["E", "I"], Y="I")}
    >>> probes = [GaussCylinderPotential(None, z=np.linspace(1000.0, -200.0, 13)),
    ...           KernelApproxCurrentDipoleMoment(None)]                 # doctest: +SKIP
    >>> kernels = lfpykernels.compute(approximations, probes)            # doctest: +SKIP
    """
    require("lfpykernels", EXTRA)
    _check_times(dt, t_X, tau)
    populations = dict(_by_name(approximations))
    models = [copy.copy(probe) for probe in probes]
    check_no_layouts(models)
    kinds = [type(model).__name__ for model in models]
    if not models or len(set(kinds)) < len(kinds):
        raise KernelError(f"probes must be one or more, each of another class, found {kinds}")
    # Complain before an hour of cells, not after.
    check_probes(models, signal_names(kinds, names or {}))
    # Copies, for get_kernel leaves its last cell in the approximation.
    parts = parts_of(populations)
    post, pre = list(populations), _common_pre(parts)
    potentials = {part.name: _potential(Vrest, part) for part in parts}
    options = {"dt": dt, "t_X": t_X, "tau": tau, "g_eff": g_eff}
    jobs = [
        Job(cell, share * part.share, forward, potentials[part.name], options)
        for part in parts
        for share, cell, forward in standings(part, models, depths)
    ]
    if processes == 0:
        load(mechanisms)
        for part in parts:
            check_mechanisms(part.approx)

    sums: dict[tuple[str, str], dict[str, Floats]] = {}
    missing: dict[tuple[str, str], float] = {}
    charges: dict[tuple[str, str], float] = {}
    soma = {y: dict.fromkeys(pre, 0.0) for y in post}
    for job, found in _computed(jobs, processes, mechanisms, progress):
        for x, kernels in found.kernels.items():
            pathway = job.part.post, x
            if not all(np.isfinite(values).all() for values in kernels.values()):
                _add_missing(missing, job, x)
                continue
            charges[job.part.name, x] = found.charge[x]
            factor = job.share / (found.charge[x] if correct_charge else 1.0)
            soma[job.part.post][x] += factor * found.soma[x]
            total = sums.setdefault(pathway, {})
            for probe, values in kernels.items():
                total[probe] = total.get(probe, 0.0) + factor * values
    if not correct_charge:
        _warn_of_charges(charges, dt)
    if not sums:
        raise KernelError("no pathway has connections: all of C_YX are 0")
    # Pathways without connections.
    zeros = {probe: np.zeros_like(values) for probe, values in next(iter(sums.values())).items()}
    arrays = stacked({(y, x): sums.get((y, x), zeros) for y in post for x in pre}, post, pre)
    parameters = {
        "dt_ms": dt, "Vrest_mV": potentials, "t_X_ms": t_X, "tau_ms": tau, "g_eff": g_eff,
        "depths": depths, "correct_charge": correct_charge,
    }  # fmt: skip
    known = _provenance(parameters, populations, models) | {
        "soma_mV": {
            y: {x: peak for x, peak in peaks.items() if math.isfinite(peak)}
            for y, peaks in soma.items()
        }
    }
    dataset = of_probes(
        arrays,
        post=post,
        pre=pre,
        dt=dt,
        names=names,
        units=units,
        positions=None,
        probes=models,
        provenance=known | dict(provenance or {}),
    )
    return KernelSet(with_described_strengths(dataset, parts))


def _check_times(dt: float, t_X: float, tau: float) -> None:
    """Times must be exact in binary, as LFPykernels 0.2 rounds its grids by floor division."""
    positive_ms(dt, "dt")
    if math.frexp(dt)[0] != 0.5:
        near = 2.0 ** math.floor(math.log2(dt))
        raise KernelError(
            f"dt must be a power of two, found {dt:g} ms, at which rounding makes LFPykernels "
            f"place kernels a step late: compute at {near:g} ms and resample({dt:g})"
        )
    for what, time in (("t_X", t_X), ("tau", tau)):
        if step(time, dt, what, KernelError) < 1:
            raise KernelError(f"{what} must be at least dt = {dt:g} ms, found {time:g}")
    if t_X < tau:  # the delays, spread over -tau ... tau, would be longer than the simulation
        raise KernelError(f"t_X = {t_X:g} ms must not be less than tau = {tau:g} ms")


def _by_name(approximations: Mapping[str, Any] | Iterable[Any]) -> list[tuple[str, Any]]:
    if isinstance(approximations, Mapping):
        pairs = list(approximations.items())
    else:
        pairs = [(getattr(approx, "Y", None), approx) for approx in approximations]
    if not pairs:
        raise KernelError("no approximations: one KernelApprox per postsynaptic population needed")
    for name, given in pairs:
        if not isinstance(given, Mapping):  # of cell types, which are looked at later
            check_approximation(name, given)
        check_name(name, "a postsynaptic population")
    posts = [name for name, _ in pairs]
    if len(set(posts)) < len(posts):
        raise KernelError(f"postsynaptic populations must differ from each other, found {posts}")
    return pairs


def _common_pre(parts: Sequence[Part]) -> list[str]:
    every = {part.name: [str(x) for x in part.approx.X] for part in parts}
    pre = list(dict.fromkeys(x for names in every.values() for x in names))
    missing = [f"{y}:{x}" for y in every for x in pre if x not in every[y]]
    if missing:
        raise KernelError(
            f"approximations are missing for the pathways POST:PRE {missing}; where populations "
            "are not connected, list them in X with a connection probability of 0"
        )
    return pre


def _potential(given: Any, part: Part) -> float | list[float]:
    """Of all compartments of a cell, or of each, in the types that LFPykernels distinguishes."""
    whose = "Vrest"
    for kind, name in (("population", part.post), ("cell type", part.cell_type)):
        if isinstance(given, Mapping) and name is not None:
            if name not in given:
                raise KernelError(
                    f"{whose} has no potential for {kind} {name!r}, only {list(given)}"
                )
            given, whose = given[name], f"Vrest of {part.name!r}"
    found = real(given, whose)
    if found.ndim > 1 or not found.size or not np.isfinite(found).all():
        raise KernelError(
            f"{whose} must be a finite potential (mV), or one for each compartment, found {given!r}"
        )
    potential: float | list[float] = found.tolist()
    return potential


def _computed(
    jobs: Sequence[Job],
    processes: int | None,
    mechanisms: str | Callable[[], None] | None,
    progress: bool,
) -> Iterator[tuple[Job, Found]]:
    """What each job gives, in their order, with a progress bar."""
    tasks = [(job,) for job in jobs]
    start = partial(load, mechanisms)
    found = in_processes(kernels_of, tasks, processes, start=start, error=KernelError)
    pathways = sum(len(job.part.approx.X) for job in jobs)
    with progress_bar(pathways, "kernels", "pathway", progress) as bar:
        bar.set_postfix_str(jobs[0].part.name)
        for i, (job, result) in enumerate(zip(jobs, found, strict=True)):
            yield job, result
            bar.set_postfix_str(jobs[min(i + 1, len(jobs) - 1)].part.name)
            bar.update(len(job.part.approx.X))


def _add_missing(missing: dict[tuple[str, str], float], job: Job, pre: str) -> None:
    """Count cells at depths where they can have no synapses, unless they are too many to miss."""
    part = job.part
    share = missing.get((part.name, pre), 0.0) + job.share / part.share
    missing[part.name, pre] = share
    if share > _FEW:
        raise KernelError(
            f"LFPykernels finds no finite kernel for {pre} -> {part.name} with the soma at "
            f"{part.approx.populationParameters['loc']:g} µm: most likely the cell has no membrane "
            "there where the positions of synapses are; a wider distribution of synapses, a "
            "smaller spread of the cells' depths or another cell would be right"
        )


def _warn_of_charges(charges: Mapping[tuple[str, str], float], dt: float) -> None:
    """What is missing of the charge of short synapses, or too much, if it is worth knowing."""
    wrong = {pathway: taken for pathway, taken in charges.items() if abs(taken - 1) >= NOTICED}
    if not wrong:
        return
    (y, x), worst = max(wrong.items(), key=lambda item: abs(item[1] - 1))
    warnings.warn(
        f"steps of {dt:g} ms do not take the charge of the synapses of {len(wrong)} of "
        f"{len(charges)} pathways as it is, that of {x} -> {y} as {worst:.3f} of it, and kernels "
        f"are as much too {'small' if worst < 1 else 'large'}: correct_charge=True divides them by "
        "it; a smaller dt also corrects their time course",
        stacklevel=3,
    )


# ---------------------------------------------------------------------- where they came from
def _provenance(
    parameters: Mapping[str, Any], populations: Mapping[str, Any], probes: Iterable[Any]
) -> dict[str, Any]:
    versions = {name: package_version(name) for name in (TOOL, "LFPykit", "LFPy", "neuron")}
    return {
        "tool": TOOL,
        "version": versions[TOOL],
        "versions": versions,
        "parameters": {
            **plain(parameters),
            "populations": {name: _described(given) for name, given in populations.items()},
            "probes": {type(probe).__name__: plain(vars(probe)) for probe in probes},
        },
    }


def _described(given: Any) -> Any:
    """An approximation, or the cell types of a population."""
    if not isinstance(given, Mapping):
        return plain(vars(given))
    return {
        name: {
            "share": kind.share,
            "synapses": plain(dict(kind.synapses or {})),
            "approximation": plain(vars(kind.approximation)),
        }
        for name, kind in given.items()
    }
