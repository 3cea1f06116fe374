"""FieldRecorder: filter nodes on every virtual process, their wiring, and reading them back.

`FieldRecorder` puts one node on every virtual process, feeds it from the neurons that live there,
and adds the partial signals up. It changes nothing in NEST before everything is checked.
"""

from __future__ import annotations

import contextlib
import hashlib
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from .._types import Ints
from ..errors import NetworkError
from ..grid import steps
from ..nodes.bank import FilterBank
from ..signals.layout import FORMAT
from ..signals.stores import Written, joined
from .bank import check_resolution
from .parallel import Ranks
from .populations import is_stimulator, per_neuron, population_ids
from .session import RECORDERS, import_nest
from .timing import delay_range, schedule


class FieldRecorder:
    """Records the signals of a filter bank from a network, while it runs.

    To be made after the network was created and connected, and before it is simulated.

    Parameters
    ----------
    bank : FilterBank
        What `nestlfp.install` returned.
    populations : dict of str to nest.NodeCollection
        The neurons of each presynaptic population of the kernels; None or an empty collection
        where the network has none. A spike_generator or poisson_generator may stand for a
        population; parrot neurons are neurons. (A poisson_generator sends each of its targets
        spikes of its own, and drawing one more train changes the random numbers of a network
        that has other stochastic devices: put a parrot_neuron behind it if that matters.)
    interval : float, optional
        Distance of two samples (ms), a multiple of the resolution. Default: the bank's, else
        1 ms. A warning says if a kernel has more than it can follow: above the Nyquist frequency
        more than 1 % of the energy of the channel's largest kernel.
    weights : dict of str to array, optional
        For each neuron of a population the factor of its kernel. Default: 1.
    delays : dict of str to array, optional
        For each neuron of a population a time (ms) by which its kernel starts later, rounded to
        the resolution. Default: 0.
    overlap : bool
        Allow a neuron to be in several populations.
    unconnected : bool
        Allow a network without connections. NEST then has no range of delays to keep to, and
        connections made later may find it narrowed to one step.

    Raises
    ------
    NetworkError
        If populations are missing, unknown, overlapping or no neurons, or do not fit the bank;
        if the bank's model is not installed; if the network is not connected yet.

    Notes
    -----
    The recorder leaves the spikes of the network, `min_delay` and `max_delay` as they are. It
    does not wait for a network that is connected later: ``nest.Simulate`` would not tell it, and
    delays chosen without knowing the network's would change them.

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
    ) -> None:
        self._nest = nest = import_nest()
        if not isinstance(bank, FilterBank):
            raise NetworkError(
                f"bank must be what nestlfp.install returns, found {type(bank).__name__}"
            )
        self.bank = bank
        self._ranks = Ranks(nest)
        _check_installed(bank, nest)
        self._dt = float(nest.resolution)
        self._every = _interval_steps(bank, interval, self._dt)
        self.populations = population_ids(bank.populations, populations, nest, overlap)
        weight = per_neuron(weights, self.populations, "weights", default=1.0)
        lag = per_neuron(delays, self.populations, "delays", default=0.0)
        extra = [np.rint(values / self._dt).astype(np.int64) for values in lag.values()]
        self._digests = {"weights": _digest(weight.values()), "delays": _digest(extra)}
        min_delay, max_delay = delay_range(nest, self._ranks, unconnected)
        coefficients = bank.filter.coefficients
        self.schedule = schedule(
            coefficients.first_lags, extra, min_delay, max_delay, bank.filter.max_hold
        )
        if self._ranks.rank == 0 and not bank.antialias:
            _warn_of_aliasing(bank, self._every)

        # From here on NEST is changed; everything that could be wrong was checked above.
        now = int(steps(nest.biological_time, self._dt, "biological_time", NetworkError))
        self._next = now // self._every + 1  # number of the next sample to come out of NEST
        self._first = self._next  # number of the first sample that waits to be handed out
        self._waiting: list[NDArray[np.float64]] = []
        self._written: list[Written] = []  # where `simulate(to=...)` put the samples before these
        self._nodes = self._create_nodes(now)
        self._multimeter = self._create_multimeter(min_delay)
        for port, name in enumerate(bank.populations):
            self._connect(port, self.populations[name], weight[name], self.schedule.delays[port])
        RECORDERS.append(self)

    @property
    def interval(self) -> float:
        """Distance of two samples (ms)."""
        return self._every * self._dt

    def signals(self) -> xr.Dataset:
        """The signals so far; with several MPI ranks, collective and the same on each.

        Returns
        -------
        xarray.Dataset
            A variable per signal with dimensions ``([post,] [pre,] <signal>_channel, time)``, its
            unit and contact positions (µm). ``time`` (ms) are the multiples of `interval` since
            the recorder was made for which NEST has handed out samples: it withholds those of
            the last `min_delay` or so until it is simulated on.

        Raises
        ------
        NetworkError
            If NEST was reset since the recorder was made.

        Notes
        -----
        May be called between several calls of Simulate. What was streamed to disk is read from
        there.
        """
        self.collect()
        rest = self.labelled(self._first, self._samples())
        return self._ranks.agree(lambda: joined(self._written, rest))

    def collect(self) -> int:
        """Take the new samples out of NEST; returns how many are waiting now."""
        self._check_alive()
        new = self._ranks.sum(self._read())
        if new.shape[1]:
            self._waiting.append(new)
        return sum(block.shape[1] for block in self._waiting)

    @property
    def first_waiting(self) -> int:
        """Number of the first sample that is not in a store; sample k is at k * interval."""
        return self._first

    def waiting(self, start: int, n: int) -> xr.Dataset:
        """The signals of n samples that wait, from number `start` of them on."""
        return self.labelled(self._first + start, self._samples()[:, start : start + n])

    def moved_to(self, path: Path, n: int) -> None:
        """The n samples that waited longest are in a store now, and no longer here."""
        last = self._written.pop() if self._written else Written(path, self._first, self._first)
        self._waiting = [self._samples()[:, n:].copy()]
        self._first += n
        self._written += last.extended(path, self._first)

    def labelled(self, first: int, outputs: NDArray[np.float64]) -> xr.Dataset:
        """Signals from the nodes' outputs, of which the first is sample number `first`."""
        coefficients = self.bank.filter.coefficients
        times = (first + np.arange(outputs.shape[1])) * self._every * self._dt
        dataset = coefficients.to_dataset(self.bank.filter.expand(outputs), times)
        return dataset.assign_attrs(
            format=FORMAT,
            interval_ms=self.interval,
            resolution_ms=self._dt,
            kernels=self.bank.kernels.fingerprint,
            method=self.bank.filter.method,
            tolerance=self.bank.tolerance,
            exact_channels=int(self.bank.exact_channels),
            **self._digests,
            nest_version=str(self._nest.__version__),
        )

    def _samples(self) -> NDArray[np.float64]:
        """What waits, as one array (output, sample)."""
        if len(self._waiting) != 1:
            empty = np.zeros((self.bank.filter.n_outputs, 0))
            self._waiting = [np.concatenate([empty, *self._waiting], axis=1)]
        return self._waiting[0]

    def _check_alive(self) -> None:
        # No kernel attribute is read here: NEST with MPI loses its delays if that happens between
        # nest.Prepare and nest.Cleanup.
        try:
            self._nest.GetDefaults(self.bank.model, "element_type")
            alive = self in RECORDERS
        except self._nest.NESTError:
            alive = False
        if not alive:
            raise NetworkError(
                "the network of this recorder is gone: nest.ResetKernel() was called. Read "
                "recorder.signals() before that"
            )

    # ------------------------------------------------------------------ wiring
    def _create_nodes(self, now: int) -> Any:
        """One filter node on each virtual process."""
        nest, model = self._nest, self.bank.model
        # The node's next step is stamped now + 1; samples have stamps that, less shift, are
        # multiples of `every`.
        until = (self.schedule.shift - now - 1) % self._every
        parameters = self.bank.filter.parameters(self.schedule.hold, self._every, until)
        # Defaults are copied into each node inside the kernel: cheaper than setting each one.
        nest.SetDefaults(model, parameters)
        return nest.Create(model, self._n_vps)

    @property
    def _n_vps(self) -> int:
        return int(self._nest.total_num_virtual_procs)

    def _create_multimeter(self, min_delay: int) -> Any:
        # A sample stamped s is the signal at s - shift; the offset puts times on the interval.
        multimeter = self._nest.Create(
            "multimeter",
            params={
                "interval": self.interval,
                "offset": (self.schedule.shift % self._every) * self._dt,
                "record_from": [f"Y_{i}" for i in range(self.bank.filter.n_outputs)],
            },
        )
        delay = {"synapse_model": "static_synapse", "weight": 1.0, "delay": min_delay * self._dt}
        self._nest.Connect(multimeter, self._nodes, syn_spec=delay)
        return multimeter

    def _connect(self, port: int, ids: Ints, weight: NDArray[np.float64], delay: Ints) -> None:
        """Connect each neuron to the node on its own virtual process, in one call."""
        if ids.size == 0:
            return
        # Node i lives on virtual process i modulo their number, neurons and filters alike.
        first = int(self._nodes[0].global_id)
        targets = first + (ids - first) % self._n_vps
        if is_stimulator(int(ids[0]), self._nest):  # lives everywhere; must be heard once
            targets = np.full_like(ids, first)
        # A rank makes the connections that live on it, and does not look at the others. Connect is
        # collective, so that a rank without any names one of another's, which NEST passes over.
        here = (targets % self._n_vps) % self._ranks.n == self._ranks.rank
        if not here.any():
            here[0] = True
        self._nest.Connect(
            ids[here],
            targets[here],
            "one_to_one",
            {
                "synapse_model": "static_synapse",
                "weight": weight[here],
                "delay": delay[here] * self._dt,
                "receptor_type": np.full(int(here.sum()), port + 1),
            },
        )

    # ------------------------------------------------------------------ reading
    def _read(self) -> NDArray[np.float64]:
        """Take the samples out of NEST, summed over this rank's nodes: (output, sample)."""
        events = self._multimeter.events
        stamps = np.rint(np.asarray(events["times"]) / self._dt).astype(np.int64)
        column = (stamps - self.schedule.shift) // self._every - self._next
        keep = column >= 0  # what comes before the first is no signal: no spike can be in it yet
        column = column[keep]
        n = int(column.max()) + 1 if column.size else 0
        values = np.zeros((self.bank.filter.n_outputs, n), dtype=np.float64)
        for i in range(self.bank.filter.n_outputs if n else 0):
            output = np.asarray(events[f"Y_{i}"])[keep]
            values[i] = np.bincount(column, weights=output, minlength=n)
        self._next += n
        # Between nest.Prepare and nest.Cleanup NEST keeps them; next time they count as read.
        with contextlib.suppress(self._nest.NESTErrors.BadProperty):
            self._multimeter.n_events = 0
        return values


