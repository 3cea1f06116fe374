"""What benchmarks share: how they are asked, and what they measure by."""

import argparse
from pathlib import Path

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
