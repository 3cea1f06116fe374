"""The parameters of a network, estimated from its LFP, after Skaar et al. 2020.

    python examples/parameter_estimation/run.py --help

simulates a network at many points of its parameters (the external rate η, the relative strength g
of inhibition and the synaptic weight J), keeps the spectra of the LFP of each run, and trains
estimators with them: kernel ridge regression, the paper's convolutional network, and a neural
estimator of the posterior. Interrupted or killed, the same command goes on where it was.

    python examples/parameter_estimation/run.py --data examples/parameter_estimation/spectra.nc

trains with the spectra of a thousand runs that come with the example, and simulates nothing.
"""

import itertools
import json
import os
from pathlib import Path
from typing import Annotated, Any

from nestlfp.errors import tell_plainly

tell_plainly()
os.environ.setdefault("PYNEST_QUIET", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # on a busy core threads wait for each other

import numpy as np
import simulation
import typer
import xarray as xr

import data
from data import PARAMETERS, Split
from nestlfp import ensemble
from nestlfp.errors import EnsembleError
from nestlfp.extras import require

QUICK = 100
FEWEST = 50  # runs to learn from and to test with
REPEATS = 3  # random subsets of each size, for the learning curve
EPOCHS = 600  # of the convolutional network; the paper has 400, of fifty times as many runs
CASES = 3  # test runs whose posterior is drawn

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def main(
    out: Annotated[Path, typer.Option(help="Folder for what is written.")] = Path(
        "out/parameter_estimation"
    ),
    runs: Annotated[int, typer.Option(min=1, help="Simulations, about 7 s each.")] = 1000,
    quick: Annotated[bool, typer.Option("--quick", help=f"Only {QUICK} simulations.")] = False,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Simulations at the same time. Default: all cores.")
    ] = None,
    spectra: Annotated[
        Path | None,
        typer.Option("--data", help="Spectra to train with, instead of simulations.", exists=True),
    ] = None,
    neurons: Annotated[
        int, typer.Option(min=50, help="Of the network; each has input from 1250 of them.")
    ] = sum(simulation.SIZES.values()),
    epochs: Annotated[int, typer.Option(min=1, help="Of the convolutional network.")] = EPOCHS,
    splits: Annotated[
        int, typer.Option(min=1, help="Other choices of the runs to test with.")
    ] = 10,
    simulate_only: Annotated[
        bool, typer.Option("--simulate-only", help="Leave out the estimators.")
    ] = False,
) -> None:
    """Estimate η, g and J from spectra of the LFP."""
    out.mkdir(parents=True, exist_ok=True)
    if not simulate_only:
        require("sklearn", "inference")
    if spectra is None:
        found = simulated(out, QUICK if quick else runs, neurons, workers)
        data.share(found, out / "spectra.nc")
    else:
        found = xr.load_dataset(spectra, engine="h5netcdf").expand_dims(
            length=[max(simulation.LENGTHS)]
        )
    if simulate_only:
        return
    if found.sizes["run"] < FEWEST:
        raise EnsembleError(
            f"estimators need {FEWEST} runs or more, found {found.sizes['run']}; --simulate-only "
            "leaves them out"
        )
    report, drawn = estimated(found, epochs, splits)
    text = json.dumps(report, indent=2)
    (out / "report.json").write_text(text + "\n", encoding="utf-8")
    draw(report, drawn, found, out)
    print(text)


def simulated(out: Path, runs: int, neurons: int, workers: int | None) -> xr.Dataset:
    """The runs; those that are in the store are not repeated."""
    store = out / f"runs_{neurons}.zarr"
    say(f"{runs} simulations, into {store}")
    kernels = out / "kernels.nc"
    if not kernels.exists():
        compute_kernels(kernels)
    parameters = ensemble.sample(simulation.RANGES, runs, seed=1)
    sizes = {"E": round(0.8 * neurons), "I": round(0.2 * neurons)}
    function = simulation.run_of(kernels, sizes=sizes)
    return data.finished(ensemble.run(function, parameters, store, workers=workers))


