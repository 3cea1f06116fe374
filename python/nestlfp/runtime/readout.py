"""Read the outputs of filter nodes with one multimeter, and add them up over the nodes."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._types import Floats
from ..errors import NetworkError
from ..simulator import Simulator
from .connection_plan import ConnectionPlan

RECORDS_ALL: dict[str, Any] = {
    "start": 0.0,
    "stop": float(np.finfo(float).max),
    "origin": 0.0,
    "record_to": "memory",
    "label": "",
}
"""Parameters of NEST's recorders, of which the user may have changed the defaults: all but one that
NEST refuses to set once it has simulated."""


class Readout:
    """Samples of the outputs Y_0, Y_1, ... of nodes, summed over the nodes.

    Parameters
    ----------
    sim : Simulator
    nodes : nest.NodeCollection
        What to read.
    plan : ConnectionPlan
        Of the nodes' connections: at which step they are made, and a delay that the network has.
    n_outputs : int
        How many outputs each has.
    every : int
        Steps from one sample to the next.
    shift : int
        A node's sample stamped s is the signal at s - shift.
    synapse : str
        Synapse model of the connections.
    """

    def __init__(
        self,
        sim: Simulator,
        nodes: Any,
        plan: ConnectionPlan,
        n_outputs: int,
        *,
        every: int,
        shift: int,
        synapse: str,
    ) -> None:
        self._sim, self.every, self._shift = sim, every, shift
        self._nodes, self._made = nodes, plan.now
        self._here: list[Any] = []  # this rank's nodes, where they remember
        self._since = self._rows = 0  # since which step they remember how many rows
        self._read = plan.now  # stamps up to this step are read, or were before this was made
        self._kept = False  # whether NEST still has samples that are read
        self.n_outputs = n_outputs
        self._outputs = [f"Y_{i}" for i in range(n_outputs)]
        self.dt = sim.resolution
        self.next = plan.now // every + 1  # number of the next sample to come out of NEST
        self._multimeter = sim.create(
            "multimeter",
            parameters={
                "record_from": self._outputs,
                "interval": every * self.dt,
                "offset": (shift % every) * self.dt,  # puts times on the interval
                **RECORDS_ALL,
            },
        )
        self._step = 1.0 if self._multimeter.time_in_steps else self.dt  # what times count in
        sim.connect(
            self._multimeter,
            nodes,
            {
                "synapse_model": synapse,
                "weight": 1.0,
                "delay": plan.min_delay * self.dt,
                "receptor_type": 0,
            },
        )

    @property
    def clock(self) -> int:
        """Step that the nodes have come to; not to be asked with several MPI ranks."""
        return self._made + int(self._nodes[0].age[0])

    def take(self) -> Floats:
        """Take the new samples out of NEST: shape (output, sample), of this rank's nodes."""
        events = self._multimeter.events
        stamps = np.rint(np.asarray(events["times"]) / self._step).astype(np.int64)
        if stamps.size and stamps.min() <= self._read and not self._kept:
            raise NetworkError(
                f"there are samples from {stamps.min() * self.dt:g} ms on once more: "
                "nest.biological_time was set back, and NEST loses spikes then. For a run that "
                "starts at 0, call nest.ResetKernel() and build the network again"
            )
        column = (stamps - self._shift) // self.every - self.next
        keep = column >= 0  # what comes before the first is no signal: no spike can be in it yet
        column = column[keep]
        n = int(column.max()) + 1 if column.size else 0
        missing = np.flatnonzero(np.bincount(column, minlength=n) == 0)
        if missing.size:
            raise NetworkError(
                f"there is no sample at {(self.next + missing[0]) * self.every * self.dt:g} ms: "
                "the recorder's multimeter was cleared (n_events = 0), or nest.biological_time was "
                "set. Leave the multimeters of nestlfp as they are"
            )
        self._read = int(stamps.max(initial=self._read))
        values = np.zeros((len(self._outputs), n), dtype=np.float64)
        for i, name in enumerate(self._outputs if n else []):
            output = np.asarray(events[name])[keep]
            values[i] = np.bincount(column, weights=output, minlength=n)
        self.next += n
        # Between nest.Prepare and nest.Cleanup NEST keeps them; next time they count as read.
        self._kept = not self._sim.forget(self._multimeter)
        return values

    def number_at(self, now: int) -> int:
        """Number of the last sample that is complete at step `now`."""
        return (now - self._shift) // self.every

    def last_stamp(self, step: int) -> int:
        """Stamp, in the nodes, of the last sample whose time is not after this step."""
        return step // self.every * self.every + self._shift

    def remember(self, now: int, rows: int) -> None:
        """Have the nodes keep their outputs of so many steps, from step `now` on; collective."""
        if self._rows < rows:
            self._nodes.set({"memory": rows * len(self._outputs), "place": [0.0]})
            self._here = [node for node in self._nodes if node.local]
            self._since, self._rows = now, rows

    def remembered(self, first: int, stop: int) -> Floats:
        """Samples from number `first` to before `stop`, from the nodes of this rank themselves.

        NEST hands out samples of a slice in the next one; the nodes have them.
        """
        stamps = np.arange(first, stop) * self.every + self._shift
        row = (stamps - self._since - 1) % self._rows
        values = np.zeros((len(self._outputs), stamps.size))
        for node in self._here:
            values += np.reshape(node.recent, (self._rows, -1))[row].T
        return values
