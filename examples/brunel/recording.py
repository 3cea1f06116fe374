"""What is recorded: the LFP, and the rates of the populations."""

import warnings

import numpy as np
import parameters as p
import xarray as xr
from network import Nodes

import nestlfp

INTERVAL = 1.0  # ms, of samples


class Recording:
    """LFP and population rates of a network, sampled every millisecond.

    Make it before the network, `start` it afterwards, and ask for `signals` in the end.
    """

    def __init__(self, kernels: nestlfp.KernelSet, sizes: dict[str, int], **options: str) -> None:
        self._lfp = nestlfp.install(kernels, **options)
        self._rates = nestlfp.install(rate_kernels(sizes))
        self._recorders: list[nestlfp.FieldRecorder] = []

    def start(self, neurons: Nodes) -> None:
        """Connect the recorders."""
        with warnings.catch_warnings():
            # Counts in bins have frequencies above the Nyquist frequency, as the paper's have.
            warnings.filterwarnings("ignore", message="samples every")
            self._recorders = [
                nestlfp.FieldRecorder(bank, neurons, interval=INTERVAL)
                for bank in (self._lfp, self._rates)
            ]

    def signals(self) -> xr.Dataset:
        """``LFP`` (mV) and ``rate`` (spikes/s of a neuron of E, of I and of all)."""
        return xr.merge([recorder.signals() for recorder in self._recorders], join="inner")


def counted(kernels: nestlfp.KernelSet) -> nestlfp.KernelSet:
    """Kernels as if spikes were counted in bins as wide as the interval of the samples."""
    return kernels.lowpass(INTERVAL, method="mean")


def rate_kernels(sizes: dict[str, int]) -> nestlfp.KernelSet:
    """Kernels of the populations' rates, of spikes counted in bins."""
    each = [1000.0 / (sizes[name] * p.DT) for name in p.POPULATIONS]
    total = 1000.0 / (sum(sizes.values()) * p.DT)
    values = np.column_stack([np.diag(each), [total] * len(each)])
    return counted(
        nestlfp.KernelSet.from_arrays(
            {"rate": values[None, :, :, None]},
            pre=p.POPULATIONS,
            post="all",
            dt=p.DT,
            first_lag=0.0,
            units={"rate": "1/s"},
            channels={"rate": [*p.POPULATIONS, "all"]},
        )
    )
