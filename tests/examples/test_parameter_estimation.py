"""examples/parameter_estimation and examples/brunel, small: real networks, real estimators."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from nestlfp import ensemble
from nestlfp.errors import SignalError

pytestmark = pytest.mark.compile

EXAMPLES = Path(__file__).parents[2] / "examples"
TESTS = Path(__file__).parents[1]
SHARED = EXAMPLES / "parameter_estimation" / "spectra.nc"
ESTIMATION = EXAMPLES / "parameter_estimation" / "run.py"


def run(script, *arguments):
    done = subprocess.run(
        [sys.executable, script, *map(str, arguments)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.fixture(scope="module")
def states(tmp_path_factory):
    """Two of the states of a network of 250 neurons."""
    out = tmp_path_factory.mktemp("brunel")
    run(
        EXAMPLES / "brunel" / "run.py",
        *("--out", out, "--scale", 0.02, "--duration", 600, "--state", "C", "--state", "E"),
    )
    return out, json.loads((out / "report.json").read_text())


def test_states_are_recorded_as_their_spikes_say(states):
    out, report = states
    for name in ("C", "E"):
        found = report[name]
        assert found["checks"]["online is offline"]
        assert 0 < max(found["online_vs_offline"].values()) <= 1e-12
        assert found["synapses"] == 250 * 1250 + 250
        assert found["rates"]["E"] > 0
        assert np.all(np.array(found["lfp_std_mV"]) > 0)
        signals = xr.load_dataset(out / f"signals_{name}.nc", engine="h5netcdf")
        assert signals["LFP"].shape == (6, 600)
        # Of the rates the third is what the others give together: 200 and 50 of 250 neurons.
        rate = signals["rate"].values
        np.testing.assert_allclose(rate[2], 0.8 * rate[0] + 0.2 * rate[1], atol=1e-9)
        counts = rate[0] * 200 * 1e-3
        np.testing.assert_allclose(counts, np.rint(counts), atol=1e-9)
    assert report["A"] if "A" in report else report["together"] is None
    for figure in ("kernels.png", "states.png", "spectra.png"):
        assert (out / figure).stat().st_size > 10_000


def test_kernels_of_the_brunel_example_are_those_of_reconstructed_cells(states):
    """Peaks of the specification for these cells: µV per spike, and their lags."""
    import nestlfp

    kernels = nestlfp.KernelSet.load(states[0] / "kernels.nc")
    lfp = 1e3 * kernels["LFP"].sel(post="E").values
    at = np.abs(lfp).argmax(axis=-1)
    peaks = np.take_along_axis(lfp, at[..., None], axis=-1)[..., 0]
    expected = [[-0.373, -0.461, -0.405, 0.001, 0.449, 0.457],
                [-0.094, -0.115, -0.096, 0.011, 0.100, 0.114]]  # fmt: skip
    np.testing.assert_allclose(peaks, expected, atol=0.013)
    large = np.abs(np.array(expected)) > 0.05
    np.testing.assert_allclose((at + kernels.first_lag_steps)[large] * 0.1, 10.1, atol=0.6)


@pytest.fixture(scope="module")
def simulated(tmp_path_factory):
    """A few runs of a small network."""
    out = tmp_path_factory.mktemp("estimation")
    arguments = ("--out", out, "--neurons", 100, "--workers", 2, "--simulate-only")
    run(ESTIMATION, *arguments, "--runs", 3)
    run(ESTIMATION, *arguments, "--runs", 4)
    return out


def test_runs_are_spectra_of_networks(simulated):
    runs = ensemble.load(simulated / "runs_100.zarr").load()
    assert (runs["error"].values == "").all()
    assert runs["LFP"].shape == (4, 3, 6, 151)
    assert runs["rate"].shape == (4, 3, 3, 151)
    for name, (low, high) in {"eta": (1.5, 3.0), "g": (4.5, 6.0), "J": (0.1, 0.25)}.items():
        assert ((runs[name] >= low) & (runs[name] <= high)).all()
    assert (runs["LFP"].values > 0).all()
    shared = xr.load_dataset(simulated / "spectra.nc", engine="h5netcdf")
    np.testing.assert_allclose(shared["LFP"], runs["LFP"].sel(length=1500.0), rtol=0.004)


def test_signals_scaled_afterwards_are_those_of_scaled_kernels(simulated):
    """One run again, with kernels scaled before it, as exact filters."""
    script = f"""
