"""The example of a closed loop, with two delays and short runs."""

import json
from pathlib import Path

import pytest

from environments import run

pytestmark = pytest.mark.compile

SCRIPT = Path(__file__).parents[2] / "examples" / "closed_loop" / "run.py"


def test_suppressed_and_amplified(tmp_path):
    options = "--duration 1500 --phases 2 --seeds 2 --workers 2"
    told = run(f"python {SCRIPT} {options} --out out", tmp_path, PYNEST_QUIET="1")
    assert "dB against open loop" in told
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report["delays_ms"] == [0.5, 11.5]
    amplified, suppressed = (each["mean"] for each in report["closed_against_open_dB"])
    assert amplified > 1.5  # two short runs; the figure's are longer and more
    assert suppressed < amplified - 2.0
    assert min(report["pulses_per_s"]) > 20
    assert 0.01 < report["threshold_mV"] < 0.2  # half of the s.d. of what the trigger hears
    assert (tmp_path / "out" / "closed_loop.png").stat().st_size > 30_000
