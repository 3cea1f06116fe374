"""The microcircuit's LFP and current dipole moment cell by cell, against those of kernels.

    python examples/microcircuit/cell_by_cell.py --help

Each neuron gets a multicompartment cell of one of its population's types, and LFPykit sums the
signals of all cells (the hybrid scheme of Hagen et al. 2016, `nestlfp.sources.hybrid`). As
there, cells receive the synapses that the anatomy gives to their type: the sources, weights and
delays are those of NEST's connections, the targets within a population are drawn anew. Writes
cell_by_cell.json, .nc and .png.
"""

import json
import os
from pathlib import Path
from typing import Annotated, Any

from nestlfp.errors import tell_plainly

tell_plainly()
os.environ.setdefault("PYNEST_QUIET", "1")

import memory

memory.quiet_threads()

import circuit as c
import figures
import lfpykit
import nest
import network_in_nest as net
import numpy as np
import responses
import typer
import xarray as xr
from anatomy import PRE, SYNAPSES_BY_TYPE

import nestlfp.plotting
from nestlfp.sources import hybrid, mechanisms

ONSET = 200.0  # ms
# Cells in the middle of their layers, as LFPykernels has them, or at 15 depths.
KERNELS: dict[str, responses.Depths] = {
    "kernels, one depth": "LFPykernels",
    "kernels, 15 depths": 15,
}

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def main(
    scale: Annotated[
        float, typer.Option(min=0.005, max=1.0, help="Size of the network, of 77 169 neurons.")
    ] = 0.1,
    duration: Annotated[
        float, typer.Option(min=ONSET + 300.0, help="Simulated time (ms).")
    ] = 1200.0,
    seed: Annotated[int, typer.Option(min=1, help="Seed of all random numbers.")] = 1,
    processes: Annotated[int, typer.Option(min=1, help="That cells are shared among.")] = 2,
    out: Annotated[Path, typer.Option(help="Folder for what is written.")] = Path(
        "out/microcircuit"
    ),
) -> None:
    """Compare the LFP of kernels with that of all cells."""
    out.mkdir(parents=True, exist_ok=True)
    choice = net.Choice(scale=scale, duration=duration, seed=seed)
    nest.verbosity = nest.VerbosityLevel.ERROR
    network = simulated(choice)
    times = {name: found for name, (found, _) in network.spikes.items()}
    by_kernels = {
        name: responses.microcircuit_kernels(scale, depths=depths)
        .select(signals=["LFP", "CDM"])
        .convolve(times, duration)
        for name, depths in KERNELS.items()
    }
    by_cells = hybrid.signals(
        with_types(network, seed),
        {
            type_of(post, name): population(post, name)
            for post, types in responses.OCCURRENCE.items()
            for name in types
        },
        probes(),
        duration,
        method="superpose",
        seed=seed,
        correct_charge=True,  # as that of the kernels
        processes=processes,
    )
    every = {"cells": by_cells, **by_kernels}
    both = xr.concat(list(every.values()), xr.Variable("by", list(every)))
    both.to_netcdf(out / "cell_by_cell.nc", engine="h5netcdf")
    late = both.sel(time=slice(ONSET, None))
    late = late - late.mean("time")
    report: dict[str, Any] = {"scale": scale, "seed": seed, "duration": duration}
    for name in KERNELS:
        pair = late.sel(by=["cells", name])
        report[name] = {
            "LFP": [
                {"z_um": float(z), **agreement(pair["LFP"][:, i])}
                for i, z in enumerate(c.CONTACTS_Z)
            ],
            "CDM_z": agreement(pair["CDM"][:, 2]),
        }
    text = json.dumps(report, indent=2)
    (out / "cell_by_cell.json").write_text(text + "\n", encoding="utf-8")
    print(text)
    figure = figures.cell_by_cell(choice, late["LFP"], report)
    nestlfp.plotting.save(figure, out / "cell_by_cell.png", overwrite=True)


def simulated(choice: net.Choice) -> hybrid.Network:
    """The network's connections and spikes."""
    net.reset(choice, threads=2)
    neurons, *_ = net.build(choice)
    net.drive(choice, neurons)
    recorders = net.record_spikes(neurons)
    nest.Simulate(choice.duration)
    return hybrid.Network.from_nest(neurons, recorders)


def type_of(post: str, name: str) -> str:
    """The part of a population whose cells are of one type."""
    return f"{post} {name}"


def with_types(network: hybrid.Network, seed: int) -> hybrid.Network:
    """The same sources, and targets that are the cells of each type."""
    rng = np.random.default_rng(seed)
    sizes = {pre: network.sizes[pre] for pre in PRE}
    connections = {}
    for post in c.POPULATIONS:
        types = responses.OCCURRENCE[post]
        share = np.array(list(types.values())) / sum(types.values())
        ends = np.rint(np.cumsum(share) * network.sizes[post]).astype(int)
        number = dict(zip(types, np.diff(ends, prepend=0), strict=True))
        sizes |= {type_of(post, name): int(each) for name, each in number.items()}
        for pre in PRE:
            made = network.connections.get((pre, post))
            if made is None or (pre, post) in responses.UNKNOWN:
                continue
            parts = np.array([SYNAPSES_BY_TYPE[name][PRE.index(pre)] for name in types])
            drawn = rng.choice(len(types), made.source.size, p=parts / parts.sum())
            for i, (name, each) in enumerate(number.items()):
                mine = drawn == i
                connections[pre, type_of(post, name)] = hybrid.Connections(
                    made.source[mine],
                    rng.integers(each, size=mine.sum()),
                    made.weight[mine],
                    made.delay[mine],
                )
    return hybrid.Network(sizes, connections, network.spikes, network.dt)


def population(post: str, name: str) -> hybrid.Population:
    """The cells of one type, with synapses in the layers as they are, at the weights of NEST."""
    return hybrid.Population.from_lfpykernels(
        responses.approximation(post, name, spread=0.0),
        {pre: c.weight(pre, post) for pre in PRE},
        mechanisms=mechanisms.load,
    )


def probes() -> list:
    """The laminar electrode in the middle of the column, and the current dipole moment."""
    z = c.CONTACTS_Z
    return [
        lfpykit.LineSourcePotential(None, x=0 * z, y=0 * z, z=z, sigma=c.SIGMA),
        lfpykit.CurrentDipoleMoment(None),
    ]


def agreement(both: xr.DataArray) -> dict[str, float]:
    """R² of kernels, slope of cells over kernels, and standard deviations, of one channel."""
    cells, kernels = both.values
    return {
        "r2": float(1 - np.sum((cells - kernels) ** 2) / np.sum(cells**2)),
        "r": float(np.corrcoef(cells, kernels)[0, 1]),
        "slope": float(np.sum(cells * kernels) / np.sum(kernels**2)),
        "sd_cells": float(cells.std()),
        "sd_kernels": float(kernels.std()),
    }


if __name__ == "__main__":
    app()
