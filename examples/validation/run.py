"""How far the signal from kernels is from the full calculation, cell by cell.

    python examples/validation/run.py --help

runs a small network in NEST, calculates its LFP and current dipole moment with the hybrid
scheme, measures kernels with it, and records the same network again, online, with these kernels
and with those of LFPykernels; of the first seed also with each neuron's out-strength, and with
modes of the kernels of single neurons. Writes a table of means over the seeds, figures of the
first, and a report; `docs/validation.md` says what they show.
"""

import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from nestlfp.errors import tell_plainly

tell_plainly()
os.environ.setdefault("PYNEST_QUIET", "1")
os.environ.setdefault("NEURON_MODULE_OPTIONS", "-nogui")

import compare
import figures
import modes
import nest
import numpy as np
import pandas as pd
import small_network as net
import typer
import xarray as xr

import nestlfp
import nestlfp.plotting
import nestlfp.signals
from nestlfp.sources import hybrid

SHOWN = (1000.0, 1300.0)  # ms, of a run that is that long; else its last 300


app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@dataclass(frozen=True)
class Truth:
    """One network's signal and kernels, calculated cell by cell."""

    network: hybrid.Network
    times: dict[str, np.ndarray]  # of its spikes
    full: xr.Dataset
    measured: nestlfp.KernelSet
    singles: dict[str, xr.Dataset]
    seconds: dict[str, float]


@app.command()
def main(
    out: Annotated[Path, typer.Option(help="Folder for what is written.")] = Path("out/validation"),
    duration: Annotated[float, typer.Option(min=100.0, help="Simulated time (ms).")] = 2000.0,
    seed: Annotated[int, typer.Option(min=1, help="First seed of networks and cells.")] = 1,
    seeds: Annotated[int, typer.Option(min=1, help="How many networks, each with cells.")] = 4,
    processes: Annotated[int | None, typer.Option(help="Default: one per core.")] = None,
    method: Annotated[
        str, typer.Option(help="Of the full calculation: simulate or superpose (faster).")
    ] = "simulate",
) -> None:
    """Compare signals from kernels with the full calculation."""
    out.mkdir(parents=True, exist_ok=True)
    nest.verbosity = nest.VerbosityLevel.ERROR
    truth = calculate(seed, duration, method, processes)
    network, times, singles = truth.network, truth.times, truth.singles

    say("computing kernels with LFPykernels")
    predicted = {
        "LFPykernels": net.predicted_kernels(),
        "LFPykernels by depth": net.predicted_kernels(net.DEPTHS),
    }
    kernels = {"measured": truth.measured} | predicted

    say("taking modes apart")
    rates = net.rates(times, duration)
    neurons = modes.of_each_number(singles, rates)
    print(neurons["left out 0.001"])
    print(modes.validity(singles, network, rates, duration))

    say("recording the network online")
    banks = {**kernels, **modes.for_strengths(truth.measured, kernels["LFPykernels by depth"])}
    recorded, again = record_online(banks | modes.online(neurons), seed, duration)
    full = as_long(truth.full, recorded)
    online = {name: recorded[name] for name in kernels}
    convolved = {x: modes.offline(found, network, duration) for x, found in neurons.items()}
    tables = [compare.table(full, online, singles, rates)]

    for other in range(seed + 1, seed + seeds):
        tables.append(of_another(other, duration, method, processes, predicted))

    say(f"writing to {out}")
    nestlfp.signals.save(full, out / "hybrid.nc", overwrite=True)
    for name, kernel_set in kernels.items():
        label = name.replace(" ", "_").lower()
        kernel_set.save(out / f"kernels_{label}.nc", overwrite=True)
        nestlfp.signals.save(online[name], out / f"online_{label}.nc", overwrite=True)
    table = compare.means(tables)
    pd.DataFrame(table).to_csv(out / "table.csv", index=False, na_rep="nan")
    neurons["left out 0.001"].save(out / "neuron_kernels.nc", overwrite=True)
    refined = modes.table(full, recorded, convolved, neurons, rates)
    pd.DataFrame(refined).to_csv(out / "modes.csv", index=False, na_rep="nan")
    nestlfp.plotting.save(modes.figure(refined), out / "modes.png", overwrite=True)
    end = min(SHOWN[1], duration)
    shown = (max(0.0, end - (SHOWN[1] - SHOWN[0])), end)
    figure = figures.comparison(full, online, table, shown)
    nestlfp.plotting.save(figure, out / "validation.png", overwrite=True)
    nestlfp.plotting.save(
        figures.spread(singles, truth.measured, full), out / "spread.png", overwrite=True
    )
    report = {
        "rates": rates,
        "spike_trains_identical": all(np.array_equal(times[x], again[x]) for x in times),
        "largest_signal": compare.largest(full),
        "agreement": table,
        "relative_spread_of_single_kernels": compare.relative_spread(singles, full),
        "modes": modes.summary(refined),
        "modes_of_populations": {
            kind: {x: len(own) for x, own in found.populations.items()}
            for kind, found in neurons.items()
        },
        "modes_online_less_offline": modes.differences(recorded, convolved),
        "seconds": truth.seconds,
        "seed": seed,
        "seeds": seeds,
        "duration_ms": duration,
    }
    text = json.dumps(report, indent=2, allow_nan=False)
    (out / "report.json").write_text(text + "\n", encoding="utf-8")
    print(compare.as_text(table))
    print(modes.as_text(refined))


