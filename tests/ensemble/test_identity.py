"""A store continues with the function that it was made with, whatever is bound to it."""

import functools
import importlib
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import runs
import xarray as xr

import nestlfp
from nestlfp import ensemble
from nestlfp.ensemble.identity import identity
from nestlfp.errors import EnsembleError


def go(function, store, values=(1.0, 2.0)):
    with ThreadPoolExecutor(1) as pool:
        return ensemble.run(function, {"a": values}, store, executor=pool, progress=False)


def enclosed(J):
    def inner(a, seed):
        return {"x": a * J["J"]}

    return inner


def with_default(J):
    def inner(a, seed, J=J, *, K=J):
        return {"x": a * J + K - J}

    return inner


def decorated(J):
    def around(function):
        @functools.wraps(function)
        def inner(a, seed):
            return {"x": J * function(a, seed)["x"]}

        return inner

    return around(runs.scaled)


def with_attribute(J):
    def inner(a, seed):
        return {"x": a * inner.J}

    inner.J = J
    return inner


KERNELS = {
    J: nestlfp.KernelSet.from_arrays(
        {"LFP": [[[[J]]]]}, pre=["E"], post=["E"], dt=1.0, units={"LFP": "mV"}
    )
    for J in (0.1, 0.5)
}
WAYS = {
    "partial": lambda J: functools.partial(runs.scaled, J=J),
    "partial of a partial": lambda J: functools.partial(functools.partial(runs.scaled, J=J)),
    "argument of a partial": lambda J: functools.partial(lambda J, a, seed: {"x": a * J}, J),
    "array": lambda J: functools.partial(runs.scaled, J=np.full(3, J)),
    "large array": lambda J: functools.partial(runs.scaled, J=np.full(10_000, J)),
    "data set": lambda J: functools.partial(runs.scaled, J=xr.Dataset({"J": J})),
    "data array": lambda J: functools.partial(runs.scaled, J=xr.DataArray([J], name="J")),
    "kernels": lambda J: functools.partial(runs.scaled, J=KERNELS[J]),
    "model": lambda J: functools.partial(runs.scaled, J=runs.Model(J)),
    "set": lambda J: functools.partial(runs.scaled, J={"a", "b", J}),
    "another function": lambda J: functools.partial(runs.scaled, J=enclosed({"J": J})),
    "method": lambda J: runs.Model(J).simulate,
    "callable": runs.Model,
    "enclosing function": lambda J: enclosed({"J": J}),
    "default": with_default,
    "decorator": decorated,
    "attribute": with_attribute,
    "lambda": lambda J: lambda a, seed: {"x": a * J},
}


@pytest.mark.parametrize("way", WAYS)
def test_what_is_bound_to_a_function(tmp_path, way):
    bound = WAYS[way]
    assert identity(bound(0.1)) == identity(bound(0.1))
    assert identity(bound(0.1)) != identity(bound(0.5))


@pytest.mark.parametrize("way", ["partial", "method", "callable", "default", "decorator"])
def test_old_results_are_not_those_of_another_function(tmp_path, way):
    store = tmp_path / "e.zarr"
    go(WAYS[way](0.1), store)
    with pytest.raises(EnsembleError, match=r"with .*J.* = 0\.1, here 0\.5\. Continue"):
        go(WAYS[way](0.5), store)
    assert go(WAYS[way](0.1), store, (1.0, 2.0, 3.0)).sizes["run"] == 3


def test_what_runs_change_themselves_is_the_same_function(tmp_path):
    store, model = tmp_path / "e.zarr", runs.Model(0.1)
    go(model.simulate, store)
    assert go(model.simulate, store, (1.0, 2.0, 3.0)).sizes["run"] == 3
    go(runs.Model(0.1).simulate, store, (1.0, 2.0, 3.0))  # of a new process
    assert model.calls == 3
    model.J = 0.5
    with pytest.raises(EnsembleError, match=r"self\.J = 0\.1, here 0\.5"):
        go(model.simulate, store, (1.0, 2.0, 3.0))


