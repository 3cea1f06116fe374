"""LFP and current dipole moment of the two-population network of Hagen et al. 2022.

    python examples/two_population/run.py --help

computes the kernels, runs the network with and without recorder, draws what was recorded, and
checks it: against the plain convolution of the recorded spikes, the kernels against those of
the paper's authors, the spikes against the network that nobody listened to. With

    mpirun -n 2 python examples/two_population/run.py

two processes share the network, and the first of them writes the same files.
"""

import json
import os
import platform
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated

from nestlfp.errors import tell_plainly

tell_plainly()
os.environ.setdefault("PYNEST_QUIET", "1")

import nest
import network
import numpy as np
import parameters as p
import typer
import xarray as xr

import kernels
import nestlfp
import nestlfp.plotting
import nestlfp.signals
from nestlfp.simulator import Simulator

REFERENCE = p.HERE.parents[1] / "tests" / "data" / "hagen2022_kernels.npz"
REFERENCE_PROBES = {"LFP": "GaussCylinderPotential", "CDM": "KernelApproxCurrentDipoleMoment"}
ONSET = 200.0  # ms: all neurons start from the same potential, which takes a while to wear off
SHOWN = 500.0  # ms of the figure


app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
ranks = Simulator().ranks  # one process, or those of mpirun


@dataclass(frozen=True)
class Run:
    """What one simulation of the network left."""

    spikes: dict[str, tuple[np.ndarray, np.ndarray]]
    min_delay: float
    max_delay: float
    seconds: float


@dataclass(frozen=True)
class Recorded(Run):
    """What one with a recorder left."""

    signals: xr.Dataset


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
    out: Annotated[Path, typer.Option(help="Folder for what is written.")] = Path(
        "out/two_population"
    ),
    threads: Annotated[
        int, typer.Option(min=1, help="Threads, of all processes together. Default: all cores.")
    ] = cores(),
    duration: Annotated[float, typer.Option(min=1.0, help="Simulated time (ms).")] = 1000.0,
    seed: Annotated[int, typer.Option(min=1, help="Seed of NEST's random numbers.")] = 1,
    check: Annotated[
        bool, typer.Option(help="Run without recorder too, and compare the spikes.")
    ] = True,
    reference: Annotated[
        Path | None,
        typer.Option(
            help="Published kernels. Default: those of the checkout.", exists=True, dir_okay=False
        ),
    ] = None,
) -> None:
    """Record LFP and current dipole moment of the two-population network, and check them."""
    out.mkdir(parents=True, exist_ok=True)
    nest.verbosity = nest.VerbosityLevel.ERROR

    say("computing kernels with LFPykernels")
    kernel_set = ranks.on_root(kernels.compute_kernels)

    say(str(kernel_set))

    say("running the network with recorder")
    recorded = record(threads, seed, duration, kernel_set)
    silent = None
    if check:
        say("running the network without recorder")
        silent = run(threads, seed, duration)

    if ranks.rank > 0:
        return
    say(f"writing to {out}")
    kernel_set.save(out / "kernels.nc", overwrite=True)
    nestlfp.signals.save(recorded.signals, out / "signals.nc", overwrite=True)
    draw(kernel_set, recorded, out)
    report = {
        "online_vs_offline": online_vs_offline(kernel_set, recorded, duration),
        "kernels_vs_reference": kernels_vs_reference(kernel_set, reference),
        "spike_trains_identical": silent and same_spikes(silent, recorded),
        "min_delay_ms": with_and_without(silent, recorded, "min_delay"),
        "max_delay_ms": with_and_without(silent, recorded, "max_delay"),
        "simulate_s": with_and_without(silent, recorded, "seconds"),
        "rates": rates(recorded, duration),
        "lfp_std_mV": lfp_std(recorded),
        "contacts_z_um": p.CONTACTS_Z.tolist(),
        "threads": threads,
        "seed": seed,
        "duration_ms": duration,
        "versions": versions(),
    }
    text = json.dumps(report, indent=2, allow_nan=False)
    (out / "report.json").write_text(text + "\n", encoding="utf-8")
    print(text)


def run(threads: int, seed: int, duration: float) -> Run:
    """Build the network and simulate it without recorder."""
    network.reset(threads, seed)
    neurons = network.build()
    spike_recorders = network.record_spikes(neurons)
    seconds = timed(nest.Simulate, duration)
    return Run(all_spikes(spike_recorders), nest.min_delay, nest.max_delay, seconds)


def record(threads: int, seed: int, duration: float, kernel_set: nestlfp.KernelSet) -> Recorded:
    """Build the network and simulate it with a recorder of these kernels."""
    network.reset(threads, seed)
    nestlfp.install(kernel_set)
    neurons = network.build()
    spike_recorders = network.record_spikes(neurons)
    # An interval of one step, to compare every single sample; 1 ms would do for a figure.
    recorder = nestlfp.FieldRecorder(kernel_set, neurons, interval=p.DT)
    seconds = timed(nestlfp.simulate, duration)
    signals = recorder.signals()
    return Recorded(all_spikes(spike_recorders), nest.min_delay, nest.max_delay, seconds, signals)


