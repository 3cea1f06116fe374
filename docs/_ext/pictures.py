"""A picture in the reference for each function that draws, with the code that made it.

Pictures are drawn when the site is built, by the functions themselves, and kept until something of
the package has changed.
"""

import inspect
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent, indent
from typing import Any

import numpy as np
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError

KERNELS = Path(__file__).parents[1] / "tutorials" / "two_population.nc"
SIZES = {"E": 8192, "I": 1024}
DURATION = 1000.0  # ms
DATA = (
    "``kernels`` are those of the two-population network of Hagen et al. (2022), ``signals`` what "
    "they make of ``spikes`` at random times, whose rate follows a rhythm of 30 Hz."
)


# ---------------------------------------------------------------------- what is drawn
def signals(signals, spikes):
    import nestlfp

    return nestlfp.plotting.signals(
        signals, time=(500, 800), spikes=spikes, sizes={"E": 8192, "I": 1024}
    )


def depth_image(signals):
    import nestlfp

    csd = nestlfp.signals.current_source_density(signals)
    both = signals[["LFP"]].merge(csd, combine_attrs="override")
    return nestlfp.plotting.depth_image(both, time=(500, 700))


def spectrum(signals):
    import nestlfp

    return nestlfp.plotting.spectrum(signals, start=200.0)


def spectrogram(signals):
    import nestlfp

    return nestlfp.plotting.spectrogram(signals, signals="LFP", channel=10, highest=100.0)


def kernels(kernels):
    import nestlfp

    return nestlfp.plotting.kernels(kernels, signals="LFP")


def singular_values(kernels):
    import nestlfp
    from nestlfp.filters.report import Reduction

    reduction = Reduction(kernels)
    lags = dict(zip(reduction.populations, reduction.orders.lag_values, strict=True))
    return nestlfp.plotting.singular_values(reduction.orders.channel_values, lags)


def topomap(kernels, spikes):
    import numpy as np
    from lfpykit.eegmegcalc import FourSphereVolumeConductor

    import nestlfp

    electrodes = nestlfp.geometry.electrodes("biosemi64")
    eeg = kernels.project(
        FourSphereVolumeConductor(np.array([*electrodes.values()])),
        to="EEG",
        channels=[*electrodes],
        dipole_positions=[35e3, 10e3, 65e3],  # µm
        axes="outward",
        unit="µV",
    )
    times = {name: times for name, (times, _) in spikes.items()}
    eeg = eeg.convolve(times, duration=300.0, rounding=True)
    return nestlfp.plotting.topomap(eeg, times=[210.0, 220.0, 230.0, 240.0])


def array_frames():
    import numpy as np

    import nestlfp
    from nestlfp.sources import proxies

    grid = [[x, y, 0.0] for y in range(-1000, 1001, 200) for x in range(-1000, 1001, 200)]
    somata = np.random.default_rng(1).uniform(-1000, 1000, (400, 3)) * [1, 1, 0.1]  # µm
    of_neurons = proxies.telenczuk(grid, dt=1.0, excitatory={"E": somata}, left_out=1e-2)
    neurons = np.argsort(somata[:, 0])  # a wave from left to right
    times = 20.0 + np.arange(400) // 10  # ms
    lfp = of_neurons.convolve({"E": (times, neurons)}, duration=80.0)
    return nestlfp.plotting.array_frames(lfp, times=[25.0, 35.0, 45.0, 55.0])


def cells():
    import nestlfp

    return nestlfp.plotting.cells(["p23", "p5_L23", "i4"])


def alternatives():
    import nest

    import nestlfp
    from nestlfp.sources import network

    exc, inh = nest.Create("iaf_psc_exp", 80), nest.Create("iaf_psc_exp", 20)
    nest.Connect(exc, exc + inh, {"rule": "fixed_indegree", "indegree": 8}, {"weight": 60.0})
    nest.Connect(inh, exc + inh, {"rule": "fixed_indegree", "indegree": 2}, {"weight": -360.0})
    found = network.alternatives({"E": exc, "I": inh}, {"E": 5.0, "I": 5.0})  # spikes/s
    return nestlfp.plotting.alternatives(found)


