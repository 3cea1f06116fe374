"""Kernels from LFPykernels: one multicompartment cell stands for each postsynaptic population.

LFPykernels (Hagen et al. 2022) takes a cell that represents a whole postsynaptic population,
linearizes its synapses around an expected potential, spreads the synapses of one presynaptic
population over it as the network's statistics say, activates them once, and predicts the
signal. Blurred by the distributions of delays and of cell positions, this is the kernel.

`compute` runs this for every pathway of a network; `from_dictionary` takes what others ran.
"""

from __future__ import annotations

import copy
import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import KernelError
from ..extras import require
from ..grid import steps
from ..kernels import AXES, KernelSet, check_name
from ._probes import DIPOLE, PREDICTS
from ._provenance import package_version, plain

TOOL = "LFPykernels"
EXTRA = "lfpykernels"

_SHARP = 3.0  # µm, for sigma_z of probes that shall not blur, and cannot divide by 0
_QUIET = 1e-3  # a half of the lags below this part of the peak is probably not meant as a kernel

Pathway = tuple[str, str]  # (post, pre)


# ---------------------------------------------------------------------- what others computed
def from_dictionary(
    H_YX: Mapping[str, Mapping[str, ArrayLike]],
    *,
    dt: float,
    names: Mapping[str, str] | None = None,
    units: Mapping[str, str] | None = None,
    positions: Mapping[str, ArrayLike] | None = None,
    probes: Iterable[Any] | None = None,
    fir: bool | None = None,
    provenance: Mapping[str, Any] | None = None,
) -> KernelSet:
    """Kernels from the dictionary that users of LFPykernels have.

    Parameters
    ----------
    H_YX : dict of str to dict of str to array, shape (channel, lag)
        Kernels by pathway ``"POST:PRE"`` and by the name of the probe's class, as
        ``KernelApprox.get_kernel`` returns them, for every pair of populations. Potentials in
        mV, current dipole moments in nA µm.
    dt : float
        Distance of two lags (ms).
    names : dict of str to str, optional
        Signal to make of a probe class. Default: "LFP" of the potential probes of LFPykit and
        LFPykernels, "CDM" of their dipole probes.
    units : dict of str to str, optional
        Unit of a signal. Needed for signals of other probe classes. Default: "mV" and "nA µm".
    positions : dict of str to array, shape (channel,) or (channel, 3), optional
        Contact positions (µm) of a signal: depths z where x = y = 0, or x, y, z.
    probes : iterable of probe objects, optional
        The probes behind the kernels, to take contact positions from.
    fir : bool, optional
        Whether the lags are dt, 2 dt, ..., tau (``get_kernel(..., fir=True)``), or -tau, ...,
        tau, of which those above 0 are kept. Default: found from the values, which are zero
        at the lags up to 0 of the symmetric form.
    provenance : dict, optional
        What made the kernels: JSON-compatible values, kept with the file.

    Returns
    -------
    KernelSet
        Signals with dimensions (post, pre, channel, lag), lags dt, ..., tau.

    Raises
    ------
    KernelError
        If a key is no "POST:PRE", pathways are missing, probes or shapes differ between
        pathways, a probe class is unknown, the form of the lags cannot be told, or values
        are not finite.

    Notes
    -----
    LFPykernels 0.2 is right only where dt is a power of two, such as 2**-4 ms. At dt = 0.1 ms
    its grid of delays loses a sample to rounding and the kernels come a step or so late,
    which nobody can see from the values: compute at 2**-4 ms and use `KernelSet.resample`.

    References
    ----------
    Hagen et al. (2022) Brain signal predictions from multi-scale networks using a linearized
    framework. PLoS Comput Biol 18(8): e1010353.

    Examples
    --------
    >>> import numpy as np
    >>> from nestlfp import KernelSet
    >>> response = np.exp(-np.arange(1, 51) / 10) * np.ones((2, 1)) * 1e-6
    >>> kernels = KernelSet.from_lfpykernels(
    ...     {"E:E": {"GaussCylinderPotential": response}},
    ...     dt=0.5, positions={"LFP": [0.0, 100.0]},
    ... )
    >>> kernels["LFP"].dims, kernels["LFP"].attrs["units"]
    (('post', 'pre', 'LFP_channel', 'lag'), 'mV')
    """
    if not (np.isfinite(dt) and dt > 0):
        raise KernelError(f"dt must be a positive number of ms, found {dt!r}")
    if not H_YX:
        raise KernelError("no kernels in the dictionary of LFPykernels")
    pathways = {_pathway(key): H_YX[key] for key in H_YX}
    post = list(dict.fromkeys(y for y, _ in pathways))
    pre = list(dict.fromkeys(x for _, x in pathways))
    arrays = _stacked(pathways, post, pre)
    if not (fir if fir is not None else _is_fir(arrays)):
        arrays = _positive_lags(arrays)
    return _kernel_set(
        arrays,
        post=post,
        pre=pre,
        dt=dt,
        names=names,
        units=units,
        positions=positions,
        probes=probes,
        provenance={"tool": TOOL, **(provenance or {})},
    )


