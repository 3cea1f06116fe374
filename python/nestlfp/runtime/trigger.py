"""Trigger: a node that spikes when a signal crosses a threshold, inside NEST.

It is a filter node like those of a recorder, but a single one for the whole network, since parts
of a signal cannot be compared with a threshold. It gets the spikes of all neurons, and its spikes
go wherever the user connects it.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from .._types import Floats
from ..errors import NetworkError
from ..filters.options import Method
from ..grid import step
from ..kernels import KernelSet, NeuronKernels
from ..nodes.bank import FilterBank
from ..nodes.detector import Detector
from ..simulator import Simulator
from .connection_plan import ConnectionPlan, bank_of
from .inputs import Inputs, PortInput
from .install import loaded_model
from .readout import RECORDS_ALL, Readout
from .session import current

_USUAL_RATE = 10.0  # spikes/s of a neuron, to tell a threshold in the wrong unit
_MANY_SD = 100.0  # further away than this even a synchronous network does not get


class Trigger:
    """Sends a spike when the one channel of a filter bank crosses a threshold.

    To be made after the network was created and connected, and before its targets are connected
    to it. Its node is one of NEST's: ``nest.Connect(trigger.node, ...)`` with weights and delays
    of your own.

    Parameters
    ----------
    kernels : KernelSet, NeuronKernels or FilterBank
        Of one channel, see `KernelSet.readout`.
    populations : dict of str to nest.NodeCollection, or Inputs
        As for `FieldRecorder`.
    threshold : float
        In the readout's unit; `KernelSet.poisson` returns its mean and s.d. in an asynchronous
        network.
    direction : {"rising", "falling", "both"}
        Crossings that send a spike.
    refractory : float
        Time (ms) from one spike to the next, at least: crossings between are passed over.
    hysteresis : float
        How far (in the readout's unit) the readout must go back behind the threshold before
        another crossing counts. With "both", thresholds for rising and falling lie half of it
        above and below `threshold`.
    interval : float, optional
        Distance of two samples (ms) of the readout, to be had from `readout`. Default: none.
    method : {"fir", "state-space", "separable", "auto"} or FIR, StateSpace, Separable, Auto
        How a node computes the sum over kernels, see `FilterBank`. Default: "fir", exactly.

    Attributes
    ----------
    node : nest.NodeCollection
        The node, to be connected to neurons, parrots or devices.
    latency : float
        Time (ms) by which the node's readout is late, see Notes.

    Raises
    ------
    NetworkError
        As for `FieldRecorder`; if the bank has more than one channel, or the threshold is no
        finite number, or one that the readout cannot reach.

    Notes
    -----
    A spike at t with a kernel that starts at lag tau reaches the node after a connection's delay of
    tau, if that lies in the network's [min_delay, max_delay]. Where a kernel starts earlier than
    min_delay, the readout is late for all: ``latency = max(0, min_delay - first lag)``. A trigger
    does not relabel time, as a recorder does: what it compares with the threshold at t is the
    signal at t - latency, and its spike, stamped t, reaches a target after that connection's delay.

    Spikes of the same number of virtual processes are the same for any split into threads and
    ranks, also when the loop is closed: what a step brings is a sum of whole numbers, in which
    order does not count. With `weights` it is one of other numbers, and rounding may differ.

    Examples
    --------
    >>> readout = kernels.readout({"LFP": 3}, band=(13, 30))  # doctest: +SKIP
    >>> trigger = nestlfp.Trigger(readout, {"E": E, "I": I}, threshold=0.02)  # doctest: +SKIP
    >>> nest.Connect(trigger.node, E, syn_spec={"weight": 50.0, "delay": 1.5})  # doctest: +SKIP
    """

    def __init__(
        self,
        kernels: KernelSet | NeuronKernels | FilterBank,
        populations: Mapping[str, Any] | Inputs,
        *,
        threshold: float,
        direction: str = "rising",
        refractory: float = 0.0,
        hysteresis: float = 0.0,
        interval: float | None = None,
        method: str | Method | None = None,
    ) -> None:
        sim = Simulator()
        self._ranks = sim.ranks
        self._session = session = current(sim)
        sim.check_not_prepared("Trigger")
        self.bank = bank = bank_of(kernels, sim, method=method)
        model = loaded_model(sim, bank)
        _check_one_channel(bank)
        self._dt = sim.resolution
        self._detector = Detector(
            threshold, direction, _steps(refractory, self._dt, "refractory", 0), hysteresis
        )
        self._every = 0 if interval is None else _steps(interval, self._dt, "interval", 1)
        plan = ConnectionPlan.of(sim, bank, Inputs.of(populations), what="Trigger")
        self.latency = plan.schedule.shift * self._dt
        _check_reach(bank, self._detector, plan.ports, warn=sim.ranks.rank == 0)
        session.check_clock(plan.now)
        plan.warn_of_mismatch(bank)

        # From here on NEST is changed; everything that could be wrong was checked above.
        with sim.quiet():  # as FieldRecorder
            synapse = session.synapse(plan.now)
            self.node = bank.create_nodes(
                sim, model, 1, plan.schedule.hold, every=1, until=0, detector=self._detector
            )
            self._spikes = sim.create("spike_recorder", parameters={**RECORDS_ALL})
            syn_spec = {"synapse_model": synapse, "delay": plan.min_delay * self._dt}
            sim.connect(self.node, self._spikes, syn_spec)
            self._readout: Readout | None = None
            if self._every:
                self._readout = Readout(
                    sim, self.node, plan, 1, every=self._every, shift=0, synapse=synapse
                )
            self._first = self._readout.next if self._readout else 0
            self._samples: list[Floats] = []
            session.made(plan.connect(sim, self.node, synapse))
        session.listeners[self] = lambda: (
            plan.now + int(self.node.age[0]) if sim.ranks.n == 1 else None
        )

    def times(self) -> Floats:
        """When it sent spikes (ms), as NEST stamps them; with MPI, collective and all on each rank.

        Raises
        ------
        NetworkError
            If NEST was reset since the trigger was made, or its time was set; if its connections
            were changed.
        """
        self._check()
        events = self._spikes.events
        step_ms = self._dt if self._spikes.time_in_steps else 1.0
        parts = self._ranks.gather(np.asarray(events["times"], dtype=float) * step_ms)
        return np.sort(np.concatenate(parts))

    def readout(self) -> xr.DataArray:
        """What the node compared with the threshold, sampled every `interval`.

        Returns
        -------
        xarray.DataArray
            Dimension ``time`` (ms), as the node's clock has it: the signal, late by `latency`.
            The last samples are missing as in `FieldRecorder.signals`. With several MPI ranks,
            collective and the same on each.

        Raises
        ------
        NetworkError
            If the trigger was made without an `interval`; as `times`.
        """
        if self._readout is None:
            raise NetworkError(
                "this trigger does not record its readout: Trigger(..., interval=1.0) does"
            )
        self._check()
        # The node is one rank's; the others have no samples of it.
        parts = self._ranks.gather(self._ranks.agree(self._readout.take))
        self._samples.append(max(parts, key=lambda part: part.shape[1]))
        outputs = np.concatenate(self._samples, axis=1)
        self._samples = [outputs]
        times = (self._first + np.arange(outputs.shape[1])) * self._every * self._dt
        (name,) = self.bank.kernels.signals
        return self.bank.labelled(outputs, times)[name].squeeze(drop=True)

    def _check(self) -> None:
        self._session.check_alive("trigger", "Ask for its times before that")
        self._session.check_connections()

    def __repr__(self) -> str:
        d = self._detector
        (name,) = self.bank.kernels.signals
        unit = self.bank.kernels[name].attrs["units"]
        return (
            f"Trigger: {name} {d.direction} at {d.threshold:g} {unit}, hysteresis "
            f"{d.hysteresis:g} {unit}, refractory {d.refractory * self._dt:g} ms, latency "
            f"{self.latency:g} ms"
        )


def _steps(value: Any, dt: float, what: str, lowest: int) -> int:
    n = step(value, dt, what, NetworkError)
    if n < lowest:
        raise NetworkError(f"{what} must be at least {lowest * dt:g} ms, found {value!r}")
    return n


def _check_one_channel(bank: FilterBank) -> None:
    coefficients = bank.filter.coefficients
    if coefficients.n_channels > 1 or coefficients.groups > 1:
        apart = f", apart by {', '.join(coefficients.by)}" if coefficients.by else ""
        raise NetworkError(
            f"a trigger needs one channel, found {coefficients.n_channels} of "
            f"{', '.join(bank.kernels.signals)}{apart}: "
            "Trigger(kernels.readout({signal: {channel: weight, ...}}), ...)"
        )


def _check_reach(
    bank: FilterBank, detector: Detector, inputs: list[PortInput], *, warn: bool
) -> None:
    """Raise or warn where the readout will not come to the threshold."""
    kernels = bank.kernels
    (name,) = kernels.signals
    unit = kernels[name].attrs["units"]
    h = bank.filter.coefficients.h[:, 0]
    neurons = np.array([np.abs(each.weights).sum() for each in inputs])
    furthest = float(np.abs(h).sum(axis=1) @ neurons)
    lower, upper = detector.levels
    first = lower if detector.starts_above else upper  # until this is passed nothing happens
    if 0 < furthest < abs(first):
        raise NetworkError(
            f"the threshold of {detector.threshold:g} {unit} is out of reach: with a spike of "
            f"every neuron in every step the readout is {furthest:.3g} {unit} at most"
        )
    rates = dict(zip(kernels.pre, neurons * _USUAL_RATE, strict=True))
    mean, sd = kernels.poisson(rates)[name].values.ravel()
    away = abs(first - mean)
    if warn and sd > 0 and away > _MANY_SD * sd:
        warnings.warn(
            f"the threshold of {detector.threshold:g} {unit} is {away / sd:.0f} standard "
            f"deviations away from what the readout is with Poisson spikes of {_USUAL_RATE:g}/s "
            f"of each neuron, {mean:.3g} ± {sd:.3g} {unit}: is it in {unit}? KernelSet.poisson "
            "returns the same for other rates",
            stacklevel=3,
        )
