"""What the states should be, and what was found: report.json."""

from typing import Any

import numpy as np
import xarray as xr
from scipy.signal import find_peaks
from states import ONSET, STATES, Result

PROMINENCE = 6.0  # dB, of what is called a peak
FAINT = 1.5  # dB, of a peak that is expected, and looked for in its place
PEAK_TOLERANCE = 3.5  # Hz, a line of the spectra; twice that where a peak is above 340 Hz


def report(results: dict[str, Result]) -> dict[str, Any]:
    """Numbers and checks by state, and what the states say together."""
    found: dict[str, Any] = {name: of_state(result) for name, result in results.items()}
    found["together"] = together(results) if {"D", "E"} <= results.keys() else None
    return found


def of_state(result: Result) -> dict[str, Any]:
    """Numbers, and whether they are within tolerance of those that are expected."""
    state = STATES[result.state]
    after = result.signals.sel(time=slice(ONSET, None))
    rates = after["rate"].mean("time")
    lfp = after["LFP"]
    correlation = np.corrcoef(lfp.values)
    opposite = correlation[:3, 4:].max() if len(correlation) == 6 else float("nan")
    counted, antialiased = result.spectra["counted"], result.spectra["antialiased"]
    peaks = {"rate": of_all(counted), "LFP": top(counted)}
    expected = {"rate": state.rate_peaks, "LFP": state.lfp_peaks}
    numbers = {
        "rates": {str(name): float(rates.sel(rate_channel=name)) for name in ("E", "I", "all")},
        "rate_expected": state.rate,
        "cv": result.cv,
        "cv_expected": state.cv,
        "lfp_std_mV": lfp.std("time").values.tolist(),
        "peaks_Hz": {name: peaks_of(spectrum) for name, spectrum in peaks.items()},
        "peaks_expected_Hz": expected,
        "largest_correlation_upper_with_lower": float(opposite),
        "online_vs_offline": result.online_vs_offline,
        "antialiased": {
            "peaks_Hz": {"rate": peaks_of(of_all(antialiased)), "LFP": peaks_of(top(antialiased))},
            "dB_against_counted": {
                name: against(one, other)
                for name, one, other in (
                    ("rate", of_all(antialiased), of_all(counted)),
                    ("LFP", top(antialiased), top(counted)),
                )
            },
        },
        "synapses": result.synapses,
        "duration_ms": result.duration,
        "simulate_s": result.seconds,
    }
    rate = float(rates.sel(rate_channel="all"))
    numbers["checks"] = {
        "rate": abs(rate / state.rate - 1) <= state.rate_tolerance,
        "peaks of the rate": near(peaks["rate"], state.rate_peaks),
        "peaks of the LFP": near(peaks["LFP"], state.lfp_peaks),
        "opposite sign above and below": bool(opposite < -0.9),
        "online is offline": max(result.online_vs_offline.values()) <= 1e-12,
    }
    return numbers


def together(results: dict[str, Result]) -> dict[str, Any]:
    """What the paper says of the states beside each other."""
    deviation = {
        name: float(result.signals["LFP"][0].sel(time=slice(ONSET, None)).std())
        for name, result in results.items()
    }
    rate, lfp = (highest(part(results["D"].spectra["counted"])) for part in (of_all, top))
    ratio = deviation["E"] / deviation["D"]
    return {
        "lfp_std_E_over_D": ratio,
        "highest_peak_of_D_Hz": {"rate": rate, "LFP": lfp},
        "checks": {
            "E over D between 50 and 120": 50 <= ratio <= 120,
            "D smallest, E largest": min(deviation, key=lambda name: deviation[name]) == "D"
            and max(deviation, key=lambda name: deviation[name]) == "E",
            "D: near 200 Hz in the rate, near 70 Hz in the LFP": bool(
                abs(rate - 205) < 15 and abs(lfp - 68) < 8
            ),
        },
    }


def of_all(spectra: xr.Dataset) -> xr.DataArray:
    """Of the rate of all neurons."""
    return spectra["rate"].sel(rate_channel="all")


def top(spectra: xr.Dataset) -> xr.DataArray:
    """Of the LFP at the uppermost contact."""
    return spectra["LFP"].isel(LFP_channel=0)


def peaks_of(spectrum: xr.DataArray, prominence: float = PROMINENCE, most: int = 3) -> list[float]:
    """Frequencies (Hz) of the peaks that stand out most, if they do."""
    level = 10 * np.log10(spectrum.values[1:])
    found, shape = find_peaks(level, prominence=prominence)
    chosen = np.sort(found[np.argsort(shape["prominences"])[-most:]])
    return [round(float(f), 1) for f in spectrum["frequency"].values[1:][chosen]]


def highest(spectrum: xr.DataArray) -> float:
    """The frequency (Hz) of the highest peak; not a number where there is none."""
    peaks = spectrum.sel(frequency=peaks_of(spectrum), method="nearest")
    return float(peaks.idxmax("frequency")) if peaks.size else float("nan")


def near(spectrum: xr.DataArray, expected: tuple[float, ...]) -> bool:
    """Whether there is a peak where each is expected; where none is, whether none stands out."""
    if not expected:
        return not peaks_of(spectrum)
    found = peaks_of(spectrum, FAINT, most=len(spectrum))
    return all(
        any(abs(f - e) <= PEAK_TOLERANCE * (2 if e > 340 else 1) for f in found) for e in expected
    )


def against(one: xr.DataArray, other: xr.DataArray) -> dict[str, float]:
    """How much one spectrum has over another (dB) at some frequencies (Hz)."""
    found = {}
    for f in (30.0, 100.0, 200.0, 333.0, 450.0):
        ratio = one.sel(frequency=f, method="nearest") / other.sel(frequency=f, method="nearest")
        found[f"{f:g}"] = 10 * float(np.log10(ratio.item()))
    return found