def _pathway(key: Any) -> Pathway:
    parts = key.split(":") if isinstance(key, str) else []
    if len(parts) != 2 or not all(part.strip() for part in parts):
        raise KernelError(f"keys must be pathways 'POST:PRE' such as 'E:I', found {key!r}")
    post, pre = (check_name(part, "a population") for part in parts)
    return post, pre


def _stacked(
    pathways: Mapping[Pathway, Mapping[str, ArrayLike]], post: Sequence[str], pre: Sequence[str]
) -> dict[str, NDArray[Any]]:
    """An array (post, pre, channel, lag) for each probe, all pathways together."""
    missing = [f"{y}:{x}" for y in post for x in pre if (y, x) not in pathways]
    if missing:
        raise KernelError(
            f"kernels are missing for the pathways POST:PRE {missing}; "
            "a pathway without connections needs kernels of zeros"
        )
    first, wanted = next(iter(pathways.items()))
    if not wanted:
        raise KernelError(f"no probe in pathway '{_label(first)}'")
    found = {}
    for pathway, probes in pathways.items():
        if set(probes) != set(wanted):
            raise KernelError(
                f"pathways must have the same probes: '{_label(first)}' has {sorted(wanted)}, "
                f"'{_label(pathway)}' has {sorted(probes)}"
            )
        for probe, values in probes.items():
            found[pathway, probe] = _checked(values, f"{probe} of pathway '{_label(pathway)}'")
    n_lags = found[first, next(iter(wanted))].shape[1]
    for (pathway, probe), array in found.items():
        shape = (found[first, probe].shape[0], n_lags)
        if array.shape != shape:
            raise KernelError(
                f"shapes disagree: {probe} of pathway '{_label(pathway)}' has shape "
                f"{array.shape}, where '{_label(first)}' says {shape} (channel, lag)"
            )
    return {
        probe: np.stack([np.stack([found[(y, x), probe] for x in pre]) for y in post])
        for probe in wanted
    }


def _checked(values: ArrayLike, what: str) -> NDArray[Any]:
    try:
        array = np.array(values, dtype=float)
    except (TypeError, ValueError) as error:
        raise KernelError(f"{what} is no array of numbers: {error}") from error
    if array.ndim != 2 or array.size == 0:
        raise KernelError(f"{what} must have shape (channel, lag), found {array.shape}")
    bad = np.argwhere(~np.isfinite(array))
    if bad.size:
        channel, lag = bad[0]
        raise KernelError(
            f"{what} is not finite: {array[channel, lag]} at channel {channel}, sample {lag}"
        )
    return array


def _label(pathway: Pathway) -> str:
    return ":".join(pathway)


# ---------------------------------------------------------------------- the two forms of lags
def _is_fir(arrays: Mapping[str, NDArray[Any]]) -> bool:
    """Whether the lags are dt ... tau rather than -tau ... tau, told from the values.

    A wrong guess would shift every signal by tau, so that doubtful cases are errors.
    """
    n_lags = next(iter(arrays.values())).shape[-1]
    until_zero = (n_lags + 1) // 2
    early = [np.abs(array[..., :until_zero]).max() for array in arrays.values()]
    peaks = [np.abs(array).max() for array in arrays.values()]
    if all(peak == 0 for peak in peaks):
        return True  # rejected for being zero, whatever the form
    if any(e > _QUIET * peak for e, peak in zip(early, peaks, strict=True)):
        return True
    if n_lags % 2 == 1 and not any(early):
        return False
    raise KernelError(
        f"of {n_lags} lags the first {until_zero} are (nearly) zero: say fir=True if they are "
        "dt, 2 dt, ..., tau; the form -tau ... tau has an odd number of lags, and zeros at all "
        "those up to 0"
    )


