"""Modules in the cache that must not be loaded are found out and built again."""

import json
import shutil

import pytest

import nestlfp
from nestlfp.build.modules import compile_module, problem_with
from nestlfp.build.toolchain import find_nest
from networks import exponential_kernels, installed

pytestmark = pytest.mark.compile


@pytest.fixture
def module(tmp_path, monkeypatch):
    """A module in a cache of its own, taken from the user's to save time."""
    usual = compile_module([nestlfp.FilterBank(exponential_kernels()).model])
    folder = tmp_path / "modules" / usual.parent.name
    shutil.copytree(usual.parent, folder)
    monkeypatch.setenv("NESTLFP_CACHE", str(tmp_path))
    return folder / usual.name


def truncated(module):
    module.write_bytes(module.read_bytes()[:5000])


def corrupted(module):
    content = bytearray(module.read_bytes())
    content[len(content) // 2] ^= 0xFF
    module.write_bytes(content)


def for_another_nest(module):
    note = module.with_suffix(".json")
    note.write_text(json.dumps({**json.loads(note.read_text()), "nest": "3.11.0"}))


def without_note(module):
    module.with_suffix(".json").unlink()


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        (truncated, "its content is not what was compiled"),
        (corrupted, "its content is not what was compiled"),
        (for_another_nest, "it was compiled for NEST 3.11.0, this is"),
        (without_note, "it is incomplete"),
    ],
)
def test_modules_that_must_not_be_loaded(module, damage, problem):
    assert problem_with(module, find_nest()) is None
    damage(module)
    assert problem in problem_with(module, find_nest())


def test_a_damaged_module_is_built_again(nest, module, capfd):
    for damage in (truncated, for_another_nest):  # both at once: a build takes its time
        damage(module)
    bank = installed(exponential_kernels())
    assert capfd.readouterr().err.count("nestlfp: compiling") == 1
    assert problem_with(module, find_nest()) is None
    assert nest.Create(bank.model.name).get("element_type") == "neuron"
    nest.ResetKernel()
    nestlfp.install(exponential_kernels())
    assert capfd.readouterr().err == ""
