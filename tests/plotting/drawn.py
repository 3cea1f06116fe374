"""Signals and kernels to draw, and reading back what a figure shows."""

import numpy as np
import xarray as xr

from nestlfp import KernelSet
from nestlfp.units import VOLTS, ascii_unit

RNG = np.random.default_rng(7)


def dataset(values, z=None, unit="mV", dt=0.5, name="LFP"):
    """Signals of one kind: `values` has shape (channel, time)."""
    values = np.asarray(values, dtype=float)
    n, samples = values.shape
    dim = f"{name}_channel"
    coords = {dim: [f"c{i}" for i in range(n)], "time": np.arange(1, samples + 1) * dt}
    if z is not None:
        coords |= {f"{name}_{axis}": (dim, np.zeros(n)) for axis in "xy"}
        coords[f"{name}_z"] = (dim, np.asarray(z, dtype=float))
    return xr.Dataset({name: ((dim, "time"), values, {"units": unit})}, coords)


def traces(ax):
    """The drawn traces from the bottom up, in rows."""
    lines = [line for line in ax.lines if (line.get_gid() or "").startswith("trace-")]
    return [np.asarray(line.get_ydata()) for line in lines]


def scale_bars(ax):
    """Length in rows, and the text, of each scale bar."""
    bars = [line for line in ax.lines if line.get_gid() == "scale-bar"]
    texts = [text.get_text() for text in ax.texts if text.get_gid() == "scale-bar-label"]
    return [(np.ptp(bar.get_ydata()), text) for bar, text in zip(bars, texts, strict=True)]


def in_units(ax, unit="mV"):
    """Traces from the bottom up in this unit, as a reader would measure them with the scale bar."""
    ((rows, text),) = scale_bars(ax)
    size, told = amount(text)
    if told != unit:
        size *= VOLTS[ascii_unit(told)] / VOLTS[unit]
    return [(trace - row) / rows * size for row, trace in enumerate(traces(ax))]


def amount(text):
    """Number and unit of a scale bar's text, such as "5 000 nA µm" or "20 nV"."""
    number, unit = text.replace("\N{THIN SPACE}", "").split(maxsplit=1)
    plain = number.translate(str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789"))
    return float(plain.replace("·10", "e")), unit


def labels(ax):
    return [label.get_text() for label in ax.get_yticklabels()]


def legend(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def kernel_set(shape, pre=None, post=None, unit="mV", **options):
    n_post, n_pre = shape[:2]
    return KernelSet.from_arrays(
        {"LFP": RNG.normal(size=shape)},
        pre=pre or [f"X{i}" for i in range(n_pre)],
        post=post or [f"Y{i}" for i in range(n_post)],
        dt=0.1,
        units={"LFP": unit},
        **options,
    )


def rasters(ax):
    return {
        line.get_gid().removeprefix("spikes-"): line
        for line in ax.lines
        if (line.get_gid() or "").startswith("spikes-")
    }