import sys
folders = (r"{EXAMPLES / "parameter_estimation"}", r"{EXAMPLES / "brunel"}", r"{TESTS}")
sys.path[:0] = folders
import nest, network, nestlfp, simulation, numpy as np, parameters as p
from nestlfp import ensemble
from nests import quieten
quieten(nest)
one = ensemble.load(r"{simulated / "runs_100.zarr"}").isel(run=2)
point = p.Point(*(float(one[name]) for name in ("eta", "g", "J")))
kernels = nestlfp.KernelSet.load(r"{simulated / "kernels.nc"}").scale(point.factors)
network.reset(int(one["seed"]))
nestlfp.install(kernels)
neurons = network.build(point, int(one["seed"]), {{"E": 80, "I": 20}})
recorder = nestlfp.FieldRecorder(kernels, neurons, interval=1.0)
nestlfp.simulate(1650.0, complete=True, progress=False)
found = simulation.by_length(recorder.signals()["LFP"], simulation.LENGTHS)
largest = float(one["LFP"].max())
assert abs(found.values - one["LFP"].values).max() <= 1e-5 * largest
print("same")
"""
    assert "same" in run("-c", script)


@pytest.mark.inference
def test_too_few_runs_to_learn_from(simulated):
    pytest.importorskip("sklearn")
    done = subprocess.run(
        [sys.executable, ESTIMATION, "--out", simulated, "--neurons", "100", "--runs", "4"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "estimators need 50 runs or more, found 4" in done.stderr.splitlines()[-1]


@pytest.fixture(scope="module")
def estimated(tmp_path_factory):
    """Estimators that learned from some of the runs that come with the example."""
    pytest.importorskip("sklearn")
    out = tmp_path_factory.mktemp("estimated")
    part = xr.load_dataset(SHARED, engine="h5netcdf").isel(run=slice(250))
    part.to_netcdf(out / "some.nc", engine="h5netcdf")
    run(ESTIMATION, "--data", out / "some.nc", "--out", out, "--epochs", 40, "--splits", 2)
    return out, json.loads((out / "report.json").read_text())


@pytest.mark.inference
def test_estimates_are_better_than_guessing(estimated):
    out, report = estimated
    assert report["runs"] == {"all": 250, "known": 200, "test": 50}
    for errors in [report["estimators"]["kernel ridge"], *report["seen"].values()]:
        for parameter in ("eta", "g", "J"):
            assert errors[parameter]["of_range"]["sd"] < 20  # of a uniform guess 29 %
            assert abs(errors[parameter]["of_range"]["bias"]) < 5
    best = report["estimators"]["kernel ridge"]
    assert best["g"]["of_full_range"]["sd"] < 3
    for parameter, found in report["other_splits"].items():
        assert found["least"] < found["mean"] < found["largest"] < 20
        guess = report["estimators"]["mean of the runs learned from"][parameter]["of_range"]
        assert 20 < guess["sd"] < 38  # of a uniform distribution 29 %, of 50 runs
    curve = [row["sd"] for row in report["learning_curve"]]
    assert np.all(np.array(curve[-1]) < curve[0])
    for figure in ("spectra.png", "predicted.png", "errors.png"):
        assert (out / figure).stat().st_size > 10_000


@pytest.mark.inference
def test_the_network_of_the_paper(estimated):
    pytest.importorskip("torch")
    report = estimated[1]
    networks = {"CNN", "CNN, log spectra"}
    assert set(report["estimators"]) == {"mean of the runs learned from", "kernel ridge", *networks}
    for parameter in ("eta", "g", "J"):
        errors = report["estimators"]["CNN, log spectra"][parameter]["of_range"]
        assert errors["sd"] < 29
    script = f"""
import sys
sys.path.insert(0, r"{EXAMPLES / "parameter_estimation"}")
import cnn, torch
network = cnn.Network(6)
print(sum(weights.numel() for weights in network.parameters()))
shapes, spectra = [], torch.rand(2, 6, 151)
for layer in network.layers:
    spectra = layer(spectra)
    shapes.append(tuple(spectra.shape[1:]))
print(shapes[::3][:3], shapes[2::3][:3], shapes[-1])
"""
    assert run("-c", script).splitlines() == [
        "60064",
        "[(20, 140), (20, 67), (20, 30)] [(20, 70), (20, 33), (20, 15)] (3,)",
    ]


@pytest.mark.inference
def test_posteriors_hold_the_truth(estimated):
    pytest.importorskip("sbi")
    out, report = estimated
    for name in ("eta", "g", "J", "together"):
        found = report["coverage"][name]
        assert found["0.5"]["found"] < found["0.95"]["found"]
        assert found["0.95"]["found"] > 0.7
    for figure in ("posteriors.png", "calibration.png"):
        assert (out / figure).stat().st_size > 10_000


def test_the_shared_spectra():
    shared = xr.load_dataset(SHARED, engine="h5netcdf")
    assert SHARED.stat().st_size < 3e6
    assert shared.sizes["run"] >= 1000
    assert shared["LFP"].dtype == np.float32
    assert (shared["LFP"].values > 0).all()
    with pytest.raises(SignalError):
        ensemble.load(SHARED)
