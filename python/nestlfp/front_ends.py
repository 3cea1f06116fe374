"""Who calls ``nest.ResetKernel()`` in a script that uses NEST through another package."""

from __future__ import annotations

import sys

_RESETS = {
    "pyNN.nest": "PyNN's sim.setup() calls nest.ResetKernel()",
    "bmtk.simulator.pointnet": "bmtk's PointSimulator calls nest.ResetKernel(): "
    "nestlfp.bmtk.install(network) comes before it",
    "microcircuit": "microcircuit's Network() calls nest.ResetKernel()",
}
"""By the module that such a script has imported."""


def who_resets() -> str:
    """For the end of a sentence: who resets NEST, where it is not the script itself."""
    told = [who for module, who in _RESETS.items() if module in sys.modules]
    return f" ({'; '.join(told)})" if told else ""
