"""What is compared: agreement in time, power spectra, and what the neurons' spread explains."""

import numpy as np
import scipy.stats as st
import xarray as xr
from scipy.signal import welch

SIGNALS: dict[str, slice | list[int]] = {
    "LFP": slice(None),
    "CDM": [2],  # the dipole along z; across, it is rounding noise
}
LABELS = ("signal", "channel", "z_um", "unit")
LARGEST = 3  # contacts
SEGMENT = 500.0  # ms, of Welch's method: 7 of them, half overlapping, in 2 s
PADDED = 1000.0  # ms, with zeros: 1 Hz from bin to bin
BAND = (1.0, 200.0)  # Hz


def channels(signals: xr.Dataset, name: str) -> xr.DataArray:
    """The channels of a signal that are compared, shape (channel, time)."""
    return signals[name][SIGNALS[name]]


def largest(full: xr.Dataset) -> dict[str, list]:
    """Labels of the channels with the largest signal."""
    found = {}
    for name in SIGNALS:
        signal = channels(full, name)
        order = np.argsort(-signal.std("time").values)[:LARGEST]
        found[name] = signal[f"{name}_channel"].values[order].tolist()
    return found


def table(
    full: xr.Dataset,
    online: dict[str, xr.Dataset],
    singles: dict[str, xr.Dataset],
    rates: dict[str, float],
) -> list[dict]:
    """A row for each channel: agreement of each kernel set's signal with the full calculation."""
    rows = []
    expected = {name: expected_r2(singles, rates, name) for name in SIGNALS}
    for name in SIGNALS:
        signal = channels(full, name)
        for i, label in enumerate(signal[f"{name}_channel"].values):
            truth = signal.values[i]
            row = {
                "signal": name,
                "channel": str(label),
                "z_um": float(signal["LFP_z"][i]) if name == "LFP" else "",
                "sd": float(truth.std()),
                "unit": signal.attrs["units"],
                "r2_expected": float(expected[name][i]),
            }
            for kind, found in online.items():
                row |= agreement(truth, channels(found, name).values[i], kind)
            rows.append(row)
    return rows


def means(tables: list[list[dict]]) -> list[dict]:
    """Means of the rows over the seeds; of several also where they lie with 95 % confidence.

    That is `± name`: half of the interval (Student's t). Of the largest dB it is the largest.
    """
    rows = []
    for each in zip(*tables, strict=True):
        row = dict(each[0])
        for name in (name for name in each[0] if name not in LABELS):
            values = np.array([one[name] for one in each])
            if name.endswith("largest dB"):
                row[name] = float(values[np.abs(values).argmax()])
                continue
            row[name] = float(values.mean())
            if len(values) > 1:
                row[f"± {name}"] = half_width(values)
        rows.append(row)
    return rows


def half_width(values: np.ndarray | list[float]) -> float:
    """Of the 95 % confidence interval of their mean (Student's t); NaN for a single value."""
    n = len(values)
    return float(st.t.ppf(0.975, n - 1) * st.sem(values)) if n > 1 else np.nan


def agreement(truth: np.ndarray, found: np.ndarray, kind: str) -> dict[str, float]:
    """Correlation, R², ratio of standard deviations, and difference of spectra (dB).

    R² counts a difference of the mean as an error, which that of the fluctuations does not.
    """
    frequency, wanted = spectrum(truth)
    inside = (frequency >= BAND[0]) & (frequency <= BAND[1])
    decibels = 10 * np.log10(spectrum(found)[1] / wanted)[inside]
    return {
        f"{kind}: correlation": float(np.corrcoef(truth, found)[0, 1]),
        f"{kind}: R2": float(1 - np.mean((found - truth) ** 2) / truth.var()),
        f"{kind}: R2 of fluctuations": float(1 - np.var(found - truth) / truth.var()),
        f"{kind}: sd ratio": float(found.std() / truth.std()),
        f"{kind}: median dB": float(np.median(decibels)),
        f"{kind}: largest dB": float(decibels[np.argmax(np.abs(decibels))]),
    }


def spectrum(signal: np.ndarray, dt: float = 2**-4) -> tuple[np.ndarray, np.ndarray]:
    """Frequencies (Hz) and power spectral density by Welch's method."""
    return welch(signal, 1000.0 / dt, nperseg=round(SEGMENT / dt), nfft=round(PADDED / dt))


def expected_r2(singles: dict[str, xr.Dataset], rates: dict[str, float], name: str) -> np.ndarray:
    """R² that the spread of single neurons' kernels allows, by channel.

    Of neurons that spike like independent Poisson processes, a population's kernel misses the
    deviations of their kernels from the mean, which add up in power. Common input makes the
    signal larger than that, and the R² higher.
    """
    missed: np.ndarray = np.zeros(())
    total: np.ndarray = np.zeros(())
    for pre, found in singles.items():
        kernels = found[name].values[:, SIGNALS[name]]
        missed = missed + rates[pre] * np.sum((kernels - kernels.mean(axis=0)) ** 2, axis=(0, 2))
        total = total + rates[pre] * np.sum(kernels**2, axis=(0, 2))
    return 1 - missed / total


def relative_spread(singles: dict[str, xr.Dataset], full: xr.Dataset) -> dict[str, dict]:
    """Spread of single neurons' kernels over their mean (both as norm over lags), by channel."""
    found: dict[str, dict] = {}
    for pre, kernels in singles.items():
        for name in SIGNALS:
            values = kernels[name].values[:, SIGNALS[name]]
            mean = values.mean(axis=0)
            spread = np.sqrt(np.mean(np.sum((values - mean) ** 2, axis=-1), axis=0))
            labels = channels(full, name)[f"{name}_channel"].values
            ratio = spread / np.linalg.norm(mean, axis=-1)
            found[f"{pre}: {name}"] = {
                str(label): float(value) for label, value in zip(labels, ratio, strict=True)
            }
    return found


def as_text(rows: list[dict]) -> str:
    """The table's main figures, to read in a terminal."""
    kinds = [key.removesuffix(": R2") for key in rows[0] if key.endswith(": R2") and key[0] != "±"]
    shown = {"R2": "R²", "R2 of fluctuations": "fluct.", "sd ratio": "s.d.", "largest dB": "dB"}
    lines = [
        f"{'':32}" + "".join(f"{kind:>32}" for kind in kinds),
        f"{'':12}{'s.d.':>10}{'expected':>10}"
        + ("".join(f"{short:>8}" for short in shown.values()) * len(kinds)),
    ]
    for row in rows:
        where = f"{row['signal']} {row['z_um'] if row['signal'] == 'LFP' else row['channel']}"
        values = [row[f"{kind}: {what}"] for kind in kinds for what in shown]
        lines.append(
            f"{where:12}{row['sd']:10.4g}{row['r2_expected']:10.3f}"
            + "".join(f"{value:8.3f}" for value in values)
        )
    return "\n".join(lines)
