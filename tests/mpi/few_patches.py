"""Four patches of examples/hemisphere: its signals of 100 ms, written by rank 0.

python few_patches.py OUT THREADS
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "examples" / "hemisphere"))

import run
from run import h, nest, nestlfp, net, ranks

out, threads = sys.argv[1], int(sys.argv[2])
nest.verbosity = nest.VerbosityLevel.ERROR
h.CENTRES = {name: h.CENTRES[name] for name in ("V1", "LO", "V3A", "FG")}
patches = h.patches()
kernels = ranks.on_root(lambda: h.kernels(0.01, patches))
recorded = run.run(net.Choice(0.01), patches, threads, 100.0, kernels)
if ranks.rank == 0:
    nestlfp.signals.save(recorded["signals"], out)
