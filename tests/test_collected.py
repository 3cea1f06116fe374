"""Every file of tests is collected: pytest passes over folders of some names, such as build."""

import os
import subprocess
import sys
from pathlib import Path

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
