"""Signals and kernels from replayed spikes: what the hybrid scheme is for."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from ... import geometry
from ..._types import Floats
from ...errors import NetworkError
from ...grid import step
from ...kernels import AXES, KernelSet, by_dims, channel_dim
from .._provenance import package_version, plain
from .cells import Column, Population, Synapses
from .network import Network
from .probes import Probes, bodies, channel_count, contacts, named
from .replay import responses
from .response import METHODS, Task


def signals(
    network: Network,
    populations: Mapping[str, Population],
    probes: Probes,
    duration: float,
    *,
    by: str | Iterable[str] = (),
    method: str = "simulate",
    seed: int = 1,
    correct_charge: bool = False,
    processes: int | None = None,
    progress: bool = True,
) -> xr.Dataset:
    """The signal of a network's recorded spikes, calculated cell by cell.

    Parameters
    ----------
    network : Network
        Connections and spikes.
    populations : dict of str to Population
        The populations that have cells. The signal is that of their transmembrane currents.
    probes : sequence or dict of LFPykit models
        Models such as ``lfpykit.LineSourcePotential(cell=None, x, y, z, sigma)`` ("LFP", mV) and
        ``lfpykit.CurrentDipoleMoment(cell=None)`` ("CDM", nA µm); a dictionary names the signals.
    duration : float
        Length of the signal (ms).
    by : {"pre", "post"} or both, optional
        Keep the contributions of these populations apart. Apart by "pre", each cell is simulated
        once for each presynaptic population.
    method : {"simulate", "superpose"}
        Simulate each cell with all its synapses in NEURON, or superpose simulated responses to
        single activations of each segment. The results agree to 1e-8 of the peak; superposing
        is the faster the fewer spikes there are, and takes memory in the square of the segments.
        It is not possible, nor is ``by="pre"``, with synapses that are conductances, whose signals
        do not add up.
    seed : int
        Of positions and synapses.
    correct_charge : bool
        NEURON's steps of the network's resolution change the charge of short synapses: a current of
        0.5 ms that begins with a jump passes 1.103 of it at 0.1 ms, one that rises in two steps
        0.903. With this, each synapse passes the charge that it should, and signals compare with
        kernels of ``compute(..., correct_charge=True)``.
    processes : int, optional
        How many to use. Default: one per core. They do not change the result. With 0, cells are
        simulated in the calling process, whose own sections in NEURON are deleted.
    progress : bool
        Show a progress bar.

    Returns
    -------
    xarray.Dataset
        As `KernelSet.convolve` returns it.
    """
    how: dict[str, Any] = dict(
        method=method, seed=seed, correct_charge=correct_charge, processes=processes,
        progress=progress,
    )  # fmt: skip
    keep = by_dims(by)
    if method != "simulate" or "pre" in keep:
        _check_linear(
            populations, 'only signals(..., method="simulate"), not apart by "pre", has them'
        )
    n = step(duration, network.dt, "duration", NetworkError)
    groups = [[name] for name in network.sizes] if "pre" in keep else [list(network.sizes)]
    rows = [{name: _trains(network, name) for name in group} for group in groups]
    replayed = _replay(network, populations, probes, rows, n, **how)

    # An empty signal of a kernel set with these channels has the layout that convolve gives.
    ones = {name: np.ones_like(data[..., :1]) for name, data in replayed.items()}
    pre = list(network.sizes) if "pre" in keep else ["all"]
    source = _provenance(populations, method, seed, correct_charge)
    kernel = _kernel_set(ones, probes, pre, list(populations), network.dt, source)
    result = kernel.convolve({}, n * network.dt, by=keep)
    for name, data in replayed.items():
        summed = data if "post" in keep else data.sum(axis=0, keepdims=True)
        result[name].values = summed.reshape(result[name].shape)
    return result


def kernels(
    network: Network,
    populations: Mapping[str, Population],
    probes: Probes,
    tau: float = 50.0,
    *,
    method: str = "simulate",
    seed: int = 1,
    correct_charge: bool = False,
    processes: int | None = None,
    progress: bool = True,
) -> KernelSet:
    """Kernels measured by letting every neuron of a population spike at the same time.

    The kernel of population X through population Y is the signal of Y's cells after a
    synchronous spike of all neurons of X, divided by their number (Skaar et al. 2020, PLoS
    Comput Biol 16(3): e1007725, Eq. 10): the mean of the kernels of X's neurons.

    Parameters
    ----------
    network : Network
        Connections; its spikes are not used.
    populations, probes
        As in `signals`.
    tau : float
        Longest lag (ms).
    method, seed, correct_charge, processes, progress
        As in `signals`.

    Returns
    -------
    KernelSet
        With lags dt, 2 dt, ..., `tau` at the network's resolution.
    """
    _check_linear(populations, _LINEARIZED)
    how: dict[str, Any] = dict(
        method=method, seed=seed, correct_charge=correct_charge, processes=processes,
        progress=progress,
    )  # fmt: skip
    n = step(tau, network.dt, "tau", NetworkError)
    rows = [{name: {i: np.zeros(1) for i in range(network.sizes[name])}} for name in network.sizes]
    replayed = _replay(network, populations, probes, rows, n, **how)
    sizes = np.array(list(network.sizes.values()), dtype=float)
    means = {name: data / sizes[:, None, None] for name, data in replayed.items()}
    source = _provenance(populations, method, seed, correct_charge)
    measured = _kernel_set(
        means, probes, list(network.sizes), list(populations), network.dt, source
    )
    columns = {name: p.positions for name, p in populations.items()}
    cylinders = {
        name: geometry.Cylinder.of_normal_depths(c.radius, c.loc, c.scale)
        for name, c in columns.items()
        if isinstance(c, Column)
    }
    return geometry.with_geometry(measured, cylinders) if cylinders else measured


def single_kernels(
    network: Network,
    populations: Mapping[str, Population],
    probes: Probes,
    pre: str,
    tau: float = 50.0,
    *,
    neurons: ArrayLike | None = None,
    method: str = "simulate",
    seed: int = 1,
    correct_charge: bool = False,
    processes: int | None = None,
    progress: bool = True,
) -> xr.Dataset:
    """The kernel of each single neuron of a population, through all cells together.

    Their mean is the population's kernel; their spread is what a population kernel leaves out.

    Parameters
    ----------
    network, populations, probes
        As in `kernels`.
    pre : str
        Presynaptic population.
    tau : float
        Longest lag (ms).
    neurons : array of int, optional
        Indices of the neurons within `pre`. Default: all of them.
    method, seed, correct_charge, processes, progress
        As in `kernels`.

    Returns
    -------
    xarray.Dataset
        A variable per signal with dimensions ``(neuron, <signal>_channel, lag)``;
        `nestlfp.NeuronKernels.from_single` makes modes of them.
    """
    _check_linear(populations, _LINEARIZED)
    network.check_population(pre)
    wanted = np.arange(network.sizes[pre]) if neurons is None else np.atleast_1d(neurons)
    network.check_indices(pre, wanted, "kernels")
    how: dict[str, Any] = dict(
        method=method, seed=seed, correct_charge=correct_charge, processes=processes,
        progress=progress,
    )  # fmt: skip
    n = step(tau, network.dt, "tau", NetworkError)
    rows = [{pre: {int(i): np.zeros(1)}} for i in wanted]
    replayed = _replay(network, populations, probes, rows, n, **how)
    # A kernel set with these channels has their labels and positions.
    ones = {name: np.ones_like(data[:, :1]) for name, data in replayed.items()}
    source = _provenance(populations, method, seed, correct_charge)
    labels = _kernel_set(ones, probes, [pre], list(populations), network.dt, source).dataset
    result = labels.drop_vars(list(replayed)).drop_vars(["pre", "post"])
    result = result.assign_coords(neuron=wanted)
    for name, data in replayed.items():
        dims = ("neuron", channel_dim(name), "lag")
        result[name] = (dims, data.sum(axis=0), labels[name].attrs)
    return result


_LINEARIZED = (
    "kernels of a linearization are those of nestlfp.sources.lfpykernels.compute(..., g_eff=True, "
    "Vrest=...), or measure them with currents: Synapses(..., nA_per_pA=...) without reversal"
)


def _check_linear(populations: Mapping[str, Population], remedy: str) -> None:
    """A `NetworkError` where synapses are conductances, whose signals do not add up."""
    for post, population in populations.items():
        for pre, kind in population.synapses.items():
            if kind.reversal is not None:
                raise NetworkError(
                    f"synapses of {pre!r} on {post!r} are conductances (reversal = "
                    f"{kind.reversal:g} mV), whose signals do not add up: {remedy}"
                )


# ---------------------------------------------------------------------- results
def _kernel_set(
    arrays: Mapping[str, Floats],
    probes: Probes,
    pre: Sequence[str],
    post: Sequence[str],
    dt: float,
    source: Mapping[str, Any],
) -> KernelSet:
    models = named(probes)
    channels = {name: AXES for name, (_, unit) in models.items() if unit == "nA µm"}
    places = {name: contacts(probe) for name, (probe, _) in models.items()}
    return KernelSet.from_arrays(
        arrays,
        pre=pre,
        post=post,
        dt=dt,
        units={name: unit for name, (_, unit) in models.items()},
        channels=channels,
        positions={name: where for name, where in places.items() if where is not None},
        provenance=source,
    )


def _provenance(
    populations: Mapping[str, Population], method: str, seed: int, correct_charge: bool
) -> dict[str, Any]:
    """How a signal or kernel was calculated, in JSON's terms."""
    described = {
        name: {
            "cell": population.cell,
            "positions": vars(population.positions)
            if isinstance(population.positions, Column)
            else f"{len(np.asarray(population.positions))} given",
            "synapses": {pre: _described(kind) for pre, kind in population.synapses.items()},
        }
        for name, population in populations.items()
    }
    return {
        "tool": "nestlfp.sources.hybrid",
        "versions": {name: package_version(name) for name in ("LFPy", "LFPykit", "neuron")},
        "parameters": {
            "method": method,
            "seed": seed,
            "correct_charge": correct_charge,
            "populations": plain(described),
        },
    }


