"""The five points of the paper's Fig 5, what a run of one leaves, and what it should be."""

import time
from dataclasses import dataclass

import nest
import network
import numpy as np
import parameters as p
import xarray as xr
from recording import INTERVAL, SAMPLING, Recording, filtered, rate_kernels

import nestlfp
from nestlfp.signals import spectrum

ONSET = 150.0  # ms, discarded
SEGMENT = 300.0  # ms, Welch's, as in the paper
SAMPLED = 1000  # excitatory neurons whose intervals are looked at
FEWEST_SPIKES = 4  # of a neuron that has a coefficient of variation
RASTER = {"E": 80, "I": 20}  # neurons drawn

Spikes = tuple[np.ndarray, np.ndarray]
"""Times (ms) and senders."""


@dataclass(frozen=True)
class State:
    """A point, and what was found there with reconstructed cells and another seed.

    That is: rate of all neurons (spikes/s), mean coefficient of variation of excitatory neurons,
    and peaks (Hz) of the spectra of rate and LFP, which agree with the paper's text.
    """

    title: str
    point: p.Point
    rate: float
    cv: float
    rate_peaks: tuple[float, ...]
    lfp_peaks: tuple[float, ...]
    duration: float = 3150.0  # ms
    rate_tolerance: float = 0.05


STATES = {
    "A": State("SR", p.Point(2.0, 3.5, 0.25), 332.5, 0.004, (333.3,), (333.3,), duration=1150.0),
    "B": State("SI (fast)", p.Point(4.0, 7.0, 0.15), 30.2, 1.36, (176.7, 346.7), (173.3, 346.7)),
    "C": State(
        "SI (slow)", p.Point(0.9, 7.0, 0.25), 2.1, 0.68, (30.0,), (30.0,), rate_tolerance=0.15
    ),
    "D": State(
        "AI", p.Point(2.8, 5.5, 0.05), 68.9, 0.18, (70.0, 206.7, 346.7), (66.7, 136.7, 206.7)
    ),
    "E": State("AI", p.Point(2.0, 4.5, 0.35), 39.1, 1.86, (), ()),
}


@dataclass(frozen=True)
class Result:
    """What a run of a state left; spectra by the way of sampling."""

    state: str
    signals: xr.Dataset
    spectra: dict[str, xr.Dataset]
    raster: dict[str, Spikes]
    cv: float
    online_vs_offline: dict[str, float]
    synapses: int
    seconds: float
    duration: float


def simulate(
    state: str,
    kernels: nestlfp.KernelSet,
    duration: float,
    seed: int,
    sampling: str,
    sizes: dict[str, int],
) -> Result:
    """Run the network in a state, record it, and compare with the convolution of its spikes."""
    nest.verbosity = nest.VerbosityLevel.ERROR
    point = STATES[state].point
    sets = [kernels.scale(point.factors), rate_kernels(sizes)]
    network.reset(seed)
    recording = Recording(*(filtered(each, sampling) for each in sets))
    neurons = network.build(point, seed, sizes)
    synapses = nest.num_connections
    spike_recorders = network.record_spikes(neurons)
    recording.start(neurons)
    start = time.perf_counter()
    nestlfp.simulate(duration, complete=True, progress=False)
    seconds = time.perf_counter() - start
    signals = recording.signals().isel(time=slice(round(duration / INTERVAL)))
    spikes = network.spikes(spike_recorders)
    offline = {how: convolved(sets, how, spikes, duration) for how in SAMPLING}
    return Result(
        state=state,
        signals=signals,
        spectra={how: spectra(signals if how == sampling else offline[how]) for how in SAMPLING},
        raster={name: drawn(spikes[name], neurons[name], RASTER[name]) for name in sizes},
        cv=variation(spikes["E"], neurons["E"][: min(SAMPLED, sizes["E"])]),
        online_vs_offline={
            str(name): largest_difference(online.values, offline[sampling][name].values)
            for name, online in signals.data_vars.items()
        },
        synapses=synapses,
        seconds=seconds,
        duration=duration,
    )


def convolved(
    sets: list[nestlfp.KernelSet], sampling: str, spikes: dict[str, Spikes], duration: float
) -> xr.Dataset:
    """The signals that the spikes give, without NEST."""
    times = {name: found[0] for name, found in spikes.items()}
    every = round(INTERVAL / p.DT)
    found = [filtered(each, sampling).convolve(times, duration) for each in sets]
    return xr.merge(found).isel(time=slice(every - 1, None, every))


def spectra(signals: xr.Dataset) -> xr.Dataset:
    """Spectra of all signals after the onset, as the paper has them."""
    return spectrum(signals, segment=SEGMENT, start=ONSET)


def drawn(spikes: Spikes, population: nest.NodeCollection, count: int) -> Spikes:
    """The spikes of the first neurons, numbered from 0."""
    first = population[0].global_id
    part = spikes[1] < first + count
    return spikes[0][part], spikes[1][part] - first


def variation(spikes: Spikes, population: nest.NodeCollection) -> float:
    """Mean coefficient of variation of the neurons' intervals after the onset."""
    times, senders = (each[spikes[0] > ONSET] for each in spikes)
    order = np.lexsort((times, senders))
    times, senders = times[order], senders[order]
    found = []
    for neuron in population.tolist():
        low, high = np.searchsorted(senders, [neuron, neuron + 1])
        if high - low >= FEWEST_SPIKES:
            intervals = np.diff(times[low:high])
            found.append(intervals.std() / intervals.mean())
    return float(np.mean(found)) if found else float("nan")


def largest_difference(found: np.ndarray, expected: np.ndarray) -> float:
    """The largest difference over the largest expected value."""
    scale = np.abs(expected).max()  # 0 where nobody has spiked
    return float(np.abs(found - expected).max() / (scale or 1.0))
