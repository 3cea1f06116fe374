"""Signals that follow plastic synapses: strengths are read again, and connections set to them.

A pathway's kernel stands for a strength, the summed weight of a neuron's connections onto the
postsynaptic population. The weight of the recorder's connections is the strength now over that.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from .._types import Floats, Ints
from ..errors import KernelError, NetworkError
from ..grid import step_or_none
from ..kernels import KernelSet, NeuronKernels
from ..kernels.names import chosen
from ..nodes.bank import FilterBank, modes_of
from ..simulator import Simulator
from ..simulator.node_models import is_stimulator, stands_for_many
from ..simulator.populations import population_ids
from .connection_plan import ConnectionPlan
from .inputs import Inputs, PortInput
from .wiring import Made, set_weights

_LOOKED_AT = 50  # neurons of a population whose synapse models are looked at


@dataclass(frozen=True)
class Plasticity:
    """How a `FieldRecorder` follows synapses whose weight or number changes.

    Parameters
    ----------
    every : float, optional
        Time between two readings of the strengths (ms), a multiple of the network's min_delay.
        They are at its multiples.
    times : sequence of float, optional
        Times of readings (ms) instead. Without both, only `FieldRecorder.follow` reads.
    pre : str or sequence of str, optional
        Presynaptic populations to follow. Default: all that are neurons.
    post : dict of str to nest.NodeCollection, optional
        The neurons of the kernels' postsynaptic populations. Default: the recorder's populations of
        these names; all of them, where kernels are summed over postsynaptic populations.
    neurons : bool
        Give each neuron its own strength. All connections of the populations are then read, each
        time. Default: the mean of each pathway, from a sample of its neurons.
    accuracy : float
        Standard error of the mean strengths, relative to all that a neuron sends, down to which
        neurons are read; with 0 all are.
    reference : dict of (str, str) to float, optional
        By (presynaptic, postsynaptic) population the strength that the kernels stand for, in NEST's
        unit of the weights. Default: the mean strength at the moment when the recorder is made.

    Notes
    -----
    A strength is the sum of the weights of a neuron's connections onto a postsynaptic population,
    so that connections that come and go count, too. What a connection weighs is in the table of
    `out_strengths`: short-term plasticity is not followed.

    A spike counts with the strength at the moment when NEST delivers it, in the slice of min_delay
    after the one in which it was sent. So a reading at t counts for spikes that are later than
    t - min_delay. NEST takes the weight of its own static synapses at the same moment.

    Examples
    --------
    >>> import nestlfp
    >>> nestlfp.Plasticity(every=100.0).every
    100.0
    >>> recorder = nestlfp.FieldRecorder(  # doctest: +SKIP
    ...     kernels, {"E": E, "I": I}, plasticity=nestlfp.Plasticity(every=100.0, pre="E")
    ... )
    >>> nestlfp.simulate(10_000.0)  # doctest: +SKIP
    """

    every: float | None = None
    times: ArrayLike | None = None
    pre: str | Iterable[str] | None = None
    post: Mapping[str, Any] | None = None
    neurons: bool = False
    accuracy: float = 0.01
    reference: Mapping[tuple[str, str], float] | None = None

    def __post_init__(self) -> None:
        if self.every is not None and self.times is not None:
            raise NetworkError("plasticity: give every or times, not both")
        if not isinstance(self.neurons, bool):
            raise NetworkError(f"plasticity: neurons must be True or False, found {self.neurons!r}")
        if self.reference is not None and not isinstance(self.reference, Mapping):
            raise NetworkError(
                "plasticity: reference must be a dict such as {('E', 'E'): 800.0}, found "
                f"{self.reference!r}"
            )
        if not (isinstance(self.accuracy, int | float) and 0 <= self.accuracy < 1):
            raise NetworkError(
                f"plasticity: accuracy must be a number from 0 to below 1, found {self.accuracy!r}"
            )

    @classmethod
    def of(cls, given: Plasticity | float) -> Plasticity:
        """What was given in place of it: the time between two readings."""
        return given if isinstance(given, Plasticity) else cls(every=given)

    def described(self) -> str:
        """How, as an attribute of signals."""
        if self.every is not None:
            when = f"every {self.every:g} ms"
        else:
            when = f"at {np.atleast_1d([] if self.times is None else self.times).tolist()} ms"
        return f"{when}, {'each neuron' if self.neurons else 'means of pathways'}"

    def due(self, min_delay: int, dt: float) -> Callable[[int], int | None]:
        """A function that returns the first step of a reading after a step; None: none is left."""
        if self.every is not None:
            every = _slices(self.every, "every", min_delay, dt)
            return lambda now: (now // every + 1) * every
        times = np.atleast_1d(np.asarray([] if self.times is None else self.times, dtype=object))
        steps = sorted(_slices(each, "times", min_delay, dt) for each in times.tolist())
        return lambda now: next((each for each in steps if each > now), None)


def _slices(value: Any, what: str, min_delay: int, dt: float) -> int:
    """A time (ms) that is a positive multiple of min_delay, in steps."""
    n = step_or_none(value, dt) or 0
    if n < 1 or n % min_delay:
        near = [each * min_delay * dt for each in (n // min_delay, n // min_delay + 1) if each > 0]
        raise NetworkError(
            f"plasticity: {what} must be a positive multiple of the network's min_delay of "
            f"{min_delay * dt:g} ms, found {value!r}: {' or '.join(f'{each:g}' for each in near)} "
            "ms. A network that is stopped elsewhere is another realization"
        )
    return n


def followed(
    kernels: KernelSet | NeuronKernels | FilterBank,
    inputs: Inputs,
    plasticity: Plasticity,
    sim: Simulator,
) -> tuple[NeuronKernels | KernelSet | FilterBank, dict[str, Ints]]:
    """Kernels with a mode for each pathway that is followed, and ids of the followed populations.

    Raises
    ------
    KernelError
        If kernels tell postsynaptic populations apart, and have no mode for each.
    NetworkError
        If populations are not those of the kernels, or have no strengths.
    """
    if not isinstance(kernels, FilterBank):
        modes_of(kernels)  # an error for what are no kernels
    own = kernels.neurons if isinstance(kernels, FilterBank) else kernels
    ids = population_ids(list(own.pre), inputs.populations, sim, inputs.overlap)
    why_not = {name: _why_not(members, sim) for name, members in ids.items()}
    wanted = [name for name, why in why_not.items() if why is None]
    if plasticity.pre is not None:
        wanted = chosen(plasticity.pre, own.pre, "plasticity: pre")
        if odd := [name for name in wanted if why_not[name] is not None]:
            raise NetworkError(
                f"plasticity: population {odd[0]!r} cannot be followed: {why_not[odd[0]]}"
            )
    if not wanted:
        raise NetworkError(
            f"plasticity: none of the populations {list(ids)} can be followed: "
            f"{next(iter(why_not.values()))}"
        )
    if isinstance(kernels, KernelSet) and len(kernels.post) > 1:
        return NeuronKernels.by_pathway(kernels, wanted), {name: ids[name] for name in wanted}
    if isinstance(own, NeuronKernels) and len(own.post) > 1:
        for name in wanted:
            if list(own.populations[name]) != [f"{name}/{post}" for post in own.post]:
                raise KernelError(
                    f"plasticity: the kernels of {name!r} through {list(own.post)} have not a port "
                    "each, which they need to change apart: give the KernelSet itself, "
                    "FilterBank(NeuronKernels.by_pathway(kernels)), or kernels.total()"
                )
    return kernels, {name: ids[name] for name in wanted}


def _why_not(ids: Ints, sim: Simulator) -> str | None:
    """Why a population has no strengths, or None."""
    if not ids.size:
        return "it has no neurons"
    if is_stimulator(int(ids[0]), sim):
        return "it is a generator"
    return stands_for_many(int(ids[0]), sim)


class Follower:
    """Reads the strengths of a recorder's populations, and sets its connections to them.

    Parameters
    ----------
    sim : Simulator
    plasticity : Plasticity
        How.
    bank : FilterBank
        Of the recorder.
    inputs : Inputs
        Of the recorder.
    ids : dict of str to ndarray of int
        The populations that are followed.
    plan : ConnectionPlan
        Of the recorder.

    Attributes
    ----------
    next : int or None
        Step of the next reading.

    Raises
    ------
    NetworkError
        If `plasticity` does not fit the network; if a pathway has kernels, and a strength of 0;
        with several MPI ranks, if a second synapse model would change the spikes.
    """

    def __init__(
        self,
        sim: Simulator,
        plasticity: Plasticity,
        bank: FilterBank,
        inputs: Inputs,
        ids: Mapping[str, Ints],
        plan: ConnectionPlan,
    ) -> None:
        sim.check_sources_kept()
        self._sim, self._ids = sim, ids
        self._due = plasticity.due(plan.min_delay, sim.resolution)
        self._accuracy = 0.0 if plasticity.neurons else plasticity.accuracy
        self._neurons = plasticity.neurons
        self._post = _postsynaptic(plasticity.post, bank, inputs, sim)
        self._ports = {
            port: _Port(each, *self._place(each.name, mode, bank))
            for port, (mode, each) in enumerate(zip(bank.ports, plan.ports, strict=True))
            if each.name in ids and bank.filter.coefficients.lengths[port]
        }
        if plasticity.neurons and set(inputs.weights or {}) & set(ids):
            raise NetworkError(
                "plasticity: neurons=True reads each neuron's strength, and Inputs(weights=...) "
                "gives it: leave one of them out"
            )
        if sim.ranks.n > 1:
            for name in ids:
                self._check_models(name, plan.synapse_models[name])
        self._made: dict[int, Made] = {}
        self._readings: list[tuple[float, Floats]] = []
        sums = self._read(plan.now)
        self._references = self._compared_with(sums, plasticity.reference or {}, bank)
        self._weights = {port: each.input.weights for port, each in self._ports.items()}
        self._first = self._wanted(sums)
        self.next = self._due(plan.now)

    def _place(self, name: str, mode: str, bank: FilterBank) -> tuple[int, list[int]]:
        """A port's row and columns in the array of strengths, (pre, post)."""
        names = list(self._post)
        post = [mode.removeprefix(f"{name}/")] if len(bank.neurons.post) > 1 else names
        return list(self._ids).index(name), [names.index(each) for each in post]

    def _check_models(self, name: str, model: str) -> None:
        """Whether a population's neurons have connections of the recorder's synapse model alone."""
        some = self._ids[name][:: max(1, self._ids[name].size // _LOOKED_AT)]
        targets = self._sim.nodes(np.concatenate(list(self._post.values())))
        found = self._sim.connections(self._sim.nodes(some), targets)
        here = self._sim.columns(found, ["synapse_model"])["synapse_model"]
        models = set(chain.from_iterable(self._sim.ranks.gather([str(each) for each in here])))
        if others := sorted(models - {model}):
            raise NetworkError(
                f"plasticity: population {name!r} has connections of the synapse model "
                f"{others[0]!r}, and with several MPI ranks the recorder's are {model!r}: NEST "
                "makes other spikes where neurons have targets of a further model. Run in one "
                "process, with threads; or, of copies of static_synapse, name it: "
                f"nestlfp.Inputs(populations, synapse_models={{{name!r}: {others[0]!r}}})"
            )

    def _read(self, now: int) -> dict[str, tuple[Ints, Floats]]:
        """Places of the neurons that were read, and their strengths (neuron, post)."""
        # Not needed without plasticity, and a tenth of a second to import.
        from ..sources.network.reading import summed_weights

        sums = summed_weights(self._ids, self._post, self._accuracy)
        means = np.array([found.mean(axis=0) for _, found in sums.values()])
        self._readings.append((now * self._sim.resolution, means))
        return sums

    def _compared_with(
        self,
        sums: Mapping[str, tuple[Ints, Floats]],
        given: Mapping[tuple[str, str], float],
        bank: FilterBank,
    ) -> dict[int, Floats]:
        """The strength that each port's kernels stand for, or each neuron's."""
        names, onto = list(self._ids), list(self._post)
        strengths = self._readings[0][1].copy()
        for pathway, value in given.items():
            try:
                pre, post = pathway
                strengths[names.index(pre), onto.index(post)] = float(value)
            except (TypeError, ValueError):
                raise NetworkError(
                    "plasticity: reference must have strengths by (presynaptic, postsynaptic) "
                    f"population, of {names} and {onto}, found {pathway!r}: {value!r}"
                ) from None
        found = {}
        for port, each in self._ports.items():
            name = each.input.name
            found[port] = strengths[each.row][each.columns].sum()
            if self._neurons and name in bank.neurons.weights:
                found[port] = each.of_neurons(*sums[name])
            if not np.all(found[port]):
                pathway = (name, onto[each.columns[0]])
                raise NetworkError(
                    f"plasticity: {name!r} has kernels through {bank.ports[port]!r}, and neurons "
                    "without connections, so that it is not known what they stand for: "
                    f"Plasticity(reference={{{pathway}: summed weight}}), or leave it out with "
                    "Plasticity(pre=...)"
                )
        return found

    def _wanted(self, sums: Mapping[str, tuple[Ints, Floats]]) -> dict[int, Floats]:
        """The weights of each port's connections, in the order of its input."""
        wanted = {}
        for port, each in self._ports.items():
            places, found = sums[each.input.name]
            if self._neurons:
                now = each.of_neurons(places, found)
            else:
                now = found.mean(axis=0)[each.columns].sum()
            wanted[port] = each.input.weights * (now / self._references[port])
        return wanted

    def begin(self, made: Sequence[Made | None]) -> None:
        """Take over this rank's connections to each port, which were made now."""
        self._made = {port: each for port, each in enumerate(made) if each is not None}
        self._set(self._first)

    def follow(self, now: int) -> None:
        """Read the strengths, and set the connections to them; collective."""
        self._set(self._wanted(self._read(now)))
        self.next = self._due(now)

    def _set(self, wanted: Mapping[int, Floats]) -> None:
        for name in self._ids:
            ports = [port for port, each in self._ports.items() if each.input.name == name]
            if all(np.array_equal(wanted[port], self._weights[port]) for port in ports):
                continue
            made = {self._made[port]: wanted[port] for port in ports if port in self._made}
            self._sim.ranks.agree(partial(set_weights, self._sim, made))
        self._weights = dict(wanted)

    def warn_of_missed(self, time: float) -> None:
        """A warning where strengths were to be read before this time (ms), and were not."""
        due = np.inf if self.next is None else self.next * self._sim.resolution
        if time > due and self._sim.ranks.rank == 0:
            warnings.warn(
                f"strengths were to be read at {due:g} ms, and nest.Simulate ran past it: the "
                f"signal since then is that of strengths at {self._readings[-1][0]:g} ms. "
                "nestlfp.simulate reads them in time, recorder.follow() between two nest.Simulate",
                stacklevel=3,
            )

    def __str__(self) -> str:
        n = len(self._readings) - 1
        return f"of {', '.join(self._ids)}, read {n} time{'s' * (n != 1)} since it was made"

    def strengths(self) -> xr.DataArray:
        """What was read so far."""
        times, means = zip(*self._readings, strict=True)
        return xr.DataArray(
            np.array(means),
            dims=("time", "pre", "post"),
            coords={
                "time": ("time", list(times), {"units": "ms"}),
                "pre": list(self._ids),
                "post": list(self._post),
            },
            name="strength",
            attrs={"long_name": "summed weight of a neuron's connections, the mean of neurons"},
        )


@dataclass(frozen=True)
class _Port:
    """A spike port whose kernels are followed, and its place in the array of strengths."""

    input: PortInput
    row: int
    columns: list[int]

    def of_neurons(self, places: Ints, sums: Floats) -> Floats:
        """Strengths of all neurons, in the order of the port's input."""
        strengths = np.zeros(places.size)
        strengths[places] = sums[:, self.columns].sum(axis=1)
        return strengths if self.input.rows is None else strengths[self.input.rows]


def _postsynaptic(
    given: Mapping[str, Any] | None, bank: FilterBank, inputs: Inputs, sim: Simulator
) -> dict[str, Ints]:
    """Ids of the neurons of each postsynaptic population."""
    names = list(bank.neurons.post)
    if given is not None:
        summed = len(names) == 1 and isinstance(given, Mapping)  # over all, whatever it is called
        return population_ids(list(given) if summed else names, given, sim, overlap=False)
    there = {name: nodes for name, nodes in inputs.populations.items() if nodes is not None}
    if not set(names) <= set(there):
        if len(names) > 1:
            missing = [name for name in names if name not in there]
            raise NetworkError(
                f"plasticity: the kernels' postsynaptic populations {missing} are not among the "
                f"recorder's: Plasticity(post={{{missing[0]!r}: neurons, ...}})"
            )
        names = list(there)
    return population_ids(names, {name: there[name] for name in names}, sim, overlap=False)
