"""What is recorded: the LFP, and the rates of the populations."""

import warnings
from typing import Any

import numpy as np
import parameters as p
import xarray as xr
from network import Nodes

import nestlfp

INTERVAL = 1.0  # ms, of samples
SAMPLING = {"counted": "mean", "antialiased": "fir"}
"""How kernels are low-pass filtered: as if spikes were counted in bins, or without aliasing."""


def filtered(kernels: nestlfp.KernelSet, sampling: str = "counted") -> nestlfp.KernelSet:
    """Kernels for samples every `INTERVAL`."""
    return kernels.lowpass(INTERVAL, method=SAMPLING[sampling])


def rate_kernels(sizes: dict[str, int]) -> nestlfp.KernelSet:
    """Kernels of the populations' rates, and of all neurons': a spike counts where it falls."""
    each = [1000.0 / (sizes[name] * p.DT) for name in p.POPULATIONS]
    total = 1000.0 / (sum(sizes.values()) * p.DT)
    values = np.column_stack([np.diag(each), [total] * len(each)])
    return nestlfp.KernelSet.from_arrays(
        {"rate": values[None, :, :, None]},
        pre=p.POPULATIONS,
        post="all",
        dt=p.DT,
        first_lag=0.0,
        units={"rate": "1/s"},
        channels={"rate": [*p.POPULATIONS, "all"]},
    )


class Recording:
    """LFP and population rates of a network, sampled every millisecond.

    Make it before the network, `start` it afterwards, and ask for `signals` in the end.

    Parameters
    ----------
    *kernels : nestlfp.KernelSet
        As `filtered`.
    **options
        Of `nestlfp.FilterBank`.
    """

    def __init__(self, *kernels: nestlfp.KernelSet, **options: Any) -> None:
        self._banks = [nestlfp.FilterBank(each, **options) for each in kernels]
        for bank in self._banks:
            nestlfp.install(bank)
        self._recorders: list[nestlfp.FieldRecorder] = []

    def start(self, neurons: Nodes) -> None:
        """Connect the recorders."""
        with warnings.catch_warnings():
            # What counting in bins folds back, the paper's signals have too.
            warnings.filterwarnings("ignore", message="samples every")
            self._recorders = [
                nestlfp.FieldRecorder(bank, neurons, interval=INTERVAL) for bank in self._banks
            ]

    def signals(self) -> xr.Dataset:
        """All signals, at the times that all of them have."""
        return xr.merge([recorder.signals() for recorder in self._recorders], join="inner")
