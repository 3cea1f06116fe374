"""Describe a kernel set: for people, and as a digest."""

from __future__ import annotations

import hashlib
import json
from typing import NamedTuple

import numpy as np
import xarray as xr

from ..display import Html, card, folded, in_short, table
from .checks import dt_ms, first_lag_steps, provenance
from .courses import COURSES, along_lags, has_courses
from .names import AXES, channel_dim

_BLOCK = 2**20  # values at a time


def fingerprint(dataset: xr.Dataset) -> str:
    """Digest of everything that a signal made with these kernels depends on.

    Those are the values, to which lag, population and channel they belong, the unit, and where
    the contacts are; not what the kernels came from.
    """
    labels = {
        "dt_ms": dt_ms(dataset),
        "first_lag": first_lag_steps(dataset),
        "pre": dataset["pre"].values.tolist(),
        "post": dataset["post"].values.tolist(),
        "signals": [
            {
                "name": name,
                "shape": array.shape,
                "units": array.attrs["units"],
                "channels": array[channel_dim(str(name))].values.tolist(),
                "positions": [
                    array.coords[f"{name}_{axis}"].values.astype(float).tolist()
                    for axis in AXES
                    if f"{name}_{axis}" in array.coords
                ],
            }
            for name, array in dataset.data_vars.items()
        ],
    }
    digest = hashlib.sha256(json.dumps(labels, default=str).encode())
    factors = [dataset[COURSES]] if has_courses(dataset) else []
    for array in [*dataset.data_vars.values(), *factors]:
        flat = array.values.reshape(-1)
        for start in range(0, flat.size, _BLOCK):  # to save memory
            part = flat[start : start + _BLOCK] + 0.0  # -0.0 is 0.0
            digest.update(part.astype("<f8", copy=False).data)
    return digest.hexdigest()[:16]


class Peak(NamedTuple):
    """The largest value of a signal's kernels, and where it is: as a person reads it."""

    signal: str
    channels: int
    units: str
    value: str
    pathway: str
    channel: object
    lag: str
    depths: str

    @classmethod
    def of(cls, dataset: xr.Dataset, name: str) -> Peak:
        """That of a signal of these kernels."""
        array = dataset[name]
        value, x, y, c, k = 0.0, 0, 0, 0, 0
        for i in range(array.sizes["pre"]):  # one by one, to save memory
            each = along_lags(dataset, array.values[:, i])
            at = np.unravel_index(np.argmax(np.abs(each)), each.shape)
            if abs(each[at]) > abs(value):
                value, x, (y, c, k) = float(each[at]), i, map(int, at)
        z = array.coords.get(f"{name}_z")
        depths = ""
        if z is not None and np.any(np.isfinite(z)):
            depths = f"{np.nanmin(z):g} … {np.nanmax(z):g} µm"
        return cls(
            signal=name,
            channels=array.shape[2],
            units=array.attrs["units"],
            value=f"{value:.3g}",
            pathway=f"{array['pre'].values[x]} → {array['post'].values[y]}",
            channel=array[channel_dim(name)].values[c],
            lag=f"{dataset['lag'].values[k]:g}",
            depths=depths,
        )

    def __str__(self) -> str:
        return (
            f"{self.signal}: {self.channels} channels, {self.units}; peak {self.value}"
            f" {self.units} per spike ({self.pathway}, channel {self.channel}, {self.lag} ms)"
            + (f"; z {self.depths}" if self.depths else "")
        )


def peaks(dataset: xr.Dataset) -> list[Peak]:
    """Of each signal."""
    return [Peak.of(dataset, str(name)) for name in dataset.data_vars]


def lags(dataset: xr.Dataset) -> str:
    """How many, from where to where."""
    lag = dataset["lag"].values
    text = f"{lag.size} lags {lag[0]:g} … {lag[-1]:g} ms, dt {dt_ms(dataset):g} ms"
    return f"{text}, {dataset.sizes['course']} time courses" if has_courses(dataset) else text


def tool(dataset: xr.Dataset) -> str:
    """What made the kernels, "" where nothing is said."""
    source = provenance(dataset)
    if not source:
        return ""
    return f"{source.get('tool', 'unknown')} {source.get('version', '')}".rstrip()


def description(dataset: xr.Dataset) -> str:
    """What is in the set, a line per signal."""
    pre, post = (list(map(str, dataset[dim].values)) for dim in ("pre", "post"))
    lines = [
        f"KernelSet: {len(pre)} presynaptic × {len(post)} postsynaptic populations,"
        f" {lags(dataset)}",
        f"  pre:  {in_short(pre)}",
        f"  post: {in_short(post)}",
        *(f"  {peak}" for peak in peaks(dataset)),
    ]
    if made := tool(dataset):
        lines.append(f"  from: {made}")
    return "\n".join(lines)


def signals_table(dataset: xr.Dataset) -> Html:
    """The signals and their peaks, for a notebook."""
    return table(
        "signals",
        ["signal", "channels", "unit", "peak per spike", "pathway", "channel", "lag (ms)", "z"],
        peaks(dataset),
    )


def shown(dataset: xr.Dataset) -> str:
    """The set in a notebook."""
    pre, post = (in_short(list(map(str, dataset[dim].values))) for dim in ("pre", "post"))
    return card(
        "KernelSet",
        [("pre", pre), ("post", post), ("lags", lags(dataset)), ("from", tool(dataset))],
        signals_table(dataset),
        folded("xarray.Dataset", dataset._repr_html_()),
    )
