"""What a step of a filter node costs: the model by which ``method="auto"`` chooses.

Here is what all nodes pay for; what a filter adds stands beside the filter. The constants were
fitted to the measurements of benchmarks/cost.py on one core of an AMD EPYC (Zen 4) at 2.6 GHz, NEST
3.10 from PyPI, g++ 12 with -O3: see docs/filters.md. Another machine shifts all methods alike, so
that the choice stays right where the estimate is off.
"""

NODE = 0.02
"""Any node in a step, whatever it computes (µs)."""
PORT = 0.004
"""A spike port, spike or not (µs)."""
SPIKE = 0.02
"""A spike on its way, and what a population costs that has one to add (µs)."""


def node_microseconds(populations: int) -> float:
    """A step of a node with a spike of every population, before anything is computed (µs)."""
    return NODE + (PORT + SPIKE) * populations
