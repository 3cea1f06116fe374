"""Ensembles: every run once, whatever happens to the process; failures are rows that say so."""

import functools
import multiprocessing
import os
import signal
import subprocess
import sys
import time
import warnings
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import runs
import xarray as xr
from ensemble_run import PARAMETERS

from nestlfp import ensemble
from nestlfp.ensemble.parameters import plan
from nestlfp.errors import EnsembleError, SignalError, StreamError
from nestlfp.sources.network import comparing

HERE = Path(__file__).parent


def serial():
    """Runs in this process, one after the other, by threads of which there is one."""
    return ThreadPoolExecutor(1)


def compares(x, seed):
    """Whether kernels are compared with the network of this run."""
    return {"compared": float(not comparing._ignored())}


def test_the_first_run_of_a_call_compares_kernels_with_the_network(tmp_path):
    found = ensemble.run(
        compares, {"x": [1.0, 2.0, 3.0]}, tmp_path / "a.zarr", executor=serial(), progress=False
    )
    np.testing.assert_array_equal(found["compared"], [1.0, 0.0, 0.0])
    more = {"x": [1.0, 2.0, 3.0, 4.0, 5.0]}
    found = ensemble.run(compares, more, tmp_path / "a.zarr", executor=serial(), progress=False)
    np.testing.assert_array_equal(found["compared"], [1.0, 0.0, 0.0, 1.0, 0.0])


# ---------------------------------------------------------------------- parameters
@pytest.mark.parametrize("method", ["random", "sobol", "latin"])
def test_samples_fill_their_ranges(method):
    drawn = ensemble.sample({"a": (1.0, 2.0), "b": (-3.0, -1.0)}, 100, seed=2, method=method)
    for name, low, high in (("a", 1.0, 2.0), ("b", -3.0, -1.0)):
        assert drawn[name].shape == (100,)
        assert low <= drawn[name].min() < low + 0.1
        assert high - 0.2 < drawn[name].max() <= high
    again = ensemble.sample({"a": (1.0, 2.0), "b": (-3.0, -1.0)}, 100, seed=2, method=method)
    np.testing.assert_array_equal(again["b"], drawn["b"])


def test_more_runs_begin_with_the_same_ones():
    few, many = (ensemble.sample({"a": (0, 1), "b": (0, 1)}, n, seed=4) for n in (5, 9))
    np.testing.assert_array_equal(many["b"][:5], few["b"])
    np.testing.assert_array_equal(plan(many, 1)["seed"][:5], plan(few, 1)["seed"])


def test_seeds():
    seeds = plan({"a": np.zeros(100_000)}, 1)["seed"].values
    assert (seeds.min(), np.unique(seeds).size) >= (1, 100_000)
    assert seeds.max() < 2**31
    assert not np.isin(plan({"a": np.zeros(1000)}, 2)["seed"], seeds).any()


