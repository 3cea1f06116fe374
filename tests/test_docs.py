"""The code blocks of the documentation, and the doctests, as a reader would run them.

Those of README.md are in test_readme.py; notebooks are run when the site is built, in test_site.py.
"""

import builtins
import doctest
import importlib
import re
import shlex
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

import nestlfp
from environments import run

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = {path.stem: path.read_text(encoding="utf-8") for path in sorted(DOCS.glob("*.md"))}
PAGES["cluster"] += (ROOT / "examples" / "hpc" / "README.md").read_text(encoding="utf-8")
TUTORIALS = {
    f"tutorials/{path.stem}": path.read_text(encoding="utf-8")
    for path in sorted((DOCS / "tutorials").glob("*.md"))
}


def blocks(text, language):
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.M | re.S)


@pytest.fixture
def checkout(tmp_path, hagen):
    """A fresh folder with the examples, their cells among them, and kernels."""
    folder = tmp_path / "checkout"
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "examples", folder / "examples", ignore=ignored)
    hagen.save(folder / "kernels.nc")
    return folder


# ---------------------------------------------------------------------- Python
SECTIONS = {
    f"{page}: {section.partition(chr(10))[0]}": "\n".join(blocks(section, "python"))
    for page, text in PAGES.items()
    for section in re.split("^## ", text, flags=re.MULTILINE)
    if blocks(section, "python")
}
FOLLOWED = {"activity", "csd"}  # pages whose sections go on in the shell, with what Python wrote
COMMANDS_AFTER = {
    f"{page}: {section.partition(chr(10))[0]}": "\n".join(blocks(section, "bash"))
    for page in FOLLOWED
    for section in re.split("^## ", PAGES[page], flags=re.MULTILINE)
}
HAVE_TESTS_OF_THEIR_OWN = {  # pages, or sections of pages
    "by_hand": "nodes/test_export.py",
    "nest_models": "examples/test_nest_models.py",
    "other_programs: Kernels of ncpi": "kernels/test_kernels_of_others.py",
    "other_programs: Kernels of LFPykernels' examples": "kernels/test_kernels_of_others.py",
}
LOADED = """
import nest, nestlfp
kernels = nestlfp.KernelSet.load("kernels.nc")
nest.set(tics_per_ms=16000, resolution=kernels.dt)
"""
CONNECTED = """
E, I = nest.Create("parrot_neuron", 8), nest.Create("parrot_neuron", 2)
nest.Connect(E, I, syn_spec={"delay": 1.0})
"""
MY_NETWORK = """
from pathlib import Path
Path("my_network.py").write_text('''
import xarray
def simulate(eta, g, J, seed):
    return xarray.Dataset({"LFP": ("time", [eta, g, J])})
''')
"""
BUILD = """
from pathlib import Path
Path("my_network.py").write_text('''
import nest, nestlfp
def build():
    E, I = nest.Create("iaf_psc_exp", 80), nest.Create("iaf_psc_exp", 20)
    noise = nest.Create("poisson_generator", params={"rate": 11000.0})
    nest.Connect(noise, E + I, syn_spec={"weight": 32.0, "delay": 1.5})
    inhibition = {"weight": -110.0, "delay": 1.5}
    nest.Connect(E, E + I, {"rule": "fixed_indegree", "indegree": 8}, {"delay": 1.5})
    nest.Connect(I, E + I, {"rule": "fixed_indegree", "indegree": 4}, inhibition)
    return {"E": E, "I": I}
''')
"""
MY_CELL = """
from pathlib import Path
Path("my_cell.swc").write_text(
    "# a soma, and a dendrite along y\\n"
    "1 1 0 -10 0 10 -1\\n2 1 0 0 0 10 1\\n3 1 0 10 0 10 2\\n4 4 0 500 0 1 3\\n"
)
"""
MY_SONATA_NETWORK = f"""
import sys
from pathlib import Path
sys.path.insert(0, {str(Path(__file__).parent / "front_ends")!r})
import sonata_files
sonata_files.write(Path.cwd())
"""
MICROCIRCUIT_KERNELS = """
import numpy as np, nestlfp
names = [f"L{layer}{kind}" for layer in ("23", "4", "5", "6") for kind in "EI"]
nestlfp.KernelSet.from_arrays(
    {"LFP": np.ones((1, 8, 1, 100))}, pre=names, post=["all"], dt=0.1, units={"LFP": "mV"}
).save("microcircuit.nc")
"""
# Blocks that are parts of scripts: what comes before, and what else is put in or in place of.
PARTS = {
    "cells": (MY_CELL, {}),
    "filters": (LOADED, {}),
    "index": (BUILD, {}),
    "front_ends: bmtk": (MY_SONATA_NETWORK, {}),
    "front_ends: The package microcircuit": (
        MICROCIRCUIT_KERNELS,
        {'"N_scaling": 0.2, "K_scaling": 0.2': '"N_scaling": 0.02, "K_scaling": 0.1'},
    ),
    "scaling": (f"{LOADED}nestlfp.install(kernels)\n{CONNECTED}", {}),
    "parameter_estimation": (MY_NETWORK, {"runs=1000": "runs=3"}),
}


