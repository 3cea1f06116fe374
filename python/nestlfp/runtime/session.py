"""One life of NEST's kernel, from one ``nest.ResetKernel()`` to the next, and its recorders."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ..errors import NetworkError, ToolchainError

if TYPE_CHECKING:
    from .recorder import FieldRecorder
    from .trigger import Trigger

SYNAPSE = "nestlfp_synapse"
"""Name of the synapse model of recorders' connections, so that they can be told from others."""


class Session:
    """What nestlfp has put into NEST since the kernel was reset.

    Attributes
    ----------
    recorders : list of FieldRecorder
        In the order in which they were made.
    triggers : list of Trigger
        In the order in which they were made.
    """

    def __init__(self, nest: Any) -> None:
        self._nest = nest
        self.recorders: list[FieldRecorder] = []
        self.triggers: list[Trigger] = []
        self._synapses: list[str] = []
        self._used_at: int | None = None  # step at which the last synapse model was first used
        self._seen = 0  # the latest step that NEST was found at

    @property
    def alive(self) -> bool:
        """Whether NEST was not reset since."""
        # A reset takes the synapse models away. No kernel attribute is read here: NEST with MPI
        # loses its delays if that happens between nest.Prepare and nest.Cleanup.
        try:
            return self is _current and all(
                self._nest.GetDefaults(name, "has_delay") for name in self._synapses[:1]
            )
        except self._nest.NESTError:
            return False

    def reserve_synapse(self) -> None:
        """Make the first synapse model, while the network is still to come.

        Of a network with several MPI ranks and synapse models NEST otherwise makes tables anew: 4 s
        and 1.2 GB on each of two ranks for 299 million synapses.
        """
        if not self._synapses:
            self._copy_synapse()

    def _copy_synapse(self) -> None:
        name = f"{SYNAPSE}_{len(self._synapses) + 1}" if self._synapses else SYNAPSE
        try:
            self._nest.CopyModel("static_synapse", name)
        except self._nest.NESTError as error:
            raise NetworkError(f"NEST cannot make the synapse model {name!r}: {error}") from None
        self._synapses.append(name)

    def synapse(self, now: int, several_ranks: bool) -> str:
        """Synapse model for connections that are made at this step.

        With several MPI ranks it is NEST's own, the model is only the mark of this life: NEST 3.10
        with two ranks makes other spikes where neurons have targets of a second synapse model.

        After the network was simulated it is a new one. NEST addresses spikes by their place in a
        table of all connections of one synapse model, and makes that table anew when connections
        are added: spikes that are under way at that moment, over older connections of the same
        model, reach the targets of other neurons.
        """
        if not self._synapses or self._used_at not in (None, now):
            self._copy_synapse()
        self._used_at = now
        return "static_synapse" if several_ranks else self._synapses[-1]

    def check_clock(self, now: int) -> None:
        """Raise a `NetworkError` if NEST's time was set.

        With several MPI ranks it is noticed only where it is earlier than it was seen to be.
        """
        all_nodes: list[FieldRecorder | Trigger] = [*self.recorders, *self.triggers]
        expected = all_nodes[0].clock if all_nodes else None
        if all_nodes and (now < self._seen if expected is None else now != expected):
            dt = float(self._nest.resolution)
            raise NetworkError(
                f"nestlfp's nodes have come to the end of {(expected or self._seen) * dt:g} "
                f"ms, but NEST is at {now * dt:g} ms: nest.biological_time was set. NEST loses "
                "spikes then, and recorders their samples; for a run that starts at 0, call "
                "nest.ResetKernel() and build the network again"
            )
        self._seen = now


_current: Session | None = None


def current(nest: Any) -> Session:
    """The session of the present life of NEST's kernel."""
    global _current  # noqa: PLW0603 - NEST's kernel is one for each process, and so is this
    if _current is None or not _current.alive:
        _current = Session(nest)
    return _current


def import_nest() -> Any:
    """The module ``nest``, or a `ToolchainError` that says how to get it."""
    try:
        import nest
    except ImportError as error:
        raise ToolchainError(
            f"NEST cannot be imported ({error}): install it, for example with "
            "'pip install nest-simulator', or activate the environment that has it"
        ) from error
    return nest


def check_not_prepared(nest: Any, what: str) -> None:
    """Raise a `NetworkError` between ``nest.Prepare()`` and ``nest.Cleanup()``."""
    if nest.GetKernelStatus("prepared"):
        raise NetworkError(
            f"{what} cannot be called between nest.Prepare() and nest.Cleanup(): call it before "
            "the one or after the other"
        )


@contextlib.contextmanager
def quiet(nest: Any) -> Iterator[None]:
    """No reports of NEST's, only its errors; not to be entered or left while it is prepared."""
    before = nest.verbosity
    nest.verbosity = max(before, nest.VerbosityLevel.ERROR)
    try:
        yield
    finally:
        nest.verbosity = before
