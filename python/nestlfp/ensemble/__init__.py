"""Many runs of a simulation: parameters in, one labelled data set out.

============ ================================================================================
`sample`     parameters of many runs, drawn from ranges
`grid`       parameters of many runs, all combinations of values
`run`        call a function for each run, in fresh processes or on a cluster; keep what it returns
`load`       what a store of runs holds, finished or not
============ ================================================================================

An ensemble may end at any moment, and is continued by the same call: runs that are in the store
are not repeated.
"""

from .parameters import grid, sample
from .runner import run
from .store import load

__all__ = ["grid", "load", "run", "sample"]
