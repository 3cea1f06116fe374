"""The comparison of kernels with cells whose synapses are conductances, with 25 cells."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import matplotlib.image
import pytest

pytest.importorskip("lfpykernels")
pytestmark = pytest.mark.compile

SCRIPT = Path(__file__).resolve().parents[2] / "examples" / "validation" / "conductances.py"
SMALL = (
    "--scale", "0.05", "--duration", "400", "--onset", "100", "--seeds", "1", "--strength", "0.2",
    "--depths", "5", "--processes", "1",
)  # fmt: skip


def test_kernels_around_the_cells_own_potential(tmp_path):
    process = subprocess.run(
        [sys.executable, SCRIPT, "--out", tmp_path, *SMALL],
        check=False,
        capture_output=True,
        text=True,
    )
    assert process.returncode == 0, process.stderr[-2000:]
    report = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    (run,) = report["runs"]
    # 0.2 of the published excitation (0.69 and 0.82 of the leak), and next to no inhibition.
    assert 0.14 < run["conductance_over_leak"]["E"] < 0.3
    for potential in run["mean_potential_mV"].values():
        assert -65 < potential["lowest"] <= potential["soma"] <= potential["highest"] < -50
    with (tmp_path / "table.csv").open(encoding="utf-8") as file:
        found = {(r["kernels"], r["z_um"]): r for r in csv.DictReader(file) if r["z_um"] == "0.0"}
    own = found["own potential", "0.0"]
    assert float(own["correlation"]) > 0.9
    assert abs(float(own["lag_ms"])) < 0.5
    # Inhibition at -65 mV is weaker than where these cells are.
    assert float(found["by depth", "0.0"]["slope"]) > 1.15 * float(own["slope"])
    assert matplotlib.image.imread(tmp_path / "validation_conductances.png").shape[0] > 500
