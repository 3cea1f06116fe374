"""LFP, CSD, current dipole moment and EEG of the Potjans–Diesmann microcircuit, online.

    python examples/microcircuit/run.py --help

computes the kernels once (Hagen et al. 2016: sixteen cell types, synapses by layer), runs the
network with and without recorder, streams the signals to disk, draws them, and checks them. With

    mpirun -n 2 python examples/microcircuit/run.py

two processes share the network, and the first of them writes the same files.
"""

import gc
import hashlib
import json
import os
import time
from dataclasses import asdict, dataclass
from enum import Enum
from pathlib import Path
from typing import Annotated, Any

from nestlfp.errors import tell_plainly

tell_plainly()
os.environ.setdefault("PYNEST_QUIET", "1")

import memory

memory.quiet_threads()

import checks
import circuit as c
import figures
import nest
import network_in_nest as net
import numpy as np
import responses
import typer
import xarray as xr

import nestlfp
import nestlfp.signals
from nestlfp.simulator import Simulator

CHUNK = 100.0  # ms of signals that go to disk at once
INTERVAL = 1.0  # ms between two samples, of signals without what is faster than that
FIRST = 100.0  # ms at the beginning, whose spikes two runs can be compared by
TOLERANCE = {"fir": 1e-12, "state-space": 1e-5}  # of the peak, against the convolution

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
ranks = Simulator().ranks  # one process, or those of mpirun


class Network(str, Enum):
    """Which parameters."""

    default = "default"
    modified = "modified"


class Stimulus(str, Enum):
    """What the thalamus does."""

    none = "none"
    pulse = "pulse"
    ac = "ac"


class Method(str, Enum):
    """How the kernels are realized in NEST."""

    fir = "fir"
    state_space = "state-space"


class By(str, Enum):
    """What is kept apart."""

    none = "none"
    pre = "pre"


@dataclass(frozen=True)
class Run:
    """What one simulation of the network left."""

    spikes: checks.Spikes
    signals: xr.Dataset | None  # of a run with recorder
    synapses: tuple[int, int]
    report: dict[str, Any]


