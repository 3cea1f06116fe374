"""Spectra of the LFP of several runs, which differ by their seeds.

    for seed in 1 2 3; do
        python examples/microcircuit/run.py --seed $seed --no-check --out out/microcircuit/$seed
    done
    python examples/microcircuit/spectra.py out/microcircuit/[0-9]

Prints the frequency of each run's maximum at each contact. Draws all spectra and their mean.
"""

import json
from pathlib import Path
from typing import Annotated

from nestlfp.errors import tell_plainly

tell_plainly()

import checks
import figures
import numpy as np
import typer
import xarray as xr

import nestlfp.plotting
import nestlfp.signals

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def main(
    runs: Annotated[list[Path], typer.Argument(help="Folders that run.py has written.")],
    out: Annotated[Path, typer.Option(help="Folder for what is written.")] = Path(
        "out/microcircuit"
    ),
) -> None:
    """Draw the spectra of several runs."""
    if len(runs) < 2:
        raise SystemExit(f"two runs or more are compared, found {len(runs)}")
    out.mkdir(parents=True, exist_ok=True)
    reports = [json.loads((run / "report.json").read_text(encoding="utf-8")) for run in runs]
    same = [{name: report[name] for name in ("scale", "network", "stimulus")} for report in reports]
    if any(each != same[0] for each in same):
        raise SystemExit(f"runs must differ by their seeds alone, found {same}")
    seeds = [report["seed"] for report in reports]
    if len(set(seeds)) < len(seeds):
        raise SystemExit(f"each run needs a seed of its own, found {seeds}")
    signals = [nestlfp.signals.load(run / "signals.zarr") for run in runs]
    power = xr.concat([checks.lfp_spectrum(each) for each in signals], xr.Variable("seed", seeds))
    power = power.sel(frequency=slice(*figures.FREQUENCIES))
    peaks = power["frequency"].values[power.argmax("frequency").values]
    spread = [1e3 * checks.settled(each).std("time").values for each in signals]
    table = {
        f"{z:g}": {
            "maxima_Hz": peaks[:, i].tolist(),
            "sd_uV": [float(each[i]) for each in spread],
        }
        for i, z in enumerate(power["LFP_z"].values)
    }
    text = json.dumps({**same[0], "seeds": seeds, "contacts": table}, indent=2)
    (out / "spectra.json").write_text(text + "\n", encoding="utf-8")
    for z, row in table.items():
        found = ", ".join(f"{f:.0f}" for f in row["maxima_Hz"])
        sd = f"{np.mean(row['sd_uV']):.1f} ± {np.std(row['sd_uV'], ddof=1):.1f} µV"
        print(f"{z:>6} µm: maxima at {found} Hz, standard deviation {sd}")
    nestlfp.plotting.save(figures.spectra(power), out / "spectra.png", overwrite=True)


if __name__ == "__main__":
    app()
