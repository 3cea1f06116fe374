"""The live view: how late a chunk is on the page, and what server and page need over time.

    python benchmarks/view.py

A simulation writes 100 channels and a dipole moment at 1 kHz in real time, a chunk every 100 ms,
while `nestlfp view` shows the newest second in Chromium (apt-get install chromium). Writes
out/benchmarks/view.json: the time from a chunk's commit until the browser has painted it, and, over
time, the server's resident memory and the page's JavaScript heap after its garbage was collected
(chunks of those seconds are not counted). What must hold: every chunk within a second, and neither
memory larger after the second half. Both need a machine that is not busy with other things.
"""

import json
import os
import platform
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from nestlfp.errors import NestLFPError, tell_plainly

tell_plainly()
os.environ.setdefault("PYNEST_QUIET", "1")

import numpy as np
import usage
import xarray as xr

OUT = Path("out/benchmarks")
STORE = OUT / "view.zarr"
COMMITS = OUT / "view_commits.txt"
CHUNK = 100.0  # ms
LOOK = 20.0  # s between looks at memory
DISTURBED = 2.0  # s around a look: collecting the page's garbage stops it, and is our doing
GROWN = 5.0  # MB
# Notes the newest sample that is drawn, and when the browser has painted it.
WATCH = """
() => {
    window.seen = []
    let last = 0
    const [source] = [...Bokeh.documents[0]._all_models.values()].filter((m) => m.name == "traces")
    const look = () => {
        const newest = source.data.x[source.data.x.length - 2] ?? 0
        if (newest > last) {
            last = newest
            requestAnimationFrame(() => setTimeout(() => window.seen.push([newest, Date.now()])))
        }
        requestAnimationFrame(look)
    }
    look()
}
"""


def kernels() -> Any:
    """Two populations; 100 contacts and a dipole moment, 50 taps of 1 ms."""
    import nestlfp

    t = np.arange(1.0, 51.0)
    alpha = t * np.exp(-t / 5.0)
    z = np.linspace(2000.0, 20.0, 100)
    depth = np.exp(-(((z - 1200.0) / 250.0) ** 2)) - np.exp(-(((z - 600.0) / 250.0) ** 2))
    lfp = np.multiply.outer(np.multiply.outer([1e-3, -2e-3], depth), alpha)
    moment = np.multiply.outer(np.multiply.outer([1e-1, -2e-1], [0.1, 0.0, 1.0]), alpha)
    return nestlfp.KernelSet.from_arrays(
        {"LFP": lfp[None], "CDM": moment[None]},
        pre=["E", "I"],
        post=["E"],
        dt=1.0,
        units={"LFP": "mV", "CDM": "nA µm"},
        channels={"CDM": ["x", "y", "z"]},
        positions={"LFP": np.stack([0 * z, 0 * z, z], axis=1)},
    )


def simulate(seconds: float) -> None:
    """Write signals in real time; print what was committed (ms), and when (s)."""
    import nest

    import nestlfp

    nest.verbosity = nest.VerbosityLevel.ERROR
    nest.ResetKernel()
    nest.set(resolution=1.0, rng_seed=1)
    responses = kernels()
    nestlfp.install(responses)
    neurons = {name: nest.Create("iaf_psc_exp", n) for name, n in (("E", 80), ("I", 20))}
    everyone = neurons["E"] + neurons["I"]
    noise = nest.Create("poisson_generator", params={"rate": 11_000.0})
    nest.Connect(noise, everyone, syn_spec={"weight": 32.0, "delay": 2.0})
    nestlfp.FieldRecorder(responses, neurons, interval=1.0)
    start = time.time()

    def note(signals: xr.Dataset) -> None:
        newest = float(signals["time"][-1])
        print(newest, time.time(), flush=True)
        time.sleep(max(start + newest / 1000.0 - time.time(), 0.0))

    nestlfp.simulate(
        seconds * 1000.0, to=STORE, chunk=CHUNK, overwrite=True, on_chunk=note, progress=False
    )


def resident_mb(process: int) -> float:
    """Resident memory of a process (MB)."""
    status = Path(f"/proc/{process}/status").read_text(encoding="utf-8")
    found = re.search(r"VmRSS:\s*(\d+) kB", status)
    assert found is not None
    return int(found.group(1)) / 1024


