"""Modules built with CMake and used in plain PyNEST, as docs/by_hand.md tells."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from environments import run
from nestlfp.nodes.bank import FilterBank
from nestlfp.nodes.export import description, export
from networks import bank_of, convolved, exponential_kernels

pytestmark = pytest.mark.compile

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "by_hand.md").read_text(encoding="utf-8")
SHELL, SCRIPT = (
    re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.M | re.S) for language in ("bash", "python")
)


@pytest.mark.parametrize("method", ["fir", "state-space", "separable"])
def test_the_page_by_hand(tmp_path, method):
    kernels = exponential_kernels(leads=(15, 22), lengths=(60, 90), channels=3)
    for name in ("CMakeLists.txt", "models"):
        (tmp_path / name).symlink_to(ROOT / name)
    kernels.save(tmp_path / "kernels.nc")
    (commands,) = SHELL
    configured = commands.replace("-DMETHOD=fir", f"-DMETHOD={method}")
    assert method == "fir" or configured != commands
    told = run(configured.replace("$HOME/modules", f"{tmp_path}/modules"), tmp_path)
    assert "nest.Install('" in told
    folder = tmp_path / "modules" / "lib" / "nest"
    (script,) = SCRIPT
    script = script.replace("/home/me/modules", f"{tmp_path}/modules")
    checks = """
import sys
assert not any(name.partition(".")[0] == "nestlfp" for name in sys.modules)
times, senders = spikes.events["times"], spikes.events["senders"]
trains = {name: times[np.isin(senders, nodes.tolist())] for name, nodes in populations.items()}
np.savez("found.npz", time=time, signal=signal, **trains)
"""
    (tmp_path / "script.py").write_text(script + checks)
    run("python script.py", tmp_path, PYNEST_QUIET="1", PYTHONPATH="")
    with np.load(tmp_path / "found.npz") as found:
        arrays = dict(found)
    at = np.rint(arrays["time"] / kernels.dt).astype(int)
    reference = convolved(kernels, "LFP", arrays, at.max())
    assert min(arrays["E"].size, arrays["I"].size, at.size) > 50
    error = np.abs(arrays["signal"] - reference[:, at - 1]).max() / np.abs(reference).max()
    assert error < (1e-12 if method == "fir" else 1e-5)
    nestml = (folder / Path(FilterBank(kernels).filter.options.template).stem).name
    assert "port 2: population I, 90 taps of 0.1 ms from lag 2.2 ms on" in (
        next(folder.glob("*.nestml")).read_text()
    ), nestml


def test_the_description_says_what_every_output_is(tmp_path):
    kernels = exponential_kernels(channels=2, signals=("LFP", "CDM"))
    bank = bank_of(kernels, by=("pre", "post"))
    told = json.loads(json.dumps(description(bank), default=lambda value: value.tolist()))
    assert len(told["outputs"]) == told["defaults"]["outputs"] == 2 * 2 * 2 * 2
    assert told["outputs"][0] == {
        "signal": "LFP", "channel": "0", "unit": "mV", "post": "E", "pre": "E"
    }  # fmt: skip
    assert [row["pre"] for row in told["outputs"]] == ["E"] * 8 + ["I"] * 8
    parameters, nestml = export(bank, tmp_path, "kernels")
    assert json.loads(parameters.read_text()) == told
    assert "signal CDM (mV): 0, 1" in nestml.read_text()