@pytest.mark.compile
@pytest.mark.parametrize(
    "section",
    [
        name
        for name in SECTIONS
        if not {name, name.partition(":")[0]} & HAVE_TESTS_OF_THEIR_OWN.keys()
    ],
)
def test_python_blocks(checkout, section):
    before, changes = PARTS.get(section) or PARTS.get(section.partition(":")[0], ("", {}))
    code = SECTIONS[section]
    if '.save("kernels.nc")' in code:  # where a reader has none yet
        (checkout / "kernels.nc").unlink()
    for old, new in changes.items():
        assert code.count(old) == 1, old
        code = code.replace(old, new)
    (checkout / "script.py").write_text(before + code, encoding="utf-8")
    run("python script.py", checkout, PYNEST_QUIET="1")
    run(COMMANDS_AFTER.get(section, ""), checkout)


@pytest.mark.parametrize(
    ("page", "least"),
    [
        ("sources", 5),
        ("neuron_kernels", 4),
        ("cells", 2),
        ("closed_loop", 2),
        ("activity", 5),
        ("csd", 2),
        ("start", 1),
        ("own_network", 3),
        ("sheets", 1),
        ("front_ends", 3),
        ("other_programs", 5),
    ],
)
def test_pages_have_examples(page, least):
    assert sum(name.startswith(f"{page}:") for name in SECTIONS) >= least


def test_blocks_that_are_tested_elsewhere_are():
    for name, test in HAVE_TESTS_OF_THEIR_OWN.items():
        page = name.partition(":")[0]
        assert f'"{page}.md"' in (ROOT / "tests" / test).read_text(encoding="utf-8")


# ---------------------------------------------------------------------- the shell
SHELL = {
    f"{page}: {block}"
    for page, text in {**PAGES, **TUTORIALS}.items()
    for block in blocks(text, "bash")
}
RUN_HERE = {"start", "cluster"} | FOLLOWED
# By their first words: what runs them, or why nothing does. Options of each are checked below.
NOT_RUN_HERE = {
    "cmake -S . -B build": "nodes/test_export.py",
    "cmake -S /path/to/nestlfp": "build/test_toolchain.py, but for the batch system's srun",
    "make demo": "test_readme.py",
    "make test": "what CI calls to get here",
    "mpirun -n 2 python script.py": "test_readme.py",
    "nestlfp view": "view/test_server.py; it does not end",
    "pip install": "test_readme.py",
    "python3 -m venv": "test_readme.py: the same pip install, offline",
    "python -c": "plotting/test_morphologies.py",
    "python benchmarks/": "minutes; test_scripts.py asks for their --help",
    "python examples/brunel/": "examples/test_parameter_estimation.py, a part of the network",
    "python examples/closed_loop/": "examples/test_closed_loop.py, less of it",
    "python examples/hemisphere/": "examples/test_hemisphere.py, a small one",
    "python examples/microcircuit/": "examples/test_microcircuit.py, a part of the network",
    "python examples/nest_models/": "examples/test_nest_models.py, smaller networks",
    "python examples/own_network/": "half an hour; examples/test_own_network.py, a cell of it",
    "python examples/parameter_estimation/": "examples/test_parameter_estimation.py",
    "python examples/plasticity/": "examples/test_learning.py, a part of the time",
    "python examples/sheet/": "examples/test_sheet.py, a small one",
    "python examples/validation/": "minutes; sources/test_hybrid.py tests what it does",
    "sbatch": "needs Slurm; runtime/test_mpi.py runs what the job runs",
}


def test_every_shell_block_is_run_or_said_not_to_be():
    for block in SHELL:
        page, _, text = block.partition(": ")
        known = [words for words in NOT_RUN_HERE if text.startswith(words)]
        assert page in RUN_HERE or len(known) == 1, block
    for words in NOT_RUN_HERE:
        assert words == "pip install" or any(f": {words}" in block for block in SHELL), words


def test_tests_that_are_named_exist():
    for reason in NOT_RUN_HERE.values():
        for name in re.findall(r"\S+\.py", reason):
            assert (ROOT / "tests" / name).is_file(), name


@pytest.mark.compile
def test_the_start_page(checkout):
    """All of it but the installation, in its order."""
    (code,) = blocks(PAGES["start"], "python")
    _, look_at_kernels, look_at_signals = blocks(PAGES["start"], "bash")
    (checkout / "kernels.nc").unlink()  # the script makes them
    (checkout / "script.py").write_text(code, encoding="utf-8")
    for command in ("python script.py", look_at_kernels, look_at_signals):
        run(command, checkout, PYNEST_QUIET="1")
    for figure in ("kernels.png", "signals.png", "lfp.png", "spectrum.png"):
        assert (checkout / figure).stat().st_size > 10_000


