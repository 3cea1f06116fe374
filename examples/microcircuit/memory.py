"""What this machine has and what was used: memory and processor time."""

import os
import resource
import sys
from pathlib import Path

from nestlfp import NetworkError

# Measured without recorder; GB of all processes together: a base, and what grows with the synapses.
BASE_GB = 0.5
SYNAPSES_GB = 15.5


def quiet_threads() -> None:
    """Have threads sleep while they wait; to be called before NEST is imported.

    NEST's threads meet at a barrier in each step of 0.1 ms and spin there. With as many threads as
    cores, and anything else at work, each step then takes as long as a time slice: 79 instead of
    6 s per second of the network of a tenth.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")


def needed_gb(scale: float) -> float:
    """Memory of a network of this scale (GB)."""
    return BASE_GB + SYNAPSES_GB * scale**2


def available_gb() -> float | None:
    """Memory that processes may still take (GB), or None where that cannot be asked."""
    found = []
    meminfo = Path("/proc/meminfo")
    if meminfo.is_file():
        lines = dict(line.split(":", 1) for line in meminfo.read_text().splitlines())
        found.append(int(lines["MemAvailable"].split()[0]) * 1024)
    limit, used = (Path("/sys/fs/cgroup") / f"memory.{name}" for name in ("max", "current"))
    if limit.is_file() and used.is_file() and (text := limit.read_text().strip()) != "max":
        found.append(int(text) - int(used.read_text()))
    return min(found) / 1e9 if found else None


def check_memory(scale: float, available: float | None) -> None:
    """Refuse a network that would not fit into what is available (GB), before it is built."""
    needed = needed_gb(scale)
    if available is not None and needed > available:
        fits = max(((available - BASE_GB) / SYNAPSES_GB), 0.0) ** 0.5
        raise NetworkError(
            f"a network of scale {scale:g} needs about {needed:.1f} GB of memory, found "
            f"{available:.1f} GB available: close other programs, or take --scale "
            f"{int(100 * fits) / 100:g} or less"
        )


def resident_mb() -> float:
    """Memory of this process (MB)."""
    status = Path("/proc/self/status")
    if not status.is_file():
        return peak_mb()
    lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
    return int(lines["VmRSS"].split()[0]) / 1024


def peak_mb() -> float:
    """The most memory that this process had (MB)."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / 1024 / (1024 if sys.platform == "darwin" else 1)
