"""A module that was compiled is tried: what its nodes make of a spike, against the kernel.

NESTML's next version may put spikes into another step, and a compiler can be wrong. So a NEST in a
process of its own sends one spike through each port of each model, and what comes out has to be
the port's kernel, at every lag and in its time.
"""

from __future__ import annotations

import importlib.metadata
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from .._types import Floats
from ..errors import KernelError, ToolchainError
from ..filters.options import METHODS
from ..kernels import KernelSet
from ..nodes.bank import FilterBank
from ..nodes.detector import RECORDING
from ..nodes.model import Model
from .toolchain import Nest

DT = 0.1
"""Resolution (ms): NEST's default."""
TAPS, LEADS, SPACING = 12, 3, 20
"""Taps of a kernel; lags at which kernels start, from 1 on; steps between two ports' spikes."""
ROUNDING = 1e-9
"""Relative to a channel's peak."""
SECONDS = 120
"""After which NEST is taken for one that cannot be started."""


def try_module(
    module: Path, models: Iterable[Model], nest: Nest, environment: dict[str, str]
) -> str | None:
    """Compare what a module's filter nodes compute with kernels.

    Parameters
    ----------
    module : Path
        The shared library.
    models : iterable of Model
        Those of it that are to be tried; models of no method are passed over.
    nest : Nest
        What it was compiled for.
    environment : dict
        Environment of the process in which NEST is started.

    Returns
    -------
    str or None
        Why it could not be tried: mostly that NEST cannot be started in a process of its own.

    Raises
    ------
    ToolchainError
        If NEST does not load the module, or it does not compute what it should.
    """
    try:
        banks = {model: _bank(model) for model in models if model.method}
    except KernelError as error:  # of a method from elsewhere
        return f"no filter has the kernels of a trial: {error}"
    request = {
        "module": str(module),
        "spacing": SPACING,
        "nodes": [{"model": model.name, **_node(model, bank)} for model, bank in banks.items()],
    }
    with tempfile.TemporaryDirectory(prefix="nestlfp_") as name:
        folder = Path(name)
        (folder / "request.json").write_text(
            json.dumps(request, default=lambda value: value.tolist())
        )
        reason = _run(folder, environment)
        if not (folder / "started").exists():
            return f"NEST does not start in a process of its own here: {reason}"
        if not (folder / "answer.json").exists():
            raise ToolchainError(f"NEST does not load {module.name}: {reason}")
        answer = json.loads((folder / "answer.json").read_text())
    for (model, bank), outputs in zip(banks.items(), answer, strict=True):
        difference = _difference(bank, np.array(outputs))
        if difference is not None:
            raise ToolchainError(
                f"the module {module.name} is wrong, and was deleted: {difference} (model "
                f"{model.name}). NESTML {importlib.metadata.version('nestml')} made it for NEST "
                f"{nest.version}: one of them may be too new for this version of nestlfp"
            )
    return None


def _run(folder: Path, environment: dict[str, str]) -> str:
    """Let NEST answer a request; the last line of what it complains about."""
    command = [sys.executable, "-m", "nestlfp.build.trial_in_nest", str(folder)]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, env=environment, timeout=SECONDS
        )
    except subprocess.TimeoutExpired:
        return f"it was not done after {SECONDS} s"
    return (done.stderr.strip().splitlines() or ["it ended without a word"])[-1]


def _bank(model: Model) -> FilterBank:
    """Kernels with a decay and an oscillation, of another size and start for each port."""
    port, k = np.arange(model.ports)[:, None, None], np.arange(LEADS + TAPS)
    lag = k - port % LEADS
    course = 0.8**lag * np.cos(lag) + 0.5**lag
    size = (1 + port) * np.array([[1], [-1]]) + np.array([[0.0], [0.5]])
    h = np.where((lag >= 0) & (lag < TAPS), size * course, 0.0)
    names = [str(p) for p in range(model.ports)]
    kernels = KernelSet.from_arrays(
        {"LFP": h[None]}, pre=names, post="post", dt=DT, first_lag=DT, units={"LFP": "mV"}
    )
    return FilterBank(kernels, method=METHODS[model.method]())


def _node(model: Model, bank: FilterBank) -> dict[str, Any]:
    """Parameters of a node that holds spikes back as long as it can, and delays for the rest."""
    first_lags = bank.filter.coefficients.first_lags
    hold = np.minimum(first_lags - 1, bank.filter.max_hold)
    parameters = bank.filter.parameters(model.ports, hold, every=1, until=0)
    return {"defaults": parameters | RECORDING, "delays": first_lags - hold}


def _difference(bank: FilterBank, outputs: Floats) -> str | None:
    """How the signals after each port's spike differ from its kernel, if they do.

    The outputs are of shape (output, step); port p spikes in step 1 + p * SPACING.
    """
    c, filter_ = bank.filter.coefficients, bank.filter
    ports, channels, taps = c.h.shape
    # (port, channel, lag)
    found = filter_.expand(outputs)[0].reshape(channels, ports, SPACING).swapaxes(0, 1)
    expected = np.zeros_like(found)
    for p, first in enumerate(c.first_lags):
        expected[p, :, first : first + taps] = c.h[p]
    peak = np.abs(expected).max(axis=(0, 2))[:, None]
    allowed = 2 * filter_.error[:, None] + ROUNDING  # of its own spike, and what others left

    def off(by: int) -> Floats:
        """The largest error of each port against its kernel, so many steps later."""
        wrong = np.abs(found - np.roll(expected, by, axis=2)) / peak
        return np.where(wrong <= allowed, 0.0, wrong).max(axis=(1, 2))

    errors = off(0)
    if not errors.any():
        return None
    for by in (1, -1, 2, -2):
        if not off(by).any():
            steps = f"{abs(by)} step{'s' * (abs(by) > 1)}"
            return f"signals come {steps} too {'late' if by > 0 else 'early'}"
    p = int(np.argmax(errors > 0))
    return f"a spike at port {p + 1} leaves another signal, off by {errors[p]:.2g} of the peak"
