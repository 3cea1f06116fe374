"""The LFP of a sheet of tissue at an array of 100 electrodes, while its network runs.

    python examples/sheet/run.py --help

Each neuron has a kernel of its own, by where it is: LFPykernels says what a spike does through a
patch of tissue, `nestlfp.sources.sheets` what that is for a neuron and an electrode. Recorded is
the LFP of 20 000 neurons on 4 mm x 4 mm, with 1000 synapses each. Then it is compared with the
convolution of the recorded spikes, and the spikes with those of the network nobody listened to.
"""

import json
import os
import time
from pathlib import Path
from typing import Annotated, Any

from nestlfp.errors import tell_plainly

tell_plainly()
os.environ.setdefault("PYNEST_QUIET", "1")

import figures
import nest
import numpy as np
import tissue as t
import typer

import nestlfp
import nestlfp.plotting
import nestlfp.signals
from nestlfp.sources import sheets

ONSET = 100.0  # ms
INTERVAL = 0.5  # ms, of samples

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def main(
    out: Annotated[Path, typer.Option(help="Folder for what is written.")] = Path("out/sheet"),
    duration: Annotated[float, typer.Option(min=400.0, help="Simulated time (ms).")] = 600.0,
    threads: Annotated[int, typer.Option(min=1, help="Threads.")] = os.cpu_count() or 1,
    neurons: Annotated[int, typer.Option(help="Neurons, a fifth of them inhibitory.")] = 20_000,
    targets: Annotated[int, typer.Option(help="Targets of a neuron.")] = 1000,
    width: Annotated[float, typer.Option(help="Of the sheet (µm).")] = 4000.0,
    electrodes: Annotated[int, typer.Option(min=2, help="Along each side of the array.")] = 10,
    left_out: Annotated[
        float, typer.Option(help="Share of the variance that the modes may leave out.")
    ] = 1e-3,
    seed: Annotated[int, typer.Option(min=1, help="Seed of all random numbers.")] = 1,
    check: Annotated[
        bool, typer.Option(help="Run without recorder too, and compare the spikes.")
    ] = True,
) -> None:
    """Record the LFP of a sheet, check it and draw it."""
    out.mkdir(parents=True, exist_ok=True)
    nest.verbosity = nest.VerbosityLevel.ERROR
    tissue = t.Tissue(
        width=width,
        sizes={"E": neurons * 4 // 5, "I": neurons // 5},
        spread={"E": 450.0 * width / 4000.0, "I": 400.0 * width / 4000.0},
        targets=targets,
        seed=seed,
    )
    contacts = t.array(width, electrodes)
    print("== kernels of patches, by LFPykernels", flush=True)
    patches = t.patches(tissue, contacts)
    print("== kernels of neurons", flush=True)
    started = time.perf_counter()
    kernels = t.kernels(patches, tissue, contacts, left_out)
    found_s = time.perf_counter() - started
    print(kernels)

    print("== the network with recorder", flush=True)
    recorded = run(tissue, threads, duration, kernels)
    silent = None
    if check:
        print("== the network without", flush=True)
        silent = run(tissue, threads, duration)
    signals = recorded["signals"]
    nestlfp.signals.save(signals, out / "signals.nc", overwrite=True)
    lfp = signals["LFP"].sel(time=slice(ONSET, None))
    figure = figures.draw(lfp, contacts, recorded["spikes"], recorded["positions"], width)
    nestlfp.plotting.save(figure, out / "sheet.png", overwrite=True)
    report: dict[str, Any] = {
        "synapses": recorded["synapses"],
        "connections_of_the_recorder": recorded["connections"],
        "modes": {name: len(modes) for name, modes in kernels.populations.items()},
        "left_out": float(kernels.left_out()["LFP"].max()),
        "filter": recorded["filter"],
        "online_vs_offline": online_vs_offline(kernels, recorded, duration),
        "spike_trains_identical": silent and same(silent["spikes"], recorded["spikes"]),
        "simulate_s": {"with": recorded["seconds"], "without": silent and silent["seconds"]},
        "kernels_s": found_s,
        "wiring_s": recorded["wiring"],
        "rates": {
            name: len(times) / tissue.sizes[name] / duration * 1000.0
            for name, (times, _) in recorded["spikes"].items()
        },
        "lfp_std_mV": [float(lfp.std("time").min()), float(lfp.std("time").max())],
    }
    text = json.dumps(report, indent=2, allow_nan=False)
    (out / "report.json").write_text(text + "\n", encoding="utf-8")
    print(text)


def run(
    tissue: t.Tissue, threads: int, duration: float, kernels: nestlfp.NeuronKernels | None = None
) -> dict[str, Any]:
    """One simulation, with a recorder of these kernels or without."""
    t.reset(tissue, threads)
    if kernels is not None:
        nestlfp.install(kernels, method="separable")
    neurons = t.build(tissue)
    found: dict[str, Any] = {"positions": t.positions(neurons), "synapses": nest.num_connections}
    recorders = {name: nest.Create("spike_recorder") for name in neurons}
    for name, nodes in neurons.items():
        nest.Connect(nodes, recorders[name], syn_spec={"delay": t.DELAY})
    recorder = None
    if kernels is not None:
        method = nestlfp.Separable(tolerance=t.FILTER)
        bank = nestlfp.FilterBank(kernels, method=method, interval=INTERVAL)
        before, started = nest.num_connections, time.perf_counter()
        weights = sheets.weights(kernels, found["positions"])
        recorder = nestlfp.FieldRecorder(bank, nestlfp.Inputs(neurons, weights=weights))
        found |= {
            "wiring": time.perf_counter() - started,
            "connections": nest.num_connections - before,
            "filter": str(bank.filter),
        }
    started = time.perf_counter()
    nestlfp.simulate(duration)
    found["seconds"] = time.perf_counter() - started
    if recorder is not None:
        found["signals"] = recorder.signals()
    found["spikes"] = {}
    for name, nodes in neurons.items():
        events = recorders[name].events
        order = np.lexsort((events["senders"], events["times"]))
        row = events["senders"][order] - nodes[0].global_id
        found["spikes"][name] = (events["times"][order], row)
    return found


def same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether each neuron spiked at the same times."""
    return all(
        np.array_equal(a, b) for name in one for a, b in zip(one[name], other[name], strict=True)
    )


def online_vs_offline(
    kernels: nestlfp.NeuronKernels, recorded: dict[str, Any], duration: float
) -> float:
    """The largest difference from the recorded spikes' convolution, over the largest value."""
    whole = nestlfp.NeuronKernels(
        kernels.modes, kernels.populations, sheets.weights(kernels, recorded["positions"])
    )
    offline = whole.convolve(recorded["spikes"], duration)["LFP"]
    online = recorded["signals"]["LFP"]
    offline = offline.sel(time=online["time"], method="nearest")
    return float(np.abs(online.values - offline.values).max() / np.abs(offline.values).max())


if __name__ == "__main__":
    app()
