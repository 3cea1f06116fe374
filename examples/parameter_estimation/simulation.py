"""One run: the network at one point of its parameters, and the spectra of what it gives.

The network is that of `examples/brunel` with a quarter of the neurons, each of which still gets
input from as many others: what a neuron receives has the same mean and variance, but more of it is
shared with others (0.4 of the populations instead of 0.1), so that correlations are larger.
"""

import os
import sys
import warnings
from pathlib import Path

os.environ.setdefault("PYNEST_QUIET", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "brunel"))

import numpy as np
import parameters as p
import xarray as xr

import nestlfp
import nestlfp.signals

SIZES = {"E": 2500, "I": 625}
DURATION = 1650.0  # ms
ONSET = 150.0  # ms, discarded
LENGTHS = (500.0, 1000.0, 1500.0)  # ms after the onset, of which there are spectra
INTERVAL = 1.0  # ms
SEGMENT = 300.0  # ms: Welch's, as in the paper
RANGES = {"eta": (1.5, 3.0), "g": (4.5, 6.0), "J": (0.1, 0.25)}  # asynchronous irregular


def simulate(
    eta: float, g: float, J: float, seed: int, sizes: dict[str, int] = SIZES
) -> xr.Dataset:
    """Spectra of the LFP (mV²/Hz) and of the population rate (1/s²/Hz), and mean rates (1/s)."""
    import nest
    import network

    nest.verbosity = nest.VerbosityLevel.ERROR
    point = p.Point(eta, g, J)
    network.reset(seed)
    # The kernels are those of J = 1 mV and g = 1 in every run, so that one filter serves them all;
    # apart by presynaptic population, their signals are scaled afterwards.
    kernels = nestlfp.KernelSet.load(Path(__file__).with_name("kernels.nc"))
    field = nestlfp.install(kernels, method="state-space", by="pre")
    counts = nestlfp.install(rate_kernels(sizes))
    neurons = network.build(point, seed, sizes)
    recorders = [nestlfp.FieldRecorder(field, neurons, interval=INTERVAL)]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*Nyquist")  # counts are what they are
        recorders.append(nestlfp.FieldRecorder(counts, neurons, interval=INTERVAL))
    nestlfp.simulate(DURATION, complete=True, progress=False)
    by_pre, rates = (recorder.signals() for recorder in recorders)
    return features(by_pre["LFP"], rates["rate"], point, sizes)