def test_a_grid_has_all_combinations():
    crossed = ensemble.grid({"a": [1, 2], "name": ["x", "y", "z"]})
    assert list(zip(*crossed.values(), strict=True)) == [
        (a, name) for a in (1, 2) for name in ("x", "y", "z")
    ]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ensemble.sample({}, 3), "ranges must be a dict"),
        (lambda: ensemble.sample({"a": (1, 0)}, 3), r"range of 'a' must be two numbers.*\(1, 0\)"),
        (lambda: ensemble.sample({"a": 3}, 3), "range of 'a'"),
        (lambda: ensemble.sample({"a": (0, np.inf)}, 3), "range of 'a'"),
        (lambda: ensemble.sample({"a": (0, 1)}, 0), "runs must be an integer of at least 1"),
        (lambda: ensemble.sample({"a": (0, 1)}, 3, method="dice"), "'latin', found 'dice'"),
        (lambda: ensemble.grid({"a": []}), "'a' must be a list of values"),
        (lambda: plan({"a": [1, 2], "b": [1]}, 1), r"lengths \{'a': 2, 'b': 1\}"),
        (lambda: plan({"a": [1, np.nan]}, 1), "'a' of run 1 is not finite: nan"),
        (lambda: plan({"a": 1.0}, 1), "'a' must be a list with a value for each run, found 1.0"),
        (lambda: plan({"a": [[1], [2]]}, 1), "'a' must be a list"),
        (lambda: plan({"a": [1, None]}, 1), "'a' must hold numbers or text"),
        (lambda: plan({"seed": [1]}, 1), "no parameter can be called 'seed'"),
        (lambda: plan({"run": [1]}, 1), "no parameter can be called 'run'"),
        (lambda: plan({"a b": [1]}, 1), "a name of Python's, found 'a b'"),
        (lambda: plan({"lambda": [1]}, 1), "a name of Python's, found 'lambda'"),
        (lambda: plan({"a": [1]}, -1), "seed must be an integer of at least 0, found -1"),
    ],
)
def test_bad_parameters(call, message):
    with pytest.raises(EnsembleError, match=message):
        call()


# ---------------------------------------------------------------------- what a run returns
def test_runs_land_in_one_data_set(tmp_path):
    parameters = {"a": [1.0, 2.0, 3.0], "b": [0, 1, 2]}
    found = ensemble.run(
        runs.random_numbers, parameters, tmp_path / "e.zarr", executor=serial(), progress=False
    )
    assert found["signal"].dims == ("run", "channel", "time")
    assert found["signal"].attrs["units"] == "mV"
    np.testing.assert_array_equal(found["a"], [1.0, 2.0, 3.0])
    assert found["b"].dtype == np.int64
    assert (found["error"].values == "").all()
    for k in range(3):
        expected = runs.random_numbers(
            parameters["a"][k], parameters["b"][k], int(found["seed"][k])
        )
        row = found.isel(run=k)
        np.testing.assert_array_equal(row["signal"], expected["signal"])
        assert row["total"] == expected["total"]
    xr.testing.assert_identical(ensemble.load(tmp_path / "e.zarr").load(), found.load())
    # And plain xarray opens it.
    assert xr.open_zarr(tmp_path / "e.zarr")["signal"].shape == (3, 2, 5)


