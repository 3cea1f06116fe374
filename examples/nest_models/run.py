"""NEST's own models with an LFP: tables of what was read, and the figure of docs/nest_models.md.

    python examples/nest_models/run.py --help

takes scripts of NEST, adds the lines of the page to copies of them, and runs these.
"""

import os
import time
from pathlib import Path
from typing import Annotated

from nestlfp.errors import tell_plainly

tell_plainly()
os.environ.setdefault("PYNEST_QUIET", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import scripts
import typer
from matplotlib.figure import Figure

import nestlfp.plotting
from nestlfp.plotting.style import WIDTH, new_figure, style

SHOWN = 300.0  # ms, the last of each run
COLUMNS = 2
ROW_IN = 2.2

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def main(
    out: Annotated[Path, typer.Option(help="Folder for what is written.")] = Path(
        "out/nest_models"
    ),
    examples: Annotated[
        Path | None, typer.Option(help="NEST's pynest/examples; default: those of NEST's wheel.")
    ] = None,
    model: Annotated[
        list[str] | None, typer.Option(help="A script's name, such as brunel_alpha_nest.")
    ] = None,
) -> None:
    """Run NEST's scripts with the lines of the page; draw what has been run so far."""
    models = scripts.models()
    unknown = sorted(set(model or ()) - set(models))
    if unknown:
        raise scripts.ScriptError(f"the page has no {unknown}, but {', '.join(models)}")
    folder = examples or scripts.examples_of_nest()
    for name in model or models:
        start = time.perf_counter()
        printed = scripts.run(models[name], folder, out / name)
        (out / name / "printed.txt").write_text(printed, encoding="utf-8")
        print(f"{name}: {time.perf_counter() - start:.0f} s", flush=True)
    ran = {
        each.title: out / name / "lfp.nc"
        for name, each in models.items()
        if (out / name / "lfp.nc").is_file()
    }
    nestlfp.plotting.save(draw(ran), out / "nest_models.png", overwrite=True)


def draw(files: dict[str, Path]) -> Figure:
    """The LFP of each model by depth, the last part of each run."""
    rows = -(-len(files) // COLUMNS)
    with style():
        figure = new_figure(WIDTH / 25.4, ROW_IN * rows)
        parts = figure.subfigures(rows, COLUMNS, squeeze=False).ravel()
        for part, (title, file) in zip(parts, files.items(), strict=False):
            lfp = nestlfp.signals.load(file)
            end = float(lfp["time"][-1])
            nestlfp.plotting.signals(lfp, time=(end - SHOWN, end), figure=part)
            part.suptitle(title, weight="bold", x=0.02, ha="left")
    return figure


if __name__ == "__main__":
    app()
