"""A small sheet's LFP cell by cell, against that of its neurons' own kernels.

    python examples/sheet/brute_force.py --help

Each neuron of a small network gets a multicompartment cell where it stands, each connection of NEST
a synapse on it, and LFPykit sums the potentials of all cells (`nestlfp.sources.hybrid`). That takes
a fifth of a second for each cell. Writes brute_force.json, .nc and .png.
"""

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Annotated

from nestlfp.errors import tell_plainly

tell_plainly()
os.environ.setdefault("PYNEST_QUIET", "1")

import figures
import lfpykit
import nest
import numpy as np
import tissue as t
import typer
import xarray as xr

import nestlfp
import nestlfp.plotting
from nestlfp.sources import hybrid, mechanisms, sheets

DEPTHS = (-100.0, 0.0, 200.0)  # µm, of contacts
CLEAR = 16.0  # µm that contacts keep from the axis of a cell
ONSET = 80.0  # ms

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def main(
    out: Annotated[Path, typer.Option(help="Folder for what is written.")] = Path("out/sheet"),
    neurons: Annotated[int, typer.Option(help="Neurons, a fifth of them inhibitory.")] = 5000,
    targets: Annotated[int, typer.Option(help="Targets of a neuron.")] = 450,
    spread: Annotated[float, typer.Option(help="Standard deviation of their distance (µm).")] = 150,
    width: Annotated[float, typer.Option(help="Of the sheet (µm).")] = 1200.0,
    duration: Annotated[float, typer.Option(help="Simulated time (ms).")] = 220.0,
    processes: Annotated[int, typer.Option(help="That cells are shared among.")] = 2,
) -> None:
    """Compare the LFP of a small sheet with that of all its cells."""
    out.mkdir(parents=True, exist_ok=True)
    nest.verbosity = nest.VerbosityLevel.ERROR
    tissue = t.Tissue(
        width=width,
        sizes={"E": neurons * 4 // 5, "I": neurons // 5},
        spread={"E": spread, "I": spread},
        targets=targets,
        images=0,  # cells stand in the sheet alone
    )
    t.reset(tissue, threads=1)
    nodes = t.build(tissue)
    recorders = {name: nest.Create("spike_recorder") for name in nodes}
    for name, found in nodes.items():
        nest.Connect(found, recorders[name], syn_spec={"delay": t.DELAY})
    nest.Simulate(duration)
    network = hybrid.Network.from_nest(nodes, recorders)
    where = t.positions(nodes)
    contacts = contacts_between(np.vstack(list(where.values())), width)

    patches = t.patches(tissue, contacts)
    kernels = t.kernels(patches, tissue, contacts)
    print(kernels)
    kernels = nestlfp.NeuronKernels(
        kernels.modes, kernels.populations, sheets.weights(kernels, where), energy=kernels.energy
    )
    by_kernels = kernels.convolve(network.spikes, duration)["LFP"]

    rng = np.random.default_rng(1)
    cells = {
        post: replace(
            hybrid.Population.from_lfpykernels(
                t.approximation(tissue, post),
                {pre: tissue.weights(pre) for pre in t.POPULATIONS},
                mechanisms=mechanisms.load,
            ),
            positions=np.column_stack(
                [where[post], rng.normal(0.0, t.DEPTH_SPREAD, len(where[post]))]
            ),
        )
        for post in t.POPULATIONS
    }
    x, y, z = contacts.T
    probe = lfpykit.LineSourcePotential(None, x=x, y=y, z=z, sigma=t.SIGMA)
    by_cells = hybrid.signals(
        network, cells, [probe], duration, method="superpose", processes=processes
    )["LFP"]
    both = xr.concat([by_cells, by_kernels], xr.Variable("by", ["cells", "kernels"]))
    both.to_dataset(name="LFP").to_netcdf(out / "brute_force.nc", engine="h5netcdf")
    late = both.sel(time=slice(ONSET, None))
    late = late - late.mean("time")
    a, b = late.values
    r2 = 1 - np.sum((a - b) ** 2, axis=1) / np.sum(a**2, axis=1)
    figure = figures.cell_by_cell(late, r2, contacts[:, 2])
    nestlfp.plotting.save(figure, out / "brute_force.png", overwrite=True)
    report = {}
    for depth in DEPTHS:
        at = contacts[:, 2] == depth
        report[f"{depth:g}"] = {
            "r2_min": r2[at].min(),
            "r2_median": float(np.median(r2[at])),
            "r2_max": r2[at].max(),
            "slope": float(np.sum(a[at] * b[at]) / np.sum(b[at] ** 2)),
            "sd_uV": 1000 * float(a[at].std()),
        }
    text = json.dumps(report, indent=2)
    (out / "brute_force.json").write_text(text + "\n", encoding="utf-8")
    print(text)


def contacts_between(somata: np.ndarray, width: float) -> np.ndarray:
    """A square of contacts inside the sheet, each moved to where no cell is."""
    rng = np.random.default_rng(1)
    along = np.linspace(-0.3, 0.3, 4) * width
    found = []
    for x in along:
        for y in along:
            tried = np.array([x, y]) + rng.uniform(-60, 60, (2000, 2))
            room = np.array([np.linalg.norm(somata - here, axis=1).min() for here in tried])
            if room.max() < CLEAR:
                raise SystemExit(f"no room for a contact near ({x:g}, {y:g}) µm: too many cells")
            found.append(tried[np.argmax(room >= CLEAR)])
    return np.array([[*here, z] for z in DEPTHS for here in found])


if __name__ == "__main__":
    app()
