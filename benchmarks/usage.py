"""What benchmarks share: how they are asked, and what they measure by."""

import argparse
import os
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from scipy.stats import bootstrap


def parser(doc: str | None) -> argparse.ArgumentParser:
    """A parser that shows a script's docstring as it is."""
    shown = argparse.RawDescriptionHelpFormatter
    return argparse.ArgumentParser(description=doc, formatter_class=shown)


def interval_of_median(values: list[float]) -> list[float]:
    """Where the median lies with 95 % confidence."""
    if len(set(values)) == 1:
        return [values[0], values[0]]
    found = bootstrap((values,), np.median, method="percentile", rng=1).confidence_interval
    return [float(found.low), float(found.high)]


def resident_mb() -> float:
    """Memory of this process (MB), without what it shares with files."""
    fields = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return float(fields["VmRSS"].split()[0]) / 1024


@contextmanager
def empty_cache() -> Iterator[None]:
    """nestlfp's cache folder is an empty one: no filter was found before."""
    usual = os.environ.get("NESTLFP_CACHE")
    with TemporaryDirectory() as empty:
        os.environ["NESTLFP_CACHE"] = empty
        try:
            yield
        finally:
            del os.environ["NESTLFP_CACHE"]
            if usual is not None:
                os.environ["NESTLFP_CACHE"] = usual


def peak_mb() -> float:
    """The most memory that this process had so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0


def shares_of_time(
    bank: Any, inputs: Any, piece: float, turns: int, copies: int, onset: float = 200.0
) -> dict[str, Any]:
    """Shares of the network's processor time that one of so many recorders takes.

    The network simulates pieces (ms) in turns with the recorders' nodes at work and frozen, which
    NEST then passes over; what it takes to deliver spikes to them is the difference between frozen
    nodes and none, before they are made. "nothing" compares every second piece without a recorder
    with the others.
    """
    import nest

    import nestlfp

    def seconds() -> float:
        started = time.process_time()
        nest.Simulate(piece)
        return time.process_time() - started

    nest.Simulate(onset)
    without = [seconds() for _ in range(2 * turns)]
    before = resident_mb()
    for _ in range(copies):
        nestlfp.FieldRecorder(bank, inputs)
    added_mb = (resident_mb() - before) / copies
    nodes = nest.GetNodes({"model": bank.model.name})
    frozen: list[float] = []
    at_work: list[float] = []
    for turn in range(turns):
        for still in (True, False) if turn % 2 else (False, True):
            nodes.frozen = still
            (frozen if still else at_work).append(seconds())
    whole = float(np.median(without))
    step_ms = whole * 1e3 * nest.resolution / piece
    shares = {  # of the network's time
        "nothing": np.subtract(without[::2], without[1::2]) / whole,
        "nodes": np.subtract(at_work, frozen) / whole / copies,
        "delivery": (np.array(frozen) - whole) / whole / copies,
    }
    found = {
        name: [float(np.median(each)), *interval_of_median(each.tolist())]
        for name, each in shares.items()
    }
    for name, (share, low, high) in found.items():
        print(f"{name}: {share:+.2%} of processor time (95 %: {low:+.2%} … {high:+.2%})")
    print(f"{step_ms:.2f} ms a step without; {added_mb:.1f} MB a recorder")
    return {"ms_per_step": step_ms, "recorder_mb": added_mb, "shares_and_95_%": found}
