"""The example of a sheet of tissue, smaller."""

import json
import subprocess
import sys
from pathlib import Path

import matplotlib.image
import pytest

pytestmark = pytest.mark.compile

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "sheet"
SMALL = (
    "--neurons", "1000", "--targets", "40", "--width", "1000", "--electrodes", "4",
    "--duration", "400", "--threads", "2", "--left-out", "0.02",
)  # fmt: skip


def run(script, out, *arguments):
    process = subprocess.run(
        [sys.executable, EXAMPLE / script, "--out", out, *arguments],
        check=False,
        capture_output=True,
        text=True,
    )
    assert process.returncode == 0, process.stderr[-2000:]
    return process.stdout


def test_recorded_as_convolved_and_spikes_as_without(tmp_path):
    run("run.py", tmp_path, *SMALL)
    report = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert report["online_vs_offline"] < 3e-3
    assert report["spike_trains_identical"] is True
    assert min(report["rates"].values()) > 0.5
    assert report["left_out"] <= 0.02
    assert report["connections_of_the_recorder"] <= 17 * 1000  # 16 each, and the multimeter
    assert matplotlib.image.imread(tmp_path / "sheet.png").shape[0] > 500


def test_connections_that_there_are_not_enough_neurons_for(tmp_path):
    process = subprocess.run(
        [sys.executable, EXAMPLE / "run.py", "--out", tmp_path, "--neurons", "1000"],
        check=False,
        capture_output=True,
        text=True,
    )
    assert process.returncode != 0
    assert "need more neurons" in process.stderr
    assert "Traceback" not in process.stderr
