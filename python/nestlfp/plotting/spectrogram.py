"""Power by time and frequency."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import xarray as xr

from ..errors import SignalError
from ..extras import require
from ..kernels.names import channel_dim
from ..signals.layout import added_up, checked
from ..signals.spectrum import spectrogram as density_of
from .axes import put_title
from .reduction import known_signals
from .style import WIDTH, Canvas, escaped, new_figure, style, width_in

_HEIGHT_IN = 1.9  # of a panel
_DECADES = 3  # of power that are shown, below the largest


def spectrogram(
    dataset: xr.Dataset,
    *,
    signals: Iterable[str] | str | None = None,
    channel: Any = None,
    highest: float | None = None,
    width: float | None = None,
    figure: Canvas | None = None,
    **options: Any,
) -> Canvas:
    """Power of signals by time and frequency, a panel for each signal.

    Colours are three decades of power below the largest. Where there is less, an arrow at the
    colour bar says so.

    Parameters
    ----------
    dataset : xarray.Dataset
        Signals, as `FieldRecorder.signals` and `KernelSet.convolve` return them. Contributions that
        are kept apart by population are added up first.
    signals : sequence of str, optional
        Which signals to draw. Default: all.
    channel : optional
        The name of a channel, of a single signal. Default: the mean of the power of all channels.
    highest : float, optional
        The highest frequency that is drawn (Hz). Default: all.
    width : float, optional
        Of the figure (mm), such as 85 for a column of a journal. Default: 180.
    figure : matplotlib Figure or SubFigure, optional
        Where to draw; best one with ``layout="constrained"``. Default: a new figure.
    **options
        As for `nestlfp.signals.spectrogram`: segment, overlap, window, detrend, start, stop.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    SignalError
        If a signal or channel is unknown, or there is no spectrogram, see
        `nestlfp.signals.spectrogram`.
    MissingExtraError
        If matplotlib is not installed.
    """
    names = known_signals(signals, [str(name) for name in checked(dataset).data_vars])
    chosen = xr.Dataset({name: added_up(dataset[name]) for name in names})
    where = ", mean over channels"
    if channel is not None:
        dim = channel_dim(names[0])
        if len(names) > 1 or channel not in chosen[dim].values:
            raise SignalError(
                f"channel must be one of {chosen[dim].values.tolist()}, of one signal, found "
                f"{channel!r} of {names}"
            )
        chosen, where = chosen.sel({dim: [channel]}), f", channel {channel}"
    densities = density_of(chosen, **options)
    if highest is not None:
        densities = densities.sel(frequency=slice(None, highest))
    if densities.sizes["frequency"] < 2:
        raise SignalError(
            f"there is no frequency up to {highest:g} Hz: frequencies are "
            f"{1000.0 / options.get('segment', 200.0):g} Hz apart, so that highest= must be larger"
        )
    with style():
        across = width_in(figure, width, WIDTH)
        figure = figure or new_figure(across, (_HEIGHT_IN + 0.3) * len(names) + 0.3)
        axes = figure.subplots(len(names), sharex=True, squeeze=False)[:, 0]
        for ax, name in zip(axes, names, strict=True):
            power = densities[name].mean(channel_dim(name), keep_attrs=True)
            power = power.isel(frequency=slice(1, None))  # a constant has been taken off
            _draw(ax, power)
            one = chosen.sizes[channel_dim(name)] == 1 and channel is None
            put_title(ax, name if one else f"{name}{where}", width_in=across)
        axes[-1].set_xlabel("time (ms), middle of the segments")
    return figure


def _draw(ax: Any, power: xr.DataArray) -> None:
    """Three decades of power, and their bar."""
    values = power.values
    top = float(values.max()) or 1.0
    colors = require("matplotlib.colors", "plot")
    image = ax.pcolormesh(
        power["time"], power["frequency"], values, cmap="viridis", rasterized=True,
        norm=colors.LogNorm(top / 10**_DECADES, top), shading="nearest",
    )  # fmt: skip
    ax.set_facecolor(image.cmap(0.0))  # power of nothing has no logarithm
    ax.set_ylabel("frequency (Hz)")
    less = float(np.min(values)) < top / 10**_DECADES
    bar = ax.figure.colorbar(
        image, ax=ax, pad=0.01, aspect=25, extend="min" if less else "neither",
        label=f"power ({escaped(power.attrs['units'])})",
    )  # fmt: skip
    bar.outline.set_visible(False)
    bar.ax.minorticks_off()
