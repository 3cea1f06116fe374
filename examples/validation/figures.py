"""Figures of the comparison."""

from typing import TypedDict

import compare
import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import nestlfp


class Style(TypedDict, total=False):
    """How a line is drawn, in matplotlib's words."""

    color: str
    lw: float
    ls: str
    marker: str
    mfc: str


COLORS = {"measured": "C0", "LFPykernels": "C1", "LFPykernels by depth": "C2"}
STYLES: dict[str, Style] = {
    "full calculation": {"color": "0.6", "lw": 2.5},
    "measured": {"color": COLORS["measured"], "lw": 0.9},
    "LFPykernels": {"color": COLORS["LFPykernels"], "lw": 0.9},
    "LFPykernels by depth": {"color": COLORS["LFPykernels by depth"], "lw": 0.9, "ls": "--"},
}
SPECTRA_TO = 500.0  # Hz


def comparison(
    full: xr.Dataset, online: dict[str, xr.Dataset], table: list[dict], shown: tuple[float, float]
) -> Figure:
    """Traces, agreement by depth, and power spectra at the contacts with the largest signal."""
    figure = plt.figure(figsize=(13, 9), layout="constrained")
    grid = figure.add_gridspec(2, 4, width_ratios=[1.5, 1.5, 1, 1])
    _traces(figure.add_subplot(grid[:, :2]), full, online, shown)
    _by_depth(figure.add_subplot(grid[0, 2]), table, "R2", "R²")
    _by_depth(figure.add_subplot(grid[0, 3]), table, "sd ratio", "s.d. / s.d. of full calculation")
    first = compare.largest(full)["LFP"][0]
    _spectra(figure.add_subplot(grid[1, 2]), full, online, "LFP", first)
    _spectra(figure.add_subplot(grid[1, 3]), full, online, "CDM", "z")
    return figure


def _traces(
    axes: Axes, full: xr.Dataset, online: dict[str, xr.Dataset], shown: tuple[float, float]
) -> None:
    part = full["LFP"].sel(time=slice(*shown))
    step = 0.6 * np.ptp(part.values, axis=1).max()
    for kind in ("full calculation", "LFPykernels", "measured"):
        found = (full if kind == "full calculation" else online[kind])["LFP"]
        found = found.sel(time=slice(*shown))
        for i, trace in enumerate(found.values):
            label = kind if i == 0 else None
            middle = part.values[i].mean()
            axes.plot(found["time"], trace - middle - i * step, label=label, **STYLES[kind])
    axes.set_yticks(-np.arange(part.shape[0]) * step, [f"{z:g}" for z in part["LFP_z"].values])
    bar = 0.05  # mV
    right = shown[1] + 0.02 * (shown[1] - shown[0])
    axes.plot([right, right], [-bar, 0], color="black", lw=3, clip_on=False)
    axes.text(right, -bar / 2, f"  {bar * 1e3:g} µV", va="center")
    axes.set(xlabel="time (ms)", ylabel="depth z (µm)", title="LFP", xlim=shown)
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.06), ncols=3, frameon=False)
    axes.spines[["top", "right"]].set_visible(False)


def _by_depth(axes: Axes, table: list[dict], what: str, title: str) -> None:
    rows = [row for row in table if row["signal"] == "LFP"]
    z = [row["z_um"] for row in rows]
    for kind, color in COLORS.items():
        style: Style = {"marker": "o"}
        if kind.endswith("depth"):
            style = {"marker": "s", "mfc": "none"}
        values = [row[f"{kind}: {what}"] for row in rows]
        axes.plot(values, z, color=color, ms=5, lw=1, label=kind, **style)
    if what == "R2":
        expected = [row["r2_expected"] for row in rows]
        axes.plot(expected, z, "k:", label="expected from spread")
        axes.axvline(0.9, color="0.7", lw=0.8)
        axes.set_xlim(-0.1, 1.05)
        axes.legend(fontsize="small", frameon=False, loc="upper left")
    else:
        axes.axvline(1.0, color="0.7", lw=0.8)
    axes.set(xlabel=title, ylabel="depth z (µm)")
    axes.spines[["top", "right"]].set_visible(False)


def _spectra(
    axes: Axes, full: xr.Dataset, online: dict[str, xr.Dataset], name: str, label: float | str
) -> None:
    dim = f"{name}_channel"
    for kind, signals in {"full calculation": full, **online}.items():
        frequency, power = compare.spectrum(signals[name].sel({dim: label}).values)
        inside = (frequency >= 1) & (frequency <= SPECTRA_TO)
        axes.loglog(frequency[inside], power[inside], **STYLES[kind])
    axes.axvspan(*compare.BAND, color="0.94", zorder=0)
    unit = full[name].attrs["units"]
    where = f"z = {float(full['LFP_z'][label]):g} µm" if name == "LFP" else "z"
    axes.set(xlabel="frequency (Hz)", ylabel=f"power (({unit})²/Hz)", title=f"{name}, {where}")
    axes.spines[["top", "right"]].set_visible(False)


def spread(singles: dict[str, xr.Dataset], measured: nestlfp.KernelSet, full: xr.Dataset) -> Figure:
    """Kernels of single neurons around their population's."""
    places = [("LFP", compare.largest(full)["LFP"][0]), ("LFP", 8), ("CDM", "z")]
    figure, axes = plt.subplots(
        len(singles), len(places), figsize=(12, 6), sharex=True, layout="constrained"
    )
    scale = {"mV": (1e6, "nV"), "nA µm": (1.0, "nA µm")}
    for row, (pre, found) in zip(axes, singles.items(), strict=True):
        for ax, (name, label) in zip(row, places, strict=True):
            dim = f"{name}_channel"
            factor, unit = scale[full[name].attrs["units"]]
            channel = full[dim].values.tolist().index(label)
            kernels = found[name].values[:, channel] * factor
            low, q1, q3, high = np.percentile(kernels, [5, 25, 75, 95], axis=0)
            lag = found["lag"].values
            ax.fill_between(lag, low, high, color="0.88", label="5–95 % of neurons")
            ax.fill_between(lag, q1, q3, color="0.72", label="25–75 %")
            mean = measured[name].sel(pre=pre, **{dim: label}).sum("post").values * factor
            ax.plot(lag, mean, "C0", label="population's kernel")
            where = f"z = {float(full['LFP_z'][channel]):g} µm" if name == "LFP" else "z"
            ax.set(title=f"{pre}: {name}, {where}", ylabel=unit, xlim=(0, 50))
            ax.axhline(0, color="0.5", lw=0.5)
            ax.spines[["top", "right"]].set_visible(False)
    for ax in axes[-1]:
        ax.set_xlabel("lag (ms)")
    axes[0, 0].legend(frameon=False, fontsize="small")
    return figure