def module(folder, text):
    """A module of this text, newly imported."""
    (folder / "of_a_user.py").write_text(text)
    sys.modules.pop("of_a_user", None)
    importlib.invalidate_caches()
    return importlib.import_module("of_a_user")


def test_the_text_of_a_function(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    store, text = tmp_path / "e.zarr", 'def f(a, seed):\n    return {"x": a * 1.0}\n'
    go(module(tmp_path, text).f, store)
    go(module(tmp_path, f"# a comment\n\n{text}  # another\n").f, store)
    with pytest.raises(EnsembleError, match=r"of 'of_a_user.f' with another text than it has now"):
        go(module(tmp_path, text.replace("1.0", "2.0")).f, store)
    with pytest.raises(EnsembleError, match=r"of the function 'of_a_user.f', here 'of_a_user.g'"):
        go(module(tmp_path, text.replace("def f", "def g")).g, store)


def test_a_class_that_was_changed(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    text = (
        "class A:\n    def x(self, a): return a * 1.0\n"
        "class B(A):\n    def f(self, a, seed): return {'x': self.x(a)}\n"
    )
    one = identity(module(tmp_path, text).B().f)
    assert identity(module(tmp_path, text).B().f) == one
    assert identity(module(tmp_path, text.replace("1.0", "2.0")).B().f) != one


def test_what_cannot_be_taken_apart_and_what_contains_itself():
    def with_lock(J):
        held = {"lock": threading.Lock(), "J": J}
        held["itself"] = held
        return enclosed(held)

    assert identity(with_lock(1)) == identity(with_lock(1)) != identity(with_lock(2))
    assert identity(np.mean) != identity(np.median)
    assert identity(len) != identity(max)


@pytest.mark.slow
def test_digests_are_those_of_another_process(tmp_path):
    """Of sets too, whose order changes from process to process."""
    script = tmp_path / "of_a_script.py"
    script.write_text(
        "import functools\nfrom nestlfp.ensemble.identity import identity\n"
        "def f(a, seed, J): pass\n"
        "print(identity(functools.partial(f, J=(set('abcdef'), lambda x: x, {1: 2}))))\n"
    )
    told = {subprocess.check_output([sys.executable, script], text=True) for _ in range(3)}
    assert len(told) == 1
    assert "of_a_script.f" in told.pop()


def test_a_store_of_a_version_that_noted_no_identity(tmp_path):
    from nestlfp.signals import stores

    store = tmp_path / "e.zarr"
    go(runs.scaled, store)
    stores.label(store, {"identity": "[{}]"})
    with pytest.raises(EnsembleError, match="with another text than it has now"):
        go(runs.scaled, store)


# ---------------------------------------------------------------------- large results
LARGE = """
import resource, sys
from concurrent.futures import ThreadPoolExecutor
import runs
from nestlfp import ensemble

def go(values, store):
    with ThreadPoolExecutor(1) as pool:
        ensemble.run(runs.large, {"mb": values}, store, executor=pool, workers=1, progress=False)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

if __name__ == "__main__":
    before = go([1], "small.zarr")
    print(go([16, 16, 16, 16], "large.zarr") - before)
"""


@pytest.mark.slow
def test_memory_is_that_of_a_run_or_two(tmp_path):
    """Four results of 16 MB. The store, too, has no more than what they are."""
    (tmp_path / "script.py").write_text(LARGE)
    folders = [str(Path(nestlfp.__file__).parents[1]), str(Path(runs.__file__).parent)]
    added = subprocess.check_output(
        [sys.executable, "script.py"], cwd=tmp_path, text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(folders)},
    )  # fmt: skip
    assert float(added) < 150.0
    written = sum(file.stat().st_size for file in (tmp_path / "large.zarr").rglob("*"))
    assert written < 70 * 2**20
