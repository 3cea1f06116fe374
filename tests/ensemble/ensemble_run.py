"""An ensemble in a process of its own, which may be killed: ensemble_run.py STORE."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import runs

from nestlfp import ensemble

PARAMETERS = ensemble.sample({"a": (0.0, 1.0), "b": (1.0, 2.0)}, runs=40, seed=3)

if __name__ == "__main__":
    ensemble.run(runs.slow, PARAMETERS, sys.argv[1], seed=5, workers=2, progress=False)
