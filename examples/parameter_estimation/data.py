"""From runs to what estimators are trained on: features, parameters, and who is tested."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr
from numcodecs import BitRound
from simulation import LENGTHS, RANGES

PARAMETERS = tuple(RANGES)
SHARED = Path(__file__).with_name("spectra.nc")
"""Spectra of a thousand runs, for those who do not want to simulate them."""

FULL_RANGES = {"eta": (0.8, 4.0), "g": (3.5, 8.0), "J": (0.05, 0.4)}  # the paper's larger set
BINS = 30  # of frequency, in steps of equal ratio, which are at least a line of the spectrum wide
_KEPT = 8  # bits of a spectrum's values in the shared file: 0.2 %, where Welch's are good to 30 %


def finished(runs: xr.Dataset) -> xr.Dataset:
    """Runs without error in which somebody spiked, in memory."""
    runs = runs.isel(run=np.flatnonzero(runs["error"].values == "")).load()
    return runs.isel(run=np.flatnonzero(runs["mean_rate"].sel(rate_channel="all").values > 0))


def share(runs: xr.Dataset, path: Path) -> None:
    """Write LFP and rate spectra of the longest signals to a small file."""
    part = (
        runs[["LFP", "rate", "mean_rate"]].sel(length=max(LENGTHS)).drop_vars(["seconds", "error"])
    )
    part = part.astype(np.float32)
    for name in ("LFP", "rate"):
        rounded = BitRound(_KEPT).encode(part[name].values)
        part[name].values = rounded.view(np.float32).reshape(part[name].shape)
    packed = {"zlib": True, "complevel": 9, "shuffle": True}
    part.to_netcdf(path, engine="h5netcdf", encoding=dict.fromkeys(part.data_vars, packed))


@dataclass(frozen=True)
class Split:
    """Numbers of runs to learn from, to choose weights by, and to test with, in no common."""

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray

    @classmethod
    def of(cls, runs: xr.Dataset) -> "Split":
        """By the run's number, so that a run is in the same part however many there are."""
        digit = runs["run"].values % 10
        parts = (digit >= 3, digit == 2, digit < 2)
        return cls(*(np.flatnonzero(part) for part in parts))

    @property
    def known(self) -> np.ndarray:
        """All that estimators without validation set may learn from."""
        return np.sort(np.concatenate([self.train, self.validation]))


def targets(runs: xr.Dataset) -> np.ndarray:
    """Parameters scaled to 0 ... 1 over their ranges, shape (runs, 3)."""
    return np.stack(
        [(runs[name].values - low) / (high - low) for name, (low, high) in RANGES.items()], axis=1
    )


def binned(spectra: xr.DataArray) -> np.ndarray:
    """Logarithms of spectra, averaged in bins of frequency; shape (runs, channels · bins)."""
    frequency = spectra["frequency"].values[1:]
    level = np.log10(
        spectra.isel(frequency=slice(1, None)).transpose("run", ..., "frequency").values
    )
    edges = np.geomspace(frequency[0], frequency[-1], BINS + 1)
    index = np.clip(np.searchsorted(edges, frequency, side="right") - 1, 0, BINS - 1)
    filled = np.unique(index)
    means = np.stack([level[..., index == k].mean(axis=-1) for k in filled], axis=-1)
    return means.reshape(len(level), -1)


def errors(predicted: np.ndarray, true: np.ndarray) -> dict[str, dict[str, dict[str, float]]]:
    """Errors of each parameter, in per cent of its range here and of the paper's full one."""
    found: dict[str, dict[str, dict[str, float]]] = {}
    for k, name in enumerate(PARAMETERS):
        error = 100 * (predicted[:, k] - true[:, k])
        low, high = RANGES[name]
        full = (high - low) / np.ptp(FULL_RANGES[name])
        numbers = {
            "bias": error.mean(),
            "sd": error.std(ddof=1),
            "mean_absolute": np.abs(error).mean(),
            "quantile_90": np.quantile(np.abs(error), 0.9),
        }
        found[name] = {
            "of_range": {what: float(value) for what, value in numbers.items()},
            "of_full_range": {what: float(value * full) for what, value in numbers.items()},
        }
    return found