def failing(tmp_path, values, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ensemble.run(
            runs.troubled, {"a": values}, tmp_path / "e.zarr", progress=False, **options
        )


@pytest.mark.parametrize("values", [[1, 3, 0, 6, 5], [0, 6, 1, 3, 5], [1, 3, 5]])
def test_a_run_that_fails_leaves_a_row_that_says_so(tmp_path, values):
    found = failing(tmp_path, values, executor=serial())
    errors = dict(zip(values, found["error"].values.tolist(), strict=True))
    assert errors[1] == "ValueError: the weather is bad"
    assert errors[3] == "SystemExit: 4"
    assert errors[5].startswith("EnsembleError: a run must return an xarray.Dataset")
    if 0 in values:
        expected = [a * 10.0 if a in (0, 6) else np.nan for a in values]
        np.testing.assert_array_equal(found["value"], expected)
    else:
        assert not found.data_vars


@pytest.mark.slow
def test_a_process_that_is_killed_fails_its_run_only(tmp_path):
    with pytest.warns(UserWarning, match="1 of 3 runs failed"):
        found = ensemble.run(
            runs.troubled, {"a": [0, 2, 6]}, tmp_path / "e.zarr", workers=2, progress=False
        )
    assert found["error"].values[1].startswith("ProcessEnded: without a word")
    np.testing.assert_array_equal(found["value"], [0.0, np.nan, 60.0])


def test_what_is_not_like_the_others_is_an_error(tmp_path):
    found = failing(tmp_path, [0, 4, 6], executor=serial())
    assert "'value' has {'value_0': 2}, in runs before {}" in found["error"].values[1]
    np.testing.assert_array_equal(found["value"], [0.0, np.nan, 60.0])


@pytest.mark.parametrize(
    ("results", "message"),
    [
        ([{"x": 1.0}, {"y": 1.0}], "'x' is not in this run's result"),
        ([{"x": 1.0}, {"x": 1.0, "y": 1.0}], "'y' is in this run's result"),
        ([{"x": 1.0}, {"x": np.float32(1)}], "'x' is float32, in runs before float64"),
        ([{"x": "text"}], "'x' of a run must hold real numbers"),
        ([{"x": 1j}], "'x' of a run must hold real numbers"),
        ([{"k": 1.0}], "the result has 'k', which is a parameter"),
        ([{"seconds": 1.0}], "the result has 'seconds'"),
        ([{}], "a run must return"),
        ([xr.DataArray([1.0])], "a run must return"),
        ([xr.Dataset({"x": ("run", [1.0])})], "must not have the dimension 'run'"),
        (
            [xr.Dataset({"x": ("t", [1.0])}, {"t": [t]}) for t in (0.0, 1.0)],
            "the coordinate 't' differs",
        ),
    ],
)
def test_results_that_cannot_be_rows(tmp_path, results, message):
    with pytest.warns(UserWarning, match="runs failed"):
        found = ensemble.run(
            lambda k, seed: results[k],
            {"k": np.arange(len(results))},
            tmp_path / "e.zarr",
            executor=serial(),
            progress=False,
        )
    assert message in found["error"].values[-1]
    assert (found["error"].values[:-1] == "").all()


def test_whole_numbers_and_truths_become_numbers_that_can_be_missing(tmp_path):
    found = ensemble.run(
        lambda a, seed: {
            "n": a,
            "yes": a > 1,
            "label": xr.DataArray([1], coords={"at": ["E"]}, dims="at"),
        },
        {"a": [1, 2]},
        tmp_path / "e.zarr",
        executor=serial(),
        progress=False,
    )
    np.testing.assert_array_equal(found["yes"], [0.0, 1.0])
    assert found["at"].values.tolist() == ["E"]


# ---------------------------------------------------------------------- going on
def test_runs_that_are_there_are_not_repeated(tmp_path):
    store, calls = tmp_path / "e.zarr", []

    def note(a, seed):
        calls.append(a)
        if a == 2 and len(calls) < 4:
            raise OSError("once")
        return {"x": a}

    go = functools.partial(ensemble.run, note, to=store, executor=serial(), progress=False)
    with pytest.warns(UserWarning, match="1 of 2 runs failed"):
        go({"a": [1, 2]})
    with pytest.warns(UserWarning, match="1 of 3 runs failed"):
        go({"a": [1, 2, 3]})  # one more
    assert calls == [1, 2, 3]
    found = go({"a": [1, 2, 3]}, retry=True)
    assert calls == [1, 2, 3, 2]
    assert found["x"].values.tolist() == [1, 2, 3]
    assert (found["error"].values == "").all()
    go({"a": [1, 2, 3]}, retry=True)
    assert len(calls) == 4


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"parameters": {"a": [1.0, 2.5], "b": [0, 1]}}, r"with a = 2\.0 in run 1, here 2\.5"),
        ({"parameters": {"a": [1.0, 2.0]}, "function": runs.process_id}, "of the function"),
        ({"parameters": {"a": [1.0], "b": [0]}}, "runs up to number 1, here only 1"),
        ({"seed": 2}, "with seed = "),
    ],
)
def test_another_ensemble_is_refused(tmp_path, change, message):
    given = {
        "function": runs.random_numbers,
        "parameters": {"a": [1.0, 2.0], "b": [0, 1]},
        "to": tmp_path / "e.zarr",
        "executor": serial(),
        "progress": False,
    }
    before = ensemble.run(**given).load()
    with pytest.raises(EnsembleError, match=message):
        ensemble.run(**{**given, **change})
    xr.testing.assert_identical(ensemble.load(tmp_path / "e.zarr").load(), before)


