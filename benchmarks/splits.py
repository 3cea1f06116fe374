"""The same 64 virtual processes as 1, 4, 16, 32 and 64 processes: spikes, signals, memory.

    python benchmarks/splits.py [--splits 1 4 16 32 64]

NEST is that of `make nest-mpi`, which is built first. Each split simulates a tenth of Brunel's
network, 1250 neurons, for 300 ms, with a recorder of 16 channels and 1000 taps and without one, in
processes of its own: with many of them NEST 3.10 makes other spikes after ResetKernel. No times are
taken: on fewer cores than processes they would say nothing. Compared are the spikes with recorder
and without, the spikes and signals of all splits with those of the first, and signals with the
convolution. Writes out/benchmarks/splits.json.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import usage

import nestlfp
from nestlfp.errors import tell_plainly

tell_plainly()
ROOT = Path(__file__).parents[1]
OUT = ROOT / "out" / "benchmarks"
VIRTUAL_PROCESSES = 64
NEURONS = 1250
DURATION = 300.0  # ms
DT = 0.1  # ms
OPEN_MPI = {  # for root, in a container, with more processes than cores
    "OMPI_ALLOW_RUN_AS_ROOT": "1",
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    "OMPI_MCA_rmaps_base_oversubscribe": "1",
    "OMPI_MCA_mpi_yield_when_idle": "1",
}


def main() -> None:
    """Run each split, compare, print and write."""
    parser = usage.parser(__doc__)
    parser.add_argument("--splits", type=int, nargs="+", default=[1, 4, 16, 32, 64])
    parser.add_argument(
        "--one", nargs=3, metavar=("RANKS", "KIND", "OUT"), help="what each process of a split runs"
    )
    options = parser.parse_args()
    if options.one:
        ranks, kind, out = options.one
        simulate(int(ranks), kind, Path(out))
        return
    build = [str(ROOT / "tests" / "mpi" / "build_nest.sh"), sys.executable]
    nest = subprocess.run(build, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
    rows: dict[int, dict[str, float]] = {}
    with TemporaryDirectory() as folder:
        for ranks in options.splits:
            found = {kind: run(ranks, kind, nest, Path(folder)) for kind in ("without", "with")}
            if not rows:
                first = found["with"]
            rows[ranks] = compare(found, first)
            print(f"{ranks} × {VIRTUAL_PROCESSES // ranks}: {json.dumps(rows[ranks])}", flush=True)
    OUT.mkdir(parents=True, exist_ok=True)
    (OUT / "splits.json").write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")


def run(ranks: int, kind: str, nest: str, folder: Path) -> dict[str, np.ndarray]:
    """What one simulation found, in so many processes."""
    out = folder / f"{ranks}_{kind}.npz"
    here = [sys.executable, __file__, "--one", str(ranks), kind, str(out)]
    environment = {**os.environ, **OPEN_MPI, "PYTHONPATH": nest, "PYNEST_QUIET": "1"}
    environment["OMP_WAIT_POLICY"] = "passive"
    subprocess.run(
        ["mpirun", "--bind-to", "none", "-n", str(ranks), *here], env=environment, check=True
    )
    with np.load(out) as file:
        return dict(file)


def compare(found: dict[str, dict[str, np.ndarray]], first: dict[str, np.ndarray]) -> dict:
    """Of one split: what is the same, how far signals are apart, and the memory of a process."""
    recorded, without = found["with"], found["without"]
    peak = np.abs(first["lfp"]).max()

    def same(other: dict[str, np.ndarray]) -> bool:
        return all(np.array_equal(recorded[key], other[key]) for key in ("times", "senders"))

    return {
        "spikes": len(recorded["times"]),
        "spikes_as_without_recorder": same(without),
        "spikes_as_in_the_first_split": same(first),
        "signal_less_first_over_peak": float(np.abs(recorded["lfp"] - first["lfp"]).max() / peak),
        "signal_less_convolution_over_peak": float(recorded["error"]),
        "MB_of_a_process_without": float(without["resident_mb"]),
        "MB_of_a_process_with": float(recorded["resident_mb"]),
    }


def simulate(ranks: int, kind: str, out: Path) -> None:
    """In each process: the network, with or without recorder; the first writes."""
    import nest
    from mpi4py import MPI
    from overhead import brunel
    from scaling import kernels as alpha_functions

    from nestlfp.testing import convolved

    nest.verbosity = nest.VerbosityLevel.ERROR
    world = MPI.COMM_WORLD
    nest.set(resolution=DT, local_num_threads=VIRTUAL_PROCESSES // ranks)
    kernels = alpha_functions(populations=2, channels=16, taps=1000)
    if kind == "with":
        bank = nestlfp.FilterBank(kernels)
        nestlfp.install(bank, progress=False)
    neurons = dict(zip(kernels.pre, brunel(nest, NEURONS).values(), strict=True))
    recorders = {name: nest.Create("spike_recorder") for name in neurons}
    for name, recorded in recorders.items():
        nest.Connect(neurons[name], recorded, syn_spec={"delay": nest.min_delay})
    if kind == "with":
        recorder = nestlfp.FieldRecorder(bank, neurons, interval=1.0)
    nestlfp.simulate(DURATION, complete=True, progress=False)
    resident = max(world.allgather(usage.resident_mb()))
    spikes = {}
    for name, recorded in recorders.items():
        parts = world.allgather([recorded.events[key] for key in ("times", "senders")])
        times, senders = np.concatenate(parts, axis=1)
        ended = times > DURATION  # with a recorder the network runs on for its last samples
        spikes[name] = np.array([times[~ended], senders[~ended]])
    lfp, error = np.zeros((0, 0)), 0.0
    if kind == "with":
        signals = recorder.signals().isel(time=slice(round(DURATION)))
        lfp = signals["LFP"].values
        times = {name: each[0] for name, each in spikes.items()}
        steps = np.rint(signals.time.values / DT).astype(int)
        full = convolved(kernels, "LFP", times, steps[-1])[:, steps - 1]
        error = np.abs(lfp - full).max() / np.abs(full).max()
    if world.rank == 0:
        moments, senders = np.concatenate(list(spikes.values()), axis=1)
        order = np.lexsort((senders, moments))
        np.savez(
            out, times=moments[order], senders=senders[order], lfp=lfp, error=error,
            resident_mb=resident,
        )  # fmt: skip


if __name__ == "__main__":
    main()
