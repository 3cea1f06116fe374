"""Functions that ensembles of the tests run, in other processes."""

import os
import signal
import sys
import time
from pathlib import Path

import numpy as np
import xarray as xr

sys.path.insert(0, str(Path(__file__).parents[1]))  # scripts that are no tests import this module

from nests import quieten


def random_numbers(a, b, seed):
    """Depends on everything that a run is given."""
    rng = np.random.default_rng(seed)
    values = a + b * rng.normal(size=(2, 5))
    return xr.Dataset(
        {"signal": (("channel", "time"), values, {"units": "mV"}), "total": values.sum()},
        coords={"channel": ["x", "y"], "time": np.arange(5.0)},
    )


def slow(a, b, seed):
    time.sleep(0.15)
    return random_numbers(a, b, seed)


def process_id(a, seed):
    return {"pid": os.getpid(), "parent": os.getppid()}


def troubled(a, seed):
    """Fails in the ways that runs do."""
    if a == 1:
        raise ValueError("the weather\n is bad")
    if a == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    if a == 3:
        raise SystemExit(4)
    if a == 4:
        return {"value": [1.0, 2.0]}
    if a == 5:
        return "nothing"
    return {"value": a * 10}


def in_nest(weight, seed):
    """A small network with a recorder."""
    import nest

    import nestlfp
    from networks import exponential_kernels, installed, random_network, reset

    quieten(nest)
    kernels = exponential_kernels()
    reset(nest, seed=seed)
    bank = installed(kernels)
    network = random_network(nest)
    recorder = nestlfp.FieldRecorder(bank, network.populations, interval=1.0)
    nestlfp.simulate(50.0, progress=False, complete=True)
    return recorder.signals()["LFP"] * weight


def scaled(a, seed, J=0.1):
    """Has a parameter that an ensemble may bind."""
    return {"x": a * J}


class Model:
    """Something with a state, methods, and a call."""

    def __init__(self, J):
        self.J = J
        self.weights = np.array([J, 2 * J])
        self.calls = 0

    def simulate(self, a, seed):
        self.calls += 1
        return {"x": a * self.J}

    def __call__(self, a, seed):
        return self.simulate(a, seed)


def large(mb, seed):
    """A result of so many MB."""
    return {"signal": np.random.default_rng(seed).normal(size=(16, mb * 2**13))}
