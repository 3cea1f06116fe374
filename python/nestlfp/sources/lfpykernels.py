"""Kernels from LFPykernels: one multicompartment cell stands for each postsynaptic population.

LFPykernels (Hagen et al. 2022) takes a cell that represents a whole postsynaptic population,
linearizes its synapses around an expected potential, spreads the synapses of one presynaptic
population over it as the network's statistics say, activates them once, and predicts the
signal. Blurred by the distributions of delays and of cell positions, this is the kernel.

`compute` runs this for every pathway of a network; `from_dictionary`, which is
`KernelSet.from_lfpykernels`, takes what others ran.
"""

from __future__ import annotations

import copy
import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from .._types import Floats
from ..errors import KernelError
from ..extras import require
from ..grid import step
from ..kernels import KernelSet, check_name
from ..kernels.checks import positive_ms
from ..kernels.lfpykernels_dictionary import of_probes, signal_names, stacked
from ._provenance import package_version, plain

TOOL = "LFPykernels"
EXTRA = "lfpykernels"

_SHARP = 3.0  # µm, for sigma_z of probes that shall not blur, and cannot divide by 0

from_dictionary = KernelSet.from_lfpykernels


def compute(
    approximations: Mapping[str, Any] | Iterable[Any],
    probes: Iterable[Any],
    *,
    dt: float = 2**-4,
    Vrest: float | Sequence[float] | Mapping[str, Any] = -65.0,
    t_X: float = 200.0,
    tau: float = 50.0,
    g_eff: bool = True,
    depths: int = 1,
    names: Mapping[str, str] | None = None,
    units: Mapping[str, str] | None = None,
    progress: bool = True,
    provenance: Mapping[str, Any] | None = None,
) -> KernelSet:
    """All kernels of a network, from one `lfpykernels.KernelApprox` per population.

    Parameters
    ----------
    approximations : dict of str to lfpykernels.KernelApprox, or iterable of them
        One for each postsynaptic population, by its name; without names each is called as its
        attribute `Y` says. All must have the same presynaptic populations `X`.
    probes : iterable of probe objects
        Forward models made with ``cell=None``, each of another class, for instance
        ``lfpykernels.GaussCylinderPotential(None, z=z, R=150.0, sigma_z=75.0)``.
    dt : float
        Time step of the cells and distance of two lags (ms): a power of two.
    Vrest : float, list of float, or dict of str to either
        Potential (mV) that synapses are linearized around: of all compartments, or of each;
        or that of each postsynaptic population by name.
    t_X : float
        Time of the presynaptic spike (ms), after which the cell is simulated for `tau`.
    tau : float
        Last lag (ms).
    g_eff : bool
        Count the synapses' mean conductance to the membrane's leak.
    depths : int
        Number of depths for which the cells are computed. With 1, LFPykernels' own way: the cell
        stands at the populations' mean depth, and probes blur what it gives by their `sigma_z`.
        With more, kernels are averaged over cells at so many depths (Gauss-Hermite quadrature of
        the normal distribution in `populationParameters`), and nothing is blurred; 15 are plenty.
        It takes so many times as long, and comes closer to the full calculation: see Notes.
    names, units : dict of str to str, optional
        Signals by probe class and units by signal; see `from_dictionary`.
    progress : bool
        Show a progress bar, a step for each pathway.
    provenance : dict, optional
        JSON-compatible values to keep beside the versions and parameters used.

    Returns
    -------
    KernelSet
        Lags dt, 2 dt, ..., tau. Potentials in mV, current dipole moments in nA µm, each the
        response to one presynaptic spike.

    Raises
    ------
    MissingExtraError
        Without the packages of the extra ``nestlfp[lfpykernels]``.
    KernelError
        If times are off LFPykernels' grid, populations disagree, a NEURON mechanism is not
        loaded, `depths` is no positive integer, or LFPykernels fails on a pathway.

    Notes
    -----
    For conductance-based synapses LFPykernels needs a current-based twin of the synapse, named
    ``<syntype>I``. `Exp2SynI` comes with nestlfp: ``nestlfp.sources.mechanisms.load()``; others
    are compiled and loaded by ``mechanisms.load(folder)``.

    The one cell at the mean depth has its synapses spread further than they are, by the spread of
    the cells' depths, which is right relative to the cell. The probe's blur then spreads synaptic
    currents by that once more, which makes potentials near the somata too small (by a fifth in
    docs/validation.md, where those with ``depths=15`` are as good as measured kernels).

    NEURON integrates the cell in fixed steps, for which kernels come about one dt late; this
    error vanishes with dt.

    References
    ----------
    Hagen et al. (2022) Brain signal predictions from multi-scale networks using a linearized
    framework. PLoS Comput Biol 18(8): e1010353.

    Examples
    --------
    >>> import numpy as np
    >>> from lfpykernels import (GaussCylinderPotential, KernelApprox,
    ...                          KernelApproxCurrentDipoleMoment)
    >>> from nestlfp.sources import lfpykernels
    >>> approximations = {"E": KernelApprox(X=["E", "I"], Y="E", ...),   # doctest: +SKIP
    ...                   "I": KernelApprox(X=["E", "I"], Y="I", ...)}
    >>> probes = [GaussCylinderPotential(None, z=np.linspace(1000.0, -200.0, 13)),
    ...           KernelApproxCurrentDipoleMoment(None)]                 # doctest: +SKIP
    >>> kernels = lfpykernels.compute(approximations, probes)            # doctest: +SKIP
    """
    require("lfpykernels", EXTRA)
    _check_times(dt, t_X, tau)
    # Copies, for get_kernel leaves its last cell in the approximation.
    populations = {name: copy.copy(approx) for name, approx in _by_name(approximations)}
    models = [copy.copy(probe) for probe in probes]
    kinds = [type(model).__name__ for model in models]
    if not models or len(set(kinds)) < len(kinds):
        raise KernelError(f"probes must be one or more, each of another class, found {kinds}")
    signal_names(kinds, names or {})  # complain before an hour of cells, not after
    post, pre = list(populations), _common_pre(populations)
    potentials = {name: _potential(Vrest, name) for name in post}
    for approx in populations.values():
        _check_mechanisms(approx)

    arrays: dict[str, Floats] = {}
    standings = _standings(populations, models, depths)
    with _bar(len(standings) * len(post) * len(pre), progress) as bar:
        for share, cells, forward in standings:
            pathways = {}
            for y, x in itertools.product(post, pre):
                bar.set_postfix_str(f"{x} -> {y}")
                pathways[y, x] = _get_kernel(
                    cells[y], y, x, probes=forward, Vrest=potentials[y], dt=dt, t_X=t_X, tau=tau,
                    g_eff=g_eff,
                )  # fmt: skip
                cells[y].cell = None  # or its sections stay in NEURON
                bar.update()
            for probe, array in stacked(pathways, post, pre).items():
                arrays[probe] = arrays.get(probe, 0.0) + share * array
    parameters = {
        "dt_ms": dt, "Vrest_mV": potentials, "t_X_ms": t_X, "tau_ms": tau, "g_eff": g_eff,
        "depths": depths,
    }  # fmt: skip
    dataset = of_probes(
        arrays,
        post=post,
        pre=pre,
        dt=dt,
        names=names,
        units=units,
        positions=None,
        probes=models,
        provenance=_provenance(parameters, populations, models) | dict(provenance or {}),
    )
    return KernelSet(dataset)


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
    for name, approx in pairs:
        if not callable(getattr(approx, "get_kernel", None)):
            raise KernelError(
                f"the approximation of {name!r} must be a lfpykernels.KernelApprox, "
                f"found {type(approx).__name__}"
            )
        check_name(name, "a postsynaptic population")
    posts = [name for name, _ in pairs]
    if len(set(posts)) < len(posts):
        raise KernelError(f"postsynaptic populations must differ from each other, found {posts}")
    return pairs


