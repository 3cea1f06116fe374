"""What goes wrong on one rank is raised on all of them, and none waits for ever: errors.py FOLDER.

The folder is empty. Each check runs on all ranks; `raised` compares what they raise.
"""

import contextlib
import io
import os
import sys
from pathlib import Path

import nest
import numpy as np
import xarray as xr
from mpi4py import MPI

import nestlfp
from nestlfp.errors import StreamError
from nests import quieten
from networks import assert_signal_is_convolution, exponential_kernels, installed, random_network

WORLD = MPI.COMM_WORLD
KERNELS = exponential_kernels()


def raised(error, words, call):
    """The call raises the same error, with these words, on every rank."""
    try:
        call()
    except error as caught:
        told = f"{type(caught).__name__}: {caught}"
    else:
        told = "nothing"
    everywhere = WORLD.allgather(told)
    assert len(set(everywhere)) == 1, everywhere
    assert words in told, told


def reset():
    nest.ResetKernel()
    nest.set(resolution=0.1, local_num_threads=1, rng_seed=7)


def recorder_of_a_network():
    reset()
    bank = installed(KERNELS)
    network = random_network(nest)
    return nestlfp.FieldRecorder(bank, network.populations, interval=0.1), network


def check_a_compile_that_fails(folder):
    before = dict(os.environ)
    compiler = folder / "broken"
    if WORLD.rank == 0:
        compiler.write_text("#!/bin/sh\necho this compiler is broken >&2; exit 1\n")
        compiler.chmod(0o755)
    WORLD.Barrier()
    reset()
    os.environ.update(NESTLFP_CACHE=str(folder / "cache"), CXX=str(compiler))
    raised(
        nestlfp.ToolchainError,
        "could not be compiled",
        lambda: nestlfp.install(KERNELS, progress=False),
    )
    os.environ.clear()
    os.environ.update(before)


def check_without_mpi4py(_):
    reset()
    hidden = {name: sys.modules.pop(name) for name in list(sys.modules) if "mpi4py" in name}
    sys.modules["mpi4py"] = None  # importing it fails as if it were not installed
    raised(nestlfp.NestLFPError, "nestlfp[mpi]", lambda: installed(KERNELS))
    del sys.modules["mpi4py"]
    sys.modules.update(hidden)


def check_wrong_input(folder):
    reset()
    bank = installed(KERNELS)
    raised(
        nestlfp.NetworkError,
        "no connections yet",
        lambda: nestlfp.FieldRecorder(bank, dict.fromkeys("EI")),
    )
    recorder, network = recorder_of_a_network()
    bank = recorder.bank
    for words, populations, interval in (
        ("missing ['I']", {"E": network.populations["E"]}, 1.0),
        ("overlap", dict.fromkeys("EI", network.populations["E"]), 1.0),
        ("interval must be a multiple", network.populations, 0.25),
    ):
        raised(
            nestlfp.NetworkError,
            words,
            lambda p=populations, i=interval: nestlfp.FieldRecorder(bank, p, interval=i),
        )
    raised(nestlfp.NetworkError, "t must be a multiple", lambda: nestlfp.simulate(-1.0))
    # Only rank 0 looks at the disk.
    raised(StreamError, "must end in '.zarr'", lambda: stream(10.0, folder, overwrite=True))
    nestlfp.simulate(10.0, complete=True, progress=False)
    assert recorder.signals()["time"][-1] >= 10.0
    raised(
        nestlfp.NetworkError,
        "before the first Simulate",
        lambda: nestlfp.FieldRecorder(bank, network.populations, interval=0.1),
    )


def stream(t, to, **options):
    nestlfp.simulate(t, to=to, chunk=10.0, progress=False, **options)


def check_callbacks(_):
    recorder, _ = recorder_of_a_network()

    def fails(_):
        if WORLD.rank == 1:
            raise RuntimeError("on one rank only")

    raised(
        RuntimeError,
        "on one rank only",
        lambda: nestlfp.simulate(30.0, chunk=10.0, on_chunk=fails, progress=False),
    )
    nestlfp.simulate(
        100.0, chunk=10.0, on_chunk=lambda _: np.bool_(WORLD.rank == 1), progress=False
    )
    assert recorder.signals().sizes["time"] < 300, "one rank's True stops all"


def check_a_disk_that_fails(folder):
    recorder, network = recorder_of_a_network()
    stream(30.0, folder / "a.zarr")
    if WORLD.rank == 0:  # a file stands where Zarr wants a folder
        (folder / "a.zarr" / "LFP").rename(folder / "LFP")
        (folder / "a.zarr" / "LFP").touch()
    WORLD.Barrier()
    raised(
        StreamError,
        "is damaged",
        lambda: stream(30.0, folder / "a.zarr", append=True),
    )
    if WORLD.rank == 0:
        (folder / "a.zarr" / "LFP").unlink()
        (folder / "LFP").rename(folder / "a.zarr" / "LFP")
    WORLD.Barrier()
    stream(30.0, folder / "b.zarr")
    times, senders = (
        np.concatenate(part)
        for part in zip(
            *WORLD.allgather([network.recorder.events[k] for k in ("times", "senders")]),
            strict=True,
        )
    )
    spikes = network.spikes((times, senders))
    assert_signal_is_convolution(recorder.signals(), KERNELS, spikes, float(nest.biological_time))
    b = xr.open_zarr(folder / "b.zarr")["time"].values
    assert (
        len(b) + xr.open_zarr(folder / "a.zarr").sizes["time"] == recorder.signals().sizes["time"]
    )


class Terminal(io.StringIO):
    """A terminal that keeps what is written to it."""

    def isatty(self):
        return True


def check_the_progress_bar(_):
    recorder_of_a_network()
    with contextlib.redirect_stderr(Terminal()) as shown:
        nestlfp.simulate(20.0)
    shown = WORLD.allgather(shown.getvalue())
    assert "20/20 ms" in shown[0], shown
    assert "real-time factor" in shown[0], shown
    assert not any(shown[1:]), shown


quieten(nest)
for name, check in list(globals().items()):
    if name.startswith("check_"):
        check(Path(sys.argv[1]))
        print(f"rank {WORLD.rank} passed {name}", flush=True)
