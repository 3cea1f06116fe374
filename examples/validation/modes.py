"""What each neuron's own kernel adds: R² against the number of modes, found and expected."""

import compare
import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import nestlfp
from nestlfp.sources import hybrid

NUMBERS = (1, 2, 4, 8, 12, 16, 24, 32, 40)
LEFT_OUT = (1e-3, 1e-4)
"""By the modes that are recorded online; a number of modes is convolved with recorded spikes."""
NAMES = {
    "population kernels": "population kernels",
    "out-strengths": "out-strengths",
    "out-strengths by target": "… by target",
    "LFPykernels, out-strengths by target": "… with LFPykernels",
}
DEPTHS = {
    "population kernels": "0.7",
    "out-strengths by target": "C1",
    "1": "C0",
    "4": "C2",
    "16": "C3",
}


def of_each_number(
    singles: dict[str, xr.Dataset], rates: dict[str, float]
) -> dict[str, nestlfp.NeuronKernels]:
    """So many modes of each population, and as few as each share that may be left out takes."""
    how: dict[str, dict] = {str(n): {"modes": n} for n in NUMBERS}
    how |= {f"left out {share:g}": {"left_out": share} for share in LEFT_OUT}
    return {
        kind: nestlfp.NeuronKernels.from_single(singles, rates=rates, **options)
        for kind, options in how.items()
    }


def online(neurons: dict[str, nestlfp.NeuronKernels]) -> dict[str, nestlfp.NeuronKernels]:
    """Those that are recorded."""
    return {kind: found for kind, found in neurons.items() if kind.startswith("left out")}


def validity(
    singles: dict[str, xr.Dataset],
    network: hybrid.Network,
    rates: dict[str, float],
    duration: float,
) -> str:
    """What population kernels miss, of independent and, if there are enough, of these spikes."""
    if duration < 4 * next(iter(singles.values()))["lag"].values[-1]:
        return str(nestlfp.validity(singles, rates=rates))
    return str(nestlfp.validity(singles, rates=rates, spikes=network.spikes, duration=duration))


def offline(kernels: nestlfp.NeuronKernels, network: hybrid.Network, duration: float) -> xr.Dataset:
    """The signal of the network's spikes."""
    return kernels.convolve(network.spikes, duration)


def for_strengths(measured: nestlfp.KernelSet, predicted: nestlfp.KernelSet) -> dict:
    """Kernels whose neurons differ by their connections."""
    return {
        "out-strengths": measured,
        "out-strengths by target": nestlfp.NeuronKernels.by_pathway(measured),
        "LFPykernels, out-strengths by target": nestlfp.NeuronKernels.by_pathway(predicted),
    }


def differences(
    recorded: dict[str, xr.Dataset], convolved: dict[str, xr.Dataset]
) -> dict[str, float]:
    """The largest difference between online and offline, relative to the signal's peak."""
    return {
        kind: max(
            float(np.abs(recorded[kind][name] - found[name]).max() / np.abs(found[name]).max())
            for name in compare.SIGNALS
        )
        for kind, found in convolved.items()
        if kind in recorded
    }


def table(
    full: xr.Dataset,
    recorded: dict[str, xr.Dataset],
    convolved: dict[str, xr.Dataset],
    neurons: dict[str, nestlfp.NeuronKernels],
    rates: dict[str, float],
) -> list[dict]:
    """A row for each channel: 1 - R² of each kind of kernels, and what was expected of modes."""
    found: dict[str, xr.Dataset] = {"population kernels": recorded["measured"]}
    found |= {kind: signals for kind, signals in recorded.items() if "out-strengths" in kind}
    for kind, signals in convolved.items():
        found[kind] = recorded.get(kind, signals.isel(time=slice(full.sizes["time"])))
    expected = {kind: kernels.variance(rates) for kind, kernels in neurons.items()}
    rows = []
    for name in compare.SIGNALS:
        truth = compare.channels(full, name)
        for i, label in enumerate(truth[f"{name}_channel"].values):
            wanted = truth.values[i]
            row: dict = {
                "signal": name,
                "channel": str(label),
                "z_um": float(truth["LFP_z"][i]) if name == "LFP" else "",
            }
            for kind, signals in found.items():
                difference = compare.channels(signals, name).values[i] - wanted
                row[f"{kind}: 1 - R2"] = float(np.mean(difference**2) / wanted.var())
                if kind in expected:
                    variance = expected[kind][name].sel({f"{name}_channel": label})
                    whole, left = (float(variance.sel(of=of)) for of in ("signal", "left out"))
                    row[f"{kind}: expected 1 - R2"] = left / whole
                    row[f"{kind}: residual variance, found / expected"] = (
                        float(difference.var()) / left
                    )
            rows.append(row)
    return rows


