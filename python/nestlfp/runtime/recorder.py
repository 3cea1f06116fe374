"""FieldRecorder: a population's spikes in, labelled signals out.

It puts one filter node on every virtual process (`wiring`), feeds it from the neurons that live
there (`inputs`, `timing`), and adds the partial signals up (`readout`). It changes nothing in NEST
before everything is checked.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from .._types import Floats, Ints
from ..display import card, folded, table
from ..errors import NetworkError
from ..grid import step
from ..nodes.bank import FilterBank
from ..signals.layout import FORMAT
from ..signals.stores import Written, joined
from .hearing import Hearing, check_usable
from .parallel import Ranks
from .readout import Readout
from .session import current, import_nest
from .wiring import Placement


class FieldRecorder:
    """Records the signals of a filter bank from a network, while it runs.

    To be made after the network was created and connected.

    Parameters
    ----------
    bank : FilterBank
        What `nestlfp.install` returned.
    populations : dict of str to nest.NodeCollection
        The neurons of each presynaptic population of the kernels, as a NodeCollection, a list of
        node ids, or a list of both, nested to any depth; None or an empty collection where the
        network has none. A spike_generator may stand for a population (with spike_multiplicities,
        but not with spike_weights, which would scale the kernel); parrot neurons are neurons. Any
        other generator draws other spikes for each of its targets, and is refused: put a
        parrot_neuron between it and each neuron that it drives.
    interval : float, optional
        Distance of two samples (ms), a multiple of the resolution. Default: the bank's, else
        1 ms. A warning says if a kernel has more than it can follow: above the Nyquist frequency
        more than 1 % of the energy of the channel's largest kernel.
    weights : dict of str to array, optional
        For each neuron of a population the factor of its kernel, in the order of its ids above;
        or one for all. Default: 1. Of a population with several modes (`nestlfp.NeuronKernels`)
        also an array or scipy.sparse array of shape (neuron, mode), in place of the weights that
        the bank has; or what `nestlfp.out_strengths` returns.
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
    name : str, optional
        What `nestlfp.simulate` can call this recorder by, where the network has several.

    Raises
    ------
    NetworkError
        If populations are missing, unknown, overlapping or send no spikes, or do not fit the bank;
        if the bank's model is not installed; if the network is not connected yet; between
        ``nest.Prepare()`` and ``nest.Cleanup()``; with several MPI ranks, after a ``Simulate``.

    Notes
    -----
    The recorder leaves the spikes of the network, `min_delay` and `max_delay` as they are, in one
    process also when it is made after a first ``Simulate``: its connections are of a synapse model
    of their own, ``nestlfp_synapse``, which also tells them from the network's in
    ``nest.GetConnections``. With several MPI ranks it is `synapse_models`: NEST 3.10 then makes
    other spikes where a neuron has targets of two models. The recorder does not wait
    for a network that is connected later: ``nest.Simulate`` would not tell it, and delays chosen
    without knowing the network's would change them.

    Examples
    --------
    >>> recorder = nestlfp.FieldRecorder(bank, {"E": E, "I": I}, interval=1.0)  # doctest: +SKIP
    >>> nest.Simulate(1000.0)  # doctest: +SKIP
    >>> recorder.signals()["LFP"].plot.line(x="time")  # doctest: +SKIP
    """

    def __init__(
        self,
        bank: FilterBank,
        populations: Mapping[str, Any],
        *,
        interval: float | None = None,
        weights: Mapping[str, ArrayLike] | None = None,
        delays: Mapping[str, ArrayLike] | None = None,
        overlap: bool = False,
        unconnected: bool = False,
        synapse_models: Mapping[str, str] | None = None,
        name: str | None = None,
    ) -> None:
        self._nest = nest = import_nest()
        self.bank = bank
        self._ranks = ranks = Ranks(nest)
        self._session = session = current(nest)
        check_usable(nest, bank, "FieldRecorder")
        self.name = name
        _check_name(name, [recorder.name for recorder in session.recorders])
        self._dt = float(nest.resolution)
        self._every = _interval_steps(bank, interval, self._dt)
        hearing = Hearing.planned(
            nest,
            ranks,
            bank,
            populations,
            what="FieldRecorder",
            weights=weights,
            delays=delays,
            overlap=overlap,
            unconnected=unconnected,
            synapse_models=synapse_models,
        )
        self._digests = {
            "weights": _digest(part for each in hearing.inputs for part in each.weighted),
            "delays": _digest(each.lags for each in hearing.inputs),
        }
        self.populations = hearing.populations
        self.schedule = hearing.schedule
        session.check_clock(hearing.now)
        if ranks.rank == 0 and not bank.options.antialias:
            _warn_of_aliasing(bank, self._every)

        # From here on NEST is changed; everything that could be wrong was checked above.
        synapse = session.synapse(hearing.now, several_ranks=ranks.n > 1)
        # The node's next step is stamped now + 1; samples have stamps that, less shift, are
        # multiples of `every`.
        until = (self.schedule.shift - hearing.now - 1) % self._every
        n = Placement.EACH_PROCESS.count(nest)
        nodes = bank.create_nodes(nest, n, self.schedule.hold, self._every, until)
        self._readout = Readout(
            nest,
            nodes,
            bank.filter.n_outputs,
            every=self._every,
            shift=self.schedule.shift,
            now=hearing.now,
            delay=hearing.min_delay,
            synapse=synapse,
        )
        session.made(hearing.connect(nest, ranks, nodes, synapse))
        self._first = self._readout.next  # number of the first sample that waits to be handed out
        self._waiting: list[Floats] = []
        self._written: list[Written] = []  # where `simulate(to=...)` put the samples before these
        session.recorders.append(self)

    @property
    def interval(self) -> float:
        """Distance of two samples (ms)."""
        return self._every * self._dt

    def last_stamp(self, step: int) -> int:
        """Stamp, in the nodes, of the last sample whose time is not after this step."""
        return step // self._every * self._every + self.schedule.shift

    def signals(self) -> xr.Dataset:
        """The signals so far; with several MPI ranks, collective and the same on each.

        Returns
        -------
        xarray.Dataset
            A variable per signal with dimensions ``([post,] [pre,] <signal>_channel, time)``, its
            unit and contact positions (µm). ``time`` (ms) are the multiples of `interval` since
            the recorder was made for which NEST has handed out samples. **The last ones are
            missing**: NEST withholds samples of the last `min_delay` or so until it is simulated
            on, so that 1000 ms end with sample 997, say. ``nestlfp.simulate(t, complete=True)``
            simulates on for as long as it takes to have all of them.

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
            If a store was lost while signals were streamed to it, and they begin after those in it.

        Notes
        -----
        May be called between several calls of Simulate. What was streamed to disk is read from
        there.
        """
        self.collect()
        self._session.check_connections(self._ranks)
        rest = self.labelled(self._first, self._samples())
        whole = self._ranks.agree(lambda: joined(self._written, rest))
        return whole.assign_attrs(rest.attrs)  # a store of several recorders has those of all

    def collect(self) -> int:
        """Take the new samples out of NEST; returns how many are waiting now."""
        self._check_alive()
        new = self._ranks.sum(self._ranks.agree(self._readout.take))
        if new.shape[1]:
            self._waiting.append(new)
        return sum(block.shape[1] for block in self._waiting)

    @property
    def clock(self) -> int | None:
        """Step that the nodes have come to, or None where they cannot be asked."""
        return self._readout.clock if self._ranks.n == 1 else None

    @property
    def first_waiting(self) -> int:
        """Number of the first sample that is not in a store; sample k is at k * interval."""
        return self._first

    def waiting(self, start: int, n: int) -> xr.Dataset:
        """The signals of n samples that wait, from number `start` of them on."""
        return self.labelled(self._first + start, self._samples()[:, start : start + n])

    def remember(self, now: int, rows: int) -> None:
        """Make `latest` possible from step `now` on, with what NEST withholds for so many steps."""
        self._readout.remember(now, rows)

    def complete_until(self, now: int) -> int:
        """Number of the first sample that is not complete at step `now`."""
        return max(self._first, (now - self.schedule.shift) // self._every + 1)

    def latest(self, first: int, stop: int) -> xr.Dataset:
        """Samples from number `first` to before `stop`; also what NEST withholds."""
        start = max(first, self._first)
        waiting = self._samples()[:, start - self._first : stop - self._first]
        there = start + waiting.shape[1]
        rest = self._ranks.sum(self._ranks.agree(lambda: self._readout.remembered(there, stop)))
        found = self.labelled(start, np.concatenate([waiting, rest], axis=1))
        if first == start:
            return found
        stored = self._ranks.agree(lambda: joined(self._written, found))
        return stored.sel(time=slice((first - 0.5) * self.interval, None)).assign_attrs(found.attrs)

    def wrote_to(self, path: Path) -> bool:
        """Whether samples of this recorder were put into this store."""
        return any(part.path == path for part in self._written)

    def moved_to(self, path: Path, identity: str | None, n: int) -> None:
        """The n samples that waited longest are in a store now, and no longer here."""
        nothing = Written(path, identity, self._first, self._first)
        last = self._written.pop() if self._written else nothing
        self._waiting = [self._samples()[:, n:].copy()]
        self._first += n
        self._written += last.extended(path, identity, self._first)

    def lost(self, path: Path) -> None:
        """The store is gone, which was told: `signals` are those that are left."""
        self._written = [
            replace(part, told=True) if part.path == path else part for part in self._written
        ]

    def labelled(self, first: int, outputs: Floats) -> xr.Dataset:
        """Signals from the nodes' outputs, of which the first is sample number `first`."""
        times = (first + np.arange(outputs.shape[1])) * self._every * self._dt
        return self.bank.labelled(outputs, times).assign_attrs(
            format=FORMAT,
            interval_ms=self.interval,
            resolution_ms=self._dt,
            **self.bank.provenance,
            **self._digests,
            nest_version=str(self._nest.__version__),
        )

    def __repr__(self) -> str:
        facts = [f"  {what}: {value}" for what, value in self._facts() if value]
        return "\n".join(["FieldRecorder" + f" {self.name!r}" * bool(self.name), *facts])

    def _repr_html_(self) -> str:
        sizes = [(name, len(ids)) for name, ids in self.populations.items()]
        return card(
            "FieldRecorder",
            [("name", self.name), *self._facts()],
            table("populations", ["population", "neurons"], sizes),
            folded(f"FilterBank {self.bank.model}", self.bank._repr_html_()),
        )

    def _facts(self) -> list[tuple[str, str]]:
        """What it is, for a person, without a question to NEST: with MPI that is collective."""
        n, stored = self._samples().shape[1], sum(part.stop - part.start for part in self._written)
        here = Path.cwd()
        files = ", ".join(
            str(part.path.relative_to(here) if part.path.is_relative_to(here) else part.path)
            for part in self._written
        )
        return [
            ("signals", ", ".join(self.bank.kernels.signals)),
            (
                "neurons",
                f"{sum(map(len, self.populations.values()))} of {len(self.populations)} "
                f"populations, method {self.bank.filter.method!r}",
            ),
            ("interval", f"{self.interval:g} ms"),
            (
                "samples",
                f"{n} taken out of NEST" if n else "none taken out of NEST: signals() does",
            ),
            ("stored", f"{stored} in {files}" if files else ""),
        ]

    def _samples(self) -> Floats:
        """What waits, as one array (output, sample)."""
        if len(self._waiting) != 1:
            empty = np.zeros((self.bank.filter.n_outputs, 0))
            self._waiting = [np.concatenate([empty, *self._waiting], axis=1)]
        return self._waiting[0]

    def _check_alive(self) -> None:
        if not self._session.alive:
            raise NetworkError(
                "the network of this recorder is gone: nest.ResetKernel() was called. Read "
                "recorder.signals() before that"
            )
        if self._ranks.n == 1:  # with MPI, NEST loses its delays if it is asked while it runs
            self._session.check_clock(round(self._nest.biological_time / self._dt))


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


def _interval_steps(bank: FilterBank, interval: float | None, dt: float) -> int:
    wanted = (bank.options.interval or 1.0) if interval is None else interval
    try:
        every = step(wanted, dt, "interval", NetworkError)
    except NetworkError:
        every = 0
    if every < 1:
        raise NetworkError(
            f"interval must be a multiple of the resolution of {dt:g} ms, found {wanted!r}"
        )
    if bank.options.antialias and every != bank.every:
        raise NetworkError(
            "the bank's kernels were low-pass filtered for an interval of "
            f"{bank.options.interval:g} ms, found {wanted:g} ms: "
            f"install(kernels, interval={wanted:g}, antialias=True)"
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
            f"nestlfp.install(kernels, interval={interval:g}, antialias=True), or a shorter "
            "interval",
            stacklevel=3,
        )
