"""Recordings of the same spikes in every format that is read."""

import numpy as np

DT = 2.0**-4
SIZES = {"E": 40, "I": 10}
FIRST = {"E": 1, "I": 41}  # NEST's ids


def spikes(duration=100.0, seed=1):
    """Times (ms) and rows of each population, in no order, with some at the very ends."""
    rng = np.random.default_rng(seed)
    n = round(duration / DT)
    found = {}
    for name, size in SIZES.items():
        at = np.concatenate([[0, 1, n, n], rng.integers(1, n + 1, 400)])
        found[name] = (at * DT, rng.integers(0, size, at.size))
    return found


def write_dat(path, times, senders, header=True):
    lines = ["# NEST version: 3.10.0\n# RecordingBackendASCII version: 2\nsender\ttime_ms"]
    lines = lines if header else []
    lines += [f"{sender}\t{time:.3f}" for time, sender in zip(times, senders, strict=True)]
    path.write_text("\n".join(lines) + "\n")


def write_sonata(path, found, units="ms", names=None):
    import h5py

    factor = {"ms": 1.0, "s": 1e-3}[units or "ms"]
    with h5py.File(path, "w") as file:
        for name, (times, rows) in found.items():
            group = file.create_group(f"spikes/{(names or {}).get(name, name)}")
            group["timestamps"], group["node_ids"] = times * factor, rows.astype(np.uint64)
            if units is not None:
                group["timestamps"].attrs["units"] = units


def write_nwb(path, found, column="population"):
    import datetime

    import pynwb

    start = datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc)
    file = pynwb.NWBFile(session_description="s", identifier="i", session_start_time=start)
    file.add_unit_column(column, "whose")
    for name, (times, rows) in found.items():
        for row in range(SIZES[name]):
            file.add_unit(spike_times=np.sort(times[rows == row]) / 1000, **{column: name})
    with pynwb.NWBHDF5IO(str(path), "w") as io:
        io.write(file)


def write_neo(path, found, segments=1):
    import neo
    import quantities as pq

    block = neo.Block()
    for _ in range(segments):
        segment = neo.Segment()
        for name, (times, rows) in found.items():
            for row in range(SIZES[name]):
                train = neo.SpikeTrain(
                    np.sort(times[rows == row]) / 1000 * pq.s, t_stop=1.0 * pq.s, population=name
                )
                segment.spiketrains.append(train)
        block.segments.append(segment)
    neo.io.PickleIO(str(path)).write_block(block)
