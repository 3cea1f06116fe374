"""What must hold for the microcircuit, each with what was found and the bound."""

from dataclasses import asdict, dataclass
from typing import Any

import circuit as c
import numpy as np
import responses
import xarray as xr
from anatomy import PEAKS, PRE
from network_in_nest import Choice

import nestlfp
import nestlfp.signals
from nestlfp.sources import mechanisms
from nestlfp.sources.layers import realized_shares
from nestlfp.testing import convolved

ONSET = 500.0  # ms that rates leave out
SPECTRUM_FROM = 200.0  # ms that spectra leave out
SPECTRUM_SEGMENT = 256.0  # ms
BAND = (75.0, 95.0)  # Hz
RELATIVE = {"L23E": 0.2, "L6E": 0.2}  # of the reference rate; the others 0.1
# Rates (spikes/s) of smaller networks over 1 s, in the order of circuit.POPULATIONS.
REFERENCE_RATES = {
    0.1: (0.481, 2.172, 4.006, 5.018, 6.907, 7.660, 0.889, 6.980),
    0.2: (0.589, 2.473, 4.286, 5.496, 6.924, 8.324, 1.005, 7.432),
    1.0: tuple(c.RATES.values()),
}
PULSE_AT, PULSE_MV, PULSE_LAG = -800.0, -0.24, (2.5, 2.9)  # µm, mV, ms

