"""Maps of the scalp: EEG and MEG at some times, drawn by MNE."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from .._types import Floats
from ..errors import SignalError
from ..extras import require
from ..kernels.names import channel_dim
from ..signals.layout import checked, sampling_interval, vectors
from ..signals.mne import to_mne
from .reduction import known_signals
from .style import escaped, new_figure, style

if TYPE_CHECKING:
    from .style import Canvas

_PANEL_IN = 2.2


def topomap(
    dataset: xr.Dataset,
    times: float | Sequence[float],
    *,
    signal: str = "EEG",
    figure: Canvas | None = None,
    **options: Any,
) -> Canvas:
    """Maps of the scalp at some times, one beside the other, with the same colours.

    Parameters
    ----------
    dataset : xarray.Dataset
        Signals, as `FieldRecorder.signals` and `KernelSet.convolve` return them.
    times : float or sequence of float
        When (ms); the sample nearest to each is drawn.
    signal : str
        Potentials on the scalp, or magnetic flux densities (T, fT) above it, whose channels have
        positions.
    figure : matplotlib Figure or SubFigure, optional
        Where to draw; best one with ``layout="constrained"``. Default: a new figure.
    **options
        As for `mne.viz.plot_topomap`: names, contours, cmap, ... The circle is the head: of the
        mean distance of channels from the origin, unless ``sphere`` says else.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    SignalError
        If there is no such signal, its channels have no positions or share them, or it has no
        sample at a time; see also `nestlfp.signals.to_mne`.
    MissingExtraError
        If mne is not installed.
    """
    mne = require("mne", "mne")
    known_signals(signal, [str(name) for name in checked(dataset).data_vars])
    wanted = np.atleast_1d(np.asarray(times, dtype=float))
    there, interval = dataset["time"].values, sampling_interval(dataset)
    late = (wanted < there[0] - interval) | (wanted > there[-1] + interval)
    if late.any() or not wanted.size:
        raise SignalError(
            f"times must lie between {there[0]:g} and {there[-1]:g} ms, found {wanted.tolist()}"
        )
    places = _places(dataset[signal], signal)
    raw = to_mne(dataset[[signal]].isel(time=slice(2)))
    shown = dataset[signal].sel(time=wanted, method="nearest")
    limit = float(np.abs(shown).max())
    options = {
        "sphere": (0.0, 0.0, 0.0, float(np.linalg.norm(places, axis=1).mean()) * 1e-6),
        "vlim": (-limit, limit),
        **options,
    }
    with style():
        figure = figure or new_figure(_PANEL_IN * wanted.size + 0.8, _PANEL_IN + 0.3)
        axes = figure.subplots(1, wanted.size, squeeze=False)[0]
        for ax, values in zip(axes, shown.transpose("time", ...), strict=True):
            image, _ = mne.viz.plot_topomap(values.values, raw.info, axes=ax, show=False, **options)
            ax.set_title(f"{float(values['time']):g} ms")
        figure.colorbar(image, ax=[*axes], label=f"{signal} ({escaped(shown.attrs['units'])})")
    return figure


def _places(array: xr.DataArray, signal: str) -> Floats:
    """Positions of channels (µm), of which no two are the same."""
    found = vectors(array, signal)
    if not np.isfinite(found).all():
        raise SignalError(f"{signal!r} has no positions of channels: {signal}_x, _y, _z")
    if len(np.unique(found, axis=0)) < len(found):
        example = f"signals.isel({channel_dim(signal)}=slice(2, None, 3))"
        raise SignalError(
            f"several channels of {signal!r} are at the same place, as x, y and z of one sensor: "
            f"choose one of each, such as {example}"
        )
    return found
