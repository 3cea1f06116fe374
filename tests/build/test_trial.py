"""A module is tried by a NEST of its own before it is trusted."""

import importlib.metadata
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

import nestlfp
from nestlfp.build import doctor, trial
from nestlfp.build.modules import (
    child_environment,
    compile_module,
    problem_with,
    try_cached,
    untried,
)
from nestlfp.build.toolchain import find_nest
from nestlfp.filters.base import METHODS
from nestlfp.nodes.model import model_for, node_methods
from nestlfp.paths import project_dir
from networks import exponential_kernels

pytestmark = pytest.mark.compile
FIR = model_for("fir", 4)


def test_all_methods_pass(monkeypatch):
    nest = find_nest()
    models = [model_for(name, 16) for name in node_methods()]
    path = compile_module(models)
    assert trial.try_module(path, models, nest, child_environment(nest)) is None
    assert path.exists()
    monkeypatch.setattr(trial, "try_module", lambda *_: pytest.fail("the cache has it"))
    assert compile_module(models) == path


@pytest.mark.parametrize("method", node_methods())
def test_kernels_of_a_trial_tell_ports_channels_and_lags_apart(method):
    bank = trial._bank(model_for(method, 4))
    h = bank.filter.coefficients.h
    assert bank.filter.error.max() < 1e-9
    assert h.shape == (4, 2, trial.TAPS)
    assert len({*bank.filter.coefficients.first_lags}) == trial.LEADS
    assert np.all(np.diff(np.sort(np.abs(h[..., 0].ravel()))) > 0.1)


# ---------------------------------------------------------------------- wrong ones
def outputs(by=0, factor=(1.0, 1.0, 1.0, 1.0)):
    """What the node of the FIR filter hands out, so many steps late."""
    c = trial._bank(FIR).filter.coefficients
    made = np.zeros((2, 4 * trial.SPACING))
    for p, first in enumerate(c.first_lags):
        start = p * trial.SPACING + first + by
        made[:, start : start + trial.TAPS] = factor[p] * c.h[p]
    return made


@pytest.mark.parametrize(
    ("made", "told"),
    [
        (outputs(), None),
        (outputs(by=1), "signals come 1 step too late"),
        (outputs(by=-1), "signals come 1 step too early"),
        (outputs(by=2), "signals come 2 steps too late"),
        (outputs(factor=(1.0, 1.0, 1.01, 1.0)), "a spike at port 3 leaves another signal, off by"),
        (outputs() + 1e-6, "a spike at port 1 leaves another signal, off by"),
        (0 * outputs(), "a spike at port 1 leaves another signal, off by"),
    ],
)
def test_what_is_said_of_a_wrong_signal(made, told):
    found = trial._difference(trial._bank(FIR), made)
    assert found == told or (told is not None and told in found)


def test_a_module_that_is_late_is_deleted(tmp_path, monkeypatch):
    """As a coming NESTML would make it of today's template."""
    monkeypatch.setenv("NESTLFP_CACHE", str(tmp_path / "cache"))
    right = (project_dir() / "models" / "FIR_filter.nestml.jinja").read_text()
    late = right.replace("        age[1]", "        then[outputs] real = 0\n        age[1]")
    indent = 24 * " "
    late = late.replace(
        f"{indent}y[first + i] = future[to + i]\n",
        f"{indent}y[first + i] = then[first + i]\n{indent}then[first + i] = future[to + i]\n",
    )
    assert late.count("then[") == 3
    (tmp_path / "late.nestml.jinja").write_text(late)
    monkeypatch.setitem(METHODS, "late", None)  # taken out again afterwards

    @dataclass(frozen=True)
    class Late(nestlfp.FIR, name="late", template=tmp_path / "late.nestml.jinja"):
        pass

    bank = nestlfp.FilterBank(exponential_kernels(), method="late")
    with pytest.raises(nestlfp.ToolchainError, match="signals come 1 step too late") as caught:
        compile_module([model_for("fir", 2), bank.model])
    for told in (
        f"is wrong, and was deleted: signals come 1 step too late (model {bank.model.name})",
        f"NESTML {importlib.metadata.version('nestml')} made it for NEST {find_nest().version}",
    ):
        assert told in str(caught.value)
    assert not list((tmp_path / "cache").rglob("*.so"))


# ---------------------------------------------------------------------- where it cannot be tried
def test_kernels_that_a_filter_from_elsewhere_does_not_have(monkeypatch):
    monkeypatch.setitem(METHODS, "picky", None)  # taken out again afterwards

    @dataclass(frozen=True)
    class Picky(nestlfp.FIR, name="picky", template=nestlfp.FIR.template):
        def design(self, *_):
            raise nestlfp.ToleranceError(1e-6, 0.1, 1)

    reason = trial.try_module(Path("none.so"), [model_for("picky", 2)], find_nest(), {})
    assert reason.startswith("no filter has the kernels of a trial: no state-space filter of order")


UNSTARTED = """
import sys
if "nestlfp.build.trial_in_nest" in sys.orig_argv:
    sys.exit("MPI_Init: this is a login node")
"""


def test_a_module_that_cannot_be_tried(tmp_path, monkeypatch):
    """As on a login node, where NEST may not start. The doctor tries it where it does."""
    monkeypatch.setenv("NESTLFP_CACHE", str(tmp_path / "cache"))
    (tmp_path / "sitecustomize.py").write_text(UNSTARTED)
    nest, model = find_nest(), model_for("fir", 2)
    with monkeypatch.context() as login_node:
        path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
        login_node.setenv("PYTHONPATH", path)
        with pytest.warns(UserWarning, match="but not tried: NEST .*this is a login node"):
            module = compile_module([model])
        assert untried(nest) == [module]
        with pytest.raises(nestlfp.ToolchainError, match="cannot be tried: NEST does not start"):
            doctor._module(nest)
        assert module.exists()
    told = doctor._module(nest)
    assert told == f"{module} was compiled, loaded and tried"
    assert untried(nest) == []
    note = module.with_suffix(".json")
    note.write_text(json.dumps(json.loads(note.read_text()) | {"tried": False}))
    assert untried(nest) == [module]
    for number, damaged in enumerate(("[1", "[]", "3", "", "{}")):
        other = module.parent.with_name(f"damaged-{number}")
        shutil.copytree(module.parent, other)
        (other / note.name).write_text(damaged)
        assert problem_with(other / module.name, nest)
    assert untried(nest) == [module]
    module.write_bytes(b"no library")
    with pytest.raises(nestlfp.ToolchainError, match="NEST does not load"):
        try_cached(module, nest)
    assert not module.parent.exists()