def compute_kernels(path: Path) -> None:
    """Those of examples/brunel, for counts in bins."""
    from recording import filtered

    import kernels

    filtered(kernels.compute_kernels({})).save(path, overwrite=True)


# ---------------------------------------------------------------------- estimates
def estimated(runs: xr.Dataset, epochs: int, splits: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the report says, and what the figures need beside it."""
    import ridge

    split, targets = Split.of(runs), data.targets(runs)
    true = targets[split.test]
    longest = runs.sel(length=max(simulation.LENGTHS))
    report: dict[str, Any] = {
        "runs": {"all": runs.sizes["run"], "known": len(split.known), "test": len(split.test)},
        "units": "per cent of a range: of the cube here, and of the paper's larger set",
    }

    say("kernel ridge regression")
    features = data.binned(longest["LFP"])
    models = ridge.estimators(features[split.known], targets[split.known])
    summaries = ridge.predict(models, features[split.test])
    predictions = {"kernel ridge": summaries}
    report["seen"] = seen(longest, split, targets)
    report["length_ms"] = {
        f"{length:g}": errors_from(runs["LFP"].sel(length=length), split, targets)
        for length in runs["length"].values
    }
    report["learning_curve"] = learning_curve(features, split, targets)
    report["other_splits"] = other_splits(features, split, targets, splits)

    if available("torch"):
        say("the paper's convolutional network")
        lfp = longest["LFP"].values
        predictions["CNN"] = network_predictions(lfp, split, targets, epochs, logarithm=False)
        predictions["CNN, log spectra"] = network_predictions(
            lfp, split, targets, epochs, logarithm=True
        )
    mean = np.broadcast_to(targets[split.known].mean(axis=0), true.shape)
    report["estimators"] = {
        name: data.errors(found, true)
        for name, found in ({"mean of the runs learned from": mean} | predictions).items()
    }
    drawn = {"predictions": predictions, "true": true, "posteriors": None}
    report["coverage"] = None
    if available("sbi"):
        import posterior

        say("posterior")
        unseen = ridge.predict_unseen(models, features[split.known], targets[split.known])
        found = posterior.posteriors(unseen, targets[split.known], summaries, true)
        report["coverage"] = posterior.coverage(found)
        drawn["posteriors"] = found
    report["checks"] = checks(report)
    return report, drawn


def errors_from(spectra: xr.DataArray, split: Split, targets: np.ndarray) -> dict[str, Any]:
    """Errors of kernel ridge regression on these spectra."""
    return errors_of(data.binned(spectra), targets, split.known, split.test)


def errors_of(
    features: np.ndarray, targets: np.ndarray, known: np.ndarray, test: np.ndarray
) -> dict[str, Any]:
    """Errors in these runs, of kernel ridge regression that learned from those that are known."""
    import ridge

    models = ridge.estimators(features[known], targets[known])
    return data.errors(ridge.predict(models, features[test]), targets[test])


def seen(runs: xr.Dataset, split: Split, targets: np.ndarray) -> dict[str, Any]:
    """Errors by what the estimator is given."""
    given = {
        "LFP, 6 channels": runs["LFP"],
        "LFP, uppermost channel": runs["LFP"].isel(LFP_channel=[0]),
        "LFP without inhibition, 6 channels": runs.get("LFP_E"),
        "rate of all neurons": runs["rate"].sel(rate_channel=["all"]),
        "rates of E and of I": runs["rate"].sel(rate_channel=["E", "I"]),
    }
    return {
        name: errors_from(spectra, split, targets)
        for name, spectra in given.items()
        if spectra is not None
    }


def learning_curve(features: np.ndarray, split: Split, targets: np.ndarray) -> list[dict[str, Any]]:
    """Standard deviations of the error (% of the cube's ranges), by number of runs."""
    random, found = np.random.default_rng(1), []
    counts = [n for n in (50, 100, 200, 400) if n < 0.8 * len(split.known)] + [len(split.known)]
    for count in counts:
        rows = []
        for _ in range(REPEATS if count < len(split.known) else 1):
            part = random.permutation(split.known)[:count]
            rows.append(sds(features, targets, part, split.test))
        found.append({"runs": count, "sd": np.mean(rows, axis=0).tolist()})
    return found


def other_splits(
    features: np.ndarray, split: Split, targets: np.ndarray, splits: int
) -> dict[str, dict[str, float]]:
    """Standard deviations of the error (% of the cube's ranges) by which runs are tested."""
    random, found = np.random.default_rng(2), []
    for _ in range(splits):
        order = random.permutation(len(targets))
        found.append(sds(features, targets, order[len(split.test) :], order[: len(split.test)]))
    return {
        name: {"mean": float(np.mean(each)), "least": min(each), "largest": max(each)}
        for name, each in zip(PARAMETERS, zip(*found, strict=True), strict=True)
    }


def sds(
    features: np.ndarray, targets: np.ndarray, known: np.ndarray, test: np.ndarray
) -> list[float]:
    """Standard deviations of these errors (% of the cube's ranges)."""
    errors = errors_of(features, targets, known, test)
    return [errors[name]["of_range"]["sd"] for name in PARAMETERS]


def network_predictions(
    spectra: np.ndarray, split: Split, targets: np.ndarray, epochs: int, logarithm: bool
) -> np.ndarray:
    """Of the convolutional network, which chose its weights by the validation set."""
    import cnn

    trained = cnn.train(
        spectra[split.train],
        targets[split.train],
        (spectra[split.validation], targets[split.validation]),
        epochs=epochs,
        logarithm=logarithm,
    )
    return trained.predict(spectra[split.test])


def checks(report: dict[str, Any]) -> dict[str, bool | None]:
    """What the paper says of its estimates, and holds here or not; None: not tested."""
    ridge = report["estimators"]["kernel ridge"]
    seen = report["seen"]

    def sd(found: dict[str, Any]) -> list[float]:
        return [found[name]["of_full_range"]["sd"] for name in PARAMETERS]

    def every(better: dict[str, Any], worse: dict[str, Any]) -> bool:
        return all(a <= b for a, b in zip(sd(better), sd(worse), strict=True))

    lengths = [report["length_ms"][key] for key in sorted(report["length_ms"], key=float)]
    return {
        "mean absolute errors below 5 % of the full range": all(
            ridge[name]["of_full_range"]["mean_absolute"] < 5 for name in PARAMETERS
        ),
        "biases below 0.5 % of the full range": all(
            abs(ridge[name]["of_full_range"]["bias"]) < 0.5 for name in PARAMETERS
        ),
        "g is estimated best": sd(ridge)[1] == min(sd(ridge)),
        "J is estimated worst": sd(ridge)[2] == max(sd(ridge)),
        "longer signals, smaller errors": all(
            every(longer, shorter) for shorter, longer in itertools.pairwise(lengths)
        )
        if len(lengths) > 1
        else None,
        "six channels better than one": every(
            seen["LFP, 6 channels"], seen["LFP, uppermost channel"]
        ),
        "LFP at least as good as the rate's spectrum": every(
            seen["LFP, 6 channels"], seen["rate of all neurons"]
        ),
        "posterior coverage within chance": all(
            part["within"] for name in report["coverage"].values() for part in name.values()
        )
        if report["coverage"]
        else None,
    }


def available(package: str) -> bool:
    """Whether a package of the extra `inference` is there; says so if it is not."""
    try:
        require(package, "inference")
    except ImportError as error:
        say(str(error))
        return False
    return True


def draw(report: dict[str, Any], drawn: dict[str, Any], runs: xr.Dataset, out: Path) -> None:
    """All figures."""
    import figures

    from nestlfp.plotting import save

    save(figures.spectra(runs.sel(length=max(simulation.LENGTHS))), out / "spectra.png")
    save(figures.predicted(drawn["predictions"], drawn["true"]), out / "predicted.png")
    save(figures.errors(report), out / "errors.png")
    found = drawn["posteriors"]
    if found is not None:
        cases = slice(None, CASES)
        save(figures.posteriors(found.samples[cases], drawn["true"][cases]), out / "posteriors.png")
        save(figures.calibration(found.ranks, found.levels), out / "calibration.png")


def say(text: str) -> None:
    print(f"== {text}", flush=True)


if __name__ == "__main__":
    app()
