"""Figures of the comparison."""

from typing import TypedDict

import compare
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import nestlfp
from nestlfp.plotting.style import INK, PALETTE, new_figure, style


class Style(TypedDict, total=False):
    """How a line is drawn, in matplotlib's words."""

    color: str
    lw: float
    ls: str
    marker: str
    mfc: str


COLORS = dict(zip(("measured", "LFPykernels", "LFPykernels by depth"), PALETTE[2:], strict=False))
STYLES: dict[str, Style] = {
    "full calculation": {"color": "0.7", "lw": 2.0},
    "measured": {"color": COLORS["measured"], "lw": 0.9},
    "LFPykernels": {"color": COLORS["LFPykernels"], "lw": 0.9},
    "LFPykernels by depth": {"color": COLORS["LFPykernels by depth"], "lw": 0.9, "ls": "--"},
}
SPECTRA_TO = 500.0  # Hz
LOWEST = {"R2": -0.1, "sd ratio": 0.0}  # what is lower gets an arrow and its number


def comparison(
    full: xr.Dataset, online: dict[str, xr.Dataset], table: list[dict], shown: tuple[float, float]
) -> Figure:
    """Traces, agreement by depth, and power spectra at the contacts with the largest signal."""
    with style():
        figure = new_figure(7.1, 5.6)
        grid = figure.add_gridspec(2, 4, width_ratios=[1.3, 1.3, 1, 1])
        _traces(figure.add_subplot(grid[:, :2]), full, online, shown)
        _by_depth(figure.add_subplot(grid[0, 2]), table, "R2", "R²")
        _by_depth(figure.add_subplot(grid[0, 3]), table, "sd ratio", "s.d. / s.d. of full calc.")
        first = compare.largest(full)["LFP"][0]
        _spectra(figure.add_subplot(grid[1, 2]), full, online, "LFP", first)
        _spectra(figure.add_subplot(grid[1, 3]), full, online, "CDM", "z")
        for kind, line in STYLES.items():
            figure.axes[0].plot([], [], label=kind, **line)
        figure.axes[0].plot([], [], ":", color=INK, label="expected from spread")
        figure.legend(loc="outside lower center", ncols=5, frameon=False)
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
            middle = part.values[i].mean()
            axes.plot(found["time"], trace - middle - i * step, **STYLES[kind])
    axes.set_yticks(
        -np.arange(part.shape[0]) * step, [f"{z:g}".replace("-", "−") for z in part["LFP_z"].values]
    )
    bar = 0.05  # mV
    right = shown[1] + 0.02 * (shown[1] - shown[0])
    axes.plot([right, right], [-bar, 0], color=INK, lw=2, clip_on=False)
    axes.text(right, -bar / 2, f"  {bar * 1e3:g} µV", va="center")
    axes.set(xlabel="time (ms)", ylabel="z (µm)", title="LFP minus the full one's mean", xlim=shown)


def _by_depth(axes: Axes, table: list[dict], what: str, title: str) -> None:
    rows = [row for row in table if row["signal"] == "LFP"]
    z = [row["z_um"] for row in rows]
    for kind, color in COLORS.items():
        style: Style = {"marker": "o"}
        if kind.endswith("depth"):
            style = {"marker": "s", "mfc": "none"}
        values = [row[f"{kind}: {what}"] for row in rows]
        values = [np.nan if value < LOWEST[what] else value for value in values]
        half = [row.get(f"± {kind}: {what}", 0.0) for row in rows]
        axes.errorbar(values, z, xerr=half, color=color, ms=3.5, lw=0.8, **style)
    if what == "R2":
        expected = [row["r2_expected"] for row in rows]
        axes.plot(expected, z, ":", color=INK)
        axes.axvline(0.9, color="0.7", lw=0.6)
        axes.set_xlim(LOWEST[what], 1.05)
        for kind, color in COLORS.items():
            for row in rows:
                value = row[f"{kind}: R2"]
                if value < LOWEST[what]:
                    axes.annotate(
                        f"◂ {value:.1f}".replace("-", "−"), (LOWEST[what], row["z_um"]), (2, 0),
                        textcoords="offset points", color=color, va="center", fontsize=6,
                    )  # fmt: skip
    else:
        axes.axvline(1.0, color="0.7", lw=0.8)
    axes.set(xlabel=title, ylabel="z (µm)")


def _spectra(
    axes: Axes, full: xr.Dataset, online: dict[str, xr.Dataset], name: str, label: float | str
) -> None:
    dim = f"{name}_channel"
    for kind, signals in {"full calculation": full, **online}.items():
        frequency, power = compare.spectrum(signals[name].sel({dim: label}).values)
        inside = (frequency >= 1) & (frequency <= SPECTRA_TO)
        axes.loglog(frequency[inside], power[inside], **STYLES[kind])
    axes.axvspan(*compare.BAND, color="0.94", zorder=0)
    unit = {"mV": "mV²/Hz", "nA µm": "nA² µm²/Hz"}[full[name].attrs["units"]]
    where = f"z = {float(full['LFP_z'][label]):g} µm" if name == "LFP" else "z"
    axes.set(xlabel="frequency (Hz)", ylabel=f"power ({unit})", title=f"{name}, {where}")


def spread(singles: dict[str, xr.Dataset], measured: nestlfp.KernelSet, full: xr.Dataset) -> Figure:
    """Kernels of single neurons around their population's."""
    places = [("LFP", compare.largest(full)["LFP"][0]), ("LFP", 8), ("CDM", "z")]
    with style():
        figure = new_figure(7.1, 3.8)
        axes = figure.subplots(len(singles), len(places), sharex=True)
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
                ax.plot(lag, mean, color=COLORS["measured"], label="population's kernel")
                where = f"z = {float(full['LFP_z'][channel]):g} µm" if name == "LFP" else "z"
                ax.set(title=f"{pre}: {name}, {where}", ylabel=unit, xlim=(0, 50))
                ax.axhline(0, color="0.5", lw=0.5)
        for ax in axes[-1]:
            ax.set_xlabel("lag (ms)")
        axes[0, 0].legend(frameon=False)
    return figure
