"""Stimulate a network at a phase of its own LFP, inside NEST.

    python examples/closed_loop/run.py --help

A trigger hears the whole network, filters the LFP of one contact, and sends a spike whenever it
rises through a threshold: once in a cycle of the network's oscillation. The spike reaches all
excitatory neurons after a delay, which is the phase of stimulation, and pushes them away from their
threshold. With each delay the power of the oscillation is compared with that of open-loop
stimulation, as many pulses at random times, and with that of the network alone.
"""

import json
import os
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Annotated, Any

from nestlfp.errors import tell_plainly

tell_plainly()
os.environ.setdefault("PYNEST_QUIET", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import numpy as np
import typer
from tqdm import tqdm

import nestlfp
import nestlfp.plotting
import nestlfp.signals
from nestlfp.sources.network import Synapse

CONTACT = 0.0  # µm: the depth of the somata, where the LFP is largest
BAND = (32.0, 64.0)  # Hz, around the network's oscillation
CYCLE = 22.0  # ms, of it
PULSE = -2.0  # mV, by which a spike of the trigger moves every excitatory neuron
# NEST's synapses make the potential jump. Currents that do so to a membrane of 250 pF:
SYNAPSE = Synapse("exp", tau=5.0, charge=250.0)
ONSET = 200.0  # ms, until the network has forgotten how it started

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@dataclass(frozen=True)
class Run:
    """What one simulation left.

    Attributes
    ----------
    lfp : xarray.DataArray
        At the contact, every millisecond.
    pulses : ndarray
        Times of the trigger (ms).
    readout_sd : float
        Standard deviation of the trigger's signal (mV).
    spikes : dict of str to (ndarray, ndarray)
        Times (ms) and senders of some neurons.
    """

    lfp: Any
    pulses: np.ndarray
    readout_sd: float
    spikes: dict[str, tuple[np.ndarray, np.ndarray]]

    @property
    def power(self) -> float:
        """Of the LFP in the band (mV²)."""
        density = nestlfp.signals.spectrum(self.lfp.to_dataset(name="LFP"), start=ONSET)["LFP"]
        return float(density.sel(frequency=slice(*BAND)).integrate("frequency").sum())


def simulate(
    kernels: nestlfp.KernelSet,
    duration: float,
    seed: int,
    *,
    threshold: float = 0.1,
    delay: float | None = None,
    pulses: np.ndarray | None = None,
) -> Run:
    """The network with a trigger, whose pulses reach its neurons or none, or these pulses."""
    import nest
    import oscillator

    nest.verbosity = nest.VerbosityLevel.ERROR
    oscillator.reset(seed, threads=1)
    nestlfp.install(kernels)
    neurons = oscillator.build(seed)
    lfp = kernels.readout({"LFP": 0}, name="LFP")
    recorder = nestlfp.FieldRecorder(lfp, neurons, interval=1.0)
    readout = kernels.readout({"LFP": 0}, band=BAND, order=1)
    trigger = nestlfp.Trigger(
        readout, neurons, threshold=threshold, refractory=CYCLE / 2, interval=1.0
    )
    some = {name: population[::20] for name, population in neurons.items()}
    spikes = {name: nest.Create("spike_recorder") for name in some}
    for name, population in some.items():
        nest.Connect(population, spikes[name], syn_spec={"delay": oscillator.DELAY})
    if delay is not None:
        synapse = {"weight": PULSE, "delay": delay}
        nest.Connect(trigger.node, neurons["E"], syn_spec=synapse)
    if pulses is not None:
        generator = nest.Create("spike_generator", params={"spike_times": pulses})
        synapse = {"weight": PULSE, "delay": oscillator.SHORTEST_DELAY}
        nest.Connect(generator, neurons["E"], syn_spec=synapse)
    nest.Simulate(duration)
    events = {name: recorder.events for name, recorder in spikes.items()}
    return Run(
        recorder.signals()["LFP"].load(),
        trigger.times(),
        float(trigger.readout().sel(time=slice(ONSET, None)).std()),
        {name: (found["times"], found["senders"]) for name, found in events.items()},
    )


def closed_and_open(
    kernels: nestlfp.KernelSet, duration: float, seed: int, threshold: float, delay: float
) -> tuple[Run, Run]:
    """The closed loop, and as many pulses at random times."""
    closed = simulate(kernels, duration, seed, threshold=threshold, delay=delay)
    times = np.random.default_rng(seed).uniform(1.0, duration, closed.pulses.size)
    pulses = np.unique(np.round(times, 1))
    return closed, simulate(kernels, duration, seed, threshold=threshold, pulses=pulses)


@app.command()
def main(
    out: Annotated[Path, typer.Option(help="Folder for what is written.")] = Path(
        "out/closed_loop"
    ),
    duration: Annotated[float, typer.Option(min=500.0, help="Of each run (ms).")] = 4000.0,
    phases: Annotated[int, typer.Option(min=2, help="How many delays, over one cycle.")] = 8,
    seeds: Annotated[int, typer.Option(min=1, help="Realizations for each delay.")] = 10,
    workers: Annotated[int, typer.Option(min=1, help="Processes.")] = os.cpu_count() or 1,
) -> None:
    """Power of the network's oscillation against the phase at which it is stimulated."""
    import figures
    import oscillator

    start = time.perf_counter()
    out.mkdir(parents=True, exist_ok=True)
    kernels = responses()
    delays = np.round(oscillator.SHORTEST_DELAY + np.arange(phases) / phases * CYCLE, 1)
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        alone = list(pool.map(simulate, [kernels] * seeds, [duration] * seeds, range(1, seeds + 1)))
        threshold = 0.5 * float(np.mean([run.readout_sd for run in alone]))
        jobs = {
            (delay, seed): pool.submit(closed_and_open, kernels, duration, seed, threshold, delay)
            for delay in delays
            for seed in range(1, seeds + 1)
        }
        for job in tqdm(jobs.values(), unit="pair", disable=None):
            job.result()
    # By delay and seed: the closed loop, and as many pulses at random times.
    pairs = [[jobs[d, s].result() for s in range(1, seeds + 1)] for d in delays]
    power_alone = np.array([run.power for run in alone])
    powers = {
        name: np.array([[pair[i].power for pair in by_delay] for by_delay in pairs])
        for i, name in enumerate(("closed", "open"))
    }
    decibels = {name: 10 * np.log10(power / power_alone) for name, power in powers.items()}
    against_open = decibels["closed"] - decibels["open"]
    weakest, strongest = against_open.mean(axis=1).argmin(), against_open.mean(axis=1).argmax()
    at = {"suppressed": float(delays[weakest]), "amplified": float(delays[strongest])}
    shown = {
        "alone": alone[0],
        "suppressed": pairs[weakest][0][0],
        "amplified": pairs[strongest][0][0],
    }
    figure = figures.draw(delays, decibels, shown, at)
    nestlfp.plotting.save(figure, out / "closed_loop.png", overwrite=True)
    report = {
        "duration_ms": duration,
        "seeds": seeds,
        "threshold_mV": threshold,
        "pulse_mV": PULSE,
        "delays_ms": delays.tolist(),
        "closed_against_open_dB": summary(against_open),
        "closed_against_alone_dB": summary(decibels["closed"]),
        "open_against_alone_dB": summary(decibels["open"]),
        "closed_mV2": powers["closed"].tolist(),
        "open_mV2": powers["open"].tolist(),
        "alone_mV2": power_alone.tolist(),
        "pulses_per_s": [
            1e3 * float(np.mean([closed.pulses.size for closed, _ in by_delay])) / duration
            for by_delay in pairs
        ],
        "seconds": time.perf_counter() - start,
    }
    (out / "report.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    for delay, each in zip(delays, report["closed_against_open_dB"], strict=True):
        interval = " ({:+.1f} … {:+.1f})".format(*each["95 %"]) if each["95 %"] else ""
        print(f"delay {delay:5.1f} ms: {each['mean']:+.1f}{interval} dB against open loop")
    print(f"wrote {out}")


def summary(decibels: np.ndarray) -> list[dict[str, Any]]:
    """Mean over the seeds (columns), and where it lies with 95 % confidence (Student's t)."""
    import figures

    half = figures.half_widths(decibels)
    return [
        {"mean": float(mean), "95 %": [float(mean - each), float(mean + each)] if each else None}
        for mean, each in zip(decibels.mean(axis=1), half, strict=True)
    ]


def responses() -> nestlfp.KernelSet:
    """LFP kernels of this network: each of its realizations has the same, as its in-degrees."""
    import oscillator

    oscillator.reset(seed=1, threads=1)
    neurons = oscillator.build(seed=1)
    return nestlfp.sources.network.kernels(
        neurons, [CONTACT], synapses=SYNAPSE, signals="LFP", progress=False
    )


if __name__ == "__main__":
    app()