def _positive_lags(arrays: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """The lags dt ... tau of kernels given at -tau ... tau."""
    n_lags = next(iter(arrays.values())).shape[-1]
    if n_lags % 2 == 0 or n_lags < 3:
        raise KernelError(
            f"lags -tau ... tau (fir=False) must be an odd number of at least 3, found {n_lags}"
        )
    until_zero = (n_lags + 1) // 2
    for probe, array in arrays.items():
        if np.any(array[..., :until_zero]):
            raise KernelError(
                f"{probe} is not zero at lags up to 0 (the first {until_zero} of {n_lags}): "
                "a signal would come before its spike; or are the lags dt ... tau (fir=True)?"
            )
    return {probe: array[..., until_zero:] for probe, array in arrays.items()}


# ---------------------------------------------------------------------- labels
def _kernel_set(
    arrays: Mapping[str, NDArray[Any]],
    *,
    post: Sequence[str],
    pre: Sequence[str],
    dt: float,
    names: Mapping[str, str] | None,
    units: Mapping[str, str] | None,
    positions: Mapping[str, ArrayLike] | None,
    probes: Iterable[Any] | None,
    provenance: Mapping[str, Any],
) -> KernelSet:
    """Arrays by probe class become signals with units, channels and positions."""
    signal_of = _signals(arrays, names or {})
    all_units = {
        signal: PREDICTS[probe][1] for probe, signal in signal_of.items() if probe in PREDICTS
    } | dict(units or {})
    for probe, signal in signal_of.items():
        if signal not in all_units:
            raise KernelError(
                f"signal {signal!r} of the unknown probe {probe!r} has no unit: add it to "
                "units={...}"
            )
    places = _probe_positions(probes or (), signal_of)
    places |= {signal: _xyz(signal, given) for signal, given in (positions or {}).items()}
    channels = {}
    for probe, signal in signal_of.items():
        if PREDICTS.get(probe) == DIPOLE:
            if arrays[probe].shape[2] != 3:
                raise KernelError(
                    f"{probe} must have the 3 channels x, y, z, found {arrays[probe].shape[2]}"
                )
            channels[signal] = AXES
    return KernelSet.from_arrays(
        {signal: arrays[probe] for probe, signal in signal_of.items()},
        pre=pre,
        post=post,
        dt=dt,
        units=all_units,
        channels=channels,
        positions=places,
        provenance=provenance,
    )


def _signals(probes: Iterable[str], names: Mapping[str, str]) -> dict[str, str]:
    """The signal that each probe class becomes."""
    probes = list(probes)
    unknown = sorted(set(names) - set(probes))
    if unknown:
        raise KernelError(f"names given for {unknown}, but the probes are {probes}")
    signal_of: dict[str, str] = {}
    for probe in probes:
        if probe not in names and probe not in PREDICTS:
            raise KernelError(
                f"unknown probe {probe!r}: say what it predicts with "
                f"names={{{probe!r}: <signal>}} and units={{<signal>: <unit>}}; "
                f"known are {sorted(PREDICTS)}"
            )
        signal = names[probe] if probe in names else PREDICTS[probe][0]
        taken = [other for other, name in signal_of.items() if name == signal]
        if taken:
            raise KernelError(
                f"{taken[0]} and {probe} would both become signal {signal!r}: rename one with "
                "names={...}"
            )
        signal_of[probe] = signal
    return signal_of


def _probe_positions(
    probes: Iterable[Any], signal_of: Mapping[str, str]
) -> dict[str, NDArray[Any]]:
    places = {}
    for probe in probes:
        name = type(probe).__name__
        if name not in signal_of:
            raise KernelError(
                f"probe {name!r} is not among the kernels', which are {sorted(signal_of)}"
            )
        if getattr(probe, "z", None) is not None:
            z = np.ravel(probe.z)
            x, y = (np.ravel(getattr(probe, axis, np.zeros_like(z))) for axis in "xy")
            places[signal_of[name]] = np.column_stack(np.broadcast_arrays(x, y, z))
    return places


def _xyz(signal: str, given: ArrayLike) -> NDArray[Any]:
    try:
        array = np.array(given, dtype=float)
    except (TypeError, ValueError) as error:
        raise KernelError(f"positions of {signal!r} are no numbers: {error}") from error
    if array.ndim == 1:  # depths alone
        array = np.column_stack([np.zeros((array.size, 2)), array])
    return array


# ---------------------------------------------------------------------- computing a whole set
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
    ``<syntype>I``, such as `Exp2SynI`: compile it with nrnivmodl and load it with
    ``neuron.load_mechanisms``. `examples/two_population` does both.

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
    _signals(kinds, names or {})  # complain before an hour of cells, not after
    post, pre = list(populations), _common_pre(populations)
    potentials = {name: _potential(Vrest, name) for name in post}
    for approx in populations.values():
        _check_mechanisms(approx)

    arrays: dict[str, NDArray[Any]] = {}
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
            for probe, array in _stacked(pathways, post, pre).items():
                arrays[probe] = arrays.get(probe, 0.0) + share * array
    parameters = {
        "dt_ms": dt, "Vrest_mV": potentials, "t_X_ms": t_X, "tau_ms": tau, "g_eff": g_eff,
        "depths": depths,
    }  # fmt: skip
    return _kernel_set(
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


def _check_times(dt: float, t_X: float, tau: float) -> None:
    """Times must be exact in binary, as LFPykernels 0.2 rounds its grids by floor division."""
    if not (np.isfinite(dt) and dt > 0):
        raise KernelError(f"dt must be a positive number of ms, found {dt!r}")
    if math.frexp(dt)[0] != 0.5:
        near = 2.0 ** math.floor(math.log2(dt))
        raise KernelError(
            f"dt must be a power of two, found {dt:g} ms, at which rounding makes LFPykernels "
            f"place kernels a step late: compute at {near:g} ms and resample({dt:g})"
        )
    for what, time in (("t_X", t_X), ("tau", tau)):
        if int(steps(time, dt, what, KernelError)) < 1:
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
                f"needs of {parameters['syntype']}: compile it with nrnivmodl and load it with "
                "neuron.load_mechanisms(folder)"
            )


def _get_kernel(approx: Any, post: str, pre: str, **options: Any) -> dict[str, NDArray[Any]]:
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