def _digest(values: Iterable[NDArray[Any]]) -> str:
    """Tells whether two recorders have the same values for each neuron of each population."""
    digest = hashlib.sha256()
    for array in values:
        digest.update(f"{array.size} ".encode() + array.tobytes())
    return digest.hexdigest()[:16]


# ---------------------------------------------------------------------- checks
def _check_installed(bank: FilterBank, nest: Any) -> None:
    check_resolution(bank.kernels, nest)
    if bank.model not in nest.node_models:
        raise NetworkError(
            f"NEST does not know the model {bank.model!r}: call nestlfp.install(kernels) after "
            "nest.ResetKernel() (which unloads modules) and before any node is created"
        )


def _interval_steps(bank: FilterBank, interval: float | None, dt: float) -> int:
    wanted = (bank.interval or 1.0) if interval is None else interval
    try:
        every = int(steps(wanted, dt, "interval", NetworkError))
    except (NetworkError, TypeError, ValueError):
        every = 0
    if every < 1:
        raise NetworkError(
            f"interval must be a multiple of the resolution of {dt:g} ms, found {wanted!r}"
        )
    if bank.antialias and every != int(steps(bank.interval or 0, dt, "interval", NetworkError)):
        raise NetworkError(
            f"the bank's kernels were low-pass filtered for an interval of {bank.interval:g} ms, "
            f"found {wanted:g} ms: install(kernels, interval={wanted:g}, antialias=True)"
        )
    return every


def _warn_of_aliasing(bank: FilterBank, every: int) -> None:
    shares = bank.filter.coefficients.energy_above_nyquist(every)
    worst = int(shares.argmax())
    if shares[worst] > 0.01:
        interval = every * bank.kernels.dt
        warnings.warn(
            f"samples every {interval:g} ms cannot follow what is faster than {500 / interval:g} "
            f"Hz, where a kernel of {bank.populations[worst]!r} has {100 * shares[worst]:.2g} % of "
            "the energy of the channel's largest kernel: it appears at lower frequencies. Use "
            f"nestlfp.install(kernels, interval={interval:g}, antialias=True), or a shorter "
            "interval",
            stacklevel=3,
        )
