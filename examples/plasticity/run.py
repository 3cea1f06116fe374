"""An LFP that shows learning: inhibition grows until it balances excitation.

    python examples/plasticity/run.py --help

Two recorders hear one network. One reads the strengths of the synapses again and again, and its
signal follows them; the other keeps the kernels of the first moment. Writes a figure with the
weights, the rates and the power of the LFP over time.
"""

import json
import os
import time
from pathlib import Path
from typing import Annotated

from nestlfp.errors import tell_plainly

tell_plainly()
os.environ.setdefault("PYNEST_QUIET", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import numpy as np
import typer
import xarray as xr

import nestlfp
import nestlfp.plotting

CONTACTS = np.arange(600.0, -201.0, -200.0)  # µm, from the surface down
SHOWN = 0.0  # µm: the depth of the somata
EVERY = 150.0  # ms, between two readings of the strengths
BIN = 500.0  # ms, of rates and power

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


def simulate(duration: float, seed: int, threads: int) -> xr.Dataset:
    """Strengths, rates, and the LFP that follows them and that does not."""
    import nest
    import network as net

    nest.verbosity = nest.VerbosityLevel.ERROR
    net.reset(seed, threads)
    nestlfp.install(ports=4, method="fir")  # a population each, or a pathway that learns
    neurons, spikes = net.build()
    kernels = nestlfp.sources.network.kernels(neurons, CONTACTS, signals="LFP", progress=False)
    plasticity = nestlfp.Plasticity(every=EVERY, pre="I", accuracy=0)
    followed = nestlfp.FieldRecorder(kernels, neurons, antialias=True, plasticity=plasticity)
    fixed = nestlfp.FieldRecorder(kernels, neurons, antialias=True)
    nestlfp.simulate(duration)
    bins = np.arange(0.0, duration + BIN / 2, BIN)
    rates = [
        np.histogram(spikes[name].events["times"], bins)[0] / n / BIN * 1e3
        for name, n in net.SIZES.items()
    ]
    strengths = followed.strengths().sel(pre="I", post="E") / net.INDEGREES["I"]
    strengths = strengths * net.SIZES["I"] / net.SIZES["E"]  # of a synapse
    return xr.Dataset(
        {
            "LFP": followed.signals()["LFP"],
            "fixed": fixed.signals()["LFP"],
            "rate": (("population", "bin"), rates),
            "weight": strengths.rename(time="reading").drop_vars(["pre", "post"]),
        },
        coords={"population": list(net.SIZES), "bin": bins[:-1] + BIN / 2},
    )


def power(lfp: xr.DataArray) -> xr.DataArray:
    """Variance of the LFP at the somata in each bin (mV²)."""
    signal = lfp.isel(LFP_channel=int(np.argmin(np.abs(CONTACTS - SHOWN))))
    bins = np.arange(0.0, float(lfp["time"][-1]) + BIN / 2, BIN)
    return signal.groupby_bins("time", bins, labels=bins[:-1] + BIN / 2).var()


@app.command()
def main(
    out: Annotated[Path, typer.Option(help="Folder for what is written.")] = Path("out/plasticity"),
    duration: Annotated[float, typer.Option(min=4000.0, help="Simulated time (ms).")] = 40_000.0,
    seed: Annotated[int, typer.Option(min=1, help="Of the network.")] = 1,
    threads: Annotated[int, typer.Option(min=1, help="Of NEST.")] = 2,
    quick: Annotated[bool, typer.Option("--quick", help="A fourth of the time.")] = False,
) -> None:
    """Record a network that learns, with kernels that follow and kernels that do not."""
    import figures

    start = time.perf_counter()
    out.mkdir(parents=True, exist_ok=True)
    found = simulate(duration / 4 if quick else duration, seed, threads)
    powers = {name: power(found[name]) for name in ("LFP", "fixed")}
    shown = int(np.argmin(np.abs(CONTACTS - SHOWN)))
    found.to_netcdf(out / "found.nc")
    nestlfp.plotting.save(
        figures.draw(found, powers, shown), out / "plasticity.png", overwrite=True
    )
    report = {
        "duration_ms": float(found["LFP"]["time"][-1]),
        "weight_pA": [float(found["weight"][0]), float(found["weight"][-1])],
        "rates": {
            str(name): [float(rate[0]), float(rate[-1])]
            for name, rate in zip(found["population"].values, found["rate"].values, strict=True)
        },
        "lfp_variance_mV2": {
            name: [float(values[0]), float(values[-1])] for name, values in powers.items()
        },
        "seconds": time.perf_counter() - start,
    }
    (out / "report.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    app()