def summary(rows: list[dict]) -> dict[str, dict[str, float]]:
    """Median and worst channel of each kind."""
    out: dict[str, dict[str, float]] = {}
    for key in rows[0]:
        if "R2" in key or "residual" in key:
            values = [row[key] for row in rows]
            out[key] = {
                "smallest": min(values),
                "median": float(np.median(values)),
                "largest": max(values),
            }
    return out


def as_text(rows: list[dict]) -> str:
    """The summary, to read in a terminal."""
    return "\n".join(
        f"{key:62}" + "".join(f"{what} {value:9.3g}   " for what, value in found.items())
        for key, found in summary(rows).items()
    )


def figure(rows: list[dict]) -> Figure:
    """1 - R² against the number of modes, and by depth."""
    whole, (left, right) = plt.subplots(
        1, 2, figsize=(11, 4.6), layout="constrained", width_ratios=[1.5, 1]
    )
    _against_number(left, rows)
    _by_depth(right, rows)
    return whole


def _against_number(axes: Axes, rows: list[dict]) -> None:
    coarse = list(NAMES)
    groups = [
        (np.arange(len(coarse)) * 1.0, coarse),
        (len(coarse) + 0.5 + np.arange(len(NUMBERS)), [str(n) for n in NUMBERS]),
    ]
    for at, group in groups:
        found = np.array([[row[f"{kind}: 1 - R2"] for kind in group] for row in rows])
        line = "-" if group is not coarse else ""
        axes.semilogy(at, found.T, color="0.8", lw=0.8, ls=line, marker=".", ms=3, zorder=1)
        names = [f"{kind}: expected 1 - R2" for kind in group]
        expected = np.array([[row.get(key, np.nan) for key in names] for row in rows])
        for what, color, of in (("worst", "C3", np.max), ("median", "C0", np.median)):
            label = f"{what} channel" if group is not coarse else None
            axes.semilogy(at, of(found, axis=0), "o", ls=line, color=color, label=label)
            label = label and f"{what} channel, expected beforehand"
            axes.semilogy(at, of(expected, axis=0), ":", lw=2, color=color, label=label)
    for level in (1e-3, 1e-4):
        axes.axhline(level, color="0.6", lw=0.6, zorder=0)
    axes.set_xticks(groups[0][0], list(NAMES.values()), fontsize="small", rotation=35, ha="right")
    axes.set_xticks(groups[1][0], groups[1][1], minor=True)
    middle = (groups[1][0].mean(), -0.12)
    axes.text(
        *middle, "modes of each population", ha="center", transform=axes.get_xaxis_transform()
    )
    axes.set(ylabel="1 − R²", title="all 13 contacts and the dipole moment")
    axes.legend(frameon=False, fontsize="small", loc="lower left")
    axes.spines[["top", "right"]].set_visible(False)


def _by_depth(axes: Axes, rows: list[dict]) -> None:
    contacts = [row for row in rows if row["signal"] == "LFP"]
    z = [row["z_um"] for row in contacts]
    for kind, color in DEPTHS.items():
        label = f"{kind} mode{'s' * (kind != '1')}" if kind.isdigit() else kind
        values = [row[f"{kind}: 1 - R2"] for row in contacts]
        axes.semilogx(values, z, "o-", color=color, ms=4, lw=1, label=label)
    axes.set(xlabel="1 − R²", ylabel="depth z (µm)", title="by depth")
    axes.legend(
        frameon=False, fontsize="small", loc="upper center", bbox_to_anchor=(0.45, -0.13), ncols=3
    )
    axes.spines[["top", "right"]].set_visible(False)
