"""How much of a synapse's charge NEURON's implicit step takes.

Each step of length dt takes the current as constant. Of a current that jumps and decays with the
time constant tau the step takes dt / (1 - exp(-dt / tau)) instead of tau, too much: 1.064 of it
for 0.5 ms at dt = 2**-4 ms. Of a difference of two exponentials, which begins with 0, it misses
the first dt, and takes dt / (exp(dt / tau) - 1) of each of them: 0.939 where the rise is short. So
it is measured, for each mechanism.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from ..errors import KernelError
from ..extras import require

NOTICED = 0.01
"""Part of the charge from which on what is missing, or too much, is worth a warning."""

_FINE = 64  # steps in one of dt, for what is left of the error when they are halved again
_NOT_OF_THE_MECHANISM = {"weight", "syntype", "e"}  # of a twin of a conductance-based synapse


def charge_taken(synapse: Mapping[str, Any], dt: float, tau: float, *, twin: bool) -> float:
    """Part of a current-based synapse's charge that reaches a cell simulated at dt, measured.

    Parameters
    ----------
    synapse : dict
        Arguments of ``LFPy.Synapse``.
    dt : float
        Time step (ms).
    tau : float
        Time after the activation over which charge is counted (ms).
    twin : bool
        The mechanism is the current-based twin of `synapse`, named ``<syntype>I``.
    """
    mechanism = synapse["syntype"] + ("I" if twin else "")
    rest = {key: value for key, value in synapse.items() if key not in _NOT_OF_THE_MECHANISM}
    if not twin and "e" in synapse:
        rest["e"] = synapse["e"]
    return _measured(mechanism, tuple(sorted(rest.items())), dt, tau)


@lru_cache(maxsize=64)
def _measured(
    mechanism: str, parameters: tuple[tuple[str, Any], ...], dt: float, tau: float
) -> float:
    fine, finer = (_charge(mechanism, parameters, dt / n, tau) for n in (_FINE, 2 * _FINE))
    # The error is linear in dt where dt is small: this is the value at dt = 0.
    exact = 2 * finer - fine
    if not exact:
        raise KernelError(f"the synapse {mechanism} with {dict(parameters)} passes no charge")
    return _charge(mechanism, parameters, dt, tau) / exact


def _charge(
    mechanism: str, parameters: tuple[tuple[str, Any], ...], dt: float, tau: float
) -> float:
    """Charge that leaves a small passive cell through its leak (arbitrary unit)."""
    h = require("neuron", "lfpykernels").h
    h.load_file("stdrun.hoc")
    cell = h.Section(name="charge")
    cell.L = cell.diam = 10.0
    cell.cm = 1.0
    cell.insert("pas")
    # The cell forgets within 0.1 ms, so that nearly all charge has left after tau.
    cell.g_pas, cell.e_pas = 0.01, 0.0
    synapse = getattr(h, mechanism)(cell(0.5))
    for name, value in parameters:
        if hasattr(synapse, name):  # LFPy passes over what the mechanism does not have
            setattr(synapse, name, value)
    connection = h.NetCon(None, synapse)
    connection.weight[0] = 1e-6  # small enough for any current to be linear
    potential = h.Vector().record(cell(0.5)._ref_v)
    h.cvode.active(0)
    h.dt, h.steps_per_ms = dt, 1.0 / dt
    h.finitialize(0.0)
    connection.event(dt)
    # ParallelContext.psolve ends a process in which NEST has started MPI; a loop over fadvance in
    # Python takes long.
    h.continuerun(round(tau / dt) * dt)
    return float(potential.sum()) * dt
