"""One run: the network at one point of its parameters, and the spectra of what it gives.

The network is that of `examples/brunel` with a quarter of the neurons, each of which still gets
input from as many others: what a neuron receives has the same mean and variance, but more of it is
shared with others (0.4 of the populations instead of 0.1), so that correlations are larger.
"""

import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

os.environ.setdefault("PYNEST_QUIET", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
# Behind this folder, which has modules of the same names.
sys.path.append(str(Path(__file__).resolve().parents[1] / "brunel"))

import numpy as np
import parameters as p
import xarray as xr

import nestlfp
from nestlfp.signals import spectrum

RANGES = {"eta": (1.5, 3.0), "g": (4.5, 6.0), "J": (0.1, 0.25)}  # asynchronous irregular
SIZES = {"E": 2500, "I": 625}
ONSET = 150.0  # ms, discarded
LENGTHS = (500.0, 1000.0, 1500.0)  # ms after the onset, of each of which there are spectra
SEGMENT = 300.0  # ms: Welch's, as in the paper


def simulate(
    eta: float,
    g: float,
    J: float,
    seed: int,
    *,
    kernels: str,
    sizes: dict[str, int] = SIZES,
    lengths: tuple[float, ...] = LENGTHS,
) -> xr.Dataset:
    """Simulate the network and return its `features`.

    `kernels` is a file with kernels of J = 1 mV and g = 1. They are the same in each run, apart by
    presynaptic population, so that one filter serves all; their signals are scaled afterwards.
    """
    import nest
    import network
    from recording import Recording, filtered, rate_kernels

    nest.verbosity = nest.VerbosityLevel.ERROR
    point = p.Point(eta, g, J)
    network.reset(seed)
    recorded = nestlfp.KernelSet.load(kernels), filtered(rate_kernels(sizes))
    recording = Recording(*recorded, method="auto", by="pre")
    recording.start(network.build(point, seed, sizes))
    nestlfp.simulate(ONSET + max(lengths), complete=True, progress=False)
    return features(recording.signals(), point, lengths)


def features(signals: xr.Dataset, point: p.Point, lengths: tuple[float, ...]) -> xr.Dataset:
    """Spectra of the LFP (mV²/Hz) and the rates (1/s²/Hz) of each length, and mean rates (1/s).

    ``LFP_E`` is what the LFP is without that of inhibitory spikes.
    """
    factors = xr.DataArray([point.factors[name] for name in p.POPULATIONS], dims="pre")
    with xr.set_options(keep_attrs=True):
        parts = (signals["LFP"] * factors).rename("LFP")
    rate = signals["rate"].sum("pre", keep_attrs=True)
    measured = {
        "LFP": parts.sum("pre", keep_attrs=True),
        "LFP_E": parts.sel(pre="E", drop=True),
        "rate": rate,
    }
    spectra = {name: by_length(signal, lengths) for name, signal in measured.items()}
    mean = rate.sel(time=slice(ONSET, None)).mean("time", keep_attrs=True)
    return xr.Dataset({**spectra, "mean_rate": mean})


def by_length(signal: xr.DataArray, lengths: tuple[float, ...]) -> xr.DataArray:
    """Spectra of so much of a signal after the onset."""
    found = [
        spectrum(signal, segment=SEGMENT, start=ONSET, stop=ONSET + length) for length in lengths
    ]
    along = xr.DataArray(list(lengths), dims="length", name="length", attrs={"units": "ms"})
    return xr.concat(found, along).astype(np.float32)


def run_of(kernels: Path, **options: Any) -> Callable[..., xr.Dataset]:
    """`simulate`, with the kernels in a file."""
    return partial(simulate, kernels=str(kernels), **options)