def _common_pre(populations: Mapping[str, Any]) -> list[str]:
    every = {name: [str(x) for x in approx.X] for name, approx in populations.items()}
    pre = list(dict.fromkeys(x for names in every.values() for x in names))
    missing = [f"{y}:{x}" for y in every for x in pre if x not in every[y]]
    if missing:
        raise KernelError(
            f"approximations are missing for the pathways POST:PRE {missing}; where populations "
            "are not connected, list them in X with a connection probability of 0"
        )
    return pre


def _potential(given: Any, post: str) -> Any:
    if not isinstance(given, Mapping):
        return given
    if post not in given:
        raise KernelError(f"Vrest has no potential for population {post!r}, only {list(given)}")
    return given[post]


def _check_mechanisms(approx: Any) -> None:
    """LFPy would only say that NEURON has no such attribute."""
    neuron = require("neuron", EXTRA)
    if not approx.conductance_based:
        return
    for parameters in approx.synapseParameters:
        mechanism = f"{parameters['syntype']}I"
        if not hasattr(neuron.h, mechanism):
            raise KernelError(
                f"NEURON has no mechanism {mechanism!r}, the current-based twin that LFPykernels "
                f"needs of {parameters['syntype']}: load it with "
                "nestlfp.sources.mechanisms.load(), which brings Exp2SynI, or compile your own "
                "with mechanisms.load(folder)"
            )


def _get_kernel(approx: Any, post: str, pre: str, **options: Any) -> dict[str, Floats]:
    try:
        return dict(approx.get_kernel(X=pre, fir=True, **options))
    except Exception as error:  # assertions, plain Exceptions and NEURON's own alike
        raise KernelError(f"LFPykernels failed for {pre} -> {post}: {error}") from error


def _standings(
    populations: Mapping[str, Any], models: Sequence[Any], depths: int
) -> list[tuple[float, dict[str, Any], list[Any]]]:
    """Cells to compute, the probes that see them, and their share in the kernels."""
    if not isinstance(depths, int | np.integer) or depths < 1:
        raise KernelError(f"depths must be an integer of at least 1, found {depths!r}")
    if depths == 1:
        return [(1.0, dict(populations), list(models))]
    sharp = [_changed(m, sigma_z=_SHARP) if hasattr(m, "sigma_z") else m for m in models]
    nodes, shares = np.polynomial.hermite_e.hermegauss(depths)

    def at(node: float, approx: Any) -> Any:
        column = approx.populationParameters
        depth = column["loc"] + column["scale"] * node
        return _changed(approx, populationParameters={**column, "loc": depth, "scale": 0.0})

    return [
        (share, {name: at(node, approx) for name, approx in populations.items()}, sharp)
        for node, share in zip(nodes, shares / shares.sum(), strict=True)
    ]


def _changed(given: Any, **attributes: Any) -> Any:
    changed = copy.copy(given)
    for name, value in attributes.items():
        setattr(changed, name, value)
    return changed


def _bar(total: int, progress: bool) -> Any:
    from tqdm.auto import tqdm

    return tqdm(total=total, desc="kernels", unit="pathway", disable=not progress)


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
            "populations": {name: plain(vars(approx)) for name, approx in populations.items()},
            "probes": {type(probe).__name__: plain(vars(probe)) for probe in probes},
        },
    }