def test_what_cannot_be_run(tmp_path):
    store = tmp_path / "e.zarr"

    def local(a, seed):
        return {"x": a}

    for call, message in (
        (lambda: ensemble.run(local, {"a": [1]}, store), "cannot be reached from another process"),
        (lambda: ensemble.run(3, {"a": [1]}, store), "function must be callable, found int"),
        (
            lambda: ensemble.run(runs.troubled, {"b": [1]}, store),
            r"troubled cannot be called with the parameters \['b', 'seed'\]",
        ),
        (
            lambda: ensemble.run(runs.troubled, {"a": [1]}, store, workers=0),
            "workers must be an integer of at least 1, found 0",
        ),
    ):
        with pytest.raises(EnsembleError, match=message):
            call()
        assert not store.exists()
    with pytest.raises(StreamError, match=r"must end in '\.zarr'"):
        ensemble.run(runs.troubled, {"a": [0]}, tmp_path / "runs", progress=False)
    with pytest.raises(SignalError, match="cannot be read"):
        ensemble.load(tmp_path / "nothing.zarr")


@pytest.mark.slow
def test_a_script_that_processes_would_run_again(tmp_path):
    pytest.importorskip("zarr")
    script = tmp_path / "script.py"
    call = "ensemble.run(runs.troubled, {'a': [0]}, 'e.zarr', progress=False)"
    head = "import sys\nfrom nestlfp import ensemble\n"
    head += f"sys.path.insert(0, {str(HERE)!r})\nimport runs\n"
    script.write_text(head + call)
    done = subprocess.run(
        [sys.executable, script], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert 'put what starts it below  if __name__ == "__main__":' in done.stderr
    assert not (tmp_path / "e.zarr").exists()
    script.write_text(head + f"if __name__ == '__main__':\n    {call}")
    subprocess.run([sys.executable, script], cwd=tmp_path, check=True)
    assert ensemble.load(tmp_path / "e.zarr")["value"].item() == 0.0


def test_another_store_is_not_touched(tmp_path, nest):
    import nestlfp.signals
    from networks import exponential_kernels

    signals = exponential_kernels().convolve({"E": [1.0]}, 5.0)
    nestlfp.signals.save(signals, tmp_path / "e.zarr")
    with pytest.raises(SignalError, match="is no store of runs"):
        ensemble.run(runs.troubled, {"a": [0]}, tmp_path / "e.zarr", progress=False)
    with pytest.raises(SignalError, match="is no store of runs"):
        ensemble.load(tmp_path / "e.zarr")
    xr.testing.assert_equal(nestlfp.signals.load(tmp_path / "e.zarr").load(), signals)
    ensemble.run(runs.troubled, {"a": [0]}, tmp_path / "f.zarr", executor=serial(), progress=False)
    with pytest.raises(SignalError, match="is no store of signals"):
        nestlfp.signals.load(tmp_path / "f.zarr")


def test_one_writer_at_a_time(tmp_path):
    def inner(a, seed):
        with pytest.raises(StreamError, match="is being written by another"):
            ensemble.run(runs.troubled, {"a": [0]}, tmp_path / "e.zarr", progress=False)
        return {"x": a}

    found = ensemble.run(inner, {"a": [1]}, tmp_path / "e.zarr", executor=serial(), progress=False)
    assert found["error"].item() == ""


# ---------------------------------------------------------------------- processes
@pytest.mark.slow
def test_each_run_has_a_process_of_its_own(tmp_path):
    found = ensemble.run(
        runs.process_id, {"a": np.arange(5)}, tmp_path / "e.zarr", workers=2, progress=False
    )
    assert np.unique(found["pid"]).size == 5
    assert os.getpid() not in found["pid"].values


def children(store):
    """Processes of ensembles that were killed, of those that wrote this store."""
    listed = subprocess.run(
        ["ps", "-ww", "-eo", "args"], capture_output=True, text=True, check=True
    )
    return [line for line in listed.stdout.splitlines() if str(store) in line]


@pytest.mark.slow
def test_kill_at_random_moments(tmp_path):
    """40 runs on two workers, killed again and again: none is lost, none is there twice."""
    pytest.importorskip("zarr")
    command = [sys.executable, str(HERE / "ensemble_run.py")]
    undisturbed = tmp_path / "undisturbed.zarr"
    subprocess.run([*command, str(undisturbed)], check=True)
    expected = ensemble.load(undisturbed).load()
    store, rng = tmp_path / "killed.zarr", np.random.default_rng()

    def there():
        return ensemble.load(store)["run"].values if store.exists() else np.array([], int)

    while there().size < 30:
        process = subprocess.Popen([*command, str(store)], start_new_session=True)
        before = there().size
        while there().size < before + 2:
            assert process.poll() is None
            time.sleep(0.02)
        time.sleep(0.5 * rng.random())
        process.kill()  # it alone: those that it started have to find out
        process.wait()
        assert np.unique(there()).size == there().size > before
    subprocess.run([*command, str(store)], check=True)
    found = ensemble.load(store).load()
    assert found["run"].values.tolist() == list(range(40))
    xr.testing.assert_identical(found.drop_vars("seconds"), expected.drop_vars("seconds"))
    for k in (0, 39):
        again = runs.random_numbers(PARAMETERS["a"][k], PARAMETERS["b"][k], int(found["seed"][k]))
        np.testing.assert_array_equal(found["signal"][k], again["signal"])
    deadline = time.monotonic() + 20.0
    while children(store) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert not children(store)


@pytest.mark.slow
def test_an_executor_that_breaks_is_told(tmp_path):
    store = tmp_path / "e.zarr"
    with (
        ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool,
        pytest.raises(EnsembleError, match="the executor broke"),
    ):
        ensemble.run(
            runs.troubled, {"a": [0, 2, 6]}, store, executor=pool, workers=1, progress=False
        )
    assert ensemble.load(store)["run"].values.tolist() == [0]


@pytest.mark.slow
def test_interrupted(tmp_path):
    pytest.importorskip("zarr")
    process = subprocess.Popen(
        [sys.executable, str(HERE / "ensemble_run.py"), str(tmp_path / "e.zarr")],
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    while not (tmp_path / "e.zarr").exists():
        assert process.poll() is None
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(timeout=30) != 0
    there = ensemble.load(tmp_path / "e.zarr")
    assert 0 < there.sizes["run"] < 40
    assert (there["error"].values == "").all()


# ---------------------------------------------------------------------- with NEST, and on Dask
WEIGHTS = {"weight": [1.0, 2.0, -1.0, 0.5]}


@pytest.fixture(scope="module")
def fresh(tmp_path_factory):
    """Networks in fresh processes."""
    store = tmp_path_factory.mktemp("fresh") / "e.zarr"
    return ensemble.run(runs.in_nest, WEIGHTS, store, workers=2, progress=False).load()


@pytest.mark.compile
def test_signals_of_networks(fresh):
    assert (fresh["error"].values == "").all()
    assert fresh["LFP"].sizes["run"] == 4
    for k in range(4):
        again = runs.in_nest(WEIGHTS["weight"][k], int(fresh["seed"][k]))
        np.testing.assert_array_equal(fresh["LFP"][k], again)
    assert float(np.abs(fresh["LFP"]).max("time").min()) > 0


@pytest.mark.compile
def test_on_a_dask_cluster_of_processes(fresh, tmp_path):
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        found = ensemble.run(
            runs.in_nest,
            WEIGHTS,
            tmp_path / "e.zarr",
            executor=client.get_executor(),
            workers=2,
            progress=False,
        )
    xr.testing.assert_identical(found.load().drop_vars("seconds"), fresh.drop_vars("seconds"))
