"""Figures in a notebook that has not imported pyplot."""

import os
import pickle
import subprocess
import sys

from nestlfp import plotting
from networks import exponential_kernels

CELLS = """
import sys
from IPython.core.interactiveshell import InteractiveShell
from nestlfp import plotting
from networks import exponential_kernels
shell = InteractiveShell.instance()
figure = plotting.kernels(exponential_kernels())
assert "matplotlib.pyplot" not in sys.modules
data, metadata = shell.display_formatter.format(figure)
png = data["image/png"]
assert png.startswith(b"\\x89PNG")
width = int.from_bytes(png[16:20], "big")
assert abs(metadata["image/png"]["width"] - width / 2) <= 0.5
"""


def test_a_figure_shows_itself():
    done = subprocess.run(
        [sys.executable, "-c", CELLS],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert done.returncode == 0, done.stderr


def test_a_figure_can_be_pickled():
    figure = plotting.kernels(exponential_kernels())
    assert len(pickle.loads(pickle.dumps(figure)).axes) == len(figure.axes)
