"""What the cells of Hagen et al. 2016 give, to draw beside the cells of this example.

Their sixteen types are eleven reconstructed morphologies (`L23E_oi24rpy1`, `L4E_53rpy1` and others
of hybridLFPy's example). Peaks were computed from them by superposition by layer and potentials
averaged over discs, at 0.025 ms, with the synapses of `responses.py`; they are 2.5 % too small.
"""

_PEAKS = {  # presynaptic population: at z = 0, -100, … -1500 µm
    "TC": "-0.05 0.03 0.09 0.10 0.09 0.02 -0.18 -0.31 -0.34 -0.23 -0.10 0.09 0.06 0.04 0.07 0.11",
    "L23E": "0.10 -0.04 -0.19 -0.15 -0.18 -0.14 -0.06 0.12 "
    "-0.07 -0.19 -0.46 -0.47 -0.16 0.08 0.15 0.17",
    "L23I": "-1.08 0.44 1.83 1.42 1.68 1.53 0.80 0.34 0.13 -0.06 0.24 0.26 -0.29 -0.36 -0.36 -0.31",
    "L4E": "0.24 0.10 -0.18 -0.20 -0.24 -0.28 -0.37 -0.43 "
    "-0.46 -0.40 -0.25 -0.11 0.08 0.20 0.22 0.19",
    "L4I": "-1.29 -0.63 0.79 0.59 0.79 1.11 2.02 2.59 2.80 2.12 0.79 -0.32 -0.67 -0.87 -0.83 -0.68",
    "L5E": "0.09 0.05 -0.07 -0.05 -0.05 -0.03 -0.05 -0.10 "
    "-0.20 -0.43 -0.81 -0.81 -0.35 0.08 0.19 0.26",
    "L5I": "-1.18 -1.45 -1.77 -2.16 -2.58 -2.99 -3.23 -3.05 "
    "-2.03 1.98 6.77 7.78 3.67 1.68 0.95 0.62",
    "L6E": "0.03 -0.02 -0.03 -0.05 -0.07 -0.16 -0.41 -0.60 "
    "-0.65 -0.44 -0.16 0.15 0.18 0.18 0.19 0.23",
    "L6I": "-0.22 -0.31 -0.44 -0.60 -0.66 -0.23 1.46 2.83 3.65 4.17 4.29 3.70 2.39 0.96 0.71 -2.20",
}
PEAKS = {pre: [float(peak) for peak in row.split()] for pre, row in _PEAKS.items()}
"""Largest value over lags (µV per spike), with its sign, at each of the 16 contacts."""