Spikes = dict[str, tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class Check:
    """One line of the table; `ok` is None where it says nothing about this run."""

    name: str
    found: Any
    bound: str
    ok: bool | None

    def as_dict(self) -> dict[str, Any]:
        """For a report in JSON."""
        return asdict(self)


def number_of_synapses(choice: Choice, recurrent: int, thalamic: int) -> Check:
    """Whether NEST made those that were asked for."""
    wanted = [
        sum(choice.synapses(pre, post) for pre in pres for post in c.POPULATIONS)
        for pres in (c.POPULATIONS, ("TC",))
    ]
    found = [recurrent, thalamic]
    return Check("number of synapses, recurrent and thalamic", found, f"{wanted}", found == wanted)


def rates(choice: Choice, spikes: Spikes) -> Check:
    """Rates (spikes/s) once the onset has worn off, against those of the network of this size."""
    start = min(ONSET, choice.duration / 2)
    found = rates_from(choice, spikes, start)
    usual = choice.network == "default" and choice.stimulus == "none"
    if choice.scale not in REFERENCE_RATES or not usual or choice.duration - start < 1000.0:
        bound = "for the default network, no stimulus, 1 s or more, at scale 0.1, 0.2 or 1"
        return Check("rates (spikes/s)", found, bound, None)
    expected = dict(zip(c.POPULATIONS, REFERENCE_RATES[choice.scale], strict=True))
    near = [
        abs(found[name] - rate) <= RELATIVE.get(name, 0.1) * rate for name, rate in expected.items()
    ]
    return Check("rates (spikes/s)", found, f"{expected} ± 10 %, L23E and L6E 20 %", all(near))


def rates_from(choice: Choice, spikes: Spikes, start: float) -> dict[str, float]:
    """Spikes/s of a neuron of each population, the thalamus left out."""
    seconds = (choice.duration - start) / 1000.0
    return {
        name: float((spikes[name][0] > start).sum() / choice.size(name) / seconds)
        for name in c.POPULATIONS
    }


def online_against_convolution(
    choice: Choice,
    kernels: nestlfp.KernelSet,
    signals: xr.Dataset,
    spikes: Spikes,
    tolerance: float,
) -> Check:
    """The recorded signals against `numpy.convolve` of the recorded spikes and these kernels."""
    times = {name: found for name, (found, _) in spikes.items()}
    at = np.rint(signals["time"].values / kernels.dt).astype(int)
    # Low-pass filtered kernels begin before their spike: later spikes count too.
    n_steps = round(choice.duration / kernels.dt)
    differences = {}
    for name in kernels.signals:
        expected = convolved(kernels, name, times, n_steps)[:, at - 1]
        found = signals[name]
        whole = found.sum("pre") if "pre" in found.dims else found
        scale = np.abs(expected).max() or 1.0  # 0 where no spike has had an effect yet
        differences[name] = float(np.abs(whole.values - expected).max() / scale)
    return Check(
        "online signals against numpy.convolve, of the peak",
        differences,
        f"<= {tolerance:g}",
        max(differences.values()) <= tolerance,
    )


def spikes_undisturbed(recorded: Spikes | None, silent: Spikes | None) -> Check:
    """Whether each neuron spikes at the same times with and without a recorder."""
    if recorded is None or silent is None:
        return Check("spikes with and without recorder", None, "the same", None)
    same = all(
        np.array_equal(a, b)
        for name in recorded
        for a, b in zip(recorded[name], silent[name], strict=True)
    )
    return Check(
        "spikes with and without recorder", "the same" if same else "differ", "the same", same
    )


def kernel_peaks(kernels: nestlfp.KernelSet, choice: Choice) -> Check:
    """Peak of each presynaptic population, at the depth where it is largest, at full size."""
    factor = 1e3 / np.sqrt(choice.scale)  # mV of this network to µV of the full one
    h = factor * kernels["LFP"].sum("post").sel(pre=list(PRE)).values
    found = {}
    for pre, depths in zip(PRE, h, strict=True):
        channel = int(np.abs(PEAKS[pre]).argmax())
        peak = depths[channel, np.abs(depths[channel]).argmax()]
        found[pre] = float(peak / PEAKS[pre][channel])
    near = all(abs(ratio - 1.0) <= 0.1 for ratio in found.values())
    return Check(
        "kernels' peaks relative to an independent calculation",
        found,
        "1 ± 0.1",
        None if choice.modified else near,
    )


def shares_of_layers() -> Check:
    """How far the synapses on each cell are from the shares of layers they should have."""
    mechanisms.load()
    worst = 0.0
    for post, types in responses.OCCURRENCE.items():
        for name in types:
            approximation = responses.approximation(post, name)
            for pre, connected in zip(PRE, approximation.C_YX, strict=True):
                wanted = responses.shares_of_layers(post, name, pre)
                if not connected or not sum(wanted.values()):
                    continue
                found = realized_shares(approximation, pre, c.LAYERS)
                differences = [abs(found[layer] - wanted.get(layer, 0.0)) for layer in found]
                worst = max(worst, *differences)
    return Check("synapses by layer against the anatomy's shares", worst, "<= 0.001", worst <= 1e-3)


def spectral_maximum(choice: Choice, signals: xr.Dataset) -> Check:
    """Frequency of the largest power at contacts in layers 4 and 5, above the slow part."""
    name = "spectral maximum of the LFP in layers 4 and 5 (Hz)"
    bound = f"{BAND[0]:g} … {BAND[1]:g}"
    if not long_enough(choice):
        return Check(name, None, bound, None)
    power = lfp_spectrum(signals).sel(frequency=slice(40.0, 400.0))
    depths = power["LFP_z"].values
    found = {}
    for layer in ("L4", "L5"):
        top, bottom = c.LAYERS[layer]
        inside = power[(depths <= top) & (depths > bottom)].mean("LFP_channel")
        found[layer] = float(inside.idxmax("frequency"))
    # In smaller networks the slower maximum near 45 Hz can be the larger one.
    holds = choice.scale == 1.0 and choice.network == "default" and choice.stimulus == "none"
    near = all(BAND[0] <= frequency <= BAND[1] for frequency in found.values())
    return Check(name, found, bound, near if holds else None)


def long_enough(choice: Choice) -> bool:
    """Whether there is a segment for a spectrum."""
    return choice.duration > SPECTRUM_FROM + 2 * SPECTRUM_SEGMENT


def lfp_spectrum(signals: xr.Dataset) -> xr.DataArray:
    """Power of the LFP by contact, as in Hagen et al. 2016."""
    return nestlfp.signals.spectrum(
        whole(signals, "LFP"), segment=SPECTRUM_SEGMENT, start=SPECTRUM_FROM
    )


def whole(signals: xr.Dataset, name: str) -> xr.DataArray:
    """A signal, its contributions of presynaptic populations added up."""
    found = signals[name]
    with xr.set_options(keep_attrs=True):
        return found.sum("pre") if "pre" in found.dims else found


def settled(signals: xr.Dataset, start: float = SPECTRUM_FROM) -> xr.DataArray:
    """The LFP from `start` (ms) on."""
    return whole(signals, "LFP").sel(time=slice(start, None))


def depth_profile(choice: Choice, signals: xr.Dataset) -> Check:
    """Standard deviation of the LFP (µV), which should be larger in layers 4 and 5."""
    lfp = settled(signals, min(SPECTRUM_FROM, choice.duration / 2))
    spread = lfp.std("time").values * 1e3
    found = {float(z): float(sd) for z, sd in zip(lfp["LFP_z"].values, spread, strict=True)}
    larger = min(found[-800.0], found[-1100.0]) > max(found[-200.0], found[-1400.0])
    bound = "larger at -800 and -1100 than at -200 and -1400 µm"
    # A thalamic volley is largest in layer 4.
    ok = larger if choice.stimulus == "none" else None
    return Check("standard deviation of the LFP by depth (µV)", found, bound, ok)


def thalamic_pulse(kernels: nestlfp.KernelSet, choice: Choice) -> Check:
    """What one spike of all thalamic neurons leaves before the network answers, at full size."""
    h = kernels["LFP"].sum("post").sel(pre="TC")
    where = int(np.abs(h["LFP_z"].values - PULSE_AT).argmin())
    response = c.N_TC * h[where].values / np.sqrt(choice.scale)
    step = int(np.abs(response).argmax())
    found = {"mV": float(response[step]), "ms": float(h["lag"][step])}
    near = abs(found["mV"] / PULSE_MV - 1.0) <= 0.1
    on_time = PULSE_LAG[0] <= found["ms"] <= PULSE_LAG[1]
    return Check(
        f"a spike of all thalamic neurons, LFP at z = {PULSE_AT:g} µm",
        found,
        f"{PULSE_MV} mV ± 10 %, 2.6 … 2.8 ms after it",
        near and on_time,
    )