def _described(kind: Synapses) -> dict[str, Any]:
    """Parameters of synapses; distributions by name and arguments."""

    def distribution(given: Any) -> Any:
        if isinstance(given, int | np.integer):
            return int(given)
        return {"name": given.dist.name, "args": given.args, **given.kwds}

    depth = [[weight, distribution(density)] for weight, density in kind.depth or ()]
    return {**vars(kind), "depth": depth, "multapses": distribution(kind.multapses)}


# ---------------------------------------------------------------------- replaying spikes
def _trains(network: Network, name: str) -> dict[int, Floats]:
    """Recorded spike times of each neuron of a population that spiked."""
    times, index = network.spikes.get(name, ((), ()))
    if not len(times):
        return {}
    order = np.lexsort((times, index))
    neurons, first = np.unique(index[order], return_index=True)
    return dict(zip(neurons.tolist(), np.split(times[order], first[1:]), strict=True))


def _replay(
    network: Network,
    populations: Mapping[str, Population],
    probes: Probes,
    rows: Sequence[Mapping[str, Mapping[int, Floats]]],
    n_steps: int,
    *,
    method: str,
    seed: int,
    correct_charge: bool,
    processes: int | None,
    progress: bool,
) -> dict[str, Floats]:
    """Signals of all cells for each row of activity, each of shape (post, row, channel, step).

    A row has spike times (ms) of some neurons of some populations, by population and neuron.
    """
    if method not in METHODS:
        raise NetworkError(f"method must be one of {METHODS}, found {method!r}")
    if n_steps < 1:
        raise NetworkError(f"signals must last at least dt = {network.dt:g} ms")
    _check(network, populations)
    models = {name: probe for name, (probe, _) in named(probes).items()}
    if not models:
        raise NetworkError("no probes given")
    used = list(models.values())
    trains: dict[str, dict[int, list[tuple[int, Floats]]]] = {
        name: defaultdict(list) for name in network.sizes
    }
    for number, spiking in enumerate(rows):
        for name, neurons in spiking.items():
            for neuron, times in neurons.items():
                trains[name][neuron].append((number, times))
    task = Task(
        network, populations, used, bodies(used), trains, n_steps, method, seed, correct_charge
    )
    sizes = [channel_count(probe) for probe in models.values()]
    total = np.zeros((len(populations), len(rows), sum(sizes), n_steps))
    for post, by_row in responses(task, processes, progress):
        for row, response in by_row.items():
            total[list(populations).index(post), row] += response
    return dict(zip(models, np.split(total, np.cumsum(sizes)[:-1], axis=2), strict=True))


def _check(network: Network, populations: Mapping[str, Population]) -> None:
    """Whether the cells fit the network."""
    if not populations:
        raise NetworkError("no populations with cells given")
    network.check_population(*populations)
    for post, population in populations.items():
        for pre in network.sizes:
            if (pre, post) in network.connections and pre not in population.synapses:
                raise NetworkError(
                    f"the network connects {pre!r} to {post!r}, but the population {post!r} "
                    f"describes only synapses of {list(population.synapses)}"
                )
        count = network.sizes[post]
        where = population.positions
        if not isinstance(where, Column) and len(np.asarray(where)) != count:
            raise NetworkError(
                f"positions of {post!r} must have shape ({count}, 3), one for each neuron, "
                f"found {np.shape(where)}"
            )
