"""Resident memory of a simulation of 100 s that streams its signals to disk.

    python benchmarks/streaming.py

Writes out/benchmarks/streaming.json with the memory after each second of simulated time. What
must hold: after 50 s and after 100 s it differs by less than 5 MB. Before that Python, NEST and
Zarr come to need what they go on with.
"""

import json
import os
import shutil
import time
from pathlib import Path

from nestlfp.errors import tell_plainly

tell_plainly()
os.environ.setdefault("PYNEST_QUIET", "1")

import nest
import numpy as np
import usage
import xarray as xr

import nestlfp

SECONDS = 100
CHUNK = 1000.0  # ms
OUT = Path("out/benchmarks")
STORE = OUT / "streaming.zarr"


def kernels() -> nestlfp.KernelSet:
    """Two populations, 16 channels, 100 taps of 0.1 ms."""
    t = np.arange(1, 101) * 0.1
    alpha = t * np.exp(-t / 2.0)
    depth = np.cos(np.linspace(0.0, np.pi, 16))
    h = np.multiply.outer(np.multiply.outer([1e-6, -2e-6], depth), alpha)
    return nestlfp.KernelSet.from_arrays(
        {"LFP": h[None]}, pre=["E", "I"], post=["E"], dt=0.1, units={"LFP": "mV"}
    )


def build() -> None:
    """A small random network with Poisson input, and its recorder."""
    nest.ResetKernel()
    nest.set(resolution=0.1, local_num_threads=2, rng_seed=1)
    responses = kernels()
    nestlfp.install(responses)
    neurons = {name: nest.Create("iaf_psc_exp", n) for name, n in (("E", 80), ("I", 20))}
    everyone = neurons["E"] + neurons["I"]
    noise = nest.Create("poisson_generator", params={"rate": 11_000.0})
    nest.Connect(noise, everyone, syn_spec={"weight": 32.0, "delay": 1.5})
    for name, weight in (("E", 25.0), ("I", -110.0)):
        nest.Connect(
            neurons[name],
            everyone,
            {"rule": "fixed_indegree", "indegree": 8},
            {"weight": weight, "delay": 1.5},
        )
    nestlfp.FieldRecorder(responses, neurons, interval=0.5)


def main() -> None:
    """Simulate, print and write."""
    usage.parser(__doc__).parse_args()
    nest.verbosity = nest.VerbosityLevel.ERROR
    OUT.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(STORE, ignore_errors=True)
    build()
    trace: list[float] = []
    start = time.perf_counter()

    def look(_: xr.Dataset) -> None:
        trace.append(usage.resident_mb())

    nestlfp.simulate(SECONDS * 1000.0, to=STORE, chunk=CHUNK, on_chunk=look)
    seconds = time.perf_counter() - start
    with xr.open_zarr(STORE) as signals:
        samples = int(signals.sizes["time"])
    size = sum(file.stat().st_size for file in STORE.rglob("*") if file.is_file())
    shutil.rmtree(STORE)
    grown = trace[-1] - trace[SECONDS // 2 - 1]
    report = {
        "simulated_s": SECONDS,
        "wall_s": seconds,
        "samples": samples,
        "store_mb": size / 2**20,
        "rss_mb_after_10_s": trace[9],
        "rss_mb_after_50_s": trace[SECONDS // 2 - 1],
        "rss_mb_after_100_s": trace[-1],
        "difference_mb_second_half": grown,
        "rss_mb_each_chunk": [round(value, 2) for value in trace],
    }
    (OUT / "streaming.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    print(json.dumps({k: v for k, v in report.items() if k != "rss_mb_each_chunk"}, indent=2))
    if abs(grown) >= 5.0:
        raise SystemExit(f"memory grew by {grown:.1f} MB from {SECONDS // 2} s to {SECONDS} s")


if __name__ == "__main__":
    main()
