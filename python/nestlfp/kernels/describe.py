"""What is in a kernel set: for people, and as a digest that tells two sets apart."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import xarray as xr

from .checks import dt_ms, first_lag_steps, provenance
from .names import AXES, channel_dim


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
    for array in dataset.data_vars.values():
        digest.update((array.values + 0.0).astype("<f8").tobytes())  # -0.0 is 0.0
    return digest.hexdigest()[:16]


def description(dataset: xr.Dataset) -> str:
    """What is in the set, a line per signal."""
    pre, post = (list(map(str, dataset[dim].values)) for dim in ("pre", "post"))
    lag = dataset["lag"].values
    lines = [
        f"KernelSet: {len(pre)} presynaptic × {len(post)} postsynaptic populations,"
        f" {lag.size} lags {lag[0]:g} … {lag[-1]:g} ms, dt {dt_ms(dataset):g} ms",
        f"  pre:  {', '.join(pre)}",
        f"  post: {', '.join(post)}",
    ]
    for name, array in dataset.data_vars.items():
        y, x, c, k = np.unravel_index(np.argmax(np.abs(array.values)), array.shape)
        label = array[channel_dim(str(name))].values[c]
        line = (
            f"  {name}: {array.shape[2]} channels, {array.attrs['units']}; peak"
            f" {array.values[y, x, c, k]:.3g} {array.attrs['units']} per spike"
            f" ({pre[x]} → {post[y]}, channel {label}, {lag[k]:g} ms)"
        )
        z = array.coords.get(f"{name}_z")
        if z is not None and np.any(np.isfinite(z)):
            line += f"; z {np.nanmin(z):g} … {np.nanmax(z):g} µm"
        lines.append(line)
    source = provenance(dataset)
    if source:
        lines.append(
            f"  from: {source.get('tool', 'unknown')} {source.get('version', '')}".rstrip()
        )
    return "\n".join(lines)
