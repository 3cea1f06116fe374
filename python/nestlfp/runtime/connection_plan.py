"""Plan, check and make the connections from a network to filter nodes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from .._types import Ints
from ..errors import KernelError, NetworkError
from ..filters.options import Method
from ..grid import step
from ..kernels import KernelSet, NeuronKernels
from ..kernels.neurons.pathways import mean_strengths, mean_weights
from ..kernels.strengths import UNITS, strength_coordinates, strengths
from ..nodes.bank import FilterBank, modes_of
from ..simulator import Simulator
from ..simulator.synapses import shape_of
from .inputs import Inputs, PortInput, gather_inputs
from .install import check_resolution
from .timing import Schedule, delay_range, schedule
from .wiring import Made, check_generators, connect


@dataclass(frozen=True)
class ConnectionPlan:
    """Connections that nodes of a bank will get.

    Attributes
    ----------
    populations : dict of str to ndarray of int
        Ids of each population's nodes.
    ports : list of PortInput
        What each spike port gets, in their order.
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
    ports: list[PortInput]
    synapse_models: dict[str, str]
    schedule: Schedule
    min_delay: int
    now: int

    @classmethod
    def of(cls, sim: Simulator, bank: FilterBank, given: Inputs, *, what: str) -> ConnectionPlan:
        """Everything that can be wrong is found here, before NEST is changed.

        `what` is "FieldRecorder" or "Trigger", for messages.

        Raises
        ------
        NetworkError
            If populations, weights or delays do not fit the bank or the network; if the network
            has no connections; with several MPI ranks, after a ``Simulate``.
        """
        dt = sim.resolution
        ids, ports = gather_inputs(bank.neurons, given, dt=dt, sim=sim)
        check_generators(sim, ports)
        everywhere = {port.name for port in ports if port.everywhere}
        placed = [nodes for name, nodes in ids.items() if name not in everywhere]
        neurons = np.unique(np.concatenate([np.zeros(0, np.int64), *placed]))
        sim.ranks.agree(lambda: sim.check_placement(neurons))
        models = _synapse_models(sim, bank.populations, given.synapse_models or {})
        min_delay, max_delay = delay_range(sim, given.unconnected, what)
        timed = schedule(
            bank.ports,
            bank.filter.coefficients.first_lags,
            [each.lags for each in ports],
            min_delay,
            max_delay,
            bank.filter.max_hold,
        )
        now = step(sim.time, dt, "biological_time", NetworkError)
        if sim.ranks.n > 1 and now > 0:
            raise NetworkError(
                f"with several MPI ranks the {what} must be made before the first Simulate, "
                f"and NEST is at {now * dt:g} ms: connections that are made later send "
                "spikes that are under way to other neurons, or end the process"
            )
        return cls(ids, ports, models, timed, min_delay, now)

    def warn_of_mismatch(self, bank: FilterBank) -> None:
        """A `KernelsMismatchWarning`, once a process, where kernels are of another network.

        Weights that the user gives tell neurons apart. Where their mean is not 1, kernels are meant
        to be scaled, and are not compared.
        """
        if not strength_coordinates(bank.kernels.stored):
            return
        # Not needed where kernels know nothing, and a tenth of a second to import.
        from ..sources.network.comparing import warn_of_mismatch

        kernels = bank.neurons
        means = {
            mode: port.weights.sum() / max(1, self.populations[port.name].size)
            for mode, port in zip(bank.ports, self.ports, strict=True)
        }
        made_for: dict[str, dict[tuple[str, str], float]] = {what: {} for what in UNITS}
        for name, modes in kernels.populations.items():
            factors = mean_weights(modes, kernels.weights.get(name))
            if np.allclose([means[mode] for mode in modes], factors):
                own = kernels.modes.stored.sel(pre=list(modes))
                found = xr.Dataset(coords=mean_strengths(own, name, factors))
                for what, known in made_for.items():
                    known.update(strengths(found, what))
        warn_of_mismatch(made_for, self.populations)

    def connect(self, sim: Simulator, nodes: Any, synapse: str) -> list[Made | None]:
        """Connect the populations to nodes, by this synapse model in a single process.

        Returns this rank's connections to each port.
        """
        ids = nodes.tolist()
        made = []
        for port, (source, delays) in enumerate(zip(self.ports, self.schedule.delays, strict=True)):
            model = self.synapse_models[source.name] if sim.ranks.n > 1 else synapse
            made.append(connect(sim, source, ids, port=port, delays=delays, synapse=model))
        return made


def bank_of(
    kernels: KernelSet | NeuronKernels | FilterBank,
    sim: Simulator,
    *,
    method: str | Method | None,
    interval: float | None = None,
    **options: Any,
) -> FilterBank:
    """The bank of kernels at NEST's resolution, which may be one already.

    Parameters
    ----------
    **options
        Others of `FilterBank`.

    Raises
    ------
    KernelError
        If these are no kernels or of another resolution, or options are given beside a bank.
    """
    if isinstance(kernels, FilterBank):
        given = [name for name, value in {"method": method, **options}.items() if value]
        if given:
            raise KernelError(
                f"{', '.join(given)} given beside a FilterBank, which has its own: give it there"
            )
        check_resolution(kernels.kernels, sim)
        return kernels
    check_resolution(modes_of(kernels), sim)  # before a filter is looked for, at length
    once, method = sim.ranks.on_root, method or "fir"
    return FilterBank(kernels, method=method, interval=interval, once=once, **options)


def _synapse_models(
    sim: Simulator, populations: Iterable[str], given: Mapping[str, str]
) -> dict[str, str]:
    """The synapse model of each population's connections."""
    names = list(populations)
    unknown = sorted(set(given) - set(names))
    if unknown:
        raise NetworkError(f"synapse_models for unknown populations {unknown}: there are {names}")
    missing = sorted({str(model) for model in given.values()} - set(sim.synapse_models))
    if missing:
        raise NetworkError(
            f"synapse_models must be models that NEST has, found {missing}: copies are made by "
            "nest.CopyModel"
        )
    static = shape_of("static_synapse", sim)
    odd = sorted({model for model in given.values() if shape_of(model, sim) != static})
    if odd:
        raise NetworkError(
            f"synapse_models must be static_synapse or copies of it, found {odd}: connections "
            "to the recorder would change their weights, or have none of their own"
        )
    return {name: given.get(name, "static_synapse") for name in names}