def probe_and_cells(kernels):
    import nestlfp
    from nestlfp.geometry import Cylinder

    placed = nestlfp.geometry.with_geometry(
        kernels.select(signals="LFP"),
        {"E": Cylinder(radius=150, bottom=-150, top=150), "I": Cylinder(150, -100, 100)},
        segments={"E": [[0, 0, -8, 0, 0, 8, 16], [0, 0, 8, 0, 0, 400, 3]]},
    )
    return nestlfp.plotting.geometry.probe_and_cells(placed)


PICTURES: dict[str, Callable[..., Any]] = {
    **{
        f"nestlfp.plotting.{draw.__name__}": draw
        for draw in (
            signals, depth_image, spectrum, spectrogram, kernels, singular_values, topomap,
            array_frames, cells, alternatives,
        )
    },
    "nestlfp.plotting.geometry.probe_and_cells": probe_and_cells,
}  # fmt: skip


# ---------------------------------------------------------------------- drawing
def draw_all(folder: Path) -> None:
    import nestlfp

    kernels = nestlfp.KernelSet.load(KERNELS)
    rng = np.random.default_rng(1)
    spikes = {}
    for name, rate in {"E": 2.2, "I": 4.0}.items():  # spikes/s
        times = rng.uniform(0.0, DURATION, rng.poisson(2 * SIZES[name] * rate * DURATION / 1000))
        rhythm = 0.5 + 0.5 * np.sin(2 * np.pi * 0.03 * times)
        times = np.sort(times[rng.uniform(size=times.size) < rhythm])
        spikes[name] = (times, rng.integers(0, SIZES[name], times.size))
    signals = kernels.convolve(
        {name: times for name, (times, _) in spikes.items()}, duration=DURATION, rounding=True
    )
    data = {"kernels": kernels, "signals": signals, "spikes": spikes}
    for name, draw in PICTURES.items():
        figure = draw(**{given: data[given] for given in inspect.signature(draw).parameters})
        nestlfp.plotting.save(figure, folder / f"{name}.png", dpi=150)


def code_of(draw: Callable[..., Any]) -> str:
    """The lines of a function, as a reader would type them."""
    lines = inspect.getsource(draw).splitlines()[1:]
    return dedent("\n".join(lines)).replace("return ", "figure = ")


# ---------------------------------------------------------------------- in Sphinx
def drawn(app: Sphinx) -> None:
    """Draw what is not there, in a process of its own: NEST and NEURON take part."""
    folder = Path(app.srcdir) / "api" / "pictures" / app.config.pictures_of
    if all((folder / f"{name}.png").is_file() for name in PICTURES):
        return
    shutil.rmtree(folder.parent, ignore_errors=True)
    folder.mkdir(parents=True)
    drawing = [sys.executable, __file__, str(folder)]
    done = subprocess.run(drawing, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ExtensionError(f"pictures cannot be drawn:\n{done.stderr}")


def shown(app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    if name in PICTURES:
        picture = f"/api/pictures/{app.config.pictures_of}/{name}.png"
        code = indent(code_of(PICTURES[name]), "   ").splitlines()
        lines += ["", ".. rubric:: Picture", "", f".. image:: {picture}"]
        lines += ["   :alt: A figure of this function", ""]
        if inspect.signature(PICTURES[name]).parameters:
            lines += [DATA, ""]
        lines += [".. code-block:: python", "", *code, ""]


def setup(app: Sphinx) -> dict:
    app.add_config_value("pictures_of", "", "env")
    app.connect("builder-inited", drawn)
    app.connect("autodoc-process-docstring", shown, priority=900)  # after numpydoc
    return {"parallel_read_safe": True, "version": "1"}


if __name__ == "__main__":
    draw_all(Path(sys.argv[1]))