def timed(simulate: Callable[[float], object], duration: float) -> float:
    """Seconds that simulating so long takes."""
    start = time.perf_counter()
    simulate(duration)
    return time.perf_counter() - start


def all_spikes(spike_recorders: network.Nodes) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Spikes of all processes, each population as (times (ms), senders), ordered by both."""
    parts = ranks.gather(network.spikes(spike_recorders))
    joined = {}
    for name in p.POPULATIONS:
        times, senders = (np.concatenate([part[name][i] for part in parts]) for i in (0, 1))
        order = np.lexsort((senders, times))
        joined[name] = (times[order], senders[order])
    return joined


# ---------------------------------------------------------------------- figures
def draw(kernel_set: nestlfp.KernelSet, recorded: Recorded, out: Path) -> None:
    """Kernels, the last part of the signals below the spikes, and the CSD in colours."""
    figure = nestlfp.plotting.kernels(kernel_set)
    nestlfp.plotting.save(figure, out / "kernels.png", overwrite=True)
    stop = float(recorded.signals["time"][-1])
    figure = nestlfp.plotting.signals(
        recorded.signals,
        time=(max(0.0, stop - SHOWN), stop),
        spikes=recorded.spikes,
        sizes=p.SIZES,
    )
    nestlfp.plotting.save(figure, out / "signals.png", overwrite=True)
    lfp = recorded.signals[["LFP"]]
    csd = nestlfp.signals.current_source_density(lfp)
    figure = nestlfp.plotting.depth_image(
        lfp.merge(csd, combine_attrs="override"), time=(max(0.0, stop - SHOWN / 2), stop)
    )
    nestlfp.plotting.save(figure, out / "csd.png", overwrite=True)


# ---------------------------------------------------------------------- the report
def largest_difference(found: np.ndarray, expected: np.ndarray) -> float:
    """The largest difference over the largest expected value."""
    scale = np.abs(expected).max()  # 0 where no spike has had an effect yet
    return float(np.abs(found - expected).max() / (scale or 1.0))


def online_vs_offline(
    kernel_set: nestlfp.KernelSet, recorded: Recorded, duration: float
) -> dict[str, float]:
    """How far the recorded signals are from the convolution of the recorded spikes."""
    times = {name: times for name, (times, _) in recorded.spikes.items()}
    offline = kernel_set.convolve(times, duration)
    online = recorded.signals
    # NEST hands out the last samples only when it is simulated on.
    offline = offline.isel(time=slice(online.sizes["time"]))
    assert np.array_equal(offline["time"], online["time"])
    return {
        name: largest_difference(online[name].values, offline[name].values)
        for name in kernel_set.signals
    }


def kernels_vs_reference(
    kernel_set: nestlfp.KernelSet, reference: Path | None
) -> dict[str, float] | None:
    """How far the kernels are from the published ones; None where these are not at hand."""
    path = reference or REFERENCE
    if not path.is_file():
        return None
    with np.load(path) as published:
        expected = {
            signal: np.array(
                [
                    [published[f"{post}:{pre}|{probe}"] for pre in kernel_set.pre]
                    for post in kernel_set.post
                ]
            )
            for signal, probe in REFERENCE_PROBES.items()
        }
    return {
        signal: largest_difference(kernel_set[signal].values, values)
        for signal, values in expected.items()
    }


def same_spikes(one: Run, other: Run) -> bool:
    """Whether each neuron spiked at the same times."""
    return all(
        np.array_equal(a, b)
        for name in p.POPULATIONS
        for a, b in zip(one.spikes[name], other.spikes[name], strict=True)
    )


def with_and_without(silent: Run | None, recorded: Run, what: str) -> dict[str, float | None]:
    return {"without": silent and getattr(silent, what), "with": getattr(recorded, what)}


def rates(recorded: Run, duration: float) -> dict[str, float]:
    """Spikes/s of a neuron of each population."""
    return {
        name: len(times) / p.SIZES[name] / duration * 1000.0
        for name, (times, _) in recorded.spikes.items()
    }


def lfp_std(recorded: Recorded) -> list[float]:
    """Standard deviation of the LFP (mV) at each contact, once the onset has worn off."""
    lfp = recorded.signals["LFP"]
    start = min(ONSET, float(lfp["time"][-1]) / 2)
    return lfp.sel(time=slice(start, None)).std("time").values.tolist()


def versions() -> dict[str, str]:
    found = {"Python": platform.python_version(), "NEST": nest.__version__}
    for package in ("nestlfp", "nestml", "LFPykernels", "LFPykit", "LFPy", "neuron", "numpy"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:  # on the PYTHONPATH, but not installed
            found[package] = getattr(sys.modules.get(package), "__version__", "unknown")
    return found


def say(text: str) -> None:
    if ranks.rank == 0:
        print(f"== {text}", flush=True)


if __name__ == "__main__":
    app()
