"""How nodes of a filter bank hear a network: all checked first, then connected."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from numpy.typing import ArrayLike

from .._types import Ints
from ..errors import NetworkError
from ..grid import step
from ..nodes.bank import FilterBank
from ..nodes.render import SYNAPSE
from .bank import check_resolution
from .inputs import Input, gather_inputs
from .parallel import Ranks
from .session import check_not_prepared
from .timing import Schedule, delay_range, schedule
from .wiring import Made, check_generators, connect


@dataclass(frozen=True)
class Hearing:
    """What nodes of a bank will hear, and when.

    Attributes
    ----------
    populations : dict of str to ndarray of int
        Ids of each population's nodes.
    inputs : list of Input
        What each port hears, in their order.
    synapse_models : dict of str to str
        With several MPI ranks, the synapse model of each population's connections.
    schedule : Schedule
        Delays of the connections, and what they mean for the time of samples.
    min_delay : int
        The network's own, in steps.
    now : int
        Step that NEST is at.
    """

    populations: dict[str, Ints]
    inputs: list[Input]
    synapse_models: dict[str, str]
    schedule: Schedule
    min_delay: int
    now: int

    @classmethod
    def planned(
        cls,
        nest: Any,
        ranks: Ranks,
        bank: FilterBank,
        populations: Mapping[str, Any],
        *,
        what: str,
        weights: Mapping[str, ArrayLike] | None,
        delays: Mapping[str, ArrayLike] | None,
        overlap: bool,
        unconnected: bool,
        synapse_models: Mapping[str, str] | None,
    ) -> Hearing:
        """Everything that can be wrong is found here, before NEST is changed.

        `what` wants to hear, see `FieldRecorder` for the others.

        Raises
        ------
        NetworkError
            If populations, weights or delays do not fit the bank or the network; if the network
            has no connections; with several MPI ranks, after a ``Simulate``.
        """
        dt = float(nest.resolution)
        ids, inputs = gather_inputs(
            bank.neurons,
            populations,
            weights=weights,
            delays=delays,
            overlap=overlap,
            dt=dt,
            nest=nest,
        )
        check_generators(nest, ranks, inputs)
        models = _synapse_models(nest, bank.populations, synapse_models or {})
        min_delay, max_delay = delay_range(nest, ranks, unconnected, what)
        timed = schedule(
            bank.ports,
            bank.filter.coefficients.first_lags,
            [each.lags for each in inputs],
            min_delay,
            max_delay,
            bank.filter.max_hold,
        )
        now = step(nest.biological_time, dt, "biological_time", NetworkError)
        if ranks.n > 1 and now > 0:
            raise NetworkError(
                f"with several MPI ranks the {what} must be made before the first Simulate, "
                f"and NEST is at {now * dt:g} ms: connections that are made later send "
                "spikes that are under way to other neurons, or end the process"
            )
        return cls(ids, inputs, models, timed, min_delay, now)

    def connect(self, nest: Any, ranks: Ranks, nodes: Any, synapse: str) -> list[Made]:
        """Connect the populations to nodes, by this synapse model in a single process.

        Returns those of synapse models that are not nestlfp's, which others can change.
        """
        ids = nodes.tolist()
        exposed = []
        for port, (source, delays) in enumerate(
            zip(self.inputs, self.schedule.delays, strict=True)
        ):
            model = self.synapse_models[source.name] if ranks.n > 1 else synapse
            made = connect(nest, ranks, source, ids, port=port, delays=delays, synapse=model)
            if made is not None and not made.synapse.startswith(SYNAPSE):
                exposed.append(made)
        return exposed


def check_usable(nest: Any, bank: Any, what: str) -> None:
    """Raise unless this is a bank that NEST knows, at a time when nodes can be made."""
    if not isinstance(bank, FilterBank):
        raise NetworkError(
            f"bank must be what nestlfp.install returns, found {type(bank).__name__}"
        )
    check_not_prepared(nest, what)
    check_resolution(bank.kernels, nest)
    if bank.model not in nest.node_models:
        raise NetworkError(
            f"NEST does not know the model {bank.model!r}: call nestlfp.install(kernels) after "
            "nest.ResetKernel() (which unloads modules) and before any node is created"
        )


def _synapse_models(
    nest: Any, populations: Iterable[str], given: Mapping[str, str]
) -> dict[str, str]:
    """The synapse model of each population's connections."""
    names = list(populations)
    unknown = sorted(set(given) - set(names))
    if unknown:
        raise NetworkError(f"synapse_models for unknown populations {unknown}: there are {names}")
    missing = sorted({str(model) for model in given.values()} - set(nest.synapse_models))
    if missing:
        raise NetworkError(
            f"synapse_models must be models that NEST has, found {missing}: copies are made by "
            "nest.CopyModel"
        )
    static = _kind(nest, "static_synapse")
    odd = sorted({model for model in given.values() if _kind(nest, model) != static})
    if odd:
        raise NetworkError(
            f"synapse_models must be static_synapse or copies of it, found {odd}: connections "
            "to the recorder would change their weights, or have none of their own"
        )
    return {name: given.get(name, "static_synapse") for name in names}


def _kind(nest: Any, model: str) -> tuple[frozenset[str], int | None]:
    """What tells a synapse model from others: NEST does not say which model it is a copy of."""
    defaults = nest.GetDefaults(model)
    return frozenset(defaults), defaults.get("sizeof")
