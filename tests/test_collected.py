"""Every file of tests is collected: pytest passes over folders of some names, such as build.

And what is skipped where packages are missing.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from environments import OPTIONAL
from order import LONGEST

TESTS = Path(__file__).parent
# What pytest would read, without reading it.
COLLECT = """
import pytest

class Unread(pytest.File):
    def collect(self):
        print("found", self.path)
        return ()

class Plugin:
    def pytest_pycollect_makemodule(self, module_path, parent):
        return Unread.from_parent(parent, path=module_path)

pytest.main(["--collect-only", "--capture=no"], plugins=[Plugin()])
"""


def test_every_file_is_collected():
    usual = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")}
    done = subprocess.run(
        [sys.executable, "-c", COLLECT],
        cwd=TESTS.parent, env=usual, capture_output=True, text=True, check=False,
    )  # fmt: skip
    lines = done.stdout.splitlines()
    found = {Path(line.removeprefix("found ")) for line in lines if line.startswith("found ")}
    assert found == set(TESTS.rglob("test_*.py")), done.stdout + done.stderr


def test_the_longest_files_are_there():
    assert [name for name in LONGEST if not (TESTS / name).is_file()] == []


def without(packages, *arguments):
    """What pytest prints where packages are not there, if nothing fails."""
    path = os.pathsep.join([str(TESTS / "without"), os.environ.get("PYTHONPATH", "")])
    usual = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments],
        cwd=TESTS, env={**usual, "PYTHONPATH": path, "NESTLFP_WITHOUT": ",".join(packages)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
def test_files_are_collected_without_any_optional_package():
    told = without(OPTIONAL, "--collect-only", "-qq")
    assert "matplotlib is missing: pip install 'nestlfp[plot]'" in told


@pytest.mark.slow
def test_what_needs_a_package_is_skipped_with_its_name():
    """In a file that needs it for a part: a call, and a process of its own."""
    told = without(["matplotlib"], "plotting/test_notebook.py", "signals/test_spectrum.py")
    assert told.count("matplotlib is missing: pip install 'nestlfp[plot]'") >= 2
    assert " passed, " in told