def measure(seconds: float) -> dict[str, Any]:
    """All numbers of one run."""
    from playwright.sync_api import sync_playwright

    program = shutil.which("chromium")
    if program is None:
        raise NestLFPError("no Chromium here: apt-get install chromium")
    command = [sys.executable, "-m", "nestlfp", "view", str(STORE), "--no-browser", "--port", "0"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    found = re.search(r"http://\S+", server.stdout.readline())
    assert found is not None
    looks: list[tuple[float, float, float, float]] = []
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1400, "height": 1100})
        page.goto(found.group())
        page.get_by_text("This page goes on").wait_for(timeout=60_000)
        page.evaluate(WATCH)
        inside = page.context.new_cdp_session(page)
        inside.send("Performance.enable")
        command = [sys.executable, __file__, "--seconds", str(seconds), "--write"]
        with COMMITS.open("w", encoding="utf-8") as written:
            writer = subprocess.Popen(command, stdout=written)
        start = time.time()
        while writer.poll() is None:
            page.wait_for_timeout(min(LOOK, seconds / 5) * 1000.0)
            inside.send("HeapProfiler.collectGarbage")
            metrics = inside.send("Performance.getMetrics")["metrics"]
            (heap,) = (m["value"] for m in metrics if m["name"] == "JSHeapUsedSize")
            load = os.getloadavg()[0]
            looks.append((time.time() - start, resident_mb(server.pid), heap / 2**20, load))
        page.wait_for_timeout(2000.0)
        seen = np.array(page.evaluate("window.seen"))
        browser.close()
    server.terminate()
    commits = np.loadtxt(COMMITS)
    return report(seconds, start, commits, seen, np.array(looks))


def report(seconds: float, began: float, commits: Any, seen: Any, memory: Any) -> dict[str, Any]:
    """What the numbers come to. A chunk is seen with the first picture that reaches its end."""
    shown = np.searchsorted(seen[:, 0], commits[:, 0])
    late = np.full(len(commits), np.inf)
    late[shown < len(seen)] = seen[shown[shown < len(seen)], 1] / 1000.0
    late -= commits[:, 1]
    looked = np.abs(commits[:, 1, None] - began - memory[:, 0]).min(axis=1) < DISTURBED
    late = late[~looked]
    half = len(memory) // 2
    grown = {}
    for i, name in ((1, "server"), (2, "page")):
        # Medians of a fifth of the looks each: single looks differ by what is under way.
        few = max(len(memory) // 5, 1)
        grown[name] = float(np.median(memory[-few:, i]) - np.median(memory[half : half + few, i]))
    return {
        "processor": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "minutes": seconds / 60.0,
        "chunks": len(late),
        "pictures": len(seen),
        "late_s_median": float(np.median(late)),
        "late_s_99_percent": float(np.quantile(late, 0.99)),
        "late_s_max": float(late.max()),
        "server_mb_grown_in_second_half": grown["server"],
        "page_mb_grown_in_second_half": grown["page"],
        "server_mb_end": float(memory[-1, 1]),
        "page_mb_end": float(memory[-1, 2]),
        # Of all that the machine did: beyond the number of its cores, they wait for each other.
        "load_median": float(np.median(memory[:, 3])),
        "looks_s_server_mb_page_mb_load": memory.round(2).tolist(),
    }


def main() -> None:
    """Measure, print and write."""
    parser = usage.parser(__doc__)
    parser.add_argument("--seconds", type=float, default=600.0, help="how long to measure")
    parser.add_argument("--write", action="store_true", help="only write the signals, in real time")
    asked = parser.parse_args()
    OUT.mkdir(parents=True, exist_ok=True)
    if asked.write:
        simulate(asked.seconds)
        return
    shutil.rmtree(STORE, ignore_errors=True)
    found = measure(asked.seconds)
    shutil.rmtree(STORE)
    COMMITS.unlink()
    (OUT / "view.json").write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    print(json.dumps({k: v for k, v in found.items() if not isinstance(v, list)}, indent=2))
    if not found["late_s_max"] < 1.0:
        raise SystemExit(f"a chunk was on the page {found['late_s_max']:.2f} s after its commit")
    for name in ("server", "page"):
        if found[f"{name}_mb_grown_in_second_half"] > GROWN:
            raise SystemExit(f"the {name}'s memory grew by more than {GROWN:g} MB")


if __name__ == "__main__":
    main()
