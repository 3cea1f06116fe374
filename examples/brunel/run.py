"""Brunel's network in its five states, and the LFP of each, after Skaar et al. 2020.

    python examples/brunel/run.py --help

computes kernels, runs the network of 12 500 neurons at five points of its parameters, records LFP
and population rates while it runs, draws them beside each other as Fig 5 of the paper, and checks
them: rates, peaks of the spectra, the LFP against the convolution of the recorded spikes.
"""

import json
import os
from concurrent.futures import ProcessPoolExecutor, as_completed
from enum import Enum
from multiprocessing import get_context
from pathlib import Path
from typing import Annotated

from nestlfp.errors import tell_plainly

tell_plainly()
os.environ.setdefault("PYNEST_QUIET", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # two processes share the cores

import figures
import parameters as p
import report
import typer
from states import STATES, Result, simulate
from tqdm import tqdm

import nestlfp
import nestlfp.plotting
import nestlfp.signals

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


class Name(str, Enum):
    """Of a state."""

    A = "A"
    B = "B"
    C = "C"
    D = "D"
    E = "E"


class Sampling(str, Enum):
    """Of signals."""

    counted = "counted"
    antialiased = "antialiased"


@app.command()
def main(
    out: Annotated[Path, typer.Option(help="Folder for what is written.")] = Path("out/brunel"),
    state: Annotated[list[Name] | None, typer.Option(help="Only these. Default: all.")] = None,
    duration: Annotated[
        float | None,
        typer.Option(min=500.0, help="Simulated time (ms). Default: 3150, of A 1150."),
    ] = None,
    processes: Annotated[
        int | None, typer.Option(min=1, help="Networks at the same time. Default: one per core.")
    ] = None,
    sampling: Annotated[
        Sampling,
        typer.Option(help="Every ms: spikes counted in bins, as in the paper, or antialiased."),
    ] = Sampling.counted,
    seed: Annotated[int, typer.Option(min=1, help="Seed of NEST's random numbers.")] = 1,
    scale: Annotated[
        float, typer.Option(min=0.02, max=1.0, help="Part of the neurons; in-degrees stay.")
    ] = 1.0,
) -> None:
    """Record the LFP of Brunel's network in its five states, and check it."""
    out.mkdir(parents=True, exist_ok=True)
    import kernels  # NEURON, which the processes below do without

    print("== kernels", flush=True)
    kernel_set = kernels.cached_kernels(out / "kernels.nc")
    print(kernel_set, flush=True)
    names = [each.value for each in state] if state else list(STATES)
    sizes = {name: round(scale * size) for name, size in p.SIZES.items()}
    results = simulate_all(names, kernel_set, duration, seed, sampling.value, sizes, processes)

    print(f"== writing to {out}", flush=True)
    for name, result in results.items():
        nestlfp.signals.save(result.signals, out / f"signals_{name}.nc", overwrite=True)
    nestlfp.plotting.save(nestlfp.plotting.kernels(kernel_set), out / "kernels.png", overwrite=True)
    nestlfp.plotting.save(figures.activity(results), out / "states.png", overwrite=True)
    nestlfp.plotting.save(figures.spectra(results), out / "spectra.png", overwrite=True)
    found = report.report(results) | {"sampling": sampling.value, "seed": seed, "sizes": sizes}
    text = json.dumps(found, indent=2)
    (out / "report.json").write_text(text + "\n", encoding="utf-8")
    print(text)


def simulate_all(
    names: list[str],
    kernel_set: nestlfp.KernelSet,
    duration: float | None,
    seed: int,
    sampling: str,
    sizes: dict[str, int],
    processes: int | None,
) -> dict[str, Result]:
    """The states, in processes of their own; those that take longest first."""
    rate = {name: STATES[name].rate for name in names}
    done = {}
    with (
        ProcessPoolExecutor(processes, get_context("spawn")) as pool,
        tqdm(total=len(names), desc="states", unit="state") as bar,
    ):
        futures = [
            pool.submit(
                simulate, name, kernel_set, duration or STATES[name].duration, seed, sampling, sizes
            )
            for name in sorted(names, key=lambda name: -rate[name])
        ]
        for future in as_completed(futures):
            result = future.result()
            done[result.state] = result
            bar.update()
            bar.write(f"   {result.state}: {result.duration:g} ms took {result.seconds:.0f} s")
    return {name: done[name] for name in names}


if __name__ == "__main__":
    app()
