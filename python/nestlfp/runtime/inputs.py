"""Which neurons are connected to the ports of a filter node, with which weights and lags."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike
from scipy import sparse

from .._types import Floats, Ints
from ..errors import KernelError, NetworkError
from ..kernels import NeuronKernels
from ..kernels.neurons.single_neurons import Weights, checked_weights
from ..simulator import Simulator
from ..simulator.node_models import is_stimulator, stands_for_many
from ..simulator.populations import population_ids


@dataclass(frozen=True)
class Inputs:
    """Whose spikes a `FieldRecorder` or `Trigger` gets, where a dict of populations is too little.

    Parameters
    ----------
    populations : dict of str to nest.NodeCollection
        The neurons of each presynaptic population of the kernels, as a NodeCollection, a list of
        node ids, or a list of both, nested to any depth; None or an empty collection where the
        network has none. A spike_generator may stand for a population (with spike_multiplicities,
        but not with spike_weights, which would scale the kernel); parrot neurons are neurons. Any
        other generator draws other spikes for each of its targets, and is refused: put a
        parrot_neuron between it and each neuron that it drives.
    weights : dict of str to array, optional
        For each neuron of a population the factor of its kernel, in the order of its ids above;
        or one for all. Default: 1. Of a population with several modes (`nestlfp.NeuronKernels`)
        also an array or scipy.sparse array of shape (neuron, mode), in place of the weights that
        the kernels have; or what `nestlfp.out_strengths` returns.
    delays : dict of str to array, optional
        For each neuron of a population a time (ms) by which its kernel starts later, rounded to
        the resolution, in the same order. Default: 0.
    overlap : bool
        Allow a neuron to be in several populations.
    unconnected : bool
        Allow a network without connections. NEST then has no range of delays to keep to, and
        connections made later may find it narrowed to one step.
    synapse_models : dict of str to str, optional
        With several MPI ranks, the synapse model of the connections that a population's neurons
        have in the network, which the recorder's then are of too. Default, also for populations
        left out: ``"static_synapse"``. In one process the recorder has a model of its own, and
        this is not used.

    Examples
    --------
    >>> strengths = nestlfp.out_strengths({"E": E, "I": I})  # doctest: +SKIP
    >>> inputs = nestlfp.Inputs({"E": E, "I": I}, weights=strengths)  # doctest: +SKIP
    >>> recorder = nestlfp.FieldRecorder(kernels, inputs)  # doctest: +SKIP
    """

    populations: Mapping[str, Any]
    weights: Mapping[str, ArrayLike] | None = None
    delays: Mapping[str, ArrayLike] | None = None
    overlap: bool = False
    unconnected: bool = False
    synapse_models: Mapping[str, str] | None = None

    def __post_init__(self) -> None:
        for name in ("overlap", "unconnected"):
            if not isinstance(value := getattr(self, name), bool):
                raise NetworkError(f"{name} must be True or False, found {value!r}")
        models = self.synapse_models
        if models is not None and not isinstance(models, Mapping):
            raise NetworkError(
                f"synapse_models must be a dict such as {{'E': 'static_synapse'}}, found {models!r}"
            )

    @classmethod
    def of(cls, given: Inputs | Mapping[str, Any]) -> Inputs:
        """What was given in place of inputs: populations alone."""
        return given if isinstance(given, Inputs) else cls(given)


@dataclass(frozen=True)
class PortInput:
    """Nodes of one population. A spike that stands for several counts as often as it says.

    Attributes
    ----------
    name : str
        The population.
    ids : ndarray of int, shape (neuron,)
        In the order in which they were given; for a mode, those whose weight is not 0.
    weights : ndarray of float, shape (neuron,)
        Factor of the port's kernel for each.
    lags : ndarray of int, shape (neuron,)
        Steps by which each neuron's kernel starts later.
    everywhere : bool
        Whether the nodes are generators, which live on every virtual process.
    rows : ndarray of int, shape (neuron,), optional
        For a mode, the place of these nodes in the population.
    """

    name: str
    ids: Ints
    weights: Floats
    lags: Ints
    everywhere: bool
    rows: Ints | None = None

    @property
    def weighted(self) -> list[Floats | Ints]:
        """All that identifies these weights."""
        return [self.weights] if self.rows is None else [self.rows, self.weights]


def gather_inputs(
    kernels: NeuronKernels, given: Inputs, *, dt: float, sim: Simulator
) -> tuple[dict[str, Ints], list[PortInput]]:
    """Ids of each population's nodes, and the input of each mode, which is a spike port.

    Raises
    ------
    NetworkError
        If what is given does not fit the kernels' populations and modes.
    """
    populations, weights, delays = given.populations, given.weights, given.delays
    ids = population_ids(list(kernels.populations), populations, sim, given.overlap)
    unordered = [name for name in ids if isinstance(populations[name], set | frozenset)]
    of_modes, of_neurons = _by_mode(weights, kernels, ids)
    factors = _per_neuron(of_neurons, ids, unordered, "weights", default=1.0, sim=sim)
    lags = _per_neuron(delays, ids, unordered, "delays", default=0.0, sim=sim)
    inputs: dict[str, PortInput] = {}
    for name, members in ids.items():
        whole = PortInput(
            name=name,
            ids=members,
            weights=factors[name],
            lags=_lag_steps(lags[name], dt, name),
            everywhere=members.size > 0 and is_stimulator(int(members[0]), sim),
        )
        modes = kernels.populations[name]
        found = of_modes.get(name, kernels.weights.get(name))
        if found is None:
            inputs |= dict.fromkeys(modes, whole)
            continue
        if members.size and name in unordered:
            raise NetworkError(
                f"weights of {name!r} are given for each neuron, but its neurons are a set, which "
                "has no order: give them as a list"
            )
        if members.size and found.shape[0] != members.size:
            if (why := stands_for_many(int(members[0]), sim)) is not None:
                raise NetworkError(
                    f"population {name!r}: {why}, but there are kernels, or weights, of "
                    f"{found.shape[0]} neurons. The population's kernel is that of "
                    "NeuronKernels.mean()"
                )
            raise NetworkError(
                f"population {name!r} has {members.size} neurons, but there are weights of "
                f"{found.shape[0]}"
            )
        inputs |= zip(modes, _of_modes(whole, found), strict=True)
    return ids, [inputs[mode] for mode in kernels.modes.pre]


def _of_modes(whole: PortInput, weights: Weights) -> Iterator[PortInput]:
    """The neurons whose spikes each mode gets, with their weights."""
    columns = weights.tocsc()
    for first, last in pairwise(columns.indptr):
        rows = columns.indices[first:last].astype(np.int64)
        if not whole.ids.size:
            rows = rows[:0]
        yield PortInput(
            name=whole.name,
            ids=whole.ids[rows],
            weights=columns.data[first : first + rows.size] * whole.weights[rows],
            lags=whole.lags[rows],
            everywhere=whole.everywhere,
            rows=rows,
        )


def _by_mode(
    weights: Mapping[str, Any] | None, kernels: NeuronKernels, ids: Mapping[str, Ints]
) -> tuple[dict[str, Weights], Mapping[str, Any] | None]:
    """Weights of each mode, where such are given, and the others, which are left as they are."""
    if not isinstance(weights, Mapping):
        return {}, weights
    found, others = {}, {}
    for name, values in weights.items():
        given = values
        modes = kernels.populations.get(name, ())
        if isinstance(given, xr.DataArray):
            given = _in_order(given, name, modes, ids.get(name, np.zeros(0, np.int64)))
        if len(modes) and (sparse.issparse(given) or (len(modes) > 1 and _has_rows(given))):
            try:
                found[name] = checked_weights(given, len(modes), f"weights of {name!r}")
            except KernelError as error:
                raise NetworkError(str(error)) from None
        else:
            others[name] = given
    return found, others


def _has_rows(given: Any) -> bool:
    try:
        return np.ndim(given) > 1
    except ValueError:  # lists of different lengths
        return False


def _in_order(given: xr.DataArray, name: str, modes: Sequence[str], ids: Ints) -> Any:
    """Values of an array with labels, which are checked."""
    if "node_id" in given.coords and not np.array_equal(given["node_id"].values, ids):
        raise NetworkError(
            f"weights of {name!r} are those of other neurons, or of the same in another order"
        )
    if "post" not in given.dims:
        return given.values
    wanted = [mode.removeprefix(f"{name}/") for mode in modes]
    if sorted(wanted) != sorted(map(str, given["post"].values)):
        raise NetworkError(
            f"weights of {name!r} are given by postsynaptic population, for "
            f"{given['post'].values.tolist()}, but its modes are {list(modes)}: "
            "NeuronKernels.by_pathway makes a mode of each pathway"
        )
    found = given.sel(post=wanted).transpose("neuron", "post").values
    return found[:, 0] if len(modes) == 1 else found


def _lag_steps(delays: Floats, dt: float, name: str) -> Ints:
    late = np.abs(delays) >= 2**53 * dt
    if late.any():
        raise NetworkError(
            f"delays of {name!r} must be times in ms that can be counted in steps of {dt:g} ms, "
            f"found {delays[late][0]:g}"
        )
    return np.rint(delays / dt).astype(np.int64)


def _per_neuron(
    given: Mapping[str, ArrayLike] | None,
    ids: dict[str, Ints],
    unordered: Sequence[str],
    what: str,
    default: float,
    sim: Simulator,
) -> dict[str, Floats]:
    """`given`, checked and filled up: a value for each neuron of each population."""
    given = {} if given is None else given
    if not isinstance(given, Mapping):
        raise NetworkError(
            f"{what} must be a dict such as {{{next(iter(ids))!r}: values}}, found "
            f"{type(given).__name__}"
        )
    unknown = [name for name in given if name not in ids]
    if unknown:
        raise NetworkError(f"{what}: unknown populations {unknown}, expected some of {list(ids)}")
    out = {}
    for name, members in ids.items():
        try:
            values = np.asarray(given.get(name, default))
            # NumPy makes numbers of text, and drops the imaginary part of complex ones.
            if np.ma.is_masked(given.get(name)) or values.dtype.kind not in "biufO":
                raise TypeError
            values = values.astype(float)
        except (TypeError, ValueError):
            raise NetworkError(
                f"{what} of {name!r} must be a number, or one for each neuron, found "
                f"{str(given[name])[:60]!r}"
            ) from None
        if values.ndim and name in unordered:
            raise NetworkError(
                f"{what} of {name!r} are given for each neuron, but its neurons are a set, which "
                "has no order: give them as a list"
            )
        if values.ndim and values.shape != members.shape:
            if members.size and (why := stands_for_many(int(members[0]), sim)) is not None:
                raise NetworkError(
                    f"{what} of {name!r}: {why}: give one number, or one for each of "
                    f"{members.size} nodes, found shape {values.shape}"
                )
            raise NetworkError(
                f"{what} of {name!r} must have one value for each of {members.size} neurons, found "
                f"shape {values.shape}"
            )
        if not np.all(np.isfinite(values)):
            at = int(np.flatnonzero(~np.isfinite(np.atleast_1d(values)))[0])
            raise NetworkError(
                f"{what} of {name!r} must be finite, found {np.atleast_1d(values)[at]} "
                f"(number {at})"
            )
        out[name] = np.array(np.broadcast_to(values, members.shape))
    return out
