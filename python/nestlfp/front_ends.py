"""What errors tell of packages through which a script uses NEST."""

from __future__ import annotations

import sys

from .errors import NetworkError

_RESETS = {
    "pyNN.nest": "PyNN's sim.setup() calls nest.ResetKernel()",
    "bmtk.simulator.pointnet": "bmtk's PointSimulator calls nest.ResetKernel(): "
    "nestlfp.bmtk.install(network) comes before it",
    "microcircuit.network": "microcircuit's Network() calls nest.ResetKernel()",
}
"""Who resets NEST, by the module that a script has imported."""


def who_resets() -> str:
    """For the end of a sentence: who resets NEST, where it is not the script itself."""
    found = [who for module, who in _RESETS.items() if module in sys.modules]
    return f" ({'; '.join(found)})" if found else ""


def check_started(what: str) -> None:
    """Raise a `NetworkError` where PyNN has yet to connect its spike sources and recorders.

    It does so in its first run, and without them the network would simulate, silently.
    """
    pynn = getattr(sys.modules.get("pyNN.nest.simulator"), "state", None)
    if pynn is not None and pynn.populations and not pynn.running:
        raise NetworkError(
            f"{what} cannot be called before the first sim.run(): PyNN connects spike sources and "
            "recorders there. Simulate by sim.run(t) alone, or call sim.run(1.0) first"
        )
