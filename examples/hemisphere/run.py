"""EEG and MEG of a hemisphere of spiking cortex, while it runs in NEST.

    python examples/hemisphere/run.py --help

32 patches of a cortical surface, each with a microcircuit of eight populations, are coupled by
distance. The thalamus excites one of them, and the response travels. Recorded are 64 electrodes and
102 magnetometers. The same network in 8 processes of 8 threads:

    mpirun -n 8 python examples/hemisphere/run.py --threads 64

Writes signals.nc, evoked.nc, hemisphere_raw.fif for MNE, hemisphere.png and report.json.
"""

import gc
import json
import os
import sys
import time
from pathlib import Path
from typing import Annotated, Any

from nestlfp.errors import tell_plainly

tell_plainly()
os.environ.setdefault("PYNEST_QUIET", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # threads that wait leave the cores to others

sys.path.append(str(Path(__file__).resolve().parents[1] / "microcircuit"))

import circuit as c
import drawing
import hemisphere as h
import memory
import nest
import network_in_nest as net
import numpy as np
import typer
import xarray as xr

import nestlfp
import nestlfp.plotting
import nestlfp.signals
from nestlfp.simulator import Simulator

INTERVAL = 1.0  # ms, of samples
WINDOW = (-50.0, 190.0)  # ms, around a pulse
COMPARED = 450.0  # ms that are simulated without recorder, too
TOLERANCE = 1e-3  # of the filter, at any lag, of a channel's peak

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
ranks = Simulator().ranks  # one process, or those of mpirun

Spikes = dict[str, tuple[np.ndarray, np.ndarray]]
"""By population: times (ms) and neurons."""


@app.command()
def main(
    out: Annotated[Path, typer.Option(help="Folder for what is written.")] = Path("out/hemisphere"),
    scale: Annotated[
        float, typer.Option(min=0.005, max=1.0, help="Of each microcircuit, of 77 169 neurons.")
    ] = 0.04,
    trials: Annotated[int, typer.Option(min=1, help="Pulses of the thalamus.")] = 6,
    threads: Annotated[
        int, typer.Option(min=1, help="Threads, of all processes together.")
    ] = os.cpu_count() or 1,
    seed: Annotated[int, typer.Option(min=1, help="Seed of all random numbers.")] = 1,
    check: Annotated[
        bool, typer.Option(help="Run without recorder too, and compare the spikes.")
    ] = True,
    quick: Annotated[
        bool, typer.Option(help="A smaller network, two pulses, no comparison.")
    ] = False,
) -> None:
    """Record the EEG and MEG of a hemisphere, check them and draw them."""
    if quick:
        scale, trials, check = 0.02, 2, False
    ranks.on_root(lambda: out.mkdir(parents=True, exist_ok=True))
    nest.verbosity = nest.VerbosityLevel.ERROR
    choice = net.Choice(scale, duration=h.FIRST_PULSE + trials * h.EVERY, seed=seed)
    say("kernels")
    patches = h.patches()
    started = time.perf_counter()
    kernels = ranks.on_root(lambda: h.kernels(scale, patches))
    kernels_s = time.perf_counter() - started
    say(kernels)

    say("the network with recorder")
    recorded = run(choice, patches, threads, choice.duration, kernels)
    silent = None
    if check:
        say("the network without")
        silent = run(choice, patches, threads, COMPARED)
    if ranks.rank > 0:
        return

    signals = recorded["signals"]
    nestlfp.signals.save(signals, out / "signals.nc", overwrite=True)
    nestlfp.signals.to_mne(signals).save(
        out / "hemisphere_raw.fif", overwrite=True, verbose="error"
    )
    evoked = average(signals, h.pulses(choice))
    nestlfp.signals.save(evoked, out / "evoked.nc", overwrite=True)
    report = {
        "neurons": recorded["neurons"],
        "synapses": recorded["synapses"],
        "rates": mean_rates(choice, recorded["spikes"]),
        "online_vs_offline": online_vs_offline(kernels, recorded, choice.duration),
        "spikes_identical": silent and same(silent["spikes"], recorded["spikes"]),
        "five_electrodes_by_hand": by_hand(
            scale, patches, recorded["spikes"], kernels, choice.duration
        ),
        "peak": {name: peak(evoked[name]) for name in evoked.data_vars},
        f"dipole_of_{h.DRIVEN}": driven_dipole(choice, recorded["spikes"]),
        "kernels_s": kernels_s,
        **{key: recorded[key] for key in ("filter", "filter_error", "recorder_s", "recorder_MB")},
        "simulate_s": {"with": recorded["seconds"], "without": silent and silent["seconds"]},
        "peak_MB": memory.peak_mb(),
    }
    text = json.dumps(report, indent=2, allow_nan=False, ensure_ascii=False)
    (out / "report.json").write_text(text + "\n", encoding="utf-8")
    print(text)
    rates = rates_by_patch(choice, patches.names, recorded["spikes"])
    figure = drawing.draw(patches, signals, evoked, rates, h.FIRST_PULSE)
    nestlfp.plotting.save(figure, out / "hemisphere.png", overwrite=True)


def run(
    choice: net.Choice,
    patches: Any,
    threads: int,
    duration: float,
    kernels: nestlfp.KernelSet | None = None,
) -> dict[str, Any]:
    """One simulation (ms) of the network, with a recorder of these kernels or without."""
    net.reset(choice, threads)
    found: dict[str, Any] = {}
    if kernels is not None:
        bank = nestlfp.FilterBank(
            kernels,
            method=nestlfp.Auto(TOLERANCE),
            interval=INTERVAL,
            antialias=True,
            once=ranks.on_root,
        )
        nestlfp.install(bank)
        found |= {"filter": str(bank.filter), "filter_error": float(bank.filter.error.max())}
    started = time.perf_counter()
    neurons = h.build(choice, patches)
    h.drive(choice, neurons, patches)
    spike_recorders = net.record_spikes(neurons)
    found["neurons"] = sum(map(len, neurons.values()))
    found["synapses"] = (
        sum(ranks.gather(nest.num_connections)) if ranks.n > 1 else nest.num_connections
    )
    say(f"{found['neurons']} neurons, {time.perf_counter() - started:.0f} s")
    recorder = None
    if kernels is not None:
        gc.collect()
        before, started = memory.resident_mb(), time.perf_counter()
        recorder = nestlfp.FieldRecorder(bank, neurons)
        found["recorder_s"] = time.perf_counter() - started
        found["recorder_MB"] = memory.resident_mb() - before
    started = time.perf_counter()
    nestlfp.simulate(duration)
    found["seconds"] = time.perf_counter() - started
    if recorder is not None:
        found["signals"] = recorder.signals()
    parts = ranks.gather(net.spikes(spike_recorders))
    found["spikes"] = {name: ordered([part[name] for part in parts]) for name in neurons}
    return found


def ordered(parts: list[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    """Spikes of all processes by time, and by neuron."""
    times, senders = (np.concatenate(found) for found in zip(*parts, strict=True))
    order = np.lexsort((senders, times))
    return times[order], senders[order]


# ---------------------------------------------------------------------- what came out
def average(signals: xr.Dataset, pulses: list[float]) -> xr.Dataset:
    """Mean over pulses, less the mean before them; EEG to the average of all electrodes."""
    start, stop = WINDOW
    with xr.set_options(keep_attrs=True):
        epochs = [
            signals.sel(time=slice(pulse + start - 0.5, pulse + stop + 0.5)) for pulse in pulses
        ]
        time = epochs[0]["time"] - pulses[0]
        epochs = [epoch.assign_coords(time=time) for epoch in epochs]
        mean = xr.concat(epochs, "pulse").mean("pulse")
        mean = mean - mean.sel(time=slice(None, 0.0)).mean("time")
        mean["EEG"] = mean["EEG"] - mean["EEG"].mean("EEG_channel")
    mean.attrs = signals.attrs
    mean["time"].attrs = signals["time"].attrs
    return mean


def rates_by_patch(choice: net.Choice, names: tuple[str, ...], spikes: Spikes) -> xr.DataArray:
    """Spikes/s of an excitatory neuron of each patch around pulses, in steps of a millisecond."""
    edges = np.arange(WINDOW[0], WINDOW[1] + 1.0)
    excitatory = [name for name in c.POPULATIONS if c.kind(name) == "E"]
    size = sum(choice.size(name) for name in excitatory)
    pulses = h.pulses(choice)
    rates = np.zeros((len(names), len(edges) - 1))
    for i, patch in enumerate(names):
        times = np.concatenate([spikes[f"{patch}/{name}"][0] for name in excitatory])
        rates[i] = sum(np.histogram(times - pulse, edges)[0] for pulse in pulses)
    rates *= 1000.0 / size / len(pulses)
    return xr.DataArray(
        rates, {"patch": list(names), "time": (edges[:-1] + edges[1:]) / 2}, ("patch", "time")
    )


def mean_rates(choice: net.Choice, spikes: Spikes) -> dict[str, float]:
    """Spikes/s of a neuron of each population before the first pulse, all patches together."""
    window = (h.FIRST_PULSE / 2, h.FIRST_PULSE)
    found = {}
    for name in c.POPULATIONS:
        times = np.concatenate([spikes[f"{patch}/{name}"][0] for patch in h.CENTRES])
        count = np.count_nonzero((times > window[0]) & (times < window[1]))
        neurons = choice.size(name) * len(h.CENTRES)
        found[name] = float(1000.0 * count / neurons / (window[1] - window[0]))
    return found


def peak(evoked: xr.DataArray) -> dict[str, Any]:
    """The largest value after a pulse, where and when."""
    at = np.unravel_index(np.abs(evoked.values).argmax(), evoked.shape)
    found = evoked[at]
    channel = str(found[f"{evoked.name}_channel"].item())
    unit = evoked.attrs["units"]
    return {"value": float(found), "unit": unit, "channel": channel, "ms": float(found["time"])}


# ---------------------------------------------------------------------- checks
def same(one: Spikes, other: Spikes) -> bool:
    """Whether each neuron spiked at the same times, as long as both were simulated."""
    until = COMPARED - 1.0

    def early(spikes: Spikes, name: str, i: int) -> np.ndarray:
        return spikes[name][i][spikes[name][0] < until]

    return all(
        np.array_equal(early(one, name, i), early(other, name, i)) for name in one for i in (0, 1)
    )


def online_vs_offline(
    kernels: nestlfp.KernelSet, recorded: dict[str, Any], duration: float
) -> dict[str, float]:
    """The largest difference from the recorded spikes' convolution, over the largest value."""
    times = {name: found for name, (found, _) in recorded["spikes"].items()}
    offline = kernels.lowpass(INTERVAL).convolve(times, duration)
    online, found = recorded["signals"], {}
    for name in kernels.signals:
        expected = offline[name].sel(time=online["time"].values, method="nearest").values
        found[name] = float(np.abs(online[name].values - expected).max() / np.abs(expected).max())
    return found


def by_hand(
    scale: float, patches: Any, spikes: Spikes, kernels: nestlfp.KernelSet, duration: float
) -> float:
    """Five electrodes: each patch's dipole by `numpy.convolve`, each vertex through LFPykit.

    Returns
    -------
    float
        The largest difference from the convolution with the kernels, over the largest value.
    """
    head, moved = h.models()["EEG"], patches.inside(h.BRAIN)
    chosen = np.random.default_rng(5).choice(len(head.r), 5, replace=False)
    own = head.rxyz[chosen]
    head.rxyz, head.r = own, np.linalg.norm(own, axis=1)
    total: Any = 0.0
    for patch, area in zip(moved.names, moved.areas, strict=True):
        moment = dipole_moment(scale, patch, spikes, duration)
        vertices, parts = moved.members(patch)
        seen = sum(
            part * head.get_transformation_matrix(moved.surface.vertices[vertex])
            @ moved.surface.area_vectors[vertex]
            for vertex, part in zip(vertices, parts, strict=True)
        )  # fmt: skip
        total = total + 1e3 / area * seen[:, None] * moment  # mV to µV
    times = {name: found for name, (found, _) in spikes.items()}
    by_kernels = kernels.select(signals="EEG").convolve(times, duration)["EEG"].values[chosen]
    return float(np.abs(by_kernels - total[:, 1:]).max() / np.abs(total).max())


def dipole_moment(scale: float, patch: str, spikes: Spikes, duration: float) -> np.ndarray:
    """Of a patch along its normal (nA µm), at 0, 0.1, … ms, by `numpy.convolve`."""
    n = round(duration / c.DT) + 1
    found = np.zeros(n)
    courses = h.dipole_kernels(scale)["CDM"].sum("post").isel(CDM_channel=2)
    for pre, course in zip(courses["pre"].values, courses.values, strict=True):
        steps = np.rint(spikes[f"{patch}/{pre}"][0] / c.DT).astype(int)
        all_there = f"{patch}/{pre}" == f"{h.DRIVEN}/axons"
        counts = np.bincount(steps, minlength=n) * (scale if all_there else 1.0)
        found[1:] += np.convolve(counts, course)[: n - 1]  # courses begin a step after the spike
    return found


def driven_dipole(choice: net.Choice, spikes: Spikes) -> dict[str, float]:
    """The largest dipole moment of the patch that the thalamus excites, averaged over pulses."""
    moment = dipole_moment(choice.scale, h.DRIVEN, spikes, choice.duration)
    before, after = round(-WINDOW[0] / c.DT), round(WINDOW[1] / c.DT)
    starts = [round(pulse / c.DT) for pulse in h.pulses(choice)]
    mean = np.mean([moment[start - before : start + after] for start in starts], axis=0)
    largest = 1e-6 * float(np.abs(mean - mean[:before].mean()).max())
    return {"nA m": largest, "nA m per mm²": largest / h.AREA}


def say(text: Any) -> None:
    if ranks.rank == 0:
        print(f"== {text}", flush=True)


if __name__ == "__main__":
    app()