@pytest.mark.compile
def test_what_is_done_on_a_login_node(checkout):
    from nestlfp.paths import cache_dir

    once = blocks(PAGES["cluster"], "bash")[0]
    assert once.count("nestlfp doctor ") == 1
    # With modules that were compiled before; what doctor misses here is no matter.
    (checkout / "nestlfp-cache").symlink_to(cache_dir())
    told = run(
        once.replace("nestlfp doctor ", "nestlfp doctor || true "),
        checkout,
        PROJECT=str(checkout),
    )
    assert "_module.so" in told


COMMANDS = {
    line.partition("  #")[0].strip()
    for text in {**PAGES, **TUTORIALS}.values()
    for block in [*blocks(text, "bash"), *re.findall(r"(?:^    \S.*\n)+", text, re.M)]
    for line in block.splitlines()
    if re.match(r"\s*(mpirun -n \d+ )?(python (examples|benchmarks)/|nestlfp )", line)
}


@cache
def help_of(*words):
    done = subprocess.run(
        [sys.executable, *words, "--help"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.compile
def test_commands_have_the_options_that_pages_give_them():
    assert len(COMMANDS) > 15
    for command in COMMANDS:
        words = shlex.split(re.sub(r"^mpirun -n \d+ ", "", command), comments=True)
        program = ["-m", "nestlfp", words[1]] if words[0] == "nestlfp" else [words[1]]
        if words[1] in {"--version", "--help"}:
            continue
        text = help_of(*program)
        for word in words[2:]:
            if word.startswith("-"):
                assert re.search(rf"(?<![\w-]){re.escape(word)}\b", text), command


# ---------------------------------------------------------------------- figures and docstrings
def test_the_gallery_has_every_figure():
    shown = set(re.findall(r":img-top: figures/(\S+)", PAGES["gallery"]))
    assert shown == {path.name for path in (DOCS / "figures").glob("*.png")}


def test_the_reference_has_every_public_name():
    listed = set(re.findall(r"^   (nestlfp\.\S+)", PAGES["api"], re.M))
    for name in (
        "nestlfp", "nestlfp.signals", "nestlfp.plotting", "nestlfp.ensemble", "nestlfp.sources",
        "nestlfp.sources.network",
    ):  # fmt: skip
        module = importlib.import_module(name)
        for public in module.__all__:
            path = f"{name}.{public}"
            value = getattr(module, public)
            if isinstance(value, str):  # names of formats
                continue
            if value is getattr(nestlfp, public, None):  # errors, which are at the top as well
                path = f"nestlfp.{public}"
            inside = any(entry.startswith(f"{path}.") for entry in listed)
            assert path in listed or inside, f"docs/api.md has no {path}"


EVERY_NAME = """
import operator, sys
for name in sys.argv[1:]:
    for module in [module for module in sys.modules if module.partition(".")[0] == "nestlfp"]:
        del sys.modules[module]
    import nestlfp
    operator.attrgetter(name.partition(".")[2])(nestlfp)
"""


@pytest.mark.slow
def test_every_name_of_the_reference_works_after_importing_nestlfp_alone():
    """Each as the first: another name may have imported its module before."""
    names = re.findall(r"^   (nestlfp\.\S+)", PAGES["api"], re.M)
    assert len(names) > 50
    run(shlex.join(["python", "-c", EVERY_NAME, *names]))


def test_all_errors_are_at_the_top():
    """And in the reference, by the test above."""
    found = {
        name
        for name, value in vars(nestlfp.errors).items()
        if isinstance(value, type) and issubclass(value, nestlfp.NestLFPError)
    }
    assert found == {name for name in nestlfp.__all__ if name.endswith("Error")}
    assert {name for name in dir(nestlfp) if name.endswith("Error")} == found


MODULES = [
    ".".join(path.relative_to(ROOT / "python").with_suffix("").parts).removesuffix(".__init__")
    for path in sorted((ROOT / "python").rglob("*.py"))
    if path.stem != "__main__"
]


def test_doctests_are_found_at_any_depth():
    assert {"nestlfp.state_space.design", "nestlfp.sources.hybrid.network"} <= set(MODULES)


@pytest.mark.parametrize("name", MODULES)
def test_docstrings(name):
    try:
        doctest.testmod(importlib.import_module(name), raise_on_error=True)
    except doctest.UnexpectedException as failed:
        raise failed.exc_info[1] from None
    except doctest.DocTestFailure as failed:
        pytest.fail(f"{failed.example.source}gave {failed.got}wanted {failed.example.want}")
    finally:  # the last result is left among the builtins, with which quantities cannot be imported
        vars(builtins).pop("_", None)
