"""FieldRecorder: a population's spikes in, labelled signals out.

It puts one filter node on every virtual process (`wiring`), feeds it from the neurons that live
there (`inputs`, `timing`), and adds the partial signals up (`readout`). It changes nothing in NEST
before everything is checked.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import xarray as xr

from .._types import Floats, Ints
from ..display import card, folded, table
from ..errors import NetworkError
from ..filters.options import Method
from ..grid import step_or_none
from ..kernels import KernelSet, NeuronKernels
from ..nodes.bank import FilterBank
from ..signals.layout import FORMAT
from ..simulator import Simulator
from .connection_plan import ConnectionPlan, bank_of
from .inputs import Inputs
from .install import loaded_model
from .plasticity import Follower, Plasticity, followed
from .readout import Readout
from .samples import Samples
from .session import Session, current


class FieldRecorder:
    """Records the signals of a network while it runs.

    To be made after the network was created and connected.

    Parameters
    ----------
    kernels : KernelSet, NeuronKernels or FilterBank
        Kernels at NEST's resolution; or a bank that was made of them.
    populations : dict of str to nest.NodeCollection, or Inputs
        The neurons of each presynaptic population of the kernels, as a NodeCollection, a list of
        node ids, or a list of both, nested to any depth; None where the network has none. `Inputs`
        has more to say: weights and delays of single neurons, and what a population may be.
    interval : float, optional
        Distance of two samples (ms), a multiple of the resolution. Default: the bank's, else
        1 ms. A warning says if a kernel has more than it can follow: above the Nyquist frequency
        more than 1 % of the energy of the channel's largest kernel.
    method : {"fir", "state-space", "separable", "auto"} or FIR, StateSpace, Separable, Auto
        How a node computes the sum over kernels, see `FilterBank`. Default: "fir", exactly.
    by : {"pre", "post"} or both, optional
        Keep the contributions of these populations apart. Default: one signal, summed.
    antialias : bool
        Low-pass filter the kernels for `interval`, see `KernelSet.lowpass`: the recorded signal
        is the full-rate one, filtered and decimated. NEST then hands out samples 10 intervals
        late, since they depend on what comes after them; they keep their times.
    name : str, optional
        What `nestlfp.simulate` can call this recorder by, where the network has several.
    plasticity : Plasticity or float, optional
        Follow synapses that change: read their strengths at these times, or every so many
        milliseconds. `nestlfp.simulate` and `nestlfp.loop` do it, and between calls of
        ``nest.Simulate`` the method `follow`. Default: kernels stay as they are.

    Attributes
    ----------
    bank : FilterBank
        The filter: what it is made of, and how exact it is.
    populations : dict of str to ndarray of int
        Ids of each population's nodes.
    interval : float
        Distance of two samples (ms).
    latency : float
        Time (ms) by which the nodes are late, where a kernel starts before the network's min_delay:
        so much of the latest signal is not known yet. Samples have their true times.

    Raises
    ------
    KernelError
        If these are no kernels, or their `dt` is not NEST's resolution.
    ToleranceError
        If no reduced filter of a sensible size meets the tolerance of `method`.
    NetworkError
        If populations are missing, unknown, overlapping or send no spikes, or do not fit the
        kernels; if NEST has no model that computes them (`install`); if the network is not
        connected yet; between ``nest.Prepare()`` and ``nest.Cleanup()``; with several MPI ranks,
        after a ``Simulate``.

    Warns
    -----
    KernelsMismatchWarning
        If kernels know the charge or conductance that a spike brings, and in this network it brings
        another: off by more than a tenth. Once in a process, with both values.

    Notes
    -----
    The recorder leaves the spikes of the network, `min_delay` and `max_delay` as they are, in one
    process also when it is made after a first ``Simulate``: its connections are of a synapse model
    of their own, ``nestlfp_synapse``, which distinguishes them from the network's in
    ``nest.GetConnections``. With several MPI ranks it is `Inputs.synapse_models`: NEST 3.10 then
    makes other spikes where a neuron has targets of two models. The recorder does not wait
    for a network that is connected later: ``nest.Simulate`` would not tell it, and delays chosen
    without knowing the network's would change them.

    Examples
    --------
    >>> recorder = nestlfp.FieldRecorder(kernels, {"E": E, "I": I}, interval=1.0)  # doctest: +SKIP
    >>> nest.Simulate(1000.0)  # doctest: +SKIP
    >>> recorder.signals()["LFP"].plot.line(x="time")  # doctest: +SKIP
    """

    def __init__(
        self,
        kernels: KernelSet | NeuronKernels | FilterBank,
        populations: Mapping[str, Any] | Inputs,
        *,
        interval: float | None = None,
        method: str | Method | None = None,
        by: str | Iterable[str] = (),
        antialias: bool = False,
        name: str | None = None,
        plasticity: Plasticity | float | None = None,
    ) -> None:
        sim = Simulator()
        self._session = session = current(sim)
        sim.check_not_prepared("FieldRecorder")
        dt = sim.resolution
        if not isinstance(kernels, FilterBank):
            interval = 1.0 if interval is None else interval
            _steps(interval, dt)
        inputs = Inputs.of(populations)
        if plasticity is not None:
            plasticity = Plasticity.of(plasticity)
            kernels, ids = followed(kernels, inputs, plasticity, sim)
        self.bank = bank = bank_of(
            kernels, sim, method=method, by=by, interval=interval, antialias=antialias
        )
        model = loaded_model(sim, bank)
        self.name = name
        _check_name(name, [recorder.name for recorder in recorders_of(session)])
        every = _interval_steps(bank, interval, dt)
        plan = ConnectionPlan.of(sim, bank, inputs, what="FieldRecorder")
        self.populations = plan.populations
        self.interval = every * dt
        self.latency = plan.schedule.shift * dt
        session.check_clock(plan.now)
        plan.warn_of_mismatch(bank)
        follower = (
            None if plasticity is None else Follower(sim, plasticity, bank, inputs, ids, plan)
        )
        if sim.ranks.rank == 0 and not bank.options.antialias:
            _warn_of_aliasing(bank, every)

        # From here on NEST is changed; everything that could be wrong was checked above.
        with sim.quiet():  # that connections which were read are not to be used any more
            synapse = session.synapse(plan.now)
            # The node's next step is stamped now + 1; samples have stamps that, less shift, are
            # multiples of `every`.
            until = (plan.schedule.shift - plan.now - 1) % every
            # A node on each virtual process gets the spikes of the neurons there.
            n = sim.virtual_processes
            nodes = bank.create_nodes(sim, model, n, plan.schedule.hold, every, until)
            shift, n_outputs = plan.schedule.shift, bank.filter.n_outputs
            readout = Readout(
                sim, nodes, plan, n_outputs, every=every, shift=shift, synapse=synapse
            )
            made = plan.connect(sim, nodes, synapse)
            if follower is not None:
                follower.begin(made)
            session.made(made)
        attrs = {
            "format": FORMAT,
            "interval_ms": self.interval,
            "resolution_ms": dt,
            **bank.provenance,
            "weights": _digest(part for each in plan.ports for part in each.weighted),
            "delays": _digest(each.lags for each in plan.ports),
            "nest_version": sim.version,
            **({} if plasticity is None else {"plasticity": plasticity.described()}),
        }
        self._follower = follower
        self._samples = Samples(
            readout,
            session,
            sim.ranks,
            lambda outputs, times: bank.labelled(outputs, times).assign_attrs(attrs),
        )
        session.listeners[self] = lambda: readout.clock if sim.ranks.n == 1 else None

    def signals(self) -> xr.Dataset:
        """The signals so far; with several MPI ranks, collective and the same on each.

        Returns
        -------
        xarray.Dataset
            A variable per signal with dimensions ``([post,] [pre,] <signal>_channel, time)``, its
            unit and contact positions (µm). ``time`` (ms) are the multiples of `interval` since
            the recorder was made for which NEST has returned samples. **The last ones are
            missing**: NEST returns those of the last `min_delay` or so only after you simulate
            further, so that 1000 ms end with sample 997, say.
            ``nestlfp.simulate(t, complete=True)`` simulates until all are there.

        Raises
        ------
        NetworkError
            If NEST was reset since the recorder was made, or its time was set back; if connections
            of the recorder were removed or, where they are of another synapse model, changed.
        SignalError
            If a store that signals were streamed to was replaced, removed or damaged.

        Warns
        -----
        UserWarning
            If a store was lost while signals were streamed to it, and they begin after those in it;
            if ``nest.Simulate`` ran past a time at which strengths were to be read.

        Notes
        -----
        May be called between several calls of Simulate. What was streamed to disk is read from
        there.
        """
        signals = self._samples.all()
        if self._follower is not None and signals.sizes["time"]:
            self._follower.warn_of_missed(float(signals["time"][-1]))
        return signals

    def follow(self) -> None:
        """Read the strengths of plastic synapses now, and count with them from here on; collective.

        `nestlfp.simulate` and `nestlfp.loop` call it at the times of `Plasticity`. With
        ``nest.Simulate`` call it between two calls.

        Raises
        ------
        NetworkError
            If the recorder was made without `plasticity`; if NEST was reset since; between
            ``nest.Prepare()`` and ``nest.Cleanup()``.
        """
        sim, follower = Simulator(), self._following("follow")
        sim.check_not_prepared("follow")
        self._session.check_alive("recorder", "Make another one")
        follower.follow(sim.step)

    def strengths(self) -> xr.DataArray:
        """The strengths that were read so far, from when the recorder was made.

        Returns
        -------
        xarray.DataArray
            Dimensions ``(time, pre, post)``: at the time of each reading (ms) the summed weight of
            a neuron's connections onto a postsynaptic population, the mean of those neurons that
            were read, in NEST's unit of the weights.

        Raises
        ------
        NetworkError
            If the recorder was made without `plasticity`.
        """
        return self._following("strengths").strengths()

    def _following(self, what: str) -> Follower:
        if self._follower is None:
            raise NetworkError(
                f"{what}: this recorder does not follow plastic synapses: FieldRecorder(kernels, "
                "populations, plasticity=nestlfp.Plasticity(every=100.0)) does"
            )
        return self._follower

    def __repr__(self) -> str:
        facts = [f"  {what}: {value}" for what, value in self._facts() if value]
        return "\n".join(["FieldRecorder" + f" {self.name!r}" * bool(self.name), *facts])

    def _repr_html_(self) -> str:
        sizes = [(name, len(ids)) for name, ids in self.populations.items()]
        return card(
            "FieldRecorder",
            [("name", self.name), *self._facts()],
            table("populations", ["population", "neurons"], sizes),
            folded("FilterBank", self.bank._repr_html_()),
        )

    def _facts(self) -> list[tuple[str, str]]:
        """What it is, for a person, without a question to NEST: with MPI that is collective."""
        n, written = self._samples.n_waiting, self._samples.written
        stored = sum(part.stop - part.start for part in written)
        here = Path.cwd()
        files = ", ".join(
            str(part.path.relative_to(here) if part.path.is_relative_to(here) else part.path)
            for part in written
        )
        return [
            ("signals", ", ".join(self.bank.kernels.signals)),
            (
                "neurons",
                f"{sum(map(len, self.populations.values()))} of {len(self.populations)} "
                f"populations, method {self.bank.filter.method!r}",
            ),
            ("interval", f"{self.interval:g} ms"),
            ("plasticity", f"{self._follower}" if self._follower else ""),
            (
                "samples",
                f"{n} taken out of NEST" if n else "none taken out of NEST: signals() does",
            ),
            ("stored", f"{stored} in {files}" if files else ""),
        ]


def recorders_of(session: Session) -> list[FieldRecorder]:
    """The recorders of a session, in the order in which they were made."""
    return [each for each in session.listeners if isinstance(each, FieldRecorder)]


def next_reading(session: Session, stop: int) -> int:
    """The first step at which a recorder is to read strengths of plastic synapses, or `stop`."""
    followers = [each._follower for each in recorders_of(session)]
    return min([stop, *(each.next for each in followers if each is not None and each.next)])


def advancing(session: Session, start: int, lengths: Iterable[int]) -> Iterator[int]:
    """Lengths of runs, in steps, that end where strengths are to be read; reads before the next."""
    for length in lengths:
        stop = start + length
        while start < stop:
            for each in recorders_of(session):
                due = None if each._follower is None else each._follower.next
                if due is not None and due <= start:
                    each.follow()
            end = next_reading(session, stop)
            yield end - start
            start = end


def _digest(values: Iterable[Floats | Ints]) -> str:
    """Tells whether two recorders have the same values for each neuron of each population."""
    digest = hashlib.sha256()
    for array in values:
        digest.update(f"{array.size} ".encode() + array.tobytes())
    return digest.hexdigest()[:16]


def _check_name(name: str | None, taken: list[str | None]) -> None:
    if name is not None and (not isinstance(name, str) or not name):
        raise NetworkError(f"the name of a recorder must be a text, found {name!r}")
    if name is not None and name in taken:
        raise NetworkError(f"the network has a recorder of the name {name!r} already")


def _steps(interval: Any, dt: float) -> int:
    """Steps in an interval (ms)."""
    every = step_or_none(interval, dt)
    if every is None:
        raise NetworkError(
            f"interval must be a multiple of the resolution of {dt:g} ms, found {interval!r}"
        )
    return every


def _interval_steps(bank: FilterBank, interval: float | None, dt: float) -> int:
    every = _steps((bank.options.interval or 1.0) if interval is None else interval, dt)
    if bank.options.antialias and every != bank.every:
        raise NetworkError(
            "the bank's kernels were low-pass filtered for an interval of "
            f"{bank.options.interval:g} ms, found {interval:g} ms: "
            f"FilterBank(kernels, interval={interval:g}, antialias=True)"
        )
    return every


def _warn_of_aliasing(bank: FilterBank, every: int) -> None:
    shares = bank.filter.coefficients.energy_above_nyquist(every)
    worst = int(shares.argmax())
    if shares[worst] > 0.01:
        interval = every * bank.kernels.dt
        warnings.warn(
            f"samples every {interval:g} ms cannot follow what is faster than {500 / interval:g} "
            f"Hz, where a kernel of {bank.ports[worst]!r} has {100 * shares[worst]:.2g} % of "
            "the energy of the channel's largest kernel: it appears at lower frequencies. Use "
            f"FieldRecorder(..., interval={interval:g}, antialias=True), or a shorter "
            "interval",
            stacklevel=3,
        )