def calculate(seed: int, duration: float, method: str, processes: int | None) -> Truth:
    """A network, and cell by cell its signal, and the kernels of populations and neurons."""
    say(f"running the network of seed {seed}")
    network, times = run_network(seed, duration)
    cells, probes = net.cells(), net.probes()

    say("calculating its signal cell by cell")
    started = time.perf_counter()
    full = hybrid.signals(
        network, cells, probes, duration, method=method, seed=seed, processes=processes
    )
    seconds = {"hybrid_signals": time.perf_counter() - started}

    say("measuring kernels: of populations, then of single neurons")
    options: dict[str, Any] = {"method": "superpose", "seed": seed, "processes": processes}
    started = time.perf_counter()
    measured = hybrid.kernels(network, cells, probes, net.TAU, **options)
    seconds["hybrid_kernels"] = time.perf_counter() - started
    started = time.perf_counter()
    singles = {
        pre: hybrid.single_kernels(network, cells, probes, pre, net.TAU, **options)
        for pre in measured.pre
    }
    seconds["single_kernels"] = time.perf_counter() - started
    return Truth(network, times, full, measured, singles, seconds)


def of_another(
    seed: int,
    duration: float,
    method: str,
    processes: int | None,
    predicted: Mapping[str, nestlfp.KernelSet],
) -> list[dict]:
    """The table of a further network."""
    truth = calculate(seed, duration, method, processes)
    say("recording the network online")
    recorded, _ = record_online({"measured": truth.measured} | dict(predicted), seed, duration)
    rates = net.rates(truth.times, duration)
    return compare.table(as_long(truth.full, recorded), recorded, truth.singles, rates)


def as_long(full: xr.Dataset, recorded: Mapping[str, xr.Dataset]) -> xr.Dataset:
    """The full calculation at the times of the recorded signals."""
    full = full.isel(time=slice(next(iter(recorded.values())).sizes["time"]))
    assert all(np.array_equal(full["time"], found["time"]) for found in recorded.values())
    return full


def run_network(seed: int, duration: float) -> tuple[hybrid.Network, dict[str, np.ndarray]]:
    """Run the network without recorder: what the hybrid scheme needs, and the spike times."""
    net.reset(seed)
    built = net.build()
    nest.Simulate(duration)
    return hybrid.Network.from_nest(built.neurons, built.recorders), built.spike_times()


def record_online(
    kernels: Mapping[str, nestlfp.KernelSet | nestlfp.NeuronKernels], seed: int, duration: float
) -> tuple[dict[str, xr.Dataset], dict[str, np.ndarray]]:
    """Run the same network with a recorder for each: signals, and spike times.

    Those whose name says so have each neuron's out-strength as its weight.
    """
    net.reset(seed)
    for kernel_set in kernels.values():
        nestlfp.install(kernel_set)
    built = net.build()
    recorders = {}
    for name, kernel_set in kernels.items():
        weights = None
        if "out-strengths" in name:
            apart = isinstance(kernel_set, nestlfp.NeuronKernels)
            weights = nestlfp.out_strengths(built.neurons, by="post" if apart else ())
        inputs = nestlfp.Inputs(built.neurons, weights=weights)
        recorders[name] = nestlfp.FieldRecorder(kernel_set, inputs, interval=net.p.DT)
    nestlfp.simulate(duration)
    return {name: found.signals() for name, found in recorders.items()}, built.spike_times()


def say(text: str) -> None:
    print(f"== {text}", flush=True)


if __name__ == "__main__":
    app()
