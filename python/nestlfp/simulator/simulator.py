"""The door to NEST: all that nestlfp asks and changes, and NEST's quirks.

Numbers such as #3489 are those of issues at github.com/nest/nest-simulator.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._types import Ints
from ..errors import NetworkError, ToolchainError
from .ranks import Ranks

_SAMPLE = 50  # neurons whose place is looked at
_ERROR = 30  # the level of NEST's messages that errors have
_READ = 1_000
"""Connections that are read at once. NEST makes a dictionary of a kilobyte of each; with a block's
in a core's cache it takes half of the time."""


class Simulator:
    """NEST as it runs in this process. No other package of nestlfp imports it.

    Attributes
    ----------
    module : module
        PyNEST, for this package alone.
    ranks : Ranks
        Its MPI processes.
    error : type
        What NEST raises.

    Raises
    ------
    ToolchainError
        If NEST cannot be imported.
    """

    def __init__(self) -> None:
        try:
            import nest
        except ImportError as error:
            raise ToolchainError(
                f"NEST cannot be imported ({error}): install it, for example with "
                "'pip install nest-simulator', or activate the environment that has it"
            ) from error
        self.module = nest
        self.error: type[Exception] = nest.NESTError
        self.ranks = Ranks(nest)

    # ------------------------------------------------------------------ the state of the kernel
    # With MPI, reading an attribute communicates the delays of all ranks (#637, #2741). Between
    # Prepare and Cleanup NEST loses its delays by that: there only `defaults` are asked.
    @property
    def version(self) -> str:
        """NEST's version."""
        return str(self.module.__version__)

    @property
    def resolution(self) -> float:
        """Length of a step (ms)."""
        return float(self.module.resolution)

    @property
    def time(self) -> float:
        """Simulated time (ms)."""
        return float(self.module.biological_time)

    @property
    def step(self) -> int:
        """Steps that were simulated."""
        return round(self.time / self.resolution)

    @property
    def virtual_processes(self) -> int:
        """Threads of all ranks."""
        return int(self.module.total_num_virtual_procs)

    @property
    def network_size(self) -> int:
        """Number of nodes, of all ranks."""
        return int(self.module.network_size)

    @property
    def connections_here(self) -> int:
        """Number of this rank's connections."""
        return int(self.module.num_connections)

    @property
    def delays_here(self) -> tuple[float, float]:
        """The least and the largest delay (ms); until the first Simulate of this rank's alone."""
        return float(self.module.min_delay), float(self.module.max_delay)

    @property
    def grows(self) -> bool:
        """Whether there is structural plasticity."""
        return bool(self.module.structural_plasticity_synapses)

    @property
    def node_models(self) -> Sequence[str]:
        """Names of all models of nodes."""
        return self.module.node_models

    @property
    def synapse_models(self) -> Sequence[str]:
        """Names of all synapse models."""
        return self.module.synapse_models

    def defaults(self, model: str) -> dict[str, Any]:
        """Defaults of a model of nodes or synapses; also while NEST is prepared."""
        return self.module.GetDefaults(model)

    def default(self, model: str, name: str) -> Any:
        """One of the defaults of a model, which costs less."""
        return self.module.GetDefaults(model, name)

    def check_not_prepared(self, what: str) -> None:
        """Raise a `NetworkError` between ``nest.Prepare()`` and ``nest.Cleanup()``."""
        if self.module.GetKernelStatus("prepared"):
            raise NetworkError(
                f"{what} cannot be called between nest.Prepare() and nest.Cleanup(): call it "
                "before the one or after the other"
            )

    def check_sources_kept(self) -> None:
        """Raise a `NetworkError` where NEST has forgotten where connections come from.

        Asked for them, it would end the process.
        """
        if not self.module.keep_source_table:
            raise NetworkError(
                "NEST does not tell where connections come from: keep_source_table is False. Leave "
                "it at True, or give weights of your own"
            )

    @contextlib.contextmanager
    def quiet(self, *, bar: bool = False) -> Iterator[None]:
        """No reports of NEST's, only its errors; not to be entered or left while it is prepared.

        With `bar` NEST's own progress bar (``nest.print_time``) is left on, where the user wants
        it.
        """
        before, printed = self._verbosity, self.module.print_time
        self._verbosity = max(before, type(before)(_ERROR))
        self.module.print_time = printed and bar
        try:
            yield
        finally:
            self._verbosity, self.module.print_time = before, printed

    # An attribute, and levels that have names, from NEST 3.10 on; before, functions and numbers.
    @property
    def _verbosity(self) -> Any:
        nest = self.module
        return nest.verbosity if hasattr(nest, "VerbosityLevel") else nest.get_verbosity()

    @_verbosity.setter
    def _verbosity(self, level: Any) -> None:
        if hasattr(self.module, "VerbosityLevel"):
            self.module.verbosity = level
        else:
            self.module.set_verbosity(level)

    # ------------------------------------------------------------------ nodes
    def nodes(self, ids: Ints | Sequence[int]) -> Any:
        """A NodeCollection of these ids, in ascending order."""
        return self.module.NodeCollection(np.sort(np.asarray(ids, dtype=np.int64)).tolist())

    def are_nodes(self, given: Any) -> bool:
        """Whether this is a NodeCollection."""
        return isinstance(given, self.module.NodeCollection)

    def present(self, nodes: Any) -> Any:
        """The same nodes, which NEST refuses of a network that `ResetKernel` has removed.

        Of such nodes other questions are answered, wrongly, or end the process.
        """
        return self.nodes([]) + nodes

    def here(self, nodes: Any) -> Any:
        """Those of the nodes that live on this rank, to be asked by `get` alone."""
        if self.ranks.n == 1 or not len(nodes):
            return nodes
        if len(nodes) == 1:  # GetLocalNodeCollection takes `local` of one node for an index
            return nodes if nodes.local else self.nodes([])
        with warnings.catch_warnings():  # that its result is not for all functions of NEST
            warnings.simplefilter("ignore")
            return self.module.GetLocalNodeCollection(nodes)

    def all_nodes(self) -> Any:
        """All nodes of the network."""
        return self.module.GetNodes()

    def positions(self, nodes: Any) -> Any:
        """Where nodes are, in the user's unit."""
        return self.module.GetPosition(nodes)

    def create(self, model: str, n: int = 1, parameters: Mapping[str, Any] | None = None) -> Any:
        """New nodes."""
        return self.module.Create(model, n, params=parameters)

    def set_defaults(self, model: str, parameters: Mapping[str, Any]) -> None:
        """Parameters of all nodes of a model that are created later."""
        self.module.SetDefaults(model, parameters)
        if hasattr(self.module.ll_api, "sli_push"):  # until NEST 3.9
            self._know_recordables(model)

    def _know_recordables(self, model: str) -> None:
        """Let NEST know the names of what its nodes will record.

        They name the elements of their vectors when they are made, by several threads at once, and
        NEST until 3.9 ends the process where a thread brings a name that it does not know.
        """
        defaults, ll_api = self.defaults(model), self.module.ll_api
        known = set(map(str, defaults["recordables"]))
        vectors = [name for name in defaults if f"{name.upper()}_0" in known]
        elements = [f"{name.upper()}_{i}" for name in vectors for i in range(len(defaults[name]))]
        ll_api.sli_push(dict.fromkeys(elements, 0))
        ll_api.sli_pop()

    def forget(self, recorder: Any) -> bool:
        """Drop what a recorder holds; False between Prepare and Cleanup, where NEST keeps it."""
        try:
            recorder.n_events = 0
        except self.module.NESTErrors.BadProperty:
            return False
        return True

    def check_placement(self, ids: Ints) -> None:
        """Raise a `NetworkError` unless node i is on virtual process i modulo their number.

        Connections rest on it that each rank makes for its own filter nodes: by another rule NEST
        would leave out some of them, without a word. A sample of neurons is looked at; collective.
        """
        virtual_processes = self.virtual_processes  # collective
        nodes = self.here(self.nodes(ids[:: max(1, ids.size // _SAMPLE)]))
        if not len(nodes):
            return
        placed = nodes.get(["vp", "global_id"])
        found, own = (np.atleast_1d(placed[name]) for name in ("vp", "global_id"))
        expected = own % virtual_processes
        if (odd := np.flatnonzero(found != expected)).size:
            raise NetworkError(
                f"NEST {self.version} has node {own[odd[0]]} on virtual process "
                f"{found[odd[0]]}, and nestlfp expects it on {expected[odd[0]]}: this version of "
                "nestlfp does not know how this NEST places nodes"
            )

    # ------------------------------------------------------------------ connections
    def connect(
        self, sources: Any, targets: Any, synapse: Mapping[str, Any], rule: str = "all_to_all"
    ) -> None:
        """Make connections; collective."""
        self.module.Connect(sources, targets, rule, synapse)

    def connections(
        self, sources: Any = None, targets: Any = None, synapse_model: str | None = None
    ) -> Any:
        """This rank's connections, a SynapseCollection."""
        return self.module.GetConnections(sources, targets, synapse_model=synapse_model)

    def portions(self, connections: Any, keys: Sequence[str]) -> Iterator[dict[str, NDArray[Any]]]:
        """Parameters of these connections, an array for each key, portion by portion."""
        for first in range(0, len(connections), _READ):
            read = connections[first : first + _READ].get([*keys])
            yield {key: np.atleast_1d(read[key]) for key in keys}

    def columns(self, connections: Any, keys: Sequence[str]) -> dict[str, NDArray[Any]]:
        """Parameters of these connections, an array for each key."""
        portions = list(self.portions(connections, keys)) or [{key: np.zeros(0) for key in keys}]
        return {key: np.concatenate([portion[key] for portion in portions]) for key in keys}

    def set_connections(self, connections: Any, parameters: Sequence[Mapping[str, Any]]) -> None:
        """Set parameters of each of these connections, which are this rank's."""
        connections.set(parameters)

    def copy_synapse_model(self, model: str, name: str) -> None:
        """A copy of a synapse model."""
        self.module.CopyModel(model, name)

    # ------------------------------------------------------------------ models and simulation
    def load(self, module: Path) -> None:
        """Load an extension module, or raise a `ToolchainError`."""
        try:
            self.module.Install(str(module))
        except self.error as error:
            raise ToolchainError(
                f"NEST cannot load the module {str(module)!r}: {error}. 'nestlfp doctor' says "
                "what this NEST needs"
            ) from error

    def reset(self, **attributes: Any) -> None:
        """An empty network, and these attributes of the kernel."""
        self.module.ResetKernel()
        self.module.set(**attributes)

    def simulate(self, ms: float) -> None:
        """``nest.Simulate``: prepare, run and clean up."""
        self.module.Simulate(ms)

    def runs(self) -> contextlib.AbstractContextManager[Any]:
        """Within it the network can `run`."""
        return self.module.RunManager()

    def run(self, ms: float) -> None:
        """Simulate so long."""
        self.module.Run(ms)