def cores() -> int:
    """Cores that the processes may use together, as many for each."""
    if hasattr(os, "sched_getaffinity"):  # not on macOS
        mine = os.sched_getaffinity(0)
    else:
        mine = set(range(os.cpu_count() or 1))
    all_cores = set.union(*ranks.gather(mine))
    return -(-len(all_cores) // ranks.n) * ranks.n


@app.command()
def main(
    scale: Annotated[
        float, typer.Option(min=0.005, max=1.0, help="Size of the network, of 77 169 neurons.")
    ] = 0.1,
    network: Annotated[
        Network, typer.Option(help="As published, or as Hagen et al. modified it.")
    ] = Network.default,
    stimulus: Annotated[
        Stimulus, typer.Option(help="Of the thalamus: spikes as one each second, or 15 Hz.")
    ] = Stimulus.none,
    duration: Annotated[float, typer.Option(min=20.0, help="Simulated time (ms).")] = 1500.0,
    by: Annotated[
        By, typer.Option(help="Record the contribution of each presynaptic population.")
    ] = By.none,
    method: Annotated[Method, typer.Option(help="How kernels are realized.")] = Method.fir,
    threads: Annotated[
        int, typer.Option(min=1, help="Threads, of all processes together. Default: all cores.")
    ] = cores(),
    seed: Annotated[int, typer.Option(min=1, help="Seed of NEST's random numbers.")] = 1,
    record: Annotated[bool, typer.Option(help="With recorder.")] = True,
    check: Annotated[
        bool, typer.Option(help="Run without recorder too, and compare the spikes.")
    ] = True,
    out: Annotated[Path, typer.Option(help="Folder for what is written.")] = Path(
        "out/microcircuit"
    ),
) -> None:
    """Record the signals of the microcircuit, and check them."""
    choice = net.Choice(scale, network.value, stimulus.value, duration, seed)
    nest.verbosity = nest.VerbosityLevel.ERROR
    ranks.on_root(lambda: out.mkdir(parents=True, exist_ok=True))
    ranks.on_root(lambda: memory.check_memory(scale, memory.available_gb()))
    start = time.perf_counter()
    say("kernels, from the cache or by LFPykernels")
    kernels = ranks.on_root(lambda: responses.microcircuit_kernels(scale, choice.modified))
    kernel_seconds = time.perf_counter() - start

    silent = recorded = None
    if check or not record:
        say(f"running the network of {scale:g} without recorder")
        silent = run(choice, threads)
    if record:
        say(f"running the network of {scale:g} with recorder")
        recorded = run(choice, threads, kernels, out / "signals.zarr", by, method)
    if ranks.rank > 0:
        return

    say(f"writing to {out}")
    kernels.save(out / "kernels.nc", overwrite=True)
    lines = all_checks(choice, kernels, recorded, silent, method)
    if recorded is not None and recorded.signals is not None:
        figures.draw(choice, kernels, recorded.spikes, recorded.signals, out)
    report = {
        **asdict(choice),
        "ranks": ranks.n,
        "threads": threads,
        "method": method.value,
        "kernel_seconds": kernel_seconds,
        "without_recorder": silent and silent.report,
        "with_recorder": recorded and recorded.report,
        "checks": [line.as_dict() for line in lines],
        "peak_MB": memory.peak_mb(),
        "seconds": time.perf_counter() - start,
        "nest": nest.__version__,
    }
    text = json.dumps(report, indent=2, allow_nan=False, ensure_ascii=False)
    (out / "report.json").write_text(text + "\n", encoding="utf-8")
    for line in lines:
        mark = {True: "ok  ", False: "MISS", None: "--  "}[line.ok]
        print(f"{mark} {line.name}: {rounded(line.found)}   [{line.bound}]")


def run(
    choice: net.Choice,
    threads: int,
    kernels: nestlfp.KernelSet | None = None,
    store: Path | None = None,
    by: By = By.none,
    method: Method = Method.fir,
) -> Run:
    """Build the network and simulate it, with a recorder where there are kernels."""
    net.reset(choice, threads)
    bank = None
    if kernels is not None:
        apart = () if by is By.none else (by.value,)
        bank = nestlfp.FilterBank(
            kernels,
            method=method.value,
            by=apart,
            interval=INTERVAL,
            antialias=True,
            once=ranks.on_root,
        )
        nestlfp.install(bank)
    gc.collect()
    empty = memory.resident_mb()
    start = time.perf_counter()
    neurons, *synapses = net.build(choice)
    # Each rank counts its own.
    recurrent, thalamic = (sum(counts) for counts in zip(*ranks.gather(synapses), strict=True))
    net.drive(choice, neurons)
    spike_recorders = net.record_spikes(neurons)
    built = time.perf_counter() - start
    before, start = memory.resident_mb(), time.perf_counter()
    recorder = None
    if bank is not None:
        inputs = nestlfp.Inputs(neurons, synapse_models=net.recorders_models(choice))
        recorder = nestlfp.FieldRecorder(bank, inputs)
    made = time.perf_counter() - start
    start, work = time.perf_counter(), time.process_time()
    if recorder:
        nestlfp.simulate(choice.duration, to=str(store), chunk=CHUNK, overwrite=True)
    else:
        nestlfp.simulate(choice.duration)
    seconds, work = time.perf_counter() - start, time.process_time() - work
    spikes = all_spikes(spike_recorders)
    report = {
        "build_s": built,
        "simulate_s": seconds,
        "s_per_biological_s": 1e3 * seconds / choice.duration,
        "processor_s_by_rank": ranks.gather(work),
        "min_delay_ms": nest.min_delay,
        "max_delay_ms": nest.max_delay,
        "resident_MB_by_rank": {
            "empty": ranks.gather(empty),
            "network": ranks.gather(before),
            "simulated": ranks.gather(memory.resident_mb()),
        },
        "make_recorder_s": made if recorder else None,
        "spikes_sha256": digest(spikes),
        f"spikes_sha256_of_{FIRST:g}_ms": digest(spikes, FIRST),
    }
    return Run(
        spikes, recorder.signals().load() if recorder else None, (recurrent, thalamic), report
    )


def all_spikes(spike_recorders: net.Nodes) -> checks.Spikes:
    """Spikes of all processes, each population as (times (ms), senders), ordered by both."""
    parts = ranks.gather(net.spikes(spike_recorders))
    joined = {}
    for name in spike_recorders:
        times, senders = (np.concatenate([part[name][i] for part in parts]) for i in (0, 1))
        order = np.lexsort((senders, times))
        joined[name] = (times[order], senders[order])
    return joined


def digest(spikes: checks.Spikes, until: float = np.inf) -> str:
    """Digest of the spikes up to a time, by which those of two runs are compared."""
    sha = hashlib.sha256()
    for name, (times, senders) in spikes.items():
        inside = times <= until
        steps, ids = (np.rint(part[inside]).astype(np.int64) for part in (times / c.DT, senders))
        sha.update(name.encode() + steps.tobytes() + ids.tobytes())
    return sha.hexdigest()


def all_checks(
    choice: net.Choice,
    kernels: nestlfp.KernelSet,
    recorded: Run | None,
    silent: Run | None,
    method: Method,
) -> list[checks.Check]:
    """The table of checks."""
    any_run = recorded or silent
    assert any_run is not None
    lines = [
        checks.number_of_synapses(choice, *any_run.synapses),
        checks.rates(choice, any_run.spikes),
        checks.spikes_undisturbed(*(each.spikes if each else None for each in (recorded, silent))),
        checks.kernel_peaks(kernels, choice),
        checks.shares_of_layers(),
        checks.thalamic_pulse(kernels, choice),
    ]
    if recorded is not None and recorded.signals is not None:
        tolerance = TOLERANCE[method.value]
        lines += [
            checks.online_against_convolution(
                choice, kernels.lowpass(INTERVAL), recorded.signals, recorded.spikes, tolerance
            ),
            checks.spectral_maximum(choice, recorded.signals),
            checks.depth_profile(choice, recorded.signals),
        ]
    return lines


def rounded(found: Any) -> str:
    """A value of the table, rounded for people."""
    if isinstance(found, dict):
        return ", ".join(f"{key} {rounded(value)}" for key, value in found.items())
    return f"{found:.3g}" if isinstance(found, float) else str(found)


def say(text: str) -> None:
    if ranks.rank == 0:
        print(f"== {text}", flush=True)


if __name__ == "__main__":
    app()
