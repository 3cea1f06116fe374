"""Several MPI processes acting as one: agreeing on errors, adding partial signals up.

Everything here is collective: each rank calls it. With one process nothing is communicated and
mpi4py is not needed.
"""

from __future__ import annotations

import os
import pickle
import warnings
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..errors import NestLFPError
from ..extras import require

T = TypeVar("T")


class Ranks:
    """The MPI processes of a NEST simulation.

    Parameters
    ----------
    nest : module
        PyNEST.

    Raises
    ------
    MissingExtraError
        If NEST runs in several processes and mpi4py is missing.
    """

    def __init__(self, nest: Any) -> None:
        self.n = int(nest.num_processes)
        self._comm: Any = require("mpi4py.MPI", "mpi").COMM_WORLD if self.n > 1 else None
        self.rank = int(self._comm.rank) if self._comm else 0
        if self.n == 1:
            _warn_of_separate_runs()

    def on_root(self, work: Callable[[], T]) -> T:
        """What `work` returns on rank 0, on every rank; or its error, on every rank."""
        return self.agree(lambda: work() if self.rank == 0 else None, root_only=True)  # type: ignore[return-value]

    def agree(self, work: Callable[[], T], *, root_only: bool = False) -> T:
        """Do `work` on each rank; where one raises, all raise the first rank's error."""
        if self._comm is None:
            return work()
        result: T | None = None
        error: Exception | None = None
        try:
            result = work()
        except Exception as caught:  # whatever it is, the other ranks must not wait for this one
            error = caught
        failed = self.gather(error is not None)
        if any(failed):
            first = failed.index(True)
            sent = self._comm.bcast(_portable(error) if self.rank == first else None, root=first)
            raise error if self.rank == first and error is not None else sent
        return self._comm.bcast(result, root=0) if root_only else result  # type: ignore[return-value]

    def sum(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Sum over ranks of equally shaped arrays."""
        if self._comm is None:
            return values
        total = np.empty_like(values)
        self._comm.Allreduce(np.ascontiguousarray(values), total)
        return total

    def gather(self, value: T) -> list[T]:
        """The value of each rank, on every rank."""
        return [value] if self._comm is None else self._comm.allgather(value)

    def any(self, flag: bool) -> bool:
        """Whether the flag is set on any rank."""
        return any(self.gather(bool(flag)))


def _portable(error: Exception | None) -> Exception:
    """The error as another process can receive it."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return NestLFPError(f"{type(error).__name__}: {error}")
    return error or NestLFPError("another rank failed")


def _warn_of_separate_runs() -> None:
    """With a NEST that knows no MPI, srun starts the same simulation several times.

    Started by Open MPI's mpirun, or where PMI is used, such a NEST ends the process itself.
    """
    n = os.environ.get("SLURM_STEP_NUM_TASKS", "1")
    if n not in {"", "1"}:
        warnings.warn(
            f"srun started {n} processes, but this NEST runs in one: it was built without MPI, and "
            "each process simulates the whole network; 'nestlfp doctor' says more",
            stacklevel=5,
        )
