"""The recorders and connections that nestlfp has made since the last ``nest.ResetKernel()``."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator

from ..errors import NetworkError
from ..front_ends import check_started, who_resets
from ..nodes.render import SYNAPSE
from ..simulator import Simulator
from .wiring import Made


class Session:
    """What nestlfp has put into NEST since the kernel was reset.

    Attributes
    ----------
    listeners : dict of object to callable
        Recorders, triggers and others with filter nodes, in the order in which they were made.
        The function returns the step that its nodes have reached, or None with several MPI ranks.
    """

    def __init__(self, sim: Simulator) -> None:
        self._sim, self._ranks = sim, sim.ranks
        self.listeners: dict[object, Callable[[], int | None]] = {}
        self._loaded = _loaded(sim)
        self._connections: dict[str, int] = {}  # how many each of our synapse models has
        self._exposed: list[Made] = []  # connections of other synapse models
        self._used_at: int | None = None  # step at which the last synapse model was first used
        self._handing_on = False
        self._seen = 0  # the latest step that NEST was found at

    @property
    def alive(self) -> bool:
        """Whether NEST was not reset since."""
        return self is _current and self._loaded == _loaded(self._sim)

    def synapse(self, now: int) -> str:
        """Synapse model for connections that are made at this step.

        It is that of our module: weights and delays of its connections stay as they were made,
        whatever a script sets. With several MPI ranks it is NEST's own: NEST 3.10 with two ranks
        makes other spikes where neurons have targets of a second synapse model.

        After the network was simulated it is a new one. NEST addresses spikes by their place in a
        table of all connections of one synapse model, and makes that table anew when connections
        are added: spikes that are under way at that moment, over older connections of the same
        model, reach the targets of other neurons.
        """
        if self._ranks.n > 1:
            return "static_synapse"
        if self._used_at in (None, now):
            name = next(reversed(self._connections), SYNAPSE)
        else:
            name = f"{SYNAPSE}_{len(self._connections) + 1}"
            try:
                self._sim.copy_synapse_model(SYNAPSE, name)
            except self._sim.error as error:
                raise NetworkError(
                    f"NEST cannot make the synapse model {name!r}: {error}"
                ) from None
        self._connections.setdefault(name, 0)
        self._used_at = now
        return name

    def made(self, new: Iterable[Made | None]) -> None:
        """Take all connections for right as they are now, and these new ones."""
        self._exposed += [made for made in new if made is not None and made.exposed]
        self._connections = {name: self._count(name) for name in self._connections}

    def _count(self, synapse: str) -> int:
        return int(self._sim.default(synapse, "num_connections"))

    def check_connections(self) -> None:
        """Raise a `NetworkError` if connections are not as they were made; collective.

        Of nestlfp's own synapse model they can only be removed.
        """
        self._ranks.agree(self._check_connections)

    def _check_connections(self) -> None:
        found = {name: self._count(name) for name in self._connections}
        lost = sum(self._connections.values()) - sum(found.values())
        what = "removed" if lost > 0 else "added"
        changes = [f"{abs(lost)} connections were {what}"] if lost else []
        changes += filter(None, (made.difference(self._sim) for made in self._exposed))
        if changes:
            raise NetworkError(
                "connections from the network to the recorder were changed by the script, and "
                f"signals would be wrong: {changes[0]}. nest.GetConnections(E) lists the "
                "recorder's connections as well. Change those of the network alone, such as "
                "nest.GetConnections(E, E + I)"
            )

    @contextlib.contextmanager
    def handing_on(self) -> Iterator[None]:
        """Meanwhile a simulation hands on its chunks, and no other may begin."""
        self._handing_on = True
        try:
            yield
        finally:
            self._handing_on = False

    def check_can_simulate(self, what: str) -> None:
        """Raise a `NetworkError` where NEST is prepared or simulating, or PyNN has yet to start."""
        self._sim.check_not_prepared(what)
        check_started(what)
        if self._handing_on:
            raise NetworkError(
                f"{what} cannot be called in on_chunk of nestlfp.simulate, which is simulating: "
                "for signals in nestlfp.loop(t, every=...) is a loop in which you can"
            )

    def check_alive(self, what: str, remedy: str) -> None:
        """Raise a `NetworkError` if NEST was reset, or its time set, since `what` was made."""
        if not self.alive:
            raise NetworkError(
                f"the network of this {what} is gone: nest.ResetKernel() was called"
                f"{who_resets()}. {remedy}"
            )
        if self._ranks.n == 1:  # with MPI, NEST loses its delays if it is asked while it runs
            self.check_clock(self._sim.step)

    def check_clock(self, now: int) -> None:
        """Raise a `NetworkError` if NEST's time was set.

        With several MPI ranks it is noticed only where it is earlier than it was seen to be.
        """
        expected = next(iter(self.listeners.values()))() if self.listeners else None
        if self.listeners and (now < self._seen if expected is None else now != expected):
            dt = self._sim.resolution
            raise NetworkError(
                f"nestlfp's nodes have come to the end of {(expected or self._seen) * dt:g} "
                f"ms, but NEST is at {now * dt:g} ms: nest.biological_time was set. NEST loses "
                "spikes then, and recorders their samples; for a run that starts at 0, call "
                "nest.ResetKernel() and build the network again"
            )
        self._seen = now


def _loaded(sim: Simulator) -> int | None:
    """When the first of nestlfp's modules was loaded: another time after nest.ResetKernel().

    None where there is none. No kernel attribute is read here: NEST with MPI loses its delays if
    that happens between nest.Prepare and nest.Cleanup.
    """
    try:
        return int(sim.default(SYNAPSE, "loaded"))
    except sim.error:
        return None


_current: Session | None = None


def current(sim: Simulator) -> Session:
    """The session of the present life of NEST's kernel."""
    global _current  # noqa: PLW0603 - NEST's kernel is one for each process, and so is this
    if _current is None or not _current.alive:
        _current = Session(sim)
    return _current
